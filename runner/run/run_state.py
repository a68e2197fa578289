"""How a run stands: its batches, its requests, and why nothing is sent; written down in one place."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from runner.core.deadline import Deadline
from runner.core.model import Batch, BatchKey, Span
from runner.core.pilot import PilotStanding
from runner.core.plan import Load, committed
from runner.core.request_states import Counts, RequestStates
from runner.core.states import BatchEvent, BatchState
from runner.core.summary import summary
from runner.core.transition import Mark, Step, resumed
from runner.run.admission import Admission
from runner.run.budget import SharedBudget
from runner.run.clock import Clock
from runner.storage.events import event_of
from runner.storage.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a screen needs to draw a run."""

    counts: Counts
    batches: tuple[Batch, ...]
    held: str | None
    halted: str | None
    stopping: bool
    doing: str | None = None
    """What goes on beside the batches, and how far it is."""
    pilot: PilotStanding | None = None
    """How the requests stand that go first; None: there is no pilot."""
    until: Mapping[str, Any] | None = None
    """How far a stopping rule has come, as `Precision.facts` says it; None: there is none."""
    deadline: Deadline | None = None
    """When what is open is asked one by one; None: never."""


class Observer(Protocol):
    """What shows a run."""

    def happened(self, event: Mapping[str, Any]) -> None:
        """Take note of one event."""
        ...

    def tick(self, snapshot: Snapshot) -> None:
        """Draw, if it is time to."""
        ...


class RunState:
    """One run as it stands.

    Every change goes to the ledger in one transaction, together with its event, before anything
    else looks at it.
    """

    def __init__(
        self,
        ledger: Ledger,
        request_states: RequestStates,
        shared_budget: SharedBudget,
        clock: Clock,
        observer: Observer,
        *,
        waits: bool,
        admission: Admission | None = None,
    ) -> None:
        """Take up what the ledger knows.

        Args:
            ledger: the run's.
            request_states: how every request stands, by the ledger.
            shared_budget: what the jobs of a sweep share.
            clock: the time.
            observer: is told of every event.
            waits: whether this run waits for the provider.
            admission: what may be packed; without it, all that is pending.
        """
        self.ledger = ledger
        self.requests = request_states
        self.clock = clock
        self.observer = observer
        self.stopping = False
        self._admission = admission or Admission()
        self._is_news = True
        """Whether something came since what may be packed was looked at."""
        self._halted: str | None = None
        self._leaves_at: float | None = None
        self._held: str | None = None
        self.turn = 0
        """Counts the changes after which other requests may be packed than before; goes up when they are done."""
        self._lack: tuple[int, int] = (0, 0)
        """Requests that are too few for a batch, and the turn by which that was found."""
        self._shared_budget = shared_budget
        now = clock.now()
        self._batches = {b.key: resumed(b, now, waits=waits) for b in ledger.batches()}
        self._members = {key: ledger.members(key) for key in self._batches}
        self._marks: dict[BatchKey, frozenset[Mark]] = {}

    # -- looking

    @property
    def batches(self) -> Mapping[BatchKey, Batch]:
        """Every batch, in the order of the keys."""
        return self._batches

    def members(self, key: BatchKey) -> Sequence[Span]:
        """Return a batch's requests, in the order of its file."""
        return self._members[key]

    def marks(self, key: BatchKey) -> frozenset[Mark]:
        """Return what this run knows of a batch beside its record."""
        return self._marks.get(key, frozenset())

    def marked(self, mark: Mark) -> frozenset[BatchKey]:
        """Return the batches with a mark."""
        return frozenset(key for key, marks in self._marks.items() if mark in marks)

    @property
    def halted(self) -> str | None:
        """Why nothing more is sent in this run; None when sending is allowed."""
        return self._halted or self._admission.failed

    def snapshot(self) -> Snapshot:
        """Return the run as it stands."""
        return Snapshot(
            counts=self.requests.counts(),
            batches=tuple(self._batches.values()),
            held=self._held,
            halted=self.halted,
            stopping=self.stopping,
            pilot=self._admission.standing,
            until=self._admission.facts().get("until"),
        )

    # -- what may be packed now

    def admit(self) -> None:
        """Find out what may be packed, if anything came since the last time."""
        if not self._is_news:
            return
        self._is_news = False
        before = self._admission.facts()
        self._admission.look(self.requests, self._batches.values(), self._members)
        self.turn += 1
        if self._admission.facts() != before:
            self.summarise()

    def pending(self, *, again: bool | None) -> Iterator[Span]:
        """Yield what may be packed now, as `RequestStates.pending`."""
        return self._admission.pending(self.requests, again=again)

    def has_pending(self) -> bool:
        """Tell whether anything may be packed now."""
        return self._admission.has_pending(self.requests)

    @property
    def too_few(self) -> int:
        """Requests that are fewer than the provider takes in a batch, until others are pending."""
        count, turn = self._lack
        return count if turn == self.turn else 0

    def held_back(self) -> frozenset[BatchKey]:
        """Return batches that are packed and wait for the pilot."""
        return self._admission.held_back(self._batches.values(), self._members)

    # -- leaving; called from a signal handler, too, so it takes no lock

    def stop(self, *, grace_seconds: float | None) -> None:
        """Note that nothing new is started.

        Args:
            grace_seconds: how long calls under way are waited for, where this process ends then.
        """
        self.stopping = True
        if grace_seconds is not None:
            self.ledger.hurry()
            self._leaves_at = self.clock.now() + grace_seconds

    def time_left(self) -> float | None:
        """Return for how many seconds calls are still waited for; None: until they end."""
        if self._leaves_at is None:
            return None
        return max(self._leaves_at - self.clock.now(), 0.0)

    # -- the budget, which other jobs share

    def deciding(self) -> AbstractContextManager[Any]:
        """Keep other jobs from deciding until what is decided is written down."""
        return self._shared_budget.lock

    def committed_by_others(self) -> Decimal:
        """Return what other jobs have committed, in US dollars."""
        return self._shared_budget.of_others(self.ledger.directory)

    def load_of_others(self) -> Load:
        """Return what other jobs have at the provider."""
        return self._shared_budget.load(self.ledger.directory)

    def room_for(self, key: BatchKey, budget_usd: Decimal | None) -> Decimal | None:
        """Return how much a batch may come to, beside all others; None: there is no limit."""
        if budget_usd is None:
            return None
        with self.deciding():
            others = tuple(batch for batch in self._batches.values() if batch.key != key)
            return budget_usd - committed(others) - self.committed_by_others()

    # -- changing

    def take(self, step: Step) -> None:
        """Write down what came of a call."""
        key, outcomes = step.batch.key, step.outcomes
        self._marks[key] = step.marks
        if step.halted is not None:
            self._halted = step.halted
        if outcomes is not None:
            self._is_news = True
            self.requests.arrive(self._members[key], outcomes)
            if Mark.CANCELLED in step.marks:
                self.requests.withhold(self._members[key], outcomes)
            self.turn += 1
        if step.frees:
            self.set_free(key)
        if step.batch is self._batches[key] and step.event is None:
            return
        rows = {} if outcomes is None else {"outcomes": outcomes}
        self._write(step.batch, step.event, step.error, **rows)
        if step.event == BatchEvent.END.value:
            self._wake_deferred()

    def add(self, batch: Batch, members: Sequence[Span]) -> None:
        """Write down a batch that was just packed."""
        self.requests.depart(members)
        self._members[batch.key] = members
        self._write(batch, "packed", None, members=members)

    def decide(self, batch: Batch, what: str) -> None:
        """Write down what the user decided of a batch."""
        self._write(batch, what, None)

    def set_free(self, key: BatchKey) -> None:
        """Free the requests of a batch that never ran; withheld if the user cancelled it."""
        self.requests.release(self._members[key])
        if Mark.CANCELLED in self.marks(key):
            self.requests.withhold(self._members[key])
        self.turn += 1

    def mark(self, key: BatchKey, mark: Mark, *, is_set: bool = True) -> None:
        """Set or clear a mark of a batch."""
        self._marks[key] = self.marks(key) | {mark} if is_set else self.marks(key) - {mark}

    def wake(self, key: BatchKey) -> None:
        """Let a batch be looked at now."""
        self._batches[key] = replace(self._batches[key], next_at=self.clock.now())

    def lack(self, count: int, turn: int) -> None:
        """Note how many requests are too few for a batch, and by which turn: they may be more by now."""
        self._lack = count, turn

    def hold(self, why: str | None) -> None:
        """Note why something that could be sent is not."""
        self._held = why

    def asked_again(self) -> None:
        """Take note that requests which had ended wait to be asked once more."""
        self._is_news = True
        self.turn += 1
        self._admission.asked_again()
        self.summarise()

    def summarise(self) -> None:
        """Write the summary beside the ledger."""
        self.ledger.summarise(self._summary())

    def _wake_deferred(self) -> None:
        """Let batches that wait for room try again: one has just ended."""
        for batch in self._batches.values():
            if batch.state is BatchState.STAGED and batch.dead:
                self.wake(batch.key)

    def _write(self, batch: Batch, what: str | None, error: str | None, **rows: Any) -> None:
        with self.deciding():  # conversations in real time look at them, too
            self._batches[batch.key] = batch
            self._shared_budget.settle(self.ledger.directory, tuple(self._batches.values()))
        event = None
        if what is not None:
            event = event_of(batch, what, self.clock.now(), error)
        self.ledger.record(batch, summary=self._summary(), event=event, **rows)
        if event is not None:
            self.observer.happened(event)

    def _summary(self) -> dict[str, Any]:
        return {
            **summary(self.requests.counts(), tuple(self._batches.values())),
            "held": self._held,
            "halted": self.halted,
            **self._admission.facts(),
        }
