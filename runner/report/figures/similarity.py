"""How alike levels are: a field for every two, and beside them the tree of their clusters."""

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from runner.report.figures.labels import short
from runner.report.figures.marks import empty, field, inside
from runner.report.figures.sheet import Drawn, Heading, Sheet
from runner.report.figures.style import GREY, LIGHT_GREY
from runner.report.similarity import Alike

NUMBERED = 14
"""With more levels the fields have no numbers in them."""
_LONGEST = 26


def alike(sheet: Sheet, found: Alike, heading: Heading) -> Iterator[Drawn]:
    """Draw Pearson's r of every two levels, in the order of the clusters.

    Args:
        sheet: what it is drawn on.
        found: three levels or more.
        heading: what it is called.
    """
    count = len(found.levels)
    each = 0.42 if count <= NUMBERED else 0.21
    size = (max(5.6, 3.4 + each * count), 2.4 + each * count)

    def draw(figure: Figure) -> None:
        beside, axes = figure.subplots(1, 2, width_ratios=[1, max(2.5, each * count)])
        _tree(beside, found)
        _fields(axes, sheet, found)

    yield sheet.drawn(heading, size, (1, 1), draw)


def _tree(axes: Axes, found: Alike) -> None:
    """Draw the clusters from the right, the leaves in the rows of the fields."""
    axes.set_axis_off()
    axes.set_ylim(len(found.levels) - 0.5, -0.5)
    if found.tree is None:
        return
    drawn = dendrogram(found.tree, no_plot=True)
    for along, across in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        # scipy counts leaves as 5, 15, 25 ...
        axes.plot(across, [(place - 5) / 10 for place in along], color=GREY, linewidth=0.9)
    axes.invert_xaxis()


def _fields(axes: Axes, sheet: Sheet, found: Alike) -> None:
    """Draw a field for every two levels; one that has no r is hatched."""
    names = [short(found.levels[level], _LONGEST) for level in found.order]
    r = found.pearson[np.ix_(found.order, found.order)]
    np.fill_diagonal(r, np.nan)  # with itself everything is alike
    known = r[np.isfinite(r)]
    low = np.floor(10 * known.min(initial=1)) / 10
    high = max(low + 0.1, np.ceil(10 * known.max(initial=low)) / 10)
    ends = [place - 0.5 for place in range(len(names) + 1)]
    map_ = mpl.colormaps["viridis"]
    axes.pcolormesh(
        ends, ends, r, cmap=map_, vmin=low, vmax=high, edgecolors="white", linewidth=0.5
    )
    for down, row in enumerate(r):
        for across, one in enumerate(row):
            if down == across:
                axes.add_patch(field(across, down, facecolor=LIGHT_GREY, edgecolor="white"))
            elif np.isnan(one):
                empty(axes, across, down, "")
            elif len(names) <= NUMBERED:
                ink = "white" if one < low + 0.6 * (high - low) else "black"
                inside(axes, across, down, f"{one + 0.0:.2f}", color=ink, fontsize=7)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7.5)
    axes.set_yticks(range(len(names)), names, fontsize=7.5)
    axes.yaxis.tick_right()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), map_)
    look: dict[str, Any] = {"shrink": 0.7, "aspect": 26, "label": sheet.words("c.pearson")}
    axes.figure.colorbar(scale, ax=axes, location="right", **look)
