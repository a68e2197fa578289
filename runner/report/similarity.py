"""How alike levels of a factor are: their cell means over the cells that both have a value in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from runner.report.intervals import NOTHING, Numbers
from runner.report.numbers import Limits

LEAST = 3
"""Shared cells below which two levels are not comparable."""
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """What every two levels have in common, a row and a column a level."""

    levels: list[str]
    shared: Counts
    """In how many cells both have a value."""
    pearson: Numbers
    """NaN: not defined."""
    distance: Numbers
    """Mean absolute difference in per cent of the scale; NaN: not defined."""
    tree: Numbers | None
    """The clusters, as scipy has them, of the first levels of `order`; None: fewer than two belong to it."""
    order: list[int]
    """The levels as the clusters have them, behind them those that are in none."""


def alike(readings: pl.DataFrame, factor: str, place: Sequence[str], limits: Limits) -> Alike:
    """Return how alike the levels of a factor are.

    Args:
        readings: one row per request and question, of questions with a number.
        factor: the column of the levels.
        place: the columns that make a cell beside the question, without the factor.
        limits: of every question.
    """
    levels, matrix = _profiles(readings, factor, place, limits)
    shared, pearson, distance = _compared(matrix)
    tree, order = _clustered(pearson)
    return Alike(
        levels=levels, shared=shared, pearson=pearson, distance=distance, tree=tree, order=order
    )


def table(found: Alike) -> pl.DataFrame:
    """Return a row a pair of levels, in the order of the clusters."""
    rows: list[list[Any]] = []
    for at, one in enumerate(found.order):
        for two in found.order[at + 1 :]:
            r, far = found.pearson[one, two], found.distance[one, two]
            why = "few_cells_shared" if np.isnan(far) else "constant_profile"
            rows.append(
                [
                    found.levels[one],
                    found.levels[two],
                    found.shared[one, two],
                    *(None if np.isnan(x) else float(x) for x in (r, far)),
                    why if np.isnan(r) else "yes",
                ]
            )
    schema: dict[str, Any] = {"level": pl.String, "other_level": pl.String, "shared": pl.Int64}
    schema |= {"pearson": pl.Float64, "distance": pl.Float64, "comparable": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _profiles(
    readings: pl.DataFrame, factor: str, place: Sequence[str], limits: Limits
) -> tuple[list[str], Numbers]:
    """Return the levels, and their cell means in per cent of the scale: a row a level, NaN for none."""
    known = readings.lazy().filter(pl.all_horizontal(pl.col("value", factor).is_not_null()))
    cells = known.group_by(factor, "question", *place).agg(pl.col("value").mean()).collect()
    levels = cells.select(factor).unique().sort(factor).with_row_index("_level")
    where = ["question", *place]
    asked = cells.select(where).unique().sort(where, nulls_last=True).with_row_index("_cell")
    told = cells.join(levels, on=factor).join(asked, on=where, nulls_equal=True)
    matrix = np.full((levels.height, asked.height), np.nan)
    matrix[told["_level"].to_numpy(), told["_cell"].to_numpy()] = told["value"].to_numpy()
    ends = np.array([limits[str(name)] for name in asked["question"]]).reshape(-1, 2)
    scaled: Numbers = 100 * (matrix - ends[:, 0]) / (ends[:, 1] - ends[:, 0])
    return levels[factor].cast(pl.String).to_list(), scaled


def _compared(matrix: Numbers) -> tuple[Counts, Numbers, Numbers]:
    """Return shared cells, r and mean absolute difference of every two rows."""
    there = np.isfinite(matrix)
    shared = np.zeros((len(matrix), len(matrix)), dtype=np.int64)
    pearson, distance = np.full(shared.shape, np.nan), np.full(shared.shape, np.nan)
    for row in range(len(matrix)):
        both = there & there[row]
        n = both.sum(axis=1)
        shared[row] = n
        some = np.flatnonzero(n >= LEAST)
        both, n = both[some], n[some, None]
        one, two = np.where(both, matrix[row], 0.0), np.where(both, matrix[some], 0.0)
        distance[row, some] = np.abs(one - two).sum(axis=1) / n[:, 0]
        sizes = np.abs(one).max(axis=1, initial=0), np.abs(two).max(axis=1, initial=0)
        one, two = (np.where(both, x - x.sum(axis=1, keepdims=True) / n, 0.0) for x in (one, two))
        spread = np.sqrt((one**2).sum(axis=1)), np.sqrt((two**2).sum(axis=1))
        varies = (spread[0] > NOTHING * sizes[0]) & (spread[1] > NOTHING * sizes[1])
        product = (one * two).sum(axis=1)[varies] / (spread[0] * spread[1])[varies]
        pearson[row, some[varies]] = np.clip(product, -1, 1)
    return shared, pearson, distance


def _clustered(pearson: Numbers) -> tuple[Numbers | None, list[int]]:
    """Return the clusters and the order of the levels; those that lack an r with others stay out."""
    inside = list(range(len(pearson)))
    while inside:
        lacking = np.isnan(pearson[np.ix_(inside, inside)]).sum(axis=1)
        if not lacking.any():
            break
        del inside[int(lacking.argmax())]
    if len(inside) < 2:
        return None, list(range(len(pearson)))
    far = 1 - pearson[np.ix_(inside, inside)]
    tree: Numbers = linkage(squareform((far + far.T) / 2, checks=False), "average")
    order = [inside[place] for place in leaves_list(tree)]
    return tree, order + [level for level in range(len(pearson)) if level not in inside]
