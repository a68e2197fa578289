"""`action=import kind=ratings`: what people answered to a study's items, checked row by row."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from runner import __version__
from runner.config.problems import did_you_mean
from runner.core.definition import define_questions
from runner.core.errors import ConfigError
from runner.core.model import ITEM, Experiment, ItemKind
from runner.storage.files import part_of, settle, write_durably
from runner.tables.import_table import MISSING, called, ids_by_name
from runner.tables.items import Item, folded, items_in, taken
from runner.tables.sheets import Faults, content_of, decoded, excerpt, placed, rows

FOLDER, TABLE = "ratings", "ratings.parquet"
RATER, VALUE, ROW = "rater", "value", "source_row"
RATED = (ItemKind.NUMBER, ItemKind.CHOICE)
"""The kinds of items that ratings can be of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRatings:
    """What was taken in."""

    folder: Path
    ratings: int
    missing: int
    raters: int
    items: tuple[str, ...]
    factors: tuple[str, ...]
    """Whose levels each rating names."""
    encoding: str
    sha256: str


def import_ratings(path: Path, experiment: Experiment, outputs: Path) -> ImportedRatings:
    """Check a table of ratings and store it beside the runs of its experiment.

    Args:
        path: a CSV file with the columns rater, item, value, and one for each factor whose level a
            rating is of; levels and options may be named by id or by name.
        experiment: says the name, the items and the factors.
        outputs: the folder of all experiments.

    Raises:
        ConfigError: every problem of the file with its row; nothing was written.
    """
    content = content_of(path)
    if RATER in experiment.factors:
        raise ConfigError(
            f"input={path}: the experiment {experiment.name} has a factor {RATER}, and the column "
            f"{RATER} says who rated: give the factor another name"
        )
    digest = sha256(content).hexdigest()
    folder = outputs / experiment.name / FOLDER
    _check_free(folder, digest)
    text, encoding = decoded(content, f"input={path}")
    table = _Ratings(path, experiment)
    found = list(table.rows(text))
    table.raise_any()
    names = (RATER, ITEM, *table.factors, VALUE)
    schema: dict[str, Any] = {**dict.fromkeys(names, pl.String), ROW: pl.Int64}
    frame = pl.DataFrame(found, schema=schema, orient="row")
    manifest = {
        "chorus": __version__,
        "file": path.name,
        "sha256": digest,
        "encoding": encoding,
        "rows": frame.height,
        "factors": list(table.factors),
    }
    write_durably(folder / "source.csv", [content])
    part = part_of(folder / TABLE)
    frame.write_parquet(part, compression="zstd")
    settle(part, folder / TABLE)
    said = json.dumps(manifest, ensure_ascii=False, indent=2)
    write_durably(folder / "manifest.json", [said.encode() + b"\n"])
    return ImportedRatings(
        folder=folder,
        ratings=int(frame[VALUE].count()),
        missing=frame[VALUE].null_count(),
        raters=frame[RATER].n_unique(),
        items=tuple(frame[ITEM].unique(maintain_order=True)),
        factors=tuple(table.factors),
        encoding=encoding,
        sha256=digest,
    )


def _check_free(folder: Path, digest: str) -> None:
    """Refuse to replace other ratings."""
    manifest = folder / "manifest.json"
    if manifest.exists():
        known = json.loads(manifest.read_text(encoding="utf-8"))
        if known["sha256"] != digest:
            raise ConfigError(
                f"{folder}: holds other ratings already ({known['file']}): put all ratings into one "
                "file, move the folder away, and import it again"
            )


class _Ratings:
    """One file while it is being checked."""

    def __init__(self, path: Path, experiment: Experiment) -> None:
        self._items = items_in({"questions": define_questions(experiment.questions)})
        labels = {q.id: q.label for q in experiment.questions.questions}
        self._faults = Faults(f"input={path}")
        self._seen: dict[tuple[str, ...], int] = {}
        self._known = [name for name in experiment.factors if name != ITEM]
        self._levels = {ITEM: ids_by_name(labels)}
        for name in self._known:
            field = {"persona": "name", "text": "title"}.get(name, "")
            self._levels[name] = ids_by_name(called(experiment, name, field))
        self.factors: list[str] = []
        """Those that the file has a column of, in the experiment's order."""

    def rows(self, text: str) -> Iterator[list[Any]]:
        """Yield the rows as they are stored; what is wrong is noted and left out."""
        for number, cells in rows(text, self._faults, self._columns, is_cut=True):
            if (row := self._row(number, cells)) is not None:
                yield row

    def raise_any(self) -> None:
        self._faults.raise_any("Nothing was imported")

    def _columns(self, heading: Sequence[str]) -> dict[str, int] | None:
        found = placed(heading, (RATER, ITEM, VALUE), self._faults, self._known)
        self.factors = [name for name in self._known if name in (found or ())]
        return found

    def _row(self, number: int, cells: Mapping[str, str]) -> list[Any] | None:
        before = self._faults.count
        rater, key = folded(cells[RATER]), self._level(number, ITEM, cells[ITEM])
        if not rater:
            self._faults.of_row(number, "rater is empty", "no rater")
        item = self._items.get(key)
        if item is not None and item.kind not in RATED:
            said = f"item {key} is {item}: ratings are of numbers and choices"
            self._faults.of_row(number, said, f"kind {key}")
        levels = [self._level(number, name, cells[name]) for name in self.factors]
        value = None if item is None else self._value(number, key, item, cells[VALUE])
        if self._faults.count > before:
            return None
        place = (rater, key, *levels)
        if (first := self._seen.setdefault(place, number)) != number:
            said = f"repeats row {first}: {', '.join(place)}"
            self._faults.of_row(number, said, "repeated")
            return None
        return [rater, key, *levels, value, number]

    def _level(self, number: int, factor: str, cell: str) -> str:
        """Return the id of a level or an item that is named by id or as it is called."""
        known = self._levels[factor]
        if (found := known.get(folded(cell))) is not None:
            return found[0]
        hint = did_you_mean(cell.strip(), known)
        self._faults.of_row(number, f"{factor} {excerpt(cell)} is not known; {hint}", factor)
        return ""

    def _value(self, number: int, key: str, item: Item, cell: str) -> str | None:
        """Return a value as it is stored: a number, or the id of an option."""
        is_option = any(folded(cell) in map(folded, pair) for pair in item.options.items())
        if item.kind not in RATED or (cell.strip().lower() in MISSING and not is_option):
            return None
        try:
            return str(taken(item, folded(cell)))
        except ValueError as allowed:
            said = f"{key} {excerpt(cell)}: {allowed}, or empty when it is missing"
            self._faults.of_row(number, said, f"value {key}")
            return None
