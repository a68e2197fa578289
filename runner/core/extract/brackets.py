"""A verdict in double brackets, as in "My final verdict is: [[A]]": where it stands, and its reason."""

import re
from collections.abc import Sequence

from runner.core.extract.number import Entry
from runner.core.extract.reason import trim_remark
from runner.core.extract.regex import regex


def double_brackets(plain: str) -> list[tuple[int, int]]:
    """Return where something stands in double brackets: so are judges often asked for a verdict.

    Each ends a line, and its sentence sets no condition; else there are none. The form is that of
    MT-Bench's prompts (Zheng et al., 2023, arXiv:2306.05685).
    """
    marks = list(_DOUBLE.finditer(plain))
    if not all(mark["end"] is not None and _is_said(plain, mark.start()) for mark in marks):
        return []
    return [mark.span("said") for mark in marks]


def _is_said(plain: str, mark: int) -> bool:
    """Tell whether what stands before a mark in its sentence sets no condition."""
    *_, sentence = _SENTENCE_END.split(plain[max(0, mark - _LONGEST_LEAD) : mark])
    return _CONDITION.search(sentence) is None


def reason_above(question: str, visible: str, places: Sequence[tuple[int, int]]) -> list[Entry]:
    """Return the lines above the first of some places as a reason; none where there are none."""
    end = visible.rfind("\n", 0, places[0][0]) + 1
    reason = trim_remark(visible[:end])
    return [Entry(question, reason=reason, end=end)] if reason else []


_LONGEST_LEAD = 200
_SENTENCE_END = regex(r"[\n.!?。！？]")
_DOUBLE = regex(
    r"\[\[[ *]*(?P<said>[^\[\]\n]{1,80}?)[ *]*\]\]"
    r"(?P<end>(?: */ *[0-9]+)?[ .。!*_`\"')]*(?:\n|$))?"
)
_CONDITION = regex(
    r"\b(?:if|when|unless|whether|should|not|never|cannot|instead|either|or|between|print|output|write"
    r"|format|example)\b|もし|場合|なら|ない|例",
    re.IGNORECASE,
)
