"""The durable record of a run: what was intended, sent and received; one transaction an event.

It is a diskcache `Cache` (SQLite) that holds only JSON text and raw bytes, under these keys:

format            int, the layout's number
experiment        the definition, and what identifies the run
batch/<key>       one batch and all that is known of it
members/<key>     its requests, as spans of trials
outcomes/<key>    one byte a request: how its attempt ended
event/<number>    what happened, in order
plan, summary, heartbeat, rev   for whoever watches

Requests have no row of their own and *pending* is stored nowhere: pending = expansion − ledger.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import diskcache

from runner.core.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerError,
    LedgerFormatUnknown,
    LedgerInUse,
    LedgerOutdated,
)
from runner.core.model import Batch, BatchKey, RemoteId, Span, Stem, Usage, Variant
from runner.core.states import BatchState
from runner.storage.events import Beside, Events
from runner.storage.files import leaving, make_folder, write_durably
from runner.storage.lease import SECONDS, Lease, is_leased, newest
from runner.storage.mounts import shared_disk

FORMAT = 1
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
"""WAL and mapped files need memory that all who look share; machines do not."""

DATABASE = "cache.db"
LOCK = "runner.lock"
EXPERIMENT = "experiment.json"
"""What identifies the run, beside the ledger as well: without the ledger, it says whose files these are."""
LOCK_TRIES = 5
PATIENCE_SECONDS = 30.0
"""How long a runner waits for another program that keeps the ledger locked."""
LOOK_SECONDS = 1.0
"""Between two tries meanwhile."""
HEARTBEAT_SECONDS = 2.0
"""Between two signs of life of a runner."""


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
            raise LedgerDamaged(_FOREIGN)
        return key

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, Any]:
        """Accept text, whole numbers and bytes only, inside the database."""
        if read or not isinstance(value, str | int | bytes):
            raise LedgerDamaged(f"ledger value of type {type(value).__name__}; please report this")
        stored = sqlite3.Binary(value) if isinstance(value, bytes) else value
        return 0, diskcache.core.MODE_RAW, None, stored

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """Refuse every mode that would unpickle or open a file."""
        if mode != diskcache.core.MODE_RAW or filename is not None or read:
            raise LedgerDamaged(_FOREIGN)
        return bytes(value) if isinstance(value, memoryview) else value

    def remove(self, file_path: str) -> None:
        """Refuse to delete a file that a row names."""
        raise LedgerDamaged(_FOREIGN)


_FOREIGN = (
    "the ledger has rows that this program never writes; it is not opened: "
    "keep the folder, and make the ledger again from the files beside it with action=recover"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a ledger."""

    pid: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A batch as the files of a run tell of it."""

    batch: Batch
    members: tuple[Span, ...]
    outcomes: bytes | None


class Ledger:
    """One experiment's ledger, held by this process alone until it is closed."""

    def __init__(self, directory: Path, cache: "diskcache.Cache", hold: "_Hold") -> None:
        """Use `create` or `open`."""
        self.directory = directory
        self._cache = cache
        self._hold = hold
        self._mutex = threading.Lock()
        self._patience = PATIENCE_SECONDS
        self._events = sum(1 for key in cache if key.startswith("event/"))
        self._beside = Events(directory)
        try:
            self._catch_up()
        except BaseException:
            self._beside.close()
            raise

    def _catch_up(self) -> None:
        """Write beside the ledger what a kill kept from there."""
        for number in range(self._beside.count, self._events):
            event = _object(self._get(_event_key(number)))
            self._beside.append({"event": event, "batch": self._row(event.get("batch"))})
        if not (self.directory / EXPERIMENT).exists():
            _write_beside(self.directory, self.experiment())

    @classmethod
    def create(
        cls,
        directory: Path,
        experiment: Mapping[str, Any],
        *,
        shared: bool = False,
    ) -> Self:
        """Make a new ledger.

        Args:
            directory: the run's folder.
            experiment: what identifies the run.
            shared: other machines may write on this disk, although it does not look so.

        Raises:
            LedgerInUse: another runner holds the folder.
            LedgerDamaged: there is a ledger already.
        """
        make_folder(directory.parent)
        make_folder(directory, 0o700)
        with _holding(directory, shared=shared) as hold:
            if exists(directory):
                raise LedgerDamaged(f"{directory} has a ledger already; please report this")
            for leftover in directory.glob(f"{DATABASE}*"):
                leftover.unlink()
            return cls._made(directory, hold, _first_rows(experiment), experiment)

    @classmethod
    def remake(
        cls,
        directory: Path,
        experiment: Mapping[str, Any],
        found: Callable[[], tuple[Iterable[Mapping[str, Any]], Iterable[Recovered]]],
        summary: Callable[[Self], Mapping[str, Any]],
        *,
        shared: bool = False,
    ) -> tuple[Self, Path | None]:
        """Make a ledger again, whole or not at all; the one that is there is kept beside it.

        Args:
            directory: the run's folder.
            experiment: what identifies the run.
            found: returns its events and batches, once the folder is held; nothing was changed then.
            summary: what the new ledger sums up to.
            shared: as `create`.

        Returns:
            The ledger, and where the one before was put; None when there was none.

        Raises:
            LedgerInUse: a runner holds the folder.
        """
        with _holding(directory, shared=shared) as hold:
            events, batches = found()
            rows = _first_rows(experiment)
            for one in batches:
                rows |= _rows(one.batch, members=one.members, outcomes=one.outcomes)
            rows |= {_event_key(number): _text(event) for number, event in enumerate(events)}
            aside = _set_aside(directory)
            ledger = cls._made(directory, hold, rows, experiment)
        try:
            ledger.summarise(summary(ledger))
        except BaseException:
            ledger.close()
            raise
        return ledger, aside

    @classmethod
    def _made(
        cls,
        directory: Path,
        hold: "_Hold",
        rows: Mapping[str, Any],
        experiment: Mapping[str, Any],
    ) -> Self:
        cache = _open_cache(directory, hold.settings)
        with cache.transact():
            for key, value in rows.items():
                cache.set(key, value)
        _write_beside(directory, experiment)
        return cls(directory, cache, hold)

    @classmethod
    def open(cls, directory: Path, *, shared: bool = False) -> Self:
        """Open an existing ledger for writing.

        Args:
            directory: the run's folder.
            shared: other machines may write on this disk, although it does not look so.

        Raises:
            LedgerInUse: another runner holds it; names its pid and host.
            LedgerDamaged: it is missing, empty, foreign or broken.
            LedgerOutdated: it is an older copy.
            LedgerFormatUnknown: another version wrote it.
        """
        _refuse_links(directory)
        check(directory)
        moving = not is_leased(directory) and _is_shared(directory, said=shared)
        if moving:
            _check_not_served(directory)
        with _holding(directory, shared=shared) as hold:
            if moving:
                _leave_wal(directory)
            return cls(directory, _open_cache(directory, hold.settings), hold)

    def keep(self) -> None:
        """Make sure, before something that costs money is asked for, that nobody else may ask for it.

        Raises:
            LedgerError: a runner on another machine has followed this one.
        """
        with self._mutex:
            self._hold.keep()

    def close(self) -> None:
        """Let go of the ledger."""
        self._beside.close()
        self._cache.close()
        self._hold.let_go()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def experiment(self) -> dict[str, Any]:
        """Return what identifies the run."""
        return _object(self._get("experiment"))

    def batches(self) -> tuple[Batch, ...]:
        """Return every batch, in the order of packing."""
        keys = sorted((k for k in self._cache if k.startswith("batch/")), key=_packing_order)
        return tuple(batch_of(_object(self._get(key))) for key in keys)

    def members(self, key: BatchKey) -> tuple[Span, ...]:
        """Return a batch's requests."""
        return _as_spans(json.loads(self._get(f"members/{key}")))

    def outcomes(self, key: BatchKey) -> bytes | None:
        """Return how the attempts of a batch ended, one byte each; None while it is open."""
        value = self._cache.get(f"outcomes/{key}")
        return value if isinstance(value, bytes) else None

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what happened, in order."""
        for number in range(self._events):
            yield _object(self._get(_event_key(number)))

    def rewrite_experiment(self, experiment: Mapping[str, Any]) -> None:
        """Record that the experiment grew."""
        self._commit({"experiment": _text(experiment)})
        _write_beside(self.directory, experiment)

    def record(
        self,
        batch: Batch,
        *,
        summary: Mapping[str, Any],
        event: Mapping[str, Any] | None = None,
        members: tuple[Span, ...] | None = None,
        outcomes: bytes | None = None,
    ) -> None:
        """Write one event about one batch; it is on disk, whole, when this returns."""
        rows = _rows(batch, members=members, outcomes=outcomes) | {"summary": _text(summary)}
        if event is None:
            self._commit(rows)
            return
        self._commit(rows | {_event_key(self._events): _text(event)})
        self._events += 1
        self._say_beside({"event": event, "batch": _plain(batch)})

    def summarise(self, summary: Mapping[str, Any]) -> None:
        """Write what another process needs to show the run."""
        self._commit({"summary": _text(summary)})

    def write_plan(self, facts: Mapping[str, Any]) -> None:
        """Write what the runner is about to do, before it does it."""
        self._commit({"plan": _text(facts)})

    def beat(self, now: float, *, finished: bool = False, left: bool = False) -> None:
        """Say that the runner is alive; safe to call from another thread.

        Args:
            now: seconds since the epoch.
            finished: nothing is left to do.
            left: this is the last one, and the runner ends by itself.
        """
        with self._writing():
            self._cache.set(
                "heartbeat",
                _text(
                    {
                        "at": now,
                        "pid": os.getpid(),
                        "host": socket.gethostname(),
                        "finished": finished,
                        "left": left,
                    }
                ),
            )

    def _say_beside(self, line: Mapping[str, Any]) -> None:
        """Write an event beside the ledger, too."""
        with self._writing():
            self._beside.append(line)

    def _row(self, key: str | None) -> dict[str, Any] | None:
        """Return a batch as it is stored."""
        text = self._cache.get(f"batch/{key}")
        return None if text is None else _object(text)

    def hurry(self) -> None:
        """Wait for no other program any more; takes no lock, since a signal handler may call it."""
        self._patience = 0.0

    def _commit(self, rows: Mapping[str, Any]) -> None:
        began = time.monotonic()
        while True:
            try:
                self._commit_now(rows)
            except LedgerBusy:
                if time.monotonic() - began >= self._patience:
                    raise
            else:
                return

    def _commit_now(self, rows: Mapping[str, Any]) -> None:
        with self._writing(), self._cache.transact():
            for key, value in rows.items():
                if not self._cache.set(key, value):
                    raise LedgerError(f"{self.directory}: the ledger did not take {key}")
            self._cache.incr("rev")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Write alone, and say it in one line when the disk does not take it."""
        with self._mutex:
            self._hold.keep()
            try:
                yield
            except (OSError, sqlite3.Error, diskcache.Timeout) as error:
                cause = error.__context__ if isinstance(error, diskcache.Timeout) else error
                if isinstance(cause, sqlite3.Error) and is_busy(cause):
                    raise LedgerBusy(_LOCKED.format(self.directory / DATABASE)) from None
                raise LedgerError(
                    f"{self.directory}: the ledger cannot be written ({error}): nothing more is "
                    "sent; make room or access, and run again - what was sent is found again"
                ) from None

    def _get(self, key: str) -> Any:
        try:
            value = self._cache.get(key)
        except sqlite3.OperationalError as error:
            if is_busy(error):
                raise LedgerBusy(_LOCKED.format(self.directory / DATABASE)) from None
            raise
        if value is None:
            raise LedgerDamaged(f"{self.directory}: the ledger has no {key}")
        return value


class LedgerReader:
    """A ledger seen by another process: read-only, never waits for the writer, changes nothing.

    SQLite may leave its own empty `-wal` and `-shm` beside the database. On a shared disk it waits
    for a commit under way, and what a killed runner wrote by half is undone first.
    """

    def __init__(self, directory: Path) -> None:
        """Open for reading; from any thread, but one at a time.

        Raises:
            LedgerBusy, LedgerDamaged, LedgerFormatUnknown: as `check`.
        """
        check(directory)
        self.directory = directory
        self._mark = _mark(directory)
        self._db = _read_only(directory)
        self._known: dict[str, tuple[str, Batch]] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def version(self) -> int:
        """Return a number that changes whenever another process has written."""
        found: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return found

    def is_stale(self) -> bool:
        """Tell whether this is not the ledger of the folder any more, and has to be opened again."""
        return _mark(self.directory) != self._mark

    @contextlib.contextmanager
    def moment(self) -> Iterator[None]:
        """Read several things as they were at one moment."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def get(self, key: str) -> Any:
        """Return one value, decoded when it is JSON text; None when there is none."""
        row = self._db.execute(
            "SELECT value FROM Cache WHERE key = ? AND raw = 1 AND mode = 1", (key,)
        ).fetchone()
        if row is None:
            return None
        return json.loads(row[0]) if isinstance(row[0], str) else row[0]

    def batches(self) -> tuple[Batch, ...]:
        """Return every batch, in the order of packing; one that did not change is the same object."""
        rows = self._db.execute(
            "SELECT key, value FROM Cache WHERE key GLOB 'batch/*' AND raw = 1 AND mode = 1 "
            "ORDER BY length(key), key"
        )
        before, self._known = self._known, {}
        for key, text in rows:
            old = before.get(key)
            same = old is not None and old[0] == text
            self._known[key] = old if old and same else (text, batch_of(_object(text)))
        return tuple(batch for _, batch in self._known.values())

    def latest_events(self, most: int) -> Iterator[dict[str, Any]]:
        """Yield what happened last, the latest first."""
        rows = self._db.execute(
            "SELECT value FROM Cache WHERE key > 'event/' AND key < 'event0' AND raw = 1 AND mode = 1 "
            "ORDER BY key DESC LIMIT ?",
            (most,),
        )
        return (_object(text) for (text,) in rows)

    def members(self, key: BatchKey) -> tuple[Span, ...]:
        """Return a batch's requests."""
        return _as_spans(self.get(f"members/{key}"))

    def outcomes(self, key: BatchKey) -> bytes | None:
        """Return how the attempts of a batch ended, one byte each; None while it is open."""
        value = self.get(f"outcomes/{key}")
        return value if isinstance(value, bytes) else None

    def holder(self) -> Holder | None:
        """Return who holds the ledger now; None when nobody does."""
        return holder(self.directory)


def experiment_beside(directory: Path) -> dict[str, Any]:
    """Return what identifies a run whose ledger cannot be read.

    Raises:
        LedgerDamaged: it is gone, too.
    """
    path = directory / EXPERIMENT
    try:
        return _object(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerDamaged(
            f"{path} cannot be read ({error}): without it nobody knows whose files these are; "
            "put back a copy of it, or of the ledger"
        ) from None


def _write_beside(directory: Path, experiment: Mapping[str, Any]) -> None:
    write_durably(directory / EXPERIMENT, [_text(experiment).encode()])


def exists(directory: Path) -> bool:
    """Tell whether a run was ever started in this folder.

    A kill in the first moment can leave a lock or an empty database: that is not a run. Where
    something was packed or collected there has to be a ledger, and `check` will say so.
    """
    if any((directory / name).exists() for name in ("requests", "raw")):
        return True
    return (directory / DATABASE).exists() and _is_whole(directory)


def check(directory: Path) -> None:
    """Make sure that a folder holds a ledger this version can read, without changing it.

    Raises:
        LedgerBusy: another program keeps it to itself at this moment.
        LedgerDamaged: missing, empty, foreign or broken.
        LedgerOutdated: an older copy than the files beside it.
        LedgerFormatUnknown: written by another version.
    """
    beside = Beside.of(directory)
    if not (directory / DATABASE).exists():
        raise LedgerDamaged(f"{directory} has no ledger ({DATABASE}); {_KEEP}")
    try:
        with contextlib.closing(_read_only(directory)) as db:
            found = db.execute("SELECT value FROM Cache WHERE key = 'format'").fetchone()
            evil = db.execute(
                "SELECT count(*) FROM Cache "
                "WHERE raw IS NOT 1 OR mode IS NOT 1 OR filename IS NOT NULL"
            ).fetchone()
            settings = {key for (key,) in db.execute("SELECT key FROM Settings")}
            unknown = list(_unknown(db, beside))
            if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise LedgerDamaged(f"{directory / DATABASE} is damaged; {_KEEP}")
    except sqlite3.DatabaseError as error:
        if is_busy(error):
            raise LedgerBusy(_LOCKED.format(directory / DATABASE)) from None
        raise LedgerDamaged(f"{directory / DATABASE} cannot be read ({error}); {_KEEP}") from None
    if evil[0] or settings - _SETTINGS_KNOWN:
        raise LedgerDamaged(f"{directory}: {_FOREIGN}")
    if found is None:
        raise LedgerDamaged(f"{directory / DATABASE} is empty; {_KEEP}")
    if found[0] != FORMAT:
        raise LedgerFormatUnknown(
            f"{directory} has ledger format {found[0]}, this program reads {FORMAT}: "
            "use the version that wrote it"
        )
    if unknown:
        raise LedgerOutdated(
            f"{directory / DATABASE} is an older copy than the files beside it: "
            f"{'; '.join(unknown)}, which it does not know and which may be paid for. Nothing was "
            "sent: make the ledger again from these files with action=recover"
        )


def _unknown(db: sqlite3.Connection, beside: Beside) -> Iterator[str]:
    """Yield what the files beside a ledger know, and it does not."""
    batches = {
        key.removeprefix("batch/")
        for (key,) in db.execute("SELECT key FROM Cache WHERE key GLOB 'batch/*'")
    }
    (events,) = db.execute(
        "SELECT count(*) FROM Cache WHERE key > 'event/' AND key < 'event0'"
    ).fetchone()

    def event(number: int) -> Any:
        row = db.execute("SELECT value FROM Cache WHERE key = ?", (_event_key(number),)).fetchone()
        return None if row is None else _object(row[0])

    return beside.unknown(batches, events, event)


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another program only keeps the database to itself at this moment."""
    code = getattr(error, "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


_LOCKED = (
    "{} is locked by another program (a backup, or a program for SQLite): close it there, and run "
    "again; nothing more was sent, and what was sent is found again"
)

_KEEP = (
    "nothing was sent: keep the folder (its raw answers are paid for) and "
    "make the ledger again from the files beside it with action=recover"
)


_SETTINGS_KNOWN = {*diskcache.core.DEFAULT_SETTINGS, *diskcache.core.METADATA}


def holder(directory: Path) -> Holder | None:
    """Return who holds a folder's ledger; None when nobody does.

    The operating system knows of this machine; of others, the lease on a shared disk tells.
    """
    return _lock_holder(directory) or _lease_holder(directory)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """What keeps everybody else from writing."""

    lock: int
    lease: Lease | None
    """None on a disk that is this machine's alone."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """How the database is kept."""
        return SETTINGS if self.lease is None else ON_SHARED_DISKS

    def keep(self) -> None:
        """Raise LedgerError when somebody else may write by now."""
        if self.lease is not None:
            self.lease.keep()

    def let_go(self) -> None:
        """Let the next one in."""
        if self.lease is not None:
            self.lease.release()
        os.close(self.lock)


@contextlib.contextmanager
def _holding(directory: Path, *, shared: bool = False) -> Iterator[_Hold]:
    """Hold a folder, and let go of it again if what is done meanwhile fails."""
    _refuse_links(directory)
    lock = _hold(directory)
    try:
        leased = is_leased(directory) or _is_shared(directory, said=shared)
        hold = _Hold(lock=lock, lease=Lease.take(directory) if leased else None)
    except BaseException:
        os.close(lock)
        raise
    try:
        yield hold
    except BaseException:
        hold.let_go()
        raise


def _refuse_links(directory: Path) -> None:
    if link := leaving(directory):
        raise LedgerError(
            f"{link} is a link to {link.readlink()}: nothing is written through a link that leaves "
            "a run's folder; put the file or folder itself there, or take the link away"
        )


def _is_shared(directory: Path, *, said: bool) -> bool:
    return said or shared_disk(directory) is not None


def _check_not_served(directory: Path) -> None:
    """Refuse a ledger that a machine may be writing which takes this disk for its own alone.

    Raises:
        LedgerInUse: it gave a sign of life a moment ago.
    """
    with contextlib.closing(LedgerReader(directory)) as reader:
        beat = reader.get("heartbeat") or {}
    on_another_host = beat.get("host", socket.gethostname()) != socket.gethostname()
    if on_another_host and not beat.get("left") and time.time() - beat["at"] < SECONDS:
        raise LedgerInUse(
            f"{directory} is in use by a runner with pid {beat['pid']} on {beat['host']}: "
            "wait for it, or stop it there with Ctrl-C and run again"
        )


def _leave_wal(directory: Path) -> None:
    """Turn a database that came from another disk to a rollback journal, without shared memory."""
    with contextlib.closing(sqlite3.connect(directory / DATABASE, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=DELETE")


def _hold(directory: Path) -> int:
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
        raise LedgerInUse(
            f"{directory} is in use by a runner with pid {other.pid} on {other.host}: "
            "wait for it, or stop it there with Ctrl-C and run again"
        )
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
    return handle


def _named(handle: int) -> Holder:
    pid, _, host = os.pread(handle, 300, 0).decode(errors="replace").strip().partition(" ")
    return Holder(pid=int(pid) if pid.isdigit() else 0, host=host or "an unknown host")


def _set_aside(directory: Path) -> Path | None:
    """Move a ledger out of the way; it is kept. None when there is none."""
    found = sorted(directory.glob(f"{DATABASE}*"))
    if not found:
        return None
    number = 1
    while (aside := directory / f"damaged-{number}").exists():
        number += 1
    make_folder(aside, 0o700)
    for path in found:
        path.replace(aside / path.name)
    return aside if (aside / DATABASE).exists() else None


def _is_whole(directory: Path) -> bool:
    """Tell whether a database got past its creation; a kill can leave one without a format."""
    try:
        with contextlib.closing(_read_only(directory)) as db:
            made = {
                name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql <> ''")
            }
            if made <= {"Settings"}:
                return (directory / EXPERIMENT).exists()
            return bool(db.execute("SELECT count(*) FROM Cache").fetchone()[0])
    except LedgerBusy:
        return True
    except sqlite3.DatabaseError:
        return (directory / DATABASE).stat().st_size > 0


def _open_cache(directory: Path, settings: Mapping[str, Any]) -> "diskcache.Cache":
    try:
        cache = diskcache.Cache(str(directory), disk=PlainDisk, timeout=LOOK_SECONDS, **settings)
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise LedgerBusy(_LOCKED.format(directory / DATABASE)) from None
        raise
    wrong = {k: v for k, v in settings.items() if getattr(cache, k) != v}
    if wrong:
        raise LedgerDamaged(f"{directory}: the ledger's settings are not ours: {wrong}")
    return cache


def _read_only(directory: Path) -> sqlite3.Connection:
    """Open the database for reading, made whole first if a writer was killed on a shared disk."""
    db = _connected(directory)
    if is_leased(directory) and _has_half_a_transaction(db):
        db.close()
        _roll_back(directory)
        db = _connected(directory)
    return db


def _connected(directory: Path) -> sqlite3.Connection:
    path = (directory / DATABASE).resolve()
    # Without such a file nobody is writing, and `immutable` keeps SQLite from making one.
    busy = any(path.with_name(f"{DATABASE}-{kind}").exists() for kind in ("wal", "journal"))
    leased = is_leased(directory)
    quiet = "" if busy or leased else "&immutable=1"
    db = sqlite3.connect(
        f"{path.as_uri()}?mode=ro{quiet}",
        uri=True,
        timeout=2.0 if leased else 0.25,  # beside a rollback journal readers wait for a commit
        isolation_level=None,
        check_same_thread=False,
    )
    db.execute("PRAGMA trusted_schema=OFF")
    return db


def _has_half_a_transaction(db: sqlite3.Connection) -> bool:
    try:
        db.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK
    return False


def _roll_back(directory: Path) -> None:
    """Undo the half of a transaction that a killed runner left; only who holds the folder may.

    Raises:
        LedgerBusy: it is not left at all, but being written, or cannot be undone from here.
    """
    try:
        with _holding(directory) as hold:
            with contextlib.closing(sqlite3.connect(directory / DATABASE)) as db:
                db.execute("PRAGMA schema_version").fetchone()
            hold.let_go()
    except (LedgerInUse, OSError, sqlite3.OperationalError) as error:
        raise LedgerBusy(
            f"{directory / DATABASE} is in the middle of a transaction, and is read when that is over "
            f"({error})"
        ) from None


def _mark(directory: Path) -> tuple[int, ...]:
    """Return what tells one database from another that takes its place.

    Without a -wal file it is read as if it never changed, so a writer that comes changes this, too.
    """
    database = directory / DATABASE
    try:
        found = database.stat()
    except FileNotFoundError:
        return ()
    if is_leased(directory) or database.with_name(f"{DATABASE}-wal").exists():
        return found.st_dev, found.st_ino
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _event_key(number: int) -> str:
    return f"event/{number:08d}"


def _packing_order(key: str) -> tuple[int, str]:
    """Sort b10000 after b9999."""
    return len(key), key


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _object(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise LedgerDamaged(f"the ledger holds text that is not JSON ({error}); {_KEEP}") from None
    if not isinstance(value, dict):
        raise LedgerDamaged(f"the ledger holds {type(value).__name__}, not an object; {_KEEP}")
    return value


def _as_spans(rows: Any) -> tuple[Span, ...]:
    return tuple(
        Span(Stem(stem), first, last, Variant(variant)) for stem, first, last, variant in rows
    )


def _first_rows(experiment: Mapping[str, Any]) -> dict[str, Any]:
    return {"format": FORMAT, "experiment": _text(experiment), "rev": 0}


def _rows(
    batch: Batch, *, members: tuple[Span, ...] | None = None, outcomes: bytes | None = None
) -> dict[str, Any]:
    """Return what the ledger keeps of a batch."""
    rows: dict[str, Any] = {f"batch/{batch.key}": _text(_plain(batch))}
    if members is not None:
        rows[f"members/{batch.key}"] = _text(
            [[s.stem, s.first, s.last, s.variant.value] for s in members]
        )
    if outcomes is not None:
        rows[f"outcomes/{batch.key}"] = outcomes
    return rows


_DECIMALS = ("reserved_usd", "cost_usd", "known_usd", "held_usd", "bound_usd")
_TOKENS = tuple(f.name for f in fields(Usage))
"""In the order in which a batch's row has them; an older one has the first two."""


def _plain(batch: Batch) -> dict[str, Any]:
    """Return a batch as JSON-ready data."""
    row: dict[str, Any] = {f.name: getattr(batch, f.name) for f in fields(batch)}
    row["state"] = batch.state.value
    row["usage"] = [getattr(batch.usage, name) for name in _TOKENS]
    for name in _DECIMALS:
        row[name] = None if row[name] is None else str(row[name])
    return row


def batch_of(row: dict[str, Any]) -> Batch:
    """Return the batch that a row of the ledger, or a line beside it, tells of."""
    for name in _DECIMALS:
        if row.get(name) is not None:  # an older version did not know of all of them
            row[name] = Decimal(row[name])
    row["state"] = BatchState(row["state"])
    row["usage"] = Usage(**dict(zip(_TOKENS, row["usage"], strict=False)))
    row["dead"], row["candidates"] = tuple(row["dead"]), tuple(row["candidates"])
    row["key"] = BatchKey(row["key"])
    row["remote"] = None if row["remote"] is None else RemoteId(row["remote"])
    return Batch(**row)
