"""The command line as a researcher uses it: typed in an empty folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import polars as pl
import pytest

from runner.__main__ import main
from runner.emulator.behaviour import Behaviour
from runner.emulator.world import World
from tests.report.sketches import figures, sketch
from tests.unit.composing import composed

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["faults=instant", "poll.first_seconds=0.02", "poll.max_seconds=0.1"]
SMALL = ["personas=[p1,p2]", "texts=[t1,t3]", "trials=3"]


@dataclass
class Desk:
    """A folder to work in."""

    folder: Path
    said: Callable[[], tuple[str, str]] = lambda: ("", "")
    """What was printed since it was asked the last time, and what to stderr."""

    def environment(self, **more: str) -> dict[str, str]:
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        base = {name: os.environ[name] for name in kept if name in os.environ}
        return {**base, "PYTHONPATH": str(ROOT), **more}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Type a command; it runs in this process, which spares its start and most composing."""
        kept = dict(os.environ)
        caught = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
        self.said()
        try:
            os.environ.clear()
            os.environ.update(self.environment(**environment))
            with chdir(self.folder), pytest.MonkeyPatch.context() as patched:
                patched.setattr("runner.config.compose.compose", composed)
                code = main(list(arguments))
        finally:
            os.environ.clear()
            os.environ.update(kept)
            for name, handler in caught.items():
                signal.signal(name, handler)
        return subprocess.CompletedProcess(arguments, code, *self.said())

    def process(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Type a command and let it be a process."""
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(
        self, *arguments: str, stderr: int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def files(self) -> set[str]:
        return {str(p.relative_to(self.folder)) for p in self.folder.rglob("*")}

    def cell(self, name: str = "literary/emulator_gpt-4o-mini") -> Path:
        return self.folder / "outputs" / name

    def answers(self, name: str = "literary/emulator_gpt-4o-mini") -> pl.DataFrame:
        return pl.read_parquet(self.cell(name) / "answers.parquet")

    def attempts(self, name: str = "literary/emulator_gpt-4o-mini") -> pl.DataFrame:
        return pl.read_parquet(self.cell(name) / "attempts.parquet")

    def summary(self, name: str = "literary/emulator_gpt-4o-mini") -> dict:
        return json.loads((self.cell(name) / "summary.json").read_text())

    def bill(self, name: str = "literary/emulator_gpt-4o-mini") -> dict:
        """What the run's own emulator was paid; its world is opened once more to tell."""
        world = World(self.cell(name) / "emulator", Behaviour(), {})
        with closing(world.shelf.db):
            return world.bill()


@dataclass
class Emulator:
    """An emulator that stands for the real service."""

    process: subprocess.Popen[bytes]
    address: str

    @classmethod
    def start(cls, world: Path, behaviour: dict | None = None) -> Self:
        command = [sys.executable, "-m", "runner.emulator", "--until-stdin-closes"]
        command += ["--state", str(world)]
        if behaviour is not None:
            path = world.with_suffix(".json")
            path.write_text(json.dumps(behaviour))
            command += ["--behaviour", str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        return cls(process, process.stdout.readline().decode().strip())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def bill(self) -> dict:
        return httpx.get(f"{self.address}/emulator/bill", trust_env=False).json()


@pytest.fixture(scope="package", autouse=True)
def sketches() -> Iterator[None]:
    """Render no figures of reports, which have tests of their own."""
    with figures(sketch):
        yield


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Desk:
    """An empty folder."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(folder, capfd.readouterr)


INSTANT = {
    "validating_seconds": 0,
    "in_progress_seconds": 0,
    "finalizing_seconds": 0,
    "malformed": 0.1,
}
ALL_WELL = {**INSTANT, "malformed": 0, "malformed_enhanced": 0}
"""The same, and every answer is in the form as asked, in some layout."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Emulator]:
    """The 'real' service, reached through provider=openai and provider.base_url."""
    with Emulator.start(tmp_path / "world", INSTANT) as emulator:
        yield emulator
