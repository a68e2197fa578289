"""Statistics on frames of readings: nothing is read or written here, and nothing missing is 0."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from runner.report import intervals
from runner.report.intervals import NOTHING, Numbers

CAUSE = "cause_"
"""What the columns that count the values missing for one cause begin with."""
Limits = Mapping[str, tuple[float, float]]
"""The ends of each question's scale."""
_MANY_VALUES = 100
"""Values, or different ones, that are listed behind a cell."""


def scores(readings: pl.DataFrame, by: Sequence[str], limits: Limits) -> pl.DataFrame:
    """Return n, missing, mean, sd, median and a 95 % interval of the mean, by some factors.

    The interval's units are whole cells where a group has several, else the values of its only
    cell: values of one cell are answers to the same prompt and resemble each other, so that taking
    them for independent would make the interval of a group of cells too narrow.

    Args:
        readings: one row per request and question.
        by: factors, without the question.
        limits: of every question among them.
    """
    keys = ["question", *by]
    return _by_question(readings, lambda some: _scores(some, keys, limits))


def _by_question(
    readings: pl.DataFrame, work: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """Do the same for one question after another: what is in memory beside the readings is small."""
    names = readings["question"].unique().sort().to_list()
    if not names:
        return work(readings)
    return pl.concat(work(readings.filter(pl.col("question") == name)) for name in names)


def _scores(readings: pl.DataFrame, keys: list[str], limits: Limits) -> pl.DataFrame:
    value = pl.col("value")
    table = readings.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("total"),
        value.count().cast(pl.Int64).alias("n"),
        value.null_count().cast(pl.Int64).alias("missing"),
        value.mean().alias("mean"),
        value.std().alias("sd"),
        value.median().alias("median"),
        value.min().alias("min"),
        value.max().alias("max"),
    )
    cells = (
        readings.filter(value.is_not_null())
        .group_by(*keys, "cell")
        .agg(value.sum().alias("_sum"), pl.len().cast(pl.Float64).alias("n"))
        .sort(*keys, "cell", nulls_last=True)
    )
    scale = pl.DataFrame(
        [(name, *ends) for name, ends in limits.items()],
        schema={
            "question": readings.schema["question"],
            "_minimum": pl.Float64,
            "_maximum": pl.Float64,
        },
        orient="row",
    )
    ends = intervals.of_means(table.join(scale, on="question", how="left"), cells, keys)
    whole = table.join(ends, on=keys, how="left", nulls_equal=True)
    return whole.sort(keys, nulls_last=True).select(
        *(*keys, "total", "n", "missing", "mean", "low", "high", "sd", "median", "min", "max"),
        *("cells", "interval_units"),
    )


def values(readings: pl.DataFrame, table: pl.DataFrame, keys: Sequence[str]) -> list[str]:
    """Return the values behind each row of a table, in ascending order, in words.

    Up to a hundred stand one by one; of more, each with how often it was given; and of more than a
    hundred different ones, the lowest and the highest.

    Args:
        readings: one row per request and question.
        table: its rows are named by the keys.
        keys: columns of both.
    """
    value = pl.col("value")
    known = _by_question(
        readings,
        lambda some: (
            some.lazy()
            .filter(value.is_not_null())
            .group_by(*keys, "value")
            .len("times")
            .sort("value")
            .group_by(keys)
            .agg("value", "times")
            .collect()
        ),
    )
    rows = table.select(keys).join(
        known, on=keys, how="left", nulls_equal=True, maintain_order="left"
    )
    given = zip(rows["value"].to_list(), rows["times"].to_list(), strict=True)
    return [_listed(some or [], times or []) for some, times in given]


def _listed(values: Sequence[float], times: Sequence[int]) -> str:
    if sum(times) <= _MANY_VALUES:
        return ", ".join(f"{v:g}" for v, n in zip(values, times, strict=True) for _ in range(n))
    if len(values) <= _MANY_VALUES:
        return ", ".join(f"{v:g} (×{n:,})" for v, n in zip(values, times, strict=True))
    return f"{values[0]:g} … {values[-1]:g}"


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


def agreement(readings: pl.DataFrame) -> pl.DataFrame:
    """Return how far trials of one cell agree, by run and question.

    `within_sd` is the pooled sd within cells. `icc` is ICC(1), the share of the variance that
    lies between cells, from a one-way analysis of variance with cells of unequal size; it is null
    where all values are equal, and its interval where no trial differs from another of its cell, or
    where it does not hold the estimate, as may be when cells differ much in size.
    """
    return _by_question(readings, _agreement).sort("run", "question")


def _agreement(readings: pl.DataFrame) -> pl.DataFrame:
    keys = ["run", "question"]
    value, n, mean = pl.col("value"), pl.col("n"), pl.col("mean")
    cells = (
        readings.filter(value.is_not_null())
        .group_by(*keys, "cell")
        .agg(
            pl.len().cast(pl.Float64).alias("n"),
            value.mean().alias("mean"),
            value.var(ddof=0).alias("var"),
            value.min().alias("min"),
            value.max().alias("max"),
        )
        .sort(*keys, "cell")
    )
    groups = cells.group_by(keys, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("cells"),
        n.sum().cast(pl.Int64),
        (n > 1).sum().cast(pl.Int64).alias("cells_with_several"),
        (n * (mean - (n * mean).sum() / n.sum()) ** 2).sum().alias("between"),
        (n * pl.col("var")).sum().alias("within"),
        (n.sum() - (n**2).sum() / n.sum()).alias("size"),
        (pl.col("min").min() < pl.col("max").max()).alias("varies"),
    )
    several, repeated = pl.col("cells") > 1, n > pl.col("cells")
    between = pl.col("between") / (pl.col("cells") - 1)
    within = pl.col("within") / (n - pl.col("cells"))
    size = pl.col("size") / (pl.col("cells") - 1)
    held = pl.col("icc").is_between(pl.col("icc_low") - NOTHING, pl.col("icc_high") + NOTHING)
    icc = (between - within) / (between + (size - 1) * within)
    return (
        groups.with_columns(
            pl.when(repeated).then(within.sqrt()).alias("within_sd"),
            pl.when(several & repeated & pl.col("varies")).then(icc).alias("icc"),
        )
        .join(intervals.of_icc(cells, keys), on=keys, how="left")
        .select(
            *(*keys, "cells", "n", "cells_with_several", "within_sd", "icc"),
            *(pl.when(held).then(end) for end in ("icc_low", "icc_high")),
        )
    )


def correlations(readings: pl.DataFrame) -> pl.DataFrame:
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
            rows.append([run, one, two, pairs.height, *_correlation(pairs)])
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


def _correlation(pairs: pl.DataFrame) -> list[float | None]:
    x, y = pl.col("value"), pl.col("value_right")
    if pairs.height < 3 or pairs["value"].n_unique() < 2 or pairs["value_right"].n_unique() < 2:
        return [None, None, None, None]  # a constant correlates with nothing
    linear, spearman = pairs.select(
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
    low, high = intervals.of_correlation(sums, pearson)
    return [linear, low, high, spearman]


def pearson(sums: Numbers) -> Numbers:
    """Return the correlations of rows of sums, the first of which are those of all the pairs."""
    n, x, y, xx, yy, xy = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        of_x, of_y = xx - x * x / n, yy - y * y / n
        varies = (of_x > NOTHING * of_x[0]) & (of_y > NOTHING * of_y[0])
        found: Numbers = (xy - x * y / n) / np.sqrt(np.where(varies, of_x * of_y, np.nan))
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
    if (cells.group_by("run", *factors).len("_cells")["_cells"] > 1).any():
        return []
    return [name for name in factors if cells[name].count()]


def shape(readings: pl.DataFrame) -> pl.DataFrame:
    """Return, by run and question, how lopsided the values are and how heavy their tails.

    `skewness` is G1 and `kurtosis` G2, the excess over the normal distribution's, both corrected for
    small samples as in Joanes & Gill (1998). They are null below 3 and 4 values, and where all are
    equal.
    """
    found = _by_question(readings, _shape)
    return found.sort("run", "question")


def _shape(readings: pl.DataFrame) -> pl.DataFrame:
    value, count = pl.col("value"), pl.col("value").count()
    varies = value.drop_nulls().n_unique() > 1
    skewness, kurtosis = value.skew(bias=False), value.kurtosis(bias=False)
    return readings.group_by("run", "question").agg(
        count.cast(pl.Int64).alias("n"),
        pl.when(varies & (count > 2)).then(skewness).alias("skewness"),
        pl.when(varies & (count > 3)).then(kurtosis).alias("kurtosis"),
    )


def reason_lengths(readings: pl.DataFrame, by: str = "run") -> pl.DataFrame:
    """Return how long the reasons are, in characters; an absent reason has no length."""
    return _by_question(readings, lambda some: _reason_lengths(some, by)).sort(by, "question")


def _reason_lengths(readings: pl.DataFrame, by: str) -> pl.DataFrame:
    length = pl.col("reason_chars").cast(pl.Float64)
    return readings.group_by(by, "question").agg(
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
    along = (pl.col("value") - minimum) * bins / (maximum - minimum)
    place = along.round(9).floor().clip(0, bins - 1).cast(pl.Int64)  # 1.4 - 1 is below 0.4
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
