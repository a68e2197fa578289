"""A deadline from the command line: what is asked, what is paid, what is kept, and what is said."""

from collections import Counter

import pytest

from tests.acceptance.conftest import QUICK, SMALL, Desk
from tests.acceptance.test_all_providers import billed

SLOW = [*QUICK, *SMALL, "faults.in_progress_seconds=600", "faults.malformed=0"]
"""12 requests in a batch that takes ten minutes."""
SOON = "deadline=0.00001h"
LATE = "deadline=2099-01-01T06:00"


def test_what_a_batch_did_not_answer_by_the_deadline_is_asked_one_by_one_and_paid_once(
    desk: Desk,
) -> None:
    desk.run(*SLOW, "wait=false", "provider.limits.requests=8")
    planned = desk.run(*SLOW, "action=plan", "deadline=8h")
    (line,) = (line for line in planned.stdout.splitlines() if line.startswith("  deadline"))
    assert "(in 8 h): what is open then" in line
    done = desk.run(*SLOW, SOON)
    assert done.returncode == 0, done.stderr
    assert "b0001 cancelled: the deadline has passed" in done.stderr
    assert "by you" not in done.stderr
    counts = desk.summary()
    assert (counts["total"], counts["success"], counts["open"]) == (12, 12, 0)
    bill = desk.bill()
    assert bill["requests_billed"] + bill["chats_billed"] == 12
    assert bill["chats_billed"] > 0
    answered = desk.attempts().filter(desk.attempts()["outcome"] == "valid")["custom_id"]
    assert set(Counter(answered).values()) == {1}
    assert set(billed(bill).values()) <= {1}
    assert "deadline" not in desk.run(*SLOW, "action=status").stdout


@pytest.mark.long
def test_a_deadline_is_kept_until_another_one_or_off_is_said(desk: Desk) -> None:
    def deadline(*words: str) -> str | None:
        said = desk.run(*SLOW, "action=status", *words).stdout.splitlines()
        return next(
            (line.split("deadline")[1].strip() for line in said if "deadline" in line), None
        )

    desk.run(*SLOW, "wait=false", LATE)
    desk.run(*SLOW, "wait=false")
    assert deadline().startswith("06:00 2099-01-01 (in ")
    desk.run(*SLOW, "wait=false", "deadline=off")
    assert deadline() is None


@pytest.mark.long
def test_the_same_command_after_the_deadline_goes_on_one_by_one(desk: Desk) -> None:
    left = desk.run(*SLOW, SOON, "wait=false")
    assert left.returncode == 3
    assert "without wait=false" in left.stdout
    planned = desk.run(*SLOW, SOON, "action=plan")
    assert "ago): what is open is asked one by one" in " ".join(planned.stdout.split())
    assert "one by one, 8 at once, at full price" in planned.stdout
    done = desk.run(*SLOW, SOON)
    assert done.returncode == 0, done.stderr
    bill = desk.bill()
    assert (bill["requests_billed"], bill["chats_billed"]) == (0, 12)


@pytest.mark.long
def test_a_deadline_is_for_what_was_open_and_not_for_what_is_added_later(desk: Desk) -> None:
    quick = [*QUICK, *SMALL, "faults.malformed=0"]
    desk.run(*quick, SOON)
    desk.run(*quick, "trials=4")
    bill = desk.bill()
    assert (bill["requests_billed"], bill["chats_billed"]) == (4, 12)


@pytest.mark.parametrize("said", ["2020-01-01T06:00", "0h"])
def test_a_deadline_in_the_past_is_refused_in_a_line(desk: Desk, said: str) -> None:
    refused = desk.run(*SLOW, f"deadline={said}")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith(
        f"error: deadline={said}: that is not in the future"
    )
    assert not desk.cell().exists()
