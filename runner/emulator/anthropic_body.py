"""The body of Anthropic's create call: its requests, read one after another.

A body may be 256 MB long; no more than a little of it is in memory at any time.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

import orjson

MAX_REQUESTS = 100_000
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CHUNK = 2**20
_BLANKS = re.compile(r"[ \t\r\n]*")


class BodyError(ValueError):
    """The body is not what it must be; the message is what the service would say."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Body:
    """Reads `{"requests": […]}` from a text file, an element at a time."""

    def __init__(self, source: TextIO) -> None:
        """Begin at the beginning."""
        self._source = source
        self._decode = json.JSONDecoder(parse_constant=_no_constant).raw_decode
        self._text = ""
        self._at = 0

    def requests(self) -> Iterator[Any]:
        """Yield the elements as they are, whatever they are.

        Raises:
            BodyError: when the body is no such object.
        """
        self._expect("{")
        if self._next() == "}":
            raise BodyError("requests: Field required")
        name = self._value()
        if name != "requests":
            raise BodyError(f"{name}: Extra inputs are not permitted")
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
        if self._next() == ",":
            self._expect(",")
            raise BodyError(f"{self._value()}: Extra inputs are not permitted")
        self._expect("}")
        if self._next():
            raise _broken()

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


def requests_in(body: TextIO, version: str) -> Iterator[bytes]:
    """Yield each request as a line, once its envelope is known to be right.

    Raises:
        BodyError: at the first that is not.
    """
    seen: set[str] = set()
    for nth, request in enumerate(_Body(body).requests()):
        if nth >= MAX_REQUESTS:
            raise BodyError(f"requests: List should have at most {MAX_REQUESTS} items")
        where = f"requests.{nth}"
        custom_id = _custom_id(request, where)
        if custom_id in seen:
            raise BodyError(f"{where}.custom_id: '{custom_id}' is not unique within the batch")
        seen.add(custom_id)
        try:
            yield orjson.dumps({"version": version, **request}, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # a lone surrogate, or a number of more than 64 bits
            raise BodyError(f"{where}.params: Input should be valid JSON") from None
    if not seen:
        raise BodyError("requests: List should have at least 1 item after validation, not 0")


def _custom_id(request: Any, where: str) -> str:
    if not isinstance(request, dict):
        raise BodyError(f"{where}: Input should be a valid dictionary")
    for name in ("custom_id", "params"):
        if name not in request:
            raise BodyError(f"{where}.{name}: Field required")
    for name in request.keys() - {"custom_id", "params"}:
        raise BodyError(f"{where}.{name}: Extra inputs are not permitted")
    custom_id = request["custom_id"]
    if not isinstance(custom_id, str):
        raise BodyError(f"{where}.custom_id: Input should be a valid string")
    if _CUSTOM_ID.fullmatch(custom_id) is None:
        pattern = "^[a-zA-Z0-9_-]{1,64}$"
        raise BodyError(f"{where}.custom_id: String should match pattern '{pattern}'")
    return custom_id
