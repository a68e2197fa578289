"""Ledgers on a disk that several machines share: no WAL, one writer, and whoever dies is followed."""

import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from runner.core.errors import LedgerBusy, LedgerError, LedgerInUse
from runner.storage import lease
from runner.storage.kv import DATABASE, ON_SHARED_DISKS
from runner.storage.ledger import Ledger
from runner.storage.lock import Holder, holder
from runner.storage.mounts import shared_disk
from runner.storage.reader import LedgerReader, check, exists
from tests.integration.test_ledger import BATCH, MEMBERS, NEW, WRITE, assert_whole, child

MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
server:/home {here}/home nfs4 rw,vers=4.2 0 0
tmpfs {here}/home/scratch tmpfs rw 0 0
auto {here}/auto autofs rw 0 0
me@host: {here}/my\\040disk fuse.sshfs rw 0 0
/dev/sdb1 {here}/stick fuseblk rw 0 0
lnet {here}/lustre lustre rw 0 0
/dev/sdc1 {here}/hidden nfs rw 0 0
/dev/sdc1 {here}/hidden xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("home/me/outputs", "nfs4"),
        ("home/scratch/outputs", None),
        ("homely", None),
        ("auto/outputs", None),
        ("my disk/outputs", "fuse.sshfs"),
        ("stick", None),
        ("lustre", "lustre"),
        ("hidden/outputs", None),
        ("elsewhere", None),
    ],
)
def test_a_disk_that_machines_share_is_told_by_its_mount(tmp_path, place, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(here=tmp_path))
    assert shared_disk(tmp_path / place, mounts) == kind


def test_a_link_into_a_shared_disk_is_seen_through(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(here=tmp_path))
    (tmp_path / "outputs").symlink_to(tmp_path / "home")
    assert shared_disk(tmp_path / "outputs" / "literary", mounts) == "nfs4"


def test_where_there_is_no_list_of_mounts_nothing_is_said(tmp_path):
    assert shared_disk(tmp_path, tmp_path / "no such file") is None


def test_this_disk_is_known():
    assert shared_disk(Path(__file__)) is None


@pytest.fixture
def shared(tmp_path):
    with Ledger.create(tmp_path / "run", {"id": "abc"}, shared=True) as ledger:
        yield ledger


def journal(folder: Path) -> str:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        return db.execute("PRAGMA journal_mode").fetchone()[0]


def of_another_machine(folder: Path, **said: object) -> Path:
    """Make the lease of a folder one that another machine holds."""
    found = lease.newest(folder)
    assert found is not None
    text = {"pid": 7, "host": "node7", "kernel": "another", **said}
    found.path.write_text(json.dumps(text))
    return found.path


def silent_for(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_it_keeps_a_rollback_journal_and_maps_no_file(shared):
    assert {
        name: getattr(shared._store._cache, name) for name in ON_SHARED_DISKS
    } == ON_SHARED_DISKS
    shared.record(BATCH, summary={"total": 1}, event={"event": "packed"}, members=MEMBERS)
    assert journal(shared.directory) == "delete"
    assert not list(shared.directory.glob(f"{DATABASE}-*"))


def test_a_reader_beside_it_sees_what_is_new_without_opening_again(shared):
    with closing(LedgerReader(shared.directory)) as reader:
        before = reader.version()
        shared.record(BATCH, summary={}, members=MEMBERS)
        assert reader.version() != before
        assert not reader.is_stale()
        assert reader.batches() == (BATCH,)


def test_a_ledger_that_began_so_goes_on_so_without_being_told(shared):
    folder = shared.directory.with_name("again")
    Ledger.create(folder, {"id": "abc"}, shared=True).close()
    with Ledger.open(folder) as ledger:
        ledger.record(NEW, summary={})
    assert journal(folder) == "delete"


def test_a_ledger_that_is_brought_to_a_shared_disk_leaves_wal(tmp_path):
    Ledger.create(tmp_path / "run", {"id": "abc"}).close()
    assert journal(tmp_path / "run") == "wal"
    with Ledger.open(tmp_path / "run", shared=True) as ledger:
        ledger.record(NEW, summary={})
    assert journal(tmp_path / "run") == "delete"
    with closing(LedgerReader(tmp_path / "run")) as reader:
        assert reader.batches() == (NEW,)


def test_a_ledger_in_wal_that_another_machine_writes_is_not_taken(tmp_path, monkeypatch):
    with Ledger.create(tmp_path / "run", {"id": "abc"}) as ledger, monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "node7")
        ledger.beat(time.time())
    with pytest.raises(LedgerInUse, match="node7"):
        Ledger.open(tmp_path / "run", shared=True)
    assert journal(tmp_path / "run") == "wal"


def test_one_that_another_machine_holds_is_refused_and_the_user_told_for_how_long(shared):
    folder = shared.directory
    shared.close()
    path = of_another_machine(folder)
    silent_for(path, 20)
    with pytest.raises(LedgerInUse, match=r"pid 7 on node7.* (39|40|41) seconds from now"):
        Ledger.open(folder)
    assert holder(folder) == Holder(pid=7, host="node7")
    silent_for(path, 61)
    assert holder(folder) is None
    with Ledger.open(folder) as ledger:
        ledger.record(NEW, summary={})
    shared._hold = shared._hold.__class__(lock=os.open(os.devnull, os.O_RDONLY), lease=None)


def test_one_that_was_let_go_on_another_machine_is_taken_at_once(shared):
    folder = shared.directory
    path = of_another_machine(folder)
    shared.close()
    assert path.stat().st_mtime == 0
    Ledger.open(folder).close()
    shared._hold = shared._hold.__class__(lock=os.open(os.devnull, os.O_RDONLY), lease=None)


def test_two_machines_that_follow_the_same_dead_one_are_not_both_let_in(shared, monkeypatch):
    """The kernel's lock is taken away, as where another machine does not see it."""
    folder = shared.directory
    silent_for(of_another_machine(folder), 99)
    seen = lease.newest(folder)
    with monkeypatch.context() as patch:
        patch.setattr(lease, "newest", lambda _: seen)
        first = lease.Lease.take(folder)
        with pytest.raises(LedgerInUse, match="at this moment"):
            lease.Lease.take(folder)
    first.keep()
    assert lease.newest(folder).number == seen.number + 1


def test_one_that_is_followed_writes_nothing_more(shared, monkeypatch):
    folder = shared.directory
    silent_for(of_another_machine(folder), 99)
    lease.Lease.take(folder)
    monkeypatch.setattr(shared._hold.lease, "_touched", lease._now() - 99)
    with pytest.raises(LedgerError, match=r"has gone on with its work: nothing more is sent"):
        shared.record(NEW, summary={})
    assert shared.batches() == ()


def test_one_that_was_stopped_and_not_followed_goes_on(shared, monkeypatch):
    monkeypatch.setattr(shared._hold.lease, "_touched", lease._now() - 99)
    shared.record(NEW, summary={})
    assert lease.newest(shared.directory).number == 2
    monkeypatch.setattr(shared._hold.lease, "_touched", lease._now() - 5)
    shared.record(NEW, summary={})
    assert lease.newest(shared.directory).number == 2
    assert [number for number, _ in lease._files(shared.directory)] == [2]


def test_a_draft_that_a_killed_one_left_is_removed_and_one_that_is_being_written_is_not(shared):
    old, new = (shared.directory / f"{lease._DRAFT}{name}" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("{}")
    silent_for(old, 99)
    silent_for(of_another_machine(shared.directory), 99)
    lease.Lease.take(shared.directory)
    assert not old.exists()
    assert new.exists()


def test_a_disk_without_links_has_leases_too(tmp_path, monkeypatch):
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with Ledger.create(tmp_path / "run", {"id": "abc"}, shared=True) as ledger:
        assert lease.newest(tmp_path / "run").pid == os.getpid()
        assert not lease._made(lease._path(tmp_path / "run", 1), lease._path(tmp_path / "run", 1))
        ledger.record(NEW, summary={})


def test_a_lease_that_cannot_be_read_counts_as_one_until_it_is_old(shared):
    folder = shared.directory
    shared.close()
    path = lease.newest(folder).path
    path.write_bytes(b"\xff[]")
    with pytest.raises(LedgerInUse, match="an unknown host"):
        Ledger.open(folder)
    silent_for(path, 99)
    Ledger.open(folder).close()
    shared._hold = shared._hold.__class__(lock=os.open(os.devnull, os.O_RDONLY), lease=None)


def test_a_dead_one_of_this_machine_is_followed_at_once(tmp_path):
    directory = tmp_path / "run"
    Ledger.create(directory, {"id": "abc"}, shared=True).close()
    with child(WRITE, str(directory)) as writer:
        assert writer.stdout.readline() == "ready\n"
        with pytest.raises(LedgerInUse):
            Ledger.open(directory)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    Ledger.open(directory).close()


@pytest.mark.long
def test_kills_beside_a_rollback_journal_leave_whole_events_only(tmp_path):
    directory = tmp_path / "run"
    Ledger.create(directory, {"id": "abc"}, shared=True).close()
    dice = random.Random(7)
    counts, halves = [0], 0
    for number in range(12):
        with child(WRITE, str(directory)) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0.0, 0.15))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        halves += (directory / f"{DATABASE}-journal").exists()
        if number % 2:
            with closing(LedgerReader(directory)) as reader:
                seen = len(reader.batches())
        with Ledger.open(directory) as ledger:
            counts.append(assert_whole(ledger))
        assert not number % 2 or seen == counts[-1]
    assert counts == sorted(counts)
    assert counts[-1] > 6
    assert halves > 0


HALF_A_TRANSACTION = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size=1")
db.execute("BEGIN IMMEDIATE")
for n in range(200):
    db.execute("UPDATE Cache SET value = value || ? WHERE key LIKE 'batch/%'", ("x" * 9000,))
print("ready", flush=True)
sys.stdin.readline()
"""


def half_written(directory: Path) -> None:
    """A ledger whose writer was killed while its pages went to disk."""
    with Ledger.create(directory, {"id": "abc"}, shared=True) as ledger:
        ledger.record(NEW, summary={})
    with child(HALF_A_TRANSACTION, str(directory / DATABASE)) as writer:
        assert writer.stdout.readline() == "ready\n"
        writer.kill()
        writer.wait()
    assert (directory / f"{DATABASE}-journal").stat().st_size > 512


@pytest.mark.long
def test_half_a_transaction_is_undone_before_anybody_reads(tmp_path):
    for number, look in enumerate((exists, check, lambda f: LedgerReader(f).close())):
        directory = tmp_path / str(number)
        half_written(directory)
        journal_left = directory / f"{DATABASE}-journal"
        deadline = time.monotonic() + 30
        while journal_left.exists():
            assert time.monotonic() < deadline
            with suppress(LedgerBusy):  # the folder could not be held at that moment
                look(directory)
                assert look is exists or not journal_left.exists()  # exists() does not say busy
        with Ledger.open(directory) as ledger:
            assert ledger.batches() == (NEW,)


def test_half_a_transaction_of_another_machine_is_waited_for(tmp_path):
    directory = tmp_path / "run"
    half_written(directory)
    silent_for(of_another_machine(directory), 1)
    before = (directory / f"{DATABASE}-journal").read_bytes()
    with pytest.raises(LedgerBusy, match="middle of a transaction"):
        LedgerReader(directory)
    assert exists(directory)
    assert (directory / f"{DATABASE}-journal").read_bytes() == before


def test_a_copy_without_its_lease_is_read_as_any_other(tmp_path):
    with Ledger.create(tmp_path / "run", {"id": "abc"}, shared=True) as ledger:
        ledger.record(NEW, summary={})
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "run" / DATABASE, tmp_path / "copy" / DATABASE)
    with closing(LedgerReader(tmp_path / "copy")) as reader:
        assert reader.batches() == (NEW,)
