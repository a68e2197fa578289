"""Differences between levels of a factor, in the cells that both were asked in."""

from collections.abc import Iterator

import polars as pl
from matplotlib.axes import Axes

from runner.report.data import ReportedQuestion
from runner.report.figures.marks import ceiling, forest
from runner.report.figures.sheet import Drawn, Heading, Rows, Sheet
from runner.report.figures.style import GREY

_DRAWN = ("difference", "low", "high")


def contrasts(sheet: Sheet, table: pl.DataFrame, heading: Heading) -> Iterator[Drawn]:
    """Draw the differences and their intervals, a row a pair; questions of one scale have one axis.

    Args:
        sheet: what it is drawn on.
        table: of one factor.
        heading: what it is called.
    """
    label = pl.format("{} − {}", "level", "other_level")
    if "block" in table.columns and table["block"].n_unique() > 1:
        label = pl.format("{} – {}", label, pl.col("block").cast(pl.String))
    named = table.with_columns(label.alias("_row"), pl.col("differences").alias("n"))
    width = {question.name: question.maximum - question.minimum for question in sheet.questions}
    reach: dict[float, float] = {}
    most = named.select("question", pl.max_horizontal(pl.col(_DRAWN).abs()))
    for name, far in most.iter_rows():
        reach[width[name]] = max(reach.get(width[name], 0), far or 0)

    def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        axes.axvline(0, color=GREY, linewidth=0.8)
        forest(axes, shown, named.filter(pl.col("question") == question.name), _DRAWN)
        end = ceiling(reach.get(width[question.name], 0))
        axes.set_xlim(-end, end)

    rows = list(dict.fromkeys(named["_row"]))
    asked = named["question"].unique()
    yield from sheet.panels(heading, rows, panel, sheet.words("x.difference"), asked=asked)
