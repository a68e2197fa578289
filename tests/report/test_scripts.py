"""analysis.py, run as a researcher runs it: the numbers of the report, from the answers alone."""

import subprocess
import sys

import polars as pl
from polars.testing import assert_frame_equal

from runner.report import write_report
from runner.report.data import read
from runner.report.figures.style import Form
from runner.report.scripts import scripts
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run

SAME = ["question", "run", "total", "n", "missing", "mean", "sd"]


def test_the_program_makes_the_reports_main_table_again(tmp_path):
    rows = small_study()
    assert rows[11]["status"] == "open"
    rows[11]["Q1_value"] = 99  # of an answer that has still to be asked again
    stored_run(tmp_path / "outputs", rows)
    stored_run(tmp_path / "outputs", small_study(), "study/groq_llama-y")
    selection = selected(tmp_path / "outputs", ["study"], rehearsals=False)
    folder = tmp_path / "report"
    write_report(selection, folder, language="en", form=Form(formats=("svg",)))
    ran = subprocess.run(
        [sys.executable, folder / "analysis.py"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    again = pl.read_csv(folder / "analysis.csv")
    table = pl.read_csv(folder / "tables" / "scores_model.csv")
    assert again["missing"].sum() > 0
    assert_frame_equal(
        again.sort("question", "run"), table.select(SAME).sort("question", "run"), abs_tol=1e-6
    )


def test_names_stay_text_in_both_programs_and_a_rehearsal_says_so(outputs, tmp_path):
    data = read(selected(outputs, ["study/openai_gpt-z"], rehearsals=False))
    made = scripts(data, tmp_path, "REHEARSAL – ")
    assert {text.splitlines()[0] for text in made.values()} == {"# REHEARSAL"}
    assert '  c("Q1 面白さ", "gpt-z", "' in made["analysis.R"]
    assert '"openai", "gpt-z", "Q2_value", "")\n)' in made["analysis.R"]
    compile(made["analysis.py"], "analysis.py", "exec")
