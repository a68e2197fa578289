"""All experiments: how each stands, in one line; Enter opens one."""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import get_current_worker

from runner import called
from tui.frame import Keys, Line, Piece
from tui.jobrows import EXPERIMENT_COLUMNS, ExperimentLine, experiment_cells, experiment_lines
from tui.language import term, tr
from tui.model import Snapshot
from tui.rows import ListRows, titled
from tui.rowtable import RowTable
from tui.screens.experiment import Filter
from tui.source import AllSource
from tui.views.view import OpenExperiment

if TYPE_CHECKING:
    from tui.desk import Desk

LEAST_SECONDS = 3.0
"""Between two looks at all experiments."""
MOST_SENTENCES = 3


class ExperimentsRead(Message):
    """All experiments were looked at."""

    def __init__(self, snapshots: tuple[Snapshot, ...]) -> None:
        """Carry them."""
        super().__init__()
        self.snapshots = snapshots

    def can_replace(self, message: Message) -> bool:
        """Let a burst become one."""
        return isinstance(message, ExperimentsRead)


class ExperimentsScreen(Screen[None]):
    """The list of all experiments."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="filter", key_display="/"),
        Binding("question_mark", "app.help", "Help", id="help", key_display="?"),
        Binding("q,ctrl+c", "app.quit", "Quit", id="quit", key_display="q"),
    ]

    def __init__(self, desk: "Desk") -> None:
        """Show the experiments of a folder."""
        super().__init__()
        self._desk = desk
        self._source = AllSource(desk.outputs)
        self._snapshots: tuple[Snapshot, ...] | None = None
        self._shown: dict[str, ExperimentLine] = {}
        self._words: tuple[str, ...] = ()
        self._wake = threading.Event()
        self._left = False

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(id="body"):
            yield Line(id="experiments-head", classes="line")
            yield Filter()
            yield RowTable(titled(EXPERIMENT_COLUMNS), empty=tr("reading"), id="experiments")
            yield Line(id="about-experiment", classes="foot")
        yield Keys(show_command_palette=False)

    def on_mount(self) -> None:
        """Look once, then again and again."""
        self.query_one("#experiments", RowTable).focus()
        self._draw_about()
        self._look()
        if self._desk.poll_seconds is not None:
            self.set_interval(1.0, self._draw)

    def on_unmount(self) -> None:
        """Look no more."""
        self._left = True
        self._wake.set()

    def on_screen_resume(self) -> None:
        """Look at once when the screen is shown again."""
        self._wake.set()

    @work(thread=True, exclusive=True, group="experiments")
    def _look(self) -> None:
        worker = get_current_worker()
        poll = self._desk.poll_seconds
        while not worker.is_cancelled and not self._left:
            if self.is_current or self._snapshots is None:
                self.post_message(ExperimentsRead(self._source.read(self._desk.clock())))
            if poll is None:
                return
            self._wake.wait(max(poll, LEAST_SECONDS))
            self._wake.clear()

    @on(ExperimentsRead)
    def _on_experiments_read(self, message: ExperimentsRead) -> None:
        self._snapshots = message.snapshots
        self._draw()

    # -- drawing

    def _draw(self) -> None:
        if self._snapshots is None:
            return
        glyphs, now = self._desk.glyphs, self._desk.clock()
        lines = experiment_lines(self._snapshots, now, self._desk.host)
        self._shown = {line.name: line for line in lines if _fits(line, self._words)}
        rows = [(name, experiment_cells(line, glyphs)) for name, line in self._shown.items()]
        table = self.query_one("#experiments", RowTable)
        table.empty = tr("nothing fits") if lines else nothing()
        table.show_rows(ListRows(rows))
        self._draw_head(lines)
        self._draw_about()

    def _draw_head(self, lines: Iterable[ExperimentLine]) -> None:
        whole, shown = len(list(lines)), len(self._shown)
        count = tr("1 experiment") if whole == 1 else tr("{whole:,} experiments", whole=whole)
        pieces: list[Piece] = [
            ("Chorus", "strong"),
            (
                tr(
                    "  {count} in {outputs}",
                    count=count
                    if shown == whole
                    else tr("{shown:,} of {count}", shown=shown, count=count),
                    outputs=self._desk.outputs,
                ),
                "",
            ),
        ]
        if self._words:
            pieces.append((f"  {' '.join(self._words)}", "dim"))
        self.query_one("#experiments-head", Line).set_lines(pieces)

    def _draw_about(self) -> None:
        key = self.query_one("#experiments", RowTable).key
        line = self._shown.get(key or "")
        said = [] if line is None else line.sentences
        if len(said) > MOST_SENTENCES:
            more = len(said) - MOST_SENTENCES + 1
            said = [
                *said[: MOST_SENTENCES - 1],
                (tr("and {more} more: Enter shows them", more=more), "warn"),
            ]
        foot = self.query_one("#about-experiment", Line)
        foot.set_lines(*([(text, style)] for text, style in said))
        foot.styles.height = len(said) + 1
        foot.display = bool(said)

    # -- doing

    @on(RowTable.Moved)
    def _on_moved(self) -> None:
        self._draw_about()

    @on(RowTable.Opened)
    def _on_opened(self, message: RowTable.Opened) -> None:
        message.stop()
        self.post_message(OpenExperiment(self._desk.outputs / message.key))

    def action_filter(self) -> None:
        """Open the line for filter words."""
        line = self.query_one(Filter)
        line.open(line.value, tr("part of a name, model or state"))

    @on(Input.Submitted)
    def _on_filter(self, event: Input.Submitted) -> None:
        self._narrow(event.value)

    @on(Filter.Left)
    def _on_filter_left(self) -> None:
        self._narrow("")

    def _narrow(self, words: str) -> None:
        self._words = tuple(words.lower().split())
        if not words:
            self.query_one(Filter).remove_class("-open")
        self._draw()
        self.query_one("#experiments", RowTable).focus()


def nothing() -> str:
    """Say what to do where there is no experiment."""
    return tr(
        "nothing yet: {command} rehearses the bundled experiment, free of charge",
        command=called.command(),
    )


def _fits(line: ExperimentLine, words: tuple[str, ...]) -> bool:
    word = line.standing.word
    texts = [line.name, word, term("standing", word), line.rehearsal]
    texts += [text for job in line.jobs for text in (job.name, job.provider, job.model)]
    return all(any(word in text.lower() for text in texts) for word in words)
