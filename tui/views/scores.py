"""The Scores: mean and spread by factors, model or temperature, and a histogram of one row."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from tui.answers import Answers, Signature, signature, store_of
from tui.cells import Glyphs, fit, share, spark
from tui.conditions import spelled
from tui.frame import Line, Piece, paragraphs
from tui.language import tr
from tui.model import Job, Snapshot
from tui.rows import Cell, Col, own
from tui.rowtable import RowTable
from tui.scoring import Pivot, Score, ScoreRow, ScoreTable, pivots_of, score_table
from tui.views.view import SORT, View

MOST_NOTES = 2


def columns(table: ScoreTable) -> list[Col]:
    """Return the table's columns."""
    return [
        *(Col(spelled(name), 10, grow=2) for name in table.pivot.by),
        Col("n", 6, "right"),
        own("fail%", 5, "right"),
        own("open", 5, "right", rank=1),
        *(
            Col(q.title, 10, "right", rank=place if place > 4 else 0, grow=1)
            for place, q in enumerate(table.questions, start=1)
        ),
    ]


def mean_sd(score: Score, n: int, glyphs: Glyphs) -> str:
    """Return mean and standard deviation; no deviation of one value, and nothing of none."""
    if score.mean is None:
        return glyphs.none
    spread = "" if score.sd is None else f" {glyphs.plus_minus}{score.sd:.1f}"
    other = "" if score.n == n else f" n{score.n:,}"
    return f"{score.mean:.1f}{spread}{other}"


def cells(row: ScoreRow, table: ScoreTable, glyphs: Glyphs) -> list[Cell]:
    """Return a row's cells."""
    decided = row.n + row.failed
    failed = share(row.failed, decided) if decided else glyphs.none
    return [
        *(_label(label, glyphs) for label in row.labels),
        f"{row.n:,}",
        (failed, "bad" if row.failed else "dim"),
        (f"{row.open:,}", "" if row.open else "dim"),
        *(mean_sd(row.scores[q.id], row.n, glyphs) for q in table.questions),
    ]


def _label(label: str | float | None, glyphs: Glyphs) -> str:
    if label is None:
        return glyphs.none
    return f"{label:g}" if isinstance(label, float) else label


def _sorted_by(table: ScoreTable) -> dict[str, str]:
    """Return the titles of the columns, each with what the rows are sorted by then."""
    factors = [spelled(name) for name in table.pivot.by]
    return {
        **{question.title: question.id for question in table.questions},
        **{name: name for name in (*factors, "n")},
        tr("fail%"): "fail%",
        tr("open"): "open",
    }


class _Drawn:
    """The rows of the table on the screen, each drawn when it comes into sight."""

    def __init__(self, table: ScoreTable, glyphs: Glyphs) -> None:
        self._table, self._glyphs = table, glyphs

    def __len__(self) -> int:
        return len(self._table.rows)

    def key(self, index: int) -> str:
        return self._table.rows.key(index)

    def find(self, key: str) -> int | None:
        return self._table.rows.find(key)

    def cells(self, index: int) -> Sequence[Cell]:
        return cells(self._table.rows[index], self._table, self._glyphs)


def histogram_lines(
    row: ScoreRow | None, table: ScoreTable | None, width: int, glyphs: Glyphs
) -> list[list[Piece]]:
    """Return a line a question: how its values are spread over its range."""
    if row is None or table is None:
        return []
    names = " ".join(_label(label, glyphs) for label in row.labels)
    lines: list[list[Piece]] = [[(f"{names}  ", "strong"), (tr("{n:,} answers", n=row.n), "dim")]]
    for question in table.questions:
        score = row.scores[question.id]
        name = fit(question.title, 14, more=glyphs.more)
        low, high = f"{question.minimum:g}", f"{question.maximum:g}"
        bars = spark(list(score.bins), glyphs)
        wide = 2 if width >= 40 + 2 * len(bars) else 1
        drawn = "".join(sign * wide for sign in bars) or glyphs.none
        lines.append(
            [
                (f"{name} ", ""),
                (f"{low:>3} {glyphs.bar}", "dim"),
                (drawn, ""),
                (f"{glyphs.bar} {high}", "dim"),
                (f"  {mean_sd(score, row.n, glyphs)}", ""),
            ]
        )
    return lines


class Histogram(Widget):
    """The selected row's values; drawn anew when the width changes."""

    def __init__(self, glyphs: Glyphs) -> None:
        """Start blank."""
        super().__init__(classes="foot")
        self._glyphs = glyphs
        self._row: ScoreRow | None = None
        self._table: ScoreTable | None = None
        self._computed: ScoreTable | None = None
        """The table in the order of the factors."""

    def set_row(self, row: ScoreRow | None, table: ScoreTable | None) -> None:
        """Draw this one."""
        self._row, self._table = row, table
        self.refresh(layout=True)

    def _lines(self) -> list[list[Piece]]:
        return histogram_lines(self._row, self._table, self.size.width, self._glyphs)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return how many lines there are."""
        return len(histogram_lines(self._row, self._table, width, self._glyphs))

    def render(self) -> Content:
        """Draw."""
        return paragraphs(self._lines())


class ScoresView(View):
    """The scores of the jobs in scope."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pivot", "Pivot", id="pivot", tooltip="rows by other factors"),
        *SORT,
    ]

    class Computed(Message):
        """The scores were computed."""

        def __init__(self, answers: Answers, table: ScoreTable, asked: object) -> None:
            """Carry them."""
            super().__init__()
            self.answers, self.table, self.asked = answers, table, asked

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        """Start without scores."""
        super().__init__(glyphs, id=id)
        self._pivot: Pivot | None = None
        """None: the first."""
        self._asked: tuple[Signature, Pivot] | None = None
        self._table: ScoreTable | None = None

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Line(id="scores-head")
        yield RowTable([Col("", 1)], empty=tr("reading"), id="scores")
        yield Histogram(self.glyphs)

    def draw(self, snapshot: Snapshot) -> None:
        """Compute the scores, if there are other answers than before."""
        pivot = self._pivots(snapshot)[0]
        asked = (signature(snapshot.jobs), pivot)
        if asked != self._asked:
            self._asked = asked
            self._compute(snapshot.jobs, asked, pivot)

    def _pivots(self, snapshot: Snapshot) -> tuple[Pivot, ...]:
        """Return what can make rows, from what does so now on."""
        found = pivots_of(snapshot.known)
        place = found.index(self._pivot) if self._pivot in found else 0
        return (*found[place:], *found[:place])

    @work(thread=True, exclusive=True, group="scores")
    def _compute(self, jobs: tuple[Job, ...], asked: object, pivot: Pivot) -> None:
        worker = get_current_worker()
        answers = store_of(self.app).read(jobs)
        table = score_table(answers, pivot)
        if not worker.is_cancelled:
            self.post_message(self.Computed(answers, table, asked))

    def on_scores_view_computed(self, message: Computed) -> None:
        """Show them."""
        if message.asked != self._asked:
            return
        self._computed = message.table
        self._show_table(message.table)

    def _show_table(self, table: ScoreTable) -> None:
        """Show a table, sorted as the user wants it."""
        titles = _sorted_by(table)
        if self.order is not None and self.order[0] in titles:
            by, descending = self.order
            ordered = table.rows.sorted_by(titles[by], descending=descending)
            table = replace(table, rows=ordered)
        self._table = table
        rows = self.query_one(RowTable)
        rows.set_columns(columns(table))
        rows.empty = tr("no request was sent yet")
        rows.set_rows(_Drawn(table, self.glyphs))
        rows.show_order(self.order)
        following = self._pivots(self.snapshot)[1].name if self.snapshot else ""
        about: list[Piece] = [
            (table.pivot.name, "strong"),
            (tr("  p: {following}", following=following), "dim"),
        ]
        if table.rehearsal:
            about.append((tr("  rehearsed answers"), "warn"))
        spread = tr(
            "mean {plus_minus}sd of every value that was read", plus_minus=self.glyphs.plus_minus
        )
        about.append((tr("  {spread}; fail% of requests decided", spread=spread), "dim"))
        notes: list[list[Piece]] = [
            [(f"{self.glyphs.warning} {note}", "warn")] for note in table.notes[:MOST_NOTES]
        ]
        head = self.query_one("#scores-head", Line)
        head.set_lines(about, *notes)
        head.refresh(layout=True)
        self._draw_histogram()

    @on(RowTable.Moved)
    def _draw_histogram(self) -> None:
        table, key = self._table, self.query_one(RowTable).key
        place = None if table is None or key is None else table.rows.find(key)
        row = None if table is None or place is None else table.rows[place]
        self.query_one(Histogram).set_row(row, table)

    def sortable(self) -> list[str]:
        """Return the titles of the columns that rows can be sorted by."""
        return [] if self._computed is None else list(_sorted_by(self._computed))

    def sort_by(self, order: tuple[str, bool] | None) -> None:
        """Sort by a column; None: as it was."""
        self.order = order
        if self._computed is not None:
            self._show_table(self._computed)

    def action_pivot(self) -> None:
        """Make rows by other factors."""
        if self.snapshot is not None:
            self._pivot = self._pivots(self.snapshot)[1]
            self.redraw()

    def csv_rows(self) -> list[list[str]]:
        """Return what is shown; what is missing is empty."""
        table = self._table
        if table is None:
            return []
        parts = [f"{q.id}_{part}" for q in table.questions for part in ("n", "mean", "sd")]
        found = [[*map(spelled, table.pivot.by), "n", "failed", "open", *parts]]
        for row in table.rows:
            scores = [row.scores[q.id] for q in table.questions]
            found.append(
                [
                    *("" if label is None else str(label) for label in row.labels),
                    *(str(row.n), str(row.failed), str(row.open)),
                    *(
                        "" if part is None else str(part)
                        for score in scores
                        for part in (score.n, score.mean, score.sd)
                    ),
                ]
            )
        return found
