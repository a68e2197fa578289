"""What every view is: it draws a snapshot, and only while it is on the screen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from runner.storage.commands import CommandVerb
from tui.cells import Glyphs
from tui.language import tr
from tui.model import Job, Snapshot

if TYPE_CHECKING:
    from tui.desk import Desk
    from tui.rowtable import RowTable


class Wanted(Message):
    """The user wants a runner to do something; nothing has been asked of it yet."""

    def __init__(
        self,
        verb: CommandVerb,
        job: Job,
        *,
        batch: str | None = None,
        requests: tuple[str, ...] = (),
    ) -> None:
        """Say what, and of which job's runner."""
        super().__init__()
        self.verb, self.job, self.batch, self.requests = verb, job, batch, requests


class OpenAnswers(Message):
    """The user wants to see the answers that fit some filter words."""

    def __init__(self, words: str) -> None:
        """Say which."""
        super().__init__()
        self.words = words


class OpenExperiment(Message):
    """An experiment is to be shown; the app does it."""

    def __init__(self, folder: Path, view: str | None = None) -> None:
        """Carry where its ledgers are, and the view to begin with; None: the one that fits."""
        super().__init__()
        self.folder, self.view = folder, view


class OpenJob(Message):
    """The user wants everything narrowed to one job."""

    def __init__(self, name: str) -> None:
        """Say which."""
        super().__init__()
        self.name = name


AGE_SECONDS = 0.9
"""A snapshot younger than this has ages enough."""


RETRY_FAILED = Binding(
    "r",
    "ask('retry')",
    "Retry failed",
    id="retry_failed",
    tooltip="ask the failed requests of this job once more",
)
STOP_RUNNER = Binding(
    "S",
    "ask('stop')",
    "Stop runner",
    id="stop_runner",
    tooltip="let the runner leave; batches go on at the provider",
)


SORT: tuple[BindingType, ...] = (
    Binding("s", "sort", "Sort", id="sort_rows", tooltip="sort by the next column; a click does"),
    Binding("i", "reverse", "Reverse", id="reverse_rows", show=False, tooltip="highest first"),
)


class View(Widget, can_focus=False):
    """One of the views; it is given the jobs in scope, as they were read last."""

    ages: ClassVar[bool] = False
    """Whether it shows ages, which go on by themselves."""
    narrows: ClassVar[bool] = False
    """Whether it can show some of its rows only: those that fit filter words, or need attention."""
    words = ""
    """The filter words that hold."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002
        """Start without a snapshot."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.snapshot: Snapshot | None = None
        self.now = 0.0
        self._problems = False
        """Whether only what needs attention is shown, where a view makes that difference."""

    @property
    def desk(self) -> "Desk":
        """Return what the app gives to every screen."""
        app: Any = self.app
        found: Desk = app.desk
        return found

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw a snapshot.

        Args:
            snapshot: the jobs in scope only.
            now: seconds since the epoch, for ages.
        """
        self.snapshot, self.now = snapshot, now
        self.draw(snapshot)

    def draw(self, snapshot: Snapshot) -> None:
        """Draw; for each view to say."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the last snapshot again, as when something else of it is to be seen."""
        if self.snapshot is not None:
            self.draw(self.snapshot)

    def on_mount(self) -> None:
        """Let ages go on while nothing else does."""
        if self.ages and self.desk.poll_seconds is not None:
            self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        now = self.desk.clock()
        if self.display and self.screen.is_current and now - self.now >= AGE_SECONDS:
            self.now = now
            self.redraw()

    def set_filter(self, words: str) -> str | None:
        """Show only what fits the words, and return what is wrong with them; None: nothing is."""
        return None if not words else tr("nothing to filter in this view")

    def filter_hint(self) -> str:
        """Return what can be typed as a filter, in a line."""
        return ""

    def only_problems(self) -> None:
        """Show only what needs attention, or everything again."""
        self._problems = not self._problems
        self.redraw()

    def focus_table(self) -> None:
        """Put the keys where they are wanted first."""
        for widget in self.query("RowTable"):
            widget.focus()
            return

    # -- sorting by a column, where a view can

    order: tuple[str, bool] | None = None
    """The title of the column that rows are sorted by, and whether the highest comes first."""

    def sortable(self) -> list[str]:
        """Return the titles of the columns that rows can be sorted by."""
        return []

    def sort_by(self, order: tuple[str, bool] | None) -> None:
        """Sort by a column; None: as it was."""
        self.order = order
        self.redraw()

    def on_row_table_head_clicked(self, message: "RowTable.HeadClicked") -> None:
        """Sort by the column whose title was clicked, or turn the order round."""
        if message.title in self.sortable():
            again = self.order is not None and self.order[0] == message.title
            self.sort_by((message.title, not self.order[1] if again and self.order else False))

    def action_sort(self) -> None:
        """Sort by the next column; after the last one, as it was."""
        titles = self.sortable()
        place = titles.index(self.order[0]) + 1 if self.order and self.order[0] in titles else 0
        self.sort_by((titles[place], False) if place < len(titles) else None)

    def action_reverse(self) -> None:
        """Turn the order round."""
        if self.order is not None:
            self.sort_by((self.order[0], not self.order[1]))

    def csv_rows(self) -> list[list[str]]:
        """Return what is shown as a table, its head first; empty when there is none.

        It is called in a thread, and changes nothing.
        """
        return []
