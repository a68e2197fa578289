"""The levels of a factor from a file, or from another study's answers: a row is a level, every column a field.

What a prompt shows are the cells as they stand in the file: of a CSV the characters themselves
(007 stays 007). Types are only guessed for `where` and for the columns of the tables.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
from polars.exceptions import PolarsError

from runner.config.problems import did_you_mean
from runner.core.errors import ConfigError
from runner.core.level_table import LevelTable, are_many
from runner.core.model import Kept, Level
from runner.storage.strings import Strings

ANSWER = "answer"
"""The column that names each answer of another study: its run's folder, and its custom_id."""
ANSWERED = ("success", "retry_success")
SHORT = 40
"""Columns of at most so many characters are kept where nothing is said."""
_LONGEST_ID = 200
_ID_DIGITS = 12
_PRINTED = rf"^[ -~]{{1,{_LONGEST_ID}}}$"
"""Ids that need no second look."""
STREAMED_BYTES = 64 << 20
"""A file from here on is not held in memory, where it is a CSV or TSV whose rows are all taken."""
_ROWS_AT_ONCE = 20_000
_LONGEST_HEAD = 1 << 16
_SEPARATORS = {",": "commas, as CSV", "\t": "tabs, as TSV", ";": "semicolons"}
_MOST = 2**63
"""No whole number from here on is a number in the tables."""
_ROW = "\0row"
"""The number of a row in the file, the first behind the heading being 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFile:
    """What is taken from a file; the settings of one factor."""

    where: str
    """Names the factor, for errors."""
    path: Path
    """A table; or the folder of an experiment in outputs, whose answers are the rows."""
    rehearsal: bool = True
    """Whether rehearsed answers may be taken, where there are no others."""
    id: str | None = None
    """The column whose cells are the ids; None: a level is named after what is sent of it."""
    rows_where: str | None = None
    """An SQL expression over the columns."""
    sample_rows: int | None = None
    sample_seed: int = 1
    sample_by: str | None = None
    keep: tuple[str, ...] | None = None
    """Columns of the tables; None: those that are short and are not sent."""
    missing: Mapping[str, str] | str | None = None
    """What stands for an empty cell, by column or for all; None: it is refused."""


class _Cells(Sequence[Kept]):
    """A column of cells as the tables hold them."""

    def __init__(self, column: pl.Series) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, place: Any) -> Any:
        return _plain(self._column[place])


def read_levels(file: LevelFile, sent: Collection[str]) -> tuple[Mapping[str, Level], str | None]:
    """Read a factor's levels.

    Args:
        file: what is taken.
        sent: the columns that a prompt names; empty where it names only the factor.

    Returns:
        The levels by id, and the only column beside the id where there is just one.

    Raises:
        ConfigError: the file cannot be read, or a row cannot be asked; names the row.
    """
    if (found := _streamed(file, sent)) is not None:
        return found
    text, typed = _frames(file)
    columns = [name for name in text.columns if name != file.id]
    main = columns[0] if len(columns) == 1 else None
    _check_columns(file, text.columns)
    needed = [*sent] or ([main] if main else [])
    for name in needed:
        if name not in text.columns:
            raise ConfigError(
                f"{file.where}: {file.path.name} has no column {name!r}, which a message names; "
                f"{did_you_mean(name, text.columns)}"
            )
    rows = text.with_row_index(_ROW, offset=1)
    if file.rows_where is not None:
        rows = rows.filter(_chosen(file, typed()))
    if rows.is_empty():
        raise ConfigError(
            f"{file.where}: {file.path.name} has no row"
            + (f" where {file.rows_where}" if file.rows_where else " below its heading")
        )
    ids = _ids(file, rows, needed)
    keep = _kept_columns(file, text, needed)
    places = rows[_ROW] - 1
    shown = [_faithful(typed()[name], text[name])[places] for name in keep]
    fields = {name: _cells(file, rows, name) for name in needed}
    if file.sample_rows is not None:
        some = _sampled(file, ids.to_list(), rows)
        ids, shown = ids[some], [column[some] for column in shown]
        fields = {name: cells[some] for name, cells in fields.items()}
    if are_many(len(ids)):
        held = {name: Strings.of(cells) for name, cells in fields.items()}
        cells = {name: _Cells(column) for name, column in zip(keep, shown, strict=True)}
        return LevelTable(Strings.of(ids), held, cells), main
    kept = pl.DataFrame(shown).rows() if keep else [()] * len(ids)
    told = pl.DataFrame(list(fields.values())).rows() if fields else [()] * len(ids)
    return {
        id_: Level(
            id=id_,
            fields=dict(zip(fields, cells, strict=True)),
            kept=dict(zip(keep, map(_plain, others), strict=True)),
        )
        for id_, cells, others in zip(ids, told, kept, strict=True)
    }, main


def _streamed(
    file: LevelFile, sent: Collection[str]
) -> tuple[Mapping[str, Level], str | None] | None:
    """Read a file that is too large to be held, its texts into a file without a name.

    None where it is small, or where anything in it is odd: then it is read as any other, which says
    what is wrong with it.
    """
    separator = {".csv": ",", ".tsv": "\t"}.get(file.path.suffix.lower())
    plain = file.id is not None and file.rows_where is None and file.sample_rows is None
    if separator is None or not plain or file.missing is not None or not file.path.is_file():
        return None
    if file.path.stat().st_size < STREAMED_BYTES:
        return None
    try:
        with file.path.open("rb") as opened:
            head = opened.read(_LONGEST_HEAD)
        _check_head(head.decode("utf-8", "replace"), separator)
        rows = pl.scan_csv(file.path, separator=separator, infer_schema=False, encoding="utf8")
        names = rows.collect_schema().names()
        others = [name for name in names if name != file.id]
        main = others[0] if len(others) == 1 else None
        needed = [*sent] or ([main] if main else [])
        if file.id not in names or not needed or head.startswith(b"\xef\xbb\xbf"):
            return None
        if {*needed, *(file.keep or ())} - {*names}:
            return None
        return _spooled(file, rows, needed), main
    except (PolarsError, ValueError, OSError, _Odd):
        return None


class _Odd(Exception):
    """A cell has to be looked at by itself."""


def _spooled(file: LevelFile, rows: pl.LazyFrame, needed: list[str]) -> LevelTable:
    assert file.id is not None
    id_name, ids = file.id, list[pl.Series]()
    held = {}
    for place, name in enumerate(needed):

        def cells(name: str = name, first: bool = not place) -> Iterator[pl.Series]:
            pieces = rows.select(*dict.fromkeys((id_name, name)))
            for piece in pieces.collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True):
                if not piece[name].str.contains(_SAID).fill_null(value=False).all():
                    raise _Odd
                if first:
                    ids.append(piece[id_name])
                yield piece[name]

        held[name] = Strings.spooled(cells())
    names = pl.concat(ids)
    strange = names.filter(~names.str.contains(_PRINTED).fill_null(value=False))
    if not all(map(_is_id, strange)):
        raise _Odd
    if names.n_unique() < len(names) or not are_many(len(names)):
        raise _Odd
    kept = _kept_of_file(file, rows, needed)
    return LevelTable(Strings.of(names), held, kept)


def _kept_of_file(file: LevelFile, rows: pl.LazyFrame, needed: list[str]) -> dict[str, _Cells]:
    schema = rows.collect_schema().names()
    others = [name for name in schema if name not in needed and name != file.id]
    if file.keep is not None:
        keep = [name for name in dict.fromkeys(file.keep) if name != file.id]
    else:
        longest = rows.select(pl.col(others).str.len_chars().max()).collect() if others else None
        keep = [name for name in others if longest is None or (longest[name][0] or 0) <= SHORT]
    if not keep:
        return {}
    text = rows.select(keep).collect()
    separator = "\t" if file.path.suffix.lower() == ".tsv" else ","
    try:
        typed = pl.scan_csv(file.path, separator=separator, infer_schema_length=None)
        typed_rows = typed.select(keep).collect()
    except PolarsError:
        typed_rows = text
    typed_rows = typed_rows if len(typed_rows) == len(text) else text
    return {name: _Cells(_faithful(typed_rows[name], text[name])) for name in keep}


def rows_in(path: Path, where: str) -> list[dict[str, str | None]]:
    """Return the rows of a small table as text.

    Raises:
        ConfigError: the file cannot be read.
    """
    text, _ = _frames(LevelFile(where=where, path=path))
    return text.to_dicts()


# -- reading


_Typed = Callable[[], pl.DataFrame]
"""The same rows with types, which few files are asked for."""


def _frames(file: LevelFile) -> tuple[pl.DataFrame, _Typed]:
    """Return a file as text and with types, row for row the same."""
    if file.path.is_dir():
        return _as_text(_answers(file))
    read = _READERS.get(file.path.suffix.lower())
    if read is None:
        raise ConfigError(
            f"{file.where}: {file.path.name} is of no kind that is read; allowed: "
            + ", ".join(kind.removeprefix(".") for kind in _READERS)
        )
    if not file.path.is_file():
        raise ConfigError(f"{file.where}: {file.path} does not exist")
    try:
        text, typed = read(file.path)
    except (PolarsError, UnicodeDecodeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        if "utf-8" in reason.lower():
            reason = "it is no UTF-8 text; save it as such (in a spreadsheet: CSV UTF-8)"
        raise ConfigError(f"{file.where}: {file.path} cannot be read: {reason}") from None
    if text.is_empty():
        raise ConfigError(f"{file.where}: {file.path} holds no rows")
    return text, typed


def _answers(file: LevelFile) -> pl.DataFrame:
    """Return the answers of an experiment's runs that were read well, each with a name of its own."""
    found = sorted(file.path.glob("*/answers.parquet"))
    frames = [
        pl.read_parquet(path, glob=False)
        .filter(pl.col("status").is_in(ANSWERED))
        .select(pl.format(f"{path.parent.name}/{{}}", "custom_id").alias(ANSWER), pl.all())
        for path in found
    ]
    whole = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()
    if whole.is_empty():
        raise ConfigError(
            f"{file.where}.from: {file.path} has no answers yet: run that study first"
        )
    live = whole.filter(~pl.col("rehearsal"))
    if not file.rehearsal and live.is_empty():
        raise ConfigError(
            f"{file.where}.from: {file.path} holds rehearsed answers only: asking a model about them "
            "would cost money for nothing; run that study for real first, or rehearse this one"
        )
    return whole if live.is_empty() else live


def _separated(separator: str) -> Callable[[Path], tuple[pl.DataFrame, _Typed]]:
    def read(path: Path) -> tuple[pl.DataFrame, _Typed]:
        said = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        _check_head(said[:_LONGEST_HEAD].decode("utf-8", "replace"), separator)
        try:
            text = pl.read_csv(said, separator=separator, infer_schema=False, encoding="utf8")
        except PolarsError as error:
            raise ValueError(_ragged(said, separator) or str(error)) from None
        return text, cache(lambda: _with_types(said, separator, text))

    return read


def _with_types(said: bytes, separator: str, text: pl.DataFrame) -> pl.DataFrame:
    try:
        typed = pl.read_csv(said, separator=separator, infer_schema_length=None)
    except PolarsError:  # cells of one column that are of several types
        return text
    return typed if len(typed) == len(text) else text


def _check_head(text: str, separator: str) -> None:
    """Refuse a heading that names a column twice, or is separated by something else."""
    head = next(csv.reader(io.StringIO(text), delimiter=separator), [])
    if twice := next((name for name in head if head.count(name) > 1), None):
        raise ValueError(f"two columns are called {twice!r}")
    other = next((sign for sign in _SEPARATORS if len(head) == 1 and sign in head[0]), None)
    if other is not None:
        raise ValueError(
            f"its columns are separated by {_SEPARATORS[other]}: save it with {_SEPARATORS[separator]}"
        )


def _ragged(said: bytes, separator: str) -> str | None:
    """Say which row of a table has other cells than its heading; None where that is not its trouble."""
    rows = csv.reader(io.StringIO(said.decode("utf-8")), delimiter=separator, strict=True)
    head, number = next(rows, []), 0
    try:
        for number, row in enumerate(rows, 1):
            if len(row) > len(head):
                return (
                    f"row {number} (line {rows.line_num}) has {len(row)} cells, and the heading names "
                    f"{len(head)} columns: put quotes around a text with {_SIGNS[separator]} in it"
                )
    except csv.Error as error:
        wrong = "a quote is opened and never closed" if "end of data" in str(error) else str(error)
        return f"row {number + 1}: {wrong}; a quote inside of a quoted text is written twice"
    return None


_SIGNS = {",": "a comma", "\t": "a tab", ";": "a semicolon"}


def _read_jsonl(path: Path) -> tuple[pl.DataFrame, _Typed]:
    return _as_text(pl.read_ndjson(path, infer_schema_length=None))


def _read_parquet(path: Path) -> tuple[pl.DataFrame, _Typed]:
    return _as_text(pl.read_parquet(path, glob=False))


def _read_xlsx(path: Path) -> tuple[pl.DataFrame, _Typed]:
    from fastexcel import FastExcelError

    try:
        return _as_text(pl.read_excel(path, infer_schema_length=None))
    except FastExcelError as error:
        raise ValueError(str(error).split("\n", maxsplit=1)[0]) from None


_READERS: Mapping[str, Callable[[Path], tuple[pl.DataFrame, _Typed]]] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
    ".xlsx": _read_xlsx,
}


def _as_text(typed: pl.DataFrame) -> tuple[pl.DataFrame, _Typed]:
    """Write typed cells: numbers in their shortest exact form, dates as in ISO 8601."""
    nested = [name for name, kind in typed.schema.items() if kind.is_nested()]
    written = [
        series if series.dtype == pl.String else pl.Series(series.name, map(_written, series))
        for series in typed.drop(nested)
    ]
    text = pl.DataFrame([series.cast(pl.String) for series in written])
    return text, lambda: typed.drop(nested)


def _written(cell: Any) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return repr(cell).removesuffix(".0")
    if isinstance(cell, date | datetime | time):
        return cell.isoformat()
    return str(cell)


# -- choosing


def _check_columns(file: LevelFile, columns: Sequence[str]) -> None:
    named = [
        ("id", file.id),
        ("sample.by", file.sample_by),
        *(("keep", name) for name in file.keep or ()),
        *(
            ("missing", name)
            for name in (file.missing if isinstance(file.missing, Mapping) else ())
        ),
    ]
    for key, name in named:
        if name is not None and name not in columns:
            raise ConfigError(
                f"{file.where}.{key}: {file.path.name} has no column {name!r}; "
                f"{did_you_mean(name, columns)}"
            )


def _chosen(file: LevelFile, typed: pl.DataFrame) -> pl.Series:
    said = file.rows_where or ""
    try:
        found = typed.select(pl.sql_expr(said).alias("chosen"))["chosen"]
    except PolarsError as error:
        reason = _of_columns(said, typed) or " ".join(str(error).split())[:200]
        raise ConfigError(f"{file.where}.where: {said!r}: {reason}") from None
    if found.dtype != pl.Boolean or len(found) != len(typed):
        raise ConfigError(
            f'{file.where}.where: {file.rows_where!r} is no condition; write one as "stars > 2"'
        )
    return found.fill_null(value=False)


def _of_columns(said: str, typed: pl.DataFrame) -> str | None:
    """Say which column of a condition is not there, or what its columns hold; None: that is no matter."""
    try:
        names = list(dict.fromkeys(pl.sql_expr(said).meta.root_names()))
    except PolarsError:
        return None
    for name in names:
        if name not in typed.columns:
            return (
                f"there is no column {name!r}; {did_you_mean(name, typed.columns)} (a text is written "
                f"in single quotes: '{name}')"
            )
    held = " and ".join(f"{name!r} holds {_held(typed.schema[name])}" for name in names)
    return f"{held}; compare numbers with numbers (stars > 2) and text with text (lang = 'en')"


def _held(kind: pl.DataType) -> str:
    """Say what a column holds, in words."""
    if kind == pl.String:
        return "text"
    if kind == pl.Boolean:
        return "true and false"
    if kind.is_integer():
        return "whole numbers"
    return "numbers" if kind.is_numeric() else "dates or times"


def _ids(file: LevelFile, rows: pl.DataFrame, sent: Sequence[str]) -> pl.Series:
    """Return the ids of rows; no two are alike."""
    numbers = rows[_ROW]
    if file.id is not None:
        ids = rows[file.id]
    else:
        columns = sent or [name for name in rows.columns if name != _ROW]
        made = [
            "r" + sha256(repr(row).encode()).hexdigest()[:_ID_DIGITS]
            for row in rows.select(sorted(columns)).iter_rows()
        ]
        ids = pl.Series(made, dtype=pl.String)
    odd = ~ids.str.contains(_PRINTED).fill_null(value=False)
    for id_, number in zip(ids.filter(odd), numbers.filter(odd), strict=True):
        if not _is_id(id_):
            said = f"{id_!r} cannot be an id" if id_ else f"the column {file.id} is empty"
            raise ConfigError(
                f"{file.where}: {file.path.name}, row {number}: {said}; an id has 1 to "
                f"{_LONGEST_ID} printable characters"
            )
    if ids.n_unique() < len(ids):
        _refuse_twins(file, ids, numbers)
    return ids


def _is_id(cell: str | None) -> bool:
    return cell is not None and 0 < len(cell) <= _LONGEST_ID and cell.isprintable()


def _refuse_twins(file: LevelFile, ids: pl.Series, numbers: pl.Series) -> NoReturn:
    first: dict[str, int] = {}
    for id_, number in zip(ids, numbers, strict=True):
        twin = first.setdefault(id_, number)
        if twin != number:
            break
    alike = f"have the same {file.id}, {id_!r}" if file.id else "are sent alike"
    advice = "give each its own" if file.id else "remove one, or name a column of ids with id:"
    raise ConfigError(f"{file.where}: {file.path.name}: rows {twin} and {number} {alike}: {advice}")


def _kept_columns(file: LevelFile, text: pl.DataFrame, sent: Collection[str]) -> list[str]:
    if file.keep is not None:
        return [name for name in dict.fromkeys(file.keep) if name != file.id]
    others = [name for name in text.columns if name not in sent and name != file.id]
    longest = text.select(pl.col(others).str.len_chars().max()).row(0) if others else ()
    return [name for name, size in zip(others, longest, strict=True) if (size or 0) <= SHORT]


def _faithful(typed: pl.Series, text: pl.Series) -> pl.Series:
    """Return cells with their types where they say the same as text, as 5; else the text, as 007."""
    if typed.dtype == pl.String:
        return text
    cells = typed.to_list()
    whole = (cell for cell in cells if isinstance(cell, int) and not isinstance(cell, bool))
    alike = all(map(str.__eq__, map(str, map(_written, cells)), map(str, text.to_list())))
    return typed if alike and all(abs(cell) < _MOST for cell in whole) else text


def _sampled(file: LevelFile, ids: Sequence[str], rows: pl.DataFrame) -> list[int]:
    """Return the places of a sample, in the file's order; a larger one holds every smaller one."""
    order = sorted(range(len(ids)), key=lambda place: _draw(file.sample_seed, ids[place]))
    if file.sample_by is not None:
        groups = rows[file.sample_by].to_list()
        seen: dict[str | None, int] = {}
        turn = {}
        for place in order:
            turn[place] = seen[groups[place]] = seen.get(groups[place], 0) + 1
        order.sort(key=lambda place: turn[place])
    return sorted(order[: file.sample_rows])


def _draw(seed: int, id_: str) -> bytes:
    return sha256(f"{seed}\0{id_}".encode()).digest()


def _cells(file: LevelFile, rows: pl.DataFrame, name: str) -> pl.Series:
    missing = file.missing.get(name) if isinstance(file.missing, Mapping) else file.missing
    cells = rows[name]
    blank = ~cells.str.contains(_SAID).fill_null(value=False)
    if missing is not None:
        filled = [cell if cell and not cell.isspace() else missing for cell in cells.filter(blank)]
        return cells.scatter(blank.arg_true(), filled) if filled else cells
    for cell, number in zip(cells.filter(blank), rows[_ROW].filter(blank), strict=True):
        if not cell or cell.isspace():
            said = "holds nothing but blanks" if cell else "is empty"
            raise ConfigError(
                f"{file.where}: {file.path.name}, row {number}: {name!r} {said}, and a message "
                f"needs it: fill it in, leave the row out with where:, or say what stands there "
                f"with missing:"
            )
    return cells


_SAID = r"[^\s\x1c-\x1f]"
"""Found in all cells that are not blank."""


def _plain(cell: Any) -> Kept:
    if cell is None or isinstance(cell, str | bool | int):
        return cell
    if isinstance(cell, float):
        return cell if cell == cell and abs(cell) != float("inf") else None  # noqa: PLR0124
    return float(cell) if isinstance(cell, Decimal) else _written(cell)
