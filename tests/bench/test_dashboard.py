"""The dashboard beside a runner that writes twenty times a second: CPU, memory, first paint."""

import os
import pty
import select
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.model import BatchKey, RemoteId, Span, Stem, Variant
from runner.core.states import BatchState
from runner.storage.ledger import Ledger
from tests.tui import made
from tests.tui.snap import dashboard, drive, settled

ROOT = Path(__file__).resolve().parents[2]
BATCHES, REQUESTS = 200, 5_000
"""A million requests."""
SECONDS = 15.0
pytestmark = pytest.mark.bench


def large(outputs: Path) -> Path:
    """Make a run of a million requests in 200 batches, all at the provider."""
    folder = made.job(outputs, "large", "openai", "gpt-4o-mini", (), trials=1)
    with Ledger.open(folder) as ledger:
        for number in range(1, BATCHES + 1):
            batch = made.Batch(
                key=BatchKey(f"b{number:04d}"),
                state=BatchState.RUNNING,
                count=REQUESTS,
                bytes=10_000_000,
                sha256="0" * 64,
                input_tokens=4_000_000,
                reserved_usd=None,
                packed_at=time.time() - 4000,
                sent_at=time.time() - 3600,
                accepted_at=time.time() - 3600,
                polled_at=time.time(),
                remote=RemoteId(f"batch_{number:04d}"),
                remote_state="in_progress",
                completed=0,
                next_at=time.time() + 60,
            )
            ledger.record(
                batch, summary={}, members=(Span(Stem("p1_t1"), 1, REQUESTS, Variant.PLAIN),)
            )
    return folder


def write(folder: Path, stop: threading.Event) -> None:
    """Be a runner that has news twenty times a second."""
    with Ledger.open(folder) as ledger:
        batches = list(ledger.batches())
        count = 0
        while not stop.wait(0.05):
            place = count % BATCHES
            batches[place] = replace(batches[place], completed=count, polled_at=time.time())
            done = count * 10
            ledger.record(
                batches[place],
                summary={
                    "total": 1_000_000,
                    "success": done,
                    "retry_success": 0,
                    "failed": 0,
                    "open": 1_000_000 - done,
                    "cost_usd": "1",
                    "committed_usd": "2",
                },
            )
            if count % 40 == 0:
                ledger.beat(time.time())
            count += 1


def test_the_dashboard_beside_a_busy_runner(tmp_path):
    folder = large(tmp_path)
    settings = tmp_path / "fast.yaml"
    settings.write_text("poll_seconds: 0.5\n")
    stop = threading.Event()
    writer = threading.Thread(target=write, args=(folder, stop))
    writer.start()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "36"}
        os.environ.pop("NO_COLOR", None)
        words = ["large", "--outputs", str(tmp_path), "--settings", str(settings)]
        os.execv(sys.executable, [sys.executable, "-m", "tui", *words])
    began = time.monotonic()
    seen = b""
    try:
        while b"b0001" not in seen and time.monotonic() - began < 20:
            seen += drain(terminal, 0.01)
        painted = time.monotonic() - began
        settle = time.monotonic() + 2
        while time.monotonic() < settle:
            drain(terminal, 0.1)
        cpu, start = cpu_of(pid), time.monotonic()
        while time.monotonic() - start < SECONDS:
            drain(terminal, 0.1)
        share = (cpu_of(pid) - cpu) / (time.monotonic() - start)
        memory = memory_of(pid)
    finally:
        os.write(terminal, b"q")
        stop.set()
        writer.join()
        os.waitpid(pid, 0)
    print(
        f"\nfirst paint {painted:.2f} s; {share:.1%} of a core and {memory:.0f} MB with {BATCHES} "
        "batches, 1,000,000 requests, 20 writes/s, polled at 2 Hz"
    )
    assert b"b0001" in seen
    assert share < 0.08
    assert memory < 120


def drain(terminal: int, seconds: float) -> bytes:
    ready, _, _ = select.select([terminal], [], [], seconds)
    return os.read(terminal, 65_536) if ready else b""


def cpu_of(pid: int) -> float:
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def test_the_first_paint_of_a_finished_run(tmp_path):
    made.finished(tmp_path)
    times = []
    for _ in range(5):
        began = time.monotonic()
        process = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "import tui.app, tui.screens.experiment"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        times.append(time.monotonic() - began)
        for heavy in ("polars", "openai", "hydra", "matplotlib"):
            assert f" {heavy}\n" not in process.stderr
    print(f"\nimports of the dashboard: {min(times):.2f} s")


def test_a_hundred_thousand_answers(tmp_path):
    made.finished(tmp_path, "big", trials=8_400, limit=50_000)

    async def script(pilot):
        took = {}
        for what, keys in (
            ("load", ["3"]),
            ("pages", ["pagedown"] * 20),
            ("filter", ["exclamation_mark"]),
            ("scores", ["5"]),
        ):
            began = time.process_time()
            for key in keys:
                await pilot.press(key)
            await settled(pilot)
            took[what] = (time.process_time() - began) / len(keys)
        return took

    took = drive(dashboard(tmp_path, "big", view="Batches"), script)
    print("\n100,800 answers, CPU seconds: ", {what: round(cpu, 3) for what, cpu in took.items()})
    assert took["load"] < 2
    assert took["pages"] < 0.05
