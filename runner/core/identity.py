"""Whether the model that answered is the one that was asked; providers replace models silently."""

import re
from collections.abc import Mapping
from typing import Final

OTHERS: Final = "other names"
"""Stands for returned names beyond those that are counted one by one."""
_MOST: Final = 16

_GATEWAY_WORDS: Final = re.compile(
    r":(?:free|nitro|floor|exacto|batch|extended|thinking|online|beta|latest)$"
)
"""How gateways ask for the same model at other terms; other tags, as Ollama's :8b, are the model."""
_VERSION: Final = re.compile(
    r"[-@](?:(?:19|20)\d\d-?(?:0\d|1[0-2])-?[0-3]\d|(?:0\d|1[0-2])-(?:[0-3]\d|20\d\d)|\d{3,4}|latest|default)$"
)
"""A date or a number of a snapshot: 2024-07-18, 20251001, 0613, 09-2025, 05-06, 001."""
_NO_VERSION: Final = frozenset({"latest", "default"})


def parts_of(name: str) -> tuple[str, str | None]:
    """Return a model's family and the snapshot that its name asks for; None: whichever is current.

    What stands before the last slash says who serves it: publishers/google/models/, openai/.
    """
    plain = name.strip().strip("/").lower().rpartition("/")[2].replace(".", "-")
    plain = _GATEWAY_WORDS.sub("", plain)
    snapshot: str | None = None
    while found := _VERSION.search(plain):  # as in gemini-2.0-flash-001@default
        plain, word = plain[: found.start()], found[0][1:].replace("-", "")
        snapshot = snapshot if word in _NO_VERSION else word
    return plain, snapshot


def is_same(asked: str, answered: str) -> bool:
    """Tell whether two names are one model's: a family is the same as any dated snapshot of it.

    Two snapshots of one family are two models: a name with a date means that one.
    """
    (family, wanted), (other, got) = parts_of(asked), parts_of(answered)
    return family == other and (wanted is None or got is None or wanted == got)


def counted(names: Mapping[str, int]) -> dict[str, int]:
    """Return how many answers came under which name, the most frequent first, and safe to print."""
    clean: dict[str, int] = {}
    for name, count in names.items():
        word = "".join(c if c.isprintable() else "?" for c in name[:120])
        clean[word] = clean.get(word, 0) + count
    rest = clean.pop(OTHERS, 0)
    ranked = sorted(clean.items(), key=lambda row: (-row[1], row[0]))
    rest += sum(count for _, count in ranked[_MOST:])
    return dict(ranked[:_MOST]) | ({OTHERS: rest} if rest else {})


def others(asked: str, answered: Mapping[str, int]) -> dict[str, int]:
    """Return the answers that came from other models, by their names, the most frequent first."""
    found = {name: count for name, count in answered.items() if not is_same(asked, name)}
    return dict(sorted(found.items(), key=lambda row: (-row[1], row[0])))


def replaced(asked: str, answered: Mapping[str, int]) -> str | None:
    """Say which other models answered; None when none did, or it is unknown."""
    by_whom = [
        f"{count:,} answer{'' if count == 1 else 's'} came from {name}"
        for name, count in others(asked, answered).items()
    ]
    if not by_whom:
        return None
    more = f" and {len(by_whom) - 3} more" if len(by_whom) > 3 else ""
    return f"asked {asked}, {', '.join(by_whom[:3])}{more}"
