"""What a report shows of models side by side: where they disagree, by vendor and by temperature."""

from collections.abc import Iterator

import polars as pl

from runner.config.vendors import vendor_of
from runner.report import diversity, models, numbers
from runner.report.confounding import confounded
from runner.report.data import Data
from runner.report.figures import scores
from runner.report.figures.sheet import Sheet
from runner.report.levels import MANY_LEVELS
from runner.report.numbers import Limits
from runner.report.page import Part, counts
from runner.report.parts import MANY_CELLS, Parts
from runner.report.words import Words

_MOST_NAMED = 12


def disagreement(data: Data, words: Words, parts: Parts) -> Iterator[Part]:
    """Yield the sd over the models' means, by level of each factor and by cell.

    Args:
        data: the numbers of the report.
        words: in which language.
        parts: makes the tables.
    """
    cells = models.spread(data.readings, [*data.factors, "temperature"])
    if not cells.height:
        return
    missing = parts.missing_line(data)
    for factor in data.factors:
        if data.readings[factor].drop_nulls().n_unique() <= MANY_LEVELS:
            table = _shown(data, models.spread_by(cells, factor))
            notes = (words("m.disagreement"), missing)
            yield parts.table(f"disagreement_{factor}", table, factor, notes=notes, open_=False)
    if cells.height <= MANY_CELLS:
        notes = (words("m.disagreement"), missing)
        yield parts.table("disagreement_cell", _shown(data, cells), notes=notes, open_=False)


def vendors(data: Data, words: Words, parts: Parts) -> Iterator[Part]:
    """Yield what the models of each vendor give, where there are several of both.

    An imported table says who made a model in the place of a provider.
    """
    made = {
        run.name: vendor_of(run.model) or (run.provider if run.stored.imported else None)
        for run in data.runs
    }
    known = {name: vendor for name, vendor in made.items() if vendor}
    if not 1 < len(set(known.values())) < len(known):
        return
    notes = [words("m.vendors")]
    if unknown := [name for name in made if name not in known]:
        notes.append(words("n.vendors_unknown", names=counts(unknown, words, _MOST_NAMED)))
    table = _shown(data, models.by_vendor(data.readings, known))
    notes.append(parts.missing_line(data))
    yield parts.table("vendors", table, notes=notes, open_=False)


def by_temperature(
    data: Data, limits: Limits, words: Words, parts: Parts, sheet: Sheet
) -> Iterator[Part]:
    """Yield the means of each model at each temperature, where there are several.

    Args:
        data: the numbers of the report.
        limits: of its questions.
        words: in which language.
        parts: makes the tables.
        sheet: for the figure.
    """
    sent = data.readings.filter(pl.col("temperature").is_not_null())
    if not 1 < sent["temperature"].n_unique() <= MANY_LEVELS or len(data.runs) < 2:
        return
    table = numbers.scores(sent, ["run", "temperature"], limits)
    shown = table.with_columns(pl.col("temperature").map_elements("{:g}".format, pl.String))
    if not numbers.confounded(data.readings, data.factors):  # else it is drawn by those levels
        yield from scores.heat(sheet, shown, "temperature")
    notes = (*confounded(data, words, "n"), parts.missing_line(data))
    yield parts.table("temperature_model", table, notes=notes, open_=False)


def reasons(data: Data, words: Words, parts: Parts) -> Iterator[Part]:
    """Yield how different the reasons of a model are, by model and by level of each factor."""
    by = [
        name
        for name in (*data.factors, "temperature")
        if 1 < data.readings[name].drop_nulls().n_unique() <= MANY_LEVELS
    ]
    notes = (words("m.diversity", **diversity.SAMPLE),)
    for name, table in diversity.diversity(data, by).items():
        own = name if name in data.factors else ""
        key = "diversity" if name == "run" else f"diversity_{name}"
        yield parts.table(key, table, own, notes=notes if name == "run" else (), open_=False)


def _shown(data: Data, table: pl.DataFrame) -> pl.DataFrame:
    """Return a table without the experiment where there is only one."""
    return table if data.readings["block"].n_unique() > 1 else table.drop("block")
