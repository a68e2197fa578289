"""One writing for what means the same; every character keeps its place."""

import re
from functools import lru_cache

from runner.core.extract.regex import regex

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
    **dict.fromkeys("│┃", "|"),
    # Not '>': "> 80" may be a quotation mark of markdown, but also "more than 80".
    **dict.fromkeys(HIDDEN_MARKS, " "),
    **dict.fromkeys("\u2028\u2029\x85", "\n"),
    **dict.fromkeys("\r\t\x0b\x0c\xa0\u1680\u180e\u202f\u205f\u3000\xad\ufeff\ufe0e\ufe0f", " "),
    **{chr(code): " " for code in (*range(0x2000, 0x2010), *range(0x202A, 0x202F))},
    **{chr(code): " " for code in range(0x2060, 0x2070)},
}
_UNTIDY = regex("[" + re.escape("".join(_TIDY)) + "]")
_PLAIN_RUN = regex("([\\x00-\\x7f]{200,})")
_LONG = 20_000
"""Characters; in a longer text, looking at each one is quicker than looking for some."""


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


def blanks(match: re.Match[str]) -> str:
    """Return as many blanks as were matched."""
    return " " * len(match[0])


def _tidy_one(match: re.Match[str]) -> str:
    return _TIDY[match[0]]
