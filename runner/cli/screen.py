"""Shows a run while it goes on: live on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner.cli.output import say
from runner.cli.phrases import CAN_STOP, STOPPING
from runner.cli.progress_lines import asides, batch_lines, counts_line, event_line, progress_line
from runner.run.run_state import Snapshot

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_SECONDS = 10.0
"""Between two lines of progress when the output is not a terminal."""


class Silent:
    """Shows nothing; for output that another program reads."""

    def happened(self, event: Mapping[str, Any]) -> None:
        """Ignore."""

    def tick(self, snapshot: Snapshot) -> None:
        """Ignore."""


class Plain:
    """One line for each event, and one for the progress now and then."""

    def __init__(self) -> None:
        """Start quiet."""
        self._next = 0.0

    def happened(self, event: Mapping[str, Any]) -> None:
        """Print it."""
        if line := event_line(event):
            say(line)

    def tick(self, snapshot: Snapshot) -> None:
        """Print the progress if it is time to."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN_SECONDS
            say(progress_line(snapshot))


class Live:
    """A view that is drawn anew in place; events scroll above it."""

    def __init__(self, title: str, console: "Console") -> None:
        """Start empty."""
        from rich.live import Live as RichLive

        self._title = title
        self._snapshot: Snapshot | None = None
        self.live = RichLive(
            console=console, get_renderable=self._draw, refresh_per_second=4, transient=True
        )

    def happened(self, event: Mapping[str, Any]) -> None:
        """Print it above the view."""
        from rich.text import Text

        if line := event_line(event):
            self.live.console.print(Text(line, style="yellow" if event["error"] else "dim"))

    def tick(self, snapshot: Snapshot) -> None:
        """Keep it; the view is drawn four times a second."""
        self._snapshot = snapshot

    def _draw(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        snapshot = self._snapshot
        if snapshot is None:
            return Text(self._title, style="bold")
        bar = Table.grid(expand=True)
        done = snapshot.counts.total - snapshot.counts.open
        bar.add_row(ProgressBar(total=max(snapshot.counts.total, 1), completed=done))
        return Group(
            Text(self._title, style="bold"),
            bar,
            Text(counts_line(snapshot)),
            *(Text(line, style="dim") for line in batch_lines(snapshot.batches, time.time())),
            *(Text(line, style="yellow") for line in asides(snapshot)),
            Text(STOPPING if snapshot.stopping else CAN_STOP),
        )


def can_be_drawn_on() -> bool:
    """Tell whether what is shown can be drawn anew in place: on a terminal, and in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def screen(title: str, *, json: bool) -> Iterator[Silent | Plain | Live]:
    """Choose how to show the run."""
    if json:
        yield Silent()
    elif not can_be_drawn_on():
        yield Plain()
    else:
        from rich.console import Console

        shown = Live(title, Console(stderr=True))
        with shown.live:
            yield shown
