"""What a report shows of similarity: between models, and between levels of each factor."""

from collections.abc import Iterator

from runner.report import model_parts, numbers, similarity
from runner.report.data import Data
from runner.report.figures import similarity as figures
from runner.report.figures.sheet import Heading, Sheet
from runner.report.levels import MANY_LEVELS
from runner.report.numbers import Limits
from runner.report.page import Part
from runner.report.parts import Parts
from runner.report.words import Words

_DRAWN = 3
"""Levels from which they are drawn."""


def alike(data: Data, limits: Limits, words: Words, parts: Parts, sheet: Sheet) -> Iterator[Part]:
    """Yield how alike the levels of each factor are that has several: the figure, then the table.

    Args:
        data: the numbers of the report.
        limits: of its questions.
        words: in which language.
        parts: makes the tables.
        sheet: for the figures.
    """
    stands_for = numbers.confounded(data.readings, data.factors)
    there = False
    for factor in ("run", *data.factors):
        levels = data.readings[factor].drop_nulls().n_unique()
        shown = words("c.run") if factor == "run" else words.factor(factor)
        if levels > MANY_LEVELS:
            yield words("n.many_alike", factor=shown, count=f"{levels:,}", limit=MANY_LEVELS)
        if not 1 < levels <= MANY_LEVELS:
            continue
        place = [name for name in ("run", *data.factors) if name != factor]
        if factor == "run" or not stands_for:  # else levels would share no temperature
            place.append("temperature")
        found = similarity.alike(data.having(factor), factor, place, limits)
        own = factor if factor in data.factors else ""
        name = f"alike_{'model' if factor == 'run' else factor}"
        if len(found.levels) >= _DRAWN:
            yield from figures.alike(sheet, found, Heading(name, "k.alike", own))
        yield parts.table(
            name,
            similarity.table(found),
            own,
            headers={"level": shown},
            notes=(words("m.alike"), parts.missing_line(data)),
            open_=False,
        )
        there = True
    if not there:
        yield words("n.nothing_alike")
    yield from model_parts.disagreement(data, words, parts)
    yield from model_parts.vendors(data, words, parts)
