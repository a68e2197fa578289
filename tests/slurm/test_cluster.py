"""A sweep on a real Slurm: killed, stopped, left and asked for again, and no request is paid twice.

Off by default: `python -m pytest -m slurm tests/slurm`, after `apt-get install slurm-wlm munge`.
"""

import getpass
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from runner.storage import lease
from runner.storage.lock import holder
from runner.storage.reader import LedgerReader
from tests.acceptance.test_cluster import has_sent
from tests.acceptance.test_sweep import Ended, answered, billed
from tests.slurm.one_machine import missing, slurm

pytestmark = pytest.mark.slurm
ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = ("openai", "groq", "anthropic", "kluster")
SWEEP = [
    *("-m", "hydra/launcher=submitit_slurm", f"provider={','.join(PROVIDERS)}"),
    *("service=emulated", "ledger.shared=true", "personas=[p1,p2]", "texts=[t1]", "trials=4"),
    *("poll.first_seconds=0.2", "poll.max_seconds=0.5", "faults.in_progress_seconds=10"),
]
LAUNCHER = "hydra-submitit-launcher==1.2.0"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Slurm on this machine, and the launcher beside the packages that are installed."""
    if absent := missing():
        pytest.fail(f"not installed: {', '.join(absent)}: apt-get install slurm-wlm munge")
    plugin = tmp_path_factory.mktemp("plugin")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", plugin, LAUNCHER],
        check=True,
    )
    with slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment | {"PYTHONPATH": f"{ROOT}:{plugin}"}


@dataclass
class Command:
    """A command under way."""

    process: subprocess.Popen[str]

    def ended(self, seconds: float = 120) -> Ended:
        out, err = self.process.communicate(timeout=seconds)
        return Ended(self.process.returncode, out, err)


@dataclass
class Desk:
    """A folder, and a cluster to type commands for."""

    folder: Path
    environment: dict[str, str]
    started: list[Command]

    def start(self, *arguments: str) -> Command:
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(Command(process))
        return self.started[-1]

    def ask(self, *command: str) -> str:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def cell(self, provider: str) -> Path:
        (found,) = (self.folder / "outputs/literary").glob(f"{provider}_*_emulated")
        return found

    def wait(self, what: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.ask("squeue")
            time.sleep(0.1)

    def are_running(self) -> bool:
        """Whether every job has a batch at its provider."""
        try:
            cells = [self.cell(provider) for provider in PROVIDERS]
        except ValueError:
            return False
        return all(map(has_sent, cells))

    def check(self) -> None:
        """Every table is whole, and every answer was paid for once."""
        for provider in PROVIDERS:
            cell = self.cell(provider)
            assert billed(cell / "emulator") == answered(cell), provider
            statuses = pl.read_parquet(cell / "answers.parquet")["status"]
            assert len(statuses) == 8
            assert set(statuses) <= {"success", "retry_success"}


@pytest.fixture
def desk(tmp_path: Path, cluster: dict[str, str]) -> Iterator[Desk]:
    """A desk whose commands and jobs end with the test."""
    desk = Desk(tmp_path, cluster, [])
    yield desk
    for command in desk.started:
        with command.process as process:
            process.kill()
    desk.ask("scontrol", "update", "PartitionName=all", "State=UP")
    desk.ask("scancel", f"--user={getpass.getuser()}")
    desk.wait(lambda: not desk.ask("squeue", "--noheader"))


def test_a_job_that_is_killed_is_lost_and_the_same_command_resumes_it(desk: Desk) -> None:
    """Without accounting, submitit alone would wait for it for ever."""
    first = desk.start(*SWEEP)
    desk.wait(desk.are_running)
    status = subprocess.run(
        [sys.executable, "-m", "runner", *SWEEP, "action=status", "--json"],
        cwd=desk.folder,
        env=desk.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [job["state"] for job in json.loads(status.stdout)["jobs"]] == ["running"] * 4
    victim = lease.newest(desk.cell("groq"))
    assert victim is not None
    os.kill(victim.pid, signal.SIGKILL)
    ended = first.ended()
    assert ended.code == 3, ended.out + ended.err
    states = {p: ended.row(f"provider={p}")[1] for p in PROVIDERS}
    assert states == {"openai": "done", "groq": "lost", "anthropic": "done", "kluster": "done"}
    assert "killed, or its machine" in ended.out
    again = desk.start(*SWEEP)
    ended = again.ended()
    assert ended.code == 0, ended.out + ended.err
    assert "1 job to submitit_slurm" in ended.out
    desk.check()
    assert {path.name for path in (desk.folder / "outputs/.sweep").iterdir()} != set()
    report = desk.start("action=report", "report.lang=en").ended()
    assert report.code == 0, report.err
    assert "report over 4 models: 32 requests" in report.out


def test_ctrl_c_leaves_the_jobs_at_work_and_the_same_command_waits_for_them(desk: Desk) -> None:
    first = desk.start(*SWEEP)
    desk.wait(desk.are_running)
    jobs = desk.ask("squeue", "--noheader", "--array", "--format=%i").split()
    assert len(jobs) == 4
    first.process.send_signal(signal.SIGINT)
    ended = first.ended()
    assert ended.code == 130, ended.out + ended.err
    assert "the jobs go on without this command" in ended.out
    assert f"scancel {jobs[0].partition('_')[0]}" in ended.out
    ended = desk.start(*SWEEP).ended()
    assert ended.code == 0, ended.out + ended.err
    assert "4 jobs at work already" in ended.out
    assert "to submitit_slurm" not in ended.out
    desk.check()


def test_scancel_stops_a_job_cleanly_and_it_is_resumed(desk: Desk) -> None:
    first = desk.start(*SWEEP)
    desk.wait(desk.are_running)
    (job,) = {j.partition("_")[0] for j in desk.ask("squeue", "-h", "-r", "-o", "%i").split()}
    desk.ask("scancel", f"{job}_2")
    ended = first.ended()
    assert ended.code == 3, ended.out + ended.err
    assert ended.row("provider=anthropic")[1] == "interrupted"
    with closing(LedgerReader(desk.cell("anthropic"))) as reader:
        assert reader.get("heartbeat")["left"] is True
    ended = desk.start(*SWEEP).ended()
    assert ended.code == 0, ended.out + ended.err
    desk.check()


def test_a_job_that_is_preempted_goes_back_into_the_queue_and_goes_on_by_itself(desk: Desk) -> None:
    first = desk.start(*SWEEP, "hydra.launcher.timeout_min=60")
    desk.wait(desk.are_running)
    (job,) = {j.partition("_")[0] for j in desk.ask("squeue", "-h", "-r", "-o", "%i").split()}
    runner = holder(desk.cell("groq"))
    desk.ask("scancel", "--signal=USR2", f"{job}_1")
    desk.wait(lambda: holder(desk.cell("groq")) not in (None, runner), 300)
    ended = first.ended()
    assert ended.code == 0, ended.out + ended.err
    desk.check()


def test_a_job_whose_time_is_over_is_stopped_cleanly_and_resumed_by_the_command(desk: Desk) -> None:
    """To submitit, a job that asked for less than eleven minutes has had its time."""
    first = desk.start(*SWEEP, "hydra.launcher.timeout_min=10")
    desk.wait(desk.are_running)
    (job,) = {j.partition("_")[0] for j in desk.ask("squeue", "-h", "-r", "-o", "%i").split()}
    desk.ask("scancel", "--signal=USR2", f"{job}_1")
    ended = first.ended()
    assert ended.code == 3, ended.out + ended.err
    assert ended.row("provider=groq")[1] == "interrupted"
    assert "! provider=groq: Job not requeued because: timed-out too many times." in ended.out
    assert "sacct" not in ended.err
    ended = desk.start(*SWEEP).ended()
    assert ended.code == 0, ended.out + ended.err
    desk.check()


def test_a_job_that_waited_while_a_later_command_came_leaves_without_sending(desk: Desk) -> None:
    desk.ask("scontrol", "update", "PartitionName=all", "State=DOWN")
    first = desk.start(*SWEEP)
    desk.wait(lambda: len(desk.ask("squeue", "-h", "-r", "-o", "%i").split()) == 4)
    first.process.send_signal(signal.SIGINT)
    assert first.ended().code == 130
    second = desk.start(*SWEEP)
    desk.wait(lambda: len(desk.ask("squeue", "-h", "-r", "-o", "%i").split()) == 8)
    desk.ask("scontrol", "update", "PartitionName=all", "State=UP")
    ended = second.ended(200)
    assert ended.code == 0, ended.out + ended.err
    notes = [json.loads(p.read_text()) for p in (desk.folder / "outputs/.sweep").rglob("*.json")]
    assert [note["code"] for note in notes] == [2] * 4
    assert all("a later command has this job now" in note["why"] for note in notes)
    desk.check()
    assert all(holder(desk.cell(provider)) is None for provider in PROVIDERS)


def test_what_slurm_refuses_is_said_in_every_row_and_nothing_is_sent(desk: Desk) -> None:
    ended = desk.start(*SWEEP, "hydra.launcher.partition=nowhere").ended()
    assert ended.code == 3, ended.out + ended.err
    assert ended.row("provider=openai")[1] == "not started"
    assert "Invalid partition name" in ended.out
    assert not list((desk.folder / "outputs").rglob("cache.db"))
