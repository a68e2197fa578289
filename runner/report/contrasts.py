"""Paired contrasts: how far two levels of a factor differ in the cells that both were asked in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from runner.core.intervals import UPPER
from runner.report.choices import Options
from runner.report.intervals import NOTHING, Numbers

COMPARABLE = "yes"
LEAST_CELLS = 2
"""Shared cells below which two levels are not compared."""
FLIPS = 9_999
"""Patterns of signs that are drawn where there are too many to try all."""
MOST_CELLS_TRIED = 13
"""Cells up to which every pattern of signs is tried: fewer than would be drawn."""
_SEED = 20_260_101
_AT_ONCE = 4_000_000
"""Numbers of one array in memory."""

Columns = dict[str, Any]
Places = npt.NDArray[np.intp]
_NUMBERS = ("difference", "low", "high", "d", "delta", "p", "p_holm")


def contrasts(
    readings: pl.DataFrame, factor: str, place: Sequence[str], options: Options | None = None
) -> pl.DataFrame:
    """Return, by question, how far every two levels of a factor differ, a row a pair.

    `difference` is the mean over the shared cells of (mean of `level` - mean of `other_level`), each
    cell with the same weight, in points of the scale, or of an option in percentage points. `low`
    and `high` are the 95 % t interval of the cells' differences, `d` is their mean over their sd:
    null where they are all equal. `delta` is Cliff's, of the cells' means. `p` comes from flipping
    the signs of the differences, `p_holm` is Holm's over the rows of a question (and experiment).
    `comparable` is yes, or why there is nothing of all this. `differences` says how many there are:
    runs that answer the same prompts resemble each other, so that between levels of a factor one
    difference is the mean over the runs, as long as there is another factor.

    Each level is compared with those before it; the one that shares cells with most others is the
    first. Runs are compared over all experiments, levels of other factors in each.

    Args:
        readings: one row per request and question, of runs that have the factor.
        factor: the column of the levels.
        place: the columns that make a cell, without the factor.
        options: of choices, by question; None: the values are numbers.
    """
    group = ["question"] if factor == "run" else ["question", "block"]
    schema: Columns = {name: readings.schema[name] for name in group}
    schema |= {} if options is None else {"option": pl.String}
    schema |= {"level": pl.String, "other_level": pl.String, "differences": pl.Int64}
    schema |= {**dict.fromkeys(_NUMBERS, pl.Float64), "comparable": pl.String}
    cells = _cells(readings, [*group, factor], place, options)
    asked = readings.select(*group, factor).unique()
    levels = _levels(cells, asked, factor)
    cells, asked = (frame.join(levels, on=factor) for frame in (cells, asked))
    names = levels.sort("_level")[factor].cast(pl.String).to_numpy()
    parts = []
    for key in asked.select(group).unique().sort(group).iter_rows():
        of_it = [pl.col(name) == part for name, part in zip(group, key, strict=True)]
        there = asked.filter(of_it)["_level"].sort().to_numpy()
        offered = [""] if options is None else [id_ for id_, _ in options[str(key[0])]]
        table = _compared(cells.filter(of_it), there, len(offered))
        one, other = _pairs_of(len(there))
        table["level"] = np.tile(names[there[one]], len(offered))
        table["other_level"] = np.tile(names[there[other]], len(offered))
        table["option"] = np.repeat(np.array(offered, dtype=object), len(one))
        table |= {name: [part] * len(table["p"]) for name, part in zip(group, key, strict=True)}
        parts.append(pl.DataFrame({name: table[name] for name in schema}, schema=schema))
    whole = pl.concat(parts) if parts else pl.DataFrame(schema=schema)
    return whole.with_columns(pl.col(pl.Float64).fill_nan(None))


def least_p(cells: int) -> float:
    """Return the smallest p that flipping the signs of so many differences can give."""
    return 0.5 ** (cells - 1) if cells <= MOST_CELLS_TRIED else 1 / (FLIPS + 1)


def _cells(
    readings: pl.DataFrame, by: Sequence[str], place: Sequence[str], options: Options | None
) -> pl.DataFrame:
    """Return what is compared of each cell (_0, or _0, _1 ... of the options), and three numbers.

    `_place` is of the cell, `_loose` of all cells that differ in the temperature alone, `_unit` of
    those of one difference.
    """
    value = pl.col("value")
    if options is None:
        measured = [value.mean().alias("_0")]
    else:
        most = max(map(len, options.values()), default=0)
        measured = [(100 * (value == n + 1).mean()).alias(f"_{n}") for n in range(most)]
    cells = (
        readings.lazy().filter(value.is_not_null()).group_by(*by, *place).agg(measured).collect()
    )
    loose = [name for name in place if name != "temperature"]
    unit = [name for name in place if name != "run"]
    asked = {"_place": place, "_loose": loose, "_unit": unit or place}
    for number, columns in asked.items():
        known = cells.select(pl.lit(0).alias("_all"), *columns).unique()
        known = known.sort("_all", *columns, nulls_last=True).with_row_index(number)
        on = ["_all", *columns]
        joined = cells.with_columns(_all=pl.lit(0)).join(known, on=on, nulls_equal=True)
        cells = joined.drop("_all")
    return cells


def _levels(cells: pl.DataFrame, asked: pl.DataFrame, factor: str) -> pl.DataFrame:
    """Return the levels and their places; first is the one that can be compared with most others."""
    levels = asked.select(factor).drop_nulls().unique().sort(factor).with_row_index("_level")
    numbers = cells.join(levels, on=factor)
    level, place = (numbers[name].to_numpy() for name in ("_level", "_place"))
    shared = _shared(level, place, levels.height)
    first = int((shared >= LEAST_CELLS).sum(axis=1).argmax()) if levels.height else 0
    at = pl.col("_level").cast(pl.Int64)
    moved = pl.when(at == first).then(0).otherwise(at + (at < first))
    return levels.with_columns(moved.alias("_level"))


def _shared(level: Places, place: Places, levels: int) -> Places:
    """Return in how many places each level stands together with each other one."""
    there = np.zeros((levels, int(place.max(initial=0)) + 1))
    there[level, place] = 1
    return (there @ there.T).astype(np.intp)


def _pairs_of(levels: int) -> tuple[Places, Places]:
    """Return the pairs of levels: of each pair the later one, and the one before it."""
    other, one = np.triu_indices(levels, 1)
    return one, other


def _compared(cells: pl.DataFrame, there: Places, measured: int) -> Columns:
    """Return the columns of all pairs of one question, of each measure one after another."""
    level = np.searchsorted(there, cells["_level"].to_numpy())
    places = cells.select("_place", "_unit").unique().sort("_place")
    place = np.searchsorted(places["_place"].to_numpy(), cells["_place"].to_numpy())
    units = np.unique(places["_unit"].to_numpy(), return_inverse=True)[1]
    one, other = _pairs_of(len(there))
    found: list[Columns] = []
    for number in range(measured):
        matrix = np.full((len(there), places.height), np.nan)
        matrix[level, place] = cells[f"_{number}"].to_numpy()
        found.append(_measures(matrix, units, one, other))
    table: Columns = {name: np.concatenate([some[name] for some in found]) for name in found[0]}
    table["p_holm"] = holm(table["p"])
    loose = _shared(level, cells["_loose"].to_numpy(), len(there))
    empty, loose = loose.diagonal() == 0, np.tile(loose[one, other], measured)
    why = [np.tile(empty[one] | empty[other], measured), table["differences"] >= LEAST_CELLS]
    why += [table["differences"] == 1, loose > 0]
    said = ["no_value", COMPARABLE, "one_cell", "temperatures"]
    table["comparable"] = np.select(why, said, "no_cell").astype(object)
    return table


def _measures(matrix: Numbers, units: Places, one: Places, other: Places) -> Columns:
    """Return differences, difference, low, high, d, delta and p of each pair; NaN: not defined.

    Args:
        matrix: a row a level, a column a cell, NaN where there is no value.
        units: of which difference each cell is a part.
        one: the first level of each pair.
        other: the second.
    """
    table: Columns = {name: np.full(len(one), np.nan) for name in _NUMBERS if name != "p_holm"}
    table["differences"] = np.zeros(len(one), dtype=np.int64)
    step = max(1, _AT_ONCE // max(1, matrix.shape[1]))
    for at in range(0, len(one), step):
        some = slice(at, at + step)
        pairs = _by_unit(matrix[one[some]] - matrix[other[some]], units)
        table["differences"][some] = np.isfinite(pairs).sum(axis=1)
        several = table["differences"][some] >= LEAST_CELLS
        rows, pairs = np.arange(len(one))[some][several], pairs[several]
        if not len(rows):
            continue
        mean, half, table["d"][rows] = paired(pairs)
        table["difference"][rows] = mean
        table["low"][rows], table["high"][rows] = mean - half, mean + half
        table["p"][rows] = sign_flip_p(pairs)
        table["delta"][rows] = [cliffs_delta(matrix[one[n]], matrix[other[n]]) for n in rows]
    return table


def _by_unit(differences: Numbers, units: Places) -> Numbers:
    """Return the mean difference of each unit, a column each; NaN where there is none."""
    if (np.bincount(units) == 1).all():
        return differences
    parts = (units[:, None] == np.arange(units.max() + 1)).astype(np.float64)
    there = np.isfinite(differences)
    count = there @ parts
    whole = np.where(there, differences, 0) @ parts
    found: Numbers = np.divide(whole, count, out=np.full(count.shape, np.nan), where=count > 0)
    return found


def paired(differences: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return of each row of differences the mean, the half-width of its 95 % t interval, and d.

    Args:
        differences: a row a pair, two or more numbers in each; NaN is none.
    """
    k = np.isfinite(differences).sum(axis=1)
    mean = np.nanmean(differences, axis=1)
    sd = np.nanstd(differences, axis=1, ddof=1)
    size = np.nanmax(np.abs(differences), axis=1)
    sd = np.where(
        sd > NOTHING * size, sd, np.nan
    )  # all the same: nothing is known of how they vary
    half = special.stdtrit(k - 1, UPPER) * sd / np.sqrt(k)
    return mean, half, mean / sd


def cliffs_delta(one: Numbers, other: Numbers) -> float:
    """Return how often a number of one is larger than one of the other, less how often smaller.

    Args:
        one: numbers, NaN where there is none; only places where both have one count.
        other: as many.
    """
    both = np.isfinite(one) & np.isfinite(other)
    above, below = one[both], np.sort(other[both])
    ends = (np.searchsorted(below, above, side).sum() for side in ("left", "right"))
    return float((sum(ends) - below.size**2) / below.size**2)


def sign_flip_p(differences: Numbers) -> Numbers:
    """Return of each row the two-sided p that its mean is 0, from flipping the signs of its numbers.

    All patterns of signs are tried up to 13 numbers; else 9,999 are drawn, always the same ones,
    and the smallest p is 1/10,000.

    Args:
        differences: a row a pair, one or more numbers in each; NaN is none.
    """
    there = np.isfinite(differences)
    cells = there.sum(axis=1)
    packed = np.where(there, differences, 0.0)
    packed = np.take_along_axis(packed, np.argsort(~there, axis=1, kind="stable"), axis=1)
    p = np.full(len(cells), np.nan)
    for count in np.unique(cells[cells <= MOST_CELLS_TRIED]):
        rows = cells == count
        flipped = np.arange(2 ** (count - 1))[:, None] >> np.arange(count) & 1
        p[rows] = _as_large(packed[rows, :count], flipped) / len(flipped)
    rows = cells > MOST_CELLS_TRIED
    if rows.any():
        p[rows] = (1 + _drawn(packed[rows, : cells.max()])) / (1 + FLIPS)
    return p


def _drawn(differences: Numbers) -> Numbers:
    """Return how many of the drawn patterns make as large a sum as there is."""
    cells = differences.shape[1]
    dice = np.random.PCG64(_SEED)  # its raw numbers are the same in every version of numpy
    words = -(-cells // 64)
    step = max(1, _AT_ONCE // max(64 * words, len(differences)))
    found = np.zeros(len(differences))
    for at in range(0, FLIPS, step):
        rows = min(step, FLIPS - at)
        raw = dice.random_raw((rows, words)).astype("<u8")
        bits = np.unpackbits(raw.view(np.uint8), axis=1, count=cells)
        found += _as_large(differences, bits)
    return found


def _as_large(differences: Numbers, flipped: npt.NDArray[np.integer]) -> Numbers:
    """Return how many patterns (a row each, 1 where a sign is flipped) make as large a sum as there is."""
    signs: Numbers = 1.0 - 2.0 * flipped.astype(np.float64)
    least = np.abs(differences.sum(axis=1)) - NOTHING * np.abs(differences).sum(axis=1)
    large: Numbers = (np.abs(signs @ differences.T) >= least).sum(axis=0, dtype=np.float64)
    return large


def holm(p: Numbers) -> Numbers:
    """Return p after S. Holm (1979), Scandinavian Journal of Statistics 6, 65-70; NaN is no test."""
    there = np.flatnonzero(np.isfinite(p))
    order = there[np.argsort(p[there], kind="stable")]
    raised = p[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted
