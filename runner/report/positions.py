"""Whether answers depend on the place at which an option or an item was shown, where places were shuffled.

Orders are drawn by the program and have nothing to do with the answer. So if places do not matter, the
option that is chosen is as likely at each place as at any other, whatever is chosen and however alike
the answers of a cell are; and an item's values are the same at each place, but for chance.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from runner.core.definition import factor_names, shuffled_in
from runner.core.model import BETWEEN
from runner.core.orders import ITEMS
from runner.report.contrasts import LEAST_CELLS, holm, paired, sign_flip_p
from runner.report.data import OPEN, Data, ReportedRun, rows_of
from runner.report.intervals import Numbers, exact

_HEAD: dict[str, Any] = {"question": pl.String, "run": pl.String, "place": pl.Int64}
_ENDS = dict.fromkeys(("low", "high", "p", "p_holm"), pl.Float64)
OF_OPTIONS: dict[str, Any] = {
    **_HEAD,
    **dict.fromkeys(("count", "n"), pl.Int64),
    **dict.fromkeys(("percent", "chance"), pl.Float64),
    **_ENDS,
}
OF_ITEMS: dict[str, Any] = {
    **_HEAD,
    "n": pl.Int64,
    "mean": pl.Float64,
    "differences": pl.Int64,
    "difference": pl.Float64,
    **_ENDS,
}


def shuffled(data: Data) -> list[tuple[ReportedRun, list[str]]]:
    """Return the runs in which something was shuffled, and the columns that hold the orders."""
    found = []
    for run in data.runs:
        columns = {one.column for one in shuffled_in(run.stored.definition)}
        there = rows_of(run).collect_schema().names()
        if used := [name for name in there if name in columns]:
            found.append((run, used))
    return found


def of_options(data: Data) -> pl.DataFrame:
    """Return how often the option at each place was chosen, by question and run.

    `percent` of the `n` valid answers chose the option that was shown at `place`, from 1; `low` and
    `high` are the exact 95 % interval, `chance` is what it is where places do not matter, and `p` is
    exact and two-sided (binomial). `p_holm` is Holm's over the rows of a question.
    """
    choices = {question.name for question in data.choices.questions}
    rows: list[list[Any]] = []
    for run, columns in shuffled(data):
        for key, row in run.stored.definition["questions"].items():
            name = data.name_of(key, row)
            if name not in choices or f"{key}_order" not in columns:
                continue
            options, counts = len(row["options"]), chosen(_valid(run, key), key)
            n = sum(counts.values())
            for place in range(1, options + 1):
                count = counts.get(place, 0)
                rows.append([name, run.name, place, count, n, *_share(count, n, 1 / options)])
    return _with_holm(rows, OF_OPTIONS)


def _share(count: int, n: int, chance: float) -> list[float | None]:
    """Return a share, chance, and the share's interval in per cent, p, and a place for Holm's."""
    if not n:
        return [None, 100 * chance, None, None, None, None]
    low, high = exact(count, n)
    p = float(stats.binomtest(count, n, chance).pvalue)
    return [100 * count / n, 100 * chance, 100 * low, 100 * high, p, None]


def chosen(rows: pl.LazyFrame, key: str) -> dict[int, int]:
    """Return how many of some valid answers chose the option that was shown at each place."""
    place = _place(pl.col(f"{key}_order"), pl.col(f"{key}_value"))
    asked = rows.select(place.alias("place")).drop_nulls()
    return dict(asked.group_by("place").agg(pl.len()).sort("place").collect().iter_rows())


def _place(order: pl.Expr, id_: pl.Expr) -> pl.Expr:
    """Return at which place of an order, from 1, an id stands; null where it is not in it."""
    before = (pl.lit(BETWEEN) + order + pl.lit(BETWEEN)).str.split(pl.lit(BETWEEN) + id_ + BETWEEN)
    return (
        pl.when(before.list.len() == 2)
        .then(before.list.first().str.count_matches(BETWEEN, literal=True) + 1)
        .cast(pl.Int64)
    )


def _valid(run: ReportedRun, key: str) -> pl.LazyFrame:
    return rows_of(run).filter((pl.col("status") != OPEN) & pl.col(f"{key}_value").is_not_null())


def of_items(data: Data) -> pl.DataFrame:
    """Return the mean of each item by the place at which it was shown, by question and run.

    `difference` is the mean over the cells that have a value at `place` and one elsewhere of (mean
    at the place - mean elsewhere), each cell with the same weight, in points of the scale; `low` and
    `high` are its 95 % t interval, `p` comes from flipping signs. Of less than two such cells there
    are none. `p_holm` is Holm's over the rows of a question.
    """
    numbers = {question.name for question in data.numbers.questions}
    rows: list[list[Any]] = []
    for run, columns in shuffled(data):
        if f"{ITEMS}_order" not in columns:
            continue
        cell = [*factor_names(run.stored.definition), "temperature"]
        for key, row in run.stored.definition["questions"].items():
            if (name := data.name_of(key, row)) in numbers:
                rows += [[name, run.name, *told] for told in by_place(_valid(run, key), key, cell)]
    return _with_holm(rows, OF_ITEMS)


def by_place(rows: pl.LazyFrame, key: str, cell: Sequence[str]) -> Iterator[list[Any]]:
    """Yield of each place what `of_items` says of it.

    Args:
        rows: of valid answers, with the order of the items and the value of one of them.
        key: that item.
        cell: the columns that make a cell.
    """
    place = _place(pl.col(f"{ITEMS}_order"), pl.lit(key)).alias("place")
    value = pl.col(f"{key}_value").cast(pl.Float64).alias("value")
    found = rows.select(*cell, place, value).drop_nulls("place")
    cells = found.group_by(*cell, "place").agg(pl.len().alias("n"), pl.col("value").sum())
    cells = cells.sort(*cell, "place", nulls_last=True)
    whole = [pl.col(name).sum().over(cell).alias(f"{name}_all") for name in ("n", "value")]
    told = cells.with_columns(whole).collect()
    for (at,), there in told.sort("place").group_by("place", maintain_order=True):
        n, total = (there[name].to_numpy().astype(float) for name in ("n", "value"))
        n_all, total_all = (
            there[f"{name}_all"].to_numpy().astype(float) for name in ("n", "value")
        )
        both = n_all > n
        here, rest = total[both] / n[both], n_all[both] - n[both]
        differences = here - (total_all[both] - total[both]) / rest
        yield [at, int(n.sum()), total.sum() / n.sum(), int(both.sum()), *_tested(differences)]


def _tested(differences: Numbers) -> list[float | None]:
    """Return the mean difference, its interval, p, and a place for Holm's."""
    if len(differences) < LEAST_CELLS:
        return [None] * 5
    mean, half, _ = paired(differences[None])
    known = [mean[0], mean[0] - half[0], mean[0] + half[0], sign_flip_p(differences[None])[0]]
    return [*(float(x) if np.isfinite(x) else None for x in known), None]


def _with_holm(rows: Sequence[Sequence[Any]], schema: dict[str, Any]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema=schema, orient="row")
    parts = [
        some.with_columns(p_holm=pl.Series(holm(some["p"].to_numpy()), dtype=pl.Float64))
        for some in table.partition_by("question", maintain_order=True)
    ]
    whole = pl.concat(parts) if parts else table
    return whole.with_columns(pl.col("p_holm").fill_nan(None))
