"""Who holds a run's folder: a lock of this machine's kernel and, on a shared disk, a lease."""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.core.errors import LedgerError, LedgerInUse
from runner.storage.files import leaving
from runner.storage.lease import SECONDS, Lease, is_leased, newest
from runner.storage.mounts import shared_disk

LOCK = "runner.lock"
LOCK_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a folder."""

    pid: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What keeps every other process from writing."""

    lock: int
    lease: Lease | None
    """None on a disk that is this machine's alone."""

    def keep(self) -> None:
        """Raise LedgerError when another runner may write by now."""
        if self.lease is not None:
            self.lease.keep()

    def let_go(self) -> None:
        """Let the next one in."""
        if self.lease is not None:
            self.lease.release()
        os.close(self.lock)


@contextmanager
def holding(directory: Path, *, shared: bool = False) -> Iterator[Hold]:
    """Hold a folder, and let go of it again if what is done meanwhile fails.

    Args:
        directory: the run's folder.
        shared: other machines may write on this disk, although it does not look so.

    Raises:
        LedgerInUse: another runner holds it; names its pid and host.
        LedgerError: a link leads out of it, or the disk takes no locks.
    """
    refuse_links(directory)
    lock = _locked(directory)
    try:
        leased = is_leased(directory) or is_shared(directory, said=shared)
        hold = Hold(lock=lock, lease=Lease.take(directory) if leased else None)
    except BaseException:
        os.close(lock)
        raise
    try:
        yield hold
    except BaseException:
        hold.let_go()
        raise


def holder(directory: Path) -> Holder | None:
    """Return who holds a folder; None when no process does.

    The operating system knows of this machine; of others, the lease on a shared disk tells.
    """
    return _lock_holder(directory) or _lease_holder(directory)


def is_shared(directory: Path, *, said: bool) -> bool:
    """Tell whether other machines may write on a folder's disk, as its user said or as it looks."""
    return said or shared_disk(directory) is not None


def refuse_links(directory: Path) -> None:
    """Raise LedgerError when a link in a folder leads out of it."""
    if link := leaving(directory):
        raise LedgerError(
            f"{link} is a link to {link.readlink()}: nothing is written through a link that leaves "
            "a run's folder; put the file or folder itself there, or take the link away"
        )


def _lease_holder(directory: Path) -> Holder | None:
    found = newest(directory)
    if found is None or found.is_of_this_kernel or time.time() - found.touched_at > SECONDS:
        return None
    return Holder(pid=found.pid, host=found.host)


def _lock_holder(directory: Path) -> Holder | None:
    try:
        handle = os.open(directory / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link, which no runner makes
            return None
        raise
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _named(handle)
    finally:
        os.close(handle)
    return None


def _locked(directory: Path) -> int:
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    for attempt in range(LOCK_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:  # it may be another process's short look in `holder`
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(handle)
                raise LedgerError(
                    f"{directory / LOCK}: this disk takes no locks ({error.strerror}): "
                    "choose outputs=… on another one"
                ) from None
            if attempt + 1 < LOCK_TRIES:
                time.sleep(0.02)
    else:
        other = _named(handle)
        os.close(handle)
        raise in_use(directory, other)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
    return handle


def in_use(directory: Path, other: Holder) -> LedgerInUse:
    """Return what to raise where another runner is at work."""
    return LedgerInUse(
        f"{directory} is in use by a runner with pid {other.pid} on {other.host}: "
        "wait for it, or stop it there with Ctrl-C and run again"
    )


def _named(handle: int) -> Holder:
    pid, _, host = os.pread(handle, 300, 0).decode(errors="replace").strip().partition(" ")
    return Holder(pid=int(pid) if pid.isdigit() else 0, host=host or "an unknown host")
