"""One answer at a time, from disk: its attempts, the prompt as it was sent, and where its numbers stand."""

import json
import mmap
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.core.definition import kind_of
from runner.core.errors import ConfigError
from runner.core.model import (
    SLOTS,
    BatchKey,
    Cause,
    Option,
    Pattern,
    PatternKind,
    Question,
    QuestionSet,
    Variant,
)
from runner.core.states import BatchState, Outcome
from runner.storage.paths import request_path
from tui.answers import STATE_WORDS, JobAnswers, QuestionShown
from tui.cells import clean, clean_lines
from tui.conditions import Combination
from tui.frame import Piece
from tui.language import later, term, tr
from tui.pictures import picture_in

if TYPE_CHECKING:
    from runner.core.extract.reader import Reader
    from runner.core.model import Reading

MOST_SHOWN = 100_000
"""Characters of an answer or a prompt that are shown; the file has the rest."""
MOST_READ = 16 << 20
"""Characters of an answer that are read again for its marks."""
ANSWERED = ("valid", "invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What is stored of one question of one attempt."""

    value: float | int | str | None = None
    reason: str | None = None
    pattern: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request in one batch."""

    batch: str
    outcome: str
    """In the words of `Outcome`; the batch's state while there is none."""
    counts: bool = False
    """Whether this is the one whose values are in the tables."""
    values: Mapping[str, Value] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The other columns: prompt_variant, finish_reason, model_returned, tokens, error, …"""
    raw: str | None = None
    path: Path | None = None
    row: int = 0

    @property
    def answered(self) -> bool:
        """Tell whether the model said anything."""
        return self.raw is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneAnswer:
    """All that is known of one request."""

    key: str
    job: JobAnswers
    custom_id: str
    condition: Combination
    trial: int
    state: str
    attempts: tuple[Attempt, ...]
    """In the order they were sent; at least one."""
    notes: tuple[str, ...] = ()

    @property
    def first_shown(self) -> int:
        """Return which attempt to begin with: the one that counts, else the last."""
        for number, attempt in enumerate(self.attempts):
            if attempt.counts:
                return number
        return len(self.attempts) - 1


def read_one(one: JobAnswers, row: int) -> OneAnswer:
    """Read everything of one request from disk; to be called in a thread."""
    import polars as pl

    found = one.table.row(row, named=True)
    id_ = found["custom_id"]
    condition = one.conditions[found["condition"]]
    attempts: list[Attempt] = []
    notes: list[str] = []
    for at in (one.attempts["custom_id"] == id_).arg_true().to_list():
        part, place = one.place_of(at)
        counts = at == found["at"]
        try:
            attempts.append(_attempt(one, part.path, place, id_, part.batch, counts=counts))
        except (OSError, LookupError, ValueError, pl.exceptions.PolarsError) as error:
            what = " ".join(str(error).split())[:120]
            notes.append(
                tr(
                    "attempts/{name}, row {place} cannot be read ({what})",
                    name=part.path.name,
                    place=place,
                    what=what,
                )
            )
            outcome = str(one.attempts["outcome"][at])
            attempts.append(Attempt(batch=part.batch, outcome=outcome, counts=counts))
    seen = {attempt.batch for attempt in attempts}
    for batch in one.batches:
        mine = batch.key not in seen and batch.state is not BatchState.DROPPED
        if mine and any(
            span.stem == condition.stem and span.first <= found["trial"] <= span.last
            for span in one.members.get(batch.key, ())
        ):
            attempts.append(Attempt(batch=batch.key, outcome=batch.state.value))
    order = {str(batch.key): number for number, batch in enumerate(one.batches)}
    attempts.sort(key=lambda attempt: order.get(attempt.batch, -1))
    return OneAnswer(
        key=f"{one.name}/{id_}",
        job=one,
        custom_id=id_,
        condition=condition,
        trial=found["trial"],
        state=STATE_WORDS[found["state"]],
        attempts=tuple(attempts),
        notes=tuple(notes),
    )


def outcome_word(outcome: str) -> str:
    """Return the word for an attempt's outcome, or for its batch's state while there is none."""
    return term("outcome" if outcome in _OUTCOMES else "state", outcome)


_OUTCOMES = frozenset(outcome.value for outcome in Outcome)


def _attempt(
    one: JobAnswers, path: Path, row: int, id_: str, batch: str, *, counts: bool
) -> Attempt:
    import polars as pl

    frame = pl.scan_parquet(path, glob=False).slice(row, 1).collect()
    cells = frame.row(0, named=True) if frame.height else {}
    if cells.get("custom_id") != id_:
        raise ValueError(tr("the file was changed meanwhile"))
    values = {
        q.id: Value(
            value=cells.get(f"{q.id}_value"),
            reason=cells.get(f"{q.id}_reason"),
            pattern=cells.get(f"{q.id}_pattern"),
            cause=cells.get(f"{q.id}_cause"),
        )
        for q in one.questions
    }
    taken = {f"{q.id}_{p}" for q in one.questions for p in ("value", "reason", "pattern", "cause")}
    taken |= {"custom_id", "batch", "outcome", "raw_answer"}
    return Attempt(
        batch=batch,
        outcome=str(cells["outcome"]),
        counts=counts,
        values=values,
        facts={name: cell for name, cell in cells.items() if name not in taken},
        raw=cells.get("raw_answer"),
        path=path,
        row=row,
    )


# -- the prompt


@dataclass(frozen=True, slots=True)
class Sent:
    """A prompt as it was sent: parts under their roles, or the whole line where its shape is not known."""

    parts: tuple[tuple[str, str], ...]
    rest: Mapping[str, Any]
    """What else was in the request, as model and temperature."""


def prompt_of(one: JobAnswers, batch: str, id_: str) -> Sent | str:
    """Return what was sent, or why that is not known, in one line."""
    path = request_path(one.job.folder, BatchKey(batch))
    names = (id_, f"{tag_of(one.experiment)}{id_}")
    try:
        line = _line_of(path, id_, names)
    except (OSError, ValueError) as error:
        return tr(
            "requests/{name} cannot be read ({error})",
            name=path.name,
            error=" ".join(str(error).split()),
        )
    if line is None:
        return tr("requests/{name} has no line for {id}", name=path.name, id=id_)
    return sent(line, pictures_of(one.experiment))


def pictures_of(experiment: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run's pictures are called, by the digest of their bytes."""
    pictures = (experiment.get("definition") or {}).get("images") or {}
    return {row["sha256"]: name for name, row in pictures.items()}


def tag_of(experiment: Mapping[str, Any]) -> str:
    """Return what stands before a run's custom_ids at some providers."""
    return f"c{str(experiment.get('id', '')).rpartition('-')[2]}-"


def _line_of(path: Path, id_: str, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Find a request's line by a search over the file's bytes."""
    mark = f'{id_}"'.encode()
    with (
        path.open("rb") as file,
        closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data,
    ):
        at = data.find(mark)
        while at >= 0:
            if data[max(at - 1, 0) : at] in (b'"', b"-"):
                begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
                try:
                    line = json.loads(data[begin : end if end >= 0 else len(data)])
                except ValueError:
                    line = None
                if isinstance(line, dict) and line.get("custom_id") in names:
                    return line
            at = data.find(mark, at + 1)
    return None


def sent(line: Mapping[str, Any], pictures: Mapping[str, str] | None = None) -> Sent:
    """Return the parts of a request line of any provider.

    Args:
        line: as it is in the request file.
        pictures: what the experiment calls its pictures, by the digest of their bytes.
    """
    for key in ("body", "params", "request"):
        body = line.get(key)
        if not isinstance(body, dict):
            continue
        parts = tuple(_parts(body, pictures or {}))
        if parts:
            left = ("messages", "system", "contents", "systemInstruction", "system_instruction")
            return Sent(parts, {name: value for name, value in body.items() if name not in left})
    return Sent((("line", json.dumps(line, ensure_ascii=False, indent=2)),), {})


def _parts(body: Mapping[str, Any], pictures: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield role and text of chat completions, Anthropic's messages, or Gemini's contents."""
    for key in ("system", "systemInstruction", "system_instruction"):
        if key in body:
            yield "system", _text(body[key], pictures)
    for key in ("messages", "contents"):
        turns = body.get(key)
        for turn in turns if isinstance(turns, list) else []:
            if isinstance(turn, dict):
                said = turn.get("content", turn.get("parts"))
                yield str(turn.get("role", "?")), _text(said, pictures)


def _text(content: Any, pictures: Mapping[str, str]) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        if (shown := picture_in(content, pictures)) is not None:
            return shown
        inner = content.get("parts", content.get("text"))
        return json.dumps(content, ensure_ascii=False) if inner is None else _text(inner, pictures)
    if isinstance(content, list):
        return "\n".join(_text(part, pictures) for part in content)
    return json.dumps(content, ensure_ascii=False)


# -- the marks


def _option(row: Mapping[str, Any]) -> Option:
    return Option(**{**row, "aliases": tuple(row.get("aliases", ()))})


def question_set(record: Any) -> QuestionSet | None:
    """Return the question set that a ledger's record describes; None when it does not say, or not so."""
    try:
        row = dict(record)
        row["questions"] = tuple(
            Question(
                **{
                    **question,
                    "kind": kind_of(question),
                    "aliases": tuple(question.get("aliases", ())),
                    "options": tuple(map(_option, question.get("options", ()))),
                    "anchors": {int(n): word for n, word in question.get("anchors", {}).items()},
                }
            )
            for question in row["questions"]
        )
        row["templates"] = {Variant(name): text for name, text in row["templates"].items()}
        for group in ("value_patterns", "reason_patterns", "end_patterns", "refusal_patterns"):
            row[group] = tuple(
                Pattern(**{**pattern, "kind": PatternKind(pattern.get("kind", "line"))})
                for pattern in row.get(group, ())
            )
        if "slots" in row:
            row["slots"] = {**SLOTS, **row["slots"]}
        for words in ("value_words", "reason_words"):
            if words in row:
                row[words] = tuple(row[words])
        return QuestionSet(**row)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def compiled(record: Any) -> "Reader | None":
    """Return what reads answers as a ledger's record says; None when that cannot be done."""
    return _reader(json.dumps(record))


@lru_cache(maxsize=8)
def _reader(record: str) -> "Reader | None":
    """Compile the patterns of a record; None when that cannot be done."""
    from runner.core.extract.reader import Reader

    questions = question_set(json.loads(record))
    try:
        return None if questions is None else Reader(questions)
    except (ConfigError, ValueError):  # a lone surrogate in a label is no text for a pattern
        return None


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the numbers of an answer stand."""

    spans: tuple[tuple[int, int], ...] = ()
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What stands there that could not be taken, by question."""
    note: str | None = None
    """Why there are no marks, or why they may not be those of the stored values."""


def marks(one: JobAnswers, attempt: Attempt, custom_id: str) -> Marks:
    """Read an answer as it was read when it was stored."""
    if attempt.raw is None:
        return Marks()
    record = one.experiment.get("question_set")
    if record is None:
        return Marks(
            note=tr("not marked: written by an older version, which did not keep its patterns")
        )
    reader = compiled(record)
    if reader is None:
        return Marks(note=tr("not marked: the ledger's patterns cannot be used by this version"))
    if len(attempt.raw) > MOST_READ:
        return Marks(note=tr("not marked: too long"))
    found = reader.read_of(custom_id, attempt.raw, attempt.facts.get("finish_reason"))
    spans = tuple(sorted(r.span for r in found.values() if r.span is not None))
    written = {id_: r.written for id_, r in found.items() if r.written}
    asked = question_set(record)
    assert asked is not None
    other = [q.id for q in asked.questions if _differs(attempt.values.get(q.id), q, found[q.id])]
    note = None
    if other:
        note = tr(
            "read today, {other} would be other than stored: action=extract shows what changes",
            other=", ".join(other),
        )
    return Marks(spans, written, note)


def _differs(stored: Value | None, question: Question, found: "Reading") -> bool:
    if stored is None:
        return True
    cause = None if found.cause is None else found.cause.value
    value = question.written(found.value)  # 80 and 80.0 are equal
    return (value, cause, found.pattern) != (stored.value, stored.cause, stored.pattern)


def shown_value(value: float | str) -> str:
    """Return a value as the screen shows it: a number without zeros, the id of an option."""
    return clean(value) if isinstance(value, str) else f"{value:.15g}"


def marked(text: str, spans: tuple[tuple[int, int], ...]) -> list[list[Piece]]:
    """Return a text's lines, each harmless, with some places marked."""
    lines: list[list[Piece]] = [[]]
    at = 0
    for begin, end in (*sorted(spans), (len(text), len(text))):
        start = max(begin, at)
        _append(lines, text[at:start], "")
        _append(lines, text[start : max(end, start)], "match")
        at = max(end, start)
    return lines


def _append(lines: list[list[Piece]], text: str, style: str) -> None:
    if not text:
        return
    first, *others = clean_lines(text)
    if first:
        lines[-1].append((first, style))
    lines += [[(line, style)] if line else [] for line in others]


_CAUSES = {
    Cause.MISSING: later("nothing was found for it"),
    Cause.AMBIGUOUS: later("answered twice, with different numbers"),
    Cause.NOT_A_NUMBER: later("what stands there is not one whole number"),
    Cause.NOT_AN_OPTION: later("what stands there names none of the options plainly"),
    Cause.WRONG_COUNT: later("more or fewer options than were asked for"),
    Cause.NOT_VALID: later("what stands there is no JSON that the schema allows"),
    Cause.OTHER_SCALE: later("the number is on another scale than the one asked for"),
    Cause.NO_REASON: later("the reason is missing"),
    Cause.REFUSED: later("the model would not answer"),
    Cause.TRUNCATED: later("the answer was cut off"),
    Cause.BLOCKED: later("the provider's filter blocked it"),
}


def cause_words(cause: str, question: QuestionShown, written: tuple[str, ...] = ()) -> str:
    """Say why a question has no value."""
    said = ", ".join(written)
    if cause == Cause.OUT_OF_RANGE.value:
        return tr(
            "{said} is outside {minimum:g}-{maximum:g}"
            if said
            else "it is outside {minimum:g}-{maximum:g}",
            said=said,
            minimum=question.minimum,
            maximum=question.maximum,
        )
    words = _CAUSES.get(Cause(cause)) if cause in {*Cause} else None
    told = tr(words) if words else cause
    return tr("{words}: {said}", words=told, said=said) if said else told
