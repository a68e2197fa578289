"""The batches as rows: their order, their groups, filter words, and what can be done with one; pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.core.model import Batch
from runner.core.states import AT_PROVIDER, BATCH_TABLE, FINAL_STATES, BatchEvent, BatchState
from runner.core.summary import HELD, UNKNOWN, shown_state
from runner.core.twins import most_usd
from runner.storage.commands import Command, CommandVerb
from tui.attention import Notice, attention, is_answered, is_refused
from tui.cells import Glyphs, age, money
from tui.language import explained, later, term, tr
from tui.liveness import Liveness, liveness
from tui.model import Job, Snapshot
from tui.rows import Cell, Col, own

_S = BatchState
BEFORE_ORDER = (_S.PACKED, _S.STAGING, _S.STAGED)


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One batch, and what is known around it."""

    job: Job
    batch: Batch
    life: Liveness
    notices: tuple[Notice, ...]
    """What there is to look at, worst first."""
    command: Command | None
    """What was asked of the runner about it, and is not carried out yet."""

    @property
    def key(self) -> str:
        """Return what tells it from every other; a batch's key alone is unique only within a job."""
        return f"{self.job.name}/{self.batch.key}"

    @property
    def over(self) -> bool:
        """Tell whether nothing more will happen to it."""
        return self.batch.state in FINAL_STATES


@dataclass(frozen=True, slots=True)
class Watched:
    """Every batch in scope, and all there is to look at."""

    lines: tuple[BatchLine, ...]
    notices: tuple[Notice, ...]
    lives: tuple[Liveness, ...]
    """How the runner of each job is."""


def watched(snapshot: Snapshot, now: float, host: str) -> Watched:
    """Put together what is known of the batches of some jobs."""
    lives = [liveness(job, now, host) for job in snapshot.jobs]
    notices = attention(snapshot.jobs, now, lives)
    about: dict[tuple[str, str | None], list[Notice]] = {}
    for notice in notices:
        about.setdefault((notice.job, notice.batch), []).append(notice)
    lines = []
    for job, life in zip(snapshot.jobs, lives, strict=True):
        asked = {command.get("batch"): command for command in job.commands}
        if job.known:
            lines += [
                BatchLine(
                    job,
                    batch,
                    life,
                    tuple(about.get((job.name, batch.key), ())),
                    asked.get(batch.key),
                )
                for batch in job.batches
            ]
    return Watched(tuple(lines), tuple(notices), tuple(lives))


# -- order and groups

_STATE_ORDER = (
    _S.CANCELLING,
    _S.ENDED,
    _S.RUNNING,
    _S.SUBMITTING,
    _S.STAGING,
    _S.STAGED,
    _S.PACKED,
    _S.COLLECTED,
    _S.DROPPED,
)
_PLACES = {state: place for place, state in enumerate(_STATE_ORDER)}


def _badness(line: BatchLine) -> tuple[int, int, int]:
    """Return a key that sorts the worst first, then what goes on, then what is over."""
    worst = line.notices[0] if line.notices else None
    if worst is not None and worst.style == "bad":
        band = 0
    elif not line.over:
        band = 2 if worst is None else 1
    else:
        band = 4 if worst is None else 3
    return band, 0 if worst is None else int(worst.rank), _PLACES[line.batch.state]


ORDERS: tuple[tuple[str, Callable[[BatchLine], tuple[object, ...]]], ...] = (
    (later("worst first"), _badness),
    (later("oldest first"), lambda line: (sent_at(line.batch),)),
    (later("by provider"), lambda line: (line.job.provider, line.job.model)),
    (later("costliest first"), lambda line: (-_paid(line.batch),)),
)
GROUPS: tuple[tuple[str, Callable[[BatchLine], str]], ...] = (
    (later("provider"), lambda line: line.job.provider),
    (later("model"), lambda line: line.job.model),
)


def sent_at(batch: Batch) -> float:
    """Return since when a batch's age is counted."""
    return batch.packed_at if batch.sent_at is None else batch.sent_at


def _paid(batch: Batch) -> Decimal:
    known = batch.known_usd or batch.cost_usd or Decimal(0)
    return known + batch.held_usd + most_usd(batch)


def ordered(lines: Iterable[BatchLine], order: int) -> list[BatchLine]:
    """Return batches in one of the orders; what is alike stays in the order of job and batch."""
    return sorted(lines, key=ORDERS[order][1])


def grouped(lines: Sequence[BatchLine], group: int) -> list[tuple[str, list[BatchLine]]]:
    """Return batches by provider or model, the group of the worst batch first."""
    found: dict[str, list[BatchLine]] = {}
    for line in lines:
        found.setdefault(GROUPS[group][1](line), []).append(line)
    return list(found.items())


# -- filter words

_EXAMPLES = {
    "state": "state:running",
    "model": "model:gpt",
    "provider": "provider:openai",
    "job": "job:openai",
    "batch": "batch:b0003",
}
KEYS = tuple(_EXAMPLES)


def hint() -> str:
    """Return what can be typed as a filter, in a line."""
    told = (explained(key, example) for key, example in _EXAMPLES.items())
    return "  ".join([tr("part of a name or error"), *told])


STALLED_WORD = "stalled"
_STATE_WORDS = (*(state.value for state in BatchState), UNKNOWN, HELD, STALLED_WORD)

Test = Callable[[BatchLine], bool]


def parse(words: str) -> Test | str:
    """Return what has to hold of a batch, or what is wrong with the words."""
    tests: list[Test] = []
    for token in words.lower().split():
        key, colon, rest = token.partition(":")
        if not colon:
            tests.append(_holds(token))
        elif key not in KEYS:
            return tr("{key}: is no filter word; there are {keys}", key=key, keys=", ".join(KEYS))
        elif not rest:
            return tr("{key}: needs a value, as {example}", key=key, example=_EXAMPLES[key])
        else:
            tests.append(_of(key, tuple(value for value in rest.split(",") if value)))
    return lambda line: all(test(line) for test in tests)


def _holds(token: str) -> Test:
    return lambda line: any(token in text for text in _texts(line))


def _texts(line: BatchLine) -> list[str]:
    batch = line.batch
    named = (batch.key, line.job.name, line.job.provider, line.job.model, batch.remote)
    state = shown_state(batch)
    said = (state, term("state", state), batch.remote_state, batch.error)
    return [str(text).lower() for text in (*named, *said) if text]


def _of(key: str, values: tuple[str, ...]) -> Test:
    if key == "state":
        return lambda line: any(word.startswith(values) for word in _states(line))
    return lambda line: any(value in _about(line, key) for value in values)


def _about(line: BatchLine, key: str) -> str:
    job = line.job
    known = {"model": job.model, "provider": job.provider, "job": job.name, "batch": line.batch.key}
    return known[key].lower()


def _states(line: BatchLine) -> list[str]:
    """Return every word for where a batch stands: ours, and the provider's."""
    stalled = [STALLED_WORD for n in line.notices if n.rank.name.lower() == STALLED_WORD]
    return [shown_state(line.batch), (line.batch.remote_state or "").lower(), *stalled]


# -- what can be done


def can(line: BatchLine, verb: CommandVerb) -> bool:
    """Tell whether a runner could do this with a batch, or with its job."""
    batch = line.batch
    match verb:
        case CommandVerb.STOP:
            return line.life.at_work
        case CommandVerb.RETRY:
            return bool(line.job.summary.get("failed"))
        case CommandVerb.CANCEL:
            return batch.state in (*BEFORE_ORDER, _S.SUBMITTING, _S.RUNNING)
        case CommandVerb.RESUBMIT:
            return _left_something(line)
        case CommandVerb.ADOPT:
            return batch.state is _S.SUBMITTING and bool(batch.candidates) and not batch.realtime
        case CommandVerb.ABANDON:
            return BatchEvent.ABANDON in BATCH_TABLE[batch.state] and not batch.realtime


def _left_something(line: BatchLine) -> bool:
    """Tell whether a batch was cancelled before it had answered everything."""
    batch = line.batch
    if batch.state is _S.DROPPED:
        return batch.abandoned_at is None and not is_refused(line.job, batch)
    cancelled = batch.tally.get("cancelled", 0) > 0 or batch.rest == "cancelled"
    return batch.state is _S.COLLECTED and cancelled and answered(batch) < batch.count


def answered(batch: Batch) -> int:
    """Return how many answers were read."""
    return batch.tally.get("valid", 0) + batch.tally.get("invalid", 0)


# -- cells


def named_by(jobs: Sequence[Job]) -> str | None:
    """Return what tells the jobs apart on the screen: model or job; None: there is only one."""
    if len(jobs) < 2:
        return None
    return "model" if len({job.model for job in jobs}) == len(jobs) else later("job")


def columns(named: str | None) -> list[Col]:
    """Return the table's columns; those of the highest rank go first where there is no room."""
    who = [own(named, 12, grow=1)] if named else []
    return [
        Col("", 1),
        own("batch", 5 if named else 9),
        *who,
        own("state", 11),
        own("provider says", 13, rank=8),
        own("done", 9, "right"),
        own("ok", 5, "right", rank=4),
        own("bad", 4, "right"),
        own("age", 5, "right"),
        own("next", 5, "right", rank=6),
        own("ends in", 7, "right", rank=5),
        Col("$", 7, "right", rank=3),
    ]


def cells(line: BatchLine, now: float, glyphs: Glyphs, *, named: str | None) -> list[Cell]:
    """Return a row."""
    batch, none = line.batch, glyphs.none
    style = line.notices[0].style if line.notices else ""
    bad = not_ok(batch)
    bad_style = "" if is_answered(line.job) else "bad"
    who: list[Cell] = [line.job.model if named == "model" else line.job.name] if named else []
    return [
        sign(line, glyphs),
        (batch.key, style),
        *who,
        state_cell(line, now),
        (batch.remote_state or none, "" if batch.remote_state else "dim"),
        done_of(batch, glyphs),
        f"{batch.tally.get('valid', 0):,}" if batch.tally else (none, "dim"),
        (none, "dim") if bad is None else (f"{bad:,}", bad_style if bad else "dim"),
        age(now - sent_at(batch)),
        next_cell(line, now, glyphs),
        left_cell(batch, now, glyphs),
        cost_cell(batch, glyphs),
    ]


def sign(line: BatchLine, glyphs: Glyphs) -> Cell:
    """Return how a batch is, as one sign."""
    if line.notices:
        return line.notices[0].sign(glyphs), line.notices[0].style
    state = line.batch.state
    if state is _S.COLLECTED:
        return glyphs.good, "good"
    if state is _S.DROPPED:
        return glyphs.dot, "dim"
    return (glyphs.waiting, "dim") if state in BEFORE_ORDER else (glyphs.running, "")


def state_cell(line: BatchLine, now: float) -> Cell:
    """Return where a batch stands, as far as that is known, or what was asked of its runner."""
    if line.command is not None:
        verb = term("verb", line.command["verb"])
        return f"{verb}? {age(now - line.command['at'])}", "warn"
    state = shown_state(line.batch)
    style = {"collected": "good", "dropped": "dim"}.get(state, "")
    unsure = line.batch.state in AT_PROVIDER and not line.life.at_work
    told = term("state", state) + ("?" if unsure else "")
    return told, line.notices[0].style if line.notices else style


def done_of(batch: Batch, glyphs: Glyphs) -> str:
    """Return how many requests are done; unknown where the provider does not say."""
    done = done_count(batch)
    return f"{glyphs.none if done is None else f'{done:,}'}/{batch.count:,}"


def done_count(batch: Batch) -> int | None:
    """Return how many requests are done; None when unknown."""
    if batch.state is _S.COLLECTED:
        return answered(batch)
    if batch.state in BEFORE_ORDER:
        return 0
    return batch.completed


def not_ok(batch: Batch) -> int | None:
    """Return how many requests of a read batch brought nothing that can be used; None: it is not read."""
    if not batch.tally:
        return None
    return sum(count for outcome, count in batch.tally.items() if outcome != "valid")


def next_cell(line: BatchLine, now: float, glyphs: Glyphs) -> Cell:
    """Return when the runner looks at a batch again; not known when no runner is at work."""
    batch = line.batch
    if line.over or not batch.next_at or not line.life.at_work:
        return glyphs.none, "dim"
    wait = batch.next_at - now
    return age(wait) if wait >= 1 else tr("now")


def left_cell(batch: Batch, now: float, glyphs: Glyphs) -> Cell:
    """Return what is left of the provider's window."""
    if batch.expires_at is None or batch.state not in (_S.RUNNING, _S.CANCELLING):
        return glyphs.none, "dim"
    left = batch.expires_at - now
    return age(left) if left > 0 else (tr("over"), "bad")


def cost_cell(batch: Batch, glyphs: Glyphs) -> Cell:
    """Return what a batch cost; what it may cost yet is not in this column, so that it adds up."""
    if batch.state is not _S.COLLECTED:
        return glyphs.none, "dim"
    return money(batch.cost_usd)


def sum_cells(
    name: str, lines: Sequence[BatchLine], glyphs: Glyphs, *, named: str | None
) -> list[Cell]:
    """Return the row that adds up a group."""
    batches = [line.batch for line in lines]
    done = [done_count(batch) for batch in batches]
    known = sum(count for count in done if count is not None)
    more = "+" if None in done else ""
    read = [batch for batch in batches if batch.tally]
    paid = [batch.cost_usd for batch in batches if batch.state is _S.COLLECTED]
    spent = sum((usd for usd in paid if usd is not None), Decimal(0))
    bad = sum(not_ok(batch) or 0 for batch in read)
    count = tr("1 batch") if len(lines) == 1 else tr("{count:,} batches", count=len(lines))
    title = [glyphs.rule * 5, name] if named else [name]
    return [
        "",
        *((text, "strong") for text in title),
        (count, "strong"),
        "",
        (f"{known:,}{more}/{sum(batch.count for batch in batches):,}", "strong"),
        (f"{sum(batch.tally.get('valid', 0) for batch in read):,}", "strong")
        if read
        else (glyphs.none, "dim"),
        (f"{bad:,}", "bad" if bad else "dim") if read else (glyphs.none, "dim"),
        "",
        "",
        "",
        (money(spent, known=None not in paid), "strong") if paid else (glyphs.none, "dim"),
    ]
