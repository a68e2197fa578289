"""One condition side by side: what each model answered, and how all its answers are spread."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from runner.core.model import ItemKind
from tui.answers import Answers, JobAnswers, QuestionShown
from tui.cells import Glyphs, clean, spark
from tui.conditions import level_words
from tui.frame import Keys, Line, Piece
from tui.language import term, tr
from tui.reading import Value, outcome_word, read_one, shown_value
from tui.scoring import bins_of, width_of
from tui.screens.answer import STATE_STYLE, look, raw_lines
from tui.textlines import TextLines, fold

NARROWEST = 24
"""Cells of a column; models that have no room are reached with the arrow keys."""

Lines = list[list[Piece]]


@dataclass(frozen=True, slots=True)
class Asking:
    """One condition as one job asks it."""

    job: JobAnswers
    rows: tuple[int, ...]
    """Its requests, in the order of their trials."""


def askings(answers: Answers, one: JobAnswers, row: int) -> list[Asking]:
    """Return who else was asked the same as a request: the same levels of the same factors.

    Args:
        answers: of all jobs in scope.
        one: the job of the request.
        row: its row there.
    """
    import polars as pl

    condition = one.conditions[one.table["condition"][row]]
    found = []
    for job in answers.jobs:
        if condition.stem not in job.conditions.stems:
            continue
        place = list(job.conditions.stems).index(condition.stem)
        if job.conditions[place].levels == condition.levels:
            rows = job.table.with_row_index("row").filter(pl.col("condition") == place)
            found.append(Asking(job, tuple(rows.sort("trial")["row"])))
    return found


def spread_lines(asking: Asking, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield how the values of all trials are spread, for each question."""
    for question in asking.job.questions:
        values = asking.job.column(f"{question.id}_value").gather(list(asking.rows)).drop_nulls()
        head: list[Piece] = [(f"{question.id} ", "strong")]
        if not len(values):
            yield [*head, (tr("{none}  no value", none=glyphs.none), "dim")]
        elif question.kind is ItemKind.NUMBER:
            numbers = [float(value) for value in values]
            sd = values.cast(float).std() if len(numbers) > 1 else None
            spread = "" if sd is None else f" {glyphs.plus_minus}{sd:.1f}"
            mean = f"{sum(numbers) / len(numbers):.1f}{spread}  n {len(numbers):,}"
            bars = spark(_bins(question, numbers), glyphs)
            yield [*head, (mean, "")]
            yield [(f"{glyphs.bar}{bars}{glyphs.bar}", "")]
        else:
            counts = values.value_counts(sort=True).head(3).iter_rows()
            told = ", ".join(f"{shown_value(value)} {count:,}" for value, count in counts)
            yield [*head, (f"{told}  n {len(values):,}", "")]


def _bins(question: QuestionShown, numbers: Sequence[float]) -> list[int]:
    found = [0] * bins_of(question)
    for number in numbers:
        place = int((number - question.minimum) // width_of(question))
        found[max(0, min(place, len(found) - 1))] += 1
    return found


def said_lines(asking: Asking, trial: int, glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield what a model answered in one trial; read from disk, so to be called in a thread."""
    if trial >= len(asking.rows):
        yield [(tr("not asked so often"), "dim")]
        return
    answer = read_one(asking.job, asking.rows[trial])
    looked = look(answer, answer.first_shown)
    yield [(term("status", answer.state), STATE_STYLE[answer.state] or "strong")]
    attempt = looked.attempt
    if not attempt.answered:
        yield [(tr("no answer here: {outcome}", outcome=outcome_word(attempt.outcome)), "warn")]
        return
    for question in asking.job.questions:
        value = attempt.values.get(question.id, Value()).value
        told = (glyphs.none, "bad") if value is None else (shown_value(value), "strong")
        yield [(f"{question.id} ", ""), told]
    yield []
    yield from raw_lines(looked, glyphs)


def beside(columns: Sequence[Lines], width: int, glyphs: Glyphs) -> Lines:
    """Return texts side by side, each folded to its share of the width."""
    gap = f" {glyphs.bar} "
    size = max((width - len(gap) * (len(columns) - 1)) // max(len(columns), 1), 1)
    folded = [
        [row for line in column for row in fold([(clean(t), s) for t, s in line], size)]
        for column in columns
    ]
    lines: Lines = []
    for number in range(max(map(len, folded), default=0)):
        line: list[Piece] = []
        for place, column in enumerate(folded):
            row = column[number] if number < len(column) else []
            used = sum(cell_len(text) for text, _ in row)
            last = place == len(folded) - 1
            line += [*row, ("" if last else " " * (size - used), ""), ("" if last else gap, "dim")]
        lines.append([piece for piece in line if piece[0]])
    return lines


class SideBySide(Screen[None]):
    """The answers of several models to one condition."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="back", key_display="esc", tooltip="to the list"),
        Binding("n", "step(1)", "Next trial", id="next_trial", tooltip="the next trial"),
        Binding("p", "step(-1)", "Previous", id="previous_trial", tooltip="the trial before"),
        Binding(
            "right", "shift(1)", "More models", id="more_models", tooltip="models to the right"
        ),
        Binding("left", "shift(-1)", "Left", id="fewer_models", show=False, tooltip="to the left"),
        Binding("question_mark", "app.help", "Help", id="help", key_display="?", show=False),
        Binding("q,ctrl+c", "app.quit", "Quit", id="quit", key_display="q", show=False),
    ]

    class Read(Message):
        """The answers of one trial were read."""

        def __init__(self, trial: int, columns: list[Lines]) -> None:
            """Carry them, a column a model."""
            super().__init__()
            self.trial, self.columns = trial, columns

    def __init__(self, glyphs: Glyphs, answers: Answers, one: JobAnswers, row: int) -> None:
        """Show the condition of a request.

        Args:
            glyphs: to draw with.
            answers: of all jobs in scope.
            one: the job of the request.
            row: its row there.
        """
        super().__init__()
        self._glyphs = glyphs
        self._askings = askings(answers, one, row)
        here = next(asking for asking in self._askings if asking.job is one)
        self._condition = one.conditions[one.table["condition"][row]]
        self._trial = here.rows.index(row)
        self._first = 0
        self._columns: list[Lines] = []

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Line(id="answer-title")
        yield TextLines(id="answer-text")
        yield Keys(show_command_palette=False)

    def on_mount(self) -> None:
        """Read."""
        self.query_one(TextLines).focus()
        self._read(self._trial)

    @property
    def _trials(self) -> int:
        return max(len(asking.rows) for asking in self._askings)

    @work(thread=True, exclusive=True, group="side")
    def _read(self, trial: int) -> None:
        worker = get_current_worker()
        columns = []
        for asking in self._askings:
            job = asking.job.job
            rehearsal: list[Piece] = [(tr("  REHEARSAL"), "warn")] if job.emulated else []
            head: Lines = [[(f"{job.model} {job.provider}", "strong"), *rehearsal]]
            spread = spread_lines(asking, self._glyphs)
            columns.append([*head, *spread, [], *said_lines(asking, trial, self._glyphs)])
        if not worker.is_cancelled:
            self.post_message(self.Read(trial, columns))

    def on_side_by_side_read(self, message: Read) -> None:
        """Draw what was read."""
        if message.trial == self._trial:
            self._columns = message.columns
            self._draw()

    def on_resize(self) -> None:
        """Fold anew."""
        self._draw()

    @property
    def _fitting(self) -> int:
        """Return how many columns there is room for."""
        return max((self.size.width - 3) // (NARROWEST + 3), 1)

    def _draw(self) -> None:
        gap, count = f" {self._glyphs.dot} ", len(self._askings)
        last = min(self._first + self._fitting, count)
        some = (
            ""
            if last - self._first == count
            else tr(", {first} to {last}", first=self._first + 1, last=last)
        )
        models = tr("  1 model") if count == 1 else tr("  {count:,} models", count=count)
        self.query_one("#answer-title", Line).set_lines(
            [
                (gap.join(level_words(self._condition.levels)), "strong"),
                (
                    tr(
                        "  trial {trial:,} of {trials:,}",
                        trial=self._trial + 1,
                        trials=self._trials,
                    ),
                    "",
                ),
                (models + some, "dim"),
            ]
        )
        shown = beside(self._columns[self._first : last], self.size.width - 3, self._glyphs)
        self.query_one(TextLines).set_lines(shown)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what is possible."""
        by = int(str(parameters[0])) if parameters else 0
        if action == "step":
            return 0 <= self._trial + by < self._trials
        if action == "shift":
            return 0 <= self._first + by <= len(self._askings) - self._fitting
        return True

    def action_back(self) -> None:
        """Go back to the list."""
        self.dismiss()

    def action_step(self, by: int) -> None:
        """Show another trial."""
        self._trial = max(0, min(self._trial + by, self._trials - 1))
        self._read(self._trial)

    def action_shift(self, by: int) -> None:
        """Show other models."""
        self._first += by
        self._draw()
