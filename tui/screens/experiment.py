"""One experiment: the frame, and the views in it."""

import threading
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Input, Static
from textual.worker import get_current_worker

from tui.csv_file import write_csv
from tui.desk import Desk
from tui.frame import (
    Banner,
    Keys,
    StatusLine,
    TabLine,
    TotalsLine,
    status_pieces,
    tab_pieces,
    trouble_sentences,
)
from tui.language import later, tr
from tui.liveness import liveness
from tui.model import Snapshot, totals
from tui.source import ExperimentSource
from tui.views.answers import AnswersView
from tui.views.batches import BatchesView
from tui.views.jobs import JobsView
from tui.views.patterns import PatternsView
from tui.views.plan import PlanView
from tui.views.scores import ScoresView
from tui.views.view import OpenAnswers, OpenJob, View, Wanted

VIEWS: tuple[tuple[str, str, type[View]], ...] = (
    ("0", later("Jobs"), JobsView),
    ("1", later("Plan"), PlanView),
    ("2", later("Batches"), BatchesView),
    ("3", later("Answers"), AnswersView),
    ("4", later("Patterns"), PatternsView),
    ("5", later("Scores"), ScoresView),
)


LEAST = (40, 10)
"""Columns and lines below which there is no room for a view."""


class LedgerRead(Message):
    """The ledgers were looked at, and something has changed."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Carry it."""
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message) -> bool:
        """Let a burst become one."""
        return isinstance(message, LedgerRead)


class TooSmall(Static):
    """Stands alone on a terminal that has no room for anything else."""

    def on_resize(self) -> None:
        """Say how large it is, and how large it has to be."""
        width, height = self.app.size
        self.update(
            tr(
                "the terminal is {width}x{height}, the dashboard needs {columns}x{lines}",
                width=width,
                height=height,
                columns=LEAST[0],
                lines=LEAST[1],
            )
        )


class Filter(Input):
    """Where filter words are typed; Enter applies them, Escape takes them back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back", id="leave_filter")]

    class Left(Message):
        """It was left without a filter."""

    def show(self, words: str) -> None:
        """Show the words that hold; without any, there is no line."""
        self.value = words
        self.set_class(bool(words), "-open")

    def open(self, words: str, hint: str) -> None:
        """Let words be typed, beginning with those that hold."""
        self.show(words)
        self.placeholder = hint
        self.add_class("-open")
        self.focus()

    def action_leave(self) -> None:
        """Take the words back."""
        self.value = ""
        self.post_message(self.Left())


class ExperimentScreen(Screen[None]):
    """One experiment."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"view('{name}')", name, id=f"view_{name.lower()}", show=False)
            for key, name, _ in VIEWS
        ),
        Binding("slash", "filter", "Filter", id="filter", key_display="/"),
        Binding("exclamation_mark", "problems", "Problems", id="problems", key_display="!"),
        Binding("x", "csv", "CSV", id="write_csv", show=False),
        Binding("escape", "back", "Back", id="back", show=False),
        Binding("question_mark", "app.help", "Help", id="help", key_display="?"),
        Binding("q,ctrl+c", "app.quit", "Quit", id="quit", key_display="q"),
    ]

    def __init__(self, desk: Desk, source: ExperimentSource, view: str | None = None) -> None:
        """Show an experiment.

        Args:
            desk: what every screen needs.
            source: where its ledgers are.
            view: the one to begin with; None: the one that fits.
        """
        super().__init__()
        self._desk = desk
        self._source = source
        self._view = view
        self._job: str | None = None
        """The one that everything is narrowed to; None: all are in scope."""
        self._snapshot: Snapshot | None = None
        self._leaving = threading.Event()

    def compose(self) -> ComposeResult:
        """Lay out the frame."""
        with Vertical(id="body"):
            yield StatusLine()
            yield Banner()
            yield TabLine()
            yield TotalsLine()
            yield Filter(placeholder=tr("filter"))
            with ContentSwitcher(initial="Batches"):
                for _, name, kind in VIEWS:
                    yield kind(self._desk.glyphs, id=name)
        yield TooSmall()
        yield Keys(show_command_palette=False)

    def on_mount(self) -> None:
        """Read once, then follow."""
        snapshot, _ = self._source.read(self._desk.clock())
        self._take(snapshot)
        self.set_view(self._view or self._first_view(snapshot))
        if self._desk.poll_seconds is not None:
            self._follow(self._desk.poll_seconds)
            self.set_interval(1.0, self._draw_frame)

    def on_resize(self) -> None:
        """Give the keys back to the view when there is room for it again."""
        if self.focused is None:
            self.call_after_refresh(self.view.focus_table)

    def on_unmount(self) -> None:
        """Let go of the ledgers."""
        self._leaving.set()
        self._source.close()

    @work(thread=True, exclusive=True, group="ledger", exit_on_error=True)
    def _follow(self, seconds: float) -> None:
        worker = get_current_worker()
        while not self._leaving.wait(seconds):
            if worker.is_cancelled:
                return
            snapshot, changed = self._source.read(self._desk.clock())
            if changed:
                self.post_message(LedgerRead(snapshot))

    @on(LedgerRead)
    def _on_ledger_read(self, message: LedgerRead) -> None:
        self._take(message.snapshot)

    # -- drawing

    @property
    def snapshot(self) -> Snapshot | None:
        """Return the jobs in scope, as they were read last."""
        if self._snapshot is None or self._job is None:
            return self._snapshot
        jobs = tuple(job for job in self._snapshot.jobs if job.name == self._job)
        return replace(self._snapshot, jobs=jobs)

    @property
    def view(self) -> View:
        """Return the view that is shown."""
        switcher = self.query_one(ContentSwitcher)
        return self.query_one(f"#{switcher.current}", View)

    def _take(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._draw_frame()
        self._draw_view()

    def _draw_view(self) -> None:
        snapshot = self.snapshot
        if snapshot is not None:
            self.view.show(snapshot, self._desk.clock())

    def _draw_frame(self) -> None:
        snapshot = self.snapshot
        if snapshot is None:
            return
        now, glyphs = self._desk.clock(), self._desk.glyphs
        lives = [liveness(job, now, self._desk.host) for job in snapshot.jobs]
        self.query_one(StatusLine).set_lines(
            status_pieces(snapshot, snapshot.jobs, lives, now, glyphs)
        )
        self.query_one(Banner).set_sentences(trouble_sentences(snapshot, snapshot.jobs, lives, now))
        self.query_one(TotalsLine).set_totals(totals(snapshot.jobs), glyphs)
        self.query_one(TabLine).set_lines(tab_pieces(self._tabs(), self.view.id or ""))

    def _tabs(self) -> list[tuple[str, str]]:
        several = self._snapshot is not None and len(self._snapshot.jobs) > 1
        return [(key, name) for key, name, _ in VIEWS if several or name != "Jobs"]

    @staticmethod
    def _first_view(snapshot: Snapshot) -> str:
        return "Jobs" if len(snapshot.jobs) > 1 else "Batches"

    # -- doing

    def set_view(self, name: str) -> None:
        """Show another view, of the jobs that are in scope now."""
        self.query_one(ContentSwitcher).current = name
        self.query_one(Filter).show(self.view.words)
        self._draw_view()
        self._draw_frame()
        self.view.focus_table()
        self.refresh_bindings()

    def action_view(self, name: str) -> None:
        """Show another view."""
        if any(name == other for _, other in self._tabs()):
            if name == "Jobs":
                self._job = None
            self.set_view(name)

    def action_filter(self) -> None:
        """Open the line for filter words."""
        self.query_one(Filter).open(self.view.words, self.view.filter_hint())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer to narrow only what can be narrowed."""
        return self.view.narrows if action in ("filter", "problems") and self.is_mounted else True

    @on(Input.Submitted)
    def _on_filter(self, event: Input.Submitted) -> None:
        wrong = self.view.set_filter(event.value)
        if wrong is not None:
            self.notify(wrong, severity="warning", markup=False)
            return
        self.view.focus_table()

    @on(Input.Blurred)
    def _on_filter_blurred(self) -> None:
        """Let no words stand there that do not hold."""
        self.query_one(Filter).show(self.view.words)

    @on(Filter.Left)
    def _on_filter_left(self) -> None:
        self.view.set_filter("")
        self.query_one(Filter).show("")
        self.view.focus_table()

    def action_problems(self) -> None:
        """Show only what needs attention, or everything again."""
        self.view.only_problems()

    def action_back(self) -> None:
        """Take back the filter, widen to all jobs, or go to the experiments."""
        line = self.query_one(Filter)
        if line.has_class("-open"):
            self._on_filter_left()
        elif self._job is not None:
            self._job = None
            self.set_view("Jobs")
        elif len(self.app.screen_stack) > 2:
            self.dismiss()

    def action_csv(self) -> None:
        """Write what the view shows to a CSV file."""
        write_csv(self._desk.outputs, self, self.view)

    @on(Wanted)
    def _on_wanted(self, message: Wanted) -> None:
        """Ask the user, then leave the command for the runner."""
        from tui.screens.confirm import ConfirmScreen

        self.app.push_screen(ConfirmScreen(self._desk, message))

    @on(OpenJob)
    def _on_open_job(self, message: OpenJob) -> None:
        self._job = message.name
        self.set_view("Batches")

    @on(OpenAnswers)
    def _on_open_answers(self, message: OpenAnswers) -> None:
        self.set_view("Answers")
        wrong = self.view.set_filter(message.words)
        if wrong is not None:
            self.notify(wrong, severity="warning", markup=False)
        self.query_one(Filter).show(self.view.words)
        self.view.focus_table()
