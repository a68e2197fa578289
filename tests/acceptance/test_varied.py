"""What a sweep varies, in the tables, the exports, the codebook, the dataset and the report."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import QUICK, SMALL, Desk

FEW = [*SMALL, *QUICK, "faults.malformed=0", "temperatures=null"]
SWEEP = ["-m", "question=literary,english", "+provider.parameters.top_p=0.5,1"]


def tables(desk: Desk) -> dict[Path, pl.DataFrame]:
    paths = sorted((desk.folder / "outputs" / "literary").glob("*/answers.parquet"))
    return {path.parent: pl.read_parquet(path) for path in paths}


def told(answers: pl.DataFrame) -> tuple:
    (row,) = answers.select("set_question", "set_top_p").unique().rows()
    return row


@pytest.fixture
def swept(desk: Desk) -> Desk:
    done = desk.run(*SWEEP, *FEW)
    assert done.returncode == 0, done.stderr
    return desk


@pytest.mark.long
def test_every_swept_setting_is_a_column_that_says_what_was_sent(swept):
    found = tables(swept)
    assert sorted(map(told, found.values())) == [
        (question, top_p) for question in ("english", "literary") for top_p in (0.5, 1.0)
    ]
    for folder, answers in found.items():
        question, top_p = told(answers)
        for line in (folder / "requests" / "b0001.jsonl").read_text().splitlines():
            body = json.loads(line)["body"]
            assert body["top_p"] == top_p
            said = body["messages"][-1]["content"]
            assert ("Read the following text" in said) is (question == "english")
        columns = answers.columns
        assert columns[columns.index("temperature") + 1 :][:3] == [
            *("set_question", "set_top_p", "trial")
        ]


@pytest.mark.long
def test_the_dataset_the_exports_and_the_codebook_have_the_columns(swept):
    whole = pl.scan_parquet(swept.folder / "outputs/dataset_rehearsal/**/*.parquet").collect()
    assert whole.group_by("set_question", "set_top_p").len()["len"].to_list() == [12] * 4
    formats = "export.format=[wide,long,xlsx]"
    done = swept.run("action=export", "export.over=all", formats, "report.lang=en")
    assert done.returncode == 0, done.stderr
    out = swept.folder / "outputs" / "export"
    for name in ("wide", "long"):
        frame = pl.read_parquet(out / f"{name}.parquet")
        assert frame.select("set_question", "set_top_p").n_unique() == 4
    assert "the setting provider.parameters.top_p" in (out / "codebook.md").read_text()


@pytest.mark.long
def test_the_report_names_runs_by_what_differs_and_never_by_a_hash(swept):
    done = swept.run("action=report", "report.over=all", "--json")
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)["runs"]) == [
        f"gpt-4o-mini, question={question}, top_p={top_p}"
        for question in ("english", "literary")
        for top_p in ("0.5", "1")
    ]


@pytest.mark.long
def test_one_job_resumed_alone_keeps_its_columns_and_verifies(swept):
    alone = ["question=english", "+provider.parameters.top_p=1"]
    done = swept.run(*alone, *FEW, "trials=4")
    assert done.returncode == 0, done.stderr
    (grown,) = [a for a in tables(swept).values() if a.height == 16]
    assert told(grown) == ("english", 1.0)
    assert swept.run(*alone, *FEW, "trials=4", "action=verify").returncode == 0
    assert swept.run(*alone, *FEW, "trials=4", "action=export").returncode == 0
    assert sorted(told(a) for a in tables(swept).values())[1] == ("english", 1.0)


@pytest.mark.long
def test_a_later_sweep_over_less_takes_no_column_away(swept):
    done = swept.run("-m", "question=literary,english", "+provider.parameters.top_p=1", *FEW)
    assert done.returncode == 0, done.stderr
    assert len({told(answers) for answers in tables(swept).values()}) == 4


def test_a_setting_that_is_not_one_for_a_whole_folder_is_no_column(desk):
    done = desk.run("-m", "retry.max_attempts=2,3", *FEW)
    assert done.returncode == 0, done.stderr
    (answers,) = tables(desk).values()
    assert [name for name in answers.columns if name.startswith("set_")] == []


@pytest.mark.long
def test_runs_that_no_sweep_made_are_told_apart_by_what_was_asked(desk):
    for top_p in ("0.5", "1"):
        done = desk.run(f"+provider.parameters.top_p={top_p}", "fork=true", *FEW)
        assert done.returncode == 0, done.stderr
    done = desk.run("action=report", "report.over=all", "--json")
    assert json.loads(done.stdout)["runs"] == ["gpt-4o-mini, top_p=0.5", "gpt-4o-mini, top_p=1"]
