"""What is counted of a question: its value, or of several options each one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from runner.core.definition import OFFERED, kind_of
from runner.core.model import BETWEEN, ItemKind

CHOSEN, LEFT_OUT = "yes", "no"
"""Whether an option is among several that were chosen."""
_CHOSEN_OR_NOT = ((CHOSEN, CHOSEN), (LEFT_OUT, LEFT_OUT))
Options = tuple[tuple[str, str], ...]
"""Each option's id, and what was shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number of each answer, or the number of one option; what is not valid has none."""

    name: str
    """Behind the question's name; empty: the question itself."""
    minimum: float
    maximum: float
    options: Options
    value: pl.Expr
    is_counted: bool
    """Whether it has means or shares; of others only how many there are is told."""


def measures(key: str, row: Mapping[str, Any]) -> Iterator[Measure]:
    """Yield what is counted of a question of a definition; the question itself is the first.

    Of several options: each as chosen or not. Of a rank: the place of each option, from 1.
    """
    said, kind = pl.col(f"{key}_value"), kind_of(row)
    low, high = float(row["minimum"]), float(row["maximum"])
    options: Options = tuple(row.get("options", {}).items())
    if kind is ItemKind.NUMBER:
        value = said.cast(pl.Float64)
    elif kind is ItemKind.CHOICE:
        numbers = [float(number) for number in range(1, len(options) + 1)]
        value = said.replace_strict([id_ for id_, _ in options], numbers, return_dtype=pl.Float64)
    else:
        value = pl.when(said.is_not_null()).then(1.0)
    is_counted = kind in (ItemKind.NUMBER, ItemKind.CHOICE)
    yield Measure(
        name="", minimum=low, maximum=high, options=options, value=value, is_counted=is_counted
    )
    offered = row.get(OFFERED, {})
    named = said.str.split(BETWEEN)
    for id_ in offered:
        if kind is ItemKind.CHOICES:
            chosen = pl.when(named.list.contains(id_)).then(1.0).otherwise(2.0)
            value = pl.when(said.is_not_null()).then(chosen)
            low, high, options = 1, 2, _CHOSEN_OR_NOT
        else:
            place = named.list.eval(pl.element() == id_).list.arg_max() + 1
            value = place.cast(pl.Float64)
            low, high, options = 1, float(len(offered)), ()
        yield Measure(
            name=f": {id_}",
            minimum=low,
            maximum=high,
            options=options,
            value=value,
            is_counted=True,
        )
