"""A sweep through a launcher: each job a process elsewhere, one budget, one table."""

import json
import os
import signal
import time
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from runner.cli.cluster_tickets import shared_out, upwards
from runner.cli.sweep_jobs import SweepJob, checked
from runner.config.compose import compose
from runner.core.errors import ConfigError, LedgerError
from runner.storage.lock import holder
from runner.storage.reader import LedgerReader
from tests.acceptance.conftest import QUICK, ROOT, SMALL, Desk
from tests.acceptance.test_sweep import Ended, answered, billed

PLUGIN = {"PYTHONPATH": f"{ROOT}:{Path(__file__).parent / 'plugin'}"}
ELSEWHERE = ["-m", "hydra/launcher=here", "provider=openai,groq", "service=emulated", *SMALL]
OPENAI, GROQ = (
    "literary/openai_gpt-6-luna_emulated",
    "literary/groq_openai-gpt-oss-120b_emulated",
)


def typed(desk: Desk, *arguments: str) -> Ended:
    ended = desk.process(*arguments, **PLUGIN)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def has_sent(cell: Path) -> bool:
    """Whether a run has a batch at its provider."""
    with suppress(LedgerError), closing(LedgerReader(cell)) as reader:  # it may just be made
        return any(batch.remote for batch in reader.batches())
    return False


@pytest.mark.long
def test_every_job_runs_in_a_process_of_its_own_and_the_table_is_the_same(desk: Desk) -> None:
    ended = typed(desk, *ELSEWHERE, *QUICK)
    assert ended.code == 0, ended.out + ended.err
    for name in ("provider=openai", "provider=groq"):
        assert ended.row(name)[1:3] == ["done", "12"]
    assert "REHEARSAL" in ended.out
    pids = set()
    for cell in map(desk.cell, (OPENAI, GROQ)):
        assert billed(cell / "emulator") == answered(cell)
        with closing(LedgerReader(cell)) as reader:
            pids.add(reader.get("heartbeat")["pid"])
        assert cell.stat().st_mode & 0o777 == 0o700
    assert len(pids) == 2
    assert not (desk.folder / "outputs/.sweep").exists()
    again = typed(desk, *ELSEWHERE, *QUICK, "--json")
    assert again.code == 0
    assert [job["state"] for job in json.loads(again.out)["jobs"]] == ["done", "done"]
    assert "over" not in again.err


@pytest.mark.long
def test_one_that_is_killed_is_said_to_be_lost_and_is_resumed(desk: Desk) -> None:
    slow = [
        *ELSEWHERE,
        "poll.first_seconds=0.1",
        "poll.max_seconds=0.2",
        "faults.in_progress_seconds=5",  # long enough to be killed in, on a busy machine too
    ]
    with desk.start(*slow, **PLUGIN) as process:
        end = time.monotonic() + 120
        while not has_sent(desk.cell(GROQ)):
            assert time.monotonic() < end
            time.sleep(0.05)
        runner = holder(desk.cell(GROQ))
        assert runner is not None
        os.kill(runner.pid, signal.SIGKILL)
        ended = Ended(0, *process.communicate(timeout=120))
    assert process.returncode == 3, ended.out + ended.err
    assert [ended.row(f"provider={p}")[1] for p in ("openai", "groq")] == ["done", "lost"]
    again = typed(desk, *slow)
    assert again.code == 0, again.out + again.err
    assert "note: 1 job to here" in again.out
    for cell in map(desk.cell, (OPENAI, GROQ)):
        assert billed(cell / "emulator") == answered(cell)


@pytest.mark.long
def test_jobs_that_share_a_folder_are_refused_before_anything_is_started(desk: Desk) -> None:
    ended = typed(desk, *ELSEWHERE[:2], "trials=1,2", "provider=openai", "service=emulated")
    assert ended.code == 2
    assert "share outputs/literary/openai_gpt-6-luna_emulated, and a ledger has one" in ended.err
    assert "outputs" not in desk.files()


@pytest.mark.long
def test_a_mistake_in_one_job_is_said_here_before_anything_is_started(desk: Desk) -> None:
    ended = typed(desk, *ELSEWHERE, "retry.max_attempts=0")
    assert ended.code == 2
    assert ended.err.startswith("error: retry.max_attempts: 0")
    assert desk.files() == set()


def test_the_launcher_of_slurm_is_named_when_it_is_not_installed(desk: Desk) -> None:
    ended = typed(desk, "-m", "hydra/launcher=submitit_slurm", "provider=openai,groq")
    assert ended.code == 2
    assert "pip install '.[slurm]'" in ended.err


# -- the budget in shares


def jobs_of(desk: Desk, monkeypatch: pytest.MonkeyPatch, *more: str) -> list[SweepJob]:
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("GROQ_API_KEY", "test-key")
    return checked(compose(["-m", "provider=openai,groq", *SMALL, *more]), sending=True)


def shares(jobs: list[SweepJob], wanted: list[int], at_work: dict) -> list[Decimal]:
    found = shared_out(jobs, wanted, at_work, "token")
    return [Decimal(repr(ticket.max_usd)) for ticket in found]


@pytest.mark.long
def test_each_job_gets_what_it_may_need_and_all_together_get_the_budget(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_of(desk, monkeypatch, "budget.max_usd=0.7")
    found = shares(jobs, [0, 1], {})
    assert abs(sum(found) - Decimal("0.7")) < Decimal("1e-12")
    for share, job in zip(found, jobs, strict=True):
        assert share > job.most_usd > 0
    rest = [share - job.most_usd for share, job in zip(found, jobs, strict=True)]
    assert abs(rest[0] - rest[1]) < Decimal("1e-12")


def test_what_a_job_at_work_was_given_is_not_given_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_of(desk, monkeypatch, "budget.max_usd=0.7")
    (found,) = shares(jobs, [1], {0: {"max_usd": 0.6}})
    assert abs(found - Decimal("0.1")) < Decimal("1e-12")
    with pytest.raises(ConfigError, match="1 job at work may spend what they were given"):
        shares(jobs, [1], {0: {"max_usd": 0.6999}})


def test_a_share_is_never_rounded_below_what_is_needed() -> None:
    share = Decimal(1) / 3
    assert Decimal(repr(upwards(share))) >= share
    assert upwards(Decimal("0.1")) == 0.1
