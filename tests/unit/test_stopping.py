"""The stopping rule: how precise a condition is, how many trials it gets, and that no history matters."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isclose
from statistics import stdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.intervals import Z, mean_half_width, t_quantile, wilson
from runner.core.model import BatchKey, Span, Stem, Stopping, Variant
from runner.core.pilot import Pilot
from runner.core.request_states import RequestStates
from runner.core.states import BatchState, Outcome
from runner.core.stopping import Sample, Verdict, granted, next_trials, verdict
from runner.run.admission import Admission, PilotGate, Rounds
from tests.unit.test_plan import batch
from tests.unit.test_request_states import codes, request_states, span


def rule(least=5, most=50, half_width=2.5, *, is_choice=False) -> Stopping:
    return Stopping(
        least=least, most=most, half_width=half_width, item="stars", is_choice=is_choice
    )


@pytest.mark.parametrize(
    ("df", "published"),
    [  # 97.5 % quantiles, as tables of Student's t have them
        *((1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (10, 2.228)),
        *((20, 2.086), (29, 2.045), (30, 2.042), (60, 2.000), (120, 1.980)),
    ],
)
def test_students_quantile_is_the_published_one(df, published):
    assert round(t_quantile(df), 3) == published


def test_students_quantile_falls_to_the_normal_one():
    found = [t_quantile(df) for df in (1, 2, 5, 50, 999, 99_999, 100_000, 10**7)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == Z


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=40))
def test_a_sample_of_numbers_is_their_standard_deviation(values):
    sample = Sample.of(values, is_choice=False)
    assert sample.n == len(values)
    assert isclose(sample.spread, stdev(values), abs_tol=1e-12)
    assert sample.half_width(is_choice=False) == mean_half_width(sample.spread, len(values))
    assert sample == Sample.of(sorted(values), is_choice=False)


def test_a_sample_of_choices_is_the_share_of_the_most_frequent_one():
    sample = Sample.of(["no", "yes", "yes", "yes"], is_choice=True)
    assert sample == Sample(4, 0.75)
    assert sample.half_width(is_choice=True) == wilson(0.75, 4)[1]


@pytest.mark.parametrize("is_choice", [False, True])
@pytest.mark.parametrize("values", [[], [3]])
def test_nothing_is_known_of_too_few_values(values, is_choice):
    sample = Sample.of(values, is_choice=is_choice)
    width = sample.half_width(is_choice=is_choice)
    assert width == inf or (is_choice and values and 0.3 < width < 0.5)


@pytest.mark.parametrize(
    ("given_rule", "asked", "values", "verdict_", "trials"),
    [
        # a constant is as precise as can be, and no error
        (rule(), 5, [3] * 5, "reached", 5),
        (rule(), 5, [3] * 2, "open", 8),  # three of them could not be read
        (rule(), 8, [3] * 5, "reached", 8),
        (rule(), 5, [], "open", 10),  # doubled: nothing is known
        (rule(), 5, [3], "open", 10),
        (rule(), 50, [], "at_most", 50),
        (rule(most=5), 5, [0, 100], "at_most", 5),
        (rule(), 3, [3, 3, 3], "open", 5),  # the first round is always whole
        # sd 2: ±2.48 with 5 values
        (rule(), 5, [1, 1, 3, 5, 5], "reached", 5),
        # sd 2.39: ±2.96 with 5 values, ±2.51 with 6, ±2.21 with 7
        (rule(), 5, [0, 2, 3, 4, 6.5], "open", 7),
        (rule(half_width=0.1), 5, [1, 2, 3, 4, 5], "open", 10),  # at most doubled
        (rule(most=8, half_width=0.1), 5, [1, 2, 3, 4, 5], "open", 8),
        # one more would do; at least a tenth is asked
        (rule(half_width=0.2806), 50, [0, 1] * 25, "reached", 50),
        (rule(most=90, half_width=0.143), 50, [0, 1] * 25, "open", 55),
        # shares: ±0.217 with 5 of 5, ±0.139 with 10 of 10
        (rule(half_width=0.22, is_choice=True), 5, ["a"] * 5, "reached", 5),
        (rule(half_width=0.2, is_choice=True), 5, ["a"] * 5, "open", 6),
        (rule(half_width=0.05, is_choice=True), 5, ["a"] * 5, "open", 10),
        (rule(half_width=0.32, is_choice=True), 6, ["a", "b"] * 3, "reached", 6),
    ],
)
def test_how_many_trials_a_condition_gets(given_rule, asked, values, verdict_, trials):
    sample = Sample.of(values, is_choice=given_rule.is_choice)
    assert verdict(given_rule, asked, sample) == Verdict(verdict_)
    assert next_trials(given_rule, asked, sample) == trials


rules = st.builds(
    lambda least, more, width, is_choice: rule(
        least, least + more, width if not is_choice else min(width, 40) / 100, is_choice=is_choice
    ),
    st.integers(2, 8),
    st.integers(0, 60),
    st.floats(0.05, 60),
    st.booleans(),
)


@given(rules, st.integers(0, 80), st.lists(st.integers(0, 9), max_size=80))
def test_a_round_only_adds_at_most_doubles_and_never_goes_beyond_the_maximum(made, asked, values):
    sample = Sample.of(values[:asked], is_choice=made.is_choice)
    found = next_trials(made, asked, sample)
    if asked < made.least:
        assert found == made.least
        return
    if asked >= made.most:
        assert found == asked
        return
    assert asked <= found <= min(2 * asked, made.most)
    assert (found == asked) == (verdict(made, asked, sample) is Verdict.REACHED)


@given(rules, st.integers(2, 80), st.lists(st.integers(0, 9), max_size=80), st.floats(1, 3))
def test_what_is_precise_enough_stays_so_when_the_rule_is_loosened(made, asked, values, factor):
    sample = Sample.of(values[:asked], is_choice=made.is_choice)
    looser = rule(made.least, made.most, made.half_width * factor, is_choice=made.is_choice)
    if verdict(made, asked, sample) is Verdict.REACHED:
        assert next_trials(looser, asked, sample) == asked


# -- whatever the order of answers, and wherever a run is killed, it is the same study


def by_the_rule(made: Stopping, answer: Callable[[int], Any]) -> int:
    """How many trials a condition comes to: the rule as it is told, on trials in order."""
    asked = made.least
    while True:
        values = [answer(trial) for trial in range(1, asked + 1)]
        sample = Sample.of([v for v in values if v is not None], is_choice=made.is_choice)
        after = next_trials(made, asked, sample)
        if after == asked:
            return asked
        asked = after


class Life:
    """A run that may die anywhere: its ledger is a list of batches and one of what was granted."""

    def __init__(self, made: Stopping, answers: Mapping[Stem, Callable[[int], Any]]) -> None:
        self.rule, self.answers = made, answers
        self.batches: list[tuple[Span, bytes | None]] = []
        self.granted: dict[Stem, int] = {}

    def revive(self) -> tuple[RequestStates, Rounds]:
        """Start again from what is on disk."""
        states = request_states(*self.answers, trials=self.rule.least)
        for span_, outcomes in self.batches:
            state = BatchState.RUNNING if outcomes is None else BatchState.COLLECTED
            states.replay(state, [span_], outcomes)
        trials = granted(self.rule, list(self.answers), self.granted, states)
        for stem, wanted in trials.items():
            states.want(stem, wanted)
        return states, Rounds(self.rule, list(self.answers), self.values, self.grant)

    def grant(self, trials: Mapping[Stem, int], _: Mapping[str, Any]) -> None:
        self.granted.update(trials)

    def values(self, batches: Sequence[BatchKey], due) -> dict[Stem, list[Any]]:
        found: dict[Stem, list[Any]] = {}
        for span_, outcomes in self.batches:
            if outcomes is None or span_.stem not in due:
                continue
            for trial, outcome in zip(range(span_.first, span_.last + 1), outcomes, strict=True):
                value = self.answers[span_.stem](trial)
                if bytes([outcome]) == codes(Outcome.VALID) and value is not None:
                    found.setdefault(span_.stem, []).append(value)
        return found

    def requests(self) -> dict[BatchKey, tuple[Span, ...]]:
        return {BatchKey(f"b{n:04d}"): (span_,) for n, (span_, _) in enumerate(self.batches, 1)}

    def known(self):
        return [
            batch(BatchState.RUNNING if outcomes is None else BatchState.COLLECTED, n)
            for n, (_, outcomes) in enumerate(self.batches, 1)
        ]


@settings(max_examples=40)
@given(st.data())
def test_the_order_of_answers_and_kills_anywhere_give_the_study_that_the_rule_says(data):
    made = data.draw(rules)
    made = rule(made.least, min(made.most, 30), made.half_width, is_choice=made.is_choice)
    stems = [Stem(name) for name in data.draw(st.sampled_from(["a", "ab", "abc"]))]
    tables = {
        stem: data.draw(st.lists(st.integers(0, 9) | st.none(), min_size=30, max_size=30))
        for stem in stems
    }
    answers = {stem: (lambda trial, t=table: t[trial - 1]) for stem, table in tables.items()}
    life = Life(made, answers)
    states, rounds = life.revive()
    for _ in range(600):
        choice = data.draw(st.sampled_from(["pack", "answer", "answer", "look", "kill"]))
        if choice == "kill":
            states, rounds = life.revive()
        elif choice == "look":
            rounds.look(states, life.known(), life.requests())
        elif choice == "pack" and states.has_pending():
            first = next(states.pending())
            last = data.draw(st.integers(first.first, first.last))
            part = span(first.stem, first.first, last, Variant.PLAIN)
            states.depart([part])
            life.batches.append((part, None))
        elif choice == "answer":
            out = [n for n, (_, outcomes) in enumerate(life.batches) if outcomes is None]
            if out:
                number = data.draw(st.sampled_from(out))
                span_ = life.batches[number][0]
                lost = data.draw(st.integers(0, 9)) == 0
                outcome = Outcome.CANCELLED if lost else Outcome.VALID
                outcomes = codes(outcome) * len(span_)
                life.batches[number] = (span_, outcomes)
                states.arrive([span_], outcomes)
            elif not states.has_pending():
                rounds.look(states, life.known(), life.requests())
                if not states.has_pending():
                    break
    else:
        return  # not over yet
    wanted = {stem: by_the_rule(made, answers[stem]) for stem in stems}
    assert {stem: states.rows[stem].wanted for stem in stems} == wanted
    assert {stem: states.sent(stem) for stem in stems} == wanted
    assert states.counts().total == sum(wanted.values())


def test_what_was_granted_or_sent_before_counts_and_never_goes_beyond_the_maximum():
    states = request_states("a", "b", "c", trials=5)
    states.depart([span("b", 1, 12)])
    stems = [Stem("a"), Stem("b"), Stem("c")]
    known = {Stem("c"): 30}
    assert granted(rule(), stems, known, states) == {"a": 5, "b": 12, "c": 30}
    assert granted(rule(most=10), stems, known, states) == {"a": 5, "b": 10, "c": 10}
    assert granted(rule(least=20), stems, known, states) == {"a": 20, "b": 20, "c": 30}


def test_no_condition_with_an_open_trial_is_judged():
    states = request_states("a", trials=5)
    states.depart([span("a", 1, 5)])
    states.arrive([span("a", 1, 5)], codes(*[Outcome.VALID] * 4, Outcome.EXPIRED))
    rounds = Rounds(rule(), [Stem("a")], lambda *_: pytest.fail("it looked"), pytest.fail)
    rounds.look(states, [], {})
    assert rounds.facts()["open"] == 1


def test_nothing_is_granted_before_a_pilot_has_passed():
    states, stem = request_states("a", trials=5), Stem("a")
    granted_: list[Mapping[Stem, int]] = []
    rounds = Rounds(rule(), [stem], lambda *_: {}, lambda trials, _: granted_.append(dict(trials)))
    gate = PilotGate(Pilot(), [stem], 5, states)
    admission = Admission(gate, rounds)
    for outcome in (Outcome.EXPIRED, Outcome.INVALID, Outcome.INVALID, Outcome.INVALID):
        states.depart([span("a", 1, 5)])
        states.arrive([span("a", 1, 5)], codes(outcome) * 5)
        admission.look(states, [], {})
    assert states.is_settled(stem)  # all are given up
    assert admission.failed is not None
    assert granted_ == []
    Admission(None, rounds).look(states, [], {})
    assert granted_ == [{stem: 10}]


def test_what_is_said_of_conditions_that_are_over():
    stems = [Stem(name) for name in "abc"]
    states = request_states(*stems, trials=5)
    everything = [span(stem, 1, 5) for stem in stems]
    states.depart(everything)
    states.arrive(everything, codes(*[Outcome.VALID] * 15))
    values = {Stem("a"): [3] * 5, Stem("b"): [1, 1, 3, 5, 5], Stem("c"): [0, 0, 50, 99, 99]}
    rounds = Rounds(rule(most=5), stems, lambda *_: values, lambda *_: pytest.fail("granted"))
    rounds.look(states, [], {})
    facts = rounds.facts()
    assert (facts["reached"], facts["constant"], facts["at_max"], facts["open"]) == (2, 1, 1, 0)
    assert facts["conditions_at_max"] == ["c"]
    assert [rounds.is_over(stem) for stem in stems] == [True] * 3
    rounds.forget()
    assert rounds.facts()["open"] == 3
