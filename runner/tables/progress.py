"""Shows how far a long reading is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PLAIN_SECONDS = 10.0
"""Between two lines when the output is not a terminal; a short reading shows none."""

Advance = Callable[[int, str], None]
"""Says how much more was read, and what to show beside the bar."""


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Advance]:
    """Show progress on standard error, which leaves standard output to the results.

    Args:
        what: is being read.
        total: how much there is, in the unit of the steps.
    """
    if not sys.stderr.isatty():
        yield _plain(what, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[beside]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=max(1, total), beside="")
        yield lambda step, beside: progress.update(task, advance=step, beside=beside)


def adding_up(show: Callable[[int], None]) -> Advance:
    """Return what adds up the steps, and shows how much there is now."""
    done = 0

    def advance(step: int, _: str) -> None:
        nonlocal done
        done += step
        show(done)

    return advance


def _plain(what: str, total: int) -> Advance:
    done, spoke_at = 0, time.monotonic()

    def advance(step: int, beside: str) -> None:
        nonlocal done, spoke_at
        done += step
        if time.monotonic() >= spoke_at + PLAIN_SECONDS:
            spoke_at = time.monotonic()
            print(f"{what}  {done / max(1, total):.0%}  {beside}", file=sys.stderr, flush=True)

    return advance
