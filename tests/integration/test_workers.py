"""Processes that work beside the runner: they end when it does, and Ctrl-C is not for them."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from runner.batches import workers

ROOT = Path(__file__).parents[2]


def ready() -> None:
    """Nothing has to be made ready."""


def dawdle(name: str) -> None:
    """Hold a lock for as long as this process lives."""
    with open(name, "w") as held:  # noqa: PTH123
        fcntl.flock(held, fcntl.LOCK_EX)
        Path(name + ".held").touch()
        time.sleep(60)


def squared(number: int) -> int:
    time.sleep(0.02)
    return number**2


def begin_dawdling(folder: str) -> None:
    """What the process does that is to be killed."""
    names = [f"{folder}/{number}" for number in range(2)]
    list(workers.spread(dawdle, names, setup=ready, arguments=(), total_bytes=1 << 40, what="it"))


def count_on() -> None:
    """What the process does that is to be interrupted: as the engine, it does not stop at once."""
    signal.signal(signal.SIGINT, lambda *_: None)
    print("ready", flush=True)
    found = workers.spread(
        squared, range(40), setup=ready, arguments=(), total_bytes=1 << 40, what="it"
    )
    print(sum(found))


def started(call: str, **more: object) -> subprocess.Popen[str]:
    code = f"import tests.integration.test_workers as t; t.workers.cores = lambda: 2; t.{call}"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **more)  # type: ignore[call-overload]


def is_free(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def wait_until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_whoever_works_for_a_killed_runner_ends_with_it(tmp_path):
    runner = started(f"begin_dawdling({str(tmp_path)!r})")
    names = [tmp_path / "0", tmp_path / "1"]
    wait_until(lambda: all(path.with_name(path.name + ".held").exists() for path in names))
    assert not any(is_free(path) for path in names)

    runner.kill()
    runner.wait()

    wait_until(lambda: all(is_free(path) for path in names), seconds=5)


def test_ctrl_c_does_not_disturb_whoever_works_for_the_runner(tmp_path):
    runner = started(
        "count_on()", stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert runner.stdout is not None
    assert runner.stdout.readline() == "ready\n"
    while runner.poll() is None:
        os.killpg(runner.pid, signal.SIGINT)
        time.sleep(0.02)

    output, errors = runner.communicate()
    assert (output, errors) == (f"{sum(n**2 for n in range(40))}\n", "")
