"""What the pretend Google keeps: objects in buckets, tables in datasets, and jobs that load them.

Buckets named `emulated-REGION` and datasets named `emulated_REGION` are there, in that region;
others have to be made first. Objects and tables are files on the shelf all services share, so that
a batch prediction job reads what was uploaded, and what it writes can be downloaded.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import IO, Any

import google_crc32c

from runner.emulator.google_shapes import REGION, GoogleError
from runner.emulator.records import StoredFile
from runner.emulator.shelf import Shelf
from runner.emulator.spots import Spot, Spots

SERVICE = "gemini"
_TABLES = """
CREATE TABLE IF NOT EXISTS google_places (
  kind TEXT NOT NULL, name TEXT NOT NULL, location TEXT NOT NULL,
  PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS google_sums (
  file_id TEXT PRIMARY KEY, crc32c TEXT NOT NULL, md5 TEXT NOT NULL, lines INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS google_schemas (file_id TEXT PRIMARY KEY, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS google_loads (
  id TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS google_gone (id TEXT PRIMARY KEY);
"""
_CHUNK = 2**20
_GENERATION = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True)
class Sums:
    """What is in a file: its checksums as the services write them, and its lines."""

    crc32c: str
    md5: str
    lines: int


def bucket_spot(bucket: str, name: str) -> Spot:
    """Return the spot of an object."""
    return Spot(f"gs/{bucket}", name)


def table_spot(project: str, dataset: str, table: str) -> Spot:
    """Return the spot of a table."""
    return Spot(f"bq/{project}/{dataset}", table)


class GoogleStore(Spots):
    """Buckets, datasets and what is in them; safe to use from many threads."""

    def __init__(self, shelf: Shelf) -> None:
        """Stand on the shelf that all services share."""
        super().__init__(shelf, SERVICE)
        shelf.db.executescript(_TABLES)

    # Places

    def location(self, kind: str, name: str) -> str | None:
        """Return where a bucket (gs) or a dataset (bq) is; None when there is none."""
        with self.shelf.lock:
            row = self.shelf.db.execute(
                "SELECT location FROM google_places WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
        if row:
            return str(row[0])
        before, _, region = name.partition("-" if kind == "gs" else "_")
        if kind == "bq":
            region = region.replace("_", "-")
        if before != "emulated" or not REGION.fullmatch(region):
            return None
        return "us" if region == "global" else region

    def make_place(self, kind: str, name: str, location: str) -> None:
        """Make a bucket or a dataset."""
        if self.location(kind, name) is not None:
            raise GoogleError(409, f"Already Exists: {name}", is_classic=True)
        with self.shelf.lock:
            self.shelf.db.execute(
                "INSERT INTO google_places VALUES (?, ?, ?)", (kind, name, location.lower())
            )

    # Objects and tables

    def find(self, spot: Spot, generation: int | None = None) -> StoredFile | None:
        """Return what is there now; of another generation, nothing is."""
        file = super().find(spot)
        if file is not None and generation not in (None, generation_of(file)):
            return None
        return file

    def put_if(
        self,
        spot: Spot,
        content: IO[bytes],
        *,
        only_over: int | None = None,
        fields: list[dict[str, Any]] | None = None,
    ) -> StoredFile:
        """Keep something in a spot, in place of what was there.

        Args:
            spot: where.
            content: what.
            only_over: the generation it may replace; 0 for nothing at all.
            fields: a table's columns.
        """
        with self.shelf.transaction() as db:
            there = self.find(spot)
            if only_over is not None and only_over != (
                0 if there is None else generation_of(there)
            ):
                message = "At least one of the pre-conditions you specified did not hold."
                raise GoogleError(412, message, is_classic=True)
            file = self.replace(spot, content, there)
            if fields is not None:
                db.execute(
                    "INSERT INTO google_schemas VALUES (?, ?)", (file.id, json.dumps(fields))
                )
        return file

    def fields(self, file: StoredFile) -> list[dict[str, Any]] | None:
        """Return a table's columns; None for one that a job wrote."""
        with self.shelf.lock:
            row = self.shelf.db.execute(
                "SELECT fields FROM google_schemas WHERE file_id = ?", (file.id,)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def sums(self, file: StoredFile) -> Sums:
        """Return a file's checksums, reckoned once."""
        with self.shelf.lock:
            row = self.shelf.db.execute(
                "SELECT crc32c, md5, lines FROM google_sums WHERE file_id = ?", (file.id,)
            ).fetchone()
        if row:
            return Sums(*row)
        crc, digest, lines = 0, md5(usedforsecurity=False), 0
        with self.shelf.path_of(file.id).open("rb") as content:
            while chunk := content.read(_CHUNK):
                crc = google_crc32c.extend(crc, chunk)
                digest.update(chunk)
                lines += chunk.count(b"\n")
        sums = Sums(_base64(crc.to_bytes(4, "big")), _base64(digest.digest()), lines)
        with self.shelf.lock:
            self.shelf.db.execute(
                "INSERT OR REPLACE INTO google_sums VALUES (?, ?, ?, ?)",
                (file.id, sums.crc32c, sums.md5, sums.lines),
            )
        return sums

    # Jobs

    def load(self, job_id: str) -> dict[str, Any] | None:
        """Return the record of a load job."""
        with self.shelf.lock:
            row = self.shelf.db.execute(
                "SELECT record FROM google_loads WHERE id = ?", (job_id,)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def keep_load(self, job_id: str, record: Mapping[str, Any]) -> bool:
        """Keep the record of a load job; tell whether its id was free."""
        with self.shelf.lock:
            done = self.shelf.db.execute(
                "INSERT OR IGNORE INTO google_loads VALUES (?, ?)", (job_id, json.dumps(record))
            )
        return done.rowcount == 1

    def finish_load(self, job_id: str, record: Mapping[str, Any]) -> None:
        """Say how a load job went."""
        with self.shelf.lock:
            self.shelf.db.execute(
                "UPDATE google_loads SET record = ? WHERE id = ?", (json.dumps(record), job_id)
            )

    def forget(self, job_id: str) -> None:
        """Delete a batch prediction job, as far as can be seen from outside."""
        with self.shelf.lock:
            self.shelf.db.execute("INSERT OR IGNORE INTO google_gone VALUES (?)", (job_id,))

    def is_forgotten(self, job_id: str) -> bool:
        """Tell whether a batch prediction job was deleted."""
        with self.shelf.lock:
            row = self.shelf.db.execute(
                "SELECT 1 FROM google_gone WHERE id = ?", (job_id,)
            ).fetchone()
        return row is not None


def generation_of(file: StoredFile) -> int:
    """Return a file's generation: no two have the same."""
    return _GENERATION + file.seq


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
