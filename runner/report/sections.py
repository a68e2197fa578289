"""The sections of a report: which figures and tables stand in each, and what is said of them."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version

import polars as pl

from runner import __version__
from runner.core.expand import BUNDLED_FACTORS
from runner.report import numbers
from runner.report.data import Data
from runner.report.figures import agreement, quality, scores
from runner.report.figures.sheet import Drawn, Sheet
from runner.report.levels import MANY_LEVELS
from runner.report.numbers import Dice
from runner.report.page import Page, Section, Table, counts
from runner.report.words import Words
from runner.tables.runs import Kind

MANY_CELLS = 2_000
"""A longer table of cells is left out."""
PACKAGES = ("polars", "numpy", "matplotlib", "matplotlib-fontja")

Part = Drawn | Table | str


class Sections:
    """Puts one report together."""

    def __init__(self, data: Data, words: Words, dice: Dice) -> None:
        """Count what is missing.

        Args:
            data: what the report is about.
            words: in which language.
            dice: of the bootstrap.
        """
        self._data = data
        self._words = words
        self._dice = dice
        self._sheet = Sheet(data, words)
        self._missing = numbers.missing(data.readings)
        self._usage = data.usage
        self._others = set(data.factors) - BUNDLED_FACTORS
        self.values = int(self._missing["n"].sum())
        self.missing = int(self._missing["missing"].sum())
        self.requests = int(data.statuses["requests"].sum())
        self._causes = [
            name.removeprefix(numbers.CAUSE)
            for name in self._missing.columns
            if name.startswith(numbers.CAUSE)
        ]

    def page(self, sections: Sequence[Section]) -> Page:
        """Return the page with what stands above its sections."""
        data, words = self._data, self._words
        banners = []
        if data.rehearsal:
            all_of_it = data.kinds == {Kind.REHEARSAL}
            banners.append(("alarm", words("rehearsal_all" if all_of_it else "rehearsal_some")))
        if data.imported:
            banners.append(("note", words("imported_note")))
        for run, others in data.replaced:
            by_whom = ", ".join(f"{name} ({count:,})" for name, count in others.items())
            text = words("replaced", run=run.name, asked=run.model, others=by_whom)
            banners.append(("alarm", text))
        for some, key in ((data.left_out, "left_out"), (data.without_tables, "without_tables")):
            if some:
                text = words(key, count=len(some), names=counts(some, words))
                banners.append(("note", text))
        costs = self._usage["cost_usd"]
        known = [f"${costs.sum():,.4f}"] if costs.count() else []
        cost = " + ".join(known + [words("unknown")] * (costs.null_count() > 0))
        tiles = (
            (f"{self.requests:,}", words("tile.requests")),
            (f"{len(data.runs):,}", words("tile.models")),
            (f"{self.values:,}", words("tile.values")),
            (f"{self.missing:,} ({self._share(self.missing)})", words("tile.missing")),
            (cost, words("tile.cost")),
        )
        names = list(dict.fromkeys(run.stored.experiment for run in data.runs))
        title = counts(names[:4], words)
        if len(names) > 4:
            title += " " + words("and_more", count=len(names) - 4)
        return Page(
            title=words("title", names=title),
            banners=tuple(banners),
            tiles=tiles,
            sections=tuple(sections),
            mark=f"{words('rehearsal_short')} – " if data.rehearsal else "",
        )

    def all(self) -> Iterator[Section]:
        """Yield them in the order of the page."""
        yield self._section("quality", self._quality())
        yield self._section("scores", self._scores())
        yield self._section("agreement", self._agreement())
        yield self._section("correlation", self._correlation())
        yield self._section("temperature", self._temperature())
        yield self._section("reasons", self._reasons())
        yield self._section("usage", self._costs())
        yield self._section("methods", self._methods())

    def _section(self, name: str, parts: Iterator[Part]) -> Section:
        return Section(anchor=name, title=self._words(f"s.{name}"), parts=tuple(parts))

    def _quality(self) -> Iterator[Part]:
        words, data = self._words, self._data
        statuses = numbers.statuses(data.statuses)
        shown = statuses if data.imported else statuses.drop("imported")
        yield from quality.quality(self._sheet, statuses)
        yield self._table("quality", shown, notes=(words("n.quality"),))
        if self.missing:
            yield from quality.missing(self._sheet, self._missing, self._causes)
        causes = {numbers.CAUSE + c: words.code("cause", c) for c in self._causes}
        yield self._table(
            "missing",
            self._missing,
            headers=causes,
            notes=(words("n.missing"), self._missing_line()),
        )
        yield self._table(
            "patterns",
            numbers.patterns(data.readings),
            notes=(words("n.patterns"), self._missing_line()),
            open_=False,
        )

    def _scores(self) -> Iterator[Part]:
        words, data = self._words, self._data
        yield from self._scores_by("run", "scores_model")
        few = []
        for factor in data.factors:
            levels = data.readings[factor].drop_nulls().n_unique()
            if levels > MANY_LEVELS:
                named = {"factor": words.factor(factor), "column": factor}
                yield words("n.many_levels", **named, count=f"{levels:,}", limit=f"{MANY_LEVELS:,}")
            else:
                few.append(factor)
                yield from self._scores_by(factor, f"scores_{factor}")
        yield from self._scores_by(
            "temperature", "scores_temperature", *confounded(self._data, words, "n")
        )
        yield from scores.distribution(self._sheet, data.readings)
        for factor in few:
            table = numbers.scores(self._data.having(factor), ["run", factor], self._dice)
            yield from scores.heat(self._sheet, table, factor)
            name = f"{factor}_model"
            yield self._table(name, table, factor, notes=(self._missing_line(),), open_=False)
        yield self._cells()

    def _scores_by(self, factor: str, name: str, *notes: str) -> Iterator[Part]:
        """Yield the means by one factor: the figure, then the table."""
        several = self._data.readings["block"].n_unique() > 1
        by = [factor, "block"] if factor != "run" else ["run"]
        table = numbers.scores(self._data.having(factor), by, self._dice)
        with_block = table if factor != "run" else table.with_columns(block=pl.lit(""))
        yield from scores.scores(self._sheet, with_block, factor)
        shown = table if several or factor == "run" else table.drop("block")
        pooled = [self._words("n.scores_pooled")] if factor != "run" else []
        notes = (*notes, *pooled, self._missing_line())
        own = factor if factor in self._data.factors else ""
        yield self._table(name, shown, own, notes=notes, open_=factor == "run")

    def _cells(self) -> Part:
        words, readings = self._words, self._data.readings
        rows = readings.select("question", "cell").unique().height
        if rows > MANY_CELLS:
            return words("n.many_cells", count=f"{rows:,}", limit=f"{MANY_CELLS:,}")
        by = ["run", *self._data.factors, "temperature"]
        cells = numbers.scores(readings, by, self._dice)
        notes = (self._missing_line(),)
        return self._table("scores_cell", cells.drop("cells"), notes=notes, open_=False)

    def _agreement(self) -> Iterator[Part]:
        table = numbers.agreement(self._data.readings, self._dice)
        yield from agreement.agreement(self._sheet, table)
        notes = (self._words("m.agreement"), self._missing_line())
        yield self._table("agreement", table, notes=notes)

    def _correlation(self) -> Iterator[Part]:
        if len(self._data.questions) < 2:
            yield self._words("n.no_correlation")
            return
        table = numbers.correlations(self._data.readings, self._dice)
        yield from agreement.correlation(self._sheet, table)
        notes = (self._words("m.correlation"), self._missing_line())
        yield self._table("correlation", table, notes=notes, open_=False)

    def _temperature(self) -> Iterator[Part]:
        words, readings = self._words, self._data.readings
        if readings["temperature"].drop_nulls().n_unique() < 2:
            yield words("n.no_temperature")
        else:
            yield from confounded(self._data, words, "n")
            yield from agreement.temperature(
                self._sheet,
                numbers.cell_spread(readings),
                numbers.temperature_spread(readings),
                next(iter(confounded(self._data, words, "x")), words("x.temperature")),
            )
        yield self._table(
            "temperature",
            numbers.temperature_spread(readings),
            notes=(words("m.temperature"), self._missing_line()),
            open_=False,
        )

    def _reasons(self) -> Iterator[Part]:
        table = numbers.reason_lengths(self._data.readings)
        yield from quality.reasons(self._sheet, table)
        yield self._table("reasons", table, notes=(self._words("m.reasons"),), open_=False)

    def _costs(self) -> Iterator[Part]:
        words = self._words
        yield from quality.usage(self._sheet, self._usage)
        notes = [words("n.usage"), words("m.cost")]
        if self._data.rehearsal:
            notes.append(words("n.usage_rehearsal"))
        yield self._table(
            "usage",
            self._usage,
            notes=tuple(notes),
            unknown=("input_tokens", "output_tokens", "cost_usd", "attempts", "answers"),
        )

    def _methods(self) -> Iterator[Part]:
        words, data = self._words, self._data
        if set(data.factors) == BUNDLED_FACTORS:
            yield words("m.units")
        else:
            cell = (words("c.run"), *map(words.factor, data.factors), words("c.temperature"))
            yield words("m.units_factors", cell=" × ".join(cell))
        yield words("m.missing")
        yield words("n.missing")
        yield words("m.scores")
        yield words("m.bootstrap", draws=f"{self._dice.draws:,}", seed=self._dice.seed)
        for key in ("agreement", "correlation", "temperature", "reasons", "cost", "reproduce"):
            yield words(f"m.{key}")
        yield self._table("returned", data.returned)
        sources = [
            (said["name"], what, value)
            for said in data.sources
            for what, value in said.items()
            if what != "name" and value
        ]
        schema = ["source", "what", "value"]
        frame = pl.DataFrame(sources, schema=schema, orient="row")
        yield self._table("sources", frame, open_=False)
        versions = [("chorus", __version__), ("python", platform.python_version())]
        versions += [(name, version(name)) for name in PACKAGES]
        frame = pl.DataFrame(versions, schema=["package", "version"], orient="row")
        yield self._table("versions", frame, open_=False)

    def _table(
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
        words = self._words
        of_levels = "resampled" in frame.columns
        named = {
            column: column if of_levels and column in self._others else words.code("c", column)
            for column in frame.columns
        }
        codes: dict[str, Callable[[str], str]] = {
            "resampled": lambda code: words.code("v", code),
            "pattern": lambda code: words.code("v", code),
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

    def _missing_line(self) -> str:
        """Say how many of all values are missing, and why."""
        words = self._words
        total = self.values + self.missing
        if not self.missing:
            return words("missing_no", total=f"{total:,}")
        by_cause = sorted(
            ((int(self._missing[numbers.CAUSE + c].sum()), c) for c in self._causes), reverse=True
        )
        causes = counts(
            [
                words("cause_count", cause=words.code("cause", cause), count=f"{count:,}")
                for count, cause in by_cause
            ],
            words,
        )
        return words(
            "missing_line",
            total=f"{total:,}",
            missing=f"{self.missing:,}",
            share=self._share(self.missing),
            causes=causes,
        )

    def _share(self, count: int) -> str:
        total = self.values + self.missing
        return f"{100 * count / total:.1f} %" if total else "–"


def confounded(data: Data, words: Words, kind: str) -> list[str]:
    """Say what the temperature cannot be told from, if there is anything.

    Args:
        data: what the report is about.
        words: in which language.
        kind: of the words: n for a sentence, x for the label of an axis.
    """
    factors = numbers.confounded(data.readings, data.factors)
    if not factors:
        return []
    if set(factors) == BUNDLED_FACTORS:
        return [words(f"{kind}.confounded")]
    return [words(f"{kind}.confounded_factors", factors=words.factors(factors))]
