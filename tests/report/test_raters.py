"""Agreement between raters against R's values, and what holds whatever the ratings are."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.report import raters

QUICK = settings(max_examples=30, deadline=None)
N = None
TABLES = {
    "complete": [
        [9, 2, 5, 8],
        [6, 1, 3, 2],
        [8, 4, 6, 8],
        [7, 1, 2, 6],
        [10, 5, 6, 9],
        [6, 2, 4, 7],
    ],
    "missing": [
        *([1, 1, N, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4]),
        *([4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [N, 5, 5, 5], [N, N, 1, 1], [N, N, 3, N]),
    ],
    "labels": [  # 1 fear, 2 joy, 3 none, 4 sadness
        *([2, 2, 2], [1, 1, 3], [4, 4, 4], [2, 3, 2], [3, 3, 3], [4, 1, 4], [2, 2, 2], [1, 1, 1]),
    ],
    "reversed_items": [
        *([4, 3, 3, 2, 5], [6, 6, 6, 6, 2], [2, 2, 2, 1, 7], [3, N, 3, 4, 6], [5, 4, 6, 5, 2]),
        *([3, 3, 3, 4, 5], [3, 3, 5, 2, 4], [4, 5, 6, 2, 4], [3, 4, 4, 2, 3], [6, N, 5, 5, 4]),
        *([4, 4, 3, 4, 4], [4, 4, 6, 7, 2], [1, 2, 1, 1, 5], [6, 6, 6, 7, 2], [5, 3, 6, 6, 3]),
        *([1, 2, 1, 1, N], [3, 3, 2, 3, 5], [5, 4, 4, 6, 4], [4, 4, 2, 1, 5], [4, 5, 3, 5, 5]),
        *([3, 4, 4, 3, 5], [5, 4, 5, 5, 4], [5, 7, 5, 4, 3], [5, 4, 4, 6, 7]),
    ],
}
"""Rows are subjects, columns raters: Shrout and Fleiss (1979), Krippendorff (2011), two of our own."""


def ratings(name):
    return np.array(TABLES[name], dtype=float)


ICC = {  # psych 2.2.9, ICC(x, lmer=FALSE) on complete rows; ICC(2,k) as Spearman-Brown of ICC(2,1)
    "complete": (
        (0.28976377953, 0.018786513375, 0.76108436965),
        (0.6200505476, 0.071136815303, 0.92723204017),
        (0.71484071484, 0.34246476503, 0.94585825996),
    ),
    "missing": (
        (0.70065789474, 0.39736018644, 0.91761024652),
        (0.90349946978, 0.72508318137, 0.97804597137),
        (0.71717171717, 0.40771756658, 0.92396661993),
    ),
    "reversed_items": (
        (0.15966386555, 0.0026589245263, 0.39945586597),
        (0.48717948718, 0.013154713075, 0.76882796603),
        (0.15364891519, 0.0024824961245, 0.38862830412),
    ),
}
ALPHA = {  # irr 0.84.1 with a rater of gaps added, krippendorff 0.9.0, and by hand
    "complete": (-0.064814814815, 0.10905941324, 0.14730785039),
    "missing": (0.74342105263, 0.81538750375, 0.84910714286),
    "labels": (0.67605633803, None, None),
    "reversed_items": (0.095566560547, 0.21784629884, 0.24569827931),
}
KAPPA = {  # vcd 1.4-11, raters 1 and 2, over the whole scale: categories, linear, quadratic
    "complete": (10, 0, 0.10695187166),
    "missing": (5, 0.89411764706, 0.93959731544),
    "reversed_items": (7, 0.53389830508, 0.7514863258),
}
FLEISS = {  # irrCAC 1.0, all rows, five digits
    "complete": (10, -0.11111),
    "missing": (5, 0.76117),
    "labels": (4, 0.66197),
    "reversed_items": (7, 0.08975),
}


@pytest.mark.parametrize("name", ICC)
def test_the_iccs_are_those_of_r(name):
    found = raters.icc(ratings(name))
    for one, expected in zip(found.values(), ICC[name], strict=True):
        assert (one.value, one.low, one.high) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ALPHA)
def test_alpha_is_that_of_r(name):
    for metric, expected in zip(raters.METRICS, ALPHA[name], strict=True):
        if expected is not None:
            found = raters.alpha(ratings(name), metric)
            assert found.value == pytest.approx(expected, abs=1e-9)
            assert found.low < found.value < found.high


@pytest.mark.parametrize("name", KAPPA)
def test_weighted_kappa_is_that_of_r_over_the_whole_scale(name):
    categories, *expected = KAPPA[name]
    table = raters.crossed(*ratings(name)[:, :2].T, categories)
    found = [raters.weighted_kappa(table, power) for power in (1, 2)]
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", FLEISS)
def test_fleiss_kappa_is_that_of_r(name):
    categories, expected = FLEISS[name]
    assert raters.fleiss(ratings(name), categories).value == pytest.approx(expected, abs=5e-6)


def test_fleiss_kappa_of_complete_rows_is_that_of_r():
    some = ratings("missing")
    some = some[np.isfinite(some).all(axis=1)]
    assert raters.fleiss(some, 5).value == pytest.approx(0.64145658263, abs=1e-9)


def test_what_is_not_defined_is_said_and_is_no_number():
    same, constant = np.full((4, 3), 5.0), np.array([[1, 5], [2, 5], [3, 5.0]])
    lone, apart = np.array([[1.0], [2.0]]), np.array([[1, np.nan], [np.nan, 2]])
    for table, why in ((same, "alike"), (lone, "one_rater"), (apart, "no_shared_cell")):
        for metric in raters.METRICS:
            found = raters.alpha(table, metric)
            assert (found.value, found.low, found.defined) == (None, None, why)
        assert (raters.fleiss(table, 5).value, raters.fleiss(table, 5).defined) == (None, why)
    for table, why in ((same, "alike"), (lone, "one_rater"), (apart, "no_complete_cell")):
        assert {(one.value, one.defined) for one in raters.icc(table).values()} == {(None, why)}
    assert raters.spearman(*constant.T) == (3, None)
    assert raters.weighted_kappa(np.diag([0, 4.0, 0]), 1) is None
    assert raters.icc(constant)["icc_2_1"].value is not None  # one of two varies
    perfect = np.array([[1, 1], [2, 2], [4, 4.0]])
    assert raters.alpha(perfect, "interval") == raters.Found(3, 1.0)
    assert raters.icc(perfect)["icc_2_1"].defined == "no_residual"


def test_the_reliability_of_the_mean_ends_where_its_formula_turns():
    """Below ICC(2,1) = -1 / (k - 1) the Spearman-Brown transform gives numbers above 1."""
    unbounded = raters.icc(np.array([[2, 3, 4], [4, 2, 4.0]]))
    assert unbounded["icc_2_1"].low <= -1 / 2 < unbounded["icc_2_1"].value
    of_mean = unbounded["icc_2_k"]
    assert of_mean.value < 0
    assert (of_mean.low, of_mean.high) == (None, None)
    beyond = raters.icc(np.array([[1, 4, 1, 2], [2, 1, 3, 2], [3, 2, 2, 1.1]]))
    assert beyond["icc_2_1"].value <= -1 / 3
    assert beyond["icc_2_k"] == raters.Found(3, defined="too_far_below_0")


some_ratings = st.lists(
    st.lists(st.one_of(st.none(), st.integers(1, 4)), min_size=3, max_size=3),
    min_size=3,
    max_size=8,
).map(lambda rows: np.array(rows, dtype=float))


def same(one, other):
    told = np.array([(found.value, found.low, found.high) for found in (one, other)], dtype=float)
    assert one.defined == other.defined
    assert told[0] == pytest.approx(told[1], abs=1e-7, rel=1e-6, nan_ok=True)


@QUICK
@given(some_ratings, st.permutations([7.0, 1.0, 3.0, 2.0]))
def test_nominal_alpha_is_the_same_under_other_names(table, names):
    renamed = np.where(
        np.isfinite(table), np.array(names)[np.nan_to_num(table, nan=1).astype(int) - 1], np.nan
    )
    same(raters.alpha(table, "nominal"), raters.alpha(renamed, "nominal"))


@QUICK
@given(some_ratings, st.floats(1e-7, 9), st.floats(-50, 50))
def test_interval_alpha_and_the_iccs_are_the_same_on_another_scale(table, slope, shift):
    moved = slope * (table + shift)
    for one, other in zip(
        raters.of_numbers(table).values(), raters.of_numbers(moved).values(), strict=True
    ):
        same(one, other)


@QUICK
@given(some_ratings)
def test_an_interval_holds_its_statistic_and_neither_is_above_1(table):
    for found in raters.of_numbers(table).values():
        if found.low is not None:
            assert found.low <= found.value <= found.high <= 1
        assert found.value is None or found.value <= 1 + 1e-12


@QUICK
@given(some_ratings)
def test_what_is_missing_never_counts(table):
    blank = np.vstack([table, np.full((2, 3), np.nan)])
    single = np.vstack([table, [[3, np.nan, np.nan]]])
    for metric in raters.METRICS:
        same(raters.alpha(table, metric), raters.alpha(blank, metric))
        same(raters.alpha(table, metric), raters.alpha(single, metric))
    same(raters.fleiss(table, 4), raters.fleiss(blank, 4))


@QUICK
@given(some_ratings)
def test_alpha_is_that_of_its_coincidences(table):
    """As Krippendorff has it: pairs within cells, each weighed by 1 / (m - 1)."""
    pairs = [
        (a, b, 1 / (len(row) - 1))
        for row in ([v for v in row if np.isfinite(v)] for row in table)
        for i, a in enumerate(row)
        for j, b in enumerate(row)
        if i != j
    ]
    values = [v for row in table for v in row if np.isfinite(v) and np.isfinite(row).sum() > 1]
    n, kinds = len(values), sorted(set(values))
    if len(kinds) < 2 or len({n for n, row in enumerate(table) if np.isfinite(row).sum() > 1}) < 2:
        assert raters.alpha(table, "interval").value is None
        return
    between = {
        (a, b): sum(values.count(k) for k in kinds if min(a, b) <= k <= max(a, b))
        - (values.count(a) + values.count(b)) / 2
        for a in kinds
        for b in kinds
    }
    distances = (lambda a, b: a != b, lambda a, b: between[a, b] ** 2, lambda a, b: (a - b) ** 2)
    for metric, distance in zip(raters.METRICS, distances, strict=True):
        observed = sum(weight * distance(a, b) for a, b, weight in pairs) / n
        expected = sum(distance(a, b) for a in values for b in values) / (n * (n - 1))
        assert raters.alpha(table, metric).value == pytest.approx(1 - observed / expected, abs=1e-9)


def test_runs_rate_a_cell_by_their_mean_and_of_choices_by_their_most_frequent_answer():
    rows = [("a", 1, [1, 2]), ("a", 2, [3, None]), ("b", 1, [2, 2, 1]), ("b", 3, [None])]
    frame = pl.DataFrame(
        [("Q", "", run, cell, value) for run, cell, values in rows for value in values],
        schema=["question", "block", "run", "cell", "value"],
        orient="row",
    ).with_columns(pl.col("value").cast(pl.Float64))
    ((key, runs, table),) = raters.tables(frame, ["cell"])
    assert (key, runs) == (("Q", ""), ["a", "b"])
    np.testing.assert_allclose(table, [[1.5, 5 / 3], [3, np.nan]])
    ((_, _, table),) = raters.tables(frame, ["cell"], is_choice=True)
    np.testing.assert_allclose(table, [[np.nan, 2], [3, np.nan]])
    assert list(raters.constant(frame, ["cell"])) == []
    same = frame.with_columns(value=pl.lit(4.0))
    assert list(raters.constant(same, ["cell"])) == [("Q", "a"), ("Q", "b")]
    assert raters.ordered(["1", "2", "3"])
    assert not raters.ordered(["1", "3", "4"])


def test_a_confusion_matrix_counts_the_cells_and_weighs_only_what_is_in_order():
    pairs = [(1, 1), (1, 2), (2, 2), (3, 2), (3, 3), (3, 3)]
    frame = pl.DataFrame(
        [
            ("Q", "", "ab"[place], cell, pair[place])
            for cell, pair in enumerate(pairs)
            for place in (0, 1)
        ],
        schema=["question", "block", "run", "cell", "value"],
        orient="row",
    ).with_columns(pl.col("value").cast(pl.Float64))
    table = raters.confusion(frame, ["cell"], {"Q": ["1", "2", "3"]})
    counted = {(r["option"], r["other_option"]): r["cells"] for r in table.iter_rows(named=True)}
    assert counted == {("1", "1"): 1, ("1", "2"): 1, ("2", "2"): 1, ("3", "2"): 1, ("3", "3"): 2}
    expected = raters.weighted_kappa(raters.crossed(*np.array(pairs, dtype=float).T, 3), 1)
    assert set(table["kappa_linear"]) == {expected}
    named = raters.confusion(frame, ["cell"], {"Q": ["no", "yes", "perhaps"]})
    assert named["kappa_linear"].null_count() == named.height
    found = raters.agreement(frame, ["cell"], {"Q": 3})
    assert found["statistic"].to_list() == ["alpha_nominal", "fleiss"]
    assert raters.rank_correlations(frame, ["cell"])["spearman"][0] > 0.7
