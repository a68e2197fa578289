"""What Vertex AI's importer takes: the rules by which it loads a request file.

Pure.
"""

import re
from hashlib import sha256
from typing import Any

import orjson

from runner.core.errors import ProviderRefused
from runner.providers.base import said

MAX_DEPTH = 15
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CUSTOM_ID = re.compile(rb"[A-Za-z][A-Za-z0-9_-]*")
_REMEMBERED = 4096
_LONG = 1 << 16
"""Of longer lines, which hold pictures, only a digest is remembered."""


class Preflight:
    """Checks the lines of one request file by the importer's rules.

    Vertex AI loads the file like a table: one breach fails the whole job before a request runs.
    """

    def __init__(self) -> None:
        """Begin with the first line."""
        self.lines = 0
        self._kinds: dict[tuple[str, ...], str] = {}
        self._known: set[bytes] = set()

    def check(self, line: bytes) -> None:
        """Check the next line.

        Raises:
            ProviderRefused: naming the line and the field.
        """
        self.lines += 1
        head, between, rest = line.partition(b'","request":')
        custom_id = head.removeprefix(b'{"custom_id":"')
        mark = rest if len(rest) < _LONG else sha256(rest).digest()
        if mark in self._known and between and _CUSTOM_ID.fullmatch(custom_id):
            return  # the same prompt as in a line before: only the custom_id differs
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            self._refuse(f"not JSON: {error}")
        if not isinstance(row, dict) or row.keys() != {"custom_id", "request"}:
            self._refuse("not an object of custom_id and request, and nothing else")
        named = row["custom_id"]
        if not isinstance(named, str) or not _CUSTOM_ID.fullmatch(named.encode("utf-8", "replace")):
            self._refuse("a custom_id has to begin with a letter, or the importer takes it apart")
        self._walk(row, ())
        if len(self._known) < _REMEMBERED:
            self._known.add(mark)

    def _walk(self, value: Any, path: tuple[str, ...]) -> None:
        kind = self._kind(value, path)
        known = self._kinds.setdefault(path, kind)
        if known != kind:
            self._refuse(f"{_shown(path)}: {kind}, and {known} in a line before")
        if kind == "object":
            if not value:
                self._refuse(f"{_shown(path)}: an empty object")
            for name, inside in value.items():
                if not _COLUMN.fullmatch(name):
                    self._refuse(f"{_shown((*path, name))}: no name for a column")
                self._walk(inside, (*path, name))
        elif kind == "array":
            for inside in value:
                if isinstance(inside, list):
                    self._refuse(f"{_shown(path)}: an array within an array")
                self._walk(inside, (*path, "[]"))

    def _kind(self, value: Any, path: tuple[str, ...]) -> str:
        if value is None:
            self._refuse(f"{_shown(path)}: null")
        if len(path) > MAX_DEPTH:
            self._refuse(f"{_shown(path)}: nested deeper than {MAX_DEPTH}")
        return _KINDS[type(value)]

    def _refuse(self, what: str) -> None:
        raise ProviderRefused(
            f"line {self.lines} of the request file: {said(what, None)}; Vertex AI would refuse "
            "the whole job for it: look at provider.parameters"
        )


_KINDS = {dict: "object", list: "array", str: "text", bool: "true or false"} | {
    int: "a whole number",
    float: "a number with a point",
}


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(".[]", "[]") or "the line"
