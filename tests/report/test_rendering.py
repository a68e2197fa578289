"""Figures are the same bytes in whatever process they are drawn."""

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from runner.report.figures import rendering
from runner.report.figures.style import STYLE, Form
from runner.report.fonts import load
from tests.report.sketches import figures, rendered


def sketched(number: int) -> bytes:
    load()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4, 3), layout=ConstrainedLayoutEngine())
        axes = figure.subplots()
        axes.plot([1, number, 2])
        axes.set_title(f"懐中時計 {number}")
        return rendering.packed(figure)


@pytest.mark.long
def test_many_figures_are_drawn_by_processes_as_by_one(monkeypatch):
    packed = [sketched(number) for number in range(3)]
    with figures(rendered):
        alone = list(rendering.all_files(packed, Form()))
    monkeypatch.setattr(rendering, "TAKES_AS_LONG_AS", 1 << 40)
    monkeypatch.setattr("runner.batches.workers.cores", lambda: 2)
    assert list(rendering.all_files(packed, Form())) == alone
    assert len({made["png"] for made in alone}) == 3
