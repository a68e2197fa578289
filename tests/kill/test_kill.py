"""The first promise: whatever dies, whenever, nothing is paid twice and no answer is lost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[2]
VOLATILE = ["batch", "remote_batch", "submitted_at", "completed_at", "answered_at", "lost"]
CALM = {"malformed": 0.3, "malformed_enhanced": 0.1}
LOST = {**CALM, "lost_create_reply": 1.0, "late_list_seconds": 0.03}
HALF = {**CALM, "half_expired": 0.5, "failed_lines": 0.1, "shuffle": True, "duplicate_lines": 0.2}
PACE = {"validating_seconds": 0.0, "in_progress_seconds": 0.0, "finalizing_seconds": 0.0}


ARGUMENTS = [
    "provider=openai",
    "personas=[p1,p2]",
    "texts=[t1,t2]",
    "trials=3",
    "provider.limits.requests=8",
    "poll.first_seconds=0.01",
    "poll.max_seconds=0.02",
    "poll.settle_seconds=0.06",
    "retry.max_lost=20",
]


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

    def ask(self, **job: object) -> dict:
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def emulator(self, folder: Path, faults: dict) -> Service:
        folder.mkdir(parents=True)
        behaviour, ready = folder / "behaviour.json", folder / "emulator.out"
        behaviour.write_text(json.dumps({"seed": 7, **PACE, **faults}))
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
            base_url=f"{address}/v1",
            arguments=ARGUMENTS,
        )
        return answer["code"], log.read_text().splitlines() if log.exists() else []


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("driver.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "test-key"},
    )
    process.stdin.write(json.dumps(ARGUMENTS) + "\n")
    yield Driver(process)
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


def table(folder: Path) -> pl.DataFrame:
    path = folder / "outputs/literary/openai_gpt-4o-mini/answers.parquet"
    return pl.read_parquet(path).drop(VOLATILE)


def leave_figure(name: str, value: int) -> None:
    """Leave a figure for the README in the folder that CHORUS_FIGURES names."""
    if folder := os.environ.get("CHORUS_FIGURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_text(str(value))


SHARES = 2
"""The points are dealt out, so that two workers have the same to do."""


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("scenario", ["calm", "lost", "half"])
def test_a_run_killed_at_any_point_resumes_without_paying_twice_or_losing_an_answer(
    scenario, share, driver, tmp_path
):
    faults = {"calm": CALM, "lost": LOST, "half": HALF}[scenario]
    service = driver.emulator(tmp_path / "undisturbed", faults)
    code, points = driver.run(
        tmp_path / "undisturbed", service.address, kill_at=0, tag="undisturbed"
    )
    undisturbed_bill = service.bill()
    service.stop()
    undisturbed = table(tmp_path / "undisturbed")
    assert code == 0
    assert undisturbed.height == 12
    assert len(points) > 40

    kill_at, killed = 1 + share, 0
    while True:
        folder = tmp_path / f"killed-{kill_at}"
        service = driver.emulator(folder, faults)
        code, passed = driver.run(folder, service.address, kill_at=kill_at, tag="first")
        if code != -9:
            service.stop()
            assert code == 0
            break
        killed += 1
        where = passed[-1]
        code, _ = driver.run(folder, service.address, kill_at=0, tag="resumed")
        said = (folder / "resumed.out").read_text()
        assert code == 0, f"killed at {where}: {said}"
        bill = service.bill()
        service.stop()
        assert bill["unbilled_batches"] == 0, where
        assert bill["billed"] == undisturbed_bill["billed"], where
        assert table(folder).equals(undisturbed), where
        kill_at += SHARES
    assert killed > 20
    leave_figure(f"{scenario}-{share}", killed)
