"""Reads the stored result files of a batch: each line to its request by custom_id, and no other.

Files are split at newline bytes only (an answer may hold U+2028) and read line by line. What is
odd - a duplicate, a stranger, a line that cannot be read - is counted and never stops the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.attempts import NO_PATTERN, PartWriter, reading_cells
from runner.core.cost import PriceList
from runner.core.errors import ProviderReplyUnreadable
from runner.core.expand import custom_id
from runner.core.model import (
    Batch,
    QuestionSet,
    Reading,
    Reply,
    ReplyKind,
    Span,
    Stem,
    Usage,
    Variant,
)
from runner.core.reader import Reader
from runner.core.states import OUTCOME_CODES, Outcome
from runner.core.validate import is_valid

MAX_LINE = 16 << 20
"""Bytes; a longer line is set aside unread."""

_OUTCOMES = {
    ReplyKind.REFUSED: Outcome.REFUSED,
    ReplyKind.ERRORED: Outcome.ERRORED,
    ReplyKind.EXPIRED: Outcome.EXPIRED,
    ReplyKind.CANCELLED: Outcome.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReading:
    """What the result files of one batch say."""

    outcomes: bytes
    """One byte a request, in the batch's order."""
    tally: Mapping[str, int]
    patterns: Mapping[str, Mapping[str, int]]
    causes: Mapping[str, Mapping[str, int]]
    notices: Mapping[str, int]
    usage: Usage
    cost_usd: Decimal | None
    missing: int
    """Requests that are in no file, although every file was read to its end."""


class Intake:
    """Reads batches of one experiment."""

    def __init__(
        self,
        folder: Path,
        questions: QuestionSet,
        decode: Callable[[bytes], Reply],
        prices: PriceList,
        proof: Callable[[Stem, Variant], str | None],
    ) -> None:
        """Compile the patterns.

        Args:
            folder: the run's folder.
            questions: what was asked, and how answers are read.
            decode: reads one result line.
            prices: what a token costs.
            proof: what an echo of a condition's prompt has to be.

        Raises:
            ConfigError: naming the pattern that is wrong.
        """
        self.folder = folder
        self.questions = questions
        self.reader = Reader(questions)
        self.decode = decode
        self.prices = prices
        self.proof = proof

    def read(self, batch: Batch, members: tuple[Span, ...], files: Iterable[Path]) -> BatchReading:
        """Read a batch and write its attempts.

        Args:
            batch: whose results they are.
            members: its requests, in order.
            files: the stored result files; output first.
        """
        return _Pass(self, batch, members).over(files)


class _Pass:
    """One reading of one batch."""

    def __init__(self, intake: Intake, batch: Batch, members: tuple[Span, ...]) -> None:
        self._questions = intake.questions
        self._reader = intake.reader
        self._decode = intake.decode
        self._price = intake.prices.at(realtime=batch.realtime)
        self._proof = intake.proof
        self._batch = batch
        self._place = {id_: index for index, (id_, _) in enumerate(_named(members))}
        self._spans = [span for span in members for _ in range(len(span))]
        self._outcomes = bytearray(len(self._place))
        self._parts = PartWriter(intake.folder, batch.key, intake.questions)
        self._tally: Counter[str] = Counter()
        self._notices: Counter[str] = Counter()
        self._patterns: dict[str, Counter[str]] = {
            q.id: Counter() for q in self._questions.questions
        }
        self._causes: dict[str, Counter[str]] = {q.id: Counter() for q in self._questions.questions}
        self._input = self._output = 0
        self._first: dict[str, int] = {}

    def over(self, files: Iterable[Path]) -> BatchReading:
        for path in files:
            for line in lines(path):
                self._take(line)
        unseen = [index for index, code in enumerate(self._outcomes) if code == _OPEN]
        self._close(unseen, Outcome(self._batch.rest))
        self._parts.close()
        usage = Usage(input_tokens=self._input, output_tokens=self._output)
        return BatchReading(
            outcomes=bytes(self._outcomes),
            tally=dict(self._tally),
            patterns={key: dict(row) for key, row in self._patterns.items()},
            causes={key: dict(row) for key, row in self._causes.items() if row},
            notices=dict(self._notices),
            usage=usage,
            cost_usd=None if self._price is None else self._price.of(usage),
            missing=len(unseen),
        )

    def _take(self, line: bytes | None) -> None:
        if line is None:
            self._notices["oversize"] += 1
            return
        try:
            reply = self._decode(line)
        except ProviderReplyUnreadable:
            self._notices["unreadable"] += 1
            return
        index = self._place.get(reply.custom_id)
        if index is None:
            self._notices["unknown"] += 1
        elif self._outcomes[index] != _OPEN:
            same = self._first.get(reply.custom_id) == hash(line)
            self._notices["duplicate" if same else "conflicting"] += 1
        elif self._is_anothers(index, reply):
            self._notices["misplaced"] += 1
        else:
            self._first[reply.custom_id] = hash(line)
            self._enter(index, reply)

    def _is_anothers(self, index: int, reply: Reply) -> bool:
        """Tell whether a line stands under this custom_id, but answers another prompt."""
        if reply.echo is None:
            return False
        span = self._spans[index]
        wanted = self._proof(span.stem, span.variant)
        return wanted is not None and wanted != reply.echo

    def _enter(self, index: int, reply: Reply) -> None:
        readings: dict[str, Reading] = {}
        outcome = _OUTCOMES.get(reply.kind)
        if outcome is None:
            readings = self._read(reply)
            outcome = Outcome.VALID if is_valid(readings) else Outcome.INVALID
            self._input += reply.usage.input_tokens
            self._output += reply.usage.output_tokens
        self._row(index, outcome, readings, reply)

    def _read(self, reply: Reply) -> dict[str, Reading]:
        readings = self._reader.read(reply.text, reply.finish_reason)
        for key, reading in readings.items():
            self._patterns[key][reading.pattern or NO_PATTERN] += 1
            if reading.cause is not None:
                self._causes[key][reading.cause.value] += 1
        return readings

    def _row(
        self, index: int, outcome: Outcome, readings: Mapping[str, Reading], reply: Reply
    ) -> None:
        self._outcomes[index] = OUTCOME_CODES[outcome]
        self._tally[outcome.value] += 1
        answered = reply.kind is ReplyKind.ANSWER
        cost = float(self._price.of(reply.usage)) if self._price and answered else None
        self._parts.add(
            [
                reply.custom_id,
                self._batch.key,
                self._spans[index].variant.value,
                outcome.value,
                *(_storable(cell) for cell in reading_cells(self._questions, readings)),
                _storable(reply.finish_reason),
                _storable(reply.model),
                _storable(reply.request_id),
                reply.usage.input_tokens if answered else None,
                reply.usage.output_tokens if answered else None,
                cost,
                reply.answered_at,
                _storable(reply.error),
                _storable(reply.text) if answered else None,
            ]
        )

    def _close(self, unseen: list[int], outcome: Outcome) -> None:
        if not unseen:
            return
        names = list(self._place)
        for index in unseen:
            lost = Reply(custom_id=names[index], kind=ReplyKind.ERRORED, error="in no result file")
            self._row(index, outcome, {}, lost)


_OPEN = OUTCOME_CODES[Outcome.OPEN]


def lines(path: Path) -> Iterator[bytes | None]:
    """Yield the lines of a file without newline, blank ones left out; None for one too long."""
    with path.open("rb") as source:
        while line := source.readline(MAX_LINE):
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := source.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield None
            elif stripped := line.strip():
                yield stripped


def _named(members: tuple[Span, ...]) -> Iterator[tuple[str, Variant]]:
    for span in members:
        for trial in range(span.first, span.last + 1):
            yield custom_id(span.stem, trial), span.variant


def _storable(cell: Any) -> Any:
    """Replace lone surrogates, which no table can hold; the raw file keeps them."""
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode() if not cell.isascii() else cell
    return cell
