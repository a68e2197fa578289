"""The shares of the options, with their intervals."""

from collections.abc import Iterator
from typing import Any

import polars as pl
from matplotlib.axes import Axes

from runner.report.data import ReportedQuestion
from runner.report.figures.labels import row_name
from runner.report.figures.marks import aside, look_of
from runner.report.figures.sheet import Drawn, Grid, Heading, Rows, Sheet
from runner.report.figures.style import MARKERS

MANY_OPTIONS = 12
"""Choices of more options are not drawn."""
DOTS_A_FIGURE = 72
"""Dots one above the other."""
ROOM = 0.7
"""The part of a row's height over which the dots of its options are spread."""

Options = tuple[tuple[str, str], ...]


def shares(sheet: Sheet, table: pl.DataFrame, factor: str, name: str) -> Iterator[Drawn]:
    """Draw the shares of the options by one factor; choices of the same options stand together.

    Args:
        sheet: what it is drawn on.
        table: a row an option, with the factor and the block.
        factor: the column of the levels.
        name: of the figure; where there are several, a number follows.
    """
    by = [factor] if table["block"].n_unique() < 2 or factor == "run" else [factor, "block"]
    labels = table.select(by).unique().sort(by, nulls_last=True)
    rows = [row_name(row, sheet.words) for row in labels.iter_rows()]
    named = [row_name(row, sheet.words) for row in table.select(by).iter_rows()]
    keyed = table.with_columns(pl.Series("_row", named, dtype=pl.String))
    groups: dict[Options, list[str]] = {}
    for question in sheet.questions:
        if len(question.options) <= MANY_OPTIONS:
            groups.setdefault(question.options, []).append(question.name)
    own = "" if factor in ("run", "temperature") else factor
    for number, (options, asked) in enumerate(groups.items(), 1):
        heading = Heading(name if len(groups) == 1 else f"{name}-{number}", "k.shares", own)
        looks = [look_of_option(place) for place in range(len(options))]

        def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
            draw_dots(axes, shown, keyed.filter(pl.col("question") == question.name))

        yield from sheet.panels(
            heading,
            rows,
            panel,
            sheet.words("x.share"),
            asked=asked,
            grid=Grid(
                row_height=0.18 + 0.12 * len(options),
                rows=max(1, DOTS_A_FIGURE // len(options)),
            ),
            markers=[(*look, shown) for look, (_, shown) in zip(looks, options, strict=True)],
        )


def look_of_option(place: int) -> tuple[str, str]:
    """Return the colour and the marker of an option; no two of the options drawn are alike."""
    colour, _ = look_of(place)
    return colour, MARKERS[(place + place // len(MARKERS)) % len(MARKERS)]


def draw_dots(axes: Axes, rows: Rows, table: pl.DataFrame) -> None:
    """Draw a dot and a line for the share of each option, one below the other in each row."""
    for (name,), options in table.group_by("_row", maintain_order=True):
        if name not in rows:
            continue
        row = rows.index(str(name))
        first = options.row(0, named=True)
        aside(axes, row, f"n={first['n']:,}/{first['total']:,}")
        for place, option in enumerate(options.iter_rows(named=True)):
            if option["percent"] is None:
                continue
            colour, marker = look_of_option(place)
            height = row + ROOM * ((place + 0.5) / options.height - 0.5)
            ends: dict[str, Any] = {
                "color": colour,
                "linewidth": 1.6,
                "alpha": 0.55,
                "clip_on": False,
            }
            axes.hlines(height, option["low"], option["high"], **ends)
            look: dict[str, Any] = {
                "color": colour,
                "marker": marker,
                "markersize": 4.5,
                "clip_on": False,
            }
            axes.plot([option["percent"]], [height], linestyle="none", **look)
    axes.set_xlim(0, 100)
    axes.grid(visible=True, axis="x")
