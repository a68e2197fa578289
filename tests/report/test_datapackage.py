"""datapackage.json: every cell of every CSV file is what its field says, read strictly."""

import csv
import json
from datetime import UTC, datetime

import pytest

from runner.core.model import ItemKind
from runner.tables.datapackage import _limits
from runner.tables.formats import write
from runner.tables.items import Item
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run

READ = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": {"true": True, "false": False}.__getitem__,
}


def problems(folder):
    """Return every cell that is not what datapackage.json says of it, and how many cells hold something."""
    package = json.loads((folder / "datapackage.json").read_text("utf-8"))
    found, held = [], 0
    for resource in package["resources"]:
        fields = resource["schema"]["fields"]
        with (folder / resource["path"]).open(encoding=resource["encoding"], newline="") as file:
            head, *rows = csv.reader(file)
        assert head == [field["name"] for field in fields]
        for row in rows:
            for field, cell in zip(fields, row, strict=True):
                held += bool(cell)
                if not _fits(field, cell):
                    found.append((resource["path"], field["name"], cell))
    return found, held


def _fits(field, cell):
    limits = field.get("constraints", {})
    if cell == "":
        return not limits.get("required")
    try:
        if field["type"] == "datetime":
            return datetime.strptime(cell, field["format"]).astimezone(UTC).year > 2000
        value = READ[field["type"]](cell)
    except (ValueError, KeyError):
        return False
    low, high = limits.get("minimum", value), limits.get("maximum", value)
    return low <= value <= high and value in limits.get("enum", [value])


@pytest.fixture
def folder(tmp_path):
    stored_run(tmp_path, small_study(), rehearsal=True)
    selection = selected(tmp_path, ["study"], rehearsals=False)
    write(selection, tmp_path / "x", ("study", "wide", "long", "xlsx"), language="en")
    return tmp_path / "x"


def test_every_cell_is_what_its_field_says(folder):
    found, held = problems(folder)
    assert found == []
    assert held > 500
    package = json.loads((folder / "datapackage.json").read_text("utf-8"))
    assert [r["path"] for r in package["resources"]] == ["study.csv", "wide.csv", "long.csv"]
    assert package["title"] == "REHEARSAL study"
    (wide,) = (r for r in package["resources"] if r["name"] == "wide")
    (value,) = (f for f in wide["schema"]["fields"] if f["name"] == "Q1_value")
    assert (value["title"], value["type"]) == ("Q1 面白さ", "integer")
    assert value["constraints"] == {"minimum": 0, "maximum": 100}
    assert "never 0 or -1" in value["description"]


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("Q1_value", "101"),
        ("Q1_value", "4.5"),
        ("rehearsal", "maybe"),
        ("trial", ""),
        ("answered_at", "noon"),
    ],
)
def test_a_cell_that_is_wrong_is_found(folder, column, wrong):
    lines = list(csv.reader((folder / "wide.csv").read_text("utf-8-sig").splitlines()))
    lines[1][lines[0].index(column)] = wrong
    with (folder / "wide.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(lines)
    assert problems(folder)[0] == [("wide.csv", column, wrong)]


@pytest.mark.parametrize("option", ["=1", " +1", "＋", "＝a"])
def test_options_that_tables_guard_are_no_list_of_what_a_cell_may_be(option):
    item = Item(kind=ItemKind.CHOICE, options={"a": "a", option: "b"})
    assert _limits("Q1_value", "Q1", {"Q1": item}) == {}
    plain = Item(kind=ItemKind.CHOICE, options={"a": "a", "b": "b"})
    assert _limits("Q1_value", "Q1", {"Q1": plain}) == {"enum": ["a", "b"]}
