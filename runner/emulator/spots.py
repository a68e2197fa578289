"""Things in places: files on the shelf that are known by where they are and what they are called there.

What was put in a spot before is deleted when something else is put there; what a batch writes is there
once it has ended.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import IO, BinaryIO, cast

from runner.emulator.records import StoredFile
from runner.emulator.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a file is: `s3/BUCKET` or `gs/BUCKET` and an object, or `bq/PROJECT/DATASET` and a table."""

    where: str
    name: str

    @property
    def place(self) -> tuple[str, str]:
        """Return the kind and the name of the bucket or dataset."""
        kind, _, name = self.where.partition("/")
        return kind, name.rpartition("/")[2] if kind == "bq" else name


class Spots:
    """What one service has in its places; safe to use from many threads."""

    def __init__(self, shelf: Shelf, service: str) -> None:
        """Stand on the shelf that all services share."""
        self.shelf = shelf
        self.service = service

    def find(self, spot: Spot) -> StoredFile | None:
        """Return what is there now."""
        with self.shelf.lock:
            row = self.shelf.db.execute(
                "SELECT * FROM files WHERE service = ? AND purpose = ? AND filename = ?"
                " AND deleted_at IS NULL AND created_at <= ? ORDER BY seq DESC",
                (self.service, spot.where, spot.name, self.shelf.clock()),
            ).fetchone()
        return StoredFile(*row) if row else None

    def listed(self, where: str, prefix: str) -> list[StoredFile]:
        """Return what is there under a prefix, by name."""
        with self.shelf.lock:
            rows = self.shelf.db.execute(
                "SELECT * FROM files WHERE service = ? AND purpose = ? AND deleted_at IS NULL"
                " AND created_at <= ? AND substr(filename, 1, ?) = ? ORDER BY filename, seq",
                (self.service, where, self.shelf.clock(), len(prefix), prefix),
            ).fetchall()
        return [StoredFile(*row) for row in rows]

    def replace(self, spot: Spot, content: IO[bytes], there: StoredFile | None) -> StoredFile:
        """Keep something in a spot, in place of what was there; in a transaction of the caller's."""
        if there is not None:
            self.shelf.db.execute(
                "UPDATE files SET deleted_at = ? WHERE id = ?", (self.shelf.clock(), there.id)
            )
        return self.shelf.keep(self.service, spot.where, spot.name, cast("BinaryIO", content), None)

    def put(self, spot: Spot, content: IO[bytes]) -> StoredFile:
        """Keep something in a spot, in place of what was there."""
        with self.shelf.transaction():
            return self.replace(spot, content, self.find(spot))

    def input_of(self, spot: Spot) -> StoredFile:
        """Return what a job reads: what is there, or what was there and is gone."""
        if (file := self.find(spot)) is not None:
            return file
        with self.shelf.lock:
            row = self.shelf.db.execute(
                "SELECT * FROM files WHERE service = ? AND purpose = ? AND filename = ?"
                " ORDER BY seq DESC",
                (self.service, spot.where, spot.name),
            ).fetchone()
        if row:
            return StoredFile(*row)
        never = self.shelf.keep(self.service, spot.where, spot.name, BytesIO(), None)
        self.shelf.delete(never.id)
        return self.shelf.get(never.id)
