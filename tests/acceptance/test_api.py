"""Chorus from Python: the same runs as on the command line, with values in and out."""

import os
import signal
import subprocess
import sys
import time
from contextlib import chdir
from datetime import datetime
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from runner.core.errors import ConfigError, RunnerError
from tests.unit.composing import composed

TINY = {"personas": ["p1"], "texts": ["t1"], "trials": 2, "faults": "instant"}


@pytest.fixture
def here(desk, monkeypatch):
    """The desk, with its folder as the current one."""
    monkeypatch.setattr("runner.api.compose", composed)
    for name in ("OPENAI_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with chdir(desk.folder):
        yield desk


def test_importing_the_package_loads_nothing_else_of_ours():
    code = "import sys, runner; print([n for n in sys.modules if n.startswith('runner')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "['runner']"


def test_the_functions_are_there_whatever_rooms_were_imported_before():
    import runner.report
    import runner.run.assemble  # noqa: F401
    from runner import answers, plan, report, run

    assert [f.__module__ for f in (answers, plan, report, run)] == ["runner.api"] * 4
    assert all("Raises:" in f.__doc__ and "Args:" in f.__doc__ for f in (answers, plan, report))


def test_a_study_is_planned_run_and_read_without_a_word(here):
    from runner import answers, plan, run

    planned = plan(**TINY, name="mine")
    assert (planned.to_send, planned.jobs[0].total, planned.over_budget) == (2, 2, None)
    assert 0 < planned.cost_usd_low < planned.cost_usd_high < 0.01
    assert here.files() == set()
    ended = run(["faults.malformed=0"], **TINY, name="mine")
    assert ended.is_done
    (job,) = ended.jobs
    assert (job.state, job.total, job.success, job.open, job.rehearsal) == ("done", 2, 2, 0, True)
    assert 0 < ended.cost_usd < 0.01
    bill = here.bill("mine/emulator_gpt-4o-mini")
    assert sum(bill["billed"].values()) == 2
    assert run(["faults.malformed=0"], **TINY, name="mine") == ended
    assert here.bill("mine/emulator_gpt-4o-mini") == bill
    frame = answers("mine")
    assert isinstance(frame, pl.LazyFrame)
    assert frame.collect().equals(ended.answers().collect())
    table = frame.collect()
    assert table["run"].to_list() == ["mine/emulator_gpt-4o-mini"] * 2
    assert table.schema["Q1_value"].is_integer()
    assert isinstance(table["answered_at"][0], datetime)
    assert here.said() == ("", "")


@pytest.mark.long
def test_a_report_is_written_without_a_word(here):
    from runner import report, run

    run(**TINY, name="mine")
    written = report("mine")
    assert written.page == Path("outputs/mine/report/report.html")
    assert written.page.is_file()
    assert (written.requests, written.rehearsal) == (2, True)
    assert here.said() == ("", "")


@pytest.mark.long
def test_a_sweep_has_a_job_each_and_one_frame(here):
    from runner import answers, plan, run

    sweep = ["-m", "provider=openai,groq", "service=emulated", "faults.malformed=0"]
    assert [job.name for job in plan(sweep, **TINY).jobs] == ["provider=openai", "provider=groq"]
    ended = run(sweep, **TINY)
    assert [job.state for job in ended.jobs] == ["done", "done"], ended
    assert ended.answers().collect()["provider"].unique().sort().to_list() == ["groq", "openai"]
    assert answers().collect().height == 4
    assert here.said() == ("", "")


def test_progress_is_shown_when_it_is_asked_for(here):
    from runner import run

    run(**TINY, progress=True)
    assert "accepted by the provider" in here.said()[1]


@pytest.mark.parametrize(
    "word", ["personas=[p9]", "provider=openai", "name='a b'", "temperatures=[9]"]
)
def test_a_mistake_is_raised_with_the_line_of_the_command(here, word):
    from runner import run

    said = here.run(word).stderr.strip()
    with pytest.raises(ConfigError) as raised:
        run([word])
    assert f"error: {raised.value}" == said
    assert here.files() == set()


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda api: api.run(action="plan"), "run takes run, retry, collect, cancel only"),
        (lambda api: api.plan(["--cfg", "job"]), "--cfg: only a command line takes that"),
        (lambda api: api.plan("trials=3"), "overrides are a list of words"),
        (lambda api: api.plan(trials=object()), "settings are text, numbers"),
        (lambda api: api.answers("none"), "holds no run yet"),
        (lambda api: api.report("none", lang="de"), "allowed: en, ja"),
    ],
)
def test_what_only_a_command_line_can_do_is_refused(here, call, why):
    import runner

    with pytest.raises(RunnerError, match=why):
        call(runner)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "懐中時計",
            "ends in \\",
            r"\\'",
            "it's \\ 'so'",
            'say "yes"',
            "a, b = {c}: [d]",
            " ",
            "",
            "gpt-6-sol",
        ),
        *(1, -0.5, True, False, None, ["a", "1"], {"min": 5, "until": {"of": "Q1, Q2"}}, [[1], []]),
    ],
)
def test_a_value_arrives_as_it_was_given(value):
    from runner.api import _typed

    (override,) = OverridesParser.create().parse_overrides([f"x={_typed(value)}"])
    assert override.value() == value


@pytest.mark.parametrize("name", ["1_000", "true", "12", "it-is"])
def test_a_name_like_a_number_is_a_name(here, name):
    from runner import plan

    assert plan(**TINY, name=name).jobs[0].experiment == name


def test_lists_dicts_and_nothing_arrive_as_they_were_given(here):
    from runner import plan

    facts = plan(
        **TINY | {"trials": {"min": 5, "max": 9, "until": {"half_width": 2.5, "of": "Q1"}}},
        **{
            "provider.model": "gpt-4.1",
            "temperatures": [0.1, 0.5],
            "wait": False,
            "deadline": None,
        },
    ).jobs[0]
    assert (facts.model, facts.conditions, facts.facts["total_at_most"]) == ("gpt-4.1", 2, 18)


def test_an_interrupt_ends_cleanly_and_gives_the_signal_back(here):
    from runner import run

    before = signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        while not list(here.folder.glob("outputs/*/*/requests/*")):
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(["faults.in_progress_seconds=60"], **TINY)
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    assert here.summary()["open"] == 2
