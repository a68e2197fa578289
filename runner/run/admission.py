"""Which requests may be packed now: while a pilot is out only those, then what a stopping rule grants."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.core.model import Batch, BatchKey, Span, Stem, Stopping
from runner.core.pilot import Pilot, PilotStanding, members_of, standing, why_it_stops
from runner.core.plan import UNSENT
from runner.core.request_states import RequestStates
from runner.core.states import BatchState, Outcome
from runner.core.stopping import Precision, Sample, Verdict, next_trials, told, verdict
from runner.core.summary import add_up

Requests = Mapping[BatchKey, Sequence[Span]]
"""What each batch has."""
Values = Callable[[Sequence[BatchKey], Collection[Stem]], Mapping[Stem, Sequence[Any]]]
"""Reads from some batches the valid values of some conditions."""
NAMED = 100
"""Conditions, of which more are only counted."""


class PilotGate:
    """Lets only the pilot through until it has passed; nothing of it is stored."""

    def __init__(
        self, pilot: Pilot, stems: Sequence[Stem], trials: int, states: RequestStates
    ) -> None:
        """Choose the pilot's requests.

        Args:
            pilot: how large it is.
            stems: the conditions.
            trials: of each.
            states: how every request stands.
        """
        self.members = members_of(pilot, stems, trials)
        self.standing: PilotStanding = standing(pilot, self.members, states)
        self.failed: str | None = None
        """Why nothing more is sent, once it has failed."""
        self._pilot = pilot

    def look(self, states: RequestStates, batches: Iterable[Batch], requests: Requests) -> None:
        """Take note of what came back; what has passed stays so."""
        if self.standing.passed:
            return
        self.standing = standing(self._pilot, self.members, states)
        self.failed = None
        if not self.standing.failed:
            return
        read = [
            batch
            for batch in batches
            if batch.state is BatchState.COLLECTED
            and any(span.first <= self.members.get(span.stem, 0) for span in requests[batch.key])
        ]
        causes = add_up(batch.causes for batch in read)
        outcomes = add_up({"": batch.tally} for batch in read).get("", {})
        lost = {k: n for k, n in outcomes.items() if k not in (Outcome.VALID, Outcome.INVALID)}
        self.failed = why_it_stops(self._pilot, self.standing, causes, lost)

    def holds_back(self, batch: Batch, requests: Requests) -> bool:
        """Tell whether a batch was packed by an earlier run, without a pilot, and waits for it now."""
        return batch.state in UNSENT and any(
            span.last > self.members.get(span.stem, 0) for span in requests[batch.key]
        )


@dataclass(slots=True)
class Rounds:
    """Asks conditions more until a stopping rule is content with them."""

    rule: Stopping
    """Until when."""
    stems: Sequence[Stem]
    values: Values
    grant: Callable[[Mapping[Stem, int], Mapping[str, Any]], None]
    """Writes down what is granted, before it may be packed."""
    _known: dict[Stem, tuple[Verdict, Sample]] = field(default_factory=dict)
    """What was found of conditions without an open trial; such a one stays as it is."""
    _facts: dict[str, Any] | None = None

    def judge(self, states: RequestStates, batches: Iterable[Batch], requests: Requests) -> None:
        """Judge the conditions that have come to the end of what was granted."""
        due = {stem for stem in self.stems if stem not in self._known and states.is_settled(stem)}
        if not due:
            return
        self._facts = None
        read = [
            batch.key
            for batch in batches
            if batch.state is BatchState.COLLECTED
            and any(span.stem in due for span in requests[batch.key])
        ]
        found = self.values(read, due)
        for stem in due:
            sample = Sample.of(found.get(stem, ()), is_choice=self.rule.is_choice)
            self._known[stem] = (verdict(self.rule, states.rows[stem].wanted, sample), sample)

    def look(self, states: RequestStates, batches: Iterable[Batch], requests: Requests) -> None:
        """Judge, and let what is not precise enough be asked more."""
        self.judge(states, batches, requests)
        more = {}
        for stem in self.stems:
            found, sample = self._known.get(stem, (None, Sample()))
            if found is Verdict.OPEN:
                more[stem] = next_trials(self.rule, states.rows[stem].wanted, sample)
        if not more:
            return
        self._facts = None
        self.grant(more, told(self.rule))
        for stem, trials in more.items():
            states.want(stem, trials)
            del self._known[stem]

    def is_over(self, stem: Stem) -> bool:
        """Tell whether a condition is asked no more, as it was found last."""
        return self._known.get(stem, (Verdict.OPEN,))[0] is not Verdict.OPEN

    def forget(self) -> None:
        """Judge everything anew: what had ended is asked once more."""
        self._facts = None
        self._known.clear()

    def facts(self) -> dict[str, Any]:
        """Return how far it has come, as JSON-ready facts."""
        if self._facts is None:
            self._facts = self._counted()
        return self._facts

    def _counted(self) -> dict[str, Any]:
        found = [verdict for verdict, _ in self._known.values()]
        reached, at_most = found.count(Verdict.REACHED), found.count(Verdict.AT_MOST)
        constant = sum(
            verdict is Verdict.REACHED and not sample.spread
            for verdict, sample in self._known.values()
        )
        precision = Precision(
            reached=reached,
            constant=constant,
            at_most=at_most,
            open=len(self.stems) - reached - at_most,
        )
        named = [s for s in self.stems if self._known.get(s, (None,))[0] is Verdict.AT_MOST]
        return {**precision.facts(self.rule), "conditions_at_max": named[:NAMED]}


@dataclass(slots=True)
class Admission:
    """What may be packed; most runs have neither a pilot nor a stopping rule."""

    pilot: PilotGate | None = None
    rounds: Rounds | None = None

    def __bool__(self) -> bool:
        """Tell whether there is either."""
        return self.pilot is not None or self.rounds is not None

    @property
    def standing(self) -> PilotStanding | None:
        """How the pilot stands, as it was found last; None: there is none."""
        return None if self.pilot is None else self.pilot.standing

    @property
    def failed(self) -> str | None:
        """Why nothing more is sent, once the pilot has failed."""
        return None if self.pilot is None else self.pilot.failed

    def look(self, states: RequestStates, batches: Iterable[Batch], requests: Requests) -> None:
        """Take note of what came back, and let what may go now be pending.

        Args:
            states: how every request stands.
            batches: all batches.
            requests: what each of them has.
        """
        if self.pilot is not None:
            self.pilot.look(states, batches, requests)
        if self.rounds is not None and self._waiting() is None:
            self.rounds.look(states, batches, requests)

    def judge(self, states: RequestStates, batches: Iterable[Batch], requests: Requests) -> None:
        """Find out how everything stands, and let nothing new be pending; as `look`."""
        if self.pilot is not None:
            self.pilot.look(states, batches, requests)
        if self.rounds is not None:
            self.rounds.judge(states, batches, requests)

    def asked_again(self) -> None:
        """Take note that requests which had ended wait to be asked once more."""
        if self.rounds is not None:
            self.rounds.forget()

    def _waiting(self) -> PilotGate | None:
        """Return the pilot, as long as only its requests may be sent."""
        return None if self.pilot is None or self.pilot.standing.passed else self.pilot

    def pending(self, states: RequestStates, *, again: bool | None) -> Iterator[Span]:
        """Yield what may be packed now; of a pilot that is out, what was never answered."""
        pilot = self._waiting()
        if pilot is None:
            return states.pending(again=again)
        if again:
            return iter(())
        return states.pending(again=False, within=pilot.members)

    def has_pending(self, states: RequestStates) -> bool:
        """Tell whether anything may be packed now."""
        if self._waiting() is None:
            return states.has_pending()
        return next(self.pending(states, again=False), None) is not None

    def held_back(self, batches: Iterable[Batch], requests: Requests) -> frozenset[BatchKey]:
        """Return batches of an earlier run that wait for the pilot."""
        pilot = self._waiting()
        if pilot is None:
            return frozenset()
        return frozenset(batch.key for batch in batches if pilot.holds_back(batch, requests))

    def facts(self) -> dict[str, Any]:
        """Return what a summary says of it; empty where there is neither."""
        found: dict[str, Any] = {}
        if self.pilot is not None:
            found["pilot"] = self.pilot.standing.facts()
        if self.rounds is not None:
            found["until"] = self.rounds.facts()
        return found
