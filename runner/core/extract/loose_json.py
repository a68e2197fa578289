"""JSON as models write it: every value with the place where it stands.

With comments, a comma too many, bare keys, Python's words and quotes, quotation marks inside a text,
and all of it once more as a text of JSON. What is left open is no JSON.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import re2

from runner.core.extract.regex import regex

MOST_TRIES = 20
"""Beginnings of objects that are looked at in one answer."""
MOST_ESCAPED = 3
"""The first so many of them may be written as a text of JSON, which takes longer to read."""
MOST_TOKENS = 5_000
DEEPEST = 20
LONGEST = 20_000
"""Characters of one text, and of an object that is written as one."""


@dataclass(slots=True)
class Node:
    """One JSON value and where it stands."""

    kind: str
    """object, array, string, number or word."""
    begin: int
    end: int
    text: str = ""
    items: "list[tuple[str, Node]] | None" = None


def nodes(text: str) -> Iterator[Node]:
    """Yield the objects and lists of a text, each where it begins a line."""
    beginnings = _Beginnings(text)
    at = 0
    for left in range(MOST_TRIES, 0, -1):
        start = beginnings.next(at)
        if start is None:
            return
        if _IS_ESCAPED.match(text, start):
            node = None
            if left > MOST_TRIES - MOST_ESCAPED:
                node = _unescaped(text, start, min(len(text), start + LONGEST))
        else:
            node = _Parser(text, start).value()
        at = start + 1 if node is None else node.end
        if node is not None:
            yield node


def node_at(text: str, at: int) -> Node | None:
    """Return the value of JSON that begins at a place; None when there is none, or a bare word."""
    node = _Parser(text, at).value()
    return None if node is None or node.kind == "name" else node


_SPACE = r"[\s\x0b\x1c-\x1f\x85\x{feff}\x{200b}\p{Z}]*"
_NAMED = "json5|jsonc|json|JSON|python|py|javascript|js"
_ASSIGNED = "answers?|results?|response|output|data|scores|ratings|evaluations?"
# At the beginning of a line: what stands in a sentence is an example.
_START = re2.compile(
    rf"(?m)^[ \t>`~*\x{{feff}}\x{{200b}}-]*(?:(?:{_NAMED}):?|(?:{_ASSIGNED}) *=)?[ \t]*"
    rf"([{{｛]{_SPACE}(?:[\"'“”„]|\p{{L}}|//|/\*|#)|[\[［]{_SPACE}[{{｛]"
    r'|"(?:\s|\\[nrt])*[{\[]|\{(?:\s|\\[nrt])*\\")'
)
_ENDS = r"(?!\s*(?:[,}\]:，｝］：]|//|/\*|#|\Z))"
"""Not behind a quotation mark that ends a text: such a mark is one of the text's own."""
_TEXT = r"{0}[^{0}\\]*+(?:(?:\\.|{0}{1})[^{0}\\]*+)*+{0}"
_DOUBLE, _SINGLE = (_TEXT.format(quote, _ENDS) for quote in "\"'")
_TOKEN = regex(
    r"(?:[\s\ufeff\u200b]++|//[^\n]*+|\#[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/)*+"
    r"(?:(?P<sign>[{}\[\]:,｛｝［］：，])"
    rf"|(?P<string>{_DOUBLE}|{_SINGLE}|[“”„][^“”„]*+[“”])"
    r"|(?P<number>[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?![\w.])"
    r"|(?P<word>[-+]?[^\W\d][\w.$-]*))",
    re.DOTALL,
)
_CLOSING = {"{": "}", "[": "]"}
_NARROW = str.maketrans("｛｝［］：，", "{}[]:,")
NOTHING = ("null", "None", "undefined")
_WORDS = (*NOTHING, "true", "false", "True", "False", "NaN", "nan", "Infinity", "-Infinity")
_ESCAPED = regex(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+",
    re.DOTALL,
)
_INNER_QUOTE = regex(r"(\\.)|\"", re.DOTALL)
_IS_ESCAPED = regex(r"\{(?:\s|\\[nrt]){0,99}\\\"")


def _text_of(token: str) -> str | None:
    """Return what a text in quotation marks of any kind says; None when that is no JSON."""
    inside = token[1:-1]
    if token[0] == "'":
        inside = inside.replace("\\'", "'")
    if '"' in inside:
        inside = _INNER_QUOTE.sub(lambda match: match[1] or '\\"', inside)
    try:
        text = json.loads(f'"{inside}"', strict=False)
    except ValueError:
        return None
    return text if isinstance(text, str) else None


def _unescaped(text: str, begin: int, end: int) -> Node | None:
    """Read an object from text in which its quotation marks are escaped."""
    parts: list[str] = []
    places: list[int] = []
    for match in _ESCAPED.finditer(text, begin, end):
        part = match[0]
        if part[0] == "\\":
            try:
                part = json.loads(f'"{part}"')
            except ValueError:
                return None
        step = len(part) == len(match[0])
        places += (match.start() + (n if step else 0) for n in range(len(part)))
        parts.append(part)
    node = _Parser("".join(parts), 0).value()
    if node is None or node.items is None:
        return None
    return _moved(node, [*places, end])


def _moved(node: Node, places: list[int]) -> Node:
    items = node.items and [(key, _moved(inner, places)) for key, inner in node.items]
    return Node(node.kind, places[node.begin], places[node.end], node.text, items)


class _Beginnings:
    """Finds where objects begin, from one place to the next."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._data = text.encode("utf-8", "replace")
        self._at = self._byte = 0

    def next(self, at: int) -> int | None:
        """Return where the next one begins; `at` never goes back."""
        self._byte += len(self._text[self._at : at].encode("utf-8", "replace"))
        self._at = at
        match = _START.search(self._data, self._byte)
        if match is None:
            return None
        return at + len(self._data[self._byte : match.start(1)].decode())


class _Parser:
    """A reader of JSON that knows where everything stands; a comma too many is forgiven."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._at = at
        self._left = MOST_TOKENS

    def value(self, depth: int = 0) -> Node | None:
        """Read one value; None when it is no JSON."""
        token = self._next()
        if token is None or depth > DEEPEST:
            return None
        mark, string, number, word = token.groups()
        place = token.span(token.lastgroup or 0)
        if mark is not None:
            mark = mark.translate(_NARROW)
            return self._members(place[0], depth, _CLOSING[mark]) if mark in _CLOSING else None
        if string is not None:
            text = _text_of(string)
            if text is None:
                return None
            holds = "\\" in string and text.lstrip()[:1] in _CLOSING
            inner = _unescaped(self._text, place[0] + 1, place[1] - 1) if holds else None
            return inner or Node("string", *place, text)
        if number is not None:
            return Node("number", *place, number)
        return Node("word" if word in _WORDS else "name", *place, word)

    def _members(self, begin: int, depth: int, closing: str) -> Node | None:
        kind = "object" if closing == "}" else "array"
        items: list[tuple[str, Node]] = []
        while True:
            if self._take(closing):
                return Node(kind, begin, self._at, items=items)
            if items and not self._comma:
                return None
            key = ""
            if kind == "object":
                name = self.value(depth + 1)
                if name is None or name.items is not None or not self._take(":"):
                    return None
                key = name.text
            inner = self.value(depth + 1)
            if inner is None or inner.kind == "name":
                return None
            items.append((key, inner))
            self._comma = self._take(",")

    _comma = False

    def _next(self) -> re.Match[str] | None:
        self._left -= 1
        token = self._token() if self._left >= 0 else None
        if token:
            self._at = token.end()
        return token

    def _take(self, mark: str) -> bool:
        token = self._token()
        if token is None or token[1] is None or token[1].translate(_NARROW) != mark:
            return False
        self._at = token.end()
        return True

    def _token(self) -> re.Match[str] | None:
        """Return what stands here; None when it is nothing, or goes on too long to be an answer."""
        end = min(len(self._text), self._at + LONGEST)
        token = _TOKEN.match(self._text, self._at, end)
        return token if token and (token.end() < end or end == len(self._text)) else None
