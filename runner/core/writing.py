"""One writing for what means the same, and no thoughts; every character keeps its place."""

import re
from functools import lru_cache

HIDDEN_MARKS = "*`#_＊｀＃＿"
"""Marks of markdown, which stand for blanks in a tidied copy."""
BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u2060\ufeff"

_TIDY = {
    **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94)},
    **dict.fromkeys("‐‑‒–—―−﹘﹣", "-"),
    **dict.fromkeys("〜∼", "~"),
    **dict.fromkeys("【「『〔〖《〈｢", "["),
    **dict.fromkeys("】」』〕〗》〉｣", "]"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("∕⁄", "/"),
    **dict.fromkeys("∶︓﹕", ":"),
    "｡": "。",
    "､": "、",
    # Not '>': "> 80" may be a quotation mark of markdown, but also "more than 80".
    **dict.fromkeys(HIDDEN_MARKS, " "),
    **dict.fromkeys("\u2028\u2029\x85", "\n"),
    **dict.fromkeys("\r\t\x0b\x0c\xa0\u1680\u180e\u202f\u205f\u3000\xad\ufeff\ufe0e\ufe0f", " "),
    **{chr(code): " " for code in (*range(0x2000, 0x2010), *range(0x202A, 0x202F))},
    **{chr(code): " " for code in range(0x2060, 0x2070)},
}
_UNTIDY = re.compile("[" + re.escape("".join(_TIDY)) + "]")
_PLAIN_RUN = re.compile("([\\x00-\\x7f]{200,})")
_LONG = 20_000
"""Characters; in a longer text, looking at each one is quicker than looking for some."""
MOST_TAGS = 4_000
"""An answer that begins or ends a thought more often than this shows nothing at all."""
_THOUGHTS = ("think", "thought", "scratchpad", "reflection")
_THOUGHT = re.compile(
    # What may follow is looked at first: a megabyte of < is passed over five times as fast.
    rf"<(?=/?[{''.join(w[0] + w[0].upper() for w in _THOUGHTS)}])"
    rf"(/?)(?i:{'|'.join(_THOUGHTS)}|thinking)>"
)


def tidy(text: str) -> str:
    """Return a copy for matching, of the same length: one writing for what means the same."""
    if len(text) <= _LONG:
        return _UNTIDY.sub(_tidy_one, text)
    plain, whole = _tables()
    return "".join(
        part.translate(plain if part.isascii() else whole) for part in _PLAIN_RUN.split(text)
    )


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[int, str], list[int]]:
    """Return tables for long texts: one for ASCII only, and one that has every usual character."""
    short = {ord(sign): instead for sign, instead in _TIDY.items()}
    return short, [ord(short.get(code, chr(code))) for code in range(0x10000)]


def _tidy_one(match: re.Match[str]) -> str:
    return _TIDY[match[0]]


def hide_thoughts(text: str) -> str:
    """Blank out what a model thought aloud, keeping the length.

    A thought without a beginning began with the text; one without an end goes on to its end.
    """
    if "<" not in text or ">" not in text:
        return text
    lowered = text.lower()
    if not any(word in lowered for word in _THOUGHTS):
        return text
    shown: list[tuple[int, int]] = []
    position, thinking = 0, False
    for number, tag in enumerate(_THOUGHT.finditer(text)):
        if number == MOST_TAGS:
            return " " * len(text)
        if tag[1] and not thinking:
            shown = []
        elif not (tag[1] or thinking):
            shown.append((position, tag.start()))
        position, thinking = tag.end(), not tag[1]
    if not thinking:
        shown.append((position, len(text)))
    parts: list[str] = []
    position = 0
    for begin, end in shown:
        parts += (" " * (begin - position), text[begin:end])
        position = end
    return "".join(parts) + " " * (len(text) - position)
