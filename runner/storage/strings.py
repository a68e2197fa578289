"""A column of many texts: their bytes in one piece, in memory or in a file of its own, and where each begins."""

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Self

if TYPE_CHECKING:
    import polars as pl

_BLOCK = 1 << 18
"""Bytes that are read from a file at once; texts are mostly asked for one after another."""


class Strings(Sequence[str]):
    """Texts by their places; each is decoded when it is asked for."""

    def __init__(self, said: bytes | BinaryIO, starts: "array[int]") -> None:
        """Use UTF-8, and where each text begins; the last start is the end."""
        self._said = said
        self._starts = starts
        self._place, self._text = -1, ""
        self._begin, self._block = 0, b""

    @classmethod
    def of(cls, column: "pl.Series") -> Self:
        """Return the texts of a column that has no nulls."""
        starts = array("Q", [0])
        _append(starts, column)
        return cls("".join(column).encode(), starts)

    @classmethod
    def spooled(cls, columns: Iterable["pl.Series"]) -> Self:
        """Keep the texts of a column that comes in pieces in a file without a name, not in memory."""
        starts = array("Q", [0])
        file = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the texts)
        try:
            for column in columns:
                _append(starts, column)
                file.write("".join(column).encode())
            file.flush()
        except BaseException:
            file.close()
            raise
        found = cls(file, starts)
        weakref.finalize(found, file.close)
        return found

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._starts) - 1

    def __getitem__(self, place: Any) -> Any:
        """Return one text, or some."""
        if place == self._place:  # asked for again and again, one after another
            return self._text
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        begin, end, said = self._starts[place], self._starts[place + 1], self._said
        whole = said[begin:end] if isinstance(said, bytes) else self._bytes(said, begin, end)
        text = whole.decode()
        self._place, self._text = place, text
        return text

    def _bytes(self, said: BinaryIO, begin: int, end: int) -> bytes:
        at = begin - self._begin
        if at < 0 or end - self._begin > len(self._block):
            size = max(_BLOCK, end - begin)
            self._begin, self._block = begin, os.pread(said.fileno(), size, begin)
            at = 0
        return self._block[at : at + end - begin]


def _append(starts: "array[int]", column: "pl.Series") -> None:
    """Note where the texts of a piece begin, behind those that are there."""
    import polars as pl

    ends = column.str.len_bytes().cast(pl.UInt64).cum_sum() + starts[-1]
    starts.frombytes(ends.cast(pl.UInt64).to_numpy().tobytes())
