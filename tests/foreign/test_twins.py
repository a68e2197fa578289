"""A gateway makes several batches of one order: one is read, the others are cancelled and known."""

import pytest

from tests.foreign import scenarios as s
from tests.foreign.conftest import Bench, Ran
from tests.foreign.server import Reply, Scenario, json_reply
from tests.variants import first

RUNNING = ("in_progress",) * 3
DOWN = json_reply({"error": {"message": "Down"}}, 500)
UNBILLED = "batch-2 and batch-3 are over without an answer and not billed"
NOT_LISTED = json_reply({"error": {"message": "No such route"}}, 404)


def lostreply_thrice(*made: str, **more: object) -> Scenario:
    """The order makes three batches, and its reply is lost."""
    return Scenario(made=made, loses=True, **more)


def finished(here: Bench) -> Ran:
    ran = here.run()
    assert ran.code == 0, ran.out
    assert here.answers["Q1_value"].to_list() == [80] * 4
    return ran


def last_said(ran: Ran) -> str:
    return [line for line in ran.out.splitlines() if "was made more than once" in line][-1]


def test_after_a_lost_reply_one_batch_is_taken_and_what_runs_beside_it_is_cancelled(bench):
    here = bench(lostreply_thrice(*RUNNING))
    ran = finished(here)
    assert here.bill == [1, 1, 1, 1]
    assert here.server.cancels == {"batch-2": 1, "batch-3": 1}
    assert (
        "made 3 batches of one order: batch-1 is taken; batch-2 and batch-3 are to" in ran.out
        or (f"made 3 batches of one order: batch-1 is taken; {UNBILLED}" in last_said(ran))
    )
    assert UNBILLED in last_said(ran)
    assert here.run("action=verify").code == 0


@pytest.mark.parametrize(
    ("made", "taken"),
    first(
        1,
        [
            (("validating", "in_progress", "completed"), "batch-3"),
            (("in_progress", "completed", "validating"), "batch-2"),
            (("failed", "validating", "in_progress"), "batch-3"),
            (("expired", "validating", "failed"), "batch-2"),
        ],
    ),
    ids=str,
)
def test_the_batch_that_is_taken_is_the_one_that_is_furthest(bench, made, taken):
    here = bench(lostreply_thrice(*made))
    assert f"{taken} is taken" in last_said(finished(here))
    assert here.server.cancels[taken] == 0


def test_what_was_over_may_be_billed_and_is_said_by_status_verify_and_the_summary(bench):
    here = bench(lostreply_thrice(*["completed"] * 3))
    words = "batch-1 is taken; batch-2 and batch-3 are over and may be billed"
    assert words in last_said(finished(here))
    assert here.bill == [3, 3, 3, 3]
    verified = here.run("action=verify")
    assert (verified.code, words in verified.line("^! b0001: ")) == (3, True)
    assert words in here.run("action=status").line("^! b0001: ")
    assert words in (here.folder / "summary.json").read_text(encoding="utf-8")


def test_a_cancel_that_fails_is_said_and_made_again_by_the_next_run(bench):
    def down(name: str, _: int) -> Reply | None:
        if name != "batch-3":
            return None
        here.server.polls[name] = 0  # it takes its time
        return DOWN

    here = bench(lostreply_thrice(*RUNNING, cancel=down))
    ran = finished(here)
    assert "batch-3 is to be cancelled" in last_said(ran)
    assert "run again to try again" in last_said(ran)
    assert here.run("action=verify").code == 3
    here.server.scenario = s.WELL
    assert UNBILLED in last_said(finished(here))
    assert here.bill == [1, 1, 1, 1]
    assert here.run("action=verify").code == 0


def test_a_cancel_that_fails_is_no_trouble_once_the_batch_is_over(bench):
    here = bench(lostreply_thrice("in_progress", "completed", "expired", cancel=lambda *_: DOWN))
    ran = finished(here)
    words = "batch-2 is taken; batch-1 and batch-3 are over and may be billed"
    assert words in last_said(ran)
    assert "run again to try again" not in last_said(ran)
    here.server.calls.clear()
    finished(here)
    assert not [call for call in here.server.calls if call.endswith("/cancel")]


def test_twins_are_found_and_cancelled_when_the_reply_arrived_well(bench):
    here = bench(Scenario(made=("validating", "in_progress")))
    ran = finished(here)
    assert "made 2 batches of one order" in last_said(ran)
    again = here.run()
    assert (again.code, "more than once" in again.out) == (0, False)


def test_a_batch_without_room_is_not_ordered_again_while_its_twin_has_the_room(bench):
    here = bench(Scenario(made=("in_progress", "failed")))
    assert "batch-1 is taken" in last_said(finished(here))
    assert here.bill == [1, 1, 1, 1]
    assert here.server.calls.count("POST /batches") == 1


def test_a_batch_that_is_alone_is_looked_for_once_and_nothing_is_said(bench):
    here = bench(s.WELL)
    assert "more than once" not in finished(here).out + here.run().out
    assert here.server.calls.count("GET /batches") == 1
