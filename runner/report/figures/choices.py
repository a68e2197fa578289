"""The shares of the options, with their intervals."""

from collections.abc import Callable, Iterator
from dataclasses import replace
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
    """Draw the shares of the options by one factor.

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
    keyed = table.with_columns(
        pl.Series("_row", named, dtype=pl.String),
        pl.format("n={}/{}", with_commas("n"), with_commas("total")).alias("_n"),
    )

    def panel(axes: Axes, shown: Rows, question: ReportedQuestion) -> None:
        draw_dots(axes, shown, keyed.filter(pl.col("question") == question.name), "percent")
        axes.set_xlim(0, 100)

    own = "" if factor in ("run", "temperature") else factor
    heading = Heading(name, "k.shares", own)
    yield from by_option(sheet, heading, rows, panel, sheet.words("x.share"))


def by_option(
    sheet: Sheet,
    heading: Heading,
    rows: Rows,
    panel: Callable[[Axes, Rows, ReportedQuestion], None],
    label: str,
) -> Iterator[Drawn]:
    """Draw a dot an option in each row; choices of the same options stand together.

    Args:
        sheet: what it is drawn on.
        heading: what it is called; where there are several figures, a number follows its name.
        rows: from the top.
        panel: draws some rows of one question.
        label: of the axis across.
    """
    groups: dict[Options, list[str]] = {}
    for question in sheet.questions:
        if len(question.options) <= MANY_OPTIONS:
            groups.setdefault(question.options, []).append(question.name)
    for number, (options, asked) in enumerate(groups.items(), 1):
        name = heading.name if len(groups) == 1 else f"{heading.name}-{number}"
        looks = [look_of_option(place) for place in range(len(options))]
        yield from sheet.panels(
            replace(heading, name=name),
            rows,
            panel,
            label,
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


def with_commas(column: str) -> pl.Expr:
    """Return a column of counts as text, 1234 as 1,234."""
    return pl.col(column).map_elements("{:,}".format, return_dtype=pl.String)


def draw_dots(axes: Axes, rows: Rows, table: pl.DataFrame, middle: str) -> None:
    """Draw a dot and a line for each option, one below the other in each row.

    Args:
        axes: where to.
        rows: from the top.
        table: a row an option, with the row in `_row`, what stands at its right in `_n`, and the
            interval in `low` and `high`.
        middle: the column of the dot.
    """
    for (name,), options in table.group_by("_row", maintain_order=True):
        if name not in rows:
            continue
        row = rows.index(str(name))
        aside(axes, row, options["_n"].item(0))
        for place, option in enumerate(options.iter_rows(named=True)):
            if option[middle] is None:
                continue
            colour, marker = look_of_option(place)
            height = row + ROOM * ((place + 0.5) / options.height - 0.5)
            if option["low"] is not None:
                ends: dict[str, Any] = {"color": colour, "linewidth": 1.6, "alpha": 0.55}
                axes.hlines(height, option["low"], option["high"], **ends, clip_on=False)
            look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4.5}
            axes.plot([option[middle]], [height], linestyle="none", **look, clip_on=False)
    axes.grid(visible=True, axis="x")
