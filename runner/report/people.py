"""How far models agree with people who rated the same items: `action=import kind=ratings`.

A cell is what the ratings name: of factors that they do not name, and over temperatures, a model's
values are taken together. In a cell stand the mean, or the most frequent answer, of the people and of
each model; a cell that one of both has no value in counts in nothing, and is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from runner.core.definition import kind_of, options_in
from runner.core.intervals import mean_half_width
from runner.core.model import ITEM, ItemKind
from runner.report import intervals, numbers, raters
from runner.report.data import Data
from runner.report.intervals import Numbers
from runner.report.raters import Found
from runner.tables.import_ratings import FOLDER, RATER, ROW, TABLE, VALUE
from runner.tables.runs import check_intact

PEOPLE = "\0people"
"""Stands for all people, beside the names of runs."""
ALL = "_all"
"""The only cell of ratings that name no factor."""
_LEAST = 3
"""Cells below which nothing correlates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What people answered to the items of one experiment."""

    block: str
    place: tuple[str, ...]
    """The columns that make a cell."""
    rows: pl.DataFrame
    """question, block, run (the rater), the columns that make a cell, value: as readings have them."""
    unplaced: int
    """Ratings of items, options or levels that the runs of the report do not have."""


def rated(data: Data) -> list[Rated]:
    """Return the ratings of the report's experiments that have some.

    Raises:
        ConfigError: their file is damaged.
    """
    found = []
    for block, run in {run.block: run for run in reversed(data.runs)}.items():
        folder = run.stored.folder.parent / FOLDER
        if (folder / "manifest.json").exists():
            check_intact(folder / TABLE, "import the ratings again")
            rows = pl.read_parquet(folder / TABLE)
            found.append(_placed(data, block, run.stored.experiment, rows))
    return found[::-1]


def _placed(data: Data, block: str, experiment: str, rows: pl.DataFrame) -> Rated:
    """Return ratings with the report's names of questions and levels."""
    factors = [name for name in rows.columns if name not in (RATER, ITEM, VALUE, ROW)]
    named = [
        pl.col(factor).replace_strict(
            {
                id_: name
                for (of, id_), name in data.levels.get(factor, {}).items()
                if of == experiment
            },
            default=None,
            return_dtype=pl.String,
        )
        for factor in factors
    ]
    values: dict[tuple[str, str], pl.Expr] = {}
    for run in data.runs:
        for key, row in run.stored.definition["questions"].items() if run.block == block else ():
            if (kind := kind_of(row)) in (ItemKind.NUMBER, ItemKind.CHOICE):
                ids = {id_: float(place) for place, id_ in enumerate(options_in(row), 1)}
                value = pl.col(VALUE).cast(pl.Float64, strict=False)
                if kind is ItemKind.CHOICE:
                    value = pl.col(VALUE).replace_strict(ids, default=None, return_dtype=pl.Float64)
                values[key, data.name_of(key, row)] = value
    place = tuple(factors) or (ALL,)
    parts = [
        rows.filter(pl.col(ITEM) == key).select(
            pl.lit(name).alias("question"),
            pl.lit(block).alias("block"),
            pl.col(RATER).alias("run"),
            *(named or [pl.lit("").alias(ALL)]),
            value.alias("value"),
            _written=pl.col(VALUE),
        )
        for (key, name), value in values.items()
    ]
    known = {key for key, _ in values}
    whole = pl.concat(parts)
    is_placed = pl.all_horizontal(pl.col(place).is_not_null())
    is_placed &= pl.col("value").is_not_null() | pl.col("_written").is_null()
    there = whole.filter(is_placed)
    return Rated(
        block=block,
        place=place,
        rows=there.drop("_written"),
        unplaced=whole.height - there.height + rows.filter(~pl.col(ITEM).is_in(known)).height,
    )


Options = Mapping[str, Sequence[str]]
"""Of each question the ids of its options."""


def agreement(
    data: Data, of: Rated, options: Options | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return how far each run agrees with the people, a row a statistic; and who said what.

    Args:
        data: the numbers, or the choices, of a report.
        of: what people answered.
        options: of choices; None: the values are numbers.

    Returns:
        run, question, statistic, cells (that both have a value in), cells_people, cells_model, value,
        low, high, defined; and of choices run, question, given_model, given_people, cells.
    """
    rows: list[tuple[Any, ...]] = []
    pairs: list[tuple[Any, ...]] = []
    for question, run, model, people in _compared(data, of, is_choice=options is not None):
        both = np.isfinite(model) & np.isfinite(people)
        one, two = model[both], people[both]
        counts = int(np.isfinite(people).sum()), int(np.isfinite(model).sum())
        if options is None:
            found = _of_numbers(one, two)
        else:
            ids = options[question]
            table = raters.crossed(one, two, len(ids))
            found = _of_choices(one, two, table, is_scale=raters.ordered(ids))
            pairs += [
                (run, question, ids[here], ids[there], int(table[here, there]))
                for here, there in np.argwhere(table)
            ]
        for name, it in found.items():
            rows.append(
                (run, question, name, it.cells, *counts, it.value, it.low, it.high, it.defined)
            )
    texts, whole = dict.fromkeys(("run", "question", "statistic"), pl.String), pl.Int64
    schema: dict[str, Any] = {**texts, "cells": whole, "cells_people": whole, "cells_model": whole}
    schema |= {**dict.fromkeys(("value", "low", "high"), pl.Float64), "defined": pl.String}
    named = dict.fromkeys(("run", "question", "given_model", "given_people"), pl.String)
    return (
        pl.DataFrame(rows, schema=schema, orient="row"),
        pl.DataFrame(pairs, schema={**named, "cells": whole}, orient="row"),
    )


def _compared(
    data: Data, of: Rated, *, is_choice: bool
) -> Iterator[tuple[str, str, Numbers, Numbers]]:
    """Yield question, run, and cell by cell what the run has and what the people have."""
    questions = [question.name for question in data.questions]
    people = of.rows.filter(pl.col("question").is_in(questions)).with_columns(run=pl.lit(PEOPLE))
    asked = people["question"].unique().to_list()
    own = data.readings.filter(
        pl.col("block").cast(pl.String) == of.block, pl.col("question").cast(pl.String).is_in(asked)
    )
    if ALL in of.place:
        own = own.with_columns(pl.lit("").alias(ALL))
    names = ("question", "block", "run", *of.place)
    models = own.select(*(pl.col(name).cast(pl.String) for name in names), "value")
    both = pl.concat([models, people.select(models.columns)])
    for (question, _), runs, ratings in raters.tables(both, of.place, is_choice=is_choice):
        if PEOPLE in runs:
            at = runs.index(PEOPLE)
            for place, run in enumerate(runs):
                if place != at:
                    yield str(question), run, ratings[:, place], ratings[:, at]


def between(of: Rated, questions: Options, *, is_choice: bool) -> pl.DataFrame:
    """Return how far the people agree among themselves, as `raters.agreement` has it."""
    some = of.rows.filter(pl.col("question").is_in(list(questions)))
    options = {name: len(ids) for name, ids in questions.items()} if is_choice else None
    return raters.agreement(some, of.place, options)


def _constant(one: Numbers, two: Numbers, least: int) -> str:
    """Return why nothing can be said of how two go together; empty where something can."""
    if len(one) < least:
        return "few_cells"
    if np.ptp(one) == 0:
        return "constant_model"
    return "constant_people" if np.ptp(two) == 0 else ""


def _of_numbers(one: Numbers, two: Numbers) -> dict[str, Found]:
    n, matrix = len(one), np.column_stack([one, two])
    if why := _constant(one, two, _LEAST):
        found = dict.fromkeys(("pearson", "spearman"), Found(n, defined=why))
    else:
        x, y = one - one.mean(), two - two.mean()
        sums = np.column_stack([np.ones(n), x, y, x * x, y * y, x * y])
        low, high = intervals.of_correlation(sums, numbers.pearson)
        r = float(np.corrcoef(one, two)[0, 1])
        found = {"pearson": Found(n, r, low, high)}
        found["spearman"] = Found(n, raters.spearman(one, two)[1])
    found["icc_2_1"] = raters.icc(matrix)["icc_2_1"]
    found["alpha_interval"] = raters.alpha(matrix, "interval")
    if not n:
        return found | dict.fromkeys(("mae", "bias"), Found(0, defined="few_cells"))
    apart = one - two
    found["mae"] = Found(n, float(np.abs(apart).mean()))
    mean = float(apart.mean())
    half = mean_half_width(float(apart.std(ddof=1)), n) if n > 1 else 0.0
    found["bias"] = Found(n, mean, mean - half, mean + half) if half else Found(n, mean)
    return found


def _of_choices(one: Numbers, two: Numbers, table: Numbers, *, is_scale: bool) -> dict[str, Found]:
    n, same = len(one), int(np.trace(table))
    low, high = intervals.exact(same, n) if n else (0.0, 0.0)
    found = {
        "same": Found(n, 100 * same / n, 100 * low, 100 * high)
        if n
        else Found(0, defined="few_cells")
    }
    why = _constant(one, two, raters.LEAST)
    kappas = {"kappa": 0, **({"kappa_linear": 1, "kappa_quadratic": 2} if is_scale else {})}
    for name, power in kappas.items():
        found[name] = (
            Found(n, defined=why) if why else Found(n, raters.weighted_kappa(table, power))
        )
    found["alpha_nominal"] = raters.alpha(np.column_stack([one, two]), "nominal")
    return found
