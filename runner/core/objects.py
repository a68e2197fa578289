"""Reads the JSON objects of an answer: every number and reason with the place where it stands."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import re2

from runner.core.model import Cause
from runner.core.names import Meaning, Names
from runner.core.number import NumberGrammar, Value
from runner.core.reason import trim_reason
from runner.core.writing import tidy

MOST_TRIES = 20
"""Beginnings of objects that are looked at in one answer."""
MOST_TOKENS = 5_000
DEEPEST = 20


@dataclass(slots=True)
class Entry:
    """What one place of an object or a table says of a question."""

    question: str
    value: Value | None = None
    reason: str | None = None
    end: int = 0


@dataclass(slots=True)
class Node:
    """One JSON value and where it stands."""

    kind: str
    """object, array, string, number or word."""
    begin: int
    end: int
    text: str = ""
    items: "list[tuple[str, Node]] | None" = None


class ObjectReader:
    """Reads objects whose keys name our questions, in whatever arrangement."""

    def __init__(self, names: Names, numbers: dict[str, NumberGrammar]) -> None:
        """Keep what keys may be called, and who reads the numbers."""
        self._names = names
        self._numbers = numbers

    def read(self, visible: str, plain: str) -> Iterator[tuple[tuple[int, int], list[Entry]]]:
        """Yield each object that answers something, by its place, with what it says."""
        if "{" not in visible or '"' not in visible:
            return
        beginnings = _Beginnings(visible)
        at = 0
        for _ in range(MOST_TRIES):
            start = beginnings.next(at)
            if start is None:
                return
            node = _Parser(visible, start).value()
            if node is None:
                at = start + 1
                continue
            at = node.end
            found = list(self._walk(node, plain, (), None))
            if found:
                yield (node.begin, node.end), found

    def _walk(
        self, node: Node, plain: str, questions: tuple[str, ...], part: str | None
    ) -> Iterator[Entry]:
        if node.items is None:
            if questions and part:
                yield from self._leaf(node, plain, questions, part)
            return
        named = [(self._names.meaning(tidy(key)), inner) for key, inner in node.items]
        if node.kind == "object" and not questions:
            questions = self._named_inside(named)
        if node.kind == "array" and questions and part == "reason":
            lines = [inner.text for _, inner in node.items if inner.kind == "string"]
            text = trim_reason("\n".join(lines))
            yield from (Entry(q, reason=text, end=node.end) for q in questions)
            return
        for meaning, inner in named:
            if meaning is None:
                if not questions and inner.items is not None:
                    yield from self._walk(inner, plain, (), part)
                continue
            whose = meaning.questions or questions
            # {"Q1": {"Q2": 80}} and {"Q1": [80, 60]} say nothing that could be trusted.
            if questions and set(whose) != set(questions):
                yield from (
                    _objection(q, inner, Cause.AMBIGUOUS) for q in dict.fromkeys(questions + whose)
                )
                continue
            what = meaning.part or part or ("value" if meaning.questions else None)
            if inner.items is None:
                yield from self._leaf(inner, plain, whose, what)
            elif inner.kind == "object":
                yield from self._walk(inner, plain, whose, meaning.part or part)
            elif what == "reason" or not whose:
                yield from self._walk(inner, plain, whose, what)
            else:
                yield from (_objection(q, inner, Cause.NOT_A_NUMBER) for q in whose)

    def _named_inside(self, named: list[tuple[Meaning | None, Node]]) -> tuple[str, ...]:
        """Return whom an object is about that says so in a value, as {"id": "Q1", "score": 80}."""
        if any(meaning and meaning.questions for meaning, _ in named):
            return ()
        found: list[str] = []
        for meaning, inner in named:
            if inner.kind == "string" and not (meaning and meaning.part):
                said = self._names.meaning(tidy(inner.text))
                if said and said.part is None:
                    found += said.questions
        return tuple(dict.fromkeys(found))

    def _leaf(
        self, node: Node, plain: str, questions: tuple[str, ...], part: str | None
    ) -> Iterator[Entry]:
        for question in questions:
            if part == "reason":
                text = trim_reason(node.text) if node.kind == "string" else None
                yield Entry(question, reason=text, end=node.end)
            elif part == "value":
                value = self._number(node, plain, self._numbers[question])
                if len(questions) > 1 and value.cause is not Cause.MISSING:
                    value.number, value.cause = None, Cause.AMBIGUOUS
                yield Entry(question, value=value)

    def _number(self, node: Node, plain: str, numbers: NumberGrammar) -> Value:
        span = (node.begin, node.end)
        if node.kind == "number" and len(node.text) <= _LONGEST_NUMBER:
            number = Decimal(node.text)
            if "e" not in node.text.lower() and (number or not number.is_signed()):
                return Value(number, None, span, node.end, node.end)
        elif node.kind == "word" and node.text == "null":
            return Value(None, Cause.MISSING, span, node.end, node.end)
        elif node.kind == "string":
            begin, end = node.begin + 1, node.end - 1
            if not node.text.strip() or numbers.is_unfilled(tidy(node.text)):
                return Value(None, Cause.MISSING, (begin, begin), node.end, node.end)
            if len(node.text) == end - begin and "\n" not in node.text:
                return numbers.read(plain, begin, end)
            said = numbers.read(tidy(node.text), 0, len(node.text))
            said.span, said.rest, said.end = span, node.end, node.end
            return said
        return Value(None, Cause.NOT_A_NUMBER, span, node.end, node.end)


# At the beginning of a line: what stands in a sentence is an example.
_SPACE = r"[\s\x0b\x1c-\x1f\x85\p{Z}]*"
_START = re2.compile(rf'(?m)^[ \t>`*-]*(?:json|JSON)?[ \t]*(?:\{{{_SPACE}"|\[{_SPACE}\{{)')
_TOKEN = re.compile(
    r'\s*+(?:([{}\[\]:,])|("[^"\\]*+(?:\\.[^"\\]*+)*+")'
    r"|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)|(true|false|null))",
    re.DOTALL,
)
_LONGEST_NUMBER = 20


def _objection(question: str, node: Node, cause: Cause) -> Entry:
    return Entry(question, value=Value(None, cause, (node.begin, node.end), node.end, node.end))


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
        head = match[0][: match[0].index(b"{")].partition(b"[")[0]
        return at + len(self._data[self._byte : match.start()].decode()) + len(head)


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
        place = token.span(token.lastindex or 0)
        if mark == "{":
            return self._members(place[0], depth, "}")
        if mark == "[":
            return self._members(place[0], depth, "]")
        if string is not None:
            try:
                return Node("string", *place, json.loads(string, strict=False))
            except ValueError:
                return None
        if number is not None:
            return Node("number", *place, number)
        return None if word is None else Node("word", *place, word)

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
                if name is None or name.kind != "string" or not self._take(":"):
                    return None
                key = name.text
            inner = self.value(depth + 1)
            if inner is None:
                return None
            items.append((key, inner))
            self._comma = self._take(",")

    _comma = False

    def _next(self) -> re.Match[str] | None:
        self._left -= 1
        token = _TOKEN.match(self._text, self._at) if self._left >= 0 else None
        if token:
            self._at = token.end()
        return token

    def _take(self, mark: str) -> bool:
        token = _TOKEN.match(self._text, self._at)
        if token is None or token[1] != mark:
            return False
        self._at = token.end()
        return True
