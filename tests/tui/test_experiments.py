"""The list of all experiments: cheap to follow, and no broken ledger ends it."""

import json
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from runner.storage.ledger import Ledger
from tests.tui import made
from tests.tui.made import NOW
from tests.tui.snap import SMALL, WIDE, dashboard, drive, screen_text, settled
from tui.cells import UNICODE
from tui.jobrows import EXPERIMENT_COLUMNS, experiment_cells, experiment_lines
from tui.model import Health
from tui.screens.experiment import ExperimentScreen
from tui.screens.experiments import ExperimentsScreen
from tui.source import AllSource


@pytest.fixture
def copied(outputs, tmp_path) -> Path:
    shutil.copytree(outputs, tmp_path, dirs_exist_ok=True)
    return tmp_path


def showing(outputs: Path, *keys: str, size=WIDE) -> str:
    async def script(pilot):
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        return screen_text(pilot.app)

    return str(drive(dashboard(outputs), script, size))


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x36", "80x24"])
def test_experiments_with_the_one_that_goes_on_first(outputs, monkeypatch, screen, size):
    monkeypatch.chdir(outputs.parent)
    assert showing(Path(outputs.name), size=size).replace(outputs.name, "outputs") == screen


def test_enter_opens_an_experiment_and_escape_comes_back(outputs):
    async def script(pilot):
        await pilot.press("j", "enter")
        await settled(pilot)
        opened = pilot.app.screen
        seen = screen_text(pilot.app)
        await pilot.press("escape")
        await settled(pilot)
        return opened, seen, pilot.app.screen

    opened, seen, back = drive(dashboard(outputs), script)
    assert isinstance(opened, ExperimentScreen)
    assert seen.startswith(" done ")
    assert isinstance(back, ExperimentsScreen)


def test_a_filter_narrows_the_list_and_escape_takes_it_back(outputs):
    async def script(pilot):
        seen = []
        for keys in (("slash", *"FINI", "enter"), ("slash", *"x", "enter"), ("slash", "escape")):
            await pilot.press(*keys)
            await settled(pilot)
            seen.append(screen_text(pilot.app))
        return seen

    narrow, none, wide = drive(dashboard(outputs), script)
    assert "1 of 2 experiments" in narrow
    assert "literary" not in narrow
    assert "nothing fits" in none
    assert "Chorus  2 experiments" in wide


def test_q_leaves(outputs):
    async def script(pilot):
        await pilot.press("q")
        await pilot.pause()
        return pilot.app.return_code

    assert drive(dashboard(outputs), script) == 0


def test_without_an_experiment_it_says_what_to_type(tmp_path):
    seen = showing(tmp_path, size=SMALL)
    assert "python -m runner" in seen
    assert "0 experiments" in seen
    assert list(tmp_path.iterdir()) == []
    assert "python -m runner" in showing(tmp_path / "not-there")


def test_a_broken_ledger_is_a_row_with_its_sentence(copied):
    (copied / "done" / "openai_gpt-4o-mini" / "cache.db").write_bytes(b"nothing" * 2000)
    seen = showing(copied)
    row = next(row for row in seen.splitlines() if " done " in row)
    assert "✗" in row
    assert "damaged" in row
    assert "0" not in row  # what is not known is no zero
    assert "cache.db" in seen  # the sentence, as the cursor is on the worst


def test_a_newer_ledger_and_a_file_among_the_folders_do_no_harm(copied):
    (copied / "notes.txt").write_text("x")
    (copied / "empty").mkdir()
    with sqlite3.connect(copied / "done" / "openai_gpt-4o-mini" / "cache.db") as db:
        db.execute("UPDATE Cache SET value = 99 WHERE key = 'format'")
    seen = showing(copied)
    assert "newer format" in seen
    assert "2 experiments" in seen


def test_a_rehearsal_is_marked(copied):
    with sqlite3.connect(copied / "done" / "openai_gpt-4o-mini" / "cache.db") as db:
        (text,) = db.execute("SELECT value FROM Cache WHERE key = 'experiment'").fetchone()
        changed = json.dumps({**json.loads(text), "emulated": True})
        db.execute("UPDATE Cache SET value = ? WHERE key = 'experiment'", (changed,))
    rows = showing(copied, size=SMALL).splitlines()
    assert ["REHEARSAL" in row for row in rows if " done " in row] == [True]
    assert ["REHEARSAL" in row for row in rows if " literary " in row] == [False]


def test_the_sum_over_jobs_is_the_experiments(outputs):
    (line,) = [
        line
        for line in experiment_lines(AllSource(outputs).read(NOW), NOW, "x")
        if line.name == "literary"
    ]
    row = experiment_cells(line, UNICODE)
    assert len(row) == len(EXPERIMENT_COLUMNS)
    assert row[2] == "3"
    assert row[6] == "194/900"


def test_what_was_written_since_is_read_again_and_nothing_else_is(copied):
    source = AllSource(copied)
    before = {r.experiment: r.jobs[0] for r in source.read(NOW)}
    again = {r.experiment: r.jobs[0] for r in source.read(NOW + 5)}
    assert again["done"].summary is before["done"].summary
    assert again["done"].good_at == NOW + 5
    assert again["done"].batches == ()
    with Ledger.open(copied / "done" / "openai_gpt-4o-mini") as ledger:
        ledger.summarise({"total": 7, "success": 7})
        (held,) = [r for r in source.read(NOW + 10) if r.experiment == "done"]
        assert held.jobs[0].summary["total"] == 7
        assert held.jobs[0].holder is not None
    shutil.rmtree(copied / "done")
    assert [r.experiment for r in source.read(NOW + 15)] == ["literary"]


def test_a_ledger_that_breaks_keeps_its_last_numbers(copied):
    source = AllSource(copied)
    source.read(NOW)
    database = copied / "done" / "openai_gpt-4o-mini" / "cache.db"
    database.unlink()
    database.write_bytes(b"nothing" * 2000)
    (job,) = next(r.jobs for r in source.read(NOW + 5) if r.experiment == "done")
    assert job.health is Health.DAMAGED
    assert job.summary["total"] == 120
    assert job.good_at == NOW


@pytest.mark.bench
def test_fifty_experiments_cost_little(copied):
    for number in range(49):
        shutil.copytree(copied / "done", copied / f"again{number:02d}")
    shutil.rmtree(copied / "literary")
    source = AllSource(copied)
    source.read(NOW)
    began = time.process_time()
    for _ in range(5):
        experiment_lines(source.read(NOW), NOW, "x")
    each = (time.process_time() - began) / 5
    assert each < 0.15, f"{each:.3f} s of every three are 5 % of a core"


def test_no_file_is_left_open(copied):
    here = Path("/proc/self/fd")
    if not here.is_dir():
        pytest.skip("needs /proc")
    source = AllSource(copied)
    before = len(list(here.iterdir()))
    source.read(NOW)
    assert len(list(here.iterdir())) == before


def test_a_recent_experiment_stands_before_an_old_one(tmp_path):
    made.job(tmp_path, "old", "openai", "gpt-4o-mini", (), beat_age=9000)
    made.job(tmp_path, "new", "openai", "gpt-4o-mini", (), beat_age=900)
    made.job(tmp_path, "alive", "openai", "gpt-4o-mini", (), beat_age=1)
    lines = experiment_lines(AllSource(tmp_path).read(NOW), NOW, "x")
    assert [(line.name, line.standing.word) for line in lines] == [
        ("new", "dead"),
        ("old", "dead"),
        ("alive", "running"),
    ]
