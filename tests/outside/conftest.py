"""Installs an outside server from its package, starts it, and runs the product against it."""

import os
import re
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

STUDY = (
    *("service=live", "personas=[p1]", "texts=[t1]", "trials=4", "retry.max_attempts=1"),
    *("provider.settle_seconds=3", "poll.first_seconds=0.3", "poll.max_seconds=2"),
)
PATIENCE = 120


@dataclass(frozen=True)
class Ran:
    """What a command said, and how it ended."""

    code: int
    said: str
    folder: Path


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what installs a package into an environment of its own, and says where its programs are."""
    made: dict[str, Path] = {}

    def install(requirement: str) -> Path:
        if requirement not in made:
            place = tmp_path_factory.mktemp("outside")
            venv.create(place, with_pip=True)
            pip = [str(place / "bin" / "pip"), "install", "-q", *requirement.split()]
            subprocess.run(pip, check=True, stdout=subprocess.DEVNULL)
            made[requirement] = place / "bin"
        return made[requirement]

    return install


@contextmanager
def served(
    log: Path, command: list[str], port: int, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it is there when its port answers."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, env=os.environ | environment
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(outputs: Path, *arguments: str, **keys: str) -> Ran:
    """Run the command line, on four requests unless the arguments say otherwise."""
    done = subprocess.run(
        [sys.executable, "-m", "runner", *STUDY, f"outputs={outputs}", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=os.environ | keys,
    )
    said = done.stdout + done.stderr
    found = re.search(r"^table +(\S+)/answers\.csv", said, re.MULTILINE)
    return Ran(done.returncode, said, Path(found[1]) if found else outputs)
