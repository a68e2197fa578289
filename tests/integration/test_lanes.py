"""What takes long keeps nothing waiting: neither polls, nor whoever watches the heart."""

import threading
import time
from contextlib import closing, nullcontext

import pytest

from runner.cli.screen import Silent, progress_line
from runner.config.compose import compose
from runner.core.errors import LedgerDamaged
from runner.core.model import Progress, RemoteId
from runner.core.plan import Purpose
from runner.run import engine as engine_module
from runner.run.build import Run
from runner.run.engine import CALLS_AT_ONCE
from runner.storage.reader import LedgerReader
from tests.integration.test_engine import Clock, Pretender, engine, finished


class Slow(Pretender):
    """Downloads of as many batches as fit into a lane wait until another batch was polled."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.lock = threading.Lock()
        self.downloading = 0
        self.polled = threading.Event()
        self.waited_in_vain = 0

    def poll(self, remote: RemoteId) -> Progress:
        if remote == "batch-1" and not self.polled.is_set():
            if self.downloading == CALLS_AT_ONCE:
                self.polled.set()
            return Progress(state="in_progress", event="progress")
        return super().poll(remote)

    def download(self, file_id: str, sink) -> None:
        with self.lock:
            self.downloading += 1
        self.waited_in_vain += not self.polled.wait(10)
        super().download(file_id, sink)


class Hasty(Clock):
    """A second is a millisecond: what waits for a poll sees it soon."""

    def now(self) -> float:
        return self.time + 1000 * time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 1000)


def test_a_batch_is_polled_while_every_place_for_downloads_is_taken(tmp_path):
    made, provider = engine(tmp_path, arguments=["provider.limits.requests=1"], kind=Slow)
    made._clock = Hasty()
    view = finished(made)
    assert view.counts.success == 6
    assert provider.waited_in_vain == 0


class Watched(Run):
    """Looks at the ledger as the dashboard does, before and after the tables are written slowly."""

    seconds = 0.3

    def _export(self, report, advance):
        self.before = self.heartbeat(report.folder)
        time.sleep(self.seconds)
        self.after = self.heartbeat(report.folder)
        return super()._export(report, advance)

    @staticmethod
    def heartbeat(folder):
        with closing(LedgerReader(folder)) as reader:
            return reader.get("heartbeat")


@pytest.fixture
def watched(tmp_path, monkeypatch) -> Watched:
    monkeypatch.setattr(engine_module, "HEARTBEAT_SECONDS", 0.05)
    arguments = ["personas=[p1]", "texts=[t1]", "trials=2", "faults=instant"]
    return Watched(compose([*arguments, "poll.first_seconds=0.02", f"outputs={tmp_path}"])[0])


@pytest.mark.parametrize("again", [False, True])
def test_the_heart_beats_until_the_tables_are_written(watched, again):
    watched.drive(Purpose.RUN, Silent(), lambda _: None)
    if again:
        watched.reread()
    assert not watched.before.get("left")
    assert not watched.after.get("left")
    assert watched.after["at"] - watched.before["at"] > 0.1
    assert watched.heartbeat(watched.folder(sending=False))["left"]


class Noting(Silent):
    """Keeps the lines that a screen would show."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tick(self, view) -> None:
        self.lines.append(progress_line(view))


def test_a_screen_says_how_far_the_tables_are(watched):
    screen = Noting()
    watched.drive(Purpose.RUN, screen, lambda _: None)
    assert screen.lines[-1].endswith("writing the tables  100%")
    assert "writing" not in screen.lines[0]


@pytest.mark.parametrize("spoiled", [False, True])
def test_a_last_beat_says_that_the_runner_left_also_when_the_tables_failed(watched, spoiled):
    def fail(*_):
        raise LedgerDamaged("spoiled")

    if spoiled:
        watched._export = fail
    with pytest.raises(LedgerDamaged) if spoiled else nullcontext():
        watched.drive(Purpose.RUN, Silent(), lambda _: None)
    assert watched.heartbeat(watched.folder(sending=False))["left"]
