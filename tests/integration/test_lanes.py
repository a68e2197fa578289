"""What takes long keeps nothing waiting: neither polls, nor whoever watches the heart."""

import threading
import time
from contextlib import closing, nullcontext

import pytest

from runner.cli.progress_lines import progress_line
from runner.cli.screen import Silent
from runner.core.errors import LedgerDamaged
from runner.core.model import Progress, RemoteId
from runner.core.plan import Purpose
from runner.run import assemble, heartbeat, maintenance
from runner.run.engine import CALLS_AT_ONCE
from runner.run.run import Run
from runner.storage.reader import LedgerReader
from tests.integration.test_engine import Clock, Pretender, engine, finished
from tests.unit.composing import composed
from tests.variants import first


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
    words = ["provider.limits.requests=1"]
    made, provider = engine(tmp_path, arguments=words, kind=Slow, clock=Hasty())
    snapshot = finished(made)
    assert snapshot.counts.success == 6
    assert provider.waited_in_vain == 0


class Watched:
    """Looks at the ledger as the dashboard does, before and after the tables are written slowly."""

    def __init__(self, run: Run, monkeypatch) -> None:
        self.run = run
        self.spoiled = False
        self._write = assemble.write_tables
        monkeypatch.setattr(assemble, "write_tables", self.write)
        monkeypatch.setattr(maintenance, "write_tables", self.write)

    def write(self, report, advance):
        if self.spoiled:
            raise LedgerDamaged("spoiled")
        self.before = self.heartbeat()
        time.sleep(0.3)
        self.after = self.heartbeat()
        return self._write(report, advance)

    def heartbeat(self):
        with closing(LedgerReader(self.run.folder(sending=False))) as reader:
            return reader.get("heartbeat")


@pytest.fixture
def watched(tmp_path, monkeypatch) -> Watched:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.05)
    arguments = ["personas=[p1]", "texts=[t1]", "trials=2", "faults=instant"]
    settings = composed([*arguments, "poll.first_seconds=0.02", f"outputs={tmp_path}"])[0]
    return Watched(Run(settings), monkeypatch)


@pytest.mark.parametrize("again", first(1, [False, True]))
def test_the_heart_beats_until_the_tables_are_written(watched, again):
    assemble.drive(watched.run, Purpose.RUN, Silent(), lambda _: None)
    if again:
        maintenance.reread(watched.run)
    assert not watched.before.get("left")
    assert not watched.after.get("left")
    assert watched.after["at"] - watched.before["at"] > 0.1
    assert watched.heartbeat()["left"]


class Noting(Silent):
    """Keeps the lines that a screen would show."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tick(self, snapshot) -> None:
        self.lines.append(progress_line(snapshot))


def test_a_screen_says_how_far_the_tables_are(watched):
    screen = Noting()
    assemble.drive(watched.run, Purpose.RUN, screen, lambda _: None)
    assert screen.lines[-1].endswith("writing the tables  100%")
    assert "writing" not in screen.lines[0]


@pytest.mark.parametrize("spoiled", first(1, [False, True]))
def test_a_last_beat_says_that_the_runner_left_also_when_the_tables_failed(watched, spoiled):
    watched.spoiled = spoiled
    with pytest.raises(LedgerDamaged) if spoiled else nullcontext():
        assemble.drive(watched.run, Purpose.RUN, Silent(), lambda _: None)
    assert watched.heartbeat()["left"]
