"""Reading a ledger that another process writes, breaks, locks or replaces."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.storage.commands import CommandVerb, leave
from runner.storage.kv import DATABASE
from runner.storage.ledger import Ledger
from tests.tui import made
from tui.model import Health
from tui.source import ExperimentSource, JobSource, experiment_folders, job_folders

NOW = made.NOW


@pytest.fixture
def folder(outputs: Path, tmp_path: Path) -> Path:
    """A run that a test may break."""
    return Path(shutil.copytree(outputs / "done" / "openai_gpt-4o-mini", tmp_path / "run"))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_finished_run_is_read_whole_and_nothing_is_left_beside_it(folder):
    before = files(folder)
    source = JobSource(folder)
    job = source.read(NOW)
    source.close()
    assert (job.health, job.summary["total"], len(job.batches)) == (Health.OK, 120, 4)
    assert (job.provider, job.model, job.emulated) == ("openai", "gpt-4o-mini", False)
    assert files(folder) == before


def test_a_run_that_did_not_change_is_the_same_object(folder):
    source = JobSource(folder)
    assert source.read(NOW) is source.read(NOW + 1)


def test_what_a_runner_writes_is_seen_at_the_next_look(folder):
    source = JobSource(folder)
    source.read(NOW)
    with Ledger.open(folder) as ledger:
        ledger.beat(NOW + 5)
        job = source.read(NOW + 6)
        assert job.heartbeat["at"] == NOW + 5
        assert job.holder is not None
        assert job.holder.pid == os.getpid()
        ledger.beat(NOW + 7)
        assert source.read(NOW + 8).heartbeat["at"] == NOW + 7
    assert source.read(NOW + 9).holder is None


def test_batches_that_did_not_change_are_the_same_objects(folder):
    source = JobSource(folder)
    with Ledger.open(folder) as ledger:
        first = source.read(NOW)
        ledger.beat(NOW + 5)
        second = source.read(NOW + 6)
    assert second is not first
    assert all(one is two for one, two in zip(first.batches, second.batches, strict=True))


def test_a_command_that_waits_is_seen_without_a_runner(folder):
    source = JobSource(folder)
    source.read(NOW)
    leave(folder, CommandVerb.STOP, NOW)
    assert [c["verb"] for c in source.read(NOW + 1).commands] == ["stop"]


def test_a_ledger_that_was_replaced_is_opened_again(folder):
    source = JobSource(folder)
    assert source.read(NOW).opened == 1
    with sqlite3.connect(folder / DATABASE) as db:
        db.execute("UPDATE Cache SET value = ? WHERE key = 'rev'", (99,))
    db.close()
    new = folder.with_name("new.db")
    shutil.copy(folder / DATABASE, new)
    new.replace(folder / DATABASE)
    job = source.read(NOW + 1)
    assert (job.opened, job.rev) == (2, 99)


def test_a_ledger_that_goes_away_is_missed_and_the_last_data_are_kept(folder):
    source = JobSource(folder)
    source.read(NOW)
    shutil.rmtree(folder)
    job = source.read(NOW + 7)
    assert (job.health, job.good_at, job.summary["total"]) == (Health.MISSING, NOW, 120)
    assert not folder.exists()


def test_a_folder_that_was_never_there_is_not_created(tmp_path):
    job = JobSource(tmp_path / "nowhere").read(NOW)
    assert (job.health, job.good_at) == (Health.MISSING, None)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("text", [b"", b"not a database at all, only text" * 99])
def test_what_is_no_ledger_is_said_and_kept_away(folder, text):
    source = JobSource(folder)
    source.read(NOW)
    (folder / DATABASE).write_bytes(text)
    job = source.read(NOW + 1)
    assert job.health is Health.DAMAGED
    assert job.summary["total"] == 120
    assert DATABASE in (job.trouble or "")


def test_a_ledger_of_a_newer_version_draws_nothing(folder):
    with sqlite3.connect(folder / DATABASE) as db:
        db.execute("UPDATE Cache SET value = 9 WHERE key = 'format'")
    db.close()
    job = JobSource(folder).read(NOW)
    assert (job.health, job.known) == (Health.NEWER, False)
    assert "format 9" in (job.trouble or "")


def test_rows_that_are_not_json_are_damage_and_no_crash(folder):
    with sqlite3.connect(folder / DATABASE) as db:
        db.execute("UPDATE Cache SET value = '{' WHERE key = 'batch/b0002'")
    db.close()
    assert JobSource(folder).read(NOW).health is Health.DAMAGED


@pytest.mark.parametrize("row", ["[]", "{}", '{"key": "b0002"}', "null", "7"])
def test_batches_that_are_no_batches_are_damage_and_no_crash(folder, row):
    with sqlite3.connect(folder / DATABASE) as db:
        db.execute("UPDATE Cache SET value = ? WHERE key = 'batch/b0002'", (row,))
    db.close()
    assert JobSource(folder).read(NOW).health is Health.DAMAGED


def test_a_ledger_that_is_locked_keeps_its_last_data_and_is_read_again(folder):
    source = JobSource(folder)
    source.read(NOW)
    db = sqlite3.connect(folder / DATABASE, isolation_level=None)
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("BEGIN EXCLUSIVE")
    db.execute("UPDATE Cache SET value = 41 WHERE key = 'rev'")
    db.execute("COMMIT")
    began = time.monotonic()
    job = source.read(NOW + 7)
    assert time.monotonic() - began < 2
    assert (job.health, job.good_at, job.summary["total"]) == (Health.LOCKED, NOW, 120)
    db.close()
    again = source.read(NOW + 8)
    assert (again.health, again.rev) == (Health.OK, 41)


def test_a_writer_in_the_middle_of_a_transaction_does_not_hold_anybody_up(folder):
    with Ledger.open(folder) as ledger:
        source = JobSource(folder)
        with ledger._store._cache.transact():
            ledger._store._cache.set("rev", 77)
            job = source.read(NOW)
            assert (job.rev == 77, job.health) == (False, Health.OK)
        assert source.read(NOW + 1).rev == 77


KILLED = """
import sys, time
from pathlib import Path
from runner.storage.ledger import Ledger
with Ledger.open(Path(sys.argv[1])) as ledger:
    ledger.beat(5.0)
    with ledger._store._cache.transact():
        ledger._store._cache.set("rev", 77)
        print("now", flush=True)
        time.sleep(60)
"""


def test_a_runner_that_is_killed_leaves_its_last_commit_and_no_holder(folder):
    source = JobSource(folder)
    source.read(NOW)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        assert source.read(NOW + 1).holder is not None
        process.send_signal(signal.SIGKILL)
    job = source.read(NOW + 2)
    assert (job.holder, job.heartbeat["at"]) == (None, 5.0)
    assert job.rev != 77


# -- experiments


def test_an_experiment_has_its_jobs_in_the_order_of_their_names(outputs):
    source = ExperimentSource(outputs / "literary")
    reading, changed = source.read(NOW)
    assert changed
    assert [job.provider for job in reading.jobs] == ["anthropic", "groq", "openai"]
    same, changed = source.read(NOW + 1)
    assert (same is reading, changed) == (True, False)
    source.close()


def test_a_job_that_comes_later_is_seen(outputs, tmp_path):
    source = ExperimentSource(tmp_path / "e")
    reading, _ = source.read(NOW)
    assert (reading.jobs, "no run in it yet" in (reading.trouble or "")) == ((), True)
    shutil.copytree(outputs / "done", tmp_path / "e")
    reading, changed = source.read(NOW + 1)
    assert (changed, len(reading.jobs), reading.trouble) == (True, 1, None)
    source.close()


def test_one_broken_job_does_not_hide_the_others(outputs, tmp_path):
    shutil.copytree(outputs / "literary", tmp_path / "e")
    (tmp_path / "e" / "groq_llama-3.3-70b-versatile" / DATABASE).write_bytes(b"broken" * 99)
    reading, _ = ExperimentSource(tmp_path / "e").read(NOW)
    assert [job.health for job in reading.jobs] == [Health.OK, Health.DAMAGED, Health.OK]
    assert [job.provider for job in reading.known] == ["anthropic", "openai"]


def test_only_folders_with_a_run_are_experiments(outputs, tmp_path):
    shutil.copytree(outputs / "done", tmp_path / "done")
    (tmp_path / "report").mkdir()
    (tmp_path / ".sweep" / "x").mkdir(parents=True)
    (tmp_path / "note.txt").write_text("hello")
    assert experiment_folders(tmp_path) == [tmp_path / "done"]
    assert experiment_folders(tmp_path / "nowhere") == []
    assert [path.name for path in job_folders(tmp_path / "done")] == ["openai_gpt-4o-mini"]
