"""Statistics against what a hand computes, and what has to hold whatever the values are."""

import math
from statistics import mean, stdev
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import special, stats

from runner.report import choices, numbers, sections
from runner.report.words import Words

LIMITS = {"Q1": (0.0, 100.0)}
QUICK = settings(max_examples=40, deadline=None)
REFERENCE = {
    "shrout_fleiss": {  # Shrout and Fleiss (1979), table 2; pingouin 0.7.0, as psych in R
        "rows": [
            *([9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8]),
            *([7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]),
        ],
        "icc1": 0.1657417684054755,
        "interval": (-0.13, 0.72),
    },
    "reversed_items": {  # 21 of 24 respondents, five items; pingouin 0.7.0
        "rows": [
            [4, 3, 3, 2, 5],
            [6, 6, 6, 6, 2],
            [2, 2, 2, 1, 7],
            [5, 4, 6, 5, 2],
            [3, 3, 3, 4, 5],
            [3, 3, 5, 2, 4],
            [4, 5, 6, 2, 4],
            [3, 4, 4, 2, 3],
            [4, 4, 3, 4, 4],
            [4, 4, 6, 7, 2],
            [1, 2, 1, 1, 5],
            [6, 6, 6, 7, 2],
            [5, 3, 6, 6, 3],
            [3, 3, 2, 3, 5],
            [5, 4, 4, 6, 4],
            [4, 4, 2, 1, 5],
            [4, 5, 3, 5, 5],
            [3, 4, 4, 3, 5],
            [5, 4, 5, 5, 4],
            [5, 7, 5, 4, 3],
            [5, 4, 4, 6, 7],
        ],
        "icc1": 0.16619214186935655,
        "interval": (0.01, 0.4),
    },
}
"""Ratings, their ICC(1) and its 95 % interval as other packages have them."""
CAUSES = ("missing", "truncated", "open")


def readings(values, question="Q1", run="a"):
    """Readings of (cell, value or None); every cell is a persona of its own."""
    count = len(values)
    return pl.DataFrame(
        {
            "run": [run] * count,
            "block": [""] * count,
            "persona": [f"p{cell}" for cell, _ in values],
            "text": ["t"] * count,
            "temperature": [0.5] * count,
            "cell": [cell for cell, _ in values],
            "request": list(range(count)),
            "question": [question] * count,
            "value": [value for _, value in values],
            "cause": [None if v is not None else CAUSES[i % 3] for i, (_, v) in enumerate(values)],
            "pattern": [None] * count,
            "reason_chars": [None if value is None else 5 for _, value in values],
            "failed": [False] * count,
        },
        schema_overrides={"value": pl.Float64, "cause": pl.String, "pattern": pl.String}
        | {"cell": pl.UInt32, "request": pl.UInt32, "reason_chars": pl.UInt32},
    )


cells = st.lists(
    st.tuples(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 100).map(float))),
    min_size=1,
    max_size=30,
)


def only(table):
    """The only row of a table."""
    (row,) = table.iter_rows(named=True)
    return row


def test_mean_sd_and_median_are_those_of_the_values_that_are_there():
    row = only(numbers.scores(readings([(0, 10), (0, None), (1, 20), (1, 60)]), ["run"], LIMITS))
    assert (row["total"], row["n"], row["missing"]) == (4, 3, 1)
    assert row["mean"] == 30
    assert row["median"] == 20
    assert row["sd"] == pytest.approx(stdev([10, 20, 60]))
    assert (row["min"], row["max"], row["cells"], row["interval_units"]) == (10, 60, 2, "cells")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([3, 1, None, 1], "1, 1, 3"),
        ([None], ""),
        ([7] * 60 + [5] * 1_200, "5 (×1,200), 7 (×60)"),
        ([n / 4 for n in range(101)], "0 … 25"),
    ],
)
def test_values_behind_a_cell_are_listed_and_counted_where_they_are_many(given, said):
    rows = readings([(0, value) for value in given])
    assert numbers.values(rows, rows.select("run", "cell").unique(), ["run", "cell"]) == [said]


def test_nothing_but_missing_values_has_no_mean_and_no_interval():
    row = only(numbers.scores(readings([(0, None), (1, None)]), ["run"], LIMITS))
    assert (row["total"], row["n"], row["missing"]) == (2, 0, 2)
    assert {row[name] for name in ("mean", "sd", "median", "low", "high")} == {None}


def test_one_value_alone_has_no_interval():
    row = only(numbers.scores(readings([(0, 40)]), ["run"], LIMITS))
    assert (row["mean"], row["sd"], row["low"], row["high"]) == (40, None, None, None)


def test_the_interval_of_cells_of_one_size_is_that_of_t_in_the_middle_of_a_wide_scale():
    """scipy.stats.ttest_1samp of the cells' means, on a scale so wide that its ends do not matter."""
    values = [(cell, 10.0 * cell + trial) for cell in range(6) for trial in (-1, 0, 4)]
    row = only(numbers.scores(readings(values), ["run"], {"Q1": (-1e6, 1e6)}))
    assert (row["low"], row["high"]) == pytest.approx((6.366857, 45.633143), abs=1e-3)
    assert (row["cells"], row["interval_units"]) == (6, "cells")


def test_the_interval_of_cells_of_unequal_size_is_the_cluster_robust_one():
    """CR2 and its degrees of freedom from the definition: matrices, and no formula of ours."""
    sizes = [1, 2, 2, 5, 7]
    values = [
        (cell, float(7 * cell % 5 + 3 * i % 7)) for cell, n in enumerate(sizes) for i in range(n)
    ]
    x, cell = np.array([v for _, v in values]), np.array([c for c, _ in values])
    n = len(x)
    hat = np.full((n, n), 1 / n)
    residual = np.eye(n) - hat
    parts = []
    for one in range(len(sizes)):
        mine = np.flatnonzero(cell == one)
        value, vector = np.linalg.eigh(residual[np.ix_(mine, mine)])
        root = vector @ np.diag(value**-0.5) @ vector.T
        parts.append(np.ones(len(mine)) @ root @ residual[mine] / n)
    variance = sum(float(part @ x) ** 2 for part in parts)
    inner = np.array([[one @ two for two in parts] for one in parts])
    freedom = np.trace(inner) ** 2 / (inner**2).sum()
    row = only(numbers.scores(readings(values), ["run"], {"Q1": (-1e7, 1e7)}))
    half = special.stdtrit(freedom, 0.975) * math.sqrt(variance)
    assert (row["low"], row["high"]) == pytest.approx((x.mean() - half, x.mean() + half), abs=1e-4)


def test_the_interval_is_wilsons_where_values_are_the_ends_of_the_scale():
    values = [(cell, 100.0 * (cell < 7)) for cell in range(40)]
    row = only(numbers.scores(readings(values), ["run"], LIMITS))
    count, n, t = 7, 39, special.stdtrit(39, 0.975)  # n - 1: the variance is divided by it
    share = count / 40
    centre = (share + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * math.sqrt(share * (1 - share) / n + t * t / (4 * n * n))
    assert row["low"] == pytest.approx(100 * (centre - half))
    assert row["high"] == pytest.approx(100 * (centre + half))


def test_like_values_of_several_cells_give_a_wider_interval_than_those_of_one():
    values = [(cell, 20.0 * cell + trial) for cell in range(5) for trial in range(10)]
    wide = only(numbers.scores(readings(values), ["run"], LIMITS))
    alone = only(numbers.scores(readings([(0, v) for _, v in values]), ["run"], LIMITS))
    assert wide["high"] - wide["low"] > 3 * (alone["high"] - alone["low"])
    assert alone["interval_units"] == "trials"


def test_cells_with_one_and_the_same_mean_take_the_spread_of_their_values():
    row = only(numbers.scores(readings([(0, 40), (0, 60), (1, 30), (1, 70)]), ["run"], LIMITS))
    assert row["low"] < 20 < 80 < row["high"]


@pytest.mark.parametrize("value", [0.0, 100.0, 0.1, 66.6])
def test_values_that_are_all_equal_have_neither_an_interval_nor_an_icc(value):
    frame = readings([(cell, value) for cell, n in enumerate((3, 7, 2, 9)) for _ in range(n)])
    row = only(numbers.scores(frame, ["run"], LIMITS))
    assert (row["mean"], row["low"], row["high"]) == (pytest.approx(value), None, None)
    row = only(numbers.agreement(frame))
    assert (row["icc"], row["icc_low"], row["icc_high"]) == (None, None, None)


@QUICK
@given(cells)
def test_n_and_missing_are_the_total_and_a_missing_value_is_never_0(values):
    frame = readings(values)
    row = only(numbers.scores(frame, ["run"], LIMITS))
    there = [value for _, value in values if value is not None]
    assert row["n"] == len(there)
    assert row["n"] + row["missing"] == row["total"] == len(values)
    assert row["mean"] == (pytest.approx(mean(there)) if there else None)
    if there:
        assert row["min"] == min(there)
    causes = only(numbers.missing(frame))
    counted = sum(n for name, n in causes.items() if name.startswith(numbers.CAUSE))
    assert counted == causes["missing"] == row["missing"]


@QUICK
@given(cells, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    for table in (
        lambda frame: numbers.scores(frame, ["run"], LIMITS),
        numbers.agreement,
        numbers.temperature_spread,
        lambda frame: numbers.histogram(frame, 0, 100, 20),
    ):
        assert_frame_equal(table(readings(values)), table(readings(shuffled)), rel_tol=1e-9)


@QUICK
@given(cells)
def test_the_interval_holds_the_mean_and_lies_within_the_scale(values):
    row = only(numbers.scores(readings(values), ["run"], LIMITS))
    if row["low"] is not None:
        assert -1e-9 <= row["low"] <= row["mean"] <= row["high"] <= 100 + 1e-9


def test_another_group_beside_it_does_not_change_a_groups_interval():
    values = [(cell, float(cell * 7 % 50)) for cell in range(8)]
    alone = numbers.scores(readings(values), ["run"], LIMITS)
    beside = numbers.scores(
        pl.concat([readings(values, run="0"), readings(values)]), ["run"], LIMITS
    ).filter(pl.col("run") == "a")
    assert_frame_equal(alone, beside, rel_tol=1e-12)


def test_icc_of_a_textbook_table():
    # two cells of two: MSB = 100, MSW = 2, n0 = 2 -> (100 - 2) / (100 + 2)
    row = only(numbers.agreement(readings([(0, 9), (0, 11), (1, 19), (1, 21)])))
    assert row["within_sd"] == pytest.approx(math.sqrt(2))
    assert row["icc"] == pytest.approx(98 / 102)


def test_icc_of_cells_of_unequal_size_by_the_analysis_of_variance():
    table = {0: [10.0, 14.0], 1: [30.0, 34.0, 38.0], 2: [50.0]}
    values = [(cell, value) for cell, found in table.items() for value in found]
    n, k = len(values), len(table)
    grand = mean(v for _, v in values)
    within = sum((v - mean(found)) ** 2 for found in table.values() for v in found) / (n - k)
    between = sum(len(f) * (mean(f) - grand) ** 2 for f in table.values()) / (k - 1)
    size = (n - sum(len(f) ** 2 for f in table.values()) / n) / (k - 1)
    row = only(numbers.agreement(readings(values)))
    assert row["within_sd"] == pytest.approx(math.sqrt(within))
    assert row["icc"] == pytest.approx((between - within) / (between + (size - 1) * within))
    assert (row["cells"], row["cells_with_several"], row["n"]) == (3, 2, 6)


def rated(name):
    """Readings of a table of ratings: a row is a cell, the raters are its trials."""
    table = REFERENCE[name]
    return readings([(cell, value) for cell, row in enumerate(table["rows"]) for value in row])


@pytest.mark.parametrize("name", ["shrout_fleiss", "reversed_items"])
def test_icc_and_its_interval_are_those_of_the_reference(name):
    row = only(numbers.agreement(rated(name)))
    assert row["icc"] == pytest.approx(REFERENCE[name]["icc1"], abs=1e-9)
    low, high = REFERENCE[name]["interval"]
    assert (row["icc_low"], row["icc_high"]) == pytest.approx((low, high), abs=0.005)


def test_icc_of_cells_of_unequal_size_has_the_interval_of_thomas_and_hultquist():
    table = {0: [10.0, 14.0], 1: [30.0, 34.0, 38.0], 2: [50.0], 3: [12.0, 30.0]}
    row = only(numbers.agreement(readings([(c, v) for c, found in table.items() for v in found])))
    size = len(table) / sum(1 / len(found) for found in table.values())
    within = sum((v - mean(f)) ** 2 for f in table.values() for v in f) / 4
    ratio = size * stdev([mean(found) for found in table.values()]) ** 2 / within
    ends = (ratio / 9.97919853, ratio * 15.10097889)  # qf(.975, 3, 4) and qf(.975, 4, 3) of R
    expected = [(end - 1) / (end + size - 1) for end in ends]
    assert (row["icc_low"], row["icc_high"]) == pytest.approx(expected, rel=1e-6)


def test_from_a_hundred_cells_on_the_interval_of_icc_leaves_out_one_cell_after_another():
    rng = np.random.default_rng(8)
    table = [
        rng.normal(m, 5, n)
        for m, n in zip(rng.exponential(9, 101), rng.integers(1, 5, 101), strict=True)
    ]

    def log_f(cells):
        n, k = sum(map(len, cells)), len(cells)
        grand = np.concatenate(cells).mean()
        between = sum(len(c) * (c.mean() - grand) ** 2 for c in cells) / (k - 1)
        return math.log(between / (sum(((c - c.mean()) ** 2).sum() for c in cells) / (n - k)))

    without = np.array([log_f(table[:out] + table[out + 1 :]) for out in range(101)])
    half = special.stdtrit(100, 0.975) * math.sqrt(
        100 / 101 * ((without - without.mean()) ** 2).sum()
    )
    sizes = np.array([len(cell) for cell in table])
    size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / 100
    ends = [math.exp(log_f(table) + sign * half) for sign in (-1, 1)]
    row = only(numbers.agreement(readings([(c, v) for c, cell in enumerate(table) for v in cell])))
    expected = [(end - 1) / (end + size - 1) for end in ends]
    assert (row["icc_low"], row["icc_high"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "cells",
    [
        [(1, 3), (0, 4), (2, 2)],  # all means are equal
        [
            (40, 60) * 30,
            (49, 51) * 30,
            (95,),
            (3,),
        ],  # the estimate is about 0, the interval above 0.6
    ],
)
def test_icc_without_an_interval_that_could_hold_it(cells):
    row = only(numbers.agreement(readings([(c, v) for c, some in enumerate(cells) for v in some])))
    assert (row["icc"] is None, row["icc_low"], row["icc_high"]) == (False, None, None)


def test_trials_that_agree_in_full_have_no_spread_and_icc_1_without_an_interval():
    row = only(numbers.agreement(readings([(0, 10), (0, 10), (1, 90), (1, 90)])))
    assert (row["within_sd"], row["icc"], row["icc_low"], row["icc_high"]) == (0, 1, None, None)


@pytest.mark.parametrize("values", [[(0, 5), (0, 7)], [(0, 5), (1, 7)], [(0, 5), (0, 5), (1, 5)]])
def test_agreement_is_not_defined_without_two_cells_or_any_repetition_or_any_variance(values):
    assert only(numbers.agreement(readings(values)))["icc"] is None


def test_correlation_takes_the_requests_that_have_both_values():
    one = readings([(0, 10), (0, 20), (1, 30), (1, None), (2, 50)])
    two = readings([(0, 20), (0, 40), (1, 60), (1, 5), (2, None)], question="Q2")
    row = only(numbers.correlations(pl.concat([one, two])))
    assert (row["question"], row["other"], row["n"]) == ("Q1", "Q2", 3)
    assert row["pearson"] == pytest.approx(1)
    assert row["spearman"] == pytest.approx(1)


def test_correlation_against_its_definition():
    xs, ys = [3.0, 8.0, 15.0, 40.0, 41.0, 77.0], [9.0, 2.0, 30.0, 22.0, 60.0, 50.0]
    pairs = list(zip(xs, ys, strict=True))
    both = pl.concat(
        [
            readings(list(enumerate(x for x, _ in pairs))),
            readings(list(enumerate(y for _, y in pairs)), question="Q2"),
        ]
    )
    row = only(numbers.correlations(both))
    top = sum((x - mean(xs)) * (y - mean(ys)) for x, y in pairs)
    bottom = (len(xs) - 1) * stdev(xs) * stdev(ys)
    assert row["pearson"] == pytest.approx(top / bottom)
    assert row["low"] <= row["pearson"] <= row["high"]
    assert row["spearman"] == pytest.approx(0.828571429)  # scipy.stats.spearmanr


def test_tied_values_have_the_mean_of_their_ranks():
    xs, ys = [1, 1, 2, 2, 2, 3, 3, 5], [2, 1, 2, 2, 3, 3, 1, 4]
    both = [readings(list(enumerate(v)), question=q) for q, v in (("Q1", xs), ("Q2", ys))]
    row = only(numbers.correlations(pl.concat(both)))
    assert row["spearman"] == pytest.approx(0.5192308, abs=1e-6)  # scipy.stats.spearmanr


def test_the_interval_of_a_correlation_leaves_out_one_cell_after_another():
    rng = np.random.default_rng(4)
    cell = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7])
    x = rng.normal(50, 10, 28) + cell
    y = x / 2 + rng.normal(20, 5, 28)
    both = [readings([*zip(cell, v, strict=True)], question=q) for q, v in (("Q1", x), ("Q2", y))]
    row = only(numbers.correlations(pl.concat(both)))
    z = np.arctanh([np.corrcoef(x[cell != out], y[cell != out])[0, 1] for out in range(7)])
    half = special.stdtrit(5, 0.975) * math.sqrt(6 / 7 * ((z - z.mean()) ** 2).sum())
    centre = np.arctanh(np.corrcoef(x, y)[0, 1])
    ends = (math.tanh(centre - half), math.tanh(centre + half))
    assert (row["low"], row["high"]) == pytest.approx(ends)


@pytest.mark.parametrize(
    ("xs", "ys"),
    [
        ([0, 1, 1, 1], [0, 1, 2, 3]),  # without the first cell x is constant
        ([1, 2, 3, 4], [10, 20, 30, 40]),  # r is 1
    ],
)
def test_a_correlation_that_hangs_on_one_cell_or_is_whole_has_no_interval(xs, ys):
    both = [readings(list(enumerate(v)), question=q) for q, v in (("Q1", xs), ("Q2", ys))]
    row = only(numbers.correlations(pl.concat(both)))
    assert row["pearson"] > 0.5
    assert (row["low"], row["high"]) == (None, None)


def test_a_constant_and_too_few_pairs_have_no_correlation():
    for one, two in ([[5, 5, 5], [1, 2, 3]], [[1, 2], [3, 4]]):
        both = pl.concat(
            [readings(list(enumerate(one))), readings(list(enumerate(two)), question="Q2")]
        )
        row = only(numbers.correlations(both))
        assert (row["pearson"], row["low"], row["high"], row["spearman"]) == (None,) * 4


def test_spread_by_temperature_pools_the_cells_of_one_temperature():
    frame = readings([(0, 10), (0, 14), (1, 30), (1, 30), (1, 36), (2, 50)])
    row = only(numbers.temperature_spread(frame))
    pooled = (1 * stdev([10, 14]) ** 2 + 2 * stdev([30, 30, 36]) ** 2) / 3
    assert row["within_sd"] == pytest.approx(math.sqrt(pooled))
    assert (row["cells"], row["n"], row["missing"]) == (3, 6, 0)


def test_temperatures_that_follow_persona_and_text_are_told_from_those_that_do_not():
    frame = readings([(0, 1), (1, 2)])
    varied = frame.with_columns(temperature=pl.col("cell") / 10)
    both = pl.concat([frame, frame.with_columns(temperature=pl.lit(0.9))])
    told = ("persona", "text")
    assert numbers.confounded(frame, told) == []
    assert numbers.confounded(varied, told) == ["persona", "text"]
    assert numbers.confounded(both, told) == []


def test_models_of_one_temperature_each_are_not_confounded_with_the_factors():
    one = readings([(0, 1), (1, 2)], run="a")
    two = readings([(0, 1), (1, 2)], run="b").with_columns(temperature=pl.lit(0.9))
    assert numbers.confounded(pl.concat([one, two]), ("persona", "text")) == []


def test_the_temperature_stands_for_the_factors_of_the_runs_that_have_several():
    none = pl.lit(None, dtype=pl.String)
    ours = readings([(0, 1), (1, 2)], run="a").with_columns(review=none)
    theirs = readings([(0, 1), (1, 2)], run="b").with_columns(
        review=pl.col("persona"), persona=none, text=none, temperature=pl.col("cell") / 10
    )
    factors = ("persona", "text", "review")
    assert numbers.confounded(pl.concat([ours, theirs]), factors) == ["review"]


def test_an_absent_reason_has_no_length():
    frame = readings([(0, 1), (0, 2), (0, None)]).with_columns(
        reason_chars=pl.Series([10, 30, None], dtype=pl.UInt32)
    )
    row = only(numbers.reason_lengths(frame))
    assert (row["total"], row["n"], row["missing"], row["mean"], row["min"]) == (3, 2, 1, 20, 10)


@QUICK
@given(cells)
def test_a_histogram_holds_every_value_once(values):
    table = numbers.histogram(readings(values), 0, 100, 20)
    assert table["n"].sum() == sum(value is not None for _, value in values)
    assert table["bin"].is_between(0, 19).all()


def test_how_imported_requests_ended_is_not_known():
    counts = pl.DataFrame(
        {
            "run": ["ours", "ours", "theirs"],
            "status": ["success", "failed", "imported"],
            "requests": [8, 2, 5],
            "attempts": [9, 6, None],
            "lost": [0, 1, None],
        }
    )
    ours, theirs = numbers.statuses(counts).iter_rows(named=True)
    assert (ours["total"], ours["success"], ours["failed"], ours["attempts"]) == (10, 8, 2, 15)
    assert (theirs["total"], theirs["imported"], theirs["success"]) == (5, 5, None)
    assert (theirs["attempts"], theirs["lost"]) == (None, None)


def test_a_persona_without_a_text_is_not_said_to_be_both():
    frame = readings([(0, 1), (1, 2)]).with_columns(temperature=pl.col("cell") / 10).drop("text")
    told = SimpleNamespace(readings=frame, factors=("persona",))
    assert "text" not in sections.confounded(told, Words("en"), "x")[0]


@pytest.mark.parametrize(
    ("low", "high", "step"), [(0, 1, 0.05), (1, 5, 0.2), (0, 1, 0.1), (-3, 3, 0.3), (1, 2, 0.05)]
)
def test_a_value_on_the_border_of_two_bins_is_in_the_upper_one(low, high, step):
    count = round((high - low) / step)
    values = [(0, round(low + place * step, 2)) for place in range(count)]
    bins = numbers.histogram(readings(values), low, high, 20)
    assert bins["bin"].to_list() == [place * 20 // count for place in range(count)]


@pytest.mark.parametrize("name", ["len", "sum", "place", "share", "tops", "effective", "between"])
def test_a_factor_may_be_called_as_a_step_of_a_computation(name):
    frame = readings([(0, 1), (0, 2), (1, 2), (1, 2)]).rename({"persona": name})
    assert numbers.scores(frame, ["run", name], LIMITS).height == 2
    assert numbers.confounded(frame, (name, "text")) == []
    options = {"Q1": (("a", "a"), ("b", "b"))}
    assert choices.shares(frame, options, ["run", name]).height == 4
    both = pl.concat([frame, frame.with_columns(run=pl.lit("b"))])
    assert choices.kappas(both, [name]).height == 1


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=30),
    st.lists(st.just(None), max_size=3),
)
def test_skewness_and_kurtosis_are_scipys_and_missing_values_are_left_out(values, gone):
    every = [float(value) for value in values] + gone
    frame = pl.DataFrame({"value": every}, schema={"value": pl.Float64}).with_columns(
        run=pl.lit("a"), question=pl.lit("Q1")
    )
    row = numbers.shape(frame).row(0, named=True)
    assert row["n"] == len(values)
    varies = len(set(values)) > 1
    for name, least, known in (("skewness", 3, stats.skew), ("kurtosis", 4, stats.kurtosis)):
        if len(values) >= least and varies:
            assert row[name] == pytest.approx(known(values, bias=False), abs=1e-9)
        else:
            assert row[name] is None
