"""The requests of a batch, where they are of many conditions: ranges of numbers × trials, no names."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, Self

from runner.core.model import Span, Stem, Variant
from runner.core.numbered import Numbered


class Block(NamedTuple):
    """The same trials of consecutive conditions."""

    begin: int
    """The number of the first condition; the first of all is 0."""
    end: int
    """One more than that of the last."""
    first: int
    last: int
    variant: Variant


class Spans(Sequence[Span]):
    """Spans, a condition each; they are put together when they are asked for."""

    __slots__ = ("_ends", "blocks", "names")

    def __init__(self, names: Numbered, blocks: Iterable[Block]) -> None:
        """Use blocks in the order of the batch; names are those of the conditions."""
        self.names = names
        self.blocks = tuple(blocks)
        self._ends = list(accumulate(block.end - block.begin for block in self.blocks))

    @classmethod
    def of(cls, names: Numbered, spans: Iterable[Span]) -> Self:
        """Return spans of conditions that all have a number."""
        return cls(names, _blocks(names, spans))

    def __len__(self) -> int:
        """Return how many spans there are, not how many requests."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, place: Any) -> Any:
        """Return one span."""
        place = range(len(self))[place]
        at = bisect_right(self._ends, place)
        block = self.blocks[at]
        return self._span(block, block.end - self._ends[at] + place)

    def __iter__(self) -> Iterator[Span]:
        """Yield them in order."""
        for block in self.blocks:
            for number in range(block.begin, block.end):
                yield self._span(block, number)

    def _span(self, block: Block, number: int) -> Span:
        return Span(Stem(self.names[number]), block.first, block.last, block.variant)


def _blocks(names: Numbered, spans: Iterable[Span]) -> Iterator[Block]:
    begin, end, told = 0, 0, (0, 0, Variant.PLAIN)
    for span in spans:
        number = names.find(span.stem)
        if number is None:
            raise KeyError(span.stem)
        this = span.first, span.last, span.variant
        if end > begin and (number, this) == (end, told):
            end += 1
            continue
        if end > begin:
            yield Block(begin, end, *told)
        begin, end, told = number, number + 1, this
    if end > begin:
        yield Block(begin, end, *told)


def together(parts: Sequence[Sequence[Span]]) -> Sequence[Span]:
    """Return the spans of several batches, one after another."""
    ranges = [part for part in parts if isinstance(part, Spans)]
    if not ranges:
        return tuple(span for part in parts for span in part)
    return Spans(ranges[0].names, (block for part in ranges for block in part.blocks))
