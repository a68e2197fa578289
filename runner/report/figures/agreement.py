"""How far answers agree: within cells, over temperatures, and between questions."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runner.report.data import ReportedQuestion
from runner.report.figures.labels import wrapped
from runner.report.figures.marks import ceiling, empty, field, forest, inside, look_of
from runner.report.figures.sheet import Drawn, Grid, Heading, Rows, Sheet, fitting
from runner.report.figures.style import COLOURS, DARK, GREY, LIGHT_GREY
from runner.report.precision import TRIALS, half_widths

MATRICES_A_FIGURE = 6


def agreement(sheet: Sheet, table: pl.DataFrame) -> Iterator[Drawn]:
    """Draw the sd within cells, and ICC(1)."""
    keyed = table.with_columns(_row=pl.col("run").cast(pl.String))
    most = max((sd for sd in table["within_sd"] if sd is not None), default=0)
    least = min((low for low in table["icc_low"] if low is not None), default=0)

    def spread(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        part = keyed.filter(pl.col("question") == question.name)
        forest(axes, shown, part, ("within_sd", None, None))
        axes.set_xlim(0, ceiling(most))

    def icc(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        part = keyed.filter(pl.col("question") == question.name)
        forest(axes, shown, part, ("icc", "icc_low", "icc_high"))
        axes.set_xlim(min(0, -ceiling(-least * 100) / 100) if least < 0 else 0, 1.02)
        axes.axvline(0, color=GREY, linewidth=0.8)

    words = sheet.words
    heading = Heading("within_sd", "k.within_sd")
    yield from sheet.panels(heading, sheet.runs, spread, words("x.sd"))
    yield from sheet.panels(Heading("icc", "k.icc"), sheet.runs, icc, words("x.icc"))


def correlation(sheet: Sheet, table: pl.DataFrame) -> Iterator[Drawn]:
    """Draw the matrix of correlations of each run."""
    names = [q.name for q in sheet.questions]
    map_ = mpl.colormaps["PuOr"]
    matrices = {run: table.filter(pl.col("run") == run) for run in sheet.runs}
    runs = [run for run, matrix in matrices.items() if matrix.height]
    parts = [runs[at : at + MATRICES_A_FIGURE] for at in range(0, len(runs), MATRICES_A_FIGURE)]

    def draw(figure: Figure, shown: Rows, down: int, across: int) -> None:
        grid = figure.subplots(down, across, squeeze=False).flatten()
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        for axes, run in zip(grid, shown, strict=False):
            _matrix(axes, matrices[run], names, map_)
            axes.set_title(wrapped(run, 30, 2), fontsize=9)
        scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(-1, 1), map_)
        look: dict[str, Any] = {"shrink": 0.7, "aspect": 30, "ticks": [-1, -0.5, 0, 0.5, 1]}
        figure.colorbar(scale, ax=list(grid), label=sheet.words("x.r_n"), **look)

    heading = Heading("correlation", "k.correlation")
    for part, shown in enumerate(parts, 1):
        side = 1.1 + 0.62 * len(names)
        across = min(3, len(shown), fitting(1.2, side, sheet.room))
        down = -(-len(shown) // across)
        size = (max(6.5, side * across + 1.2), (side + 0.1) * down + 0.5)
        drawing = partial(draw, shown=shown, down=down, across=across)
        yield sheet.drawn(heading, size, (part, len(parts)), drawing)


def _matrix(axes: Axes, table: pl.DataFrame, names: Sequence[str], map_: Any) -> None:
    """Draw the lower half of one run's matrix, n below each coefficient."""
    for row in table.iter_rows(named=True):
        one, two = names.index(row["question"]), names.index(row["other"])
        across, down = min(one, two), max(one, two)
        r = row["pearson"]
        if r is None:
            empty(axes, across, down, f"n={row['n']:,}")
            continue
        axes.add_patch(field(across, down, facecolor=map_((r + 1) / 2), edgecolor="white"))
        ink = "white" if abs(r) > 0.65 else "black"
        inside(axes, across, down - 0.08, f"{round(r, 2) + 0:.2f}", color=ink, fontsize=8.5)
        inside(axes, across, down + 0.3, f"n={row['n']:,}", color=ink, fontsize=6)
    last = len(names) - 1
    axes.set_xlim(-0.5, last - 0.5)
    axes.set_ylim(last + 0.5, 0.5)
    axes.set_xticks(range(last), [wrapped(name, 10, 2) for name in names[:-1]], fontsize=7.5)
    axes.set_yticks(range(1, last + 1), [wrapped(n, 12, 2) for n in names[1:]], fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_aspect("equal")


def temperature(
    sheet: Sheet, cells: pl.DataFrame, pooled: pl.DataFrame, label: str
) -> Iterator[Drawn]:
    """Draw the sd within cells against the temperature.

    Args:
        sheet: what it is drawn on.
        cells: the sd within each cell.
        pooled: the sd within the cells of each run, question and temperature.
        label: of the axis of temperatures; it says if they stand for something else.
    """
    several = [run for run in sheet.runs if pooled.filter(pl.col("run") == run).height]
    many = len(several) > len(COLOURS)
    looks = {run: look_of(place) for place, run in enumerate(several)}
    most = max((sd for sd in cells["sd"] if sd is not None), default=0)
    known = [t for t in cells["temperature"].unique() if t is not None]
    low, high = min(known, default=0), max(known, default=1)

    def panel(axes: Axes, _: Rows, question: ReportedQuestion) -> None:
        dots = _measured(cells, question, "sd")
        places = dots["temperature"].to_list()
        axes.scatter(places, dots["sd"].to_list(), s=12, color=LIGHT_GREY, linewidth=0)
        _pooled(axes, _measured(pooled, question, "within_sd"), looks, alike=many)
        corner: dict[str, Any] = {"transform": axes.transAxes, "va": "top"}
        axes.text(0.02, 0.97, f"n={dots['n'].sum():,}", fontsize=7.5, color=GREY, **corner)
        axes.set_ylim(0, ceiling(most))
        axes.set_xlim(low - 0.08, high + 0.08)
        axes.grid(visible=True)
        axes.set_ylabel(sheet.words("x.sd"))

    yield from sheet.panels(
        Heading("temperature", "k.temperature"),
        [""],
        panel,
        label,
        asked=pooled.filter(pl.col("temperature").is_not_null())["question"].unique(),
        grid=Grid(row_height=2.2, panel_width=4.0, rows_named=False),
        markers=[] if many else [(*look, run) for run, look in looks.items()],
    )


def _measured(table: pl.DataFrame, question: ReportedQuestion, column: str) -> pl.DataFrame:
    """Return the rows of a question that have a temperature and a number."""
    return table.filter(
        pl.col("question") == question.name,
        pl.col(column).is_not_null() & pl.col("temperature").is_not_null(),
    )


def _pooled(
    axes: Axes, table: pl.DataFrame, looks: Mapping[str, tuple[str, str]], *, alike: bool
) -> None:
    """Draw a run's dots in its own look, or all alike where there are too many to tell apart."""
    for run, (colour, marker) in looks.items():
        line = table.filter(pl.col("run") == run)
        axes.plot(
            line["temperature"].to_list(),
            line["within_sd"].to_list(),
            linestyle="none",
            marker="o" if alike else marker,
            markersize=4.5,
            markeredgecolor=DARK,
            markeredgewidth=0.4,
            color=COLOURS[0] if alike else colour,
            alpha=0.6 if alike else 0.9,
        )


def precision(sheet: Sheet, table: pl.DataFrame) -> Iterator[Drawn]:
    """Draw the half-width of each run's mean against the trials a cell, and where the run is."""
    many = len(sheet.runs) > len(COLOURS)
    looks = {run: look_of(place) for place, run in enumerate(sheet.runs)}
    most = float(table.select(pl.col("half_1").max()).item() or 0)
    trials = np.geomspace(TRIALS[0], TRIALS[-1], 40)

    def panel(axes: Axes, _: Rows, question: ReportedQuestion) -> None:
        for row in table.filter(pl.col("question") == question.name).iter_rows(named=True):
            sizes = [np.array([float(row[name])]) for name in ("cells", "between_sd", "within_sd")]
            variances = sizes[0], sizes[1] ** 2, sizes[2] ** 2
            colour, marker = looks[row["run"]]
            colour = COLOURS[0] if many else colour
            halves = [half_widths(*variances, n)[0] for n in trials]
            axes.plot(trials, halves, color=colour, linewidth=1, alpha=0.7)
            here = half_widths(*variances, row["trials"])
            axes.plot([row["trials"]], here, color=colour, marker="o" if many else marker)
        axes.set_xscale("log")
        axes.set_xticks(TRIALS, [str(n) for n in TRIALS])
        axes.minorticks_off()
        axes.set_ylim(0, ceiling(most))
        axes.grid(visible=True)
        axes.set_ylabel(sheet.words("x.half_width"))

    yield from sheet.panels(
        Heading("precision", "k.precision"),
        [""],
        panel,
        sheet.words("x.trials"),
        asked=table["question"].unique(),
        grid=Grid(row_height=2.2, panel_width=4.0, rows_named=False),
        markers=[] if many else [(*look, run) for run, look in looks.items()],
    )
