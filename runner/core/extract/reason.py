"""A reason, cut out of an answer: what is leftover markdown, and what says nothing."""

import re

from runner.core.extract.normalize import BLANKS
from runner.core.extract.regex import regex

_RULE = "-=*_#>`~|" + BLANKS
_EMPHASES = ("```", "**", "__", "*", "_", "`")
_PAIRS = dict(zip('[(（［【「『〔<“"', '])）］】」』〕>”"', strict=True))
_NO_REASON = regex(
    r"(?:ここに)?(?:具体的な)?(?:説明|理由|記述|文章|テキスト|reason|explanation|text|string)"
    r"(?:文|の説明|を(?:説明|記入|記述|入力|書く|書いてください))?"
    r"|(?:特に)?(?:なし|無し)|不明|n/?a|none|null|省略",
    re.IGNORECASE,
)
_BULLETS = tuple("-*+•・●○>")
_BULLET = regex(r"^(?:[-*+•・●○>] {0,9}){1,5}(?<=[ ・•●○])")
_LETTER = regex(r"[^\W\d_]")
_BECAUSE = regex(r"(?:その|評価の)?(?:理由|根拠)(?:としては|は|[:：])[、 ]*")
_LEAD = regex(r"[ \u3000\-‐–—―:：、，。,.;；・|｜/／=>→*_]+")


def trim_reason(text: str) -> str | None:
    """Take off blanks, leftover markdown and surrounding brackets; None when nothing is said."""
    text = text.strip(BLANKS)
    if "\n" in text:
        body, _, rule = text.rpartition("\n")
        text = text if rule.strip(_RULE) else body.rstrip(BLANKS)
    if text[:1] in _BULLETS and "\n" not in text:
        text = _BULLET.sub("", text)
    for mark in _EMPHASES:
        if mark in text:
            text = _without_emphasis(text, mark)
    if _PAIRS.get(text[:1]) == text[-1:] and _is_surrounded(text):
        text = text[1:-1].strip(BLANKS)
    if not _LETTER.search(text) or _NO_REASON.fullmatch(text.rstrip("。.")):
        return None
    return text


def trim_remark(text: str) -> str | None:
    """Trim what follows a number on its line, as in "80 - はらはらした" or "80（はらはらした）"."""
    lead = _LEAD.match(text)
    text = text[lead.end() :] if lead else text
    word = _BECAUSE.match(text)
    return trim_reason(text[word.end() :] if word else text)


def first_paragraph(text: str) -> str:
    """Return the text up to its first blank line."""
    begin = len(text) - len(text.lstrip(BLANKS))
    blank = _BLANK_LINE.search(text, begin)
    return text[: blank.start()] if blank else text


_BLANK_LINE = regex(r"\n[ \t\r\u3000>]*\n")


def _is_surrounded(text: str) -> bool:
    """Tell whether a bracket that opens a text is closed at its very end, and not before."""
    opening, inner, closing = text[0], text[1:-1], text[-1]
    if opening == closing or len(text) < 2 or len(text) > _LONGEST_IN_BRACKETS:
        return len(text) > 1 and opening not in inner and closing not in inner
    depth = 0
    for sign in inner:
        depth += (sign == opening) - (sign == closing)
        if depth < 0:
            return False
    return depth == 0


_LONGEST_IN_BRACKETS = 5_000


def _without_emphasis(text: str, mark: str) -> str:
    """Take off a mark that closes what stood before the reason, or that surrounds all of it."""
    size = len(mark)
    leftover = text.count(mark) == 1 or not text[size : size + 1].strip(BLANKS)
    if text.startswith(mark) and leftover:
        text = text[size:].lstrip(BLANKS)
    if text.endswith(mark) and text.count(mark) % 2:
        text = text[:-size].rstrip(BLANKS)
    if len(text) > 2 * size and text.startswith(mark) and text.endswith(mark):
        text = text if mark in text[size:-size] else text[size:-size].strip(BLANKS)
    return text
