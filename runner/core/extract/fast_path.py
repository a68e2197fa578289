"""Answers in a layout that is known by heart: read at once, as the patterns would read them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from runner.core.extract import bare
from runner.core.extract.doubts import is_note, stirs
from runner.core.extract.extractor import Extractor
from runner.core.extract.matcher import Finder, Mark
from runner.core.extract.names import linear
from runner.core.extract.normalize import BLANKS, tidy
from runner.core.extract.reason import trim_reason
from runner.core.extract.regex import regex
from runner.core.extract.thoughts import hide_thoughts
from runner.core.model import PatternKind, Question, QuestionSet, Reading
from runner.core.prompt import form_of

Read = Callable[[str], Mapping[str, Reading]]
"""Reads an answer by its patterns, and judges it."""
MOST_WAYS = 12
MOST_LESSONS = 60
"""Answers from which it tries to learn another layout."""
LONGEST_LESSON = 20_000
"""Characters; nothing is learned from a longer answer."""


class FastPath:
    """Knows the form as asked, and learns the layouts that the patterns read well.

    What it reads, the patterns read alike: each layout is tried out on them first, and only what
    leaves nothing open is taken - a line with a bare number within bounds for each question, and
    below it, where it was asked for, a reason of one line without markdown. Everything else is left to the patterns.
    """

    def __init__(self, questions: QuestionSet, read: Read, extractor: Extractor) -> None:
        """Try out the ways of writing the form.

        Args:
            questions: what is asked.
            read: reads an answer by its patterns.
            extractor: finds what is announced, and what is said beside the values.
        """
        self._questions = questions
        self._read = read
        self._extractor = extractor
        self._lessons = 0
        self._have_reasons = [question.asks_reason for question in questions.questions]
        self._count = len(self._have_reasons) + sum(self._have_reasons)
        self._with_gaps = self._count + len(self._have_reasons) - 1
        self._ways: list[_Way] = []
        self._tried: set[tuple[_Heads, ...]] = set()
        heads = [_heads(questions, question) for question in questions.questions]
        known = [pair for pair in heads if pair is not None]
        if known and len(known) == len(heads):
            for write in _WRITINGS:
                self._try([_written(heads, write) for heads in known])

    def read(self, text: str) -> dict[str, Reading] | None:
        """Return a valid reading of every question; None when that takes a closer look."""
        for way in self._ways:
            if text.startswith(way.layout[0].value) and (match := way.whole.fullmatch(text)):
                readings = _filled_in(way, match)
                if readings is None or hide_thoughts(text).text is not text:
                    return None
                return None if self._is_in_doubt(way, match, readings) else readings
        return None

    def _is_in_doubt(
        self, way: "_Way", match: re.Match[str], readings: Mapping[str, Reading]
    ) -> bool:
        """Tell whether the answer says something beside its values that the patterns would weigh."""
        plain = tidy(match.string)
        if way.is_plain and not stirs(plain):
            return False
        numbers = {q: [r.value] for q, r in readings.items() if isinstance(r.value, Decimal)}
        doubts = self._extractor.doubter.find(plain, _marks(way, match), numbers)
        return doubts is None or next(doubts, None) is not None

    def learn(self, text: str, readings: Mapping[str, Reading]) -> None:
        """Look at an answer that the patterns read: its layout may be one to know by heart."""
        if (
            self._lessons >= MOST_LESSONS
            or len(self._ways) >= MOST_WAYS
            or len(text) > LONGEST_LESSON
        ):
            return
        self._lessons += 1
        rows = self._rows(text)
        if rows is None or any(r.cause or r.span is None for r in readings.values()):
            return
        heads: list[_Heads] = []
        for (at, value, why), reading in zip(rows, readings.values(), strict=True):
            assert reading.span is not None
            begin, end = (place - at for place in reading.span)
            reason = reading.reason or ""
            if not (0 <= begin < end <= len(value)) or bool(reason) != (why is not None):
                return
            if why is not None and not why.endswith(reason):
                return
            before = None if why is None else why.removesuffix(reason)
            heads.append(_Heads(value[:begin], value[end:], before))
        self._try(heads)

    def _rows(self, text: str) -> list[tuple[int, str, str | None]] | None:
        """Return where each question's line begins, that line, and the reason's where one was asked for.

        Between the questions may be blank lines; None for anything else.
        """
        lines = text.split("\n")
        while lines and lines[-1] == "":
            lines.pop()
        if len(lines) not in (self._count, self._with_gaps):
            return None
        gap = int(len(lines) != self._count)
        rest = iter(lines)
        rows: list[tuple[int, str, str | None]] = []
        at = 0
        for number, has_reason in enumerate(self._have_reasons):
            if gap and number and next(rest):
                return None
            value, why = next(rest), next(rest) if has_reason else None
            rows.append((at, value, why))
            at += len(value) + 1 + (0 if why is None else len(why) + 1) + gap
        return rows

    def _try(self, heads: "Iterable[_Heads]") -> None:
        """Add a layout if the patterns read it as it says, whatever is filled in."""
        layout = tuple(heads)
        words = "".join(part or "" for one in layout for part in one)
        if layout in self._tried or any(sign in words for sign in "<{\n"):
            return
        self._tried.add(layout)
        questions = self._questions.questions
        patterns: dict[str, str] = {}
        for probe in _PROBES:
            for share, digits in ((0, _NARROW), (37, _NARROW), (73, _WIDE), (100, _NARROW)):
                numbers = [q.minimum + (q.maximum - q.minimum) * share // 100 for q in questions]
                text = "\n".join(
                    f"{value}{str(number).translate(digits)}{tail}"
                    + ("" if reason is None else f"\n{reason}{probe}")
                    for (value, tail, reason), number in zip(layout, numbers, strict=True)
                )
                readings = self._read(text)
                for question, parts, number in zip(questions, layout, numbers, strict=True):
                    reading = readings[question.id]
                    if (
                        reading.cause is not None
                        or reading.reason != (None if parts.reason is None else probe)
                        or reading.value != number
                        or reading.pattern in (None, bare.NAME)
                        or patterns.setdefault(question.id, reading.pattern) != reading.pattern
                    ):
                        return
        self._ways.append(_way(questions, layout, patterns, self._labelled(text)))

    def _labelled(self, text: str) -> tuple[bool, ...]:
        """Tell of each question whether a pattern knows its reason's line, or it is a remark.

        Of one without a reason's line there is nothing to know.
        """
        known = {mark.line for mark in self._extractor.marks(text) if mark.finder.group == "reason"}
        rows = self._rows(text) or ()
        return tuple(why is None or at + len(value) + 1 in known for at, value, why in rows)


class _Heads(NamedTuple):
    value: str
    """What stands before the number."""
    tail: str
    """What stands behind it."""
    reason: str | None
    """What stands before the reason; None where none was asked for."""


class _Place(NamedTuple):
    question: str
    pattern: str
    numbers: Mapping[str, Decimal]
    has_reason: bool


@dataclass(frozen=True, slots=True)
class _Way:
    whole: re.Pattern[str]
    """Matches a whole answer; its groups are each question's number and, if asked for, reason."""
    places: tuple[_Place, ...]
    layout: tuple[_Heads, ...]
    """What stands around each number, and before each reason."""
    labelled: tuple[bool, ...]
    """Whether a pattern knows the line of each reason."""
    is_plain: bool
    """Whether every line is one of a question, its value's or its reason's, and none is a note."""


def _filled_in(way: _Way, match: re.Match[str]) -> dict[str, Reading] | None:
    readings: dict[str, Reading] = {}
    written, spans = match.groups(), match.regs
    place = 1
    for question, pattern, numbers, has_reason in way.places:
        value = numbers.get(written[place - 1])
        if value is None:
            return None
        if not has_reason:
            readings[question] = _made(Reading, (value, None, pattern, None, spans[place], ()))
            place += 1
            continue
        reason = written[place]
        # Nothing is trimmed off a reason that begins with a letter and ends in no blank.
        if len(reason) < _LONG_ENOUGH or not reason[0].isalpha() or reason[-1] in _BLANKS:
            reason = trim_reason(reason) or ""
            if not reason:
                return None
        # As Reading(…) makes it, which would take twice as long.
        readings[question] = _made(Reading, (value, reason, pattern, None, spans[place], ()))
        place += 2
    return readings


def _marks(way: _Way, match: re.Match[str]) -> Iterator[Mark]:
    """Yield what the patterns would find: the line of each value, and of each labelled reason."""
    group = 1
    for (question, *_), heads, labelled in zip(way.places, way.layout, way.labelled, strict=True):
        begin, end = match.span(group)
        line = begin - len(heads.value)
        yield Mark(_VALUE, (question,), line, begin, end + len(heads.tail), after_blank=False)
        group += 1
        if heads.reason is None:
            continue
        if labelled:
            begin, end = match.span(group)
            line = begin - len(heads.reason)
            yield Mark(_WHY, (question,), line, begin, end, after_blank=False)
        group += 1


_NAMED: tuple[tuple[str, Mapping[str, str]], ...] = (("label", {}),)
"""Says of a finder that its line names a question; nothing is looked up there."""
_VALUE = Finder("value", 0, "value", PatternKind.LINE, linear(""), _NAMED, placed=True)
_WHY = Finder("reason", 0, "reason", PatternKind.LINE, linear(""), _NAMED, placed=True)
_made = tuple.__new__
_NARROW: dict[int, int] = {}
_WIDE = {ord(str(digit)): 0xFF10 + digit for digit in range(10)}
_BLANKS = frozenset(BLANKS)
_LONG_ENOUGH = 40
# One line; thoughts and objects are for the patterns, and so are markdown and signs at the beginning.
_REASON = r"(?=[\w \u3000「『（(“])[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029<{*_`]+"
_WRITINGS: tuple[Callable[[str], str], ...] = (
    lambda head: head,
    str.rstrip,
    lambda head: head.replace("(", "（").replace(")", "）").replace(":", "：").rstrip(),
    lambda head: head.replace(":", "：").rstrip(),
)
_MOST_NUMBERS = 1001
_PROBES = (
    "春の日の光がさして、1927年の時計が鳴る。ＡＢＣとabc、「面白さ」（80点）: 30-70？",
    "理由は、数値: 5 ではなく、Q1. 面白さ(数値): 6 でもない、長い長い長い長い長い長い長い長い文",
    "短い",
)


def _heads(questions: QuestionSet, question: Question) -> _Heads | None:
    """Return what stands before the brackets of a form's lines; None for any other form."""
    lines = [line for line in form_of(questions, question).split("\n") if line.strip()]
    if any(line.count("[") != 1 or line[-1] != "]" for line in lines):
        return None
    if len(lines) != 1 + question.asks_reason:
        return None
    value, *reason = (line[: line.index("[")] for line in lines)
    if not value.strip() or not all(words.strip() for words in reason):
        return None
    return _Heads(value, "", reason[0] if reason else None)


def _written(heads: _Heads, write: Callable[[str], str]) -> _Heads:
    """Return a form's heads in another writing of the same."""
    return _Heads(write(heads.value), "", None if heads.reason is None else write(heads.reason))


def _way(
    questions: tuple[Question, ...],
    layout: tuple[_Heads, ...],
    patterns: Mapping[str, str],
    labelled: tuple[bool, ...],
) -> _Way:
    blocks = (
        f"{re.escape(heads.value)}([0-9０-９]{{1,3}}){re.escape(heads.tail)}"
        + ("" if heads.reason is None else f"\n{re.escape(heads.reason)}({_REASON})")
        for heads in layout
    )
    places = (
        _Place(question.id, patterns[question.id], _numbers(question), heads.reason is not None)
        for question, heads in zip(questions, layout, strict=True)
    )
    whole = regex("\n{1,2}".join(blocks) + "\n*")
    is_plain = all(labelled) and not any(is_note(tidy(heads.reason or "")) for heads in layout)
    return _Way(whole, tuple(places), layout, labelled, is_plain)


def _numbers(question: Question) -> dict[str, Decimal]:
    """Return every whole number within bounds, as it is written, in narrow digits or wide ones."""
    low, high = max(0, question.minimum), min(999, question.maximum)
    if isinstance(low, Decimal) or isinstance(high, Decimal) or high - low > _MOST_NUMBERS:
        return {}
    return {
        str(number).translate(digits): Decimal(number)
        for digits in (_NARROW, _WIDE)
        for number in range(low, high + 1)
    }
