"""A small key-value store: text keys, values of text, whole numbers or bytes, in one SQLite file.

It is a diskcache `Cache` with its defaults overruled. Everything that this program knows of diskcache
and of its table stands here, as of version 5.6.3: the signatures of `Disk`, the columns of `Cache`.

A `Store` writes and is held by one process; `ReadOnly` is what any other process opens.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

import diskcache

from runner.core.errors import LedgerBusy, LedgerDamaged, LedgerError

Value = str | int | bytes

DATABASE = "cache.db"
"""The name is diskcache's."""
SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 2**62,
    "statistics": 0,
    "tag_index": 0,
    "sqlite_journal_mode": "wal",
    "sqlite_synchronous": 2,
    "disk_min_file_size": 2**31 - 1,
}
"""diskcache evicts and drops by default; these keep everything, synced before a call is made."""
ON_SHARED_DISKS = {**SETTINGS, "sqlite_journal_mode": "delete", "sqlite_mmap_size": 0}
"""WAL and mapped files need memory that all readers share; machines do not."""
PATIENCE_SECONDS = 30.0
"""How long a writer waits for another program that keeps the file locked."""
LOOK_SECONDS = 1.0
"""How long one of its tries takes meanwhile."""

KEEP = (
    "nothing was sent: keep the folder (its raw answers are paid for) and "
    "make the ledger again from the files beside it with action=recover"
)
FOREIGN = (
    "the ledger has rows that this program never writes; it is not opened: "
    "keep the folder, and make the ledger again from the files beside it with action=recover"
)
_LOCKED = (
    "{} is locked by another program (a backup, or a program for SQLite): close it there, and run "
    "again; nothing more was sent, and what was sent is found again"
)
_SETTINGS_KNOWN = {*diskcache.core.DEFAULT_SETTINGS, *diskcache.core.METADATA}


class Readable(Protocol):
    """What can be asked of the store, by its writer and its readers alike."""

    def get(self, key: str) -> Value | None:
        """Return one value; None when there is none."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin so."""

    def items(self, prefix: str) -> list[tuple[str, Value]]:
        """Return the keys that begin so, each with its value."""


class PlainDisk(diskcache.Disk):  # type: ignore[misc]
    """Stores and fetches text, numbers and bytes only, so that a foreign ledger runs no code."""

    def put(self, key: Any) -> tuple[Any, bool]:
        """Accept text keys only."""
        if not isinstance(key, str):
            raise LedgerDamaged(f"ledger key {key!r} is not text; please report this")
        return key, True

    def get(self, key: Any, raw: Any) -> Any:
        """Refuse pickled keys."""
        if not raw or not isinstance(key, str):
            raise LedgerDamaged(FOREIGN)
        return key

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, Any]:
        """Accept text, whole numbers and bytes only, inside the database."""
        if read or not isinstance(value, Value):
            raise LedgerDamaged(f"ledger value of type {type(value).__name__}; please report this")
        stored = sqlite3.Binary(value) if isinstance(value, bytes) else value
        return 0, diskcache.core.MODE_RAW, None, stored

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """Refuse every mode that would unpickle or open a file."""
        if mode != diskcache.core.MODE_RAW or filename is not None or read:
            raise LedgerDamaged(FOREIGN)
        return bytes(value) if isinstance(value, memoryview) else value

    def remove(self, file_path: str) -> None:
        """Refuse to delete a file that a row names."""
        raise LedgerDamaged(FOREIGN)


class Store:
    """The store, opened for writing; safe to use from several threads."""

    def __init__(self, path: Path, cache: "diskcache.Cache", may_write: Callable[[], None]) -> None:
        """Use `open`."""
        self._path = path
        self._cache = cache
        self._may_write = may_write
        self._mutex = threading.Lock()
        self._patience = PATIENCE_SECONDS

    @classmethod
    def open(cls, folder: Path, *, shared: bool, may_write: Callable[[], None]) -> Self:
        """Open the store of a folder, or make it; its settings are put right.

        Args:
            folder: where its file is.
            shared: the disk is shared between machines.
            may_write: called before each write; raises when another process may write by now.

        Raises:
            LedgerBusy: another program kept it locked for PATIENCE_SECONDS.
            LedgerDamaged: it does not take its settings.
            LedgerError: it cannot be written.
        """
        path, settings = folder / DATABASE, ON_SHARED_DISKS if shared else SETTINGS
        if path.exists():
            _patiently(lambda: _lock_once(path), lambda: PATIENCE_SECONDS)
        with _writing(path):
            cache = diskcache.Cache(str(folder), disk=PlainDisk, timeout=LOOK_SECONDS, **settings)
        wrong = {k: v for k, v in settings.items() if getattr(cache, k) != v}
        if wrong:
            raise LedgerDamaged(f"{folder}: the ledger's settings are not ours: {wrong}")
        return cls(path, cache, may_write)

    def close(self) -> None:
        """Let go of the file."""
        self._cache.close()

    def get(self, key: str) -> Value | None:
        """Return one value; None when there is none."""
        with _reading(self._path):
            value: Value | None = self._cache.get(key)
        return value

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin so."""
        with _reading(self._path):
            return [key for key in self._cache if key.startswith(prefix)]

    def items(self, prefix: str) -> list[tuple[str, Value]]:
        """Return the keys that begin so, each with its value."""
        with _reading(self._path):
            return [(key, self._cache.get(key)) for key in self.keys(prefix)]

    def write(
        self, rows: Mapping[str, Value], *, counter: str | None = None, waits: bool = True
    ) -> None:
        """Write some values in one transaction: when this returns, all of them are on disk.

        Args:
            rows: the values by their keys.
            counter: the key of a number that goes up by one with them.
            waits: whether to wait for another program's lock, for PATIENCE_SECONDS at most.

        Raises:
            LedgerBusy: another program keeps the file locked; nothing was written.
            LedgerError: it cannot be written; nothing was.
        """
        _patiently(
            lambda: self._write_once(rows, counter), lambda: self._patience if waits else 0.0
        )

    def hurry(self) -> None:
        """Wait for no other program any more; takes no lock, since a signal handler may call it."""
        self._patience = 0.0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Write something while no other thread does, and no other process may.

        Raises:
            LedgerBusy, LedgerError: in one line, when the disk does not take what is written.
        """
        with self._mutex:
            self._may_write()
            with _writing(self._path):
                yield

    def _write_once(self, rows: Mapping[str, Value], counter: str | None) -> None:
        with self.alone():
            try:
                with self._cache.transact():
                    for key, value in rows.items():
                        if not self._cache.set(key, value):
                            raise LedgerError(f"{self._path}: the ledger did not take {key}")
                    if counter is not None:
                        self._cache.incr(counter)
            except sqlite3.Error:
                # A commit that failed, as while another process reads beside a rollback journal,
                # leaves its transaction open; closing the connection undoes it.
                self._cache.close()
                raise


class ReadOnly:
    """The store as any process may open it: never written, and never waited for longer than said."""

    def __init__(self, path: Path, *, immutable: bool, wait: float) -> None:
        """Open the file.

        Args:
            path: the file.
            immutable: no process writes it; SQLite makes no file beside it then.
            wait: seconds until a file that is locked counts as busy.

        Raises:
            LedgerBusy, LedgerDamaged: it cannot be read now, or at all.
        """
        self._path = path
        query = "mode=ro&immutable=1" if immutable else "mode=ro"
        with _reading(self._path):
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?{query}",
                uri=True,
                timeout=wait,
                isolation_level=None,
                check_same_thread=False,
            )
            self._db.execute("PRAGMA trusted_schema=OFF")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def get(self, key: str) -> Value | None:
        """Return one value; None when there is none."""
        rows = self._rows(_VALUE, key)
        return rows[0][0] if rows else None

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin so."""
        return [key for (key,) in self._rows(_KEYS, *_ends(prefix))]

    def items(self, prefix: str) -> list[tuple[str, Value]]:
        """Return the keys that begin so, each with its value."""
        return self._rows(_ITEMS, *_ends(prefix))

    def last(self, prefix: str, most: int) -> list[Value]:
        """Return the values of the keys that begin so and sort last, the last of them first."""
        return [value for (value,) in self._rows(_LAST, *_ends(prefix), most)]

    def version(self) -> int:
        """Return a number that changes whenever another process has written."""
        number: int = self._rows("PRAGMA data_version")[0][0]
        return number

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Read several things as they were at one moment."""
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("COMMIT")

    def check(self) -> None:
        """Make sure that the file is whole and holds nothing that a `Store` never writes.

        Raises:
            LedgerBusy: it cannot be read now.
            LedgerDamaged: it is broken, or foreign.
        """
        (evil,) = self._rows(_EVIL)[0]
        settings = {key for (key,) in self._rows("SELECT key FROM Settings")}
        if self._rows("PRAGMA quick_check(1)") != [("ok",)]:
            raise LedgerDamaged(f"{self._path} is damaged; {KEEP}")
        if evil or settings - _SETTINGS_KNOWN:
            raise LedgerDamaged(f"{self._path.parent}: {FOREIGN}")

    def count(self) -> int | None:
        """Return how many values there are; None when its making never got as far as a place for them."""
        found = self._rows("SELECT name FROM sqlite_master WHERE sql <> ''")
        if {name for (name,) in found} <= {"Settings"}:
            return None
        number: int = self._rows("SELECT count(*) FROM Cache")[0][0]
        return number

    def has_half_a_transaction(self) -> bool:
        """Tell whether a writer beside a rollback journal was killed while it wrote, or is at it."""
        try:
            self._db.execute("PRAGMA schema_version").fetchone()
        except sqlite3.DatabaseError as error:
            return _code(error) == sqlite3.SQLITE_READONLY_ROLLBACK
        return False

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with _reading(self._path):
            return self._db.execute(statement, values).fetchall()


_VALUE = "SELECT value FROM Cache WHERE key = ? AND raw = 1 AND mode = 1"
_KEYS = "SELECT key FROM Cache WHERE key >= ? AND key < ? AND raw = 1"
_ITEMS = (
    "SELECT key, value FROM Cache WHERE key >= ? AND key < ? AND raw = 1 AND mode = 1 ORDER BY key"
)
_LAST = (
    "SELECT value FROM Cache WHERE key >= ? AND key < ? AND raw = 1 AND mode = 1 "
    "ORDER BY key DESC LIMIT ?"
)
_EVIL = "SELECT count(*) FROM Cache WHERE raw IS NOT 1 OR mode IS NOT 1 OR filename IS NOT NULL"


def _ends(prefix: str) -> tuple[str, str]:
    """Return the first key that begins so, and the first after all that do."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def leave_wal(folder: Path) -> None:
    """Turn a file that came from another disk to a rollback journal, without shared memory."""
    path = folder / DATABASE
    with _writing(path), closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=DELETE")


def roll_back(folder: Path) -> None:
    """Undo the half of a transaction that a killed writer left; only who holds the folder may."""
    path = folder / DATABASE
    with _writing(path), closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA schema_version").fetchone()


def _lock_once(path: Path) -> None:
    """Find out whether another program keeps a file locked.

    diskcache would find out too, but it tries for a minute, and for each of its settings anew.
    """
    with (
        _writing(path),
        closing(sqlite3.connect(path, timeout=LOOK_SECONDS, isolation_level=None)) as db,
    ):
        db.execute("BEGIN EXCLUSIVE")
        db.execute("ROLLBACK")


def _patiently(work: Callable[[], None], patience: Callable[[], float]) -> None:
    """Try until no other program keeps the file locked, or until so many seconds are over."""
    began = time.monotonic()
    while True:
        try:
            work()
        except LedgerBusy:
            if time.monotonic() - began >= patience():
                raise
        else:
            return


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say in one line that a file cannot be read."""
    try:
        yield
    except sqlite3.Error as error:
        if _is_busy(error):
            raise LedgerBusy(_LOCKED.format(path)) from None
        raise LedgerDamaged(f"{path} cannot be read ({error}); {KEEP}") from None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say in one line that a file cannot be written."""
    try:
        yield
    except (OSError, sqlite3.Error, diskcache.Timeout) as error:
        cause = error.__context__ if isinstance(error, diskcache.Timeout) else error
        if isinstance(cause, sqlite3.Error) and _is_busy(cause):
            raise LedgerBusy(_LOCKED.format(path)) from None
        raise LedgerError(
            f"{path.parent}: the ledger cannot be written ({cause}): nothing more is "
            "sent; make room or access, and run again - what was sent is found again"
        ) from None


def _is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another program only keeps the database to itself at this moment."""
    code = _code(error)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: sqlite3.Error) -> int | None:
    """Return SQLite's extended code; the last of its bytes says what kind of error it is."""
    return getattr(error, "sqlite_errorcode", None)
