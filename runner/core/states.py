"""The state machines of a batch and of a request, as tables; nothing else decides a state."""

from enum import StrEnum

from runner.core.errors import IllegalTransition


class BatchState(StrEnum):
    """Where a batch stands between our disk and the provider."""

    PACKED = "packed"
    """Its request file is on disk; the provider knows nothing of it."""
    STAGING = "staging"
    """We are handing the provider its input, which costs nothing; it may or may not be there."""
    STAGED = "staged"
    """The provider has the input; nothing has been ordered."""
    SUBMITTING = "submitting"
    """We are ordering it, which costs money; found on resume, it means *in doubt*: ask."""
    RUNNING = "running"
    CANCELLING = "cancelling"
    ENDED = "ended"
    """Nothing more will happen there; answers may wait to be collected, however it ended."""
    COLLECTED = "collected"
    DROPPED = "dropped"
    """It never ran; its requests are free again."""


class BatchEvent(StrEnum):
    """What can happen to a batch."""

    STAGE = "stage"
    STAGED = "staged"
    SEND = "send"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    """A definite 'not now' (429, quota, enqueued tokens): the same input may be sent later."""
    ABSENT = "absent"
    """Looked for after a doubt and proved not to exist."""
    REFUSED = "refused"
    PROGRESS = "progress"
    CANCEL = "cancel"
    END = "end"
    """It is over; said again, with other files or counts, when the first word was not the last."""
    COLLECT = "collect"
    ABANDON = "abandon"
    """The user gives it up, whether or not the provider bills it."""


_S, _E = BatchState, BatchEvent

BATCH_TABLE: dict[BatchState, dict[BatchEvent, BatchState]] = {
    _S.PACKED: {_E.STAGE: _S.STAGING, _E.CANCEL: _S.DROPPED},
    _S.STAGING: {
        _E.STAGE: _S.STAGING,
        _E.STAGED: _S.STAGED,
        _E.DEFERRED: _S.PACKED,
        _E.REFUSED: _S.PACKED,
        _E.CANCEL: _S.DROPPED,
    },
    _S.STAGED: {_E.SEND: _S.SUBMITTING, _E.CANCEL: _S.DROPPED},
    _S.SUBMITTING: {
        _E.ACCEPTED: _S.RUNNING,
        _E.DEFERRED: _S.STAGED,
        _E.ABSENT: _S.PACKED,
        _E.REFUSED: _S.PACKED,
        _E.ABANDON: _S.DROPPED,
    },
    _S.RUNNING: {
        _E.PROGRESS: _S.RUNNING,
        _E.DEFERRED: _S.STAGED,
        _E.ABSENT: _S.PACKED,
        _E.REFUSED: _S.DROPPED,
        _E.CANCEL: _S.CANCELLING,
        _E.END: _S.ENDED,
        _E.ABANDON: _S.DROPPED,
    },
    _S.CANCELLING: {
        _E.PROGRESS: _S.CANCELLING,
        _E.ABSENT: _S.PACKED,
        _E.CANCEL: _S.CANCELLING,
        _E.REFUSED: _S.DROPPED,
        _E.END: _S.ENDED,
        _E.ABANDON: _S.DROPPED,
    },
    _S.ENDED: {
        _E.END: _S.ENDED,
        _E.PROGRESS: _S.RUNNING,
        _E.COLLECT: _S.COLLECTED,
        _E.ABANDON: _S.DROPPED,
    },
    _S.COLLECTED: {},
    _S.DROPPED: {},
}

FINAL_STATES = frozenset(s for s, row in BATCH_TABLE.items() if not row)
"""States that nothing leaves: collected and dropped."""

AT_PROVIDER = frozenset({_S.SUBMITTING, _S.RUNNING, _S.CANCELLING})
"""States in which the provider may be working, and so may be billing."""


def next_state(state: BatchState, event: BatchEvent) -> BatchState:
    """Apply one event.

    Raises:
        IllegalTransition: when the table has no such step.
    """
    try:
        return BATCH_TABLE[state][event]
    except KeyError:
        raise IllegalTransition(
            f"a batch that is {state} cannot take {event!s}; please report this"
        ) from None


class RequestState(StrEnum):
    """Where one request stands; derived from its attempts, never stored."""

    PENDING = "pending"
    IN_BATCH = "in_batch"
    SUCCESS = "success"
    RETRY_SUCCESS = "retry_success"
    FAILED = "failed"
    WITHHELD = "withheld"
    """Left by a batch that the user cancelled: asked again on request, or by the next run."""


class Outcome(StrEnum):
    """How one attempt of one request ended."""

    OPEN = "open"
    VALID = "valid"
    INVALID = "invalid"
    """Answered, but not every question can be read as asked."""
    REFUSED = "refused"
    """The provider will not run this request (a 4xx of its own): not asked again."""
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"
    """In no result file, although the batch ended."""
    UNREADABLE = "unreadable"
    """Answered in a form that this version cannot read: kept, paid for, and not asked again."""
    DENIED = "denied"
    """Refused for the account's sake (no credit, no access), not the request's: stays pending."""


OUTCOME_CODES: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(Outcome)}
"""One byte an attempt in the ledger; the order of `Outcome` is the format, append only."""

ASKED = frozenset({Outcome.VALID, Outcome.INVALID})
"""Outcomes in which the model answered: these count against `retry.max_attempts`."""

LOST = frozenset({Outcome.ERRORED, Outcome.EXPIRED, Outcome.MISSING})
"""Outcomes without an answer, through no fault of the request: `retry.max_lost`."""
