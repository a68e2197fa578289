"""The state tables: what they allow, what they refuse, and what the ledger relies on."""

import pytest

from runner.core.errors import IllegalTransition
from runner.core.states import (
    ASKED,
    AT_PROVIDER,
    BATCH_TABLE,
    FINAL_STATES,
    LOST,
    OUTCOME_CODES,
    BatchEvent,
    BatchState,
    Outcome,
    RequestState,
    next_state,
)

PICTURE = """
.           stage    staged  send        accepted  deferred  absent  refused  progress    cancel      end    collect    abandon
packed      staging  .       .           .         .         .       .        .           dropped     .      .          .
staging     staging  staged  .           .         packed    .       packed   .           dropped     .      .          .
staged      .        .       submitting  .         .         .       .        .           dropped     .      .          .
submitting  .        .       .           running   staged    packed  packed   .           .           .      .          dropped
running     .        .       .           .         staged    packed  dropped  running     cancelling  ended  .          dropped
cancelling  .        .       .           .         .         packed  dropped  cancelling  cancelling  ended  .          dropped
ended       .        .       .           .         .         .       .        running     .           ended  collected  dropped
collected   .        .       .           .         .         .       .        .           .           .      .          .
dropped     .        .       .           .         .         .       .        .           .           .      .          .
"""


def pictured() -> dict[tuple[BatchState, BatchEvent], BatchState | None]:
    head, *rows = [line.split() for line in PICTURE.strip().splitlines()]
    return {
        (BatchState(row[0]), BatchEvent(event)): None if cell == "." else BatchState(cell)
        for row in rows
        for event, cell in zip(head[1:], row[1:], strict=True)
    }


STEPS = pictured()


def test_the_picture_shows_every_state_and_every_event():
    assert set(STEPS) == {(state, event) for state in BatchState for event in BatchEvent}


@pytest.mark.parametrize(("state", "event"), [step for step, to in STEPS.items() if to])
def test_a_legal_step_leads_where_the_picture_says(state, event):
    assert next_state(state, event) == STEPS[state, event]


@pytest.mark.parametrize(("state", "event"), [step for step, to in STEPS.items() if not to])
def test_an_illegal_step_is_refused_and_names_both(state, event):
    with pytest.raises(IllegalTransition) as caught:
        next_state(state, event)
    assert f"{state} cannot take {event}" in str(caught.value)


def test_every_state_can_be_reached_from_packed():
    reached = {BatchState.PACKED}
    while more := {to for state in reached for to in BATCH_TABLE[state].values()} - reached:
        reached |= more
    assert reached == set(BatchState)


def test_every_state_can_still_come_to_an_end():
    ending = set(FINAL_STATES)
    while more := {s for s, row in BATCH_TABLE.items() if set(row.values()) & ending} - ending:
        ending |= more
    assert ending == set(BatchState)


def test_only_collected_and_dropped_are_final():
    assert {BatchState.COLLECTED, BatchState.DROPPED} == FINAL_STATES


def test_nothing_that_may_be_billed_can_be_dropped_by_ourselves():
    assert {s: BATCH_TABLE[s].get(BatchEvent.CANCEL) for s in AT_PROVIDER} == {
        BatchState.SUBMITTING: None,
        BatchState.RUNNING: BatchState.CANCELLING,
        BatchState.CANCELLING: BatchState.CANCELLING,
    }


def test_an_order_is_placed_only_from_staged():
    senders = {s for s, row in BATCH_TABLE.items() if BatchState.SUBMITTING in row.values()}
    assert senders == {BatchState.STAGED}


def test_the_codes_of_outcomes_never_change_because_ledgers_hold_them():
    assert {o.value: code for o, code in OUTCOME_CODES.items()} == {
        "open": 0,
        "valid": 1,
        "invalid": 2,
        "refused": 3,
        "errored": 4,
        "expired": 5,
        "cancelled": 6,
        "missing": 7,
        "unreadable": 8,
        "denied": 9,
    }


def test_an_outcome_is_asked_or_lost_or_neither():
    neither = set(Outcome) - ASKED - LOST
    assert (set(ASKED & LOST), neither) == (
        set(),
        {
            *(Outcome.OPEN, Outcome.REFUSED, Outcome.CANCELLED),
            *(Outcome.UNREADABLE, Outcome.DENIED),
        },
    )


def test_the_words_of_the_states_are_those_in_ledgers_and_tables():
    assert [s.value for s in BatchState] == [
        "packed",
        "staging",
        "staged",
        "submitting",
        "running",
        "cancelling",
        "ended",
        "collected",
        "dropped",
    ]
    assert [s.value for s in RequestState] == [
        "pending",
        "in_batch",
        "success",
        "retry_success",
        "failed",
        "withheld",
    ]
