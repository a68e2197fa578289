"""What is wrong with a configuration, collected; and the words in which it is said."""

import difflib
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from runner.core.errors import ConfigError

IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,40}")
ALLOWED_IDS = "allowed: letters, digits, - and _, up to 40 of them"


class Problems:
    """What is wrong with a configuration, collected."""

    def __init__(self) -> None:
        """Start without any."""
        self.lines: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Note one."""
        self.lines.append(f"{where}: {what}")

    def check(self, good: bool, where: str, what: str) -> None:
        """Note one unless all is well."""
        if not good:
            self.add(where, what)

    def raise_any(self) -> None:
        """Raise all of them as one error."""
        if self.lines:
            raise ConfigError("; ".join(self.lines))


LISTED = 48
"""Of the words that are allowed, how many a line names."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint for a word that is not known, with those that are; of many, the first ones."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    more = f" and {len(words) - LISTED:,} more" if len(words) > LISTED + 1 else ""
    return f"{hint}allowed: {', '.join(words[: LISTED if more else None])}{more}"


def words(value: Any) -> list[str]:
    """Return a setting that may be nothing, one word, or several."""
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def decimal_of(value: float) -> Decimal:
    """Return the number as it was written: 0.29 stays 0.29."""
    return Decimal(repr(value)).normalize() + 0


def within(number: Decimal, low: Decimal | int, high: Decimal | int) -> bool:
    """Tell whether a number is one, and between two bounds."""
    return number.is_finite() and low <= number <= high
