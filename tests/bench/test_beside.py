"""Commands beside the same ones of an older commit, turn by turn, against one emulator.

BENCH_BESIDE=COMMIT python -m pytest -m bench -s tests/bench/test_beside.py; a commit is anything that
git knows here.
"""

import fcntl
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import tarfile
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.acceptance.conftest import ALL_WELL, Emulator
from tests.bench.test_peer import worked
from tests.report.test_formats import FIFTEEN

ROOT = Path(__file__).resolve().parents[2]
COMMIT = os.environ.get("BENCH_BESIDE")
PERSONAS = ("大学1年生", "文学研究者", "感情豊かな詩人", "無感情なロボット")
TEXTS = ("懐中時計", "お金とピストル", "ぼろぼろな駝鳥")
MODELS, TRIALS = 36, 3
pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(COMMIT is None, reason="BENCH_BESIDE=COMMIT says beside which"),
]


@dataclass(frozen=True)
class Cost:
    """Seconds of a clock, and of all cores."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Tree:
    """A checkout, and a folder for what its commands write."""

    code: Path
    desk: Path

    def begun(self, *words: str, screen: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.desk,
            env={**os.environ, "PYTHONPATH": str(self.code), "OPENAI_API_KEY": "test-key"},
            stdin=screen,
            stdout=screen,
            stderr=screen,
        )

    def ran(self, *words: str) -> Cost:
        """Run a command to its end; its children count."""
        start, process = time.perf_counter(), self.begun("runner", *words)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, (self.code, words)
        return Cost(time.perf_counter() - start, used.ru_utime + used.ru_stime)

    def painted(self, word: bytes) -> Cost:
        """Start the dashboard in a terminal, and wait until it shows a word."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        start, process = time.perf_counter(), self.begun("tui", screen=theirs)
        os.close(theirs)
        seen = b""
        while word not in seen:
            seen += os.read(ours, 1 << 16)
        cost = Cost(time.perf_counter() - start, worked(process.pid))
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)
        return cost


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tree, Tree]:
    """The other commit, and this tree; each a desk where some answers and 36 models are."""
    place = tmp_path_factory.mktemp("beside")
    with (place / "code.tar").open("wb") as archive:
        subprocess.run(["git", "archive", str(COMMIT)], cwd=ROOT, stdout=archive, check=True)
    with tarfile.open(place / "code.tar") as archive:
        archive.extractall(place / "code", filter="data")
    both = Tree(place / "code", place / "then"), Tree(ROOT, place / "now")
    for tree in both:
        tree.desk.mkdir()
        (tree.desk / "old.csv").write_text("\n".join([FIFTEEN, *imported()]) + "\n")
        tree.ran("action=import", "input=old.csv", "name=thirty_six")
        tree.ran("name=shown")
    return both


def imported() -> Iterator[str]:
    """Yield the rows of a table of 36 models that answer each condition thrice."""
    dice = random.Random(36)
    for model in range(MODELS):
        for persona in PERSONAS:
            for text in TEXTS:
                for trial in range(1, TRIALS + 1):
                    values = ",".join(str(dice.randint(0, 100)) for _ in range(4))
                    yield (
                        f"2025-03-01 12:30:00,{text},Maker,model-{model:02d},{persona},0.7,{trial},"
                        f"{values},one,two,three,four"
                    )


def beside(name: str, trees: tuple[Tree, Tree], run: Callable[[Tree], Cost], rounds: int) -> None:
    """Take turns, and print both medians and their ratios."""
    turns = [[run(tree) for tree in trees] for _ in range(rounds)]
    for what in ("wall", "cpu"):
        then, now = (median(getattr(turn[side], what) for turn in turns) for side in (0, 1))
        print(
            f"\n{name}, {what}: {then:.2f} s at {COMMIT}, {now:.2f} s now: {now / then:.2f} times"
        )


@pytest.mark.parametrize("words", [("--help",), ("action=plan",), ("action=status", "name=shown")])
def test_short_commands(trees: tuple[Tree, Tree], words: tuple[str, ...]) -> None:
    beside(" ".join(words), trees, lambda tree: tree.ran(*words), rounds=7)


def test_the_dashboards_first_paint(trees: tuple[Tree, Tree]) -> None:
    beside("python -m tui", trees, lambda tree: tree.painted(b"shown"), rounds=5)


def test_a_report_over_36_models(trees: tuple[Tree, Tree]) -> None:
    words = "action=report", "name=thirty_six"
    beside(f"a report over {MODELS} models", trees, lambda tree: tree.ran(*words), rounds=1)


@pytest.mark.parametrize(("size", "rounds"), [(10_000, 3), (100_000, 1)])
def test_requests(trees: tuple[Tree, Tree], tmp_path: Path, size: int, rounds: int) -> None:
    with Emulator.start(tmp_path / "world", ALL_WELL) as emulator:
        words = [
            *("provider=openai", f"trials={-(-size // 12)}", "poll.first_seconds=0.05"),
            *("provider.limits.enqueued_tokens=null", "budget.max_usd=1000"),
            *(f"provider.base_url={emulator.address}/v1", "provider.model=gpt-4.1-mini"),
        ]
        names = (f"name=of{size}_{number}" for number in range(2 * rounds))
        beside(f"{size:,} requests", trees, lambda tree: tree.ran(*words, next(names)), rounds)
