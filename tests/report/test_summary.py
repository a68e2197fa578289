"""What the first screen says of the tables: only what they hold, and the larger level first."""

import polars as pl
import pytest

from runner.report import summary
from runner.report.page import Table, cell
from runner.report.words import Words

WORDS = Words("en")
LIMITS = {"Q1": (0, 100), "Q2": (1, 5)}


def pair(level, other, difference, p_holm, question="Q1", cells=12, comparable="yes"):
    known = difference is not None
    return {
        "question": question,
        "level": level,
        "other_level": other,
        "differences": cells,
        "difference": difference,
        "low": difference - 1 if known else None,
        "high": difference + 2 if known else None,
        "p_holm": p_holm,
        "comparable": comparable,
    }


def said(*pairs):
    means = pl.DataFrame({"question": ["Q1"], "mean": [50.0], "low": [46.0], "high": [54.0]})
    icc = pl.DataFrame({"run": ["a", "b"], "question": ["Q1", "Q1"], "icc": [0.5, None]})
    tables = {"scores_model": means, "agreement": icc}
    if pairs:
        floats = dict.fromkeys(("difference", "low", "high", "p_holm"), pl.Float64)
        tables["contrasts_model"] = pl.DataFrame(pairs, schema_overrides=floats)
    return dict(reversed([pair[::-1] for pair in summary._numbers(tables, LIMITS, WORDS)]))


def test_the_largest_difference_that_holds_is_named_the_higher_level_first():
    text = said(pair("a", "b", -12.0, 0.01), pair("a", "c", 40.0, 0.2), pair("b", "c", 3.0, 0.01))[
        "contrasts"
    ]
    assert text.startswith("Of 3 differences between models in the same cells, 2 hold")
    assert text.endswith("in Q1, b is 12.0 points above a (95 % 10.0 to 13.0).")


def test_differences_are_compared_as_shares_of_their_scales():
    text = said(pair("a", "b", 12.0, 0.01), pair("a", "b", 1.0, 0.01, "Q2"))["contrasts"]
    assert "in Q2, a is 1.0 points above b" in text


@pytest.mark.parametrize(("cells", "end"), [(3, " no corrected p can be below 0.25."), (12, "")])
def test_where_none_holds_it_is_said_whether_any_could(cells, end):
    text = said(pair("a", "b", 12.0, 0.25, cells=cells))["contrasts"]
    assert text.startswith("None of 1 differences between models")
    assert text.endswith(end or "(p < 0.05).")


def test_what_cannot_be_compared_or_is_not_known_is_not_invented():
    texts = said(pair("a", "b", None, None, cells=0, comparable="no_cell"))
    assert texts["contrasts"] == "No two models can be compared: none share two cells or more."
    assert texts["agreement"].startswith(
        "In Q1 of a, the trials of a cell agree with an ICC(1) of 0.50."
    )


def test_a_single_model_has_its_means_said():
    assert said()["scores"] == "Means: Q1 50.0 (95 % 46.0 to 54.0)."


@pytest.mark.parametrize(
    ("value", "shown"), [(-0.001, "0.00"), (-0.006, "-0.01"), (1234.5, "1,234.50")]
)
def test_no_cell_shows_less_than_nothing_where_it_rounds_to_nothing(value, shown):
    table = Table(name="t", title="t", frame=pl.DataFrame(), headers={}, codes={})
    assert cell(value, "difference", table) == shown
