"""How time and memory grow to a million requests, beside the floor: python -m pytest -m bench -s tests/bench/test_million.py.

The whole of it takes a quarter of an hour and 30 GB of disk for a while; it draws .github/pictures/growth.png.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from runner.config.compose import compose
from runner.core.errors import LedgerError
from runner.run.run import Run
from runner.storage.reader import LedgerReader
from tests.acceptance.conftest import ALL_WELL, Emulator
from tests.bench.test_peer import shared_fairly, tree, worked
from tests.bench.test_speed import high_water_mark

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / ".github/pictures/growth.png"
SIZES = (10_000, 100_000, 1_000_000)
CONDITIONS = 12
pytestmark = pytest.mark.bench


@dataclass(frozen=True)
class Cost:
    """What one process took, with its children; `service` is the emulator's CPU meanwhile.

    Memory is the peak of the process, or of all of them where there are several: what they share is
    counted once (PSS).
    """

    wall: float
    cpu: float
    megabytes: float
    service: float


def costs(command: list[str], emulator: Emulator, look: Callable[[], None] = lambda: None) -> Cost:
    """Run a command to its end, and look at it ten times a second."""
    before, start, peak = worked(emulator.process.pid), time.perf_counter(), 0.0
    process = begun(command)
    while True:
        pids = list(tree(process.pid))
        shared = sum(map(shared_fairly, pids)) if len(pids) > 1 else 0
        peak = max(peak, high_water_mark(process.pid), shared)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        look()
        time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Cost(
        time.perf_counter() - start,
        used.ru_utime + used.ru_stime,
        peak,
        worked(emulator.process.pid) - before,
    )


def begun(command: list[str]) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if k != "_RJEM_MALLOC_CONF"}  # polars' own
    return subprocess.Popen(
        command,
        env={**environment, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "test-key"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator whose batches are complete at the first look; its world goes with it."""
    with Emulator.start(tmp_path / "world", ALL_WELL) as started:
        yield started
    shutil.rmtree(tmp_path / "world")


def arguments(emulator: Emulator, outputs: Path, size: int) -> list[str]:
    return [
        *("provider=openai", f"trials={-(-size // CONDITIONS)}", f"outputs={outputs}"),
        *("provider.limits.enqueued_tokens=null", "poll.first_seconds=0.05"),
        *("budget.max_usd=1000", f"provider.base_url={emulator.address}/v1", "name=growth"),
    ]


def runner(*words: str) -> list[str]:
    return [sys.executable, "-m", "runner", *words]


FOLDER = "growth/openai_gpt-6-luna"


class Heart:
    """Keeps how old the runner's heartbeat was at the most."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.oldest = 0.0

    def look(self) -> None:
        beat = said(self.folder, "heartbeat")
        if "at" in beat and not beat.get("left"):
            self.oldest = max(self.oldest, time.time() - beat["at"])


def test_time_and_memory_grow_no_faster_than_the_work(tmp_path: Path) -> None:
    rows = []
    for size in SIZES:
        place = tmp_path / str(size)
        place.mkdir()
        rows.append(at_size(size, place))
        shutil.rmtree(place)
    drawn(rows)
    for row in rows:
        floor, ours = row["floor"], row["ours"]
        assert row["oldest heartbeat"] < 4
        assert ours.megabytes < 400
        assert row["report"].megabytes < 700  # with a process a core, in which figures are drawn
    assert ours.wall / floor.wall <= 2


def at_size(size: int, place: Path) -> dict:
    with Emulator.start(place / "floor", ALL_WELL) as emulator:
        (place / "body.json").write_bytes(body(place))
        address = f"{emulator.address}/v1"
        script = str(ROOT / "tests/bench/floor.py")
        floor = costs([sys.executable, script, address, str(size), str(place)], emulator)
    shutil.rmtree(place / "floor")
    heart = Heart(place / "out" / FOLDER)
    with Emulator.start(place / "world", ALL_WELL) as emulator:
        words = arguments(emulator, place / "out", size)
        ours = costs(runner(*words), emulator, heart.look)
        emulated = high_water_mark(emulator.process.pid)
        report = costs(runner("action=report", *words[2:3], "name=growth"), emulator)
    table = pl.scan_parquet(place / "out" / FOLDER / "answers.parquet")
    assert table.filter(pl.col("status") == "success").select(pl.len()).collect().item() >= size
    print(
        f"\n{size:,} requests, process start to tables: floor {floor.wall:.1f} s, {floor.cpu:.1f} s "
        f"CPU, {floor.megabytes:.0f} MB; Chorus {ours.wall:.1f} s, {ours.cpu:.1f} s CPU, "
        f"{ours.megabytes:.0f} MB; {ours.wall / floor.wall:.2f} times; the emulator itself worked "
        f"{floor.service:.1f} and {ours.service:.1f} s, in {emulated:.0f} MB; the heartbeat was at "
        f"most {heart.oldest:.1f} s old; action=report {report.wall:.1f} s, {report.megabytes:.0f} MB"
    )
    return {
        "size": size,
        "floor": floor,
        "ours": ours,
        "report": report,
        "oldest heartbeat": heart.oldest,
    }


def body(place: Path) -> bytes:
    """Return one request as Chorus writes it, with a hole for its custom_id."""
    run = Run(compose(["provider=openai", "personas=[p1]", "texts=[t1]", "trials=1"])[0])
    span = next(run.request_states().pending())
    frame, _ = run.request_files(place, run.connection.offline()).frame(span.stem, span.variant)
    return frame.before + b"HOLE" + frame.after.rstrip()


TICKS = {"wall": (1, 10, 100), "cpu": (1, 10, 100), "megabytes": (100, 200, 400, 1_000, 3_000)}


def drawn(rows: list[dict]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, what, unit in zip(
        figure.subplots(1, 3),
        ("wall", "cpu", "megabytes"),
        ("seconds", "seconds of CPU", "MB at the peak"),
        strict=True,
    ):
        for name, label, mark in (("floor", "floor script", "--s"), ("ours", "Chorus", "-o")):
            sizes = [row["size"] for row in rows]
            axes.plot(sizes, [getattr(row[name], what) for row in rows], mark, label=label)
        axes.set(xscale="log", yscale="log", xlabel="requests", ylabel=unit)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        axes.set_yticks(TICKS[what])
        axes.yaxis.set_minor_formatter("")
        axes.grid(alpha=0.3)
    axes.axhline(400, color="grey", linewidth=1)
    axes.legend()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def test_a_run_of_a_million_that_was_killed_goes_on_in_seconds(
    emulator: Emulator, tmp_path: Path
) -> None:
    outputs, folder = tmp_path / "out", tmp_path / "out" / FOLDER
    command = runner(*arguments(emulator, outputs, SIZES[-1]))
    process = begun(command)
    while said(folder).get("success", 0) < SIZES[-1] // 2:
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    before, start = said(folder, "rev"), time.perf_counter()
    process = begun(command)
    while said(folder, "rev") == before:
        assert process.poll() is None
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    print(f"\nkilled in the middle of a million: the first write {seconds:.1f} s after the start")
    assert process.wait() == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["success"], summary["open"]) == (summary["total"], 0)
    assert seconds < 5


def said(folder: Path, key: str = "summary"):
    """Return what the ledger says; nothing, as long as there is none."""
    if not (folder / "cache.db").exists():
        return {}
    try:
        with closing(LedgerReader(folder)) as reader:
            return reader.get(key) or {}
    except LedgerError:  # it is being made
        return {}
