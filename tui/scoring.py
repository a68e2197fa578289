"""Scores by persona, text, model or temperature, as in the report; nothing missing is 0.

A failed request may still hold values of other questions; they count, here as there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.answers import BAD, GOOD, GOOD_AGAIN, OPEN, Answers, Asked, JobAnswers
from tui.cells import clean

if TYPE_CHECKING:
    import polars as pl

STEP = 5
"""The width of a histogram's columns, where a question's range has room for enough of them."""
_NARROW = 20


@dataclass(frozen=True, slots=True)
class Pivot:
    """What makes a row."""

    name: str
    keys: tuple[str, ...]
    """Columns that tell rows apart."""
    shown: tuple[str, ...]
    """Of those, what stands on the screen."""


PIVOTS = (
    Pivot(
        "persona x text", ("persona", "persona_name", "text", "title"), ("persona_name", "title")
    ),
    Pivot("model x persona", ("model", "persona", "persona_name"), ("model", "persona_name")),
    Pivot("model", ("model",), ("model",)),
    Pivot("temperature", ("temperature",), ("temperature",)),
)


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
    """The requests of one persona and text, or whatever the pivot says."""

    key: str
    labels: tuple[str | float | None, ...]
    n: int
    """Answered well, with their values at hand."""
    failed: int
    open: int
    scores: Mapping[str, Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """All rows of one pivot."""

    pivot: Pivot
    questions: tuple[Asked, ...]
    rows: tuple[ScoreRow, ...]
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
        notes.insert(0, f"live answers only: {left} of {len(answers.jobs)} jobs are rehearsals")
    questions = tuple(
        q for q in answers.questions if any(q.id in {a.id for a in one.questions} for one in jobs)
    )
    frames = [_frame(one, questions) for one in jobs]
    rows: tuple[ScoreRow, ...] = ()
    if frames:
        frame = pl.concat(frames)
        rows = tuple(_rows(frame, pivot, questions))
    if pivot.name == "temperature":
        rows = tuple(sorted(rows, key=lambda row: (row.labels[0] is None, row.labels[0] or 0.0)))
    return ScoreTable(
        pivot=pivot,
        questions=questions,
        rows=rows,
        notes=tuple(notes),
        rehearsal=bool(jobs) and not live,
    )


_FACTORS = ("persona", "persona_name", "text", "title", "temperature")


def _frame(one: JobAnswers, questions: tuple[Asked, ...]) -> "pl.DataFrame":
    """Return a row a request: factors, model, whether it is good, failed or open, and its values."""
    import polars as pl

    factors = pl.DataFrame(
        [[getattr(row, name) for name in _FACTORS] for row in one.factors],
        schema={name: pl.Float64 if name == "temperature" else pl.String for name in _FACTORS},
        orient="row",
    )
    table = one.table
    good = table["state"].is_in([GOOD, GOOD_AGAIN]) & table["at"].is_not_null()
    there = {question.id for question in one.questions}
    model = clean(f"{one.job.model} {one.job.provider}")
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
    return pl.concat(
        [
            pl.DataFrame({name: factors[name].gather(table["condition"]) for name in _FACTORS}),
            pl.DataFrame(
                {"good": good, "failed": table["state"] == BAD, "open": table["state"] == OPEN}
            ),
            *values,
        ],
        how="horizontal",
    ).with_columns(
        pl.lit(model).alias("model"),
        *(pl.when(~pl.col("open")).then(pl.col(q.id)).alias(q.id) for q in questions),
    )


def _rows(frame: "pl.DataFrame", pivot: Pivot, questions: tuple[Asked, ...]) -> "list[ScoreRow]":
    import polars as pl

    keys = list(pivot.keys)
    told = frame.group_by(keys, maintain_order=True).agg(
        *(
            pl.col(name).sum().cast(pl.Int64).alias(f"_{name}")
            for name in ("good", "failed", "open")
        ),
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
    bins = {q.id: _bins(frame, keys, q) for q in questions}
    rows: list[ScoreRow] = []
    for row in told.iter_rows(named=True):
        group = tuple(row[key] for key in keys)
        rows.append(
            ScoreRow(
                key=repr(group),
                labels=tuple(row[name] for name in pivot.shown),
                n=row["_good"],
                failed=row["_failed"],
                open=row["_open"],
                scores={
                    q.id: Score(
                        n=row[f"{q.id}_n"],
                        mean=row[f"{q.id}_mean"],
                        sd=row[f"{q.id}_sd"],
                        bins=tuple(bins[q.id].get(group, ())),
                    )
                    for q in questions
                },
            )
        )
    return rows


def width_of(question: Asked) -> float:
    """Return how wide the columns of a question's histogram are."""
    span = question.maximum - question.minimum
    if span <= 0 or span > 40 * STEP:
        return max(span, 1.0) / _NARROW
    return STEP if span >= 2 * STEP else 1.0


def bins_of(question: Asked) -> int:
    """Return how many columns a question's histogram has; the highest value is in the last."""
    return max(round((question.maximum - question.minimum) / width_of(question)), 1)


def _bins(
    frame: "pl.DataFrame", keys: list[str], question: Asked
) -> dict[tuple[Any, ...], list[int]]:
    import polars as pl

    many = bins_of(question)
    place = ((pl.col(question.id) - question.minimum) / width_of(question)).floor()
    counts = (
        frame.filter(pl.col(question.id).is_not_null())
        .select(*keys, bin=place.cast(pl.Int64).clip(0, many - 1))
        .group_by(*keys, "bin")
        .len()
    )
    found: dict[tuple[Any, ...], list[int]] = {}
    for *group, number, count in counts.iter_rows():
        found.setdefault(tuple(group), [0] * many)[number] = count
    return found
