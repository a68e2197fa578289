"""The map in docs/map.md is the tree: every file of a room stands there, and nothing else."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("cli", "report", "run", "tables", "batches", "config", "storage", "core")
"""The rooms whose every file is on the map; of the others it names the ones to begin with."""


def mapped() -> dict[str, set[str]]:
    """The files that the map names, by room."""
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    lines = text.split("```text\n", 1)[1].split("```", 1)[0].splitlines()
    found: dict[str, set[str]] = {}
    room = ""
    for line in lines[lines.index("runner/") + 1 :]:
        if match := re.match(r"  (\w+)/ ", line):
            room = match[1]
        elif line.startswith("    "):
            found.setdefault(room, set()).update(re.findall(r"(?<![\w=])\w+\.py\b", line))
    return found


def test_every_file_of_a_room_is_on_the_map() -> None:
    there = {
        room: {p.name for p in (ROOT / "runner" / room).glob("*.py")} - {"__init__.py"}
        for room in ROOMS
    }
    known = mapped()
    assert {room: known[room] for room in ROOMS} == there


def test_every_file_that_the_map_names_is_there() -> None:
    missing = [
        f"{room}/{name}"
        for room, names in mapped().items()
        for name in names
        if not (ROOT / "runner" / room / name).is_file()
    ]
    assert missing == []


def test_every_room_is_on_the_map() -> None:
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    rooms = [p.name for p in (ROOT / "runner").iterdir() if (p / "__init__.py").is_file()]
    assert [room for room in rooms if f"\n  {room}/ " not in text] == []


def test_the_providers_that_must_not_know_each_other_are_all_of_them() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contract = text.split('name = "providers do not know each other"', 1)[1].split("]", 1)[0]
    listed = set(re.findall(r"runner\.providers\.(\w+)", contract))
    there = {p.stem for p in (ROOT / "runner/providers").glob("[a-z]*.py")} - {"base", "plain"}
    assert listed == there
