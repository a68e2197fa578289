"""What stands in a table: its columns, and rows that are asked for one by one; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.cells import cell_len

from tui.cells import Align
from tui.language import tr

Cell = str | tuple[str, str]
"""A text, or a text and its style: good, warn, bad, dim or strong."""
STYLES = ("good", "warn", "bad", "dim", "strong")


@dataclass(frozen=True, slots=True)
class Col:
    """One column."""

    title: str
    width: int
    """In cells; the least, where `grow` is set."""
    align: Align = "left"
    rank: int = 0
    """Columns of the highest rank are left out first where there is no room; 0: never."""
    grow: int = 0
    """Its share of the room that is left over."""
    ends: bool = False
    """Whether of what is too long both ends are shown."""


def own(title: str, width: int, align: Align = "left", rank: int = 0, **more: Any) -> Col:
    """Return a column with a title of the dashboard's, in the language that is spoken; it fits."""
    told = tr(title)
    return Col(told, width if told == title else max(width, cell_len(told)), align, rank, **more)


def titled(columns: Iterable[Col]) -> list[Col]:
    """Return columns with their titles in the language that is spoken."""
    return [
        own(col.title, col.width, col.align, col.rank, grow=col.grow, ends=col.ends)
        for col in columns
    ]


class Rows(Protocol):
    """What a table shows; asked only for the rows on the screen."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def key(self, index: int) -> str:
        """Return what stays the same about a row when others come and go."""
        ...

    def cells(self, index: int) -> Sequence[Cell]:
        """Return a cell for every column."""
        ...

    def find(self, key: str) -> int | None:
        """Return where a row is now."""
        ...


class ListRows:
    """Rows that are all there."""

    def __init__(self, rows: Iterable[tuple[str, Sequence[Cell]]] = ()) -> None:
        """Keep them."""
        self._rows = list(rows)
        self._places = {key: index for index, (key, _) in enumerate(self._rows)}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._rows)

    def key(self, index: int) -> str:
        """Return a row's key."""
        return self._rows[index][0]

    def cells(self, index: int) -> Sequence[Cell]:
        """Return a row's cells."""
        return self._rows[index][1]

    def find(self, key: str) -> int | None:
        """Return where a row is now."""
        return self._places.get(key)
