"""The Answers: a row a request that was sent, and beside it what the model said."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from runner.core.model import ItemKind
from runner.core.states import Outcome
from runner.storage.commands import CommandVerb
from tui.answers import (
    BAD,
    GOOD,
    GOOD_AGAIN,
    OPEN,
    STATE_WORDS,
    Answers,
    JobAnswers,
    Places,
    QuestionShown,
    Signature,
    signature,
    store_of,
)
from tui.cells import Glyphs
from tui.conditions import Level, cells_of, factors_of, is_bundled, spelled
from tui.frame import Line, Piece
from tui.language import later, term, tr
from tui.model import Job, Snapshot
from tui.reading import ANSWERED, OneAnswer, read_one, shown_value
from tui.rows import Cell, Col, own
from tui.rowtable import RowTable
from tui.screens.answer import (
    AnswerScreen,
    Looked,
    attempt_lines,
    head_lines,
    look,
    raw_lines,
)
from tui.screens.side_by_side import SideBySide
from tui.textlines import TextLines
from tui.views.view import SORT, View, Wanted
from tui.words import BUNDLED, Words, hint, parse, select

if TYPE_CHECKING:
    import polars as pl

Wish = tuple[Signature, Words, bool, tuple[str, bool] | None]
"""What is to be shown: of which answers, which, only problems, in which order."""
PANE_DELAY = 0.1
"""Seconds the cursor has to rest before an answer is read."""
MOST_NOTES = 3
_CELLS_KEPT = 600
_SIGNS = {GOOD: "good", GOOD_AGAIN: "warn", BAD: "bad", OPEN: ""}


def columns(answers: Answers) -> list[Col]:
    """Return the table's columns; factors that some of the jobs lack share one."""
    shared, others = shared_factors(answers)
    several = [own("job", 14, rank=2 if others else 1, grow=1)] if len(answers.jobs) > 1 else []
    mixed = (
        [own(later("other factors") if shared else later("factors"), 14, rank=1, grow=2)]
        if others
        else []
    )
    return [
        Col("", 1),
        *several,
        Col(CUSTOM_ID, 11, grow=1, ends=not is_bundled(answers.factors)),
        *(Col(spelled(name), 10, rank=rank, grow=1) for rank, name in enumerate(shared, start=3)),
        *mixed,
        *map(_question_column, answers.questions),
        own(ATTEMPTS, 3, "right", rank=2),
        own("why", 14, grow=2),
    ]


def shared_factors(answers: Answers) -> tuple[list[str], list[str]]:
    """Return the factors that all jobs have, and the others."""
    named = [one.conditions.names for one in answers.jobs]
    shared = [name for name in answers.factors if all(name in names for names in named)]
    return shared, [name for name in answers.factors if name not in shared]


def _question_column(question: QuestionShown) -> Col:
    size = len(question.id)
    if question.kind is not ItemKind.NUMBER and not question.options:
        return Col(question.id, max(size, 12), grow=2)
    if question.options:
        widest = max(size, *map(len, question.options))
        return Col(question.id, min(widest, 12), grow=1 if widest > 12 else 0)
    return Col(question.id, min(max(size, 5), 6), "right", grow=1 if size > 6 else 0)


class AnswerRows:
    """The rows of the table; each is made when it comes into sight."""

    def __init__(self, places: Places, glyphs: Glyphs) -> None:
        """Make no row yet."""
        self.places = places
        self._shared, self._others = shared_factors(places.answers)
        self._glyphs = glyphs
        self._made: dict[int, Sequence[Cell]] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.places)

    def key(self, index: int) -> str:
        """Return what a request is called."""
        return self.places.key(index)

    def find(self, key: str) -> int | None:
        """Return where a request is now."""
        return self.places.find(key)

    def cells(self, index: int) -> Sequence[Cell]:
        """Return a row's cells."""
        made = self._made.get(index)
        if made is None:
            if len(self._made) >= _CELLS_KEPT:
                self._made.clear()
            made = self._made[index] = self._cells(index)
        return made

    def _cells(self, index: int) -> Sequence[Cell]:
        one, row = self.places.at(index)
        found = one.table.row(row, named=True)
        read = {} if found["at"] is None else one.attempts.row(found["at"], named=True)
        levels, state = one.conditions[found["condition"]].levels, found["state"]
        answers = self.places.answers
        several: list[Cell] = [one.name] if len(answers.jobs) > 1 else []
        values = [_value_cell(read, question.id, self._glyphs) for question in answers.questions]
        return [
            self._sign(state, read),
            *several,
            found["custom_id"],
            *(levels[name].label for name in self._shared),
            *([self._mixed(levels)] if self._others else []),
            *values,
            str(found["attempts"]),
            self._why(one, found, read),
        ]

    def _mixed(self, levels: Mapping[str, Level]) -> str:
        labels = [levels[name].label for name in self._others if name in levels]
        return f" {self._glyphs.dot} ".join(labels)

    def _sign(self, state: int, read: dict[str, Any]) -> Cell:
        glyphs = self._glyphs
        if state == OPEN:
            return (glyphs.warning, "warn") if read else (glyphs.dot, "dim")
        sign = {GOOD: glyphs.good, GOOD_AGAIN: glyphs.good, BAD: glyphs.bad}[state]
        return sign, _SIGNS[state]

    def _why(self, one: JobAnswers, found: dict[str, Any], read: dict[str, Any]) -> Cell:
        state = found["state"]
        if state == OPEN:
            batch = one.batches[found["batch"]]
            where = f"{batch.key} {term('state', batch.state.value)}"
            if not read:
                return tr("open: {where}", where=where), "dim"
            again = tr(", {where}", where=where) if read["batch"] != batch.key else ""
            return tr("{causes} (open{again})", causes=causes(one, read), again=again), "warn"
        if state == BAD:
            return tr("{causes} (failed)", causes=causes(one, read)), "bad"
        if not read:
            return tr(_GONE), "warn"
        return term("status", STATE_WORDS[state]), "warn" if state == GOOD_AGAIN else "dim"


_GONE = later("unreadable")


def causes(one: JobAnswers, read: dict[str, Any]) -> str:
    """Say in a few words what is wrong with an attempt, as `Q2 out_of_range`."""
    if not read:
        return tr(_GONE)
    if read["outcome"] not in ANSWERED:
        return term("outcome", str(read["outcome"]))
    found = [
        (q.id, term("cause", read[f"{q.id}_cause"])) for q in one.questions if read[f"{q.id}_cause"]
    ]
    if len(found) > 1 and len({cause for _, cause in found}) == 1:
        return f"{found[0][0]}-{found[-1][0]} {found[0][1]}" if _all(one, found) else _listed(found)
    return _listed(found)


def _all(one: JobAnswers, found: list[tuple[str, str]]) -> bool:
    return len(found) == len(one.questions)


def _listed(found: list[tuple[str, str]]) -> str:
    return tr(", ").join(f"{question} {cause}" for question, cause in found)


def _value_cell(read: dict[str, Any], question: str, glyphs: Glyphs) -> Cell:
    value, cause = read.get(f"{question}_value"), read.get(f"{question}_cause")
    if value is None:
        return glyphs.none, "bad" if cause else "dim"
    text = shown_value(value)
    return (text, "warn") if cause else text


def sort_cells(one: JobAnswers, title: str) -> "pl.Series":
    """Return what a column of the table is sorted by: a cell a request of one job."""
    import polars as pl

    own = {CUSTOM_ID: "custom_id", tr(ATTEMPTS): "attempts"}
    if title in own:
        return one.table[own[title]]
    if title in {question.id for question in one.questions}:
        return one.column(f"{title}_value")
    for name in one.conditions.names:
        if spelled(name) == title:
            labels = one.conditions.column(name, "label").gather(one.table["condition"])
            numbers = labels.cast(pl.Float64, strict=False)
            return labels if numbers.null_count() else numbers
    return pl.Series([None], dtype=pl.Float64).new_from_index(0, one.table.height)


CUSTOM_ID, ATTEMPTS = "custom_id", later("att")


_BINDINGS: list[BindingType] = [
    Binding("y", "copy", "Copy", id="copy_answer", tooltip="copy the raw answer"),
    Binding("r", "again", "Ask again", id="ask_again", tooltip="ask a failed request once more"),
    Binding("m", "models", "Models", id="side_by_side", tooltip="this condition, model by model"),
    *SORT,
]


class AnswersView(View):
    """The answers of the jobs in scope."""

    narrows = True
    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS

    class Read(Message):
        """The answers were read, or others were chosen."""

        def __init__(self, answers: Answers, rows: AnswerRows, asked: object) -> None:
            """Carry them."""
            super().__init__()
            self.answers, self.rows, self.asked = answers, rows, asked

    class Searching(Message):
        """Raw answers are being searched."""

        def __init__(self, text: str) -> None:
            """Say how far."""
            super().__init__()
            self.text = text

        def can_replace(self, message: Message) -> bool:
            """Let a burst become one."""
            return isinstance(message, AnswersView.Searching)

    class Beside(Message):
        """One answer was read from disk."""

        def __init__(self, looked: Looked) -> None:
            """Carry it."""
            super().__init__()
            self.looked = looked

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        """Start without answers."""
        super().__init__(glyphs, id=id)
        self._asked: Wish | None = None
        self._words = Words()
        self._answers: Answers | None = None
        self._looked: Looked | None = None
        self._timer: Timer | None = None
        self._possible: tuple[bool | None, bool | None] = (False, False)

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Line(id="answers-head", classes="line")
        yield Line(id="answers-notes")
        with Horizontal():
            yield RowTable([Col("", 1)], empty=tr("reading"), id="answers")
            yield TextLines(id="answer-pane", classes="pane")

    # -- reading

    def draw(self, snapshot: Snapshot) -> None:
        """Read the answers, if there are others than before."""
        asked = (signature(snapshot.jobs), self._words, self._problems, self.order)
        if asked != self._asked:
            self._asked = asked
            self._head(tr("reading the answers"))
            self._read(snapshot.jobs, asked)

    @work(thread=True, exclusive=True, group="answers")
    def _read(self, jobs: tuple[Job, ...], asked: Wish) -> None:
        worker = get_current_worker()
        _, words, problems, order = asked
        answers = store_of(self.app).read(jobs)
        chosen = []
        for number, one in enumerate(answers.jobs, start=1):
            where = tr("job {number} of {count}, part ", number=number, count=len(answers.jobs))

            def progress(done: int, of: int, where: str = where) -> bool:
                self.post_message(
                    self.Searching(
                        tr("searching {where}{done:,} of {of:,}", where=where, done=done + 1, of=of)
                    )
                )
                return not worker.is_cancelled

            rows = select(one, words, problems=problems, progress=progress)
            if rows is None:
                return
            chosen.append(rows)
        everything = not words.words and not problems
        places = Places(answers, None if everything else tuple(chosen))
        if order is not None:
            cells = [sort_cells(one, order[0]) for one in answers.jobs]
            places = places.sorted_by(cells, descending=order[1])
        if not worker.is_cancelled:
            self.post_message(self.Read(answers, AnswerRows(places, self.glyphs), asked))

    def on_answers_view_searching(self, message: Searching) -> None:
        """Say how far a search is."""
        self._head(message.text)

    def on_answers_view_read(self, message: Read) -> None:
        """Show what was read."""
        if message.asked != self._asked:
            return
        before, self._answers = self._answers, message.answers
        table = self.query_one(RowTable)
        if before is None or columns(before) != columns(message.answers):
            table.set_columns(columns(message.answers))
        narrowed = self._words.words or self._problems
        table.empty = tr("nothing fits") if narrowed else tr("no request was sent yet")
        table.set_rows(message.rows)
        table.show_order(self.order)
        self._head(None)
        self._offer()
        notes = message.answers.notes
        told = self.query_one("#answers-notes", Line)
        told.set_lines(*_note_lines(notes, self.glyphs))
        told.set_class(bool(notes), "-some")
        told.refresh(layout=True)
        self._show_beside()

    def _head(self, doing: str | None) -> None:
        answers = self._answers
        shown = len(self.query_one(RowTable).rows)
        line: list[Piece] = []
        if answers is not None:
            line.append((_how_many(shown, len(answers)), "strong"))
        if self._problems:
            line.append((tr("  ! only what failed or cannot be read"), "warn"))
        if self.words:
            line.append((f"  {self.words}", ""))
        if doing is not None:
            line.append((f"{'  ' if line else ''}{doing}{self.glyphs.more}", "dim"))
        self.query_one("#answers-head", Line).set_lines(line)

    # -- choosing

    def sortable(self) -> list[str]:
        """Return the titles of the columns that rows can be sorted by."""
        answers = self._answers
        if answers is None:
            return []
        shared, _ = shared_factors(answers)
        return [*(q.id for q in answers.questions), *map(spelled, shared), tr(ATTEMPTS), CUSTOM_ID]

    def _known(self) -> tuple[dict[str, str], list[str]]:
        """Return the factors, each with a level, and the questions that can be filtered by."""
        definitions = [job.definition for job in self.snapshot.known] if self.snapshot else []
        questions = [id_ for one in definitions for id_ in one.get("questions") or ()]
        return factors_of(definitions) or BUNDLED, list(dict.fromkeys(map(str, questions)))

    def filter_hint(self) -> str:
        """Return what can be typed as a filter, in a line."""
        return hint(*self._known())

    def set_filter(self, words: str) -> str | None:
        """Show only what fits the words."""
        found = parse(words, *self._known())
        if isinstance(found, str):
            return found
        self._words, self.words = found, words.strip()
        self.redraw()
        return None

    # -- beside the table

    @on(RowTable.Moved)
    def _on_moved(self) -> None:
        self._offer()
        resting = self._timer is None
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PANE_DELAY, self._rested)
        if resting:
            self._show_beside()

    def _rested(self) -> None:
        self._timer = None
        self._show_beside()

    def _show_beside(self) -> None:
        place = self._place()
        pane = self.query_one("#answer-pane", TextLines)
        if place is None or not pane.display:
            pane.set_lines([])
            self._looked = None
        elif (
            self._looked is None
            or self._looked.answer.key != self.query_one(RowTable).key
            or self._looked.answer.job is not place[0]
        ):
            self._look(*place)

    def _place(self) -> tuple[JobAnswers, int] | None:
        table = self.query_one(RowTable)
        rows = table.rows
        if not isinstance(rows, AnswerRows) or not len(rows):
            return None
        return rows.places.at(table.cursor)

    @work(thread=True, exclusive=True, group="beside")
    def _look(self, one: JobAnswers, row: int) -> None:
        worker = get_current_worker()
        answer = read_one(one, row)
        looked = look(answer, answer.first_shown)
        if not worker.is_cancelled:
            self.post_message(self.Beside(looked))

    def on_answers_view_beside(self, message: Beside) -> None:
        """Draw the answer under the cursor."""
        looked = message.looked
        if looked.answer.key != self.query_one(RowTable).key:
            return
        self._looked = looked
        glyphs = self.glyphs
        lines: list[list[Piece]] = [
            [(looked.answer.custom_id, "strong")],
            *head_lines(looked, glyphs),
            *attempt_lines(looked, glyphs),
            [],
            *raw_lines(looked, glyphs),
        ]
        self.query_one("#answer-pane", TextLines).set_lines(lines)

    def on_resize(self) -> None:
        """Read for the pane when it comes into sight."""
        if self._answers is not None:
            self._show_beside()

    # -- doing

    @on(RowTable.Opened)
    def _on_opened(self, message: RowTable.Opened) -> None:
        message.stop()
        rows = self.query_one(RowTable).rows
        place = rows.find(message.key)
        if isinstance(rows, AnswerRows) and place is not None:
            screen = AnswerScreen(self.glyphs, rows.places, place, self)
            self.app.push_screen(screen, self._returned)

    def _returned(self, key: str | None) -> None:
        if key is not None:
            self.query_one(RowTable).go_to(key)

    def _offer(self) -> None:
        """Draw the keys anew when others are possible; the footer is slow to draw."""
        possible = (self.check_action("copy", ()), self.check_action("again", ()))
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def check_action(self, action: str, _: tuple[object, ...]) -> bool | None:
        """Offer what is possible."""
        if action not in ("copy", "again"):
            return True
        with suppress(IndexError):
            place = self._place()
            if place is None:
                return False
            one, row = place
            if action == "again":
                return bool(one.table["state"][row] == BAD)
            at = one.table["at"][row]
            return at is not None and one.attempts["outcome"][at] in ANSWERED
        return False

    def action_models(self) -> None:
        """Show what every model answers to the condition of this request."""
        place = self._place()
        if place is not None and self._answers is not None:
            self.app.push_screen(SideBySide(self.glyphs, self._answers, *place))

    def action_again(self) -> None:
        """Ask the runner to ask this request again."""
        place = self._place()
        if place is not None:
            one, row = place
            custom_id = str(one.table["custom_id"][row])
            self.post_message(Wanted(CommandVerb.RETRY, one.job, requests=(custom_id,)))

    def action_copy(self) -> None:
        """Copy the raw answer."""
        place = self._place()
        if place is not None:
            self._copy(*place)

    @work(thread=True, exclusive=True, group="copy")
    def _copy(self, one: JobAnswers, row: int) -> None:
        answer: OneAnswer = read_one(one, row)
        raw = answer.attempts[answer.first_shown].raw
        if raw is not None:
            self.app.call_from_thread(self.app.copy_to_clipboard, raw)
            self.app.call_from_thread(
                self.app.notify, tr("{count:,} characters copied", count=len(raw)), markup=False
            )

    def csv_rows(self) -> list[list[str]]:
        """Return what is shown; it may be called in a thread, and should be."""
        rows = self.query_one(RowTable).rows
        return csv_of(rows.places) if isinstance(rows, AnswerRows) else []


def _how_many(shown: int, whole: int) -> str:
    if shown == whole:
        return tr("{count:,} requests", count=whole)
    return tr("{shown:,} of {whole:,} requests", shown=shown, whole=whole)


def _note_lines(notes: Sequence[str], glyphs: Glyphs) -> list[list[Piece]]:
    """Return what could not be read, a line each; of many, how many more there are."""
    sign, more = glyphs.warning, len(notes) - MOST_NOTES
    lines: list[list[Piece]] = [[(f"{sign} {note}", "warn")] for note in notes[:MOST_NOTES]]
    if more > 0:
        told = tr("{warning} and {more} more like these", warning=sign, more=more + 1)
        lines[-1] = [(told, "warn")]
    return lines


def csv_of(places: Places) -> list[list[str]]:
    """Return requests as a table of texts, its head first; what is missing is empty."""
    questions = places.answers.questions
    names = [f"{q.id}_{part}" for q in questions for part in ("value", "pattern", "cause")]
    told = [list(map(cells_of, one.conditions)) for one in places.answers.jobs]
    columns_of = {
        factor: dict.fromkeys(name for job in told for row in job for name in row.get(factor, ()))
        for factor in places.answers.factors
    }
    head = [
        *("job", "provider", "model", "rehearsal"),
        *(name for columns in columns_of.values() for name in columns),
        *("temperature", "trial", "custom_id", "status", "attempts", "lost", "batch", "outcome"),
    ]
    table = [[*head, *names]]
    for (one, frame), rows in zip(places.frames(), told, strict=True):
        about = [one.name, one.job.provider, one.job.model, str(one.job.emulated).lower()]
        conditions = [
            [
                *(row.get(f, {}).get(name, "") for f, some in columns_of.items() for name in some),
                _csv(heat),
            ]
            for row, heat in zip(rows, one.conditions.temperatures(), strict=True)
        ]
        there = [name for name in names if name in one.attempts.columns]
        reading = one.attempts[["outcome", *there]]
        read = [reading[name].gather(frame["at"]).to_list() for name in reading.columns]
        cells = [read[1 + there.index(name)] if name in there else None for name in names]
        for number, request in enumerate(frame.iter_rows()):
            custom_id, condition, trial, state, attempts, lost, batch, _ = request
            outcome = read[0][number] or Outcome.OPEN.value
            table.append(
                [
                    *about,
                    *conditions[condition],
                    *(str(trial), custom_id, STATE_WORDS[state], str(attempts), str(lost)),
                    *(one.batches[batch].key, outcome),
                    *("" if cell is None else _csv(cell[number]) for cell in cells),
                ]
            )
    return table


def _csv(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:.15g}" if isinstance(cell, float) else str(cell)
