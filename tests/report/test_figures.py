"""Figures: no box for a glyph, nothing outside the picture, the same for everybody."""

import io
import warnings

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from runner.report.figures.labels import width_of, wrapped
from runner.report.figures.marks import ceiling
from runner.report.figures.style import COLOURS, STYLE
from runner.report.fonts import drawable, load
from runner.report.words import _WORDS

PNG = b"\x89PNG\r\n\x1a\n"


def draw(text):
    """Draw a text as the figures do; a missing glyph is a warning, and warnings are errors."""
    load()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure()
        figure.text(0.1, 0.5, text)
        FigureCanvasAgg(figure).draw()


def test_a_glyph_that_no_font_has_is_a_warning():
    with pytest.raises(UserWarning, match=r"Glyph .* missing"):
        draw("한글")


def test_every_word_of_the_report_can_be_drawn():
    text = "".join(word for pair in _WORDS.values() for word in pair)
    assert drawable(text) == text
    draw("".join(sorted(set(text))))  # each glyph once: the words would take seconds


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_any_text_can_be_drawn_once_it_is_drawable(text):
    draw(drawable(text))


def test_what_cannot_be_drawn_is_shown_by_its_number():
    assert drawable("詩人🦫한") == "詩人⟨U+1F9AB⟩⟨U+D55C⟩"


def test_dollar_signs_are_no_mathematics():
    draw("$x^2$ \\frac{1}{0}")


def test_every_figure_is_there_as_png_and_svg_with_no_date_in_it(report):
    names = [p.stem for p in report.figures if p.suffix == ".png"]
    assert len(names) == len(set(names))
    for path in report.figures:
        content = path.read_bytes()
        if path.suffix == ".png":
            assert content.startswith(PNG)
            assert b"tIME" not in content
        else:
            assert b"<dc:date>" not in content
            assert b"<text" not in content  # glyphs are outlines: no font is needed to read it


def test_nothing_is_cut_off_at_the_edges(report, rehearsed):
    for path in (*report.figures, *rehearsed.figures):
        if path.suffix != ".png":
            continue
        with Image.open(io.BytesIO(path.read_bytes())) as picture:
            grey = picture.convert("L")
            width, height = grey.size
            for edge in (
                (0, 0, width, 1),
                (0, height - 1, width, height),
                (0, 0, 1, height),
                (width - 1, 0, width, height),
            ):
                assert grey.crop(edge).getextrema() == (255, 255), (path.name, edge)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60), st.integers(4, 30), st.integers(1, 3))
def test_a_label_keeps_to_its_width_and_lines(text, width, most):
    lines = wrapped(text, width, most).split("\n")
    assert len(lines) <= most
    assert all(width_of(line) <= max(width, 2) for line in lines)


def test_a_label_breaks_where_a_reader_would():
    assert wrapped("gpt-4o-mini (openai, literary)", 22, 2).split("\n") == [
        "gpt-4o-mini",
        "(openai, literary)",
    ]
    assert wrapped("無感情なロボット", 12, 3) == "無感情な\nロボット"


@pytest.mark.parametrize(
    ("number", "end"),
    [
        (0, 1),
        (0.37, 0.4),
        (1, 1),
        (1.01, 1.2),
        (26, 30),
        (99, 100),
        (100, 100),
        (101, 120),
        (6.7, 8),
    ],
)
def test_an_axis_ends_at_a_round_number(number, end):
    assert ceiling(number) == pytest.approx(end)


@settings(max_examples=80, deadline=None)
@given(st.floats(0.0001, 1e9))
def test_an_axis_never_ends_before_the_largest_number(number):
    assert number <= ceiling(number) <= 2.5 * number


def seen_by_the_red_blind(colour):
    """A colour as somebody without red cones sees it, roughly (Viénot, Brettel and Mollon 1999)."""
    linear = [(int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)]
    red, green, blue = linear
    return (0.112 * red + 0.888 * green,) * 2 + (0.004 * red - 0.004 * green + blue,)


def test_any_two_colours_differ_for_the_red_blind():
    seen = [seen_by_the_red_blind(colour) for colour in COLOURS]
    for place, one in enumerate(seen):
        for other in seen[place + 1 :]:
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 0.02
