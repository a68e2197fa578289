"""Every view as a picture; every key; help, palette, and other keys for what they do."""

import pytest

from tests.tui.made import NOW
from tests.tui.snap import SMALL, dashboard, drawn, drive, screen_text, settled, shown
from tests.variants import first
from tui.screens.experiment import VIEWS, Filter
from tui.settings import DashboardSettings


@pytest.mark.parametrize("view", first(2, [name for _, name, _ in VIEWS]))
def test_a_picture_of_every_view_and_the_same_as_text(outputs, svg, screen, view):
    key = next(key for key, name, _ in VIEWS if name == view)
    picture, text = drawn(outputs, "literary", key, size=(120, 30))
    assert text == screen
    assert picture == svg


@pytest.mark.parametrize(("key", "name"), first(1, [(key, name) for key, name, _ in VIEWS]))
def test_a_number_opens_its_view_also_as_a_full_width_digit(outputs, key, name):
    async def script(pilot):
        seen = []
        for typed in ("2", key, "2", chr(ord(key) + 0xFEE0)):
            await pilot.press(typed)
            await settled(pilot)
            seen.append(pilot.app.screen.view.id)
        return seen

    assert drive(dashboard(outputs, "literary"), script) == ["Batches", name, "Batches", name]


@pytest.mark.long
def test_escape_goes_from_a_job_to_the_sweep_and_to_the_list(outputs):
    async def script(pilot):
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("0", "enter")
        await settled(pilot)
        narrow = len(pilot.app.screen.snapshot.jobs)
        await pilot.press("escape")
        await settled(pilot)
        wide = len(pilot.app.screen.snapshot.jobs)
        await pilot.press("escape")
        await settled(pilot)
        return narrow, wide, type(pilot.app.screen).__name__

    assert drive(dashboard(outputs), script) == (1, 3, "ExperimentsScreen")


def test_help_names_every_key_of_the_view_and_every_sign(outputs):
    text = shown(outputs, "literary", "2", "question_mark", size=(100, 50))
    for word in ("stop_runner", "sort_batches", "group_batches", "write_csv", "Signs"):
        assert word in text


@pytest.mark.long
def test_help_closes_with_escape(outputs):
    assert "Keys" not in shown(outputs, "literary", "2", "question_mark", "escape", size=SMALL)


def test_a_key_can_be_given_to_something_else(outputs):
    settings = DashboardSettings(keymap={"view_scores": "f5"})

    async def script(pilot):
        await pilot.press("f5")
        await settled(pilot)
        return pilot.app.screen.view.id

    assert drive(dashboard(outputs, "literary", settings=settings), script) == "Scores"


@pytest.mark.long
def test_ascii_signs_draw_nothing_that_a_terminal_could_draw_too_wide(outputs):
    settings = DashboardSettings(glyphs="ascii")
    ambiguous = set("…─│█·●→×▏±◐①▁▂▃▄▅▆▇")
    for key in "02":
        text = shown(outputs, "literary", key, settings=settings, size=(99, 30))
        table = "\n".join(text.splitlines()[2:-2])
        assert not ambiguous & set(table), ambiguous & set(table)


@pytest.mark.long
def test_the_palette_has_views_and_only_the_checked_themes(outputs):
    async def script(pilot):
        await pilot.press("ctrl+p")
        await pilot.pause(0.5)
        return screen_text(pilot.app)

    text = drive(dashboard(outputs, "literary"), script)
    assert "Scores" in text or "view" in text.lower()


def test_a_view_is_written_as_a_table(outputs, tmp_path):
    import shutil

    shutil.copytree(outputs / "done", tmp_path / "done")
    shown(tmp_path, "done", "3", "x")
    text = (tmp_path / "done" / "view-answers.csv").read_text(encoding="utf-8-sig")
    assert text.count("\n") == 121
    assert "p1_t1_n01" in text


def test_a_filter_that_is_not_understood_is_said_and_does_not_stay(outputs):
    async def script(pilot):
        line, seen, said = pilot.app.screen.query_one(Filter), [], []
        for keys in (
            ("slash", *"Q1>70", "enter"),
            ("slash", "end", *" colour:red", "enter"),
            ("tab",),  # the words that hold come back
            ("2", "3"),
            ("slash", "escape"),
        ):
            await pilot.press(*keys)
            await settled(pilot)
            seen.append((line.value, "of 120 requests" in screen_text(pilot.app)))
            said += [n.message for n in pilot.app._notifications]  # they go after some seconds
        return seen, said, line.placeholder, line.has_class("-open")

    seen, said, hint, is_open = drive(dashboard(outputs, "done", view="Answers"), script)
    narrow = ("Q1>70", True)
    assert seen == [narrow, ("Q1>70 colour:red", True), narrow, narrow, ("", False)]
    assert said[0].startswith("colour: is no filter word; there are state,")
    assert hint.startswith("words of an answer  persona:p1  text:t2  Q1>70  state:failed")
    assert not is_open


@pytest.mark.parametrize(
    "view", first(2, ["Plan", "Answers", *["Jobs", "Batches", "Patterns", "Scores"]])
)
def test_what_cannot_be_narrowed_does_not_offer_it(outputs, view):
    async def script(pilot):
        return screen_text(pilot.app).splitlines()[-1]

    foot = drive(dashboard(outputs, "literary", view=view), script)
    offered = view in ("Jobs", "Batches", "Answers")
    assert ("Filter" in foot, "Problems" in foot) == (offered, offered)


def test_a_ledger_of_a_newer_version_shows_its_banner_and_no_numbers(outputs, tmp_path):
    import shutil
    import sqlite3

    shutil.copytree(outputs / "done", tmp_path / "done")
    with sqlite3.connect(next((tmp_path / "done").glob("*/cache.db"))) as db:
        db.execute("UPDATE Cache SET value = 9 WHERE key = 'format'")
    db.close()
    text = shown(tmp_path, "done", "2", size=SMALL)
    assert "format 9" in text
    assert "120/120" not in text


def test_counters_that_do_not_add_up_are_said_and_not_mended(outputs, tmp_path):
    import json
    import shutil
    import sqlite3

    shutil.copytree(outputs / "done", tmp_path / "done")
    with sqlite3.connect(next((tmp_path / "done").glob("*/cache.db"))) as db:
        (text,) = db.execute("SELECT value FROM Cache WHERE key = 'summary'").fetchone()
        wrong = json.dumps({**json.loads(text), "success": 117})
        db.execute("UPDATE Cache SET value = ? WHERE key = 'summary'", (wrong,))
    db.close()
    assert "they do not add up" in shown(tmp_path, "done", "2", clock=lambda: NOW)


@pytest.mark.long
@pytest.mark.parametrize("size", first(1, [(40, 10), (60, 16), (200, 60)], one=True))
def test_every_view_fits_on_every_screen(outputs, size):
    for key in "012345":
        lines = shown(outputs, "literary", key, size=size).splitlines()
        assert len(lines) <= size[1]


def test_a_terminal_without_room_says_so(outputs):
    assert "needs 40x10" in shown(outputs, "literary", size=(30, 8)).replace("\n", " ")
