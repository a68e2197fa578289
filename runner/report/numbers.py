"""Statistics on frames of readings: nothing is read or written here, and nothing missing is 0."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import polars as pl

Numbers = npt.NDArray[np.float64]

LEVEL = 0.95
CAUSE = "cause_"
"""What the columns that count the values missing for one cause begin with."""
AT_ONCE = 4_000_000
"""Cells of the matrix of bootstrap weights that is held at one time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dice:
    """Seeded dice: a group's interval depends on the seed, its name and its values only."""

    seed: int = 1
    draws: int = 2_000

    def weights(self, name: object, shares: Numbers, size: int) -> Iterator[Numbers]:
        """Yield, in blocks of draws, how often each of the units is drawn.

        Args:
            name: what the numbers are about; other names, other throws.
            shares: the chance of each unit.
            size: how many are drawn.
        """
        generator = np.random.default_rng([self.seed, crc32(repr(name).encode())])
        step = max(1, AT_ONCE // max(1, len(shares)))
        for first in range(0, self.draws, step):
            block = min(step, self.draws - first)
            yield generator.multinomial(size, shares, size=block).astype(np.float64)


def interval(statistics: Numbers) -> tuple[float, float] | tuple[None, None]:
    """Return the percentile interval of bootstrap statistics; none when nothing is defined."""
    defined = statistics[np.isfinite(statistics)]
    if len(defined) == 0:
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def scores(readings: pl.DataFrame, by: Sequence[str], dice: Dice) -> pl.DataFrame:
    """Return n, missing, mean, sd, median and a bootstrap interval of the mean, by some factors.

    Whole cells are drawn where a group has several, else the values of its only cell: values of
    one cell are answers to the same prompt and resemble each other, so that drawing them singly
    would make the interval of a group of cells too narrow.

    Args:
        readings: one row per request and question.
        by: factors, without the question.
        dice: for the bootstrap.
    """
    keys = ["question", *by]
    return _by_question(readings, lambda some: _scores(some, keys, dice))


def _by_question(
    readings: pl.DataFrame, work: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """Do the same for one question after another: what is in memory beside the readings is small."""
    names = readings["question"].unique().sort().to_list()
    if not names:
        return work(readings)
    return pl.concat(work(readings.filter(pl.col("question") == name)) for name in names)


def _scores(readings: pl.DataFrame, keys: list[str], dice: Dice) -> pl.DataFrame:
    table = readings.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("total"),
        pl.col("value").count().cast(pl.Int64).alias("n"),
        pl.col("value").null_count().cast(pl.Int64).alias("missing"),
        pl.col("value").mean().alias("mean"),
        pl.col("value").std().alias("sd"),
        pl.col("value").median().alias("median"),
        pl.col("value").min().alias("min"),
        pl.col("value").max().alias("max"),
    )
    intervals = _mean_intervals(readings, keys, dice)
    whole = table.join(intervals, on=keys, how="left", nulls_equal=True)
    return whole.sort(keys, nulls_last=True).select(
        *(*keys, "total", "n", "missing", "mean", "low", "high", "sd", "median", "min", "max"),
        *("cells", "resampled"),
    )


def _mean_intervals(readings: pl.DataFrame, keys: list[str], dice: Dice) -> pl.DataFrame:
    present = readings.filter(pl.col("value").is_not_null())
    cells = (
        present.group_by(*keys, "cell")
        .agg(pl.col("value").sum().alias("sum"), pl.len().cast(pl.Float64).alias("n"))
        .sort(*keys, "cell", nulls_last=True)
    )
    grouped = cells.group_by(keys, maintain_order=True).agg("cell", "sum", "n")
    several = grouped.filter(pl.col("cell").list.len() > 1)
    single = grouped.filter(pl.col("cell").list.len() == 1).select(keys)
    values = (
        present.join(single, on=keys, how="semi", nulls_equal=True)
        .group_by(*keys, "value")
        .agg(pl.len().cast(pl.Float64).alias("n"))
        .sort(*keys, "value", nulls_last=True)
        .group_by(keys, maintain_order=True)
        .agg("value", "n")
    )
    rows: list[list[Any]] = []
    for *group, cell, total, count in several.iter_rows():
        low, high = interval(_cluster_means(group, np.array(total), np.array(count), dice))
        rows.append([*group, len(cell), "cells", low, high])
    for *group, value, count in values.iter_rows():
        size = int(sum(count))
        low, high = (None, None)
        if size > 1:
            low, high = interval(_value_means(group, np.array(value), np.array(count), dice))
        rows.append([*group, 1, "trials" if size > 1 else None, low, high])
    schema: dict[str, Any] = {
        **{key: readings.schema[key] for key in keys},
        "cells": pl.Int64,
        "resampled": pl.String,
        "low": pl.Float64,
        "high": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cluster_means(name: object, total: Numbers, count: Numbers, dice: Dice) -> Numbers:
    cells = len(total)
    shares = np.full(cells, 1 / cells)
    return np.concatenate(
        [(drawn @ total) / (drawn @ count) for drawn in dice.weights(name, shares, cells)]
    )


def _value_means(name: object, value: Numbers, count: Numbers, dice: Dice) -> Numbers:
    """Return means of resampled values; equal values are drawn together, which is the same."""
    size = int(count.sum())
    return np.concatenate(
        [(drawn @ value) / size for drawn in dice.weights(name, count / size, size)]
    )


def missing(readings: pl.DataFrame) -> pl.DataFrame:
    """Return how many values each run lacks, by question and cause; n + missing = total."""
    causes = sorted(readings["cause"].drop_nulls().unique().to_list())
    return _by_question(readings, lambda some: _missing(some, causes)).sort("run", "question")


def _missing(readings: pl.DataFrame, causes: list[str]) -> pl.DataFrame:
    keys = ["run", "question"]
    whole = readings.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("total"),
        pl.col("value").count().cast(pl.Int64).alias("n"),
        pl.col("value").null_count().cast(pl.Int64).alias("missing"),
        (pl.col("value").is_not_null() & pl.col("failed"))
        .sum()
        .cast(pl.Int64)
        .alias("n_of_failed_requests"),
        (pl.col("value").is_not_null() & pl.col("reason_chars").is_null())
        .sum()
        .cast(pl.Int64)
        .alias("n_without_reason"),
    )
    counted = (
        readings.group_by(keys).agg(
            (pl.col("cause") == cause).sum().cast(pl.Int64).alias(CAUSE + cause) for cause in causes
        )
        if causes
        else readings.select(keys).unique()
    )
    return whole.join(counted, on=keys, how="left")


def patterns(readings: pl.DataFrame) -> pl.DataFrame:
    """Return, by run, question and pattern, in how many counted answers it found the place."""
    order = ["run", "question", "answers", "pattern"]
    found = _by_question(readings, _patterns)
    return found.sort(order, descending=[False, False, True, False])


def _patterns(readings: pl.DataFrame) -> pl.DataFrame:
    answered = readings.filter(
        pl.col("pattern").is_not_null() | (pl.col("cause") == "missing").fill_null(value=False)
    )
    pattern = pl.col("pattern").cast(pl.String).fill_null("none")
    return answered.group_by("run", "question", pattern).agg(
        pl.len().cast(pl.Int64).alias("answers"),
        pl.col("value").count().cast(pl.Int64).alias("n"),
    )


def agreement(readings: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Return how far trials of one cell agree, by run and question.

    `within_sd` is the pooled sd within cells. `icc` is ICC(1), the share of the variance that
    lies between cells, from a one-way analysis of variance with cells of unequal size; its
    interval comes from drawing cells.
    """
    return _by_question(readings, lambda some: _agreement(some, dice)).sort("run", "question")


def _agreement(readings: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    cells = (
        readings.filter(pl.col("value").is_not_null())
        .group_by("run", "question", "cell")
        .agg(
            pl.len().cast(pl.Float64).alias("n"),
            pl.col("value").mean().alias("mean"),
            pl.col("value").var(ddof=0).alias("var"),
        )
        .sort("run", "question", "cell")
        .group_by("run", "question", maintain_order=True)
        .agg("n", "mean", "var")
    )
    rows: list[list[Any]] = []
    for run, question, n, mean, var in cells.iter_rows():
        count, centre, spread = np.array(n), np.array(mean), np.array(var)
        centre = centre - (centre * count).sum() / count.sum()
        within, icc = _analysis(np.ones((1, len(count))), count, centre, spread)
        low, high = None, None
        if np.isfinite(icc[0]):
            shares = np.full(len(count), 1 / len(count))
            name = ("icc", run, question)
            drawn = [
                _analysis(weights, count, centre, spread)[1]
                for weights in dice.weights(name, shares, len(count))
            ]
            low, high = interval(np.concatenate(drawn))
        rows.append(
            [
                *(run, question, len(count), int(count.sum()), int((count > 1).sum())),
                *(_defined(within[0]), _defined(icc[0]), low, high),
            ]
        )
    schema: dict[str, Any] = {
        "run": readings.schema["run"],
        "question": readings.schema["question"],
        "cells": pl.Int64,
        "n": pl.Int64,
        "cells_with_several": pl.Int64,
        "within_sd": pl.Float64,
        "icc": pl.Float64,
        "icc_low": pl.Float64,
        "icc_high": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _analysis(
    weights: Numbers, count: Numbers, mean: Numbers, var: Numbers
) -> tuple[Numbers, Numbers]:
    """Return the pooled sd within cells and ICC(1), for each row of weights of the cells."""
    groups = weights.sum(axis=1)
    total = weights @ count
    between = weights @ (count * mean**2) - (weights @ (count * mean)) ** 2 / total
    within = weights @ (count * var)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_within = within / np.where(total > groups, total - groups, np.nan)
        mean_between = between / np.where(groups > 1, groups - 1, np.nan)
        size = (total - (weights @ count**2) / total) / np.where(groups > 1, groups - 1, np.nan)
        icc = (mean_between - mean_within) / (mean_between + (size - 1) * mean_within)
    return np.sqrt(mean_within), icc


def _defined(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def correlations(readings: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Return the correlation of every two questions by run, over requests that have both values."""
    names = readings["question"].unique().sort().to_list()
    present = readings.lazy().filter(pl.col("value").is_not_null())
    of = {
        name: present.filter(pl.col("question") == name).select("run", "cell", "request", "value")
        for name in names
    }
    rows: list[list[Any]] = []
    for one, two in combinations(names, 2):
        both = (
            of[one]
            .join(of[two], on=["run", "cell", "request"])
            .drop("request")
            .sort("run", "cell", "value", "value_right")
            .collect()
        )
        for (run,), pairs in both.group_by("run", maintain_order=True):
            rows.append([run, one, two, pairs.height, *_correlation(pairs, (run, one, two), dice)])
    schema: dict[str, Any] = {
        "run": readings.schema["run"],
        "question": readings.schema["question"],
        "other": readings.schema["question"],
        "n": pl.Int64,
        "pearson": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "spearman": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("run", "question", "other")


def _correlation(pairs: pl.DataFrame, name: object, dice: Dice) -> list[float | None]:
    x, y = pl.col("value"), pl.col("value_right")
    if pairs.height < 3 or pairs["value"].n_unique() < 2 or pairs["value_right"].n_unique() < 2:
        return [None, None, None, None]  # a constant correlates with nothing
    pearson, spearman = pairs.select(
        pl.corr(x, y).alias("p"), pl.corr(x, y, method="spearman").alias("s")
    ).row(0)
    centred = pairs.with_columns(x - x.mean(), y - y.mean())
    sums = (
        centred.group_by("cell", maintain_order=True)
        .agg(
            pl.len().cast(pl.Float64).alias("n"),
            x.sum().alias("x"),
            y.sum().alias("y"),
            (x * x).sum().alias("xx"),
            (y * y).sum().alias("yy"),
            (x * y).sum().alias("xy"),
        )
        .drop("cell")
        .to_numpy()
    )
    low, high = None, None
    if len(sums) > 1:
        shares = np.full(len(sums), 1 / len(sums))
        drawn = [_pearson(w @ sums) for w in dice.weights(name, shares, len(sums))]
        low, high = interval(np.concatenate(drawn))
    return [pearson, low, high, spearman]


def _pearson(sums: Numbers) -> Numbers:
    n, x, y, xx, yy, xy = sums.T
    spread = (xx - x * x / n) * (yy - y * y / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Numbers = (xy - x * y / n) / np.sqrt(np.where(spread > 1e-9, spread, np.nan))
    return found


def cell_spread(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the sd within each cell that has at least two values, with its temperature."""
    keys = ["run", "cell", "temperature", "question"]
    spread = (
        pl.len().cast(pl.Int64).alias("total"),
        pl.col("value").count().cast(pl.Int64).alias("n"),
        pl.col("value").null_count().cast(pl.Int64).alias("missing"),
        pl.col("value").mean().alias("mean"),
        pl.col("value").std().alias("sd"),
    )
    found = _by_question(readings, lambda some: some.group_by(keys).agg(*spread))
    return found.sort(*keys, nulls_last=True)


def temperature_spread(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the pooled sd within cells by run, question and temperature."""
    keys = ["run", "question", "temperature"]
    freedom = pl.col("n") - 1
    return (
        cell_spread(readings)
        .group_by(keys)
        .agg(
            pl.len().cast(pl.Int64).alias("cells"),
            pl.col("n").sum(),
            pl.col("missing").sum(),
            ((freedom * pl.col("sd") ** 2).sum() / freedom.filter(pl.col("n") > 1).sum()).alias(
                "variance"
            ),
        )
        .with_columns(
            within_sd=pl.when(pl.col("variance").is_finite()).then(pl.col("variance").sqrt())
        )
        .drop("variance")
        .sort(keys, nulls_last=True)
    )


def confounded(readings: pl.DataFrame, factors: Sequence[str]) -> list[str]:
    """Return the factors that the temperature stands for, none when it can be told from them.

    It cannot where some run was asked at several temperatures, but none at two temperatures of the
    same levels: then an effect of the temperature looks like one of the factors.
    """
    keys = ["run", *factors, "temperature"]
    cells = _by_question(readings, lambda some: some.select(keys).unique()).unique()
    cells = cells.filter(pl.col("temperature").n_unique().over("run") > 1)
    if (cells.group_by("run", *factors).len()["len"] > 1).any():
        return []
    return [name for name in factors if cells[name].count()]


def reason_lengths(readings: pl.DataFrame) -> pl.DataFrame:
    """Return how long the reasons are, in characters; an absent reason has no length."""
    return _by_question(readings, _reason_lengths).sort("run", "question")


def _reason_lengths(readings: pl.DataFrame) -> pl.DataFrame:
    length = pl.col("reason_chars").cast(pl.Float64)
    return readings.group_by("run", "question").agg(
        pl.len().cast(pl.Int64).alias("total"),
        length.count().cast(pl.Int64).alias("n"),
        length.null_count().cast(pl.Int64).alias("missing"),
        length.mean().alias("mean"),
        length.std().alias("sd"),
        length.median().alias("median"),
        length.quantile(0.25, "linear").alias("q1"),
        length.quantile(0.75, "linear").alias("q3"),
        length.min().alias("min"),
        length.max().alias("max"),
    )


def histogram(readings: pl.DataFrame, minimum: float, maximum: float, bins: int) -> pl.DataFrame:
    """Return how many values of each run fall into equal bins; the last one holds the maximum."""
    width = (maximum - minimum) / bins
    place = ((pl.col("value") - minimum) / width).floor().clip(0, bins - 1).cast(pl.Int64)
    return (
        readings.filter(pl.col("value").is_not_null())
        .group_by("run", place.alias("bin"))
        .agg(pl.len().cast(pl.Int64).alias("n"))
        .sort("run", "bin")
    )


def means(readings: pl.DataFrame) -> pl.DataFrame:
    """Return run, question, n and mean."""
    value = pl.col("value")
    return _by_question(
        readings,
        lambda some: some.group_by("run", "question").agg(
            value.count().alias("n"), value.mean().alias("mean")
        ),
    )


def statuses(counts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per run: its requests by how they ended, its attempts and lost attempts."""
    endings = ("success", "retry_success", "failed", "open")
    imported = pl.col("requests").filter(pl.col("status") == "imported").sum()
    return (
        counts.group_by("run")
        .agg(
            pl.col("requests").sum().alias("total"),
            *(
                pl.when(imported == 0)  # how an imported request ended is not known
                .then(pl.col("requests").filter(pl.col("status") == ending).sum())
                .alias(ending)
                for ending in endings
            ),
            imported.alias("imported"),
            *(
                pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name)
                for name in ("attempts", "lost")
            ),
        )
        .sort("run")
    )
