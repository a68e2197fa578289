"""An old copy of a ledger is refused before anything is sent, and what the message says to do works."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runner.__main__ import main
from runner.cli.screen import Silent
from runner.core.errors import LedgerOutdated
from runner.core.plan import Purpose
from runner.run import assemble, maintenance
from runner.run.run import Run
from runner.storage.events import NAME as EVENTS
from runner.storage.kv import DATABASE
from runner.storage.ledger import Ledger
from runner.storage.reader import check
from tests.acceptance.conftest import INSTANT, Emulator
from tests.unit.composing import composed
from tests.variants import first

WORDS = [
    *("provider=openai", "personas=[p1]", "texts=[t1,t3]", "trials=4"),
    *("provider.limits.requests=5", "retry.max_attempts=8"),
    *("poll.first_seconds=0.02", "poll.max_seconds=0.1", "poll.settle_seconds=0.2"),
]
REALTIME = ["provider.mode=realtime"]
EVERY = 12
"""Of the copies, one in so many is recovered and run to its end; all are refused."""


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Emulator.start(tmp_path / "world", {**INSTANT, "malformed": 0.4}) as emulator:
        yield emulator


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Copies of the ledger, one before each event that is written."""
    made: list[Path] = []
    record = Ledger.record

    def copied(ledger: Ledger, *args, **kwargs) -> None:
        copy = tmp_path / f"copy-{len(made)}.db"
        with (
            closing(sqlite3.connect(ledger.directory / DATABASE)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        if kwargs.get("event") is not None:
            made.append(copy)
        record(ledger, *args, **kwargs)

    monkeypatch.setattr(Ledger, "record", copied)
    return made


def words_in(outputs: Path, live: Emulator, *more: str) -> list[str]:
    return [*WORDS, f"provider.base_url={live.address}/v1", f"outputs={outputs}", *more]


def run_in(outputs: Path, live: Emulator, *more: str) -> Run:
    return Run(composed(words_in(outputs, live, *more))[0])


def go(run: Run, purpose: Purpose = Purpose.RUN):
    return assemble.drive(run, purpose, Silent(), lambda _: None)


def put_back(copy: Path, folder: Path) -> None:
    for old in folder.glob(f"{DATABASE}*"):
        old.unlink()
    shutil.copy(copy, folder / DATABASE)


def each_put_back(copies: list[Path], tmp_path: Path, again: Callable[[Path], None]) -> None:
    """Put every copy into a copy of the run's folder, and go on from some of them."""
    assert len(copies) > 4
    for number, copy in enumerate(list(copies)):
        outputs = tmp_path / f"outputs-{number}"
        shutil.copytree(tmp_path / "outputs", outputs)
        (database,) = outputs.glob(f"*/*/{DATABASE}")
        put_back(copy, database.parent)
        with pytest.raises(LedgerOutdated, match="action=recover"):
            check(database.parent)
        if number % EVERY == 0:
            again(outputs)


@pytest.mark.parametrize("more", first(1, [(), REALTIME]), ids=["batches", "realtime"])
def test_a_copy_from_any_moment_of_a_finished_run_is_refused_and_recovered(
    live, copies, tmp_path, capsys, more
):
    go(run_in(tmp_path / "outputs", live, *more))
    bill = live.bill()

    def again(outputs: Path) -> None:
        run = run_in(outputs, live, *more)
        with pytest.raises(LedgerOutdated, match="action=recover"):
            go(run)
        assert main(words_in(outputs, live, *more)) == 3
        assert "action=recover" in capsys.readouterr().err
        assert live.bill() == bill
        assert maintenance.verify(run)[0].startswith(str(run.settings.folder / DATABASE))
        assert main(words_in(outputs, live, *more, "action=recover")) == 0
        assert maintenance.verify(run_in(outputs, live, *more)) == []
        assert go(run_in(outputs, live, *more)).snapshot.counts.open == 0
        assert live.bill() == bill

    each_put_back(copies, tmp_path, again)


@pytest.mark.parametrize("more", first(1, [(), REALTIME]), ids=["batches", "realtime"])
def test_a_copy_from_any_moment_before_the_answers_came_pays_for_none_twice(
    live, copies, tmp_path, more
):
    go(run_in(tmp_path / "outputs", live, *more), Purpose.SUBMIT)
    attempts = set()

    def again(outputs: Path) -> None:
        run = run_in(outputs, live, *more)
        with pytest.raises(LedgerOutdated, match="action=recover"):
            go(run)
        maintenance.recover(run)
        result = go(run_in(outputs, live, *more), Purpose.COLLECT)
        first = {b.key: b.remote for b in result.snapshot.batches}
        attempts.add(tuple(sorted(first.items())))

    each_put_back(copies, tmp_path, again)
    assert len(attempts) == 1


@pytest.mark.long
def test_a_ledger_without_its_newest_event_alone_is_no_old_copy(live, copies, tmp_path):
    """A kill between the event and its line leaves the same."""
    run = run_in(tmp_path / "outputs", live)
    go(run)
    bill = live.bill()
    path = run.settings.folder / EVENTS
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:7])
    go(run_in(tmp_path / "outputs", live))
    assert path.read_bytes() == whole
    assert live.bill() == bill


def test_a_run_of_an_older_version_gets_its_lines_when_it_is_opened(live, tmp_path):
    run = run_in(tmp_path / "outputs", live)
    go(run)
    path = run.settings.folder / EVENTS
    count = path.read_bytes().count(b"\n")
    path.unlink()
    go(run_in(tmp_path / "outputs", live))
    assert path.read_bytes().count(b"\n") == count


@pytest.mark.parametrize(
    "name",
    first(2, ["requests/b0009.jsonl", "raw/b0009.output.jsonl", "raw/b0009.output.jsonl.asked"]),
)
@pytest.mark.parametrize("lines", [True, False])
def test_a_file_of_an_unknown_batch_is_refused_with_and_without_lines(live, tmp_path, name, lines):
    run = run_in(tmp_path / "outputs", live)
    go(run)
    folder = run.settings.folder
    if not lines:
        (folder / EVENTS).unlink()
    (folder / name).touch()
    with pytest.raises(LedgerOutdated, match="b0009"):
        check(folder)
    assert "b0009" in maintenance.verify(run)[0]


def test_the_request_file_that_a_kill_left_before_its_event_is_no_stranger(live, tmp_path):
    run = run_in(tmp_path / "outputs", live)
    go(run)
    folder = run.settings.folder
    number = len(list((folder / "requests").iterdir())) + 1
    (folder / f"requests/b{number:04d}.jsonl").touch()
    check(folder)
    (folder / EVENTS).unlink()  # an older version cannot tell it from an ordered one
    with pytest.raises(LedgerOutdated):
        check(folder)


def test_another_history_under_the_same_number_of_events_is_refused(live, tmp_path):
    run = run_in(tmp_path / "outputs", live)
    go(run)
    path = run.settings.folder / EVENTS
    path.write_bytes(path.read_bytes().replace(b'"event":{"at":1', b'"event":{"at":2'))
    with pytest.raises(LedgerOutdated, match="other events"):
        check(run.settings.folder)
