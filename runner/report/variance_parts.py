"""What a report shows of where the variance lies: the components of each question, and their shares."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from runner.report.data import Data
from runner.report.figures import variance as figures
from runner.report.figures.sheet import Sheet
from runner.report.page import Part, counts
from runner.report.parts import Parts
from runner.report.reml import MOST_LEVELS
from runner.report.variance import RESIDUAL, TIMES, Divided, divided
from runner.report.words import Words

NAME = "variance"
MOST_NAMED = 12
EMPTY = ("no_value", "constant", "no_factor", "no_repeat", "not_apart")
"""Why the variance of a question is not divided."""
NOTES = (
    *("singular", "no_fit", "many_terms", "no_residual"),
    *("incomplete", "not_held", "more", "no_pairs", "temperature"),
)
"""What is said below the table."""


def of_numbers(data: Data, words: Words, parts: Parts, sheet: Sheet) -> Iterator[Part]:
    """Yield the figure and the table, and a sentence on what is not in them."""
    found = list(divided(data.readings, data.factors))
    several = data.readings["block"].n_unique() > 1
    tables = [
        one.rows.select(
            pl.lit(one.question).alias("question"),
            *([pl.lit(one.block).alias("block")] if several else []),
            "component",
            "levels",
            pl.lit(one.n, dtype=pl.Int64).alias("n"),
            pl.exclude("component", "levels"),
        )
        for one in found
        if one.rows is not None
    ]
    if tables:
        table = pl.concat(tables)
        yield from figures.variance(sheet, table, lambda code: component(code, words))
        notes = (
            words("n.variance"),
            *said(found, NOTES, words, several=several),
            *_left_out(found, words, several=several),
            parts.missing_line(data),
        )
        made = parts.table(NAME, table, notes=notes)
        codes = {
            "component": lambda code: component(code, words),
            "method": lambda code: words.code("v", code),
            "boundary": lambda code: words.code("v", code),
        }
        yield replace(made, codes=made.codes | codes)
    yield from said(found, EMPTY, words, several=several)


def component(code: str, words: Words) -> str:
    """Return what a component is called."""
    if code == RESIDUAL:
        return words("v.residual")
    named = (
        words(f"c.{name}") if name in ("run", "temperature") else words.factor(name)
        for name in code.split(TIMES)
    )
    return TIMES.join(named)


def said(
    found: Sequence[Divided], codes: Sequence[str], words: Words, *, several: bool
) -> Iterator[str]:
    """Yield a sentence for each code that some question has.

    Args:
        found: how the questions divide.
        codes: of what is to be said, in order.
        words: in which language.
        several: whether there are several experiments, which are named then.
    """
    for code in codes:
        if names := [_name(one, several=several) for one in found if code in one.said]:
            yield words(
                f"n.variance_{code}",
                questions=counts(names, words, MOST_NAMED),
                limit=f"{MOST_LEVELS:,}",
            )


def _left_out(found: Sequence[Divided], words: Words, *, several: bool) -> Iterator[str]:
    for factor in dict.fromkeys(
        name for one in found if one.rows is not None for name in one.left_out
    ):
        names = [_name(one, several=several) for one in found if factor in one.left_out]
        yield words(
            "n.variance_left_out",
            factor=component(factor, words),
            questions=counts(names, words, MOST_NAMED),
        )


def _name(one: Divided, *, several: bool) -> str:
    return f"{one.question} ({one.block})" if several else one.question
