"""A ledger as any process may read it: whether there is one, whether it is sound, and what it says."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from runner.core.deadline import Deadline
from runner.core.entries import Entries
from runner.core.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerError,
    LedgerFormatUnknown,
    LedgerOutdated,
)
from runner.core.model import Batch, BatchKey, Span, Stem
from runner.core.numbered import Numbered
from runner.storage import codec
from runner.storage.definitions import restored
from runner.storage.events import Beside
from runner.storage.kv import DATABASE, KEEP, Readable, ReadOnly, Value, roll_back
from runner.storage.lease import is_leased
from runner.storage.lock import Holder, holder, holding
from runner.storage.paths import RAW, REQUESTS

EXPERIMENT = "experiment.json"
"""What identifies the run, beside the ledger as well: without the ledger, it says whose files these are."""


class LedgerView:
    """What a ledger says, to the runner that holds it and to any other process."""

    def __init__(self, directory: Path, values: Readable) -> None:
        """Read from a store that is open."""
        self.directory = directory
        self._values = values
        self._known: dict[str, tuple[Value, Batch]] = {}
        self._record: tuple[Value, dict[str, Any]] | None = None

    def experiment(self) -> dict[str, Any]:
        """Return what identifies the run; many levels and conditions are read when they are asked for.

        Raises:
            LedgerDamaged: a table beside the ledger is gone, or was changed.
        """
        text = self._required("experiment")
        if self._record is None or self._record[0] != text:
            self._record = text, restored(self.directory, codec.object_of(text))
        return self._record[1]

    def take(self, experiment: dict[str, Any]) -> None:
        """Use a record that says the same, and has its entries in memory already."""
        self._record = self._required("experiment"), experiment

    def names(self) -> Numbered:
        """Return the names of the conditions by their numbers."""
        conditions = self.experiment()["definition"]["conditions"]
        return conditions.names if isinstance(conditions, Entries) else Numbered([*conditions])

    def batches(self) -> tuple[Batch, ...]:
        """Return every batch, in the order of packing; one that did not change is the same object."""
        known: dict[str, tuple[Value, Batch]] = {}
        found = self._values.items(codec.BATCH)
        for key, text in sorted(found, key=lambda row: codec.packing_order(row[0])):
            old = self._known.get(key)
            same = old is not None and old[0] == text
            known[key] = old if old and same else (text, codec.batch_of(codec.object_of(text)))
        self._known = known
        return tuple(batch for _, batch in known.values())

    def members(self, key: BatchKey) -> Sequence[Span]:
        """Return a batch's requests."""
        return codec.members_of(self._required(f"{codec.MEMBERS}{key}"), self.names)

    def outcomes(self, key: BatchKey) -> bytes | None:
        """Return how the attempts of a batch ended, one byte each; None while it is open."""
        value = self._values.get(f"{codec.OUTCOMES}{key}")
        return value if isinstance(value, bytes) else None

    def granted(self) -> dict[Stem, int]:
        """Return how many trials a stopping rule granted to which conditions, beside the first ones."""
        return {Stem(stem): n for row in self.rounds() for stem, n in row["trials"].items()}

    def rounds(self) -> list[dict[str, Any]]:
        """Return what a stopping rule granted at once, in order: the `rule`, and `trials` by condition."""
        return [codec.object_of(text) for _, text in sorted(self._values.items(codec.TRIALS))]

    def deadline(self) -> Deadline | None:
        """Return the deadline that a run was told; None, too, once all that it was for is answered."""
        text, summary = self._values.get(codec.DEADLINE), self._values.get("summary")
        row = None if text is None else codec.object_of(text)
        if not row or (summary is not None and not codec.object_of(summary).get("open", 1)):
            return None
        return Deadline(row["said"], row["at"])

    def notify(self) -> tuple[str, ...]:
        """Return the environment variables that hold the addresses of messages."""
        text = self._values.get(codec.NOTIFY)
        return () if text is None else tuple(codec.object_of(text)["names"])

    def _required(self, key: str) -> Value:
        value = self._values.get(key)
        if value is None:
            raise LedgerDamaged(f"{self.directory}: the ledger has no {key}")
        return value


class LedgerReader(LedgerView):
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
        self._mark = _mark(directory)
        self._db = _read_only(directory)
        super().__init__(directory, self._db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def version(self) -> int:
        """Return a number that changes whenever another process has written."""
        return self._db.version()

    def is_stale(self) -> bool:
        """Tell whether this is not the ledger of the folder any more, and has to be opened again."""
        return _mark(self.directory) != self._mark

    def moment(self) -> AbstractContextManager[None]:
        """Read several things as they were at one moment."""
        return self._db.moment()

    def get(self, key: str) -> Any:
        """Return one value, decoded when it is JSON text; None when there is none."""
        if key == "experiment" and self._db.get(key) is not None:
            return self.experiment()
        value = self._db.get(key)
        return json.loads(value) if isinstance(value, str) else value

    def latest_events(self, most: int) -> Iterator[dict[str, Any]]:
        """Yield what happened last, the latest first."""
        return map(codec.object_of, self._db.last(codec.EVENT, most))

    def holder(self) -> Holder | None:
        """Return who holds the ledger now; None when no process does."""
        return holder(self.directory)


def experiment_beside(directory: Path) -> dict[str, Any]:
    """Return what identifies a run whose ledger cannot be read.

    Raises:
        LedgerDamaged: it is gone, too.
    """
    path = directory / EXPERIMENT
    try:
        return restored(directory, codec.object_of(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerDamaged(
            f"{path} cannot be read ({error}): without it, whose files these are is not known; "
            "put back a copy of it, or of the ledger"
        ) from None


def exists(directory: Path) -> bool:
    """Tell whether a run was ever started in this folder.

    A kill in the first moment can leave a lock or an empty database: that is not a run. Where
    something was packed or collected there has to be a ledger, and `check` will say so.
    """
    if any((directory / name).exists() for name in (REQUESTS, RAW)):
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
        raise LedgerDamaged(f"{directory} has no ledger ({DATABASE}); {KEEP}")
    with closing(_read_only(directory)) as db:
        db.check()
        found = db.get("format")
        if found is None:
            raise LedgerDamaged(f"{directory / DATABASE} is empty; {KEEP}")
        if found != codec.FORMAT:
            raise LedgerFormatUnknown(
                f"{directory} has ledger format {found!s}, this program reads {codec.FORMAT}: "
                "use the version that wrote it"
            )
        if unknown := [*_unknown(db, beside)]:
            raise LedgerOutdated(
                f"{directory / DATABASE} is an older copy than the files beside it: "
                f"{'; '.join(unknown)}, which it does not know and which may be paid for. Nothing was "
                "sent: make the ledger again from these files with action=recover"
            )


def _unknown(db: ReadOnly, beside: Beside) -> Iterator[str]:
    """Yield what the files beside a ledger know, and it does not."""

    def event(number: int) -> Any:
        text = db.get(codec.event_key(number))
        return None if text is None else codec.object_of(text)

    batches: Collection[str] = {key.removeprefix(codec.BATCH) for key in db.keys(codec.BATCH)}
    return beside.unknown(batches, len(db.keys(codec.EVENT)), event)


def _is_whole(directory: Path) -> bool:
    """Tell whether a database got past its creation; a kill can leave one without a format."""
    try:
        with closing(_read_only(directory)) as db:
            values = db.count()
        return (directory / EXPERIMENT).exists() if values is None else values > 0
    except LedgerBusy:
        return True
    except LedgerDamaged:
        return (directory / DATABASE).stat().st_size > 0


def _read_only(directory: Path) -> ReadOnly:
    """Open the database for reading, made whole first if a writer was killed on a shared disk."""
    db = _connected(directory)
    if is_leased(directory) and db.has_half_a_transaction():
        db.close()
        _roll_back(directory)
        db = _connected(directory)
    return db


def _connected(directory: Path) -> ReadOnly:
    path = directory / DATABASE
    # Without such a file no process is writing, and `immutable` keeps SQLite from making one.
    busy = any(path.with_name(f"{DATABASE}-{kind}").exists() for kind in ("wal", "journal"))
    leased = is_leased(directory)
    # Beside a rollback journal readers wait for a commit.
    return ReadOnly(path, immutable=not busy and not leased, wait=2.0 if leased else 0.25)


def _roll_back(directory: Path) -> None:
    """Undo the half of a transaction that a killed runner left; only who holds the folder may.

    Raises:
        LedgerBusy: it is not left at all, but being written, or cannot be undone from here.
    """
    try:
        with holding(directory) as hold:
            roll_back(directory)
            hold.let_go()
    except (LedgerError, OSError) as error:
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
