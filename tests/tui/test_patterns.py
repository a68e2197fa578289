"""Patterns: which one read what, the answers that none read, and why values are missing."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.made import NOW
from tests.tui.snap import SMALL, WIDE, dashboard, drive, settled, shown
from tui.cells import UNICODE
from tui.model import Health, Job
from tui.rowtable import RowTable
from tui.screens.experiment import Filter
from tui.source import ExperimentSource
from tui.views.patterns import (
    ALL,
    EXAMPLES,
    FOLDED,
    cause_rows,
    examples,
    folded_cells,
    known_patterns,
    matrix_cells,
    matrix_columns,
    names_in_order,
    pattern_cells,
    pattern_rows,
)


def read(folder):
    source = ExperimentSource(folder)
    reading, _ = source.read(NOW)
    source.close()
    return reading.jobs


@pytest.fixture
def jobs(outputs):
    return read(outputs / "literary")


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x36"])
def test_the_patterns_of_a_sweep(outputs, screen, size):
    assert shown(outputs, "literary", view="Patterns", size=size) == screen


def test_the_patterns_by_question_with_examples_of_one(outputs, screen):
    assert shown(outputs, "literary", "o", "tab", "j", view="Patterns") == screen


def test_why_values_are_missing_on_a_small_screen(outputs, screen):
    assert shown(outputs, "literary", "m", view="Patterns", size=SMALL) == screen


def test_before_any_answer_it_says_so(outputs, jobs):
    bare = [replace(job, summary={}) for job in jobs]
    assert pattern_rows(bare, by_question=True) == []
    assert names_in_order(bare, []) == ["none"]


def test_the_numbers_are_those_of_the_stored_attempts(jobs):
    for row in pattern_rows(jobs, by_question=True):
        counted: Counter[str] = Counter()
        for path in (row.job.folder / "attempts").glob("*.parquet"):
            part = pl.read_parquet(path).filter(pl.col("outcome").is_in(["valid", "invalid"]))
            counted.update(name or "none" for name in part[f"{row.question}_pattern"])
        assert dict(counted) == dict(row.counts)
        assert row.answers == row.total == counted.total()


def test_none_comes_first_then_the_order_in_which_they_are_tried(jobs):
    rows = pattern_rows(jobs, by_question=False)
    names = names_in_order(jobs, rows)
    assert names == ["none", "form", "rating"]
    tried = [name for name, _ in known_patterns(jobs)]
    assert tried.index("form") < tried.index("rating")


def test_an_older_ledger_has_its_patterns_in_order_of_their_count(jobs):
    record = {key: row for key, row in jobs[0].experiment.items() if key != "question_set"}
    old = replace(
        jobs[0],
        experiment=record,
        summary={"pattern_match_stats": {"Q1": {"b": 1, "a": 1, "z": 9, "none": 2}}},
    )
    assert names_in_order([old], pattern_rows([old], by_question=False)) == ["none", "z", "a", "b"]


def test_the_job_with_the_most_unread_answers_comes_first(jobs):
    rows = pattern_rows(jobs, by_question=False)
    assert [row.job.provider for row in rows] == ["groq", "openai", "anthropic"]


def test_a_share_is_of_this_job_and_the_answers_are_counted_once(jobs):
    (row,) = [r for r in pattern_rows(jobs, by_question=False) if r.job.provider == "groq"]
    cells = matrix_cells(row, ["none", "form"], "", by_question=False)
    assert cells[1:3] == ["80", "320"]
    assert cells[3] == ("2.8", "warn")
    assert row.total == 4 * 80


def test_a_pattern_that_read_nothing_is_0_and_one_without_answers_is_not_there():
    assert pattern_cells("form", "x", {"none": 3}, UNICODE)[1][1] == ("0", "dim")
    assert pattern_cells("form", "x", {}, UNICODE)[1][1] == ("—", "dim")


def test_patterns_that_never_matched_are_one_row():
    key, cells = folded_cells(["json", "table"], UNICODE)
    assert key == FOLDED
    assert [text for text, _ in cells] == [
        *("…", "0", "0"),
        "2 never matched (Enter shows them): json, table",
    ]


def test_enter_on_the_row_of_all_that_never_matched_shows_each(outputs):
    async def script(pilot):
        table = pilot.app.screen.query_one("#regexes", RowTable)
        before = [table.rows.key(n) for n in range(len(table.rows))]
        await pilot.press("tab", "G", "enter")
        await settled(pilot)
        return before, len(table.rows)

    before, after = drive(dashboard(outputs, "literary", view="Patterns"), script)
    assert before == ["none", "form", "rating", FOLDED]
    assert after > 20


def test_causes_are_shares_of_all_answers_to_the_question(jobs):
    found = dict(cause_rows(jobs))
    asked = 40 + 80 + 80
    count = sum(job.summary["missing_by_cause"].get("Q2", {}).get("refused", 0) for job in jobs)
    assert found["Q2/refused"] == ("Q2 驚き", "refused", f"{count}", f"{100 * count / asked:.1f}")


# -- examples


def test_examples_of_a_pattern_have_the_matched_number_marked(jobs):
    found, trouble = examples(jobs, "Q1", "form")
    assert trouble is None
    assert len(found) == EXAMPLES
    for example in found:
        marks = [text for text, style in example.pieces if style == "match"]
        before = example.pieces[0][0]
        assert len(marks) == 1
        assert marks[0].isdigit()
        assert before.endswith("面白さ(数値): ")


def test_examples_of_none_are_answers_that_none_read(jobs):
    found, trouble = examples(jobs, ALL, "none")
    assert trouble is None
    assert len({example.custom_id for example in found}) == EXAMPLES
    assert all(style != "match" for example in found for _, style in example.pieces)
    assert any("お答えできません" in example.pieces[0][0] for example in found)


def test_without_the_patterns_of_an_older_ledger_nothing_is_marked(jobs):
    old = [replace(job, experiment={"definition": job.definition}) for job in jobs]
    found, _ = examples(old, "Q1", "form")
    assert len(found) == EXAMPLES
    assert all(style != "match" for example in found for _, style in example.pieces)


def test_a_damaged_part_is_named_and_does_not_hide_the_others(outputs, tmp_path):
    shutil.copytree(outputs / "literary", tmp_path / "literary")
    jobs = [job for job in read(tmp_path / "literary") if job.provider == "groq"]
    first, *_ = sorted((jobs[0].folder / "attempts").glob("*.parquet"))
    first.write_bytes(b"PAR1 this is cut off")
    found, trouble = examples(jobs, "Q1", "form")
    assert f"{first.name} cannot be read" in trouble
    assert len(found) == EXAMPLES


def test_a_missing_part_leaves_fewer_examples(outputs, tmp_path):
    shutil.copytree(outputs / "literary", tmp_path / "literary")
    jobs = read(tmp_path / "literary")
    for job in jobs:
        shutil.rmtree(job.folder / "attempts")
    assert examples(jobs, "Q1", "form") == ([], None)


counters = st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=4)


@given(stats=st.dictionaries(st.text(max_size=3), counters, max_size=4))
def test_no_counters_break_the_view(stats):
    job = Job(
        folder=Path("odd"),
        health=Health.OK,
        good_at=NOW,
        summary={"pattern_match_stats": stats, "missing_by_cause": stats},
    )
    for by_question in (True, False):
        rows = pattern_rows([job], by_question=by_question)
        names = names_in_order([job], rows)
        for row in rows:
            cells = matrix_cells(row, names, row.question, by_question=by_question)
            assert len(cells) == len(matrix_columns(names, by_question=by_question))
    assert len(list(cause_rows([job]))) == sum(len(row) for row in stats.values())


# -- going on from here


def test_enter_opens_the_answers_that_a_pattern_read(outputs):
    async def script(pilot):
        await pilot.press("o", "tab", "j", "enter")
        await settled(pilot)
        screen = pilot.app.screen
        return screen.view.id, screen.query_one(Filter).value

    found = drive(dashboard(outputs, "literary", view="Patterns"), script)
    assert found == ("Answers", "pattern:form q:Q3 job:groq_llama-3.3-70b-versatile")


def test_enter_on_a_cause_opens_the_answers_that_it_spoiled(outputs):
    async def script(pilot):
        await pilot.press("m", "enter")
        await settled(pilot)
        return pilot.app.screen.query_one(Filter).value

    found = drive(dashboard(outputs, "literary", view="Patterns"), script)
    assert found == "cause:refused q:Q1"


def test_the_table_for_csv_has_counts_not_shares(outputs, jobs):
    async def script(pilot):
        return pilot.app.screen.view.csv_rows()

    head, *body = drive(dashboard(outputs, "literary", view="Patterns"), script)
    assert head == ["job", "provider", "model", "question", "readings", "none", "form", "rating"]
    assert sum(int(row[4]) for row in body) == 4 * (40 + 80 + 80)
    assert all(int(row[4]) == sum(map(int, row[5:])) for row in body)
