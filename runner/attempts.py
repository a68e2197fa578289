"""One row per attempt: the columns, and the parquet parts that are written as results come in.

The parts are derived: they can be made again from the raw result files at any time.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.core.model import BatchKey, QuestionSet, Reading

if TYPE_CHECKING:
    import polars as pl

ROWS_A_PART = 2_500
NO_PATTERN = "none"
"""Under this name the statistics count questions that no pattern found."""

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
    "cost_usd": "Float64",
    "answered_at": "Float64",
    "error": "String",
    "raw_answer": "String",
}


def question_columns(questions: QuestionSet) -> dict[str, str]:
    """Return the columns of the readings: value, reason, pattern and cause of each question."""
    columns: dict[str, str] = {}
    for question in questions.questions:
        columns[f"{question.id}_value"] = "Int64" if question.integer else "Float64"
        for part in ("reason", "pattern", "cause"):
            columns[f"{question.id}_{part}"] = "String"
    return columns


def columns(questions: QuestionSet) -> dict[str, str]:
    """Return every column of an attempt with the name of its polars type."""
    return {**HEAD, **question_columns(questions), **TAIL}


def reading_cells(questions: QuestionSet, readings: Mapping[str, Reading]) -> list[Any]:
    """Return the cells of `question_columns` for one answer; all empty when there is none."""
    cells: list[Any] = []
    for question in questions.questions:
        reading = readings.get(question.id)
        if reading is None:
            cells += [None, None, None, None]
            continue
        value = reading.value
        number = None if value is None else (int(value) if question.integer else float(value))
        cause = None if reading.cause is None else reading.cause.value
        cells += [number, reading.reason, reading.pattern, cause]
    return cells


class PartWriter:
    """Collects the rows of one batch and writes them as parquet parts."""

    def __init__(self, folder: Path, key: BatchKey, questions: QuestionSet) -> None:
        """Remove what an earlier, interrupted reading of this batch left."""
        self._folder = folder / "attempts"
        self._key = key
        self._columns = columns(questions)
        self._rows: list[list[Any]] = []
        self._number = 0
        for old in parts(folder, key):
            old.unlink()

    def add(self, row: list[Any]) -> None:
        """Add one row, its cells in the order of `columns`."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_A_PART:
            self._write()

    def close(self) -> None:
        """Write what is left."""
        if self._rows or not self._number:
            self._write()

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        frame(self._rows, self._columns).write_parquet(
            self._folder / f"{self._key}-{self._number:04d}.parquet", compression="zstd"
        )
        self._rows = []
        self._number += 1


def frame(rows: list[list[Any]], schema: Mapping[str, str]) -> "pl.DataFrame":
    """Return rows as a typed frame."""
    import polars as pl

    return pl.DataFrame(
        rows, schema={name: getattr(pl, kind) for name, kind in schema.items()}, orient="row"
    )


def parts(folder: Path, key: BatchKey) -> list[Path]:
    """Return the parts of one batch, in order."""
    return sorted((folder / "attempts").glob(f"{key}-*.parquet"))


def all_parts(folder: Path, keys: Iterable[BatchKey]) -> list[Path]:
    """Return the parts of several batches, in order."""
    return [path for key in keys for path in parts(folder, key)]
