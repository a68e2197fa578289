"""Reads answers that name all questions and give each one number: in sentences, or on one line.

Taken only as a whole: every question is named, each has one number, the number stands behind the
name ("面白さ72、驚き58", "surprise gets 58") or before it ("58 for surprise"), there is no other
number anywhere, and no word that makes a number somebody else's or nobody's.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.core.extract.names import Names, folded
from runner.core.extract.number import COUNTED, NumberGrammar
from runner.core.extract.objects import Entry
from runner.core.extract.reason import trim_remark

LONGEST = 20_000
"""Characters; a longer answer is not read in this way."""


@dataclass(frozen=True, slots=True)
class _Mention:
    """Where a question is named."""

    begin: int
    end: int
    question: str


class SentenceReader:
    """Reads whole answers to one question set."""

    def __init__(
        self, names: Names, order: Sequence[str], numbers: Mapping[str, NumberGrammar]
    ) -> None:
        """Keep what questions are called, and who reads the numbers."""
        self._order = tuple(order)
        self._numbers = numbers
        self._known = {**names.labels, **names.ids}
        longest_first = sorted(self._known, key=len, reverse=True)
        every = "|".join(
            f"{' +'.join(map(re.escape, name.split()))}{_ends(name)}" for name in longest_first
        )
        self._name = re.compile(rf"(?<![0-9a-z])(?:{every})", re.IGNORECASE)

    def read(self, visible: str, plain: str) -> list[Entry]:
        """Return an entry with a value for every question, and one for each reason; else nothing."""
        if len(self._order) < _FEWEST or len(plain) > LONGEST:
            return []
        if _DOUBT.search(plain) or "{" in plain:  # an object that is cut, or none
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
        clear = list(plain)
        for mention in mentions:
            clear[mention.begin : mention.end] = " " * (mention.end - mention.begin)
        bare = _NUMBERING.sub(_blanks, COUNTED.sub(_blanks, "".join(clear)))
        places = [match.span() for match in _NUMBER.finditer(bare)]
        if len(places) != len(self._order):
            return []
        whose = self._whose(bare, plain, mentions, places)
        if sorted(whose) != sorted(self._order):
            return []
        found = list(self._entries(visible, plain, mentions, places, whose))
        return found if all(e.value is None or e.value.cause is None for e in found) else []

    def _whose(
        self, bare: str, plain: str, mentions: list[_Mention], places: list[tuple[int, int]]
    ) -> list[str]:
        """Return the question of each number; fewer when one has none."""
        starts = [mention.begin for mention in mentions]
        whose = []
        for begin, end in places:
            at = bisect_right(starts, begin)
            after = mentions[at] if at < len(mentions) else None
            before = mentions[at - 1] if at else None
            if after is not None and _FOR.fullmatch(plain, end, after.begin):
                whose.append(after.question)
            elif before is not None and _LINK.fullmatch(bare, before.end, begin):
                whose.append(before.question)
        return whose

    def _entries(
        self,
        visible: str,
        plain: str,
        mentions: list[_Mention],
        places: list[tuple[int, int]],
        whose: list[str],
    ) -> Iterator[Entry]:
        for number, ((begin, end), question) in enumerate(zip(places, whose, strict=True)):
            line = plain.find("\n", end)
            stop = len(plain) if line < 0 else line
            others = [m.begin for m in mentions if m.begin >= end and m.question != question]
            stop = min([stop, *others, *(b for b, _ in places[number + 1 : number + 2])])
            goes_on = _GOES_ON.match(plain, end, stop)
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


def _ends(name: str) -> str:
    """Return what keeps a name from being the beginning of a longer one."""
    if name[-1].isdigit():
        return "(?![0-9])"
    return "(?![a-z])" if name[-1].isascii() else ""


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])


_FEWEST = 2
_SEPARATORS = " /,、・|;"
_GLUE = re.compile(r"[ .:)/-]{0,4}")
_STOPS = (".", "。", "!", "！", ";", "；")
_NUMBERING = re.compile(r"(?m)^[ >]{0,6}(?:[0-9]{1,2}[.)]|\([0-9]{1,2}\)) ")
_NUMBER = re.compile(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?")
_LINK = re.compile(r"[^\n。.!?！？0-9]{0,60}(?:\n[^\n。.!?！？0-9]{0,30})?")
"""What may stand between a name and its number."""
_FOR = re.compile(r" *(?:点|points?|%)? *(?:for|on|to|in) (?:the )?[\"'\[]?", re.IGNORECASE)
_GOES_ON = re.compile(
    r" (?:because|since|as|for|due|with|and|on|in|but|given|owing|thanks|while|to)\b", re.IGNORECASE
)
_COUNTED_OFF = re.compile(
    r"\s*(?P<first>[^\s~:=-]{1,40}) *(?:~|-|から|to) *(?P<last>[^\s~:=-]{1,40}) *[:=] *"
    r"(?P<rest>\d{1,4}(?: *点)?(?: *[,、/] *\d{1,4}(?: *点)?)+)[\s。.]*"
)
_DOUBT = re.compile(
    r"もし|仮に|仮の|例|平均|前回|以前|予想|他の|ほかの|多くの|一般|参考|ではな|じゃな|より|それとも|または|あるいは|訂正|修正"
    r"|最終|満点|段階|から[0-9]|割合|比率|配分|重み|(?:読者|友人|批評家|評論家|人々)(?:なら|は|が|の)"
    r"|\b(?:if|example|sample|average|others?|most|typical|previous(?:ly)?|earlier|expected|hypothe\w*"
    r"|not|no|nor|never|cannot|than|least|between|or|either|instead|correct\w*|revis\w*|final\w*|initial\w*"
    r"|first|then|draft|weight\w*|proportion\w*|ratio|readers|people|critics|friends?|scale|out of|placeholder|might|could|maybe|perhaps)\b|n't",
    re.IGNORECASE,
)
"""What makes a number somebody else's, another time's, or nobody's."""
