"""Where the variance of each question lies: a bar a question, divided into the components."""

from collections.abc import Callable, Iterator
from functools import partial

import polars as pl
from matplotlib.figure import Figure

from runner.report.figures.marks import aside, inside, legend, legend_columns, name_rows, stacked
from runner.report.figures.sheet import ROWS_A_FIGURE, Drawn, Heading, Sheet, chunks
from runner.report.figures.style import COLOURS, HATCHES, LIGHT_GREY
from runner.report.variance import RESIDUAL

LEAST_NAMED = 6
"""Per cent of a bar below which a part has no number in it."""
DARK_COLOURS = {COLOURS[0], COLOURS[2], COLOURS[5], COLOURS[7]}

Look = tuple[str, str]
"""Colour and hatch."""


def variance(sheet: Sheet, table: pl.DataFrame, named: Callable[[str], str]) -> Iterator[Drawn]:
    """Draw the shares of the components, stacked, a row a question.

    Args:
        sheet: what it is drawn on.
        table: question, block where there are several, component, n, percent.
        named: what a component is called.
    """
    several = "block" in table.columns
    label = pl.format("{} – {}", "question", "block") if several else pl.col("question")
    rows = table.with_columns(_row=label.cast(pl.String))
    looks = _looks(list(dict.fromkeys(table["component"])))
    entries = [(*look, named(code)) for code, look in looks.items()]
    names = [name for *_, name in entries]

    def draw(figure: Figure, shown: list[str]) -> None:
        axes = figure.subplots()
        for place, row in enumerate(shown):
            left = 0.0
            of_row = rows.filter(pl.col("_row") == row)
            for code, share in of_row.select("component", "percent").iter_rows():
                colour, hatch = looks[code]
                look = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}
                stacked(axes, place, left, share, **look)
                if share >= LEAST_NAMED:
                    box = {"facecolor": colour, "linewidth": 0, "pad": 1} if hatch else None
                    ink = "white" if colour in DARK_COLOURS else "black"
                    middle = left + share / 2
                    inside(axes, middle, place, f"{share:.0f}", color=ink, fontsize=8, bbox=box)
                left += share
            aside(axes, place, f"n={of_row['n'].item(0):,}")
        name_rows(axes, shown)
        axes.set_xlim(0, 100)
        axes.set_xlabel(sheet.words("x.share_variance"))
        legend(figure, entries)

    parts = list(chunks(list(dict.fromkeys(rows["_row"])), ROWS_A_FIGURE))
    width = sheet.room or 8.6
    for part, some in enumerate(parts, 1):
        down = -(-len(names) // legend_columns(names, width))
        size = (width, 1.1 + 0.36 * len(some) + 0.24 * down)
        drawing = partial(draw, shown=list(some))
        yield sheet.drawn(Heading("variance", "k.variance"), size, (part, len(parts)), drawing)


def _looks(codes: list[str]) -> dict[str, Look]:
    """Return a look for each component; what is left over is grey."""
    others = [code for code in codes if code != RESIDUAL]
    looks = {
        code: (COLOURS[place % 7], HATCHES[place // 7 % len(HATCHES)])
        for place, code in enumerate(others)
    }
    return looks | {RESIDUAL: (LIGHT_GREY, "")}
