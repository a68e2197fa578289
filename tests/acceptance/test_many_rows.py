"""Studies of many rows: kept as columns and numbers, with the same requests and tables as any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from runner.core import level_table
from runner.storage import ledger
from tests.acceptance.conftest import QUICK, Desk
from tests.acceptance.test_all_providers import billed
from tests.variants import first

STUDY = """\
# @package _global_
defaults:
  - override /question: english
name: rows
factors:
  row: {file: rows.csv, id: id, keep: [gold]}
  tone: {levels: {warm: "Please.", cold: "Now."}}
trials: TRIALS
messages:
  - {role: user, content: "{tone} {row.body}\\n\\n{items}"}
items:
  stars: {minimum: 1, maximum: 5}
"""
ROWS = [*range(12)]
WORDS = ["--config-dir", "mine", "experiment=rows", *QUICK, "provider.limits.requests=10"]
CELL = "rows/emulator_gpt-4o-mini"
RUN_BY_RUN = ["batch", "remote_batch", "request_id", "submitted_at", "completed_at", "answered_at"]


def written(desk: Desk, rows: list[int], trials: int = 1) -> None:
    home = desk.folder / "mine" / "experiment"
    home.mkdir(parents=True, exist_ok=True)
    (home / "rows.yaml").write_text(STUDY.replace("TRIALS", str(trials)))
    lines = [f'r {n},{n % 3},"text {n} {{row}} ""é"" {n * 7919}"' for n in rows]
    (home / "rows.csv").write_text("\n".join(["id,gold,body", *lines]))


@contextmanager
def many(count: int = 2) -> Iterator[None]:
    """Take so few for many."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(level_table, "LARGE", count)
        yield


def asked(desk: Desk) -> pl.DataFrame:
    return desk.answers(CELL).drop(RUN_BY_RUN)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "requests").iterdir())}


@pytest.mark.long
@pytest.mark.parametrize("trials", first(1, [3, 1]))
def test_many_rows_are_asked_and_told_as_few_are(desk, trials):
    written(desk, ROWS, trials)
    assert desk.run(*WORDS, "outputs=few").returncode == 0
    with many():
        assert desk.run(*WORDS).returncode == 0
        verified = desk.run(*WORDS, "action=verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    few, cell = desk.folder / "few" / CELL, desk.cell(CELL)
    assert files(cell)["b0001.jsonl"] == files(few)["b0001.jsonl"]
    expected = pl.read_parquet(few / "answers.parquet").drop(RUN_BY_RUN)
    assert asked(desk).equals(expected)
    assert len(list(cell.glob("definition-*.parquet"))) == 3
    assert not list(few.glob("definition-*"))
    assert set(billed(desk.bill(CELL)).values()) <= {1, 2}


@pytest.mark.long
def test_every_action_works_on_many_rows(desk):
    written(desk, ROWS)
    with many():
        assert desk.run(*WORDS, "wait=false").returncode == 3
        for action in ("plan", "status", "collect", "verify", "export", "extract", "patterns"):
            said = desk.run(*WORDS, f"action={action}")
            assert said.returncode in (0, 3), (action, said)
        assert desk.run(*WORDS).returncode == 0
        for more in ("action=report", "action=export export.format=long", "action=status --json"):
            said = desk.run(*WORDS, *more.split())
            assert said.returncode == 0, (more, said)
        (desk.cell(CELL) / "cache.db").unlink()
        assert desk.run(*WORDS, "action=recover").returncode == 0
        assert desk.run(*WORDS).returncode == 0
    assert asked(desk).height == 24


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after", "rows"),
    first(
        1,
        (
            (before, after, rows)
            for before, after in [(1_000, 2), (2, 2), (2, 1_000)]
            for rows in [[20, *ROWS, 21], [*ROWS, 20, 21], [*ROWS[6:], 20, *ROWS[:3]]]
        ),
    ),
)
def test_rows_that_are_added_are_all_that_is_sent(desk, rows, before, after):
    """Also where rows moved or went, and where few have become many, or many few."""
    written(desk, ROWS)
    with many(before):
        assert desk.run(*WORDS, "faults.malformed=0").returncode == 0
    written(desk, rows)
    with many(after):
        said = desk.run(*WORDS, "faults.malformed=0")
        assert said.returncode == 0, said
        assert desk.run(*WORDS, "action=verify").returncode == 0
        assert " 0  in 0 batches" in desk.run(*WORDS, "action=plan").stdout
    sent = {*ROWS, *rows}
    assert {*asked(desk)["row"]} == {f"r {n}" for n in sent}
    assert sum(len(text.splitlines()) for text in files(desk.cell(CELL)).values()) == 2 * len(sent)
    assert set(billed(desk.bill(CELL)).values()) == {1}


def test_a_row_that_changed_is_refused_by_name(desk):
    written(desk, ROWS)
    with many():
        assert desk.run(*WORDS).returncode == 0
        path = desk.folder / "mine" / "experiment" / "rows.csv"
        path.write_text(path.read_text().replace("text 7 ", "other 7 "))
        said = desk.run(*WORDS)
    assert said.returncode == 2
    assert "factors.row.r 7: its content changed" in said.stderr


@pytest.mark.long
@pytest.mark.parametrize("harm", first(1, ["gone", "changed"]))
def test_a_table_that_is_gone_or_changed_is_refused_with_one_line(desk, harm):
    written(desk, ROWS)
    with many():
        assert desk.run(*WORDS).returncode == 0
        table = max(desk.cell(CELL).glob("definition-*"), key=lambda path: path.stat().st_size)
        said = table.read_bytes()
        table.unlink()
        if harm == "changed":
            table.write_bytes(said + b"x")
        for words in ((), ("action=plan",), ("action=verify",), ("action=export",)):
            refused = desk.run(*WORDS, *words)
            assert refused.returncode == 3, refused
            assert table.name in refused.stderr
            assert "put" in refused.stderr
            assert refused.stderr.count("\n") == 1
        table.unlink(missing_ok=True)
        table.write_bytes(said)
        assert desk.run(*WORDS).returncode == 0


@pytest.mark.long
def test_a_kill_between_the_tables_and_the_ledger_costs_nothing(desk, monkeypatch):
    """At the beginning, and when rows are added."""
    written(desk, ROWS)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with many():
        for spot in ((ledger, "_opened"), (ledger, "_write_beside")):
            with monkeypatch.context() as patched:
                patched.setattr(*spot, killed)
                assert desk.run(*WORDS).returncode == 130
        assert list(desk.cell(CELL).glob("definition-*"))
        assert desk.run(*WORDS, "faults.malformed=0").returncode == 0
        written(desk, [20, *ROWS])
        for spot in ((ledger.Ledger, "_commit"), (ledger, "_write_beside")):
            with monkeypatch.context() as patched:
                patched.setattr(*spot, killed)
                assert desk.run(*WORDS, "faults.malformed=0").returncode == 130
        assert desk.run(*WORDS, "faults.malformed=0").returncode == 0
    assert asked(desk).height == 26
    assert set(billed(desk.bill(CELL)).values()) == {1}
