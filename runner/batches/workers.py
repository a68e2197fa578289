"""Work on large files on every core, piece by piece; results come back in order.

Processes are spawned, never forked; a small file is worked on right here.
"""

import gc
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from multiprocessing import get_context, parent_process, resource_tracker
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self, TypeVar

from runner.core.errors import CrewLost

PIECE_BYTES = 4 << 20
WORTH_SPREADING = 24 << 20
"""Bytes; below this, starting processes takes longer than they save."""
WORTH_SENDING = 8 << 20
"""Bytes; below this, processes that are there already save nothing."""

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


class Crew:
    """Processes, one a core, that work on one file after the other.

    The first file that is worth it starts them; then they are there, and smaller ones are worth it.
    It is entered by all who need it, and the last who leaves lets the processes go.
    """

    def __init__(self, most: int | None = None) -> None:
        """Start nothing yet.

        Args:
            most: processes; without it, one a core.
        """
        self._many = min(cores(), most or cores())
        self._pool: ProcessPoolExecutor | None = None
        self._jobs = count(1)
        self._users = 0
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Need it."""
        with self._lock:
            self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        """Need it no more."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._let_go()

    def is_worth_it(self, total_bytes: int) -> bool:
        """Tell whether the processes save more time than it takes to start or to instruct them."""
        least = WORTH_SPREADING if self._pool is None else WORTH_SENDING
        return self._many > 1 and total_bytes >= least

    def spread(
        self,
        work: Callable[[Piece], Result],
        pieces: Iterable[Piece],
        *,
        setup: Callable[..., None],
        arguments: tuple[Any, ...],
        what: str,
    ) -> Generator[Result, None, None]:
        """Yield the result of each piece, in order; only a few pieces are in memory at a time.

        When it is closed early, no piece is worked on any more.

        Args:
            work: a function of a module, done once a piece.
            pieces: what to work on.
            setup: called with the arguments in every process, before its first piece.
            arguments: for the setup; they are pickled.
            what: a file or a batch, for the message when a process dies.

        Raises:
            CrewLost: a process died; the next file starts new ones.
        """
        job = next(self._jobs), pickle.dumps((setup, arguments))
        try:
            pool = self._started()
            yield from _in_order(pool, partial(_done, work, *job), iter(pieces), self._many)
        except BrokenProcessPool:
            with self._lock:
                self._let_go()
            raise CrewLost(
                f"{what}: a process that worked on it beside this one died (killed, or out of memory): "
                "nothing was lost; run the command again"
            ) from None

    def prepare(self, total_bytes: int) -> None:
        """Start the processes already where so much to work on is on its way."""
        if self.is_worth_it(total_bytes):
            pool = self._started()
            with _undisturbed():
                for _ in range(self._many):
                    pool.submit(_nothing)

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                spawning = get_context("spawn")
                self._pool = ProcessPoolExecutor(
                    self._many, mp_context=spawning, initializer=_begin
                )
            return self._pool

    def _let_go(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


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
    """Work on one file, with a crew where it is worth it, and right here where it is not.

    Args:
        work: as all else that is not named here, `Crew.spread` says what it is.
        pieces: what to work on.
        setup: called before the first piece.
        arguments: for the setup.
        total_bytes: how much there is; decides whether processes are worth their start.
        what: a file or a batch.
        most: processes; without it, one a core.

    Raises:
        CrewLost: a process died.
    """
    crew = Crew(most)
    if not crew.is_worth_it(total_bytes):
        setup(*arguments)
        yield from map(work, pieces)
        return
    with crew:
        yield from crew.spread(work, pieces, setup=setup, arguments=arguments, what=what)


def _in_order(
    pool: ProcessPoolExecutor,
    work: Callable[[Piece], Result],
    pieces: Iterator[Piece],
    many: int,
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()

    def more(number: int) -> None:
        with _undisturbed():
            waiting.extend(pool.submit(work, piece) for piece in islice(pieces, number))

    try:
        more(2 * many)
        while waiting:
            yield waiting.popleft().result()
            more(1)
    finally:
        wait([future for future in waiting if not future.cancel()])


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C, which is for the one that began this, from processes that begin meanwhile."""
    resource_tracker.ensure_running()  # it lets Ctrl-C through when it begins
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_leave_together, daemon=True).start()
    gc.disable()  # what is made here has no cycles


def _nothing() -> None:
    """What a process does to be there."""


_ready_for = 0
"""For which of its crew's jobs this process is set up."""


def _done(work: Callable[[Piece], Result], job: int, instructions: bytes, piece: Piece) -> Result:
    global _ready_for  # noqa: PLW0603
    if job != _ready_for:
        setup, arguments = pickle.loads(instructions)  # noqa: S301 - from the process that began this
        setup(*arguments)
        _ready_for = job
    return work(piece)


def _leave_together() -> None:
    """Wait for the end of the process that began this one, and end: also when it was killed."""
    began_this = parent_process()
    assert began_this is not None
    began_this.join()
    os._exit(1)
