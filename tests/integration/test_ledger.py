"""The ledger on disk: whole events, one owner, no foreign code, and never silently replaced."""

import json
import os
import pickle
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import diskcache
import pytest

from runner.core.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerError,
    LedgerFormatUnknown,
    LedgerInUse,
)
from runner.core.model import Batch, BatchKey, RemoteId, Span, Stem, Usage, Variant
from runner.core.states import BatchState
from runner.storage import codec, kv
from runner.storage.codec import FORMAT
from runner.storage.kv import DATABASE, SETTINGS
from runner.storage.ledger import Ledger
from runner.storage.lock import holder
from runner.storage.reader import LedgerReader, check, exists
from tests.variants import first

ROOT = Path(__file__).resolve().parents[2]
FULL = {
    "key": BatchKey("b0001"),
    "state": BatchState.COLLECTED,
    "count": 3,
    "bytes": 2**40,
    "sha256": "ab" * 32,
    "input_tokens": 12,
    "reserved_usd": Decimal("0.1234567890123456789"),
    "packed_at": 1.5,
    "send": 2,
    "handle": {"input_file_id": "file-1"},
    "remote": RemoteId("batch_1"),
    "dead": ("batch_0", "batch_00"),
    "candidates": ("batch_2", "batch_3"),
    "twins": {"batch_twin": "asked", "双子": "ended"},
    "sought_at": 1_700_000_000.5,
    "realtime": True,
    "rest": "expired",
    "kept_until": 99.5,
    "sent_at": 2.5,
    "doubted_at": 2.75,
    "accepted_at": 3.5,
    "ended_at": 4.5,
    "collected_at": 5.5,
    "fenced_at": 6.5,
    "abandoned_at": 6.75,
    "adopted": True,
    "next_at": 7.5,
    "tries": 4,
    "looks": 5,
    "polls": 6,
    "polled_at": 8.5,
    "remote_state": "completed",
    "total": 3,
    "completed": 2,
    "failed": 1,
    "files": {"output": "file-2"},
    "raw": {"output": "cd" * 32},
    "expires_at": 9.5,
    "error": 'U+2028 \u2028, NUL \x00, 😀, half \ud83d, quote "',
    "tally": {"valid": 2},
    "patterns": {"Q1": {"form": 2}},
    "causes": {"Q1": {"missing": 1}},
    "notices": {"duplicate": 1},
    "usage": Usage(
        input_tokens=100,
        output_tokens=2**40,
        cache_read_tokens=50,
        cache_write_tokens=20,
        cache_write_1h_tokens=10,
    ),
    "unsettled_at": 9.5,
    "is_stale": True,
    "downloads": {"output": "ab12"},
    "found": 2,
    "held_at": 9.75,
    "cost_usd": Decimal("1E-9"),
    "models": {"gpt-4o-mini-2024-07-18": 2, "另": 1},
    "known_usd": Decimal("1E-10"),
    "cost_unknown": 7,
    "held_usd": Decimal("0.125"),
    "bound_usd": Decimal("0.5"),
    "charged": {"input_tokens": "100", "usd": "0.25"},
}
BATCH = Batch(**FULL)
NEW = Batch(
    key=BatchKey("b0001"),
    state=BatchState.PACKED,
    count=1,
    bytes=1,
    sha256="",
    input_tokens=1,
    reserved_usd=None,
    packed_at=0.0,
)
MEMBERS = (
    Span(Stem("p1_t1_temp70"), 1, 99, Variant.PLAIN),
    Span(Stem("p2_t1_temp29-5"), 7, 7, Variant.ENHANCED),
)


@pytest.fixture
def folder(ledger: Ledger) -> Path:
    """A ledger on disk that nobody holds, with one batch."""
    ledger.record(BATCH, summary={"total": 1}, event={"event": "packed"}, members=MEMBERS)
    elsewhere = ledger.directory.with_name("closed")
    with closing(sqlite3.connect(ledger.directory / DATABASE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    elsewhere.mkdir()
    shutil.copy(ledger.directory / DATABASE, elsewhere / DATABASE)
    return elsewhere


@contextmanager
def child(code: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Another process of ours; it says a line when it is ready, and is gone at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


HOLD = """
import sys, time
from pathlib import Path
from runner.storage.ledger import Ledger
with Ledger.open(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(60)
"""


# --- what is written comes back ----------------------------------------------------------------


def test_the_full_batch_has_every_field_set():
    assert set(FULL) == {f.name for f in fields(Batch)}
    same = [
        f.name for f in fields(Batch) if f.name != "key" and FULL[f.name] == getattr(NEW, f.name)
    ]
    assert same == []


def test_a_batch_of_an_older_version_knows_of_no_unknown_cost():
    row = codec.plain(replace(BATCH, cost_unknown=0))
    for name in ("known_usd", "cost_unknown", "held_usd", "bound_usd"):
        del row[name]
    row["usage"] = row["usage"][:2]
    found = codec.batch_of(json.loads(json.dumps(row)))
    assert found.usage == Usage(input_tokens=100, output_tokens=2**40)
    assert (found.cost_usd, found.known_usd, found.held_usd) == (BATCH.cost_usd, None, 0)


def test_what_is_written_is_written_as_ever(snapshot):
    """Ledgers outlive versions: this text may gain a field, and nothing in it may change."""
    rows = codec.first_rows({"id": "abc", "name": "双子"})
    rows |= codec.batch_rows(BATCH, members=MEMBERS, outcomes=b"\x00\x01\x02")
    rows[codec.event_key(7)] = codec.text_of({"event": "packed"})
    assert rows == snapshot


def test_a_batch_with_every_field_set_comes_back_as_it_was(ledger):
    ledger.record(BATCH, summary={})
    (found,) = ledger.batches()
    assert found == BATCH
    kinds = {f.name: type(getattr(found, f.name)) for f in fields(Batch)}
    assert kinds == {f.name: type(getattr(BATCH, f.name)) for f in fields(Batch)}
    assert str(found.reserved_usd) == "0.1234567890123456789"


def test_a_batch_with_no_optional_field_comes_back_as_it_was(ledger):
    ledger.record(NEW, summary={})
    assert ledger.batches() == (NEW,)


def test_the_reader_sees_the_same_batches(folder):
    with closing(LedgerReader(folder)) as reader:
        assert reader.batches() == (BATCH,)
        assert reader.members(BatchKey("b0001")) == MEMBERS
        assert reader.get("summary") == {"total": 1}
        assert reader.get("nothing") is None


def test_members_outcomes_events_and_experiment_come_back(ledger):
    outcomes = bytes(range(8)) * 1000
    ledger.record(NEW, summary={}, event={"n": 0}, members=MEMBERS)
    assert ledger.outcomes(NEW.key) is None
    ledger.record(BATCH, summary={}, event={"n": 1}, outcomes=outcomes)
    ledger.rewrite_experiment({"id": "abc", "grown": True})
    assert ledger.members(BATCH.key) == MEMBERS
    assert ledger.outcomes(BATCH.key) == outcomes
    assert list(ledger.events()) == [{"n": 0}, {"n": 1}]
    assert ledger.experiment() == {"id": "abc", "grown": True}


def test_everything_is_there_when_the_ledger_is_opened_again(ledger):
    directory = ledger.directory
    ledger.record(BATCH, summary={}, event={"n": 0}, members=MEMBERS, outcomes=b"\x01" * 100)
    ledger.close()
    with Ledger.open(directory) as again:
        again.record(NEW, summary={}, event={"n": 1})
        assert again.members(BATCH.key) == MEMBERS
        assert again.outcomes(BATCH.key) == b"\x01" * 100
        assert list(again.events()) == [{"n": 0}, {"n": 1}]
    ledger._hold = replace(ledger._hold, lock=os.open(os.devnull, os.O_RDONLY))  # for the fixture


def test_batches_come_in_the_order_of_packing_beyond_9999(ledger):
    keys = [BatchKey(k) for k in ("b9998", "b9999", "b10000", "b10001")]
    for key in reversed(keys):
        ledger.record(replace(NEW, key=key), summary={})
    assert [b.key for b in ledger.batches()] == keys
    with closing(LedgerReader(ledger.directory)) as reader:
        assert [b.key for b in reader.batches()] == keys


def test_every_commit_moves_the_revision_that_watchers_look_at(ledger):
    with closing(LedgerReader(ledger.directory)) as reader:
        seen = [reader.get("rev")]
        ledger.record(NEW, summary={})
        seen.append(reader.get("rev"))
        ledger.summarise({"total": 2})
        seen.append(reader.get("rev"))
    assert seen == [0, 1, 2]


def test_what_is_not_there_is_said_and_not_made_up(ledger):
    with pytest.raises(LedgerDamaged, match="members/b0009"):
        ledger.members(BatchKey("b0009"))


@pytest.mark.parametrize("value", [1.5, None, [1], {"a": 1}, Decimal(1), ("x",)])
def test_only_text_whole_numbers_and_bytes_are_stored(ledger, value):
    with pytest.raises(LedgerDamaged):
        ledger._store._cache.set("key", value)


# --- settings ----------------------------------------------------------------------------------


def test_the_settings_that_keep_everything_are_in_force(ledger):
    assert {name: getattr(ledger._store._cache, name) for name in SETTINGS} == SETTINGS
    assert SETTINGS["eviction_policy"] == "none"
    with closing(sqlite3.connect(ledger.directory / DATABASE)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    (level,) = ledger._store._cache._sql("PRAGMA synchronous").fetchone()
    assert level == 2


def test_nothing_is_evicted_however_much_is_stored(ledger):
    for number in range(300):
        batch = replace(NEW, key=BatchKey(f"b{number:04d}"))
        ledger.record(batch, summary={}, event={"n": number}, outcomes=bytes(40_000))
    assert len(ledger.batches()) == len(list(ledger.events())) == 300
    assert ledger._store._cache.cull() == 0
    assert len(ledger.outcomes(BatchKey("b0000"))) == 40_000


def test_large_values_stay_inside_the_database(ledger):
    ledger.record(NEW, summary={}, outcomes=bytes(5_000_000))
    assert {p.suffix for p in ledger.directory.iterdir() if p.is_file()} <= {
        ".db",
        ".db-wal",
        ".db-shm",
        ".lock",
        ".json",
        ".jsonl",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eviction_policy", "least-recently-stored"),
        ("cull_limit", 10),
        ("size_limit", 1000),
        ("sqlite_synchronous", 0),
        ("disk_min_file_size", 10),
    ],
)
def test_settings_that_would_lose_rows_are_put_right_before_anything_is_written(
    folder, name, value
):
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.execute("UPDATE Settings SET value = ? WHERE key = ?", (value, name))
    with Ledger.open(folder) as ledger:
        assert getattr(ledger._store._cache, name) == SETTINGS[name]
        ledger.record(NEW, summary={}, outcomes=bytes(5000))
        assert ledger.outcomes(NEW.key) == bytes(5000)


def test_a_setting_that_will_not_take_stops_the_run(folder, monkeypatch):
    monkeypatch.setattr(
        diskcache.Cache, "cull_limit", property(lambda _: 10, lambda *_: None), False
    )
    with pytest.raises(LedgerDamaged, match="cull_limit"):
        Ledger.open(folder)


# --- one owner ---------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_told_who_is_first(folder):
    with child(HOLD, str(folder)) as other:
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(LedgerInUse) as caught:
            Ledger.open(folder)
        assert f"pid {other.pid} on {socket.gethostname()}" in str(caught.value)
        found = holder(folder)
        assert (found.pid, found.host) == (other.pid, socket.gethostname())


def test_a_folder_in_use_cannot_be_created_anew(folder):
    with child(HOLD, str(folder)) as other:
        other.stdout.readline()
        with pytest.raises(LedgerInUse):
            Ledger.create(folder, {})


def test_looking_at_a_ledger_in_use_does_not_take_it_away(folder):
    with child(HOLD, str(folder)) as other:
        other.stdout.readline()
        for _ in range(3):
            assert holder(folder) is not None
        with pytest.raises(LedgerInUse):
            Ledger.open(folder)


def test_a_second_opening_in_the_same_process_is_refused_too(ledger):
    with pytest.raises(LedgerInUse, match=f"pid {os.getpid()} "):
        Ledger.open(ledger.directory)


def test_a_dashboard_inside_the_runner_does_not_let_go_of_its_ledger(ledger):
    with closing(LedgerReader(ledger.directory)) as reader:
        assert reader.holder().pid == os.getpid()
    with child(HOLD, str(ledger.directory)) as other:
        assert other.stdout.readline() == ""  # refused
        assert other.wait() == 1


def test_a_kill_lets_go_of_the_ledger(folder):
    with child(HOLD, str(folder)) as other:
        other.stdout.readline()
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert holder(folder) is None
        with Ledger.open(folder) as ledger:
            assert ledger.batches() == (BATCH,)


def test_a_closed_ledger_is_held_by_nobody(folder):
    Ledger.open(folder).close()
    assert holder(folder) is None


def test_a_folder_without_a_lock_file_is_held_by_nobody(tmp_path):
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_was_killed_before_its_tables_were_made_is_no_run(tmp_path):
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("CREATE TABLE Settings (key TEXT NOT NULL UNIQUE, value)")
        db.commit()
    assert not exists(tmp_path)
    Ledger.create(tmp_path, {"id": "abc"}).close()
    assert exists(tmp_path)


def test_a_ledger_is_not_created_over_another(folder):
    before = (folder / DATABASE).read_bytes()
    with pytest.raises(LedgerDamaged):
        Ledger.create(folder, {})
    assert (folder / DATABASE).read_bytes() == before


# --- foreign ledgers run no code ---------------------------------------------------------------


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def plant(folder: Path, **row: object) -> None:
    columns = {
        "key": "batch/b0002",
        "raw": 1,
        "store_time": 0,
        "expire_time": None,
        "access_time": 0,
        "access_count": 0,
        "tag": None,
        "size": 0,
        "mode": 1,
        "filename": None,
        "value": "{}",
    } | row
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.execute(
            f"INSERT INTO Cache ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            list(columns.values()),
        )


def rows(marker: Path) -> dict[str, dict[str, object]]:
    pickled = pickle.dumps(Evil(marker))
    return {
        "a pickled value": {"mode": 4, "value": pickled},
        "a pickled key": {"raw": 0, "key": pickled},
        "a key without a kind": {"raw": None},
        "a value without a kind": {"mode": None, "value": pickled},
        "a binary file": {"mode": 2, "filename": "../../etc/passwd", "value": None},
        "a text file": {"mode": 3, "filename": "/etc/passwd", "value": None},
        "a pickled file": {"mode": 4, "filename": "x.val", "value": None},
        "a plain value with a file's name": {"filename": "runner.lock"},
    }


@pytest.mark.parametrize("what", list(rows(Path())))
def test_a_foreign_row_is_refused_and_runs_no_code(folder, tmp_path, what):
    marker = tmp_path / "pwned"
    plant(folder, **rows(marker)[what])
    with pytest.raises(LedgerDamaged, match="never writes"):
        Ledger.open(folder)
    with pytest.raises(LedgerDamaged, match="never writes"):
        LedgerReader(folder)
    assert not marker.exists()
    assert holder(folder) is None


@pytest.mark.parametrize("what", list(rows(Path())))
def test_even_a_row_that_came_in_later_runs_no_code(ledger, tmp_path, what):
    marker = tmp_path / "pwned"
    plant(ledger.directory, **rows(marker)[what])
    with pytest.raises(LedgerDamaged):
        ledger.batches()
    assert not marker.exists()


def test_the_planted_code_would_have_run(tmp_path):
    pickle.loads(pickle.dumps(Evil(tmp_path / "pwned")))
    assert (tmp_path / "pwned").is_dir()


def test_no_file_that_a_row_names_is_ever_deleted(ledger):
    victim = ledger.directory / "raw.jsonl"
    victim.write_text("paid for")
    plant(ledger.directory, key="summary", filename="raw.jsonl")
    with pytest.raises(LedgerDamaged):
        ledger.summarise({})
    assert victim.read_text() == "paid for"


# --- damage ------------------------------------------------------------------------------------


def damage(folder: Path, how: str) -> None:
    path = folder / DATABASE
    if how == "missing":
        path.unlink()
    elif how == "zero length":
        path.write_bytes(b"")
    elif how == "garbage":
        path.write_bytes(random.Random(1).randbytes(50_000))
    elif how == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "another database":
        path.unlink()
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE t (x)")
    elif how == "no rows":
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM Cache")
    elif how == "no format":
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM Cache WHERE key = 'format'")


@pytest.mark.parametrize(
    "how",
    ["missing", "zero length", "garbage", "half", "another database", "no rows", "no format"],
)
@pytest.mark.parametrize("open_", [Ledger.open, LedgerReader, check])
def test_a_damaged_ledger_is_refused_left_as_it_is_and_the_user_told_what_to_do(folder, how, open_):
    damage(folder, how)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(LedgerDamaged) as caught:
        open_(folder)
    assert str(folder) in str(caught.value)
    assert "nothing was sent" in str(caught.value)
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix == ".db"} == before


@pytest.mark.parametrize("how", ["garbage", "half", "another database"])
def test_a_damaged_ledger_is_not_created_anew(folder, how):
    damage(folder, how)
    before = (folder / DATABASE).read_bytes()
    with pytest.raises(LedgerDamaged):
        Ledger.create(folder, {})
    assert (folder / DATABASE).read_bytes() == before


def test_a_flipped_page_is_found(folder):
    path = folder / DATABASE
    with Ledger.open(folder) as ledger:
        for number in range(50):
            ledger.record(
                replace(NEW, key=BatchKey(f"b{number:04d}")), summary={}, outcomes=bytes(3000)
            )
    content = bytearray(path.read_bytes())
    content[8192:12288] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(LedgerDamaged):
        Ledger.open(folder)


def test_text_that_is_not_json_is_named_as_damage(folder):
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.execute("UPDATE Cache SET value = '{half' WHERE key = 'batch/b0001'")
    with Ledger.open(folder) as ledger, pytest.raises(LedgerDamaged, match="not JSON"):
        ledger.batches()


@pytest.mark.parametrize("number", [FORMAT + 1, 0, "1", "x"])
def test_a_ledger_of_another_version_is_refused_with_both_numbers(folder, number):
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.execute("UPDATE Cache SET value = ? WHERE key = 'format'", (number,))
    for open_ in (Ledger.open, LedgerReader):
        with pytest.raises(LedgerFormatUnknown) as caught:
            open_(folder)
        assert f"format {number}, this program reads {FORMAT}" in str(caught.value)


def test_a_folder_without_anything_has_no_run(tmp_path):
    assert not exists(tmp_path)
    assert not exists(tmp_path / "nowhere")


# --- watching ----------------------------------------------------------------------------------


def test_the_reader_creates_nothing(tmp_path, folder):
    for place in (tmp_path / "nowhere", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(LedgerError):
            LedgerReader(place)
    assert not (tmp_path / "nowhere").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    before = (folder / DATABASE).read_bytes()
    with closing(LedgerReader(folder)) as reader:
        reader.batches()
        assert reader.holder() is None
    own_to_sqlite = {f"{DATABASE}-shm", f"{DATABASE}-wal"}
    assert {p.name for p in folder.iterdir()} - own_to_sqlite == {DATABASE}
    assert (folder / DATABASE).read_bytes() == before


def test_the_reader_cannot_write(folder):
    with closing(LedgerReader(folder)) as reader, pytest.raises(sqlite3.OperationalError):
        reader._db._db.execute("DELETE FROM Cache")


def test_the_reader_reads_while_the_writer_is_in_a_transaction(ledger):
    ledger.record(NEW, summary={"total": 1})
    with closing(LedgerReader(ledger.directory)) as reader, ledger._store._cache.transact():
        ledger._store._cache.set("summary", json.dumps({"total": 2}))
        found = reader.get("summary")
        with closing(LedgerReader(ledger.directory)) as other:
            assert other.get("summary") == {"total": 1}
        assert found == {"total": 1}


def test_the_writer_writes_while_a_reader_reads(ledger):
    for number in range(20):
        ledger.record(replace(NEW, key=BatchKey(f"b{number:04d}")), summary={})
    with closing(LedgerReader(ledger.directory)) as reader:
        cursor = reader._db._db.execute("SELECT value FROM Cache")
        cursor.fetchone()
        ledger.record(BATCH, summary={})
        cursor.close()


def test_a_reader_sees_what_is_new_without_opening_again(ledger):
    with closing(LedgerReader(ledger.directory)) as reader:
        assert reader.batches() == ()
        ledger.record(NEW, summary={})
        assert reader.batches() == (NEW,)


def test_the_heart_beats_from_another_thread_while_events_are_written(ledger):
    failed: list[BaseException] = []

    def beat() -> None:
        try:
            for number in range(30):
                ledger.beat(float(number))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    hearts = [threading.Thread(target=beat) for _ in range(2)]
    for heart in hearts:
        heart.start()
    for number in range(30):
        ledger.record(NEW, summary={}, event={"n": number})
    for heart in hearts:
        heart.join()
    assert failed == []
    assert [e["n"] for e in ledger.events()] == list(range(30))
    with closing(LedgerReader(ledger.directory)) as reader:
        assert reader.get("heartbeat") == {
            "at": 29.0,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "finished": False,
            "left": False,
        }
        assert reader.get("rev") == 30


# --- death -------------------------------------------------------------------------------------

WRITE = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, ".")
from tests.integration.test_ledger import NEW
from runner.core.model import BatchKey, Span, Stem, Variant
from runner.storage.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
number = len(ledger.batches())
print("ready", flush=True)
while True:
    key = BatchKey(f"b{number:04d}")
    ledger.record(
        replace(NEW, key=key, polls=number),
        summary={"n": number},
        event={"n": number},
        members=(Span(Stem("c"), 1, number + 1, Variant.PLAIN),),
        outcomes=bytes([number % 250]) * 5000,
    )
    number += 1
"""


def assert_whole(ledger: Ledger) -> int:
    """Every event is there with all it wrote, or not at all; return how many there are."""
    batches = ledger.batches()
    count = len(batches)
    assert [b.key for b in batches] == [f"b{n:04d}" for n in range(count)]
    assert [b.polls for b in batches] == list(range(count))
    assert [e["n"] for e in ledger.events()] == list(range(count))
    for n in {0, count // 2, count - 1} - {-1} if count else ():
        key = BatchKey(f"b{n:04d}")
        assert ledger.members(key) == (Span(Stem("c"), 1, n + 1, Variant.PLAIN),)
        assert ledger.outcomes(key) == bytes([n % 250]) * 5000
    if count:
        assert json.loads(ledger._store._cache.get("summary")) == {"n": count - 1}
        assert ledger._store._cache.get("rev") == count
    return count


def test_ten_kills_leave_whole_events_only(tmp_path):
    directory = tmp_path / "run"
    Ledger.create(directory, {"id": "abc"}).close()
    dice = random.Random(7)
    counts = [0]
    for _ in range(10):
        with child(WRITE, str(directory)) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0.0, 0.06))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        with closing(LedgerReader(directory)) as reader:
            seen = len(reader.batches())
        with Ledger.open(directory) as ledger:
            counts.append(assert_whole(ledger))
        assert seen == counts[-1]
    assert counts == sorted(counts)
    assert counts[-1] > 10


def test_a_transaction_that_fails_half_way_leaves_nothing(ledger):
    ledger.record(NEW, summary={"n": 0}, event={"n": 0})
    with pytest.raises(LedgerDamaged):
        ledger._commit({"batch/b0002": "{}", "outcomes/b0002": 1.5})
    assert ledger.batches() == (NEW,)
    assert ledger._store._cache.get("rev") == 1


@pytest.mark.parametrize("begin", first(1, ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"]))
def test_a_ledger_that_another_program_locks_is_named_in_the_end_and_writable_after(
    ledger, monkeypatch, begin
):
    monkeypatch.setattr(ledger._store, "_patience", 1.5)
    with closing(sqlite3.connect(ledger.directory / DATABASE, isolation_level=None)) as other:
        other.execute(begin)
        with pytest.raises(LedgerBusy, match=r"cache\.db is locked by another program"):
            ledger.record(NEW, summary={})
        with pytest.raises(LedgerBusy):
            ledger.beat(1.0)
        other.execute("COMMIT")
    ledger.beat(2.0)
    ledger.record(NEW, summary={})
    assert ledger.batches() == (NEW,)


def test_a_lock_that_ends_in_time_is_waited_for(ledger):
    other = sqlite3.connect(
        ledger.directory / DATABASE, isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    over = threading.Timer(1.5, other.execute, ["COMMIT"])
    over.start()
    ledger.record(NEW, summary={})
    over.join()
    other.close()
    assert ledger.batches() == (NEW,)


def test_opening_a_ledger_that_is_locked_says_so(folder, monkeypatch):
    monkeypatch.setattr(kv, "PATIENCE_SECONDS", 1.5)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(LedgerBusy, match="locked by another program"):
            Ledger.open(folder)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["runner.lock", "raw", "events.jsonl", "cache.db-wal"])
def test_nothing_is_written_through_a_link_that_leaves_the_folder(folder, tmp_path, name):
    mine = tmp_path / "mine"
    if name == "raw":
        mine.mkdir()
    else:
        mine.write_text("mine")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(mine)
    with pytest.raises(LedgerError, match="link"):
        Ledger.open(folder)
    assert mine.is_dir() or mine.read_text() == "mine"
    assert holder(folder) is None


@pytest.mark.parametrize("name", ["runner.lock", "events.jsonl"])
def test_no_file_is_opened_through_a_link_inside_the_folder_either(folder, name):
    mine = folder / "mine"
    mine.write_text("mine")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(mine)
    with pytest.raises((LedgerError, OSError)):
        Ledger.open(folder)
    assert mine.read_text() == "mine"
