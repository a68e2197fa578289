"""Nothing that a model, a provider or a file says reaches the terminal as anything but text."""

import json
import sqlite3
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui import made
from tests.tui.snap import SMALL, WIDE, dashboard, drive, settled
from tests.variants import first

EVIL = (
    "\x1b[2J\x1b]0;pwned\x07\x1b]52;c;aGk=\x07\x9b31m\r\x08\u202eabc\u2066\x00"
    "[b]bold[/] [red]x[/red] [/] [@click=app.quit]no[/] $text-error :smile: \ud800 {x!r} %s"
)


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep where every text that comes from outside is hostile."""
    honest = made.answer
    monkeypatch.setattr(
        made, "answer", lambda name, nth=0: EVIL.replace("\ud800", "") + "\n" + honest(name, nth)
    )
    made.middle(tmp_path)
    for path in tmp_path.glob("*/*/cache.db"):
        with sqlite3.connect(path) as db:
            rows = db.execute(
                "SELECT key, value FROM Cache WHERE typeof(value) = 'text'"
            ).fetchall()
            for key, text in rows:
                poisoned = json.dumps(poison(json.loads(text)))
                db.execute("UPDATE Cache SET value = ? WHERE key = ?", (poisoned, key))
        db.close()
        (path.parent / "events.jsonl").unlink(missing_ok=True)  # as of a version without one
    return tmp_path


SPOILED = {
    "error",
    "remote_state",
    "halted",
    "held",
    "name",
    "title",
    "author",
    "label",
    "remote",
    "notes",
    "prices",
    "way",
    "host",
}


def poison(value: Any, key: str = "") -> Any:
    """Put hostile text wherever a provider, a model or a user's file could have put it."""
    if isinstance(value, dict):
        return {name: poison(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [poison(inner, key) for inner in value]
    if key in SPOILED and (value is None or isinstance(value, str)):
        return f"{value or ''}{EVIL}"
    return value


def controls(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"})


@pytest.mark.parametrize("size", first(1, [WIDE, SMALL], one=True))
def test_no_view_lets_a_control_character_or_markup_through(evil: Path, size: tuple[int, int]):
    async def script(pilot: Pilot[None]) -> None:
        seen = ""
        for keys in (
            "0",
            "1",
            "2",
            "2 j j j",
            "3",
            "3 enter",
            "escape 4",
            "4 j",
            "5",
            "question_mark",
        ):
            await pilot.press(*keys.split())
            await settled(pilot)
            for strip in pilot.app.screen._compositor.render_strips():
                assert controls(strip.text) == "", f"after {keys}: {strip.text!r}"
                seen += strip.text
        assert "␛" in seen  # it was there, and is shown as what it is

    drive(dashboard(evil, "literary"), script, size)


def test_the_list_of_experiments_lets_nothing_through(evil: Path):
    async def script(pilot: Pilot[None]) -> None:
        for strip in pilot.app.screen._compositor.render_strips():
            assert controls(strip.text) == ""

    drive(dashboard(evil), script)
