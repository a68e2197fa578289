"""The dashboard in a real terminal, with a real runner beside it."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.storage.lock import holder

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None or not Path("/proc").exists(), reason="needs tmux and /proc"
)


class Terminal:
    """A tmux session of its own."""

    def __init__(self, command: str, size: tuple[int, int], **variables: str) -> None:
        self.name = f"t{uuid.uuid4().hex[:10]}"
        width, height = map(str, size)
        settings = " ".join(f"{key}={value}" for key, value in variables.items())
        self.tmux(
            "new-session",
            "-d",
            "-x",
            width,
            "-y",
            height,
            f"env {settings} {command}; echo LEFT $?; cat",
        )

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self.name, "-f", "/dev/null", "-u", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LANG": "C.UTF-8"},
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self, *more: str) -> str:
        return self.tmux("capture-pane", "-p", *more)

    def wait(self, text: str, seconds: float = 20) -> str:
        """Wait until a text is on the screen, and return the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in (seen := self.screen()):
                return seen
            time.sleep(0.1)
        raise AssertionError(f"{text!r} is not on the screen:\n{self.screen()}")

    def resize(self, width: int, height: int) -> None:
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def child(self) -> int:
        """Return the pid of the dashboard."""
        shell = self.tmux("list-panes", "-F", "#{pane_pid}").strip()
        return int(
            subprocess.run(
                ["pgrep", "-P", shell], capture_output=True, text=True, check=True
            ).stdout.split()[0]
        )

    def close(self) -> None:
        self.tmux("kill-server")


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


def dashboard(opened: list[Terminal], words: str, size=(120, 36), **variables: str) -> Terminal:
    opened.append(
        Terminal(f"{sys.executable} -m tui {words}", size, PYTHONPATH=str(ROOT), **variables)
    )
    return opened[-1]


def runner(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "runner", f"outputs={folder}", "name=live", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.long
def test_a_day_with_a_runner_that_is_killed_and_a_dashboard_that_is_killed(tmp_path, opened):
    beside = runner(tmp_path, "trials=4", "faults.in_progress_seconds=600", "poll.first_seconds=1")
    job = tmp_path / "live" / "emulator_gpt-4o-mini"
    end = time.monotonic() + 30
    while not (job / "cache.db").exists() or holder(job) is None:
        assert time.monotonic() < end
        time.sleep(0.1)
    first = dashboard(opened, f"live --outputs {tmp_path}")
    first.wait("runner alive")
    first.press("2")
    first.wait("b0001")
    os.killpg(beside.pid, signal.SIGKILL)
    beside.wait()
    seen = first.wait("The runner is gone")
    assert "run the same command again" in seen
    os.kill(first.child(), signal.SIGKILL)
    second = dashboard(opened, f"live --outputs {tmp_path}", (80, 24))
    second.wait("The runner is gone")
    second.press("q")
    second.wait("LEFT 0")
    assert (job / "cache.db").exists()


@pytest.mark.long
def test_it_grows_shrinks_and_leaves_a_clean_terminal(outputs, opened):
    terminal = dashboard(opened, f"literary --outputs {outputs}")
    terminal.wait("Batches")
    for size in ((80, 24), (40, 10), (200, 60), (120, 36)):
        terminal.resize(*size)
        time.sleep(0.4)
    terminal.wait("Batches")
    terminal.press("ｊ", "３")
    terminal.wait("custom_id")
    os.kill(terminal.child(), signal.SIGTERM)
    seen = terminal.wait("LEFT 0")
    assert "Batches" not in seen  # the alternate screen is gone


def test_without_colours_there_is_no_colour_code(outputs, opened):
    terminal = dashboard(opened, f"literary --outputs {outputs}", NO_COLOR="1")
    terminal.wait("Batches")
    codes = terminal.screen("-e")
    assert "[38;" not in codes
    assert "[48;" not in codes


def test_nothing_is_left_running_when_the_terminal_goes_away(outputs, opened):
    terminal = dashboard(opened, f"literary --outputs {outputs}")
    terminal.wait("Batches")
    pid = terminal.child()
    terminal.close()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
