"""Every request that was sent and how it stands: the ledger's states beside what the attempts' parts say.

Nothing here is read while the screen is drawn: `Store.read` belongs in a thread, and polars is imported
when it is called first. Raw answers stay on disk.
"""

import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from runner.batches.attempts import parts as part_files
from runner.core.attempt_order import OTHERS, STARTS, order_of, place_of
from runner.core.definition import kind_of
from runner.core.errors import LedgerError
from runner.core.model import Batch, BatchKey, Enhance, ItemKind, Span, Stem
from runner.core.request_rows import FAILED, RETRY_SUCCESS, SUCCESS, Trials
from runner.core.request_states import RequestStates, RetryPolicy
from runner.core.states import BatchState
from runner.storage.reader import LedgerReader
from tui.conditions import Conditions
from tui.language import heard, later, term, tr
from tui.model import Job

if TYPE_CHECKING:
    import polars as pl

STATE_WORDS = ("open", "success", "retry_success", "failed")
"""By the numbers that `JobAnswers.table` has for them."""
OPEN, GOOD, GOOD_AGAIN, BAD = range(4)
MAX_ATTEMPTS, MAX_LOST = 3, 5
"""The runner's defaults, for ledgers that do not say."""
_NEVER = -1
_LEAST, _MOST = -32_000, 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionShown:
    """One question."""

    id: str
    label: str
    minimum: float
    maximum: float
    whole: bool
    kind: ItemKind = ItemKind.NUMBER
    options: tuple[str, ...] = ()
    """The ids of a choice's options; empty for other kinds."""

    @property
    def title(self) -> str:
        """Return id and label; one of them, where they are the same word."""
        return self.label if self.id.lower() == self.label.lower() else f"{self.id} {self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsFile:
    """One file of attempts, and which rows of the frame came from it."""

    path: Path
    stamp: tuple[int, ...]
    batch: str
    offset: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnswers:
    """The requests of one job."""

    job: Job
    experiment: Mapping[str, Any]
    """As the ledger had it when this was read."""
    questions: tuple[QuestionShown, ...]
    conditions: Conditions
    """Those that were sent, in the order of the configuration."""
    table: "pl.DataFrame"
    """A row a request: custom_id, condition (a place in `conditions`), trial, state, attempts, lost,
    batch (a place in `batches`: the last it went into), at (the attempt that counts; null: none)."""
    attempts: "pl.DataFrame"
    """A row an attempt: custom_id, batch, outcome, and value, pattern, cause of each question."""
    parts: tuple[AttemptsFile, ...]
    batches: tuple[Batch, ...]
    members: Mapping[BatchKey, Sequence[Span]]
    notes: tuple[str, ...]
    """What could not be read, a line each."""

    @property
    def name(self) -> str:
        """Return the job's name."""
        return self.job.name

    def place_of(self, at: int) -> tuple[AttemptsFile, int]:
        """Return the file of an attempt, and its row there."""
        number = bisect_right(self.parts, at, key=lambda part: part.offset) - 1
        part = self.parts[number]
        return part, at - part.offset

    def column(self, name: str) -> "pl.Series":
        """Return a column of the attempts that count, a row a request."""
        return self.attempts[name].gather(self.table["at"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The requests of all jobs in scope."""

    jobs: tuple[JobAnswers, ...]
    questions: tuple[QuestionShown, ...]
    """Of any job; the first to name one decides on its label."""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Return how many requests there are."""
        return sum(one.table.height for one in self.jobs)

    @property
    def factors(self) -> tuple[str, ...]:
        """Return the factors of any job."""
        return tuple(dict.fromkeys(name for one in self.jobs for name in one.conditions.names))

    def job(self, name: str) -> JobAnswers | None:
        """Return one job's."""
        return next((one for one in self.jobs if one.name == name), None)


Signature = tuple[Any, ...]


def signature(jobs: tuple[Job, ...]) -> Signature:
    """Return what changes whenever there is something new to read."""
    return tuple(
        (
            job.folder,
            job.opened,
            job.experiment.get("patterns"),
            _retry(job.plan),
            tuple(map(_batch_mark, job.batches)),
        )
        for job in jobs
        if job.known
    )


def _batch_mark(batch: Batch) -> tuple[Any, ...]:
    over = batch.state in (BatchState.COLLECTED, BatchState.DROPPED)
    return batch.key, batch.state if over else None, batch.collected_at, *batch.tally.items()


def _retry(plan: Mapping[str, Any] | None) -> tuple[int, int]:
    try:
        found = (plan or {}).get("retry") or {}
        return int(found.get("max_attempts", MAX_ATTEMPTS)), int(found.get("max_lost", MAX_LOST))
    except (AttributeError, TypeError, ValueError):  # not written by us
        return MAX_ATTEMPTS, MAX_LOST


class Store:
    """Keeps what was read, so that a part is read once."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._jobs: dict[Path, tuple[Signature, JobAnswers]] = {}
        self._lock = threading.Lock()

    def read(self, jobs: tuple[Job, ...]) -> Answers:
        """Return the answers of some jobs; to be called in a thread.

        What cannot be read is in the notes, and the rest is there.
        """
        with self._lock:
            homes = {job.folder.parent for job in jobs}
            for folder in [f for f in self._jobs if f.parent not in homes]:
                del self._jobs[folder]
            found: list[JobAnswers] = []
            notes: list[str] = []
            for job in jobs:
                if not job.known:
                    continue
                one, trouble = self._of(job)
                notes += [tr("{name}: {line}", name=job.name, line=line) for line in trouble]
                if one is not None:
                    found.append(one)
        questions: dict[str, QuestionShown] = {}
        for one in found:
            for question in one.questions:
                questions.setdefault(question.id, question)
        return Answers(jobs=tuple(found), questions=tuple(questions.values()), notes=tuple(notes))

    def _of(self, job: Job) -> tuple[JobAnswers | None, tuple[str, ...]]:
        import polars as pl

        mark, before = self._jobs.get(job.folder, (None, None))
        now = signature((job,))
        if before is not None and mark == now:
            return before, before.notes
        try:
            one = read_job(job, before)
        except (
            LedgerError,
            OSError,
            pl.exceptions.PolarsError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            what = tr("{error}; looked at again when something changes", error=_line(error))
            if before is None:
                return None, (tr("the answers cannot be read: {what}", what=what),)
            return before, (*before.notes, tr("these answers are older: {what}", what=what))
        self._jobs[job.folder] = now, one
        return one, one.notes


_STORES: WeakKeyDictionary[Any, Store] = WeakKeyDictionary()


def store_of(app: object) -> Store:
    """Return the store that all views of an application share."""
    return _STORES.setdefault(app, Store())


def read_job(job: Job, before: JobAnswers | None = None) -> JobAnswers:
    """Read one job; the parts that have not changed since `before` are taken from there."""
    with closing(LedgerReader(job.folder)) as reader, reader.moment():
        experiment = reader.get("experiment")
        plan, summary = reader.get("plan"), reader.get("summary") or {}
        batches = reader.batches()
        members = {batch.key: reader.members(batch.key) for batch in batches}
        outcomes = {batch.key: reader.outcomes(batch.key) for batch in batches}
    questions = asked_of(experiment["definition"])
    standing = _Standing(_retry(plan))
    for number, batch in enumerate(batches):
        standing.fold(number, batch, members[batch.key], outcomes[batch.key])
    conditions = _conditions(experiment["definition"], standing.request_states.rows)
    reading = _AttemptsReader(job.folder, questions, before)
    for batch in batches:
        if batch.state is BatchState.COLLECTED:
            reading.take(batch)
    attempts = reading.frame()
    table = _with_attempts(standing.table(conditions.stems), attempts)
    one = JobAnswers(
        job=job,
        experiment=experiment,
        questions=questions,
        conditions=conditions,
        table=table,
        attempts=attempts,
        parts=tuple(reading.parts),
        batches=batches,
        members=members,
        notes=tuple(reading.notes),
    )
    return replace(one, notes=(*one.notes, *_differences(one, summary)))


def asked_of(definition: Mapping[str, Any]) -> tuple[QuestionShown, ...]:
    """Return the questions of a ledger's definition, in order."""
    return tuple(
        QuestionShown(
            id=str(id_),
            label=str(row.get("label", id_)),
            minimum=float(row.get("minimum", 0)),
            maximum=float(row.get("maximum", 100)),
            whole=bool(row.get("integer", False)),
            kind=kind_of(row),
            options=tuple(map(str, row.get("options", ()))),
        )
        for id_, row in definition["questions"].items()
    )


def _conditions(definition: Mapping[str, Any], rows: Mapping[Stem, Trials]) -> Conditions:
    """Return every condition that was sent, in the order of the configuration."""
    known = definition["conditions"]
    stems = [stem for stem in known if stem in rows]
    stems += [stem for stem in rows if stem not in known]
    return Conditions(definition, stems)


class _Standing:
    """How every request stands, folded as the runner folds it."""

    def __init__(self, retry: tuple[int, int]) -> None:
        attempts, lost = retry
        policy = RetryPolicy(max_attempts=attempts, max_lost=lost, enhance=Enhance.NEVER)
        self.request_states = RequestStates(policy)
        self._last: dict[str, array[int]] = {}
        """The last batch of each request, by condition."""

    def fold(
        self, number: int, batch: Batch, spans: Sequence[Span], outcomes: bytes | None
    ) -> None:
        if not self.request_states.replay(batch.state, spans, outcomes):
            return
        for span in spans:
            last = self._last.setdefault(span.stem, array("i"))
            if (short := span.last - len(last)) > 0:
                last.extend([_NEVER] * short)
            last[span.first - 1 : span.last] = array("i", [number]) * len(span)

    def table(self, stems: Sequence[str]) -> "pl.DataFrame":
        import polars as pl

        from runner.tables import custom_ids

        rows = [self.request_states.rows[Stem(stem)] for stem in stems]
        last = array("i")
        for stem in stems:
            last.extend(self._last[stem])
        bytes_of = {
            "state": b"".join(row.state.translate(_SHOWN) for row in rows),
            "attempts": b"".join(row.asked for row in rows),
            "lost": b"".join(row.lost for row in rows),
        }
        sizes = [len(row.state) for row in rows]
        places = pl.DataFrame(
            {"condition": range(len(stems)), "stem": stems, "size": sizes},
            schema={"condition": pl.UInt32, "stem": pl.String, "size": pl.Int64},
        )
        return (
            places.with_columns(trial=pl.int_ranges(1, pl.col("size") + 1, dtype=pl.UInt32))
            .explode("trial", empty_as_null=False)
            .with_columns(
                *(pl.Series(name, list(codes), dtype=pl.UInt8) for name, codes in bytes_of.items()),
                pl.Series("batch", last, dtype=pl.Int32),
            )
            .filter(pl.col("batch") != _NEVER)
            .select(
                custom_ids.written(),
                *("condition", "trial", "state", "attempts", "lost", "batch"),
            )
        )


_SHOWN = bytes(
    {SUCCESS: GOOD, RETRY_SUCCESS: GOOD_AGAIN, FAILED: BAD}.get(code, OPEN) for code in range(256)
)


class _AttemptsReader:
    """Reads the light columns of part files, and takes what it can from an earlier reading."""

    def __init__(
        self, folder: Path, questions: tuple[QuestionShown, ...], before: JobAnswers | None
    ) -> None:
        self._folder, self._questions = folder, questions
        same = before is not None and before.questions == questions
        self._known = {p.path: p for p in before.parts} if before is not None and same else {}
        self._before = before
        self._frames: list[pl.DataFrame] = []
        self._height = 0
        self.parts: list[AttemptsFile] = []
        self.notes: list[str] = []

    def take(self, batch: Batch) -> None:
        """Take a batch's parts."""
        start = self._height
        broken = False
        for path in part_files(self._folder, batch.key):
            broken |= not self._take_part(path, batch.key)
        found = self._height - start
        if found != batch.count and not broken:
            self.notes.append(
                tr(
                    "{key} has {found:,} of {count:,} attempts in attempts/; {again}",
                    key=batch.key,
                    found=found,
                    count=batch.count,
                    again=tr(_AGAIN),
                )
            )

    def _take_part(self, path: Path, batch: str) -> bool:
        import polars as pl

        try:
            found = path.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._known.get(path)
            if known is not None and known.stamp == stamp and self._before is not None:
                frame = self._before.attempts.slice(known.offset, known.height)
            else:
                frame = self._read(path, batch)
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            self.notes.append(
                tr(
                    "attempts/{name} cannot be read; {again} ({error})",
                    name=path.name,
                    again=tr(_AGAIN),
                    error=_line(error),
                )
            )
            return False
        self.parts.append(
            AttemptsFile(
                path=path, stamp=stamp, batch=batch, offset=self._height, height=frame.height
            )
        )
        self._frames.append(frame)
        self._height += frame.height
        return True

    def _read(self, path: Path, batch: str) -> "pl.DataFrame":
        import polars as pl

        lazy = pl.scan_parquet(path, glob=False)
        there = set(lazy.collect_schema().names())
        columns = light_columns(self._questions)
        if lost := [name for name in columns if name not in there]:
            if "custom_id" in lost or "outcome" in lost:
                raise ValueError(tr("it has no column custom_id or outcome"))
            self.notes.append(
                tr(
                    "attempts/{name} is of an older layout, without {lost}; {again}",
                    name=path.name,
                    lost=", ".join(lost[:4]),
                    again=tr(_AGAIN),
                )
            )
        return lazy.select(
            pl.lit(batch, dtype=kind).alias(name)
            if name == "batch"
            else _short(pl.col(name) if name in there else pl.lit(None), kind, name).alias(name)
            for name, kind in columns.items()
        ).collect()

    def frame(self) -> "pl.DataFrame":
        """Return all of them, in order, in one piece."""
        import polars as pl

        if not self._frames:
            return pl.DataFrame(schema=light_columns(self._questions))
        return pl.concat(self._frames, rechunk=True)


def _short(column: "pl.Expr", kind: Any, name: str) -> "pl.Expr":
    """Return a column of a type; of long texts, what a table has room for."""
    import polars as pl

    typed = column.cast(kind, strict=False)
    is_text = kind == pl.String and name.endswith("_value")
    return typed.str.slice(0, LONGEST_VALUE) if is_text else typed


LONGEST_VALUE = 80
"""Characters of a text, or of several options, that are kept in memory of each answer."""
_AGAIN = later("action=export writes it anew from raw/")


def light_columns(questions: tuple[QuestionShown, ...]) -> dict[str, Any]:
    """Return the columns of an attempt that are kept in memory, with their types."""
    import polars as pl

    columns: dict[str, Any] = {
        "custom_id": pl.String,
        "batch": pl.Categorical,
        "outcome": pl.Categorical,
    }
    for question in questions:
        small = question.whole and _LEAST < question.minimum <= question.maximum < _MOST
        number = pl.Int16 if small else pl.Float64
        columns[f"{question.id}_value"] = {
            ItemKind.NUMBER: number,
            ItemKind.CHOICE: pl.Categorical,
        }.get(question.kind, pl.String)
        columns[f"{question.id}_pattern"] = pl.Categorical
        columns[f"{question.id}_cause"] = pl.Categorical
    return columns


def _with_attempts(table: "pl.DataFrame", attempts: "pl.DataFrame") -> "pl.DataFrame":
    """Say of every request which attempt counts."""
    import polars as pl

    start = pl.col("outcome").replace_strict(STARTS, default=OTHERS, return_dtype=pl.Int64)
    order = order_of(start, pl.int_range(pl.len(), dtype=pl.Int64))
    counts = (
        attempts.select("custom_id", order.alias("_order"))
        .group_by("custom_id")
        .agg(at=place_of(pl.col("_order").min()).cast(pl.UInt32))
    )
    return table.join(counts, on="custom_id", how="left", maintain_order="left")


def _differences(one: JobAnswers, summary: Mapping[str, Any]) -> list[str]:
    """Say where what was counted here is not what the runner counted."""
    tally = dict(one.table["state"].value_counts().iter_rows())
    found: list[str] = []
    for code in (GOOD, GOOD_AGAIN):
        word, here = STATE_WORDS[code], tally.get(code, 0)
        if word in summary and summary[word] != here:
            found.append(
                tr(
                    "! {word}: {here:,} counted here, {told:,} in the ledger's summary",
                    word=term("status", word),
                    here=here,
                    told=summary[word],
                )
            )
    lost = one.table.filter(
        one.table["state"].is_in([GOOD, GOOD_AGAIN]) & one.table["at"].is_null()
    )
    if lost.height:
        found.append(
            tr(
                "{count:,} requests were answered well, and their values are not here",
                count=lost.height,
            )
        )
    return found


def _line(error: BaseException) -> str:
    """Return an error in one line of bearable length."""
    return heard(" ".join(str(error).split())[:160]) or type(error).__name__


Progress = Callable[[int, int], bool]
"""Told how many of how many are done; returns False when the rest is not wanted."""


class Places:
    """Requests of several jobs in a row: a place on the screen to a place in a table, and back."""

    def __init__(
        self,
        answers: Answers,
        chosen: "tuple[pl.Series | None, ...] | None" = None,
        order: "pl.Series | None" = None,
    ) -> None:
        """Show some requests.

        Args:
            answers: all of them.
            chosen: of each job, the rows that are shown, in order; None: every one.
            order: which of those comes first, which second, counted over all jobs; None: as they are.
        """
        self.answers = answers
        self._order = order
        self._chosen = chosen or (None,) * len(answers.jobs)
        sizes = [
            one.table.height if rows is None else len(rows)
            for one, rows in zip(answers.jobs, self._chosen, strict=True)
        ]
        self._ends = list(accumulate(sizes))

    def __len__(self) -> int:
        """Return how many there are."""
        return self._ends[-1] if self._ends else 0

    def at(self, index: int) -> tuple[JobAnswers, int]:
        """Return the job of one, and its row in the job's table."""
        if self._order is not None:
            index = int(self._order[index])
        number = bisect_right(self._ends, index)
        place = index - (self._ends[number - 1] if number else 0)
        rows = self._chosen[number]
        return self.answers.jobs[number], place if rows is None else int(rows[place])

    def key(self, index: int) -> str:
        """Return what one is called, as `openai_gpt-4o-mini/p1_t1_n01`."""
        one, row = self.at(index)
        return f"{one.name}/{one.table['custom_id'][row]}"

    def find(self, key: str) -> int | None:
        """Return where one is now."""
        place = self._find(key)
        return place if place is None or self._order is None else self._order.index_of(place)

    def _find(self, key: str) -> int | None:
        """Return where one would be in the order of the jobs."""
        name, _, custom_id = key.rpartition("/")
        for number, one in enumerate(self.answers.jobs):
            if one.name != name:
                continue
            row = one.table["custom_id"].index_of(custom_id)
            if row is None:
                return None
            start = self._ends[number - 1] if number else 0
            rows = self._chosen[number]
            if rows is None:
                return start + row
            place = int(rows.search_sorted(row))
            return start + place if place < len(rows) and rows[place] == row else None
        return None

    def frames(self) -> "list[tuple[JobAnswers, pl.DataFrame]]":
        """Return what is shown, a frame a job."""
        return [
            (one, one.table if rows is None else one.table[rows])
            for one, rows in zip(self.answers.jobs, self._chosen, strict=True)
        ]

    def sorted_by(self, cells: "list[pl.Series]", *, descending: bool) -> "Places":
        """Return the same requests in another order; what is missing comes last, what is alike stays.

        Args:
            cells: of each job, a column of its table, a cell a request.
            descending: from the highest to the lowest.
        """
        import polars as pl

        shown = [
            column if rows is None else column.gather(rows)
            for column, rows in zip(cells, self._chosen, strict=True)
        ]
        if not shown:
            return self
        kind = pl.Float64 if all(column.dtype.is_numeric() for column in shown) else pl.String
        frame = pl.DataFrame(
            {"cell": pl.concat([column.cast(kind).rename("") for column in shown])}
        )
        order = frame.with_row_index("place").sort(
            "cell", "place", descending=[descending, False], nulls_last=True
        )
        return Places(self.answers, self._chosen, order["place"])
