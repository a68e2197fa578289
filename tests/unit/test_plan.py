"""What is done next: for every purpose and every state, and what is never done."""

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.model import Batch, BatchKey, Limits
from runner.core.plan import (
    ELSEWHERE_SECONDS,
    REPEAT_SECONDS,
    Action,
    Facts,
    Load,
    Plan,
    Purpose,
    Verb,
    absence_is_proved,
    committed,
    doubt_settles_at,
    plan,
)
from runner.core.states import AT_PROVIDER, FINAL_STATES, BatchState

NOW = 1000.0
SETTLE = 120.0
LIMITS = Limits(
    requests=100, bytes=10_000, enqueued_tokens=None, batches_in_flight=None, margin=0.05
)
PATIENT = (Purpose.RUN, Purpose.CANCEL)
SENDING = (Purpose.RUN, Purpose.SUBMIT)
UNSENT = (BatchState.PACKED, BatchState.STAGING, BatchState.STAGED)


def batch(state: BatchState, number: int = 1, **changes: object) -> Batch:
    made = Batch(
        key=BatchKey(f"b{number:04d}"),
        state=state,
        count=10,
        bytes=100,
        sha256="",
        input_tokens=100,
        reserved_usd=Decimal(1),
        packed_at=0.0,
        sent_at=NOW - 1000,
    )
    return replace(made, **changes)


def facts(purpose: Purpose, *batches: Batch, **changes: object) -> Facts:
    made = Facts(
        purpose=purpose,
        batches=batches,
        pending=False,
        busy=frozenset(),
        packing=False,
        halted=None,
        limits=LIMITS,
        budget_usd=None,
        other_jobs_usd=Decimal(0),
        settle_seconds=SETTLE,
        looked=frozenset(),
        fences=True,
    )
    return replace(made, **changes)


def verbs(found: Plan) -> list[Verb]:
    return [action.verb for action in found.actions]


def asked(found: Plan) -> list[tuple[Verb, str | None]]:
    return [(action.verb, action.batch) for action in found.actions]


TABLE = """
            run      submit   collect  cancel
packed      stage    stage    -        drop
staging     stage    stage    -        drop
staged      submit   submit   -        drop
submitting  find     find     find     find
running     poll     -        poll     cancel
cancelling  poll     -        poll     poll
ended       collect  collect  collect  collect
collected   -        -        -        -
dropped     -        -        -        -
"""


def cells() -> list[tuple[str, str, str]]:
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [(row[0], p, c) for row in rows for p, c in zip(head, row[1:], strict=True)]


@pytest.mark.parametrize(("state", "purpose", "verb"), cells())
def test_a_batch_that_is_due_gets_what_the_table_says(state, purpose, verb):
    found = plan(facts(Purpose(purpose), batch(BatchState(state))), NOW)
    assert [v.value for v in verbs(found)] == ([] if verb == "-" else [verb])


@pytest.mark.parametrize(("state", "purpose", "verb"), cells())
def test_a_batch_that_is_not_due_is_left_alone_and_waited_for_by_those_who_wait(
    state, purpose, verb
):
    later = batch(BatchState(state), next_at=NOW + 7)
    found = plan(facts(Purpose(purpose), later), NOW)
    if verb == "drop":  # our own decision needs no waiting
        assert verbs(found) == [Verb.DROP]
        return
    waits = Purpose(purpose) in PATIENT and verb != "-"
    assert (verbs(found), found.wake_at, found.done) == ([], NOW + 7 if waits else None, not waits)


@pytest.mark.parametrize(("state", "purpose"), [(s, p) for s, p, _ in cells()])
def test_a_batch_with_a_call_under_way_gets_no_second_one(state, purpose):
    one = batch(BatchState(state))
    found = plan(facts(Purpose(purpose), one, busy=frozenset({one.key})), NOW)
    assert (verbs(found), found.done) == ([], False)


@pytest.mark.parametrize(
    ("purpose", "packs"), [("run", True), ("submit", True), ("collect", False), ("cancel", False)]
)
def test_what_is_pending_is_packed_only_to_be_sent(purpose, packs):
    found = plan(facts(Purpose(purpose), pending=True), NOW)
    assert (found.actions, found.done) == (((Action(Verb.PACK),), False) if packs else ((), True))


@pytest.mark.parametrize("purpose", SENDING)
def test_only_one_request_file_is_written_at_a_time(purpose):
    found = plan(facts(purpose, pending=True, packing=True), NOW)
    assert (found.actions, found.done) == ((), False)


# --- an end that contradicts itself ------------------------------------------------------------


@pytest.mark.parametrize("purpose", Purpose)
def test_an_end_that_was_found_wanting_is_asked_about_before_the_next_download(purpose):
    wanting = batch(BatchState.ENDED, is_stale=True)
    assert verbs(plan(facts(purpose, wanting), NOW)) == [Verb.POLL]
    assert verbs(plan(facts(purpose, replace(wanting, is_stale=False)), NOW)) == [Verb.COLLECT]


@pytest.mark.parametrize("state", [BatchState.ENDED, BatchState.RUNNING])
def test_what_is_held_is_looked_at_when_due_and_never_waited_for(state):
    held = batch(state, held_at=NOW - 9, error="it does not add up", next_at=NOW + 7)
    found = plan(facts(Purpose.RUN, held), NOW)
    assert (found.actions, found.wake_at, found.done) == ((), None, True)
    assert found.held == "b0001: it does not add up"
    assert len(plan(facts(Purpose.RUN, replace(held, next_at=NOW)), NOW).actions) == 1


def test_what_is_held_keeps_its_reserve_and_lets_the_rest_go_on():
    held = batch(BatchState.ENDED, held_at=NOW - 9, error="x", next_at=NOW + 7)
    found = plan(facts(Purpose.RUN, held, batch(BatchState.STAGED, 2), pending=True), NOW)
    assert verbs(found) == [Verb.SUBMIT, Verb.PACK]
    assert committed((held,)) == held.reserved_usd


def test_a_reason_to_hold_and_a_budget_are_both_said():
    held = batch(BatchState.ENDED, held_at=NOW - 9, error="x", next_at=NOW + 7)
    poor = facts(Purpose.RUN, held, batch(BatchState.STAGED, 2), budget_usd=Decimal(1))
    assert "budget.max_usd" in str(plan(poor, NOW).held)
    assert "b0001: x" in str(plan(poor, NOW).held)


@pytest.mark.parametrize("purpose", Purpose)
def test_result_files_that_are_gone_are_fetched_once_in_a_run(purpose):
    gone = batch(BatchState.COLLECTED)
    known = facts(purpose, gone, gone=frozenset({gone.key}))
    assert verbs(plan(known, NOW)) == [Verb.FETCH]
    assert plan(replace(known, looked=frozenset({gone.key})), NOW).done


# --- the doubt protocol: look, fence, wait, look again, and only then believe ------------------


def test_a_submission_in_doubt_is_cleared_up_step_by_step():
    doubtful = batch(BatchState.SUBMITTING, sent_at=NOW)

    def step(at: float) -> Verb:
        return plan(facts(Purpose.RUN, doubtful), at).actions[0].verb

    assert step(NOW) == Verb.FIND
    doubtful = replace(doubtful, looks=1)
    assert step(NOW + SETTLE - 0.1) == Verb.FIND  # the list may not show it yet
    assert step(NOW + SETTLE) == Verb.FENCE
    fenced_at = NOW + SETTLE
    doubtful = replace(doubtful, fenced_at=fenced_at, next_at=fenced_at + SETTLE)
    assert plan(facts(Purpose.RUN, doubtful), fenced_at + SETTLE - 0.1).actions == ()
    assert step(fenced_at + SETTLE) == Verb.FIND
    assert absence_is_proved(doubtful, SETTLE, fenced_at + SETTLE, fences=True)


@pytest.mark.parametrize(
    ("fenced_at", "now", "proved"),
    [(None, 1e12, False), (NOW, NOW + SETTLE - 0.1, False), (NOW, NOW + SETTLE, True)],
)
def test_absence_is_believed_only_well_after_the_fence(fenced_at, now, proved):
    doubtful = batch(BatchState.SUBMITTING, fenced_at=fenced_at, looks=99)
    assert absence_is_proved(doubtful, SETTLE, now, fences=True) == proved


@pytest.mark.parametrize(("later", "proved"), [(0, False), (SETTLE - 0.1, False), (SETTLE, True)])
def test_without_a_fence_absence_is_believed_when_the_list_has_settled(later, proved):
    doubtful = batch(BatchState.SUBMITTING, sent_at=NOW, looks=99)
    assert absence_is_proved(doubtful, SETTLE, NOW + later, fences=False) == proved


def test_where_there_is_no_fence_a_doubt_is_looked_up_and_nothing_else():
    doubtful = batch(BatchState.SUBMITTING, looks=5, sent_at=NOW - 10 * SETTLE)
    assert verbs(plan(facts(Purpose.RUN, doubtful, fences=False), NOW)) == [Verb.FIND]
    assert verbs(plan(facts(Purpose.RUN, doubtful, fences=True), NOW)) == [Verb.FENCE]


def test_what_may_be_one_of_several_batches_is_never_fenced():
    doubtful = batch(BatchState.SUBMITTING, looks=5, candidates=("a", "b"))
    assert verbs(plan(facts(Purpose.RUN, doubtful), NOW)) == [Verb.FIND]


def test_a_doubt_settles_after_the_fence_or_else_after_the_sending():
    sent = batch(BatchState.SUBMITTING, sent_at=5.0)
    assert doubt_settles_at(sent, SETTLE) == 125.0
    assert doubt_settles_at(replace(sent, doubted_at=30.0), SETTLE) == 150.0
    assert doubt_settles_at(replace(sent, doubted_at=30.0, fenced_at=50.0), SETTLE) == 170.0


@pytest.mark.parametrize("purpose", [Purpose.SUBMIT, Purpose.COLLECT])
def test_a_run_that_does_not_wait_never_fences(purpose):
    doubtful = batch(BatchState.SUBMITTING, looks=5)
    assert verbs(plan(facts(purpose, doubtful), NOW)) == [Verb.FIND]


def test_a_doubt_is_cleared_up_even_when_sending_has_stopped():
    doubtful = batch(BatchState.SUBMITTING)
    assert verbs(plan(facts(Purpose.RUN, doubtful, halted="refused"), NOW)) == [Verb.FIND]


# --- an order that may be repeated, since nothing comes of it a second time ---------------------


REPEATS = {
    "as it is": ({}, {}, True),
    "sent by an earlier run": ({}, {"repeatable": frozenset()}, False),
    "the token may be forgotten": ({"sent_at": NOW - REPEAT_SECONDS}, {}, False),
    "when it was sent is not known": ({"sent_at": None}, {}, False),
    "it is asked one by one": ({"realtime": True}, {}, False),
    "not here": ({}, {"idempotent": False}, False),
    "nothing more is sent": ({}, {"halted": "refused"}, False),
    "the user cancels it": ({}, {"cancelled": frozenset({"b0001"})}, False),
    "a run that only collects": ({}, {"purpose": Purpose.COLLECT}, False),
    "a run that cancels": ({}, {"purpose": Purpose.CANCEL}, False),
    "a run that sends and leaves": ({}, {"purpose": Purpose.SUBMIT}, True),
}


@pytest.mark.parametrize(("changes", "known", "repeated"), REPEATS.values(), ids=REPEATS)
def test_an_order_in_doubt_is_repeated_or_looked_for(changes, known, repeated):
    doubtful = batch(BatchState.SUBMITTING, **({"sent_at": NOW - 1} | changes))
    can_be = {"idempotent": True, "repeatable": frozenset({doubtful.key})}
    here = replace(facts(Purpose.RUN, doubtful), **(can_be | known))
    found = plan(here, NOW)
    assert verbs(found) == [Verb.SUBMIT if repeated else Verb.FIND]


def test_a_repeated_order_needs_neither_room_nor_money_a_second_time():
    doubtful = batch(BatchState.SUBMITTING, sent_at=NOW - 1)
    narrow = {"limits": ROOM_FOR_ONE, "budget_usd": Decimal(1), "idempotent": True}
    narrow["repeatable"] = frozenset({doubtful.key})
    assert verbs(plan(facts(Purpose.RUN, doubtful, **narrow), NOW)) == [Verb.SUBMIT]


# --- too few requests for a batch --------------------------------------------------------------


def test_what_is_too_few_for_a_batch_is_not_packed_and_said_to_be_open():
    limits = replace(LIMITS, min_requests=100)
    running = batch(BatchState.RUNNING, next_at=NOW + 5)
    short = {"limits": limits, "pending": True, "too_few": 7}
    found = plan(facts(Purpose.RUN, running, **short), NOW)
    assert (verbs(found), found.done) == ([], False), "more may come of what is under way"
    found = plan(facts(Purpose.RUN, **short), NOW)
    assert (verbs(found), found.done) == ([], True)
    assert found.held == (
        "7 requests are not sent: the provider takes no batch of fewer than 100; to ask them one by "
        "one, at full price, run again with provider.mode=realtime"
    )
    assert plan(facts(Purpose.COLLECT, **short), NOW).held is None


def test_what_is_too_few_for_a_batch_waits_for_the_deadline_and_is_asked_one_by_one_then():
    limits = replace(LIMITS, min_requests=100)
    short = {"limits": limits, "pending": True, "too_few": 7, "deadline": NOW + 60}
    found = plan(facts(Purpose.RUN, **short), NOW)
    assert (verbs(found), found.done, found.wake_at) == ([], False, NOW + 60)
    assert plan(facts(Purpose.RUN, **short, halted="refused"), NOW).done
    late = plan(facts(Purpose.RUN, **short), NOW + 60)
    assert (verbs(late), late.held) == ([Verb.PACK], None)


# --- asking once -------------------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(AT_PROVIDER))
def test_collect_asks_once_and_never_waits(state):
    one = batch(state)
    found = plan(facts(Purpose.COLLECT, one, looked=frozenset({one.key})), NOW)
    assert found == Plan(actions=(), wake_at=None, done=True)


def test_collect_fetches_what_its_one_look_found_ended():
    one = batch(BatchState.ENDED)
    found = plan(facts(Purpose.COLLECT, one, looked=frozenset({one.key})), NOW)
    assert verbs(found) == [Verb.COLLECT]


def test_submit_leaves_when_everything_is_sent():
    running = [batch(BatchState.RUNNING, 1), batch(BatchState.CANCELLING, 2)]
    assert plan(facts(Purpose.SUBMIT, *running), NOW).done


def test_submit_looks_for_a_doubtful_batch_once():
    one = batch(BatchState.SUBMITTING)
    found = plan(facts(Purpose.SUBMIT, one, looked=frozenset({one.key})), NOW)
    assert (found.actions, found.done) == ((), True)


@pytest.mark.parametrize("purpose", PATIENT)
def test_those_who_wait_ask_again_and_again(purpose):
    one = batch(BatchState.CANCELLING)
    found = plan(facts(purpose, one, looked=frozenset({one.key})), NOW)
    assert verbs(found) == [Verb.POLL]


# --- cancelling and stopping -------------------------------------------------------------------


def test_cancel_drops_what_was_never_sent_and_cancels_what_runs():
    batches = [batch(state, n) for n, state in enumerate([*UNSENT, BatchState.RUNNING], 1)]
    found = plan(facts(Purpose.CANCEL, *batches, pending=True), NOW)
    assert sorted(asked(found)) == [
        (Verb.CANCEL, "b0004"),
        (Verb.DROP, "b0001"),
        (Verb.DROP, "b0002"),
        (Verb.DROP, "b0003"),
    ]


@pytest.mark.parametrize("purpose", Purpose)
def test_one_batch_can_be_cancelled_while_the_others_go_on(purpose):
    batches = [batch(state, n) for n, state in enumerate([*UNSENT, BatchState.RUNNING] * 2, 1)]
    mine = frozenset(b.key for b in batches[:4])
    found = plan(facts(purpose, *batches, cancelled=mine), NOW)
    of_mine = {key: verb for verb, key in asked(found) if key in mine}
    others = {key: verb for verb, key in asked(found) if key not in mine}
    assert list(of_mine.values()).count(Verb.DROP) == 3
    assert of_mine["b0004"] is Verb.CANCEL
    assert others == {
        b.key: verb
        for verb, b in ((v, b) for b in batches[4:] for v in [_alone(purpose, b)] if v is not None)
    }


def _alone(purpose: Purpose, one: Batch) -> Verb | None:
    return next(iter(verbs(plan(facts(purpose, one), NOW))), None)


@pytest.mark.parametrize("state", UNSENT)
def test_a_halted_run_sends_nothing_more_and_is_done(state):
    found = plan(facts(Purpose.RUN, batch(state), pending=True, halted="refused"), NOW)
    assert (found.actions, found.done) == ((), True)


def test_a_halted_run_still_collects_what_runs():
    found = plan(facts(Purpose.RUN, batch(BatchState.RUNNING), halted="refused"), NOW)
    assert verbs(found) == [Verb.POLL]


def test_what_is_paid_for_comes_before_what_is_new():
    states = [BatchState.STAGED, BatchState.PACKED, BatchState.ENDED, BatchState.RUNNING]
    batches = [batch(state, n) for n, state in enumerate(states, 1)]
    found = plan(facts(Purpose.RUN, *batches, pending=True), NOW)
    assert verbs(found) == [Verb.COLLECT, Verb.POLL, Verb.SUBMIT, Verb.STAGE, Verb.PACK]


# --- the gates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "sent"), [("2.99", ["b0002"]), ("3", ["b0002", "b0003"]), (None, ["b0002", "b0003"])]
)
def test_the_budget_holds_back_what_might_exceed_it(budget, sent):
    batches = [
        batch(BatchState.RUNNING, 1),
        batch(BatchState.STAGED, 2),
        batch(BatchState.STAGED, 3),
    ]
    limit = None if budget is None else Decimal(budget)
    found = plan(facts(Purpose.RUN, *batches, budget_usd=limit), NOW)
    assert [b for v, b in asked(found) if v is Verb.SUBMIT] == sent
    assert (found.held is None) == (len(sent) == 2)


def test_what_the_budget_holds_back_is_said_with_both_sums():
    batches = [
        batch(BatchState.COLLECTED, 1, cost_usd=Decimal("0.25")),
        batch(BatchState.PACKED, 2),
    ]
    found = plan(facts(Purpose.RUN, *batches, budget_usd=Decimal(1)), NOW)
    assert (found.actions, found.done) == ((), True)
    for part in ("b0002", "$1.00", "$0.25", "budget.max_usd=1"):
        assert part in str(found.held)


def test_an_unknown_price_counts_as_nothing_against_the_budget():
    free = batch(BatchState.STAGED, reserved_usd=None)
    assert verbs(plan(facts(Purpose.RUN, free, budget_usd=Decimal(0)), NOW)) == [Verb.SUBMIT]


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        (BatchState.PACKED, {}, "0"),
        (BatchState.STAGING, {}, "0"),
        (BatchState.STAGED, {}, "0"),
        (BatchState.SUBMITTING, {}, "1"),
        (BatchState.RUNNING, {}, "1"),
        (BatchState.CANCELLING, {}, "1"),
        (BatchState.ENDED, {}, "1"),
        (BatchState.COLLECTED, {"cost_usd": Decimal("0.4")}, "0.4"),
        (BatchState.COLLECTED, {"cost_usd": None}, "1"),
        (BatchState.COLLECTED, {"cost_usd": None, "reserved_usd": None}, "0"),
        (
            BatchState.COLLECTED,
            {"cost_usd": None, "known_usd": Decimal("0.25"), "held_usd": Decimal("0.5")},
            "0.75",
        ),
        (BatchState.RUNNING, {"bound_usd": Decimal("1.75")}, "1.75"),
        (BatchState.ENDED, {"bound_usd": Decimal("0.25")}, "0.25"),
        (BatchState.DROPPED, {}, "0"),
        (BatchState.RUNNING, {"reserved_usd": None}, "0"),
    ],
)
def test_money_is_committed_from_the_order_to_the_bill(state, changes, expected):
    assert committed((batch(state, **changes),)) == Decimal(expected)


@pytest.mark.parametrize(("limit", "sent"), [(1, []), (2, ["b0002"]), (3, ["b0002", "b0003"])])
def test_no_more_batches_fly_than_the_provider_allows(limit, sent):
    batches = [
        batch(BatchState.RUNNING, 1),
        batch(BatchState.STAGED, 2),
        batch(BatchState.STAGED, 3),
    ]
    found = plan(facts(Purpose.RUN, *batches, limits=replace(LIMITS, batches_in_flight=limit)), NOW)
    assert [b for v, b in asked(found) if v is Verb.SUBMIT] == sent


@pytest.mark.parametrize(
    ("limit", "sent"), [(199, []), (200, ["b0002"]), (299, ["b0002"]), (300, ["b0002", "b0003"])]
)
def test_no_more_tokens_are_enqueued_than_the_provider_allows(limit, sent):
    batches = [
        batch(BatchState.RUNNING, 1),
        batch(BatchState.STAGED, 2),
        batch(BatchState.STAGED, 3),
    ]
    found = plan(facts(Purpose.RUN, *batches, limits=replace(LIMITS, enqueued_tokens=limit)), NOW)
    assert [b for v, b in asked(found) if v is Verb.SUBMIT] == sent


def test_a_batch_whose_tokens_we_guessed_too_high_is_still_sent_alone():
    one = batch(BatchState.STAGED, input_tokens=500)
    found = plan(facts(Purpose.RUN, one, limits=replace(LIMITS, enqueued_tokens=100)), NOW)
    assert verbs(found) == [Verb.SUBMIT]


@pytest.mark.parametrize("busy", [True, False])
def test_a_submission_under_way_counts_at_every_gate(busy):
    going, waiting = batch(BatchState.SUBMITTING, 1), batch(BatchState.STAGED, 2)
    known = facts(
        Purpose.RUN,
        going,
        waiting,
        busy=frozenset({going.key}) if busy else frozenset(),
        limits=replace(LIMITS, batches_in_flight=1),
    )
    assert Verb.SUBMIT not in verbs(plan(known, NOW))


def test_a_deferred_batch_waits_and_lets_the_others_pass():
    batches = [batch(BatchState.STAGED, 1, next_at=NOW + 30), batch(BatchState.STAGED, 2)]
    found = plan(facts(Purpose.RUN, *batches), NOW)
    assert (asked(found), found.wake_at) == ([(Verb.SUBMIT, "b0002")], NOW + 30)


def test_what_is_overdue_is_due_now_and_not_in_the_past():
    assert plan(facts(Purpose.RUN, batch(BatchState.RUNNING, next_at=NOW - 50)), NOW).wake_at == NOW


# --- what always holds -------------------------------------------------------------------------


@st.composite
def some_facts(draw: st.DrawFn) -> Facts:
    """Anything that could be known."""
    batches = tuple(
        batch(
            draw(st.sampled_from(BatchState)),
            number,
            next_at=draw(st.sampled_from([0.0, NOW, NOW + 5])),
            looks=draw(st.integers(0, 2)),
            is_stale=draw(st.booleans()),
            held_at=draw(st.sampled_from([None, NOW - 1])),
            fenced_at=draw(st.sampled_from([None, NOW - 500, NOW - 1])),
            sent_at=draw(st.sampled_from([None, NOW - 500, NOW - 1])),
            input_tokens=draw(st.integers(0, 300)),
            reserved_usd=draw(st.sampled_from([None, Decimal(0), Decimal(1), Decimal(3)])),
            cost_usd=draw(st.sampled_from([None, Decimal("0.5")])),
        )
        for number in range(1, draw(st.integers(0, 6)) + 1)
    )
    keys = [b.key for b in batches]
    some = st.frozensets(st.sampled_from(keys)) if keys else st.just(frozenset())
    return facts(
        draw(st.sampled_from(Purpose)),
        *batches,
        pending=draw(st.booleans()),
        busy=draw(some),
        packing=draw(st.booleans()),
        halted=draw(st.sampled_from([None, "refused"])),
        limits=replace(
            LIMITS,
            enqueued_tokens=draw(st.none() | st.integers(1, 600)),
            batches_in_flight=draw(st.none() | st.integers(1, 4)),
        ),
        budget_usd=draw(st.none() | st.integers(0, 8).map(Decimal)),
        looked=draw(some),
        gone=draw(some),
        held_back=draw(some),
    )


@pytest.mark.parametrize("state", UNSENT)
@pytest.mark.parametrize("purpose", SENDING)
def test_only_the_batch_of_the_pilot_is_sent_and_nobody_waits_for_the_other(purpose, state):
    one, two = batch(state, 1), batch(state, 2, next_at=NOW + 5)
    held_back = frozenset({two.key})
    found = plan(facts(purpose, one, two, held_back=held_back), NOW)
    assert [action.batch for action in found.actions] == [one.key]
    later = plan(facts(purpose, two, held_back=held_back), NOW + 10)
    assert later.done


@given(some_facts())
def test_what_waits_for_the_pilot_is_not_sent(known):
    sent = {a.batch for a in plan(known, NOW).actions if a.verb in (Verb.STAGE, Verb.SUBMIT)}
    assert sent & known.held_back == set()


@given(some_facts())
def test_nothing_is_sent_by_a_run_that_must_not_send(known):
    if known.purpose in SENDING and known.halted is None:
        return
    assert set(verbs(plan(known, NOW))) & {Verb.STAGE, Verb.SUBMIT, Verb.PACK} == set()


@given(some_facts())
def test_no_batch_gets_two_actions_or_one_beside_a_call_under_way(known):
    touched = [a.batch for a in plan(known, NOW).actions]
    assert len(touched) == len(set(touched))
    assert set(touched) & known.busy == set()


@given(some_facts())
def test_an_order_is_placed_only_for_a_staged_batch_never_for_one_in_doubt(known):
    states = {b.key: b.state for b in known.batches}
    ordered = {states[a.batch] for a in plan(known, NOW).actions if a.verb is Verb.SUBMIT}
    assert ordered - {BatchState.STAGED} == set()


@given(some_facts())
def test_done_means_that_nothing_is_left_to_do_or_to_wait_for(known):
    found = plan(known, NOW)
    if found.done:
        assert (found.actions, found.wake_at, known.busy, known.packing) == (
            (),
            None,
            frozenset(),
            False,
        )
    elif not found.actions and not known.busy and not known.packing:
        assert found.wake_at is not None
        assert found.wake_at > NOW


@given(some_facts())
def test_no_plan_can_exceed_the_budget(known):
    found = plan(known, NOW)
    by_key = {b.key: b for b in known.batches}
    new = [by_key[a.batch].reserved_usd or 0 for a in found.actions if a.verb is Verb.SUBMIT]
    if known.budget_usd is not None and sum(new):
        assert committed(known.batches) + sum(new) <= known.budget_usd


@given(some_facts())
def test_no_plan_can_exceed_the_limits_of_the_provider(known):
    new = [a.batch for a in plan(known, NOW).actions if a.verb is Verb.SUBMIT]
    if not new:
        return
    there = [b for b in known.batches if b.state in AT_PROVIDER or b.key in new]
    limits = known.limits
    if limits.batches_in_flight is not None:
        assert len(there) <= limits.batches_in_flight
    if limits.enqueued_tokens is not None and len(there) > 1:
        assert sum(b.input_tokens for b in there) <= limits.enqueued_tokens


@given(some_facts())
def test_a_fence_comes_only_after_a_look_and_only_where_someone_waits_for_the_proof(known):
    by_key = {b.key: b for b in known.batches}
    for action in plan(known, NOW).actions:
        if action.verb is Verb.FENCE:
            one = by_key[action.batch]
            assert known.purpose in PATIENT
            assert (one.state, one.fenced_at) == (BatchState.SUBMITTING, None)
            assert one.looks > 0
            assert (one.sent_at or 0.0) + SETTLE <= NOW


def test_final_batches_are_never_touched():
    for state, purpose in itertools.product(FINAL_STATES, Purpose):
        assert plan(facts(purpose, batch(state)), NOW) == Plan(actions=(), wake_at=None, done=True)


ROOM_FOR_ONE = replace(LIMITS, batches_in_flight=1)
ROOM_FOR_TOKENS = replace(LIMITS, enqueued_tokens=150)


@pytest.mark.parametrize(
    ("limits", "load"),
    [(ROOM_FOR_ONE, Load(batches=1)), (ROOM_FOR_TOKENS, Load(batches=1, tokens=100))],
)
def test_what_other_jobs_have_at_the_account_takes_room_and_is_waited_for(limits, load):
    staged = batch(BatchState.STAGED)
    alone = plan(facts(Purpose.RUN, staged, limits=limits), NOW)
    assert verbs(alone) == [Verb.SUBMIT]
    waits = replace(load, may_free=True)
    found = plan(facts(Purpose.RUN, staged, limits=limits, other_jobs=waits), NOW)
    assert (verbs(found), found.wake_at, found.done) == ([], NOW + ELSEWHERE_SECONDS, False)
    over = plan(facts(Purpose.RUN, staged, limits=limits, other_jobs=load), NOW)
    assert over.done, "nobody is there any more who could give room back"
    leaves = plan(facts(Purpose.SUBMIT, staged, limits=limits, other_jobs=waits), NOW)
    assert leaves.done, "a run that does not wait for batches does not wait for room"


def test_tokens_of_other_models_take_no_room():
    staged = batch(BatchState.STAGED)
    found = plan(
        facts(Purpose.RUN, staged, limits=ROOM_FOR_TOKENS, other_jobs=Load(batches=3)), NOW
    )
    assert verbs(found) == [Verb.SUBMIT]


@pytest.mark.parametrize("may_free", [True, False])
def test_money_that_others_may_give_back_is_waited_for(may_free):
    given = facts(
        Purpose.RUN,
        batch(BatchState.STAGED),
        budget_usd=Decimal(2),
        other_jobs_usd=Decimal("1.5"),
        other_jobs=Load(may_free=may_free),
    )
    found = plan(given, NOW)
    assert verbs(found) == []
    assert "budget" in found.held
    assert found.done is not may_free
    halted = plan(replace(given, halted="no such model"), NOW)
    assert halted.done


def test_what_is_paid_for_is_collected_before_anything_else_is_asked():
    batches = [batch(BatchState.RUNNING, 1), batch(BatchState.SUBMITTING, 2)]
    found = plan(facts(Purpose.RUN, *batches, batch(BatchState.ENDED, 3)), NOW)
    assert verbs(found)[0] is Verb.COLLECT
    assert len(found.actions) == 3


@pytest.mark.parametrize("state", UNSENT)
def test_a_batch_that_the_user_cancelled_is_not_sent_on_its_way_out(state):
    one = batch(state)
    found = plan(facts(Purpose.RUN, one, cancelled=frozenset([one.key])), NOW)
    assert asked(found) == [(Verb.DROP, one.key)]


def test_what_was_given_up_may_be_billed_and_stays_committed():
    given_up = batch(BatchState.DROPPED, abandoned_at=NOW)
    assert committed((given_up, batch(BatchState.DROPPED, 2))) == given_up.reserved_usd
