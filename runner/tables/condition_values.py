"""The valid values of one question by condition, as the table of answers will have them."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import polars as pl

from runner.batches.attempts import all_parts, columns, read_part
from runner.core.attempt_order import OTHERS, STARTS, order_of
from runner.core.model import BatchKey, QuestionSet, Stem
from runner.tables import custom_ids


def values_of(
    folder: Path,
    batches: Iterable[BatchKey],
    questions: QuestionSet,
    item: str,
    stems: Collection[Stem],
) -> dict[Stem, list[Any]]:
    """Read the values of some conditions from the stored attempts; no text is read.

    Args:
        folder: the run's folder.
        batches: that are collected, in order; all that have requests of these conditions.
        questions: what was asked.
        item: the question's id.
        stems: the conditions.

    Returns:
        A condition without any valid value is not in it.
    """
    value = f"{item}_value"
    names = ("custom_id", "outcome", value)
    schema = {name: getattr(pl, kind) for name, kind in columns(questions).items()}
    empty = pl.DataFrame(schema={name: schema[name] for name in names})
    parts = (
        read_part(
            pl.scan_parquet(path, schema=schema, missing_columns="insert", glob=False).select(
                names
            ),
            path,
        )
        for path in all_parts(folder, batches)
    )
    rows = pl.concat([empty, *parts])
    start = rows["outcome"].replace_strict(STARTS, default=OTHERS, return_dtype=pl.Int64)
    place = pl.int_range(rows.height, eager=True, dtype=pl.Int64)
    stem, _ = custom_ids.parsed(rows["custom_id"])
    counting = (
        rows.with_columns(order_of(start, place).alias("order"), stem.alias("stem"))
        .filter(pl.col("stem").is_in(list(stems)))
        .sort("order")
        .unique("custom_id", keep="first", maintain_order=True)
        .drop_nulls(value)
    )
    by_stem = counting.group_by("stem").agg(value)
    return {Stem(name): values for name, values in by_stem.iter_rows()}
