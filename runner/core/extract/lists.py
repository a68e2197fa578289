"""Reads several options: those that an answer names, or all of them in an order - or says why not.

Only a plain list is read: options by their names, with separators between them, or each with a box
to tick or a yes or no. A remark may follow, or one behind each, where it denies nothing and names
no other option, since "delivery: not mentioned" is no choice.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.core.extract.languages import is_understood
from runner.core.extract.loose_json import NOTHING, Node, node_at
from runner.core.extract.names import folded
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Value
from runner.core.extract.options import (
    HEDGE,
    LONGEST_REMARK,
    OR,
    OptionNames,
    block_end,
    plainly,
)
from runner.core.extract.phrases import DENIED
from runner.core.extract.ranks import COUNTED, KEY, NUMBERED, counts_up, rank_in
from runner.core.extract.regex import regex
from runner.core.extract.verdicts import VerdictReader
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

    def __init__(self, question: Question) -> None:
        """Compile the names of the options."""
        self._is_rank = question.kind is ItemKind.RANK
        self._count = len(question.options)
        self._bounds = (question.at_least, question.at_most)
        if self._is_rank:
            self._bounds = (self._count, self._count)
        self._names = OptionNames(question.options)
        names = self._names.pattern
        self._name = regex(rf"(?P<name>{names})(?![\w'’-])", re.IGNORECASE)
        self._verdicts = VerdictReader(self._names, self._count)
        self._nones = {place for name, place in self._names.places.items() if _NONE.fullmatch(name)}
        has_figures = any(map(NUMBERED.match, self._names.places))
        self._lead = _LEAD_WITHOUT_NUMBER if has_figures else _LEAD
        self._between = _ORDERED if self._is_rank else _UNORDERED

    def read(self, plain: str, begin: int, end: int) -> Value:
        """Read the list from `begin`; a line may be one option, and a bullet may stand before it."""
        text = plain[begin:end]
        start = begin + len(text) - len(text.lstrip())
        span = (start, max(start, start + len(text.strip())))
        if self.is_unfilled(text):
            return Value(None, Cause.MISSING, (begin, begin), end, end)
        if plain[start : start + 1] in ("{", "["):
            node = node_at(plain, start)
            is_object = node is not None and (node.kind == "object" or _holds_objects(node))
            if node is not None and is_object and _CLOSING.fullmatch(plain, node.end, end):
                return self.from_node(node)
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
        value = self.from_object(node) if node.kind == "object" else None
        if value is not None:
            return value
        if node.kind != "array" or node.items is None:
            return Value(None, Cause.NOT_AN_OPTION, span, node.end, node.end)
        items = [inner for _, inner in node.items]
        if _holds_objects(node):
            return self._in_json(self._of_rows(items), node)
        texts = [inner.text for inner in items if inner.kind == "string"]
        if len(texts) < len(items):
            return self._in_json(Cause.NOT_AN_OPTION, node)
        if len(texts) == 1 and not self._nones and _NONE.fullmatch(tidy(texts[0])):
            return self._in_json([], node)
        named = [one for text in texts if (one := self._whole(text)) is not None]
        if len(named) < len(items):
            return self._in_json(Cause.NOT_AN_OPTION, node)
        numbers = [one.number for one in named]
        if self._is_rank and any(numbers) and not counts_up(numbers):
            return self._in_json(Cause.AMBIGUOUS, node)
        return self._in_json([one.place for one in named], node)

    def from_object(self, node: Node) -> Value | None:
        """Read an object of JSON that says of options whether, or at which place; None where it is none."""
        items = node.items or []
        if not self._is_rank:
            said = self._verdicts.of_object(node)
            return None if said is None else self._in_json(said, node)
        ranks = [rank_in(key) for key, _ in items]
        if items and None not in ranks:
            places = [self._names.places.get(plainly(inner.text)) for _, inner in items]
            known = [place for place in places if place is not None]
            if len(known) == len(items):
                return self._in_json(known if counts_up(ranks) else Cause.AMBIGUOUS, node)
        return None

    def _of_rows(self, rows: Sequence[Node]) -> list[int] | Cause:
        """Return what a list of objects names, each of which says one option, and perhaps its rank."""
        places: list[int] = []
        ranks: list[int | None] = []
        for row in rows:
            members = row.items or []
            ranked = [inner for key, inner in members if KEY.fullmatch(tidy(key))]
            others = [inner for _, inner in members if not any(inner is r for r in ranked)]
            named = [n for n in others if plainly(n.text) in self._names.places]
            if len(named) != 1 or len(ranked) > self._is_rank or not _are_known(members, named[0]):
                return Cause.NOT_AN_OPTION
            place = self._names.places[plainly(named[0].text)]
            remarks = [inner for inner in others if inner is not named[0]]
            if any(inner.kind != "string" for inner in (*named, *remarks)) or not all(
                self._is_harmless(tidy(inner.text), {place}) for inner in remarks
            ):
                return Cause.NOT_AN_OPTION
            places.append(place)
            ranks.append(rank_in(ranked[0].text) if ranked else None)
        if any(row_rank is not None for row_rank in ranks) and not counts_up(ranks):
            return Cause.AMBIGUOUS
        return places

    def _in_json(self, places: list[int] | Cause, node: Node) -> Value:
        span = (node.begin, node.end)
        value = (
            Value(None, places, span) if isinstance(places, Cause) else self._value(places, span)
        )
        value.rest = value.end = node.end
        return value

    def end_of(self, plain: str, begin: int, end: int) -> int:
        """Return where a list ends: at a blank line, unless the next of numbered options follows it."""
        stop = block_end(plain, begin, end)
        at = begin
        while stop < end and self._is_numbered(plain, at, end):
            at = stop
            if not self._is_numbered(plain, at, end):
                break
            stop = block_end(plain, at, end)
        return stop

    def _is_numbered(self, plain: str, at: int, end: int) -> bool:
        """Tell whether the next line with anything in it is a number and an option."""
        at = end - len(plain[at:end].lstrip())
        lead = self._lead.match(plain, at, end)
        has_number = lead is not None and "number" in lead.re.groupindex and bool(lead["number"])
        return has_number and lead is not None and bool(self._name.match(plain, lead.end(), end))

    def _value(self, places: list[int], span: tuple[int, int]) -> Value:
        """Judge how many there are; what has no order is put into that of the options."""
        once = list(dict.fromkeys(places))
        if not self._is_rank:
            places = once = sorted(once)
        low, high = self._bounds
        if len(once) > 1 and self._nones.intersection(once):
            return Value(None, Cause.AMBIGUOUS, span)
        if len(once) != len(places) or not low <= len(once) <= high:
            return Value(None, Cause.WRONG_COUNT, span)
        return Value(coded(once), None, span)

    def _said(self, plain: str, begin: int, end: int) -> tuple[list[int], int, int] | Cause:
        """Return the options named, where the last one ends, and where a remark begins."""
        if not self._nones and self._says_none(plain[begin:end]):
            return ([], end, end)
        said = None if self._is_rank else self._verdicts.read(plain, begin, end)
        if said is not None:
            return said if isinstance(said, Cause) else (said, end, end)
        named: list[_Named] = []
        at = begin
        for one in self._list(plain, begin, end):
            named.append(one)
            at = one.end
        rest = plain[at:end]
        if not named:
            several = len(self._names.within(rest)) > 1
            return Cause.AMBIGUOUS if several else Cause.NOT_AN_OPTION
        closing = _CLOSING.match(rest)
        stop = at + (closing.end() if closing else 0)
        remark = plain[stop:end]
        if remark.strip() and not self._is_remark(rest, remark, {one.place for one in named}):
            lines = self._by_line(plain, begin, end)
            if not lines:
                return Cause.AMBIGUOUS if self._names.within(remark) else Cause.NOT_AN_OPTION
            named, at, stop = lines, end, end
        numbers = [one.number for one in named]
        if self._is_rank and any(numbers) and not counts_up(numbers):
            return Cause.AMBIGUOUS
        return [one.place for one in named], at, stop

    def _list(self, plain: str, begin: int, end: int) -> Iterator[_Named]:
        """Yield the options of a list, up to what is none."""
        at: int | None = begin
        while at is not None:
            one = self._one(plain, at, end)
            if one is None:
                return
            yield one
            between = self._between.match(plain, one.end, end)
            at = between.end() if between else None

    def _one(self, plain: str, at: int, end: int) -> _Named | None:
        """Return the option that stands here, with the number before or behind it."""
        lead = self._lead.match(plain, at, end)
        match = self._name.match(plain, lead.end() if lead else at, end)
        if match is None:
            return None
        number = rank_in(lead["number"]) if lead and "number" in lead.re.groupindex else None
        stop = match.end()
        behind = _BEHIND.match(plain, stop, end) if self._is_rank else None
        if behind:
            stop = behind.end()
            number = int(behind[1]) if number in (None, int(behind[1])) else _NO_NUMBER
        return _Named(self._names.places[folded(match["name"])], number, match.start(), stop)

    def _whole(self, text: str) -> _Named | None:
        """Return the option that a text is, and nothing else."""
        plain = plainly(text)
        if plain in self._names.places:
            return _Named(self._names.places[plain], None, 0, len(plain))
        one = self._one(plain, 0, len(plain))
        return one if one is not None and one.end == len(plain) else None

    def _by_line(self, plain: str, begin: int, end: int) -> list[_Named]:
        """Return the options of lines that begin with one each, and say something of it.

        Where choices say something of every option there is, it may be of each whether it is one.
        """
        starts: list[_Named] = []
        at = begin
        for line in plain[begin:end].split("\n"):
            one = self._one(plain, at, at + len(line))
            starts += [one] if one is not None else []
            at += len(line) + 1
        if len(starts) < 2 or plain[begin : starts[0].begin].count("\n"):
            return []
        if len(starts) == self._count and not self._is_rank:
            return []
        for one, following in zip(starts, [*starts[1:], None], strict=True):
            stop = plain.rfind("\n", 0, following.begin) if following else end
            rest = plain[one.end : stop]
            closing = _CLOSING.match(rest)
            remark = rest[closing.end() :] if closing else rest
            is_remark = _REMARK.match(rest) and self._is_harmless(remark, {one.place})
            is_remark = is_remark and (self._is_rank or not _PASSING.search(remark))
            if remark.strip() and not is_remark:
                return []
        return starts

    def _says_none(self, text: str) -> bool:
        """Tell whether a text says that it is none of the options, and nothing against that."""
        said = _NONE.match(text)
        if said is None:
            return False
        rest = text[said.end() :]
        closing = _CLOSING.match(rest)
        remark = rest[closing.end() :] if closing else rest
        if not remark.strip():
            return True
        if not (_REMARK.match(rest) or _STOPPED.search(said[0])) or len(remark) > LONGEST_REMARK:
            return False
        if self._names.within(remark) or HEDGE.search(remark) or _YET.search(remark):
            return False
        return all(map(is_understood, _SENTENCE.split(remark)))

    def _is_remark(self, rest: str, remark: str, places: set[int]) -> bool:
        """Tell whether what follows a list adds nothing to it, and takes nothing back."""
        if not _REMARK.match(rest) or self._contradicts(remark, places):
            return False
        return self._is_harmless(remark, places)

    def _is_harmless(self, remark: str, places: set[int]) -> bool:
        """Tell whether a remark names no other option than some, and takes nothing back."""
        if len(remark) > LONGEST_REMARK or not self._names.within(remark) <= places:
            return False
        if HEDGE.search(remark) or OR.match(remark) or DENIED.search(remark):
            return False
        if self._is_rank and _WEIGHED.search(remark):
            return False
        return all(map(is_understood, _SENTENCE.split(remark)))

    def _is_slot(self, inside: str) -> bool:
        """Tell whether a text is a lead and all options in order, as the form has them."""
        lead, _, listed = inside.partition(": ")
        found = self._names.listed(listed)
        first = self._name.search(listed)
        if first is None or self._names.within(lead) or ":" in listed[first.end() :]:
            return False
        return found[: self._count] == list(range(self._count))


def _holds_objects(node: Node) -> bool:
    return bool(node.items) and all(inner.kind == "object" for _, inner in node.items or ())


def _are_known(members: Sequence[tuple[str, Node]], named: Node) -> bool:
    """Tell whether an object calls its option by a word for one, and says nothing else but why."""
    return all(
        (_OPTION_KEY if inner is named else _WHY_KEY).fullmatch(tidy(key))
        for key, inner in members
        if not KEY.fullmatch(tidy(key))
    )


_OPTION_KEY = regex(
    r"(?:item|option|topic|name|label|value|choice|category|answer|aspect|theme|factor|criterion|title"
    r"|text|id)s?",
    re.IGNORECASE,
)
_WHY_KEY = regex(
    r"reason(?:ing)?|why|because|explanation|justification|rationale|comment|evidence|quote|note|理由",
    re.IGNORECASE,
)
_BLANKS = " []()\"'.。_-\n"
_SHUT = r"[ \])\"'”’」]*"
_LEAD = regex(
    rf"[ \[(\"'“‘「]*(?:[-•・●○◦▪] *)?(?:\(?(?:rank *)?{COUNTED}(?:[.):]|位[:.、 ]?| -(?= )|(?<=st|nd|rd|th)(?= )) *)?"
    r"[ \[(\"'“‘「]*",
    re.IGNORECASE,
)
"""What may stand before an option of a list."""
_LEAD_WITHOUT_NUMBER = regex(r"[ \[(\"'“‘「]*(?:[-•・●○◦▪] *)?[ \[(\"'“‘「]*")
"""The same where an option may begin with a figure."""
_BEHIND = regex(rf"{_SHUT}[\[(] *(?:rank *)?([0-9]{{1,3}})(?:st|nd|rd|th)? *[\])]", re.IGNORECASE)
"""The rank of an option, behind it."""
_NO_NUMBER = -1
"""Stands for two numbers that contradict each other."""
_AND = r"(?:(?:and|plus) |と|および|及び)"
_BETWEEN = rf"{_SHUT}(?:(?:[,;/、，；・|+&] *)(?:\n[ \n]*|{_AND})?|\n[ \n]*|{_AND}|(?<= )(?=\(?[0-9]{{1,2}}[.)]))"
_UNORDERED = regex(_BETWEEN, re.IGNORECASE)
"""What stands between two options."""
_ORDERED = regex(rf"{_SHUT}(?:>|->|→|⇒|＞)|{_BETWEEN}", re.IGNORECASE)
_CLOSING = regex(rf"{_SHUT}[.。!]?[ \n]*")
_REMARK = regex(
    rf"{_SHUT}(?:[.。!:：(\n—–]|- |->|because\b|since\b|です|だ(?:[。 ]|$))", re.IGNORECASE
)
"""What begins a remark."""
_NONE = regex(
    r"[ \[(\"']*(?:none(?: of (?:them|these|those|the above)"
    r"|(?: of (?:the|these) (?:above )?(?:options|topics|categories|items|aspects|themes|labels)))?"
    r"(?: (?:is|are|was|were))?(?: (?:mentioned|named|present|discussed|found|addressed|given|chosen"
    r"|selected|identified|appl(?:y|ies|icable)))?|該当なし|なし|いずれもなし|どれもなし)(?![\w-])[ \])\"'.。]*",
    re.IGNORECASE,
)
_STOPPED = regex(r"[.。] *$")
_YET = regex(
    r"\b(?:except|besides|apart|other than|but|though|although|however|yet|only|first|second|third"
    r"|last|both|some|few|all|instead|actually|wrong|kidding|almost|nearly|indirectly|hint\w*"
    r"|impl\w+)\b|以外|ただ|しかし|[0-9]",
    re.IGNORECASE,
)
"""Behind "none": what may take it back."""
_WEIGHED = regex(
    r"\b(?:lowest|bottom|worst|unimportant|minor|trivial|negligible|secondary|highest|top|best|than"
    r"|rather|ends?|final(?:ly)?|after|before|behind|ahead|below|above|beneath|under|over)\b|より|末|後",
    re.IGNORECASE,
)
"""Behind an option of an order: what may mean that the order begins at its other end."""
_PASSING = regex(
    r"\b(?:could|would|should|might|(?:hard|difficult) to|doubt\w*|in passing|brief\w*|implicit\w*"
    r"|implie[sd]|indirect\w*|hint\w*|suggest\w*|assum\w*)\b|かも|だろう",
    re.IGNORECASE,
)
"""Behind one of several options with a remark each: what may make it none."""
_SENTENCE = regex(r"[.!。;\n]+")
