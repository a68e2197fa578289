"""Writes the request file of a batch, streaming: the body is encoded once a condition."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path

from runner.core.cost import Price, Weight, estimate_tokens
from runner.core.custom_id import custom_id
from runner.core.model import BatchKey, Condition, Experiment, Limits, Span, Stem, Variant
from runner.core.pack import SizedSpan, pack
from runner.core.prompt import Renderer
from runner.providers.base import Frame, Provider
from runner.storage.files import write_durably

BLOCK_BYTES = 1 << 18
"""Of request lines put together at once: small enough for the processor's cache."""
FRAMES_KEPT = 64
"""Encoded conditions; each holds a whole text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFile:
    """A request file on disk, whole and synced."""

    spans: tuple[Span, ...]
    count: int
    bytes: int
    sha256: str
    input_tokens: int
    weights: tuple[tuple[Weight, int], ...]
    """What a request may take, and how many requests of that weight follow."""


class RequestFiles:
    """Turns what is pending into request files that fit the provider's limits."""

    def __init__(
        self,
        folder: Path,
        experiment: Experiment,
        conditions: Iterable[Condition],
        provider: Provider,
        limits: Limits,
        *,
        translators: Mapping[tuple[str, ...], Provider] | None = None,
    ) -> None:
        """Keep what rendering needs.

        Args:
            folder: the run's.
            experiment: what is asked.
            conditions: its conditions.
            provider: writes the lines.
            limits: of a batch.
            translators: write them in its place, at the combinations of levels that send settings.
        """
        self._folder = folder / "requests"
        self._experiment = experiment
        self._renderer = Renderer(experiment)
        self._conditions: Mapping[Stem, Condition] = {c.stem: c for c in conditions}
        self._provider = provider
        self._translators = translators or {}
        self._limits = limits
        self._frames = lru_cache(FRAMES_KEPT)(self._framed)
        self.tokens = cache(self._tokens)
        """Estimated input tokens of a condition's request, by stem and variant."""

    def frame(self, stem: Stem, variant: Variant, trial: int = 1) -> tuple[Frame, int]:
        """Return the request line of a trial, and its estimated input tokens.

        Both are the same for all trials of a condition where nothing is shuffled; else their lengths
        are, since an order moves parts and changes none.
        """
        return self._frames(stem, variant, trial if self._experiment.shuffle else 1)

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
            weights=self.weights(spans),
        )

    def weights(self, spans: Iterable[SizedSpan]) -> tuple[tuple[Weight, int], ...]:
        """Return what one request of each span may take, and how many there are."""
        return tuple(
            (self.weight(sized.span.stem, sized.tokens), len(sized.span)) for sized in spans
        )

    def weight(self, stem: Stem, tokens: int) -> Weight:
        """Return what a request of a condition may take that has so many input tokens."""
        if not self._experiment.sent:
            return Weight(tokens, self._experiment.model.max_output_tokens)
        levels = self._conditions[stem].levels
        return Weight(tokens, self._experiment.model_at(levels).max_output_tokens)

    def proof(self, stem: Stem, variant: Variant, trial: int) -> str | None:
        """Return what an echo of a trial's prompt has to be.

        None where nothing is echoed, or the condition is no longer in the experiment.
        """
        return self.frame(stem, variant, trial)[0].proof if stem in self._conditions else None

    def _tokens(self, stem: Stem, variant: Variant) -> int | None:
        """Return None for a condition that is no longer in the experiment."""
        return self.frame(stem, variant)[1] if stem in self._conditions else None

    def highest(self, stem: Stem, variant: Variant, price: Price) -> Decimal | None:
        """Return the most that one request of a condition may cost; None: it is no longer known."""
        tokens = self.tokens(stem, variant)
        if tokens is None:
            return None
        return price.highest(*self.weight(stem, tokens))

    def _sized(self, span: Span) -> SizedSpan:
        frame, tokens = self.frame(span.stem, span.variant)
        return SizedSpan(span=span, frame_bytes=len(frame), tokens=tokens)

    def _framed(self, stem: Stem, variant: Variant, trial: int) -> tuple[Frame, int]:
        condition = self._conditions[stem]
        prompt = self._renderer.render(condition, variant, trial)
        said = (prompt.system or "", *(turn.content for turn in prompt.earlier), prompt.user)
        tokens = estimate_tokens("".join(said))
        provider = self._provider
        if self._translators:
            provider = self._translators[self._experiment.sent_key(condition.levels)]
        return provider.encode(condition, prompt), tokens

    def _blocks(self, span: Span) -> Iterator[bytes]:
        """Yield the lines of a span, some at once."""
        if self._experiment.shuffle:
            for trial in range(span.first, span.last + 1):
                frame, _ = self.frame(span.stem, span.variant, trial)
                yield frame.before + custom_id(span.stem, trial).encode() + frame.after
            return
        frame, _ = self.frame(span.stem, span.variant)
        between = frame.after + frame.before
        step = max(BLOCK_BYTES // len(frame), 1)
        for first in range(span.first, span.last + 1, step):
            last = min(first + step - 1, span.last)
            ids = [custom_id(span.stem, trial) for trial in range(first, last + 1)]
            encoded = "\n".join(ids).encode().split(b"\n")  # one encoding for all of them
            yield frame.before + between.join(encoded) + frame.after
