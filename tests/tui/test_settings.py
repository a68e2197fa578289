"""How the dashboard looks and listens, and what is refused."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest

from runner.core.errors import ConfigError
from tests.tui.snap import dashboard, drive, settled
from tui.__main__ import main
from tui.screens.help import all_bindings, binding_ids
from tui.settings import THEMES, DashboardSettings, changed, load

ROOT = Path(__file__).resolve().parents[2]


def file(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_shipped_file_says_what_holds_without_a_file():
    shipped = ROOT / "conf/tui/default.yaml"
    assert load(shipped) == DashboardSettings()
    text = shipped.read_text(encoding="utf-8")
    assert [f.name for f in fields(DashboardSettings) if f"\n{f.name}:" not in text] == []
    assert [theme for theme in THEMES if theme not in text] == []


def test_a_file_changes_only_what_it_says(tmp_path):
    found = load(file(tmp_path, "theme: nord\nkeymap: {quit: f10}\n"))
    assert asdict(found) == asdict(DashboardSettings()) | {
        "theme": "nord",
        "keymap": {"quit": "f10"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme: solarized-light", "theme: 'solarized-light'; there are textual-dark"),
        ("theme: [nord]", "theme: ['nord']"),
        ("glyphs: {a: b}", "glyphs: {'a': 'b'}; there are unicode, ascii"),
        ("poll_seconds: 0", "poll_seconds: 0; a number"),
        ("poll_seconds: .nan", "poll_seconds: nan"),
        ("poll_seconds: .inf", "poll_seconds: inf"),
        ("poll_seconds: true", "poll_seconds: True"),
        ("poll_seconds: fast", "poll_seconds: 'fast'"),
        ("keymap: [quit]", "keymap: has to be"),
        ("keymap: {quit: 3}", "keymap: has to be"),
        ("colour: red", "colour: no such key; there are theme"),
        ("- theme", "has to be key: value lines"),
        ("theme: {", "mine.yaml:"),
        (b"\xff\xfe", "mine.yaml:"),
        ("x" * 70_000, "larger than"),
    ],
)
def test_a_mistake_in_a_file_is_one_line_that_names_it(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        load(file(tmp_path, text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_the_command_line_comes_after_the_file():
    settings = DashboardSettings(theme="nord", poll_seconds=3)
    assert changed(settings, theme=None, poll_seconds=0.5) == DashboardSettings(
        theme="nord", poll_seconds=0.5
    )
    with pytest.raises(ConfigError, match="command line: theme: 'pink'"):
        changed(settings, theme="pink")


def test_another_key_does_what_the_settings_say(outputs):
    settings = DashboardSettings(keymap={"definition": "f9"})

    async def script(pilot):
        await settled(pilot)
        await pilot.press("d")
        await settled(pilot)
        before = type(pilot.app.screen).__name__
        await pilot.press("f9")
        await settled(pilot)
        return before, type(pilot.app.screen).__name__

    app = dashboard(outputs, "done", settings=settings, view="Plan")
    assert drive(app, script) == ("ExperimentScreen", "TextScreen")


def test_every_key_has_a_name_for_the_keymap_and_no_name_means_two_things():
    bindings = all_bindings()
    assert [binding for binding in bindings if not binding.id] == []
    meanings: dict[str, set[str]] = {}
    for binding in bindings:
        meanings.setdefault(binding.id, set()).add(binding.action)
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}
    assert {"quit", "help", "filter", "definition", "by_question", "start_run"} <= binding_ids()


def test_an_unknown_name_in_the_keymap_is_refused_in_one_line(
    tmp_path, outputs, capsys, monkeypatch
):
    monkeypatch.setattr("tui.__main__.is_terminal", lambda: True)
    settings = file(tmp_path, "keymap: {definitoin: f9}")
    assert main(["done", "--outputs", str(outputs), "--settings", str(settings)]) == 2
    said = capsys.readouterr().err
    assert said == "error: keymap: definitoin: no key has that name; did you mean definition?\n"
