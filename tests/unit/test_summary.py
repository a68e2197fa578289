"""The counters: they add up, and unknown money is not zero money."""

from dataclasses import replace
from decimal import Decimal

import pytest

from runner.cli.progress_lines import how_far
from runner.core.model import Batch, BatchKey, Usage
from runner.core.request_states import Counts
from runner.core.states import BatchState
from runner.core.summary import add_up, cost_of, days_left, shown_state, summary, totals

COUNTS = Counts(total=10, success=4, retry_success=2, failed=1, in_batch=1, pending=2)
COLLECTED = Batch(
    key=BatchKey("b0001"),
    state=BatchState.COLLECTED,
    count=5,
    bytes=100,
    sha256="",
    input_tokens=10,
    reserved_usd=Decimal("0.50"),
    packed_at=0,
    tally={"valid": 4, "invalid": 1},
    patterns={"Q1": {"form": 4, "none": 1}},
    causes={"Q1": {"missing": 1}},
    notices={"duplicate": 1},
    models={"m-2026-01-01": 3},
    usage=Usage(input_tokens=100, output_tokens=50),
    cost_usd=Decimal("0.10"),
)
RUNNING = replace(
    COLLECTED,
    key=BatchKey("b0002"),
    state=BatchState.RUNNING,
    usage=Usage(),
    cost_usd=None,
    tally={},
    patterns={},
    causes={},
    notices={},
    models={},
    next_at=77.0,
)


def test_the_totals_are_five_numbers_that_add_up():
    assert totals(COUNTS) == {
        "total": 10,
        "success": 4,
        "retry_success": 2,
        "failed": 1,
        "open": 3,
    }


def test_totals_that_do_not_add_up_are_our_own_bug():
    with pytest.raises(AssertionError):
        totals(replace(COUNTS, total=11))


def test_nested_counters_add_up_and_their_parts_stay_as_they_are():
    one, two = {"Q1": {"form": 1}}, {"Q1": {"form": 2, "label": 5}, "Q2": {"none": 1}}
    assert add_up([one, two]) == {"Q1": {"form": 3, "label": 5}, "Q2": {"none": 1}}
    assert (one, two["Q1"]) == ({"Q1": {"form": 1}}, {"form": 2, "label": 5})


def test_a_summary_sums_what_was_collected_and_names_what_is_due():
    found = summary(COUNTS, (COLLECTED, replace(COLLECTED, key=BatchKey("b0003")), RUNNING))
    assert found == {
        "total": 10,
        "success": 4,
        "retry_success": 2,
        "failed": 1,
        "open": 3,
        "pattern_match_stats": {"Q1": {"form": 8, "none": 2}},
        "missing_by_cause": {"Q1": {"missing": 2}},
        "outcomes": {"valid": 8, "invalid": 2},
        "notices": {"duplicate": 2},
        "models_returned": {"m-2026-01-01": 6},
        "input_tokens": 200,
        "output_tokens": 100,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "cost_usd": "0.20",
        "cost_known_usd": "0.20",
        "cost_unknown": 0,
        "cost_unknown_usd": "0",
        "committed_usd": "0.70",
        "batches": {"collected": 2, "running": 1},
        "next_at": 77.0,
    }


def test_the_cost_is_unknown_when_one_collected_batch_has_none():
    found = summary(COUNTS, (COLLECTED, replace(COLLECTED, cost_usd=None)))
    assert found["cost_usd"] is None


PARTLY = replace(
    COLLECTED,
    tally={"valid": 2, "missing": 2, "unreadable": 1},
    cost_usd=None,
    known_usd=Decimal("0.04"),
    cost_unknown=3,
    held_usd=Decimal("0.30"),
)


def test_what_nobody_counted_is_unknown_and_stays_reserved():
    found = summary(COUNTS, (COLLECTED, PARTLY))
    assert (found["cost_usd"], found["input_tokens"], found["output_tokens"]) == (None, None, None)
    assert (found["cost_known_usd"], found["cost_unknown"]) == ("0.14", 3)
    assert (found["cost_unknown_usd"], found["committed_usd"]) == ("0.30", "0.44")


def test_there_are_never_fewer_answers_than_those_of_unknown_cost():
    assert cost_of([replace(PARTLY, tally={})]).attempts == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "$0.0400 and cost unknown for 3 of 5 answers, up to $0.3000 stays reserved"),
        (
            {"known_usd": Decimal(0)},
            "cost unknown for 3 of 5 answers, up to $0.3000 stays reserved",
        ),
        ({"known_usd": None, "held_usd": Decimal(0)}, "cost unknown"),
        ({"cost_usd": Decimal("0.25"), "known_usd": Decimal("0.25"), "cost_unknown": 0}, "$0.2500"),
    ],
)
def test_an_unknown_cost_is_never_said_as_a_sum(changes, said):
    assert str(cost_of([replace(PARTLY, **changes)])) == said


def test_a_batch_of_an_older_ledger_costs_what_it_said():
    assert cost_of([COLLECTED]).spent == Decimal("0.10")


def test_nothing_yet_costs_nothing():
    found = summary(Counts(), ())
    assert (found["cost_usd"], found["next_at"], found["batches"]) == ("0", None, {})


DAY = 86_400.0


def batch(state: BatchState, **changes: object) -> Batch:
    return replace(RUNNING, state=state, count=3, **changes)


@pytest.mark.parametrize(
    ("state", "expires_at", "left"),
    [
        (BatchState.ENDED, None, 20),
        (BatchState.RUNNING, 5 * DAY, 20),
        (BatchState.CANCELLING, 5 * DAY, 20),
        (BatchState.RUNNING, 9 * DAY, 20),
        (BatchState.RUNNING, 10 * DAY, None),
        (BatchState.RUNNING, None, None),
        (BatchState.COLLECTED, 5 * DAY, None),
        (BatchState.SUBMITTING, None, None),
    ],
)
def test_uncollected_results_have_days_left_as_soon_as_the_window_has_closed(
    state, expires_at, left
):
    waiting = batch(state, expires_at=expires_at, kept_until=29 * DAY)
    assert days_left(waiting, 9 * DAY) == left
    assert days_left(replace(waiting, kept_until=None), 9 * DAY) is None


def test_a_batch_that_may_be_one_of_several_is_unknown_wherever_it_is_counted():
    doubtful = batch(BatchState.SUBMITTING, candidates=("a", "b"))
    assert shown_state(doubtful) == "unknown"
    assert shown_state(replace(doubtful, candidates=())) == "submitting"
    found = summary(Counts(), (doubtful, batch(BatchState.RUNNING)))
    assert found["batches"] == {"unknown": 1, "running": 1}


@pytest.mark.parametrize(
    ("completed", "polled_at", "says"),
    [(None, None, ""), (None, 1.0, "no progress reported"), (0, 1.0, "0/3"), (2, 1.0, "2/3")],
)
def test_a_provider_that_reports_no_progress_is_not_shown_as_standing_at_zero(
    completed, polled_at, says
):
    assert how_far(batch(BatchState.RUNNING, completed=completed, polled_at=polled_at)) == says
