"""Scores of scales and attention checks in a report: means by run, and rows that missed a check."""

from collections.abc import Sequence

import polars as pl

from runner.core.definition import asks_each
from runner.core.model import ITEM
from runner.report.data import ReportedRun, rows_of
from runner.tables.scales import MISSED, columns_of, items_of


def scale_scores(runs: Sequence[ReportedRun]) -> pl.DataFrame:
    """Return run, scale, n, missing, mean and sd; a score is missing where one of its items is."""
    rows = []
    for run in runs:
        for column in _columns(run):
            if column == MISSED:
                continue
            scores = rows_of(run).select(column).collect().to_series()
            known = scores.drop_nulls()
            counted = (len(known), scores.null_count(), known.mean(), known.std())
            rows.append((run.name, column.removeprefix("scale_"), *counted))
    schema = {"run": pl.String, "scale": pl.String, "n": pl.Int64, "missing": pl.Int64}
    return pl.DataFrame(rows, {**schema, "mean": pl.Float64, "sd": pl.Float64}, orient="row")


def checks(runs: Sequence[ReportedRun]) -> pl.DataFrame:
    """Return run, met, missed and unread: how many rows have all their checks as expected, or not."""
    rows = []
    for run in runs:
        if MISSED in _columns(run):
            missed = _checked(run).select(MISSED).collect().to_series()
            unread, wrong = missed.null_count(), int((missed > 0).sum())
            rows.append((run.name, len(missed) - wrong - unread, wrong, unread))
    schema = {"run": pl.String, "met": pl.Int64, "missed": pl.Int64, "unread": pl.Int64}
    return pl.DataFrame(rows, schema, orient="row")


def _checked(run: ReportedRun) -> pl.LazyFrame:
    """Return the rows that were asked a check."""
    definition = run.stored.definition
    if not asks_each(definition):
        return rows_of(run)
    return rows_of(run).filter(pl.col(ITEM).is_in(items_of(definition["analysis"], MISSED)))


def _columns(run: ReportedRun) -> list[str]:
    """Return the columns of scores that a run's table has; one of an older definition may lack some."""
    there = rows_of(run).collect_schema().names()
    return [column for column in columns_of(run.stored.definition) if column in there]
