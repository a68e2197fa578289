"""Statistics of choices, on frames of readings in which a value is the number of an option, from 1."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import polars as pl

from runner.core.intervals import Z
from runner.report.intervals import NOTHING, freedom, lift, t_quantile, wilson

LEAST_CELLS = 2
"""Cells that two runs have to share before their agreement is measured."""
Options = Mapping[str, Sequence[tuple[str, str]]]
"""Each option's id and what was shown, in order, by question."""


def shares(readings: pl.DataFrame, options: Options, by: Sequence[str]) -> pl.DataFrame:
    """Return how often each option was chosen, by question and some factors, one row an option.

    `percent` is of the n valid answers, never of the total; `low` and `high` are Wilson's 95 %
    interval in per cent. All three are null where n is 0. In a group of several cells the interval
    goes by how much the cells' shares differ, since answers to the same prompt resemble each other.

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
    offered = _offered(options, readings.schema["question"])
    whole = groups.join(offered, on="question").join(
        _spread(readings, keys), on=[*keys, "value"], how="left", nulls_equal=True
    )
    whole = whole.join(_cells(readings, keys), on=keys, how="left", nulls_equal=True)
    count, n = pl.col("count").fill_null(0), pl.col("n")
    whole = _with_effective(whole.with_columns(count, _share=count / n), keys)
    low, high = wilson(pl.col("_share"), pl.col("_effective"), pl.col("_quantile"))
    some = n > 0
    return whole.sort(*keys, "value", nulls_last=True).select(
        *keys,
        "option",
        *(["shown"] if any(id_ != s for rows in options.values() for id_, s in rows) else []),
        "count",
        pl.when(some).then(100 * pl.col("_share")).alias("percent"),
        pl.when(some).then(100 * low).alias("low"),
        pl.when(some).then(100 * high).alias("high"),
        *("n", "missing", "total"),
    )


def _cells(readings: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return, by group, how many cells have a value, and what the variance between them needs."""
    n = pl.col("n")
    return (
        readings.filter(pl.col("value").is_not_null())
        .group_by(*keys, "cell")
        .agg(pl.len().cast(pl.Float64).alias("n"))
        .sort(*keys, "cell", nulls_last=True)
        .group_by(keys)
        .agg(
            pl.len().alias("cells"),
            freedom(n).alias("_freedom"),
            (n**2 * lift(n)).sum().alias("_squares"),
        )
    )


def _spread(readings: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return, by group and option, how often it was chosen, and two sums over the cells."""
    count, n = pl.col("count"), pl.col("n")
    counts = _counted(readings, [*keys, "cell"])
    cells = counts.group_by(*keys, "cell").agg(count.sum().cast(pl.Float64).alias("n"))
    return (
        counts.join(
            cells.with_columns(_lift=lift(n).over(keys)), on=[*keys, "cell"], nulls_equal=True
        )
        .sort(*keys, "cell", nulls_last=True)
        .group_by(*keys, "value")
        .agg(
            count.sum(),
            (count**2 * pl.col("_lift")).sum().alias("_counts"),
            (count * n * pl.col("_lift")).sum().alias("_products"),
        )
    )


def _with_effective(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Add how many independent answers say as much as a group's, and the quantile to go with it.

    It is p (1 - p) over the variance of p between cells. An option whose share is the same in every
    cell, as one that nobody chose, has no such variance: then that of the question's options
    together counts (the mean design effect of J. N. K. Rao and A. J. Scott (1981), Journal of the
    American Statistical Association 76, 221-230), and where every answer is the same, a cell counts
    as one answer. Of an only cell it is n: trials are independent.

    Args:
        table: a row a group and option, with share, n, cells, freedom and the sums over the cells.
        keys: what makes a group.
    """
    share, n = pl.col("_share"), pl.col("n")
    singly = share * (1 - share)
    counts, products = (pl.col(name).fill_null(0) for name in ("_counts", "_products"))
    between = (counts - 2 * share * products + share**2 * pl.col("_squares")) / n**2
    varies = (pl.col("_singly") > 0) & (pl.col("_between") > NOTHING * pl.col("_singly") / n)
    together = pl.col("_singly").sum().over(keys) / pl.col("_between").sum().over(keys)
    several = pl.col("cells") > 1
    return table.with_columns(_singly=singly, _between=between).with_columns(
        _effective=pl.when(~several)
        .then(n)
        .when(varies)
        .then(pl.col("_singly") / pl.col("_between"))
        .when(varies.any().over(keys))
        .then(together)
        .otherwise("cells"),
        _quantile=pl.when(several).then(t_quantile(pl.col("_freedom"))).otherwise(Z),
    )


def _offered(options: Options, question: Any) -> pl.DataFrame:
    rows = [
        (name, float(number), id_, shown)
        for name, offered in options.items()
        for number, (id_, shown) in enumerate(offered, 1)
    ]
    schema = {"question": question, "value": pl.Float64, "option": pl.String, "shown": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


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
        .agg(pl.col("value").first(), pl.len().alias("_tops"))
    )
    runs = {run: rows for (run,), rows in top.sort("run").group_by("run", maintain_order=True)}
    rows: list[list[Any]] = []
    for one, two in combinations(runs, 2):
        both = runs[one].join(runs[two], on=place, nulls_equal=True, suffix="_OTHER")
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
        cells: with each run's answer, `value` and `value_OTHER`, and how many answers tie with it.
    """
    sure = cells.filter((pl.col("_tops") == 1) & (pl.col("_tops_OTHER") == 1))
    n, ties = sure.height, cells.height - sure.height
    if n < LEAST_CELLS:
        return n, ties, None, None
    same = sure.filter(pl.col("value") == pl.col("value_OTHER")).height
    ours, theirs = (
        dict(sure.group_by(name).len().iter_rows()) for name in ("value", "value_OTHER")
    )
    chance: int = sum(count * theirs.get(value, 0) for value, count in ours.items())
    kappa = None if chance == n * n else (same * n - chance) / (n * n - chance)
    return n, ties, 100 * same / n, kappa
