"""Variants of one test: some are tried always, and the others with `-m long`."""

from collections.abc import Iterable
from typing import Any

import pytest


def always(kept: Iterable[Any], of: Iterable[Any]) -> list[Any]:
    """Return the values of a parameter, those that are not kept marked as `long`."""
    chosen = list(kept)
    return [value if value in chosen else _long(value) for value in of]


def first(count: int, of: Iterable[Any]) -> list[Any]:
    """Return the values of a parameter, all after the first so many marked as `long`."""
    return [value if place < count else _long(value) for place, value in enumerate(of)]


def _long(value: Any) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, marks=pytest.mark.long)
