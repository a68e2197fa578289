"""The heartbeat of a ledger: tells the dashboard that its runner is alive."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from runner.core.errors import LedgerBusy, LedgerError
from runner.storage.ledger import HEARTBEAT_SECONDS, Ledger


@contextmanager
def heartbeat(
    ledger: Ledger, now: Callable[[], float], is_finished: Callable[[], bool]
) -> Iterator[None]:
    """Keep the ledger's heartbeat going meanwhile; the last one says that the runner left.

    Args:
        ledger: the run's.
        now: seconds since the epoch.
        is_finished: whether nothing is open any more, asked at the end.
    """
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                ledger.beat(now())
            except LedgerBusy:
                continue
            except LedgerError:  # the next event meets the same, and ends the run with a message
                return

    heart = threading.Thread(target=beat, daemon=True)
    ledger.beat(now())
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
        with suppress(LedgerBusy):  # the call that waited for the ledger has said so
            ledger.beat(now(), finished=is_finished(), left=True)
