"""How far raters of the same cells agree: models, each cell rated by the mean or most frequent answer.

A table of ratings has a row a cell and a column a rater; NaN is a cell that a rater did not rate, and
counts in nothing. What is not defined is None, with the reason, never 0 or 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from runner.core.intervals import UPPER
from runner.report.intervals import NOTHING, Numbers

LEAST = 2
"""Raters and cells below which nothing is said of agreement."""
METRICS = ("nominal", "ordinal", "interval")
_SCHEMA: dict[str, Any] = {
    "statistic": pl.String,
    "raters": pl.Int64,
    "cells": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "defined": pl.String,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A statistic, its 95 % interval, of how many cells, and why there is none."""

    cells: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    defined: str = "yes"


def agreement(
    readings: pl.DataFrame, place: Sequence[str], options: Mapping[str, int] | None = None
) -> pl.DataFrame:
    """Return, by question and experiment, how far its runs agree, a row a statistic.

    Of numbers a run's rating of a cell is its mean: ICC(2,1), ICC(2,k), ICC(3,1), Krippendorff's
    alpha (interval, ordinal). Of choices it is the most frequent answer, none where several are:
    alpha (nominal) and Fleiss' kappa.

    Args:
        readings: one row per request and question.
        place: the columns that make a cell, without the run.
        options: of choices, how many each question has; None: the values are numbers.
    """
    keys: dict[str, Any] = {name: readings.schema[name] for name in ("question", "block")}
    rows: list[tuple[Any, ...]] = []
    for key, _, ratings in tables(readings, place, is_choice=options is not None):
        if options is None:
            found = of_numbers(ratings)
        else:
            found = {
                "alpha_nominal": alpha(ratings, "nominal"),
                "fleiss": fleiss(ratings, options[str(key[0])]),
            }
        for name, one in found.items():
            told = (one.value, one.low, one.high, one.defined)
            rows.append((*key, name, ratings.shape[1], one.cells, *told))
    return pl.DataFrame(rows, schema={**keys, **_SCHEMA}, orient="row")


def of_numbers(ratings: Numbers) -> dict[str, Found]:
    """Return what is said of agreement in numbers, by name."""
    return {
        **icc(ratings),
        "alpha_interval": alpha(ratings, "interval"),
        "alpha_ordinal": alpha(ratings, "ordinal"),
    }


def rank_correlations(readings: pl.DataFrame, place: Sequence[str]) -> pl.DataFrame:
    """Return Spearman's correlation of the cells' means of every two runs of an experiment."""
    keys: dict[str, Any] = {name: readings.schema[name] for name in ("question", "block")}
    schema = {**keys, "run": pl.String, "other_run": pl.String, "cells": pl.Int64}
    rows = [
        (*key, runs[one], runs[two], *spearman(ratings[:, one], ratings[:, two]))
        for key, runs, ratings in tables(readings, place)
        for one, two in combinations(range(len(runs)), 2)
    ]
    return pl.DataFrame(rows, schema={**schema, "spearman": pl.Float64}, orient="row")


def confusion(
    readings: pl.DataFrame, place: Sequence[str], options: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """Return, of every two runs, how many cells have each pair of most frequent answers.

    Pairs of answers that no cell has are left out. Where the ids of the options are numbers in
    order, `kappa_linear` and `kappa_quadratic` are Cohen's kappa with weights over all of them.
    """
    keys: dict[str, Any] = {name: readings.schema[name] for name in ("question", "block")}
    rows = []
    for key, runs, ratings in tables(readings, place, is_choice=True):
        ids = options[str(key[0])]
        for one, two in combinations(range(len(runs)), 2):
            table = crossed(ratings[:, one], ratings[:, two], len(ids))
            weighted = [weighted_kappa(table, power) if ordered(ids) else None for power in (1, 2)]
            rows += [
                (
                    *key,
                    runs[one],
                    runs[two],
                    ids[here],
                    ids[there],
                    int(table[here, there]),
                    *weighted,
                )
                for here, there in np.argwhere(table)
            ]
    schema: dict[str, Any] = {**keys, "run": pl.String, "other_run": pl.String}
    schema |= {"option": pl.String, "other_option": pl.String, "cells": pl.Int64}
    schema |= {"kappa_linear": pl.Float64, "kappa_quadratic": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def constant(
    readings: pl.DataFrame, place: Sequence[str], *, is_choice: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield the question and the run where it has the same rating in every one of several cells."""
    for key, runs, ratings in tables(readings, place, is_choice=is_choice):
        for run, column in zip(runs, ratings.T, strict=True):
            there = column[np.isfinite(column)]
            if len(there) >= LEAST and np.ptp(there) == 0:
                yield str(key[0]), run


def ordered(ids: Sequence[str]) -> bool:
    """Tell whether options are a scale: their ids are whole numbers that go up or down by one."""
    if len(ids) < 3 or not all(id_.lstrip("-").isdecimal() for id_ in ids):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(ids)}
    return steps in ({1}, {-1})


def tables(
    readings: pl.DataFrame, place: Sequence[str], *, is_choice: bool = False
) -> Iterator[tuple[tuple[Any, Any], list[str], Numbers]]:
    """Yield the ratings of each question and experiment: key, runs, and a row a cell."""
    by, value = ["question", "block", "run", *place], pl.col("value")
    there = readings.lazy().filter(value.is_not_null())
    if is_choice:
        counts, most = there.group_by(*by, "value").len(), pl.col("len").max().over(by)
        tops = counts.filter(pl.col("len") == most).group_by(by).agg(value.first(), tops=pl.len())
        cells = tops.filter(pl.col("tops") == 1).collect()
    else:
        cells = there.group_by(by).agg(value.mean()).collect()
    asked = readings.select("question", "block", "run").unique().sort("question", "block", "run")
    for key, runs in asked.group_by("question", "block", maintain_order=True):
        names = runs["run"].cast(pl.String).to_list()
        own = cells.filter(pl.col("question") == key[0], pl.col("block") == key[1])
        places = own.select(place).unique().sort(place, nulls_last=True).with_row_index("_place")
        placed = own.join(places, on=place, nulls_equal=True)
        ratings = np.full((places.height, len(names)), np.nan)
        run = placed["run"].cast(pl.String).replace_strict(names, range(len(names)))
        ratings[placed["_place"].to_numpy(), run.to_numpy()] = placed["value"].to_numpy()
        yield (key[0], key[1]), names, ratings


def icc(ratings: Numbers) -> dict[str, Found]:
    """Return ICC(2,1), ICC(2,k) and ICC(3,1), over the cells that every rater has rated.

    P. E. Shrout and J. L. Fleiss (1979), Psychological Bulletin 86, 420-428; the interval of the
    first that of K. O. McGraw and S. P. Wong (1996), Psychological Methods 1, 30-46, of the second
    its Spearman-Brown transform, which has a pole at -1 / (k - 1): nothing is said from there on.
    """
    names = ("icc_2_1", "icc_2_k", "icc_3_1")
    whole = ratings[np.isfinite(ratings).all(axis=1)]
    n, k = whole.shape
    if why := _too_few(n, k, "no_complete_cell"):
        return dict.fromkeys(names, Found(n, defined=why))
    rows, columns = whole.mean(axis=1), whole.mean(axis=0)
    rest = whole - rows[:, None] - columns + whole.mean()
    msr = k * rows.var(ddof=1)
    msc = n * columns.var(ddof=1)
    mse = float((rest**2).sum()) / ((n - 1) * (k - 1))
    size = np.abs(whole - whole.mean()).max() ** 2
    if msr <= NOTHING * size:
        return dict.fromkeys(names, Found(n, defined="alike"))
    if mse <= NOTHING * size:
        return dict.fromkeys(names, Found(n, defined="no_residual"))
    one = (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n)
    a, b = k * one / (n * (1 - one)), 1 + k * one * (n - 1) / (n * (1 - one))
    v = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
    below, above = special.fdtri(n - 1, v, UPPER), special.fdtri(v, n - 1, UPPER)
    rest_of = k * msc + (k * n - k - n) * mse
    with np.errstate(over="ignore", invalid="ignore"):  # F without a bound, far below 0
        ends = (
            n * (msr - below * mse) / (below * rest_of + n * msr),
            n * (above * msr - mse) / (rest_of + n * above * msr),
        )
    ratio, freedom = msr / mse, (n - 1) * (k - 1)
    fixed = (
        ratio,
        ratio / special.fdtri(n - 1, freedom, UPPER),
        ratio * special.fdtri(freedom, n - 1, UPPER),
    )
    return {
        "icc_2_1": _found(n, (one, *ends)),
        "icc_2_k": _of_the_mean(n, k, (one, *ends)),
        "icc_3_1": _found(n, [(f - 1) / (f + k - 1) for f in fixed]),
    }


def _of_the_mean(cells: int, k: int, of_one: Sequence[float]) -> Found:
    """Return ICC(2,k), from ICC(2,1) and the ends of its interval."""
    shares = [1 + (k - 1) * one for one in of_one]
    if shares[0] <= NOTHING:
        return Found(cells, defined="too_far_below_0")
    numbers = [
        k * one / share if share > NOTHING else np.nan
        for one, share in zip(of_one, shares, strict=True)
    ]
    return _found(cells, numbers)


def _found(cells: int, numbers: Sequence[float]) -> Found:
    """Return a statistic with its interval, or alone where that lacks an end or does not hold it."""
    value, low, high = map(float, numbers)
    holds = np.isfinite(low + high) and low <= value <= high
    return Found(cells, value, low, high) if holds else Found(cells, value)


def _too_few(cells: int, raters: int, what: str) -> str:
    if raters < LEAST:
        return "one_rater"
    return "" if cells >= LEAST else what


def alpha(ratings: Numbers, metric: str) -> Found:
    """Return Krippendorff's alpha over the cells that two raters or more have rated.

    K. Krippendorff (2011), Computing Krippendorff's alpha-reliability. The interval is that of
    log((1 + (m - 1) alpha) / (1 - alpha)) for m ratings a cell in the mean, the log F of an ICC, its
    standard error from leaving out one cell after another, and t; none where that is not defined.

    Args:
        ratings: numbers, or for nominal the numbers of categories.
        metric: nominal, ordinal or interval.
    """
    there = np.isfinite(ratings)
    whole = ratings[there.sum(axis=1) >= LEAST]
    cells = len(whole)
    if why := _too_few(cells, ratings.shape[1], "no_shared_cell"):
        return Found(cells, defined=why)
    there = np.isfinite(whole)
    m = there.sum(axis=1).astype(np.float64)
    values = np.full(whole.shape, np.nan)
    if metric == "interval":
        values[there] = whole[there] - whole[there][0]
    else:
        values[there] = _midranks(
            whole[there]
        )  # Krippendorff's ordinal distance is that of midranks
    observed, expected = _nominal(values, m) if metric == "nominal" else _squared(values, m)
    varies = expected > NOTHING * np.nanmax(np.abs(values)) ** 2
    if not varies[0]:
        return Found(cells, defined="alike")
    n = np.concatenate([[m.sum()], m.sum() - m])
    each = m.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (n - 1) * observed / np.where(varies, expected, np.nan)
        odds = (each - (each - 1) * ratio) / ratio
        logs = np.log(np.where((odds > NOTHING) & (ratio > NOTHING), odds, np.nan))
    value = float(1 - ratio[0])
    if not np.isfinite(logs).all() or cells <= LEAST:
        return Found(cells, value)
    error = np.sqrt((cells - 1) / cells * ((logs[1:] - logs[1:].mean()) ** 2).sum())
    if error <= NOTHING:  # no cell makes a difference, which does not make alpha certain
        return Found(cells, value)
    half = special.stdtrit(cells - 1, UPPER) * error
    low, high = (np.exp(logs[0] + end) for end in (-half, half))
    return _found(cells, [value, *((f - 1) / (f + each - 1) for f in (low, high))])


def _midranks(values: Numbers) -> Numbers:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Numbers = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks


def _squared(values: Numbers, m: Numbers) -> tuple[Numbers, Numbers]:
    """Return the disagreement observed and expected, of all cells, and without each one of them."""
    first, second = np.nansum(values, axis=1), np.nansum(values**2, axis=1)
    own = (m * second - first**2) / (m - 1)
    n, one, two = (np.concatenate([[part.sum()], part.sum() - part]) for part in (m, first, second))
    return np.concatenate([[own.sum()], own.sum() - own]), n * two - one**2


def _nominal(values: Numbers, m: Numbers) -> tuple[Numbers, Numbers]:
    there = np.isfinite(values)
    kinds, place = np.unique(values[there], return_inverse=True)
    counts = np.zeros((len(m), len(kinds)))
    np.add.at(counts, (np.nonzero(there)[0], place), 1)
    own = (m**2 - (counts**2).sum(axis=1)) / (m - 1)
    whole = counts.sum(axis=0)
    n = np.concatenate([[m.sum()], m.sum() - m])
    alike = np.concatenate([[(whole**2).sum()], ((whole - counts) ** 2).sum(axis=1)])
    return np.concatenate([[own.sum()], own.sum() - own]), n**2 - alike


def fleiss(ratings: Numbers, categories: int) -> Found:
    """Return Fleiss' kappa; raters may differ in number from cell to cell.

    J. L. Fleiss (1971), Psychological Bulletin 76, 378-382; with unequal raters as K. L. Gwet (2014)
    has it: agreement over cells of two raters or more, the categories' shares over all cells.

    Args:
        ratings: numbers of categories, from 1.
        categories: how many there are.
    """
    there = np.isfinite(ratings)
    rows, _ = np.nonzero(there)
    counts = np.zeros((len(ratings), categories))
    np.add.at(counts, (rows, ratings[there].astype(int) - 1), 1)
    m = counts.sum(axis=1)
    counts, several = counts[m > 0], m[m > 0] >= LEAST
    m = m[m > 0]
    cells = int(several.sum())
    if why := _too_few(cells, ratings.shape[1], "no_shared_cell"):
        return Found(cells, defined=why)
    some, of = counts[several], m[several]
    agreed = ((some * (some - 1)).sum(axis=1) / (of * (of - 1))).mean()
    chance = ((counts / m[:, None]).mean(axis=0) ** 2).sum()
    if 1 - chance <= NOTHING:
        return Found(cells, defined="alike")
    return Found(cells, float((agreed - chance) / (1 - chance)))


def crossed(one: Numbers, two: Numbers, categories: int) -> Numbers:
    """Return in how many cells each pair of categories, from 1, was given by two raters."""
    both = np.isfinite(one) & np.isfinite(two)
    table = np.zeros((categories, categories))
    np.add.at(table, (one[both].astype(int) - 1, two[both].astype(int) - 1), 1)
    return table


def weighted_kappa(table: Numbers, power: int) -> float | None:
    """Return Cohen's kappa with weights |i - j|, its square, or none; None: undefined.

    J. Cohen (1968), Weighted kappa, Psychological Bulletin 70, 213-220.

    Args:
        table: how many cells have each pair of categories, also those that nobody gave.
        power: 1 or 2, over the whole scale; 0: all differences weigh the same.
    """
    places = np.arange(len(table))
    apart = np.abs(places[:, None] - places)
    weights = apart**power if power else apart > 0
    n = table.sum()
    expected = (weights * np.outer(table.sum(axis=1), table.sum(axis=0))).sum()
    return None if expected == 0 else float(1 - n * (weights * table).sum() / expected)


def spearman(one: Numbers, two: Numbers) -> tuple[int, float | None]:
    """Return the cells that both have rated, and the correlation of their ranks; None: undefined."""
    both = np.isfinite(one) & np.isfinite(two)
    cells = int(both.sum())
    if cells < LEAST + 1:
        return cells, None
    ranks = [_midranks(rating[both]) - (cells + 1) / 2 for rating in (one, two)]
    size = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    return cells, float((ranks[0] * ranks[1]).sum() / size) if size else None
