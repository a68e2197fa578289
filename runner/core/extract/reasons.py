"""Cuts the reasons out of an answer: those that are announced, or what stands behind a value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from runner.core.extract.matcher import Mark
from runner.core.extract.normalize import BLANKS, HIDDEN_MARKS
from runner.core.extract.number import Value
from runner.core.extract.reason import first_paragraph, trim_reason, trim_remark


@dataclass(slots=True)
class Reason:
    """What is said of one question, and where that ends in the answer."""

    text: str | None
    end: int
    rank: int


class ReasonCutter:
    """Finds the reasons of one answer."""

    def __init__(self, of_one: Collection[str]) -> None:
        """Keep behind whose values a remark may stand: those that are one number or one option."""
        self.found: dict[str, Reason] = {}
        self._of_one = of_one
        self._visible = ""
        self._values: Mapping[int, Value] = {}
        self._paragraphs = False
        self._cuts = 0

    def note(self, question: str, text: str, end: int) -> None:
        """Take a reason that an object or a table names; the first one stays."""
        known = self.found.get(question)
        if known is None or known.text is None:
            self.found[question] = Reason(text, end, -1)

    def take(self, visible: str, marks: list[Mark], values: Mapping[int, Value]) -> None:
        """Cut the reasons out of an answer, each up to the next mark; the first pattern wins.

        Args:
            visible: the answer, without what is no part of it.
            marks: what the patterns found.
            values: what was read, by the place of its mark.
        """
        self._visible, self._values = visible, values
        labelled = [n for n, m in enumerate(marks) if m.finder.group == "reason"]
        for number in labelled:
            mark = marks[number]
            if len(mark.questions) != 1:
                continue
            # The pattern took the marks of markdown before the reason for blanks.
            head = self._visible[mark.line : mark.begin]
            begin = mark.line + len(head.rstrip(HIDDEN_MARKS))
            text, end = self._cut(marks, number, begin)
            self._take_reason(mark.questions[0], trim_reason(text), end, mark.finder.rank)
        self._take_remarks(marks, below=not labelled)

    def _take_remarks(self, marks: list[Mark], *, below: bool) -> None:
        """Where no reason is labelled, take what stands behind a number, or below it."""
        for number, value in self._values.items():
            question = marks[number].questions[0]
            if self.found.get(question) is not None and self.found[question].text:
                continue
            if question not in self._of_one:
                continue
            mark = marks[number]
            behind = value.cause is None and trim_remark(self._visible[value.rest : value.end])
            follows = marks[number + 1].finder.group if number + 1 < len(marks) else "end"
            if behind:
                text, end = self._cut(marks, number, value.rest)
                if follows == "reason":
                    text, end = self._visible[value.rest : value.end], value.end
            elif below:
                text, end = self._cut(marks, number, mark.end)
            else:
                continue
            if remark := trim_remark(text):
                self._take_reason(question, remark, end, _REMARK)

    def _cut(self, marks: list[Mark], number: int, begin: int) -> tuple[str, int]:
        """Return the text from a place to the next mark, and where it ends.

        The last reason of an answer may be followed by a summary: where no reason before it has a
        blank line inside, it ends at its first one.
        """
        is_last = number + 1 == len(marks)
        end = len(self._visible) if is_last else marks[number + 1].line
        text = self._visible[begin:end]
        if not is_last:
            self._paragraphs |= first_paragraph(text).rstrip(BLANKS) != text.rstrip(_TRAILING)
            self._cuts += 1
        elif self._cuts and not self._paragraphs:
            text = first_paragraph(text)
            end = end if len(text) == end - begin else begin + len(text)
        return text, end

    def _take_reason(self, question: str, text: str | None, end: int, rank: int) -> None:
        before = self.found.get(question)
        if before is None or before.text is None or (text and rank <= before.rank):
            self.found[question] = Reason(text, end, rank)


_REMARK = 1 << 20
_TRAILING = BLANKS + "-=*_#>`~|"
