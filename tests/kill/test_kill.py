"""The first promise: whatever dies, whenever, nothing is paid twice and no answer is lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[2]
VOLATILE = ["batch", "remote_batch", "submitted_at", "completed_at", "answered_at", "lost"]
CALM = {"malformed": 0.3, "malformed_enhanced": 0.1}
LOST = {**CALM, "lost_create_reply": 1.0, "late_list_seconds": 0.1}
HALF = {**CALM, "half_expired": 1.0, "failed_lines": 0.1, "shuffle": True, "duplicate_lines": 0.2}
PACE = {"validating_seconds": 0.0, "in_progress_seconds": 0.0, "finalizing_seconds": 0.0}


@dataclass
class Service:
    """An emulator of its own for each run, so that its bill is that run's bill."""

    process: subprocess.Popen[bytes]
    address: str

    @classmethod
    def start(cls, folder: Path, faults: dict) -> "Service":
        folder.mkdir(parents=True)
        behaviour = folder / "behaviour.json"
        behaviour.write_text(json.dumps({"seed": 7, **PACE, **faults}))
        process = subprocess.Popen(
            [sys.executable, "-m", "runner.emulator", "--until-stdin-closes"]
            + ["--state", str(folder / "world"), "--behaviour", str(behaviour)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        return cls(process, process.stdout.readline().decode().strip())

    def bill(self) -> dict:
        return httpx.get(f"{self.address}/emulator/bill", trust_env=False).json()

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


@dataclass
class Driver:
    """Forks one runner after another."""

    process: subprocess.Popen[str]

    def run(self, folder: Path, address: str, *, kill_at: int, tag: str) -> tuple[int, list[str]]:
        log = folder / f"{tag}.points"
        job = {
            "kill_at": kill_at,
            "log": str(log),
            "output": str(folder / f"{tag}.out"),
            "env": {"OPENAI_API_KEY": "test-key"},
            "arguments": [
                "provider=openai",
                f"provider.base_url={address}/v1",
                f"outputs={folder / 'outputs'}",
                "personas=[p1,p2]",
                "texts=[t1,t2]",
                "trials=3",
                "provider.limits.requests=8",
                "poll.first_seconds=0.05",
                "poll.max_seconds=0.1",
                "poll.settle_seconds=0.15",
                "retry.max_lost=20",
            ],
        }
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        code = json.loads(self.process.stdout.readline())["code"]
        return code, log.read_text().splitlines() if log.exists() else []


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("driver.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    yield Driver(process)
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


def table(folder: Path) -> pl.DataFrame:
    path = folder / "outputs/literary/openai_gpt-4o-mini/answers.parquet"
    return pl.read_parquet(path).drop(VOLATILE)


def count(name: str, value: int) -> None:
    """Leave a figure for the README; see tests/kill/README in the folder named by the variable."""
    if folder := os.environ.get("CHORUS_KILL_FIGURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_text(str(value))


@pytest.mark.parametrize("scenario", ["calm", "lost", "half"])
def test_a_run_killed_at_any_point_resumes_without_paying_twice_or_losing_an_answer(
    scenario, driver, tmp_path
):
    faults = {"calm": CALM, "lost": LOST, "half": HALF}[scenario]
    service = Service.start(tmp_path / "undisturbed", faults)
    code, points = driver.run(
        tmp_path / "undisturbed", service.address, kill_at=0, tag="undisturbed"
    )
    undisturbed_bill = service.bill()
    service.stop()
    undisturbed = table(tmp_path / "undisturbed")
    assert code == 0
    assert undisturbed.height == 12
    assert len(points) > 40

    kill_at, killed = 1, 0
    while True:
        folder = tmp_path / f"killed-{kill_at}"
        service = Service.start(folder, faults)
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
        kill_at += 1
    assert killed > 40
    count(f"points-{scenario}", killed)
    count(f"requests-{scenario}", killed * undisturbed_bill["requests_billed"])
