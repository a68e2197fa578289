"""The first promise: whatever dies, whenever, nothing is paid twice and no answer is lost."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[2]
VOLATILE = [
    *("batch", "remote_batch", "request_id", "submitted_at", "completed_at", "answered_at"),
    "lost",
]
CALM = {"malformed": 0.3, "malformed_enhanced": 0.1}
LOST = {**CALM, "lost_create_reply": 1.0, "late_list_seconds": 0.03}
HALF = {**CALM, "half_expired": 0.5, "failed_lines": 0.1, "shuffle": True, "duplicate_lines": 0.2}
PACE = {"validating_seconds": 0.0, "in_progress_seconds": 0.0, "finalizing_seconds": 0.0}
ARGUMENTS = [
    "provider.limits.requests=8",
    "poll.first_seconds=0.01",
    "poll.max_seconds=0.02",
    "poll.settle_seconds=0.06",
    "retry.max_lost=20",
]
KEYS = (
    *("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "GOOGLE_OAUTH_ACCESS_TOKEN"),
    *("GEMINI_API_KEY", "OPENROUTER_API_KEY", "MISTRAL_API_KEY", "XAI_API_KEY"),
    *("TOGETHER_API_KEY", "AWS_SECRET_ACCESS_KEY"),
)
TAG = "c5eed5eed-"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A provider, how it behaves, and how many of the kill points are tried."""

    provider: str
    faults: dict
    path: str = "/v1"
    packages: tuple[str, ...] = ("openai",)
    more: tuple[str, ...] = ()
    requests: int = 12
    late: bool = False
    """Whether each run composes its own configuration."""
    asked: tuple[str, ...] = ("personas=[p1,p2]", "texts=[t1,t2]", "trials=3")
    arguments: list[str] = field(init=False)

    def __post_init__(self) -> None:
        arguments = [f"provider={self.provider}", *self.asked, *ARGUMENTS, *self.more]
        object.__setattr__(self, "arguments", arguments)


ANTHROPIC = {"provider": "anthropic", "path": "/anthropic", "packages": ("anthropic",)}
GEMINI = {
    "provider": "gemini",
    "path": "",
    "packages": ("google.cloud.aiplatform_v1", "google.cloud.storage", "google.cloud.bigquery"),
    "more": (
        *("provider.project=emulated", "provider.bucket=emulated-us-central1"),
        "provider.dataset=emulated_us_central1",
    ),
}
RULED = 31
"""Requests that a stopping rule comes to, in some rounds after a pilot."""
SCENARIOS = {
    "calm": Scenario(provider="openai", faults=CALM),
    "lost": Scenario(provider="openai", faults=LOST),
    "half": Scenario(provider="openai", faults=HALF),
    "anthropic": Scenario(**ANTHROPIC, faults=LOST),
    "gemini": Scenario(**GEMINI, faults=LOST),
    "gemini_api": Scenario(
        provider="gemini_api", path="/gemini_api", packages=("httpx",), faults=LOST
    ),
    "openrouter": Scenario(
        provider="openrouter",
        path="/openrouter/api/v1",
        packages=("httpx",),
        faults=LOST,
        more=("provider.only=[anthropic]",),
    ),
    "rules": Scenario(
        provider="openai",
        faults=HALF,
        more=(
            "trials={min: 3, max: 9, until: {half_width: 12, of: Q1}}",
            "pilot={at_least: 6, valid: 0.3}",
        ),
        requests=RULED,
    ),
    "mistral": Scenario(provider="mistral", path="/mistral/v1", packages=("httpx",), faults=LOST),
    "xai": Scenario(provider="xai", path="/xai/v1", packages=("httpx",), faults=LOST),
    "together": Scenario(
        provider="together", path="/together/v1", packages=("httpx",), faults=LOST
    ),
    "bedrock": Scenario(
        provider="bedrock",
        path="/bedrock",
        packages=("runner.providers._aws",),
        faults=LOST,
        more=(
            *("provider.region=us-east-1", "provider.bucket=emulated-bucket"),
            "provider.role=arn:aws:iam::123456789012:role/emulated",
            "provider.limits.min_requests=null",
            "poll.max_retry_after_seconds=1",
        ),
    ),
}
IN_THE_SOAK = (
    *("rules", "calm", "half", "gemini", "gemini_api", "openrouter", "mistral", "xai", "together"),
    "bedrock",
)
"""What differs from another scenario by its wire or its faults alone, or takes minutes."""
SHARED = Scenario(provider="openai", faults=CALM, more=("ledger.shared=true",))
"""On a disk that several machines share: a rollback journal and a lease."""
REALTIME = Scenario(
    provider="openai",
    faults=CALM,
    more=("provider.mode=realtime", "provider.realtime.concurrency=2", "retry.max_attempts=20"),
)

DEADLINE = Scenario(
    provider="openai",
    faults={**CALM, "in_progress_seconds": 2.5},
    more=(
        *("deadline=0.0003h", "provider.realtime.concurrency=2"),
        *("retry.max_attempts=20", "provider.limits.margin=0"),
    ),
)
"""Batches that are cancelled after a second, with some of their answers, and talks for the rest."""


@dataclass
class Service:
    """An emulator of its own for each run, so that its bill is that run's bill."""

    driver: "Driver"
    pid: int
    address: str

    def bill(self) -> dict:
        return httpx.get(f"{self.address}/emulator/bill", trust_env=False).json()

    def stop(self) -> None:
        self.driver.ask(kind="stop", pid=self.pid)


@dataclass
class Driver:
    """Forks one runner, or one emulator, after another."""

    process: subprocess.Popen[str]
    scenario: Scenario

    def ask(self, **job: object) -> dict:
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def emulator(self, folder: Path) -> Service:
        folder.mkdir(parents=True)
        behaviour, ready = folder / "behaviour.json", folder / "emulator.out"
        behaviour.write_text(json.dumps({"seed": 7, **PACE, **self.scenario.faults}))
        arguments = ["--state", str(folder / "world"), "--behaviour", str(behaviour)]
        pid = self.ask(kind="emulate", output=str(ready), arguments=arguments)["pid"]
        while not ready.exists() or not ready.read_text().endswith("\n"):
            time.sleep(0.005)
        return Service(self, pid, ready.read_text().strip())

    def run(self, folder: Path, address: str, *, kill_at: int, tag: str) -> tuple[int, list[str]]:
        log = folder / f"{tag}.points"
        answer = self.ask(
            kind="run",
            kill_at=kill_at,
            log=str(log),
            output=str(folder / f"{tag}.out"),
            outputs=str(folder / "outputs"),
            base_url=f"{address}{self.scenario.path}",
            arguments=self.scenario.arguments,
        )
        return answer["code"], log.read_text().splitlines() if log.exists() else []


@contextmanager
def driver(scenario: Scenario) -> Iterator[Driver]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("driver.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **dict.fromkeys(KEYS, "test-key")},
    )
    first = {
        "arguments": scenario.arguments,
        "packages": scenario.packages,
        "late": scenario.late,
    }
    process.stdin.write(json.dumps(first) + "\n")
    yield Driver(process, scenario)
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


def table(folder: Path, name: str = "answers") -> pl.DataFrame:
    (path,) = (folder / "outputs/literary").glob(f"*/{name}.parquet")
    return pl.read_parquet(path)


def settled(folder: Path) -> pl.DataFrame:
    return table(folder).drop(VOLATILE)


ROWS = 10_000
"""Of a table: so many that they are kept as columns, and told by their numbers."""
TRIED = 8
"""Points of that run, spread over it."""
STUDY = """\
# @package _global_
name: literary
factors:
  row: {file: rows.csv, id: id}
trials: 1
messages:
  - {role: user, content: "{row.body}\\n\\n{items}"}
items:
  stars: {ask: "How many stars?", minimum: 1, maximum: 5}
"""


def of_rows(home: Path) -> Scenario:
    """A study of many rows, in three batches and what has to be asked again."""
    (home / "experiment").mkdir(parents=True)
    (home / "experiment/rows.yaml").write_text(STUDY)
    rows = "".join(f"r{n},text {n}\n" for n in range(ROWS))
    (home / "experiment/rows.csv").write_text(f"id,body\n{rows}")
    return Scenario(
        provider="openai",
        faults=HALF,
        requests=ROWS,
        late=True,
        asked=("--config-dir", str(home), "experiment=rows"),
        more=("provider.limits.requests=4000", "retry.max_attempts=20"),
    )


def leave_figure(name: str, value: int) -> None:
    """Leave a figure for the README in the folder that CHORUS_FIGURES names."""
    if folder := os.environ.get("CHORUS_FIGURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_text(str(value))


@dataclass(frozen=True)
class Points:
    """Every how manieth point is tried; they are dealt out where there are many."""

    every: int
    share: int = 0
    shares: int = 1

    def __str__(self) -> str:
        return f"{self.share}-{self.every}"


def killed_at(one: Driver, tmp_path: Path, points: Points) -> Iterator[tuple[str, Path, Service]]:
    """Kill a run at one point after another, and resume each; yields what came of it."""
    kill_at = 1 + points.share * points.every
    while True:
        folder = tmp_path / f"killed-{kill_at}"
        service = one.emulator(folder)
        code, passed = one.run(folder, service.address, kill_at=kill_at, tag="first")
        if code != -9:
            service.stop()
            assert code == 0, (folder / "first.out").read_text()
            return
        code, _ = one.run(folder, service.address, kill_at=0, tag="resumed")
        said = (folder / "resumed.out").read_text()
        assert code == 0, f"killed at {passed[-1]}: {said}"
        yield passed[-1], folder, service
        service.stop()
        kill_at += points.shares * points.every


def undisturbed(one: Driver, folder: Path) -> tuple[dict, pl.DataFrame]:
    service = one.emulator(folder)
    code, points = one.run(folder, service.address, kill_at=0, tag="undisturbed")
    bill = service.bill()
    service.stop()
    assert code == 0, (folder / "undisturbed.out").read_text()
    assert len(points) > 40
    assert table(folder).height == one.scenario.requests
    return bill, settled(folder)


POINTS = [
    Points(every=96),
    *(pytest.param(Points(1, share, shares=2), marks=pytest.mark.soak) for share in range(2)),
]
"""A few of the points here; all of them in the soak: python -m pytest -m soak tests/kill."""
at_points = pytest.mark.parametrize("points", POINTS, ids=str)


@at_points
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.soak) if n in IN_THE_SOAK else n for n in SCENARIOS],
)
def test_a_run_killed_at_any_point_resumes_without_paying_twice_or_losing_an_answer(
    name, points, tmp_path
):
    killed = 0
    with driver(SCENARIOS[name]) as one:
        bill, answers = undisturbed(one, tmp_path / "undisturbed")
        for where, folder, service in killed_at(one, tmp_path, points):
            killed += 1
            found = service.bill()
            assert found["unbilled_batches"] == 0, where
            assert found["billed"] == bill["billed"], where
            assert settled(folder).equals(answers), where
    assert killed > 20 / points.every
    leave_figure(f"{name}-{points.share}", killed)


@pytest.mark.long
@at_points
def test_a_run_on_a_shared_disk_killed_at_any_point_resumes_as_on_any_other(points, tmp_path):
    killed = 0
    with driver(SHARED) as one:
        bill, answers = undisturbed(one, tmp_path / "undisturbed")
        for where, folder, service in killed_at(one, tmp_path, points):
            found = service.bill()
            assert found["unbilled_batches"] == 0, where
            assert found["billed"] == bill["billed"], where
            assert settled(folder).equals(answers), where
            (lease,) = (folder / "outputs/literary").glob("*/runner.lease.[0-9]*")
            assert lease.stat().st_mtime == 0, where
            killed += 1
    assert killed > 20 / points.every
    leave_figure(f"shared-{points.share}", killed)


@at_points
def test_a_talk_killed_at_any_point_loses_at_most_the_answers_on_their_way(points, tmp_path):
    killed = 0
    with driver(REALTIME) as one:
        undisturbed(one, tmp_path / "undisturbed")
        for where, folder, service in killed_at(one, tmp_path, points):
            killed += 1
            outcomes = Counter(table(folder, "attempts")["outcome"])
            answered = outcomes["valid"] + outcomes["invalid"]
            assert 0 <= service.bill()["chats_billed"] - answered <= 2, where
            assert set(table(folder)["status"]) <= {"success", "retry_success"}, where
    assert killed > 20 / points.every
    leave_figure(f"realtime-{points.share}", killed)


@pytest.mark.soak
@pytest.mark.parametrize("points", [Points(7)], ids=str)
def test_a_run_with_a_deadline_killed_at_any_point_pays_once_and_keeps_every_answer(
    points, tmp_path
):
    killed = 0
    with driver(DEADLINE) as one:
        undisturbed(one, tmp_path / "undisturbed")
        for where, folder, service in killed_at(one, tmp_path, points):
            killed += 1
            found, tried = service.bill(), table(folder, "attempts")
            answered = tried.filter(pl.col("outcome").is_in(["valid", "invalid"]))
            singly = answered["remote_batch"].str.starts_with("realtime-")
            in_batches = Counter(answered.filter(~singly)["custom_id"])
            billed = Counter({k.removeprefix(TAG): n for k, n in found["billed"].items()})
            assert found["unbilled_batches"] == 0, where
            assert billed == in_batches, where
            assert 0 <= found["chats_billed"] - singly.sum() <= 2, where
            once = Counter(tried.filter(pl.col("outcome") == "valid")["custom_id"])
            assert set(once.values()) == {1}, where
            assert set(table(folder)["status"]) <= {"success", "retry_success"}, where
    assert killed > 10
    leave_figure(f"deadline-{points.share}", killed)


@pytest.mark.soak
def test_a_run_of_ten_thousand_rows_killed_along_its_way_resumes_as_any_other(tmp_path):
    killed = 0
    with driver(of_rows(tmp_path / "conf")) as one:
        bill, answers = undisturbed(one, tmp_path / "undisturbed")
        passed = (tmp_path / "undisturbed/undisturbed.points").read_text().count("\n")
        for where, folder, service in killed_at(one, tmp_path, Points(-(-passed // TRIED))):
            killed += 1
            found = service.bill()
            assert found["unbilled_batches"] == 0, where
            assert found["billed"] == bill["billed"], where
            assert settled(folder).equals(answers), where
            assert list((folder / "outputs/literary").glob("*/definition-*.parquet")), where
    assert killed >= TRIED - 2
    leave_figure("rows", killed)
