"""What a call's result changes in a batch: a row a result, and what must hold after all of them."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.batch_reading import BatchReading
from runner.core.call_results import (
    Accepted,
    Cleared,
    Done,
    Failed,
    Fetched,
    Looked,
    Sought,
    Staged,
)
from runner.core.ends import End
from runner.core.errors import (
    IllegalTransition,
    ProviderBusy,
    ProviderRefused,
    ProviderSilent,
    ProviderUndecided,
)
from runner.core.model import Batch, BatchKey, Progress, RemoteId, Usage
from runner.core.plan import Verb
from runner.core.states import AT_PROVIDER, BatchState
from runner.core.transition import (
    DAY,
    REFUSALS_OF_A_LIST,
    Mark,
    Moment,
    Terms,
    Timing,
    after,
    repeating,
    resumed,
    sending,
    staging,
)
from runner.core.twins import Made

NOW, SETTLE, LONGEST = 10_000.0, 120.0, 60.0
TERMS = Terms(
    timing=Timing(first=5.0, longest=LONGEST, longest_retry_after=900.0, settle=SETTLE),
    waits=True,
    fences=True,
    tells_inputs=True,
    results_days=30,
)
BUSY, REFUSED, SILENT = ProviderBusy("429"), ProviderRefused("400"), ProviderSilent("reset")
FORGOTTEN = ProviderRefused("404", forgotten=True)
UNDECIDED = ProviderUndecided("two", candidates=("r1", "r2"))
FRESH = {  # what a batch in each state knows
    BatchState.PACKED: {},
    BatchState.STAGING: {},
    BatchState.STAGED: {"handle": {"file": "f1"}},
    BatchState.SUBMITTING: {"handle": {"file": "f1"}, "sent_at": NOW - 1},
    BatchState.RUNNING: {"remote": RemoteId("r1"), "sent_at": NOW - 9, "sought_at": NOW - 5},
    BatchState.CANCELLING: {"remote": RemoteId("r1"), "sent_at": NOW - 9, "sought_at": NOW - 5},
    BatchState.ENDED: {"remote": RemoteId("r1"), "files": {"output": "o1"}, "remote_state": "done"},
}


def batch(state: BatchState, **changes: object) -> Batch:
    made = Batch(
        key=BatchKey("b0001"),
        state=state,
        count=4,
        bytes=100,
        sha256="",
        input_tokens=100,
        reserved_usd=Decimal(1),
        packed_at=0.0,
    )
    return replace(made, **(FRESH.get(state, {}) | changes))


def moment(*marks: Mark, began: float = NOW - 1) -> Moment:
    return Moment(now=NOW, began=began, jitter=0.0, marks=frozenset(marks))


def reading(**changes: object) -> BatchReading:
    made = BatchReading(
        outcomes=b"\1\1\1\1",
        tally={"valid": 4},
        patterns={},
        causes={},
        notices={},
        usage=Usage(),
        cost_usd=Decimal("0.5"),
        models={"m": 4},
        known_usd=Decimal("0.5"),
        cost_unknown=0,
        held_usd=Decimal(0),
        missing=0,
    )
    return replace(made, **changes)


def fetched(doubt: str | None = None, end: End = End.WHOLE, **changes: object) -> Fetched:
    return Fetched(
        reading=reading(**changes), hashes={"output": "h"}, found=3, doubt=doubt, end=end
    )


def told(state: str = "in_progress", event: str = "progress", **more: object) -> Progress:
    return Progress(state=state, event=event, **more)


_S = BatchState
TABLE = [
    # state, result, next state, event, halts, frees
    (_S.STAGING, Staged({"file": "f1"}), _S.STAGED, "staged", False, False),
    (_S.STAGING, Failed(Verb.STAGE, BUSY), _S.PACKED, "deferred", False, False),
    (_S.STAGING, Failed(Verb.STAGE, REFUSED), _S.PACKED, "refused", True, False),
    (_S.STAGING, Failed(Verb.STAGE, SILENT), _S.STAGING, "stage failed", False, False),
    (_S.SUBMITTING, Accepted(RemoteId("r1")), _S.RUNNING, "accepted", False, False),
    (_S.SUBMITTING, Failed(Verb.SUBMIT, BUSY), _S.STAGED, "deferred", False, False),
    (_S.SUBMITTING, Failed(Verb.SUBMIT, REFUSED), _S.PACKED, "refused", True, False),
    (_S.SUBMITTING, Failed(Verb.SUBMIT, SILENT), _S.SUBMITTING, "submit failed", False, False),
    (_S.SUBMITTING, Looked(Made(RemoteId("r1"))), _S.RUNNING, "accepted", False, False),
    (_S.SUBMITTING, Looked(None), _S.SUBMITTING, "not found yet", False, False),
    (_S.SUBMITTING, Failed(Verb.FIND, UNDECIDED), _S.SUBMITTING, "undecided", False, False),
    (_S.SUBMITTING, Done(Verb.FENCE), _S.SUBMITTING, "fenced", False, False),
    (_S.RUNNING, told(), _S.RUNNING, "progress", False, False),
    (_S.RUNNING, told("done", "end"), _S.ENDED, "end", False, False),
    (_S.RUNNING, told("failed", "deferred"), _S.STAGED, "deferred", False, False),
    (_S.RUNNING, told("failed", "refused"), _S.DROPPED, "refused", True, True),
    (_S.RUNNING, Failed(Verb.POLL, SILENT), _S.RUNNING, "poll failed", False, False),
    (_S.RUNNING, Failed(Verb.POLL, REFUSED), _S.RUNNING, "poll failed", False, False),
    (_S.RUNNING, Failed(Verb.POLL, FORGOTTEN), _S.RUNNING, "unsettled", False, False),
    (_S.RUNNING, Done(Verb.CANCEL), _S.CANCELLING, "cancel", False, False),
    (_S.RUNNING, Sought(None), _S.RUNNING, "sought", False, False),
    (_S.RUNNING, Failed(Verb.SEEK, SILENT), _S.RUNNING, "seek failed", False, False),
    (_S.CANCELLING, told("cancelled", "deferred"), _S.DROPPED, "refused", True, True),
    (_S.PACKED, Done(Verb.DROP), _S.DROPPED, "cancel", False, True),
    (_S.ENDED, fetched(), _S.COLLECTED, "collect", False, False),
    (_S.ENDED, fetched("2 are lacking", End.CONTRADICTED), _S.ENDED, "unsettled", False, False),
    (_S.ENDED, Failed(Verb.COLLECT, SILENT), _S.ENDED, "collect failed", False, False),
    (_S.ENDED, Failed(Verb.COLLECT, REFUSED), _S.ENDED, "unsettled", False, False),
    (_S.ENDED, told("done", "end"), _S.ENDED, None, False, False),
    (_S.ENDED, told("running"), _S.RUNNING, "progress", False, False),
    (_S.ENDED, told("failed", "refused"), _S.ENDED, "unsettled", False, False),
    (_S.COLLECTED, Done(Verb.FETCH), _S.COLLECTED, "fetched again", False, False),
    (_S.COLLECTED, Failed(Verb.FETCH, SILENT), _S.COLLECTED, "fetch failed", False, False),
]


@pytest.mark.parametrize(("state", "result", "then", "event", "halts", "frees"), TABLE)
def test_a_result_moves_a_batch(state, result, then, event, halts, frees):
    step = after(batch(state), result, moment(), TERMS)
    assert (step.batch.state, step.event) == (then, event)
    assert (step.halted is not None, step.frees) == (halts, frees)


RESULTS = [row[1] for row in TABLE]


@pytest.mark.parametrize("state", list(BatchState))
@pytest.mark.parametrize("result", RESULTS, ids=[type(one).__name__ for one in RESULTS])
@pytest.mark.parametrize("waits", [True, False])
def test_no_result_frees_or_resends_what_the_provider_may_be_working_on(state, result, waits):
    """Only the provider's word, or a proof by looking, takes a batch from it."""
    try:
        step = after(batch(state), result, moment(), replace(TERMS, waits=waits))
    except IllegalTransition:
        return
    left = state in AT_PROVIDER and step.batch.state not in AT_PROVIDER
    its_word = isinstance(result, Progress) and result.event != "progress"
    refusal = isinstance(result, Failed) and isinstance(
        result.error, ProviderBusy | ProviderRefused
    )
    assert not left or its_word or (refusal and result.verb in (Verb.STAGE, Verb.SUBMIT))
    assert not step.frees or step.batch.state is BatchState.DROPPED


# -- intents


def test_the_intent_to_order_says_when_and_by_what():
    step = sending(batch(_S.STAGED), frozenset(), NOW, "x")
    assert (step.batch.state, step.event) == (_S.SUBMITTING, "send")
    assert step.batch.sent_at == NOW
    assert step.batch.handle == {"file": "f1", "experiment": "x"}


def test_the_intent_to_stage_can_be_written_again_after_a_kill():
    assert staging(batch(_S.PACKED), frozenset()).batch.state is _S.STAGING
    assert staging(batch(_S.STAGING), frozenset()).batch.state is _S.STAGING


def test_a_new_run_waits_a_doubt_out_anew():
    found = resumed(batch(_S.SUBMITTING, next_at=NOW + 99, fenced_at=1.0), NOW, waits=True)
    assert (found.next_at, found.doubted_at, found.fenced_at) == (0.0, NOW, NOW)


def test_a_new_run_that_waits_compares_its_own_downloads():
    unsettled = batch(_S.ENDED, unsettled_at=NOW + 99, downloads={"output": "h"})
    assert resumed(unsettled, NOW, waits=True).downloads is None
    assert resumed(unsettled, NOW, waits=False).downloads == {"output": "h"}
    assert resumed(unsettled, NOW, waits=True).unsettled_at == NOW


# -- an order


def test_an_accepted_order_counts_its_days_from_when_it_was_sent():
    step = after(batch(_S.SUBMITTING), Accepted(RemoteId("r1")), moment(), TERMS)
    assert step.batch.kept_until == NOW - 1 + 30 * DAY
    assert step.batch.next_at == NOW + TERMS.timing.first


def test_absence_is_believed_only_of_a_fenced_order_after_the_settle_time():
    early, late = NOW - SETTLE + 1, NOW - SETTLE - 1
    for fenced_at, then in ((None, _S.SUBMITTING), (early, _S.SUBMITTING), (late, _S.PACKED)):
        doubtful = batch(_S.SUBMITTING, doubted_at=late, fenced_at=fenced_at)
        step = after(doubtful, Looked(None), moment(began=NOW), TERMS)
        assert step.batch.state is then
    assert step.batch.send == 2
    assert step.batch.handle == {}


def test_without_a_fence_absence_is_believed_after_the_settle_time():
    doubtful = batch(_S.SUBMITTING, doubted_at=NOW - SETTLE - 1)
    step = after(doubtful, Looked(None), moment(began=NOW), replace(TERMS, fences=False))
    assert step.batch.state is _S.PACKED


def test_a_look_that_began_before_the_settle_time_proves_nothing():
    fenced = batch(_S.SUBMITTING, fenced_at=NOW - SETTLE)
    step = after(fenced, Looked(None), moment(began=NOW - 1), TERMS)
    assert step.batch.state is _S.SUBMITTING


def test_a_lost_reply_begins_the_doubt():
    step = after(batch(_S.SUBMITTING), Failed(Verb.SUBMIT, SILENT), moment(), TERMS)
    assert step.batch.doubted_at == NOW


def test_an_order_is_repeatable_in_the_run_that_sent_it_or_did_not_find_it():
    sent = sending(batch(_S.STAGED), frozenset(), NOW, "x")
    assert Mark.REPEATABLE in sent.marks
    lost = after(sent.batch, Failed(Verb.SUBMIT, SILENT), moment(*sent.marks), TERMS)
    assert Mark.REPEATABLE in lost.marks
    refused = after(lost.batch, Failed(Verb.SUBMIT, REFUSED), moment(*lost.marks), TERMS)
    assert Mark.REPEATABLE not in refused.marks
    again = after(refused.batch, Looked(None), moment(*refused.marks), TERMS)
    assert Mark.REPEATABLE not in again.marks, "a refusal would only come again"
    inherited = resumed(lost.batch, NOW, waits=True)
    assert Mark.REPEATABLE not in after(inherited, Failed(Verb.FIND, SILENT), moment(), TERMS).marks
    assert Mark.REPEATABLE in after(inherited, Looked(None), moment(), TERMS).marks


def test_an_order_that_was_sent_in_the_future_was_sent_now():
    """The wall clock was set back: an order is not young for ever."""
    assert resumed(batch(_S.SUBMITTING, sent_at=NOW + 9), NOW, waits=True).sent_at == NOW
    assert resumed(batch(_S.SUBMITTING, sent_at=NOW - 9), NOW, waits=True).sent_at == NOW - 9


REPEATED = {  # what came of a repeated order; what the batch is then, and how often it was looked for
    "no reply": (Failed(Verb.SUBMIT, SILENT), _S.SUBMITTING, 0),
    "not now": (Failed(Verb.SUBMIT, BUSY), _S.SUBMITTING, 0),
    "refused": (Failed(Verb.SUBMIT, REFUSED), _S.SUBMITTING, 1),
    "a conflict": (Failed(Verb.SUBMIT, ProviderUndecided("409", ())), _S.SUBMITTING, 1),
    "accepted": (Accepted(RemoteId("r1")), _S.RUNNING, 0),
}


@pytest.mark.parametrize(("result", "state", "looks"), REPEATED.values(), ids=REPEATED)
def test_what_comes_of_a_repeated_order_says_nothing_against_the_first(result, state, looks):
    doubtful = batch(_S.SUBMITTING, doubted_at=NOW - 5, sent_at=NOW - 9)
    intent = repeating(doubtful, frozenset())
    assert (intent.batch, intent.event) == (doubtful, "repeat")
    step = after(intent.batch, result, moment(), TERMS)
    assert (step.batch.state, step.batch.looks, step.halted) == (state, looks, None)
    assert (step.batch.send, step.batch.handle) == (1, {"file": "f1"}), "the token stays the same"
    assert step.batch.sent_at == NOW - 9, "its age counts from the first order"


def test_a_conflict_over_the_first_order_is_looked_for_and_not_taken_for_a_refusal():
    ordered = sending(batch(_S.STAGED), frozenset(), NOW, "x").batch
    step = after(ordered, Failed(Verb.SUBMIT, ProviderUndecided("409", ())), moment(), TERMS)
    assert (step.batch.state, step.batch.looks, step.halted) == (_S.SUBMITTING, 1, None)


def test_only_an_order_that_makes_nothing_twice_can_be_repeated():
    with pytest.raises(IllegalTransition):
        sending(batch(_S.SUBMITTING), frozenset(), NOW, "x")


def test_what_a_service_asks_for_is_waited_up_to_a_limit():
    busy = ProviderBusy("429", retry_after=5_000.0)
    step = after(batch(_S.STAGING), Failed(Verb.STAGE, busy), moment(), TERMS)
    assert step.batch.next_at == NOW + TERMS.timing.longest_retry_after


def test_the_furthest_of_several_batches_is_taken_and_the_others_are_twins():
    made = Made(RemoteId("r2"), twins=("r1", "r3"))
    step = after(batch(_S.RUNNING), Sought(made), moment(Mark.CLEARED), TERMS)
    assert step.batch.remote == "r2"
    assert set(step.batch.twins) == {"r1", "r3"}
    assert Mark.CLEARED not in step.marks


def test_what_is_known_of_twins_stays_when_their_order_is_looked_for():
    doubtful = batch(_S.SUBMITTING, twins={"r2": "ended", "r9": "unbilled"})
    made = Made(RemoteId("r1"), twins=("r2", "r3"))
    found = after(doubtful, Looked(made), moment(), TERMS).batch
    assert found.twins == {"r2": "ended", "r3": "found", "r9": "unbilled"}


def test_a_batch_that_never_ran_waits_for_a_look_for_its_twins():
    unsought = batch(_S.RUNNING, sought_at=None)
    step = after(unsought, told("failed", "refused"), moment(), TERMS)
    assert (step.batch, step.event) == (unsought, None)
    assert step.marks == {Mark.FAILING}
    again = after(unsought, told("failed", "refused"), moment(Mark.SOUGHT), TERMS)
    assert again.batch.state is _S.DROPPED


def test_a_service_without_a_list_is_asked_for_it_a_few_times_only():
    failing = moment(Mark.FAILING)
    tried = batch(_S.RUNNING, tries=REFUSALS_OF_A_LIST - 1)
    assert Mark.FAILING in after(tried, Failed(Verb.SEEK, REFUSED), failing, TERMS).marks
    tried = replace(tried, tries=REFUSALS_OF_A_LIST)
    step = after(tried, Failed(Verb.SEEK, REFUSED), failing, TERMS)
    assert (Mark.FAILING in step.marks, Mark.SOUGHT in step.marks) == (False, True)


def test_what_became_of_twins_is_said_once():
    twinned = batch(_S.RUNNING, twins={"r3": "found"})
    step = after(twinned, Cleared({"r3": "asked"}, None), moment(), TERMS)
    assert step.event == "twins"
    assert after(step.batch, Cleared({"r3": "asked"}, None), moment(), TERMS).event is None


# -- progress


def test_a_look_without_news_is_no_event():
    running = batch(_S.RUNNING, remote_state="in_progress")
    assert after(running, told(), moment(), TERMS).event is None
    news = after(running, told(message="no room"), moment(), TERMS)
    assert (news.event, news.error) == ("progress", "no room")
    assert after(news.batch, told(message="no room"), moment(), TERMS).event is None


@pytest.mark.parametrize(
    ("realtime", "wait", "pause"),
    [(False, None, 10.0), (False, 3_600.0, LONGEST), (True, 0.0, 0.0)],
)
def test_the_pause_between_two_looks(realtime, wait, pause):
    step = after(batch(_S.RUNNING, realtime=realtime), told(wait=wait), moment(), TERMS)
    assert step.batch.next_at == NOW + pause


def test_a_batch_whose_input_we_took_away_starts_anew():
    fenced = batch(_S.RUNNING, fenced_at=NOW - 1)
    step = after(fenced, told("failed", "refused"), moment(), TERMS)
    assert (step.batch.state, step.batch.send) == (_S.PACKED, 2)
    assert step.batch.dead == ("r1",)
    assert not step.frees


def test_counts_that_were_there_stay():
    counted = batch(_S.ENDED, total=4, completed=4, failed=0)
    step = after(counted, told("done", "end", files={"error": "e1"}), moment(), TERMS)
    assert (step.batch.total, step.batch.completed, step.batch.failed) == (4, 4, 0)
    assert step.batch.files == {"output": "o1", "error": "e1"}


# -- the end


def test_a_collected_batch_keeps_its_reading_and_clears_the_doubt():
    ended = batch(_S.ENDED, unsettled_at=1.0, looks=3, error="x", found=2)
    step = after(ended, fetched(), moment(Mark.SOUGHT, Mark.CLEARED), TERMS)
    assert (step.batch.raw, step.batch.cost_usd) == ({"output": "h"}, Decimal("0.5"))
    assert (step.batch.unsettled_at, step.batch.looks, step.batch.error) == (None, 0, None)
    assert step.outcomes == b"\1\1\1\1"
    assert step.marks == {Mark.LOOKED}


def test_a_collected_batch_keeps_all_that_its_reading_says_of_money():
    partly = {"cost_usd": None, "known_usd": Decimal(2), "cost_unknown": 3, "held_usd": Decimal(1)}
    found = after(batch(_S.ENDED), fetched(**partly), moment(), TERMS).batch
    assert {name: getattr(found, name) for name in partly} == partly


def test_a_shorter_download_does_not_make_less_of_what_was_found():
    lacking = fetched("1 is lacking", End.UNPROVEN)
    for found, best in ((2, 3), (4, 4)):
        assert after(batch(_S.ENDED, found=found), lacking, moment(), TERMS).batch.found == best


@pytest.mark.parametrize(
    "changes",
    [
        {"tally": {"denied": 1}, "reasons": {"denied": "no credit"}},
        {"tally": {"unreadable": 1}, "reasons": {"unreadable": "no credit"}},
        {"tally": {"errored": 4}, "errors_alike": True, "reasons": {"errored": "no credit"}},
    ],
)
def test_results_that_stop_a_run_say_why(changes):
    step = after(batch(_S.ENDED), fetched(**changes), moment(), TERMS)
    assert "no credit" in step.halted
    assert step.batch.error == "no credit"


def test_an_end_that_contradicts_itself_is_held_after_the_settle_time():
    unsettled = batch(_S.ENDED, unsettled_at=NOW - SETTLE - 1)
    lacking = fetched("2 are lacking", End.CONTRADICTED)
    assert after(unsettled, lacking, moment(began=NOW - SETTLE), TERMS).batch.held_at is None
    step = after(unsettled, lacking, moment(began=NOW), TERMS)
    assert step.batch.held_at == NOW
    assert "action=abandon batch=b0001" in step.error
    assert step.outcomes is None
    assert step.batch.is_stale


def test_one_more_download_is_made_where_comparing_may_settle_it():
    unsettled = batch(_S.ENDED, unsettled_at=NOW - SETTLE - 1)
    lacking = fetched("2 are lacking", End.UNPROVEN)
    assert after(unsettled, lacking, moment(began=NOW), TERMS).batch.held_at is None
    compared = replace(unsettled, downloads={"output": "h"})
    assert after(compared, lacking, moment(began=NOW), TERMS).batch.held_at == NOW


def test_a_run_that_does_not_wait_holds_a_contradiction_at_once():
    step = after(batch(_S.ENDED), fetched("2 are lacking"), moment(), replace(TERMS, waits=False))
    assert step.batch.held_at == NOW


@given(st.sampled_from([one for one in RESULTS if not isinstance(one, Sought | Cleared)]))
def test_whatever_was_asked_about_is_marked(result):
    seeking = isinstance(result, Failed) and result.verb is Verb.SEEK
    for state in BatchState:
        try:
            step = after(batch(state), result, moment(), TERMS)
        except IllegalTransition:
            continue
        assert (Mark.LOOKED in step.marks) is not seeking


def test_a_step_never_changes_what_was_packed():
    fixed = ("key", "count", "bytes", "sha256", "input_tokens", "reserved_usd", "packed_at")
    assert {*fixed} <= {field.name for field in fields(Batch)}
    for state, result, *_ in TABLE:
        before = batch(state)
        step = after(before, result, moment(), TERMS)
        assert [getattr(step.batch, n) for n in fixed] == [getattr(before, n) for n in fixed]
