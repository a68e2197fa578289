"""The sections of a report: which figures and tables stand in each, and what is said of them."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version

import polars as pl

from runner import __version__
from runner.core.cost import dollars
from runner.core.expand import BUNDLED_FACTORS
from runner.report import (
    diversity,
    model_parts,
    numbers,
    people,
    people_parts,
    rater_parts,
    variance_parts,
)
from runner.report.checked import Checks
from runner.report.choice_parts import ChoiceParts
from runner.report.confounding import confounded
from runner.report.contrast_parts import ContrastParts
from runner.report.data import Data
from runner.report.figures import agreement, quality, scores
from runner.report.figures.sheet import Sheet
from runner.report.figures.style import Form
from runner.report.front import banners, title
from runner.report.levels import MANY_LEVELS
from runner.report.page import Page, Part, Section, Table
from runner.report.parts import MANY_CELLS, Parts, share
from runner.report.place_parts import places
from runner.report.precision import precision
from runner.report.rules import rules
from runner.report.scales import checks, scale_scores
from runner.report.similarity_parts import alike
from runner.report.summary import sentences
from runner.report.words import Words
from runner.tables.scales import columns_of

MORE_METHODS = ("option_places", "item_places", "alike", "disagreement", "vendors", "diversity")
"""Tables, each with a sentence of its own on how it was made, where there are some."""
PACKAGES = ("polars", "numpy", "scipy", "matplotlib", "matplotlib-fontja")


class Sections:
    """Puts one report together."""

    def __init__(self, data: Data, words: Words, form: Form) -> None:
        """Count what is missing.

        Args:
            data: what the report is about.
            words: in which language.
            form: as what the figures are written.

        Raises:
            ConfigError: this machine does not have the figures' font.
        """
        self._form = form
        self._data = data.asked
        self._numbers = data.numbers
        self._choices = data.choices
        self._words = words
        self._limits = {q.name: (q.minimum, q.maximum) for q in self._numbers.questions}
        self._sheet = Sheet(data, words, form)
        self._number_sheet = Sheet(self._numbers, words, form)
        self._usage = data.usage
        self._all = data
        self._parts = Parts(self._data, words)
        self._rated = people.rated(data)
        self._checks = Checks(data.runs, words, self._parts)
        self.values = int(self._parts.missing["n"].sum())
        self.missing = int(self._parts.missing["missing"].sum())
        self.requests = int(data.statuses["requests"].sum())

    def page(self, sections: Sequence[Section]) -> Page:
        """Return the page with what stands above its sections."""
        data, words = self._data, self._words
        costs = self._usage["cost_usd"]
        known = [dollars(costs.sum())] if costs.count() else []
        cost = " + ".join(known + [words("unknown")] * (costs.null_count() > 0))
        tiles = (
            (f"{self.requests:,}", words("tile.requests", count=self.requests)),
            (f"{len(data.runs):,}", words("tile.models", count=len(data.runs))),
            (f"{self.values:,}", words("tile.values", count=self.values)),
            (
                f"{self.missing:,} ({share(self.missing, self.values + self.missing)})",
                words("tile.missing", count=self.missing),
            ),
            (cost, words("tile.cost")),
        )
        tables = {
            part.name: part.frame for s in sections for part in s.parts if isinstance(part, Table)
        }
        missing = self._parts.missing_line(data)
        return Page(
            title=title(data, words),
            banners=tuple(banners(data, words)),
            tiles=tiles,
            sentences=tuple(sentences(tables, data, self._limits, missing, words)),
            sections=tuple(sections),
            mark=f"{words('rehearsal_short')} – " if data.rehearsal else "",
            figure_files=self._form.formats,
            table_files=self._form.tables,
        )

    def all(self) -> Iterator[Section]:
        """Yield them in the order of the page."""
        yield self._section("quality", self._quality())
        if self._checks.there:
            yield self._section("audit", self._checks.all())
        if self._numbers.questions:
            yield self._section("scores", self._scores())
            made = (self._words, self._parts, self._number_sheet)
            of_numbers = ContrastParts(self._numbers, *made)
            yield self._section("contrasts", of_numbers.all())
            yield self._section("variance", variance_parts.of_numbers(self._numbers, *made))
            yield self._section("agreement", self._agreement())
            between = rater_parts.of_numbers(self._numbers, self._words, self._parts)
            yield self._section("raters", between)
            yield from self._people("people", self._numbers, is_choice=False)
            made = (self._words, self._parts, self._number_sheet)
            yield self._section("alike", alike(self._numbers, self._limits, *made))
            yield self._section("correlation", self._correlation())
            yield self._section("temperature", self._temperature())
        if any(columns_of(run.stored.definition) for run in self._data.runs):
            yield self._section("scales", _scales(self._data, self._words, self._parts))
        if self._choices.questions:
            made = (self._words, self._parts, Sheet(self._choices, self._words, self._form))
            of_choices = ChoiceParts(self._choices, *made)
            yield self._section("choices", of_choices.shares())
            compared = ContrastParts(self._choices, *made)
            yield self._section("choice_contrasts", compared.all())
            yield self._section("choice_agreement", of_choices.agreement())
            yield from self._people("choice_people", self._choices, is_choice=True)
        if shown := places(self._all, self._words, self._parts, self._form):
            yield self._section("places", iter(shown))
        yield self._section("reasons", self._reasons())
        yield self._section("usage", _costs(self._all, self._sheet, self._words, self._parts))
        yield self._section("methods", self._methods())

    def _section(self, name: str, parts: Iterator[Part]) -> Section:
        return Section(anchor=name, title=self._words(f"s.{name}"), parts=tuple(parts))

    def _people(self, name: str, some: Data, *, is_choice: bool) -> Iterator[Section]:
        """Yield a section on people beside models where people have rated something."""
        if self._rated:
            parts = people_parts.between(
                some, self._rated, self._words, self._parts, is_choice=is_choice
            )
            yield self._section(name, parts)

    def _quality(self) -> Iterator[Part]:
        words, data = self._words, self._data
        statuses = numbers.statuses(data.statuses)
        shown = statuses if data.imported else statuses.drop("imported")
        yield from quality.quality(self._sheet, statuses)
        yield self._parts.table("quality", shown, notes=(words("n.quality"),))
        if self.missing:
            yield from quality.missing(self._sheet, self._parts.missing, self._parts.causes)
        causes = {numbers.CAUSE + c: words.cause(c, data.kind) for c in self._parts.causes}
        yield self._parts.table(
            "missing",
            self._parts.missing,
            headers=causes,
            notes=(words("n.missing"), self._parts.missing_line(self._data)),
        )
        yield self._parts.table(
            "patterns",
            numbers.patterns(data.readings),
            notes=(words("n.patterns"), self._parts.missing_line(self._data)),
            open_=False,
        )

    def _scores(self) -> Iterator[Part]:
        words, data = self._words, self._numbers
        yield from self._scores_by("run", "scores_model")
        few = []
        for factor in data.factors:
            if many := self._parts.many_levels(data, factor):
                yield many
            else:
                few.append(factor)
                yield from self._scores_by(factor, f"scores_{factor}")
        yield from self._scores_by(
            "temperature", "scores_temperature", *confounded(self._numbers, words, "n")
        )
        yield from scores.distribution(self._number_sheet, data.readings)
        notes = (words("m.shape"), self._parts.missing_line(data))
        yield self._parts.table("shape", numbers.shape(data.readings), notes=notes, open_=False)
        for factor in few:
            table = numbers.scores(self._numbers.having(factor), ["run", factor], self._limits)
            yield from scores.heat(self._number_sheet, table, factor)
            name = f"{factor}_model"
            yield self._parts.table(
                name, table, factor, notes=(self._parts.missing_line(self._numbers),), open_=False
            )
        yield self._cells()

    def _scores_by(self, factor: str, name: str, *notes: str) -> Iterator[Part]:
        """Yield the means by one factor: the figure, then the table."""
        several = self._numbers.readings["block"].n_unique() > 1
        by = [factor, "block"] if factor != "run" else ["run"]
        table = numbers.scores(self._numbers.having(factor), by, self._limits)
        with_block = table if factor != "run" else table.with_columns(block=pl.lit(""))
        yield from scores.scores(self._number_sheet, with_block, factor)
        shown = table if several or factor == "run" else table.drop("block")
        pooled = [self._words("n.scores_pooled")] if factor != "run" else []
        compare = [self._words("n.compare")] if shown.height > len(self._numbers.questions) else []
        notes = (
            *notes,
            *pooled,
            self._words("n.interval"),
            *compare,
            self._parts.missing_line(self._numbers),
        )
        own = factor if factor in self._numbers.factors else ""
        yield self._parts.table(name, shown, own, notes=notes, open_=factor == "run")

    def _cells(self) -> Part:
        words, readings = self._words, self._numbers.readings
        rows = readings.select("question", "cell").unique().height
        if rows > MANY_CELLS:
            return words("n.many_cells", count=f"{rows:,}", limit=f"{MANY_CELLS:,}")
        by = ["run", *self._numbers.factors, "temperature"]
        cells = numbers.scores(readings, by, self._limits)
        values = numbers.values(readings, cells, ["question", *by])
        notes = (words("n.opens"), self._parts.missing_line(self._numbers))
        table = self._parts.table("scores_cell", cells.drop("cells"), notes=notes, open_=False)
        return replace(table, opens={"n": values})

    def _agreement(self) -> Iterator[Part]:
        table = numbers.agreement(self._numbers.readings)
        yield from agreement.agreement(self._number_sheet, table)
        notes = (self._words("m.agreement"), self._parts.missing_line(self._numbers))
        yield self._parts.table("agreement", table, notes=notes)
        enough = precision(table, self._limits)
        if not enough.height:
            yield self._words("n.no_precision")
            return
        yield from agreement.precision(self._number_sheet, enough)
        yield self._parts.table(
            "precision", enough, notes=(self._words("m.precision"),), open_=False
        )

    def _correlation(self) -> Iterator[Part]:
        if len(self._numbers.questions) < 2:
            only = self._data.kind == "number"
            yield self._words("n.no_correlation" if only else "n.no_correlation_numbers")
            return
        table = numbers.correlations(self._numbers.readings)
        yield from agreement.correlation(self._number_sheet, table)
        notes = (self._words("m.correlation"), self._parts.missing_line(self._numbers))
        yield self._parts.table("correlation", table, notes=notes, open_=False)

    def _temperature(self) -> Iterator[Part]:
        words, readings = self._words, self._numbers.readings
        if readings["temperature"].drop_nulls().n_unique() < 2:
            yield words("n.no_temperature")
        else:
            yield from confounded(self._numbers, words, "n")
            yield from agreement.temperature(
                self._number_sheet,
                numbers.cell_spread(readings),
                numbers.temperature_spread(readings),
                next(iter(confounded(self._numbers, words, "x")), words("x.temperature")),
            )
            made = (words, self._parts, self._number_sheet)
            yield from model_parts.by_temperature(self._numbers, self._limits, *made)
        yield self._parts.table(
            "temperature",
            numbers.temperature_spread(readings),
            notes=(words("m.temperature"), self._parts.missing_line(self._numbers)),
            open_=False,
        )

    def _reasons(self) -> Iterator[Part]:
        asked = self._data.only(lambda question: question.asks_reason)
        if not asked.questions:
            yield self._words("n.no_reasons")
            return
        table = numbers.reason_lengths(asked.readings)
        yield from quality.reasons(Sheet(asked, self._words, self._form), table)
        yield self._parts.table("reasons", table, notes=(self._words("m.reasons"),), open_=False)
        for factor in (*asked.factors, "temperature"):
            levels = asked.readings[factor].drop_nulls().n_unique()
            if 1 < levels <= MANY_LEVELS:
                table = numbers.reason_lengths(asked.having(factor), factor)
                own = factor if factor in asked.factors else ""
                yield self._parts.table(f"reasons_{factor}", table, own, open_=False)
        yield from model_parts.reasons(asked, self._words, self._parts)

    def _methods(self) -> Iterator[Part]:
        words, data = self._words, self._data
        value = words(f"m.value_{data.kind}")
        if set(data.factors) == BUNDLED_FACTORS:
            yield words("m.units", value=value)
        else:
            cell = (words("c.run"), *map(words.factor, data.factors), words("c.temperature"))
            yield words("m.units_factors", cell=" × ".join(cell), value=value)
        yield words("m.missing", what=words(f"m.as_{data.kind}"))
        yield words("n.missing")
        yield from rules(data.runs, words)
        if self._numbers.questions:
            yield words("m.scores")
            yield words("m.interval")
            yield words("m.contrasts")
            for key in (
                "variance",
                "agreement",
                "raters",
                "rank_correlations",
                "correlation",
                "temperature",
            ):
                yield words(f"m.{key}")
        if self._choices.questions:
            if not self._numbers.questions:
                yield words("m.contrasts")
            for key in ("shares", "consistency", "kappa", "choice_raters", "confusion"):
                yield words(f"m.{key}")
        if self._rated:
            yield words("m.people")
            yield words("m.choice_people")
        if self._checks.there:
            yield words("m.audit")
        for key in MORE_METHODS:
            if any(name.startswith(key) for name in self._parts.made):
                yield words(f"m.{key}", **diversity.SAMPLE)
        for key in ("reasons", "cost", "reproduce"):
            yield words(f"m.{key}")
        yield self._parts.table("returned", data.returned)
        yield self._parts.table("sources", _sources(data), open_=False)
        yield self._parts.table("versions", _versions(), open_=False)


def _scales(data: Data, words: Words, parts: Parts) -> Iterator[Part]:
    for name, table in (("scales", scale_scores(data.runs)), ("checks", checks(data.runs))):
        if table.height:
            yield parts.table(name, table, notes=(words(f"m.{name}"),))


def _costs(data: Data, sheet: Sheet, words: Words, parts: Parts) -> Iterator[Part]:
    usage = data.usage
    yield from quality.usage(sheet, usage)
    notes = [words("n.usage"), words("m.cost")]
    if data.rehearsal:
        notes.append(words("n.usage_rehearsal"))
    if cached := int(usage["cached_tokens"].sum()):
        told = usage.filter(pl.col("cached_tokens").is_not_null())
        part = share(cached, int(told["input_tokens"].sum()))
        notes.append(words("n.cached", count=f"{cached:,}", share=part))
    else:
        usage = usage.drop("cached_tokens")
    unknown = ("input_tokens", "output_tokens", "cost_usd", "attempts", "answers")
    yield parts.table("usage", usage, notes=tuple(notes), unknown=unknown)


def _sources(data: Data) -> pl.DataFrame:
    """Return what each run was asked, and the hashes of the files it was read from."""
    found = [
        (said["name"], what, value)
        for said in data.sources
        for what, value in said.items()
        if what != "name" and value
    ]
    return pl.DataFrame(found, schema=["source", "what", "value"], orient="row")


def _versions() -> pl.DataFrame:
    found = [("chorus", __version__), ("python", platform.python_version())]
    found += [(name, version(name)) for name in PACKAGES]
    return pl.DataFrame(found, schema=["package", "version"], orient="row")
