"""The request_states against a plain reference, over random histories; and at a million requests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.model import Condition, Enhance, Span, Stem, Variant
from runner.core.numbered import Numbered
from runner.core.request_states import Counts, RequestStates, RetryPolicy
from runner.core.spans import Spans
from runner.core.states import OUTCOME_CODES, Outcome, RequestState
from tests.growth import MOST, growth

POLICY = RetryPolicy(max_attempts=3, max_lost=2, enhance=Enhance.ON_RETRY)
ENDED = [outcome for outcome in Outcome if outcome is not Outcome.OPEN]


def condition(stem: str) -> Condition:
    return Condition(stem=Stem(stem), levels=("p", "t"), temperature=Decimal(0))


def request_states(*stems: str, trials: int = 10, policy: RetryPolicy = POLICY) -> RequestStates:
    return RequestStates.of([condition(stem) for stem in stems], trials, policy)


def span(stem: str, first: int, last: int, variant: Variant = Variant.PLAIN) -> Span:
    return Span(Stem(stem), first, last, variant)


def codes(*outcomes: Outcome) -> bytes:
    return bytes(OUTCOME_CODES[outcome] for outcome in outcomes)


# --- the reference: one small object a request, and the rules as they are told -----------------


@dataclass
class Told:
    """One request as a person would keep it."""

    asked: int = 0
    lost: int = 0
    won_at: int | None = None
    refused: bool = False
    flying: bool = False

    def state(self, policy: RetryPolicy) -> RequestState:
        if self.won_at is not None:
            return RequestState.SUCCESS if self.won_at == 1 else RequestState.RETRY_SUCCESS
        if self.flying:
            return RequestState.IN_BATCH
        used_up = self.asked >= policy.max_attempts or self.lost >= policy.max_lost
        return RequestState.FAILED if self.refused or used_up else RequestState.PENDING

    def end(self, outcome: Outcome) -> None:
        self.flying = False
        if self.won_at is not None:
            return
        self.asked += outcome in (Outcome.VALID, Outcome.INVALID)
        self.lost += outcome in (Outcome.ERRORED, Outcome.EXPIRED, Outcome.MISSING)
        self.refused = outcome in (Outcome.REFUSED, Outcome.UNREADABLE)
        if outcome is Outcome.VALID:
            self.won_at = self.asked


@dataclass
class Reference:
    """All requests, by name."""

    policy: RetryPolicy
    inside: set[tuple[str, int]]
    requests: dict[tuple[str, int], Told] = field(default_factory=dict)

    def at(self, name: tuple[str, int]) -> Told:
        return self.requests.setdefault(name, Told())

    def counts(self) -> Counts:
        states = {name: self.at(name).state(self.policy) for name in self.inside}
        for name, request in self.requests.items():
            if request.state(self.policy) is not RequestState.PENDING:
                states[name] = request.state(self.policy)
        found = list(states.values())
        return Counts(
            total=len(found),
            success=found.count(RequestState.SUCCESS),
            retry_success=found.count(RequestState.RETRY_SUCCESS),
            failed=found.count(RequestState.FAILED),
            in_batch=found.count(RequestState.IN_BATCH),
            pending=found.count(RequestState.PENDING),
        )

    def pending(self) -> set[tuple[str, int, Variant]]:
        return {
            (*name, self.policy.variant(again=self.at(name).asked > 0))
            for name in self.inside
            if self.at(name).state(self.policy) is RequestState.PENDING
        }


def names(spans: tuple[Span, ...]) -> list[tuple[str, int]]:
    return [(s.stem, trial) for s in spans for trial in range(s.first, s.last + 1)]


POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 4),
    max_lost=st.integers(1, 3),
    enhance=st.sampled_from(Enhance),
)
STEMS = ("a", "b", "z")
"""z is in no configuration."""


@st.composite
def _cut(draw: st.DrawFn, ready: list[tuple[str, int]]) -> tuple[Span, ...]:
    """Take some of the requests that may go into a batch, as spans."""
    chosen = sorted(draw(st.lists(st.sampled_from(ready), min_size=1, max_size=12, unique=True)))
    found: list[Span] = []
    for stem, trial in chosen:
        if found and found[-1].stem == stem and found[-1].last == trial - 1:
            found[-1] = Span(Stem(stem), found[-1].first, trial, Variant.PLAIN)
        else:
            found.append(span(stem, trial, trial))
    return tuple(found)


@dataclass
class Sent:
    """One batch of a history."""

    spans: tuple[Span, ...]
    outcomes: bytes | None = None
    dropped: bool = False


class History:
    """A random run, told to the request_states and to the reference alike."""

    def __init__(self, policy: RetryPolicy, trials: int) -> None:
        self.policy, self.trials = policy, trials
        self.real = self.made()
        inside = {(stem, trial) for stem in ("a", "b") for trial in range(1, trials + 1)}
        self.told = Reference(policy, inside)
        self.batches: list[Sent] = []

    def step(self, data: st.DataObject) -> None:
        open_ = [b for b in self.batches if b.outcomes is None and not b.dropped]
        ready = [
            (stem, trial)
            for stem in STEMS
            for trial in range(1, 13)  # also trials beyond the present configuration
            if self.told.at((stem, trial)).state(self.policy) is RequestState.PENDING
        ]
        verb = data.draw(st.sampled_from(["depart", "depart", "arrive", "arrive", "release"]))
        if verb == "depart" and ready:
            batch = Sent(data.draw(_cut(ready)))
            self.batches.append(batch)
            self.real.depart(self.told_as(batch.spans))
            for name in names(batch.spans):
                self.told.at(name).flying = True
        elif verb == "arrive" and open_:
            batch = data.draw(st.sampled_from(open_))
            size = len(names(batch.spans))
            outcomes = data.draw(st.lists(st.sampled_from(ENDED), min_size=size, max_size=size))
            batch.outcomes = codes(*outcomes)
            self.real.arrive(self.told_as(batch.spans), batch.outcomes)
            for name, outcome in zip(names(batch.spans), outcomes, strict=True):
                self.told.at(name).end(outcome)
        elif verb == "release" and open_:
            batch = data.draw(st.sampled_from(open_))
            batch.dropped = True
            self.real.release(batch.spans)
            for name in names(batch.spans):
                self.told.at(name).flying = False

    def made(self) -> RequestStates:
        return request_states("a", "b", trials=self.trials, policy=self.policy)

    def told_as(self, spans: tuple[Span, ...]) -> Sequence[Span]:
        """Return spans as they are given to the request_states."""
        return spans

    def replayed(self) -> RequestStates:
        """What a resumed run makes of the ledger: batches in the order of packing."""
        again = self.made()
        for batch in self.batches:
            if not batch.dropped:
                again.depart(self.told_as(batch.spans))
                if batch.outcomes is not None:
                    again.arrive(self.told_as(batch.spans), batch.outcomes)
        return again


class OfMany(History):
    """The same where conditions are many: rows in three arrays, and spans as ranges of numbers."""

    def made(self) -> RequestStates:
        self.names = Numbered(["a", "b"])
        return RequestStates.of([], self.trials, self.policy, self.names)

    def told_as(self, spans: tuple[Span, ...]) -> Sequence[Span]:
        known = all(span.stem in ("a", "b") for span in spans)
        return Spans.of(self.real.rows.names, spans) if known else spans

    def replayed(self) -> RequestStates:
        before, self.real = self.real, self.made()
        again = super().replayed()
        self.real = before
        return again


def pending(of: RequestStates) -> Iterator[tuple[str, int, Variant]]:
    for s in of.pending():
        for trial in range(s.first, s.last + 1):
            yield s.stem, trial, s.variant


@pytest.mark.parametrize("kind", [History, OfMany])
@settings(max_examples=60, deadline=None)
@given(POLICIES, st.integers(1, 9), st.data())
def test_every_history_is_counted_as_the_reference_counts_it(kind, policy, trials, data):
    history = kind(policy, trials)
    for _ in range(data.draw(st.integers(1, 14))):
        history.step(data)
        counts = history.real.counts()
        assert counts == history.told.counts()
        assert counts.total == counts.success + counts.retry_success + counts.failed + counts.open
        found = list(pending(history.real))
        assert (len(found), set(found)) == (len(set(found)), history.told.pending())
        assert found == sorted(found, key=lambda row: row[:2])
        assert history.real.has_pending() == bool(found)


@settings(max_examples=50, deadline=None)
@given(POLICIES, st.integers(1, 9), st.data())
def test_a_resumed_run_finds_every_request_as_it_was(policy, trials, data):
    history = History(policy, trials)
    for _ in range(data.draw(st.integers(1, 14))):
        history.step(data)
    again = history.replayed()
    assert again.counts() == history.real.counts()
    assert list(again.pending()) == list(history.real.pending())


# --- single rules ------------------------------------------------------------------------------


def ended(*outcomes: Outcome, policy: RetryPolicy = POLICY) -> RequestStates:
    """One request after these attempts."""
    one = request_states("a", trials=1, policy=policy)
    for outcome in outcomes:
        one.depart([span("a", 1, 1)])
        one.arrive([span("a", 1, 1)], codes(outcome))
    return one


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.VALID], RequestState.SUCCESS),
        ([Outcome.EXPIRED, Outcome.VALID], RequestState.SUCCESS),
        ([Outcome.CANCELLED, Outcome.CANCELLED, Outcome.CANCELLED, Outcome.VALID], "success"),
        ([Outcome.INVALID, Outcome.VALID], RequestState.RETRY_SUCCESS),
        ([Outcome.INVALID, Outcome.EXPIRED, Outcome.VALID], RequestState.RETRY_SUCCESS),
        ([Outcome.INVALID], RequestState.PENDING),
        ([Outcome.INVALID, Outcome.INVALID], RequestState.PENDING),
        ([Outcome.INVALID, Outcome.INVALID, Outcome.INVALID], RequestState.FAILED),
        ([Outcome.INVALID, Outcome.INVALID, Outcome.VALID], RequestState.RETRY_SUCCESS),
        ([Outcome.MISSING], RequestState.PENDING),
        ([Outcome.MISSING, Outcome.ERRORED], RequestState.FAILED),
        ([Outcome.REFUSED], RequestState.FAILED),
        ([Outcome.UNREADABLE], RequestState.FAILED),
        ([Outcome.DENIED] * 9, RequestState.PENDING),
        ([Outcome.CANCELLED] * 9, RequestState.PENDING),
    ],
)
def test_attempts_decide_how_a_request_stands(outcomes, expected):
    assert ended(*outcomes).state(Stem("a"), 1) == expected


@pytest.mark.parametrize(
    ("enhance", "outcomes", "expected"),
    [
        (Enhance.NEVER, [Outcome.INVALID], Variant.PLAIN),
        (Enhance.ALWAYS, [], Variant.ENHANCED),
        (Enhance.ON_RETRY, [], Variant.PLAIN),
        (Enhance.ON_RETRY, [Outcome.INVALID], Variant.ENHANCED),
        (Enhance.ON_RETRY, [Outcome.EXPIRED], Variant.PLAIN),
        (Enhance.ON_RETRY, [Outcome.CANCELLED], Variant.PLAIN),
    ],
)
def test_the_stricter_wording_is_for_those_who_answered_badly(enhance, outcomes, expected):
    policy = RetryPolicy(max_attempts=3, max_lost=2, enhance=enhance)
    assert [s.variant for s in ended(*outcomes, policy=policy).pending()] == [expected]


def test_pending_trials_are_cut_where_the_wording_changes():
    one = request_states("a", trials=5)
    one.depart([span("a", 2, 3)])
    one.arrive([span("a", 2, 3)], codes(Outcome.INVALID, Outcome.EXPIRED))
    assert list(one.pending()) == [
        span("a", 1, 1),
        span("a", 2, 2, Variant.ENHANCED),
        span("a", 3, 5),
    ]


def test_a_dropped_batch_frees_its_requests():
    one = request_states("a", trials=3)
    one.depart([span("a", 1, 3)])
    one.release([span("a", 1, 3)])
    assert (list(one.pending()), one.counts().pending) == ([span("a", 1, 3)], 3)


def test_releasing_a_batch_does_not_undo_an_answer_that_came_all_the_same():
    one = request_states("a", trials=1)
    one.depart([span("a", 1, 1)])
    one.arrive([span("a", 1, 1)], codes(Outcome.VALID))
    one.depart([span("a", 1, 1)])
    one.release([span("a", 1, 1)])
    assert one.state(Stem("a"), 1) is RequestState.SUCCESS


def test_a_second_good_answer_changes_nothing():
    one = ended(Outcome.VALID, Outcome.VALID)
    assert one.counts() == Counts(total=1, success=1)


def test_answered_requests_outside_the_configuration_count_and_are_asked_no_more():
    one = request_states("a", trials=2)
    one.depart([span("a", 1, 4), span("gone", 1, 1)])
    one.arrive(
        [span("a", 1, 4), span("gone", 1, 1)],
        codes(Outcome.VALID, Outcome.INVALID, Outcome.VALID, Outcome.INVALID, Outcome.VALID),
    )
    assert one.counts() == Counts(total=4, success=3, pending=1)
    assert list(one.pending()) == [span("a", 2, 2, Variant.ENHANCED)]


def test_more_trials_leave_what_is_answered_and_ask_the_rest():
    one = request_states("a", trials=4)
    one.depart([span("a", 1, 2)])
    one.arrive([span("a", 1, 2)], codes(Outcome.VALID, Outcome.VALID))
    assert list(one.pending()) == [span("a", 3, 4)]


def test_counters_hold_at_255_and_do_not_wrap_around():
    policy = RetryPolicy(max_attempts=100, max_lost=100, enhance=Enhance.NEVER)
    one = ended(*[Outcome.ERRORED] * 300, policy=policy)
    assert one.state(Stem("a"), 1) is RequestState.FAILED


def test_a_million_requests_are_folded_by_arrays():
    def folded(trials: int) -> Counts:
        big = request_states(*stems, trials=trials)
        spans = [span(stem, 1, trials) for stem in stems]
        big.depart(spans)
        big.arrive(spans, outcomes[: 12 * trials])
        return big.counts()

    stems, trials = [f"c{n}" for n in range(12)], 83_334
    outcomes = codes(*[Outcome.VALID] * 9, Outcome.INVALID) * (2 * 12 * trials // 10 + 1)
    counts = folded(trials)
    assert (counts.total, counts.success + counts.pending) == (1_000_008, 1_000_008)
    assert counts.pending == outcomes[: 12 * trials].count(OUTCOME_CODES[Outcome.INVALID])
    assert growth(lambda: folded(trials), lambda: folded(2 * trials)) <= MOST


# --- what the user asks for while a run goes on -------------------------------------------------


def test_what_a_cancelled_batch_left_is_kept_back_and_still_counts_as_open():
    one = request_states("a", trials=3)
    one.depart([span("a", 1, 3)])
    outcomes = codes(Outcome.VALID, Outcome.CANCELLED, Outcome.INVALID)
    one.arrive([span("a", 1, 3)], outcomes)
    one.withhold([span("a", 1, 3)], outcomes)
    assert one.state(Stem("a"), 2) is RequestState.WITHHELD
    assert [(s.first, s.last) for s in one.pending()] == [(3, 3)]
    assert one.counts() == Counts(total=3, success=1, pending=2)


def test_what_another_batch_asked_or_answered_is_not_kept_back():
    one = request_states("a", trials=3)
    one.depart([span("a", 1, 1)])
    one.arrive([span("a", 1, 1)], codes(Outcome.VALID))
    one.depart([span("a", 2, 2)])
    one.withhold([span("a", 1, 3)], codes(*[Outcome.CANCELLED] * 3))
    assert one.counts() == Counts(total=3, success=1, in_batch=1, pending=1)
    assert one.give_back([span("a", 1, 3)]) == 1


def test_what_was_kept_back_can_be_given_back():
    one = request_states("a", trials=3)
    one.depart([span("a", 1, 2)])
    one.release([span("a", 1, 2)])
    one.withhold([span("a", 1, 2)])
    assert [s.first for s in one.pending()] == [3]
    assert one.give_back([span("a", 1, 2)]) == 2
    assert one.give_back([span("a", 1, 2)]) == 0
    assert [(s.first, s.last) for s in one.pending()] == [(1, 3)]


def test_a_request_that_was_given_up_is_asked_once_more_and_then_given_up_again():
    one = ended(Outcome.INVALID, Outcome.INVALID, Outcome.INVALID)
    assert one.retry(lambda _, __: True) == 1
    assert one.state(Stem("a"), 1) is RequestState.PENDING
    one.depart([span("a", 1, 1)])
    one.arrive([span("a", 1, 1)], codes(Outcome.INVALID))
    assert one.state(Stem("a"), 1) is RequestState.FAILED
    assert one.retry(lambda _, __: True) == 1


def test_a_request_that_was_answered_well_is_never_asked_once_more():
    one = ended(Outcome.INVALID, Outcome.VALID)
    assert one.retry(lambda _, __: True) == 0
    assert one.state(Stem("a"), 1) is RequestState.RETRY_SUCCESS


def test_a_failed_request_outside_the_configuration_stays_as_it_is():
    one = request_states("a", trials=1)
    one.depart([span("a", 2, 2)])
    one.arrive([span("a", 2, 2)], codes(Outcome.REFUSED))
    before = one.counts()
    assert one.retry(lambda _, __: True) == 0
    assert one.counts() == before


def test_only_the_trial_that_is_meant_is_asked_once_more():
    one = request_states("a", trials=3)
    one.depart([span("a", 1, 3)])
    one.arrive([span("a", 1, 3)], codes(*[Outcome.REFUSED] * 3))
    assert one.retry(lambda stem, trial: (stem, trial) == ("a", 2)) == 1
    assert [(s.first, s.last) for s in one.pending()] == [(2, 2)]
