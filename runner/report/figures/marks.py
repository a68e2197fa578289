"""What several figures draw: named rows, notes, fields, dots with intervals, axes' ends, legends."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runner.report.data import ReportedQuestion
from runner.report.figures.labels import short, width_of, wrapped
from runner.report.figures.style import ALARM, COLOURS, DARK, GREY, MARKERS

LEGEND_WIDTH = 64
"""The most half-width characters of an entry."""

Entry = tuple[str, str, str]
"""Of a legend: colour, hatch or marker, and name."""


def name_rows(axes: Axes, rows: Sequence[str]) -> None:
    """Label the rows at the left, the first at the top."""
    axes.set_yticks(range(len(rows)), [wrapped(row, 28, 2) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def aside(axes: Axes, place: float, text: str) -> None:
    """Write a small note at the right end of a row."""
    transform = axes.get_yaxis_transform()
    axes.text(1.01, place, text, transform=transform, va="center", fontsize=7, color=GREY)


def stacked(axes: Axes, place: float, left: float, share: float, **look: Any) -> None:
    """Draw one part of a row's bar, in per cent of the row."""
    axes.barh(place, share, left=left, height=0.62, **look)


def bar(axes: Axes, place: float, number: float | None, text: str, **look: Any) -> None:
    """Draw a bar with its number; what is not known has no bar."""
    if number is not None:
        axes.barh(place, number, linewidth=0, **look)
    ink = ALARM if number is None else GREY
    axes.text(number or 0, place, f" {text}", va="center", fontsize=7.5, color=ink)


def inside(axes: Axes, across: float, down: float, text: str, **look: Any) -> None:
    """Write into a field; it takes no room of its own, which spares most of the layout's work."""
    axes.text(across, down, text, ha="center", va="center", in_layout=False, **look)


def empty(axes: Axes, across: float, down: float, note: str) -> None:
    """Hatch a field that has no number."""
    axes.add_patch(field(across, down, facecolor="white", edgecolor="#CCCCCC", hatch="////"))
    if note:
        box = {"facecolor": "white", "linewidth": 0, "pad": 1}
        inside(axes, across, down, note, fontsize=7, color=GREY, bbox=box)


def field(across: float, down: float, **look: Any) -> Any:
    """Return a square of one unit around a place."""
    from matplotlib.patches import Rectangle

    return Rectangle((across - 0.5, down - 0.5), 1, 1, in_layout=False, **look)


def forest(
    axes: Axes,
    rows: Sequence[str],
    table: pl.DataFrame,
    columns: tuple[str, str | None, str | None],
) -> None:
    """Draw a dot, and a line for its interval, in each row.

    Args:
        axes: where to.
        rows: from the top.
        table: with the row in `_row`, and `n`.
        columns: the middle, and the interval's ends.
    """
    middle, low, high = columns
    shown = [
        (rows.index(row["_row"]), row) for row in table.iter_rows(named=True) if row["_row"] in rows
    ]
    for place, row in shown:
        aside(axes, place, f"n={row['n']:,}")
    dots = [(place, row) for place, row in shown if row[middle] is not None]
    if low and high:
        lines = [(place, row[low], row[high]) for place, row in dots if row[low] is not None]
        if lines:
            look: dict[str, Any] = {"color": COLOURS[0], "linewidth": 1.8, "alpha": 0.55}
            axes.hlines(*zip(*lines, strict=True), **look, clip_on=False)
    if dots:  # nothing, drawn unclipped, would have no end
        xs, ys = [row[middle] for _, row in dots], [place for place, _ in dots]
        axes.plot(xs, ys, "o", color=COLOURS[0], markersize=4.5, clip_on=False)
    axes.grid(visible=True, axis="x")


def legend(figure: Figure, entries: Sequence[Entry], *, markers: bool = False) -> None:
    """Draw a legend below the axes."""
    if not entries:
        return
    handles = [_marker(entry) if markers else _patch(entry) for entry in entries]
    columns = legend_columns([name for *_, name in entries], figure.get_figwidth())
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _patch(entry: Entry) -> Any:
    from matplotlib.patches import Patch

    colour, hatch, name = entry
    return Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=short(name, LEGEND_WIDTH))


def _marker(entry: Entry) -> Any:
    from matplotlib.lines import Line2D

    colour, marker, name = entry
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        linestyle="none",
        markeredgecolor=DARK,
        markeredgewidth=0.4,
        label=short(name, LEGEND_WIDTH),
    )


def legend_columns(names: Sequence[str], width: float) -> int:
    """Return how many of some names stand side by side in a figure of a width in inches."""
    widest = max((width_of(short(name, LEGEND_WIDTH)) for name in names), default=0)
    return max(1, min(len(names), int(width / (0.07 * widest + 0.7))))


def look_of(place: int) -> tuple[str, str]:
    """Return the colour and the marker of one run of several."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def ticks(question: ReportedQuestion) -> list[float]:
    """Return the ends of a question's scale, and its quarters."""
    low, high = question.minimum, question.maximum
    return [low + (high - low) * quarter / 4 for quarter in range(5)]


def ceiling(number: float) -> float:
    """Return a round number that is not below, to end an axis at."""
    if number <= 0:
        return 1.0
    unit = 10.0 ** (len(str(int(number))) - 1) if number >= 1 else 0.1
    while unit > number:
        unit /= 10
    return next(
        step * unit for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * unit >= number
    )
