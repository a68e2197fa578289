"""What may be concluded when counts and files are compared: never that something is lost too early."""

from decimal import Decimal

import pytest

from runner.core.ends import End, Found, contradiction, found_in, held_up, judge, way_out
from runner.core.model import Batch, BatchKey, RemoteId
from runner.core.states import BatchState, Outcome

WHOLE, UNPROVEN, CONTRADICTED = End.WHOLE, End.UNPROVEN, End.CONTRADICTED


def batch(completed=None, failed=None, rest="missing", **changes) -> Batch:
    """Four requests that have ended; the counts are the provider's."""
    return Batch(
        key=BatchKey("b0001"),
        state=BatchState.ENDED,
        count=4,
        bytes=1,
        sha256="",
        input_tokens=1,
        reserved_usd=Decimal(1),
        packed_at=0.0,
        remote=RemoteId("batch-9"),
        remote_state="completed",
        completed=completed,
        failed=failed,
        rest=rest,
        **{"files": {"output": "f"}, **changes},
    )


def found(answered: int = 0, failed: int = 0, **more: int | str) -> Found:
    return Found(answered=answered, failed=failed, **more)


TABLE = [
    # all there: whatever the counts say
    ("all answered", batch(4, 0), found(4), WHOLE),
    ("all there, counts zero", batch(0, 0), found(4), WHOLE),
    ("all there, counts absent", batch(), found(3, 1), WHOLE),
    ("all there, counts beyond", batch(8, 0), found(4), WHOLE),
    ("all there, and lines of others", batch(4, 0), found(4, others=2, unread=1), WHOLE),
    ("all there, and a file shorter than its record", batch(), found(4, short="3 of 9"), WHOLE),
    # the counts know of more
    ("a file shorter than its record", batch(), found(3, short="3 of 9"), CONTRADICTED),
    ("short, expired, counts agree", batch(3, 0, "expired"), found(3, short="1"), CONTRADICTED),
    ("one line short", batch(4, 0), found(3), CONTRADICTED),
    ("error file still to come", batch(3, 1), found(3), CONTRADICTED),
    ("output file still to come", batch(3, 1), found(0, 1), CONTRADICTED),
    ("no file yet", batch(4, 0, files={}), found(), CONTRADICTED),
    ("empty file", batch(4, 0), found(), CONTRADICTED),
    ("expired, and less than was counted", batch(3, 0, "expired"), found(2), CONTRADICTED),
    ("cancelled, and less than was counted", batch(1, 1, "cancelled"), found(1), CONTRADICTED),
    ("failures are not counted, answers lack", batch(3, None), found(2, 1), CONTRADICTED),
    ("answers are not counted, failures lack", batch(None, 2), found(0, 1), CONTRADICTED),
    (
        "expired lines do not stand for answers",
        batch(1, 0, "expired"),
        found(0, unrun=1),
        CONTRADICTED,
    ),
    ("errors do not stand for answers", batch(3, 0), found(2, 1), CONTRADICTED),
    # a line that nobody can read may be the one that is missing
    ("a broken line", batch(), found(3, unread=1), CONTRADICTED),
    ("a broken line in an expired batch", batch(2, 0, "expired"), found(2, unread=1), CONTRADICTED),
    # an end that brought nothing says nothing
    ("completed, nothing counted, no file", batch(0, 0, files={}), found(), CONTRADICTED),
    ("completed, no counts, empty file", batch(), found(), CONTRADICTED),
    ("only lines of others", batch(), found(others=4), CONTRADICTED),
    ("expired, only lines of others", batch(0, 0, "expired"), found(others=4), CONTRADICTED),
    # the rest never ran, and the counts say how much did
    ("expired half way", batch(2, 0, "expired"), found(2), WHOLE),
    ("cancelled half way", batch(1, 1, "cancelled"), found(1, 1), WHOLE),
    ("expired, some with a line", batch(2, 0, "expired"), found(2, unrun=1), WHOLE),
    ("expired, and counted as failed", batch(2, 1, "expired"), found(2, unrun=1), WHOLE),
    # nothing says that more is there, and nothing that it is not
    ("counts agree on one too few", batch(3, 0), found(3), UNPROVEN),
    ("no counts", batch(), found(3), UNPROVEN),
    ("counts are zero", batch(0, 0), found(3), UNPROVEN),
    ("counts are smaller than the files", batch(1, 0), found(3), UNPROVEN),
    ("expired, counts zero, no file", batch(0, 0, "expired", files={}), found(), UNPROVEN),
    ("expired, counts smaller", batch(1, 0, "expired"), found(2), UNPROVEN),
    ("expired, failures not counted", batch(2, None, "expired"), found(2), UNPROVEN),
    ("a program that was killed", batch(rest="errored", files={}), found(), UNPROVEN),
]


@pytest.mark.parametrize(
    ("batch", "found", "end"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_counts_and_files_are_compared(batch, found, end):
    assert judge(batch, found) is end


def test_what_was_asked_here_was_noted_here():
    assert judge(batch(4, 0, realtime=True), found(3)) is WHOLE


SAID = [
    (batch(4, 0), found(3), "the provider counts 4 answered, its files hold 3 answered"),
    (
        batch(3, 1),
        found(3),
        "the provider counts 3 answered and 1 failed, its files hold 3 answered",
    ),
    (batch(4, 0, files={}), found(), "the provider counts 4 answered, it names no result file"),
    (batch(), found(3), "the provider says completed of 4 requests, its files hold 3 answered"),
    (
        batch(4, 0),
        found(3, unread=1),
        "the provider counts 4 answered, its files hold 3 answered, and 1 line that cannot be read",
    ),
    (
        batch(),
        found(others=4),
        "the result files of batch-9 hold no answer to this batch's requests, but 4 lines of something else: it may be another batch",
    ),
]


@pytest.mark.parametrize(("batch", "found", "said"), SAID)
def test_what_contradicts_what_is_said_in_a_few_words(batch, found, said):
    assert contradiction(batch, found) == said


def test_a_reading_is_counted_by_what_its_lines_say():
    tally = {"valid": 3, "invalid": 1, "unreadable": 1, "refused": 1, "missing": 2}
    notices = {"unreadable": 1, "oversize": 2, "misplaced": 3, "unknown": 5, "duplicate": 7}
    assert found_in(tally, 2, "missing", notices) == found(5, 1, unread=6, others=5)
    both = found_in({"valid": 1, "expired": 3}, 2, Outcome.EXPIRED, {})
    assert both == found(1, unrun=1), "an expiry that has a line is a line"
    assert found_in({"missing": 4}, 4, "missing", {}) == found()


def test_the_way_out_is_named_with_what_it_leaves():
    one = batch(4, 0)
    assert "action=abandon batch=b0001" in way_out(one, 0)
    assert "the 3 that are here stay" in way_out(one, 3)


def test_batches_that_are_held_are_named_in_one_line():
    held = batch(held_at=1.0, error="it does not add up")
    assert held_up((batch(), batch(held_at=None))) is None
    assert held_up((batch(), held)) == "b0001: it does not add up"
    assert "and 2 more" in str(held_up((held,) * 3))
