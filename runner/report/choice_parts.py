"""What a report shows of choices: which figures and tables, and what is said of them."""

from collections.abc import Iterator

import polars as pl

from runner.report import choices, rater_parts
from runner.report.confounding import confounded
from runner.report.data import Data
from runner.report.figures import choices as figures
from runner.report.figures.sheet import Sheet
from runner.report.page import Part
from runner.report.parts import MANY_CELLS, Parts
from runner.report.words import Words


class ChoiceParts:
    """Puts the sections about choices together."""

    def __init__(self, data: Data, words: Words, parts: Parts, sheet: Sheet) -> None:
        """Keep what they are made from.

        Args:
            data: the choices of the report.
            words: in which language.
            parts: makes the tables.
            sheet: for the figures.
        """
        self._data = data
        self._words = words
        self._parts = parts
        self._sheet = sheet
        self._options = {question.name: question.options for question in data.questions}

    def shares(self) -> Iterator[Part]:
        """Yield how often each option was chosen, by run, by each factor and by cell."""
        words, data = self._words, self._data
        for question in data.questions:
            if len(question.options) > figures.MANY_OPTIONS:
                said = {"question": question.name, "limit": figures.MANY_OPTIONS}
                yield words("n.many_options", **said, count=len(question.options))
        yield from self._by("run", "shares_model")
        for factor in data.factors:
            if many := self._parts.many_levels(data, factor):
                yield many
            else:
                yield from self._by(factor, f"shares_{factor}")
        if data.readings["temperature"].drop_nulls().n_unique() > 1:
            yield from self._by("temperature", "shares_temperature", *confounded(data, words, "n"))
        yield self._cells()

    def agreement(self) -> Iterator[Part]:
        """Yield how far trials of a cell agree, and how far runs do."""
        words, readings = self._words, self._data.readings
        notes = (words("m.consistency"), self._missing_line())
        yield self._parts.table("consistency", choices.consistency(readings), notes=notes)
        table = choices.kappas(readings, self._data.factors)
        if not table.height:
            yield words("n.no_kappa")
            return
        notes = (words("m.kappa"), self._missing_line())
        yield self._parts.table("kappa", table, notes=notes)
        yield from rater_parts.of_choices(self._data, words, self._parts)

    def _by(self, factor: str, name: str, *notes: str) -> Iterator[Part]:
        """Yield the shares by one factor: the figures, then the table."""
        several = self._data.readings["block"].n_unique() > 1
        by = [factor, "block"] if factor != "run" else ["run"]
        table = choices.shares(self._data.having(factor), self._options, by)
        own = factor if factor in self._data.factors else ""
        with_block = table if factor != "run" else table.with_columns(block=pl.lit(""))
        yield from figures.shares(self._sheet, with_block, factor, name)
        shown = table if several or factor == "run" else table.drop("block")
        pooled = [self._words("n.scores_pooled")] if factor != "run" else []
        notes = (*notes, *pooled, self._words("m.shares"), self._missing_line())
        yield self._parts.table(name, shown, own, notes=notes, open_=factor == "run")

    def _cells(self) -> Part:
        words, readings = self._words, self._data.readings
        cells = readings.select("question", "cell").unique()
        options = {name: len(options) for name, options in self._options.items()}
        rows = sum(options[name] for name in cells["question"].to_list())
        if rows > MANY_CELLS:
            return words("n.many_cells_choices", count=f"{rows:,}", limit=f"{MANY_CELLS:,}")
        by = ["run", *self._data.factors, "temperature"]
        table = choices.shares(readings, self._options, by)
        notes = (self._missing_line(),)
        return self._parts.table("shares_cell", table, notes=notes, open_=False)

    def _missing_line(self) -> str:
        return self._parts.missing_line(self._data)
