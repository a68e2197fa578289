"""Differences between levels of a factor, in the cells that both were asked in."""

from collections.abc import Iterator

import polars as pl
from matplotlib.axes import Axes

from runner.report.data import ReportedQuestion
from runner.report.figures.choices import by_option, draw_dots, with_commas
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
    named = table.with_columns(_pair(table), pl.col("differences").alias("n"))
    width = {question.name: question.maximum - question.minimum for question in sheet.questions}
    reach: dict[float, float] = {}
    for name, far in _reaches(table):
        reach[width[name]] = max(reach.get(width[name], 0), far)

    def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        forest(axes, shown, named.filter(pl.col("question") == question.name), _DRAWN)
        _around_zero(axes, reach.get(width[question.name], 0))

    rows = list(dict.fromkeys(named["_row"]))
    asked = named["question"].unique()
    yield from sheet.panels(heading, rows, panel, sheet.words("x.difference"), asked=asked)


def choice_contrasts(sheet: Sheet, table: pl.DataFrame, heading: Heading) -> Iterator[Drawn]:
    """Draw the differences of the shares and their intervals, a row a pair and a dot an option.

    Args:
        sheet: what it is drawn on.
        table: of one factor.
        heading: what it is called.
    """
    noted = pl.format("n={}", with_commas("differences")).alias("_n")
    named = table.with_columns(_pair(table), noted)
    reach = max((far for _, far in _reaches(table)), default=0)

    def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        draw_dots(axes, shown, named.filter(pl.col("question") == question.name), "difference")
        _around_zero(axes, reach)

    rows = list(dict.fromkeys(named["_row"]))
    yield from by_option(sheet, heading, rows, panel, sheet.words("x.share_difference"))


def _pair(table: pl.DataFrame) -> pl.Expr:
    label = pl.format("{} − {}", "level", "other_level")
    if "block" in table.columns and table["block"].n_unique() > 1:
        label = pl.format("{} – {}", label, pl.col("block").cast(pl.String))
    return label.alias("_row")


def _reaches(table: pl.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield how far from 0 each difference and its interval go, with the question."""
    for name, far in table.select("question", pl.max_horizontal(pl.col(_DRAWN).abs())).iter_rows():
        yield name, far or 0


def _around_zero(axes: Axes, reach: float) -> None:
    axes.axvline(0, color=GREY, linewidth=0.8)
    end = ceiling(reach)
    axes.set_xlim(-end, end)
