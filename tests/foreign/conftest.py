"""A small study run from the command line against a foreign server."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from runner.__main__ import main
from tests.foreign.server import Scenario, Server
from tests.unit.composing import composed

SETTLE = 0.5
STUDY = (
    *("provider=compatible", "service=live", "personas=[p1]", "texts=[t1]", "trials=4"),
    *("budget.allow_unknown=true", "poll.first_seconds=0.05", "poll.max_seconds=0.2"),
    f"provider.settle_seconds={SETTLE}",
)


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    """What it printed, progress first."""

    def line(self, pattern: str) -> str:
        """The one line that matches; an error message shows all of them."""
        found = [line for line in self.out.splitlines() if re.search(pattern, line)]
        assert len(found) == 1, f"{len(found)} lines match {pattern!r}:\n{self.out}"
        return found[0]


@dataclass
class Bench:
    """A server, and a folder of runs beside it."""

    server: Server
    outputs: Path
    capture: pytest.CaptureFixture[str]
    more: tuple[str, ...] = field(default=())

    def run(self, *arguments: str) -> Ran:
        """Type a command."""
        address = f"provider.base_url={self.server.url}"
        code = main([*STUDY, address, f"outputs={self.outputs}", *self.more, *arguments])
        captured = self.capture.readouterr()
        return Ran(code, captured.err + captured.out)

    @property
    def folder(self) -> Path:
        """The run's folder."""
        (found,) = self.outputs.glob("*/*/cache.db")
        return found.parent

    @property
    def bill(self) -> list[int]:
        """How often each request was ordered."""
        return [times for _, times in sorted(self.server.bill.items())]

    @property
    def answers(self) -> pl.DataFrame:
        """The table."""
        return pl.read_parquet(self.folder / "answers.parquet")


@pytest.fixture
def bench(tmp_path, capsys, monkeypatch) -> Iterator[Callable[[Scenario], Bench]]:
    """Make a bench for a scenario; the files of the configuration are composed once for all."""
    monkeypatch.setenv("COMPATIBLE_API_KEY", "test")
    monkeypatch.setattr("runner.config.compose.compose", composed)
    with ExitStack() as stack:

        def make(scenario: Scenario) -> Bench:
            server = stack.enter_context(Server(scenario).running())
            return Bench(server, tmp_path, capsys)

        yield make
