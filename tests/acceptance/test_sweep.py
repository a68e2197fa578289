"""Sweeps as a researcher types them: all jobs at once, one table, one budget, and no job paid twice."""

import fcntl
import json
import os
import re
import signal
import sqlite3
import struct
import termios
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import INSTANT, SMALL, Desk, Emulator
from tests.variants import first

FAST = ["poll.first_seconds=0.02", "poll.max_seconds=0.1"]
QUICK = ["faults=instant", *FAST]
OPENAI, GROQ = "openai_gpt-6-luna", "groq_openai-gpt-oss-120b"
BOTH = ["-m", "provider=openai,groq", *SMALL]
KEYS = {"OPENAI_API_KEY": "test-key", "GROQ_API_KEY": "test-key"}
_TAG = re.compile(r"^c[0-9a-f]{8}-")


@dataclass
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    def row(self, name: str) -> list[str]:
        """The words of one line of the table."""
        (line,) = [line for line in self.out.splitlines() if line.startswith(f"{name}  ")]
        return re.split(r"\s{2,}", line)

    @property
    def jobs(self) -> dict[str, dict]:
        return {job["job"]: job for job in json.loads(self.out)["jobs"]}


Type = Callable[..., Ended]


@pytest.fixture
def type_(desk: Desk) -> Type:
    """Type a command in the desk's folder."""

    def go(*arguments: str, **environment: str) -> Ended:
        done = desk.run(*arguments, **environment)
        return Ended(done.returncode, done.stdout, done.stderr)

    return go


def billed(world: Path) -> Counter[str]:
    """What a world's emulator was paid for, request by request."""
    with closing(sqlite3.connect(world / "emulator.sqlite")) as db:
        rows = db.execute("SELECT custom_id, billed FROM asks WHERE billed > 0").fetchall()
    paid: Counter[str] = Counter()
    for custom_id, times in rows:
        paid[_TAG.sub("", custom_id)] += times
    return paid


def answered(cell: Path) -> Counter[str]:
    """What a run's attempts say was answered."""
    attempts = pl.read_parquet(cell / "attempts.parquet")
    return Counter(attempts.filter(pl.col("outcome").is_in(["valid", "invalid"]))["custom_id"])


@pytest.mark.long
def test_all_jobs_are_sent_before_the_first_is_over_and_the_same_command_sends_no_more(
    desk: Desk, type_: Type
) -> None:
    command = [*BOTH, "service=emulated", *FAST, "faults.in_progress_seconds=0.7"]
    first = type_(*command)
    assert first.code == 0, first.out + first.err
    sent = [m.start() for m in re.finditer("accepted by the provider", first.err)]
    assert len(sent) >= 2
    assert sent[1] < first.err.index("over at the provider")
    assert all(
        line.startswith(("provider=openai  ", "provider=groq  "))
        for line in first.err.splitlines()
        if re.search(r"\bb000\d ", line)
    )
    assert "sweep of 2 jobs" in first.out
    assert "REHEARSAL" in first.out
    for name in ("provider=openai", "provider=groq"):
        assert first.row(name)[1:3] == ["done", "12"]
    assert first.row("all")[1] == "24"
    cells = [desk.cell(f"literary/{name}_emulated") for name in (OPENAI, GROQ)]
    bills = [billed(cell / "emulator") for cell in cells]
    assert bills == [answered(cell) for cell in cells]
    assert {path.name for path in (desk.folder / "outputs").iterdir()} == {
        "literary",
        "dataset_rehearsal",
    }
    again = type_(*command, "--json")
    assert again.code == 0
    assert {name: job["state"] for name, job in again.jobs.items()} == {
        "provider=openai": "done",
        "provider=groq": "done",
    }
    assert json.loads(again.out)["totals"]["total"] == 24
    assert [billed(cell / "emulator") for cell in cells] == bills


@pytest.mark.long
def test_a_terminal_shows_a_line_a_job_and_the_batches_under_way(desk: Desk) -> None:
    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    running = desk.start(
        *(*BOTH, "service=emulated", *FAST, "faults.in_progress_seconds=1"), stderr=terminal
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # how Linux says that nobody has the terminal open any more
        while block := os.read(screen, 65536):
            shown += block
    os.close(screen)
    assert running.wait(timeout=30) == 0
    running.stdout.close()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"provider=openai +0/12  1 batch open", text)
    assert re.search(r"2 jobs, 0 over  0/24 requests", text)
    assert re.search(r"provider=groq  b0001  running", text)
    assert "Ctrl-C: stop" in text


def test_a_job_without_a_key_says_so_and_the_other_is_done(desk: Desk, type_: Type, live) -> None:
    own = {"OPENAI_API_KEY": "test-key", "OPENAI_BASE_URL": f"{live.address}/v1"}
    ended = type_(*BOTH, *FAST, **own)
    assert ended.code == 3
    assert ended.row("provider=openai")[1] == "done"
    assert ended.row("provider=groq")[1:] == [
        "not started",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "see below",
    ]
    assert "! provider=groq: no key: set the environment variable GROQ" in ended.out
    assert not desk.cell(f"literary/{GROQ}").exists()
    none = type_(*BOTH, *FAST)
    assert none.code == 2
    assert none.out.count("no key: set the environment variable") == 2


def test_the_budget_is_one_for_all_jobs_and_held_before_anything_is_sent(
    desk: Desk, type_: Type, live
) -> None:
    keys = {
        **KEYS,
        "OPENAI_BASE_URL": f"{live.address}/v1",
        "GROQ_BASE_URL": f"{live.address}/groq",
    }
    models = ["-m", "provider=openai", "provider.model=gpt-6-luna,gpt-6-luna-2026-09-22", *SMALL]
    facts = json.loads(type_(*models, "action=plan", "--json").out)
    assert facts["over_budget"] is None
    assert facts["totals"]["to_send"] == sum(job["to_send"] for job in facts["jobs"]) == 24
    both = facts["totals"]["cost_usd_high"]
    assert both == pytest.approx(2 * facts["jobs"][0]["cost_usd_high"])
    enough_for_one = f"budget.max_usd={both * 0.75}"
    refused = type_(*models, enough_for_one, *FAST, **keys)
    assert refused.code == 2
    (line,) = refused.err.splitlines()
    assert f"the 24 requests of 2 jobs may cost up to ${both:.4f} in all" in line
    assert "nothing was sent" in line
    assert live.bill()["batches"] == 0
    assert not (desk.folder / "outputs").exists()
    plan = type_(*models, enough_for_one, "action=plan", **keys)
    assert plan.code == 0
    assert "! budget: the 24 requests" in plan.out
    assert plan.row("all")[1:3] == ["24", "2"]
    assert not (desk.folder / "outputs").exists()


def test_a_service_that_refuses_and_one_that_is_down_do_not_stop_the_others(
    desk: Desk, tmp_path: Path, live
) -> None:
    down = {**INSTANT, "http_500": 1.0}
    command = ["-m", "provider=openai,groq,kluster", *SMALL, *FAST, "budget.allow_unknown=true"]
    own = {
        **KEYS,
        "OPENAI_BASE_URL": f"{live.address}/v1",
        "KLUSTERAI_API_KEY": "sk-not-for-the-emulator",
        "KLUSTER_BASE_URL": f"{live.address}/kluster/v1",
    }
    with Emulator.start(tmp_path / "groqs", down) as emulator:
        running = desk.start(*command, **own, GROQ_BASE_URL=f"{emulator.address}/groq")
        seen = ""
        for line in running.stderr:
            seen += line
            if "provider=openai" in line and "collected: 12 valid" in line:
                break
            if "provider=openai" in line and "b0002 collected" in line:
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        ended = Ended(running.returncode, out, seen + err)
    assert ended.code == 130, out + err
    assert ended.row("provider=groq")[1] == "interrupted"
    assert ended.row("provider=kluster")[1] == "refused"
    assert "KLUSTERAI_API_KEY" in ended.out
    assert "sk-not-for" not in ended.out + ended.err
    assert " -m runner -m provider=openai,groq,kluster" in ended.out
    well = {**own, "KLUSTERAI_API_KEY": "test-key", "GROQ_BASE_URL": f"{live.address}/groq"}
    done = desk.run(*command, **well)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [path for path in (desk.folder / "outputs/literary").iterdir() if path.is_dir()]
    assert len(cells) == 3
    assert billed(tmp_path / "world") == sum((answered(cell) for cell in cells), Counter())


def test_a_sweep_that_is_killed_resumes_and_nothing_is_paid_twice(desk: Desk) -> None:
    command = [*BOTH, "service=emulated", *FAST, "faults.in_progress_seconds=0.3"]
    running = desk.start(*command, "provider.limits.requests=5")
    for line in running.stderr:
        if "collected" in line:
            break
    running.kill()
    running.communicate(timeout=30)
    done = desk.run(*command, "provider.limits.requests=5")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (OPENAI, GROQ):
        cell = desk.cell(f"literary/{name}_emulated")
        assert pl.read_parquet(cell / "answers.parquet").height == 12
        assert billed(cell / "emulator") == answered(cell)


@pytest.mark.long
def test_a_ledger_that_another_runner_holds_is_that_jobs_trouble_only(
    desk: Desk, type_: Type
) -> None:
    slow = [*SMALL, "service=emulated", *FAST]
    other = desk.start("provider=openai", *slow, "faults.in_progress_seconds=20")
    for line in other.stderr:
        if "accepted by the provider" in line:
            break
    ended = type_("-m", "provider=openai,groq", *slow, "faults=instant")
    status = type_("-m", "provider=openai,groq", *slow, "action=status")
    other.kill()
    other.communicate(timeout=30)
    assert ended.code == 3, ended.out + ended.err
    assert ended.row("provider=groq")[1] == "done"
    assert ended.row("provider=openai")[1] == "not started"
    assert f"in use by a runner with pid {other.pid}" in ended.out
    assert status.row("provider=openai")[1] == "running"
    assert status.row("provider=groq")[1] == "done"


@pytest.mark.long
def test_jobs_that_only_add_requests_share_a_folder_and_ask_nothing_twice(
    desk: Desk, type_: Type
) -> None:
    some = ["personas=[p1]", "texts=[t1]", *QUICK]
    ended = type_("trials=2,3", "-m", "temperatures=calculated,[0.1]", *some)
    assert ended.code == 0, ended.out + ended.err
    assert "4 jobs share outputs/literary/emulator_gpt-4o-mini: they run one after" in ended.out
    cell = desk.cell()
    assert pl.read_parquet(cell / "answers.parquet").height == 6
    assert ended.row("all")[1] == "6"
    assert billed(cell / "emulator") == answered(cell)


@pytest.mark.long
def test_other_actions_do_every_job(desk: Desk, type_: Type) -> None:
    calm = [*SMALL, *QUICK, "faults.malformed=0"]
    variants = ["-m", "provider.max_output_tokens=1000,1200", *calm]
    left = type_(*variants, "wait=false")
    assert left.code == 3
    assert left.row("provider.max_output_tokens=1000")[1] == "open"
    assert type_(*variants, "action=collect").code == 0
    assert len(list((desk.folder / "outputs/literary").iterdir())) == 2
    verified = type_(*variants, "action=verify")
    assert verified.code == 0
    assert verified.out.count("all well") == 2
    status = type_(*variants, "action=status", "--json")
    assert [job["state"] for job in status.jobs.values()] == ["done", "done"]
    nothing = type_("-m", "provider=groq,openai", "service=emulated", "action=collect")
    assert nothing.code == 2
    assert nothing.out.count("no run yet") == 2
    assert len(list((desk.folder / "outputs/literary").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    first(
        2,
        [
            (["trials=1,2", "--cfg", "job"], "multirun"),
            (["action=plan,status"], "a sweep does one thing at a time"),
            (["wait=true,false"], "waits for all of its jobs or for none"),
            (["trials=1,0"], "trials: 0 is too small"),
            (["provider=openai,nope"], "did you mean"),
        ],
    ),
)
def test_a_mistake_in_the_command_is_one_line_and_stops_all(
    desk: Desk, type_: Type, arguments: list[str], said: str
) -> None:
    ended = type_("-m", *arguments)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert said in line
    assert desk.files() == set()
