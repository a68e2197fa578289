"""A ledger that is lost or damaged is made again from the files beside it, and nothing is paid twice."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from runner.__main__ import main
from runner.cli.screen import Silent
from runner.core.errors import ConfigError, LedgerDamaged, LedgerOfAnotherExperiment
from runner.core.plan import Purpose
from runner.core.states import BatchState
from runner.run import assemble, maintenance
from runner.run.run import Run
from runner.storage.reader import LedgerReader
from tests.acceptance.conftest import INSTANT, Emulator
from tests.unit.composing import composed
from tests.variants import first

VOLATILE = [
    *("remote_batch", "submitted_at", "completed_at", "batch"),
]
WORDS = [
    *("personas=[p1]", "texts=[t1,t3]", "trials=4", "provider.limits.requests=5"),
    *("poll.first_seconds=0.02", "poll.max_seconds=0.1", "poll.settle_seconds=0.2"),
]


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The 'real' service."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Emulator.start(tmp_path / "world", INSTANT) as emulator:
        yield emulator


def run_of(live: Emulator, tmp_path: Path, *more: str) -> Run:
    where = [f"provider.base_url={live.address}/v1", f"outputs={tmp_path / 'outputs'}"]
    return Run(composed(["provider=openai", *WORDS, *where, *more])[0])


def go(run: Run, purpose: Purpose = Purpose.RUN):
    return assemble.drive(run, purpose, Silent(), lambda _: None)


def answers(run: Run) -> pl.DataFrame:
    return pl.read_parquet(run.settings.folder / "answers.parquet").drop(VOLATILE)


@pytest.mark.parametrize("how", first(1, ["gone", "empty", "damaged"]))
def test_a_finished_run_is_whole_again_without_a_word_to_the_provider(live, tmp_path, how):
    run = run_of(live, tmp_path)
    go(run)
    before, bill = answers(run), live.bill()
    path = run.settings.folder / "cache.db"
    spoiled = {"gone": None, "empty": b"", "damaged": path.read_bytes()[:3000] + bytes(5000)}[how]
    path.unlink()
    if how == "gone":  # with what SQLite may have left beside it
        for beside in path.parent.glob("cache.db-*"):
            beside.unlink()
    if spoiled is not None:
        path.write_bytes(spoiled)
    with pytest.raises(LedgerDamaged):
        go(run_of(live, tmp_path))
    found, aside = maintenance.recover(run_of(live, tmp_path))
    assert {b.state for b in found} == {BatchState.COLLECTED}
    assert (aside is None) == (how == "gone")
    assert live.bill() == bill
    go(run_of(live, tmp_path))
    assert live.bill() == bill
    assert answers(run).equals(before)
    assert maintenance.verify(run_of(live, tmp_path)) == []


@pytest.mark.parametrize(
    ("lines", "state"), first(1, [(True, BatchState.RUNNING), (False, BatchState.SUBMITTING)])
)
def test_a_batch_that_is_still_at_the_provider_is_found_there_and_not_sent_again(
    live, tmp_path, lines, state
):
    go(run_of(live, tmp_path), Purpose.SUBMIT)
    run = run_of(live, tmp_path)
    shutil.copytree(run.settings.folder, tmp_path / "copy")
    (run.settings.folder / "cache.db").unlink()
    if not lines:  # an older version wrote none
        (run.settings.folder / "events.jsonl").unlink()
    found, _ = maintenance.recover(run)
    assert {b.state for b in found} == {state}
    result = go(run_of(live, tmp_path))
    assert result.snapshot.counts.open == 0
    first = {f"p1_t{t}_n0{n}" for t in (1, 3) for n in range(1, 5)}
    assert set(live.bill()["billed"]) == first
    attempts = pl.read_parquet(run.settings.folder / "attempts.parquet")
    assert live.bill()["requests_billed"] == attempts.height


def test_a_batch_that_nobody_can_find_is_held_and_given_up_by_word_only(live, tmp_path):
    run = run_of(live, tmp_path)
    go(run, Purpose.SUBMIT)
    folder = run.settings.folder
    (folder / "cache.db").unlink()
    shutil.copy(folder / "requests/b0001.jsonl", folder / "requests/b0009.jsonl")
    maintenance.recover(run_of(live, tmp_path))
    go(run_of(live, tmp_path), Purpose.COLLECT)
    reader = LedgerReader(folder)
    held = {b.key: b for b in reader.batches()}["b0009"]
    reader.close()
    assert held.state is BatchState.SUBMITTING
    assert (
        maintenance.decide(run_of(live, tmp_path), "abandon", "b0009", None).state
        is BatchState.DROPPED
    )


def test_the_command_line_recovers_what_it_cannot_open(live, tmp_path, capsys):
    run = run_of(live, tmp_path)
    go(run)
    (run.settings.folder / "cache.db").write_bytes(b"")
    where = [f"provider.base_url={live.address}/v1", f"outputs={tmp_path / 'outputs'}"]
    assert main(["provider=openai", *WORDS, *where, "action=recover"]) == 0
    assert "Nothing was sent" in capsys.readouterr().out


def test_a_sound_ledger_is_left_alone(live, tmp_path):
    run = run_of(live, tmp_path)
    go(run)
    with pytest.raises(ConfigError, match="sound"):
        maintenance.recover(run_of(live, tmp_path))


@pytest.mark.long
def test_files_of_another_experiment_are_not_taken_for_ours(live, tmp_path):
    run = run_of(live, tmp_path)
    go(run)
    (run.settings.folder / "cache.db").unlink()
    with pytest.raises(LedgerOfAnotherExperiment):
        maintenance.recover(run_of(live, tmp_path, "provider.max_output_tokens=99"))
    (run.settings.folder / "requests/b0001.jsonl").write_bytes(b'{"custom_id":"p1_t1_n01"}\n')
    with pytest.raises(LedgerDamaged, match=r"b0001.jsonl is not what was sent"):
        maintenance.recover(run_of(live, tmp_path))
    (run.settings.folder / "experiment.json").unlink()
    with pytest.raises(LedgerDamaged, match=r"experiment\.json"):
        maintenance.recover(run_of(live, tmp_path))
