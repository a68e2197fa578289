"""What a call's result changes in a batch: (batch, result, moment) -> the next batch. Pure.

The engine makes a call, asks `after` what its result comes to, and writes that step down. States
change by the table in `core.states` only.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from runner.core.backoff import after_refusal, backoff
from runner.core.batch_reading import kept, stop_after, stopping_words
from runner.core.call_results import (
    Accepted,
    CallResult,
    Cleared,
    Done,
    Failed,
    Fetched,
    Looked,
    Sought,
    Staged,
)
from runner.core.ends import End, way_out
from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUndecided,
)
from runner.core.model import Batch, Progress, RemoteId
from runner.core.plan import Verb, absence_is_proved, doubt_settles_at, is_past
from runner.core.states import BatchEvent, BatchState, next_state
from runner.core.twins import Made, fates_of, in_words, is_unsought

LEAST_PAUSE = 2.0
"""Seconds at least between two looks at an end that contradicts itself; a tenth of a short settle time."""
REFUSALS_OF_A_LIST = 3
"""After so many in a row a service is taken to have no list of batches."""
DAY = 86_400


class Mark(StrEnum):
    """What this run knows of a batch and the ledger does not keep."""

    LOOKED = "looked"
    """It was asked about in this run."""
    GONE = "gone"
    """Result files that were collected are not here any more."""
    CANCELLED = "cancelled"
    """The user wants it cancelled while the others go on."""
    SOUGHT = "sought"
    """Its twins were looked for in this run, and are not looked for again in it."""
    CLEARED = "cleared"
    """Its twins were cancelled and asked about in this run."""
    REPEATABLE = "repeatable"
    """Its order was sent in this run, or was looked for in it and not found, and was not refused."""
    FAILING = "failing"
    """It never ran, as the provider says; that waits for a look for its twins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long is waited for what, in seconds."""

    first: float
    longest: float
    longest_retry_after: float
    settle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every batch of a run."""

    timing: Timing
    waits: bool
    """Whether this run waits for the provider."""
    fences: bool
    """Whether the provider's input can be taken away, to make a late order harmless."""
    tells_inputs: bool
    """Whether the provider's list says what a batch was made from."""
    results_days: int | None
    """For how long the provider keeps results; None: no limit."""
    deadline: float | None = None
    """When what is open is asked one by one, in seconds since the epoch; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a result came, and to what."""

    now: float
    """Seconds since the epoch."""
    began: float
    """When the call that brought it began."""
    jitter: float
    """A random number in 0..1."""
    marks: frozenset[Mark] = frozenset()
    """The batch's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a result comes to."""

    batch: Batch
    marks: frozenset[Mark]
    event: str | None = None
    """The event's name for the ledger; None: nothing worth one."""
    error: str | None = None
    """What the event says went wrong."""
    halted: str | None = None
    """Why nothing more is sent in this run."""
    outcomes: bytes | None = None
    """How each of its requests ended, one byte each, once it is collected."""
    frees: bool = False
    """Whether its requests are free to be asked again."""


def resumed(batch: Batch, now: float, *, waits: bool) -> Batch:
    """Return a batch as a new run finds it: due at once.

    A doubt is waited out anew: the wall clock may have been set between two runs.
    """
    batch = replace(batch, next_at=0.0, held_at=None)
    if batch.unsettled_at is not None:
        batch = replace(batch, unsettled_at=min(batch.unsettled_at, now))
        if waits:  # the two downloads that have to agree are both its own
            batch = replace(batch, downloads=None)
    if batch.state is not BatchState.SUBMITTING:
        return batch
    return replace(
        batch,
        doubted_at=now,
        fenced_at=None if batch.fenced_at is None else now,
        sent_at=None if batch.sent_at is None else min(batch.sent_at, now),
    )


def staging(batch: Batch, marks: frozenset[Mark]) -> Step:
    """Return the intent to hand over the input, which is written before the call."""
    return _moved(batch, BatchEvent.STAGE, marks)


def sending(batch: Batch, marks: frozenset[Mark], now: float, experiment: str) -> Step:
    """Return the intent to order, which is on disk before the call that costs money."""
    handle = {**batch.handle, "experiment": experiment}
    changes = {"sent_at": now, "doubted_at": None, "handle": handle}
    return _moved(batch, BatchEvent.SEND, marks | {Mark.REPEATABLE}, **changes)


def repeating(batch: Batch, marks: frozenset[Mark]) -> Step:
    """Return the intent to repeat an order whose reply was lost, which is on disk before the call.

    For providers only that make nothing of it a second time. When it was sent first stays, since
    no service remembers an order for ever; so does the doubt, since a refusal of a repeated order
    says nothing of the first one.
    """
    return Step(batch=batch, marks=marks, event="repeat")


def after(batch: Batch, result: CallResult, moment: Moment, terms: Terms) -> Step:
    """Return what a call's result changes in a batch.

    Args:
        batch: the batch the call was about, as it stands now.
        result: what the call brought.
        moment: when, and what this run knows of the batch.
        terms: what holds for the whole run.
    """
    beside = isinstance(result, Sought | Cleared)  # not about the batch itself
    beside = beside or (isinstance(result, Failed) and result.verb is Verb.SEEK)
    if not beside:
        moment = replace(moment, marks=moment.marks | {Mark.LOOKED})
    match result:
        case Staged():
            changes = {"handle": dict(result.handle), **_WELL}
            return _moved(batch, BatchEvent.STAGED, moment.marks, **changes)
        case Accepted():
            return _accepted(batch, result.remote, moment, terms)
        case Looked():
            return _looked(batch, result.made, moment, terms)
        case Sought():
            return _sought(batch, result.made, moment)
        case Cleared():
            return _cleared(batch, result, moment)
        case Fetched():
            return _fetched(batch, result, moment, terms)
        case Done():
            return _done(batch, result.verb, moment, terms)
        case Failed():
            return _failed(batch, result.verb, result.error, moment, terms)
        case Progress():
            return _progressed(batch, result, moment, terms)


_WELL: dict[str, Any] = {"tries": 0, "error": None}
"""What a call that went well clears."""

_SETTLED: dict[str, Any] = {
    "unsettled_at": None,
    "is_stale": False,
    "downloads": None,
    "found": 0,
    "held_at": None,
    "looks": 0,
}
"""What an end without contradictions clears."""


def _anew(batch: Batch) -> dict[str, Any]:
    """Return the changes that start a batch's sending from the beginning, with a new input."""
    return {
        "send": batch.send + 1,
        "handle": {},
        "looks": 0,
        "fenced_at": None,
        "candidates": (),
    }


def _moved(batch: Batch, event: BatchEvent, marks: frozenset[Mark], **changes: Any) -> Step:
    """Apply one event of the state table; a look that brings no news is no event."""
    moved = replace(batch, state=next_state(batch.state, event), **changes)
    same = event is BatchEvent.PROGRESS and moved.remote_state == batch.remote_state
    quiet = same and (moved.error is None or batch.error is not None)
    return Step(
        batch=moved,
        marks=marks,
        event=None if quiet else event.value,
        error=changes.get("error"),
        frees=moved.state is BatchState.DROPPED,
    )


def _pause(tries: int, moment: Moment, terms: Terms) -> float:
    return backoff(tries, terms.timing.first, terms.timing.longest, moment.jitter)


def _done(batch: Batch, verb: Verb, moment: Moment, terms: Terms) -> Step:
    if verb is Verb.FENCE:
        settled_at = moment.now + terms.timing.settle
        fenced = replace(batch, fenced_at=moment.now, next_at=settled_at, **_WELL)
        return Step(batch=fenced, marks=moment.marks, event="fenced")
    if verb is Verb.CANCEL:
        step = _moved(batch, BatchEvent.CANCEL, moment.marks, next_at=moment.now, **_WELL)
        return _by_whom(step, moment, terms)
    if verb is Verb.DROP:
        return _by_whom(_moved(batch, BatchEvent.CANCEL, moment.marks), moment, terms)
    return Step(batch=batch, marks=moment.marks - {Mark.GONE}, event="fetched again")


def _by_whom(step: Step, moment: Moment, terms: Terms) -> Step:
    """Say that it was the deadline that cancelled a batch, where the user did not."""
    if Mark.CANCELLED in moment.marks or not is_past(terms.deadline, moment.now):
        return step
    return replace(step, event="deadline")


# -- an order: accepted, looked for, and what else was made of it


def _accepted(batch: Batch, remote: RemoteId, moment: Moment, terms: Terms, **changes: Any) -> Step:
    return _moved(
        batch,
        BatchEvent.ACCEPTED,
        moment.marks,
        remote=remote,
        accepted_at=moment.now,
        kept_until=_kept_until(batch, moment.now, terms.results_days),
        next_at=moment.now + _pause(0, moment, terms),
        polls=0,
        looks=0,
        unsettled_at=None,
        held_at=None,
        candidates=(),
        remote_state=None,
        total=None,
        completed=None,
        failed=None,
        sought_at=None,
        **_WELL,
        **changes,
    )


def _kept_until(batch: Batch, accepted_at: float, days: int | None) -> float | None:
    """Return when the results are thrown away; counted from the order, to be on the safe side."""
    if days is None or batch.realtime:
        return None
    return (batch.sent_at or accepted_at) + days * DAY


def _looked(batch: Batch, made: Made | None, moment: Moment, terms: Terms) -> Step:
    now, settle = moment.now, terms.timing.settle
    if made is not None:
        twins = {**fates_of(made, made.remote), **batch.twins}
        moment = replace(moment, marks=moment.marks - {Mark.CLEARED})
        return _accepted(batch, made.remote, moment, terms, twins=twins)
    if absence_is_proved(batch, settle, moment.began, fences=terms.fences):
        changes = {"next_at": now, **_anew(batch), **_WELL}
        return _moved(batch, BatchEvent.ABSENT, moment.marks, **changes)
    soon = now + _pause(batch.looks, moment, terms)
    waiting = replace(
        batch,
        looks=batch.looks + 1,
        candidates=(),
        next_at=max(now, min(soon, doubt_settles_at(batch, settle))),
    )
    marks = moment.marks if batch.looks else moment.marks | {Mark.REPEATABLE}
    return Step(batch=waiting, marks=marks, event="not found yet")


def _sought(batch: Batch, made: Made | None, moment: Moment) -> Step:
    """Take note of the twins of a batch; the one that is furthest is the batch from now on."""
    marks, taken = moment.marks - {Mark.FAILING}, batch.remote
    if made is not None and batch.state is BatchState.RUNNING and taken in made.twins:
        taken = made.remote
    fates = {} if made is None else fates_of(made, taken)
    moved = replace(batch, twins={**fates, **batch.twins}, sought_at=moment.now, **_WELL)
    if taken != batch.remote:
        moved = replace(moved, remote=taken, polls=0, remote_state=None, next_at=moment.now)
    if not fates:
        return Step(batch=moved, marks=marks, event="sought")
    return Step(batch=moved, marks=marks - {Mark.CLEARED}, event="twins", error=in_words(moved))


def _cleared(batch: Batch, cleared: Cleared, moment: Moment) -> Step:
    moved = replace(batch, twins=cleared.fates)
    said = in_words(moved)
    if cleared.trouble is not None:
        said = f"{said}; {cleared.trouble}; run again to try again"
    is_news = cleared.trouble is not None or cleared.fates != batch.twins
    return Step(
        batch=moved,
        marks=moment.marks | {Mark.CLEARED},
        event="twins" if is_news else None,
        error=said,
    )


# -- a batch under way, as the provider tells it


def _progressed(batch: Batch, progress: Progress, moment: Moment, terms: Terms) -> Step:
    event = _meaning(batch, BatchEvent(progress.event))
    if batch.state is BatchState.ENDED:
        return _said_again(batch, event, progress, moment, terms)
    if _must_be_sought(batch, event, terms) and Mark.SOUGHT not in moment.marks:
        marks = (moment.marks | {Mark.FAILING}) - {Mark.LOOKED}
        return Step(batch=batch, marks=marks)
    known = _told(batch, progress, moment, terms)
    known |= {"held_at": None} if batch.looks else _SETTLED
    if event is BatchEvent.END:
        files = dict(progress.files)
        known |= {"files": files, "ended_at": moment.now, "next_at": moment.now}
    elif event is not BatchEvent.PROGRESS:  # it never ran, and never will
        known |= {"remote": None, "dead": (*batch.dead, str(batch.remote)), "polls": 0}
    if progress.event == BatchEvent.DEFERRED:
        known["next_at"] = moment.now + terms.timing.longest
    if event is BatchEvent.ABSENT:
        known |= _anew(batch)
    halted = None
    if event is BatchEvent.END and progress.state == "refused":
        halted = f"the provider refused {batch.key}: {progress.message}"
    elif event is BatchEvent.REFUSED:
        halted = f"{batch.key} failed at the provider: {progress.message}"
    return replace(_moved(batch, event, moment.marks, **known), halted=halted)


def _told(batch: Batch, progress: Progress, moment: Moment, terms: Terms) -> dict[str, Any]:
    """Return what the provider's word on a batch says, whatever it means."""
    return {
        "polled_at": moment.now,
        "polls": batch.polls + 1,
        "next_at": moment.now + _until_next_look(batch, progress, moment, terms),
        "remote_state": progress.state,
        "rest": progress.rest,
        "total": progress.total,
        "completed": progress.completed,
        "failed": progress.failed,
        "expires_at": progress.expires_at,
        "tries": 0,
        "error": progress.message,
        "bound_usd": progress.bound_usd,
        "charged": dict(progress.charged) or batch.charged,
    }


def _meaning(batch: Batch, event: BatchEvent) -> BatchEvent:
    """Return what 'it never ran' means for a batch that we fenced or are cancelling."""
    if event not in (BatchEvent.REFUSED, BatchEvent.DEFERRED):
        return event
    if batch.fenced_at is not None:
        return BatchEvent.ABSENT  # its input is gone: it has to be handed over again
    return BatchEvent.REFUSED if batch.state is BatchState.CANCELLING else event


def _must_be_sought(batch: Batch, event: BatchEvent, terms: Terms) -> bool:
    """Tell whether a batch that never ran may run under another name that was not looked for.

    A gateway that repeats an order returns the last batch, which may have failed for want of
    the room that the first one took.
    """
    never_ran = event not in (BatchEvent.END, BatchEvent.PROGRESS)
    return never_ran and is_unsought(batch) and terms.tells_inputs


def _until_next_look(batch: Batch, progress: Progress, moment: Moment, terms: Terms) -> float:
    """Return the seconds until a batch is looked at again."""
    pause = _pause(batch.polls + 1, moment, terms)
    if progress.wait is None:
        return pause
    if batch.realtime:
        return progress.wait
    return max(pause, min(progress.wait, terms.timing.longest))


def _said_again(
    batch: Batch, event: BatchEvent, progress: Progress, moment: Moment, terms: Terms
) -> Step:
    """Take up what the provider says now of a batch whose end was found wanting."""
    if event not in (BatchEvent.END, BatchEvent.PROGRESS):
        doubt = f"it had ended, and now the provider says {progress.state}"
        return _unsettled(batch, doubt, moment, terms)
    known = _told(batch, progress, moment, terms)
    for name in ("total", "completed", "failed"):  # a count that was there stays
        known[name] = getattr(batch, name) if known[name] is None else known[name]
    known |= {"error": batch.error, "tries": batch.tries, "is_stale": False}
    if event is BatchEvent.END:
        known |= {"files": {**batch.files, **progress.files}, "next_at": moment.now}
    else:
        known |= {"ended_at": None, "held_at": None}
    moved = replace(batch, state=next_state(batch.state, event), **known)
    same = event is BatchEvent.END and moved.remote_state == batch.remote_state
    return Step(batch=moved, marks=moment.marks, event=None if same else event.value)


# -- the end: result files, and what contradicts them


def _fetched(batch: Batch, fetched: Fetched, moment: Moment, terms: Terms) -> Step:
    if fetched.doubt is not None:
        return _unsettled(
            batch,
            fetched.doubt,
            moment,
            terms,
            compares=fetched.end is End.UNPROVEN and batch.downloads is None,
            looks=batch.looks + 1,
            downloads=fetched.hashes,
            found=max(batch.found, fetched.found),
        )
    reading = fetched.reading
    collected = replace(
        batch,
        state=next_state(batch.state, BatchEvent.COLLECT),
        collected_at=moment.now,
        raw=fetched.hashes,
        **kept(reading),
        **_WELL,
        **_SETTLED,
    )
    halted = stop_after(batch, reading)
    if halted is not None:
        collected = replace(collected, error=stopping_words(reading))
    marks = moment.marks - {Mark.SOUGHT, Mark.CLEARED}
    return Step(
        batch=collected,
        marks=marks,
        event=BatchEvent.COLLECT.value,
        halted=halted,
        outcomes=reading.outcomes,
    )


def _unsettled(
    batch: Batch,
    doubt: str,
    moment: Moment,
    terms: Terms,
    *,
    compares: bool = False,
    **changes: Any,
) -> Step:
    """Take note of what contradicts what: it is looked at again, ever later, and held in the end.

    Nothing of it is ordered again. A run that waits waits for it over the settle time; after
    that it goes on being looked at while there is anything else to wait for.

    Args:
        batch: what was looked at.
        doubt: what contradicts what.
        moment: when.
        terms: what holds for the whole run.
        compares: whether one more download, to compare with this one, may settle it.
        changes: what else is new.
    """
    now, settle = moment.now, terms.timing.settle
    since = now if batch.unsettled_at is None else batch.unsettled_at
    left = max(since + settle - now, 0.0)
    late = moment.began >= since + settle
    held = (late and not compares) or not terms.waits
    found = changes.get("found", batch.found)
    error = f"{doubt}; {way_out(batch, found)}" if held else doubt
    least = min(LEAST_PAUSE, settle / 10)
    pause = max(min(_pause(batch.looks + batch.tries, moment, terms), left), least)
    moved = replace(
        batch,
        unsettled_at=since,
        held_at=(batch.held_at or now) if held else None,
        is_stale=batch.state is BatchState.ENDED,
        error=error,
        next_at=now + (terms.timing.longest if held else pause),
        **changes,
    )
    what = "held" if held else "unsettled"
    event = None if error == batch.error else what
    return Step(batch=moved, marks=moment.marks, event=event, error=error)


# -- a call that brought an error


def _failed(batch: Batch, verb: Verb, error: ProviderError, moment: Moment, terms: Terms) -> Step:
    if verb is Verb.SEEK:
        return _not_sought(batch, error, moment, terms)
    if verb is Verb.FETCH:
        return Step(batch=batch, marks=moment.marks, event="fetch failed", error=str(error))
    doubt = _doubt_of(batch, verb, error)
    if doubt is not None:
        return _unsettled(batch, doubt, moment, terms, tries=batch.tries + 1)
    changes: dict[str, Any] = {
        "error": str(error),
        "tries": batch.tries + 1,
        "next_at": _again_at(batch, error, moment, terms),
        "held_at": None,  # only what the provider said is a reason not to wait
    }
    if isinstance(error, ProviderUndecided):
        changes["candidates"] = error.candidates
    if not batch.looks:
        changes["unsettled_at"] = None
    is_repeated = verb is Verb.SUBMIT and batch.doubted_at is not None
    if verb in (Verb.STAGE, Verb.SUBMIT) and not is_repeated:
        if isinstance(error, ProviderBusy):
            return _moved(batch, BatchEvent.DEFERRED, moment.marks, **changes)
        if isinstance(error, ProviderRefused):
            changes |= _anew(batch)
            step = _moved(batch, BatchEvent.REFUSED, moment.marks, **changes)
            return replace(step, halted=f"the provider refused {batch.key}: {error}")
    if verb is Verb.SUBMIT:
        changes["doubted_at"] = moment.now
        if isinstance(error, ProviderRefused | ProviderUndecided):  # from now on it is looked for
            changes["looks"] = batch.looks + 1
            moment = replace(moment, marks=moment.marks - {Mark.REPEATABLE})
    undecided = isinstance(error, ProviderUndecided)
    what = "undecided" if undecided else f"{verb.value} failed"
    said = batch.tries > 0 and batch.error == changes["error"]
    return Step(
        batch=replace(batch, **changes),
        marks=moment.marks,
        event=None if said else what,
        error=str(error),
    )


def _doubt_of(batch: Batch, verb: Verb, error: ProviderError) -> str | None:
    """Return what a refusal leaves in doubt of a batch that the provider took."""
    if not isinstance(error, ProviderRefused):
        return None
    if error.forgotten and verb in (Verb.POLL, Verb.CANCEL):
        return f"the provider does not know {batch.remote} any more ({error})"
    if verb is Verb.COLLECT:
        return f"its result files cannot be fetched ({error})"
    return None


def _again_at(batch: Batch, error: ProviderError, moment: Moment, terms: Terms) -> float:
    pause = _pause(batch.tries, moment, terms)
    return moment.now + after_refusal(error.retry_after, pause, terms.timing.longest_retry_after)


def _not_sought(batch: Batch, error: ProviderError, moment: Moment, terms: Terms) -> Step:
    """Record that twins could not be looked for; what never ran waits until they can be.

    Where the service has no list, or nothing hangs on it, that is not tried again in this run.
    """
    marks = moment.marks
    has_no_list = isinstance(error, ProviderRefused) and batch.tries >= REFUSALS_OF_A_LIST
    if Mark.FAILING in marks and not has_no_list:
        again_at = _again_at(batch, error, moment, terms)
        batch = replace(batch, tries=batch.tries + 1, next_at=again_at)
    else:
        marks = (marks - {Mark.FAILING}) | {Mark.SOUGHT}
    return Step(batch=batch, marks=marks, event="seek failed", error=str(error))
