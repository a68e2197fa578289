"""Another model answered than was asked, or another sum is charged: said wherever somebody looks."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runner.__main__ import main
from runner.cli.screen import Silent
from runner.core.plan import Purpose
from runner.run import assemble
from runner.run.run import Run
from runner.storage.files import file_sha256
from runner.storage.ledger import Ledger
from runner.storage.reader import LedgerReader
from tests.report.sketches import figures, sketch
from tests.shared import copy_of
from tests.unit.composing import composed

ARGUMENTS = [
    *("personas=[p1]", "texts=[t1,t3]", "trials=4", "faults=instant", "faults.malformed=0"),
    *("poll.first_seconds=0.02", "poll.max_seconds=0.1"),
]
BILL = "b0001: the provider's bill differs: 1 output tokens charged, and "
SENTENCE = "asked gpt-4o-mini, 3 answers came from gpt-4.1-mini-2026-01-01"


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal that is over."""
    return copy_of(tmp_path_factory, "answered_by_another", rehearse)


def rehearse(outputs: Path) -> None:
    run = Run(composed([*ARGUMENTS, f"outputs={outputs}"])[0])
    assemble.drive(run, Purpose.RUN, Silent(), lambda _: None)


def swapped(outputs: Path) -> None:
    """Let three of the stored answers come from another model, and the bill be another one's."""
    folder = Run(composed([*ARGUMENTS, f"outputs={outputs}"])[0]).folder(sending=False)
    path = folder / "raw" / "b0001.output.jsonl"
    whole = path.read_bytes()
    assert whole.count(b'"model":"gpt-4o-mini') == 8
    path.write_bytes(whole.replace(b'"model":"gpt-4o-mini', b'"model":"gpt-4.1-mini', 3))
    with Ledger.open(folder) as ledger:
        (batch,) = ledger.batches()
        assert set(batch.charged) == {"input_tokens", "output_tokens"}
        sums = {"output_tokens": "1"}
        ledger.record(replace(batch, raw={"output": file_sha256(path)}, charged=sums), summary={})


def words(outputs: Path, *more: str) -> list[str]:
    return [*ARGUMENTS, f"outputs={outputs}", *more]


@pytest.mark.long
def test_the_emulators_own_names_say_nothing(answered: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(answered, tmp_path / "o")
    assert main(words(tmp_path / "o", "action=export")) == 0
    assert main(words(tmp_path / "o", "action=status")) == 0
    assert main(words(tmp_path / "o", "action=verify")) == 0
    said = capsys.readouterr().out
    assert "came from" not in said
    assert "bill differs" not in said


@pytest.mark.long
def test_it_is_said_wherever_somebody_looks(answered: Path, tmp_path: Path, capsys) -> None:
    outputs = tmp_path / "o"
    shutil.copytree(answered, outputs)
    swapped(outputs)
    for action in ("action=export", "action=status"):
        assert main(words(outputs, action)) == 0
        said = capsys.readouterr().out
        assert f"! {SENTENCE}\n" in said
        assert f"! {BILL}" in said
    main(words(outputs, "action=status", "--json"))
    assert json.loads(capsys.readouterr().out)["answered_by_another"] == SENTENCE
    assert main(words(outputs, "action=verify")) == 3
    said = capsys.readouterr().out
    assert f"! {SENTENCE}: tell them apart" in said
    assert f"! {BILL}" in said
    more = ("action=report", "report.rehearsals=true")
    with figures(sketch):
        assert main(words(outputs, *more)) == 0
    page = next(outputs.rglob("*.html")).read_text(encoding="utf-8")
    assert "gpt-4o-mini was asked, and other models answered" in page
    assert "gpt-4.1-mini-2026-01-01 (3)" in page
    assert BILL.replace("'", "&#x27;") in page or BILL in page


def test_a_ledger_that_never_counted_says_nothing(answered: Path, tmp_path: Path, capsys) -> None:
    outputs = tmp_path / "o"
    shutil.copytree(answered, outputs)
    folder = Run(composed(words(outputs))[0]).folder(sending=False)
    with closing(LedgerReader(folder)) as reader:
        summary = {k: v for k, v in reader.get("summary").items() if k != "models_returned"}
    with Ledger.open(folder) as ledger:
        (batch,) = ledger.batches()
        ledger.record(replace(batch, models={}), summary=summary)
    assert main(words(outputs, "action=status")) == 0
    assert main(words(outputs, "action=verify")) == 0
    assert "came from" not in capsys.readouterr().out
