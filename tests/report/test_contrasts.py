"""Paired contrasts against what a hand computes, and what holds whatever the values are."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from runner.report import contrasts as module
from runner.report.contrasts import cliffs_delta, contrasts, holm, least_p, paired, sign_flip_p

QUICK = settings(max_examples=30, deadline=None)
NUMBERS = ["differences", "difference", "low", "high", "d", "delta", "p", "p_holm"]


def readings(*rows, temperature=0.5):
    """Readings from run, persona, text and values; None is missing."""
    frame = pl.DataFrame(
        [
            (run, "", persona, text, t, value)
            for run, persona, text, values, *more in rows
            for t in [more[0] if more else temperature]
            for value in values
        ],
        schema=["run", "block", "persona", "text", "temperature", "value"],
        orient="row",
    )
    return frame.with_columns(pl.lit("Q").alias("question"), pl.col("value").cast(pl.Float64))


def models(a, b):
    """Readings of two models in the cells of one persona."""
    both = [("a", values) for values in a], [("b", values) for values in b]
    rows = [(run, "p", f"t{n:02d}", v) for one in both for n, (run, v) in enumerate(one)]
    return readings(*rows)


def of_models(frame):
    return contrasts(frame, "run", ["persona", "text", "temperature"]).rows(named=True)


def test_a_difference_is_that_of_a_paired_t_test_on_the_means_of_the_cells():
    a = [[10, 20], [30], [50, 60, 70], [11]]
    b = [[12, 12, 12], [40, 50], [50], [30]]
    (row,) = of_models(models(a, b))
    one, two = ([np.mean(cell) for cell in cells] for cells in (a, b))
    test = stats.ttest_rel(two, one)
    low, high = test.confidence_interval(0.95)
    assert (row["level"], row["other_level"], row["differences"]) == ("b", "a", 4)
    assert row["difference"] == pytest.approx(np.mean(two) - np.mean(one))
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert row["d"] == pytest.approx(test.statistic / 2)
    pairs = [np.sign(x - y) for x in two for y in one]
    assert row["delta"] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("count", [2, 5, 9])
def test_p_is_that_of_trying_all_signs(count):
    values = np.random.default_rng(count).integers(-3, 6, count).astype(float)
    sums = [abs(np.dot(signs, values)) for signs in product((-1, 1), repeat=count)]
    assert sign_flip_p(values[None])[0] == np.mean(np.array(sums) >= abs(values.sum()))


def test_the_smallest_p_is_said_and_reached():
    assert sign_flip_p(np.ones((1, 12)))[0] == least_p(12) == 2**-11
    assert sign_flip_p(np.ones((1, 40)))[0] == least_p(40) == 1e-4


def test_many_signs_are_drawn_and_come_near_the_p_of_all_of_them(monkeypatch):
    values = np.random.default_rng(1).normal(0.4, 1, (3, 12))
    exact = sign_flip_p(values)
    monkeypatch.setattr(module, "MOST_CELLS_TRIED", 5)
    drawn = sign_flip_p(values)
    assert drawn == pytest.approx(exact, abs=0.015)
    assert (drawn == sign_flip_p(values)).all()


def test_holm_raises_each_p_by_how_many_are_left_and_never_orders_them_anew():
    assert holm(np.array([0.01, 0.04, np.nan, 0.03])) == pytest.approx(
        [0.03, 0.06, np.nan, 0.06], nan_ok=True
    )
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])


@QUICK
@given(
    st.lists(
        st.tuples(*[st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=3)] * 2),
        min_size=1,
        max_size=6,
    )
)
def test_contrasts_are_antisymmetric_and_never_count_what_is_missing(cells):
    a, b = ([cell[n] for cell in cells] for n in (0, 1))
    if not (any(a) and any(b)):
        return
    (row,), (turned,) = of_models(models(a, b)), of_models(models(b, a))
    for name in ("difference", "d", "delta"):
        assert turned[name] == pytest.approx(row[name] if row[name] is None else -row[name])
    assert turned["p"] == pytest.approx(row["p"])
    if row["low"] is not None:
        assert (turned["low"], turned["high"]) == pytest.approx((-row["high"], -row["low"]))
    none = (
        [[v for v in cell if v is not None] for cell in a],
        [[v for v in cell if v is not None] for cell in b],
    )
    if any(none[0]) and any(none[1]):
        (without,) = of_models(models(*none))
        assert [without[n] for n in NUMBERS] == pytest.approx([row[n] for n in NUMBERS])
    assert row["differences"] == sum(bool(x and y) for x, y in zip(*none, strict=True))


def test_why_two_levels_cannot_be_compared_is_said():
    frame = readings(
        *[("a", "p", text, [1, 2]) for text in ("t1", "t2", "t3")],
        *[("b", "p", text, [1, 5]) for text in ("t1", "t2")],
        *[("cold", "p", text, [1, 2], 0.0) for text in ("t1", "t2")],
        ("once", "p", "t3", [4]),
        ("silent", "p", "t1", [None]),
        ("apart", "p", "t9", [4]),
    )
    why = {(row["level"], row["other_level"]): row for row in of_models(frame)}
    said = {pair: row["comparable"] for pair, row in why.items()}
    assert said["b", "a"] == "yes"
    assert said["cold", "a"] == "temperatures"
    assert said["once", "a"] == "one_cell"
    assert said["silent", "a"] == "no_value"
    assert said["apart", "b" if ("apart", "b") in said else "a"] == "no_cell"
    for row in why.values():
        if row["comparable"] != "yes":
            assert {row[name] for name in NUMBERS[1:]} == {None}


def test_where_all_differences_are_the_same_there_is_no_interval():
    (row,) = of_models(models([[1], [5], [9]], [[3], [7], [11]]))
    assert (row["difference"], row["low"], row["high"], row["d"]) == (2, None, None, None)
    assert row["p"] == 0.25


def test_between_levels_of_a_factor_models_are_not_counted_as_cells():
    rows = [
        (run, persona, text, [shift + 10 * n + (text == "t2") * (5 + n)])
        for run, shift in (("a", 0), ("b", 30), ("c", 7))
        for n, persona in enumerate(("p1", "p2", "p3"))
        for text in ("t1", "t2")
    ]
    (row,) = contrasts(readings(*rows), "text", ["run", "persona"]).rows(named=True)
    assert (row["differences"], row["difference"]) == (3, pytest.approx(6))
    (row,) = contrasts(readings(*rows), "text", ["run"]).rows(named=True)
    assert row["differences"] == 3  # no other factor: one of each model


def test_a_model_that_lacks_one_of_the_levels_takes_no_part_in_the_difference():
    rows = [
        (run, p, t, [v]) for run, v in (("a", 1), ("b", 90)) for p in "xy" for t in ("t1", "t2")
    ]
    rows.remove(("b", "x", "t2", [90]))
    (row,) = contrasts(readings(*rows), "text", ["run", "persona"]).rows(named=True)
    assert row["difference"] == 0


def test_options_are_compared_by_their_shares_and_corrected_together():
    frame = models([[1, 1], [2, 1], [1, 1], [2, 2]], [[2, 2], [2, 2], [1, 2], [2, 2]])
    table = contrasts(frame, "run", ["text"], {"Q": [("yes", "yes"), ("no", "no")]})
    yes, no = table.rows(named=True)
    assert (yes["option"], no["option"]) == ("yes", "no")
    assert yes["difference"] == pytest.approx(100 * (0.5 / 4 - 2.5 / 4)) == -no["difference"]
    assert yes["p_holm"] == min(1, 2 * yes["p"])


def test_the_level_that_shares_most_cells_is_the_one_that_others_are_compared_with():
    frame = readings(
        ("a", "p", "t1", [1]),
        *[("b", "p", text, [2]) for text in ("t1", "t2", "t3", "t4")],
        *[("c", "p", text, [3]) for text in ("t1", "t2")],
        *[("d", "p", text, [3]) for text in ("t3", "t4")],
    )
    assert of_models(frame)[0]["other_level"] == "b"


@QUICK
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.integers(0, 99))
def test_cliffs_delta_is_that_of_counting_all_pairs(values, seed):
    one = np.array(values, dtype=float)
    other = np.random.default_rng(seed).permutation(one[::-1] // 2 + seed % 3)
    assert cliffs_delta(one, other) == pytest.approx(np.sign(one[:, None] - other).mean())


def test_a_row_of_differences_counts_only_what_is_there():
    with_gaps = np.array([[1.0, np.nan, 3.0, 8.0], [2.0, 2.0, np.nan, np.nan]])
    mean, half, d = paired(with_gaps)
    assert mean == pytest.approx([4, 2])
    assert half[0] == pytest.approx(stats.t.ppf(0.975, 2) * np.std([1, 3, 8], ddof=1) / 3**0.5)
    assert np.isnan([half[1], d[1]]).all()
