"""Reads an answer in free words: everything that stands in its place."""

import re
from decimal import Decimal

from runner.core.extract.loose_json import NOTHING, Node
from runner.core.extract.normalize import BLANKS
from runner.core.extract.number import Value
from runner.core.extract.regex import regex
from runner.core.model import Cause

SAID = Decimal(1)
"""Stands for a value that is no number; what it is stands in `Value.text`."""


class ProseGrammar:
    """Takes the text of one place as it is, its markup with it; only what surrounds it is left out.

    It looks at the answer itself, not at a tidied copy.
    """

    takes_figures = False
    """Whether a bare number of JSON is a value."""

    def __init__(self, shown: str) -> None:
        """Keep what the form shows in the place of an answer."""
        self._unfilled = {shown, f"[{shown}]"}

    def read(self, visible: str, begin: int, end: int) -> Value:
        """Find where the text from `begin` to `end` stands."""
        first, last = _trimmed(visible, begin, end)
        if self.is_unfilled(visible[first:last]):
            return Value(None, Cause.MISSING, (begin, begin), end, end)
        return Value(SAID, None, (first, last), end, end)

    def is_unfilled(self, written: str) -> bool:
        """Tell whether a text is what the form has in the place of an answer."""
        return not written.strip(_BLANKS) or written.strip(BLANKS) in self._unfilled

    def from_node(self, node: Node) -> Value:
        """Read a text of JSON."""
        span = (node.begin, node.end)
        is_nothing = node.kind == "word" and node.text in NOTHING
        if is_nothing or (node.kind == "string" and self.is_unfilled(node.text)):
            return Value(None, Cause.MISSING, span, node.end, node.end)
        if node.items is not None:
            return Value(None, Cause.AMBIGUOUS, span, node.end, node.end)
        return Value(SAID, None, span, node.end, node.end, text=node.text.strip(BLANKS))


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    """Return where a text stands without blanks, what its label left over, and marks around all of it."""
    head = _BULLET.sub("", text[text.rfind("\n", 0, begin) + 1 : begin])
    inside = text[begin:end].strip(BLANKS)
    first = _FIRST.match(inside)
    if first and not (_is_paired(first[0], head) and _may_open(first[0], inside)):
        inside = inside[first.end() :].lstrip(BLANKS)
    last = _LAST.search(inside)
    if last and not _is_paired(last[0], inside):
        inside = inside[: last.start()].rstrip(BLANKS)
    fence = _FENCE.fullmatch(inside)
    inside = fence[1] if fence else inside
    first = _FIRST.match(inside)
    within = inside[first.end() : -first.end()] if first else ""
    if first and within and inside.endswith(first[0]) and first[0] not in within:
        inside = within.strip(BLANKS)
    at = text.index(inside, begin)
    return at, at + len(inside)


def _is_paired(mark: str, text: str) -> bool:
    """Tell whether a mark stands in a text as often as it takes to open and close all it holds."""
    if mark[0] == "<":
        return mark.replace("/", "") in text
    runs: list[str] = _MARK.findall(text)
    return runs.count(mark) % 2 == 0


def _may_open(mark: str, inside: str) -> bool:
    """Tell whether the mark that a text begins with is its own: a bullet, or one that is closed."""
    if inside[len(mark) :][:1] in (" ", "\n"):
        return mark == "*" or mark[0] == "`"
    return mark[0] != "<" and _is_paired(mark, inside)


_MARK = regex(r"(?!(?<!\S)\*(?!\S))\*+|`+|(?<!\w)_+|_+(?!\w)")
"""Emphasis; a star between blanks is a bullet, and a dash inside a word is part of it."""
_FIRST = regex(r"\*+|`+|_+|</\w+>")
_LAST = regex(r"(?:(?<!\*)\*+|(?<!`)`+|(?<![_\w])_+|(?<=\w)_+|</\w+>)$")
_BULLET = regex(r"^[ \t>]*[-*+•・] +")
_FENCE = regex(r"```\w*[ \t]*\n((?:(?!```).)*?)\s*```", re.DOTALL)
_BLANKS = BLANKS + "[]()_-*`."
