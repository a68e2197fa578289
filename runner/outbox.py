"""Writes the request file of a batch, streaming: the body is encoded once a condition."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from runner.core.cost import estimate_tokens
from runner.core.expand import custom_id
from runner.core.model import BatchKey, Condition, Experiment, Limits, Span, Stem
from runner.core.pack import SizedSpan, pack
from runner.core.prompt import render
from runner.providers.base import Frame, Provider

BLOCK_BYTES = 1 << 18
"""Of request lines put together at once: small enough for the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFile:
    """A request file on disk, whole and synced."""

    spans: tuple[Span, ...]
    count: int
    bytes: int
    sha256: str
    input_tokens: int


class Outbox:
    """Turns what is pending into request files that fit the provider's limits."""

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        conditions: Iterable[Condition],
        provider: Provider,
        limits: Limits,
    ) -> None:
        """Keep what rendering needs."""
        self._folder = folder / "requests"
        self._experiment = experiment
        self._conditions: Mapping[Stem, Condition] = {c.stem: c for c in conditions}
        self._provider = provider
        self._limits = limits

    def path(self, key: BatchKey) -> Path:
        """Return where a batch's request file is."""
        return self._folder / f"{key}.jsonl"

    def batches(self, pending: Iterable[Span]) -> Iterator[tuple[SizedSpan, ...]]:
        """Yield the spans of one batch after another; nothing is written."""
        return pack((self._sized(span) for span in pending), self._limits)

    def write(self, key: BatchKey, spans: tuple[SizedSpan, ...]) -> RequestFile:
        """Write one request file: temporary name, sync, rename, sync the folder."""
        path = self.path(key)
        count, size, digest = 0, 0, sha256()

        def lines() -> Iterator[bytes]:
            nonlocal count, size
            for sized in spans:
                for block in self._blocks(sized.span):
                    digest.update(block)
                    size += len(block)
                    yield block
                count += len(sized.span)

        write_durably(path, lines())
        return RequestFile(
            spans=tuple(sized.span for sized in spans),
            count=count,
            bytes=size,
            sha256=digest.hexdigest(),
            input_tokens=sum(sized.tokens * len(sized.span) for sized in spans),
        )

    def _sized(self, span: Span) -> SizedSpan:
        frame, tokens = self._frame(span)
        return SizedSpan(span=span, frame_bytes=len(frame), tokens=tokens)

    def _frame(self, span: Span) -> tuple[Frame, int]:
        condition = self._conditions[span.stem]
        prompt = render(self._experiment, condition, span.variant)
        tokens = estimate_tokens((prompt.system or "") + prompt.user)
        return self._provider.encode(condition, prompt), tokens

    def _blocks(self, span: Span) -> Iterator[bytes]:
        """Yield the lines of a span, some at once."""
        frame, _ = self._frame(span)
        between = frame.after + frame.before
        step = max(BLOCK_BYTES // len(frame), 1)
        for first in range(span.first, span.last + 1, step):
            last = min(first + step - 1, span.last)
            ids = [custom_id(span.stem, trial) for trial in range(first, last + 1)]
            yield frame.before + between.join("\n".join(ids).encode().split(b"\n")) + frame.after


def write_durably(path: Path, blocks: Iterable[bytes]) -> None:
    """Write a file that is either whole and on disk, or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as sink:
        for block in blocks:
            sink.write(block)
    settle(part, path)


def settle(part: Path, path: Path) -> None:
    """Sync a finished file, give it its final name, and sync the folder."""
    sync(part)
    part.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Ask the operating system to put a file or folder on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
