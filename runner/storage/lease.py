"""Who may write on a disk that machines share: files with numbers, the highest one holds.

A kernel's lock may be seen by its own machine only. A file is made once or not at all on every
disk, by whichever machine is first. So the next number is taken by making its file, and kept by
touching it; a holder that did not touch it for a minute may be followed by the next number, and
has stopped writing by then, since it counts the minute more strictly. Ages are read from the disk's
own clock.
"""

import contextlib
import errno
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from runner.core.errors import LedgerError, LedgerInUse

NAME = "runner.lease"
_DRAFT = f"{NAME}.draft-"
SECONDS = 60.0
"""How long after its last sign of life a holder on another machine is believed to be at work."""
STRICT_SECONDS = SECONDS / 2
"""How long a holder believes it of itself."""
TOUCH_SECONDS = 1.0
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on in a suspend, and is never set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseFile:
    """The lease that holds, as its file says."""

    number: int
    path: Path
    pid: int
    host: str
    kernel: str
    """Tells one run of a machine from another; empty where that is not known."""
    touched_at: float
    """By the disk's clock; 0 when the holder let go."""

    @property
    def is_of_this_kernel(self) -> bool:
        """Tell whether a kernel's lock says more than this file does."""
        return bool(self.kernel) and self.kernel == _kernel()


class Lease:
    """A folder's lease, held until it is released or lost."""

    def __init__(self, folder: Path, number: int, touched: float) -> None:
        """Use `take`."""
        self._folder = folder
        self._number = number
        self._touched = touched

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Take the lease; the holder of this machine's kernel lock may follow its own dead processes.

        Raises:
            LedgerInUse: a runner on another machine holds it, or may.
        """
        before = newest(folder)
        began = _now()
        with _draft(folder) as draft:
            if before is not None and not before.is_of_this_kernel:
                left = SECONDS - (draft.stat().st_mtime - before.touched_at)
                if left > 0:
                    raise LedgerInUse(
                        f"{folder} is in use by a runner with pid {before.pid} on {before.host}, or "
                        f"was until it died: wait for it, or stop it there; once it gives no sign of "
                        f"life any more, {left:.0f} seconds from now, run again"
                    )
            number = 1 if before is None else before.number + 1
            if not _made(draft, _path(folder, number)) or _highest(folder) != number:
                raise LedgerInUse(
                    f"{folder} was taken by another runner at this moment: wait for it"
                )
            _tidy(folder, number, draft.stat().st_mtime - SECONDS)
        return cls(folder, number, began)

    def keep(self) -> None:
        """Make sure, before something is written, that no other process may write.

        Raises:
            LedgerError: another runner has followed this one, which was stopped for too long.
        """
        silent = _now() - self._touched
        if silent < TOUCH_SECONDS:
            return
        if silent < STRICT_SECONDS:
            now = _now()
            if _touch(_path(self._folder, self._number)):
                self._touched = now
                return
        self._follow()

    def _follow(self) -> None:
        """Take the next number; a process that was silent for too long has it only if no other does."""
        now = _now()
        with _draft(self._folder) as draft:
            mine = self._number + 1
            alone = _highest(self._folder) in (self._number, None)
            if not alone or not _made(draft, _path(self._folder, mine)):
                other = newest(self._folder)
                raise LedgerError(
                    f"{self._folder}: this runner was stopped for a while, and "
                    f"{other.host if other else 'another machine'} has gone on with its work: "
                    "nothing more is sent or written here; action=status shows how it stands"
                )
        _path(self._folder, self._number).unlink(missing_ok=True)
        self._number, self._touched = mine, now

    def release(self) -> None:
        """Let the next one in at once; the number stays taken."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(_path(self._folder, self._number), (0, 0))


def newest(folder: Path) -> LeaseFile | None:
    """Return the lease that holds; None where there never was one.

    The file is opened, so that a network disk looks at it anew.
    """
    for number, path in reversed(_files(folder)):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            said = _said(file.read(1000))
            return LeaseFile(
                number=number,
                path=path,
                pid=int(said.get("pid", 0)),
                host=str(said.get("host", "an unknown host")),
                kernel=str(said.get("kernel", "")),
                touched_at=os.fstat(file.fileno()).st_mtime,
            )
    return None


def is_leased(folder: Path) -> bool:
    """Tell whether a folder was ever written on a shared disk."""
    return _highest(folder) is not None


def _tidy(folder: Path, number: int, since: float) -> None:
    """Remove the leases before this one, and the drafts of processes that were killed before that time."""
    for old, path in _files(folder):
        if old < number:
            path.unlink(missing_ok=True)
    for path in folder.glob(f"{_DRAFT}*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < since:
                path.unlink()


def _said(text: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict) and isinstance(found.get("pid", 0), int):
            return found
    return {}


def _files(folder: Path) -> list[tuple[int, Path]]:
    named = [(path.name.removeprefix(f"{NAME}."), path) for path in folder.glob(f"{NAME}.*")]
    return sorted((int(number), path) for number, path in named if number.isdigit())


def _highest(folder: Path) -> int | None:
    return max((number for number, _ in _files(folder)), default=None)


def _path(folder: Path, number: int) -> Path:
    return folder / f"{NAME}.{number}"


@contextlib.contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """Write what a lease says beside it, and take it away again."""
    draft = folder / f"{_DRAFT}{secrets.token_hex(8)}"
    text = {"pid": os.getpid(), "host": socket.gethostname(), "kernel": _kernel()}
    with draft.open("w", encoding="utf-8") as file:
        json.dump(text, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _made(draft: Path, path: Path) -> bool:
    """Give a draft the name of a lease, unless that is taken.

    The reply to a link can get lost on the way from a file server, and the second try then fails:
    the draft's two names tell. A disk without links makes the file itself, once or not at all.
    """
    try:
        os.link(draft, path)
    except FileExistsError:
        return draft.stat().st_nlink == 2
    except OSError:
        try:
            with path.open("xb") as file:
                file.write(draft.read_bytes())
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            return False
    return True


def _touch(path: Path) -> bool:
    """Write what a file has already, so that the disk notes when; False when it is gone."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.pwrite(file, b"{", 0)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return False
        raise
    return True


def _kernel() -> str:
    """Return what names this machine from its start to its next one; empty where it has no name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _now() -> float:
    return time.clock_gettime(_STEADY)
