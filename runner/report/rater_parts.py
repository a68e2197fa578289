"""What a report shows of the agreement between models, as raters of the same cells."""

from collections.abc import Iterator, Sequence

import polars as pl

from runner.report import raters
from runner.report.data import Data
from runner.report.page import Part, counts
from runner.report.parts import Parts
from runner.report.words import Words

MOST_NAMED = 12


def of_numbers(data: Data, words: Words, parts: Parts) -> Iterator[Part]:
    """Yield how far models agree in the means of the cells, all of them and every two."""
    if len(data.runs) < raters.LEAST:
        yield words("n.no_raters")
        return
    place = [*data.factors, "temperature"]
    missing = parts.missing_line(data)
    table = raters.agreement(data.readings, place)
    notes = (words("m.raters"), *_constant(data, words, place), missing)
    yield parts.table("raters", _shown(data, table), notes=notes)
    ranks = _shown(data, raters.rank_correlations(data.readings, place))
    notes = (words("m.rank_correlations"), missing)
    yield parts.table("rank_correlations", ranks, notes=notes, open_=False)


def of_choices(data: Data, words: Words, parts: Parts) -> Iterator[Part]:
    """Yield how far models agree in the most frequent answers, and which they mistake for which."""
    if len(data.runs) < raters.LEAST:
        return
    place = [*data.factors, "temperature"]
    ids = {q.name: [id_ for id_, _ in q.options] for q in data.questions}
    missing = parts.missing_line(data)
    table = raters.agreement(data.readings, place, {name: len(some) for name, some in ids.items()})
    notes = (words("m.choice_raters"), *_constant(data, words, place), missing)
    yield parts.table("choice_raters", _shown(data, table), notes=notes)
    crossed = raters.confusion(data.readings, place, ids)
    weighted = [name for name in crossed.columns if name.startswith("kappa_")]
    said = [words("m.weighted")] if crossed[weighted[0]].count() else []
    crossed = crossed if said else crossed.drop(weighted)
    notes = (words("m.confusion"), *said, missing)
    yield parts.table("confusion", _shown(data, crossed), notes=notes, open_=False)


def _constant(data: Data, words: Words, place: list[str]) -> Iterator[str]:
    """Name the models that rate every cell alike: no agreement can be seen in them."""
    of_choices = any(question.options for question in data.questions)
    if names := constant(data.readings, place, words, is_choice=of_choices):
        yield words("n.constant_raters", names=names)


def constant(readings: pl.DataFrame, place: Sequence[str], words: Words, *, is_choice: bool) -> str:
    """Name the raters that rate every cell of a question alike; empty: there are none."""
    found = raters.constant(readings, place, is_choice=is_choice)
    return counts([f"{rater} ({question})" for question, rater in found], words, MOST_NAMED)


def _shown(data: Data, table: pl.DataFrame) -> pl.DataFrame:
    """Return a table without the experiment where there is only one."""
    return table if data.readings["block"].n_unique() > 1 else table.drop("block")
