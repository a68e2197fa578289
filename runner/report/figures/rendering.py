"""Figures as files: where their parts stand is found, and both are drawn, on every core when there are many."""

import gc
import io
import pickle
from collections.abc import Generator, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from runner.batches.workers import spread
from runner.report.figures.style import STYLE
from runner.report.fonts import load

TAKES_AS_LONG_AS = 3 << 20
"""Bytes of results whose reading is as much work as a figure: from eight on, processes are worth their start."""
MOST_PROCESSES = 6
"""Each takes some 130 MB."""


def packed(figure: Figure) -> bytes:
    """Return a figure that is not drawn yet, as another process takes it."""
    return pickle.dumps(figure, pickle.HIGHEST_PROTOCOL)


def all_files(figures: Sequence[bytes]) -> Generator[tuple[bytes, bytes], None, None]:
    """Yield each figure as PNG and as SVG, in order; the same bytes in whatever process.

    Args:
        figures: packed.

    Raises:
        CrewLost: a process died.
    """
    return spread(
        files,
        figures,
        setup=_ready,
        arguments=(),
        total_bytes=len(figures) * TAKES_AS_LONG_AS,
        what="the report's figures",
        most=MOST_PROCESSES,
    )


def _ready() -> None:
    """Prepare this process; a figure is full of cycles."""
    load()
    gc.enable()


def files(figure: bytes) -> tuple[bytes, bytes]:
    """Return a packed figure as PNG and as SVG."""
    with mpl.rc_context(STYLE):
        return rendered(pickle.loads(figure))  # noqa: S301 - packed by this program, never stored


def rendered(figure: Figure) -> tuple[bytes, bytes]:
    """Return a figure as PNG and as SVG; where its parts stand is found once, for both."""
    found = figure.get_layout_engine()
    if found is not None:
        found.execute(figure)
        figure.set_layout_engine(None)
    png, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return png.getvalue(), svg.getvalue()
