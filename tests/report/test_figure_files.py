"""Figures as a journal wants them: the format, the width that their files really have, dots, font."""

import io
import re
import zlib

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from runner.core.errors import ConfigError
from runner.report import write_report
from runner.report.figures import rendering
from runner.report.figures.style import Form
from runner.report.fonts import load
from runner.tables.runs import selected
from tests.report.sketches import rendered


def drawn(form):
    """A small figure, drawn as Sheet draws it."""
    load(form.font)
    with mpl.rc_context(form.style):
        figure = Figure(figsize=(form.room or 4, 2), layout=ConstrainedLayoutEngine())
        axes = figure.subplots()
        axes.plot([1, 3, 2], "o", clip_on=False)
        axes.set_title("懐中時計 score")
        return rendering.packed(figure)


def files(form):
    with mpl.rc_context(form.style):
        return rendered(rendering.pickle.loads(drawn(form)), form)


def box(pdf):
    (found,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    return tuple(map(float, found))


def contents(pdf):
    """What is drawn on the only page."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    (page,) = (text for s in streams if b" Tf" in (text := zlib.decompress(s)))
    return page


@pytest.mark.parametrize(("width", "dpi"), [(89, None), (183, 600), (127, 100)])
def test_a_figure_is_as_wide_as_it_is_to_be_in_every_format(width, dpi):
    made = files(Form(formats=("pdf", "svg", "png"), width_mm=width, dpi=dpi))
    assert box(made["pdf"])[0] / 72 * 25.4 == pytest.approx(width, abs=1e-3)
    (across, unit, down) = re.search(
        r'<svg[^>]* width="([\d.]+)(\w+)" height="([\d.]+)mm"', made["svg"].decode()
    ).groups()
    assert (float(across), unit) == (width, "mm")
    image = Image.open(io.BytesIO(made["png"]))
    assert image.info["dpi"] == pytest.approx((dpi or 300,) * 2, abs=0.01)  # whole dots a metre
    assert image.width / (dpi or 300) * 25.4 == pytest.approx(width, abs=25.4 / (dpi or 300))
    assert float(down) == pytest.approx(box(made["pdf"])[1] / 72 * 25.4, abs=0.01)
    assert image.height / image.width == pytest.approx(float(down) / width, abs=0.01)


def test_a_whole_number_of_dots_stays_whole():
    made = files(Form(formats=("png",), width_mm=127, dpi=100))
    assert Image.open(io.BytesIO(made["png"])).width == 500


def test_a_smaller_pdf_holds_all_that_the_larger_one_does():
    form = Form(formats=("pdf",), width_mm=4 * 25.4 * 0.8)
    smaller = contents(files(form)["pdf"])
    larger = contents(files(Form(formats=("pdf",)))["pdf"])
    assert smaller.count(b" cm\n") == larger.count(b" cm\n")
    assert re.sub(rb"0\.8 0 0 0\.8 0 0 cm", b"1 0 0 1 0 0 cm", smaller) == larger


def test_fonts_are_embedded_as_truetype_and_nothing_tells_the_day_or_the_program():
    pdf = files(Form(formats=("pdf",), font="DejaVu Serif"))["pdf"]
    assert set(re.findall(rb"/BaseFont /\w+\+(\w+)", pdf)) >= {b"DejaVuSerif", b"IPAexGothic"}
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert not re.search(rb"/CreationDate|/Producer|/Creator", pdf)
    assert pdf == files(Form(formats=("pdf",), font="DejaVu Serif"))["pdf"]


def test_a_font_that_is_not_there_is_one_line_that_helps(outputs, tmp_path):
    selection = selected(outputs, ["study"], rehearsals=False)
    with pytest.raises(ConfigError, match="did you mean DejaVu Serif") as refused:
        write_report(selection, tmp_path, language="en", form=Form(font="DejaVuSerif"))
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_page_names_the_files_and_old_ones_go(outputs, tmp_path):
    selection = selected(outputs, ["study/openai_gpt-z"], rehearsals=False)
    (tmp_path / "figures").mkdir()
    (tmp_path / "report.html").write_text("")
    for name in ("quality.png", "mine.txt"):
        (tmp_path / "figures" / name).write_text("")
    form = Form(formats=("pdf",), width_mm=89)
    written = write_report(selection, tmp_path, language="en", form=form)
    assert {p.suffix for p in written.figures} == {".pdf"}
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {
        "mine.txt",
        *(p.name for p in written.figures),
    }
    assert "this figure as files: figures/quality.pdf<" in written.page.read_text("utf-8")
    sketches = [p.read_bytes().split(b"\n") for p in written.figures]
    assert all(lines[0].startswith(b"PDF 4.38 x") for lines in sketches)
    assert all(b"REHEARSAL" in lines for lines in sketches)
