"""Reads an answer in free words: everything that stands in its place."""

from decimal import Decimal

from runner.core.extract.loose_json import NOTHING, Node
from runner.core.extract.normalize import BLANKS
from runner.core.extract.number import Value
from runner.core.model import Cause

SAID = Decimal(1)
"""Stands for a value that is no number; what it is stands in `Value.text`."""


class ProseGrammar:
    """Takes the text of one place as it is; only blanks around it are left out.

    What it reads of a tidied copy is only the place: `Extractor` cuts the text out of the answer.
    """

    takes_figures = False
    """Whether a bare number of JSON is a value."""

    def __init__(self, shown: str) -> None:
        """Keep what the form shows in the place of an answer."""
        self._unfilled = {shown, f"[{shown}]"}

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Find where the text from `begin` to `end` stands."""
        inside = plain[begin:end]
        said = inside.strip(BLANKS)
        if self.is_unfilled(said):
            return Value(None, Cause.MISSING, (begin, begin), end, end)
        at = begin + len(inside) - len(inside.lstrip(BLANKS))
        return Value(SAID, None, (at, at + len(said)), end, end)

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


_BLANKS = BLANKS + "[]()_-*`."
