"""Shows the jobs of a sweep while they go on, as `screen` shows a single run."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any

from runner.cli import phrases
from runner.cli.output import say
from runner.cli.phrases import CAN_STOP, STOPPING
from runner.cli.progress_lines import BATCHES_SHOWN, asides, batch_lines, event_line
from runner.cli.screen import PLAIN_SECONDS, can_be_drawn_on
from runner.core.cost import dollars
from runner.core.plan import committed
from runner.core.states import FINAL_STATES
from runner.run.run_state import Snapshot

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

ROWS_BESIDE_JOBS = BATCHES_SHOWN + 5
"""Of a terminal, for what stands around a sweep's jobs."""


class Watched:
    """One job of a sweep, as the board sees it; its engine tells from a thread of its own."""

    def __init__(self, name: str, say: Callable[[str, bool], None]) -> None:
        """Start quiet."""
        self.name = name
        self.snapshot: Snapshot | None = None
        self.ended: str | None = None
        """How it ended; None while it goes on or waits for its turn."""
        self._say = say

    def happened(self, event: Mapping[str, Any]) -> None:
        """Say it, with the job's name."""
        if line := event_line(event):
            self._say(f"{self.name}  {line}", bool(event["error"]))

    def tick(self, snapshot: Snapshot) -> None:
        """Keep it for the board."""
        self.snapshot = snapshot

    def end(self, how: str) -> None:
        """Take note of how it ended, in a word."""
        self.ended = how


class Board:
    """All jobs of a sweep, shown together; this one shows nothing."""

    def __init__(self, names: Sequence[str]) -> None:
        """Start with every job waiting."""
        self.jobs = [Watched(name, self.say) for name in names]

    def say(self, line: str, is_trouble: bool) -> None:
        """Ignore."""

    def draw(self) -> None:
        """Ignore."""


class PlainBoard(Board):
    """One line for each event, and one for the whole sweep now and then."""

    def __init__(self, names: Sequence[str]) -> None:
        """Start quiet."""
        super().__init__(names)
        self._next = time.monotonic() + PLAIN_SECONDS
        self._lock = Lock()

    def say(self, line: str, is_trouble: bool) -> None:  # noqa: ARG002 - every line is plain
        """Print it whole, whichever thread it comes from."""
        with self._lock:
            say(line)

    def draw(self) -> None:
        """Print how far the sweep is if it is time to."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN_SECONDS
            self.say(sweep_line(self.jobs), is_trouble=False)


class LiveBoard(Board):
    """A line a job, then the batches that are under way; events scroll above it."""

    def __init__(self, title: str, names: Sequence[str], console: "Console") -> None:
        """Start empty."""
        from rich.live import Live as RichLive

        super().__init__(names)
        self._title = title
        self._console = console
        self.live = RichLive(
            console=console, get_renderable=self._draw, refresh_per_second=4, transient=True
        )

    def say(self, line: str, is_trouble: bool) -> None:
        """Print it above the board."""
        from rich.text import Text

        self._console.print(Text(line, style="yellow" if is_trouble else "dim"))

    def _draw(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        room = max(self._console.height - ROWS_BESIDE_JOBS, 3)
        lines = list(job_lines(self.jobs))
        hidden = len(lines) - room
        active = list(active_lines(self.jobs, time.time()))
        snapshots = [job.snapshot for job in self.jobs if job.snapshot is not None]
        stopping = any(snapshot.stopping for snapshot in snapshots)
        return Group(
            Text(self._title, style="bold"),
            *(Text(line) for line in lines[:room]),
            *([Text(f"and {hidden} more jobs", style="dim")] if hidden > 0 else []),
            Text(sweep_line(self.jobs), style="bold"),
            *(Text(line, style="dim") for line in active[:BATCHES_SHOWN]),
            Text(STOPPING if stopping else CAN_STOP),
        )


@contextmanager
def board(title: str, names: Sequence[str], *, json: bool) -> Iterator[Board]:
    """Choose how to show a sweep."""
    if json:
        yield Board(names)
    elif not can_be_drawn_on():
        yield PlainBoard(names)
    else:
        from rich.console import Console

        shown = LiveBoard(title, names, Console(stderr=True))
        with shown.live:
            yield shown


def sweep_line(jobs: Sequence[Watched]) -> str:
    """Return how far a sweep is, on one line."""
    snapshots = [job.snapshot for job in jobs if job.snapshot is not None]
    total = sum(snapshot.counts.total for snapshot in snapshots)
    done = total - sum(snapshot.counts.open for snapshot in snapshots)
    ended = sum(1 for job in jobs if job.ended is not None)
    reserved = sum((committed(snapshot.batches) for snapshot in snapshots), start=Decimal(0))
    return (
        f"{len(jobs)} jobs, {ended} over  {done:,}/{total:,} requests  "
        f"{dollars(reserved)} spent or reserved"
    )


def job_lines(jobs: Sequence[Watched]) -> Iterator[str]:
    """Yield a line a job: how far it is, and what holds it up."""
    width = max((len(job.name) for job in jobs), default=0)
    for job in jobs:
        if job.snapshot is None:
            yield f"{job.name:<{width}}  {job.ended or 'waits for its turn'}"
            continue
        counts, batches = job.snapshot.counts, job.snapshot.batches
        there = sum(1 for b in batches if b.state not in FINAL_STATES)
        words = [
            f"{job.name:<{width}}",
            f"{counts.total - counts.open:>7,}/{counts.total:,}",
            job.ended or f"{phrases.batches(there)} open",
            *(line for line in asides(job.snapshot) if job.ended is None),
        ]
        yield "  ".join(words)


def active_lines(jobs: Sequence[Watched], now: float) -> Iterator[str]:
    """Yield a line for each batch of a sweep that is not over, the next to be looked at first."""
    active = [
        (batch.next_at, job.name, batch)
        for job in jobs
        if job.snapshot is not None and job.ended is None
        for batch in job.snapshot.batches
        if batch.state not in FINAL_STATES
    ]
    for _, name, batch in sorted(active, key=lambda row: row[:2]):
        yield from (f"{name}  {line}" for line in batch_lines((batch,), now))
