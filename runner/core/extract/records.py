"""Reads an answer that is JSON, and has it judged by the schema it was asked to follow."""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from runner.core.errors import ConfigError
from runner.core.extract.loose_json import NOTHING, Node, node_at
from runner.core.extract.names import Names, any_of, folded
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Entry, Value
from runner.core.extract.prose import SAID
from runner.core.extract.regex import regex
from runner.core.model import Cause, Question


class RecordGrammar:
    """Reads values of JSON for one question."""

    takes_figures = False
    """Whether a bare number of JSON is a value; here the schema says it."""

    def __init__(self, question: Question, shown: str) -> None:
        """Compile the schema, which is a valid one.

        Args:
            question: what is asked.
            shown: what the form shows in the place of an answer.
        """
        schema = json.loads(question.schema)
        self._schema = validator(schema)
        self.keys = frozenset(schema.get("properties", {}))
        """What the schema calls the parts of an object."""
        self._unfilled = {shown, f"[{shown}]"}
        parts = any_of(folded(tidy(key)) for key in self.keys)
        self._part = regex(rf"(?<!\w)(?:{parts})(?!\w)", re.IGNORECASE)

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Say of a place from which `RecordReader` took nothing why there is nothing."""
        is_blank = self.is_unfilled(plain[begin:end])
        cause = Cause.MISSING if is_blank else Cause.NOT_VALID
        return Value(None, cause, (begin, begin if is_blank else end), end, end)

    def within(self, visible: str, begin: int, end: int) -> Value:
        """Read what stands in a place that is nothing but JSON, as the cell of a table."""
        said = visible[begin:end].strip(_QUOTED)
        at = visible.index(said, begin)
        node = node_at(visible, at) if said[:1] in ("{", "[") else None
        if node is None or node.end != at + len(said):
            return self.read(visible, begin, end)
        value = self.from_node(node)
        value.rest = value.end = end
        return value

    def is_unfilled(self, written: str) -> bool:
        """Tell whether a text is what the form has in the place of an answer."""
        return not written.strip(_BLANKS) or written.strip(" ") in self._unfilled

    def others_in(self, text: str, _number: Decimal) -> bool:
        """Tell whether a tidied text speaks of a part of the value; of one without known parts, any does."""
        return not self.keys or self._part.search(text) is not None

    def allows(self, node: Node) -> bool:
        """Tell whether the schema allows what stands in JSON."""
        return self.from_node(node).cause is None

    def from_node(self, node: Node) -> Value:
        """Read what stands in JSON; the brackets of the form may have been left around it."""
        alone = (
            node.items[0][1]
            if node.kind == "array" and node.items and len(node.items) == 1
            else None
        )
        if alone is not None and alone.kind == "object":
            value, inner = self._judged(node), self._judged(alone)
            return inner if value.cause is not None and inner.cause is None else value
        return self._judged(node)

    def _judged(self, node: Node) -> Value:
        span = (node.begin, node.end)
        if node.kind == "word" and node.text in NOTHING:
            return Value(None, Cause.MISSING, span, node.end, node.end)
        try:
            meant = _plainly(node)
        except ValueError as error:
            return Value(None, Cause.NOT_VALID, span, node.end, node.end, text=str(error))
        errors = self._schema.iter_errors(meant)
        wrong = min(errors, key=lambda error: error.json_path, default=None)
        if wrong is not None:
            said = f"{wrong.json_path}: {wrong.message}"
            return Value(None, Cause.NOT_VALID, span, node.end, node.end, text=said)
        text = json.dumps(meant, ensure_ascii=False)
        return Value(SAID, None, span, node.end, node.end, text=text)


def validator(schema: Any) -> Any:
    """Return what judges values by a schema; a reference to elsewhere is never followed.

    Raises:
        ConfigError: it is no valid schema, or refers to what is not in it.
    """
    # Only studies with such an item pay for the import.
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
        judge = kind(schema, registry=Registry())
        probes: tuple[Any, ...] = ({}, [], "", 0, None)
        for probe in probes:
            list(judge.iter_errors(probe))
    except SchemaError as error:
        raise ConfigError(f"no JSON Schema: {error.json_path}: {error.message}") from None
    except Unresolvable as error:
        raise ConfigError(f"$ref {error.ref!r} is not in it; allowed: what it defines") from None
    except RecursionError:
        raise ConfigError("it refers to itself without an end") from None
    return judge


def _plainly(node: Node) -> Any:
    """Return a value of JSON; what has no one meaning is none.

    Raises:
        ValueError: a key stands twice, or a number is none.
    """
    if node.items is not None and node.kind == "array":
        return [_plainly(inner) for _, inner in node.items]
    if node.items is not None:
        keys = [key for key, _ in node.items]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} stands there twice")
        return {key: _plainly(inner) for key, inner in node.items}
    if node.kind == "number":
        number = float(node.text) if set(node.text) & set(".eE") else int(node.text)
        if not math.isfinite(number):
            raise ValueError(f"{node.text} is too large")
        return number
    if node.kind == "word":
        if node.text not in _WORDS:
            raise ValueError(f"{node.text} is no value of JSON")
        return _WORDS[node.text]
    return node.text


class RecordReader:
    """Finds the values of JSON that stand behind the name of their question, or below it."""

    def __init__(self, question: Question, grammar: RecordGrammar, names: Names) -> None:
        """Compile what the question is called."""
        self._question = question.id
        self._grammar = grammar
        own = (*names.ids.items(), *names.labels.items())
        called = any_of({name for name, whose in own if whose == question.id})
        words = any_of(names.words["value_word"]) or "(?!)"
        self._head = regex(
            rf"^[-*+>•・# ]*(?:{called})(?:[-.:)/ ]*(?:{called}))? *(?:\( *(?:{words}) *\))? *[:=]?"
            rf"\s*+(?:(?P<lead>{_LEAD})\s*+)?(?:json[c5]?\s+)?(?=[\[{{])",
            re.IGNORECASE | re.MULTILINE,
        )

    def read(self, visible: str, plain: str) -> Iterator[tuple[tuple[int, int], list[Entry]]]:
        """Yield each, with the place where it stands."""
        at = 0
        while match := self._head.search(plain, at):
            node = node_at(visible, match.end())
            at = match.end() if node is None else node.end
            if node is not None and node.items is not None:
                value = self._grammar.from_node(node)
                behind = plain[node.end :].partition("\n")[0].strip(_BLANKS + ",;")
                if behind or _ANOTHER.search(plain, node.end):
                    value = Value(None, Cause.AMBIGUOUS, value.span, node.end, node.end)
                begin = match.start("lead") if match["lead"] else node.begin
                yield (begin, node.end), [Entry(self._question, value=value)]


_LEAD = (
    r"(?:(?:sure|certainly|of course)[,.!:]? *)?(?:(?:here(?:'s|’s| is| are)|(?:below|this) is|see below|as follows)"
    r"(?: (?:it|the|my|a|an|your|requested|valid|complete|final|json|object|record|answer|data|result|response))*"
    r"|here it is|here you (?:go|are)|以下(?:のとおり|の通り|が回答|が答え|がJSON)?(?:です)?) *[:.。]"
)
"""What may announce the object; "for example" announces another one."""
_ANOTHER = regex(r"\{\s*\"")
_QUOTED = " `"
_BLANKS = " []()_-*`.:"
_WORDS = {
    **dict.fromkeys(NOTHING),
    **dict.fromkeys(("true", "True"), True),
    **dict.fromkeys(("false", "False"), False),
}
