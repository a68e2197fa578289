"""Work on a large file on every core, piece by piece; results come back in order.

Processes are spawned, never forked; a small file is worked on right here.
"""

import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

PIECE_BYTES = 4 << 20
WORTH_A_CREW = 24 << 20
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


def spread(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    *,
    setup: Callable[..., None],
    arguments: tuple[Any, ...],
    total_bytes: int,
) -> Iterator[Result]:
    """Yield the result of each piece, in order; only a few pieces are in memory at a time.

    Args:
        work: a function of a module, done once a piece.
        pieces: what to work on.
        setup: called with the arguments once in every process, before its first piece.
        arguments: for the setup; they are pickled.
        total_bytes: how much there is; decides whether processes are worth their start.
    """
    many = cores()
    if many < 2 or total_bytes < WORTH_A_CREW:
        setup(*arguments)
        yield from map(work, pieces)
        return
    with ProcessPoolExecutor(
        many, mp_context=get_context("spawn"), initializer=_begin, initargs=(setup, arguments)
    ) as pool:
        try:
            yield from _in_order(pool, work, iter(pieces), 2 * many)
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor,
    work: Callable[[Piece], Result],
    pieces: Iterator[Piece],
    ahead: int,
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque(pool.submit(work, p) for p in islice(pieces, ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(work, piece) for piece in islice(pieces, 1))


def _begin(setup: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started this
    gc.disable()  # what is made here has no cycles
    setup(*arguments)
