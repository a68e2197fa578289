"""Spans of requests to batches that fit a provider's limits; arithmetic on spans, never a list."""

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
        The spans of one batch; a span may be cut in two between batches.

    Raises:
        ConfigError: when a single request is larger than a whole batch may be.
    """
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
    count = sum(len(sized.span) for sized in spans)
    size = next((n for n in range(count, 0, -1) if n not in taken), count)
    kept: list[SizedSpan] = []
    for sized in spans:
        if size <= 0:
            break
        head, _ = _cut(sized, size)
        kept.append(head)
        size -= len(head.span)
    return tuple(kept)


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
