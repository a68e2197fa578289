"""A column of many texts: their bytes in one piece, and where each begins."""

from array import array
from collections.abc import Sequence
from typing import Any, Self

import polars as pl


class Strings(Sequence[str]):
    """Texts by their places; each is decoded when it is asked for."""

    def __init__(self, said: bytes, starts: "array[int]") -> None:
        """Use UTF-8 and where each text begins; the last start is the end."""
        self._said = said
        self._starts = starts
        self._place, self._text = -1, ""

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Return the texts of a column that has no nulls."""
        ends = column.str.len_bytes().cum_sum().cast(pl.UInt64)
        starts = array("Q", [0])
        starts.frombytes(ends.to_numpy().tobytes())
        return cls("".join(column).encode(), starts)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._starts) - 1

    def __getitem__(self, place: Any) -> Any:
        """Return one text, or some."""
        if place == self._place:  # asked for again and again, one after another
            return self._text
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        text = self._said[self._starts[place] : self._starts[place + 1]].decode()
        self._place, self._text = place, text
        return text
