"""Models beside people who rated the same texts: known numbers, and what cannot be said is said."""

import json

import numpy as np
import polars as pl
import pytest
from scipy import stats

from runner.core.errors import ConfigError
from runner.report import data, people, people_parts
from runner.report.figures.style import Form
from runner.report.parts import Parts
from runner.report.sections import Sections
from runner.report.words import Words
from runner.tables.runs import selected
from tests.report.made import request, stored_run

TEXTS = {f"t{n}": f"題{n}" for n in range(1, 7)}
MODEL = {"t1": 10, "t2": 35, "t3": 30, "t4": 62, "t5": 50, "t6": 90}
PEOPLE = {"t1": 20, "t2": 25, "t3": 40, "t4": 50, "t5": 70, "t6": 80}
LABELS = ["1", "2", "3"]


def run(outputs, values=MODEL):
    """A run of two personas: a text's value is the mean of theirs."""
    rows = [
        request(persona, text, Q1=(value + by, None, None), Q2=(50, None, None))
        for text, value in values.items()
        for persona, by in (("p1", -5), ("p2", 5))
    ]
    return stored_run(outputs, rows, texts=TEXTS)


def rate(outputs, rows, factors=("text",)):
    """Put ratings where action=import puts them: rater, item, levels, value."""
    folder = outputs / "study/ratings"
    folder.mkdir()
    names = ["rater", "item", *factors, "value"]
    table = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    table.with_row_index("source_row", 2).write_parquet(folder / "ratings.parquet")
    (folder / "manifest.json").write_text("{}")


def two_raters(values=PEOPLE, item="Q1"):
    return [
        (rater, item, text, str(value + by))
        for text, value in values.items()
        for rater, by in (("r1", -2), ("r2", 2))
    ]


def reported(outputs, language="en"):
    """The words and the tables on people, of numbers and of choices."""
    found = data.read(selected(outputs, ["study"], rehearsals=False))
    words, rated = Words(language), people.rated(found)
    parts = [
        part
        for some, is_choice in ((found.numbers, False), (found.choices, True))
        if some.questions
        for part in people_parts.between(
            some, rated, words, Parts(found.asked, words), is_choice=is_choice
        )
    ]
    tables = {part.name: part.frame for part in parts if not isinstance(part, str)}
    notes = [part if isinstance(part, str) else "\n".join(part.notes) for part in parts]
    return "\n".join(notes), tables


def by_statistic(table, question="Q1 面白さ"):
    rows = table.filter(pl.col("question") == question).iter_rows(named=True)
    return {row["statistic"]: row for row in rows}


def test_the_report_has_a_section_where_people_have_rated(outputs):
    run(outputs)
    for is_rated in (False, True):
        if is_rated:
            rate(outputs, two_raters())
        found = data.read(selected(outputs, ["study"], rehearsals=False))
        anchors = [section.anchor for section in Sections(found, Words("en"), Form()).all()]
        assert ("people" in anchors) == is_rated


def test_damaged_ratings_are_named(outputs):
    run(outputs)
    rate(outputs, two_raters())
    (table,) = outputs.glob("study/*/ratings.parquet")
    table.write_bytes(b"PAR1")
    found = data.read(selected(outputs, ["study"], rehearsals=False))
    with pytest.raises(ConfigError, match=r"ratings.parquet is damaged .*: import the ratings"):
        people.rated(found)


@pytest.fixture
def outputs(tmp_path):
    return tmp_path / "outputs"


def test_means_of_the_cells_that_people_name_are_compared(outputs):
    run(outputs)
    rate(outputs, two_raters())
    page, tables = reported(outputs)
    found = by_statistic(tables["people"])
    one, two = (np.array(list(values.values()), dtype=float) for values in (MODEL, PEOPLE))
    assert {row["cells"] for row in found.values()} == {6}
    pearson = stats.pearsonr(one, two)
    assert found["pearson"]["value"] == pytest.approx(pearson.statistic, abs=1e-6)
    assert found["spearman"]["value"] == pytest.approx(stats.spearmanr(one, two)[0], abs=1e-6)
    assert found["mae"]["value"] == pytest.approx(np.abs(one - two).mean(), abs=1e-6)
    bias = found["bias"]
    ends = stats.ttest_rel(one, two).confidence_interval()
    assert (bias["value"], bias["low"], bias["high"]) == pytest.approx(
        ((one - two).mean(), *ends), abs=1e-5
    )
    assert 0 < found["icc_2_1"]["value"] < found["icc_2_1"]["high"] < 1
    assert found["alpha_interval"]["defined"] == "yes"
    among = by_statistic(tables["people_among"])
    assert among["icc_2_1"]["people"] == 2
    assert among["alpha_interval"]["value"] == pytest.approx(0.99, abs=0.01)
    assert among["icc_3_1"]["defined"] == "no_residual_people"  # they differ by 4 everywhere
    assert "What the people's ratings tell apart: text." in page
    assert list(by_statistic(tables["people"], "Q2 悲しみ")) == []
    japanese, _ = reported(outputs, "ja")
    assert "モデルと人の一致：" in japanese


def test_missing_cells_and_constant_raters_are_told_and_are_never_0_or_1(outputs):
    run(outputs, {text: value for text, value in MODEL.items() if text != "t6"})
    ratings = [
        (rater, "Q1", text, None if text == "t1" else "40")
        for text in TEXTS
        for rater in ("r1", "r2")
    ]
    unplaced = [("r1", "Q9", "t1", "1"), ("r1", "Q1", "t99", "1")]
    rate(outputs, [*ratings, *unplaced])
    page, tables = reported(outputs)
    found = by_statistic(tables["people"])
    assert found["mae"]["cells"] == 4
    assert (found["mae"]["cells_people"], found["mae"]["cells_model"]) == (5, 5)
    for name in ("pearson", "spearman"):
        assert (found[name]["value"], found[name]["defined"]) == (None, "constant_people")
    assert "2 have no value, and 2 are of items, options or levels" in page
    assert "People who rate every cell alike: r1 (Q1 面白さ), r2 (Q1 面白さ)" in page


def test_a_constant_model_correlates_with_nobody(outputs):
    run(outputs)
    rate(outputs, two_raters(item="Q2"))
    _, tables = reported(outputs)
    found = by_statistic(tables["people"], "Q2 悲しみ")
    assert (found["pearson"]["value"], found["pearson"]["defined"]) == (None, "constant_model")
    assert found["bias"]["value"] == pytest.approx(50 - np.mean(list(PEOPLE.values())), abs=1e-6)


@pytest.mark.parametrize("factors", [(), ("text",)])
def test_too_few_cells_say_so(outputs, factors):
    run(outputs)
    row = ("r1", "Q1", *(["t1"] if factors else []), "40")
    rate(outputs, [row], factors)
    page, tables = reported(outputs)
    found = by_statistic(tables["people"])
    expected = np.mean(list(MODEL.values())) if not factors else 10
    assert found["bias"]["value"] == pytest.approx(expected - 40, abs=1e-6)
    assert found["bias"]["low"] is None
    undefined = {name: row["defined"] for name, row in found.items() if row["value"] is None}
    assert undefined == dict.fromkeys(
        ("pearson", "spearman", "icc_2_1", "alpha_interval"), "few_cells"
    )
    among = by_statistic(tables["people_among"])
    assert {row["defined"] for row in among.values()} == {"one_rater_people"}
    assert "few_cells" not in page


def test_ratings_of_what_the_runs_do_not_have_are_told_and_compared_with_nothing(outputs):
    run(outputs)
    rate(outputs, [("r1", "Q1", "calm", "40"), ("r2", "Q1", "calm", "50")], ("mood",))
    page, tables = reported(outputs)
    assert "people" not in tables
    assert "There are ratings by people, but none of these questions." in page
    assert "2 are of items, options or levels" in page


def choices(folder, given):
    """Make Q1 of a run a choice."""
    path = folder / "answers.parquet"
    label = pl.col("text").replace_strict(given, return_dtype=pl.String).alias("Q1_value")
    pl.read_parquet(path).with_columns(label).write_parquet(path)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    row = manifest["experiment"]["definition"]["questions"]["Q1"]
    row |= {"options": {id_: f"option {id_}" for id_ in LABELS}, "kind": "choice"}
    row |= {"minimum": 1, "maximum": 3}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_labels_have_kappa_weights_and_a_confusion_matrix(outputs):
    model = dict(zip(TEXTS, "112233", strict=True))
    theirs = dict(zip(TEXTS, "122233", strict=True))
    choices(run(outputs), model)
    rows = [(rater, "Q1", text, label) for text, label in theirs.items() for rater in "abc"]
    rows[3:6] = [("a", "Q1", "t2", "1"), ("b", "Q1", "t2", "2"), ("c", "Q1", "t2", "2")]
    rate(outputs, rows)
    page, tables = reported(outputs)
    found = by_statistic(tables["choice_people"])
    assert found["same"]["value"] == pytest.approx(100 * 5 / 6, abs=1e-6)
    chance = (2 * 1 + 2 * 3 + 2 * 2) / 36
    assert found["kappa"]["value"] == pytest.approx((5 / 6 - chance) / (1 - chance), abs=1e-6)
    expected = sum(abs(int(a) - int(b)) for a in model.values() for b in theirs.values()) / 6
    assert found["kappa_linear"]["value"] == pytest.approx(1 - 1 / expected, abs=1e-6)
    assert found["kappa_quadratic"]["defined"] == "yes"
    pairs = tables["choice_people_confusion"]
    cells = {(str(a), str(b)): n for _, _, a, b, n in pairs.iter_rows()}
    assert cells == {("1", "1"): 1, ("1", "2"): 1, ("2", "2"): 2, ("3", "3"): 2}
    assert "alpha_nominal" in by_statistic(tables["choice_people_among"])
    assert "Choices of models beside those of people" in page


def test_a_label_that_is_always_the_same_has_no_kappa(outputs):
    choices(run(outputs), dict.fromkeys(TEXTS, "1"))
    theirs = dict(zip(TEXTS, "112233", strict=True))
    rate(outputs, [("a", "Q1", text, label) for text, label in theirs.items()])
    _, tables = reported(outputs)
    found = by_statistic(tables["choice_people"])
    assert (found["kappa"]["value"], found["kappa"]["defined"]) == (None, "constant_model")
    assert found["same"]["value"] == pytest.approx(100 / 3, abs=1e-6)
