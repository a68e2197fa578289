"""Filter words of the answers, as `state:failed persona:p1 Q1>70 snow`: what they mean, and what fits."""

import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from runner.core.model import Cause
from runner.core.states import Outcome
from tui.answers import BAD, STATE_WORDS, JobAnswers, Progress
from tui.cells import clean
from tui.conditions import Conditions, spelled
from tui.language import explained, tr

if TYPE_CHECKING:
    import polars as pl

_EXAMPLES = {
    "state": "state:failed",
    "cause": "cause:out_of_range",
    "outcome": "outcome:expired",
    "q": "q:Q2",
    "pattern": "pattern:none",
}
"""What stands before the factors in the list of all words."""
_MORE_EXAMPLES = {
    "temperature": "temperature:0.7",
    "trial": "trial:3",
    "attempts": "attempts:>1",
    "batch": "batch:b0003",
    "job": "job:openai",
    "provider": "provider:openai",
    "model": "model:gpt",
    "answer": "answer:WORD",
}
BUNDLED = {"persona": "p1", "text": "t2"}
"""The factors of the bundled study, each with a level as an example."""
NONE = "none"
_CHOICES = {
    "state": STATE_WORDS,
    "cause": tuple(cause.value for cause in Cause),
    "outcome": tuple(outcome.value for outcome in Outcome if outcome is not Outcome.OPEN),
}
_GROUPS = {"state": "status", "cause": "cause", "outcome": "outcome"}
_NUMBER = re.compile(r"(>=|<=|>|<|=)?(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)")
_COMPARE = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
}
_ABOUT = ("job", "provider", "model")
_NUMBERS = ("temperature", "trial", "attempts")
_TOKEN = re.compile(
    r'"[^"]+"(?!\S)|(?!answer:)[^\s:"]+[:=](?:"[^"]*"|[^\s"])*(?!\S)|\S+', re.IGNORECASE
)
"""A word; blanks between quotation marks belong to it, but for a text after `answer:`."""
_SIGNED = re.compile(r'([^\s:"<>=]+)(>=|<=|>|<|=)(.+)')
"""A name, a sign and what it is compared with, as `Q1>70`."""
_VALUE = re.compile(r'(?:"[^"]*"|[^,])+')


@dataclass(frozen=True, slots=True)
class Word:
    """One condition: any of its values will do."""

    key: str
    """Empty for free text; QUESTION for a value of an answer."""
    values: tuple[str, ...]
    question: str = ""
    """Whose value it is about, by its id."""
    sign: str = "="
    """How that value is compared."""


@dataclass(frozen=True, slots=True)
class Words:
    """Conditions that all have to hold."""

    words: tuple[Word, ...] = ()

    def of(self, key: str) -> list[Word]:
        """Return the conditions of one kind."""
        return [word for word in self.words if word.key == key]


QUESTION = "a question"
"""The key of a condition on a value of an answer; no word is spelled so."""


def parse(
    text: str, factors: Mapping[str, str] = BUNDLED, questions: Iterable[str] = ()
) -> Words | str:
    """Return what a line asks for, or what is wrong with it, in one line.

    Args:
        text: the line.
        factors: those of the jobs that are shown, each with a level as an example.
        questions: the ids of those of the jobs that are shown.
    """
    examples = {**_EXAMPLES, **_factor_examples(factors), **_MORE_EXAMPLES}
    ids = {id_.lower(): id_ for id_ in questions}
    found: list[Word] = []
    for token in _TOKEN.findall(text):
        signed = _SIGNED.fullmatch(token)
        key, colon, rest = _parted(token, signed)
        key = key.lower()
        if signed and key in ids and key not in examples:
            found.append(Word(QUESTION, tuple(_values(signed[3])), ids[key], signed[2]))
            if signed[2] != "=" and not _NUMBER.fullmatch(signed[3]):
                return tr(
                    "{token}: a number after {sign}, as {question}{sign}70",
                    token=token,
                    sign=signed[2],
                    question=ids[key],
                )
            continue
        if not colon:
            found.append(Word("", (token[1:-1] if _QUOTED.fullmatch(token) else token,)))
            continue
        if key not in examples:
            known = ", ".join([*examples, *(f"{id_}>70" for id_ in list(ids.values())[:1])])
            return tr("{key}: is no filter word; there are {keys}", key=key, keys=known)
        values = (rest,) if key == "answer" else tuple(_values(rest))
        if not rest or not values:
            return tr("{key}: needs a value, as {example}", key=key, example=examples[key])
        if wrong := _wrong(key, values, examples[key]):
            return wrong
        found.append(Word(key, values))
    return Words(tuple(found))


_QUOTED = re.compile('"[^"]+"')


def _parted(token: str, signed: re.Match[str] | None) -> tuple[str, str, str]:
    """Return a token's key, colon and value; `trial>3` and `persona=p1` are as with a colon."""
    if signed is None:
        return token.partition(":") if not _QUOTED.fullmatch(token) else (token, "", "")
    return signed[1], ":", (signed[3] if signed[2] == "=" else signed[2] + signed[3])


def hint(factors: Mapping[str, str], questions: Sequence[str]) -> str:
    """Return what can be typed, with examples of what is there; the longest come last."""
    some = [*list(_factor_examples(factors).values())[:2], *(f"{id_}>70" for id_ in questions[:1])]
    told = (explained(key, word) for key, word in {**_EXAMPLES, **_MORE_EXAMPLES}.items())
    return "  ".join([tr("words of an answer"), *some, *told])


def _factor_examples(factors: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, id_ in factors.items():
        level = BUNDLED.get(name, id_)
        quoted = f'"{level}"' if re.search(r"[\s,]", level) else level
        found[spelled(name)] = f"{spelled(name)}:{quoted}"
    return found


def _values(text: str) -> Iterator[str]:
    """Yield what stands between the commas; quotation marks around it are taken off."""
    for value in _VALUE.findall(text):
        bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        if bare:
            yield bare


def _wrong(key: str, values: tuple[str, ...], example: str) -> str | None:
    for value in values:
        if key in _CHOICES and value.lower() not in _CHOICES[key]:
            known = ", ".join(explained(code, code, _GROUPS[key]) for code in _CHOICES[key])
            return tr("{key}:{value}: there are {known}", key=key, value=value, known=known)
        none = key == "temperature" and value.lower() == NONE
        if key in _NUMBERS and not none and not _NUMBER.fullmatch(value):
            return tr(
                "{key}:{value}: a number, as {example}", key=key, value=value, example=example
            )
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

    about = dict(zip(_ABOUT, (one.name, one.job.provider, one.job.model), strict=True))
    for key, text in about.items():
        if not all(_within(word.values, text) for word in words.of(key)):
            return pl.Series("row", [], dtype=pl.UInt32)
    ids = {question.id for question in one.questions}
    asked = _asked(one, words)
    compared = [word.question for word in words.of(QUESTION)]
    if not ids.issuperset(compared):
        return pl.Series("row", [], dtype=pl.UInt32)
    if not asked and any(words.of(key) for key in ("q", "cause", "pattern")):
        return pl.Series("row", [], dtype=pl.UInt32)
    frame = one.table.with_row_index("row")
    needed = [f"{q}_{part}" for part in ("cause", "pattern") for q in asked if words.of(part)]
    if words.of("q") and not words.of("cause") and not words.of("pattern"):
        needed += [f"{q}_value" for q in asked]
    needed += [f"{question}_value" for question in compared]
    if problems or words.of("outcome") or words.of("pattern"):
        needed.append("outcome")
    frame = frame.with_columns(one.column(name).alias(name) for name in dict.fromkeys(needed))
    conditions = [test for word in words.words for test in _tests(one, word, asked, words)]
    if problems:
        unusable = (pl.col("outcome").cast(pl.String) != Outcome.VALID.value).fill_null(value=False)
        conditions.append((pl.col("state") == BAD) | unusable)
    rows = frame.filter(*conditions)
    for word in (*words.of("answer"), *words.of("")):
        hits = _search(one, word.values[0], progress)
        if hits is None:
            return None
        said = pl.col("at").is_in(hits.implode()).fill_null(value=False)
        rows = rows.filter(said if word.key else said | _named(word.values[0]))
    return rows["row"]


def _named(text: str) -> "pl.Expr":
    import polars as pl

    return pl.col("custom_id").str.to_lowercase().str.contains(text.lower(), literal=True)


def _asked(one: JobAnswers, words: Words) -> list[str]:
    """Return the questions that conditions are about: all, or those that are named."""
    named = [{value.lower() for value in word.values} for word in words.of("q")]
    return [q.id for q in one.questions if all(q.id.lower() in names for names in named)]


def _tests(one: JobAnswers, word: Word, asked: list[str], words: Words) -> "Iterable[pl.Expr]":
    import polars as pl

    key, values = word.key, word.values
    low = [value.lower() for value in values]
    if key == QUESTION:
        yield _any(_valued(one, word, value) for value in values)
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
    elif key == "temperature":
        heat = one.conditions.temperatures()
        yield _of_conditions(_any_true(_heated(heat, value) for value in values))
    elif key in ("trial", "attempts"):
        yield _any(_compared(pl.col(key), value) for value in values)
    elif key == "batch":
        yield pl.col("custom_id").is_in(_members(one, low).implode())
    elif key and key not in _EXAMPLES and key not in _MORE_EXAMPLES:
        yield _of_conditions(_levels(one.conditions, key.removeprefix("factor."), values))


def _any(tests: "Iterable[pl.Expr]") -> "pl.Expr":
    import polars as pl

    return pl.any_horizontal(*tests).fill_null(value=False)


def _valued(one: JobAnswers, word: Word, value: str) -> "pl.Expr":
    """Return the test of a value that was read; what is missing fits nothing."""
    import polars as pl

    column = pl.col(f"{word.question}_value")
    if not one.attempts[f"{word.question}_value"].dtype.is_numeric():
        if word.sign == "=":
            return column.cast(pl.String).str.to_lowercase() == value.lower()
        column = column.cast(pl.String).cast(pl.Float64, strict=False)
    match = _NUMBER.fullmatch(value)
    if match is None:
        return pl.lit(value=False)
    test: pl.Expr = _COMPARE[word.sign](column, float(match[2]))
    return test


def _pattern(question: str, values: tuple[str, ...]) -> "pl.Expr":
    import polars as pl

    column = pl.col(f"{question}_pattern").cast(pl.String)
    test = column.is_in(list(values)).fill_null(value=False)
    if NONE in values:
        read = [Outcome.VALID.value, Outcome.INVALID.value]
        test |= column.is_null() & pl.col("outcome").cast(pl.String).is_in(read)
    return test


def _of_conditions(fitting: "pl.Series") -> "pl.Expr":
    """Return the test of a request whose condition is one of those that are true."""
    import polars as pl

    return pl.col("condition").is_in(fitting.arg_true().implode())


def _any_true(tests: "Iterable[pl.Series]") -> "pl.Series":
    return reduce(operator.or_, tests)


def _levels(conditions: Conditions, factor: str, values: tuple[str, ...]) -> "pl.Series":
    """Tell of each condition whether its level has one of some ids, or a name with one of them in it."""
    import polars as pl

    if factor not in conditions.names:
        return pl.Series([False] * len(conditions), dtype=pl.Boolean)
    ids = conditions.column(factor)
    names = conditions.column(factor, "name").str.to_lowercase()
    return _any_true(_called(ids, names, clean(value)) for value in values)


def _called(ids: "pl.Series", names: "pl.Series", value: str) -> "pl.Series":
    import polars as pl

    match = _NUMBER.fullmatch(value)
    if match is not None and match[1] not in (None, "="):
        test: pl.Series = _COMPARE[match[1]](ids.cast(pl.Float64, strict=False), float(match[2]))
        return test.fill_null(value=False)
    exact = ids == value
    if not exact.any():  # two levels may differ in capitals alone
        exact = ids.str.to_lowercase() == value.lower()
    return exact | names.str.contains(value.lower(), literal=True)


def _heated(heat: "pl.Series", wanted: str) -> "pl.Series":
    if wanted.lower() == NONE:
        return heat.is_null()
    sign, number = _numbered(wanted)
    test: pl.Series = _COMPARE[sign](heat, number)
    return test.fill_null(value=False)


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
