"""Statistics against what a hand computes, and what has to hold whatever the values are."""

import math
from statistics import mean, stdev
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from runner.report import numbers, sections
from runner.report.numbers import Dice
from runner.report.words import Words

DICE = Dice(seed=1, draws=400)
QUICK = settings(max_examples=40, deadline=None)
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
    row = only(numbers.scores(readings([(0, 10), (0, None), (1, 20), (1, 60)]), ["run"], DICE))
    assert (row["total"], row["n"], row["missing"]) == (4, 3, 1)
    assert row["mean"] == 30
    assert row["median"] == 20
    assert row["sd"] == pytest.approx(stdev([10, 20, 60]))
    assert (row["min"], row["max"], row["cells"], row["resampled"]) == (10, 60, 2, "cells")


def test_nothing_but_missing_values_has_no_mean_and_no_interval():
    row = only(numbers.scores(readings([(0, None), (1, None)]), ["run"], DICE))
    assert (row["total"], row["n"], row["missing"]) == (2, 0, 2)
    assert {row[name] for name in ("mean", "sd", "median", "low", "high")} == {None}


def test_one_value_alone_has_no_interval():
    row = only(numbers.scores(readings([(0, 40)]), ["run"], DICE))
    assert (row["mean"], row["sd"], row["low"], row["high"]) == (40, None, None, None)


def test_the_interval_of_two_cells_runs_from_one_cells_mean_to_the_others():
    row = only(numbers.scores(readings([(0, 10), (0, 20), (1, 80), (1, 90)]), ["run"], DICE))
    assert (row["low"], row["high"]) == (15, 85)


def test_drawing_cells_gives_a_wider_interval_than_drawing_like_values_singly():
    values = [(cell, 20.0 * cell + trial) for cell in range(5) for trial in range(10)]
    wide = only(numbers.scores(readings(values), ["run"], DICE))
    alone = only(numbers.scores(readings([(0, v) for _, v in values]), ["run"], DICE))
    assert wide["high"] - wide["low"] > 1.8 * (alone["high"] - alone["low"])
    assert alone["resampled"] == "trials"


def test_the_bootstrap_of_one_cell_is_as_wide_as_theory_says():
    values = [float(v) for v in range(0, 101, 2)]
    dice = Dice(seed=3, draws=8_000)
    row = only(numbers.scores(readings([(0, v) for v in values]), ["run"], dice))
    sd = math.sqrt(sum((v - 50) ** 2 for v in values)) / len(values)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * sd, rel=0.05)


def test_cells_of_unequal_size_weigh_as_their_values_do():
    values = [(0, 0.0)] * 9 + [(1, 100.0)]
    row = only(numbers.scores(readings(values), ["run"], DICE))
    assert row["mean"] == 10
    assert (row["low"], row["high"]) == (0, 100)


@QUICK
@given(cells)
def test_n_and_missing_are_the_total_and_a_missing_value_is_never_0(values):
    frame = readings(values)
    row = only(numbers.scores(frame, ["run"], DICE))
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
        lambda frame: numbers.scores(frame, ["run"], DICE),
        lambda frame: numbers.agreement(frame, DICE),
        numbers.temperature_spread,
        lambda frame: numbers.histogram(frame, 0, 100, 20),
    ):
        assert_frame_equal(table(readings(values)), table(readings(shuffled)), rel_tol=1e-9)


@QUICK
@given(st.lists(st.integers(0, 50), min_size=2, max_size=8), st.integers(2, 5))
def test_the_interval_holds_the_mean_of_symmetric_values(halves, trials):
    values = [
        (cell, float(50 + sign * half))
        for cell, half in enumerate(halves)
        for sign in (1, -1)
        for _ in range(trials)
    ]
    row = only(numbers.scores(readings(values), ["run"], DICE))
    assert row["low"] <= row["mean"] + 1e-9
    assert row["mean"] <= row["high"] + 1e-9


@QUICK
@given(cells)
def test_the_interval_lies_between_the_smallest_and_the_largest_value(values):
    row = only(numbers.scores(readings(values), ["run"], DICE))
    if row["low"] is not None:
        assert row["min"] - 1e-9 <= row["low"] <= row["high"] <= row["max"] + 1e-9


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = [(cell, float(cell * cell % 97)) for cell in range(12)]
    first, again, other = (
        only(numbers.scores(readings(values), ["run"], Dice(seed=seed, draws=300)))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert (first["low"], first["high"]) != (other["low"], other["high"])


def test_another_group_beside_it_does_not_change_a_groups_interval():
    values = [(cell, float(cell * 7 % 50)) for cell in range(8)]
    alone = numbers.scores(readings(values), ["run"], DICE)
    beside = numbers.scores(
        pl.concat([readings(values, run="0"), readings(values)]), ["run"], DICE
    ).filter(pl.col("run") == "a")
    assert alone.equals(beside)


def test_more_draws_than_fit_at_once_are_drawn_in_parts(monkeypatch):
    values = [(cell, float(cell)) for cell in range(10)]
    monkeypatch.setattr(numbers, "AT_ONCE", 100)
    row = only(numbers.scores(readings(values), ["run"], DICE))
    assert row["low"] < 4.5 < row["high"]


def test_icc_of_a_textbook_table():
    # two cells of two: MSB = 100, MSW = 2, n0 = 2 -> (100 - 2) / (100 + 2)
    row = only(numbers.agreement(readings([(0, 9), (0, 11), (1, 19), (1, 21)]), DICE))
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
    row = only(numbers.agreement(readings(values), DICE))
    assert row["within_sd"] == pytest.approx(math.sqrt(within))
    assert row["icc"] == pytest.approx((between - within) / (between + (size - 1) * within))
    assert (row["cells"], row["cells_with_several"], row["n"]) == (3, 2, 6)


def test_trials_that_agree_in_full_have_no_spread_and_icc_1():
    row = only(numbers.agreement(readings([(0, 10), (0, 10), (1, 90), (1, 90)]), DICE))
    assert (row["within_sd"], row["icc"]) == (0, 1)


@pytest.mark.parametrize("values", [[(0, 5), (0, 7)], [(0, 5), (1, 7)], [(0, 5), (0, 5), (1, 5)]])
def test_agreement_is_not_defined_without_two_cells_or_any_repetition_or_any_variance(values):
    assert only(numbers.agreement(readings(values), DICE))["icc"] is None


def test_correlation_takes_the_requests_that_have_both_values():
    one = readings([(0, 10), (0, 20), (1, 30), (1, None), (2, 50)])
    two = readings([(0, 20), (0, 40), (1, 60), (1, 5), (2, None)], question="Q2")
    row = only(numbers.correlations(pl.concat([one, two]), DICE))
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
    row = only(numbers.correlations(both, DICE))
    top = sum((x - mean(xs)) * (y - mean(ys)) for x, y in pairs)
    bottom = (len(xs) - 1) * stdev(xs) * stdev(ys)
    assert row["pearson"] == pytest.approx(top / bottom)
    assert row["low"] <= row["pearson"] <= row["high"]


def test_a_constant_and_too_few_pairs_have_no_correlation():
    for one, two in ([[5, 5, 5], [1, 2, 3]], [[1, 2], [3, 4]]):
        both = pl.concat(
            [readings(list(enumerate(one))), readings(list(enumerate(two)), question="Q2")]
        )
        row = only(numbers.correlations(both, DICE))
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
