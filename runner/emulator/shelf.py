"""Where the pretend services keep things: one folder of files and one SQLite database."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from runner.emulator.records import StoredFile

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, service TEXT NOT NULL,
  purpose TEXT NOT NULL, filename TEXT NOT NULL, bytes INTEGER NOT NULL, created_at REAL NOT NULL,
  expires_at INTEGER, stable_key TEXT NOT NULL, deleted_at REAL,
  downloads INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS batches (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, service TEXT NOT NULL,
  endpoint TEXT NOT NULL, input_file_id TEXT NOT NULL, metadata TEXT, output_lifetime INTEGER,
  sha256 TEXT NOT NULL, nth INTEGER NOT NULL, fate TEXT NOT NULL, tokens INTEGER NOT NULL,
  created_at REAL NOT NULL, validated_at REAL NOT NULL, ran_at REAL NOT NULL,
  ended_at REAL NOT NULL, cancel_at REAL, checked INTEGER NOT NULL DEFAULT 0,
  settled INTEGER NOT NULL DEFAULT 0, model TEXT, total INTEGER NOT NULL DEFAULT 0,
  doomed INTEGER NOT NULL DEFAULT 0, errors TEXT, completed INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0, output_file_id TEXT, error_file_id TEXT,
  input_tokens INTEGER NOT NULL DEFAULT 0, output_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0, details TEXT);
CREATE INDEX IF NOT EXISTS batches_by_input ON batches (sha256);
CREATE INDEX IF NOT EXISTS batches_unsettled ON batches (seq) WHERE settled = 0;
CREATE TABLE IF NOT EXISTS asks (
  model TEXT NOT NULL, custom_id TEXT NOT NULL, asked INTEGER NOT NULL, billed INTEGER NOT NULL,
  PRIMARY KEY (model, custom_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chats (
  model TEXT NOT NULL, prompt TEXT NOT NULL, billed INTEGER NOT NULL,
  PRIMARY KEY (model, prompt)) WITHOUT ROWID;
"""
MONTH = 30 * 86_400
_CHUNK = 2**20


class Shelf:
    """Files and the database; safe to use from many threads and to kill at any moment."""

    def __init__(self, directory: Path, clock: Callable[[], float]) -> None:
        """Open the directory, or make it."""
        self.clock = clock
        self._folder = directory / "files"
        self._folder.mkdir(parents=True, exist_ok=True)
        for stale in self._folder.glob("*.tmp"):  # left by a kill in mid-work
            stale.unlink(missing_ok=True)
        self.lock = threading.RLock()
        self.db = sqlite3.connect(
            directory / "emulator.sqlite", timeout=60, isolation_level=None, check_same_thread=False
        )
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do several things or none."""
        with self.lock:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    def keep(
        self,
        service: str,
        purpose: str,
        filename: str,
        source: IO[bytes],
        lifetime: int | None,
        *,
        file_id: str | None = None,
    ) -> StoredFile:
        """Store an upload, under an id of its own where none is given."""
        file_id = file_id or f"file-{secrets.token_hex(12)}"
        scratch = self._folder / f"{file_id}.{os.getpid()}.tmp"
        digest = sha256()
        with scratch.open("wb") as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
        size = scratch.stat().st_size
        scratch.replace(self.path_of(file_id))
        now = self.clock()
        expires_at = int(now) + (lifetime or MONTH)
        self.insert(file_id, service, purpose, filename, size, now, expires_at, digest.hexdigest())
        return self.get(file_id)

    def insert(self, *columns: str | float) -> None:
        """Note a file whose bytes are in place already: all columns but `seq` and the last two."""
        with self.lock:
            self.db.execute(
                "INSERT INTO files (id, service, purpose, filename, bytes, created_at, expires_at,"
                " stable_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                columns,
            )

    def get(self, file_id: str) -> StoredFile:
        """Return a file that is known to exist, deleted or not."""
        with self.lock:
            row = self.db.execute("SELECT * FROM files WHERE id = ?", (file_id,)).fetchone()
        return StoredFile(*row)

    def path_of(self, file_id: str) -> Path:
        """Where a file's bytes are."""
        return self._folder / file_id

    def find(self, service: str, file_id: str) -> StoredFile | None:
        """Return a file that was not deleted; what a batch writes is there once it has ended."""
        with self.lock:
            row = self.db.execute(
                "SELECT * FROM files WHERE id = ? AND service = ? AND deleted_at IS NULL"
                " AND created_at <= ?",
                (file_id, service, self.clock()),
            ).fetchone()
        return StoredFile(*row) if row else None

    def listed(self, service: str, purpose: str | None) -> list[StoredFile]:
        """Return all files of a service that were not deleted, newest first."""
        with self.lock:
            rows = self.db.execute(
                "SELECT * FROM files WHERE service = ? AND deleted_at IS NULL AND created_at <= ?"
                " AND (? IS NULL OR purpose = ?) ORDER BY seq DESC",
                (service, self.clock(), purpose, purpose),
            ).fetchall()
        return [StoredFile(*row) for row in rows]

    def delete(self, file_id: str) -> None:
        """Forget a file; its bytes stay while a batch may still need them."""
        with self.transaction() as db:
            db.execute("UPDATE files SET deleted_at = ? WHERE id = ?", (self.clock(), file_id))
            needed = db.execute(
                "SELECT 1 FROM batches WHERE input_file_id = ? AND settled = 0", (file_id,)
            ).fetchone()
        if not needed:
            self.path_of(file_id).unlink(missing_ok=True)

    def count_download(self, file: StoredFile) -> int:
        """Note that a download begins; return how many began before."""
        with self.transaction() as db:
            db.execute("UPDATE files SET downloads = downloads + 1 WHERE id = ?", (file.id,))
        return self.get(file.id).downloads - 1
