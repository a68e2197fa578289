"""The key-value store below the ledger: both of its sides, waits that end, and what it knows of diskcache."""

import ast
import inspect
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from runner.core.errors import LedgerBusy, LedgerDamaged, LedgerError
from runner.storage import kv
from runner.storage.kv import DATABASE, ReadOnly, Store
from tests.variants import first

ROOT = Path(__file__).resolve().parents[2]
ROWS = {"a/1": "text", "a/2": 2**40, "a/10": b"\x00\xff", "a": "no slash", "b/1": "双子", "a0": 1}


@pytest.fixture(params=[False, True], ids=["own disk", "shared disk"])
def shared(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def store(tmp_path: Path, shared: bool) -> Iterator[Store]:
    made = Store.open(tmp_path, shared=shared, may_write=lambda: None)
    yield made
    made.close()


def looked_at(folder: Path) -> ReadOnly:
    return ReadOnly(folder / DATABASE, immutable=False, wait=2.0)


# --- both sides ------------------------------------------------------------------------------------


def test_the_writer_and_a_reader_see_the_same(store, tmp_path):
    store.write(ROWS)
    with closing(looked_at(tmp_path)) as reader:
        for prefix in ("a/", "b/", "a", "c/"):
            expected = {key: value for key, value in ROWS.items() if key.startswith(prefix)}
            assert dict(store.items(prefix)) == dict(reader.items(prefix)) == expected
            assert sorted(store.keys(prefix)) == reader.keys(prefix) == sorted(expected)
        for key in (*ROWS, "nothing"):
            assert store.get(key) == reader.get(key) == ROWS.get(key)
            assert type(store.get(key)) is type(reader.get(key))
        assert reader.last("a/", 2) == [ROWS["a/2"], ROWS["a/10"]]
        assert reader.count() == len(ROWS)


def test_several_values_are_written_together_or_not_at_all(store, tmp_path):
    store.write({"n": 0})
    with pytest.raises(LedgerDamaged):
        store.write({"a": "1", "b": 1.5}, counter="n")  # type: ignore[dict-item]
    assert (store.get("a"), store.get("n")) == (None, 0)
    store.write({"a": "1", "b": "2"}, counter="n")
    with closing(looked_at(tmp_path)) as reader:
        assert (reader.get("a"), reader.get("b"), reader.get("n")) == ("1", "2", 1)


def test_nothing_is_written_by_one_who_may_not(tmp_path):
    def may_not() -> None:
        raise LedgerError("followed")

    with (
        closing(Store.open(tmp_path, shared=False, may_write=may_not)) as store,
        pytest.raises(LedgerError, match="followed"),
    ):
        store.write({"a": "1"})
    with closing(looked_at(tmp_path)) as reader:
        assert reader.get("a") is None


def test_a_reader_cannot_write_and_makes_no_file(store, tmp_path):
    store.write(ROWS)
    store.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with closing(ReadOnly(tmp_path / DATABASE, immutable=True, wait=0.1)) as reader:
        reader.check()
        with pytest.raises(LedgerDamaged, match="readonly"):
            reader._rows("DELETE FROM Cache")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


# --- waits that end --------------------------------------------------------------------------------


def locked(folder: Path, begin: str) -> sqlite3.Connection:
    """Another program that keeps the file; `begin` decides for whom."""
    other = sqlite3.connect(folder / DATABASE, isolation_level=None, check_same_thread=False)
    other.execute(begin)
    other.execute("SELECT count(*) FROM Cache").fetchone()
    return other


@pytest.mark.parametrize("begin", first(1, ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"]))
def test_a_lock_that_never_ends_is_said_in_the_end_and_nothing_is_half_written(
    store, tmp_path, begin
):
    store._patience = 1.5
    store.write(ROWS)
    with closing(locked(tmp_path, begin)):
        began = time.monotonic()
        with pytest.raises(LedgerBusy, match=r"cache\.db is locked by another program"):
            store.write({"a": "new"}, counter="n")
        assert 1.5 <= time.monotonic() - began < 6
    assert store.get("a") == ROWS["a"]
    store.write({"a": "new"}, counter="n")
    assert (store.get("a"), store.get("n")) == ("new", 1)


def test_a_reader_that_never_ends_holds_up_a_shared_disk_only_and_not_for_ever(
    store, tmp_path, shared
):
    """Beside a rollback journal it is the commit that waits, when everything else is done."""
    store._patience = 1.5
    store.write(ROWS)
    with closing(locked(tmp_path, "BEGIN")):
        if shared:
            with pytest.raises(LedgerBusy):
                store.write({"a": "new"}, counter="n")
            assert store.get("n") is None
        else:
            store.write({"a": "new"}, counter="n")
    store.write({"a": "newer"}, counter="n")
    assert store.get("n") == (1 if shared else 2)


def test_a_reader_that_ends_in_time_is_waited_for(store, tmp_path):
    store.write(ROWS)
    other = locked(tmp_path, "BEGIN")
    over = threading.Timer(1.5, other.close)
    over.start()
    store.write({"a": "new"}, counter="n")
    over.join()
    assert (store.get("a"), store.get("n")) == ("new", 1)


@pytest.mark.parametrize("does", first(1, ["hurry", "waits=False"]))
def test_one_in_a_hurry_waits_for_one_look_only(store, tmp_path, does):
    if does == "hurry":
        store.hurry()
    with closing(locked(tmp_path, "BEGIN IMMEDIATE")):
        began = time.monotonic()
        with pytest.raises(LedgerBusy):
            store.write({"a": "new"}, waits=does == "hurry")
        assert time.monotonic() - began < 5


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_process_that_never_lets_go_is_said_in_one_line_after_the_seconds_that_are_stated(
    store, tmp_path
):
    assert (kv.PATIENCE_SECONDS, store._patience) == (30.0, 30.0)
    store._patience = 1.5
    command = [sys.executable, "-c", HOLDER, str(tmp_path / DATABASE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        began = time.monotonic()
        with pytest.raises(LedgerBusy) as said:
            store.write({"a": "new"})
        assert time.monotonic() - began >= 1.5
        other.stdin.close()
    assert "\n" not in str(said.value)
    store.write({"a": "new"})
    assert store.get("a") == "new"


def test_opening_one_that_is_locked_ends_too(store, tmp_path, shared, monkeypatch):
    store.write(ROWS)
    store.close()
    monkeypatch.setattr(kv, "PATIENCE_SECONDS", 1.5)
    with closing(locked(tmp_path, "BEGIN EXCLUSIVE")):
        began = time.monotonic()
        with pytest.raises(LedgerBusy, match="locked by another program"):
            Store.open(tmp_path, shared=shared, may_write=lambda: None)
        assert 1.5 <= time.monotonic() - began < 6
    with closing(Store.open(tmp_path, shared=shared, may_write=lambda: None)) as again:
        assert again.get("a") == ROWS["a"]


def test_a_reader_of_one_that_is_locked_says_so(store, tmp_path, shared):
    store.write(ROWS)
    with (
        closing(ReadOnly(tmp_path / DATABASE, immutable=False, wait=0.1)) as reader,
        closing(locked(tmp_path, "BEGIN EXCLUSIVE")),
    ):
        if shared:
            with pytest.raises(LedgerBusy, match="locked by another program"):
                reader.get("a")
        else:
            assert reader.get("a") == ROWS["a"]


# --- what it knows of diskcache --------------------------------------------------------------------


def test_diskcache_is_the_version_whose_insides_were_read():
    """With another one, read its `Disk`, `Cache.__init__` and `Cache.transact`, then change the number."""
    assert diskcache.__version__ == "5.6.3"


@pytest.mark.parametrize("method", ["put", "get", "store", "fetch", "remove"])
def test_the_disk_that_refuses_has_the_signatures_of_the_one_it_stands_for(method):
    ours, its = (inspect.signature(getattr(c, method)) for c in (kv.PlainDisk, diskcache.Disk))
    assert list(ours.parameters) == list(its.parameters)
    assert method in vars(kv.PlainDisk)


def test_every_method_that_touches_a_value_is_refused_or_ours():
    methods = {name for name, what in vars(diskcache.Disk).items() if inspect.isfunction(what)}
    assert methods - set(vars(kv.PlainDisk)) == {"__init__", "hash", "_write", "filename"}


def test_the_table_is_the_one_that_a_reader_asks(store, tmp_path):
    assert diskcache.core.DBNAME == DATABASE
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        columns = [name for _, name, *_ in db.execute("PRAGMA table_info(Cache)")]
        settings = {key for (key,) in db.execute("SELECT key FROM Settings")}
    assert {"key", "raw", "mode", "filename", "value"} <= set(columns)
    assert settings == kv._SETTINGS_KNOWN
    assert diskcache.core.MODE_RAW == 1


def test_no_other_module_knows_diskcache_or_how_the_ledger_is_kept():
    knows: dict[str, set[str]] = {"diskcache": set(), "sqlite3": set()}
    for path in [*(ROOT / "runner").rglob("*.py"), *(ROOT / "tui").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if (root := name.partition(".")[0]) in knows and "emulator" not in path.parts:
                    knows[root].add(path.relative_to(ROOT).as_posix())
    assert set.union(*knows.values()) == {"runner/storage/kv.py"}
