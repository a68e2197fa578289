"""How many trials are enough, against what a hand computes."""

import polars as pl
import pytest
from scipy import stats

from runner.report.precision import precision

LIMITS = {"Q1": (0.0, 100.0)}


def table(icc=0.5, within_sd=10.0, cells=4, n=12):
    names = ("run", "question", "cells", "n", "within_sd", "icc")
    return pl.DataFrame([("a", "Q1", cells, n, within_sd, icc)], schema=names, orient="row")


def test_the_half_width_is_that_of_the_variance_components():
    row = precision(table(), LIMITS).row(0, named=True)
    t = stats.t.ppf(0.975, 3)
    assert (row["trials"], row["between_sd"]) == (3, pytest.approx(10))
    assert row["half_1"] == pytest.approx(t * (200 / 4) ** 0.5)
    assert row["half_10"] == pytest.approx(t * (110 / 4) ** 0.5)
    assert row["half_all"] == pytest.approx(t * (100 / 4) ** 0.5)


def test_a_condition_needs_as_many_trials_as_its_t_interval_says():
    row = precision(table(), LIMITS).row(0, named=True)
    for name, width in (("needed_5", 5), ("needed_2_5", 2.5)):
        n = row[name]
        halves = [stats.t.ppf(0.975, k - 1) * 10 / k**0.5 for k in (n - 1, n)]
        assert halves[0] > width >= halves[1]
    assert precision(table(within_sd=90.0), LIMITS)["needed_2_5"].to_list() == [None]


def test_a_negative_component_is_0_and_what_is_not_known_is_left_out():
    assert precision(table(icc=-0.2), LIMITS)["between_sd"].to_list() == [0]
    for unknown in (table(icc=None), table(within_sd=0.0, icc=1.0)):
        assert precision(unknown, LIMITS).height == 0
