"""Everything known + the time -> the next actions; it decides and never does.

The order of the rules is the order of the promises: what may already be paid for is cleared up and
collected first, and new work is sent last.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from runner.core.cost import dollars
from runner.core.ends import held_up
from runner.core.model import Batch, BatchKey, Limits
from runner.core.pack import too_few
from runner.core.states import AT_PROVIDER, FINAL_STATES, BatchState
from runner.core.twins import is_unsought, most_usd, open_twins


class Purpose(StrEnum):
    """What this run of the program is for."""

    RUN = "run"
    """Send what is pending, wait, collect, ask again."""
    SUBMIT = "submit"
    """Send what is pending and leave (`wait=false`)."""
    COLLECT = "collect"
    """Fetch what has ended; send nothing."""
    CANCEL = "cancel"
    """Cancel what runs, and fetch what it has answered."""

    @property
    def sends(self) -> bool:
        """Whether such a run sends anything."""
        return self in (Purpose.RUN, Purpose.SUBMIT)

    @property
    def waits(self) -> bool:
        """Whether such a run waits for the provider."""
        return self in (Purpose.RUN, Purpose.CANCEL)


class Verb(StrEnum):
    """What the engine can be asked to do."""

    PACK = "pack"
    STAGE = "stage"
    SUBMIT = "submit"
    FIND = "find"
    FENCE = "fence"
    POLL = "poll"
    CANCEL = "cancel"
    DROP = "drop"
    COLLECT = "collect"
    FETCH = "fetch"
    """Result files once more that were collected and are not here any more."""
    SEEK = "seek"
    """Look for other batches of an order whose batch is known."""
    CLEAR = "clear"
    """Cancel such batches, and ask what became of them."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do; `batch` is None only for PACK."""

    verb: Verb
    batch: BatchKey | None = None


REPEAT_SECONDS = 3600.0
"""How long after an order its token is taken to be remembered; an older one is looked for instead.

Where services of such a kind say it, they say eight hours.
"""
ELSEWHERE_SECONDS = 0.5
"""Between two looks at what other jobs have let go of."""


@dataclass(frozen=True, slots=True)
class Load:
    """What other jobs of the sweep have at the provider, of what has a limit there."""

    batches: int = 0
    """At the same account; with a place for each job that waits and has fewer there than this one."""
    tokens: int = 0
    """Of input, for the same model."""
    may_free: bool = False
    """Whether a running job has anything there that will end, and give back room or money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision needs."""

    purpose: Purpose
    batches: tuple[Batch, ...]
    """In the order of their keys."""
    pending: bool
    """Whether any request waits to be packed."""
    busy: frozenset[BatchKey]
    """Batches with a call under way."""
    packing: bool
    halted: str | None
    """Why nothing more is sent in this run; None when sending is allowed."""
    limits: Limits
    budget_usd: Decimal | None
    """None: no limit (a rehearsal)."""
    other_jobs_usd: Decimal
    """What other jobs have committed of the same budget."""
    settle_seconds: float
    """How long after a doubtful submission the provider's list is believed to be current."""
    looked: frozenset[BatchKey]
    """Batches asked about in this run, for the purposes that ask once."""
    gone: frozenset[BatchKey] = frozenset()
    """Collected batches whose result files are not here any more."""
    cancelled: frozenset[BatchKey] = frozenset()
    """Batches that the user wants to be cancelled while the others go on."""
    held_back: frozenset[BatchKey] = frozenset()
    """Packed batches that are not sent before the pilot has passed."""
    sought: frozenset[BatchKey] = frozenset()
    """Batches whose twins were looked for in this run, and are not looked for again in it."""
    cleared: frozenset[BatchKey] = frozenset()
    """Batches whose twins were cancelled and asked about in this run."""
    failing: frozenset[BatchKey] = frozenset()
    """Batches that never ran, as the provider says; they wait for a look for their twins."""
    tells_inputs: bool = False
    """Whether the provider's list says what a batch was made from."""
    fences: bool
    """Whether the provider's input can be taken away, to make a late order harmless."""
    idempotent: bool = False
    """Whether an order that is repeated makes nothing a second time."""
    repeatable: frozenset[BatchKey] = frozenset()
    """Batches whose order this run has sent, or has looked for once and not found."""
    too_few: int = 0
    """Of what waits to be packed: requests that are fewer than the provider takes in a batch."""
    other_jobs: Load = Load()
    deadline: float | None = None
    """When what is open is asked one by one, in seconds since the epoch; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next actions, when to plan again, and what stands in the way."""

    actions: tuple[Action, ...]
    wake_at: float | None
    """Seconds since the epoch; None when only a finished call can change anything."""
    done: bool
    held: str | None = None
    """Why something that could be sent is not, or a batch is not waited for; shown to the user."""


def plan(facts: Facts, now: float) -> Plan:
    """Decide what is next."""
    facts, too_late = _by_the_deadline(facts, now)
    free = [b for b in facts.batches if b.key not in facts.busy]
    beside = {b.key: verb for b in free if (verb := _about_twins(b, facts, now)) is not None}
    free = [b for b in free if b.key not in beside]
    actions = [a for b in free if (a := _at_provider(b, facts, now)) is not None]
    actions.sort(key=lambda action: action.verb is not Verb.COLLECT)
    actions += [Action(verb, key) for key, verb in beside.items()]
    held = None
    short = facts.too_few > 0 and not is_past(facts.deadline, now)
    if facts.purpose.sends and facts.halted is None:
        sending, held = _send(facts, free, now)
        actions += sending
        if short:
            held = "; ".join(filter(None, (held, too_few(facts.too_few, facts.limits))))
        elif facts.pending and not facts.packing:
            actions.append(Action(Verb.PACK))
    actions += [
        Action(Verb.DROP, b.key) for b in free if b.state in UNSENT and _is_cancelled(b, facts)
    ]
    waiting, ahead = list(_waits(facts, free, now)), list(_deadline_ahead(facts, now))
    if short and facts.halted is None:
        waiting += ahead
    idle = not actions and not facts.busy and not facts.packing
    return Plan(
        actions=tuple(actions),
        wake_at=min([*waiting, *ahead]) if waiting else None,
        done=idle and not waiting,
        held="; ".join(filter(None, (too_late, held, held_up(facts.batches)))) or None,
    )


def is_past(deadline: float | None, now: float) -> bool:
    """Tell whether a deadline has passed: from then on all is asked one by one."""
    return deadline is not None and now >= deadline


def _by_the_deadline(facts: Facts, now: float) -> tuple[Facts, str | None]:
    """Return what is to be decided on once the deadline has passed, and why nothing is sent.

    Every batch is then one that is cancelled: what was not sent is dropped, what runs is cancelled
    and collected as ever, and only what ended without an answer is free to be asked one by one.
    Nothing is cancelled where nothing may be asked instead.
    """
    if not is_past(facts.deadline, now) or not facts.purpose.sends or facts.halted is not None:
        return facts, None
    if facts.purpose is Purpose.SUBMIT:
        waiting = facts.pending or any(batch.state in UNSENT for batch in facts.batches)
        return replace(facts, halted=_TOO_LATE), _TOO_LATE if waiting else None
    late = [batch.key for batch in facts.batches if not batch.realtime]
    return replace(
        facts,
        batches=tuple(_cut_short(batch, now) for batch in facts.batches),
        cancelled=facts.cancelled.union(late),
    ), None


_TOO_LATE = (
    "the deadline has passed, and only a run that waits asks one by one: nothing is sent; run again "
    "without wait=false, or with deadline=off"
)


def _cut_short(batch: Batch, now: float) -> Batch:
    """Return a batch that runs as one that is due, unless a call has just failed."""
    runs = batch.state is BatchState.RUNNING and not batch.realtime and not batch.tries
    return replace(batch, next_at=now) if runs and batch.next_at > now else batch


def _deadline_ahead(facts: Facts, now: float) -> Iterator[float]:
    if facts.deadline is not None and facts.purpose is Purpose.RUN and now < facts.deadline:
        yield facts.deadline


def _about_twins(batch: Batch, facts: Facts, now: float) -> Verb | None:
    """Return what to do about other batches that the service made of the same order.

    They are looked for once, when the list is believed to be current or the batch is over; before
    that only when it never ran, so that nothing is ordered again that runs under another name.
    """
    if open_twins(batch) and batch.key not in facts.cleared:
        return Verb.CLEAR
    if not is_unsought(batch) or not facts.tells_inputs:
        return None
    if facts.purpose is Purpose.SUBMIT or batch.key in facts.sought:
        return None
    if batch.state is BatchState.COLLECTED:
        return Verb.SEEK
    at_work = batch.state in (BatchState.RUNNING, BatchState.CANCELLING) and batch.next_at <= now
    settled = now >= (batch.accepted_at or now) + facts.settle_seconds
    return Verb.SEEK if at_work and (settled or batch.key in facts.failing) else None


UNSENT = frozenset({BatchState.PACKED, BatchState.STAGING, BatchState.STAGED})
"""Nothing was ordered yet, so that nothing can cost."""


def _at_provider(batch: Batch, facts: Facts, now: float) -> Action | None:
    """Return what to do next with a batch the provider may know."""
    if batch.state is BatchState.COLLECTED:
        is_wanted = batch.key in facts.gone and batch.key not in facts.looked
        return Action(Verb.FETCH, batch.key) if is_wanted else None
    if batch.next_at > now:
        return None
    if batch.state is BatchState.ENDED:
        return Action(Verb.POLL if batch.is_stale else Verb.COLLECT, batch.key)
    if batch.state not in AT_PROVIDER or not _may_ask(batch, facts):
        return None
    if batch.state is BatchState.SUBMITTING:
        return Action(_doubt(batch, facts, now), batch.key)
    cancel = _is_cancelled(batch, facts) and batch.state is BatchState.RUNNING
    return Action(Verb.CANCEL if cancel else Verb.POLL, batch.key)


def _is_cancelled(batch: Batch, facts: Facts) -> bool:
    return facts.purpose is Purpose.CANCEL or batch.key in facts.cancelled


def _doubt(batch: Batch, facts: Facts, now: float) -> Verb:
    """Clear up a submission whose reply never came: look, fence, wait, look again.

    The provider's list gets time to settle before the fence. The fence (deleting the input) makes
    a late acceptance harmless; only a look well after it proves that nothing was ordered.

    Where a repeated order makes nothing twice, it is repeated instead, and its reply says it all.
    """
    if _may_repeat(batch, facts, now):
        return Verb.SUBMIT
    settled = now >= doubt_settles_at(batch, facts.settle_seconds)
    unfenced = facts.fences and not batch.realtime and batch.fenced_at is None
    if batch.looks > 0 and unfenced and settled and not batch.candidates and facts.purpose.waits:
        return Verb.FENCE
    return Verb.FIND


def _may_repeat(batch: Batch, facts: Facts, now: float) -> bool:
    """Tell whether an order in doubt is sent again: only while its token is sure to be remembered.

    Not by a run that sends nothing: the first order may never have arrived. An order of an earlier
    run is looked for first, since clocks may be set between two runs: an old one is on the list,
    and a new one's token is remembered.
    """
    sends = facts.purpose.sends and facts.halted is None and batch.key not in facts.cancelled
    is_new = batch.sent_at is not None and now < batch.sent_at + REPEAT_SECONDS
    is_known = batch.key in facts.repeatable and not batch.realtime
    return facts.idempotent and sends and is_new and is_known


def doubt_settles_at(batch: Batch, settle_seconds: float) -> float:
    """Return when the provider's list is believed to show all that was ordered until then."""
    since = next(
        (t for t in (batch.fenced_at, batch.doubted_at, batch.sent_at) if t is not None), 0.0
    )
    return since + settle_seconds


def absence_is_proved(
    batch: Batch, settle_seconds: float, looked_at: float, *, fences: bool
) -> bool:
    """Tell whether a look that found nothing may be believed.

    Args:
        batch: the batch in doubt.
        settle_seconds: how long the provider's list may lag.
        looked_at: when that look began.
        fences: whether the provider's input can be taken away; then it must have been.
    """
    settled = looked_at >= doubt_settles_at(batch, settle_seconds)
    return settled and (batch.fenced_at is not None or not fences)


def _may_ask(batch: Batch, facts: Facts) -> bool:
    """A run that does not wait asks once a batch: COLLECT about all, SUBMIT about doubts."""
    if facts.purpose.waits or batch.key in facts.cancelled:
        return True
    wanted = facts.purpose is Purpose.COLLECT or batch.state is BatchState.SUBMITTING
    return wanted and batch.key not in facts.looked


def _send(facts: Facts, free: list[Batch], now: float) -> tuple[list[Action], str | None]:
    """Choose what goes out now, within the provider's limits and the budget."""
    there = [b for b in facts.batches if b.state in AT_PROVIDER and not b.realtime]
    flying = len(there) + facts.other_jobs.batches
    tokens = sum(b.input_tokens for b in there) + facts.other_jobs.tokens
    spent = committed(facts.batches) + facts.other_jobs_usd
    actions: list[Action] = []
    full = False
    for batch in free:
        if batch.state not in UNSENT or batch.next_at > now:
            continue
        if batch.key in facts.cancelled or batch.key in facts.held_back:
            continue
        if not batch.realtime:  # what is asked one by one waits in no queue
            full = full or not _fits(batch, facts.limits, flying, tokens)
            if full:
                continue
            flying, tokens = flying + 1, tokens + batch.input_tokens
        cost = batch.reserved_usd or Decimal(0)
        if facts.budget_usd is not None and spent + cost > facts.budget_usd:
            return actions, (
                f"budget: {batch.key} may cost {dollars(cost)}, and {dollars(spent)} of "
                f"budget.max_usd={facts.budget_usd} is spent or reserved: it is not sent; "
                "run again with a larger budget.max_usd"
            )
        actions.append(
            Action(Verb.SUBMIT if batch.state is BatchState.STAGED else Verb.STAGE, batch.key)
        )
        spent += cost
    return actions, None


def _fits(batch: Batch, limits: Limits, flying: int, tokens: int) -> bool:
    """Tell whether the provider takes one more batch beside those that it has."""
    if limits.batches_in_flight is not None and flying >= limits.batches_in_flight:
        return False
    room = limits.enqueued_tokens
    return room is None or not tokens or tokens + batch.input_tokens <= room


def committed(batches: tuple[Batch, ...]) -> Decimal:
    """Return what is spent, plus the most that may be billed beside it.

    That is what running, doubtful and abandoned batches were reserved for, and the attempts of
    collected ones of unknown cost; and what else the service made of an order.
    """
    return sum((_committed(batch) + most_usd(batch) for batch in batches), Decimal(0))


def _committed(batch: Batch) -> Decimal:
    if batch.state is BatchState.COLLECTED:
        spent = batch.cost_usd if batch.known_usd is None else batch.known_usd
        if spent is not None:
            return spent + batch.held_usd
    elif not _may_be_billed(batch):
        return Decimal(0)
    most = batch.reserved_usd if batch.bound_usd is None else batch.bound_usd
    return most or Decimal(0)


def _may_be_billed(batch: Batch) -> bool:
    at_provider = batch.state in AT_PROVIDER or batch.state is BatchState.ENDED
    return at_provider or batch.abandoned_at is not None


def _waits(facts: Facts, free: list[Batch], now: float) -> Iterator[float]:
    """Yield when each batch that is waited for is due again."""
    for batch in free:
        if batch.key in facts.held_back:
            continue
        if batch.state in UNSENT:
            sending = facts.purpose is Purpose.RUN and facts.halted is None
            if sending and batch.next_at > now:
                yield batch.next_at
            elif sending and facts.other_jobs.may_free:  # there was no room, or no money, for it
                yield now + ELSEWHERE_SECONDS
        elif batch.state not in FINAL_STATES and facts.purpose.waits and not batch.is_held:
            yield max(batch.next_at, now)
