"""Reads the stored result files of a batch: each line to its request by custom_id, and no other.

What is odd - a duplicate, a stranger, a line that cannot be read - is counted and never stops the
rest.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from threading import Lock

from runner.batches.attempts import (
    PartWriter,
    Shape,
    by_question,
    forget,
    leave_out_failures,
    reading_cells,
    relabel,
)
from runner.batches.lines import lines
from runner.batches.workers import PIECE_BYTES, Range, is_worth_it, ranges, spread
from runner.core.batch_reading import BatchReading
from runner.core.cost import Price, PriceList, counted, may_be_billed
from runner.core.custom_id import custom_id, parse
from runner.core.errors import ProviderReplyUnreadable
from runner.core.extract.reader import Reader
from runner.core.extract.validate import is_valid
from runner.core.finish import CONTENT_FILTER
from runner.core.identity import counted as by_model
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
from runner.core.states import ASKED, OUTCOME_CODES, Outcome
from runner.providers.base import is_echo

Decoder = Callable[[], Callable[[bytes], Reply]]
"""Makes what reads a result line; it can be sent to another process."""
Proof = Callable[[Stem, Variant, int], str | None]
"""Says what an echo of a trial's prompt has to be."""
Highest = Callable[[Stem, Variant, Price], Decimal | None]
"""Says the most that one request of a condition may cost; None for one that is no longer known."""

WORTH_SPREADING = 96 << 20
"""Bytes; below this, processes that write tables take longer to start than they save."""

_OUTCOMES = {
    ReplyKind.REFUSED: Outcome.REFUSED,
    ReplyKind.ERRORED: Outcome.ERRORED,
    ReplyKind.EXPIRED: Outcome.EXPIRED,
    ReplyKind.CANCELLED: Outcome.CANCELLED,
    ReplyKind.UNREADABLE: Outcome.UNREADABLE,
    ReplyKind.DENIED: Outcome.DENIED,
}

_NAMES = {code: outcome.value for outcome, code in OUTCOME_CODES.items()}
_ANSWERED = frozenset(OUTCOME_CODES[outcome] for outcome in ASKED)
_TOLD_APART = 2
_SEVERAL = 4
"""Requests; fewer may come back with the same error by chance."""
_NUMBERS = re.compile(r"\b\w*\d\w*\b")
"""Sizes, ids and custom_ids, which differ between refusals for one and the same reason."""
_WORTH_SAYING = frozenset((Outcome.REFUSED, Outcome.DENIED, Outcome.UNREADABLE, Outcome.ERRORED))


class ResultReader:
    """Reads batches of one experiment; large ones in several processes, with the same result."""

    def __init__(
        self,
        folder: Path,
        questions: QuestionSet,
        decode: Callable[[bytes], Reply],
        prices: PriceList,
        proof: Proof,
        *,
        decoder: Decoder | None = None,
        highest: Highest = lambda *_: None,
        proof_varies: bool = False,
    ) -> None:
        """Compile the patterns.

        Args:
            folder: the run's folder.
            questions: what was asked, and how answers are read.
            decode: reads one result line.
            prices: what a token costs.
            proof: what an echo of a trial's prompt has to be.
            decoder: makes `decode` in another process; without it everything is read in this one.
            highest: the most that one request may cost; without it, its share of the reservation.
            proof_varies: whether trials of a condition differ in it; processes are given one each.

        Raises:
            ConfigError: naming the pattern that is wrong.
        """
        self.folder = folder
        self.questions = questions
        self.reader = Reader(questions)
        self.decode = decode
        self.prices = prices
        self.proof = proof
        self._decoder = decoder
        self._highest = highest
        self._proof_varies = proof_varies
        self._one_at_a_time = Lock()

    def below(self, folder: Path) -> "ResultReader":
        """Return one that writes below another folder, with the patterns that are compiled here."""
        other = copy(self)
        other.folder = folder
        return other

    def read(self, batch: Batch, members: Sequence[Span], files: Iterable[Path]) -> BatchReading:
        """Read a batch and write its attempts.

        Args:
            batch: whose results they are.
            members: its requests, in order.
            files: the stored result files; output first.

        Raises:
            CrewLost: a process that read beside this one died; nothing was recorded.
        """
        with self._one_at_a_time:
            return self._read(batch, members, list(files))

    def _read(self, batch: Batch, members: Sequence[Span], paths: list[Path]) -> BatchReading:
        total = sum(path.stat().st_size for path in paths)
        if self._decoder and total >= WORTH_SPREADING and is_worth_it(total) and self._may(members):
            together = self._together(batch, members, paths, self._decoder, PIECE_BYTES)
            if together is not None:
                return together
        forget(self.folder, batch.key)
        sorter = self._sorter(batch, members)
        sorter.begin(PartWriter(self.folder, batch.key, self.questions), _Found())
        for path in paths:
            sorter.over(lines(path))
        return sorter.close(self._highest)

    def _may(self, members: Sequence[Span]) -> bool:
        """Tell whether other processes can be told what is echoed."""
        first = members[0]
        return not self._proof_varies or self.proof(first.stem, first.variant, first.first) is None

    def _together(
        self,
        batch: Batch,
        members: Sequence[Span],
        files: list[Path],
        decoder: Decoder,
        piece_bytes: int,
    ) -> BatchReading | None:
        """Read a batch in pieces, each in a process; None when two pieces speak of one request.

        Which of the two counts depends on their order, which no single piece knows.
        """
        forget(self.folder, batch.key)
        pieces = list(enumerate(piece for path in files for piece in ranges(path, piece_bytes)))
        conditions = dict.fromkeys((span.stem, span.variant) for span in members)
        proofs = {condition: self.proof(*condition, 1) for condition in conditions}
        results = spread(
            _sort_piece,
            pieces,
            setup=_prepare,
            arguments=(self._to_read(batch, members), self.folder, decoder, proofs),
            total_bytes=sum(path.stat().st_size for path in files),
            what=f"the results of {batch.key}",
        )
        found = _Found()
        with closing(results):
            for piece in results:
                if not found.spoken_of.isdisjoint(piece.spoken_of):
                    return None
                found.add(piece)
        sorter = self._sorter(batch, members)
        sorter.begin(PartWriter(self.folder, batch.key, self.questions, piece=len(pieces)), found)
        return sorter.close(self._highest)

    def _to_read(self, batch: Batch, members: Sequence[Span]) -> "_BatchToRead":
        price = self.prices.at(realtime=batch.realtime)
        return _BatchToRead(batch=batch, members=members, questions=self.questions, price=price)

    def _sorter(self, batch: Batch, members: Sequence[Span]) -> "_Sorter":
        return _Sorter(
            self._to_read(batch, members), self.reader, self.decode, self.proof, self.folder
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _BatchToRead:
    """What is to be read; it can be sent to another process."""

    batch: Batch
    members: Sequence[Span]
    """Its requests, in order."""
    questions: QuestionSet
    price: Price | None


@dataclass(slots=True)
class _Found:
    """What some of the lines say; pieces are added up in order."""

    outcomes: dict[int, int] = field(default_factory=dict)
    """The code of each request's outcome, by its place in the batch."""
    misplaced: set[int] = field(default_factory=set)
    """Requests under whose custom_id an answer to another prompt stands."""
    tally: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    shapes: Counter[Shape] = field(default_factory=Counter)
    """How many answers have these patterns and these causes."""
    models: Counter[str] = field(default_factory=Counter)
    input: int = 0
    output: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    """By outcome: the first line's words."""
    answered_after_all: list[str] = field(default_factory=list)
    """custom_ids of requests under which a failure stands before their answer."""
    failures: set[str] = field(default_factory=set)
    """What refusals and errors say, without their numbers; more than two are not told apart."""
    cached: Usage = field(default_factory=Usage)
    """Of the input, what a cache had or took."""
    cost: Decimal = Decimal(0)
    """Of the replies whose tokens are known, where the price is."""
    uncounted: Counter[tuple[Stem, Variant]] = field(default_factory=Counter)
    """Replies that may be billed although their tokens were not counted."""

    @property
    def spoken_of(self) -> set[int]:
        """The requests that any line speaks of."""
        return self.outcomes.keys() | self.misplaced

    def add(self, piece: "_Found") -> None:
        """Add what another piece says of other requests."""
        self.outcomes |= piece.outcomes
        self.misplaced |= piece.misplaced
        self.tally.update(piece.tally)
        self.notices.update(piece.notices)
        self.shapes.update(piece.shapes)
        self.models.update(piece.models)
        self.input += piece.input
        self.output += piece.output
        self.reasons = piece.reasons | self.reasons
        self.failures |= piece.failures
        self.answered_after_all += piece.answered_after_all
        self.cached += piece.cached
        self.cost += piece.cost
        self.uncounted.update(piece.uncounted)

    def count(self, usage: Usage) -> None:
        """Add the tokens of one reply."""
        self.input += usage.input_tokens
        self.output += usage.output_tokens
        if usage.cache_read_tokens or usage.cache_write_tokens or usage.cache_write_1h_tokens:
            self.cached += replace(usage, input_tokens=0, output_tokens=0)


class _Sorter:
    """Puts lines to the requests of one batch; made once in each process."""

    def __init__(
        self,
        wanted: _BatchToRead,
        reader: Reader,
        decode: Callable[[bytes], Reply],
        proof: Proof,
        folder: Path,
    ) -> None:
        self._wanted = wanted
        self._folder = folder
        self._reader = reader
        self._decode = decode
        self._proof = proof
        self._place = {id_: index for index, (id_, _) in enumerate(_named(wanted.members))}
        self._spans = [span for span in wanted.members for _ in range(len(span))]

    def begin(self, parts: PartWriter, found: _Found) -> None:
        """Write the rows of what comes now into these parts, and count it there."""
        self._parts = parts
        self._found = found
        self._first: dict[str, int] = {}

    def over(self, lines: Iterable[bytes | None]) -> None:
        """Read lines; blank ones say nothing."""
        for line in lines:
            if line is None or not line.isspace():
                self._take(line)

    def close(self, highest: Highest) -> BatchReading:
        """Enter what no line spoke of, write the last part, and say what it all comes to."""
        found = self._found
        names = enumerate(self._place)
        unseen = [(index, name) for index, name in names if index not in found.outcomes]
        for index, name in unseen:
            lost = Reply(custom_id=name, kind=ReplyKind.ERRORED, error="in no result file")
            self._row(index, Outcome(self._wanted.batch.rest), {}, lost)
        gone = self._lost(len(unseen))
        self._parts.close(even_empty=not found.outcomes)
        if found.answered_after_all:
            leave_out_failures(self._folder, self._wanted.batch.key, found.answered_after_all)
        if self._is_one_refusal():
            self._blame_the_account()
        patterns, causes = by_question(self._wanted.questions, found.shapes)
        known = None if self._wanted.price is None else found.cost
        unknown = found.uncounted.total() + gone
        return BatchReading(
            outcomes=bytes(found.outcomes[index] for index in range(len(self._spans))),
            tally=dict(+found.tally),
            patterns=patterns,
            causes={key: counts for key, counts in causes.items() if counts},
            notices=dict(found.notices),
            usage=replace(found.cached, input_tokens=found.input, output_tokens=found.output),
            cost_usd=None if unknown else known,
            known_usd=known,
            cost_unknown=unknown,
            held_usd=self._held(highest, Counter(self._wording(n) for n, _ in unseen), gone),
            models=by_model(found.models),
            missing=len(unseen),
            reasons=found.reasons,
            errors_alike=len(self._spans) >= _SEVERAL and self._all_say_the_same(Outcome.ERRORED),
        )

    def _is_one_refusal(self) -> bool:
        """Tell whether every request was refused with the same words, as no request deserves.

        What a request says may deserve it: a filter's refusals are the requests' own.
        """
        return len(self._spans) > 1 and self._all_say_the_same(Outcome.REFUSED)

    def _all_say_the_same(self, outcome: Outcome) -> bool:
        found = self._found
        is_all = found.tally[outcome.value] == len(self._spans)
        return is_all and len(found.failures) == 1 and "" not in found.failures

    def _blame_the_account(self) -> None:
        found = self._found
        found.tally = Counter({Outcome.DENIED.value: len(self._spans)})
        found.outcomes = dict.fromkeys(found.outcomes, OUTCOME_CODES[Outcome.DENIED])
        found.reasons = {Outcome.DENIED.value: found.reasons[Outcome.REFUSED.value]}
        relabel(self._folder, self._wanted.batch.key, Outcome.DENIED.value)

    def _wording(self, index: int) -> tuple[Stem, Variant]:
        span = self._spans[index]
        return span.stem, span.variant

    def _lost(self, unseen: int) -> int:
        """Return how many of the requests in no file may be billed all the same.

        The provider says of the rest how it ended; what it does not say was lost. A line that
        could not be put to a request may belong to any of them, and so may a question, asked on
        its own, whose reply never came.
        """
        batch, notices = self._wanted.batch, self._found.notices
        if Outcome(batch.rest) is Outcome.MISSING:
            return unseen
        strange = len(self._found.misplaced) + notices["unreadable"] + notices["oversize"]
        silent = (batch.failed or 0) if batch.realtime else 0
        return min(unseen, strange + silent)

    def _held(self, highest: Highest, unseen: Counter[tuple[Stem, Variant]], lost: int) -> Decimal:
        """Return the most that the attempts of unknown cost may cost; the dearest count."""
        price, batch = self._wanted.price, self._wanted.batch
        if price is None:
            return Decimal(0)
        most: dict[tuple[Stem, Variant], Decimal] = {}
        for which in self._found.uncounted.keys() | unseen.keys():
            usd = highest(*which, price)
            most[which] = (batch.reserved_usd or Decimal(0)) / batch.count if usd is None else usd
        held = sum((n * most[which] for which, n in self._found.uncounted.items()), Decimal(0))
        for which in sorted(unseen, key=lambda one: most[one], reverse=True):
            taken = min(unseen[which], lost)
            held, lost = held + taken * most[which], lost - taken
        return held

    def _take(self, line: bytes | None) -> None:
        notices = self._found.notices
        if line is None:
            notices["oversize"] += 1
            return
        line = line.strip()
        try:
            reply = self._decode(line)
        except ProviderReplyUnreadable:
            notices["unreadable"] += 1
            return
        index = self._place.get(reply.custom_id)
        if index is None:
            notices["unknown"] += 1
        elif index in self._found.outcomes:
            same = self._first.get(reply.custom_id) == hash(line)
            notices["duplicate" if same else "conflicting"] += 1
            if reply.kind is ReplyKind.ANSWER and self._found.outcomes[index] not in _ANSWERED:
                self._found.tally[_NAMES[self._found.outcomes[index]]] -= 1
                self._found.answered_after_all.append(reply.custom_id)
                self._enter(index, reply)  # an answer counts, whatever failure stands before it
        elif self._is_anothers(index, reply):
            self._found.misplaced.add(index)
            notices["misplaced"] += 1
        else:
            self._first[reply.custom_id] = hash(line)
            self._enter(index, reply)

    def _is_anothers(self, index: int, reply: Reply) -> bool:
        """Tell whether a line stands under this custom_id, but answers another prompt."""
        if reply.echo is None:
            return False
        span = self._spans[index]
        _, trial = parse(reply.custom_id)
        wanted = self._proof(span.stem, span.variant, trial)
        return wanted is not None and not is_echo(reply.echo, wanted)

    def _enter(self, index: int, reply: Reply) -> None:
        readings: dict[str, Reading] = {}
        outcome = _OUTCOMES.get(reply.kind)
        if outcome is None:
            readings = self._reader.read_of(reply.custom_id, reply.text, reply.finish_reason)
            _, _, patterns, causes, *_ = zip(*readings.values(), strict=True)
            self._found.shapes[patterns, causes] += 1
            outcome = Outcome.VALID if is_valid(readings) else Outcome.INVALID
            if reply.model:
                self._found.models[reply.model] += 1
        self._row(index, outcome, readings, reply)

    def _row(
        self, index: int, outcome: Outcome, readings: Mapping[str, Reading], reply: Reply
    ) -> None:
        found = self._found
        found.outcomes[index] = OUTCOME_CODES[outcome]
        found.tally[outcome.value] += 1
        if outcome in _WORTH_SAYING:
            found.reasons.setdefault(outcome.value, reply.error or "no reason given")
            if outcome in (Outcome.REFUSED, Outcome.ERRORED) and len(found.failures) < _TOLD_APART:
                is_content = reply.finish_reason == CONTENT_FILTER
                found.failures.add("" if is_content else _NUMBERS.sub("#", reply.error or ""))
        answered = reply.kind is ReplyKind.ANSWER
        usage, cost = counted(reply), None
        if usage is not None:
            found.count(usage)
            if self._wanted.price is not None:
                cost = self._wanted.price.of(usage)
                found.cost += cost
        elif may_be_billed(reply):
            found.uncounted[self._wording(index)] += 1
        self._parts.add(
            [
                reply.custom_id,
                self._wanted.batch.key,
                self._spans[index].variant.value,
                outcome.value,
                *reading_cells(self._wanted.questions, readings),
                reply.finish_reason,
                reply.model,
                reply.request_id,
                *(_UNCOUNTED if usage is None else _cells(usage)),
                None if cost is None else float(cost),
                reply.answered_at,
                reply.error,
                reply.text if answered else None,
                reply.served_by,
                reply.charged_usd,
            ]
        )


_UNCOUNTED = (None,) * 5


def _cells(usage: Usage) -> tuple[int, ...]:
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_1h_tokens,
    )


_sort: Callable[[tuple[int, Range]], _Found] | None = None


def _prepare(
    wanted: _BatchToRead,
    folder: Path,
    decoder: Decoder,
    proofs: Mapping[tuple[Stem, Variant], str | None],
) -> None:
    """Make this process ready to read pieces of a batch."""
    global _sort  # noqa: PLW0603
    sorter = _Sorter(
        wanted, Reader(wanted.questions), decoder(), lambda s, v, _: proofs[s, v], folder
    )

    def sort(numbered: tuple[int, Range]) -> _Found:
        number, piece = numbered
        found = _Found()
        parts = PartWriter(folder, wanted.batch.key, wanted.questions, piece=number)
        sorter.begin(parts, found)
        sorter.over(lines(piece.path, piece.begin, piece.end))
        parts.close(even_empty=False)
        return found

    _sort = sort


def _sort_piece(numbered: tuple[int, Range]) -> _Found:
    """Read one piece, and write its parts."""
    assert _sort is not None
    return _sort(numbered)


def _named(members: Sequence[Span]) -> Iterator[tuple[str, Variant]]:
    for span in members:
        for trial in range(span.first, span.last + 1):
            yield custom_id(span.stem, trial), span.variant
