"""A JSON object with one long array in it, read as it comes: the elements one by one, then the rest.

For services that send all results inside of what they say of a batch.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from runner.core.errors import ProviderReplyUnreadable

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:(")|\\?\Z)|[\[\]{},]', re.DOTALL)
"""A string, whole or cut off at the end of what is there; or a mark that opens, closes or parts."""
_LONGEST: Final = 64 << 20
"""Bytes of one element, or of all the rest."""


def split(chunks: Iterable[bytes], name: str, each: Callable[[bytes], object]) -> bytes:
    """Hand over each element of one of an object's arrays, and return the object without them.

    Args:
        chunks: the object's bytes.
        name: of the array, in the object itself.
        each: takes an element, as it is but on one line.

    Raises:
        ProviderReplyUnreadable: when it is cut short, or is no object.
    """
    reading = _Reading(f'"{name}"'.encode(), each)
    for chunk in chunks:
        reading.take(chunk)
    if reading.depth or not reading.rest.lstrip().startswith(b"{"):
        raise ProviderReplyUnreadable("a reply that is no whole JSON object")
    return bytes(reading.rest)


class _Reading:
    """How far an object was read."""

    def __init__(self, key: bytes, each: Callable[[bytes], object]) -> None:
        self._key, self._each = key, each
        self._open = b""
        """What was read and is neither in an element nor in the rest yet."""
        self._scanned = 0
        """How much of that was looked through."""
        self._before = b""
        """The string before the present place, with nothing but a colon between."""
        self._within = False
        self.depth = 0
        self.rest = bytearray()

    def take(self, chunk: bytes) -> None:
        """Read on."""
        data, begin = self._open + chunk, 0
        end = len(data)
        for token in _TOKEN.finditer(data, self._scanned):
            mark = token[0]
            if mark[:1] == b'"':
                if token[1] is None:
                    end = token.start()
                    break
                self._before = mark
                continue
            begin = self._passed(mark, data, begin, token.start())
            self._before = b""
        if self._within:
            self._open, self._scanned = data[begin:], end - begin
        else:
            self.rest += data[begin:end]
            self._open, self._scanned = data[end:], 0
        if max(len(self._open), len(self.rest)) > _LONGEST:
            raise ProviderReplyUnreadable("a reply without end")

    def _passed(self, mark: bytes, data: bytes, begin: int, at: int) -> int:
        """Note a mark; return where what is not handed over yet begins."""
        if self._within and self.depth == 2 and mark in b",]":
            if element := data[begin:at].strip():
                self._each(element.replace(b"\n", b" ").replace(b"\r", b" "))
            begin = at + (mark == b",")
            self._within = mark == b","
        elif mark == b"[" and self.depth == 1 and self._before == self._key:
            self.rest += data[begin : at + 1]
            begin, self._within = at + 1, True
        self.depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark, 0)
        return begin
