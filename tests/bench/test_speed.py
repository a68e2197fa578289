"""How fast, and in how much memory: ratios of one run. python -m pytest -m bench -s tests/bench."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from runner.config.compose import compose
from runner.core.model import Batch, BatchKey
from runner.core.states import BatchState
from runner.run import record
from runner.run.run import Run
from runner.storage.ledger import Ledger
from tests.acceptance.conftest import ALL_WELL, Emulator

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.bench


def measured(command: list[str], **env: str) -> tuple[float, float]:
    """Run a command; return seconds and peak memory in MB.

    The peak is the kernel's VmHWM, looked at until the end: `ru_maxrss` of a child also counts what
    its parent used.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, stderr=subprocess.DEVNULL
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, high_water_mark(process.pid))
        time.sleep(0.01)
    assert process.returncode == 0
    return time.perf_counter() - start, peak


def high_water_mark(pid: int) -> float:
    return megabytes(pid, "status", "VmHWM:")


def megabytes(pid: int, file: str, name: str) -> float:
    """What the kernel says of a process's memory under a name; 0 of one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)


@pytest.fixture
def instant(tmp_path):
    """The address of an emulator whose batches are complete at the first look."""
    with Emulator.start(tmp_path / "world", ALL_WELL) as emulator:
        yield f"{emulator.address}/v1"


def test_ten_thousand_requests_take_at_most_three_times_the_floor(instant, tmp_path):
    arguments = ["provider=openai", f"outputs={tmp_path / 'outputs'}", "texts=[t1]", "trials=2500"]
    arguments += ["provider.limits.enqueued_tokens=null", "poll.first_seconds=0.05"]
    run = Run(compose([*arguments, "personas=[p1]"])[0])
    span = next(run.request_states().pending())
    frame, _ = run.request_files(tmp_path, run.connection.offline()).frame(span.stem, span.variant)
    (tmp_path / "body.json").write_bytes(frame.before + b"HOLE" + frame.after.rstrip())
    floor_command = [sys.executable, str(ROOT / "tests/bench/floor.py"), instant, "10000"]
    runner_command = [sys.executable, "-m", "runner", *arguments, "budget.max_usd=100"]
    floors, ours = [], []
    for attempt in range(3):
        floors.append(measured([*floor_command, str(tmp_path)]))
        ours.append(
            measured(
                [*runner_command, f"provider.base_url={instant}", f"name=speed{attempt}"],
                OPENAI_API_KEY="test-key",
            )
        )
    table = tmp_path / "outputs/speed2/openai_gpt-6-luna/answers.parquet"
    assert dict(pl.read_parquet(table).group_by("status").len().iter_rows()) == {"success": 10_000}
    (floor, floor_mb), (our, our_mb) = min(floors), min(ours)
    print(
        f"\n10,000 requests, process start to parquet, best of 3: floor {floor:.2f} s "
        f"{floor_mb:.0f} MB; runner {our:.2f} s {our_mb:.0f} MB; ratio {our / floor:.2f}"
    )
    assert our / floor <= 3
    assert our_mb < 250


EXPAND = """
import sys, time
from pathlib import Path
from runner.run.run import Run
from runner.config.compose import compose
from runner.core.model import Batch, BatchKey
from runner.core.states import BatchState
from runner.storage.ledger import Ledger
run = Run(compose([
    "provider=openai", "trials=83334", "provider.limits.enqueued_tokens=null",
    "provider.limits.bytes=200000000", "outputs=" + sys.argv[1]])[0])
before = time.perf_counter()
request_files = run.request_files(Path(sys.argv[1]), run.connection.offline())
count = size = batches = 0
for spans in request_files.batches(run.request_states().pending()):
    batches += 1
    file = request_files.write(f"b{batches:04d}", spans)
    count, size = count + file.count, size + file.bytes
seconds = time.perf_counter() - before
status = Path("/proc/self/status").read_text().split()
peak = int(status[status.index("VmHWM:") + 1]) / 1024
print(count, batches, size, seconds, peak)
"""


def test_a_million_requests_are_written_at_a_hundred_thousand_a_second(tmp_path):
    runs = []
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        done = subprocess.run(
            [sys.executable, "-c", EXPAND, str(folder)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        runs.append(tuple(map(float, done.stdout.split())))
        copied = copy_seconds(folder / "requests", tmp_path / "copy")
        shutil.rmtree(folder)
    count, batches, size, _, peak = runs[0]
    seconds = min(run[3] for run in runs)
    print(
        f"\n{count:,.0f} requests, {batches:.0f} batches, {size / 1e9:.2f} GB of JSONL, best of 3: "
        f"{seconds:.1f} s, {count / seconds:,.0f} requests/s, peak {peak:.0f} MB; "
        f"{seconds / copied:.1f} times a copy of the same files, synced"
    )
    assert count == 1_000_008
    assert count / seconds >= 100_000
    assert peak < 100


def copy_seconds(source: Path, target: Path) -> float:
    """Time a plain copy of a folder's files, synced: what the disk takes."""
    start = time.perf_counter()
    with target.open("wb") as sink:
        for path in sorted(source.iterdir()):
            with path.open("rb") as handle:
                shutil.copyfileobj(handle, sink, 1 << 20)
        sink.flush()
        os.fsync(sink.fileno())
    target.unlink()
    return time.perf_counter() - start


def test_a_million_requests_resume_in_well_under_a_second(tmp_path):
    run = Run(
        compose(["provider=openai", "trials=83334", "provider.limits.enqueued_tokens=null"])[0]
    )
    request_files = run.request_files(tmp_path, run.connection.offline())
    with Ledger.create(tmp_path, record.new_record(run)) as ledger:
        for number, spans in enumerate(
            request_files.batches(run.request_states().pending()), start=1
        ):
            count = sum(len(sized.span) for sized in spans)
            ledger.record(
                Batch(
                    key=BatchKey(f"b{number:04d}"),
                    state=BatchState.COLLECTED,
                    count=count,
                    bytes=0,
                    sha256="",
                    input_tokens=0,
                    reserved_usd=None,
                    packed_at=0.0,
                ),
                summary={},
                members=tuple(sized.span for sized in spans),
                outcomes=(b"\x01" * 19 + b"\x02") * (count // 20) + b"\x01" * (count % 20),
            )
    start = time.perf_counter()
    with Ledger.open(tmp_path) as ledger:
        counts = run.standing(ledger).counts()
    seconds = time.perf_counter() - start
    size = (tmp_path / "cache.db").stat().st_size / 1e6
    print(
        f"\n{counts.total:,} requests in {number} batches: their states again in "
        f"{seconds * 1000:.0f} ms, from a ledger of {size:.1f} MB"
    )
    assert counts.total == 1_000_008
    assert seconds < 0.5
