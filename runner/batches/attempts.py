"""One row per attempt: the columns, and the parquet parts that are written as results come in.

The parts are derived: they can be made again from the raw result files at any time.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.core.errors import LedgerDamaged
from runner.core.extract.reader import NOT_ASKED
from runner.core.model import BatchKey, Cause, ItemKind, QuestionSet, Reading
from runner.core.states import ASKED
from runner.storage.files import fresh, make_folder

if TYPE_CHECKING:
    import polars as pl

ROWS_A_PART = 2_500
NO_PATTERN = "none"
"""Under this name the statistics count questions that no pattern found."""

Shape = tuple[tuple[str | None, ...], tuple[Cause | None, ...]]
"""What was found in an answer: the pattern and the cause of each question."""

HEAD = {
    "custom_id": "String",
    "batch": "String",
    "prompt_variant": "String",
    "outcome": "String",
}
TAIL = {
    "finish_reason": "String",
    "model_returned": "String",
    "request_id": "String",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cache_read_tokens": "Int64",
    "cache_write_tokens": "Int64",
    "cache_write_1h_tokens": "Int64",
    "cost_usd": "Float64",
    "answered_at": "Float64",
    "error": "String",
    "raw_answer": "String",
}
GATEWAY = {"served_by": "String", "charged_usd": "Float64"}
"""What gateways alone tell: tables have such a column where one attempt has something in it."""


def question_columns(questions: QuestionSet) -> dict[str, str]:
    """Return the columns of the readings; `written` is what stands where no value can be taken."""
    columns: dict[str, str] = {}
    for question in questions.questions:
        number = "Int64" if question.integer else "Float64"
        is_number = question.kind is ItemKind.NUMBER
        columns[f"{question.id}_value"] = number if is_number else "String"
        for part in ("reason", "pattern", "cause", "written"):
            columns[f"{question.id}_{part}"] = "String"
    return columns


def columns(questions: QuestionSet) -> dict[str, str]:
    """Return every column of an attempt with the name of its polars type."""
    return {**HEAD, **question_columns(questions), **TAIL, **GATEWAY}


def reading_cells(questions: QuestionSet, readings: Mapping[str, Reading]) -> list[Any]:
    """Return the cells of `question_columns` for one answer; all empty when there is none."""
    cells: list[Any] = []
    for question in questions.questions:
        reading = readings.get(question.id)
        if reading is None:
            cells += [None, None, None, None, None]
            continue
        value, reason, pattern, cause, _, written = reading
        cells += (
            question.written(value),
            reason,
            pattern,
            None if cause is None else cause.value,
            " / ".join(written) or None,
        )
    return cells


def by_question(
    questions: QuestionSet, shapes: Mapping[Shape, int]
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Return how often each pattern and each cause was found, by question."""
    ids = [question.id for question in questions.questions]
    patterns: dict[str, dict[str, int]] = {key: {} for key in ids}
    causes: dict[str, dict[str, int]] = {key: {} for key in ids}
    for shape, count in shapes.items():
        for key, pattern, cause in zip(ids, *shape, strict=True):
            if pattern == NOT_ASKED:
                continue
            name = pattern or NO_PATTERN
            patterns[key][name] = patterns[key].get(name, 0) + count
            if cause is not None:
                causes[key][cause.value] = causes[key].get(cause.value, 0) + count
    return patterns, causes


class PartWriter:
    """Collects the rows of one batch, or of a piece of its results, and writes parquet parts."""

    def __init__(
        self, folder: Path, key: BatchKey, questions: QuestionSet, piece: int | None = None
    ) -> None:
        """Begin with the first part.

        Args:
            folder: the run's folder.
            key: of the batch.
            questions: what was asked.
            piece: which piece of the batch; parts of different pieces never collide, and they are
                read in the order of the pieces.
        """
        self._folder = folder / "attempts"
        self._name = key if piece is None else f"{key}-{piece:05d}"
        self._columns = columns(questions)
        self._rows: list[list[Any]] = []
        self._number = 0

    def add(self, row: list[Any]) -> None:
        """Add one row, its cells in the order of `columns`."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_A_PART:
            self._write()

    def close(self, *, even_empty: bool = True) -> None:
        """Write what is left; without any row, a part that is empty."""
        if self._rows or (even_empty and not self._number):
            self._write()

    def _write(self) -> None:
        make_folder(self._folder)
        path = self._folder / f"{self._name}-{self._number:04d}.parquet"
        fresh(path).close()
        frame(self._rows, self._columns).write_parquet(path, compression="zstd")
        self._rows = []
        self._number += 1


def frame(rows: list[list[Any]], schema: Mapping[str, str]) -> "pl.DataFrame":
    """Return rows as a typed frame; half a surrogate pair, which no table can hold, becomes a `?`."""
    import polars as pl

    typed = {name: getattr(pl, kind) for name, kind in schema.items()}
    if not rows:
        return pl.DataFrame(schema=typed)
    try:
        columns = dict(zip(typed, zip(*rows, strict=True), strict=True))
        return pl.DataFrame(columns, schema=typed, strict=False)
    except UnicodeEncodeError:
        return frame([[_storable(cell) for cell in row] for row in rows], schema)


def _storable(cell: Any) -> Any:
    return cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell


def forget(folder: Path, key: BatchKey) -> None:
    """Remove what an earlier, interrupted reading of a batch left."""
    for old in parts(folder, key):
        old.unlink()


def relabel(folder: Path, key: BatchKey, outcome: str) -> None:
    """Give every attempt of a batch another outcome."""
    import polars as pl

    _rewrite(folder, key, lambda part: part.with_columns(outcome=pl.lit(outcome)))


def leave_out_failures(folder: Path, key: BatchKey, names: Iterable[str]) -> None:
    """Take away what stands in a batch's parts beside an answer to the same request."""
    import polars as pl

    answered = pl.col("outcome").is_in(list(ASKED))
    beside = pl.col("custom_id").is_in(list(names)) & ~answered
    _rewrite(folder, key, lambda part: part.filter(~beside))


def _rewrite(
    folder: Path, key: BatchKey, change: Callable[["pl.DataFrame"], "pl.DataFrame"]
) -> None:
    import polars as pl

    for path in parts(folder, key):
        change(pl.read_parquet(path)).write_parquet(path, compression="zstd")


def parts(folder: Path, key: BatchKey) -> list[Path]:
    """Return the parts of one batch, in order."""
    return sorted((folder / "attempts").glob(f"{key}-*.parquet"))


def stored(folder: Path, key: BatchKey) -> "pl.DataFrame":
    """Return the attempts of one batch, a row each; without columns when none are stored.

    Parts of different versions may differ in their columns; what one lacks is null.

    Raises:
        LedgerDamaged: a part cannot be read.
    """
    import polars as pl

    frames = [read_part(pl.scan_parquet(path, glob=False), path) for path in parts(folder, key)]
    return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()


def read_part(rows: "pl.LazyFrame", path: Path) -> "pl.DataFrame":
    """Read what is wanted of one part.

    Raises:
        LedgerDamaged: the file cannot be read.
    """
    from polars.exceptions import PolarsError

    try:
        return rows.collect()
    except (PolarsError, OSError) as error:
        raise LedgerDamaged(
            f"{path} is damaged ({error}): action=export reads the raw answers again"
        ) from None


def all_parts(folder: Path, keys: Iterable[BatchKey]) -> list[Path]:
    """Return the parts of several batches, in order."""
    return [path for key in keys for path in parts(folder, key)]
