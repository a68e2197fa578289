"""Statistics of choices, on frames of readings in which a value is the number of an option, from 1."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import polars as pl

Z = 1.959963984540054
"""The standard normal's 97.5 % quantile."""
LEAST_CELLS = 2
"""Cells that two runs have to share before their agreement is measured."""
Options = Mapping[str, Sequence[tuple[str, str]]]
"""Each option's id and what was shown, in order, by question."""


def shares(readings: pl.DataFrame, options: Options, by: Sequence[str]) -> pl.DataFrame:
    """Return how often each option was chosen, by question and some factors, one row an option.

    `percent` is of the n valid answers, never of the total; `low` and `high` are Wilson's 95 %
    interval in per cent. All three are null where n is 0.

    Args:
        readings: one row per request and choice.
        options: of every question among them.
        by: factors, without the question.
    """
    keys = ["question", *by]
    groups = readings.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("total"),
        pl.col("value").count().cast(pl.Int64).alias("n"),
        pl.col("value").null_count().cast(pl.Int64).alias("missing"),
    )
    counts = _counted(readings, keys)
    offered = _offered(options, readings.schema["question"])
    whole = groups.join(offered, on="question").join(
        counts, on=[*keys, "value"], how="left", nulls_equal=True
    )
    count, n = pl.col("count").fill_null(0), pl.col("n")
    low, high = wilson(count, n)
    some = n > 0
    return whole.sort(*keys, "value", nulls_last=True).select(
        *keys,
        "option",
        *(["shown"] if any(id_ != s for rows in options.values() for id_, s in rows) else []),
        count.alias("count"),
        pl.when(some).then(100 * count / n).alias("percent"),
        pl.when(some).then(100 * low).alias("low"),
        pl.when(some).then(100 * high).alias("high"),
        *("n", "missing", "total"),
    )


def _offered(options: Options, question: Any) -> pl.DataFrame:
    rows = [
        (name, float(number), id_, shown)
        for name, offered in options.items()
        for number, (id_, shown) in enumerate(offered, 1)
    ]
    schema = {"question": question, "value": pl.Float64, "option": pl.String, "shown": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def wilson(count: pl.Expr, n: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the ends of Wilson's 95 % score interval of a share, between 0 and 1.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22, 209-212. It takes the n answers for
    independent ones.

    Args:
        count: how many of them.
        n: of how many, above 0.
    """
    share, square = count / n, Z * Z / n
    centre = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * (share * (1 - share) / n + square / (4 * n)).sqrt()
    return (centre - half).clip(0, 1), (centre + half).clip(0, 1)


def consistency(readings: pl.DataFrame) -> pl.DataFrame:
    """Return, by run and question, the share of answers that are their cell's most frequent one.

    Only cells of two or more valid answers count; `n` is the number of answers in them. `percent`
    is null where there is no such cell. Of k options it is at least 100 / k.
    """
    keys = ["run", "question"]
    cells = (
        _counted(readings, [*keys, "cell"])
        .group_by(*keys, "cell")
        .agg(pl.col("count").sum().alias("n"), pl.col("count").max().alias("top"))
        .filter(pl.col("n") > 1)
        .group_by(keys)
        .agg(pl.len().cast(pl.Int64).alias("cells"), pl.col("n").sum(), pl.col("top").sum())
    )
    whole = readings.select(keys).unique().join(cells, on=keys, how="left").sort(keys)
    return whole.select(
        *keys,
        *(pl.col(name).fill_null(0) for name in ("cells", "n")),
        (100 * pl.col("top") / pl.col("n")).alias("consistency"),
    )


def _counted(readings: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    return (
        readings.filter(pl.col("value").is_not_null())
        .group_by(*keys, "value")
        .agg(pl.len().cast(pl.Int64).alias("count"))
    )


def kappas(readings: pl.DataFrame, factors: Sequence[str]) -> pl.DataFrame:
    """Return how far every two runs agree in the cells that they share, by question.

    A cell's answer is its most frequent one; a cell in which a run has several of these has no
    answer and counts among `ties`. `agreement` is the percentage of the other `cells` with the
    same answer, `kappa` is Cohen's: (p_o - p_e) / (1 - p_e), with p_e from the answers' shares in
    each run; J. Cohen (1960), A coefficient of agreement for nominal scales, Educational and
    Psychological Measurement 20, 37-46. Both are null below two cells, and kappa is where both
    runs have one and the same answer everywhere.

    Args:
        readings: one row per request and choice.
        factors: whose levels, with the temperature, make a cell that two runs can share.
    """
    place = ["question", *factors, "temperature"]
    top = (
        _counted(readings, ["run", *place])
        .filter(pl.col("count") == pl.col("count").max().over("run", *place))
        .group_by("run", *place)
        .agg(pl.col("value").first(), pl.len().alias("tops"))
    )
    runs = {run: rows for (run,), rows in top.sort("run").group_by("run", maintain_order=True)}
    rows: list[list[Any]] = []
    for one, two in combinations(runs, 2):
        both = runs[one].join(runs[two], on=place, nulls_equal=True, suffix="_other")
        for (question,), cells in both.sort("question").group_by("question", maintain_order=True):
            if cells.height >= LEAST_CELLS:
                rows.append([question, one, two, *_kappa(cells)])
    schema: dict[str, Any] = {
        "question": readings.schema["question"],
        "run": readings.schema["run"],
        "other_run": readings.schema["run"],
        "cells": pl.Int64,
        "ties": pl.Int64,
        "agreement": pl.Float64,
        "kappa": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("question", "run", "other_run")


def _kappa(cells: pl.DataFrame) -> tuple[int, int, float | None, float | None]:
    """Return cells compared, ties, agreement in per cent, and kappa.

    Args:
        cells: with each run's answer, `value` and `value_other`, and how many answers tie with it.
    """
    sure = cells.filter((pl.col("tops") == 1) & (pl.col("tops_other") == 1))
    n, ties = sure.height, cells.height - sure.height
    if n < LEAST_CELLS:
        return n, ties, None, None
    same = sure.filter(pl.col("value") == pl.col("value_other")).height
    ours, theirs = (
        dict(sure.group_by(name).len().iter_rows()) for name in ("value", "value_other")
    )
    chance: int = sum(count * theirs.get(value, 0) for value, count in ours.items())
    kappa = None if chance == n * n else (same * n - chance) / (n * n - chance)
    return n, ties, 100 * same / n, kappa
