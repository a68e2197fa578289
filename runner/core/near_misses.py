"""Braces in a prompt that name nothing, and were nearly meant to: `{ tweet }`, `{Tweet.body}`."""

import difflib
import re
from collections.abc import Iterable, Iterator

_BRACES = re.compile(r"\{([^{}\n]{1,80})\}")
_NO_NAME = re.compile(r"[()\"':,;=\[\]<>]")
"""What stands in JSON and code, and in no name."""
_ALIKE = 0.8
_SHORTEST = 3


def near_misses(text: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield what stands in braces and is sent as it is, though it is nearly a name: it, and the name.

    Args:
        text: of a message or a wording.
        names: what may be filled in.
    """
    known = list(names)
    by_letters = {_letters(name): name for name in reversed(known)}
    for match in _BRACES.finditer(text):
        inside = match[1]
        if inside in known or _NO_NAME.search(inside):
            continue
        meant = _meant(_letters(inside), by_letters)
        first, *rest = re.findall(r"\w+", inside) or [""]
        if meant is not None:
            yield match[0], by_letters[meant]
        elif len(rest) == 1 and (factor := _meant(_letters(first), by_letters)) is not None:
            yield match[0], f"{by_letters[factor].partition('.')[0]}.{rest[0]}"


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name that a word was nearly meant to be; None when there is none."""
    by_letters = {_letters(name): name for name in names}
    meant = _meant(_letters(word), by_letters)
    return None if meant is None else by_letters[meant]


def _meant(word: str, known: Iterable[str]) -> str | None:
    if word in known:
        return word
    if len(word) < _SHORTEST:
        return None
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=_ALIKE)), None)


def _letters(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())
