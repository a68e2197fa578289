"""Reads several options: those that an answer names, or all of them in an order - or says why not.

Only a plain list is read: options by their names, with separators between them. A remark may follow
where it denies nothing and names no other option, since "delivery: not mentioned" is no choice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from runner.core.extract.languages import is_understood
from runner.core.extract.loose_json import NOTHING, Node
from runner.core.extract.names import folded
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Value
from runner.core.extract.options import HEDGE, LONGEST_REMARK, OR, OptionNames, plainly
from runner.core.extract.phrases import DENIED
from runner.core.model import Cause, ItemKind, Question, chosen, coded


@dataclass(frozen=True, slots=True)
class _Named:
    place: int
    """Of the option, from 0."""
    number: int | None
    """What it was numbered with."""
    begin: int
    end: int


class ListGrammar:
    """Reads the options that one place names, for one question."""

    takes_figures = False
    """Whether a bare number of JSON is a value."""
    goes_below = True
    """Whether it may take more than one line."""

    def __init__(self, question: Question) -> None:
        """Compile the names of the options."""
        self._is_rank = question.kind is ItemKind.RANK
        self._count = len(question.options)
        self._bounds = (question.at_least, question.at_most)
        if self._is_rank:
            self._bounds = (self._count, self._count)
        self._names = OptionNames(question.options)
        self._name = re.compile(rf"(?P<name>{self._names.pattern})(?![\w'’-])", re.IGNORECASE)
        self._may_be_none = not any(map(_NONE.fullmatch, self._names.places))
        has_figures = any(name[:1].isdigit() for name in self._names.places)
        self._lead = _LEAD_WITHOUT_NUMBER if has_figures else _LEAD
        self._between = _ORDERED if self._is_rank else _UNORDERED

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Read the list from `begin`; a line may be one option, and a bullet may stand before it."""
        text = plain[begin:end]
        start = begin + len(text) - len(text.lstrip())
        span = (start, max(start, start + len(text.strip())))
        if self.is_unfilled(text):
            return Value(None, Cause.MISSING, (begin, begin), end, end)
        said = self._said(plain, start, span[1])
        if isinstance(said, Cause):
            return Value(None, said, span, end, end)
        places, stop, rest = said
        value = self._value(places, (start, stop))
        value.rest, value.end = rest, end
        return value

    def is_unfilled(self, written: str) -> bool:
        """Tell whether a text is what the form has in the place of an answer."""
        inside = written.strip(_BLANKS)
        return not inside or (": " in inside and self._is_slot(inside))

    def others_in(self, text: str, code: Decimal) -> bool:
        """Tell whether a tidied text names options, and not just those of a value; of a rank, any."""
        return self._contradicts(text, set(chosen(code)))

    def _contradicts(self, text: str, places: set[int]) -> bool:
        named = self._names.within(text)
        return bool(named) and (self._is_rank or named != places)

    def from_node(self, node: Node) -> Value:
        """Read what stands in JSON: a list of options, or a text that lists them."""
        span = (node.begin, node.end)
        if node.kind == "word" and node.text in NOTHING:
            return Value(None, Cause.MISSING, span, node.end, node.end)
        if node.kind == "string":
            if not node.text.strip():
                return Value(None, Cause.MISSING, span, node.end, node.end)
            said = self.read(tidy(node.text), 0, len(node.text))
            said.span, said.rest, said.end = span, node.end, node.end
            return said
        if node.kind != "array" or node.items is None:
            return Value(None, Cause.NOT_AN_OPTION, span, node.end, node.end)
        places = [self._names.places.get(plainly(inner.text)) for _, inner in node.items]
        strings = all(inner.kind == "string" for _, inner in node.items)
        if not strings or None in places:
            return Value(None, Cause.NOT_AN_OPTION, span, node.end, node.end)
        value = self._value([place for place in places if place is not None], span)
        value.rest = value.end = node.end
        return value

    def _value(self, places: list[int], span: tuple[int, int]) -> Value:
        """Judge how many there are; what has no order is put into that of the options."""
        once = list(dict.fromkeys(places))
        if not self._is_rank:
            places = once = sorted(once)
        low, high = self._bounds
        if len(once) != len(places) or not low <= len(once) <= high:
            return Value(None, Cause.WRONG_COUNT, span)
        return Value(coded(once), None, span)

    def _said(self, plain: str, begin: int, end: int) -> tuple[list[int], int, int] | Cause:
        """Return the options named, where the last one ends, and where a remark begins."""
        if self._may_be_none and _NONE.fullmatch(plain, begin, end):
            return ([], end, end)
        named: list[_Named] = []
        at = begin
        for one in self._list(plain, begin, end):
            named.append(one)
            at = one.end
        rest = plain[at:end]
        if not named:
            several = len(self._names.within(rest)) > 1
            return Cause.AMBIGUOUS if several else Cause.NOT_AN_OPTION
        places = [one.place for one in named]
        closing = _CLOSING.match(rest)
        remark = rest[closing.end() :] if closing else rest
        if remark.strip() and not self._is_remark(rest, remark, set(places)):
            return Cause.AMBIGUOUS if self._names.within(remark) else Cause.NOT_AN_OPTION
        numbers = [one.number for one in named]
        if self._is_rank and any(numbers) and numbers != list(range(1, len(numbers) + 1)):
            return Cause.AMBIGUOUS
        return places, at, at + (closing.end() if closing else 0)

    def _list(self, plain: str, begin: int, end: int) -> Iterator[_Named]:
        """Yield the options of a list, up to what is none."""
        at: int | None = begin
        while at is not None:
            lead = self._lead.match(plain, at, end)
            match = self._name.match(plain, lead.end() if lead else at, end)
            if match is None:
                return
            number = lead["number"] if lead and lead.re.groups else None
            place = self._names.places[folded(match["name"])]
            yield _Named(place, int(number) if number else None, match.start(), match.end())
            between = self._between.match(plain, match.end(), end)
            at = between.end() if between else None

    def _is_remark(self, rest: str, remark: str, places: set[int]) -> bool:
        """Tell whether what follows a list adds nothing to it, and takes nothing back."""
        if len(remark) > LONGEST_REMARK or not _REMARK.match(rest):
            return False
        if self._contradicts(remark, places):
            return False
        if HEDGE.search(remark) or OR.match(remark) or DENIED.search(remark):
            return False
        return all(map(is_understood, _SENTENCE.split(remark)))

    def _is_slot(self, inside: str) -> bool:
        """Tell whether a text is a lead and all options in order, as the form has them."""
        lead, _, listed = inside.partition(": ")
        found = self._names.listed(listed)
        return not self._names.within(lead) and found[: self._count] == list(range(self._count))


_BLANKS = " []()\"'.。_-\n"
_SHUT = r"[ \])\"'”’」]*"
_LEAD = re.compile(
    r"[ \[(\"'“‘「]*(?:[-•・●○◦▪] *)?(?:\(?(?P<number>[0-9]{1,3})(?:[.):]|位[:.、 ]?) *)?[ \[(\"'“‘「]*"
)
"""What may stand before an option of a list."""
_LEAD_WITHOUT_NUMBER = re.compile(r"[ \[(\"'“‘「]*(?:[-•・●○◦▪] *)?[ \[(\"'“‘「]*")
"""The same where an option may begin with a figure."""
_AND = r"(?:(?:and|plus) |と|および|及び)"
_BETWEEN = rf"{_SHUT}(?:(?:[,;/、，；・|+&] *)(?:\n[ \n]*|{_AND})?|\n[ \n]*|{_AND}|(?<= )(?=\(?[0-9]{{1,2}}[.)]))"
_UNORDERED = re.compile(_BETWEEN, re.IGNORECASE)
"""What stands between two options."""
_ORDERED = re.compile(rf"{_SHUT}(?:>|->|→|⇒|＞)|{_BETWEEN}", re.IGNORECASE)
_CLOSING = re.compile(rf"{_SHUT}[.。!]?[ \n]*")
_REMARK = re.compile(
    rf"{_SHUT}(?:[.。!:：(\n—–]|- |->|because\b|since\b|です|だ(?:[。 ]|$))", re.IGNORECASE
)
"""What begins a remark."""
_NONE = re.compile(
    r"[ \[(\"']*(?:none(?: of (?:them|these|the above|the options))?|該当なし|なし|いずれもなし|どれもなし)"
    r"[ \])\"'.。]*",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!。;\n]+")
