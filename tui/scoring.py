"""Scores by factors, model or temperature, as in the report; nothing missing is 0.

A failed request may still hold values of other questions; they count, here as there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, overload

from runner.core.definition import factor_names
from runner.core.model import ItemKind
from tui.answers import BAD, GOOD, GOOD_AGAIN, OPEN, Answers, JobAnswers, QuestionShown
from tui.cells import clean
from tui.conditions import spelled
from tui.language import tr
from tui.model import Job

if TYPE_CHECKING:
    import polars as pl

STEP = 5
"""The width of a histogram's columns, where a question's range has room for enough of them."""
_NARROW = 20
MODEL, TEMPERATURE = "model", "temperature"
"""What makes rows beside the factors; no factor is called so."""


@dataclass(frozen=True, slots=True)
class Pivot:
    """What makes a row: a factor, the model or the temperature, or two of them."""

    by: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return what it is called."""
        return " x ".join(map(spelled, self.by))

    @property
    def factors(self) -> tuple[str, ...]:
        """Return the factors among them."""
        return tuple(name for name in self.by if name not in (MODEL, TEMPERATURE))


PIVOTS = (
    Pivot(("persona", "text")),
    Pivot((MODEL, "persona")),
    Pivot((MODEL,)),
    Pivot((TEMPERATURE,)),
)
"""Those of the bundled study."""


def pivots_of(jobs: Sequence[Job]) -> tuple[Pivot, ...]:
    """Return what can make rows: every factor, pairs that are asked together, model and temperature."""
    sets = list(dict.fromkeys(tuple(factor_names(job.definition)) for job in jobs))
    if sets in ([], [("persona", "text")]):
        return PIVOTS
    singles = dict.fromkeys((name,) for names in sets for name in names)
    pairs = dict.fromkeys(pair for names in sets for pair in combinations(names, 2))
    several = len({(job.model, job.provider) for job in jobs}) > 1
    models = [(MODEL, *single) for single in singles] if several else []
    heat = [(TEMPERATURE,)] if any(map(_sends_temperature, jobs)) else []
    return tuple(map(Pivot, (*singles, *pairs, *models, (MODEL,), *heat)))


def _sends_temperature(job: Job) -> bool:
    """Tell whether a job's requests have a temperature: all have one, or none."""
    first = next(iter((job.definition.get("conditions") or {}).values()), None) or {}
    return first.get("temperature") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One question in one row."""

    n: int = 0
    mean: float | None = None
    """None: there is no value."""
    sd: float | None = None
    """With n - 1; None: there are not two values."""
    bins: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """The requests of one level of a factor, or whatever the pivot says."""

    key: str
    labels: tuple[str | float | None, ...]
    n: int
    """Answered well, with their values at hand."""
    failed: int
    open: int
    scores: Mapping[str, Score]


class ScoreRows(Sequence[ScoreRow]):
    """The rows of a table, each made when it is asked for: a factor may have a hundred thousand levels."""

    def __init__(self, told: "pl.DataFrame", labels: Sequence[str], bins: "_Bins") -> None:
        """Make no row yet.

        Args:
            told: a row a group: `_key`, its counters, and n, mean and sd of each question.
            labels: the columns that are shown of it.
            bins: the histograms.
        """
        self._told, self._labels, self._bins = told, labels, bins

    def __len__(self) -> int:
        """Return how many there are."""
        return self._told.height

    @overload
    def __getitem__(self, place: int) -> ScoreRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[ScoreRow]: ...
    def __getitem__(self, place: int | slice) -> ScoreRow | list[ScoreRow]:
        """Return one row, or several."""
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        row = self._told.row(place, named=True)
        return ScoreRow(
            key=row["_key"],
            labels=tuple(row[name] for name in self._labels),
            n=row["_good"],
            failed=row["_failed"],
            open=row["_open"],
            scores={
                q: Score(
                    n=row[f"{q}_n"],
                    mean=row[f"{q}_mean"],
                    sd=row[f"{q}_sd"],
                    bins=self._bins.of(q, row["_group"]),
                )
                for q in self._bins.questions
            },
        )

    def sorted_by(self, column: str, *, descending: bool) -> "ScoreRows":
        """Return the same rows in another order; what is missing comes last, what is alike stays.

        Args:
            column: the id of a question, for its mean; a factor; `n`, `fail%` or `open`.
            descending: from the highest to the lowest.
        """
        import polars as pl

        decided = pl.col("_good") + pl.col("_failed")
        known = {
            "n": pl.col("_good"),
            "fail%": pl.when(decided > 0).then(pl.col("_failed") / decided),
            "open": pl.col("_open"),
            **{q: pl.col(f"{q}_mean") for q in self._bins.questions},
            **{spelled(name.removeprefix(_label(""))): pl.col(name) for name in self._labels},
        }
        told = self._told.sort(
            known[column], descending=descending, nulls_last=True, maintain_order=True
        )
        return ScoreRows(told, self._labels, self._bins)

    def key(self, place: int) -> str:
        """Return what a row is known by when others come and go."""
        return str(self._told["_key"][place])

    def find(self, key: str) -> int | None:
        """Return where a row is now."""
        return self._told["_key"].index_of(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """All rows of one pivot."""

    pivot: Pivot
    questions: tuple[QuestionShown, ...]
    rows: ScoreRows
    notes: tuple[str, ...]
    rehearsal: bool


def score_table(answers: Answers, pivot: Pivot) -> ScoreTable:
    """Compute the scores; rehearsed and live answers are never in one number."""
    import polars as pl

    live = [one for one in answers.jobs if not one.job.emulated]
    jobs = live or list(answers.jobs)
    notes = list(answers.notes)
    if live and len(live) < len(answers.jobs):
        left = len(answers.jobs) - len(live)
        notes.insert(
            0,
            tr(
                "live answers only: {left} of {jobs} jobs are rehearsals",
                left=left,
                jobs=len(answers.jobs),
            ),
        )
    asked = [one for one in jobs if set(pivot.factors) <= set(one.conditions.names)]
    if len(asked) < len(jobs):
        what = tr(" and ").join(map(spelled, pivot.factors))
        left = len(jobs) - len(asked)
        notes.insert(
            0,
            tr(
                "left out: {left} of {jobs} jobs, without {what}",
                left=left,
                jobs=len(jobs),
                what=what,
            ),
        )
    there = {q.id for one in asked for q in one.questions}
    questions = tuple(q for q in answers.questions if q.id in there and q.kind is ItemKind.NUMBER)
    numbers = {q.id for q in questions}
    if others := [q.id for q in answers.questions if q.id in there - numbers]:
        what = tr("a choice has no mean; action=report has its shares")
        if any(q.kind is not ItemKind.CHOICE for q in answers.questions if q.id in others):
            what = tr("not numbers; action=report has what can be counted of them")
        notes.insert(0, tr("{others}: {what}", others=", ".join(others), what=what))
    frames = [_frame(one, pivot, questions) for one in asked]
    frame = pl.concat(frames or [_nothing(pivot)])
    rows = _rows(frame, pivot, questions)
    if len(asked) > 1:
        notes[:0] = _ambiguous(frame, pivot)
    return ScoreTable(
        pivot=pivot,
        questions=questions,
        rows=rows,
        notes=tuple(notes),
        rehearsal=bool(jobs) and not live,
    )


def _ambiguous(frame: "pl.DataFrame", pivot: Pivot) -> Iterator[str]:
    """Yield which ids stand for different contents in different jobs; each has a row of its own."""
    for name in pivot.factors:
        contents = frame.select(_group(name), _content(name)).unique()
        twice = contents.filter(contents[_group(name)].is_duplicated())
        if twice.height:
            first, count = twice[_group(name)].sort()[0], twice[_group(name)].n_unique()
            more = tr(" and {count:,} more", count=count - 1) if count > 1 else ""
            yield tr(
                "{name} {first}{more}: not the same text in all jobs, so a row each",
                name=spelled(name),
                first=first,
                more=more,
            )


def _label(name: str) -> str:
    return f"label of {name}"


def _group(name: str) -> str:
    return f"group by {name}"


def _content(name: str) -> str:
    return f"content of {name}"


def _nothing(pivot: Pivot) -> "pl.DataFrame":
    import polars as pl

    keys: dict[str, Any] = {}
    for name in pivot.by:
        kind = pl.Float64 if name == TEMPERATURE else pl.String
        keys |= {_group(name): kind, _content(name): pl.String, _label(name): kind}
    return pl.DataFrame(schema={**keys, **dict.fromkeys(_STANDING, pl.Boolean)})


_STANDING = ("_good", "_failed", "_open")


def _frame(one: JobAnswers, pivot: Pivot, questions: tuple[QuestionShown, ...]) -> "pl.DataFrame":
    """Return a row a request: what the pivot goes by, whether it is good, failed or open, its values."""
    import polars as pl

    table = one.table
    good = table["state"].is_in([GOOD, GOOD_AGAIN]) & table["at"].is_not_null()
    there = {question.id for question in one.questions}
    values = [
        pl.DataFrame(
            {
                q.id: one.column(f"{q.id}_value").cast(pl.Float64)
                if q.id in there
                else pl.Series(q.id, [None] * table.height, dtype=pl.Float64)
            }
        )
        for q in questions
    ]
    standing = (good, table["state"] == BAD, table["state"] == OPEN)
    return pl.concat(
        [
            pl.DataFrame({name: cells for by in pivot.by for name, cells in _keys(one, by)}),
            pl.DataFrame(dict(zip(_STANDING, standing, strict=True))),
            *values,
        ],
        how="horizontal",
    ).with_columns(pl.when(~pl.col("_open")).then(pl.col(q.id)).alias(q.id) for q in questions)


def _keys(one: JobAnswers, name: str) -> "Iterator[tuple[str, pl.Series]]":
    """Yield what tells rows apart, and what they are called."""
    import polars as pl

    condition = one.table["condition"]
    contents = pl.Series([""], dtype=pl.String).new_from_index(0, len(condition))
    if name == MODEL:
        model = clean(f"{one.job.model} {one.job.provider}")
        ids = labels = pl.Series([model], dtype=pl.String).new_from_index(0, len(condition))
    elif name == TEMPERATURE:
        ids = labels = one.conditions.temperatures().gather(condition)
    else:
        parts = ("id", "digest", "label")
        ids, contents, labels = (one.conditions.column(name, p).gather(condition) for p in parts)
    yield _group(name), ids
    yield _content(name), contents
    yield _label(name), labels


def _rows(frame: "pl.DataFrame", pivot: Pivot, questions: tuple[QuestionShown, ...]) -> ScoreRows:
    import polars as pl

    keys = [made(name) for name in pivot.by for made in (_group, _content, _label)]
    told = frame.group_by(keys, maintain_order=True).agg(
        *(pl.col(name).sum().cast(pl.Int64) for name in _STANDING),
        *(
            part
            for q in questions
            for part in (
                pl.col(q.id).count().cast(pl.Int64).alias(f"{q.id}_n"),
                pl.col(q.id).mean().alias(f"{q.id}_mean"),
                pl.col(q.id).std().alias(f"{q.id}_sd"),
            )
        ),
    )
    told = told.with_row_index("_group").with_columns(
        _key=pl.concat_str(
            [pl.col(name).cast(pl.String).fill_null("") for name in keys], separator="\n"
        )
    )
    if pivot.by == (TEMPERATURE,):
        told = told.sort(_label(TEMPERATURE), nulls_last=True, maintain_order=True)
    places = frame.join(told.select(*keys, "_group"), on=keys, how="left", nulls_equal=True)
    return ScoreRows(told, list(map(_label, pivot.by)), _Bins(places, questions))


def width_of(question: QuestionShown) -> float:
    """Return how wide the columns of a question's histogram are."""
    span = question.maximum - question.minimum
    if span <= 0 or span > 40 * STEP:
        return max(span, 1.0) / _NARROW
    return STEP if span >= 2 * STEP else 1.0


def bins_of(question: QuestionShown) -> int:
    """Return how many columns a question's histogram has; the highest value is in the last."""
    return max(round((question.maximum - question.minimum) / width_of(question)), 1)


class _Bins:
    """How the values of each question are spread, by group."""

    def __init__(self, frame: "pl.DataFrame", questions: tuple[QuestionShown, ...]) -> None:
        self.questions = {question.id: question for question in questions}
        self._counts = {question.id: _counts(frame, question) for question in questions}

    def of(self, question: str, group: int) -> tuple[int, ...]:
        """Return how many values are in each column of a histogram; nothing where there is none."""
        counts = self._counts[question]
        begin, end = (
            int(counts["_group"].search_sorted(group, side)) for side in ("left", "right")
        )
        if begin == end:
            return ()
        found = [0] * bins_of(self.questions[question])
        for _, number, count in counts[begin:end].iter_rows():
            found[number] = count
        return tuple(found)


def _counts(frame: "pl.DataFrame", question: QuestionShown) -> "pl.DataFrame":
    import polars as pl

    place = ((pl.col(question.id) - question.minimum) / width_of(question)).floor()
    last = bins_of(question) - 1
    return (
        frame.filter(pl.col(question.id).is_not_null())
        .select("_group", bin=place.cast(pl.Int64).clip(0, last))
        .group_by("_group", "bin")
        .len()
        .sort("_group")
    )
