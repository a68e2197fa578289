"""Answer text -> what was found for each question, by ordered named patterns.

Patterns, which a researcher may change, find the *place* of a value; one fixed grammar reads the
number there, and rather finds none than a wrong one. All work is done on a copy of the text that
has the same length, character by character, so that every place holds in the text itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from runner.core.errors import ConfigError
from runner.core.extract import bare
from runner.core.extract.bare import BareReader, WholeProse
from runner.core.extract.contradictions import Contradictions
from runner.core.extract.doubts import Doubt, Doubter, corrections
from runner.core.extract.drafts import answer_part
from runner.core.extract.lists import ListGrammar
from runner.core.extract.markup import Markup
from runner.core.extract.matcher import (
    MOST_MARKS,
    RULE,
    STRANGER,
    Mark,
    Matcher,
    follows_blank,
    refusals,
    says_no,
)
from runner.core.extract.names import Names, linear
from runner.core.extract.normalize import tidy
from runner.core.extract.number import Entry, NumberGrammar, Value
from runner.core.extract.objects import Grammar, ObjectReader
from runner.core.extract.options import OptionGrammar, WholeOption
from runner.core.extract.prose import ProseGrammar
from runner.core.extract.reason import trim_reason
from runner.core.extract.reasons import ReasonCutter
from runner.core.extract.records import RecordGrammar, RecordReader
from runner.core.extract.regex import regex
from runner.core.extract.sentences import SentenceReader
from runner.core.extract.tables import TableReader
from runner.core.model import Cause, ItemKind, Option, Pattern, PatternKind, Question, QuestionSet
from runner.core.prompt import options_shown

__all__ = ["Extractor", "Found", "tidy", "trim_reason"]

KANJI = "_kanji"
"""Behind the name of a pattern whose number was written in kanji."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands in an answer for one question; bounds and kind are not yet judged.

    Exactly one of `number` and `cause` is None.
    """

    number: Decimal | None = None
    text: str | None = None
    """The value itself where it is no number, which then only says that there is one."""
    cause: Cause | None = None
    """Why there is no number: missing, ambiguous or not_a_number."""
    pattern: str | None = None
    """The name of the pattern that found the place, also when no number stands there."""
    span: tuple[int, int] | None = None
    """Where the number stands, or what stands in its place, in characters of the answer."""
    reason: str | None = None
    reason_end: int | None = None
    """Where the text taken for the reason ends, before trimming, in characters of the answer."""
    written: tuple[str, ...] = field(default=(), compare=False)
    """What stands in the places that cannot be taken, each once."""


class Extractor:
    """Reads answers to one question set; keeps nothing of an answer."""

    def __init__(self, questions: QuestionSet) -> None:
        """Compile the patterns.

        Raises:
            ConfigError: names the pattern or question that cannot be used.
        """
        names = Names(questions)
        self._ours = frozenset((*names.ids, *names.labels))
        grammars = {question.id: _grammar(questions, question) for question in questions.questions}
        of_one = {q for q, g in grammars.items() if isinstance(g, NumberGrammar | OptionGrammar)}
        numbers = {q: g for q, g in grammars.items() if isinstance(g, NumberGrammar)}
        self._texts = {q for q, g in grammars.items() if isinstance(g, ProseGrammar)}
        # Reasons come first: a line that announces a reason is never read as a value.
        patterns = {
            "reason": questions.reason_patterns,
            "value": questions.value_patterns,
            "end": questions.end_patterns,
        }
        for group, of_it in patterns.items():
            _check_names(group, of_it)
        refusals(questions.refusal_patterns)
        ranks = {p.kind: (r, p.name) for r, p in enumerate(questions.value_patterns)}
        tops = {q.id: q.maximum for q in questions.questions if q.kind is ItemKind.NUMBER}
        # In a sentence, a dash before a number is a sign as often as it is none.
        are_plain = len(numbers) == len(grammars) and all(
            q.minimum >= 0 for q in questions.questions
        )
        sentences = ranks.get(PatternKind.SENTENCES) if are_plain else None
        self._tools = _Tools(
            order=tuple(question.id for question in questions.questions),
            grammars=grammars,
            questions={q.id: q for q in questions.questions},
            of_one=frozenset(of_one),
            records=tuple(
                RecordReader(q, grammar, names)
                for q in questions.questions
                if isinstance(grammar := grammars[q.id], RecordGrammar)
            ),
            matcher=Matcher(names, patterns),
            json=ranks.get(PatternKind.JSON),
            table=ranks.get(PatternKind.TABLE),
            sentences=sentences,
            objects=ObjectReader(names, grammars, tops),
            tables=TableReader(names, grammars, {q.id: q for q in questions.questions}),
            bare=_bare(questions, names, grammars),
            whole=SentenceReader(names, list(numbers), numbers),
            refusals=questions.refusal_patterns,
            markup=Markup(names, _one_of(questions)),
            doubter=Doubter(questions, names),
            contradictions=Contradictions(questions.questions, grammars),
            tops=tops,
        )

    @property
    def doubter(self) -> Doubter:
        """Finds what an answer says beside its values."""
        return self._tools.doubter

    def marks(self, text: str) -> list[Mark]:
        """Return the lines of a text that announce a value or a reason, first to last."""
        return self._tools.matcher.find(tidy(text))

    def extract(self, text: str) -> dict[str, Found]:
        """Return what was found for every question, by question id; never raises."""
        part = answer_part(text, self._ours, self._is_asked if self._texts else None)
        if part.strange is not None:
            nothing = Found(cause=Cause.NOT_A_NUMBER, written=(part.strange,))
            return dict.fromkeys(self._tools.order, nothing)
        found = _Answer(self._tools, part.visible, part.plain, text).read()
        for other in part.others:
            found = _weighed(found, _Answer(self._tools, *other, text).read())
        return found

    def _is_asked(self, plain: str, begin: int, end: int) -> bool:
        """Tell whether a draft stands in the place of free words, and holds no other answer."""
        marks = [m for m in self._tools.matcher.find(plain) if m.finder.group != "end"]
        if any(begin <= mark.line < end for mark in marks):
            return False
        following = next((mark.line for mark in marks if mark.line >= end), None)
        if following is not None and not plain[end:following].strip():
            return False
        last = next((mark for mark in reversed(marks) if mark.line < begin), None)
        if last is None:
            return len(self._tools.order) == 1
        return last.finder.group == "value" and self._texts.issuperset(last.questions)


class _Answer:
    """One answer while it is read."""

    def __init__(self, tools: "_Tools", visible: str, plain: str, text: str) -> None:
        self._with, self._text = tools, text
        self._visible = self._shown = visible
        self._plain = self._whole = plain
        self._values: dict[str, list[Value]] = {}
        self._cutter = ReasonCutter(tools.of_one)
        self._read_marks: dict[int, Value] = {}
        self._doubts: dict[str, Doubt] = {}
        self._structures: list[tuple[int, tuple[str, ...]]] = []
        """Where objects and tables begin, and what they answer."""

    def read(self) -> dict[str, Found]:
        self._take_objects()
        self._visible, self._plain = self._with.markup.bare(self._visible, self._plain)
        ends = self._take_tables()
        marks = self._with.matcher.find(self._plain)
        if len(marks) > MOST_MARKS:
            return {q: Found(cause=Cause.AMBIGUOUS) for q in self._with.order}
        marks = self._belonging(_merged(marks, [*ends, *self._strangers()]))
        self._take_values(marks)
        self._cutter.take(self._visible, marks, self._read_marks)
        _weigh_below(self._with, self._plain, marks, self._read_marks)
        self._take_sentences()
        self._take_bare()
        numbers = {
            question: [value.number for value in values if value.number is not None]
            for question, values in self._values.items()
        }
        of_one = {question: n for question, n in numbers.items() if question in self._with.of_one}
        doubts = self._with.doubter.find(self._plain, marks, of_one, self._structures)
        if doubts is None:
            return {q: Found(cause=Cause.AMBIGUOUS) for q in self._with.order}
        against = self._with.contradictions.find(
            whole=self._whole,
            plain=self._plain,
            marks=marks,
            structures=self._structures,
            values=self._values,
        )
        for doubt in (*doubts, *_taken_back(self._with.grammars, self._plain, numbers), *against):
            self._doubts.setdefault(doubt.question, doubt)
        found = {question: self._found(question) for question in self._with.order}
        return _on_one_scale(found, self._with.tops)

    def _found(self, question: str) -> Found:
        value, written = _decide(self._values.get(question, ()))
        reason = self._cutter.found.get(question)
        shown = _excerpts(self._shown, written)
        doubt = self._doubts.get(question)
        if value.cause is Cause.NOT_VALID and value.text:
            shown = (value.text,)
        if doubt is not None and value.cause is None:
            assert value.span is not None
            number = self._shown[slice(*value.span)]
            shown = (number, " ".join(doubt.written.split())[:_LONGEST_SHOWN])
            value.number, value.cause = None, doubt.cause
        return Found(
            number=value.number,
            text=None if value.number is None else value.text,
            cause=value.cause,
            pattern=f"{value.pattern}{KANJI}" if value.kanji else value.pattern,
            span=value.span,
            reason=reason.text if reason else None,
            reason_end=reason.end if reason else None,
            written=shown,
        )

    # --- objects and tables

    def _take_objects(self) -> None:
        """Take what JSON says, and leave it out of the text that the other patterns see."""
        if self._with.json is None:
            return
        readers: tuple[RecordReader | ObjectReader, ...] = (*self._with.records, self._with.objects)
        for reader in readers:
            for (begin, end), entries in reader.read(self._visible, self._plain):
                self._take(entries, self._with.json)
                self._note(begin, entries)
                self._visible = _blanked(self._visible, begin, end)
                self._plain = _blanked(self._plain, begin, end)

    def _take_tables(self) -> list[Mark]:
        """Take what tables say; a reason never goes on behind the beginning of one."""
        if self._with.table is None:
            return []
        ends = []
        for table in self._with.tables.read(self._visible, self._plain):
            self._take(table.entries, self._with.table)
            self._note(table.begin, table.entries)
            ends.append(Mark(RULE, (), table.begin, table.end, table.end, after_blank=True))
            self._plain = _blanked(self._plain, table.begin, table.end)
        return ends

    def _note(self, begin: int, entries: list[Entry]) -> None:
        answered = (entry.question for entry in entries if entry.value is not None)
        self._structures.append((begin, tuple(dict.fromkeys(answered))))

    def _take_sentences(self) -> None:
        """Where no pattern found a number, read the answer as a whole."""
        if self._with.sentences is None or not self._is_open(Cause.MISSING, Cause.AMBIGUOUS):
            return
        if not says_no(self._with.refusals, self._visible):
            entries = self._with.whole.read(self._visible, self._plain)
            self._take_whole(entries, self._with.sentences)

    def _take_bare(self) -> None:
        """Where nothing at all was found for the one question, take a number without a name."""
        reader = self._with.bare
        is_whole = not self._structures and _CUT_SHORT.search(self._text) is None
        if isinstance(reader, WholeProse) and self._values:  # a place that was left unfilled
            return
        if reader is not None and is_whole and self._is_open(Cause.MISSING):
            self._take_whole(reader.read(self._visible, self._plain), (_LAST, bare.NAME))

    def _is_open(self, *causes: Cause) -> bool:
        """Tell whether nothing was found but places without a number, for one of these causes."""
        return all(v.cause in causes for values in self._values.values() for v in values)

    def _take_whole(self, entries: list[Entry], pattern: tuple[int, str]) -> None:
        """Take what the answer says as a whole, in place of all else that was found."""
        if entries:
            self._values.clear()
            self._cutter.found.clear()
            self._take(entries, pattern)

    def _take(self, entries: list[Entry], pattern: tuple[int, str]) -> None:
        rank, name = pattern
        for entry in entries:
            if entry.value is not None:
                if isinstance(self._with.grammars[entry.question], ProseGrammar):
                    self._of_prose(entry.value)
                entry.value.pattern, entry.value.rank = name, rank
                entry.value.structured = True
                self._values.setdefault(entry.question, []).append(entry.value)
            elif entry.reason is not None:
                self._cutter.note(entry.question, entry.reason, entry.end)

    # --- lines

    def _strangers(self) -> Iterator[Mark]:
        """Find the headings and rules that no pattern knows: a reason does not go on behind them."""
        if not _may_be_strange(self._visible):
            return
        data = self._visible.encode("utf-8", "replace")
        at = line = 0
        for number, match in enumerate(_STRANGE.finditer(data)):
            if number > MOST_MARKS:
                return
            start, end = match.span()
            line += len(data[at:start].decode())
            at = start
            if match.start(_BOLD) >= 0 and not follows_blank(self._plain, line):
                continue
            finder = RULE if match.start(_IS_RULE) >= 0 else STRANGER
            stop = line + len(data[start:end].decode())
            yield Mark(finder, (), line, stop, stop, after_blank=True)

    def _belonging(self, marks: list[Mark]) -> list[Mark]:
        """Drop the marks that are part of a reason, and give bare ones their question."""
        kept: list[Mark] = []
        strict = False
        section: tuple[str, ...] = ()
        for mark in marks:
            last = kept[-1] if kept else None
            finder = mark.finder
            if finder.group == "end":
                if last is not None and mark.after_blank:
                    kept.append(mark)
                    section = section if finder is RULE else ()
                continue
            reason = last if last is not None and last.finder.group == "reason" else None
            # Where values are labelled "Q1. 面白さ", a line "驚き: 30" inside a reason is prose.
            if (
                reason
                and strict
                and not mark.has_id
                and not mark.after_blank
                and (finder.names or reason.finder.names)
            ):
                continue
            if not (finder.names or finder.only):
                if not section or (reason and finder.group == "reason"):
                    continue
                if finder.group == "value" and not self._with.of_one.issuperset(section):
                    continue
                if finder.kind is PatternKind.NEXT and not self._is_next(mark, last):
                    continue
                mark.questions = section
            else:
                section = mark.questions
                if last is None or finder.group == "value":
                    strict = mark.has_id
            kept.append(mark)
        return kept

    def _is_next(self, mark: Mark, last: Mark | None) -> bool:
        """Tell whether a line stands directly below one that has a place and nothing in it."""
        if last is None or last.finder.group != "value":
            return False
        # A bullet that touches the number may be its sign; below 0, it is.
        sign = self._plain[max(mark.line, mark.begin - 1) : mark.begin]
        alone = self._plain[mark.line : mark.begin].strip() == sign
        if sign in ("-", "+") and alone and self._with.questions[last.questions[0]].minimum < 0:
            mark.begin -= 1
        elif sign in _SIGNS:
            return False
        if last.finder.placed and self._value(last, last.questions[0]).cause is not Cause.MISSING:
            return False
        return not self._plain[last.end : mark.line].strip()

    def _placed(self, marks: list[Mark], number: int, question: str) -> Value:
        """Read the value of a mark; prose and a list may go on below its line."""
        mark, grammar = marks[number], self._with.grammars[question]
        if isinstance(grammar, NumberGrammar):
            return self._value(mark, question)
        following = (m.line for m in marks[number + 1 :] if m.finder.group != "end")
        end = next(following, len(self._plain))
        if isinstance(grammar, OptionGrammar) and not self._plain[mark.begin : mark.end].strip():
            return self._below(mark, question, end)
        if isinstance(grammar, ListGrammar):
            end = grammar.end_of(self._plain, mark.begin, end)
        elif not isinstance(grammar, ProseGrammar):
            return self._value(mark, question)
        is_prose = isinstance(grammar, ProseGrammar)
        value = grammar.read(self._visible if is_prose else self._plain, mark.begin, end)
        if is_prose:
            self._of_prose(value)
        value.pattern, value.rank = mark.finder.name, mark.finder.rank
        return value

    def _below(self, mark: Mark, question: str, end: int) -> Value:
        """Read the option of a line that stands below its question, with nothing between."""
        blank = len(self._plain[mark.end : end]) - len(self._plain[mark.end : end].lstrip(" \n"))
        begin = max(mark.end + 1, mark.end + blank)
        stop = min(end, (self._plain + "\n").find("\n", begin))
        value = self._with.grammars[question].read(self._plain, begin, max(begin, stop))
        is_apart = self._plain[mark.end : begin].count("\n") > 1
        is_more = bool(self._plain[value.rest : stop].strip(_CLOSING)) and is_apart
        if (
            value.cause not in (None, Cause.AMBIGUOUS) or is_more
        ):  # what else stands there may be anything
            value = Value(None, Cause.MISSING, (mark.end, mark.end), mark.end, mark.end)
        value.pattern, value.rank = mark.finder.name, mark.finder.rank
        return value

    def _of_prose(self, value: Value) -> None:
        """Let prose be what stands in the answer itself."""
        if value.number is not None and value.text is None and value.span:
            value.text = self._shown[slice(*value.span)]

    def _value(self, mark: Mark, question: str) -> Value:
        value = self._with.grammars[question].read(self._plain, mark.begin, mark.end)
        if isinstance(self._with.bare, BareReader):
            bare.drop_prose(self._plain, value, mark.line, by_id=mark.has_id)
        value.pattern, value.rank = mark.finder.name, mark.finder.rank
        asked = self._with.questions[question]
        if _is_unsure(asked, self._plain, mark, value) or _is_dash(asked, self._visible, value):
            value.number, value.cause = None, Cause.AMBIGUOUS
        return value

    def _take_values(self, marks: list[Mark]) -> None:
        for number, mark in enumerate(marks):
            if mark.finder.group != "value":
                continue
            for question in mark.questions:
                is_number = isinstance(self._with.grammars[question], NumberGrammar)
                if mark.finder.placed or not is_number:
                    value = self._placed(marks, number, question)
                else:
                    value = Value(None, Cause.MISSING, (mark.end, mark.end), mark.end, mark.end)
                    value.pattern, value.rank = mark.finder.name, mark.finder.rank
                if len(mark.questions) > 1 and value.cause is not Cause.MISSING:
                    value.number, value.cause = None, Cause.AMBIGUOUS
                if len(mark.questions) == 1 and value.cause is not Cause.MISSING:
                    self._read_marks[number] = value
                self._values.setdefault(question, []).append(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    """What is compiled for one question set."""

    order: tuple[str, ...]
    grammars: Mapping[str, Grammar]
    questions: Mapping[str, Question]
    of_one: frozenset[str]
    """The questions whose values are one number or one option."""
    records: tuple[RecordReader, ...]
    matcher: Matcher
    json: tuple[int, str] | None
    """The rank and the name of the pattern that reads objects; None when there is none."""
    table: tuple[int, str] | None
    sentences: tuple[int, str] | None
    bare: BareReader | WholeOption | WholeProse | None
    """Reads a value without a name; None where there are several questions."""
    objects: ObjectReader
    tables: TableReader
    whole: SentenceReader
    refusals: tuple[Pattern, ...]
    markup: Markup
    doubter: Doubter
    contradictions: Contradictions
    tops: Mapping[str, int | Decimal]


_LAST = 1 << 20
"""The rank of what is tried after all patterns."""
_CUT_SHORT = regex(r"<s>|</s>\s*\S")
"""Behind the end of what is struck out, or of a turn, nothing of an answer is seen."""
_ONLY_A_NUMBER = regex(r"\s*[-+]?[0-9]{1,3}(?:\.[0-9]+)? *点?[ 。.]*(?:\n|$)")
_ANOTHER = regex(
    r"[ >*•・([\"'-]*(?:(?:hm+|well)[,.… ]*)?(?:(?:or|and|to|maybe|または|か) *)?[-+]?[0-9]",
    re.IGNORECASE,
)
_CLOSING = " \n)]\"'.。!"
_OPENING = " \n([\"'*"
_NEGATIVE = regex(r"negative|minus|below (?:zero|0)|マイナス|負|零下|氷点下")
_SIGNS = ("-", "+", ">", "<", "~")
_LONG_DASHES = ("—", "―")
_TENTH = 10
"""A scale of ten is what models take most for one of a hundred."""
_LONGEST_SHOWN = 60
_STRANGE = linear(
    r"(?m)^[ >]{0,6}(?:(?P<rule>(?:- *){3,}$|(?:\* *){3,}$|(?:_ *){3,}$|={3,} *$|[━─―—]{3,} *$|```)"
    r"|#{1,6}[ \t　]+[^ \n]|(?P<bold>\*\*[^*\n]{1,30}\*\*[ :：]*$))"
)
_IS_RULE, _BOLD = (_STRANGE.groupindex[name] for name in ("rule", "bold"))


def _grammar(questions: QuestionSet, question: Question) -> Grammar:
    match question.kind:
        case ItemKind.CHOICE:
            return OptionGrammar(question)
        case ItemKind.CHOICES | ItemKind.RANK:
            return ListGrammar(question)
        case ItemKind.TEXT:
            return ProseGrammar(options_shown(questions, question))
        case ItemKind.JSON:
            return RecordGrammar(question, options_shown(questions, question))
    return NumberGrammar(
        question,
        questions.reason_words,
        questions.value_words,
        kanji=questions.kanji_numbers,
    )


def _one_of(questions: QuestionSet) -> list[Option]:
    """Return the options of which one alone may be ticked."""
    choices = (q for q in questions.questions if q.kind is ItemKind.CHOICE)
    return [option for question in choices for option in question.options]


def _bare(
    questions: QuestionSet, names: Names, grammars: Mapping[str, Grammar]
) -> BareReader | WholeOption | WholeProse | None:
    if len(questions.questions) != 1:
        return None
    ((question, grammar),) = grammars.items()
    if isinstance(grammar, OptionGrammar | ListGrammar):
        return WholeOption(question, grammar, questions.value_words)
    if isinstance(grammar, ProseGrammar):
        return WholeProse(question, grammar, questions.refusal_patterns)
    if isinstance(grammar, RecordGrammar):
        return None
    return BareReader(questions, names, grammar)


def _may_be_strange(text: str) -> bool:
    """Tell quickly whether a heading or a rule can be in a text at all."""
    return (
        "#" in text
        or "*" in text
        or "`" in text
        or "_" in text
        or "=" in text
        or "━" in text
        or "─" in text
        or "—" in text
        or "―" in text
        or ("-" in text and ("--" in text or "- -" in text))
    )


def _excerpts(text: str, places: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return what stands in some places, each once and in one line."""
    texts = (text[a : min(b, a + _LONGEST_SHOWN)] for a, b in places)
    return tuple(dict.fromkeys(" ".join(text.split()) for text in texts))


def _is_unsure(asked: Question, plain: str, mark: Mark, value: Value) -> bool:
    """Tell whether a dash may be the number's sign, or what follows means another number."""
    if value.number is None or value.span is None or asked.kind is not ItemKind.NUMBER:
        return False
    before = plain[mark.line : value.span[0]].rstrip(_OPENING)
    if asked.minimum < 0 and before.endswith("-"):
        return True
    rest = plain[value.span[1] : value.end].lower()
    if asked.minimum < 0 and _NEGATIVE.search(rest):
        return True
    meant = ((number, tidy(word).lower()) for number, word in asked.anchors.items())
    named = [number for number, word in meant if word and word in rest]
    return bool(named) and value.number not in named


def _is_dash(asked: Question, visible: str, value: Value) -> bool:
    """Tell whether the sign of a number may be the dash before a remark, as in "—1"."""
    if value.span is None or asked.kind is not ItemKind.NUMBER or asked.minimum >= 0:
        return False
    return visible.startswith(_LONG_DASHES, value.span[0])


def _weigh_below(
    tools: _Tools, plain: str, marks: Sequence[Mark], values: Mapping[int, Value]
) -> None:
    """Take no value below which another one stands; in a reason, only a number alone is one."""
    for place, value in values.items():
        question = tools.questions[marks[place].questions[0]]
        if value.number is None or question.kind in (ItemKind.TEXT, ItemKind.JSON):
            continue
        has_reason = question.asks_reason and not question.options
        end = marks[place + 1].line if place + 1 < len(marks) else len(plain)
        below = plain[max(value.end, marks[place].end) : end]
        if has_reason:
            speaks = _ONLY_A_NUMBER.match(below) is not None
        else:
            speaks = _speaks_again(tools.grammars[question.id], value.number, below)
        if speaks:
            value.number, value.cause = None, Cause.AMBIGUOUS


def _speaks_again(grammar: Grammar, number: Decimal, below: str) -> bool:
    """Tell whether what stands below a value may be another one."""
    first = below.strip().partition("\n")[0]
    if isinstance(grammar, OptionGrammar | ListGrammar):
        goes_on = isinstance(grammar, OptionGrammar) and grammar.goes_on(first, number)
        return goes_on or grammar.others_in(below, number)
    return _ANOTHER.match(first) is not None


def _taken_back(
    grammars: Mapping[str, Grammar], plain: str, numbers: Mapping[str, Sequence[Decimal]]
) -> Iterator[Doubt]:
    """Yield the options, and the values of JSON, against which a line speaks that corrects something."""
    for question, grammar in grammars.items():
        if not numbers.get(question) or isinstance(grammar, NumberGrammar | ProseGrammar):
            continue
        for line in corrections(plain):
            if any(grammar.others_in(line, number) for number in numbers[question]):
                yield Doubt(question, Cause.AMBIGUOUS, line.strip())


def _on_one_scale(found: dict[str, Found], tops: Mapping[str, int | Decimal]) -> dict[str, Found]:
    """Where one number is on another scale, and all others could be, none is sure."""
    others = [f for f in found.values() if f.cause is Cause.OTHER_SCALE]
    small = all(
        item.number <= tops[question] / _TENTH
        for question, item in found.items()
        if item.number is not None and question in tops
    )
    if not others or not small:
        return found
    scale = others[0].written[-1:]
    return {
        question: item
        if item.number is None or question not in tops
        else replace(
            item,
            number=None,
            cause=Cause.OTHER_SCALE,
            written=(str(item.number), *scale),
        )
        for question, item in found.items()
    }


def _merged(marks: list[Mark], ends: list[Mark]) -> list[Mark]:
    """Put the ends among the marks; what a pattern knows is never a stranger."""
    if not ends:
        return marks
    known = {mark.line for mark in marks}
    return sorted([*marks, *(e for e in ends if e.line not in known)], key=lambda m: m.line)


def _blanked(text: str, begin: int, end: int) -> str:
    inside = text[begin:end].encode("latin-1", "replace").translate(_ONLY_NEWLINES)
    return text[:begin] + inside.decode("latin-1") + text[end:]


_ONLY_NEWLINES = bytes(ord("\n") if code == ord("\n") else ord(" ") for code in range(256))


def _weighed(found: dict[str, Found], draft: dict[str, Found]) -> dict[str, Found]:
    """Take no number against which a draft of the same answer speaks."""
    return {
        question: item
        if None in (item.number, draft[question].number) or item.number == draft[question].number
        else replace(
            item,
            number=None,
            cause=Cause.AMBIGUOUS,
            written=(str(draft[question].number), str(item.number)),
        )
        for question, item in found.items()
    }


def _check_names(group: str, patterns: Sequence[Pattern]) -> None:
    seen: set[str] = set()
    for pattern in patterns:
        if pattern.name in seen:
            raise ConfigError(
                f"question.{group}_patterns: pattern '{pattern.name}' is there twice; "
                "give every pattern its own name"
            )
        seen.add(pattern.name)


def _decide(values: Sequence[Value]) -> tuple[Value, list[tuple[int, int]]]:
    """Let the first pattern with a filled-in place decide; all its places must agree.

    Another number in any other place is a second answer, whatever pattern found it.

    Returns:
        The value, and where what cannot be taken stands.
    """
    if len(values) == 1 and values[0].cause is None:
        return values[0], []
    filled = [value for value in values if value.cause is not Cause.MISSING]
    if not filled:
        return (values[-1] if values else Value(None, Cause.MISSING, None)), []
    rank = min(value.rank for value in filled)
    competing = [value for value in filled if value.rank == rank]
    # The last of equal ones, because it is the one that a cut-off answer may have cut.
    decided = competing[-1]
    if decided.cause is None:
        competing += [v for v in filled if v.number not in (None, decided.number)]
    meant = (decided.number, decided.cause, decided.text)
    if any((v.number, v.cause, v.text) != meant for v in competing):
        decided.number, decided.cause = None, Cause.AMBIGUOUS
    if decided.cause is None:
        return decided, []
    return decided, [value.span for value in competing if value.span]
