"""Scores: every number is the one that polars finds in the runner's own table."""

import math
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from runner.storage.ledger import Ledger
from tests.tui import made
from tests.tui.snap import SMALL, WIDE, dashboard, drive, screen_text, settled
from tests.tui.test_answers_data import answers_of, giving_up_at_once, runners_table
from tests.variants import first
from tui.answers import QuestionShown
from tui.cells import ASCII, UNICODE
from tui.scoring import PIVOTS, Score, ScoreTable, bins_of, score_table, width_of
from tui.views.scores import histogram_lines, mean_sd

CELL, MODEL_PERSONA, MODEL, TEMPERATURE = PIVOTS
GOOD = ("success", "retry_success")


def driven(outputs: Path, experiment: str, script, size=WIDE):
    async def calmly(pilot):
        await settled(pilot)
        return await script(pilot)

    return drive(dashboard(outputs, experiment, view="Scores"), calmly, size)


def showing(outputs: Path, experiment: str, *keys: str, size=WIDE) -> str:
    async def script(pilot):
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        region = pilot.app.screen.query_one("#Scores").region
        return "\n".join(screen_text(pilot.app).split("\n")[region.y : region.bottom]) + "\n"

    return str(driven(outputs, experiment, script, size))


def agrees(table: ScoreTable, theirs: pl.DataFrame, by: list[str]) -> None:
    """Assert that every number of a table is what the runner's rows say."""
    groups = theirs.group_by(by, maintain_order=True)
    rows = {row.labels: row for row in table.rows}
    found = {tuple(key): frame for key, frame in groups}
    assert set(rows) <= set(found)
    for labels, row in rows.items():
        frame = found[labels]
        good = frame.filter(pl.col("status").is_in(GOOD))
        assert (row.n, row.failed) == (good.height, frame.filter(status="failed").height)
        closed = frame.filter(pl.col("status") != "open")
        for question in made.LABELS:
            values = closed[f"{question}_value"].drop_nulls().cast(pl.Float64)
            score = row.scores[question]
            assert score.n == len(values)
            assert (score.mean is None, score.sd is None) == (len(values) == 0, len(values) < 2)
            assert score.mean is None or math.isclose(score.mean, values.mean())
            assert score.sd is None or math.isclose(score.sd, values.std())
            assert sum(score.bins) == len(values)


@pytest.mark.parametrize("by", ["Q1", "n", "fail%", "open", "persona"])
@pytest.mark.parametrize("descending", [False, True])
def test_rows_are_sorted_by_a_column_and_what_is_missing_comes_last(outputs, by, descending):
    rows = score_table(answers_of(outputs / "literary"), CELL).rows
    found = rows.sorted_by(by, descending=descending)

    def cell(row):
        decided = row.n + row.failed
        share = row.failed / decided if decided else None
        known = {"n": row.n, "open": row.open, "fail%": share, "persona": row.labels[0]}
        return row.scores[by].mean if by in row.scores else known[by]

    cells = [cell(row) for row in found]
    there = [one for one in cells if one is not None]
    assert there == sorted(there, reverse=descending)
    assert None not in cells[: len(there)]
    assert {row.key: row.scores["Q1"] for row in found} == {
        row.key: row.scores["Q1"] for row in rows
    }


def test_s_sorts_the_scores_and_the_histogram_is_that_of_the_row(outputs):
    shown = showing(outputs, "literary", "s", "i").split("\n")
    assert "Q1 面白さ↓" in shown[1]
    first = shown[2].split()[:2]
    assert any(line.split()[:2] == first for line in shown[15:])


@pytest.mark.parametrize(
    ("pivot", "by"),
    first(
        3,
        [
            (CELL, ["persona_name", "title"]),
            (MODEL_PERSONA, ["model", "persona_name"]),
            (MODEL, ["model"]),
            (TEMPERATURE, ["temperature"]),
        ],
    ),
    ids=lambda x: x.name if hasattr(x, "name") else "",
)
@pytest.mark.parametrize(("name", "trials"), [("done", 10), ("literary", 25)])
def test_every_number_is_that_of_the_runners_own_table(outputs, tmp_path, pivot, by, name, trials):
    shutil.copytree(outputs / name, tmp_path / name)
    answers = answers_of(tmp_path / name)
    theirs = pl.concat(runners_table(one.job.folder, name, trials) for one in answers.jobs)
    theirs = theirs.with_columns(model=pl.concat_str("model", pl.lit(" "), "provider"))
    agrees(score_table(answers, pivot), theirs, by)


def test_the_numbers_are_those_of_a_hand_calculation(outputs):
    table = score_table(answers_of(outputs / "done"), CELL)
    row = next(row for row in table.rows if row.labels == ("文学研究者", "お金とピストル"))
    values = [made.value(f"p2_t2_n{n:02d}", "Q3") for n in range(1, 11)]
    score = row.scores["Q3"]
    assert (row.n, score.n) == (10, 10)
    assert math.isclose(score.mean, statistics.mean(values))
    assert math.isclose(score.sd, statistics.stdev(values))
    assert list(score.bins) == [
        sum(min(value // 5, 19) == column for value in values) for column in range(20)
    ]


def test_a_value_of_a_failed_request_counts_as_it_does_in_the_report(tmp_path):
    two = (made.Made(made.S.COLLECTED), made.Made(made.S.COLLECTED))
    made.job(tmp_path, "strict", "openai", "gpt-4o-mini", two)
    giving_up_at_once(tmp_path / "strict")
    answers = answers_of(tmp_path / "strict")
    table = score_table(answers, CELL)
    row = next(row for row in table.rows if row.labels == ("文学研究者", "懐中時計"))
    assert (row.n, row.failed) == (4, 1)
    one = answers.jobs[0]
    failed = one.table["custom_id"].index_of("p2_t1_n02")
    assert one.column("Q1_value")[failed] == made.value("p2_t1_n02", "Q1")
    read = [made.value(f"p2_t1_n{n:02d}", "Q1") for n in (1, 2, 3, 4, 5)]
    assert row.scores["Q1"].n == 5
    assert math.isclose(row.scores["Q1"].mean, statistics.mean(read))


def as_rehearsal(folder: Path) -> None:
    with Ledger.open(folder) as ledger:
        ledger.rewrite_experiment({**ledger.experiment(), "emulated": True})


def test_rehearsed_and_live_answers_are_never_in_one_number(outputs, tmp_path):
    shutil.copytree(outputs / "literary", tmp_path / "literary")
    as_rehearsal(tmp_path / "literary" / "groq_llama-3.3-70b-versatile")
    answers = answers_of(tmp_path / "literary")
    table = score_table(answers, MODEL)
    assert [row.labels for row in table.rows] == [
        ("claude-haiku-4-5 anthropic",),
        ("gpt-4o-mini openai",),
    ]
    assert table.notes[0] == "live answers only: 1 of 3 jobs are rehearsals"
    assert not table.rehearsal
    assert sum(row.n for row in score_table(answers, CELL).rows) == sum(row.n for row in table.rows)
    assert "live answers only" in showing(tmp_path, "literary")


def test_rehearsals_alone_are_shown_and_said_to_be_such(outputs, tmp_path):
    shutil.copytree(outputs / "done", tmp_path / "done")
    as_rehearsal(next((tmp_path / "done").iterdir()))
    assert score_table(answers_of(tmp_path / "done"), CELL).rehearsal
    assert "rehearsed answers" in showing(tmp_path, "done")


@pytest.mark.parametrize(
    ("score", "says"),
    [
        (Score(), "—"),
        (Score(n=1, mean=69.0), "69.0 n1"),
        (Score(n=10, mean=69.04, sd=11.26), "69.0 ±11.3"),
        (Score(n=10, mean=0.0, sd=0.0), "0.0 ±0.0"),
    ],
)
def test_nothing_is_never_zero_and_one_value_has_no_spread(score, says):
    assert mean_sd(score, 10, UNICODE) == says


def test_ascii_terminals_get_ascii():
    assert mean_sd(Score(n=2, mean=1.0, sd=2.0), 2, ASCII) == "1.0 +-2.0"


@pytest.mark.parametrize(
    ("low", "high", "columns"),
    [(0, 100, 20), (1, 7, 6), (0, 10, 2), (1, 5, 4), (0, 1000, 20), (-50, 50, 20), (3, 3, 1)],
)
def test_a_histogram_has_columns_of_five_where_that_serves(low, high, columns):
    question = QuestionShown(id="Q1", label="a", minimum=low, maximum=high, whole=True)
    assert bins_of(question) == columns
    assert width_of(question) > 0


def test_a_row_without_answers_has_no_histogram_and_no_number(outputs):
    table = score_table(answers_of(outputs / "literary"), CELL)
    empty = next(row for row in table.rows if not row.n)
    lines = histogram_lines(empty, table, 100, UNICODE)
    assert all(line[-1][0].strip() == "—" for line in lines[1:])
    assert histogram_lines(None, table, 100, UNICODE) == []


@pytest.mark.parametrize("size", first(1, [SMALL, WIDE], one=True), ids=["80x24", "120x36"])
def test_the_scores_of_a_sweep(outputs, screen, size):
    assert showing(outputs, "literary", "j", size=size) == screen


@pytest.mark.long
def test_p_goes_through_the_pivots_and_comes_round(outputs):
    async def script(pilot):
        heads = []
        for _ in range(5):
            heads.append(pilot.app.screen.query_one("#scores-head").text.split("  ")[0])
            await pilot.press("p")
            await settled(pilot)
        return heads

    names = [pivot.name for pivot in PIVOTS]
    assert driven(outputs, "literary", script) == [*names, names[0]]


def test_the_csv_has_the_numbers_in_full(outputs):
    async def script(pilot):
        return pilot.app.screen.query_one("#Scores").csv_rows()

    head, *rows = driven(outputs, "literary", script)
    table = score_table(answers_of(outputs / "literary"), CELL)
    assert len(rows) == len(table.rows)
    for row, score in zip(rows, table.rows, strict=True):
        told = dict(zip(head, row, strict=True))
        mean = score.scores["Q2"].mean
        assert told["Q2_mean"] == ("" if mean is None else str(mean))
        assert told["n"] == str(score.n)


def test_jobs_with_other_questions_share_a_table_without_borrowing_values(outputs):
    answers = answers_of(outputs / "literary")
    one, *others = answers.jobs
    fewer = replace(one, questions=one.questions[:2])
    table = score_table(replace(answers, jobs=(fewer, *others)), MODEL)
    row = table.rows[0]
    assert row.scores["Q1"].n == row.n > 0
    assert (row.scores["Q3"].n, row.scores["Q3"].mean) == (0, None)


def test_a_model_whose_name_is_no_text_has_its_row(outputs):
    answers = answers_of(outputs / "done")
    (one,) = answers.jobs
    definition = {**one.job.definition, "model": {"provider": "openai", "name": "a\ud800\x1b[2J"}}
    job = replace(one.job, experiment={**one.job.experiment, "definition": definition})
    table = score_table(replace(answers, jobs=(replace(one, job=job),)), MODEL)
    assert [row.labels for row in table.rows] == [("a\ufffd␛[2J openai",)]
