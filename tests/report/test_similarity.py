"""How alike levels are: over shared cells alone, worked out by hand."""

import numpy as np
import polars as pl
import pytest

from runner.report import similarity
from runner.report.similarity import alike

LIMITS = {"Q1": (0.0, 100.0), "Q2": (1.0, 5.0)}
PROFILES = {
    "a": {"t1": 10, "t2": 20, "t3": 60, "t4": None},
    "b": {"t1": 20, "t2": 30, "t3": 70, "t4": 5},
    "c": {"t1": 60, "t2": 20, "t3": 10, "t4": 90},
    "d": {"t1": 50, "t2": 50, "t3": 50, "t4": 50},
    "e": {"t3": 30, "t4": 40},
}


def readings(profiles=PROFILES, question="Q1"):
    rows = [
        (question, level, text, value and value + shift)
        for level, cells in profiles.items()
        for text, value in cells.items()
        for shift in (-1, 1)  # two trials, whose mean is the cell's
    ]
    schema = {"question": pl.String, "run": pl.String, "text": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def pairs(some, limits=LIMITS):
    table = similarity.table(alike(some, "run", ["text"], limits))
    return {frozenset(row[:2]): row[2:] for row in table.iter_rows()}


def test_only_cells_that_both_have_a_value_in_count():
    found = pairs(readings())
    assert found[frozenset("ab")] == (3, pytest.approx(1), pytest.approx(10), "yes")
    r = np.corrcoef([20, 30, 70, 5], [60, 20, 10, 90])[0, 1]
    assert found[frozenset("bc")] == (4, pytest.approx(r), pytest.approx(48.75), "yes")
    assert found[frozenset("ad")] == (3, None, pytest.approx(80 / 3), "constant_profile")
    assert found[frozenset("ae")] == (1, None, None, "few_cells_shared")
    assert found[frozenset("be")] == (2, None, None, "few_cells_shared")


def test_questions_of_other_scales_are_in_per_cent_of_theirs():
    both = pl.concat([readings(), readings({"a": {"t1": 2}, "b": {"t1": 4}}, "Q2")])
    shared, _, distance, _ = pairs(both)[frozenset("ab")]
    assert (shared, distance) == (4, pytest.approx((3 * 10 + 50) / 4))


def test_clusters_join_what_is_alike_and_leave_out_what_has_no_r():
    found = alike(readings(), "run", ["text"], LIMITS)
    assert found.tree is not None
    order = [found.levels[place] for place in found.order]
    assert sorted(order[:3]) == ["a", "b", "c"]
    assert abs(order.index("a") - order.index("b")) == 1
    assert sorted(order[3:]) == ["d", "e"]


def test_nothing_that_can_be_compared_has_no_tree():
    found = alike(readings({"a": {"t1": 1}, "b": {"t2": 2}}), "run", ["text"], LIMITS)
    assert found.tree is None
    assert similarity.table(found)["comparable"].to_list() == ["few_cells_shared"]
