"""custom_ids, one by one and in columns: one rule for both."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.custom_id import LEGAL, custom_id, parse
from runner.core.model import Stem
from runner.tables import custom_ids

STEMS = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True).map(Stem)
TRIALS = st.integers(1, 10**6)


@given(STEMS, TRIALS)
def test_what_is_written_is_parsed(stem: Stem, trial: int) -> None:
    name = custom_id(stem, trial)
    assert parse(name) == (stem, trial)
    assert LEGAL.fullmatch(name)


@given(st.lists(st.tuples(STEMS, TRIALS), min_size=1))
def test_columns_are_written_and_parsed_alike(rows: list[tuple[Stem, int]]) -> None:
    schema = {"stem": pl.String, "trial": pl.Int64}
    names = pl.DataFrame(rows, schema=schema, orient="row").select(custom_ids.written())[
        "custom_id"
    ]
    assert names.to_list() == [custom_id(*row) for row in rows]
    stems, trials = custom_ids.parsed(names)
    assert list(zip(stems, trials, strict=True)) == rows


@pytest.mark.parametrize("name", ["", "p1_t1", "p1_t1_n", "p1_t1_n1", "p1_t1_n001", "p1_t1_n01x"])
def test_what_is_none_of_ours_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no custom_id of this program"):
        parse(name)
