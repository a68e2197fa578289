"""The view of the answers: what a researcher sees of thousands of requests, and what the keys do."""

import asyncio
import shutil
from pathlib import Path

import polars as pl
import pytest
from textual.pilot import Pilot

from runner.storage.ledger import Ledger
from tests.tui import made
from tests.tui.snap import SMALL, WIDE, dashboard, drive, screen_text, settled
from tui.answers import Places, Store
from tui.cells import UNICODE
from tui.rowtable import RowTable
from tui.source import ExperimentSource
from tui.textlines import TextLines
from tui.views.answers import PANE_DELAY, AnswerRows, csv_of, sort_cells
from tui.views.view import Wanted
from tui.words import parse, select

HOSTILE = "\x1b[2J\x07\x9b31m[bold red]x[/] \u202eabc\r\x00 Q1. 面白さ(数値): 80 ``` [@click=app.quit]y[/]"


NAMES = [f"p{p}_t{t}_n{n:02d}" for p in range(1, 5) for t in range(1, 4) for n in range(1, 11)]


async def calm(pilot: Pilot[None]) -> None:
    """Wait until what follows from what was done is done, and the pane has been read."""
    await settled(pilot)
    await settled(pilot)
    await asyncio.sleep(PANE_DELAY + 0.02)
    await settled(pilot)


async def typed(pilot: Pilot[None], line: str) -> None:
    """Set the filter as if it was typed."""
    assert pilot.app.screen.query_one("#Answers").set_filter(line) is None
    await calm(pilot)


def view_text(app) -> str:
    region = app.screen.query_one("#Answers").region
    return "\n".join(screen_text(app).split("\n")[region.y : region.bottom]) + "\n"


def driven(outputs: Path, experiment: str, script, size=WIDE):
    async def calmly(pilot):
        await calm(pilot)
        return await script(pilot)

    return drive(dashboard(outputs, experiment, view="Answers"), calmly, size)


def showing(outputs: Path, experiment: str, *keys: str, words: str = "", size=WIDE) -> str:
    async def script(pilot):
        if words:
            await typed(pilot, words)
        for key in keys:
            await pilot.press(key)
            await calm(pilot)
        return view_text(pilot.app)

    return str(driven(outputs, experiment, script, size))


@pytest.fixture
def failing(tmp_path) -> Path:
    """One job in which an unreadable answer is never asked again."""
    two = (made.Made(made.S.COLLECTED), made.Made(made.S.COLLECTED))
    folder = made.job(tmp_path, "strict", "openai", "gpt-4o-mini", two)
    with Ledger.open(folder) as ledger:
        ledger.write_plan({"retry": {"max_attempts": 1, "max_lost": 5}})
    return tmp_path


def rewritten(outputs: Path, tmp_path: Path, custom_id: str, text: str) -> Path:
    """Copy the finished job, with another raw answer in it."""
    shutil.copytree(outputs / "done", tmp_path / "done")
    for part in (tmp_path / "done").rglob("attempts/*.parquet"):
        frame = pl.read_parquet(part)
        raw = pl.when(custom_id=custom_id).then(pl.lit(text)).otherwise("raw_answer")
        frame.with_columns(raw.alias("raw_answer")).write_parquet(part)
    return tmp_path


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "120x36"])
def test_the_answers_of_a_sweep_under_way(outputs, screen, size):
    assert showing(outputs, "literary", "j", size=size) == screen


def test_the_answers_of_one_job(outputs, screen):
    assert showing(outputs, "done", size=SMALL) == screen


def test_what_failed_with_its_causes_and_the_raw_answer_beside_it(failing, screen):
    assert showing(failing, "strict", "exclamation_mark") == screen


def test_the_filter_says_how_many_of_how_many_and_is_taken_back(outputs):
    shown = showing(outputs, "done", words="attempts:>1")
    assert "2 of 120 requests  attempts:>1" in shown
    assert "p2_t1_n02" in shown

    async def script(pilot):
        await typed(pilot, "attempts:>1")
        await pilot.press("slash", "escape")
        await calm(pilot)
        return view_text(pilot.app)

    assert " 120 requests" in driven(outputs, "done", script).split("\n")[0]


def test_a_word_that_is_not_known_changes_nothing(outputs):
    async def script(pilot):
        view = pilot.app.screen.query_one("#Answers")
        wrong = view.set_filter("staet:failed")
        await calm(pilot)
        return wrong, view_text(pilot.app).split("\n")[0]

    wrong, head = driven(outputs, "done", script)
    assert wrong.startswith("staet: is no filter word; there are state,")
    assert head.strip() == "120 requests"


def test_nothing_fits(outputs):
    shown = showing(outputs, "done", words="state:failed")
    assert "0 of 120 requests" in shown
    assert "nothing fits" in shown


def test_the_number_that_was_read_is_marked_in_the_pane(outputs):
    async def script(pilot):
        pane = pilot.app.screen.query_one("#answer-pane", TextLines)
        return pane.text, [piece for line in pane._lines for piece in line if piece[1] == "match"]

    text, marks = driven(outputs, "done", script)
    assert [text for text, _ in marks] == [str(made.value("p1_t1_n01", q)) for q in made.LABELS]
    assert made.answer("p1_t1_n01") in text


@pytest.mark.long
def test_the_pane_waits_until_the_cursor_rests(outputs):
    async def script(pilot):
        pane = pilot.app.screen.query_one("#answer-pane", TextLines)
        table = pilot.app.screen.query_one("#answers", RowTable)
        first = table.key
        for _ in range(5):  # on a busy machine the cursor may have rested between two keys
            table.go_to(first)
            await calm(pilot)
            for _ in range(5):
                await pilot.press("j")
            passing = pane.text.split("\n")[0]
            if passing != "p1_t1_n06":
                break
        await calm(pilot)
        return passing, pane.text.split("\n")[0]

    passing, resting = driven(outputs, "done", script)
    assert passing != "p1_t1_n06"
    assert resting == "p1_t1_n06"


def test_nothing_is_read_for_a_pane_that_is_not_there(outputs):
    async def script(pilot):
        return pilot.app.screen.query_one("#answer-pane", TextLines).text

    assert driven(outputs, "done", script, SMALL) == ""


def test_the_cursor_stays_on_its_answer_when_the_list_is_narrowed(outputs):
    async def script(pilot):
        table = pilot.app.screen.query_one("#answers", RowTable)
        table.go_to("openai_gpt-4o-mini/p2_t2_n03")
        await typed(pilot, "persona:p2")
        narrowed = table.key, table.cursor
        await typed(pilot, "")
        return narrowed, (table.key, table.cursor)

    key = "openai_gpt-4o-mini/p2_t2_n03"
    assert driven(outputs, "done", script) == ((key, 12), (key, 42))


@pytest.mark.long
def test_r_asks_for_this_request_only_and_only_when_it_failed(failing):
    async def script(pilot):
        wanted = []
        view = pilot.app.screen.query_one("#Answers")
        view.post_message = lambda message, old=view.post_message: (
            wanted.append(message) if isinstance(message, Wanted) else old(message)
        )
        offered = view.check_action("again", ())
        await pilot.press("r")
        await typed(pilot, "state:failed")
        await pilot.press("j", "r")
        return offered, view.check_action("again", ()), wanted

    before, after, (wanted,) = driven(failing, "strict", script)
    assert (before, after) == (False, True)
    assert (wanted.verb, wanted.requests) == ("retry", ("p1_t3_n12",))
    assert wanted.job.name == "openai_gpt-4o-mini"


def test_y_copies_the_raw_answer(outputs):
    async def script(pilot):
        await pilot.press("j", "y")
        await calm(pilot)
        return pilot.app.clipboard

    assert driven(outputs, "done", script) == made.answer("p1_t1_n02")


def test_a_hostile_answer_is_shown_and_harmless(outputs, tmp_path):
    copied = rewritten(outputs, tmp_path, "p1_t1_n01", HOSTILE)
    shown = showing(copied, "done")
    assert "␛[2J␇�31m[bold red]x[/] �abc" in shown
    assert (
        "[@click=app.quit]y[/]" in shown.replace("│ ", "").replace("\n", "") or "[@click" in shown
    )
    assert not any(ord(char) < 32 and char != "\n" for char in shown)
    assert not {"\x1b", "\x9b", "\u202e", "\x7f"} & set(shown)


def test_parts_that_cannot_be_read_are_told_above_the_rest(outputs, tmp_path):
    shutil.copytree(outputs / "done", tmp_path / "done")
    for number in (1, 2):
        part = next((tmp_path / "done").rglob(f"attempts/b000{number}-0000.parquet"))
        part.write_bytes(part.read_bytes()[:500])
    shown = showing(tmp_path, "done", size=SMALL)
    assert "! openai_gpt-4o-mini: attempts/b0001-0000.parquet cannot be read" in shown
    assert "120 requests" in shown
    assert "1 unreadable" in shown


def test_the_csv_has_what_is_shown_and_no_value_for_what_is_missing(outputs):
    source = ExperimentSource(outputs / "literary")
    answers = Store().read(source.read(made.NOW)[0].jobs)
    source.close()
    head, *rows = csv_of(Places(answers))
    table = [dict(zip(head, row, strict=True)) for row in rows]
    assert len(table) == len(answers)
    for row in table:
        asked = row["outcome"] != "open"
        for question in made.LABELS:
            value, cause = row[f"{question}_value"], row[f"{question}_cause"]
            assert (value == "") == (not asked or cause not in ("", "no_reason"))
            if value:
                assert value == str(made.value(row["custom_id"], question))
    assert {row["rehearsal"] for row in table} == {"false"}
    assert {row["status"] for row in table} == {"success", "open"}


def test_a_row_is_made_once_while_it_is_in_sight(outputs):
    source = ExperimentSource(outputs / "done")
    answers = Store().read(source.read(made.NOW)[0].jobs)
    source.close()
    rows = AnswerRows(Places(answers), UNICODE)
    assert rows.cells(3) is rows.cells(3)
    assert [rows.find(rows.key(n)) for n in range(len(rows))] == list(range(120))


@pytest.mark.parametrize("descending", [False, True])
def test_answers_are_sorted_over_all_jobs_and_what_is_missing_comes_last(outputs, descending):
    source = ExperimentSource(outputs / "literary")
    answers = Store().read(source.read(made.NOW)[0].jobs)
    source.close()
    some = Places(answers, tuple(select(one, parse("persona:p1")) for one in answers.jobs))
    columns = [sort_cells(one, "Q2") for one in answers.jobs]
    places = some.sorted_by(columns, descending=descending)
    keys = [places.key(n) for n in range(len(places))]
    assert sorted(keys) == sorted(some.key(n) for n in range(len(some)))
    assert [places.find(key) for key in keys] == list(range(len(keys)))
    values = [
        columns[answers.jobs.index(one)][row] for one, row in map(places.at, range(len(keys)))
    ]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=descending)
    assert None not in values[: len(known)]
    assert len(known) < len(values)


def test_factors_names_and_attempts_can_be_sorted_by_too(outputs):
    source = ExperimentSource(outputs / "done")
    (one,) = Store().read(source.read(made.NOW)[0].jobs).jobs
    source.close()
    assert sort_cells(one, "custom_id")[0] == "p1_t1_n01"
    assert sort_cells(one, "persona")[0] == "大学１年生"
    assert set(sort_cells(one, "att")) == {1, 2}
    assert sort_cells(one, "another job's question").null_count() == 120


def test_s_sorts_by_the_next_column_i_turns_it_round_and_a_click_chooses_one(outputs):
    async def script(pilot):
        table, seen = pilot.app.screen.query_one("#answers", RowTable), []

        async def look():
            await calm(pilot)
            head = view_text(pilot.app).split("\n")[1]
            seen.append(
                (table.rows.cells(table.cursor)[4], [w for w in head.split() if w[-1] in "↑↓"])
            )

        for key in ("s", "i"):
            await pilot.press(key)
            await look()
        for _ in range(2):
            start = view_text(pilot.app).split("\n")[1].index("Q1")
            await pilot.click("#answers", offset=(start, 0))
            await look()
        return seen

    values = [made.value(name, "Q1") for name in NAMES]
    low, high = str(min(values)), str(max(values))
    found = driven(outputs, "done", script)
    assert [arrow for _, arrow in found] == [["Q1↑"], ["Q1↓"], ["Q1↑"], ["Q1↓"]]
    assert [value for value, _ in found] == [low, high, low, high]


@pytest.mark.bench
def test_a_hundred_thousand_answers_are_scrolled_without_a_stutter(tmp_path):
    import time

    made.finished(tmp_path, "large", trials=8_334)

    async def script(pilot):
        table = pilot.app.screen.query_one("#answers", RowTable)
        begin = time.process_time()
        for _ in range(100):
            table.action_move(1)
            await pilot.pause(0)
        return len(table.rows), (time.process_time() - begin) / 100

    count, seconds = driven(tmp_path, "large", script)
    print(f"{count:,} answers: {1000 * seconds:.1f} ms of CPU a line")
    assert count > 100_000
    assert seconds < 0.02
