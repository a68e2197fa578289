"""How much models disagree in a cell, and what the models of each vendor give."""

from collections.abc import Mapping, Sequence

import polars as pl

LEAST = 2
"""Models below which they cannot disagree."""


def spread(readings: pl.DataFrame, place: Sequence[str]) -> pl.DataFrame:
    """Return, by question (and experiment) and cell, the sd over the models' means.

    `raters` is how many models have a value in the cell, two or more; `mean`, `sd`, `min` and `max`
    are over their means, each model with the same weight. Chance of few trials is part of the sd.

    Args:
        readings: one row per request and question, of questions with a number.
        place: the columns that make a cell beside the model.
    """
    value, keys = pl.col("value"), ["question", "block", *place]
    known = readings.lazy().filter(value.is_not_null())
    of_models = known.group_by(*keys, "run").agg(value.mean()).collect()
    return (
        of_models.group_by(keys)
        .agg(pl.len().cast(pl.Int64).alias("raters"), *_over(value))
        .filter(pl.col("raters") >= LEAST)
        .sort(keys, nulls_last=True)
    )


def spread_by(cells: pl.DataFrame, factor: str) -> pl.DataFrame:
    """Return, by question (and experiment) and level, the sd over models in a cell, pooled.

    `sd` is the root of the mean variance over the level's `cells`, `max` the largest sd of one.

    Args:
        cells: as `spread` returns them.
        factor: whose levels.
    """
    sd, keys = pl.col("sd"), ["question", "block", factor]
    return (
        cells.filter(pl.col(factor).is_not_null())
        .group_by(keys)
        .agg(
            pl.len().cast(pl.Int64).alias("cells"),
            (sd**2).mean().sqrt().alias("pooled_sd"),
            sd.max().alias("largest_sd"),
        )
        .sort(keys)
    )


def by_vendor(readings: pl.DataFrame, vendors: Mapping[str, str]) -> pl.DataFrame:
    """Return, by question (and experiment) and vendor, the mean and sd over its models' means.

    Args:
        readings: one row per request and question, of questions with a number.
        vendors: who made each run's model; others are left out.
    """
    value, keys = pl.col("value"), ["question", "block", "vendor"]
    vendor = pl.col("run").cast(pl.String).replace_strict(vendors, default=None)
    known = readings.filter(value.is_not_null()).group_by("question", "block", "run")
    return (
        known.agg(value.mean())
        .with_columns(vendor=vendor.cast(pl.String))
        .filter(pl.col("vendor").is_not_null())
        .group_by(keys)
        .agg(pl.len().cast(pl.Int64).alias("raters"), *_over(value))
        .sort(keys)
    )


def _over(value: pl.Expr) -> list[pl.Expr]:
    return [
        value.mean().alias("mean"),
        value.std().alias("sd"),
        value.min().alias("lowest"),
        value.max().alias("highest"),
    ]
