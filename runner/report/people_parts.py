"""What a report shows of people who rated the same items: how far models agree with them."""

from collections.abc import Iterator, Sequence

import polars as pl

from runner.report import people
from runner.report.data import Data
from runner.report.page import Part
from runner.report.parts import Parts
from runner.report.people import ALL, Rated
from runner.report.rater_parts import constant
from runner.report.words import Words

_OF_PEOPLE = {name: f"{name}_people" for name in ("one_rater", "no_residual")}
_OF_PEOPLE |= dict.fromkeys(("no_shared_cell", "no_complete_cell"), "few_shared")
_OF_BOTH = {"no_residual": "no_residual_people"}
_OF_BOTH |= dict.fromkeys(("no_shared_cell", "no_complete_cell"), "few_cells")
"""The words of raters that are models, and those of people, or of a model and people."""


def between(
    data: Data, rated: Sequence[Rated], words: Words, parts: Parts, *, is_choice: bool
) -> Iterator[Part]:
    """Yield how far each model agrees with the people, and the people among themselves.

    Args:
        data: the numbers, or the choices, of the report.
        rated: what people answered.
        words: in which language.
        parts: makes the tables.
        is_choice: whether they are choices.
    """
    options = {q.name: [id_ for id_, _ in q.options] for q in data.questions}
    of = [one for one in rated if one.rows["question"].is_in(list(options)).any()]
    notes = [note for one in rated for note in _notes(one, options, words, is_choice=is_choice)]
    if not of:
        yield words("n.no_people")
        yield from notes
        return
    found = [people.agreement(data, one, options if is_choice else None) for one in of]
    before = "choice_" if is_choice else ""
    tables, pairs = (pl.concat(some) for some in zip(*found, strict=True))
    said = words("m.choice_people" if is_choice else "m.people")
    missing = parts.missing_line(data)
    shown = tables.with_columns(pl.col("defined").replace(_OF_BOTH))
    yield parts.table(f"{before}people", shown, notes=(said, *notes, missing))
    among = pl.concat(people.between(one, options, is_choice=is_choice) for one in of)
    among = among.with_columns(pl.col("defined").replace(_OF_PEOPLE)).rename({"raters": "people"})
    among = among if len(of) > 1 else among.drop("block")
    yield parts.table(f"{before}people_among", among, notes=(words("m.people_among"),))
    if pairs.height:
        yield parts.table("choice_people_confusion", pairs, open_=False)


def _notes(of: Rated, questions: people.Options, words: Words, *, is_choice: bool) -> Iterator[str]:
    """Say what a cell is, what is missing, and who rates every cell alike."""
    some = of.rows.filter(pl.col("question").is_in(list(questions)))
    factors = () if ALL in of.place else of.place
    yield words("n.people_cells", cell=words.factors(factors) or words("none"))
    if some["value"].null_count() or of.unplaced:
        missing = f"{some['value'].null_count():,}"
        yield words("n.people_missing", missing=missing, unplaced=f"{of.unplaced:,}")
    if names := constant(some, of.place, words, is_choice=is_choice):
        yield words("n.constant_people", names=names)
