"""No factor has a column of the tables that is called like another one."""

import pytest

from runner.batches.attempts import HEAD, TAIL
from runner.config.columns import OF_ANSWERS, check_columns
from runner.config.factors import FACTOR_NAME, TAKEN
from runner.core.errors import ConfigError
from runner.core.model import Factor, Level
from runner.report.data import read
from runner.tables.codebook import COLUMNS
from runner.tables.formats import LONG, STUDY
from runner.tables.runs import selected


def factor(name, *kept):
    level = Level(id="a", kept=dict.fromkeys(kept, 1))
    return {name: Factor(name=name, levels={"a": level})}


def test_factors_with_columns_of_their_own_are_taken():
    check_columns(factor("review", "stars", "名 前") | factor("wording"), ["Q1", "sentiment"])


@pytest.mark.parametrize(
    ("factors", "column"),
    [
        (factor("finish", "reason"), "finish_reason"),
        (factor("sentiment", "value"), "sentiment_value"),
        (factor("q1", "Cause"), "q1_Cause"),
        (factor("review", "stars", "Stars"), "review_Stars"),
        (factor("a", "b_c") | factor("a_b", "c"), "a_b_c"),
        (factor("a", "b") | factor("a_b"), "a_b"),
    ],
)
def test_a_column_that_is_called_like_another_is_refused(factors, column):
    with pytest.raises(ConfigError, match=f"its column {column} would be called like the column"):
        check_columns(factors, ["Q1", "sentiment"])


def test_every_column_that_a_table_has_is_known():
    known = set(COLUMNS) - {"persona", "persona_name", "text", "title", "author"}
    assert known | set(HEAD) | set(TAIL) <= OF_ANSWERS
    assert {*LONG, *STUDY} - {"persona", "text"} <= OF_ANSWERS


@pytest.mark.long
def test_no_factor_may_be_called_like_a_column_of_the_report(report, outputs):
    names = set(read(selected(outputs, ["study"], rehearsals=False)).readings.columns)
    for path in report.tables:
        if path.stem.startswith(("alike_", "contrasts_")):
            continue  # levels are in its rows, of whatever factor
        if path.stem.startswith("scores_") or path.stem.endswith("_model"):
            names |= set(path.read_text(encoding="utf-8-sig").split("\n")[0].split(","))
    possible = {name for name in names if FACTOR_NAME.fullmatch(name)}
    assert possible - {"persona", "text"} <= TAKEN
