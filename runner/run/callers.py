"""Threads that make calls and keep no process alive: an unanswered one is left behind."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_Call = tuple["Future[object]", Callable[[], object]]


class Callers(Executor):
    """Some calls at once; unlike a ThreadPoolExecutor's, Python does not wait for them at its end."""

    def __init__(self, most: int) -> None:
        """Start no thread yet."""
        self._most = most
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Make a call as soon as a thread is free."""
        future: Future[R] = Future()
        self._queue.put((future, lambda: fn(*args, **kwargs)))  # type: ignore[arg-type]
        with self._lock:
            if len(self._threads) < self._most:
                self._threads.append(Thread(target=self._work, daemon=True))
                self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002 - Executor's own
        """Begin no call that waits, and wait for those under way."""
        while cancel_futures and not self._queue.empty():
            call = self._queue.get()
            if call is not None:
                call[0].cancel()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            future, make = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = make()
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                future.set_exception(error)
            else:
                future.set_result(result)
