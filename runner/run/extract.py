"""`action=extract`: answers read with today's patterns, offline, and what that changes.

Of a run, everything stored is read and compared with what is in its tables; nothing is written.
Of any other file, what was read is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import polars as pl

from runner.batches.attempts import NO_PATTERN, columns, stored
from runner.batches.offline import LineDecoder, Tally, Wanted, prepare, read_piece
from runner.batches.results import ResultReader
from runner.batches.workers import ranges, spread
from runner.core.errors import ConfigError
from runner.core.model import Batch, QuestionSet
from runner.core.states import BatchState, Outcome
from runner.storage.ledger import Ledger
from runner.tables.progress import progress_bar

MOST_CHANGES = 100_000
"""Changed values that are kept to be shown; all of them are counted."""

Counts = dict[str, tuple[int, int]]
"""By name: how many before, how many now."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is read otherwise today."""

    custom_id: str
    batch: str
    question: str
    old: Any
    old_cause: str | None
    old_pattern: str | None
    new: Any
    new_cause: str | None
    new_pattern: str | None


@dataclass(slots=True)
class Comparison:
    """What today's patterns would change in a run."""

    answers: int = 0
    valid: tuple[int, int] = (0, 0)
    patterns: dict[str, Counts] = field(default_factory=dict)
    causes: dict[str, Counts] = field(default_factory=dict)
    values: int = 0
    """Values that are read otherwise."""
    reasons: int = 0
    changes: list[Change] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Tell whether everything is read as it was."""
        return not (
            self.values
            or self.reasons
            or self.valid[0] != self.valid[1]
            or any(
                old != new
                for group in (self.patterns, self.causes)
                for counts in group.values()
                for old, new in counts.values()
            )
        )


def compared(
    ledger: Ledger,
    reader: Callable[[Path], ResultReader],
    files: Callable[[Batch], list[Path]],
    questions: QuestionSet,
) -> Comparison:
    """Read every stored answer again, scratch, and compare.

    Args:
        ledger: the run's.
        reader: makes what reads result files, and writes what it read below a folder.
        files: the result files of a batch, checked to be what was collected.
        questions: what was asked.
    """
    found = Comparison()
    collected = [b for b in ledger.batches() if b.state is BatchState.COLLECTED]
    with progress_bar("reading again", sum(b.count for b in collected)) as advance:
        for batch in collected:
            with TemporaryDirectory(prefix="extract-") as folder:
                scratch = Path(folder)
                reader(scratch).read(batch, ledger.members(batch.key), files(batch))
                old, new = stored(ledger.directory, batch.key), stored(scratch, batch.key)
                _compare(found, old, new, questions)
            advance(batch.count, f"{found.answers:,} answers, {found.values:,} values changed")
    return found


def _compare(
    found: Comparison, old: pl.DataFrame, new: pl.DataFrame, questions: QuestionSet
) -> None:
    for name in columns(questions):
        if name not in old.columns:
            old = old.with_columns(pl.lit(None).cast(new.schema[name]).alias(name))
    both = new.join(old, on="custom_id", how="left", suffix="_old", maintain_order="left")
    answered = pl.col("outcome").is_in([Outcome.VALID.value, Outcome.INVALID.value])
    both = both.filter(answered)
    found.answers += both.height
    valid = [
        both.filter(pl.col(name) == Outcome.VALID.value).height
        for name in ("outcome_old", "outcome")
    ]
    found.valid = (found.valid[0] + valid[0], found.valid[1] + valid[1])
    for question in questions.questions:
        key = question.id
        for group, part, instead in (
            (found.patterns, "pattern", NO_PATTERN),
            (found.causes, "cause", None),
        ):
            _count(group.setdefault(key, {}), both, f"{key}_{part}", instead)
        found.reasons += both.filter(
            pl.col(f"{key}_reason").ne_missing(pl.col(f"{key}_reason_old"))
        ).height
        changed = both.filter(pl.col(f"{key}_value").ne_missing(pl.col(f"{key}_value_old")))
        found.values += changed.height
        found.changes += _changes(changed.head(MOST_CHANGES - len(found.changes)), key)


def _count(counts: Counts, both: pl.DataFrame, column: str, instead: str | None) -> None:
    before, now = (Counter(both[name].to_list()) for name in (f"{column}_old", column))
    for name in {**before, **now}:
        shown = name or instead
        if shown is not None:
            one, two = counts.get(shown, (0, 0))
            counts[shown] = (one + before[name], two + now[name])


def _changes(rows: pl.DataFrame, key: str) -> Iterator[Change]:
    wanted = ["custom_id", "batch"]
    for suffix in ("_old", ""):
        wanted += [f"{key}_{part}{suffix}" for part in ("value", "cause", "pattern")]
    for custom_id, batch, *old_and_new in rows.select(wanted).iter_rows():
        yield Change(custom_id, batch, key, *old_and_new)


def read_file(
    path: Path,
    questions: QuestionSet,
    dialect: LineDecoder,
    output: BinaryIO | None = None,
    *,
    examples: bool = False,
) -> Tally:
    """Read a file of answers, or of a provider's result lines, and return what is in it.

    Args:
        path: lines of JSON, `{"custom_id": …, "answer": …}`.
        questions: what was asked.
        dialect: of the provider whose result lines may be in it.
        output: where a line for each answer goes.
        examples: whether to keep some matches.

    Raises:
        ConfigError: there is no such file.
    """
    if not path.is_file():
        raise ConfigError(f"input={path}: no such file")
    total = Tally()
    size = path.stat().st_size
    with (
        TemporaryDirectory(prefix="extract-") as folder,
        progress_bar(f"reading {path.name}", size) as advance,
    ):
        wanted = Wanted(lines=None if output is None else Path(folder), examples=examples)
        work = spread(
            read_piece,
            ranges(path),
            setup=prepare,
            arguments=(questions, dialect, wanted),
            total_bytes=size,
            what=str(path),
        )
        for piece, place in zip(work, ranges(path), strict=True):
            total.add(piece)
            if output is not None and piece.output is not None:
                _pass_on(piece.output, output)
                piece.output.unlink()
            advance(place.end - place.begin, f"{total.answers:,} answers")
    if output is not None:
        output.flush()
    return total


def _pass_on(path: Path, output: BinaryIO) -> None:
    """Write what is in a file, without a copy of it in between."""
    with path.open("rb") as lines:
        if path.stat().st_size:
            with mmap(lines.fileno(), 0, access=ACCESS_READ) as whole:
                output.write(whole)


def read_parts(folder: Path, questions: QuestionSet) -> Tally:
    """Read the stored answers of a run, and return what is in them, with some matches."""
    wanted = Wanted(examples=True)
    files = sorted((folder / "attempts").glob("*.parquet"))
    size = sum(path.stat().st_size for path in files) * _PACKED
    total = Tally()
    work = spread(
        read_piece,
        files,
        setup=prepare,
        arguments=(questions, None, wanted),
        total_bytes=size,
        what=str(folder),
    )
    with progress_bar("reading again", len(files)) as advance:
        for piece in work:
            total.add(piece)
            advance(1, f"{total.answers:,} answers")
    return total


_PACKED = 5
"""A part of a run's attempts is about so much smaller than the answers in it."""
