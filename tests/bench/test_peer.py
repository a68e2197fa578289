"""Beside a peer: bespokelabs-curator and Chorus on the same requests, from the same emulator.

The peer gets an environment of its own, made here once (some minutes), its telemetry off.
"""

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from runner.config.compose import compose
from runner.run.run import Run
from tests.acceptance.conftest import ALL_WELL, Emulator
from tests.bench.test_speed import megabytes

ROOT = Path(__file__).resolve().parents[2]
CURATOR = "bespokelabs-curator==0.1.31"
PERSONAS, ROUNDS = 4, 2
QUIET = {
    "TELEMETRY_ENABLED": "false",
    "POSTHOG_DISABLED": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "CURATOR_VIEWER": "0",
}
pytestmark = pytest.mark.bench


@dataclass(frozen=True, order=True)
class Cost:
    """What one run took, over the whole tree of its processes."""

    wall: float
    cpu: float
    megabytes: float


def measured(command: list[str], log: Path, **environment: str) -> Cost:
    """Run a command to its end; memory is shared fairly (PSS) between the processes of the tree."""
    start = time.perf_counter()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=sink, stderr=sink
        )
    peak = 0.0
    while True:
        peak = max(peak, sum(map(shared_fairly, tree(process.pid))))
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.03)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, log.read_text()[-3000:]
    return Cost(wall, used.ru_utime + used.ru_stime, peak)


def tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants, whichever thread began them."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for t in threads for child in (t / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from tree(int(child))


def worked(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shared_fairly(pid: int) -> float:
    return megabytes(pid, "smaps_rollup", "Pss:")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the Python of an environment that has the peer."""
    home = tmp_path_factory.getbasetemp().parent / CURATOR.replace("==", "-")
    python = home / "bin" / "python"
    if not (home / "whole").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", CURATOR], check=True)
        (home / "whole").touch()
    return str(python)


@pytest.fixture
def instant(tmp_path: Path) -> Iterator[Emulator]:
    """Run an emulator whose batches are complete at the first look."""
    with Emulator.start(tmp_path / "world", ALL_WELL) as emulator:
        yield emulator


@pytest.mark.parametrize("trials", [2_500, 10_000, 25_000])
def test_the_same_requests_beside_curator(
    peer: str, instant: Emulator, tmp_path: Path, trials: int
) -> None:
    arguments = ["provider=openai", "texts=[t1]", f"trials={trials}", f"outputs={tmp_path / 'out'}"]
    arguments += ["provider.limits.enqueued_tokens=null", "budget.max_usd=100"]
    arguments += ["poll.first_seconds=1", "poll.max_seconds=1"]  # as often as the peer can
    pairs = conversations(arguments, tmp_path)
    ours, theirs, address = [], [], f"{instant.address}/v1"
    before = worked(instant.process.pid)
    for attempt in range(ROUNDS):
        theirs.append(
            measured(
                [
                    *(peer, str(ROOT / "tests/bench/peer/curator_run.py")),
                    *(str(pairs), str(trials), address, str(tmp_path / f"peer{attempt}.parquet")),
                ],
                tmp_path / "peer.log",
                **QUIET,
                OPENAI_API_KEY="test-key",
                HOME=str(tmp_path / f"home{attempt}"),
            )
        )
        ours.append(
            measured(
                [
                    *(sys.executable, "-m", "runner", *arguments),
                    *(f"name=peer{attempt}", f"provider.base_url={address}"),
                ],
                tmp_path / "ours.log",
                OPENAI_API_KEY="test-key",
                PYTHONPATH=str(ROOT),
            )
        )
    table = tmp_path / f"out/peer{ROUNDS - 1}/openai_gpt-6-luna/answers.parquet"
    assert pl.read_parquet(table)["status"].to_list() == ["success"] * PERSONAS * trials
    assert pl.read_parquet(tmp_path / f"peer{ROUNDS - 1}.parquet").height == PERSONAS * trials
    them, we = min(theirs), min(ours)
    service = (worked(instant.process.pid) - before) / (2 * ROUNDS)
    print(
        f"\n{PERSONAS * trials:,} requests, process start to parquet, best of {ROUNDS}: "
        f"{CURATOR} {them.wall:.1f} s, {them.cpu:.1f} s CPU, {them.megabytes:.0f} MB; "
        f"Chorus {we.wall:.1f} s, {we.cpu:.1f} s CPU, {we.megabytes:.0f} MB; ratios "
        f"{them.wall / we.wall:.1f}, {them.cpu / we.cpu:.1f}, {them.megabytes / we.megabytes:.1f}; the emulator itself worked {service:.1f} s a run"
    )
    assert them.wall / we.wall >= 1
    assert them.megabytes / we.megabytes >= 1


def conversations(arguments: list[str], folder: Path) -> Path:
    """Write what Chorus asks, a [system, user] pair a condition, for the peer to ask it, too."""
    run = Run(compose(arguments)[0])
    request_files = run.request_files(folder, run.connection.offline())
    pairs = []
    for span in run.request_states().pending():
        frame, _ = request_files.frame(span.stem, span.variant)
        body = json.loads(frame.before + b"x" + frame.after)["body"]
        pairs.append([message["content"] for message in body["messages"]])
    assert len(pairs) == PERSONAS
    path = folder / "pairs.json"
    path.write_text(json.dumps(pairs))
    return path
