"""What was made of an order beside its batch: what becomes of it, what it may cost, how it is said."""

from dataclasses import replace
from decimal import Decimal

import pytest

from runner.core.model import Batch, BatchKey, Progress, RemoteId
from runner.core.plan import Action, Purpose, Verb, committed, plan
from runner.core.states import BatchState
from runner.core.summary import cost_of
from runner.core.twins import Fate, Made, costly, fate_of, fates_of, in_words, open_twins
from tests.unit.test_plan import NOW, SETTLE, batch, facts, verbs

TAKEN = {"remote": RemoteId("b1"), "accepted_at": NOW - SETTLE}


def of(*fates: Fate, state: BatchState = BatchState.RUNNING, **changes: object) -> Batch:
    twins = {f"b{n}": fate.value for n, fate in enumerate(fates, 2)}
    return batch(state, **TAKEN | {"twins": twins, "sought_at": NOW} | changes)


def test_all_but_the_batch_that_is_taken_are_cancelled_but_what_came_from_another_input():
    made = Made(RemoteId("b1"), ("b2", "b3"), ("b4",))
    assert fates_of(made, "b1") == {"b2": "found", "b3": "found", "b4": "apart"}
    assert fates_of(made, "b2") == {"b1": "found", "b3": "found", "b4": "apart"}


CANCELLED = {"state": "cancelled", "event": "end", "rest": "cancelled"}


@pytest.mark.parametrize(
    ("progress", "fate"),
    [
        (Progress(state="cancelling", event="progress", completed=0), Fate.ASKED),
        (Progress(**CANCELLED, completed=0), Fate.UNBILLED),
        (Progress(**CANCELLED, completed=0, total=6), Fate.UNBILLED),
        (Progress(**CANCELLED, completed=0, total=0), Fate.ENDED),
        (Progress(**CANCELLED, completed=0, files={"error": "file-1"}), Fate.UNBILLED),
        (Progress(**CANCELLED, completed=0, files={"output": "file-1"}), Fate.ENDED),
        (Progress(**CANCELLED, completed=1), Fate.ENDED),
        (Progress(**CANCELLED), Fate.ENDED),
        (Progress(state="completed", event="end", completed=0), Fate.ENDED),
        (Progress(state="failed", event="refused"), Fate.UNBILLED),
        (Progress(state="failed", event="deferred"), Fate.UNBILLED),
    ],
    ids=str,
)
def test_only_the_providers_word_that_nothing_was_answered_says_that_nothing_is_billed(
    progress, fate
):
    assert fate_of(Fate.ASKED, progress) == fate


def test_what_may_be_billed_is_reserved_and_makes_the_cost_unknown():
    twins = (Fate.ASKED, Fate.ENDED, Fate.UNBILLED)
    known = {"cost_usd": Decimal("0.4"), "known_usd": Decimal("0.4"), "tally": {"valid": 10}}
    done = of(*twins, state=BatchState.COLLECTED, **known)
    assert costly(done) == 2
    assert committed((done,)) == Decimal("2.4")
    cost = cost_of([done])
    assert (cost.spent, cost.known, cost.unknown, cost.attempts, cost.held) == (
        *(None, Decimal("0.4"), 20, 30),
        Decimal(2),
    )
    alone = replace(done, twins={"b4": "unbilled"})
    assert committed((alone,)) == Decimal("0.4")
    assert cost_of([alone]).spent == Decimal("0.4")


def test_it_is_said_which_is_taken_and_what_became_of_the_others():
    words = in_words(of(Fate.ENDED, Fate.UNBILLED, Fate.ENDED, Fate.APART))
    assert words == (
        "the service made 5 batches of one order: b1 is taken; b5 is left alone, from another "
        "input: a copy of this folder may have sent it; b2 and b4 are over and may be billed; "
        "b3 is over without an answer and not billed; up to $3.0000 stays reserved"
    )
    assert in_words(of()) is None


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("state", list(BatchState))
def test_twins_that_are_not_over_are_cleared_once_a_run_whatever_became_of_their_batch(
    purpose, state
):
    one = of(Fate.FOUND, Fate.ENDED, state=state)
    assert open_twins(one) == ("b2",)
    assert open_twins(of(Fate.APART, Fate.ASKED, Fate.UNBILLED)) == ("b2", "b3")
    assert plan(facts(purpose, one), NOW).actions == (Action(Verb.CLEAR, one.key),)
    cleared = plan(facts(purpose, one, cleared=frozenset({one.key})), NOW)
    assert Verb.CLEAR not in verbs(cleared)


@pytest.mark.parametrize(
    ("changes", "more", "is_sought"),
    [
        ({}, {}, True),
        ({"state": BatchState.COLLECTED, "accepted_at": NOW}, {}, True),
        ({"accepted_at": NOW}, {}, False),
        ({"accepted_at": NOW}, {"failing": frozenset({BatchKey("b0001")})}, True),
        ({"next_at": NOW + 1}, {}, False),
        ({"sought_at": NOW}, {}, False),
        ({"adopted": True}, {}, False),
        ({"realtime": True}, {}, False),
        ({"state": BatchState.ENDED}, {}, False),
        ({"state": BatchState.DROPPED}, {}, False),
        ({}, {"tells_inputs": False}, False),
        ({}, {"sought": frozenset({BatchKey("b0001")})}, False),
    ],
    ids=str,
)
def test_twins_are_looked_for_once_when_the_list_is_current_or_the_batch_is_over(
    changes, more, is_sought
):
    one = replace(batch(BatchState.RUNNING, **TAKEN), **changes)
    found = plan(facts(Purpose.RUN, one, **{"tells_inputs": True} | more), NOW)
    assert (Verb.SEEK in verbs(found)) == is_sought
