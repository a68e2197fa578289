"""The tables of the bundled study, pinned: a changed cell shows in review."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.acceptance.conftest import QUICK, Desk

VOLATILE = {"batch", "remote_batch", "submitted_at", "completed_at", "answered_at"}


class Csv(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "csv"


class Json(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "json"


class Jsonl(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "jsonl"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Desk:
    """A small run with everything in it: re-asks, a failure, a refused request."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    done = desk.run(*QUICK, "trials=2", "faults.malformed=0.5", "faults.malformed_enhanced=0.5")
    assert done.returncode in (0, 3), done.stderr
    return desk


def test_the_answers_of_the_study(run, snapshot):
    answers = run.answers().drop(VOLATILE - {"batch"})
    visible = answers.write_csv().replace("\r", "␍").replace("\u2028", "␤")
    assert visible == snapshot(extension_class=Csv)


def test_the_attempts_of_the_study(run, snapshot):
    attempts = run.attempts().drop(VOLATILE - {"batch"})
    narrow = attempts.drop([c for c in attempts.columns if c.endswith("_reason")], "raw_answer")
    assert narrow.write_csv() == snapshot(extension_class=Csv)


def test_the_summary_of_the_study(run, snapshot):
    summary = {key: value for key, value in run.summary().items() if key != "next_at"}
    assert json.dumps(summary, ensure_ascii=False, indent=1) == snapshot(extension_class=Json)


def test_the_first_request_of_every_condition(run, snapshot):
    lines = (run.cell() / "requests/b0001.jsonl").read_text(encoding="utf-8").split("\n")
    first = [line for line in lines if re.search(r'"custom_id":"\w+_n01"', line)]
    assert "\n".join(first) == snapshot(extension_class=Jsonl)


def test_the_manifest_names_every_hash_and_no_secret(run):
    manifest = json.loads((run.cell() / "manifest.json").read_text(encoding="utf-8"))
    texts = manifest["experiment"]["definition"]["texts"]
    assert {len(text["sha256"]) for text in texts.values()} == {64}
    assert manifest["packages"]["openai"]
    assert manifest["config"]["provider"]["api_key_env"] == "OPENAI_API_KEY"
    for batch in manifest["batches"]:
        stored = run.cell() / "raw" / f"{batch['batch']}.output.jsonl"
        assert hash_of(stored) == batch["raw_sha256"]["output"]
        sent = run.cell() / "requests" / f"{batch['batch']}.jsonl"
        assert hash_of(sent) == batch["requests_sha256"]


def hash_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_a_cell_that_a_spreadsheet_would_run_is_guarded_in_the_csv_only(run):
    from runner.export import FORMULA

    assert FORMULA.match("=1+1")
    assert FORMULA.match("\t=1")
    assert FORMULA.match("＝SUM(A1)")
    assert not FORMULA.match("80点")
    text = (run.cell() / "answers.csv").read_text(encoding="utf-8-sig")
    assert re.search(r'(^|,)"?[=+@]', text, re.MULTILINE) is None
