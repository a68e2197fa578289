"""Every request of the experiment and how it stands, folded from the outcomes of its attempts.

One byte a request and counter, in arrays by condition: a million requests are a few megabytes and
a finished batch is a few slice assignments. `pending` is stored nowhere; it is what is left over.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from runner.core.model import Condition, Enhance, Span, Stem, Variant
from runner.core.numbered import Numbered
from runner.core.request_rows import (
    FAILED,
    IN_BATCH,
    PENDING,
    RETRY_SUCCESS,
    STATES,
    SUCCESS,
    WITHHELD,
    Rows,
    Trials,
)
from runner.core.spans import Spans
from runner.core.states import ASKED, LOST, OUTCOME_CODES, BatchState, Outcome, RequestState


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The counters of a run: total = success + retry_success + failed + open, always."""

    total: int = 0
    success: int = 0
    retry_success: int = 0
    failed: int = 0
    in_batch: int = 0
    pending: int = 0

    @property
    def open(self) -> int:
        """Requests that are neither answered well nor given up."""
        return self.in_batch + self.pending


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a request is asked, and how often it may get lost on the way."""

    max_attempts: int
    max_lost: int
    enhance: Enhance

    def variant(self, again: bool) -> Variant:
        """Return the wording for a request that is asked for the first time, or again."""
        if self.enhance is Enhance.ALWAYS or (self.enhance is Enhance.ON_RETRY and again):
            return Variant.ENHANCED
        return Variant.PLAIN


@dataclass(slots=True)
class RequestStates:
    """How every request stands."""

    policy: RetryPolicy
    rows: MutableMapping[Stem, Trials] = field(default_factory=dict)
    _tally: list[int] = field(init=False)
    """Requests by state, kept up to date with every change of a row."""
    _first_states: bytes = field(init=False)
    """The translation of a first attempt's outcome to the request's state."""

    def __post_init__(self) -> None:
        """Count what is there."""
        if isinstance(self.rows, Rows):
            self._tally = self.rows.counted()
        else:
            counted = [row.counted() for row in self.rows.values()]
            self._tally = [sum(column) for column in zip(*counted, strict=True)] or [*_NOTHING]
        self._first_states = bytes(
            self._state_after(code, _ASKED_BYTE[code], _LOST_BYTE[code]) for code in range(256)
        )

    @classmethod
    def of(
        cls,
        conditions: Iterable[Condition],
        trials: int,
        policy: RetryPolicy,
        names: Numbered | None = None,
    ) -> "RequestStates":
        """Start with everything pending.

        Args:
            conditions: whose requests they are.
            trials: of each.
            policy: how often one is asked.
            names: of the conditions, where these are many.
        """
        if names is not None:
            return cls(policy, Rows(names, trials))
        return cls(
            policy,
            {
                c.stem: Trials(trials, bytearray(trials), bytearray(trials), bytearray(trials))
                for c in conditions
            },
        )

    def depart(self, spans: Iterable[Span]) -> None:
        """Record that requests went into a batch."""
        if (rows := self._alike_with(spans)) is not None:
            for low, high in _places(spans, rows.trials):
                with self._counting(rows, low, high):
                    rows.state[low:high] = rows.state[low:high].translate(_DEPARTED)
            return
        for span in spans:
            with self._changing(span.stem, span.last) as row:
                here = slice(span.first - 1, span.last)
                row.state[here] = row.state[here].translate(_DEPARTED)

    def release(self, spans: Iterable[Span]) -> None:
        """Record that a batch was dropped before it ran: its requests are free again."""
        for span in spans:
            with self._changing(span.stem, span.last) as row:
                for index in range(span.first - 1, span.last):
                    if row.state[index] == IN_BATCH:
                        row.state[index] = self._state_after(
                            _CANCELLED, row.asked[index], row.lost[index]
                        )

    def arrive(self, spans: Iterable[Span], outcomes: bytes) -> None:
        """Record how the requests of a batch ended, one byte each, in the batch's order."""
        at = 0
        if (rows := self._alike_with(spans)) is not None:
            for low, high in _places(spans, rows.trials):
                with self._counting(rows, low, high):
                    self._fold(rows, low, outcomes[at : at + high - low])
                at += high - low
            return
        for span in spans:
            with self._changing(span.stem, span.last) as row:
                self._fold(row, span.first - 1, outcomes[at : at + len(span)])
            at += len(span)

    def replay(self, state: BatchState, spans: Iterable[Span], outcomes: bytes | None) -> bool:
        """Take in one batch as a ledger has it; batches come in the order of packing.

        Args:
            state: where the batch stands.
            spans: its requests.
            outcomes: how they ended, one byte each; None: that is not known yet.

        Returns:
            Whether it counts; one that was dropped never ran, and leaves everything as it was.
        """
        if state is BatchState.DROPPED:
            return False
        spans = spans if isinstance(spans, Spans) else tuple(spans)
        self.depart(spans)
        if outcomes is not None:
            self.arrive(spans, outcomes)
        return True

    def withhold(self, spans: Iterable[Span], outcomes: bytes | None = None) -> None:
        """Keep back what a cancelled batch left, until it is given back.

        Args:
            spans: the requests of the batch.
            outcomes: how they ended, one byte each; None: it never ran.
        """
        at = 0
        for span in spans:
            with self._changing(span.stem, span.last) as row:
                for index in range(span.first - 1, span.last):
                    ended = _CANCELLED if outcomes is None else outcomes[at]
                    if row.state[index] == PENDING and ended == _CANCELLED:
                        row.state[index] = WITHHELD
                    at += 1

    def give_back(self, spans: Iterable[Span]) -> int:
        """Let what was withheld be asked again; return how many requests that are."""
        return sum(
            self._turn(span.stem, range(span.first - 1, span.last), WITHHELD) for span in spans
        )

    def retry(self, wanted: Callable[[Stem, int], bool]) -> int:
        """Let failed requests be asked once more; return how many.

        Args:
            wanted: tells of a condition and a trial whether it is meant.
        """
        return sum(
            self._turn(stem, [i for i in range(row.wanted) if wanted(stem, i + 1)], FAILED)
            for stem, row in self.rows.items()
            if row.state.find(FAILED, 0, row.wanted) >= 0
        )

    def _turn(self, stem: Stem, places: Sequence[int], state: int) -> int:
        """Make requests in a state pending; return how many there were."""
        count = 0
        with self._changing(stem, max(places, default=-1) + 1) as row:
            for index in places:
                if row.state[index] == state:
                    row.state[index] = PENDING
                    count += 1
        return count

    def counts(self) -> Counts:
        """Return the counters; requests outside the configuration count once they were sent."""
        tally = self._tally
        return Counts(
            total=sum(tally),
            success=tally[SUCCESS],
            retry_success=tally[RETRY_SUCCESS],
            failed=tally[FAILED],
            in_batch=tally[IN_BATCH],
            pending=tally[PENDING] + tally[WITHHELD],
        )

    def pending(
        self, *, again: bool | None = None, within: Mapping[Stem, int] | None = None
    ) -> Iterator[Span]:
        """Yield what is to be asked next, as spans, in the order of the configuration.

        Args:
            again: only what the model has answered before (True) or not yet (False).
            within: only of these conditions, and only so many of their trials.
        """
        if within is None and isinstance(self.rows, Rows) and self.rows.is_even:
            yield from self._pending_in(self.rows, again)
            return
        stems = self.rows if within is None else within
        for stem in stems:
            row = self.rows[stem]
            size = row.wanted if within is None else min(row.wanted, within[stem])
            for first, last in _runs(row.state, size):
                for span in self._alike(stem, row, first, last):
                    if again is None or again is bool(row.asked[span.first - 1]):
                        yield span

    def want(self, stem: Stem, trials: int) -> None:
        """Let a condition of the configuration have so many trials."""
        with self._changing(stem, trials) as row:
            row.wanted = trials

    def sent(self, stem: Stem) -> int:
        """Return the last trial of a condition that was ever in a batch."""
        row = self.rows[stem]
        for index in range(len(row.state) - 1, -1, -1):
            if row.state[index] != PENDING or row.asked[index] or row.lost[index]:
                return index + 1
        return 0

    def is_settled(self, stem: Stem) -> bool:
        """Tell whether no trial of a condition is open."""
        row = self.rows[stem]
        return not any(row.state.find(code, 0, row.wanted) >= 0 for code in _OPEN)

    def has_pending(self) -> bool:
        """Tell whether anything is left to ask."""
        return self._tally[PENDING] > 0

    def state(self, stem: Stem, trial: int) -> RequestState:
        """Return how one request stands."""
        return STATES[self.rows[stem].state[trial - 1]]

    @contextmanager
    def _changing(self, stem: Stem, size: int) -> Iterator[Trials]:
        """Lend a row for a change, with room for trials up to a number, and keep the count of all."""
        row = self.rows.get(stem)
        if row is None:
            row = Trials(0, bytearray(), bytearray(), bytearray())
        before = row.counted()
        row.grow(size)
        try:
            yield row
        finally:
            self.rows[stem] = row
            self._tally = [
                total - old + new
                for total, old, new in zip(self._tally, before, row.counted(), strict=True)
            ]

    def _alike_with(self, spans: Iterable[Span]) -> Rows | None:
        """Return the rows where spans are whole ranges of them: they are changed at once."""
        rows = self.rows
        if not isinstance(rows, Rows) or not rows.is_even or not isinstance(spans, Spans):
            return None
        whole = all((block.first, block.last) == (1, rows.trials) for block in spans.blocks)
        return rows if whole and spans.names is rows.names else None

    @contextmanager
    def _counting(self, rows: Rows, low: int, high: int) -> Iterator[None]:
        """Keep the count of all while some requests change."""
        before = [rows.state.count(code, low, high) for code in range(len(STATES))]
        yield
        for code, count in enumerate(before):
            self._tally[code] += rows.state.count(code, low, high) - count

    def _pending_in(self, rows: Rows, again: bool | None) -> Iterator[Span]:
        """Yield what is pending, where all rows are in the arrays."""
        size, state = rows.trials, rows.state
        at = state.find(PENDING)
        while at >= 0:
            number, index = divmod(at, size)
            begin, end = at - index, at
            while end < begin + size and state[end] == PENDING:
                end += 1
            stem, first, last = Stem(rows.names[number]), index + 1, end - begin
            if size == 1:
                was_asked = bool(rows.asked[at])
                if again is None or again is was_asked:
                    yield Span(stem, 1, 1, self.policy.variant(was_asked))
            else:
                for span in self._alike(stem, rows[stem], first, last):
                    if again is None or again is bool(rows.asked[begin + span.first - 1]):
                        yield span
            at = state.find(PENDING, end)

    def _fold(self, row: Trials | Rows, low: int, outcomes: bytes) -> None:
        high = low + len(outcomes)
        if not any(row.asked[low:high]) and not any(row.lost[low:high]):
            row.asked[low:high] = outcomes.translate(_ASKED_BYTE)
            row.lost[low:high] = outcomes.translate(_LOST_BYTE)
            row.state[low:high] = outcomes.translate(self._first_states)
            return
        for index, outcome in enumerate(outcomes, start=low):
            if row.state[index] in (SUCCESS, RETRY_SUCCESS):
                continue
            row.asked[index] = min(row.asked[index] + _ASKED_BYTE[outcome], 255)
            row.lost[index] = min(row.lost[index] + _LOST_BYTE[outcome], 255)
            row.state[index] = self._state_after(outcome, row.asked[index], row.lost[index])

    def _state_after(self, outcome: int, asked: int, lost: int) -> int:
        if outcome == OUTCOME_CODES[Outcome.VALID]:
            return SUCCESS if asked <= 1 else RETRY_SUCCESS
        if outcome in (OUTCOME_CODES[Outcome.REFUSED], OUTCOME_CODES[Outcome.UNREADABLE]):
            return FAILED
        if outcome == OUTCOME_CODES[Outcome.OPEN]:
            return IN_BATCH
        given_up = asked >= self.policy.max_attempts or lost >= self.policy.max_lost
        return FAILED if given_up else PENDING

    def _alike(self, stem: Stem, row: Trials, first: int, last: int) -> Iterator[Span]:
        """Cut a run of pending trials where those asked again meet those asked first."""
        start, again = first, bool(row.asked[first - 1])
        if any(row.asked[first - 1 : last]):
            for trial in range(first + 1, last + 1):
                if bool(row.asked[trial - 1]) is not again:
                    yield Span(stem, start, trial - 1, self.policy.variant(again))
                    start, again = trial, not again
        yield Span(stem, start, last, self.policy.variant(again))


_NOTHING = [0] * len(STATES)
_OPEN = (PENDING, IN_BATCH, WITHHELD)
_CANCELLED = OUTCOME_CODES[Outcome.CANCELLED]
_DEPARTED = bytes(code if code in (SUCCESS, RETRY_SUCCESS) else IN_BATCH for code in range(256))
"""A request that turned out to be answered stays so, although another attempt is under way."""
_ASKED_BYTE = bytes(code in {OUTCOME_CODES[o] for o in ASKED} for code in range(256))
_LOST_BYTE = bytes(code in {OUTCOME_CODES[o] for o in LOST} for code in range(256))


def even(states: RequestStates) -> Rows | None:
    """Return the rows of many conditions, where all are alike and in one piece."""
    return states.rows if isinstance(states.rows, Rows) and states.rows.is_even else None


def _places(spans: Iterable[Span], trials: int) -> Iterator[tuple[int, int]]:
    """Yield where whole rows stand in the arrays: from, and to."""
    assert isinstance(spans, Spans)
    for block in spans.blocks:
        yield block.begin * trials, block.end * trials


def _runs(state: bytearray, size: int) -> Iterator[tuple[int, int]]:
    """Yield first and last trial of each run of pending ones."""
    start = state.find(PENDING, 0, size)
    while start >= 0:
        end = start
        while end < size and state[end] == PENDING:
            end += 1
        yield start + 1, end
        start = state.find(PENDING, end, size)
