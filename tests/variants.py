"""Variants of one test: some are tried always, and the others with `-m long`."""

from collections.abc import Iterable
from typing import Any

import pytest


def always(kept: Iterable[Any], of: Iterable[Any]) -> list[Any]:
    """Return the values of a parameter, those that are not kept marked as `long`."""
    values, chosen = list(of), list(kept)
    return _marked(values, [value not in chosen for value in values])


def first(count: int, of: Iterable[Any]) -> list[Any]:
    """Return the values of a parameter, all after the first so many marked as `long`."""
    values = list(of)
    return _marked(values, [place >= count for place in range(len(values))])


def _marked(values: list[Any], are_long: list[bool]) -> list[Any]:
    """Mark some values; those of several parameters are tuples of one length."""
    tuples = [value for value in values if isinstance(value, tuple)]
    are_rows = len(tuples) == len(values) and len({len(row) for row in tuples} - {0, 1}) == 1
    return [
        pytest.param(*(value if are_rows else (value,)), marks=pytest.mark.long)
        if is_long
        else value
        for value, is_long in zip(values, are_long, strict=True)
    ]
