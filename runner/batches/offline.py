"""Reads the answers of a file, any file or a run's, with today's patterns, and counts.

A piece of a file in; what it says, as lines of JSON, and counters out. It can be done in any
process: everything it needs comes with `prepare`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from runner.batches.attempts import Shape, by_question
from runner.batches.lines import MAX_LINE, lines
from runner.batches.workers import Range
from runner.core.errors import ProviderReplyUnreadable
from runner.core.extract.reader import NOT_ASKED, Reader
from runner.core.model import Cause, ItemKind, Model, QuestionSet, Reading, Reply, ReplyKind
from runner.providers.base import Provider, Service, json_value

MOST_NAMED = 100
"""Bad lines that are named; all of them are counted."""
EXAMPLES = 3
UNMATCHED = 5
AROUND = 24
"""Characters of an answer that are shown on either side of a match."""


@dataclass(frozen=True, slots=True)
class LineDecoder:
    """How to read the result lines of a provider; it can be sent to another process."""

    provider: type[Provider]
    service: Service
    model: Model
    tag: str

    def decode(self) -> Callable[[bytes], Reply]:
        """Return what decodes a line."""
        return self.provider(self.service, self.model, self.tag).decode


@dataclass(frozen=True, slots=True)
class Example:
    """One match: whose, and the answer before, inside and after it."""

    custom_id: str
    before: str
    match: str
    after: str


@dataclass(slots=True)
class Tally:
    """What the lines of a piece hold; pieces are added up in order."""

    lines: int = 0
    answers: int = 0
    valid: int = 0
    not_answered: int = 0
    """Result lines that say that the request failed."""
    patterns: dict[str, Counter[str]] = field(default_factory=dict)
    causes: dict[str, Counter[str]] = field(default_factory=dict)
    bad: list[tuple[int, str]] = field(default_factory=list)
    """The lines that could not be read, by number, and why; the first of them."""
    bad_lines: int = 0
    examples: dict[tuple[str, str], list[Example]] = field(default_factory=dict)
    unmatched: dict[str, list[Example]] = field(default_factory=dict)
    output: Path | None = None
    """Where a line of JSON for each answer was put, when wanted: a file travels between processes
    faster than bytes do."""

    def add(self, piece: "Tally") -> None:
        """Add the next piece; its output is left to the printer."""
        for number, why in piece.bad:
            if len(self.bad) < MOST_NAMED:
                self.bad.append((self.lines + number, why))
        self.lines += piece.lines
        self.answers += piece.answers
        self.valid += piece.valid
        self.not_answered += piece.not_answered
        self.bad_lines += piece.bad_lines
        for mine, its in ((self.patterns, piece.patterns), (self.causes, piece.causes)):
            for question, counts in its.items():
                mine.setdefault(question, Counter()).update(counts)
        for key, found in piece.examples.items():
            known = self.examples.setdefault(key, [])
            known += found[: EXAMPLES - len(known)]
        for question, found in piece.unmatched.items():
            missing = self.unmatched.setdefault(question, [])
            missing += found[: UNMATCHED - len(missing)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to give back of a piece beside the counters."""

    lines: Path | None = None
    """A folder for lines of JSON, one for each answer."""
    examples: bool = False


_Columns = tuple[Any, ...]
"""The parts of a `Reading`, each of all questions."""
_Answers = Iterator[tuple[str, str, str | None]]


class Pieces:
    """Reads pieces; made once in each process."""

    def __init__(self, questions: QuestionSet, dialect: LineDecoder | None, wanted: Wanted) -> None:
        """Compile the patterns."""
        self._questions = questions
        self._line = AsLine(questions)
        self._reader = Reader(questions)
        self._decode = dialect.decode() if dialect else None
        self._results_first = False
        self._wanted = wanted

    def read(self, piece: "Range | Path") -> Tally:
        """Read a range of lines, or a part of a run's attempts."""
        tally = Tally()
        output: list[bytes] = []
        shapes: Counter[Shape] = Counter()
        line = self._line
        wants_lines, wants_examples = self._wanted.lines is not None, self._wanted.examples
        answers = self._lines(piece, tally) if isinstance(piece, Range) else _stored(piece)
        for custom_id, text, finish_reason in answers:
            readings = self._reader.read_of(custom_id, text, finish_reason)
            # What was found where: a few shapes, which are quicker to count than each question.
            columns: _Columns = tuple(zip(*readings.values(), strict=True))
            shapes[columns[2], columns[3]] += 1
            if wants_lines:
                output.append(line(custom_id, columns))
            if wants_examples:
                _show(tally, custom_id, text, readings)
        patterns, causes = by_question(self._questions, shapes)
        tally.patterns = {question: Counter(counts) for question, counts in patterns.items()}
        tally.causes = {question: Counter(counts) for question, counts in causes.items()}
        tally.answers = shapes.total()
        tally.valid = sum(count for (_, wrong), count in shapes.items() if not any(wrong))
        if self._wanted.lines is not None:
            tally.output = self._wanted.lines / uuid4().hex
            with tally.output.open("wb") as file:
                file.write(b"".join(output))
        return tally

    def _lines(self, piece: Range, tally: Tally) -> _Answers:
        decode = self._decode
        for line in lines(piece.path, piece.begin, piece.end):
            tally.lines += 1
            if line is not None and line.isspace():
                continue
            try:
                if self._results_first and line is not None and decode is not None:
                    reply = decode(line)
                    if reply.kind is ReplyKind.ANSWER:
                        yield reply.custom_id, reply.text, reply.finish_reason
                        continue
            except ProviderReplyUnreadable:
                pass
            try:
                answer = self._answer(line)
            except ValueError as error:
                tally.bad_lines += 1
                if len(tally.bad) < MOST_NAMED:
                    tally.bad.append((tally.lines, str(error)))
            else:
                if answer is None:
                    tally.not_answered += 1
                else:
                    yield answer

    def _answer(self, line: bytes | None) -> tuple[str, str, str | None] | None:
        """Read an answer; None for a request that a provider says was not answered.

        Raises:
            ValueError: saying why it is neither.
        """
        if line is None:
            raise ValueError(f"longer than {MAX_LINE >> 20} MB")
        row = _object(line)
        custom_id, text = row.get("custom_id"), row.get("answer")
        if isinstance(custom_id, str) and isinstance(text, str):
            self._results_first = False
            reason = row.get("finish_reason")
            return custom_id, text, None if reason is None else str(reason)
        if self._decode and "answer" not in row and (reply := self._reply(line)):
            self._results_first = True
            return _answered(reply)
        if not isinstance(custom_id, str):
            raise ValueError("no custom_id that is a text")  # noqa: TRY004
        raise ValueError("no answer that is a text")

    def _reply(self, line: bytes) -> Reply | None:
        assert self._decode is not None
        try:
            return self._decode(line)
        except ProviderReplyUnreadable:
            return None


def _answered(reply: Reply) -> tuple[str, str, str | None] | None:
    if reply.kind is not ReplyKind.ANSWER:
        return None
    return reply.custom_id, reply.text, reply.finish_reason


class AsLine:
    """Writes what was read of one answer as a line of JSON."""

    def __init__(self, questions: QuestionSet) -> None:
        """Keep which questions ask for whole numbers."""
        self._questions = {q.id: q for q in questions.questions}
        self._all_whole = all(q.integer and q.kind is ItemKind.NUMBER for q in questions.questions)
        values = b",".join(_dumped(q).replace(b"%", b"%%") + b":%d" for q in self._questions)
        self._whole = b'{"custom_id":%%b,"values":{%b},"reasons":%%b%%b' % values
        self._endings: dict[Shape, tuple[bytes, bool]] = {}

    def __call__(self, custom_id: str, columns: "_Columns") -> bytes:
        """Return the line."""
        values, reasons, patterns, causes, _, written = columns
        shape = (patterns, causes)
        ending, complete = self._endings.get(shape) or self._ending(shape)
        if complete:
            said = _dumped(dict(zip(self._questions, reasons, strict=True)))
            return self._whole % (_dumped(custom_id), *values, said, ending)
        row: dict[str, Any] = {
            "custom_id": custom_id,
            "values": {
                q.id: q.written(v) if v is None or q.integer else _plain(v)
                for q, v in zip(self._questions.values(), values, strict=True)
            },
            "reasons": dict(zip(self._questions, reasons, strict=True)),
        }
        if any(written):
            row["written"] = {q: w for q, w in zip(self._questions, written, strict=True) if w}
        return _dumped(row)[:-1] + ending

    def _ending(self, shape: Shape) -> tuple[bytes, bool]:
        """Return what is the same for all answers in which the same was found.

        And whether each of their questions has a value, and all of them are whole.
        """
        patterns, causes = (dict(zip(self._questions, of_it, strict=True)) for of_it in shape)
        why = {q: cause.value for q, cause in causes.items() if isinstance(cause, Cause)}
        row = {"patterns": patterns, "status": "invalid" if why else "valid", "causes": why}
        complete = self._all_whole and set(shape[1]) <= {None, Cause.NO_REASON}
        self._endings[shape] = ending = (b"," + _dumped(row)[1:] + b"\n", complete)
        return ending


def _dumped(row: Any) -> bytes:
    try:
        return orjson.dumps(row)
    except TypeError:  # half a surrogate pair, which no UTF-8 can hold
        return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = json_value(line)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"{type(row).__name__}, not an object")  # noqa: TRY004
    return row


def _stored(part: Path) -> _Answers:
    """Yield the answers of a part of a run's attempts."""
    import polars as pl

    frame = pl.read_parquet(part, columns=["custom_id", "raw_answer", "finish_reason"])
    for custom_id, text, reason in frame.iter_rows():
        if text is not None:
            yield custom_id, text, reason


def _show(tally: Tally, custom_id: str, text: str, readings: Mapping[str, Reading]) -> None:
    for question, reading in readings.items():
        if reading.pattern == NOT_ASKED:
            continue
        if reading.pattern is None:
            unmatched = tally.unmatched.setdefault(question, [])
            if len(unmatched) < UNMATCHED:
                more = "…" * (len(text) > 8 * AROUND)
                unmatched.append(Example(custom_id, text[: 8 * AROUND] + more, "", ""))
            continue
        examples = tally.examples.setdefault((question, reading.pattern), [])
        if len(examples) < EXAMPLES and reading.span is not None:
            begin, end = reading.span
            shown = text[begin : min(end, begin + AROUND)] + "…" * (end > begin + AROUND)
            before, after = text[max(0, begin - AROUND) : begin], text[end : end + AROUND]
            examples.append(Example(custom_id, before, shown, after))


_pieces: Pieces | None = None


def prepare(questions: QuestionSet, dialect: LineDecoder | None, wanted: Wanted) -> None:
    """Make this process ready to read pieces."""
    global _pieces  # noqa: PLW0603
    _pieces = Pieces(questions, dialect, wanted)


def read_piece(piece: Range | Path) -> Tally:
    """Read one piece."""
    assert _pieces is not None
    return _pieces.read(piece)
