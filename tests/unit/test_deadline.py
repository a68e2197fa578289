"""`deadline=`: which moment words mean, which one holds, and what is done when it has passed."""

import time
from dataclasses import replace

import pytest

from runner.cli.phrases import due_line, moment, span
from runner.config.deadline import is_deadline, read
from runner.core.call_results import Done
from runner.core.deadline import OFF, Deadline, in_force
from runner.core.errors import ConfigError
from runner.core.plan import Purpose, Verb, is_past, plan
from runner.core.states import BatchState
from runner.core.transition import Mark, Moment, Terms, Timing, after
from tests.unit.composing import composed
from tests.unit.test_plan import NOW, UNSENT, asked, batch, facts, verbs

EVENING = 1_798_577_400.0
"""2026-12-29T20:50:00Z."""


@pytest.fixture(autouse=True)
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# --- which moment words mean ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "hours"),
    [
        ("06:00", 8 + 1 / 6),
        ("6:00", 8 + 1 / 6),
        ("21:51", 1 / 60),
        ("21:50", 24),
        ("8h", 8),
        ("1.5 h", 1.5),
        ("2026-12-30T06:00", 8 + 1 / 6),
        ("2026-12-30 06:00:00", 8 + 1 / 6),
        ("2026-12-30T06:00Z", 9 + 1 / 6),
        ("2026-12-30T06:00-05:00", 14 + 1 / 6),
    ],
)
def test_words_mean_a_moment_by_the_local_clock(said, hours):
    assert is_deadline(said)
    assert read(said, EVENING) == Deadline(said, pytest.approx(EVENING + hours * 3600))


@pytest.mark.parametrize(
    "said", ["25:00", "6", "soon", "8 hours", "2026-12-30", "2026-13-01T06:00"]
)
def test_other_words_are_no_deadline(said):
    assert not is_deadline(said)


@pytest.mark.parametrize("said", ["2026-12-29T06:00", "0h", "2026-12-29T21:50"])
def test_a_moment_that_is_not_in_the_future_is_refused(said):
    with pytest.raises(ConfigError, match=f"deadline={said}: that is not in the future"):
        read(said, EVENING)


def test_the_night_in_which_the_clock_goes_forward_has_one_hour_less():
    night = 1_774_738_800.0  # 2026-03-29T00:00 in Berlin
    assert read("06:00", night).at == night + 5 * 3600


# --- which one holds --------------------------------------------------------------------------


KEPT = Deadline("06:00", 100.0)


@pytest.mark.parametrize(
    ("kept", "said", "holds"),
    [
        (None, None, None),
        (None, OFF, None),
        (None, "06:00", Deadline("06:00", 7.0)),
        (KEPT, None, KEPT),
        (KEPT, "06:00", KEPT),
        (KEPT, "07:00", Deadline("07:00", 7.0)),
        (KEPT, OFF, None),
    ],
)
def test_a_deadline_is_kept_replaced_by_another_and_taken_away(kept, said, holds):
    assert in_force(kept, said, lambda words: Deadline(words, 7.0)) == holds


# --- where it cannot be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["provider=openai", "deadline=soon"], "deadline: 'soon'; allowed: 06:00"),
        (
            ["provider=openai", "deadline=16:30", "provider.mode=realtime"],
            "deadline=16:30: with provider.mode=realtime all is asked at once",
        ),
        (["provider=vllm", "deadline=8h"], "deadline=8h: provider=vllm answers batches only"),
    ],
)
def test_a_deadline_is_refused_where_it_cannot_be(words, why):
    with pytest.raises(ConfigError) as refused:
        composed(words)
    assert why in str(refused.value)


def test_a_deadline_may_be_taken_away_anywhere():
    assert composed(["provider=vllm", "deadline=off"])[0].config.deadline == OFF


# --- what is done when it has passed ----------------------------------------------------------


TABLE = """
            batch    talk
packed      drop     stage
staging     drop     stage
staged      drop     submit
submitting  find     find
running     cancel   poll
cancelling  poll     poll
ended       collect  collect
collected   -        -
dropped     -        -
"""


def cells() -> list[tuple[str, bool, str]]:
    rows = [line.split() for line in TABLE.strip().splitlines()[1:]]
    return [(row[0], is_talk, row[1 + is_talk]) for row in rows for is_talk in (False, True)]


@pytest.mark.parametrize(("state", "is_talk", "verb"), cells())
def test_past_the_deadline_batches_are_cut_short_and_what_is_asked_one_by_one_goes_on(
    state, is_talk, verb
):
    one = batch(BatchState(state), realtime=is_talk)
    found = plan(facts(Purpose.RUN, one, deadline=NOW), NOW)
    assert [v.value for v in verbs(found)] == ([] if verb == "-" else [verb])


@pytest.mark.parametrize("state", BatchState)
def test_before_the_deadline_nothing_is_different_but_when_to_wake(state):
    one = batch(state, next_at=NOW + 60)
    with_one = plan(facts(Purpose.RUN, one, pending=True, deadline=NOW + 7), NOW)
    without = plan(facts(Purpose.RUN, one, pending=True), NOW)
    wakes = None if without.wake_at is None else NOW + 7
    assert with_one == replace(without, wake_at=wakes)


def test_a_deadline_is_nothing_to_wait_for():
    over = batch(BatchState.COLLECTED)
    assert plan(facts(Purpose.RUN, over, deadline=NOW + 7), NOW).done


def test_a_batch_that_is_looked_at_later_is_cancelled_at_the_deadline_and_not_then():
    one = batch(BatchState.RUNNING, next_at=NOW + 60)
    assert asked(plan(facts(Purpose.RUN, one, deadline=NOW), NOW)) == [(Verb.CANCEL, one.key)]


def test_a_cancellation_that_has_failed_waits_for_its_turn():
    one = batch(BatchState.RUNNING, next_at=NOW + 60, tries=1)
    found = plan(facts(Purpose.RUN, one, deadline=NOW), NOW)
    assert (verbs(found), found.wake_at) == ([], NOW + 60)


def test_what_is_free_is_packed_while_other_batches_are_waited_for():
    found = plan(facts(Purpose.RUN, batch(BatchState.CANCELLING), pending=True, deadline=NOW), NOW)
    assert sorted(verbs(found)) == [Verb.PACK, Verb.POLL]


def test_nothing_is_cancelled_where_nothing_may_be_asked_instead():
    one = batch(BatchState.RUNNING)
    found = plan(facts(Purpose.RUN, one, halted="no credit", deadline=NOW), NOW)
    assert verbs(found) == [Verb.POLL]


@pytest.mark.parametrize("purpose", [Purpose.COLLECT, Purpose.CANCEL])
def test_what_sends_nothing_has_no_deadline(purpose):
    one = batch(BatchState.RUNNING)
    without = plan(facts(purpose, one, pending=True), NOW)
    assert plan(facts(purpose, one, pending=True, deadline=NOW), NOW) == without


@pytest.mark.parametrize("state", UNSENT)
def test_a_run_that_does_not_wait_sends_nothing_past_the_deadline_and_says_why(state):
    found = plan(facts(Purpose.SUBMIT, batch(state), pending=True, deadline=NOW), NOW)
    assert (found.actions, found.done) == ((), True)
    assert "without wait=false" in found.held


# --- what is said of it -----------------------------------------------------------------------


TERMS = Terms(
    timing=Timing(first=1, longest=8, longest_retry_after=60, settle=10),
    waits=True,
    fences=True,
    tells_inputs=True,
    results_days=None,
    deadline=NOW,
)


@pytest.mark.parametrize(
    ("verb", "state"), [(Verb.CANCEL, BatchState.RUNNING), (Verb.DROP, BatchState.STAGED)]
)
@pytest.mark.parametrize(
    ("marks", "now", "event"),
    [
        (frozenset(), NOW, "deadline"),
        (frozenset(), NOW - 1, "cancel"),
        (frozenset({Mark.CANCELLED}), NOW, "cancel"),
    ],
)
def test_who_cancelled_a_batch_is_said(verb, state, marks, now, event):
    when = Moment(now=now, began=now, jitter=0.0, marks=marks)
    assert after(batch(state), Done(verb), when, TERMS).event == event


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (8 + 1 / 6, "06:00 tomorrow (in 8 h 10 min)"),
        (1 / 60, "21:51 today (in 1 min)"),
        (1 / 120, "21:50 today (in 30 s)"),
        (-26, "19:50 yesterday (passed 1 d 2 h ago)"),
        (72, "21:50 2027-01-01 (in 3 d)"),
    ],
)
def test_a_moment_is_said_by_the_local_clock(hours, words):
    assert moment(EVENING + hours * 3600, EVENING) == words


@pytest.mark.parametrize(
    ("number", "words"), [(0.4, "0 s"), (59.9, "60 s"), (60, "1 min"), (3599, "1 h"), (3600, "1 h")]
)
def test_a_length_of_time_is_said_in_its_two_largest_units(number, words):
    assert span(number) == words


def test_what_a_deadline_costs_is_said_and_how_it_is_taken_away_when_it_has_passed():
    due = {"at": EVENING + 600, "cost_usd_more": 1.5}
    assert due_line(due, EVENING) == (
        "22:00 today (in 10 min): what is open then is asked one by one, "
        "at most $1.5000 more than in batches"
    )
    assert due_line({**due, "cost_usd_more": None}, EVENING).endswith("at an unknown cost")
    assert due_line({"at": EVENING}, EVENING).endswith("in batches again with deadline=off")
    assert is_past(EVENING, EVENING)
