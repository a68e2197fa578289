"""Figures inside the page: what matplotlib drew, said shorter, and no name that two of them share."""

import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from runner.report.figures import rendering
from runner.report.figures.inline import inline
from runner.report.figures.style import Form
from runner.report.fonts import load
from tests.report.sketches import rendered

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = 'a "b" <i>&amp;c</i> --> 1.23456 id="x" url(#y)'


@pytest.fixture(scope="module")
def drawn():
    load()
    form = Form(formats=())
    with mpl.rc_context(form.style):
        figure = Figure(figsize=(4, 2))
        axes = figure.subplots()
        axes.scatter([1 / 3, 2 / 3, 1], [1, 3, 2], clip_on=True)
        axes.bar([1, 2], [1, 2], hatch="///")
        axes.imshow(np.arange(4).reshape(2, 2))
        axes.set_title(f"懐中時計 {HOSTILE}")
        return rendered(figure, form)[rendering.PAGE]


def parsed(drawn, name="one"):
    return ET.fromstring(inline(drawn, name, "A <title>"))


def test_it_holds_all_that_is_drawn_and_its_text_as_it_is(drawn):
    before = ET.fromstring(drawn)
    after = parsed(drawn)
    for tag in ("path", "use", "text", "image", "clipPath", "pattern"):
        assert len(list(after.iter(tag))) == len(list(before.iter(SVG + tag))), tag
    assert f"懐中時計 {HOSTILE}" in [text.text for text in after.iter("text")]
    assert (after.get("role"), after.get("aria-label")) == ("img", "A <title>")
    assert len(inline(drawn, "one", "")) < 0.8 * len(drawn)


def test_each_thing_that_is_referred_to_is_there_once_and_under_the_figures_name(drawn):
    text = inline(drawn, "one", "")
    ids = re.findall(r'<[^>]* id="([^"]*)"', text)
    tags = "".join(re.findall(r"<[^>]*>", text))
    used = re.findall(r"url\(#([^)]*)\)", tags) + re.findall(r'href="#([^"]*)"', tags)
    assert len(ids) == len(set(ids))
    assert used
    assert set(used) <= set(ids)
    assert all(name.startswith("one-") for name in ids)
    assert not set(ids) & set(re.findall(r'<[^>]* id="([^"]*)"', inline(drawn, "two", "")))


def test_no_place_is_moved_by_more_than_a_hundredth_of_a_point(drawn):
    before = [path.get("d") for path in ET.fromstring(drawn).iter(SVG + "path")]
    after = [path.get("d") for path in parsed(drawn).iter("path")]
    for one, other in zip(before, after, strict=True):
        numbers = [np.array(re.findall(r"-?\d+(?:\.\d+)?", d), dtype=float) for d in (one, other)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.01)
        assert len(re.findall(r"\.\d{3,}", other)) == 0


def test_nothing_in_it_leads_elsewhere_or_styles_the_page(drawn):
    tags = "".join(re.findall(r"<[^>]*>", inline(drawn, "one", "")))
    assert "http" not in tags
    assert "<style" not in tags
    assert "xlink" not in tags
