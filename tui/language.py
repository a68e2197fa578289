"""The language of the screens: English texts as they stand in the code, and the Japanese ones for them."""

import re
from functools import cache

from tui.japanese import HEARD, TERMS, TEXTS

ENGLISH, JAPANESE = "en", "ja"
LANGUAGES = (ENGLISH, JAPANESE)

_spoken = ENGLISH


def speak(language: str) -> None:
    """Let everything from now on be said in one of `LANGUAGES`."""
    global _spoken  # noqa: PLW0603 - one program speaks one language
    _spoken = language


def spoken() -> str:
    """Return the language that is spoken."""
    return _spoken


def tr(text: str, /, **parts: object) -> str:
    """Return a text in the language that is spoken, with its parts filled in.

    Args:
        text: in English, as `{count:,} requests`; a variable only if its texts are marked by `later`.
        parts: what stands in place of the names in braces.
    """
    if _spoken == JAPANESE:
        text = TEXTS.get(text, text)
    return text.format(**parts) if parts else text


def later(text: str) -> str:
    """Return a text as it is; marks it as one that is given to `tr` where it is shown."""
    return text


def term(group: str, code: str) -> str:
    """Return the word for a code of ledger or tables; the code itself in English, or where there is none.

    Args:
        group: state, status, outcome, cause or another of `TERMS`.
        code: as it is written there, and typed in a filter.
    """
    return TERMS[group].get(code, code) if _spoken == JAPANESE else code


def explained(code: str, example: str, group: str = "filter") -> str:
    """Return a filter word, which is typed in English, with its meaning beside it.

    Args:
        code: what it is about, or the word itself.
        example: how it is typed.
        group: of `TERMS`.
    """
    meaning = term(group, code)
    return example if meaning == code else f"{example}（{meaning}）"


def heard(text: str) -> str:
    """Return what runner or ledger said in English; as it is where there are no words for it."""
    if _spoken == ENGLISH:
        return text
    for pattern, told in _heard():
        if found := pattern.fullmatch(text):
            parts = found.groupdict()
            return told.format(**{name: heard(part) for name, part in parts.items()})
    parts_of = text.split("; ")
    return "；".join(map(heard, parts_of)) if len(parts_of) > 1 else text


@cache
def _heard() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return what can be heard, as patterns; a part in braces is anything."""
    return tuple(
        (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(said)), re.DOTALL), told)
        for said, told in HEARD.items()
    )
