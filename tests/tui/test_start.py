"""Starting a run from the dashboard: its plan first, then a process that outlives it."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from runner.core.errors import ConfigError, RunnerError
from runner.storage.ledger import Ledger
from runner.storage.lock import holder
from runner.storage.reader import exists
from tests.tui import made
from tests.tui.snap import SMALL, dashboard, drive, screen_text, settled
from tui import launch
from tui.frame import Banner, Line
from tui.launch import Launch, planned, start
from tui.screens.experiment import ExperimentScreen
from tui.screens.plan import PlanScreen

WORDS = ("trials=1", "faults=instant", "personas=[p1]", "texts=[t1]")


def words(folder, *more):
    return (*WORDS, *more, f"outputs={folder}")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def open_plan(folder, given, script, size=SMALL):
    return drive(dashboard(folder, words=given, clock=time.time), script, size)


async def until(pilot, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, screen_text(pilot.app)
        await pilot.pause(0.05)
    await settled(pilot)


def said(app):
    return app.screen_stack[1].query_one("#start-said", Line).text


def logs(folder):
    return sorted(folder.glob("*/runner-*.log"))


# -- the plan


def test_the_plan_is_what_the_runner_says_and_nothing_is_written(tmp_path):
    found = planned(words(tmp_path / "o"))
    assert [plan["to_send"] for plan in found.plans] == [1]
    assert found.command == (
        f"python -m runner trials=1 faults=instant 'personas=[p1]' 'texts=[t1]' outputs={tmp_path}/o"
    )
    assert not (tmp_path / "o").exists()


@pytest.mark.long
def test_a_sweep_is_planned_as_one_and_says_what_stands_in_the_way(tmp_path):
    found = planned(("-m", "provider=openai,groq", "budget.max_usd=0.000001", *words(tmp_path)))
    assert [plan["provider"] for plan in found.plans] == ["openai", "groq"]
    assert len(found.folders) == 2
    assert len(found.experiments) == 1
    assert found.warnings[0].startswith("budget: ")


@pytest.mark.long
def test_a_mistake_is_the_runners_own_line():
    with pytest.raises(ConfigError, match=r"^trials: "):
        planned(("trials=many",))
    with pytest.raises(ConfigError, match="o3-mini refuses a temperature"):
        planned(("-m", "provider=openai", "provider.model=o3-mini,o4-mini"))


def test_a_key_among_the_words_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as caught:
        planned(("provider=openai", "provider.api_key=sk-secret123"))
    assert "sk-secret123" not in str(caught.value)


def test_what_the_runner_prints_is_judged(monkeypatch):
    for code, text in ((0, "not a plan"), (0, ""), (1, "")):
        program = f"import sys; print({text!r}); sys.exit({code})"
        monkeypatch.setattr(launch, "RUNNER", (sys.executable, "-c", program))
        with pytest.raises(RunnerError):
            planned(("trials=1",))


def test_the_screen_shows_the_plan_and_what_enter_does(tmp_path):
    async def script(pilot):
        await until(pilot, lambda: "starts it" in said(pilot.app))
        return screen_text(pilot.app)

    text = open_plan(tmp_path, words(tmp_path), script)
    assert "REHEARSAL, nothing is paid. Enter or s starts it" in text
    assert "to send 1" in text
    assert "Start" in text
    assert logs(tmp_path) == []


@pytest.mark.long
def test_a_paid_run_says_what_it_may_cost_at_most(tmp_path):
    async def script(pilot):
        await until(pilot, lambda: "starts it" in said(pilot.app))
        return said(pilot.app)

    text = open_plan(tmp_path, words(tmp_path, "provider=openai"), script)
    assert text.startswith("This is paid for, at most $0.0")


def test_a_mistake_leaves_the_dashboard_with_one_line_and_2(tmp_path, capsys):
    app = dashboard(tmp_path, words=("trials=many",))

    async def run():
        async with app.run_test(size=SMALL) as pilot:
            while app.return_code is None:
                await pilot.pause(0.05)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert app.return_code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: trials: ")
    assert error.count("\n") == 1


# -- starting


def test_enter_starts_it_once_and_shows_it_as_soon_as_its_ledger_is_there(tmp_path):
    async def script(pilot):
        app = pilot.app
        await until(pilot, lambda: "starts it" in said(app))
        await pilot.press("enter", "enter", "s")
        await until(pilot, lambda: isinstance(app.screen, ExperimentScreen))
        view = app.screen.view.id
        plan = app.screen_stack[1]
        assert isinstance(plan, PlanScreen)
        await until(pilot, lambda: plan._started.exit_code == 0)
        await until(pilot, lambda: "exit code 0" in said(app))
        await pilot.press("escape")
        await settled(pilot)
        return view, app.screen is plan, plan.check_action("start", ())

    assert open_plan(tmp_path, words(tmp_path), script) == ("Batches", True, False)
    (log,) = logs(tmp_path)
    assert log.parent == tmp_path / "literary"
    assert "success 1" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.long
def test_a_runner_that_dies_at_the_start_says_why_and_can_be_started_again(tmp_path):
    async def script(pilot):
        app = pilot.app
        await until(pilot, lambda: "starts it" in said(app))
        await pilot.press("s")
        await until(pilot, lambda: "exit code 2" in said(app))
        banner = app.screen.query_one(Banner).text
        return banner, app.screen.check_action("start", ())

    banner, again = open_plan(tmp_path, words(tmp_path, "provider=openai"), script)
    assert str(logs(tmp_path)[0]) in banner
    assert "no key: set the environment variable OPENAI_API_KEY" in banner
    assert again


@pytest.mark.long
def test_what_is_at_work_already_is_said_and_not_started(tmp_path):
    folder = made.job(tmp_path, "literary", "emulator", "gpt-4o-mini", (), trials=1)

    async def script(pilot):
        await until(pilot, lambda: "not started" in said(pilot.app))
        await pilot.press("s", "enter")
        await settled(pilot)
        text = pilot.app.screen.query_one(Banner).text
        await pilot.press("o")
        await settled(pilot)
        return text, isinstance(pilot.app.screen, ExperimentScreen)

    plan = {"folder": str(folder)}
    with Ledger.open(folder):
        text, opened = open_plan(tmp_path, words(tmp_path), script)
        with pytest.raises(RunnerError, match="at work on it already"):
            start(Launch(WORDS, (plan,)))
    assert f"pid {os.getpid()}" in text
    assert opened
    assert logs(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "literary").write_text("in the way")
    plan = {"folder": str(tmp_path / "literary" / "job")}
    with pytest.raises(RunnerError, match="cannot be looked into"):
        start(Launch(WORDS, (plan,)))


@pytest.mark.long
def test_the_runner_outlives_the_dashboard_and_the_terminal(tmp_path):
    given = ("trials=1", "personas=[p1]", "faults.in_progress_seconds=600", f"outputs={tmp_path}")
    started = start(planned(given))
    try:
        end = time.monotonic() + 20
        while (folder := started.folder()) is None:
            assert started.exit_code is None, started.last_words()
            assert time.monotonic() < end
            time.sleep(0.05)
        held = holder(folder)
        assert held is not None
        assert held.pid == started.process.pid
        assert exists(folder)
        assert os.getsid(started.process.pid) == started.process.pid
        assert os.getsid(0) != started.process.pid
    finally:
        started.process.send_signal(signal.SIGTERM)
        started.process.wait(20)


def test_another_runner_on_the_same_folder_is_not_taken_for_ours(tmp_path):
    folder = made.job(tmp_path, "literary", "openai", "gpt-4o-mini", (), trials=1)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    plan = {"folder": str(folder)}
    ours = launch.Started(Launch(WORDS, (plan,)), tmp_path / "no.log", sleeper)
    try:
        with Ledger.open(folder):
            assert ours.folder() is None
        assert ours.last_words() == [
            f"{tmp_path}/no.log cannot be read (No such file or directory)"
        ]
    finally:
        sleeper.kill()
        sleeper.wait()


def test_the_last_words_of_a_long_log_are_its_last(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 50_000 + b"\n\nlast but one\n\xff last\n\n")
    started = launch.Started(Launch((), ()), log, None)
    assert started.last_words()[-2:] == ["last but one", "\ufffd last"]


@pytest.mark.long
def test_leaving_while_the_plan_is_made_is_quiet(tmp_path, capsys):
    app = dashboard(tmp_path, words=words(tmp_path))

    async def run():
        async with app.run_test(size=SMALL) as pilot:
            await pilot.press("q")

    asyncio.run(run())
    assert not app.return_code
    assert capsys.readouterr().err == ""
