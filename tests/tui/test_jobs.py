"""The Jobs of an experiment: worst first, with a sum that says when it does not add up."""

from dataclasses import replace
from pathlib import Path

import pytest

from runner.storage.commands import CommandVerb
from tests.tui.made import NOW
from tests.tui.snap import SMALL, WIDE, dashboard, drive, screen_text, settled
from tests.tui.test_attention import ALIVE, DEAD, REFUSED, batch, job
from tui.cells import ASCII, UNICODE
from tui.jobrows import (
    COLUMNS,
    JobLine,
    Standing,
    done_cell,
    job_cells,
    job_lines,
    job_sentences,
    progress,
    sign,
    standing,
    sum_cells,
    worst,
)
from tui.liveness import Life, Liveness
from tui.model import Health, Snapshot, Totals
from tui.rowtable import RowTable
from tui.views.batches import BatchesView
from tui.views.jobs import JobsView, parse
from tui.views.view import Wanted


def view_text(app) -> str:
    region = app.screen.query_one("#Jobs").region
    return "\n".join(screen_text(app).split("\n")[region.y : region.bottom]) + "\n"


def driven(outputs: Path, script, *keys: str, size=WIDE):
    async def run(pilot):
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        return await script(pilot)

    return drive(dashboard(outputs, "literary"), run, size)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x36", "80x24"])
def test_a_sweep_under_way(outputs, screen, size):
    async def script(pilot):
        return view_text(pilot.app)

    assert driven(outputs, script, size=size) == screen


@pytest.mark.long
def test_enter_narrows_everything_to_the_job_and_escape_widens_it_again(outputs):
    async def script(pilot):
        narrow = screen_text(pilot.app)
        shown = pilot.app.screen.query_one(BatchesView).display
        await pilot.press("escape")
        await settled(pilot)
        return narrow, shown, screen_text(pilot.app)

    narrow, shown, wide = driven(outputs, script, "j", "enter")
    assert shown
    assert "literary openai_gpt-4o-mini" in narrow
    assert "7 batches" in narrow
    assert "3 jobs" in wide


def test_enter_on_the_sum_opens_nothing(outputs):
    async def script(pilot):
        return screen_text(pilot.app)

    assert "3 jobs" in driven(outputs, script, "G", "enter").splitlines()[0]


def test_stop_is_asked_of_the_job_under_the_cursor_and_of_no_sum(outputs):
    heard = []

    async def script(pilot):
        view = pilot.app.screen.query_one(JobsView)
        post = view.post_message

        def listen(message):
            if isinstance(message, Wanted):
                heard.append(message)
                return True
            return post(message)

        view.post_message = listen
        for key in ("j", "S", "r", "G", "S"):
            await pilot.press(key)
            await settled(pilot)

    driven(outputs, script)
    ((verb, name),) = [(message.verb, message.job.name) for message in heard]
    assert (verb, name) == (CommandVerb.STOP, "openai_gpt-4o-mini")


def test_filter_words_and_problems_narrow_the_jobs(outputs):
    async def script(pilot):
        view, table = (
            pilot.app.screen.query_one(JobsView),
            pilot.app.screen.query_one("#jobs", RowTable),
        )
        counts = []
        for words in ("provider:groq", "state:running", "haiku", "state:dead", ""):
            assert view.set_filter(words) is None
            counts.append(len(table.rows))
        view.only_problems()
        return [*counts, len(table.rows)]

    assert driven(outputs, script) == [1, 4, 1, 0, 4, 4]


@pytest.mark.parametrize("words", ["persona:p1", "model:"])
def test_a_filter_word_that_means_nothing_is_told(words):
    assert isinstance(parse(words), str)


LEFT = Liveness(life=Life.LEFT, beat_age=9.0, sentence="The runner has left.")
FINISHED = Liveness(life=Life.FINISHED, beat_age=9.0, sentence=None)


@pytest.mark.parametrize(
    ("found", "life", "said"),
    [
        (job(open=3), ALIVE, Standing("running", "")),
        (job(open=3, held="waits for room"), ALIVE, Standing("held", "warn")),
        (job(open=3, halted="refused"), ALIVE, Standing("halted", "bad")),
        (job(open=3), DEAD, Standing("dead", "bad")),
        (job(open=3), LEFT, Standing("work remains", "warn")),
        (job(open=0), LEFT, Standing("finished", "good")),
        (job(open=0, failed=2), FINISHED, Standing("finished", "warn")),
        (job(open=0), FINISHED, Standing("finished", "good")),
        (replace(job(), health=Health.LOCKED), ALIVE, Standing("locked", "warn")),
        (replace(job(), health=Health.DAMAGED), FINISHED, Standing("damaged", "bad")),
        (replace(job(), health=Health.NEWER), ALIVE, Standing("newer format", "bad")),
        (replace(job(), health=Health.MISSING), ALIVE, Standing("missing", "bad")),
        (
            job(),
            Liveness(life=Life.NEVER, beat_age=None, sentence=None),
            Standing("not started", "dim"),
        ),
    ],
)
def test_how_a_job_stands_in_one_word(found, life, said):
    assert standing(found, life) == said


@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("life", Life)
def test_every_condition_has_a_word_and_a_sign(health, life):
    found = standing(
        replace(job(), health=health), Liveness(life=life, beat_age=1.0, sentence=None)
    )
    assert found.word
    for glyphs in (UNICODE, ASCII):
        assert len(sign(found, glyphs)[0]) == 1


def test_the_worst_of_several_is_shown_for_all():
    finished, dead = Standing("finished", "good"), Standing("dead", "bad")
    assert worst([finished, Standing("running", ""), dead]) == dead
    assert worst([]).word == "no run yet"


def test_jobs_that_need_somebody_come_first():
    calm, bad = job(batch(), provider="a"), job(REFUSED, provider="z")
    snapshot = Snapshot(experiment="x", at=NOW, jobs=(calm, bad))
    assert [line.job.provider for line in job_lines(snapshot, NOW, "x")] == ["z", "a"]


def texts(row) -> list[str]:
    return [cell if isinstance(cell, str) else cell[0] for cell in row]


COUNTED = {"total": 10, "success": 4, "retry_success": 1, "failed": 2, "open": 3}


def test_the_sum_adds_up_and_says_which_jobs_it_leaves_out():
    known = job(**COUNTED, cost_usd="0.50")
    unread = replace(job(provider="groq"), health=Health.DAMAGED, good_at=None)
    lines = [JobLine(known, ALIVE, ()), JobLine(known, ALIVE, ()), JobLine(unread, ALIVE, ())]
    row = texts(sum_cells(lines, UNICODE))
    assert row[4] == "1 not counted"
    assert row[7:13] == ["14/20", "8", "2", "4", "6", "$1.00"]
    assert len(row) == len(COLUMNS) == len(job_cells(lines[0], NOW, UNICODE))
    assert set(texts(job_cells(lines[2], NOW, UNICODE))[6:13]) == {"—"}


def test_one_unknown_cost_makes_the_sum_unknown():
    one, two = job(**COUNTED, cost_usd="0.50"), job(**COUNTED, cost_usd=None)
    lines = [JobLine(one, ALIVE, ()), JobLine(two, ALIVE, ())]
    assert texts(sum_cells(lines, UNICODE))[12] == "$?"


def test_counters_that_do_not_add_up_are_marked():
    assert done_cell(Totals(total=10, success=4, open=6), UNICODE) == "4/10"
    assert done_cell(Totals(total=10, success=4, open=5), UNICODE) == ("! 4/10", "bad")


def test_the_bar_is_full_only_when_nothing_is_open():
    nearly, whole = Totals(total=10_000, success=9_999, open=1), Totals(total=9, success=9)
    assert UNICODE.light in progress(nearly, UNICODE)[0]
    assert UNICODE.light not in progress(whole, UNICODE)[0]


def test_everything_there_is_to_say_of_a_job_is_said():
    broken = replace(job(REFUSED, halted="it was refused"), health=Health.LOCKED, trouble="locked")
    (line,) = job_lines(Snapshot(experiment="x", at=NOW, jobs=(broken,)), NOW, "x")
    said = [text for text, _ in job_sentences(replace(line, life=DEAD))]
    assert said[:3] == ["locked", "The runner is gone.", "it was refused"]
    assert said[3].startswith("b0001 failed at the provider")
