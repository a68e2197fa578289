"""What is answered where an option, or an item, is shown first."""

from collections.abc import Iterator

import polars as pl
from matplotlib.axes import Axes

from runner.report.data import ReportedQuestion
from runner.report.figures.marks import ceiling, forest
from runner.report.figures.sheet import Drawn, Heading, Rows, Sheet
from runner.report.figures.style import GREY


def options(sheet: Sheet, table: pl.DataFrame) -> Iterator[Drawn]:
    """Draw the share of the option shown first, with its interval, a row a run."""
    first = table.filter(pl.col("place") == 1).rename({"run": "_row"})

    def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        part = first.filter(pl.col("question") == question.name)
        axes.axvline(part["chance"].item(0), color=GREY, linewidth=0.8)
        forest(axes, shown, part, ("percent", "low", "high"))
        axes.set_xlim(0, 100)

    rows, asked = list(dict.fromkeys(first["_row"])), first["question"].unique()
    heading, label = Heading("option_first", "k.option_first"), sheet.words("x.share_first")
    yield from sheet.panels(heading, rows, panel, label, asked=asked)


def items(sheet: Sheet, table: pl.DataFrame) -> Iterator[Drawn]:
    """Draw by how much values differ where their item is shown first, a row a run."""
    first = table.filter(pl.col("place") == 1).rename({"run": "_row"})
    ends = ("difference", "low", "high")

    def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        axes.axvline(0, color=GREY, linewidth=0.8)
        part = first.filter(pl.col("question") == question.name)
        forest(axes, shown, part, ends)
        reach = ceiling(part.select(pl.max_horizontal(pl.col(ends).abs()).max()).item() or 0)
        axes.set_xlim(-reach, reach)

    rows, asked = list(dict.fromkeys(first["_row"])), first["question"].unique()
    heading, label = Heading("item_first", "k.item_first"), sheet.words("x.difference")
    yield from sheet.panels(heading, rows, panel, label, asked=asked)
