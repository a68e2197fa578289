"""Filter words of the answers, as `state:failed cause:out_of_range persona:p1`: what they mean, and what fits."""

import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.core.model import Cause
from runner.core.states import Outcome
from tui.answers import BAD, STATE_WORDS, JobAnswers, Progress

if TYPE_CHECKING:
    import polars as pl

_EXAMPLES = {
    "state": "state:failed",
    "cause": "cause:out_of_range",
    "outcome": "outcome:expired",
    "q": "q:Q2",
    "pattern": "pattern:none",
    "persona": "persona:p1",
    "text": "text:t2",
    "temperature": "temperature:0.7",
    "trial": "trial:3",
    "attempts": "attempts:>1",
    "batch": "batch:b0003",
    "job": "job:openai",
    "provider": "provider:openai",
    "model": "model:gpt",
    "answer": "answer:WORD",
}
KEYS = tuple(_EXAMPLES)
NONE = "none"
_CHOICES = {
    "state": STATE_WORDS,
    "cause": tuple(cause.value for cause in Cause),
    "outcome": tuple(outcome.value for outcome in Outcome if outcome is not Outcome.OPEN),
}
_NUMBER = re.compile(r"(>=|<=|>|<|=)?(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)")
_COMPARE = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}
_NUMBERS = ("temperature", "trial", "attempts")


@dataclass(frozen=True, slots=True)
class Word:
    """One condition: any of its values will do."""

    key: str
    """Empty for free text."""
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Conditions that all have to hold."""

    words: tuple[Word, ...] = ()

    def of(self, key: str) -> list[Word]:
        """Return the conditions of one kind."""
        return [word for word in self.words if word.key == key]

    @property
    def searches(self) -> bool:
        """Tell whether raw answers have to be read."""
        return any(word.key == "answer" for word in self.words)


def parse(text: str) -> Words | str:
    """Return what a line asks for, or what is wrong with it, in one line."""
    found: list[Word] = []
    for token in text.split():
        key, colon, rest = token.partition(":")
        key = key.lower()
        if not colon:
            found.append(Word("", (token,)))
            continue
        if key not in KEYS:
            return f"{key}: is no filter word; there are {', '.join(KEYS)}"
        values = (rest,) if key == "answer" else tuple(v for v in rest.split(",") if v)
        if not rest or not values:
            return f"{key}: needs a value, as {_EXAMPLES[key]}"
        if wrong := _wrong(key, values):
            return wrong
        found.append(Word(key, values))
    return Words(tuple(found))


def _wrong(key: str, values: tuple[str, ...]) -> str | None:
    for value in values:
        if key in _CHOICES and value.lower() not in _CHOICES[key]:
            return f"{key}:{value}: there are {', '.join(_CHOICES[key])}"
        none = key == "temperature" and value.lower() == NONE
        if key in _NUMBERS and not none and not _NUMBER.fullmatch(value):
            return f"{key}:{value}: a number, as {_EXAMPLES[key]}"
    return None


def select(
    one: JobAnswers, words: Words, *, problems: bool = False, progress: Progress | None = None
) -> "pl.Series | None":
    """Return which rows of a job's table fit, in order; None when the answer is no longer wanted.

    Args:
        one: the job's requests.
        words: what has to hold.
        problems: only what failed, or whose answer cannot be used.
        progress: told how many parts were searched, for `answer:`.
    """
    import polars as pl

    about = {"job": one.name, "provider": one.job.provider, "model": one.job.model}
    for key, text in about.items():
        if not all(_within(word.values, text) for word in words.of(key)):
            return pl.Series("row", [], dtype=pl.UInt32)
    asked = _asked(one, words)
    if not asked and any(words.of(key) for key in ("q", "cause", "pattern")):
        return pl.Series("row", [], dtype=pl.UInt32)
    frame = one.table.with_row_index("row")
    needed = [f"{q}_{part}" for part in ("cause", "pattern") for q in asked if words.of(part)]
    if words.of("q") and not words.of("cause") and not words.of("pattern"):
        needed += [f"{q}_value" for q in asked]
    if problems or words.of("outcome") or words.of("pattern"):
        needed.append("outcome")
    frame = frame.with_columns(one.column(name).alias(name) for name in dict.fromkeys(needed))
    conditions = [test for word in words.words for test in _tests(one, word, asked, words)]
    if problems:
        unusable = (pl.col("outcome").cast(pl.String) != Outcome.VALID.value).fill_null(value=False)
        conditions.append((pl.col("state") == BAD) | unusable)
    rows = frame.filter(*conditions)
    for word in words.of("answer"):
        hits = _search(one, word.values[0], progress)
        if hits is None:
            return None
        rows = rows.filter(pl.col("at").is_in(hits.implode()))
    return rows["row"]


def _asked(one: JobAnswers, words: Words) -> list[str]:
    """Return the questions that conditions are about: all, or those that are named."""
    named = [{value.lower() for value in word.values} for word in words.of("q")]
    return [q.id for q in one.questions if all(q.id.lower() in names for names in named)]


def _tests(one: JobAnswers, word: Word, asked: list[str], words: Words) -> "Iterable[pl.Expr]":
    import polars as pl

    key, values = word.key, word.values
    low = [value.lower() for value in values]
    if key == "":
        yield pl.col("custom_id").str.to_lowercase().str.contains(low[0], literal=True)
    elif key == "state":
        yield pl.col("state").is_in([STATE_WORDS.index(value) for value in low])
    elif key == "cause":
        yield _any(pl.col(f"{q}_cause").cast(pl.String).is_in(low) for q in asked)
    elif key == "pattern":
        yield _any(_pattern(q, values) for q in asked)
    elif key == "outcome":
        yield pl.col("outcome").cast(pl.String).is_in(low)
    elif key == "q" and not words.of("cause") and not words.of("pattern"):
        yield _any(pl.col("at").is_not_null() & pl.col(f"{q}_value").is_null() for q in asked)
    elif key in ("persona", "text", "temperature"):
        fitting = [n for n, row in enumerate(one.factors) if _fits(key, values, row)]
        yield pl.col("condition").is_in(fitting)
    elif key in ("trial", "attempts"):
        yield _any(_compared(pl.col(key), value) for value in values)
    elif key == "batch":
        yield pl.col("custom_id").is_in(_members(one, low).implode())


def _any(tests: "Iterable[pl.Expr]") -> "pl.Expr":
    import polars as pl

    return pl.any_horizontal(*tests).fill_null(value=False)


def _pattern(question: str, values: tuple[str, ...]) -> "pl.Expr":
    import polars as pl

    column = pl.col(f"{question}_pattern").cast(pl.String)
    test = column.is_in(list(values)).fill_null(value=False)
    if NONE in values:
        read = [Outcome.VALID.value, Outcome.INVALID.value]
        test |= column.is_null() & pl.col("outcome").cast(pl.String).is_in(read)
    return test


def _fits(key: str, values: tuple[str, ...], row: "object") -> bool:
    if key == "temperature":
        return any(_is_number(value, getattr(row, key)) for value in values)
    name = getattr(row, "persona_name" if key == "persona" else "title").lower()
    return any(v.lower() == getattr(row, key).lower() or v.lower() in name for v in values)


def _is_number(wanted: str, found: float | None) -> bool:
    if wanted.lower() == NONE or found is None:
        return wanted.lower() == NONE and found is None
    sign, number = _numbered(wanted)
    return bool(_COMPARE[sign](found, number))


def _compared(column: "pl.Expr", wanted: str) -> "pl.Expr":
    sign, number = _numbered(wanted)
    test: pl.Expr = _COMPARE[sign](column, number)
    return test


def _numbered(wanted: str) -> tuple[str, float]:
    match = _NUMBER.fullmatch(wanted)
    assert match is not None  # `parse` has looked
    return match.group(1) or "=", float(match.group(2))


def _within(values: tuple[str, ...], text: str) -> bool:
    return any(value.lower() in text.lower() for value in values)


def _members(one: JobAnswers, keys: list[str]) -> "pl.Series":
    """Return the custom_ids of whatever went into some batches."""
    import polars as pl

    from runner.tables import custom_ids

    spans = [
        (span.stem, span.first, span.last)
        for key, members in one.members.items()
        if key.lower() in keys
        for span in members
    ]
    frame = pl.DataFrame(
        spans, schema={"stem": pl.String, "first": pl.Int64, "last": pl.Int64}, orient="row"
    )
    trials = frame.with_columns(trial=pl.int_ranges(pl.col("first"), pl.col("last") + 1)).explode(
        "trial", empty_as_null=False
    )
    return trials.select(custom_ids.written())["custom_id"]


def _search(one: JobAnswers, text: str, progress: Progress | None) -> "pl.Series | None":
    """Return the attempts whose raw answer has a text in it, whatever the case of its letters."""
    import polars as pl

    pattern = "(?i)" + pl.escape_regex(text)
    hits: list[pl.Series] = []
    for number, part in enumerate(one.parts):
        if progress is not None and not progress(number, len(one.parts)):
            return None
        try:
            found = (
                pl.scan_parquet(part.path, glob=False)
                .select(hit=pl.col("raw_answer").cast(pl.String).str.contains(pattern))
                .collect()["hit"]
            )
        except (OSError, pl.exceptions.PolarsError):
            continue  # the notes say of a part that it cannot be read when it is looked at next
        if len(found) == part.height:
            hits.append(found.arg_true().cast(pl.UInt32) + part.offset)
    return pl.concat(hits) if hits else pl.Series("hit", [], dtype=pl.UInt32)
