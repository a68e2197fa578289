"""Scores of inventories: scales over several items, some of them reversed, and attention checks."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

MISSED = "checks_missed"
"""The column that says how many attention checks an answer missed."""


def columns_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of scores, with their types; none where no item has a scale or a check."""
    items = definition.get("analysis", {})
    scales = dict.fromkeys(f"scale_{row['scale']}" for row in items.values() if "scale" in row)
    checks = {MISSED: pl.Int64} if any("expect" in row for row in items.values()) else {}
    return {**dict.fromkeys(scales, pl.Float64), **checks}


def items_of(analysis: Mapping[str, Mapping[str, Any]], column: str) -> list[str]:
    """Return the items that make a column of scores.

    Args:
        analysis: what is made of the answers, by item.
        column: of `columns_of`.
    """
    if column == MISSED:
        return [key for key, row in analysis.items() if "expect" in row]
    return [key for key, row in analysis.items() if f"scale_{row.get('scale')}" == column]


def scores(definition: Mapping[str, Any]) -> Iterator[pl.Expr]:
    """Yield the scores of a row, from the columns of its questions.

    A scale is the mean of its items, reversed ones turned round (lowest + highest - value); it is
    missing where one of them is. A check that was not read is no missed one: then the count is
    missing, unless others were missed.
    """
    items, questions = definition.get("analysis", {}), definition["questions"]
    for column in columns_of(definition):
        if column == MISSED:
            yield _missed(items).alias(MISSED)
            continue
        own = items_of(items, column)
        values = [
            questions[key]["minimum"] + questions[key]["maximum"] - pl.col(f"{key}_value")
            if items[key].get("reverse")
            else pl.col(f"{key}_value")
            for key in own
        ]
        whole = pl.all_horizontal(value.is_not_null() for value in values)
        yield pl.when(whole).then(pl.mean_horizontal(values) + 0.0).cast(pl.Float64).alias(column)


def _missed(items: Mapping[str, Any]) -> pl.Expr:
    checks = [pl.col(f"{key}_value") != items[key]["expect"] for key in items_of(items, MISSED)]
    missed = pl.sum_horizontal(check.fill_null(value=False).cast(pl.Int64) for check in checks)
    unread = pl.any_horizontal(check.is_null() for check in checks)
    return pl.when(unread & (missed == 0)).then(None).otherwise(missed)
