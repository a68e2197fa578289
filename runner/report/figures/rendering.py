"""Figures as files: where their parts stand is found, and both are drawn, on every core when there are many."""

import gc
import io
import pickle
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from runner.batches.workers import spread
from runner.report.figures.style import MM, Form
from runner.report.fonts import load

TAKES_AS_LONG_AS = 3 << 20
"""Bytes of results whose reading is as much work as a figure: from eight on, processes are worth their start."""
MOST_PROCESSES = 6
"""Each takes some 130 MB."""
PAGE = "page"
"""What stands in place of an ending for the SVG whose text is text: with the page's font, and short."""


def packed(figure: Figure) -> bytes:
    """Return a figure that is not drawn yet, as another process takes it."""
    return pickle.dumps(figure, pickle.HIGHEST_PROTOCOL)


def all_files(figures: Sequence[bytes], form: Form) -> Generator[Mapping[str, bytes], None, None]:
    """Yield each figure's files by their endings, in order; the same bytes in whatever process.

    Args:
        figures: packed.
        form: as what they are written; PAGE, the SVG for the page, is always among them.

    Raises:
        CrewLost: a process died.
        ConfigError: this machine does not have the font.
    """
    return spread(
        partial(files, form=form),
        figures,
        setup=_ready,
        arguments=(form.font,),
        total_bytes=len(figures) * TAKES_AS_LONG_AS,
        what="the report's figures",
        most=MOST_PROCESSES,
    )


def _ready(font: str | None) -> None:
    """Prepare this process; a figure is full of cycles."""
    load(font)
    gc.enable()


def files(figure: bytes, form: Form) -> Mapping[str, bytes]:
    """Return the files of a packed figure, by their endings."""
    with mpl.rc_context(form.style):
        return rendered(pickle.loads(figure), form)  # noqa: S301 - packed by this program, never stored


def rendered(figure: Figure, form: Form) -> Mapping[str, bytes]:
    """Return a figure's files by their endings; where its parts stand is found once, for all."""
    found = figure.get_layout_engine()
    if found is not None:
        found.execute(figure)
        figure.set_layout_engine(None)
    return {
        ending: _MAKERS[ending](figure, form) for ending in dict.fromkeys((*form.formats, PAGE))
    }


def _png(figure: Figure, form: Form) -> bytes:
    file = io.BytesIO()
    drawn = form.resolution * form.scale * (1 + 1e-9)  # what is whole stays so
    size: dict[str, Any] = {"dpi": drawn, "pil_kwargs": {"dpi": (form.resolution,) * 2}}
    figure.savefig(file, format="png", metadata={"Software": None}, **size)
    return file.getvalue()


def _svg(figure: Figure, form: Form) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    if form.width_mm is None:
        return file.getvalue()
    width, height = figure.get_size_inches() * MM * form.scale
    said = f'width="{width:.6g}mm" height="{height:.6g}mm"'.encode()
    return re.sub(rb'width="[\d.]+pt" height="[\d.]+pt"', said, file.getvalue(), count=1)


def _page(figure: Figure, form: Form) -> bytes:
    with mpl.rc_context({"svg.fonttype": "none"}):
        return _svg(figure, form)


def _pdf(figure: Figure, form: Form) -> bytes:
    """Return a figure as PDF, as matplotlib makes it, and made smaller where it is to be."""
    from matplotlib.backends import backend_pdf

    pdf: Any = backend_pdf  # without types
    to = io.BytesIO()
    width, height = figure.get_size_inches()
    before, figure.dpi = figure.dpi, 72
    file = pdf.PdfFile(to, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    file.newPage(width * form.scale, height * form.scale)
    file.width, file.height = width, height  # what is outside of this is not drawn
    file.output(form.scale, 0, 0, form.scale, 0, 0, pdf.Op.concat_matrix)
    on_page = pdf.RendererPdf(file, form.resolution, height, width)
    renderer = pdf.MixedModeRenderer(figure, width, height, form.resolution, on_page)
    figure.draw(renderer)
    renderer.finalize()
    file.finalize()
    figure.dpi = before
    return to.getvalue()


_MAKERS: Mapping[str, Callable[[Figure, Form], bytes]] = {
    "png": _png,
    "svg": _svg,
    "pdf": _pdf,
    PAGE: _page,
}
