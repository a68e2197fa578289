"""The tables of a report with their words, and the line below them that says what is missing."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from runner.core.expand import BUNDLED_FACTORS
from runner.report import numbers
from runner.report.data import Data
from runner.report.levels import MANY_LEVELS
from runner.report.page import Table, counts
from runner.report.words import Words

MANY_CELLS = 2_000
"""A longer table of cells is left out."""


class Parts:
    """Makes the tables of one report."""

    def __init__(self, data: Data, words: Words) -> None:
        """Count what is missing.

        Args:
            data: what the report is about.
            words: in which language.
        """
        self._words = words
        self.made: set[str] = set()
        """The names of the tables there are."""
        self._others = set(data.factors) - BUNDLED_FACTORS
        self.missing = numbers.missing(data.readings)
        """By run and question."""
        self.causes = [
            name.removeprefix(numbers.CAUSE)
            for name in self.missing.columns
            if name.startswith(numbers.CAUSE)
        ]

    def table(
        self,
        name: str,
        frame: pl.DataFrame,
        factor: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
        open_: bool = True,
        unknown: Sequence[str] = (),
    ) -> Table:
        """Return a table with its words.

        Args:
            name: of its file and of its title's key.
            frame: its rows.
            factor: whose levels it shows, if it shows those of one.
            headers: of columns that words.py does not know.
            notes: what stands below it.
            open_: whether it is unfolded.
            unknown: columns in which nothing means that it is not known.
        """
        self.made.add(name)
        words = self._words
        of_levels = bool(_OF_LEVELS & set(frame.columns))
        named = {
            column: column if of_levels and column in self._others else words.code("c", column)
            for column in frame.columns
        }
        codes: dict[str, Callable[[str], str]] = {
            column: lambda code: words.code("v", code) for column in _CODED
        }
        if name == "sources":
            codes["value"] = lambda code: words.code("v", code)
        return Table(
            name=name,
            title=words.title(name, factor),
            frame=frame,
            headers=named | dict(headers or {}),
            codes=codes,
            notes=tuple(notes),
            open=open_,
            unknown={column: words("unknown") for column in unknown},
        )

    def many_levels(self, some: Data, factor: str) -> str | None:
        """Say that a factor has too many levels to be shown one by one; None: it has not."""
        levels = some.readings[factor].drop_nulls().n_unique()
        if levels <= MANY_LEVELS:
            return None
        return self._words(
            "n.many_levels",
            factor=self._words.factor(factor),
            column=factor,
            count=f"{levels:,}",
            limit=f"{MANY_LEVELS:,}",
        )

    def missing_line(self, some: Data) -> str:
        """Say how many of some questions' values are missing, and why."""
        asked = {question.of or question.name for question in some.questions}
        return self.missing_of(self.missing.filter(pl.col("question").is_in(asked)), some.kind)

    def missing_of(self, rows: pl.DataFrame, kind: str) -> str:
        """Say how many values are missing, and why, in some rows of `missing`; kind as of the questions."""
        words = self._words
        missing, total = int(rows["missing"].sum()), int(rows["total"].sum())
        if not missing:
            return words("missing_no", total=f"{total:,}")
        by_cause = sorted(
            ((int(rows[numbers.CAUSE + c].sum()), c) for c in self.causes), reverse=True
        )
        causes = counts(
            [
                words("cause_count", cause=words.cause(cause, kind), count=f"{count:,}")
                for count, cause in by_cause
                if count
            ],
            words,
        )
        return words(
            "missing_line",
            total=f"{total:,}",
            missing=f"{missing:,}",
            share=share(missing, total),
            causes=causes,
        )


_CODED = ("interval_units", "pattern", "comparable", "statistic", "defined", "error", "found")
_OF_LEVELS = {"interval_units", "option"}
"""Columns of the tables that show factors."""


def trials(readings: pl.DataFrame) -> str:
    """Return how often each cell was asked a question: a number, or the least and the most."""
    counts = readings.lazy().group_by("question", "cell").len().collect(engine="streaming")
    often = counts["len"].to_list() or [0]
    least, most = min(often), max(often)
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def share(count: int, total: int) -> str:
    """Return a share in per cent."""
    return f"{100 * count / total:.1f} %" if total else "–"
