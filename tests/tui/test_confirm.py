"""Nothing is asked of a runner without a yes, and the question says what stays billable."""

import shutil
from pathlib import Path

import pytest

from runner.storage.commands import CommandVerb, answer, waiting
from runner.storage.ledger import Ledger
from tests.tui.made import HOST, NOW
from tests.tui.snap import SMALL, dashboard, drive, screen_text, settled, shown
from tests.variants import first
from tui.liveness import liveness
from tui.screens.confirm import question
from tui.source import ExperimentSource
from tui.views.view import Wanted

V = CommandVerb


@pytest.fixture
def mine(outputs: Path, tmp_path: Path) -> Path:
    """Experiments that a test may leave commands in."""
    shutil.copytree(outputs, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def jobs(outputs: Path):
    source = ExperimentSource(outputs / "literary")
    reading, _ = source.read(NOW)
    source.close()
    return {job.provider: job for job in reading.jobs}


def asked(job, verb, batch=None, requests=(), now=NOW) -> str:
    wanted = Wanted(verb, job, batch=batch, requests=requests)
    found = question(wanted, liveness(job, now, "desk-1"), now)
    return " ".join([found.title, *(text for text, _ in found.lines)])


def test_cancelling_says_what_is_kept_and_billed_and_what_is_given_up(jobs):
    said = asked(jobs["openai"], V.CANCEL, "b0004")
    for part in ("b0004", "31 of 40", "billed", "9"):
        assert part in said


def test_cancelling_where_no_progress_is_known_does_not_make_it_up(jobs):
    said = asked(jobs["anthropic"], V.CANCEL, "b0002")
    assert "0 of 40" not in said
    assert "billed" in said


def test_abandoning_says_what_may_be_billed_all_the_same(jobs):
    said = asked(jobs["anthropic"], V.ABANDON, "b0003")
    assert "$0.25" in said
    assert "budget" in said


def test_adopting_offers_the_candidates(jobs):
    job = jobs["anthropic"]
    wanted = Wanted(V.ADOPT, job, batch="b0003")
    found = question(wanted, liveness(job, NOW, "desk-1"), NOW)
    assert found.choices == ("msgbatch_01A", "msgbatch_01B")


def test_stopping_says_that_batches_go_on(jobs):
    assert "go on at the provider" in asked(jobs["openai"], V.STOP)


def test_without_a_runner_a_command_waits_and_that_is_said(jobs):
    later = NOW + 3600
    assert "waits until one is started" in asked(jobs["openai"], V.CANCEL, "b0004", now=later)


def test_a_batch_that_is_gone_cannot_be_asked_about(jobs):
    job = jobs["openai"]
    found = question(Wanted(V.CANCEL, job, batch="b0099"), liveness(job, NOW, HOST), NOW)
    assert not found.possible


@pytest.mark.parametrize("keys", first(1, [("n",), ("escape",), ("enter",)]))
def test_no_is_the_default_and_leaves_nothing(mine, keys):
    shown(mine, "literary", "2", "G", "g", "S", *keys)
    for folder in (mine / "literary").iterdir():
        assert waiting(folder) == ()


def test_yes_leaves_one_command_for_the_runner_of_the_batch(mine):
    async def script(pilot):
        await pilot.press("2")
        await settled(pilot)
        table = pilot.app.screen.view.query_one("RowTable")
        assert table.go_to("openai_gpt-4o-mini/b0004")
        await pilot.press("c")
        await settled(pilot)
        before = screen_text(pilot.app)
        await pilot.press("y")
        await settled(pilot)
        return before

    before = drive(dashboard(mine, "literary"), script, SMALL)
    assert "b0004" in before
    found = waiting(mine / "literary" / "openai_gpt-4o-mini")
    assert [(c["verb"], c["batch"]) for c in found] == [("cancel", "b0004")]
    assert waiting(mine / "literary" / "groq_llama-3.3-70b-versatile") == ()


async def cancel(pilot) -> None:
    """Ask the runner to cancel a batch that runs, and say yes."""
    await pilot.press("2")
    await settled(pilot)
    assert pilot.app.screen.view.query_one("RowTable").go_to("openai_gpt-4o-mini/b0004")
    await pilot.press("c", "y")
    await settled(pilot)


def test_a_row_changes_only_when_the_ledger_does(mine):
    folder = mine / "literary" / "openai_gpt-4o-mini"

    async def script(pilot):
        await cancel(pilot)
        screen = pilot.app.screen
        reading, _ = screen._source.read(NOW)
        screen._take(reading)
        await settled(pilot)
        return screen_text(pilot.app)

    text = drive(dashboard(mine, "literary"), script)
    row = next(line for line in text.splitlines() if "b0004 gpt-4o-mini" in line)
    assert "running" in row or "cancel?" in row
    assert "cancelling" not in row
    with Ledger.open(folder) as ledger:
        assert {b.key: b.state for b in ledger.batches()}["b0004"] == "running"


def test_what_became_of_a_command_is_told(mine):
    folder = mine / "literary" / "openai_gpt-4o-mini"

    async def script(pilot):
        await cancel(pilot)
        answer(folder, waiting(folder)[0], applied=False, detail="b0004 is ended already", now=NOW)
        for _ in range(30):
            await pilot.pause(0.1)
            said = " ".join(n.message for n in pilot.app._notifications)
            if "ended already" in said:
                return said
        return said

    assert "b0004 is ended already" in drive(dashboard(mine, "literary"), script)


def test_a_finished_batch_offers_no_cancel(outputs):
    text = shown(outputs, "done", "2", size=SMALL)
    assert "Cancel" not in text
