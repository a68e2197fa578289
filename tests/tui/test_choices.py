"""Choices in the dashboard: their options are shown as they are stored, and no mean is made of them."""

from pathlib import Path

import polars as pl
import pytest

from runner.__main__ import main
from runner.config.shipped import SHIPPED
from tests.shared import copy_of
from tests.tui.snap import shown
from tests.tui.test_answers_data import answers_of
from tests.variants import first
from tui.scoring import pivots_of, score_table

LABELS = ["positive", "negative", "neutral"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsed study with two choices, as conf/experiment/labels.yaml has it, and a number."""
    return copy_of(tmp_path_factory, "two-choices", rehearse) / "outputs"


def rehearse(folder: Path) -> None:
    outputs = folder / "outputs"
    words = ["experiment=labels", f"outputs={outputs}", "faults=instant", "faults.malformed=0"]
    assert main([*words, "trials=2", "poll.first_seconds=0.02", "export.dataset=false"]) == 0
    home = folder / "conf" / "experiment"
    home.mkdir(parents=True)
    for kind in (".yaml", ".csv"):
        text = (SHIPPED / "experiment" / f"labels{kind}").read_text(encoding="utf-8")
        (home / f"labels{kind}").write_text(text, encoding="utf-8")
    with (home / "labels.yaml").open("a", encoding="utf-8") as study:
        study.write("  stars: {minimum: 1, maximum: 5, reason: false}\n")
    mixed = ["--config-dir", str(home.parent), *words, "name=mixed"]
    assert main([*mixed, "trials=2", "poll.first_seconds=0.02", "export.dataset=false"]) == 0


def stored(outputs: Path, name: str = "labels") -> pl.DataFrame:
    (path,) = (outputs / name).glob("*/answers.parquet")
    return pl.read_parquet(path)


@pytest.mark.long
def test_the_table_shows_the_options(outputs):
    screen = shown(outputs, "labels", view="Answers", size=(140, 36))
    first = stored(outputs).row(0, named=True)
    lines = screen.splitlines()
    head = next(place for place, line in enumerate(lines) if "custom_id" in line)
    line = lines[head + 1]
    assert first["sentiment_value"] in line
    assert first["buy_value"] in line


@pytest.mark.long
def test_an_answer_shows_its_options_and_is_read_today_as_it_was_stored(outputs):
    screen = shown(outputs, "labels", "enter", view="Answers", size=(140, 36))
    first = stored(outputs).row(0, named=True)
    assert f"sentiment  {first['sentiment_value']}" in screen
    assert "read today" not in screen
    assert "not marked" not in screen


def test_scores_have_the_numbers_and_say_that_a_choice_has_no_mean(outputs):
    answers = answers_of(outputs / "mixed")
    jobs = [one.job for one in answers.jobs]
    table = score_table(answers, pivots_of(jobs)[0])
    assert [q.id for q in table.questions] == ["stars"]
    assert table.notes[0].startswith("sentiment, buy: a choice has no mean")
    means = {row.labels[0]: row.scores["stars"].mean for row in table.rows}
    wanted = stored(outputs, "mixed").group_by("review").agg(pl.col("stars_value").mean())
    assert means == dict(wanted.rows())


@pytest.mark.parametrize("view", first(2, ["Plan", "Batches", "Answers", "Patterns", "Scores"]))
def test_every_view_of_choices_alone_is_drawn(outputs, view):
    screen = shown(outputs, "labels", view=view, size=(100, 30))
    assert "labels" in screen
    assert "Traceback" not in screen
