"""The body of an order that carries its requests, read one after another.

A body may be 256 MB long; no more than a little of it is in memory at any time.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

_CHUNK = 2**20
_BLANKS = re.compile(r"[ \t\r\n]*")


class BodyError(ValueError):
    """The body is not what it must be; the message is what the service would say."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class Body:
    """Reads `{…, "requests": […], …}` from a text file, an element at a time."""

    def __init__(self, source: TextIO, known: frozenset[str] = frozenset()) -> None:
        """Begin at the beginning.

        Args:
            source: the body.
            known: what else may be in it.
        """
        self.head: dict[str, Any] = {}
        """What else was in it, as far as it was read."""
        self._known = known
        self._source = source
        self._decode = json.JSONDecoder(parse_constant=_no_constant).raw_decode
        self._text = ""
        self._at = 0

    def elements(self) -> Iterator[Any]:
        """Yield the requests as they are, whatever they are.

        Raises:
            BodyError: when the body is no such object.
        """
        self._expect("{")
        is_there = False
        more = self._next() != "}"
        while more:
            name = self._value()
            is_there |= name == "requests"
            if name == "requests":
                yield from self._array()
            elif name in self._known:
                self._expect(":")
                self.head[name] = self._value()
            else:
                raise BodyError(f"{name}: Extra inputs are not permitted")
            more = self._next() == ","
            if more:
                self._expect(",")
        self._expect("}")
        if self._next():
            raise _broken()
        if not is_there:
            raise BodyError("requests: Field required")

    def _array(self) -> Iterator[Any]:
        self._expect(":")
        if self._next() != "[":
            raise BodyError("requests: Input should be a valid list")
        self._expect("[")
        if self._next() != "]":
            yield self._value()
            while self._next() == ",":
                self._expect(",")
                yield self._value()
        self._expect("]")

    def _value(self) -> Any:
        self._next()
        while True:
            try:
                value, self._at = self._decode(self._text, self._at)
            except (ValueError, RecursionError):
                if not self._read_on():
                    raise _broken() from None
            else:
                return value

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise _broken()
        self._at += 1

    def _next(self) -> str:
        """Return the next character that is no blank; nothing at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            assert blanks is not None
            self._at = blanks.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def _read_on(self) -> bool:
        rest = self._text[self._at :]
        try:
            more = self._source.read(max(_CHUNK, len(rest)))
        except UnicodeDecodeError:
            raise _broken() from None
        self._text, self._at = rest + more, 0
        return bool(more)


def _broken() -> BodyError:
    return BodyError("The request body is not valid JSON")
