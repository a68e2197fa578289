"""Patterns: which one read how many answers, the answers that none read, and why values are missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from runner.batches.attempts import NO_PATTERN, parts
from runner.core.model import Batch
from runner.core.states import BatchState
from runner.core.summary import add_up
from tui.cells import Glyphs, clean, share
from tui.frame import Line, Piece
from tui.language import later, term, tr
from tui.model import Job, Snapshot
from tui.reading import ANSWERED, MOST_READ, compiled
from tui.rows import Cell, Col, ListRows, own
from tui.rowtable import RowTable
from tui.views.view import OpenAnswers, View

Counts = Mapping[str, int]
Stats = Mapping[str, Counts]

ALL = "all"
EXAMPLES = 3
EVERY_PATTERN, WIDEST = 64, 14
"""Patterns that get a column of their own, and how many cells it has at most."""
FOLDED = "="
"""The key of the row of all that never matched; no pattern has such a name."""
_LOST_FORM = later("(an older version did not keep it)")
BEFORE, AFTER = 16, 160
"""Characters of an example on either side of the match."""


@dataclass(frozen=True, slots=True)
class PatternRow:
    """One row: a job's answers to one question, or to all together."""

    job: Job
    question: str
    counts: Counts

    @property
    def key(self) -> str:
        """Return what stays the same about it."""
        return f"{self.job.name}/{self.question}"

    @property
    def total(self) -> int:
        """Return how many values were looked for: one for each question of each answer."""
        return sum(self.counts.values())

    @property
    def missed(self) -> int:
        """Return how many values no pattern found."""
        return self.counts.get(NO_PATTERN, 0)

    @property
    def answers(self) -> int:
        """Return how many answers were read; each is read once for every question."""
        stats = stats_of(self.job, "pattern_match_stats")
        asked = stats.values() if self.question == ALL else [self.counts]
        return max((sum(counts.values()) for counts in asked), default=0)


@dataclass(frozen=True, slots=True)
class Example:
    """One answer that a pattern read, or that none read."""

    custom_id: str
    question: str
    pieces: tuple[Piece, ...]


# -- counting; pure


def stats_of(job: Job, key: str) -> Stats:
    """Return one of the summary's nested counters."""
    found = job.summary.get(key, {})
    return found if isinstance(found, Mapping) else {}


def added(counters: Sequence[Counts]) -> dict[str, int]:
    """Sum counters."""
    return add_up({ALL: counts} for counts in counters).get(ALL, {})


def pattern_rows(jobs: Sequence[Job], *, by_question: bool) -> list[PatternRow]:
    """Return a row a job, or a row a job and question; the most answers that none read first."""
    found: list[PatternRow] = []
    for job in jobs:
        stats = stats_of(job, "pattern_match_stats")
        if by_question:
            found += [PatternRow(job, question, counts) for question, counts in stats.items()]
        elif stats:
            found.append(PatternRow(job, ALL, added(list(stats.values()))))
    return sorted(found, key=lambda row: -row.missed / max(row.total, 1))


def known_patterns(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """Return the patterns in the order in which they are tried, each with what it looks like."""
    found: dict[str, str] = {}
    for job in jobs:
        questions = job.experiment.get("question_set")
        listed = questions.get("value_patterns", ()) if isinstance(questions, Mapping) else ()
        for pattern in listed:
            if isinstance(pattern, Mapping) and "name" in pattern:
                form = str(pattern.get("regex") or f"({pattern.get('kind', '?')})")
                found.setdefault(str(pattern["name"]), form)
    return list(found.items())


def names_in_order(jobs: Sequence[Job], rows: Sequence[PatternRow]) -> list[str]:
    """Return the patterns that read something: none first, then as they are tried, else by count."""
    counts = added([row.counts for row in rows])
    known = [name for name, _ in known_patterns(jobs)]
    others = sorted((n for n in counts if n not in known), key=lambda n: (-counts[n], n))
    return [NO_PATTERN, *(n for n in (*known, *others) if counts.get(n) and n != NO_PATTERN)]


def matrix_columns(names: Sequence[str], *, by_question: bool) -> list[Col]:
    """Return the columns; where there is no room, the last patterns go first."""
    columns = [own("job", 14, grow=1)]
    columns += [own("question", 10)] if by_question else []
    columns += [own("answers", 8, "right"), own("values", 8, "right", rank=EVERY_PATTERN)]
    columns.append(Col(f"{NO_PATTERN} %", 6, "right"))
    columns += [
        Col(f"{name} %", min(max(cell_len(name) + 2, 5), WIDEST), "right", rank=place)
        for place, name in enumerate(map(clean, names[1:EVERY_PATTERN]), start=1)
    ]
    return columns


def matrix_cells(
    row: PatternRow, names: Sequence[str], label: str, *, by_question: bool
) -> list[Cell]:
    """Return a row's cells: answers, the values that were looked for in them, and shares of those in percent."""
    cells: list[Cell] = [row.job.name, *([label] if by_question else [])]
    cells += [f"{row.answers:,}", f"{row.total:,}"]
    cells.append((share(row.missed, row.total), "warn" if row.missed else "dim"))
    for name in names[1:EVERY_PATTERN]:
        count = row.counts.get(name, 0)
        cells.append((share(count, row.total), "" if count else "dim"))
    return cells


def pattern_cells(
    name: str, form: str, counts: Counts, glyphs: Glyphs
) -> tuple[str, Sequence[Cell]]:
    """Return a row of the list below: one pattern, over all that is in scope."""
    count, total = counts.get(name, 0), sum(counts.values())
    style = "warn" if name == NO_PATTERN and count else "" if count else "dim"
    cells = (name, f"{share(count, total) or glyphs.none}", f"{count:,}", form)
    return name, [(cell, style) for cell in cells]


def folded_cells(names: Sequence[str], glyphs: Glyphs) -> tuple[str, Sequence[Cell]]:
    """Return the one row that stands for all patterns that never matched."""
    said = tr(
        "{count:,} never matched (Enter shows them): {names}",
        count=len(names),
        names=", ".join(names),
    )
    return FOLDED, [(cell, "dim") for cell in (glyphs.more, "0", "0", said)]


def cause_rows(jobs: Sequence[Job]) -> Iterator[tuple[str, Sequence[Cell]]]:
    """Yield a row a question and cause, the most frequent first."""
    merged = add_up(stats_of(job, "missing_by_cause") for job in jobs)
    for question, counts in merged.items():
        asked = sum(stats.get(question, 0) for stats in _totals(jobs))
        for cause, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            cells = (
                _label(jobs, question),
                term("cause", cause),
                f"{count:,}",
                share(count, asked),
            )
            yield f"{question}/{cause}", cells


def _totals(jobs: Sequence[Job]) -> Iterator[Counts]:
    for job in jobs:
        stats = stats_of(job, "pattern_match_stats")
        yield {question: sum(counts.values()) for question, counts in stats.items()}


def _label(jobs: Sequence[Job], question: str) -> str:
    for job in jobs:
        row = job.definition.get("questions", {}).get(question)
        if isinstance(row, Mapping) and row.get("label"):
            return f"{question} {row['label']}"
    return question


# -- examples; read in a thread


def examples(jobs: Sequence[Job], question: str, pattern: str) -> tuple[list[Example], str | None]:
    """Read a few answers that a pattern read; polars is loaded here.

    Args:
        jobs: where to look, in order.
        question: its id, or `all`.
        pattern: its name, or `none`.

    Returns:
        The answers, and what kept some from being read, in one line.
    """
    import polars as pl

    found: dict[str, Example] = {}
    trouble: str | None = None
    for job in jobs:
        asked = list(job.definition.get("questions", {})) if question == ALL else [question]
        for batch in job.batches:
            if batch.state is not BatchState.COLLECTED or not _may_have(batch, asked, pattern):
                continue
            for path in parts(job.folder, batch.key):
                try:
                    for example in _in_part(job, path, asked, pattern):
                        found.setdefault(example.custom_id, example)
                except (OSError, ValueError, pl.exceptions.PolarsError) as error:
                    trouble = tr(
                        "{name} cannot be read ({error})",
                        name=path.name,
                        error=" ".join(str(error).split())[:100],
                    )
                if len(found) >= EXAMPLES:
                    return list(found.values())[:EXAMPLES], trouble
    return list(found.values()), trouble


def _may_have(batch: Batch, asked: Sequence[str], pattern: str) -> bool:
    return any(batch.patterns.get(question, {}).get(pattern) for question in asked)


def _in_part(job: Job, path: Path, asked: Sequence[str], pattern: str) -> Iterator[Example]:
    import polars as pl

    part = pl.scan_parquet(path, glob=False)
    there = part.collect_schema().names()
    for question in asked:
        column = f"{question}_pattern"
        if column not in there:
            continue
        test = pl.col(column).cast(pl.String)
        fits = (
            test.is_null() & pl.col("outcome").cast(pl.String).is_in(ANSWERED)
            if pattern == NO_PATTERN
            else test == pattern
        )
        rows = part.filter(fits & pl.col("raw_answer").is_not_null()).head(EXAMPLES).collect()
        for row in rows.iter_rows(named=True):
            pieces = _excerpt(job, question, pattern, row)
            yield Example(row["custom_id"], question, tuple(pieces))


def _excerpt(job: Job, question: str, pattern: str, row: Mapping[str, Any]) -> Iterator[Piece]:
    """Yield an answer in one line, cut around the match, which is marked where it can be found."""
    text = row["raw_answer"]
    span = None if pattern == NO_PATTERN else _span(job, question, pattern, row)
    if span is None:
        yield text[: BEFORE + AFTER] or tr("(an empty answer)"), "" if text else "dim"
        return
    begin, end = span
    yield ("…" if begin > BEFORE else "") + text[max(begin - BEFORE, 0) : begin], ""
    yield text[begin:end], "match"
    yield text[end : end + AFTER], ""


def _span(job: Job, question: str, pattern: str, row: Mapping[str, Any]) -> tuple[int, int] | None:
    text = row["raw_answer"]
    reader = compiled(job.experiment.get("question_set"))
    if reader is None or len(text) > MOST_READ:
        return None
    found = reader.read_of(row["custom_id"], text, row.get("finish_reason")).get(question)
    return found.span if found is not None and found.pattern == pattern else None


class ExamplesRead(Message):
    """Examples were read."""

    def __init__(self, wanted: tuple[str, str], found: list[Example], trouble: str | None) -> None:
        """Carry them, and what was wanted."""
        super().__init__()
        self.wanted, self.found, self.trouble = wanted, found, trouble


class PatternsView(View):
    """Which pattern read what."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "o",
            "together",
            "By question",
            id="by_question",
            tooltip="A row a job, or a row a job and question",
        ),
        Binding(
            "m",
            "causes",
            "Missing",
            id="causes",
            tooltip="Show why values are missing, in place of the patterns",
        ),
    ]

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        """Start with all questions together."""
        super().__init__(glyphs, id=id)
        self._by_question = False
        self._unfolded = False
        """Whether patterns that never matched have a row each."""
        self._rows: dict[str, PatternRow] = {}
        self._wanted: tuple[str, str] | None = None
        self._columns: list[Col] = []

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield RowTable([own("job", 14, grow=1)], empty=tr("no answer was read yet"), id="matrix")
        with Horizontal(id="below"):
            yield RowTable(
                [
                    own("pattern", 14),
                    Col("%", 5, "right"),
                    own("values", 9, "right"),
                    own("as it is tried", 20, grow=1),
                ],
                id="regexes",
            )
            yield RowTable(
                [
                    own("missing", 12, grow=1),
                    own("why", 13),
                    own("values", 7, "right"),
                    Col("%", 5, "right"),
                ],
                empty=tr("nothing is missing"),
                id="causes",
            )
        yield Line(id="examples", classes="foot")

    # -- drawing

    def draw(self, snapshot: Snapshot) -> None:
        """Draw."""
        jobs = snapshot.known
        rows = pattern_rows(jobs, by_question=self._by_question)
        self._rows = {row.key: row for row in rows}
        names = names_in_order(jobs, rows)
        columns = matrix_columns(names, by_question=self._by_question)
        matrix = self.query_one("#matrix", RowTable)
        if columns != self._columns:
            matrix.set_rows(ListRows())
            matrix.set_columns(columns)
            self._columns = columns
        matrix.set_rows(
            ListRows(
                (
                    row.key,
                    matrix_cells(
                        row, names, _label(jobs, row.question), by_question=self._by_question
                    ),
                )
                for row in rows
            )
        )
        matrix.styles.height = max(len(rows), 1) + 1
        self._draw_patterns(jobs)
        self.query_one("#causes", RowTable).set_rows(ListRows(cause_rows(jobs)))
        self._want_examples()

    def _draw_patterns(self, jobs: Sequence[Job]) -> None:
        row = self._row()
        counts = added([r.counts for r in self._rows.values() if row is None or _alike(r, row)])
        forms = dict(known_patterns(jobs))
        names = [NO_PATTERN, *forms, *(n for n in counts if n not in forms and n != NO_PATTERN)]
        form = {NO_PATTERN: tr("values that no pattern found"), **forms}
        shown = [name for name in names if self._unfolded or name == NO_PATTERN or counts.get(name)]
        listed = [
            pattern_cells(name, form.get(name, tr(_LOST_FORM)), counts, self.glyphs)
            for name in shown
        ]
        if len(names) > len(shown):
            listed.append(folded_cells([name for name in names if name not in shown], self.glyphs))
        self.query_one("#regexes", RowTable).set_rows(ListRows(listed if counts else ()))

    def _row(self) -> PatternRow | None:
        return self._rows.get(self.query_one("#matrix", RowTable).key or "")

    def _pattern(self) -> str | None:
        key = self.query_one("#regexes", RowTable).key
        return None if key == FOLDED else key

    @on(RowTable.Moved)
    def _on_moved(self, message: RowTable.Moved) -> None:
        message.stop()
        if message.table.id == "matrix" and self.snapshot is not None:
            self._draw_patterns(self.snapshot.known)
        self._want_examples()

    # -- examples

    def _want_examples(self) -> None:
        row, pattern = self._row(), self._pattern()
        if row is None or pattern is None or self.snapshot is None:
            self._wanted = None
            self._say()
            return
        wanted = (row.key, pattern)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self._read_examples(row, pattern)

    @work(thread=True, exclusive=True, group="examples")
    def _read_examples(self, row: PatternRow, pattern: str) -> None:
        found, trouble = examples((row.job,), row.question, pattern)
        self.post_message(ExamplesRead((row.key, pattern), found, trouble))

    @on(ExamplesRead)
    def _on_examples(self, message: ExamplesRead) -> None:
        message.stop()
        if message.wanted != self._wanted:
            return
        lines: list[list[Piece]] = [
            [(f"{example.custom_id} {example.question}  ", "strong"), *example.pieces]
            for example in message.found
        ]
        if message.trouble is not None:
            lines.append([(message.trouble, "warn")])
        nothing = [[(tr("no answer with {pattern} here", pattern=message.wanted[1]), "dim")]]
        form = dict(known_patterns(self.snapshot.known if self.snapshot else ()))
        head = [(form.get(message.wanted[1], ""), "dim")]
        self._say(*([head] if head[0][0] else []), *(lines or nothing))

    def _say(self, *lines: list[Piece]) -> None:
        foot = self.query_one("#examples", Line)
        foot.set_lines(*lines)
        foot.refresh(layout=True)

    # -- doing

    @on(RowTable.Opened)
    def _on_opened(self, message: RowTable.Opened) -> None:
        message.stop()
        row, pattern = self._row(), self._pattern()
        if message.table.id == "causes":
            question, _, cause = message.key.partition("/")
            self.post_message(OpenAnswers(f"cause:{cause} q:{question}"))
        elif message.table.id == "regexes" and message.key == FOLDED:
            self._unfolded = True
            self.redraw()
        elif row is not None and pattern is not None:
            asked = "" if row.question == ALL else f" q:{row.question}"
            self.post_message(OpenAnswers(f"pattern:{pattern}{asked} job:{row.job.name}"))

    def action_together(self) -> None:
        """Show a row a job, or a row a job and question."""
        self._by_question = not self._by_question
        self._wanted = None
        if self.snapshot is not None:
            self.draw(self.snapshot)

    def action_causes(self) -> None:
        """Show why values are missing, or the patterns again."""
        self.toggle_class("-causes")
        table = "#causes" if self.has_class("-causes") else "#regexes"
        self.query_one(table, RowTable).focus()

    def focus_table(self) -> None:
        """Put the keys on the jobs."""
        self.query_one("#matrix", RowTable).focus()

    def csv_rows(self) -> list[list[str]]:
        """Return counts, a row a job and question."""
        snapshot = self.snapshot
        if snapshot is None or not self._rows:
            return []
        rows = pattern_rows(snapshot.known, by_question=True)
        names = names_in_order(snapshot.known, rows)
        head = ["job", "provider", "model", "question", "readings", *names]
        lines = (
            [row.job.name, row.job.provider, row.job.model, row.question, str(row.total)]
            + [str(row.counts.get(name, 0)) for name in names]
            for row in rows
        )
        return [head, *lines]


def _alike(one: PatternRow, other: PatternRow) -> bool:
    return one.question == other.question
