"""The scores: means and their intervals, how they are distributed, and means by two factors."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runner.report import numbers
from runner.report.data import ReportedQuestion
from runner.report.figures.labels import rounded, row_name, short, wrapped
from runner.report.figures.marks import ceiling, empty, forest, inside, ticks
from runner.report.figures.sheet import (
    QUESTIONS_A_FIGURE,
    Drawn,
    Grid,
    Heading,
    Rows,
    Sheet,
    chunks,
    fitting,
)
from runner.report.figures.style import COLOURS, GREY

BINS = 20
HISTOGRAMS_A_FIGURE = 8
LEVELS_ACROSS = 12


def scores(sheet: Sheet, table: pl.DataFrame, factor: str) -> Iterator[Drawn]:
    """Draw means and their intervals by one factor."""
    by = [factor] if table["block"].n_unique() < 2 or factor == "run" else [factor, "block"]
    labels = table.select(by).unique().sort(by, nulls_last=True)
    rows = [row_name(row, sheet.words) for row in labels.iter_rows()]
    named = [row_name(row, sheet.words) for row in table.select(by).iter_rows()]
    keyed = table.with_columns(pl.Series("_row", named))

    def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        part = keyed.filter(pl.col("question") == question.name)
        forest(axes, shown, part, ("mean", "low", "high"))
        axes.set_xlim(question.minimum, question.maximum)
        axes.set_xticks(ticks(question))

    fixed = {"run": "scores_model", "temperature": "scores_temperature"}
    own = "" if factor in fixed else factor
    heading = Heading(fixed.get(factor, f"scores_{factor}"), "k.scores", own)
    asked = table["question"].unique()
    yield from sheet.panels(heading, rows, panel, sheet.words("x.score"), asked=asked)


def distribution(sheet: Sheet, readings: pl.DataFrame) -> Iterator[Drawn]:
    """Draw a histogram for each run and question."""
    counts = {
        q.name: numbers.histogram(
            readings.filter(pl.col("question") == q.name), q.minimum, q.maximum, BINS
        )
        for q in sheet.questions
    }
    means = {
        (run, question): (n, mean) for run, question, n, mean in numbers.means(readings).iter_rows()
    }
    tops = [
        100 * top / n
        for question, table in counts.items()
        for run, top in table.group_by("run").agg(pl.col("n").max()).iter_rows()
        if (n := means[run, question][0])
    ]
    highest = ceiling(max(tops, default=0))

    def draw(figure: Figure, rows: Rows, asked: Sequence[ReportedQuestion]) -> None:
        grid = figure.subplots(len(rows), len(asked), squeeze=False, sharey=True)
        for across, question in enumerate(asked):
            for down, run in enumerate(rows):
                axes: Axes = grid[down][across]
                n, mean = means.get((run, question.name), (0, None))
                bins = counts[question.name].filter(pl.col("run") == run)
                _histogram(axes, question, bins, n, mean)
                axes.set_ylim(0, highest)
                axes.tick_params(labelbottom=down == len(rows) - 1)
                if down == 0:
                    axes.set_title(short(question.name, 24))
                if across == 0:
                    side: dict[str, Any] = {"rotation": 0, "ha": "right", "va": "center"}
                    axes.set_ylabel(wrapped(run, 16, 3), fontsize=8.5, **side)
        figure.supylabel(sheet.words("x.share_values"), fontsize=9)
        figure.supxlabel(sheet.words("x.score"), fontsize=9)

    parts = [
        (rows, asked)
        for rows in chunks(sheet.runs, HISTOGRAMS_A_FIGURE)
        for asked in chunks(sheet.questions, min(QUESTIONS_A_FIGURE, fitting(2.2, 1.4, sheet.room)))
    ]
    heading = Heading("distribution", "k.distribution")
    for part, (rows, asked) in enumerate(parts, 1):
        size = (2.2 + 2.2 * len(asked), 1.3 + 0.95 * len(rows))
        drawing = partial(draw, rows=rows, asked=asked)
        yield sheet.drawn(heading, size, (part, len(parts)), drawing)


def _histogram(
    axes: Axes, question: ReportedQuestion, bins: pl.DataFrame, n: int, mean: float | None
) -> None:
    """Draw the share of a run's values in each bin, and their mean."""
    width = (question.maximum - question.minimum) / BINS
    axes.bar(
        [question.minimum + place * width for place in bins["bin"]],
        [100 * count / n for count in bins["n"]],
        width=width,
        align="edge",
        color="#6BAED6",
        edgecolor="white",
        linewidth=0.4,
        in_layout=False,
    )
    if mean is not None:
        axes.axvline(mean, color=COLOURS[5], linewidth=1.2)
    corner: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "va": "top"}
    axes.text(0.98, 0.94, f"n={n:,}", fontsize=7.5, color=GREY, in_layout=False, **corner)
    axes.set_xlim(question.minimum, question.maximum)
    axes.set_xticks(ticks(question))


def heat(sheet: Sheet, table: pl.DataFrame, factor: str) -> Iterator[Drawn]:
    """Draw the means of each run at each level of a factor, a panel for each question.

    The runs stand one above the other; where there are many levels, they do.
    """
    down, across = "run", factor
    if table[factor].n_unique() > LEVELS_ACROSS:
        down, across = across, down
    below, beside = ([str(x) for x in table[name].unique().sort()] for name in (down, across))
    cells = {
        (row["question"], row[down], row[across]): (row["mean"], row["n"])
        for row in table.iter_rows(named=True)
    }

    def panel(axes: Axes, rows: Rows, question: ReportedQuestion) -> None:
        found = [
            [cells.get((question.name, row, column), (None, None)) for column in beside]
            for row in rows
        ]
        _fields(axes, question, found)
        axes.set_xlim(-0.5, len(beside) - 0.5)
        axes.set_xticks(range(len(beside)), [wrapped(x, 12, 3) for x in beside], fontsize=8)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    grid = Grid(row_height=0.46, panel_width=max(2.6, 0.85 * len(beside) + 0.6), gap=1.1)
    own = factor if factor != "temperature" else ""
    heading = Heading(f"{factor}_model", "k.heat", own)
    asked = table["question"].unique()
    yield from sheet.panels(heading, below, panel, "", asked=asked, grid=grid)


def _fields(
    axes: Axes,
    question: ReportedQuestion,
    cells: Sequence[Sequence[tuple[float | None, int | None]]],
) -> None:
    """Draw a field for each mean, its n below it, and the scale beside."""
    map_ = mpl.colormaps["viridis"]
    low, high = question.minimum, question.maximum
    axes.pcolormesh(
        [place - 0.5 for place in range(len(cells[0]) + 1)],
        [place - 0.5 for place in range(len(cells) + 1)],
        [[float("nan") if mean is None else mean for mean, _ in row] for row in cells],
        cmap=map_,
        vmin=low,
        vmax=high,
        edgecolors="white",
        linewidth=1,
    )
    for down, row in enumerate(cells):
        for across, (mean, n) in enumerate(row):
            if mean is None:
                empty(axes, across, down, "" if n is None else "n=0")
                continue
            ink = "white" if mean < low + 0.6 * (high - low) else "black"
            inside(axes, across, down - 0.1, rounded(mean), color=ink, fontsize=9)
            inside(axes, across, down + 0.28, f"n={n:,}", color=ink, fontsize=6.5)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), map_)
    look: dict[str, Any] = {"shrink": 0.9, "aspect": 24, "pad": 0.02, "ticks": ticks(question)}
    axes.figure.colorbar(scale, ax=axes, **look).ax.tick_params(labelsize=7)
