"""methods.md: every number in it is in the runs' tables, and nothing is in it that is not recorded."""

import json
import re

import polars as pl
import pytest

from runner.report.data import read
from runner.report.methods import methods
from runner.report.words import Words
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run


@pytest.fixture
def said(tmp_path):
    """Write a run's tables, and return what is said of it."""

    def write(language="en", *, rows=None, manifest=(), definition=(), summary=(), **more):
        folder = stored_run(tmp_path, rows or small_study(), **more)
        whole = json.loads((folder / "manifest.json").read_text("utf-8"))
        whole["experiment"]["definition"] |= dict(definition)
        (folder / "manifest.json").write_text(json.dumps(whole | dict(manifest)), "utf-8")
        (folder / "summary.json").write_text(json.dumps(dict(summary)), "utf-8")
        found = read(selected(tmp_path, ["study"], rehearsals=False))
        return methods(found, Words(language)).replace("\\", "")

    return write


def test_the_numbers_are_those_of_the_tables(said, tmp_path):
    text = said()
    answers = pl.read_parquet(tmp_path / "study/openai_gpt-x/answers.parquet")
    attempts, lost = answers["attempts"].sum(), answers["lost"].sum()
    missing = sum(answers[f"Q{n}_value"].null_count() for n in (1, 2))
    for sentence in (
        "There are 12 requests to gpt-x of openai.",
        "as the provider names them (requests): gpt-x-2026 (12).",
        "from 2026-01-02 to 2026-01-02 (UTC)",
        "There are 4 conditions (persona: 2 levels, text: 2 levels), with 3 trials each.",
        "Temperatures as sent: 0.5.",
        "How the requests ended: 7 read when first asked, 1 read after being asked again, 3 not",
        "read in full within the allowed number of attempts, 1 not ended yet.",
        f"there were {attempts} answers, and {lost} attempts ended without one.",
        f"Missing: {missing} of 24 values (25.0 %):",
        "Cost: US$0.0120 (tokens",
        "```text\n問い\n```",
        "- Q1 面白さ | 0 to 100\n- Q2 悲しみ | 0 to 100\n",
        "System prompt, 大学１年生 (p1):\n\n```text\nあなたは大学１年生\n```",
    ):
        assert sentence in text
    assert "REHEARSAL" not in text


def test_what_is_not_recorded_is_not_in_it(said):
    text = said(
        cost_usd=None, model_returned=None, answered_at=None, submitted_at=None, completed_at=None
    )
    assert "Which model answered is not recorded." in text
    assert "The cost is not known." in text
    for word in ("date from", "US$", "seed", "rule", "Settings", "None", "null"):
        assert word not in text


def test_settings_seeds_and_versions_are_as_recorded(said):
    model = {"max_output_tokens": 900, "parameters": {"top_p": 0.9, "seed": 7}}
    text = said(
        definition={
            "model": model,
            "shuffle": {"items": "latin", "options": "fixed", "seed": 11},
            "design": {"between.order": "one of a, b, by seed 3", "messages[0].user": "ask `` {x}"},
        },
        manifest={"packages": {"polars": "2.1.0"}, "python": "3.11.7"},
        summary={"total": 12},
    )
    assert "Settings of the requests: max_output_tokens=900, top_p=0.9, seed=7." in text
    assert "The order of the questions changed by trial (latin, seed 11)." in text
    assert "order of the options" not in text
    assert (
        "Of the factor order, each combination has one level only (one of a, b, by seed 3)." in text
    )
    assert (
        "Software that was installed when the tables were written: Chorus 0.1.0, Python 3.11.7, polars 2.1.0."
        in text
    )
    assert "No stopping rule is recorded." in text
    assert "Template messages[0].user:\n\n```text\nask `` {x}\n```" in text
    assert "問い" not in text


def test_a_stopping_rule_that_held_once_is_not_denied(said):
    rule = {"min": 2, "max": 9, "half_width": 5, "of": "Q1"}
    text = said(summary={"total": 12}, manifest={"rounds": [{"rule": rule}]})
    assert "asked by an earlier rule (Q1, ±5, 2 to 9 trials)" in text
    assert "No stopping rule" not in text


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "gpt-x was not asked anything"), ("ja", "gpt-x には何も尋ねておらず")],
)
def test_a_rehearsal_says_that_it_is_one(said, language, sentence):
    text = said(language, rehearsal=True)
    assert sentence in text
    assert text.index("REHEARSAL") < text.index("## gpt-x")


def test_in_japanese_no_english_sentence_is_left(said):
    text = said("ja", cost_usd=None)
    prose = text[: text.index("## 質問文")]
    assert "条件は 4 個" in prose
    assert re.findall(r"[a-z]+ [a-z]+", prose) == []


def test_levels_are_named_with_the_texts_that_the_configuration_spells_out(said):
    text = said(manifest={"config": {"factors": {"text": {"levels": {"t1": "How\n do you?"}}}}})
    assert "Levels of text:\n\n- t1 | 懐中時計 | How do you?\n- t2 | " in text


def test_a_temperature_that_goes_with_the_conditions_is_said_to(said):
    rows = [row | {"temperature": 0.1 if row["persona"] == "p1" else 0.9} for row in small_study()]
    text = said(rows=rows)
    assert (
        "Temperatures as sent: 0.1, 0.9. Each combination of persona, text was asked at one" in text
    )


def test_what_an_imported_table_has_was_not_sent_as_far_as_is_known(said):
    text = said(manifest={"imported": {"file": "old.csv", "sha256": "0"}})
    assert "The table has 12 rows of gpt-x of openai." in text
    assert "Temperatures as the table has them: 0.5." in text
    assert "requests to" not in text
