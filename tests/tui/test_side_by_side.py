"""One condition, model by model: who is compared, how it is laid out, and what the keys do."""

import pytest
from rich.cells import cell_len

from tests.tui import made
from tests.tui.snap import dashboard, drive, screen_text, settled
from tests.tui.test_answers_data import answers_of
from tui.answers import Answers
from tui.cells import UNICODE
from tui.screens.side_by_side import askings, beside, said_lines, spread_lines


@pytest.fixture(scope="module")
def middle(outputs) -> Answers:
    return answers_of(outputs / "literary")


def text_of(lines) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_a_condition_is_compared_over_every_job_that_asks_it(middle):
    found = askings(middle, middle.jobs[1], 3)
    assert [one.job.name for one in found] == [one.name for one in middle.jobs]
    for one in found:
        names = [one.job.table["custom_id"][row] for row in one.rows]
        assert names == [f"p1_t1_n{n:02d}" for n in range(1, 26)]


def test_jobs_of_other_factors_are_left_out(studies):
    answers = answers_of(studies / "mixed")
    assert [one.job.name for one in askings(answers, answers.jobs[0], 0)] == [answers.jobs[0].name]


def test_the_spread_is_that_of_the_values_of_all_trials(middle):
    one = askings(middle, middle.jobs[0], 0)[0]
    values = [made.value(f"p1_t1_n{n:02d}", "Q1") for n in range(1, 26)]
    first, bars = text_of(spread_lines(one, UNICODE)).split("\n")[:2]
    assert first.startswith(f"Q1 {sum(values) / 25:.1f} ±")
    assert "n 25" in first
    assert len(bars) == 20 + 2


def test_what_was_answered_is_read_and_a_trial_that_was_not_asked_is_said(middle):
    one = askings(middle, middle.jobs[0], 0)[0]
    said = text_of(said_lines(one, 1, UNICODE))
    assert f"Q1 {made.value('p1_t1_n02', 'Q1')}" in said
    assert made.answer("p1_t1_n02").split("\n")[1] in said
    assert text_of(said_lines(one, 25, UNICODE)) == "not asked so often"


@pytest.mark.parametrize("width", [10, 33, 80])
def test_columns_stand_below_each_other_and_nothing_is_lost_or_too_wide(width):
    columns = [[[("お金とピストル", "strong")], []], [[("a long answer", ""), (" of two", "bad")]]]
    lines = beside(columns, width, UNICODE)
    bars = {cell_len(row.split("│")[0]) for row in text_of(lines).split("\n")}
    assert len(bars) == 1
    assert all(cell_len(row) <= width for row in text_of(lines).split("\n"))
    right = "".join(row.split("│")[1] for row in text_of(lines).split("\n"))
    assert right.replace(" ", "") == "alonganswerof" + "two"


def test_m_shows_the_models_and_n_the_next_trial(outputs):
    async def script(pilot):
        await pilot.press("m")
        await settled(pilot)
        first = screen_text(pilot.app)
        await pilot.press("n", "escape")
        await settled(pilot)
        return first, pilot.app.screen.view.id

    first, view = drive(dashboard(outputs, "literary", view="Answers"), script)
    head, names = first.split("\n")[:2]
    assert "trial 1 of 25  3 models" in head
    for name in ("claude-haiku-4-5", "llama-3.3-70b-versatile", "gpt-4o-mini"):
        assert name in names
    assert view == "Answers"
