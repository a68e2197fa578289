"""A sheet on which somebody checks what was read: drawn by pattern, and read back."""

import csv
import io
import json
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.errors import ConfigError
from runner.tables.audit import COLUMNS, RECORD, SHEET, allotted, sample

ASKED = {"Q1": "面白さ (whole number from 0 to 100)", "Q2": "悲しみ"}


def answers(*rows):
    """Rows of answers; of each question the pattern, None: there is no value."""
    table = [
        {
            "custom_id": f"c{n}",
            "raw_answer": text,
            **{
                f"{key}_{part}": cell
                for key, pattern in zip(ASKED, patterns, strict=True)
                for part, cell in (
                    ("value", None if pattern is None else n),
                    ("reason", "=1+1"),
                    ("pattern", pattern),
                    ("cause", "missing" if pattern is None else None),
                )
            },
        }
        for n, (text, *patterns) in enumerate(rows)
    ]
    return pl.DataFrame(table, infer_schema_length=None)


MANY = [answers(*[(f"answer {n}", "form", "bare" if n < 3 else None) for n in range(40)])]


def read(folder):
    text = (folder / SHEET).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_pattern_is_drawn_as_evenly_as_it_can_be_and_so_is_what_was_not_found(tmp_path):
    drawn = sample(MANY, ASKED, tmp_path, n=20, seed=1)
    assert (drawn.drawn, drawn.readings, drawn.strata) == (20, 80, 3)
    rows = read(tmp_path)
    assert Counter(row["pattern"] for row in rows) == {"form": 9, "none": 8, "bare": 3}
    assert list(rows[0]) == list(COLUMNS)
    assert {(row["verdict"], row["right"]) for row in rows} == {("", "")}
    assert len({(row["custom_id"], row["question"]) for row in rows}) == 20
    strata = json.loads((tmp_path / RECORD).read_text(encoding="utf-8"))["strata"]
    assert {(s["pattern"], s["read"], s["readings"], s["drawn"]) for s in strata} == {
        *(("form", True, 40, 9), ("bare", True, 3, 3), ("none", False, 37, 8)),
    }


def test_the_rows_are_mixed_so_that_the_first_of_them_are_a_sample_too(tmp_path):
    sample(MANY, ASKED, tmp_path, n=20, seed=1)
    patterns = [row["pattern"] for row in read(tmp_path)]
    assert len(set(patterns[:6])) > 1
    assert patterns != sorted(patterns)


def test_the_same_seed_draws_the_same_however_the_table_is_cut(tmp_path):
    cut = [MANY[0][20:], MANY[0][:20]]
    for place, frames, seed in (("a", MANY, 1), ("b", cut, 1), ("c", MANY, 2)):
        sample(frames, ASKED, tmp_path / place, n=20, seed=seed)
    first, again, other = ((tmp_path / p / SHEET).read_bytes() for p in "abc")
    assert first == again != other


def test_no_cell_is_a_formula_and_none_is_longer_than_a_cell_may_be(tmp_path):
    long_, plain = "あ" * 40_000, "@SUM(1)\r\nQ1: 5\r"
    sample([answers((long_, "-x", None), (plain, "-x", None))], ASKED, tmp_path, n=4, seed=1)
    rows = read(tmp_path)
    assert {row["reason"] for row in rows} == {"'=1+1"}
    assert {row["pattern"] for row in rows} == {"'-x", "none"}
    cells = sorted({row["answer"] for row in rows}, key=len)
    assert cells[0] == "'@SUM(1)\nQ1: 5\n"
    assert len(cells[1]) < 32_767
    assert cells[1].endswith("[cut: see the parquet file]")


def test_what_was_not_asked_or_not_answered_is_not_drawn(tmp_path):
    rows = answers(("a", "form", "not_asked"), (None, None, None), ("b", "not_asked", None))
    drawn = sample([rows], ASKED, tmp_path, n=9, seed=1)
    assert drawn.readings == drawn.drawn == 2
    assert {(r["custom_id"], r["question"]) for r in read(tmp_path)} == {("c0", "Q1"), ("c2", "Q2")}


def test_too_few_no_answer_and_a_sheet_that_is_there_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"sample.n=2: allowed: 3 or more"):
        sample(MANY, ASKED, tmp_path, n=2, seed=1)
    with pytest.raises(ConfigError, match="no answer is there yet"):
        sample([answers((None, None, None))], ASKED, tmp_path, n=2, seed=1)
    assert not list(tmp_path.iterdir())
    sample(MANY, ASKED, tmp_path, n=3, seed=1)
    for name in (SHEET, RECORD):
        kept = (tmp_path / name).read_bytes()
        with pytest.raises(ConfigError, match=f"{name}: is there already.*move .* away together"):
            sample(MANY, ASKED, tmp_path, n=3, seed=2)
        assert (tmp_path / name).read_bytes() == kept
        (tmp_path / SHEET).unlink(missing_ok=True)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(0, 200))
def test_shares_are_even_and_add_up(sizes, n):
    counts = allotted(sizes, n)
    assert sum(counts) == min(n, sum(sizes))
    assert all(count <= size for count, size in zip(counts, sizes, strict=True))
    most = max(counts)
    assert all(
        count >= most - 1 or count == size for count, size in zip(counts, sizes, strict=True)
    )
