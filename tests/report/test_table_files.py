"""The report's tables as LaTeX and Markdown: nothing in a cell becomes a command, and every row is there."""

import re

import polars as pl
import pytest

from runner.report import write_report
from runner.report.figures.style import Form
from runner.report.page import Table
from runner.report.table_files import latex, table_files
from runner.report.words import _WORDS
from runner.tables.runs import selected

NASTY = r"a_b & 50% $x$ #1 {y} \z ~^ <c> [d] *e |f| --- 懐中時計"


def table(**columns):
    frame = pl.DataFrame(columns)
    headers = {"text": "作品", "mean": "mean (%)"}
    return Table(
        name="scores_model",
        title="Scores & more",
        frame=frame,
        headers=headers,
        codes={},
        notes=("n_1",),
    )


@pytest.fixture
def files():
    made = table(text=["[1] x", NASTY], n=[1234, 5], mean=[-1.25, None])
    return {
        e: b.decode() for e, b in table_files(made, "REHEARSAL – ", ("csv", "tex", "md")).items()
    }


def test_latex_has_every_cell_and_takes_none_for_a_command(files):
    lines = files["tex"].splitlines()
    assert r"\caption{REHEARSAL – Scores \& more}" in lines
    assert r"\begin{tabular}{lrr}" in lines
    begin, middle, end = (lines.index(f"\\{rule}rule") for rule in ("top", "mid", "bottom"))
    assert lines[begin + 1 : middle] == [r"作品 & n & mean (\%) \\"]
    assert lines[middle + 1 : end] == [
        r"{[}1] x & 1,234 & $-$1.2 \\",
        (
            r"a\_b \& 50\% \$x\$ \#1 \{y\} \textbackslash{}z \textasciitilde{}\textasciicircum{} "
            r"\textless{}c\textgreater{} {[}d] {*}e \textbar{}f\textbar{} -{}-{}- 懐中時計 & 5 & – \\"
        ),
    ]
    assert "n\\_1" in lines[end + 2]


@pytest.mark.parametrize("character", [chr(c) for c in range(33, 127)])
def test_no_character_of_ascii_is_special_to_latex_unescaped(character):
    escaped = latex(f"x{character}y")
    known = r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textquotedbl)\{\}"
    rest = re.sub(known + r"|\\[$&#_%{}]|\{[\[*`']\}", "", escaped)
    assert not set(rest) & set("\\$&#_%{}~^<>|\"[*`'")
    assert escaped != "xy"


def test_markdown_has_as_many_cells_in_every_row(files):
    title, _, *rows, _, note = files["md"].splitlines()
    assert title == "**REHEARSAL – Scores \\& more**"
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [4] * 4
    assert rows[1] == "|:--|--:|--:|"
    assert r"a\_b \& 50% \$x\$ \#1 {y} \\z \~\^ \<c\> \[d\] \*e \|f\| --- 懐中時計" in rows[3]
    assert note == r"n\_1"


def test_every_table_of_a_report_is_there_in_each_format_and_old_ones_go(outputs, tmp_path):
    selection = selected(outputs, ["study"], rehearsals=False)
    (tmp_path / "tables").mkdir()
    (tmp_path / "report.html").write_text("")
    (tmp_path / "tables" / "scores_model.csv").write_text("old")
    form = Form(formats=("svg",), tables=("tex", "md"))
    written = write_report(selection, tmp_path, language="ja", form=form)
    names = {p.name for p in (tmp_path / "tables").iterdir()}
    stems = {name.partition(".")[0] for name in names}
    assert names == {f"{stem}.{ending}" for stem in stems for ending in ("tex", "md")}
    assert {p.name for p in written.tables} == names
    assert "tables/scores_model.tex、tables/scores_model.md" in written.page.read_text("utf-8")
    for path in written.tables:
        if path.suffix == ".tex":
            rows = [li for li in path.read_text("utf-8").splitlines() if li.endswith(r" \\")]
            assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


def test_english_words_are_what_pdflatex_has_letters_for():
    """Of what it takes besides ASCII, that is all they need: its default is UTF-8 with Latin letters."""
    words = {character for _, english in _WORDS.values() for character in latex(english)}
    assert {character for character in words if character > "~"} <= set("±×²“”–")
