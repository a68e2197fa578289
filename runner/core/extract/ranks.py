"""Reads the numbers of an order: "2", "2nd", "second", "rank 2"."""

import re
from collections.abc import Sequence

from runner.core.extract.normalize import tidy
from runner.core.extract.regex import regex

_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
COUNTED = rf"(?P<number>[0-9]{{1,3}}|{'|'.join(_WORDS)})(?:st|nd|rd|th)?(?: place)?"
"""A regular expression for one; an option may not begin with it."""
NUMBERED = regex(rf"[0-9]|(?:rank|{'|'.join(_WORDS)})\b", re.IGNORECASE)
"""What an option begins with that could be taken for one."""
KEY = regex(r"rank(?:ing)?|position|place|順位", re.IGNORECASE)
"""What the key of one is called in JSON."""
_WHOLE = regex(rf"(?:rank|place|position)?[ _]*{COUNTED}", re.IGNORECASE)


def rank_in(written: str | None) -> int | None:
    """Return the number that is said; None where it is none."""
    match = _WHOLE.fullmatch(tidy(written or ""))
    if match is None:
        return None
    word = match["number"].lower()
    return int(word) if word.isdigit() else _WORDS.index(word) + 1


def counts_up(ranks: Sequence[int | None]) -> bool:
    """Tell whether they are 1, 2, 3 and so on."""
    return list(ranks) == list(range(1, len(ranks) + 1))
