"""Work on a large file on every core, piece by piece; results come back in order.

Processes are spawned, never forked; a small file is worked on right here.
"""

import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process, resource_tracker
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from runner.core.errors import CrewLost

PIECE_BYTES = 4 << 20
WORTH_SPREADING = 24 << 20
"""Bytes; below this, starting processes takes longer than they save."""

Piece = TypeVar("Piece")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Range:
    """Whole lines of a file, by their bytes."""

    path: Path
    begin: int
    end: int


def ranges(path: Path, size: int = PIECE_BYTES) -> Iterator[Range]:
    """Cut a file into ranges of about this many bytes; only a newline byte ends a line."""
    total = path.stat().st_size
    with path.open("rb") as source:
        begin = 0
        while begin < total:
            source.seek(min(begin + size, total))
            while (rest := source.readline(size)) and not rest.endswith(b"\n"):
                pass
            end = source.tell()
            yield Range(path, begin, end)
            begin = end


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def is_worth_it(total_bytes: int) -> bool:
    """Tell whether processes save more time than they take to start."""
    return cores() > 1 and total_bytes >= WORTH_SPREADING


def spread(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    *,
    setup: Callable[..., None],
    arguments: tuple[Any, ...],
    total_bytes: int,
    what: str,
    most: int | None = None,
) -> Generator[Result, None, None]:
    """Yield the result of each piece, in order; only a few pieces are in memory at a time.

    Args:
        work: a function of a module, done once a piece.
        pieces: what to work on.
        setup: called with the arguments once in every process, before its first piece.
        arguments: for the setup; they are pickled.
        total_bytes: how much there is; decides whether processes are worth their start.
        what: a file or a batch, for the message when a process dies.
        most: processes; without it, one a core.

    Raises:
        CrewLost: a process died.
    """
    if not is_worth_it(total_bytes):
        setup(*arguments)
        yield from map(work, pieces)
        return
    many = min(cores(), most or cores())
    with ProcessPoolExecutor(
        many, mp_context=get_context("spawn"), initializer=_begin, initargs=(setup, arguments)
    ) as pool:
        try:
            yield from _in_order(pool, work, iter(pieces), 2 * many)
        except BrokenProcessPool:
            raise CrewLost(
                f"{what}: a process that worked on it beside this one died (killed, or out of memory): "
                "nothing was lost; run the command again"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor,
    work: Callable[[Piece], Result],
    pieces: Iterator[Piece],
    ahead: int,
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()

    def more(count: int) -> None:
        with _undisturbed():
            waiting.extend(pool.submit(work, piece) for piece in islice(pieces, count))

    more(ahead)
    while waiting:
        yield waiting.popleft().result()
        more(1)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C, which is for the one that began this, from processes that begin meanwhile."""
    resource_tracker.ensure_running()  # it lets Ctrl-C through when it begins
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(setup: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_leave_together, daemon=True).start()
    gc.disable()  # what is made here has no cycles
    setup(*arguments)


def _leave_together() -> None:
    """Wait for the end of the process that began this one, and end: also when it was killed."""
    began_this = parent_process()
    assert began_this is not None
    began_this.join()
    os._exit(1)
