"""What a researcher has to look at, a plain sentence each, the worst first; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from statistics import median

from runner.core.charged import differences
from runner.core.identity import replaced
from runner.core.model import Batch
from runner.core.states import BatchState
from runner.core.summary import days_left
from runner.core.twins import costly, in_words
from tui.cells import Glyphs, age, days, money, share
from tui.language import heard, term, tr
from tui.liveness import Liveness
from tui.model import Job, totals

SOON = 2 * 3600.0
"""Seconds before a window closes, from which on missing answers are worth a look."""
STALLED = 15 * 60.0
"""Seconds without a successful look at a running batch."""
INVALID_SHARE = 0.02
SLOW = 3.0
"""Times the median of the provider's finished batches."""
FEWEST_FINISHED = 3
"""Finished batches that are needed to say what is slow."""
HARMLESS = frozenset({"duplicate"})
"""The same line twice changes no number."""
SOLVED = frozenset({"unreadable", "oversize", "unknown"})
"""Lines that brought nothing matter no more once every request is answered."""

_S = BatchState
_ACTIVE = (_S.RUNNING, _S.CANCELLING)


class Rank(IntEnum):
    """The order of what is worst."""

    REFUSED = 0
    EXPIRED = 1
    UNKNOWN = 2
    HELD = 3
    UNCOLLECTED = 4
    CLOSING = 5
    STALLED = 6
    STRANGE = 7
    INVALID = 8
    SLOW = 9
    BUDGET = 10
    REPLACED = 11
    FAILED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to look at."""

    rank: Rank
    style: str
    """bad or warn."""
    job: str
    """The job's name."""
    batch: str | None
    """The batch's key; None: it is about the job."""
    sentence: str
    """What happened and what to do; it begins with the batch's key."""

    def sign(self, glyphs: Glyphs) -> str:
        """Return the sign that goes with it."""
        return glyphs.bad if self.style == "bad" else glyphs.warning


def attention(jobs: Sequence[Job], now: float, lives: Sequence[Liveness]) -> list[Notice]:
    """Return what needs to be looked at, worst first.

    Args:
        jobs: as they were read.
        now: seconds since the epoch.
        lives: how the runner of each is.
    """
    usual = _usual_durations(jobs)
    found: list[Notice] = []
    for job, life in zip(jobs, lives, strict=True):
        if not job.known:
            continue
        for batch in job.batches:
            found += [
                Notice(
                    rank=rank,
                    style=style,
                    job=job.name,
                    batch=batch.key,
                    sentence=tr("{key} {sentence}", key=batch.key, sentence=sentence),
                )
                for rank, style, sentence in _of_batch(job, batch, now, life, usual)
            ]
        found += _of_model(job)
        found += _of_failed(job)
    found += _of_money(jobs)
    return sorted(found, key=lambda notice: (notice.style != "bad", notice.rank))


_Found = tuple[Rank, str, str]


def _of_batch(
    job: Job, batch: Batch, now: float, life: Liveness, usual: dict[str, float]
) -> Iterator[_Found]:
    if batch.is_held:
        yield Rank.HELD, "bad", tr("is held: {why}", why=_words(batch))
        return
    yield from _refused(job, batch)
    yield from _expired(job, batch)
    yield from _unknown(batch)
    yield from _twins_and_bills(batch)
    yield from _uncollected(batch, now, life)
    yield from _closing(batch, now)
    yield from _stalled(batch, now, life)
    yield from _strange(job, batch)
    yield from _invalid(job, batch)
    yield from _slow(job, batch, now, usual)


def _words(batch: Batch) -> str:
    """Return what was said last, or that nothing was."""
    return " ".join(batch.error.split()) if batch.error else tr("no reason was given")


def is_refused(job: Job, batch: Batch) -> bool:
    """Tell whether the provider said a definite no to the whole batch."""
    if batch.state is _S.DROPPED:
        ordered = batch.sent_at is not None
        return batch.abandoned_at is None and ordered and batch.error is not None
    halted = str(job.summary.get("halted") or "")
    return batch.state is _S.PACKED and bool(batch.error) and str(batch.error) in halted


def is_decided(job: Job) -> bool:
    """Tell whether nothing is open any more: each request is answered, or has failed for good."""
    return job.summary.get("open") == 0 and bool(job.summary.get("total"))


def is_answered(job: Job) -> bool:
    """Tell whether each request has an answer, whatever it took."""
    return is_decided(job) and job.summary.get("failed") == 0


def _refused(job: Job, batch: Batch) -> Iterator[_Found]:
    if is_answered(job):
        return
    if is_refused(job, batch) and not is_decided(job):
        what = tr("failed at the provider") if batch.state is _S.DROPPED else tr("was refused")
        yield (
            Rank.REFUSED,
            "bad",
            tr(
                "{what}: {why}; its {count:,} requests wait: mend the cause, run again",
                what=what,
                why=_words(batch),
                count=batch.count,
            ),
        )
    elif batch.state is _S.COLLECTED and batch.tally.get("denied"):
        count = batch.tally["denied"]
        yield (
            Rank.REFUSED,
            "bad",
            tr(
                "has {some} requests refused whatever they ask: {why}",
                some=_of(count, batch),
                why=_words(batch),
            ),
        )
    elif batch.state is _S.COLLECTED and batch.tally.get("unreadable"):
        count = batch.tally["unreadable"]
        yield (
            Rank.REFUSED,
            "bad",
            tr(
                "has {some} results that cannot be read, kept in raw/: {why}",
                some=_of(count, batch),
                why=_words(batch),
            ),
        )
    elif batch.state is _S.COLLECTED and batch.tally.get("refused"):
        count = batch.tally["refused"]
        yield (
            Rank.REFUSED,
            "bad",
            tr(
                "has {some} requests refused: Enter shows why, r asks them once more",
                some=_of(count, batch),
            ),
        )


def _expired(job: Job, batch: Batch) -> Iterator[_Found]:
    lost = batch.tally.get("expired", 0)
    if batch.state is _S.COLLECTED and lost and job.summary.get("open"):
        yield (
            Rank.EXPIRED,
            "bad",
            tr(
                "expired{after}: {some} answers missing; they are asked again",
                after=_after(batch),
                some=_of(lost, batch),
            ),
        )
    elif batch.state is _S.ENDED and _says(batch, "expired") and _missing(batch) != 0:
        missing = _missing(batch)
        how_many = tr("an unknown number") if missing is None else _of(missing, batch)
        yield (
            Rank.EXPIRED,
            "bad",
            tr(
                "expired{after}: {some} answers missing; the rest is paid, to be collected",
                after=_after(batch),
                some=how_many,
            ),
        )


def _unknown(batch: Batch) -> Iterator[_Found]:
    if batch.candidates:
        names = tr(" or ").join(batch.candidates)
        yield (
            Rank.UNKNOWN,
            "bad",
            tr(
                "is unknown: it may be {names}; never sent again on a guess: a adopts, b "
                "gives it up",
                names=names,
            ),
        )


def _twins_and_bills(batch: Batch) -> Iterator[_Found]:
    if costly(batch):
        yield Rank.STRANGE, "warn", tr("is not alone: {words}", words=heard(in_words(batch) or ""))
    if words := "; ".join(map(heard, differences(batch))):
        yield (
            Rank.STRANGE,
            "warn",
            tr("is billed for something else than its answers: {words}", words=words),
        )


def _uncollected(batch: Batch, now: float, life: Liveness) -> Iterator[_Found]:
    if batch.state is not _S.ENDED:
        return
    just_now = batch.ended_at is not None and now - batch.ended_at < STALLED
    if life.at_work and just_now and not batch.tries:
        return
    left = days_left(batch, now)
    todo = tr("the runner goes on trying") if life.at_work else tr("start the runner to fetch them")
    if left is not None and left <= 0:
        yield (
            Rank.UNCOLLECTED,
            "bad",
            tr(
                "was never collected, and the provider kept its answers until {left} ago: {todo}",
                left=days(-left),
                todo=todo,
            ),
        )
        return
    kept = tr("for an unknown time") if left is None else tr("for {left} more", left=days(left))
    tried = tr(" ({why})", why=_words(batch)) if batch.tries else ""
    style = "bad" if left is not None and left < 2 else "warn"
    yield (
        Rank.UNCOLLECTED,
        style,
        tr(
            "ended and is not collected{tried}; its paid answers are kept {kept}: {todo}",
            tried=tried,
            kept=kept,
            todo=todo,
        ),
    )


def _closing(batch: Batch, now: float) -> Iterator[_Found]:
    if batch.state not in _ACTIVE or batch.expires_at is None or batch.realtime:
        return
    left, missing = batch.expires_at - now, _missing(batch)
    if left > SOON or missing == 0:
        return
    how_many = (
        tr("the provider reports no progress")
        if missing is None
        else tr("{some} answers missing", some=_of(missing, batch))
    )
    if left <= 0:
        yield (
            Rank.CLOSING,
            "bad",
            tr(
                "should have ended {left} ago, at its time limit; {how_many}",
                left=age(-left),
                how_many=how_many,
            ),
        )
    else:
        yield (
            Rank.CLOSING,
            "warn",
            tr(
                "has {left} before its time limit; {how_many}; what expires is asked again",
                left=age(left),
                how_many=how_many,
            ),
        )


def unlooked(batch: Batch, now: float) -> float | None:
    """Return the seconds since a running batch was last looked at with success."""
    since = batch.polled_at if batch.polled_at is not None else batch.accepted_at
    return None if since is None or batch.state not in _ACTIVE else now - since


def is_stalled(batch: Batch, now: float, life: Liveness) -> bool:
    """Tell whether a runner that is at work has not reached its batch for long."""
    silent = unlooked(batch, now)
    due = batch.tries > 0 or batch.next_at < now
    return silent is not None and silent > STALLED and due and life.at_work


def _stalled(batch: Batch, now: float, life: Liveness) -> Iterator[_Found]:
    if is_stalled(batch, now, life):
        silent = unlooked(batch, now)
        assert silent is not None
        tries = _tries(batch.tries) if batch.tries else ""
        why = tr(": {why}", why=_words(batch)) if batch.error else ""
        yield (
            Rank.STALLED,
            "warn",
            tr(
                "is stalled: not polled for {silent}{tries}{why}; the runner goes on trying",
                silent=age(silent),
                tries=tries,
                why=why,
            ),
        )


def _strange(job: Job, batch: Batch) -> Iterator[_Found]:
    harmless = HARMLESS | SOLVED if is_answered(job) else HARMLESS
    odd = {name: n for name, n in batch.notices.items() if n and name not in harmless}
    if odd:
        told = tr(", ").join(
            tr("{count:,} {name}", count=count, name=term("notice", name))
            for name, count in sorted(odd.items())
        )
        one = sum(odd.values()) == 1
        yield (
            Rank.STRANGE,
            "warn",
            tr(
                "brought {told} line that is not taken for answers: see raw/{key}.*"
                if one
                else "brought {told} lines that are not taken for answers: see raw/{key}.*",
                told=told,
                key=batch.key,
            ),
        )


def _invalid(job: Job, batch: Batch) -> Iterator[_Found]:
    bad = batch.tally.get("invalid", 0)
    read = bad + batch.tally.get("valid", 0)
    if is_decided(job) or not bad or bad < INVALID_SHARE * read:
        return
    causes: dict[str, int] = {}
    for row in batch.causes.values():
        for cause, count in row.items():
            causes[cause] = causes.get(cause, 0) + count
    top = max(sorted(causes), key=lambda cause: causes[cause], default=None)
    most = "" if top is None else tr(", most often {top}", top=term("cause", top))
    yield (
        Rank.INVALID,
        "warn",
        tr(
            "has {bad:,} of {read:,} answers invalid ({share} %){most}: Enter shows them",
            bad=bad,
            read=read,
            share=share(bad, read),
            most=most,
        ),
    )


def _usual_durations(jobs: Sequence[Job]) -> dict[str, float]:
    """Return the median duration of each provider's finished batches, where there are enough."""
    took: dict[str, list[float]] = {}
    for job in jobs:
        for batch in job.batches:
            if batch.realtime or batch.accepted_at is None or batch.ended_at is None:
                continue
            if batch.state is _S.COLLECTED:
                took.setdefault(job.provider, []).append(batch.ended_at - batch.accepted_at)
    return {who: median(rows) for who, rows in took.items() if len(rows) >= FEWEST_FINISHED}


def _slow(job: Job, batch: Batch, now: float, usual: dict[str, float]) -> Iterator[_Found]:
    typical = usual.get(job.provider)
    if typical is None or batch.state is not _S.RUNNING or batch.accepted_at is None:
        return
    since = now - batch.accepted_at
    if batch.realtime or since <= SLOW * max(typical, 60.0):
        return
    yield (
        Rank.SLOW,
        "warn",
        tr(
            "is slow: {since}, where {provider} took {typical} (median): wait, or c cancels it",
            since=age(since),
            provider=job.provider,
            typical=age(typical),
        ),
    )


def _of_model(job: Job) -> Iterator[Notice]:
    """Say that another model answered than was asked."""
    if others := heard(replaced(job.model, job.summary.get("models_returned") or {}) or ""):
        yield Notice(
            rank=Rank.REPLACED,
            style="bad",
            job=job.name,
            batch=None,
            sentence=tr("{others}: the column model_returned tells them apart", others=others),
        )


def _of_failed(job: Job) -> Iterator[Notice]:
    """Say once how many requests have failed for good; how often each was asked is over by then."""
    failed = job.summary.get("failed")
    if failed and is_decided(job):
        yield Notice(
            rank=Rank.FAILED,
            style="warn",
            job=job.name,
            batch=None,
            sentence=tr(
                "{failed:,} of 1 request failed for good: 3 and ! show them, r asks them once more"
                if job.summary["total"] == 1
                else "{failed:,} of {total:,} requests failed for good: 3 and ! show them, r asks "
                "them once more",
                failed=failed,
                total=job.summary["total"],
            ),
        )


def _of_money(jobs: Sequence[Job]) -> Iterator[Notice]:
    """Say when reserves go beyond the budget, which all jobs of an experiment share."""
    known = [job for job in jobs if job.known]
    together = totals(tuple(known))
    budget = together.budget_usd
    if budget is None:
        return
    if together.committed_usd > budget:
        most = max(known, key=lambda job: Decimal(str(job.summary.get("committed_usd", "0"))))
        yield Notice(
            rank=Rank.BUDGET,
            style="bad",
            job=most.name,
            batch=None,
            sentence=tr(
                "{committed_usd} are spent or reserved, more than the budget of {budget}: "
                "nothing more is sent unless you raise budget.max_usd",
                committed_usd=money(together.committed_usd),
                budget=money(budget),
            ),
        )
        return
    left = budget - together.committed_usd
    for job in known:
        for batch in job.batches:
            waits = batch.state in (_S.PACKED, _S.STAGED)
            if waits and batch.reserved_usd is not None and batch.reserved_usd > left:
                yield Notice(
                    rank=Rank.BUDGET,
                    style="warn",
                    job=job.name,
                    batch=batch.key,
                    sentence=tr(
                        "{key} may cost {reserved_usd}, and {left} of the budget are left: raise "
                        "budget.max_usd, or wait for others to cost less",
                        key=batch.key,
                        reserved_usd=money(batch.reserved_usd),
                        left=money(left),
                    ),
                )


# -- words


def _says(batch: Batch, word: str) -> bool:
    return word in (batch.remote_state or "").lower()


def _missing(batch: Batch) -> int | None:
    """Return how many answers are not there yet; None: the provider does not say."""
    return None if batch.completed is None else max(batch.count - batch.completed, 0)


def _after(batch: Batch) -> str:
    if batch.accepted_at is None or batch.ended_at is None:
        return ""
    return tr(" after {time}", time=age(batch.ended_at - batch.accepted_at))


def _of(count: int, batch: Batch) -> str:
    return tr("{count:,} of {whole:,}", count=count, whole=batch.count)


def _tries(count: int) -> str:
    return tr(" (1 try)") if count == 1 else tr(" ({count:,} tries)", count=count)
