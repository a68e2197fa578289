"""Which requests may be packed now: while a pilot is out, only those of the pilot."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from runner.core.model import Batch, BatchKey, Span, Stem
from runner.core.pilot import Members, Pilot, PilotStanding, members_of, standing, why_it_stops
from runner.core.plan import UNSENT
from runner.core.request_states import RequestStates
from runner.core.states import BatchState, Outcome
from runner.core.summary import add_up


@dataclass(slots=True)
class Admission:
    """What may be packed, by the answers that are there; nothing of it is stored."""

    pilot: Pilot | None = None
    members: Members | None = None
    """Of the pilot."""
    standing: PilotStanding | None = None
    """As it was found last; None: there is no pilot, or nobody has looked."""
    failed: str | None = None
    """Why nothing more is sent, once the pilot has failed."""

    @classmethod
    def of(
        cls, pilot: Pilot | None, stems: Iterable[Stem], trials: int, states: RequestStates
    ) -> Self:
        """Begin with what a configuration says and the answers that are there.

        Args:
            pilot: what goes first; None: everything goes at once.
            stems: the conditions of the configuration; those that the ledger does not know yet are
                left out.
            trials: of each condition.
            states: how every request stands.
        """
        known = [stem for stem in stems if stem in states.rows]
        if pilot is None or not known:
            return cls()
        members = members_of(pilot, known, trials)
        return cls(pilot, members, standing(pilot, members, states))

    @property
    def is_waiting(self) -> bool:
        """Tell whether only the pilot may be sent."""
        return self.standing is not None and not self.standing.passed

    def look(
        self,
        states: RequestStates,
        batches: Iterable[Batch],
        requests: Mapping[BatchKey, tuple[Span, ...]],
    ) -> None:
        """Take note of what came back.

        Args:
            states: how every request stands.
            batches: all batches.
            requests: what each of them has.
        """
        if self.pilot is None or self.members is None:
            return
        self.standing = standing(self.pilot, self.members, states)
        self.failed = None
        if not self.standing.failed:
            return
        read = [
            batch
            for batch in batches
            if batch.state is BatchState.COLLECTED
            and any(self._holds(span) for span in requests[batch.key])
        ]
        causes = add_up(batch.causes for batch in read)
        outcomes = add_up({"": batch.tally} for batch in read).get("", {})
        lost = {k: n for k, n in outcomes.items() if k not in (Outcome.VALID, Outcome.INVALID)}
        self.failed = why_it_stops(self.pilot, self.standing, causes, lost)

    def _holds(self, span: Span) -> bool:
        """Tell whether the pilot has a request of these."""
        return self.members is not None and span.first <= self.members.get(span.stem, 0)

    def pending(self, states: RequestStates, *, again: bool | None) -> Iterator[Span]:
        """Yield what may be packed now; of a pilot that is out, what was never answered."""
        if not self.is_waiting:
            return states.pending(again=again)
        if again:
            return iter(())
        return states.pending(again=False, within=self.members)

    def has_pending(self, states: RequestStates) -> bool:
        """Tell whether anything may be packed now."""
        if not self.is_waiting:
            return states.has_pending()
        return next(self.pending(states, again=False), None) is not None

    def held_back(
        self, batches: Iterable[Batch], requests: Mapping[BatchKey, tuple[Span, ...]]
    ) -> frozenset[BatchKey]:
        """Return batches packed by an earlier run, without a pilot, that wait for it now."""
        if not self.is_waiting or self.members is None:
            return frozenset()
        return frozenset(
            batch.key
            for batch in batches
            if batch.state in UNSENT
            and any(span.last > self.members.get(span.stem, 0) for span in requests[batch.key])
        )

    def facts(self) -> dict[str, Any]:
        """Return what a summary says of it; empty where there is no pilot."""
        return {} if self.standing is None else {"pilot": self.standing.facts()}
