"""Reads the tables of an answer (markdown): a question a row, or a question a column."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runner.core.extract.doubts import other_scales
from runner.core.extract.lists import ListGrammar
from runner.core.extract.names import Meaning, Names
from runner.core.extract.number import Entry, Value
from runner.core.extract.objects import Grammar
from runner.core.extract.options import OptionGrammar
from runner.core.extract.prose import ProseGrammar
from runner.core.extract.reason import trim_reason
from runner.core.extract.records import RecordGrammar
from runner.core.extract.regex import regex
from runner.core.model import Cause, ItemKind, Question

MOST_ROWS = 200
MOST_CELLS = 60
MOST_TABLES = 20
LONGEST_ROW = 20_000


@dataclass(frozen=True, slots=True)
class Cell:
    """Where one cell's text stands, and what it names."""

    begin: int
    end: int
    meaning: Meaning | None


@dataclass(slots=True)
class Table:
    """Where a table stands, and what it says."""

    begin: int
    end: int
    entries: list[Entry] = field(default_factory=list)


class TableReader:
    """Reads tables that name our questions."""

    def __init__(
        self, names: Names, numbers: Mapping[str, Grammar], questions: Mapping[str, Question]
    ) -> None:
        """Keep what cells may be called, and who reads the numbers."""
        self._names = names
        self._questions = questions
        self._numbers = numbers

    def read(self, visible: str, plain: str) -> Iterator[Table]:
        """Yield each table, with what it says of our questions."""
        if "|" not in plain:
            return
        at = 0
        for head, first, rows in self._heads(plain):
            if head < at:
                continue
            columns = self._cells(plain, head, first)
            if not columns:
                continue
            table = Table(head, rows)
            for begin, end in _rows(plain, rows):
                table.end = at = end
                row = self._cells(plain, begin, end)
                if row:
                    table.entries += self._row(visible, plain, columns, row)
            yield table

    def _heads(self, plain: str) -> Iterator[tuple[int, int, int]]:
        """Yield where a head begins and ends, and where the rows begin; first to last."""
        found: list[tuple[int, int, int]] = []
        at = 0
        while len(found) < MOST_TABLES and (rule := _RULE.search(plain, at)):
            at = rule.end()
            found.append((plain.rfind("\n", 0, rule.start()) + 1, rule.start(), at))
        at = 0
        for _ in range(MOST_ROWS):
            bar = plain.find("|", at)
            if bar < 0:
                break
            begin, end = plain.rfind("\n", 0, bar) + 1, plain.find("\n", bar)
            if end < 0:
                break
            at = end
            if self._is_head(plain, begin, end) and not _RULE.match(plain, end):
                found.append((begin, end, end))
        return iter(sorted(found))

    def _is_head(self, plain: str, begin: int, end: int) -> bool:
        """Tell whether a line without a rule below it names columns and holds nothing else."""
        cells = self._cells(plain, begin, end) if end - begin <= _LONGEST_HEAD else []
        if len(cells) < 2:
            return False
        named = sum(1 for c in cells if c.meaning and c.meaning.questions)
        if named > 1:
            return all(c.meaning and c.meaning.questions for c in cells[1:])
        texts = [plain[c.begin : c.end] for c in cells]
        parts = [self._names.part_of_head(text) for text in texts]
        return (
            not named
            and "value" in parts
            and not any(_DIGIT.search(_in_brackets(t)) for t in texts)
        )

    def _cells(self, plain: str, begin: int, end: int) -> list[Cell]:
        if end - begin > LONGEST_ROW or plain.count("|", begin, end) not in range(1, MOST_CELLS):
            return []
        line = plain[begin:end]
        start = begin
        if line.lstrip(" >")[:1] == "|":  # no more than one: the first cell may be empty
            start += line.index("|") + 1
        stop = begin + len(line.rstrip())
        if plain[stop - 1 : stop] == "|":
            stop -= 1
        cells = []
        for part in plain[start:stop].split("|"):
            left = start + len(part) - len(part.lstrip())
            right = max(left, start + len(part.rstrip()))
            cells.append(Cell(left, right, self._names.meaning(plain[left:right])))
            start += len(part) + 1
        return cells

    def _row(
        self, visible: str, plain: str, columns: list[Cell], row: list[Cell]
    ) -> Iterator[Entry]:
        heads = [c.meaning.questions if c.meaning else () for c in columns]
        if sum(1 for head in heads if head) > 1:
            yield from self._across(visible, plain, heads, row)
        else:
            yield from self._down(visible, plain, columns, row)

    def _across(
        self, visible: str, plain: str, heads: list[tuple[str, ...]], row: list[Cell]
    ) -> Iterator[Entry]:
        """Read a row of a table that has a question a column."""
        first = row[0].meaning
        part = first.part if first else None
        if part is None and not heads[0]:
            part = self._names.part_of_head(plain[row[0].begin : row[0].end])
            if part is None:
                return
        for head, cell in zip(heads, row, strict=False):
            if head and part == "reason":
                yield from self._reason(visible, head, cell)
            elif head and (
                part == "value" or _is_short(plain, cell) or self._is_option(plain, head, cell)
            ):
                yield from self._value((visible, plain), head, cell)
            elif head:
                yield from self._reason(visible, head, cell)

    def _is_option(self, plain: str, questions: tuple[str, ...], cell: Cell) -> bool:
        """Tell whether a cell is an option, or several, of its question."""
        grammars = (self._numbers[question] for question in questions)
        return any(
            isinstance(grammar, OptionGrammar | ListGrammar)
            and grammar.read(plain, cell.begin, cell.end).number is not None
            for grammar in grammars
        )

    def _down(
        self, visible: str, plain: str, columns: list[Cell], row: list[Cell]
    ) -> Iterator[Entry]:
        """Read a row that names its question."""
        named = [n for n, cell in enumerate(row) if cell.meaning and cell.meaning.questions]
        meanings = [row[n].meaning for n in named]
        whose = tuple(dict.fromkeys(q for m in meanings if m for q in m.questions))
        if not whose:
            return
        others = [n for n in range(len(row)) if n not in named]
        own = next((m.part for m in meanings if m and m.part), None)
        if own and others:
            cell = row[others[0]]
            yield from (
                self._value((visible, plain), whose, cell)
                if own == "value"
                else self._reason(visible, whose, cell)
            )
            return
        parts = [self._names.part_of_head(plain[c.begin : c.end]) for c in columns]
        parts += [None] * (len(row) - len(parts))
        heads = [plain[c.begin : c.end] for c in columns]
        ranks = [n for n in others if n < len(heads) and _RANK.fullmatch(heads[n])]
        if (
            not any(parts[n] == "value" for n in others if n not in ranks)
            and len(others) - len(ranks) == 0
        ):
            ranks = []
        full = [n for n in others if n < len(heads) and _FULL_MARKS.fullmatch(heads[n])]
        others = [n for n in others if n not in ranks and n not in full]
        values = [n for n in others if parts[n] == "value"]
        values = _said_in_figures(plain, row, values)
        if values:  # of a rating and a final one, neither is taken unless they agree
            later = (n for n in others if n < len(heads) and _LATER.search(heads[n]))
            values += [n for n in later if n not in values and _is_short(plain, row[n])]
        reasons = [n for n in others if parts[n] == "reason"]
        if len(row) < len(columns) and row[-1].end == len(plain.rstrip()):
            return  # cut off
        if "value" not in parts and "reason" not in parts and len(others) == 1:
            values = others
        if not values and "value" not in parts:
            numbers = [n for n in others if n not in reasons and _is_short(plain, row[n])]
            if len(numbers) > 1:
                span = (row[numbers[0]].begin, row[numbers[-1]].end)
                value = Value(None, Cause.AMBIGUOUS, span, span[1], span[1])
                yield from (Entry(q, value=value) for q in whose)
            values = numbers if len(numbers) == 1 else []
        if not reasons and "reason" not in parts:
            rest = [n for n in others if n not in values and row[n].begin < row[n].end]
            reasons = rest if len(rest) == 1 else []
        for n in values:
            head = heads[n] if n < len(heads) else ""
            marks = plain[row[full[0]].begin : row[full[0]].end] if full else ""
            yield from self._value((visible, plain), whose, row[n], head, marks)
        for n in reasons:
            yield from self._reason(visible, whose, row[n])

    def _value(
        self,
        texts: tuple[str, str],
        whose: tuple[str, ...],
        cell: Cell,
        head: str = "",
        marks: str = "",
    ) -> Iterator[Entry]:
        visible, plain = texts
        for question in whose:
            grammar = self._numbers[question]
            if isinstance(grammar, RecordGrammar):
                value = grammar.within(visible, *_with_marks(plain, cell))
            elif isinstance(grammar, ProseGrammar):
                value = grammar.read(visible, *_with_marks(plain, cell))
            else:
                value = grammar.read(plain, cell.begin, cell.end)
            asked = self._questions[question]
            full = _DIGIT.findall(marks)
            other = bool(full) and int(full[-1]) != asked.maximum
            if value.cause is None and asked.kind is ItemKind.NUMBER:
                if other or _is_on_another(head, asked) or other_scales(head, [asked]):
                    value.number, value.cause = None, Cause.OTHER_SCALE
                elif _NOT_OURS.search(head) and not _NOT_OURS.search(asked.label):
                    value.number, value.cause = None, Cause.AMBIGUOUS
            if len(whose) > 1 and value.cause is not Cause.MISSING:
                value.number, value.cause = None, Cause.AMBIGUOUS
            yield Entry(question, value=value)

    @staticmethod
    def _reason(visible: str, questions: tuple[str, ...], cell: Cell) -> Iterator[Entry]:
        text = trim_reason(visible[cell.begin : cell.end])
        if len(questions) == 1:
            yield Entry(questions[0], reason=text, end=cell.end)


_LONGEST_HEAD = 300
_DIGIT = regex("[0-9]{1,9}")
_RANK = regex(
    r"順位|番号|No\.?|number|rank(?:ing)?|番|通し番号|順|連番|重み|weight|ウェイト|確信度|信頼度|自信度?|confidence|certainty|id|",
    re.IGNORECASE,
)
_FULL_MARKS = regex(
    r"満点|配点|最高点|最大(?:値|点)?|上限|max(?:imum)?(?: (?:score|points))?|out of|full marks"
    r"|(?:rating )?(?:scale|range)|尺度|範囲",
    re.IGNORECASE,
)
_HEAD_SCALE = regex(r"(?:/|\bof\b|満点) *([0-9]{1,4})|([0-9]{1,4}) *点満点", re.IGNORECASE)
_PERCENT = regex(r"%|\bper ?cent|パーセント", re.IGNORECASE)
_NOT_OURS = regex(
    r"\b(?:average|mean|median|others?|previous|prior|expected|predicted|min(?:imum)?|confidence|certainty|weight"
    r"|(?:word )?counts?|pages?|human|not)\b|平均|他の|他人|前回|以前|最小|最低|件数|文字数",
    re.IGNORECASE,
)
"""In the head of a column that holds something else than the answers."""
_LATER = regex(r"\b(?:final|revised|corrected|updated|adjusted)\b|最終|修正|訂正", re.IGNORECASE)
_RULE = regex(r"\n[ >]*+\|?+[ :]*+-[-: ]*+(?:\|[-: ]*+)*+$", re.MULTILINE)
_NO_VALUE = regex(r"不能|不可|でき|ません|不明|未|n/?a\b|none|null|not\b", re.IGNORECASE)
_SHORT = regex(r'[ \[("]*(?:約 *)?-?[0-9]')


def _is_on_another(head: str, asked: Question) -> bool:
    """Tell whether the head of a column names another scale than the question's own."""
    ends = [int(a or b) for a, b in _HEAD_SCALE.findall(head)]
    return any(end != asked.maximum for end in ends) or (
        asked.maximum != _HUNDRED and _PERCENT.search(head) is not None
    )


def _said_in_figures(plain: str, row: list[Cell], values: list[int]) -> list[int]:
    """Of several columns of values, leave out stars and grades where one has a number."""
    texts = {n: plain[row[n].begin : row[n].end] for n in values}
    figures = [n for n in values if _DIGIT.search(texts[n])]
    if len(figures) != 1 or any(_NO_VALUE.search(text) for text in texts.values()):
        return values
    return figures


def _in_brackets(text: str) -> str:
    """Return a head without what stands in brackets, as (0-100)."""
    return re.sub(r"[\[(][^\[\]()]{0,40}[\])]", "", text)


def _rows(plain: str, at: int) -> Iterator[tuple[int, int]]:
    """Yield where the lines stand that go on with a table, from the end of its second line."""
    for _ in range(MOST_ROWS):
        begin = at + 1
        if begin >= len(plain):
            return
        end = plain.find("\n", begin)
        end = len(plain) if end < 0 else end
        if plain.find("|", begin, end) < 0:
            return
        yield begin, end
        at = end


def _with_marks(plain: str, cell: Cell) -> tuple[int, int]:
    """Return where a cell stands with what a tidied copy does not show of it."""
    begin = max(plain.rfind(sign, 0, cell.begin) for sign in "|\n") + 1
    ends = (plain.find(sign, cell.end) for sign in "|\n")
    return begin, min((end for end in ends if end >= 0), default=len(plain))


def _is_short(plain: str, cell: Cell) -> bool:
    """Tell whether a cell holds a number and hardly more."""
    return cell.end - cell.begin <= _LONGEST_NUMBER and bool(
        _SHORT.match(plain, cell.begin, cell.end)
    )


_LONGEST_NUMBER = 20
_HUNDRED = 100
