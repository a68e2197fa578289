"""What the pretend services remember of batches, and whom they bill, by the clock."""

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from runner.emulator.answers import ChatRequest, Reply, answer
from runner.emulator.behaviour import Behaviour
from runner.emulator.records import Batch, Fate, StoredFile
from runner.emulator.running import LineFormat, Outcome, PerBatch, run
from runner.emulator.shelf import MONTH, Shelf


class World:
    """The memory all wires share; safe to call from many threads and to kill at any moment."""

    def __init__(
        self,
        directory: Path,
        behaviour: Behaviour,
        dialects: Mapping[str, LineFormat],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the directory, or make it."""
        self.behaviour = behaviour
        self.clock = clock
        self._dialects = dialects
        self.shelf = Shelf(directory, clock)
        self._db = self.shelf.db
        self._lock = self.shelf.lock
        self._full: set[tuple[str, str]] = set()

    def is_full(self, source: StoredFile) -> bool:
        """Tell whether an order finds no room at a service that says so at once: once an input."""
        key = source.service, source.stable_key
        if key in self._full or not self.behaviour.happens("token_limit", source.stable_key):
            return False
        self._full.add(key)
        return True

    def create_batch(
        self,
        source: StoredFile,
        endpoint: str,
        metadata: dict[str, str] | None,
        output_lifetime: int | None,
        *,
        batch_id: str | None = None,
        details: Mapping[str, object] | None = None,
        validates: bool = True,
        model: str | None = None,
    ) -> Batch:
        """Commit a new batch; what will become of it is decided here."""
        now, pace = self.clock(), self.behaviour
        validated = now + (pace.validating_seconds if validates else 0)
        ran = validated + pace.in_progress_seconds
        if model is None:
            model = self._dialects[source.service].first_model(self.shelf.path_of(source.id))
        batch_id = batch_id or f"batch_{secrets.token_hex(16)}"
        with self.shelf.transaction() as db:
            (nth,) = db.execute(
                "SELECT count(*) FROM batches WHERE sha256 = ?", (source.stable_key,)
            ).fetchone()
            db.execute(
                "INSERT INTO batches (id, service, endpoint, input_file_id, metadata,"
                " output_lifetime, sha256, nth, fate, tokens, created_at, validated_at, ran_at,"
                " ended_at, model, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(batch_id, source.service, endpoint, source.id),
                    None if metadata is None else json.dumps(metadata, ensure_ascii=False),
                    *(output_lifetime or MONTH, source.stable_key, nth),
                    self._fate(source.stable_key, nth),
                    *(source.bytes // 3, now, validated, ran, ran + pace.finalizing_seconds),
                    model,
                    None if details is None else json.dumps(details, ensure_ascii=False),
                ),
            )
        return self._batch(batch_id)

    def _fate(self, content: str, nth: int) -> Fate:
        if nth == 0 and self.behaviour.happens("token_limit", content):
            return Fate.TOKEN_LIMIT
        if self.behaviour.happens("half_expired", f"{content}/{nth}"):
            return Fate.EXPIRE
        return Fate.COMPLETE

    def _dialect(self, batch: Batch) -> LineFormat:
        dialect = self._dialects[batch.service]
        return dialect.of(batch) if isinstance(dialect, PerBatch) else dialect

    def _batch(self, batch_id: str) -> Batch:
        with self._lock:
            row = self._db.execute("SELECT * FROM batches WHERE id = ?", (batch_id,)).fetchone()
        return Batch(*row)

    def find_batch(self, service: str, batch_id: str) -> Batch | None:
        """Return a batch as the clock has it now."""
        self.advance(batch_id)
        with self._lock:
            row = self._db.execute(
                "SELECT * FROM batches WHERE id = ? AND service = ?", (batch_id, service)
            ).fetchone()
        return Batch(*row) if row else None

    def list_batches(self, service: str) -> list[Batch]:
        """Return the batches of a service that a listing already shows, newest first."""
        self.advance()
        shown_until = self.clock() - self.behaviour.late_list_seconds
        with self._lock:
            rows = self._db.execute(
                "SELECT * FROM batches WHERE service = ? AND created_at <= ? ORDER BY seq DESC",
                (service, shown_until),
            ).fetchall()
        return [Batch(*row) for row in rows]

    def cancel_batch(self, batch_id: str) -> Batch:
        """Ask a batch to stop; the rows that ran stay run, and billed."""
        now = self.clock()
        with self.shelf.transaction() as db:
            db.execute(
                "UPDATE batches SET cancel_at = ? WHERE id = ? AND cancel_at IS NULL"
                " AND errors IS NULL AND ended_at > ?",
                (now, batch_id, now),
            )
        return self._batch(batch_id)

    # Time

    def advance(self, batch_id: str | None = None) -> None:
        """Let the clock's work be done: validate, run and bill what is due, each once."""
        if self.behaviour.enqueued_token_limit is not None:
            batch_id = None  # who else is enqueued decides, so all must be looked at in order
        with self._lock:
            rows = self._db.execute(
                "SELECT * FROM batches WHERE settled = 0 AND (? IS NULL OR id = ?) ORDER BY seq",
                (batch_id, batch_id),
            ).fetchall()
            for row in rows:
                self._advance_one(Batch(*row), self.clock())

    def _advance_one(self, batch: Batch, now: float) -> None:
        if batch.cancel_at is not None and batch.cancel_at < batch.validated_at:
            self._db.execute("UPDATE batches SET settled = 1 WHERE seq = ?", (batch.seq,))
            return
        if not batch.checked and now >= batch.validated_at:
            self._check(batch)
            batch = self._batch(batch.id)
        due = now >= batch.ran_at or batch.cancel_at is not None
        if batch.checked and not batch.settled and due:
            self._settle(batch, now)

    def _check(self, batch: Batch) -> None:
        if errors := self._refusal(batch):
            self._fail(batch, errors)
            return
        dialect = self._dialect(batch)
        checked = dialect.check(self.shelf.path_of(batch.input_file_id), batch.endpoint)
        if checked.errors:
            self._fail(batch, checked.errors)
            return
        self._db.execute(
            "UPDATE batches SET checked = 1, model = ?, total = ?, doomed = ?"
            " WHERE seq = ? AND checked = 0",
            (checked.model, checked.total, checked.doomed, batch.seq),
        )

    def _fail(self, batch: Batch, errors: tuple[dict[str, object], ...]) -> None:
        self._db.execute(
            "UPDATE batches SET checked = 1, settled = 1, errors = ? WHERE seq = ? AND checked = 0",
            (json.dumps(errors, ensure_ascii=False), batch.seq),
        )

    def _refusal(self, batch: Batch) -> tuple[dict[str, object], ...]:
        if not self._dialects[batch.service].fails_whole:
            return ()
        deleted_at = self.shelf.get(batch.input_file_id).deleted_at
        if deleted_at is not None and deleted_at < batch.validated_at:
            message = f"The input file {batch.input_file_id} was deleted before it was validated."
            return ({"code": "file_not_found", "message": message, "param": None, "line": None},)
        limit = self.behaviour.enqueued_token_limit
        is_over = limit is not None and self._enqueued(batch) + batch.tokens > limit
        if batch.fate != Fate.TOKEN_LIMIT and not is_over:
            return ()
        message = (
            f"Enqueued token limit reached for {batch.model} in organization org-emulated. "
            f"Limit: {limit or 2_000_000:,} enqueued tokens. Please try again once some "
            "in_progress batches have been completed."
        )
        return ({"code": "token_limit_exceeded", "message": message, "param": None, "line": None},)

    def _enqueued(self, batch: Batch) -> int:
        rows = self._db.execute(
            "SELECT * FROM batches WHERE seq < ? AND service = ? AND model IS ?"
            " AND errors IS NULL AND ended_at > ?",
            (batch.seq, batch.service, batch.model, batch.validated_at),
        )
        others = [Batch(*row) for row in rows.fetchall()]
        return sum(other.tokens for other in others if other.over_at > batch.validated_at)

    # The bill

    def _settle(self, batch: Batch, now: float) -> None:
        with self.shelf.transaction() as db:
            batch = self._batch(batch.id)
            if batch.settled:  # by another emulator on the same directory
                return
            source = self.shelf.path_of(batch.input_file_id)
            dialect = self._dialect(batch)
            rows = batch.rows_run(now)
            outcome = run(batch, source, rows, dialect, self.behaviour, self._asks)
            written = outcome.completed
            written += outcome.errors_written if dialect.one_file else 0
            failed = 0 if dialect.one_file else outcome.errors_written
            output_id = self._publish(batch, outcome.output, "output", written)
            error_id = self._publish(batch, outcome.error, "error", failed)
            self._bill(db, batch, outcome, output_id, error_id)

    def _asks(self, model: str, custom_id: str) -> tuple[int, int]:
        row: tuple[int, int] | None = self._db.execute(
            "SELECT asked, billed FROM asks WHERE model = ? AND custom_id = ?", (model, custom_id)
        ).fetchone()
        return row or (0, 0)

    def _publish(self, batch: Batch, scratch: Path, kind: str, rows: int) -> str | None:
        if rows == 0:
            scratch.unlink()
            return None
        # The name follows from the batch's, so that a kill before the commit leaves no second one.
        file_id = f"file-{sha256(f'{batch.id}/{kind}'.encode()).hexdigest()[:24]}"
        size = scratch.stat().st_size
        scratch.replace(self.shelf.path_of(file_id))
        created = batch.ended_at if batch.cancel_at is None else batch.over_at
        purpose, name = batch.published or ("batch_output", f"{batch.id}_{kind}.jsonl")
        self.shelf.insert(
            *(file_id, batch.service, purpose, name, size),
            *(created, int(created) + batch.output_lifetime, f"{batch.stable_key}/{kind}"),
        )
        return file_id

    def _bill(
        self,
        db: sqlite3.Connection,
        batch: Batch,
        outcome: Outcome,
        output_id: str | None,
        error_id: str | None,
    ) -> None:
        db.executemany(
            "INSERT INTO asks VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE"
            " SET asked = asked + 1, billed = billed + excluded.billed",
            outcome.asked,
        )
        db.execute(
            "UPDATE batches SET settled = 1, completed = ?, failed = ?, output_file_id = ?,"
            " error_file_id = ?, input_tokens = ?, output_tokens = ?, reasoning_tokens = ?"
            " WHERE seq = ?",
            (
                *(outcome.completed, outcome.failed, output_id, error_id),
                *(outcome.input_tokens, outcome.output_tokens, outcome.reasoning_tokens),
                batch.seq,
            ),
        )

    def chat(self, asked: ChatRequest) -> Reply:
        """Answer one request on its own, now, and bill it; the n-th time it is asked differs."""
        said = f"{asked.system}\x1f{asked.user}\x1f{asked.temperature}"
        said += "".join(f"\x1f{digest}" for digest in asked.pictures.digests)
        prompt = sha256(said.encode()).hexdigest()[:24]
        with self.shelf.transaction() as db:
            db.execute(
                "INSERT INTO chats VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET billed = billed + 1",
                (asked.model, prompt),
            )
            (times,) = db.execute(
                "SELECT billed FROM chats WHERE model = ? AND prompt = ?", (asked.model, prompt)
            ).fetchone()
        asked = replace(asked, custom_id=f"chat-{prompt}", reasons_first=False)
        behaviour = self.behaviour
        return answer(
            behaviour.seed, asked, times, behaviour.malformed, behaviour.malformed_enhanced
        )

    def bill(self) -> dict[str, object]:
        """Say who was paid for, and how often; `unbilled_batches` may still add to it."""
        self.advance()
        by_model: dict[str, dict[str, int]] = {}
        billed: dict[str, int] = {}
        more: dict[str, int] = {}
        with self._lock:
            rows = self._db.execute("SELECT model, custom_id, billed FROM asks WHERE billed > 0")
            for model, custom_id, times in rows.fetchall():
                by_model.setdefault(model, {})[custom_id] = times
                billed[custom_id] = billed.get(custom_id, 0) + times
                if times > 1:
                    more[custom_id] = max(times, more.get(custom_id, 0))
            (chats,) = self._db.execute("SELECT coalesce(sum(billed), 0) FROM chats").fetchone()
            (files,) = self._db.execute("SELECT count(*) FROM files").fetchone()
            batches, unbilled = self._db.execute(
                "SELECT count(*), coalesce(sum(settled = 0), 0) FROM batches"
            ).fetchone()
        return {
            "seed": self.behaviour.seed,
            "requests_billed": sum(billed.values()),
            "chats_billed": chats,
            "billed": billed,
            "billed_more_than_once": more,
            "by_model": by_model,
            "batches": batches,
            "unbilled_batches": unbilled,
            "files": files,
        }
