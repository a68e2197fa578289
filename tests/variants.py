"""Variants of one test: some are tried always, and the others with `-m long`."""

from collections.abc import Iterable
from typing import Any

import pytest


def always(kept: Iterable[Any], of: Iterable[Any]) -> list[Any]:
    """Return the values of a parameter, those that are not kept marked as `long`."""
    values, chosen = list(of), list(kept)
    return _marked(values, [value not in chosen for value in values])


def first(count: int, of: Iterable[Any], *, one: bool = False) -> list[Any]:
    """Return the values of a parameter, all after the first so many marked as `long`.

    Args:
        count: how many are tried always.
        of: all values; tuples of one length are those of several parameters.
        one: they are those of one parameter all the same.
    """
    values = list(of)
    return _marked(values, [place >= count for place in range(len(values))], one=one)


def _marked(values: list[Any], are_long: list[bool], *, one: bool = False) -> list[Any]:
    lengths = {len(value) if isinstance(value, tuple) else 0 for value in values}
    are_rows = not one and len(lengths) == 1 and lengths.isdisjoint({0, 1})
    return [
        pytest.param(*(value if are_rows else (value,)), marks=pytest.mark.long)
        if is_long
        else value
        for value, is_long in zip(values, are_long, strict=True)
    ]
