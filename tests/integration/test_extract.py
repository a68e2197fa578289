"""`action=extract` and `action=patterns`: today's patterns over what is stored, offline, for free."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from runner.cli.extract import report_line
from runner.cli.screen import Silent
from runner.config.shipped import SHIPPED
from runner.core.errors import ConfigError
from runner.core.plan import Purpose
from runner.run import assemble, maintenance
from runner.run.extract import Comparison
from runner.run.run import Run
from runner.run.sample import sample
from runner.storage.ledger import Ledger
from tests.shared import copy_of
from tests.unit.composing import composed
from tests.unit.test_extractor import FILLED

ARGUMENTS = [
    *("personas=[p1]", "texts=[t1,t3]", "trials=6", "faults=instant", "faults.malformed=0.3"),
    *("poll.first_seconds=0.02", "poll.max_seconds=0.1", "provider.limits.requests=5"),
]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal that is over."""
    return copy_of(tmp_path_factory, "extract", rehearse)


def rehearse(outputs: Path) -> None:
    run = Run(composed([*ARGUMENTS, f"outputs={outputs}"])[0])
    assemble.drive(run, Purpose.RUN, Silent(), lambda _: None)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of one's own with the bundled questions, to be changed."""
    (tmp_path / "mine" / "question").mkdir(parents=True)
    shutil.copy(SHIPPED / "question" / "literary.yaml", tmp_path / "mine" / "question")
    return tmp_path / "mine"


@pytest.fixture
def outputs(answered: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(answered, tmp_path / "outputs")
    return tmp_path / "outputs"


def change(home: Path, **keys: object) -> None:
    path = home / "question" / "literary.yaml"
    conf = yaml.safe_load(path.read_text(encoding="utf-8"))
    head = "# @package question\n"
    path.write_text(head + yaml.safe_dump(conf | keys, allow_unicode=True), encoding="utf-8")


def run_with(home: Path, outputs: Path, *more: str) -> Run:
    return Run(composed([*ARGUMENTS, "--config-dir", str(home), f"outputs={outputs}", *more])[0])


def without(home: Path, name: str) -> None:
    """Leave out a pattern of values."""
    conf = yaml.safe_load((home / "question" / "literary.yaml").read_text(encoding="utf-8"))
    change(home, value_patterns=[p for p in conf["value_patterns"] if p["name"] != name])


def test_the_same_patterns_change_nothing(home, outputs):
    found = maintenance.compare(run_with(home, outputs))

    assert found.answers >= 12
    assert found.is_empty
    assert found.changes == []


@pytest.mark.long
def test_another_pattern_is_told_by_its_counts_and_writes_nothing(home, outputs):
    before = {p: p.read_bytes() for p in outputs.rglob("*.parquet")}
    without(home, "form")

    found = maintenance.compare(run_with(home, outputs))

    old, new = found.patterns["Q1"]["form"]
    assert (old > 0, new) == (True, 0)
    assert sum(pair[1] for pair in found.patterns["Q1"].values()) == found.answers
    assert sum(pair[0] for pair in found.patterns["Q1"].values()) == found.answers
    assert not found.is_empty
    assert {p: p.read_bytes() for p in outputs.rglob("*.parquet")} == before


def test_a_value_that_is_read_otherwise_is_shown_old_and_new(home, outputs):
    change(home, items={"Q1": {"label": "面白さ", "maximum": 40}, **rest(home)})

    found: Comparison = maintenance.compare(run_with(home, outputs))

    assert found.values == len(found.changes) > 0
    assert all(c.old > 40 for c in found.changes)
    assert all(
        (c.question, c.new, c.new_cause) == ("Q1", None, "out_of_range") for c in found.changes
    )
    assert found.valid[1] < found.valid[0]


@pytest.mark.long
def test_where_the_stored_rows_are_gone_everything_counts_as_new(home, outputs):
    run = run_with(home, outputs)
    for part in (run.folder(sending=False) / "attempts").glob("*.parquet"):
        part.unlink()

    found = maintenance.compare(run)

    assert (found.valid[0], found.valid[1] > 0) == (0, True)
    assert all((change.old, change.old_pattern) == (None, None) for change in found.changes)
    assert len(found.changes) == found.values > 0


def rest(home: Path) -> dict[str, object]:
    conf = yaml.safe_load((home / "question" / "literary.yaml").read_text(encoding="utf-8"))
    return {key: item for key, item in conf["items"].items() if key != "Q1"}


@pytest.mark.long
def test_applied_it_is_what_the_tables_say(home, outputs):
    without(home, "form")
    run = run_with(home, outputs)
    changed = maintenance.compare(run)
    tables = maintenance.reread(run).tables

    attempts = pl.read_parquet(tables.attempts_parquet)
    assert "form" not in attempts["Q1_pattern"].to_list()
    assert maintenance.compare(run_with(home, outputs)).is_empty
    assert attempts.filter(pl.col("outcome") == "valid").height == changed.valid[1]
    assert maintenance.verify(run) == []


@pytest.mark.long
def test_read_again_by_several_processes_it_is_what_one_process_reads(home, outputs, monkeypatch):
    monkeypatch.setattr("runner.batches.workers.cores", lambda: 2)
    monkeypatch.setattr("runner.batches.workers.WORTH_SPREADING", 0)
    monkeypatch.setattr("runner.batches.results.WORTH_SPREADING", 0)
    run = run_with(home, outputs)
    table = run.folder(sending=False) / "attempts.parquet"
    before = pl.read_parquet(table)

    counts = maintenance.reread(run).snapshot.counts

    assert pl.read_parquet(table).equals(before)
    assert counts.total == 12
    assert maintenance.verify(run) == []


@pytest.mark.long
def test_what_was_written_where_no_value_is_stands_in_the_tables(home, outputs):
    """Tables of an older version have no such column: there it is missing, until read again."""
    run = run_with(home, outputs)
    folder = run.folder(sending=False)
    new = pl.read_parquet(folder / "attempts.parquet")
    written = [name for name in new.columns if name.endswith("_written")]
    for path in (*folder.rglob("*.parquet"),):
        pl.read_parquet(path).drop(written).write_parquet(path)

    old = pl.read_parquet(
        assemble.drive(run, Purpose.COLLECT, Silent(), lambda _: None).tables.attempts_parquet
    )
    assert maintenance.compare(run).is_empty
    assert maintenance.read_parts(run).answers > 0
    again = pl.read_parquet(maintenance.reread(run).tables.attempts_parquet)

    assert old.columns == new.columns
    assert old.drop(written).equals(new.drop(written))
    assert all(old[name].null_count() == old.height for name in written)
    assert again.equals(new)
    for question in ("Q1", "Q2", "Q3", "Q4"):
        cause, shown = again[f"{question}_cause"], again[f"{question}_written"]
        unfit = cause.is_in(["ambiguous", "out_of_range", "not_a_number"])
        assert shown.filter(unfit).null_count() == 0
        assert shown.filter(cause.is_null()).null_count() == cause.null_count()
    assert sum(again[name].drop_nulls().len() for name in written) > 0


def test_what_each_pattern_found_adds_up_to_all_answers(home, outputs):
    total = maintenance.read_parts(run_with(home, outputs))

    for question, counts in total.patterns.items():
        assert sum(counts.values()) == total.answers
        assert sum(total.causes[question].values()) <= total.answers
    assert total.examples["Q1", "form"][0].match.isascii()
    assert all(len(found) <= 3 for found in total.examples.values())


def test_without_a_run_there_is_nothing_to_show(home, tmp_path):
    with pytest.raises(ConfigError, match="no run yet"):
        maintenance.read_parts(run_with(home, tmp_path / "nothing"))


def main(*arguments: str) -> int:
    from runner.__main__ import main as command

    return command([*ARGUMENTS, *arguments])


def test_the_command_shows_and_then_applies(home, outputs, capfd):
    without(home, "form")
    where = ["--config-dir", str(home), f"outputs={outputs}"]

    assert main(*where, "action=extract") == 0
    shown = capfd.readouterr().out
    assert "Q1 pattern form" in shown
    assert "apply=true" in shown
    main(*where, "action=extract", "apply=true")
    assert "values changed" in capfd.readouterr().out
    assert main(*where, "action=extract", "--json") == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["values_changed"] == 0
    assert facts["changes"] == []


def test_the_command_reads_anybodys_answers(tmp_path, capfd):
    path = tmp_path / "answers.jsonl"
    good = json.dumps({"custom_id": "a", "answer": FILLED})
    odd = json.dumps({"custom_id": "b\u001b[2J", "answer": "\u001b]0;x\u0007 わかりません"})
    path.write_text(f"{good}\nbad\n{odd}\n", encoding="utf-8")

    assert main("action=extract", f"input={path}", "--json") == 3
    said = capfd.readouterr()
    assert [json.loads(row)["status"] for row in said.out.splitlines()] == ["valid", "invalid"]
    assert "line 2: no JSON" in said.err
    assert main("action=patterns", f"input={path}") == 3
    shown = capfd.readouterr().out
    assert "⟦80⟧" in shown
    assert "\u001b" not in shown
    assert "␛]0;x␇ わかりません" in shown
    assert main("action=patterns", f"input={path}", "--json") == 3
    facts = json.loads(capfd.readouterr().out)
    assert facts["questions"]["Q1"]["unmatched"]["count"] == 1
    assert facts["questions"]["Q1"]["patterns"]["form"]["share"] == 0.5


def test_a_file_that_is_not_there_is_a_mistake_of_one_line(tmp_path, capfd):
    assert main("action=extract", f"input={tmp_path / 'none.jsonl'}") == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert main("action=extract", "input=x", "apply=true") == 2
    assert "apply=true" in capfd.readouterr().err


def test_a_sheet_is_drawn_from_the_ledger_and_is_the_same_while_a_run_goes_on(outputs):
    """It needs no table, and takes no lock: another process may hold the run."""
    run = Run(composed([*ARGUMENTS, f"outputs={outputs}", "sample.n=12"])[0])
    folder = run.folder(sending=False)
    table = pl.read_parquet(folder / "answers.parquet")
    (folder / "answers.parquet").unlink()
    with Ledger.open(folder):
        drawn = sample(run)
    assert (drawn.drawn, drawn.readings) == (12, 48)
    sheet = pl.read_csv(drawn.sheet)
    for row in sheet.iter_rows(named=True):
        answer = table.row(by_predicate=pl.col("custom_id") == row["custom_id"], named=True)
        for part in ("value", "reason", "cause"):
            assert row[part] == answer[f"{row['question']}_{part}"], row
    assert set(sheet["pattern"]) <= {"none", *table["Q1_pattern"], *table["Q2_pattern"]}
    with pytest.raises(ConfigError, match=r"audit\.csv: is there already, and may be filled in"):
        sample(run)


def test_the_next_line_after_a_sheet_is_the_report_alone():
    line = report_line("python -m runner name=x action=sample sample.n=9 sample.seed=2 trials=3")
    assert line == "python -m runner name=x action=report trials=3"
