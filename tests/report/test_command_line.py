"""What a researcher types to get a report, other tables, and an old table in."""

import json
import re

import pytest

from runner.__main__ import main
from tests.report.made import small_study, stored_run
from tests.report.test_formats import FIFTEEN
from tests.report.test_import_table import ROW
from tests.variants import first


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with a live run and a rehearsal of the bundled study."""
    monkeypatch.chdir(tmp_path)
    stored_run(tmp_path / "outputs", small_study(), "literary/openai_gpt-x")
    stored_run(tmp_path / "outputs", small_study(), "literary/openai_gpt-y", rehearsal=True)
    return tmp_path


def test_a_report_of_this_experiment(desk, capsys):
    assert main(["action=report", "report.lang=ja"]) == 0
    said = capsys.readouterr().out
    assert "report over 1 model: 12 requests, 18 values, 6 missing" in said
    assert "left out 1 rehearsal; report.rehearsals=true takes them in" in said
    assert (desk / "outputs/literary/report/report.html").exists()
    assert list((desk / "outputs/literary/report/figures").glob("*.svg"))


FOR_A_JOURNAL = (
    "report.figure={format: [pdf,svg], width_mm: 89}",
    "report.table_format=[tex,md]",
)


def test_figures_and_tables_as_a_journal_wants_them(desk, capsys):
    assert main(["action=report", *FOR_A_JOURNAL]) == 0
    out = capsys.readouterr().out
    assert re.search(r"figures  .*/figures  \(\d+, PDF and SVG\)", out)
    tables = {p.stem for p in (desk / "outputs/literary/report/tables").iterdir()}
    assert re.search(rf"tables  +\S*/tables  \({len(tables)}, LaTeX and Markdown\)", out)
    endings = {p.suffix for p in (desk / "outputs/literary/report/figures").iterdir()}
    assert endings == {".pdf", ".svg"}


@pytest.mark.long
def test_a_saved_command_with_draws_still_works_and_is_told_that_nothing_is_drawn(desk, capsys):
    assert main(["action=report", "report.bootstrap=500", "report.seed=3", "--json"]) == 0
    said = capsys.readouterr()
    assert "computed, not drawn" in said.err
    assert json.loads(said.out)["values"] == 18


def test_an_old_table_is_imported_and_exported_beside_ours(desk, capsys):
    (desk / "old.csv").write_text(f"{FIFTEEN}\n{ROW}\n", encoding="cp932")
    assert main(["action=import", "input=old.csv", "name=old"]) == 0
    assert "imported 1 rows of 1 model (cp932): 4 values, 0 missing" in capsys.readouterr().out
    assert main(["action=export", "export.over=old", "export.format=study"]) == 0
    assert (desk / "outputs/export/study.csv").exists()
    assert (desk / "outputs/export/codebook.md").exists()


def test_an_import_for_scripts(desk, capsys):
    (desk / "old.csv").write_text(f"{FIFTEEN}\n{ROW}\n", encoding="utf-8")
    assert main(["action=import", "input=old.csv", "name=old", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["rows"], facts["missing"], facts["encoding"]) == (1, 0, "utf-8")


@pytest.mark.parametrize(
    ("argv", "message"),
    first(
        6,
        [
            (["action=report", "report.over=litrary"], "did you mean literary?"),
            (["action=report", "report.lang=fr"], "report.lang: 'fr'; "),
            (["action=report", "name=nothing"], "over=nothing: no such run"),
            (["action=export", "export.format=[study,pdf]"], "export.format: 'pdf'; "),
            (["action=report", "report.figure.format=[pdf,gif]"], "report.figure.format: 'gif'; "),
            (["action=report", "report.table_format=latex"], "report.table_format: 'latex'; "),
            (["action=report", "report.figure.width_mm=8.9"], "8.9; allowed: 60 to 400"),
            (["action=import"], "which table? add input=FILE.csv"),
            (["action=import", "input=gone.csv"], "input=gone.csv: cannot be read (No such file"),
        ],
    ),
)
def test_a_mistake_is_one_line_that_helps(desk, capsys, argv, message):
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_ratings_are_imported_by_the_same_action(desk, capsys):
    (desk / "people.csv").write_text("rater,text,item,value\nr,t1,Q1,5\nr,t3,Q1,\n")
    assert main(["action=import", "kind=ratings", "input=people.csv"]) == 0
    said = capsys.readouterr().out
    assert "imported 1 rating of 1 item by text from 1 rater (utf-8); 1 missing" in said
    assert "next     compare them with the models' answers: " in said
    assert said.endswith("action=report name=literary\n")
