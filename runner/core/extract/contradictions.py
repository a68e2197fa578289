"""What an answer says against a value that it gives: such a value is not taken."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from runner.core.extract import bare
from runner.core.extract.doubts import Doubt, first_ends
from runner.core.extract.matcher import Mark, cannot
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Value
from runner.core.extract.options import OptionGrammar
from runner.core.extract.regex import regex
from runner.core.model import Cause, ItemKind, Question


def contradictions(
    questions: Mapping[str, Question],
    grammars: Mapping[str, object],
    *,
    whole: str,
    plain: str,
    marks: Sequence[Mark],
    structures: Sequence[tuple[int, tuple[str, ...]]],
    values: Mapping[str, Sequence[Value]],
) -> Iterator[Doubt]:
    """Yield the values against which the same answer speaks.

    Args:
        questions: by id.
        grammars: what reads each of them.
        whole: the tidied answer.
        plain: the same, objects and tables blanked out.
        marks: the lines that announce a value or a reason.
        structures: where objects and tables begin, and what they answer.
        values: what was read of each question.
    """
    answered = first_ends((mark for mark in marks if mark.questions), structures)
    last = max(answered, default=len(plain))
    yield from _at_the_end(grammars, plain, last, values)
    yield from _beside_numbers(questions, whole, values)
    yield from _labelled_otherwise(questions, plain, marks)
    yield from _upside_down(questions, whole)


def _beside_numbers(
    questions: Mapping[str, Question], whole: str, values: Mapping[str, Sequence[Value]]
) -> Iterator[Doubt]:
    """Yield the numbers beside which another number's anchor stands, or that a legend turns round.

    Also the lowest of a scale beside words that say that nothing can be judged.
    """
    numbers = {q: asked for q, asked in questions.items() if asked.kind is ItemKind.NUMBER}
    for question, asked in numbers.items():
        meant = [(n, w) for n, word in asked.anchors.items() if (w := tidy(word).lower())]
        for value in values.get(question, ()):
            if value.number is None or value.span is None:
                continue
            behind = whole[value.span[1] : value.span[1] + _NEAR].partition("\n")[0]
            if value.number == asked.minimum and cannot(behind):
                yield Doubt(question, Cause.REFUSED, behind.strip())
            if not meant:
                continue
            near = _beside(whole, value, is_alone=len(numbers) == 1)
            named = [number for number, word in meant if _names_anchor(near, word)]
            turned = (s for n, word in meant if (s := _other_meaning(whole, n, word)))
            said = near if named and value.number not in named else next(turned, None)
            if said is not None:
                yield Doubt(question, Cause.AMBIGUOUS, said.strip())


def _labelled_otherwise(
    questions: Mapping[str, Question], plain: str, marks: Sequence[Mark]
) -> Iterator[Doubt]:
    """Yield the values whose label says in brackets that they are something else, or somebody's."""
    for mark in marks:
        head = plain[mark.line : mark.begin] if mark.finder.group == "value" else ""
        said = _NOT_THE_ANSWER.search(head)
        for question in mark.questions if said else ():
            asked = questions[question]
            if said and said[1].lower() not in f"{asked.label} {asked.ask}".lower():
                yield Doubt(question, Cause.AMBIGUOUS, head.strip())


def _upside_down(questions: Mapping[str, Question], whole: str) -> Iterator[Doubt]:
    """Yield the orders of which an answer says that they begin with the last."""
    said = None
    for question, asked in questions.items():
        if asked.kind is ItemKind.RANK and not _LAST_FIRST.search(asked.ask):
            said = said or _LAST_FIRST.search(whole)
            if said is not None:
                yield Doubt(question, Cause.AMBIGUOUS, said[0])


def _at_the_end(
    grammars: Mapping[str, object], plain: str, last: int, values: Mapping[str, Sequence[Value]]
) -> Iterator[Doubt]:
    """Yield the options of which the closing remarks name another, and not the one that was read.

    An option that was read for another question may be that one's.

    Args:
        grammars: by question.
        plain: the tidied answer, objects and tables blanked out.
        last: where the last question is answered; remarks stand behind a blank line below it.
        values: what was read of each question.
    """
    choices = {q: g for q, g in grammars.items() if isinstance(g, OptionGrammar)}
    blank = _BLANK_LINE.search(plain, last) if choices else None
    if blank is None:
        return
    closing = plain[blank.end() :]
    numbers = {q: {v.number for v in values.get(q, ()) if v.number is not None} for q in choices}
    for sentence in _SENTENCE_ENDS.split(closing[:_LONGEST_CLOSING]):
        said = {q: grammar.said_in(sentence) for q, grammar in choices.items()}
        for question, grammar in choices.items():
            read = numbers[question]
            elsewhere = {
                name
                for other in choices.keys() - {question}
                for number in numbers[other]
                for name in choices[other].names_of(number)
            }
            others = said[question] - read - grammar.of_names(elsewhere)
            if read and others and not said[question] & read:
                yield Doubt(question, Cause.AMBIGUOUS, sentence.strip())


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


def _names_anchor(near: str, word: str) -> bool:
    """Tell whether a text in small letters has an anchor in it, as a word of its own."""
    return re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", near) is not None


def _other_meaning(plain: str, number: int | Decimal, word: str) -> str | None:
    """Return where a legend gives an anchor to another number than its own."""
    for match in re.finditer(
        rf"(?<![0-9.])(-?[0-9]{{1,4}}) *(?:=|は|means?\b|is\b) *[\"'“「]?{re.escape(word)}(?![a-z])",
        plain,
        re.IGNORECASE,
    ):
        if Decimal(match[1]) != number:
            return match[0]
    return None


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
_BLANK_LINE = regex(r"\n[ >]*\n")
_SENTENCE_ENDS = regex(r"[。!?\n]+|\.(?=\s|$)")
_LONGEST_CLOSING = 4_000
_NEAR = 80
_SHORT_LINE = 60
_PARTS = regex(r"[,|}\n;。]")
