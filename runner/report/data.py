"""Reads the tables of the selected runs as polars frames, with everything that has to be named.

Only what the report needs is read, and no raw answer: of a reason, its length.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

import polars as pl

from runner.config.labels import NO_LABELS, Labels
from runner.core.definition import (
    NOT_ASKED,
    asks_each,
    factor_names,
    kind_of,
    levels_in,
    options_in,
)
from runner.core.identity import counted, others
from runner.core.model import ITEM, ItemKind
from runner.report.differences import told_apart
from runner.report.levels import MANY_LEVELS, Names, level_names
from runner.report.measures import measures
from runner.storage.files import file_sha256
from runner.tables.called import Called
from runner.tables.items import shown_options
from runner.tables.runs import ANSWERS, ATTEMPTS, Kind, Selection, StoredRun

ANSWERED = ("valid", "invalid")
"""Outcomes of attempts that brought an answer, readable or not."""
PERHAPS_BILLED = ("missing", "unreadable")
"""Outcomes without an answer that may cost something all the same."""
OPEN = "open"
"""The cause of a value that is missing because its request has not ended."""
NOT_IN_SOURCE = "not_in_source"
"""The cause of a value that an imported table leaves empty; why, it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedQuestion:
    """One question as the report names it."""

    name: str
    minimum: float
    maximum: float
    options: tuple[tuple[str, str], ...] = ()
    """Of a choice: each option's id, and what was shown; empty for a number."""
    asks_reason: bool = True
    """Whether some run asked for a reason."""
    of: str | None = None
    """The question of which it is a part, as one of several options; None: it is one itself."""
    is_counted: bool = True
    """Whether it has means or shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """One model in one experiment."""

    name: str
    """As tables and figures show it; no two runs share one."""
    block: str
    """What may be pooled: the experiment, and where its answers come from."""
    provider: str
    model: str
    stored: StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All that a report is made from."""

    runs: tuple[ReportedRun, ...]
    questions: tuple[ReportedQuestion, ...]
    factors: tuple[str, ...]
    """What was varied beside the temperature, in any of the runs."""
    readings: pl.DataFrame
    """One row per request and question: run, block, a column a factor, temperature, cell, request,
    question, value, cause, pattern, reason_chars, failed. The value of a choice is the number of
    its option, from 1. A factor that a run does not have is null in its rows."""
    statuses: pl.DataFrame
    """run, status, requests, attempts, lost."""
    usage: pl.DataFrame
    """run, attempts, answers, tokens and cost; what is unknown is counted, never taken for 0."""
    returned: pl.DataFrame
    """run, model_returned, answers, first and last: the models as the provider names them."""
    replaced: tuple[tuple[ReportedRun, Mapping[str, int]], ...]
    """Runs that other models answered than were asked, and how many answers came from which."""
    sources: tuple[Mapping[str, str], ...]
    """What each run was asked, and the hashes of the files it was read from."""
    kinds: frozenset[Kind]
    left_out: tuple[str, ...]
    without_tables: tuple[str, ...]
    levels: Mapping[str, Names]
    """What the levels of each factor are called."""
    names: Mapping[tuple[Any, ...], str]
    """What each question of a definition is called."""

    def name_of(self, key: str, row: Mapping[str, Any]) -> str:
        """Return what a question of a run's definition is called."""
        return self.names[_question_key(row, key)]

    @property
    def rehearsal(self) -> bool:
        """Tell whether any of it is rehearsed."""
        return Kind.REHEARSAL in self.kinds

    @property
    def imported(self) -> bool:
        """Tell whether any of it comes from an imported table."""
        return any(run.stored.imported for run in self.runs)

    @property
    def kind(self) -> str:
        """Return what the questions ask for: number, choice or both."""
        kinds = {
            "both" if not q.is_counted else "choice" if q.options else "number"
            for q in self.questions
        }
        return kinds.pop() if len(kinds) == 1 else "both"

    @property
    def asked(self) -> "Data":
        """Return what there is of the questions themselves, without their parts."""
        return self.only(lambda question: question.of is None)

    @property
    def numbers(self) -> "Data":
        """Return what there is of the questions with a number."""
        return self.only(lambda question: question.is_counted and not question.options)

    @property
    def choices(self) -> "Data":
        """Return what there is of the choices."""
        return self.only(lambda question: question.is_counted and bool(question.options))

    def only(self, wanted: Callable[[ReportedQuestion], bool]) -> "Data":
        """Return the same with some of the questions, and with the runs and factors they have."""
        some = tuple(question for question in self.questions if wanted(question))
        if some == self.questions:
            return self
        names = [question.name for question in some]
        readings = self.readings.filter(pl.col("question").is_in(names))
        there = set(readings["run"].unique())
        return replace(
            self,
            questions=some,
            runs=tuple(run for run in self.runs if run.name in there),
            factors=tuple(name for name in self.factors if readings[name].count()),
            readings=readings,
        )

    def having(self, factor: str) -> pl.DataFrame:
        """Return the readings of the runs that have a factor; every run has a temperature."""
        if factor not in self.factors or not self.readings[factor].null_count():
            return self.readings
        return self.readings.filter(pl.col(factor).is_not_null())


def read(selection: Selection, language: str = "", labels: Labels = NO_LABELS) -> Data:
    """Read the tables of the selected runs.

    Args:
        selection: which.
        language: of what questions, options and levels are called; none: as they were asked.
        labels: of the configuration, for runs whose own records have none.
    """
    called = Called(selection.runs, language, labels)
    runs = _named_runs(selection)
    questions = _questions(selection.runs, called)
    reported = tuple(_reported(selection.runs, questions, called))
    alone = {run.name for run in selection.runs if asks_each(run.definition)}
    levels = level_names(selection.runs, called)
    if len(alone) == len(selection.runs):
        levels.pop(ITEM, None)  # what an item was answered is told by item anyway
    scale = _Scale(
        runs=[run.name for run in runs],
        blocks=list(dict.fromkeys(run.block for run in runs)),
        questions=[question.name for question in reported],
        factors={name: list(dict.fromkeys(known.values())) for name, known in levels.items()},
    )
    frames: dict[str, list[pl.DataFrame]] = {}
    requests = 0
    for run in runs:
        for begin, rows in _some_rows(run):
            some = rows.with_row_index("request", offset=requests + begin)
            for question, asked_of in _readings(run, some, questions, levels):
                frames.setdefault(question, []).append(_slim(asked_of, scale))
        requests += _scan(run.stored).select(pl.len()).collect().item()
    returned = pl.concat(scale.typed(_returned(run)) for run in runs)
    return Data(
        runs=tuple(runs),
        questions=reported,
        factors=tuple(levels),
        readings=_with_cells([frames.pop(q) for q in scale.questions if q in frames], [*levels]),
        statuses=pl.concat(scale.typed(_statuses(run)) for run in runs),
        usage=pl.concat(scale.typed(_usage(run)) for run in runs),
        returned=returned,
        replaced=tuple(_replaced(runs, returned)),
        sources=tuple(_source(run) for run in selection.runs),
        kinds=selection.kinds,
        left_out=tuple(run.name for run in selection.rehearsals_left_out),
        without_tables=selection.without_tables,
        levels=levels,
        names=questions,
    )


Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
_CODE = pl.Categorical()
"""A few words, of which each row has one; a million rows take four bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """The factors' levels in the order in which they are shown."""

    runs: list[str]
    blocks: list[str]
    questions: list[str]
    factors: Mapping[str, list[str]]

    def typed(self, frame: Frame) -> Frame:
        """Return the frame with its factors as ordered levels."""
        levels = {
            "run": self.runs,
            "block": self.blocks,
            "question": self.questions,
            **self.factors,
        }
        return frame.with_columns(
            pl.col(name).cast(pl.Enum(known))
            for name, known in levels.items()
            if name in frame.collect_schema().names()
        )


def _slim(rows: pl.LazyFrame, scale: _Scale) -> pl.DataFrame:
    """Collect rows with their levels and words as numbers: as texts they take most of the memory."""
    codes = pl.col("cause", "pattern").cast(_CODE)
    return scale.typed(rows).with_columns(codes).collect()


def _named_runs(selection: Selection) -> list[ReportedRun]:
    """Return every model of every run under a name that no other has."""
    found = [
        (run, provider, model)
        for run in selection.runs
        for provider, model in _scan(run)
        .select("provider", "model")
        .unique()
        .sort("provider", "model")
        .collect()
        .iter_rows()
    ]
    mixed = len(selection.kinds) > 1
    names = _distinct(found)
    several = len({run.experiment for run, _, _ in found}) > 1
    asked = {(provider, model) for run, provider, model in found if not run.imported}
    own = {run.experiment for run, _, _ in found if not run.imported}
    return [
        ReportedRun(
            name=_mark(run, (provider, model) in asked, mixed=mixed) + name,
            block=_mark(run, run.experiment in own, mixed=mixed)
            + (run.experiment if several or mixed else ""),
            provider=provider,
            model=model,
            stored=run,
        )
        for name, (run, provider, model) in zip(names, found, strict=True)
    ]


def _distinct(found: Sequence[tuple[StoredRun, str, str]]) -> list[str]:
    """Name models by as much as tells them apart: what differs between their runs, never a hash."""
    groups = [(run.experiment, provider, model) for run, provider, model in found]
    apart = told_apart([run for run, _, _ in found], groups)
    models = [model for _, _, model in found]
    told = [
        f"{model}, {said}" if said else model for model, said in zip(models, apart, strict=True)
    ]
    runs = [(provider, run.experiment) for run, provider, _ in found]
    longer = (
        models,
        told,
        [f"{name} ({provider})" for name, (provider, _) in zip(models, runs, strict=True)],
        [f"{name} ({provider})" for name, (provider, _) in zip(told, runs, strict=True)],
        [f"{name} ({of}, {where})" for name, (of, where) in zip(models, runs, strict=True)],
        [f"{name} ({of}, {where})" for name, (of, where) in zip(told, runs, strict=True)],
    )
    names = next((level for level in longer if len(set(level)) == len(level)), longer[-1])
    turn = Counter[str]()
    often = Counter(names)
    for place, name in enumerate(names):
        if often[name] > 1:
            turn[name] += 1
            names[place] = f"{name} #{turn[name]}"
    return names


def _mark(run: StoredRun, also_asked: bool, *, mixed: bool) -> str:
    """Return what stands before a name, where nothing cuts it off.

    What all of them are is said once, above the report; so is which are imported, unless one that was
    asked has the same name.
    """
    rehearsal = "[REHEARSAL] " if run.kind is Kind.REHEARSAL and mixed else ""
    return rehearsal + ("[imported] " if run.imported and also_asked else "")


def _question_key(row: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """Return what makes a question the same in two runs."""
    options = tuple(options_in(row).items())
    kind = () if kind_of(row) in (ItemKind.NUMBER, ItemKind.CHOICE) else (kind_of(row).value,)
    return key, row["label"], row["minimum"], row["maximum"], options, *kind


def _questions(runs: Sequence[StoredRun], called: Called) -> dict[tuple[Any, ...], str]:
    """Return a name for each question; the same number with another wording is another one."""
    keys = list(
        dict.fromkeys(
            _question_key(row, key)
            for run in runs
            for key, row in run.definition["questions"].items()
        )
    )
    shown = [(key, called(f"items.{key}", label)) for key, label, *_ in keys]
    plain = [f"{key} {label}" if label != key else key for key, label in shown]
    names = [
        name if plain.count(name) == 1 else f"{name} ({_answers(*whole[2:5])})"
        for whole, name in zip(keys, plain, strict=True)
    ]
    return {
        whole: name if names.count(name) == 1 else f"{name} [{place}]"
        for place, (whole, name) in enumerate(zip(keys, names, strict=True), 1)
    }


def _answers(minimum: int, maximum: int, options: tuple[tuple[str, str], ...]) -> str:
    """Say what may be answered: the range, or the options."""
    return shown_options(dict(options)) if options else f"{minimum}–{maximum}"


def _reported(
    runs: Sequence[StoredRun], names: Mapping[tuple[Any, ...], str], called: Called
) -> Iterator[ReportedQuestion]:
    """Yield each question once."""
    asked = [
        (_question_key(row, key), row)
        for run in runs
        for key, row in run.definition["questions"].items()
    ]
    rows = dict(asked)
    with_reason = {whole for whole, row in asked if row.get("reason") != NOT_ASKED}
    for whole, name in names.items():
        for measure in measures(whole[0], rows[whole]):
            yield ReportedQuestion(
                name=name + measure.name,
                minimum=measure.minimum,
                maximum=measure.maximum,
                options=tuple(
                    (id_, called(f"options.{whole[0]}.{id_}", shown))
                    for id_, shown in measure.options
                ),
                asks_reason=whole in with_reason and not measure.name,
                of=name if measure.name else None,
                is_counted=measure.is_counted,
            )


def _scan(run: StoredRun) -> pl.LazyFrame:
    return pl.scan_parquet(run.folder / ANSWERS, glob=False)


def rows_of(run: ReportedRun) -> pl.LazyFrame:
    """Return the table of a run, a row a request."""
    return _scan(run.stored).filter(_is_of(run))


def _is_of(run: ReportedRun) -> pl.Expr:
    """Tell of a row whether it is of this run; an imported table may hold several."""
    return (pl.col("provider") == run.provider) & (pl.col("model") == run.model)


ROWS_AT_ONCE = 50_000
"""Requests whose reasons are in memory at a time."""


def _some_rows(run: ReportedRun) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield what the report needs of some requests of a run, and the row of the first of them."""
    table = _scan(run.stored)
    parts = ("value", "cause", "pattern", "reason")
    needed = [f"{key}_{part}" for key in run.stored.definition["questions"] for part in parts]
    factors = [*factor_names(run.stored.definition), "temperature"]
    told = ["status", "outcome", "provider", "model"]
    for begin in range(0, table.select(pl.len()).collect().item(), ROWS_AT_ONCE):
        some = table.slice(begin, ROWS_AT_ONCE).select(*factors, *told, *needed)
        yield begin, some.filter(_is_of(run)).collect()


def _readings(
    run: ReportedRun,
    some: pl.DataFrame,
    questions: Mapping[tuple[Any, ...], str],
    levels: Mapping[str, Names],
) -> Iterator[tuple[str, pl.LazyFrame]]:
    """Yield, for each question, its name and one row per request."""
    experiment = run.stored.experiment
    own = factor_names(run.stored.definition)
    factors = [
        pl.col(factor).replace_strict(
            {key: name for (where, key), name in names.items() if where == experiment},
            return_dtype=pl.String,
        )
        if factor in own
        else pl.lit(None, dtype=pl.String).alias(factor)
        for factor, names in levels.items()
    ]
    rows = some.lazy()
    closed = pl.col("status") != OPEN
    imported = pl.lit(run.stored.imported)
    counted = (
        (key, row, measure)
        for key, row in run.stored.definition["questions"].items()
        for measure in measures(key, row)
    )
    for key, row, measure in counted:
        asked = _of_item(rows, key, run.stored.definition)
        value = pl.when(closed).then(measure.value)
        cause = (
            pl.when(value.is_not_null())
            .then(None)
            .when(~closed)
            .then(pl.lit(OPEN))
            .when(pl.col(f"{key}_cause").is_not_null())
            .then(pl.col(f"{key}_cause"))
            .when(imported)
            .then(pl.lit(NOT_IN_SOURCE))
            .otherwise(pl.lit("request_") + pl.col("outcome").fill_null("unknown"))
        )
        reason = pl.col(f"{key}_reason")
        name = questions[_question_key(row, key)] + measure.name
        yield (
            name,
            asked.select(
                pl.lit(run.name).alias("run"),
                pl.lit(run.block).alias("block"),
                *factors,
                "temperature",
                "request",
                pl.lit(name).alias("question"),
                value.alias("value"),
                cause.alias("cause"),
                pl.when(closed).then(pl.col(f"{key}_pattern")).alias("pattern"),
                pl.when(closed & (reason.str.strip_chars() != ""))
                .then(reason.str.strip_chars().str.len_chars())
                .alias("reason_chars"),
                (pl.col("status") == "failed").alias("failed"),
            ),
        )


def _of_item(rows: pl.LazyFrame, key: str, definition: Mapping[str, Any]) -> pl.LazyFrame:
    """Return the rows of requests that asked a question."""
    return rows.filter(pl.col(ITEM) == key) if asks_each(definition) else rows


def _with_cells(by_question: list[list[pl.DataFrame]], factors: Sequence[str]) -> pl.DataFrame:
    """Number the cells: one model, one level of each factor and one temperature.

    One question after another is sorted, so that no copy of all of them is made.
    """
    keys = ["run", *factors, "temperature"]
    seen = (frame.select(keys).unique() for frames in by_question for frame in frames)
    cells = pl.concat(seen).unique().sort(keys, nulls_last=True).with_row_index("cell")
    whole = []
    while by_question:
        rows = pl.concat(by_question.pop(0))
        numbered = rows.join(cells, on=keys, how="left", nulls_equal=True)
        whole.append(numbered.sort("cell", "value", "request", nulls_last=True))
    return pl.concat(whole)


def _statuses(run: ReportedRun) -> pl.DataFrame:
    return (
        rows_of(run)
        .group_by("status")
        .agg(
            pl.len().cast(pl.Int64).alias("requests"),
            *(
                pl.when(pl.col(name).null_count() == 0)
                .then(pl.col(name).sum().cast(pl.Int64))
                .alias(name)
                for name in ("attempts", "lost")
            ),
        )
        .sort("status")
        .collect()
        .select(pl.lit(run.name).alias("run"), "status", "requests", "attempts", "lost")
    )


USAGE = {
    "attempts": pl.Int64,
    "answers": pl.Int64,
    "input_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "cached_tokens": pl.Int64,
    "answers_without_tokens": pl.Int64,
    "cost_usd": pl.Float64,
    "answers_without_cost": pl.Int64,
}


def _usage(run: ReportedRun) -> pl.DataFrame:
    """Return what a run's attempts took; a sum is null as soon as a part of it is unknown."""
    path = run.stored.folder / ATTEMPTS
    if not path.exists():
        return pl.DataFrame(
            {"run": [run.name], **{name: [None] for name in USAGE}},
            schema={"run": pl.String, **USAGE},
        )
    tokens = pl.col("input_tokens") + pl.col("output_tokens")
    counted = tokens.fill_null(0) > 0  # a provider that counts nothing says 0
    answers = pl.col("outcome").is_in(ANSWERED)
    billed = answers | pl.col("outcome").is_in(PERHAPS_BILLED)
    found = pl.scan_parquet(path, glob=False)
    is_told = "cache_read_tokens" in found.collect_schema()
    cached = pl.col("cache_read_tokens") if is_told else pl.lit(0)
    known = found.select(
        pl.len().cast(pl.Int64).alias("attempts"),
        answers.sum().cast(pl.Int64).alias("answers"),
        pl.col("input_tokens").sum().cast(pl.Int64),
        pl.col("output_tokens").sum().cast(pl.Int64),
        cached.sum().cast(pl.Int64).alias("cached_tokens"),
        (answers & ~counted).sum().cast(pl.Int64).alias("answers_without_tokens"),
        pl.col("cost_usd").sum(),
        (billed & (pl.col("cost_usd").is_null() | ~counted))
        .sum()
        .cast(pl.Int64)
        .alias("answers_without_cost"),
    )
    return known.collect().select(
        pl.lit(run.name).alias("run"),
        "attempts",
        "answers",
        *(
            pl.when(pl.col("answers_without_tokens") == 0).then(pl.col(name)).alias(name)
            for name in ("input_tokens", "output_tokens", "cached_tokens")
        ),
        "answers_without_tokens",
        pl.when(pl.col("answers_without_cost") == 0).then(pl.col("cost_usd")).alias("cost_usd"),
        "answers_without_cost",
    )


def _returned(run: ReportedRun) -> pl.DataFrame:
    return (
        rows_of(run)
        .filter(pl.col("model_returned").is_not_null() | pl.col("completed_at").is_not_null())
        .group_by("model_returned")
        .agg(
            pl.len().cast(pl.Int64).alias("answers"),
            pl.coalesce("answered_at", "submitted_at").min().alias("first"),
            pl.coalesce("answered_at", "completed_at").max().alias("last"),
        )
        .sort("model_returned", nulls_last=True)
        .collect()
        .select(pl.lit(run.name).alias("run"), "model_returned", "answers", "first", "last")
    )


def _replaced(
    runs: Sequence[ReportedRun], returned: pl.DataFrame
) -> Iterator[tuple[ReportedRun, Mapping[str, int]]]:
    """Yield the runs that another model answered; an imported table's names are taken as they are."""
    for run in runs:
        rows = returned.filter(
            (pl.col("run").cast(pl.String) == run.name) & pl.col("model_returned").is_not_null()
        )
        answered = counted(dict(rows.select("model_returned", "answers").iter_rows()))
        if not run.stored.imported and (found := others(run.model, answered)):
            yield run, found


def _source(run: StoredRun) -> dict[str, str]:
    """Say what a run was asked and what the report was made from, as hashes."""
    prompt = run.definition.get("prompt") or {}
    design = run.definition.get("design") or {}
    said = {
        "name": run.name,
        "kind": run.kind.value,
        "experiment_id": str(run.manifest["experiment"].get("id", "")),
        "chorus": str(run.manifest.get("chorus", "")),
        "answers.parquet": file_sha256(run.folder / ANSWERS),
        **{f"prompt.{part}": _digest(str(text)) for part, text in sorted(prompt.items())},
        **{key: _digest(text) for key, text in design.items() if key.startswith("messages[")},
        **dict(_level_hashes(run)),
    }
    if run.imported:
        source = run.manifest["imported"]
        said |= {"source.file": source["file"], "source.sha256": source["sha256"]}
    return said


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _level_hashes(run: StoredRun) -> Iterator[tuple[str, str]]:
    """Yield a hash for each level of a factor, or one for all where there are many."""
    hashes: dict[str, dict[str, str]] = {}
    for factor, key, _, found in levels_in(run.definition):
        if found:
            hashes.setdefault(factor, {})[key] = found
    for factor, of_level in hashes.items():
        if len(of_level) > MANY_LEVELS:
            whole = "\n".join(f"{key}={found}" for key, found in of_level.items())
            yield f"{factor} ({len(of_level):,})", _digest(whole)
        else:
            for key, found in of_level.items():
                yield f"{factor}.{key}", found
