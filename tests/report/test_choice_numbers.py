"""Statistics of choices against what a hand computes, and against plain counting."""

import math
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

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
    row = choices.shares(answers([1] * count + [2] * (n - count)), YES_NO, ["run"]).row(
        0, named=True
    )
    assert (row["low"], row["high"]) == pytest.approx((100 * low, 100 * high), abs=5e-3)


def by_hand(counts, sizes, n_effective=None):
    """Wilson's interval in per cent, its variance and its t from the cells one by one."""
    total = sum(sizes)
    share = sum(counts) / total
    weights = [size / total for size in sizes]
    parts = [(c - n * share) ** 2 / (1 - w) for c, n, w in zip(counts, sizes, weights, strict=True)]
    variance = sum(parts) / total**2
    pairs = [
        (w**2 if i == j else w**2 * v**2 / ((1 - w) * (1 - v)))
        for i, w in enumerate(weights)
        for j, v in enumerate(weights)
    ]
    t = special.stdtrit(1 / sum(pairs), 0.975)
    n = n_effective or share * (1 - share) / variance
    centre = (share + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * math.sqrt(share * (1 - share) / n + t * t / (4 * n * n))
    return pytest.approx((100 * (centre - half), 100 * (centre + half)), abs=1e-9), variance


@pytest.mark.parametrize(
    "cells", [([1, 1, 1], [2, 2, 2], [1, 2, 1]), ([1], [1, 2, 2, 1, 1], [2, 2], [1, None, 1])]
)
def test_in_several_cells_the_interval_goes_by_how_much_their_shares_differ(cells):
    chosen = [[value for value in cell if value] for cell in cells]
    row = choices.shares(answers(*cells), YES_NO, ["run"]).row(0, named=True)
    expected, _ = by_hand([c.count(1) for c in chosen], [len(c) for c in chosen])
    assert (row["low"], row["high"]) == expected


def test_an_option_that_nobody_chose_goes_by_the_other_options():
    cells = [1] * 9 + [2], [1] * 3 + [2] * 7, [1] * 8 + [2] * 2
    rows = choices.shares(answers(*cells), THREE, ["run"]).rows(named=True)
    _, variance = by_hand([9, 3, 8], [10] * 3)
    share = 20 / 30
    effective = share * (1 - share) / variance
    expected, _ = by_hand([0, 0, 0], [10] * 3, effective)
    assert (rows[2]["low"], rows[2]["high"]) == expected
    assert rows[2]["high"] > 50


def test_where_every_answer_is_the_same_a_cell_counts_as_one():
    rows = choices.shares(answers([1] * 10, [1] * 10, [1] * 10), YES_NO, ["run"]).rows(named=True)
    expected, _ = by_hand([10] * 3, [10] * 3, 3)
    assert (rows[0]["low"], rows[0]["high"]) == expected
    assert rows[1]["low"] == 0
    assert rows[1]["high"] == pytest.approx(100 - rows[0]["low"])


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


@pytest.mark.parametrize(
    ("ours", "theirs", "kappa"),
    [
        ([9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], 0.0),
        ([1, 2, 3, 3, 2, 1, 4, 1, 2, None], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5], 0.84482758621),
        ([1, 2, 3, 1, 4, 3, 1, 2], [1, 2, 3, 4, 4, 2, 1, 2], 0.66666666667),
    ],
)
def test_kappa_is_that_of_irr_in_r(ours, theirs, kappa):
    both = [answers(*([v] for v in some), run=run) for some, run in ((ours, "a"), (theirs, "b"))]
    row = only(choices.kappas(pl.concat(both), ["persona"]))
    assert row["kappa"] == pytest.approx(kappa, abs=1e-9)


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
