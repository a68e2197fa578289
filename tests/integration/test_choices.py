"""`action=verify`, `extract` and `patterns` on a run whose items are choices: ids, never numbers."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from runner.cli.screen import Silent
from runner.core.plan import Purpose
from runner.run import assemble, maintenance
from runner.run.run import Run
from tests.shared import copy_of
from tests.unit.composing import composed

STUDY = """\
# @package _global_
defaults:
  - override /question: english
name: labels
factors:
  review: {levels: {r1: "I love it", r2: "It broke"}}
trials: 20
temperatures: null
messages:
  - {role: user, content: "{review}\\n\\n{items}"}
items:
  sentiment: {kind: choice, options: {pos: [SAID], neg: {label: negative}, none: }}
  stars: {minimum: 1, maximum: 5, reason: false}
"""
QUICK = ["faults=instant", "faults.malformed=0.4", "retry.max_attempts=2"]
QUICK += ["poll.first_seconds=0.02", "poll.max_seconds=0.1"]


def run_in(folder: Path, said: str = "good") -> Run:
    """The study in a folder of its own; what answers may call `pos` beside that can be changed."""
    conf = folder / "conf"
    (conf / "experiment").mkdir(parents=True, exist_ok=True)
    (conf / "experiment/labels.yaml").write_text(STUDY.replace("SAID", said), encoding="utf-8")
    arguments = ["--config-dir", str(conf), "experiment=labels", f"outputs={folder / 'outputs'}"]
    return Run(composed([*arguments, *QUICK])[0])


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal that is over."""
    return copy_of(
        tmp_path_factory,
        "labels",
        lambda folder: assemble.drive(run_in(folder), Purpose.RUN, Silent(), lambda _: None),
    )


@pytest.fixture
def folder(answered: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoiled."""
    shutil.copytree(answered / "outputs", tmp_path / "outputs")
    return tmp_path


def tables(run: Run) -> dict[str, pl.DataFrame]:
    home = run.folder(sending=False)
    return {name: pl.read_parquet(home / f"{name}.parquet") for name in ("answers", "attempts")}


def rewritten(run: Run, old: str, new: str) -> None:
    """Let the stored attempts and the tables say something else than the answers do."""
    home = run.folder(sending=False)
    for path in (*home.glob("attempts/*.parquet"), *home.glob("*.parquet")):
        value = pl.col("sentiment_value")
        pl.read_parquet(path).with_columns(value.replace({old: new})).write_parquet(path)


def test_a_run_that_is_whole_has_no_problem(folder):
    assert maintenance.verify(run_in(folder)) == []
    for table in tables(run_in(folder)).values():
        assert table.schema["sentiment_value"] == pl.String
        assert set(table["sentiment_value"].drop_nulls()) <= {"pos", "neg", "none"}


def test_an_option_that_was_changed_in_a_table_is_found(folder):
    run = run_in(folder)
    path = run.folder(sending=False) / "answers.parquet"
    table = pl.read_parquet(path)
    assert "neg" in table["sentiment_value"].to_list()
    table.with_columns(pl.col("sentiment_value").replace({"neg": "pos"})).write_parquet(path)
    (line,) = maintenance.verify(run)
    assert line.startswith(f"{path}: is not what the ledger and the results say")


def test_an_option_that_was_changed_in_the_attempts_is_found(folder):
    run = run_in(folder)
    rewritten(run, "neg", "pos")
    found = maintenance.verify(run)
    assert any("its attempts are not what its results say" in line for line in found)


def test_the_same_patterns_change_nothing(folder):
    found = maintenance.compare(run_in(folder))
    assert found.answers >= 40
    assert found.is_empty


@pytest.mark.long
def test_what_is_read_otherwise_is_told_by_its_ids_and_applied(folder):
    run = run_in(folder)
    before = tables(run)["attempts"]
    rewritten(run, "neg", "none")
    found = maintenance.compare(run)
    assert (
        found.values == len(found.changes) == before["sentiment_value"].to_list().count("neg") > 0
    )
    assert {(c.question, c.old, c.new) for c in found.changes} == {("sentiment", "none", "neg")}
    maintenance.reread(run)
    assert tables(run)["attempts"].drop("attempt").equals(before.drop("attempt"))
    assert maintenance.verify(run) == []
    assert maintenance.compare(run).is_empty


def test_an_alias_that_came_later_is_read_and_applied(folder):
    """Aliases are never sent: with another one the experiment is the same."""
    run = run_in(folder, said="good, not pos, cannot say")
    before = tables(run)["attempts"]["sentiment_value"]
    found = maintenance.compare(run)
    assert found.values > 0
    assert {(change.old, change.new) for change in found.changes} == {(None, "pos")}
    assert {change.old_cause for change in found.changes} == {"not_an_option"}
    maintenance.reread(run)
    after = tables(run)["attempts"]["sentiment_value"]
    newly = after.filter(before.is_null() & after.is_not_null())
    assert newly.to_list() == ["pos"] * found.values
    assert maintenance.verify(run) == []


def test_patterns_show_what_found_an_option(folder):
    found = maintenance.read_parts(run_in(folder))
    attempts = tables(run_in(folder))["attempts"].filter(pl.col("raw_answer").is_not_null())
    counts = dict(attempts["sentiment_pattern"].fill_null("none").value_counts().iter_rows())
    assert dict(found.patterns["sentiment"]) == counts
    shown = {
        example.match
        for (question, _), examples in found.examples.items()
        if question == "sentiment"
        for example in examples
    }
    assert shown & {"pos", "negative", "none"}


def test_the_summary_counts_the_causes_of_choices(folder):
    run = run_in(folder)
    told = json.loads((run.folder(sending=False) / "summary.json").read_text(encoding="utf-8"))
    attempts = tables(run)["attempts"]
    for key in ("sentiment", "stars"):
        causes = attempts[f"{key}_cause"].drop_nulls().value_counts()
        assert told["missing_by_cause"][key] == dict(causes.iter_rows())
    assert "not_an_option" not in told["missing_by_cause"]["stars"]


def test_a_file_of_answers_is_read_by_its_ids(folder, tmp_path):
    lines = tmp_path / "answers.jsonl"
    text = "sentiment (answer): negative\nsentiment (reason): It broke.\nstars (answer): 2\n"
    lines.write_text(json.dumps({"custom_id": "x", "answer": text}) + "\n", encoding="utf-8")
    out = tmp_path / "read.jsonl"
    with out.open("wb") as file:
        maintenance.read_file(run_in(folder), lines, file)
    row = json.loads(out.read_text(encoding="utf-8"))
    assert row["values"] == {"sentiment": "neg", "stars": 2}
    assert row["causes"] == {}
