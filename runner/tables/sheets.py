"""CSV files that people wrote or filled in: read whatever program saved them, and what is wrong with their rows."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from runner.config.problems import did_you_mean
from runner.core.errors import ConfigError
from runner.tables.export import FORMULA

SHOWN = 20
"""Kinds of fault that are listed; all are counted."""
MAX_CELL = 1 << 24


class Faults:
    """What is wrong with a file: of each kind of fault the first one, and how many more there are."""

    def __init__(self, where: str) -> None:
        """Begin with none.

        Args:
            where: names the file, before all of them.
        """
        self.where = where
        self.count = 0
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, what: str, kind: str | None = None) -> None:
        """Note one; of a kind, only the first is said."""
        self.count += 1
        first, count = self._found.get(kind or what, (what, 0))
        self._found[kind or what] = first, count + 1

    def of_row(self, row: int, what: str, kind: str) -> None:
        """Note one of a row, the heading being row 1."""
        self.add(f"row {row}: {what}", kind)

    def raise_any(self, then: str) -> None:
        """Raise all of them as one error.

        Args:
            then: what has become of the file, or what to do, as the last sentence.

        Raises:
            ConfigError: there are some.
        """
        if self.count:
            raise ConfigError(f"{self.where}: {'; '.join(self.said())}. {then}")

    def said(self) -> list[str]:
        """Return all of them, a phrase a kind."""
        said = [
            f"{first} (and {count - 1:,} more row{'s' * (count > 2)})" if count > 1 else first
            for first, count in self._found.values()
        ]
        more = len(said) - SHOWN
        return [*said[:SHOWN], *([f"and {more:,} more kinds of fault"] if more > 0 else [])]


Columns = Callable[[Sequence[str]], Mapping[str, int] | None]
"""Returns where each column stands in a heading; None: the heading is not as it has to be."""


def rows(
    text: str, faults: Faults, columns: Columns, *, is_cut: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row's number, from 2, and its cells by column; empty rows are left out.

    Args:
        text: of the file; commas, semicolons or tabs stand between its cells.
        faults: where rows are noted that cannot be read.
        columns: says which columns are wanted.
        is_cut: whether empty cells may be left out at the end of a row, as spreadsheets do.
    """
    csv.field_size_limit(MAX_CELL)
    line = text.partition("\n")[0]
    between = max(",;\t", key=line.count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=between)
    number = 0
    found = False
    try:
        heading = next(reader, [])
        if not heading:
            faults.add("its first line has to be the heading, and is empty")
            return
        number = 1
        places = columns([name.strip() for name in heading])
        if places is None:
            return
        for cells in reader:
            number += 1
            if not any(map(str.strip, cells)):
                continue
            found = True
            if is_cut:
                cells.extend([""] * (len(heading) - len(cells)))
            if len(cells) != len(heading):
                said = f"has {len(cells)} cells, the heading {len(heading)}"
                faults.of_row(number, said, "cells")
                continue
            yield number, {name: unguarded(cells[place]) for name, place in places.items()}
    except csv.Error as error:
        faults.of_row(number + 1, f"cannot be read as CSV ({error}), nor what follows", "line")
        return
    if not found:
        faults.add("has no row")


def placed(
    heading: Sequence[str],
    required: Sequence[str],
    faults: Faults,
    others: Sequence[str] | None = (),
) -> dict[str, int] | None:
    """Return where each wanted column stands; None, and faults, where the heading is not so.

    Args:
        heading: the names of the columns.
        required: columns that have to be there, once.
        faults: where to note what is wrong.
        others: columns that may be there; None: any may, and it is not looked at.
    """
    before = faults.count
    wanted = [*required, *(name for name in others or () if name in heading)]
    for name in wanted:
        if name not in heading:
            faults.add(f"column {name} is not there")
        elif heading.count(name) > 1:
            faults.add(f"column {name} stands {heading.count(name)} times")
    for name in heading if others is not None else ():
        if name not in wanted:
            hint = did_you_mean(name, [*required, *(others or ())])
            faults.add(f"column {name!r} is not known; {hint}")
    return None if faults.count > before else {name: heading.index(name) for name in wanted}


def content_of(path: Path) -> bytes:
    """Return the bytes of the file that a command was given as its input.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"input={path}: cannot be read ({error.strerror})") from None


def decoded(content: bytes, where: str) -> tuple[str, str]:
    """Return the text of a file and its encoding.

    What is UTF-8 is that: text in cp932 (Shift_JIS as Windows has it) is hardly ever valid UTF-8.

    Raises:
        ConfigError: it is neither.
    """
    marked = content.startswith(b"\xef\xbb\xbf")
    tried = ["utf-8-sig"] if marked else ["utf-8", "cp932"]
    for encoding in tried:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, encoding
    raise ConfigError(
        f"{where}: neither UTF-8 (with or without a byte order mark) nor cp932 text: save it "
        "as CSV in UTF-8"
    )


def unguarded(cell: str) -> str:
    """Take away the mark that our own tables put before what looks like a formula."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell[1:]) else cell


def excerpt(cell: str) -> str:
    """Return the beginning of a cell, in quotes, as a fault shows it."""
    return repr(cell if len(cell) <= 30 else cell[:29] + "…")
