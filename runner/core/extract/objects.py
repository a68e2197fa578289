"""Reads the objects of an answer: every number and reason with the place where it stands."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from runner.core.extract.lists import ListGrammar
from runner.core.extract.loose_json import NOTHING, Node, nodes
from runner.core.extract.names import Meaning, Names
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Entry, NumberGrammar, Value
from runner.core.extract.options import OptionGrammar
from runner.core.extract.prose import ProseGrammar
from runner.core.extract.reason import trim_reason
from runner.core.extract.records import RecordGrammar
from runner.core.extract.regex import regex
from runner.core.model import Cause

NodeGrammar = ListGrammar | ProseGrammar | RecordGrammar
"""Reads what is more than one word or number, also from JSON."""
Grammar = NumberGrammar | OptionGrammar | NodeGrammar
"""Reads the value of one question."""


class ObjectReader:
    """Reads objects whose keys name our questions, in whatever arrangement."""

    def __init__(
        self, names: Names, numbers: Mapping[str, Grammar], tops: Mapping[str, int | Decimal]
    ) -> None:
        """Keep what keys may be called, who reads the values, and how high numbers go."""
        self._names = names
        self._numbers = numbers
        self._tops = tops
        records = [q for q, grammar in numbers.items() if isinstance(grammar, RecordGrammar)]
        self._unnamed = records[0] if len(records) == 1 else None
        """Whom an object is of whose keys name nobody."""
        alone = next(iter(numbers.items())) if len(numbers) == 1 else None
        named = alone is not None and isinstance(
            alone[1], OptionGrammar | ListGrammar | RecordGrammar
        )
        self._alone = alone[0] if alone and named else None
        """Whom an object is of that is all of an answer: numbers and texts have readers of their own."""

    def read(self, visible: str, plain: str) -> Iterator[tuple[tuple[int, int], list[Entry]]]:
        """Yield each object that answers something, by its place, with what it says."""
        if "{" not in visible and "｛" not in visible:
            return
        for node in nodes(visible):
            found = list(self._walk(node, plain, (), None))
            if self._alone and not found and _is_all(visible, node):
                found = list(self._of_one(node, plain, self._alone))
            if self._unnamed and self._unnamed not in {entry.question for entry in found}:
                found = self._without_name(node, found)
            if found:
                yield (node.begin, node.end), found

    def _of_one(self, node: Node, plain: str, question: str) -> Iterator[Entry]:
        """Read what is all of an answer to the one question, as {"answer": "yes", "reason": "…"}."""
        grammar = self._numbers[question]
        if isinstance(grammar, ListGrammar):
            value = grammar.from_node(node) if node.kind == "array" else grammar.from_object(node)
            if value is not None:
                yield Entry(question, value=value)
                return
        members = [(key, self._names.meaning(tidy(key)), inner) for key, inner in node.items or ()]
        reasons = [inner for _, meaning, inner in members if meaning and meaning.part == "reason"]
        values = [
            (key, inner)
            for key, meaning, inner in members
            if (meaning and meaning.part == "value") or _ANSWERS.fullmatch(tidy(key))
        ]
        if node.kind != "object" or len(values) != 1 or len(values) + len(reasons) != len(members):
            return
        (key, said), whose = values[0], (question,)
        if isinstance(grammar, RecordGrammar) and (key in grammar.keys or grammar.allows(node)):
            return
        whole = self._whole(said, whose)
        if whole is not None:
            yield whole
        else:
            yield from self._member(_alone(said), plain, whose, "value", "value")
        for inner in reasons:
            yield from self._leaf(inner, plain, whose, "reason")

    def _is_record(self, node: Node) -> bool:
        """Tell whether an object may be the value itself: by a key that names no question, or by all."""
        grammar = self._numbers.get(self._unnamed or "")
        if not isinstance(grammar, RecordGrammar) or node.kind != "object":
            return False
        keys = [key for key, _ in node.items or ()]
        own = [key for key in keys if key in grammar.keys]
        strange = [key for key in own if self._names.meaning(tidy(key)) is None]
        return bool(strange) or (bool(own) and len(own) == len(keys) and grammar.allows(node))

    def _without_name(self, node: Node, found: list[Entry]) -> list[Entry]:
        """Return what an object says whose keys do not name the question that is answered in JSON.

        Where it may be that question's and others' as well, it is nobody's.
        """
        grammar = self._numbers[self._unnamed or ""]
        if found and not self._is_record(node):
            return found
        assert self._unnamed is not None
        assert isinstance(grammar, RecordGrammar)
        if not found:
            return [Entry(self._unnamed, value=grammar.from_node(node))]
        others = dict.fromkeys(entry.question for entry in found)
        return [_objection(q, node, Cause.AMBIGUOUS) for q in (self._unnamed, *others)]

    def _walk(
        self, node: Node, plain: str, questions: tuple[str, ...], part: str | None
    ) -> Iterator[Entry]:
        top = _top(node)
        for entry in self._entries(node, plain, questions, part):
            value = entry.value
            highest = self._tops.get(entry.question)
            if value and value.number is not None and highest and top not in (None, highest):
                value.number, value.cause = None, Cause.OTHER_SCALE
            yield entry

    def _entries(
        self, node: Node, plain: str, questions: tuple[str, ...], part: str | None
    ) -> Iterator[Entry]:
        if node.items is None:
            if questions and part:
                yield from self._leaf(node, plain, questions, part)
            return
        named = [(self._names.meaning(tidy(key)), inner) for key, inner in node.items]
        if node.kind == "object" and not questions:
            questions = self._named_inside(named)
        elif node.kind == "object" and set(said := self._named_inside(named)) - set(questions):
            # {"Q2": {"label": "面白さ", …}}, which is Q1
            both = dict.fromkeys(questions + said)
            yield from (_objection(q, node, Cause.AMBIGUOUS) for q in both)
            return
        if node.kind == "array" and questions and part == "reason":
            lines = [inner.text for _, inner in node.items if inner.kind == "string"]
            text = trim_reason("\n".join(lines))
            yield from (Entry(q, reason=text, end=node.end) for q in questions)
            return
        for (key, _), (meaning, member) in zip(node.items, named, strict=True):
            if meaning is None:
                if self._is_record(member):
                    continue
                if not questions and member.items is not None and not DRAFT.search(key):
                    yield from self._walk(member, plain, (), part)
                continue
            inner = _alone(member)
            whose = meaning.questions or questions
            # {"Q1": {"Q2": 80}} and {"Q1": [80, 60]} say nothing that could be trusted.
            if questions and set(whose) != set(questions):
                yield from (
                    _objection(q, inner, Cause.AMBIGUOUS) for q in dict.fromkeys(questions + whose)
                )
                continue
            what = meaning.part or part or ("value" if meaning.questions else None)
            whole = self._whole(member, whose) if what == "value" else None
            if whole is not None:
                yield whole
            else:
                yield from self._member(inner, plain, whose, what, meaning.part or part)

    def _member(
        self, inner: Node, plain: str, whose: tuple[str, ...], what: str | None, part: str | None
    ) -> Iterator[Entry]:
        if inner.items is None:
            yield from self._leaf(inner, plain, whose, what)
        elif inner.kind == "object":
            yield from self._walk(inner, plain, whose, part)
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

    def _whole(self, node: Node, whose: tuple[str, ...]) -> Entry | None:
        """Return what a value says that is a list, or JSON; None where it has to be walked into."""
        grammar = self._numbers[whose[0]] if len(whose) == 1 else None
        if isinstance(grammar, RecordGrammar):
            inside = dict(node.items or ()) if node.kind == "object" else {}
            if "value" in inside and inside.keys() <= _PARTS and not grammar.allows(node):
                node = inside["value"]
        elif isinstance(grammar, ListGrammar) and node.kind == "object":
            value = grammar.from_object(node)
            return None if value is None else Entry(whose[0], value=value)
        elif not isinstance(grammar, NodeGrammar) or node.kind == "object":
            return None
        return Entry(whose[0], value=grammar.from_node(node))

    def _number(self, node: Node, plain: str, numbers: Grammar) -> Value:
        if isinstance(numbers, NodeGrammar):
            return numbers.from_node(node)
        span = (node.begin, node.end)
        if node.kind == "number" and numbers.takes_figures and len(node.text) <= _LONGEST_NUMBER:
            number = Decimal(node.text)
            if "e" not in node.text.lower() and (number or node.text[0] != "-"):
                begin = node.begin + (node.text[0] == "+")
                return Value(number, None, (begin, node.end), node.end, node.end)
        elif node.kind == "word" and node.text in NOTHING:
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


def _is_all(visible: str, node: Node) -> bool:
    """Tell whether an answer is nothing but this, and perhaps a fence around it."""
    around = visible[: node.begin] + "\n" + visible[node.end :]
    return FENCE.fullmatch(around) is not None


def _alone(node: Node) -> Node:
    """Return the one value of a list of one."""
    alone = node.kind == "array" and node.items and len(node.items) == 1
    return node.items[0][1] if alone and node.items else node


def _top(node: Node) -> Decimal | None:
    """Return the highest number of the scale that an object announces, as in {"max": 10, …}."""
    if node.kind != "object" or node.items is None:
        return None
    scale = next((inner for key, inner in node.items if _SCALE.fullmatch(tidy(key))), None)
    if scale is not None and scale.kind == "array" and scale.items:
        scale = scale.items[-1][1]
    if scale is None:
        return None
    if scale.items is not None:
        return _top(scale)
    numbers = _NUMBER.findall(tidy(scale.text))
    return Decimal(numbers[-1]) if numbers else None


def _objection(question: str, node: Node, cause: Cause) -> Entry:
    return Entry(question, value=Value(None, cause, (node.begin, node.end), node.end, node.end))


_LONGEST_NUMBER = 20
FENCE = regex(r"[\s`]*(?:json[c5]?)?[\s`]*", re.IGNORECASE)
"""What may stand around an object that is all of an answer."""
_ANSWERS = regex(
    r"(?:(?:my|the|final|overall)[ _])*(?:answers?|responses?|choices?|selections?|selected|chosen"
    r"|options?|labels?|categor(?:y|ies)|class(?:ification)?|rank(?:ing)?|order|result)",
    re.IGNORECASE,
)
"""In an object that is all of an answer: the key of what was chosen."""
_PARTS = {"value", "reason"}
_SCALE = regex(
    r"[ _]*(?:(?:score|rating|scale|value|point|grade|mark)s?[ _]*)?(?:max(?:imum)?|out *of|full|scale|range|満点|最大|最高|上限)"
    r"[ _]*(?:score|value|rating|grade|marks?|points?|値|点)?[ _]*",
    re.IGNORECASE,
)
_NUMBER = regex(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
DRAFT = regex(
    r"think|thought|draft|scratch|monolog|brainstorm|reflection|思考|下書|草案|草稿|検討|仮の?(?:回答|評価)"
    r"|example|sample|average|typical|previous|others\b|例|平均|前回|他の|サンプル",
    re.IGNORECASE,
)
"""In a key: what stands below it is no answer."""
