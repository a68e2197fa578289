"""What a batch does with its input file: run every row once and write what came of it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from runner.emulator.answers import ChatRequest, Reply, answer
from runner.emulator.behaviour import Behaviour
from runner.emulator.dice import fingerprint
from runner.emulator.records import Batch, Fate


@dataclass(frozen=True, slots=True)
class Checked:
    """What validation found; with `errors` nothing runs. `doomed` rows will end as a 400."""

    model: str | None
    total: int
    doomed: int
    errors: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """The three identifiers on an output line."""

    row: str
    request: str
    completion: str


class LineFormat(Protocol):
    """How one vendor writes its input and output lines."""

    one_file: bool
    """Whether failed rows stand among the answers, in one file."""
    fails_whole: bool
    """Whether a batch can fail before any row ran (a bad line, too many enqueued tokens)."""

    def first_model(self, path: Path) -> str | None:
        """Return the model the first line asks for, if it can be read."""
        ...

    def check(self, path: Path, endpoint: str) -> Checked:
        """Validate an input file."""
        ...

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id, and what is asked or the body of a refusal of this row."""
        ...

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the output line of an answer."""
        ...

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the error line of a request that was refused."""
        ...

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the error line of a request the service failed at."""
        ...

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write the error line of a request the batch never came to; nothing if there is none."""
        ...


@runtime_checkable
class PerBatch(Protocol):
    """A vendor whose batches say what its lines do not: the model, and where results go."""

    def of(self, batch: Batch) -> LineFormat:
        """Return how the lines of this batch are written."""
        ...


@dataclass(slots=True)
class Outcome:
    """What came of a batch: its two files, its counts, and whom to bill."""

    output: Path
    error: Path
    completed: int = 0
    failed: int = 0
    errors_written: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def discard(self) -> None:
        """Remove the files again."""
        self.output.unlink(missing_ok=True)
        self.error.unlink(missing_ok=True)


Asks = Callable[[str, str], tuple[int, int]]
"""How often a (model, custom_id) was asked and billed before."""


def run(
    batch: Batch, source: Path, rows: int, dialect: LineFormat, behaviour: Behaviour, asks: Asks
) -> Outcome:
    """Run the first `rows` rows; the rest are written down as expired or cancelled."""
    scratch = source.parent / f"{batch.id}.{os.getpid()}"
    outcome = Outcome(Path(f"{scratch}.output.tmp"), Path(f"{scratch}.error.tmp"))
    try:
        with (
            source.open("rb") as lines,
            outcome.output.open("wb", 2**20) as output,
            outcome.error.open("wb", 2**20) as error,
        ):
            failed = output if dialect.one_file else error
            runner = _Runner(batch, dialect, behaviour, asks, outcome, output, failed)
            for index, line in _rows(lines, behaviour, batch.stable_key):
                runner.run_row(line, index < rows)
    except BaseException:
        with contextlib.suppress(OSError):
            outcome.discard()
        raise
    return outcome


def _rows(lines: BinaryIO, behaviour: Behaviour, stable_key: str) -> Iterator[tuple[int, bytes]]:
    if not behaviour.shuffle:
        yield from enumerate(lines)
        return
    # The offsets are shuffled, never the lines: 200 MB stay on the disk.
    places: list[tuple[str, int, int]] = []
    offset = 0
    for index, line in enumerate(lines):
        key = fingerprint(behaviour.seed, "shuffle", f"{stable_key}/{index}")
        places.append((key, index, offset))
        offset += len(line)
    for _, index, offset in sorted(places):
        lines.seek(offset)
        yield index, lines.readline()


@dataclass(slots=True)
class _Runner:
    batch: Batch
    dialect: LineFormat
    behaviour: Behaviour
    asks: Asks
    outcome: Outcome
    output: BinaryIO
    error: BinaryIO

    def run_row(self, line: bytes, is_reached: bool) -> None:
        model, custom_id, wanted = self.dialect.read(line)
        asked, billed = self.asks(model, custom_id)
        key = f"{model}\x1f{custom_id}"
        if not is_reached:
            ids = self._ids(f"{key}\x1fnever\x1f{self.batch.stable_key}")
            is_expired = self.batch.fate == Fate.EXPIRE and self.batch.cancel_at is None
            self._write_error(self.dialect.never_ran(custom_id, ids, is_expired))
            return
        broken = self.behaviour.all_failed or self.behaviour.happens(
            "failed_lines", f"{key}\x1f{asked}"
        )
        if isinstance(wanted, ChatRequest) and not broken:
            self._answer(model, custom_id, wanted, billed)
            return
        ids = self._ids(f"{key}\x1ffailed\x1f{asked}")
        self.outcome.asked.append((model, custom_id, 0))
        self.outcome.failed += 1
        self._write_error(
            self.dialect.refused(custom_id, ids, wanted)
            if isinstance(wanted, bytes)
            else self.dialect.broke(custom_id, ids)
        )

    def _answer(self, model: str, custom_id: str, wanted: ChatRequest, nth: int) -> None:
        behaviour, outcome = self.behaviour, self.outcome
        reply = answer(
            behaviour.seed, wanted, nth, behaviour.malformed, behaviour.malformed_enhanced
        )
        outcome.asked.append((model, custom_id, 1))
        outcome.input_tokens += reply.prompt_tokens
        outcome.output_tokens += reply.completion_tokens
        outcome.reasoning_tokens += reply.reasoning_tokens
        key = f"{model}\x1f{custom_id}\x1f{nth}"
        ids, created = self._ids(key), int(self.batch.validated_at)
        line = self.dialect.answered(custom_id, model, ids, reply, created)
        if not behaviour.happens("missing_lines", key):
            outcome.completed += 1
            self.output.write(line)
            if behaviour.happens("duplicate_lines", key):
                self.output.write(line)
        if behaviour.happens("unknown_lines", key):
            foreign = self._ids(f"{key}\x1funknown")
            stranger = f"stranger-{foreign.request[:16]}"
            self.output.write(self.dialect.answered(stranger, model, foreign, reply, created))

    def _write_error(self, line: bytes) -> None:
        self.outcome.errors_written += bool(line)
        self.error.write(line)

    def _ids(self, key: str) -> Ids:
        digits = fingerprint(self.behaviour.seed, "ids", key)
        return Ids(row=digits[:32], request=digits[32:64], completion=digits[64:])
