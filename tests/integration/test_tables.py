"""The tables of the bundled study, pinned: a changed cell shows in review."""

import json
import re
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from runner.cli.screen import Silent
from runner.core.errors import ConfigError, LedgerDamaged
from runner.core.plan import Purpose
from runner.run import assemble, record
from runner.run.run import Run
from runner.tables import dataset
from runner.tables.export import ExportedRun, derived, export
from runner.tables.join import Join
from runner.tables.parquet import ROWS_A_GROUP, is_made_of, sink
from tests.acceptance.conftest import QUICK, Desk
from tests.shared import copy_of
from tests.unit.composing import composed
from tests.variants import first

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
    return Desk(copy_of(tmp_path_factory, "everything", rehearse))


def rehearse(folder: Path) -> None:
    desk = Desk(folder)
    done = desk.run(*QUICK, "trials=2", "faults.malformed=0.5", "faults.malformed_enhanced=0.5")
    assert done.returncode in (0, 3), done.stderr


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
    from runner.tables.export import FORMULA

    assert FORMULA.match("=1+1")
    assert FORMULA.match("\t=1")
    assert FORMULA.match("＝SUM(A1)")
    assert not FORMULA.match("80点")
    text = (run.cell() / "answers.csv").read_text(encoding="utf-8-sig")
    assert re.search(r'(^|,)"?[=+@]', text, re.MULTILINE) is None


# -- chunk by chunk: the same tables as all at once

LIFE = ["texts=[t1,t2]", "temperatures=[0.1,0.9]", "provider.limits.requests=7", *QUICK]
LIFE += ["faults.malformed=0.5", "faults.malformed_enhanced=0.5", "faults.half_expired=0.3"]
GROWN = (
    ["personas=[p1,p2]", "trials=3"],
    ["personas=[p2,p3]", "trials=5"],
    ["personas=[p3,p1]", "trials=4"],
)


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> ExportedRun:
    """What the tables of a run are made from that grew: lost, asked again, given up, outgrown."""
    run = run_of(GROWN[-1], copy_of(tmp_path_factory, "lived", live))
    with record.opened(run, run.folder(sending=False), create=False) as ledger:
        exported = assemble.exported_run(run, ledger, run.standing(ledger))
        return replace(exported, events=tuple(exported.events))


def run_of(grown: list[str], outputs: Path) -> Run:
    return Run(composed([*LIFE, *grown, f"outputs={outputs}"])[0])


def live(outputs: Path) -> None:
    for grown in GROWN:
        assemble.drive(run_of(grown, outputs), Purpose.RUN, Silent(), lambda _: None)


def by_rows_of(size: int, report: ExportedRun) -> Join:
    return Join(
        *(
            report.folder,
            report.experiment,
            report.questions,
            report.batches,
            report.request_states,
        ),
        rows_a_chunk=size,
    )


@pytest.mark.long
@pytest.mark.parametrize("size", first(1, [1, 3, 10, 10_000]))
def test_tables_made_a_few_rows_at_a_time_are_those_made_at_once(lived, size):
    rows = by_rows_of(size, lived)
    answers = list(rows.answers())
    assert max(frame.height for frame in answers) <= size
    stored = [pl.read_parquet(lived.folder / f"{name}.parquet") for name in ("answers", "attempts")]
    assert pl.concat(answers).equals(stored[0])
    assert pl.concat(rows.attempts()).equals(stored[1])


def test_of_each_request_the_attempt_counts_that_the_rule_says(lived):
    answers, attempts = derived(lived)
    tried = attempts.group_by("custom_id", maintain_order=True).agg(pl.all()).rows(named=True)
    counts = {}
    for tries in tried:
        assert tries["attempt"] == list(range(1, len(tries["attempt"]) + 1))
        valid = [n for n, outcome in enumerate(tries["outcome"]) if outcome == "valid"]
        answered = [n for n, outcome in enumerate(tries["outcome"]) if outcome == "invalid"]
        best = valid[0] if valid else answered[-1] if answered else -1
        counts[tries["custom_id"]] = tries["batch"][best], tries["raw_answer"][best]
    found = {row["custom_id"]: row for row in answers.rows(named=True)}
    assert {name: (row["batch"], row["raw_answer"]) for name, row in found.items()} == counts
    assert {"valid", "invalid"} <= set(answers["outcome"])
    assert max(attempts["attempt"]) > 2
    assert "expired" in set(attempts["outcome"])


def test_of_two_valid_attempts_the_first_counts(lived, tmp_path):
    """As after answers that were read anew by a better pattern: none is asked a second time."""
    folder = tmp_path / "outputs/literary/cell"
    shutil.copytree(lived.folder, folder)
    tried = derived(lived)[1].group_by("custom_id", maintain_order=True).agg(pl.all())
    again = {
        row["custom_id"]: row["batch"]
        for row in tried.rows(named=True)
        if row["outcome"][0] == "invalid" and row["outcome"][-1] == "valid"
    }
    for part in (folder / "attempts").glob("*.parquet"):
        readable = pl.when(pl.col("custom_id").is_in(list(again))).then(pl.lit("valid"))
        rows = pl.read_parquet(part)
        rows.with_columns(outcome=readable.otherwise("outcome")).write_parquet(part)

    answers = pl.concat(by_rows_of(10, replace(lived, folder=folder)).answers())

    counted = dict(answers.select("custom_id", "batch").rows())
    assert again
    assert {name: counted[name] for name in again} == {
        name: batches[0] for name, batches in again.items()
    }


def test_the_csv_written_in_pieces_is_the_one_written_at_once(lived, tmp_path):
    from runner.tables.export import guarded

    guarded(derived(lived)[0]).sink_csv(tmp_path / "whole.csv", include_bom=True)
    written = (lived.folder / "answers.csv").read_bytes()
    assert written == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("spoiled", ["stranger", "twice"])
def test_parts_that_are_not_the_batches_own_are_refused_and_the_tables_stay(
    lived, tmp_path, spoiled
):
    folder = tmp_path / "outputs/literary/cell"
    shutil.copytree(lived.folder, folder)
    before = {path: path.read_bytes() for path in folder.glob("a*.*")}
    part = sorted((folder / "attempts").glob("*.parquet"))[1]
    rows = pl.read_parquet(part)
    strange = rows[:1].with_columns(custom_id=pl.lit("p9_t9_n01"))
    (pl.concat([rows, strange if spoiled == "stranger" else rows[:1]])).write_parquet(part)
    with pytest.raises(LedgerDamaged, match=f"{part.name}: holds an attempt"):
        export(replace(lived, folder=folder))
    assert {path: path.read_bytes() for path in folder.glob("a*.*")} == before


def test_a_table_that_disagrees_with_the_ledger_is_found_at_its_end_and_nothing_is_replaced(
    lived, tmp_path
):
    folder = tmp_path / "outputs/literary/cell"
    shutil.copytree(lived.folder, folder)
    before = {path: path.read_bytes() for path in folder.glob("a*.*")}

    class Miscounted(type(lived.request_states)):
        def counts(self):
            counts = super().counts()
            return replace(counts, total=counts.total + 1, failed=counts.failed + 1)

    wrong = Miscounted(lived.request_states.policy, lived.request_states.rows)
    with pytest.raises(LedgerDamaged, match="nothing was written"):
        export(replace(lived, folder=folder, request_states=wrong))
    assert {path: path.read_bytes() for path in folder.glob("a*.*")} == before


def test_the_meter_is_told_of_every_row(lived, tmp_path):
    folder = tmp_path / "outputs/literary/cell"
    shutil.copytree(lived.folder, folder)
    steps = []
    export(replace(lived, folder=folder), lambda step, _: steps.append(step))
    assert sum(steps) == lived.rows


def test_a_file_in_many_pieces_is_read_and_compared_piece_by_piece(tmp_path):
    rows = pl.DataFrame({"n": range(2 * ROWS_A_GROUP + 1)})
    path = tmp_path / "rows.parquet"
    sink(iter([rows[:0], rows[:3], rows[3:]]), path)
    assert pl.read_parquet(path).equals(rows)
    assert is_made_of(path, [rows[:7], rows[7:]])
    assert not is_made_of(path, [rows[:7]])
    assert not is_made_of(path, [rows, rows[:1]])
    assert not is_made_of(path, [rows.reverse()])


# -- the dataset of all runs


def scanned(outputs: Path, name: str = dataset.LIVE) -> pl.DataFrame:
    files = f"{outputs}/{name}/**/*.parquet"
    return pl.scan_parquet(files).collect()


def as_if_live(report: ExportedRun, folder: Path, **model: str) -> ExportedRun:
    shutil.copytree(report.folder, folder)
    definition = {**report.experiment["definition"]}
    definition["model"] = {**definition["model"], **model}
    experiment = {**report.experiment, "emulated": False, "definition": definition}
    return replace(report, folder=folder, experiment=experiment)


def test_a_rehearsal_is_in_the_dataset_of_rehearsals_only(lived):
    outputs = lived.folder.parent.parent
    answers = pl.read_parquet(lived.folder / "answers.parquet")
    assert not (outputs / dataset.LIVE).exists()
    found = scanned(outputs, dataset.REHEARSED)
    assert found.select(answers.columns).equals(answers)
    assert found["rehearsal"].all()


def test_two_folders_of_one_model_stand_side_by_side_and_odd_names_come_back(lived, tmp_path):
    for folder in ("openai_m", "openai_m-2"):
        export(as_if_live(lived, tmp_path / "literary" / folder, name="org/m 1:8b%=é"))
    found = scanned(tmp_path)
    assert found.height == 2 * derived(lived)[0].height
    assert found.select("experiment", "provider", "model").unique().rows() == [
        ("literary", "emulator", "org/m 1:8b%=é")
    ]
    paths = sorted(tmp_path.glob("dataset/**/*.parquet"))
    assert paths == [
        tmp_path / "dataset/literary/openai_m-2.parquet",
        tmp_path / "dataset/literary/openai_m.parquet",
    ]


def test_without_the_dataset_there_is_none_but_one_that_is_there_is_never_left_behind(
    lived, tmp_path
):
    report = as_if_live(lived, tmp_path / "literary/openai_m")
    export(replace(report, dataset=False))
    assert not (tmp_path / "dataset").exists()
    export(report)
    (path,) = tmp_path.glob("dataset/**/*.parquet")
    path.write_bytes(b"old")
    export(replace(report, dataset=False))
    assert scanned(tmp_path).height == derived(lived)[0].height


def test_a_file_of_the_old_partitioned_form_makes_room(lived, tmp_path):
    report = as_if_live(lived, tmp_path / "literary/openai_m")
    model = tmp_path / "dataset/experiment=literary/provider=openai/model=org%2Fm"
    model.mkdir(parents=True)
    for name in ("answers-openai_m.parquet", "answers-openai_m-2.parquet"):
        (model / name).write_bytes(b"old")
    export(replace(report, dataset=False))
    assert sorted(tmp_path.glob("dataset/**/*.parquet")) == [
        model / "answers-openai_m-2.parquet",
        tmp_path / "dataset/literary/openai_m.parquet",
    ]


@pytest.mark.parametrize("name", [dataset.LIVE, dataset.REHEARSED])
def test_no_experiment_is_called_as_the_dataset_is(name):
    with pytest.raises(ConfigError, match="holds the dataset of all runs"):
        composed([f"name={name}"])
