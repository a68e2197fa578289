"""Whether what is shown first is answered otherwise: by hand, by simulation, and in a report."""

import json

import numpy as np
import polars as pl
import pytest

from runner.report import write_report
from runner.report.positions import by_place, chosen
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run

IDS = ("a", "b", "ab")


def test_the_place_of_the_option_that_was_chosen():
    rows = {
        "q_order": ["a; b; ab", "ab; a; b", "b; ab; a", "b; a; ab", None],
        "q_value": ["a", "ab", "a", "none of them", "a"],
    }
    assert chosen(pl.LazyFrame(rows), "q") == {1: 2, 3: 1}


def test_the_mean_of_an_item_at_a_place_less_its_mean_elsewhere():
    rows = {
        "items_order": ["x; y", "x; y", "y; x", "y; x", "x; y", "y; x"],
        "x_value": [10, 20, 5, 7, 30, 40],
        "cell": [1, 1, 1, 2, 3, 3],
    }
    first, second = by_place(pl.LazyFrame(rows), "x", ["cell"])
    assert first[:5] == [1, 3, 20.0, 2, (15 - 5 + 30 - 40) / 2]
    assert second[:5] == [2, 3, pytest.approx((5 + 7 + 40) / 3), 2, 0.0]


def studies(effect, count, cells=12, trials=6):
    """The p of what is shown first: of an item whose values are higher by so much there."""
    dice = np.random.default_rng(5)
    for _ in range(count):
        orders = ["; ".join(dice.permutation(["x", "y", "z"])) for _ in range(cells * trials)]
        cell = np.repeat(np.arange(cells), trials)
        first = np.array([order.startswith("x") for order in orders])
        value = dice.normal(50, 10, cells)[cell] + dice.normal(0, 10, len(cell)) + effect * first
        rows = pl.LazyFrame({"items_order": orders, "x_value": value, "cell": cell})
        yield next(by_place(rows, "x", ["cell"]))[7]


def test_an_item_that_matters_where_it_stands_first_is_found_and_others_are_not():
    assert np.mean([p < 0.05 for p in studies(0, 100)]) <= 0.1  # 5 % of many
    assert np.mean([p < 0.05 for p in studies(15, 20)]) >= 0.9


def test_a_report_says_it_where_something_was_shuffled(tmp_path):
    run = stored_run(tmp_path, small_study())
    answers = pl.read_parquet(run / "answers.parquet")
    first = pl.int_range(pl.len()) % 2 == 0
    order = pl.when(first).then(pl.lit("Q1; Q2")).otherwise(pl.lit("Q2; Q1")).alias("items_order")
    answers.with_columns(order).write_parquet(run / "answers.parquet")
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    shuffle = {"items": "random", "options": "fixed", "seed": 1}
    manifest["experiment"]["definition"]["shuffle"] = shuffle
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    written = write_report(
        selected(tmp_path, ["study"], rehearsals=False), tmp_path / "r", language="en"
    )
    (path,) = [path for path in written.tables if path.stem == "item_places"]
    table = pl.read_csv(path)
    valid = answers.filter(pl.col("status") != "open")
    for key, question in (("Q1", "Q1 面白さ"), ("Q2", "Q2 悲しみ")):
        of_it = table.filter(pl.col("question") == question)
        assert of_it["place"].to_list() == [1, 2]
        assert of_it["n"].sum() == valid[f"{key}_value"].count()  # a missing value counts nowhere
    assert "Effects of position" not in (text := written.page.read_text(encoding="utf-8"))
    assert "Effects of the place shown" in text
