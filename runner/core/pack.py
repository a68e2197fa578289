"""Spans of requests to batches that fit a provider's limits; arithmetic on spans, never a list.

A provider may want a batch to have so many requests at least. A batch that would have fewer takes
some from the one before it; what is too few all the same is never filled up: it would be paid twice.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from runner.core.custom_id import custom_id, length
from runner.core.errors import ConfigError
from runner.core.model import Limits, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedSpan:
    """A span and what one request of it weighs."""

    span: Span
    frame_bytes: int
    """Bytes of one request line without its custom_id, newline included."""
    tokens: int
    """Estimated input tokens of one request."""

    @property
    def line_bytes(self) -> int:
        """Bytes of the span's longest line: the last trial has the longest custom_id."""
        return self.frame_bytes + length(self.span.stem, self.span.last)


@dataclass(slots=True)
class _Room:
    """What is left in the batch being filled."""

    requests: int
    bytes: int
    tokens: int | None

    def fits(self, sized: SizedSpan, line_bytes: int) -> int:
        """Return how many requests of a span fit, at most its length."""
        room = min(len(sized.span), self.requests, self.bytes // line_bytes)
        if self.tokens is not None:
            room = min(room, self.tokens // max(sized.tokens, 1))
        return room

    def take(self, sized: SizedSpan, line_bytes: int, count: int) -> None:
        self.requests -= count
        self.bytes -= count * line_bytes
        if self.tokens is not None:
            self.tokens -= count * sized.tokens


def pack(spans: Iterable[SizedSpan], limits: Limits) -> Iterator[tuple[SizedSpan, ...]]:
    """Fill batches greedily, in order, each limit less its margin.

    Yields:
        The spans of one batch; a span may be cut in two between batches. One that has too few
        requests for the provider (`is_enough`) comes only where that cannot be avoided.

    Raises:
        ConfigError: when a single request is larger than a whole batch may be.
    """
    before: tuple[SizedSpan, ...] = ()
    for batch in _filled(spans, limits):
        if limits.min_requests is None:
            yield batch
            continue
        if before:
            before, batch = _shared(before, batch, limits)  # noqa: PLW2901 - it is the next one now
            yield before
        before = batch
    if before:
        yield before


def is_enough(batch: Iterable[SizedSpan], limits: Limits) -> bool:
    """Tell whether a batch has as many requests as the provider wants at least."""
    return limits.min_requests is None or requests_in(batch) >= limits.min_requests


def too_few(count: int, limits: Limits) -> str:
    """Say that some requests are too few for a batch, and what to do about them."""
    are = "1 request is" if count == 1 else f"{count:,} requests are"
    return (
        f"{are} not sent: the provider takes no batch of fewer than {limits.min_requests or 1:,}; "
        "to ask them one by one, at full price, run again with provider.mode=realtime"
    )


def requests_in(batch: Iterable[SizedSpan]) -> int:
    """Return how many requests the spans of a batch have."""
    return sum(len(sized.span) for sized in batch)


def _shared(
    first: tuple[SizedSpan, ...], second: tuple[SizedSpan, ...], limits: Limits
) -> tuple[tuple[SizedSpan, ...], tuple[SizedSpan, ...]]:
    """Let two batches have enough requests, evenly if that fits; as they are where they cannot."""
    least, total = limits.min_requests or 1, requests_in(first) + requests_in(second)
    if is_enough(second, limits) or total < 2 * least:
        return first, second
    for share in (total // 2, least):
        head, tail = _parted((*first, *second), total - share)
        if len(list(_filled(tail, limits))) == 1:
            return head, tail
    return first, second


def _parted(
    batch: Iterable[SizedSpan], count: int
) -> tuple[tuple[SizedSpan, ...], tuple[SizedSpan, ...]]:
    """Cut a batch behind so many requests."""
    heads: list[SizedSpan] = []
    tails: list[SizedSpan] = []
    for sized in batch:
        head, tail = _cut(sized, count) if count > 0 else (None, sized)
        heads += [] if head is None else [head]
        tails += [] if tail is None else [tail]
        count -= 0 if head is None else len(head.span)
    return tuple(heads), tuple(tails)


def _filled(spans: Iterable[SizedSpan], limits: Limits) -> Iterator[tuple[SizedSpan, ...]]:
    """Yield batches as full as they can be."""
    batch: list[SizedSpan] = []
    room = _empty(limits)
    for sized in spans:
        rest: SizedSpan | None = sized
        while rest is not None:
            line_bytes = rest.line_bytes
            count = room.fits(rest, line_bytes)
            if count == 0 and not batch:
                raise ConfigError(_too_large(rest, limits))
            if count:
                head, rest = _cut(rest, count)
                batch.append(head)
                room.take(head, line_bytes if rest is None else head.line_bytes, count)
            if rest is not None:
                yield tuple(batch)
                batch, room = [], _empty(limits)
    if batch:
        yield tuple(batch)


def with_a_size_of_its_own(
    spans: tuple[SizedSpan, ...], taken: Collection[int]
) -> tuple[SizedSpan, ...]:
    """Leave out the last requests until no other batch has as many; they go into the next one.

    A provider that gives a batch no name of ours can still be asked for the one of this size.
    """
    count = requests_in(spans)
    size = next((n for n in range(count, 0, -1) if n not in taken), count)
    kept, _ = _parted(spans, size)
    return kept


def _empty(limits: Limits) -> _Room:
    keep = 1 - limits.margin
    return _Room(
        requests=max(1, int(limits.requests * keep)),
        bytes=int(limits.bytes * keep),
        tokens=None if limits.enqueued_tokens is None else int(limits.enqueued_tokens * keep),
    )


def _cut(sized: SizedSpan, count: int) -> tuple[SizedSpan, SizedSpan | None]:
    span = sized.span
    if count >= len(span):
        return sized, None
    middle = span.first + count
    return (
        replace(sized, span=replace(span, last=middle - 1)),
        replace(sized, span=replace(span, first=middle)),
    )


def _too_large(sized: SizedSpan, limits: Limits) -> str:
    name = custom_id(sized.span.stem, sized.span.first)
    return (
        f"request {name} is too large for one batch: {sized.line_bytes:,} bytes and about "
        f"{sized.tokens:,} tokens, where the provider takes {limits.bytes:,} bytes"
        + (f" and {limits.enqueued_tokens:,} tokens" if limits.enqueued_tokens else "")
        + f" less a margin of {limits.margin:.0%}: shorten the text or raise provider.limits"
    )
