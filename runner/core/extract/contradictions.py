"""What an answer says against a value that it gives: such a value is not taken."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runner.core.extract import bare
from runner.core.extract.doubts import BLANK_LINE, Doubt, first_ends
from runner.core.extract.matcher import Mark, cannot
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Value
from runner.core.extract.options import OptionGrammar
from runner.core.extract.regex import regex
from runner.core.model import Cause, ItemKind, Question


@dataclass(frozen=True, slots=True)
class _Anchor:
    number: int | Decimal
    named: re.Pattern[str]
    """Matches the anchor as a word of its own."""
    meant: re.Pattern[str]
    """Matches where a legend gives it to a number."""


class Contradictions:
    """Finds what speaks against values in answers to one question set."""

    def __init__(self, questions: Iterable[Question], grammars: Mapping[str, object]) -> None:
        """Compile what numbers stand for, and what options are called.

        Args:
            questions: of the set.
            grammars: what reads each of them, by its id.
        """
        self._questions = {question.id: question for question in questions}
        numbers = [q for q in self._questions.values() if q.kind is ItemKind.NUMBER]
        self._numbers = {question.id: (question, _anchors(question)) for question in numbers}
        self._choices = {q: g for q, g in grammars.items() if isinstance(g, OptionGrammar)}
        self._ranks = [
            question.id
            for question in self._questions.values()
            if question.kind is ItemKind.RANK and not _LAST_FIRST.search(question.ask)
        ]

    def find(
        self,
        *,
        whole: str,
        plain: str,
        marks: Sequence[Mark],
        structures: Sequence[tuple[int, tuple[str, ...]]],
        values: Mapping[str, Sequence[Value]],
    ) -> Iterator[Doubt]:
        """Yield the values against which the same answer speaks.

        Args:
            whole: the tidied answer.
            plain: the same, objects and tables blanked out.
            marks: the lines that announce a value or a reason.
            structures: where objects and tables begin, and what they answer.
            values: what was read of each question.
        """
        if self._choices:
            yield from self._at_the_end(_closing(plain, marks, structures), values)
        yield from self._beside_numbers(whole, values)
        yield from self._labelled_otherwise(plain, marks)
        said = _LAST_FIRST.search(whole) if self._ranks else None
        if said is not None:
            yield from (Doubt(question, Cause.AMBIGUOUS, said[0]) for question in self._ranks)

    def _beside_numbers(self, whole: str, values: Mapping[str, Sequence[Value]]) -> Iterator[Doubt]:
        """Yield the numbers beside which another number's anchor stands, or that a legend turns round.

        Also the lowest of a scale beside words that say that nothing can be judged.
        """
        for question, (asked, anchors) in self._numbers.items():
            for value in values.get(question, ()):
                if value.number is None or value.span is None:
                    continue
                behind = whole[value.span[1] : value.span[1] + _NEAR].partition("\n")[0]
                if value.number == asked.minimum and cannot(behind):
                    yield Doubt(question, Cause.REFUSED, behind.strip())
                if not anchors:
                    continue
                near = _beside(whole, value, is_alone=len(self._numbers) == 1)
                named = [anchor.number for anchor in anchors if anchor.named.search(near)]
                wrong = named and value.number not in named
                said = near if wrong else _turned_round(whole, anchors)
                if said is not None:
                    yield Doubt(question, Cause.AMBIGUOUS, said.strip())

    def _labelled_otherwise(self, plain: str, marks: Sequence[Mark]) -> Iterator[Doubt]:
        """Yield the values whose label says in brackets that they are something else, or somebody's."""
        for mark in marks:
            head = plain[mark.line : mark.begin] if mark.finder.group == "value" else ""
            said = _NOT_THE_ANSWER.search(head)
            for question in mark.questions if said else ():
                asked = self._questions[question]
                if said and said[1].lower() not in f"{asked.label} {asked.ask}".lower():
                    yield Doubt(question, Cause.AMBIGUOUS, head.strip())

    def _at_the_end(self, closing: str, values: Mapping[str, Sequence[Value]]) -> Iterator[Doubt]:
        """Yield the options of which the closing remarks name another, and not the one that was read.

        An option that was read for another question may be that one's.
        """
        if not closing:
            return
        read = {
            question: {v.number for v in values.get(question, ()) if v.number is not None}
            for question in self._choices
        }
        elsewhere = {question: self._of_others(question, read) for question in self._choices}
        for sentence in _SENTENCE_ENDS.split(closing[:_LONGEST_CLOSING]):
            for question, grammar in self._choices.items():
                said, own = grammar.said_in(sentence), read[question]
                if own and said - own - elsewhere[question] and not said & own:
                    yield Doubt(question, Cause.AMBIGUOUS, sentence.strip())

    def _of_others(self, question: str, read: Mapping[str, set[Decimal]]) -> set[Decimal]:
        """Return the options of a question that are called as one that was read for another."""
        names = {
            name
            for other in self._choices.keys() - {question}
            for number in read[other]
            for name in self._choices[other].names_of(number)
        }
        return self._choices[question].of_names(names)


def _closing(
    plain: str, marks: Sequence[Mark], structures: Sequence[tuple[int, tuple[str, ...]]]
) -> str:
    """Return what stands behind a blank line below the last question's answer."""
    answered = first_ends((mark for mark in marks if mark.questions), structures)
    blank = BLANK_LINE.search(plain, max(answered, default=len(plain)))
    return plain[blank.end() :] if blank else ""


def _anchors(question: Question) -> tuple[_Anchor, ...]:
    """Return what some numbers of a question stand for."""
    words = ((number, tidy(word).lower()) for number, word in question.anchors.items())
    return tuple(
        _Anchor(
            number,
            regex(rf"(?<![a-z]){re.escape(word)}(?![a-z])"),
            regex(
                r"(?<![0-9.])(-?[0-9]{1,4}) *(?:=|は|means?\b|is\b) *[\"'“「]?"
                rf"{re.escape(word)}(?![a-z])",
                re.IGNORECASE,
            ),
        )
        for number, word in words
        if word
    )


def _turned_round(plain: str, anchors: Sequence[_Anchor]) -> str | None:
    """Return where a legend gives an anchor to another number than its own."""
    for anchor in anchors:
        for match in anchor.meant.finditer(plain):
            if Decimal(match[1]) != anchor.number:
                return match[0]
    return None


def _beside(plain: str, value: Value, *, is_alone: bool) -> str:
    """Return what stands around a number: its cell or its member, or the line of the only one."""
    assert value.span is not None
    begin, end = value.span
    line = plain.rfind("\n", 0, begin) + 1, (plain + "\n").find("\n", end)
    behind = plain[end : min(line[1], end + _NEAR)]
    before = plain[max(line[0], begin - _NEAR) : begin] if value.pattern == bare.NAME else ""
    if not is_alone:
        return _PARTS.split(behind)[0].lower()
    below = plain[line[1] : line[1] + _NEAR].strip().partition("\n")[0]
    return f"{before} {behind} {below if len(below) <= _SHORT_LINE else ''}".lower()


_NOT_THE_ANSWER = regex(
    r"[(\[][^()\[\]\n]{0,24}\b(revers(?:e|ed)|previous|prior|draft|not final|tentative|human|average|mean|median"
    r"|expected|confidence|certainty|weight|others?|minimum|maximum)\b"
    r"[^()\[\]\n]{0,24}[)\]]",
    re.IGNORECASE,
)
_LAST_FIRST = regex(
    r"\b(?:least|worst|lowest|last)(?: [a-z]+)?(?: to |[- ]first\b| comes first)"
    r"|\b(?:first|1|1st)(?: one)? (?:is|being|=) (?:the )?(?:least|worst|lowest)"
    r"|\b(?:last)(?: one)? (?:is|being|=) (?:the )?(?:most|best|highest)"
    r"|\bascending\b|\b(?:in reverse|reversed?|reverse order|backwards)\b|昇順|逆順|低い順|重要でない順|最下位から|逆から",
    re.IGNORECASE,
)
"""Says of an order that it begins with what comes last."""
_SENTENCE_ENDS = regex(r"[。!?\n]+|\.(?=\s|$)")
_LONGEST_CLOSING = 4_000
_NEAR = 80
_SHORT_LINE = 60
_PARTS = regex(r"[,|}\n;。]")
