"""Shows a run, or the runs of a sweep, while they go on: live on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any

from runner.core.model import Batch
from runner.core.plan import committed
from runner.core.states import FINAL_STATES
from runner.core.summary import cost_of, shown_state
from runner.run.run_state import Snapshot

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_SECONDS = 10.0
"""Between two lines of progress when the output is not a terminal."""
BATCHES_SHOWN = 12
ROWS_BESIDE_JOBS = BATCHES_SHOWN + 5
"""Of a terminal, for what stands around a sweep's jobs."""


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
            print(line, file=sys.stderr, flush=True)

    def tick(self, snapshot: Snapshot) -> None:
        """Print the progress if it is time to."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN_SECONDS
            print(progress_line(snapshot), file=sys.stderr, flush=True)


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
            *(Text(line, style="yellow") for line in _asides(snapshot)),
            Text(
                "stopping: batches go on at the provider" if snapshot.stopping else "Ctrl-C: stop"
            ),
        )


@contextmanager
def screen(title: str, *, json: bool) -> Iterator[Silent | Plain | Live]:
    """Choose how to show the run."""
    if json:
        yield Silent()
    elif not sys.stderr.isatty():
        yield Plain()
    else:
        from rich.console import Console

        shown = Live(title, Console(stderr=True))
        with shown.live:
            yield shown


class Watched:
    """One job of a sweep, as the board sees it; its engine tells from a thread of its own."""

    def __init__(self, name: str, say: Callable[[str, bool], None]) -> None:
        """Start quiet."""
        self.name = name
        self.snapshot: Snapshot | None = None
        self.ended: str | None = None
        """How it ended, in a word; None while it goes on or waits for its turn."""
        self._say = say

    def happened(self, event: Mapping[str, Any]) -> None:
        """Say it, with the job's name."""
        if line := event_line(event):
            self._say(f"{self.name}  {line}", bool(event["error"]))

    def tick(self, snapshot: Snapshot) -> None:
        """Keep it for the board."""
        self.snapshot = snapshot


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
            print(line, file=sys.stderr, flush=True)

    def draw(self) -> None:
        """Print how far the sweep is if it is time to."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN_SECONDS
            self.say(board_line(self.jobs), is_trouble=False)


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
            Text(board_line(self.jobs), style="bold"),
            *(Text(line, style="dim") for line in active[:BATCHES_SHOWN]),
            Text("stopping: batches go on at the provider" if stopping else "Ctrl-C: stop"),
        )


@contextmanager
def board(title: str, names: Sequence[str], *, json: bool) -> Iterator[Board]:
    """Choose how to show a sweep."""
    if json:
        yield Board(names)
    elif not sys.stderr.isatty():
        yield PlainBoard(names)
    else:
        from rich.console import Console

        shown = LiveBoard(title, names, Console(stderr=True))
        with shown.live:
            yield shown


def board_line(jobs: Sequence[Watched]) -> str:
    """Return how far a sweep is, on one line."""
    snapshots = [job.snapshot for job in jobs if job.snapshot is not None]
    total = sum(snapshot.counts.total for snapshot in snapshots)
    done = total - sum(snapshot.counts.open for snapshot in snapshots)
    ended = sum(1 for job in jobs if job.ended is not None)
    reserved = sum((committed(snapshot.batches) for snapshot in snapshots), start=Decimal(0))
    return (
        f"{len(jobs)} jobs, {ended} over  {done:,}/{total:,} requests  "
        f"${reserved:.4f} spent or reserved"
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
            job.ended or f"{there} batch{'' if there == 1 else 'es'} open",
            *(line for line in _asides(job.snapshot) if job.ended is None),
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


_SAID = {
    "packed": "written, {requests:,} requests",
    "accepted": "accepted by the provider as {remote}",
    "deferred": "not now; it is sent again later",
    "absent": "was never ordered; its requests are prepared again",
    "refused": "refused",
    "progress": "the provider says {remote_state}",
    "cancel": "cancelled by you",
    "end": "over at the provider: {remote_state}",
    "collect": "collected: {answers}",
    "fenced": "its input is taken away, so that a late order cannot run",
    "not found yet": "the provider does not list it yet; looking again",
    "submit failed": "no clear reply: it may have been ordered, so the provider is asked",
    "poll failed": "could not be asked; asking again",
    "find failed": "the provider's list could not be read; asking again",
    "fence failed": "its input could not be taken away; trying again",
    "twins": "was made more than once",
    "seek failed": "could not be looked for under other names",
    "undecided": "UNKNOWN: it is not sent again",
    "unsettled": "does not add up; looking again",
    "held": "HELD: nothing of it is asked again",
    "collect failed": "its answers could not be fetched; fetching again",
    "fetched again": "its result files were gone and are fetched again",
    "fetch failed": "its result files are gone and could not be fetched again",
    "cancel failed": "could not be cancelled; trying again",
    "stage failed": "the upload was cut short; looking whether it arrived",
}
"""What an event means to whoever waits; steps that are not listed are not worth a line."""


def event_line(event: Mapping[str, Any]) -> str | None:
    """Return one event on one line; None when it is not worth one."""
    template = _SAID.get(event["event"])
    if template is None and not event["error"]:
        return None
    answers = ", ".join(f"{count:,} {name}" for name, count in event["tally"].items())
    said = (template or event["event"]).format(**event, answers=answers or "nothing")
    at = time.strftime("%H:%M:%S", time.localtime(event["at"]))
    reason = f" - {event['error']}" if event["error"] else ""
    return f"{at} {event['batch']} {said}{reason}"


def counts_line(snapshot: Snapshot) -> str:
    """Return the five counters and the cost on one line."""
    c = snapshot.counts
    cost = cost_of(snapshot.batches)
    spent = f"{cost} spent" if cost.spent is not None else str(cost)
    return (
        f"{c.total - c.open:,}/{c.total:,}  success {c.success:,}  retry_success "
        f"{c.retry_success:,}  failed {c.failed:,}  open {c.open:,}  "
        f"{spent}, ${committed(snapshot.batches):.4f} with what runs"
    )


def progress_line(snapshot: Snapshot) -> str:
    """Return the progress on one line, with the next look at the provider."""
    active = [b for b in snapshot.batches if b.state not in FINAL_STATES]
    parts = [counts_line(snapshot)]
    if active:
        wait = max(min(b.next_at for b in active) - time.time(), 0)
        batches = "1 batch" if len(active) == 1 else f"{len(active):,} batches"
        parts.append(f"{batches} open, next look in {wait:.0f} s")
    return "  ".join([*parts, *_asides(snapshot)])


def _asides(snapshot: Snapshot) -> list[str]:
    """Return what is to be said beside the counters."""
    return [line for line in (snapshot.doing, snapshot.held, snapshot.halted) if line]


def how_far(batch: Batch) -> str:
    """Say how many requests of a batch are done; some providers tell only when it has ended."""
    if batch.completed is not None:
        return f"{batch.completed:,}/{batch.count:,}"
    return "" if batch.polled_at is None else "no progress reported"


def batch_lines(batches: tuple[Batch, ...], now: float) -> Iterator[str]:
    """Yield a line for each batch that is not over, oldest first."""
    active = [b for b in batches if b.state not in FINAL_STATES]
    for batch in active[:BATCHES_SHOWN]:
        said = batch.remote_state or "-"
        wait = max(batch.next_at - now, 0)
        line = (
            f"{batch.key}  {shown_state(batch):<10} {said:<12} {how_far(batch):>20}  "
            f"next in {wait:3.0f} s"
        )
        yield f"{line}  {batch.error}" if batch.error else line
    if len(active) > BATCHES_SHOWN:
        yield f"and {len(active) - BATCHES_SHOWN} more"
