"""Statistics of choices against what a hand computes, and against plain counting."""

import math
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.report import choices
from tests.report.test_numbers import only, readings

YES_NO = {"Q1": (("yes", "yes"), ("no", "no"))}
THREE = {"Q1": (("a", "a"), ("b", "b"), ("c", "c"))}
QUICK = settings(max_examples=40, deadline=None)
SUM = 100.0


def answers(*cells, run="a"):
    """Readings of one run: for each cell the numbers of the options chosen, None where missing."""
    return readings([(cell, value) for cell, some in enumerate(cells) for value in some], run=run)


def test_the_shares_are_of_the_valid_answers_and_an_option_nobody_chose_is_there():
    table = choices.shares(answers([1, 1, 3, None]), THREE, ["run"])
    assert table["option"].to_list() == ["a", "b", "c"]
    assert table["count"].to_list() == [2, 0, 1]
    assert table["percent"].to_list() == pytest.approx([200 / 3, 0, 100 / 3])
    for column, number in (("n", 3), ("missing", 1), ("total", 4)):
        assert table[column].to_list() == [number] * 3


def test_a_group_without_any_answer_has_no_share():
    table = choices.shares(answers([None, None]), YES_NO, ["run"])
    assert table["count"].to_list() == [0, 0]
    assert table["total"].to_list() == [2, 2]
    for column in ("percent", "low", "high"):
        assert table[column].null_count() == 2


def test_what_was_shown_stands_beside_the_id_where_it_is_another_word():
    assert "shown" not in choices.shares(answers([1]), YES_NO, ["run"]).columns
    shown = choices.shares(answers([1]), {"Q1": (("y", "Yes!"), ("n", "n"))}, ["run"])
    assert shown.select("option", "shown").rows() == [("y", "Yes!"), ("n", "n")]


def test_a_temperature_that_was_not_sent_is_a_level_like_any_other():
    frame = answers([1, 1, 2]).with_columns(temperature=pl.lit(None, dtype=pl.Float64))
    table = choices.shares(frame, YES_NO, ["run", "temperature"])
    assert table["count"].to_list() == [2, 1]


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(count, n, low, high):
    """The method without continuity correction of R. G. Newcombe (1998), Statistics in Medicine 17."""
    frame = pl.DataFrame({"count": [count], "n": [n]})
    ends = choices.wilson(pl.col("count"), pl.col("n"))
    found = frame.select(low=ends[0], high=ends[1])
    assert found.row(0) == pytest.approx((low, high), abs=5e-5)


@QUICK
@given(st.lists(st.one_of(st.none(), st.integers(1, 3)), min_size=1, max_size=40))
def test_the_shares_of_any_answers_are_those_of_plain_counting(values):
    table = choices.shares(answers(values), THREE, ["run"])
    counted = Counter(values)
    n = len(values) - counted[None]
    for number, row in enumerate(table.iter_rows(named=True), 1):
        assert (row["count"], row["n"], row["missing"]) == (counted[number], n, counted[None])
        if n:
            assert row["percent"] == pytest.approx(100 * counted[number] / n)
            assert 0 <= row["low"] <= row["percent"] + 1e-9 <= row["high"] + 2e-9 <= SUM + 1e-6
    assert n == 0 or math.isclose(table["percent"].sum(), SUM)


def test_consistency_is_the_share_of_each_cells_most_frequent_answer():
    row = only(choices.consistency(answers([1, 1, 2], [2, 2], [3], [None, 1], [1, 2, 3, None])))
    assert (row["cells"], row["n"]) == (3, 8)
    assert row["consistency"] == pytest.approx(100 * (2 + 2 + 1) / 8)


def test_without_a_cell_of_two_answers_there_is_no_consistency():
    row = only(choices.consistency(answers([1], [None, 2], [None])))
    assert (row["cells"], row["n"], row["consistency"]) == (0, 0, None)


def pair(table):
    """Readings of two runs with one answer a cell, from how often each pair of answers occurs."""
    both = [key for key, count in table.items() for _ in range(count)]
    return pl.concat(
        [answers(*([value[place]] for value in both), run="ab"[place]) for place in (0, 1)]
    )


def test_kappa_is_that_of_the_textbook():
    row = only(choices.kappas(pair({(1, 1): 20, (1, 2): 5, (2, 1): 10, (2, 2): 15}), ["persona"]))
    assert (row["run"], row["other_run"], row["cells"], row["ties"]) == ("a", "b", 50, 0)
    assert row["agreement"] == pytest.approx(70)
    assert row["kappa"] == pytest.approx(0.4)


def test_kappa_below_chance_is_below_zero_and_of_three_options_as_well():
    counts = {(1, 2): 3, (2, 3): 4, (3, 3): 1, (1, 1): 2}
    n = sum(counts.values())
    same = sum(count for (one, two), count in counts.items() if one == two) / n
    shares = [Counter(), Counter()]
    for key, count in counts.items():
        for place, value in enumerate(key):
            shares[place][value] += count / n
    chance = sum(shares[0][value] * shares[1][value] for value in (1, 2, 3))
    row = only(choices.kappas(pair(counts), ["persona"]))
    assert row["kappa"] == pytest.approx((same - chance) / (1 - chance))
    opposite = only(choices.kappas(pair({(1, 2): 3, (2, 1): 3}), ["persona"]))
    assert (opposite["agreement"], opposite["kappa"]) == (0, pytest.approx(-1))


def test_a_cells_answer_is_its_most_frequent_one_and_a_tie_is_none():
    ours = answers([1, 1, 2], [2, 2, 1], [1, 2], [1], run="a")
    theirs = answers([1], [2, 2], [1], [None], run="b")
    row = only(choices.kappas(pl.concat([ours, theirs]), ["persona"]))
    assert (row["cells"], row["ties"], row["agreement"]) == (2, 1, 100)
    assert row["kappa"] == pytest.approx(1)
    swapped = pl.concat([theirs.with_columns(run=pl.lit("a")), ours.with_columns(run=pl.lit("b"))])
    turned = only(choices.kappas(swapped, ["persona"]))
    assert turned == row


def test_one_option_everywhere_has_no_kappa():
    row = only(choices.kappas(pair({(1, 1): 4}), ["persona"]))
    assert (row["agreement"], row["kappa"]) == (100, None)


def test_two_runs_are_compared_from_two_shared_cells_on():
    assert choices.kappas(pair({(1, 1): 1}), ["persona"]).height == 0
    assert choices.kappas(pair({(1, 1): 1, (2, 2): 1}), ["persona"]).height == 1
    tied = pl.concat([answers([1, 2], [1, 2], [1], run="a"), answers([1], [1], [1], run="b")])
    row = only(choices.kappas(tied, ["persona"]))
    assert (row["cells"], row["ties"], row["agreement"], row["kappa"]) == (1, 2, None, None)


def test_a_cell_at_another_temperature_or_level_is_another_one():
    both = pair({(1, 1): 2, (2, 2): 2})
    other = pl.when(pl.col("run") == "b").then(0.9).otherwise(0.5)
    assert choices.kappas(both.with_columns(temperature=other), ["persona"]).height == 0
    unknown = both.with_columns(temperature=pl.lit(None, dtype=pl.Float64))
    assert choices.kappas(unknown, ["persona"]).height == 1
    renamed = pl.col("run") + pl.col("persona")
    assert choices.kappas(both.with_columns(persona=renamed), ["persona"]).height == 0
