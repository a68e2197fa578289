"""`action=verify` finds whatever does not fit together, and says what to do."""

import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from runner.cli.screen import Silent
from runner.core.errors import ConfigError, LedgerDamaged
from runner.core.plan import Purpose
from runner.run import assemble, maintenance
from runner.run.run import Run
from tests.shared import copy_of
from tests.unit.composing import composed
from tests.variants import first

ARGUMENTS = [
    *("personas=[p1]", "texts=[t1,t3]", "trials=4", "faults=instant", "faults.malformed=0.3"),
    *("poll.first_seconds=0.02", "poll.max_seconds=0.1", "provider.limits.requests=5"),
]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal that is over."""
    return copy_of(tmp_path_factory, "verify", rehearse)


def rehearse(outputs: Path) -> None:
    run = Run(composed([*ARGUMENTS, f"outputs={outputs}"])[0])
    assemble.drive(run, Purpose.RUN, Silent(), lambda _: None)


@pytest.fixture
def run(answered: Path, tmp_path: Path) -> Run:
    """A copy of it, to be spoiled."""
    shutil.copytree(answered, tmp_path / "outputs")
    return Run(composed([*ARGUMENTS, f"outputs={tmp_path / 'outputs'}"])[0])


@pytest.fixture
def folder(run: Run) -> Path:
    return run.folder(sending=False)


def only(run: Run) -> str:
    (line,) = maintenance.verify(run)
    return line


def test_a_run_that_is_whole_has_no_problem_and_stays_as_it_is(run, folder):
    before = {p: p.read_bytes() for p in folder.rglob("*.parquet")}
    assert maintenance.verify(run) == []
    assert {p: p.read_bytes() for p in folder.rglob("*.parquet")} == before


def test_a_changed_answer_is_found_in_the_file_that_holds_it(run, folder):
    path = folder / "raw" / "b0001.output.jsonl"
    path.write_bytes(path.read_bytes().replace(b"80", b"81", 1) + b" ")
    assert str(path) in only(run)
    assert "put the original back" in only(run)


def test_a_result_file_that_is_gone_is_named_as_paid(run, folder):
    (folder / "raw" / "b0001.output.jsonl").unlink()
    assert "holds paid answers" in only(run)


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_a_request_file_that_is_not_what_was_sent_is_found(run, folder, how):
    path = folder / "requests" / "b0002.jsonl"
    path.unlink() if how == "gone" else path.write_bytes(b"{}\n")
    assert f"{path}: is" in only(run)


def test_a_result_file_that_nobody_knows_is_kept_and_named(run, folder):
    path = folder / "raw" / "b0099.output.jsonl"
    path.write_bytes(b"{}\n")
    assert "raw/ has files of b0099" in only(run)
    path.rename(path.with_name("strange.jsonl"))
    assert "keep it, it may be paid for" in only(run)


@pytest.mark.parametrize("name", first(1, ["answers", "attempts"]))
def test_a_number_that_was_changed_in_a_table_is_found(run, folder, name):
    path = folder / f"{name}.parquet"
    table = pl.read_parquet(path)
    table.with_columns(Q1_value=pl.lit(100, pl.Int64)).write_parquet(path)
    assert "is not what the ledger and the results say" in only(run)
    maintenance.reread(run)
    assert maintenance.verify(run) == []


def test_a_table_that_is_not_there_can_be_written_anew(run, folder):
    (folder / "answers.parquet").unlink()
    assert "action=export writes it" in only(run)


def test_an_outcome_that_the_results_do_not_bear_out_is_found(run, folder):
    with sqlite3.connect(folder / "cache.db") as db:
        (value,) = db.execute("SELECT value FROM Cache WHERE key = 'outcomes/b0001'").fetchone()
        flipped = bytes([1 if value[0] == 2 else 2]) + value[1:]
        db.execute("UPDATE Cache SET value = ? WHERE key = 'outcomes/b0001'", (flipped,))
    found = "\n".join(maintenance.verify(run))
    assert "b0001: 1 of its results read otherwise than the ledger says" in found


def test_attempts_that_are_not_what_the_results_say_are_found(run, folder):
    path = next((folder / "attempts").glob("b0001-*.parquet"))
    table = pl.read_parquet(path)
    table.with_columns(Q2_value=pl.lit(3, pl.Int64)).write_parquet(path)
    found = "\n".join(maintenance.verify(run))
    assert "b0001: its attempts are not what its results say" in found


def test_a_number_that_was_changed_in_the_dataset_is_found(run, folder):
    (path,) = folder.parent.parent.glob("dataset_rehearsal/**/*.parquet")
    pl.read_parquet(path).with_columns(Q1_value=pl.lit(100, pl.Int64)).write_parquet(path)
    assert str(path) in only(run)
    maintenance.reread(run)
    assert maintenance.verify(run) == []


def test_a_table_that_was_cut_is_found(run, folder):
    cut(folder / "answers.parquet")
    assert "answers.parquet: is not what the ledger and the results say" in only(run)


def test_attempts_that_were_cut_are_named_with_what_mends_them(run, folder):
    part = next((folder / "attempts").glob("*.parquet"))
    cut(part)
    with pytest.raises(
        LedgerDamaged, match=f"{part.name} is damaged .*: action=export reads the raw"
    ):
        maintenance.verify(run)


@pytest.mark.parametrize("name", ["experiment.json", "manifest.json", "summary.json"])
def test_a_record_that_is_no_json_is_found(run, folder, name):
    (folder / name).write_text("{")
    assert f"{name}: cannot be read" in only(run)


def test_a_folder_that_is_not_there_is_no_damage(run, folder):
    shutil.rmtree(folder)
    for work in (maintenance.verify, maintenance.recover):
        with pytest.raises(ConfigError, match="no run yet: run it first"):
            work(run)
    assert not folder.exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])
