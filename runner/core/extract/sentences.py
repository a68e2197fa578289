"""Reads answers that name all questions and give each one number: in sentences, or on one line.

Taken only as a whole: every question is named, each has one number, the number stands behind the
name ("面白さ72、驚き58", "surprise gets 58") or before it ("58 for surprise"), there is no other
number anywhere, no word that makes a number another's or no answer, and between name and
number, and before both, only what is known to say nothing of that kind.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.core.extract.names import Names, any_of, folded, name_ends
from runner.core.extract.normalize import blanks
from runner.core.extract.number import COUNTED, SIGNS, Entry, NumberGrammar, Value, is_of_signs
from runner.core.extract.phrases import (
    BEFORE,
    CLAUSE,
    DOUBT,
    FOLLOWS,
    FOR,
    FRAME,
    GOES_ON,
    LINK,
    POINTS,
    STOP,
)
from runner.core.extract.reason import trim_remark
from runner.core.extract.regex import regex
from runner.core.model import Cause

LONGEST = 20_000
"""Characters; a longer answer is not read in this way."""


@dataclass(frozen=True, slots=True)
class _Mention:
    """Where a question is named."""

    begin: int
    end: int
    question: str


@dataclass(frozen=True, slots=True)
class _Said:
    """A number that stands beside the name of its question."""

    question: str
    place: tuple[int, int]
    begin: int
    end: int
    before_name: bool = False


class SentenceReader:
    """Reads whole answers to one question set."""

    def __init__(
        self, names: Names, order: Sequence[str], numbers: Mapping[str, NumberGrammar]
    ) -> None:
        """Keep what questions are called, and who reads the numbers."""
        self._order = tuple(order)
        self._numbers = numbers
        self._known = {**names.labels, **names.ids}
        every = any_of(self._known, name_ends)
        self._name = regex(rf"(?<![0-9a-z])(?:{every})", re.IGNORECASE)

    def read(self, visible: str, plain: str) -> list[Entry]:
        """Return an entry with a value for every question, and one for each reason; else nothing."""
        if len(self._order) < _FEWEST or len(plain) > LONGEST:
            return []
        if "{" in plain:  # an object that is cut, or none
            return []
        for grammar in self._numbers.values():
            plain = grammar.announced_scale.sub(blanks, plain)
        rest = plain
        for grammar in self._numbers.values():
            rest = grammar.written_scale.sub(blanks, rest)
        if DOUBT.search(rest):
            return []
        return self._counted_off(plain) or self._named(visible, plain)

    def _named(self, visible: str, plain: str) -> list[Entry]:
        mentions = [
            _Mention(*match.span(), self._known[folded(match[0])])
            for match in self._name.finditer(plain)
        ]
        if any(
            one.question != two.question and _GLUE.fullmatch(plain, one.end, two.begin)
            for one, two in pairwise(mentions)
        ):
            return []  # "Q2. 面白さ", which is Q1
        places = self._places(plain, mentions)
        if len(places) != len(self._order):
            return []
        said = list(_said(plain, mentions, places))
        if sorted(one.question for one in said) != sorted(self._order):
            return []
        if not _is_ours(COUNTED.sub(blanks, plain), said):
            return []
        found = list(self._entries(visible, plain, mentions, said))
        return found if all(e.value is None or e.value.cause is None for e in found) else []

    def _places(self, plain: str, mentions: list[_Mention]) -> list[tuple[int, int]]:
        """Return where numbers stand, each with its scale, as 72/100; those of names are none."""
        clear = list(_NUMBERING.sub(blanks, plain))
        for mention in mentions:
            clear[mention.begin : mention.end] = " " * (mention.end - mention.begin)
        bare = COUNTED.sub(blanks, "".join(clear))
        places: list[tuple[int, int]] = []
        for match in _NUMBER.finditer(bare):
            if not places or match.start() >= places[-1][1]:
                end = max(n.behind_scale(plain, match.end()) for n in self._numbers.values())
                places.append((match.start(), end))
        return places

    def _entries(
        self,
        visible: str,
        plain: str,
        mentions: list[_Mention],
        said: "list[_Said]",
    ) -> Iterator[Entry]:
        for number, one in enumerate(said):
            begin, end, question = *one.place, one.question
            line = plain.find("\n", end)
            stop = len(plain) if line < 0 else line
            others = [m.begin for m in mentions if m.begin >= end and m.question != question]
            stop = min(
                [stop, *others, *(after.place[0] for after in said[number + 1 : number + 2])]
            )
            goes_on = one.before_name or GOES_ON.match(plain, end, stop)
            signs = sum(sign in SIGNS for sign in plain[one.begin : begin])
            if is_of_signs(plain[begin:end], signs, self._numbers[question].top):
                yield Entry(question, value=Value(None, Cause.OTHER_SCALE, one.place))
                return
            if not goes_on and not FOLLOWS.match(plain, end, stop):
                yield Entry(question, value=Value(None, Cause.NOT_A_NUMBER, one.place))
                return
            phrase = begin + len(plain[begin:stop].rstrip(_SEPARATORS))
            value = self._numbers[question].read(plain, begin, end if goes_on else phrase)
            value.rest = end if goes_on else value.rest
            yield Entry(question, value=value)
            text = visible[value.rest : stop]
            if stop in others:  # "… voice. The surprise" ends before "The"
                text = text[: max(map(text.rfind, _STOPS)) + 1]
            reason = trim_remark(text)
            if reason is not None:
                yield Entry(question, reason=reason, end=value.rest + len(text))

    def _counted_off(self, plain: str) -> list[Entry]:
        """Read "Q1~Q4: 72, 58, 41, 13"."""
        match = _COUNTED_OFF.fullmatch(plain)
        if match is None:
            return []
        ends = [self._known.get(folded(match[name])) for name in ("first", "last")]
        places = [m.span() for m in _NUMBER.finditer(plain, match.start("rest"))]
        if ends != [self._order[0], self._order[-1]] or len(places) != len(self._order):
            return []
        found = [
            Entry(question, value=self._numbers[question].read(plain, begin, end))
            for question, (begin, end) in zip(self._order, places, strict=True)
        ]
        return found if all(e.value and e.value.cause is None for e in found) else []


def _said(plain: str, mentions: list[_Mention], places: list[tuple[int, int]]) -> Iterator[_Said]:
    """Yield each number whose question is said beside it."""
    starts = [mention.begin for mention in mentions]
    for begin, end in places:
        at = bisect_right(starts, begin)
        after = mentions[at] if at < len(mentions) else None
        before = mentions[at - 1] if at else None
        if after is not None and FOR.fullmatch(plain, end, after.begin):
            yield _Said(after.question, (begin, end), begin, after.end, before_name=True)
        elif (
            before is not None
            and begin - before.end <= _FAR
            and LINK.fullmatch(plain, before.end, begin)
        ):
            first = at - 1
            while (
                first
                and mentions[first - 1].question == before.question
                and _GLUE.fullmatch(plain, mentions[first - 1].end, mentions[first].begin)
            ):
                first -= 1
            yield _Said(before.question, (begin, end), mentions[first].begin, end)


def _is_ours(plain: str, said: list[_Said]) -> bool:
    """Tell whether nothing around the numbers can make them another's."""
    before = plain[: said[0].begin]
    sentences = STOP.split(before)
    if BEFORE.search(before) or not all(
        FRAME.fullmatch(sentence) for sentence in sentences[:-1] if POINTS.search(sentence)
    ):
        return False
    at = 0
    for one in said:
        text = plain[at : one.begin]
        sentences = STOP.split(text)
        if at and len(sentences) == 1:  # it goes on behind another number
            sentences = CLAUSE.split(text)
        if not FRAME.fullmatch(sentences[-1]):
            return False
        at = one.end
    return True


_FEWEST = 2
_SEPARATORS = " /,、・|;"
_FAR = 90
"""Characters between a name and its number."""
_GLUE = regex(r"[ .:()/-]{0,4}")
_STOPS = (".", "。", "!", "！", ";", "；")
_NUMBERING = regex(r"(?m)^[ >]{0,6}(?:[0-9]{1,2}[.)]|\([0-9]{1,2}\)) ")
_NUMBER = regex(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?")
_COUNTED_OFF = regex(
    r"\s*(?P<first>[^\s~:=-]{1,40}) *(?:~|-|から|to) *(?P<last>[^\s~:=-]{1,40}) *[:=] *"
    r"(?P<rest>\d{1,4}(?: *点)?(?: *[,、/] *\d{1,4}(?: *点)?)+)[\s。.]*"
)
