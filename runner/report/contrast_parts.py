"""What a report shows of paired contrasts: the differences between levels, a table a factor."""

from collections.abc import Iterator

import polars as pl

from runner.report import numbers
from runner.report.confounding import confounded
from runner.report.contrasts import COMPARABLE, contrasts, least_p
from runner.report.data import Data
from runner.report.figures import contrasts as figures
from runner.report.figures.sheet import Heading, Sheet
from runner.report.levels import MANY_LEVELS
from runner.report.page import Part
from runner.report.parts import Parts
from runner.report.words import Words

MANY_PAIRS = 15
"""Of more pairs those with one level are drawn, and stand first in the table."""


class ContrastParts:
    """Puts the section about paired contrasts together."""

    def __init__(self, data: Data, words: Words, parts: Parts, sheet: Sheet) -> None:
        """Compare the levels of each factor that has several.

        Args:
            data: the numbers of the report, or its choices.
            words: in which language.
            parts: makes the tables.
            sheet: for the figure.
        """
        self._sheet = sheet
        self._data = data
        self._words = words
        self._parts = parts
        options = {question.name: question.options for question in data.questions}
        self._options = options if any(options.values()) else None
        self._stands_for = numbers.confounded(data.readings, data.factors)
        tables = {name: self._table(name) for name in self._compared()}
        self._tables = {name: table for name, table in tables.items() if table.height}

    def all(self) -> Iterator[Part]:
        """Yield the figure, and a table for each factor."""
        words = self._words
        if not self._tables:
            yield words("n.no_contrasts")
            return
        for at, (factor, table) in enumerate(self._tables.items()):
            kind = "contrasts" if self._options is None else "choice_contrasts"
            name = f"{kind}_{'model' if factor == 'run' else factor}"
            own = factor if factor in self._data.factors else ""
            if at == 0:  # of one factor: others have other distances
                heading = Heading(name, f"k.{kind}", own)
                draw = figures.contrasts if self._options is None else figures.choice_contrasts
                yield from draw(self._sheet, _first(table), heading)
            notes = [words("n.contrasts")]
            if factor != "run":
                notes += [words("n.contrasts_levels"), *self._caution(factor)]
            notes += [*self._floor(table), *self._left(table)]
            yield self._parts.table(
                name,
                table.drop("block", strict=False) if self._is_alone else table,
                own,
                headers={"level": words("c.run") if factor == "run" else words.factor(factor)},
                notes=(*notes, self._parts.missing_line(self._data)),
                open_=factor == "run",
            )

    @property
    def _is_alone(self) -> bool:
        return self._data.readings["block"].n_unique() < 2

    def _compared(self) -> Iterator[str]:
        """Yield the factors that have two levels or more, and few enough to be shown one by one."""
        readings = self._data.readings
        if len(self._data.runs) > 1:
            yield "run"
        for factor in self._data.factors:
            if 1 < readings[factor].drop_nulls().n_unique() <= MANY_LEVELS:
                yield factor
        temperatures = readings["temperature"].drop_nulls().n_unique()
        if 1 < temperatures <= MANY_LEVELS and not self._stands_for:
            yield "temperature"

    def _table(self, factor: str) -> pl.DataFrame:
        """Return the contrasts of a factor.

        A temperature that was calculated from the levels is none of what makes a cell: else levels
        that are asked at different temperatures would have no cell in common.
        """
        own = [name for name in ("run", *self._data.factors) if name != factor]
        if factor == "run" or not self._stands_for:
            own += ["temperature"] if factor != "temperature" else []
        table = contrasts(self._data.having(factor), factor, own, self._options)
        some = _first(table)
        return pl.concat([some, table.join(some, on=table.columns, how="anti", nulls_equal=True)])

    def _caution(self, factor: str) -> list[str]:
        if factor in self._stands_for:
            return confounded(self._data, self._words, "n")
        return []

    def _floor(self, table: pl.DataFrame) -> Iterator[str]:
        """Say how small a p can be."""
        keys = [name for name in ("question", "block") if name in table.columns]
        tested = table.filter(pl.col("comparable") == COMPARABLE)
        if not tested.height:
            return
        most, tests = (
            tested.group_by(keys)
            .agg(pl.col("differences").max(), pl.len().alias("tests"))
            .select(pl.col("differences").max(), pl.col("tests").max())
            .row(0)
        )
        yield self._words(
            "n.contrasts_floor",
            cells=f"{most:,}",
            p=f"{least_p(most):.2g}",
            tests=f"{tests:,}",
            holm=f"{min(1, tests * least_p(most)):.2g}",
        )

    def _left(self, table: pl.DataFrame) -> Iterator[str]:
        first = _first(table)
        if first.height < table.height:
            level = first["other_level"].item(0)
            rows = f"{table.height - first.height:,}"
            yield self._words(
                "n.contrasts_first", level=level, shown=f"{first.height:,}", rows=rows
            )


def _first(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the pairs that are shown first: all, or of many those with one level."""
    pairs = table.select("level", "other_level").unique().height
    if pairs <= MANY_PAIRS:
        return table
    return table.filter(pl.col("other_level") == pl.col("other_level").first())
