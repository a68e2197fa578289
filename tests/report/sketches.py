"""How figures are made in tests: drawn always, and rendered only where a test looks at them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from html import escape

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from runner.report.figures import rendering
from runner.report.figures.style import Form

rendered = rendering.rendered
"""As the program does it; four fifths of a report's time."""


def sketch(figure: Figure, form: Form) -> Mapping[str, bytes]:
    """Return what is in a figure instead of its picture: its size, the texts, and a digest of the rest."""
    width, height = figure.get_size_inches()
    shapes = sha256()
    for artist in figure.findobj():
        for array in _shape_of(artist):
            shapes.update(np.ascontiguousarray(array, dtype=float).tobytes())
    texts = "\n".join(text.get_text() for text in figure.findobj(Text))
    shown = f"{width:.2f} x {height:.2f} inches\n{shapes.hexdigest()}\n{texts}".encode()
    made = {ending: ending.upper().encode() + b" " + shown for ending in form.formats}
    return made | {
        rendering.PAGE: f'<svg viewBox="0 0 1 1"><text x="0">{escape(texts)}</text></svg>'.encode()
    }


def _shape_of(artist: Artist) -> Iterator[object]:
    """Yield the numbers that an artist draws."""
    for name in ("get_xydata", "get_offsets", "get_array"):
        found = getattr(artist, name, lambda: None)()
        if found is not None:
            yield np.ma.filled(np.ma.asarray(found, dtype=float), np.nan)
    if isinstance(artist, Rectangle):
        yield artist.get_bbox().get_points()


@contextmanager
def figures(made: Callable[[Figure, Form], Mapping[str, bytes]]) -> Iterator[None]:
    """Let reports make the files of their figures this way."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rendering, "rendered", made)
        patched.setattr(rendering, "TAKES_AS_LONG_AS", 0)  # in this process, which makes them so
        yield
