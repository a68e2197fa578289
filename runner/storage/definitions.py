"""What a definition has of many levels and conditions, as tables beside the ledger.

A table is whole and on disk before a ledger speaks of it, and its name is a digest of its bytes: none
is ever written over. What a kill leaves behind is a table that no ledger knows.
"""

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.core.entries import Entries, LevelEntries, LevelPart
from runner.core.errors import LedgerDamaged
from runner.storage.files import file_sha256, write_durably
from runner.storage.strings import Strings

if TYPE_CHECKING:
    import polars as pl

TABLE, PARTS = "$table", "$parts"
"""Keys of what stands in a ledger in the place of many entries."""
_NAME = "definition-{}.parquet"
_DIGITS = 16
_ID, _STEM, _ASKED, _KEPT = "id", "condition", "sha256", "kept."
_WRITTEN = "temperature"


def stored(directory: Path, experiment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the tables of a record, and return it as it stands in a ledger.

    Args:
        directory: the run's folder.
        experiment: what identifies the run; it notes where its entries were written.
    """
    definition = experiment.get("definition", {})
    for entries in definition.values():
        if isinstance(entries, Entries) and entries.told is None:
            parts = isinstance(entries, LevelEntries)
            entries.told = (_levels if parts else _conditions)(directory, entries)
    return plain(experiment)


def plain(experiment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record as it stands in a ledger, where its tables are written."""
    definition = experiment.get("definition", {})
    if not any(isinstance(entries, Entries) for entries in definition.values()):
        return experiment
    told = {k: v.told if isinstance(v, Entries) else v for k, v in definition.items()}
    return {**experiment, "definition": told}


def restored(directory: Path, experiment: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the entries of its tables, which are read when they are asked for.

    Raises:
        LedgerDamaged: a table is gone, or is not what was written.
    """
    definition = experiment.get("definition", {})
    found = {
        section: entries
        for section, said in definition.items()
        if isinstance(said, Mapping) and (entries := _restored(directory, said)) is not None
    }
    return {**experiment, "definition": {**definition, **found}} if found else experiment


def tidy(directory: Path, experiment: Mapping[str, Any]) -> None:
    """Remove tables that a ledger and the file beside it no longer speak of."""
    sections = [v for v in experiment.get("definition", {}).values() if isinstance(v, Mapping)]
    tables = [part for said in sections for part in (said, *said.get(PARTS, {}).values())]
    used = {table[TABLE] for table in tables if TABLE in table}
    for path in directory.glob(_NAME.format("*")):
        if path.name not in used:
            path.unlink(missing_ok=True)


def _written(directory: Path, columns: Mapping[str, "pl.Series"]) -> dict[str, Any]:
    """Write a table, and return how a ledger speaks of it."""
    import polars as pl

    table = pl.DataFrame(columns)
    said = io.BytesIO()
    table.write_parquet(said, compression="zstd")
    digest = sha256(said.getbuffer()).hexdigest()
    path = directory / _NAME.format(digest[:_DIGITS])
    write_durably(path, [said.getvalue()])
    return {TABLE: path.name, "rows": table.height, "sha256": digest}


def _levels(directory: Path, entries: Entries) -> dict[str, Any]:
    assert isinstance(entries, LevelEntries)
    parts = {name: _part(directory, part) for name, part in entries.parts.items()}
    return {PARTS: parts, "digest": entries.digest}


def _part(directory: Path, part: LevelPart) -> dict[str, Any]:
    import polars as pl

    size = range(len(part.ids))
    asked = (bytes.fromhex(part.asked(place)) for place in size)
    return _written(
        directory,
        {
            _ID: _text(part.ids),
            _ASKED: pl.Series(asked, dtype=pl.Binary),
            **{f"{_KEPT}{n}": pl.Series([c[p] for p in size]) for n, c in part.kept.items()},
        },
    )


def _conditions(directory: Path, entries: Entries) -> dict[str, Any]:
    import polars as pl

    names = [name for name in entries.entry(0) if name != _WRITTEN]
    levels: dict[str, list[Any]] = {name: [] for name in (*names, _WRITTEN)}
    for number in range(len(entries)):
        for name, value in entries.entry(number).items():
            levels[name].append(value)
    stems = _text(entries.names)
    columns = {n: pl.Series(levels.pop(n), dtype=pl.String) for n in [*levels]}
    if same := next((n for n in names if columns[n].equals(stems)), None):
        del columns[same]  # told once
    told = _written(directory, {_STEM: stems, **columns})
    return {**told, "factors": names, "named_by": same, "digest": entries.digest}


def _text(names: Sequence[str]) -> "pl.Series":
    import polars as pl

    return pl.Series(iter(names), dtype=pl.String)


def _restored(directory: Path, said: Mapping[str, Any]) -> Entries | None:
    if TABLE in said:
        found = _conditions_of(_Table(directory, said), said)
    elif PARTS in said:
        parts = (_part_of(directory, name, part) for name, part in said[PARTS].items())
        found = LevelEntries(parts, said["digest"])
    else:
        return None
    found.told = said
    return found


class _Table:
    """A table whose columns are read when they are asked for."""

    def __init__(self, directory: Path, said: Mapping[str, Any]) -> None:
        self.path = directory / Path(said[TABLE]).name
        if not self.path.is_file():
            raise LedgerDamaged(
                f"{self.path} is gone, and only it says what was asked: put it back, from a copy of "
                "this folder"
            )
        if file_sha256(self.path) != said["sha256"]:
            raise LedgerDamaged(
                f"{self.path} was changed since it was written, and only it says what was asked: put "
                "the original back"
            )
        self.rows = int(said["rows"])
        self.column = lru_cache(maxsize=None)(self._column)

    def names(self) -> list[str]:
        import polars as pl

        return pl.scan_parquet(self.path, glob=False).collect_schema().names()

    def _column(self, name: str) -> Any:
        import polars as pl

        column = pl.read_parquet(self.path, columns=[name], glob=False)[name]
        return (
            Strings.of(column) if column.dtype == pl.String and not column.null_count() else column
        )


class _Column(Sequence[Any]):
    """A column of a table, read when its first cell is asked for."""

    def __init__(self, table: _Table, name: str) -> None:
        self._table = table
        self._name = name

    def __len__(self) -> int:
        return self._table.rows

    def __getitem__(self, place: Any) -> Any:
        return self._table.column(self._name)[place]


def _conditions_of(table: _Table, said: Mapping[str, Any]) -> Entries:
    stems, heats = _Column(table, _STEM), _Column(table, _WRITTEN)
    levels = {n: stems if n == said["named_by"] else _Column(table, n) for n in said["factors"]}

    def entry(number: int) -> dict[str, Any]:
        found = {name: column[number] for name, column in levels.items()}
        return {**found, _WRITTEN: heats[number]}

    return Entries(stems, entry, said["digest"])


def _part_of(directory: Path, factor: str, said: Mapping[str, Any]) -> LevelPart:
    table = _Table(directory, said)
    asked = _Column(table, _ASKED)
    kept = [name for name in table.names() if name.startswith(_KEPT)]
    return LevelPart(
        factor=factor,
        ids=_Column(table, _ID),
        asked=lambda place: asked[place].hex(),
        kept={name.removeprefix(_KEPT): _Column(table, name) for name in kept},
    )
