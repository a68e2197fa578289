"""Writes the request file of a batch, streaming: the body is encoded once a condition."""

from base64 import b64encode
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from runner.batches.templates import Template, words_of
from runner.core.cost import Price, Weight, estimate_tokens
from runner.core.custom_id import custom_id
from runner.core.errors import ConfigError
from runner.core.expand import ByStem, Conditions
from runner.core.model import BatchKey, Condition, Experiment, Image, Limits, Span, Stem, Variant
from runner.core.numbered import Numbered
from runner.core.pack import SizedSpan, pack
from runner.core.prompt import Renderer
from runner.core.spans import Spans
from runner.providers.base import Frame, Provider
from runner.storage.files import write_durably
from runner.storage.paths import request_path

BLOCK_BYTES = 1 << 18
"""Of request lines put together at once: small enough for the processor's cache."""
FRAMES_KEPT = 64
"""Encoded conditions; each holds a whole text."""
FRAMES_BYTES = 64 << 20
"""Of them, where they hold pictures, too; one is kept whatever its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFile:
    """A request file on disk, whole and synced."""

    spans: Sequence[Span]
    count: int
    bytes: int
    sha256: str
    input_tokens: int
    weights: Mapping[Weight, int]
    """What a request may take, and how many are of that weight."""


class _Facts(NamedTuple):
    """What is known of a request line."""

    bytes: int
    tokens: int
    proof: str | None


def loaded(image: Image) -> Image:
    """Return a picture with its bytes.

    Raises:
        ConfigError: they are not those that were looked at when the run began.
    """
    if not image.path:
        return image
    try:
        data = Path(image.path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{image.path} cannot be read any more ({error})") from None
    if sha256(data).hexdigest() != image.sha256:
        raise ConfigError(f"{image.path} was changed meanwhile: put the old one back, or run again")
    return replace(image, data=b64encode(data).decode())


def _kept(experiment: Experiment) -> int:
    """Return how many encoded conditions are kept in memory."""
    if not experiment.images:
        return FRAMES_KEPT
    largest = max(image.bytes for image in experiment.images.values()) * 4 // 3 + 1
    shown = sum(len(message.images) for message in experiment.messages)
    return min(max(FRAMES_BYTES // (largest * shown), 1), FRAMES_KEPT)


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
        names: Numbered | None = None,
    ) -> None:
        """Keep what rendering needs.

        Args:
            folder: the run's.
            experiment: what is asked.
            conditions: its conditions.
            provider: writes the lines.
            limits: of a batch.
            translators: write them in its place, at the combinations of levels that send settings.
            names: of the conditions as the ledger numbers them, where they are many.
        """
        self._folder = folder
        self._experiment = experiment
        self._renderer = Renderer(experiment)
        self._conditions = (
            ByStem(conditions)
            if isinstance(conditions, Conditions)
            else {c.stem: c for c in conditions}
        )
        self._names = names
        self._provider = provider
        self._translators = translators or {}
        self._limits = limits
        self._templates: dict[Hashable, Template | None] = {}
        self._frames = lru_cache(_kept(experiment))(self._framed)
        self._facts = cache(self._known) if experiment.images else self._known
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
        return request_path(self._folder, key)

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
            spans=self.compact(spans),
            count=count,
            bytes=size,
            sha256=digest.hexdigest(),
            input_tokens=sum(sized.tokens * len(sized.span) for sized in spans),
            weights=self.weights(spans),
        )

    def compact(self, spans: Iterable[SizedSpan]) -> Sequence[Span]:
        """Return spans as they are kept: by their conditions' numbers where these are many."""
        found = (sized.span for sized in spans)
        return tuple(found) if self._names is None else Spans.of(self._names, found)

    def weights(self, spans: Iterable[SizedSpan]) -> Mapping[Weight, int]:
        """Return what one request may take, and how many there are of that weight."""
        found = Counter[Weight]()
        for sized in spans:
            found[self.weight(sized.span.stem, sized.tokens)] += len(sized.span)
        return found

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
        if stem not in self._conditions:
            return None
        return self._facts(stem, variant, trial if self._experiment.shuffle else 1).proof

    def _tokens(self, stem: Stem, variant: Variant) -> int | None:
        """Return None for a condition that is no longer in the experiment."""
        return self._facts(stem, variant, 1).tokens if stem in self._conditions else None

    def _known(self, stem: Stem, variant: Variant, trial: int) -> "_Facts":
        """Return what is to be known of a request line without it; pictures are not read again for it."""
        condition = self._conditions[stem]
        template = self._template(condition, variant)
        if template and (found := template.size(self._renderer.values(condition))):
            return _Facts(*found, None)
        frame, tokens = self.frame(stem, variant, trial)
        return _Facts(len(frame), tokens, frame.proof)

    def highest(self, stem: Stem, variant: Variant, price: Price) -> Decimal | None:
        """Return the most that one request of a condition may cost; None: it is no longer known."""
        tokens = self.tokens(stem, variant)
        if tokens is None:
            return None
        return price.highest(*self.weight(stem, tokens))

    def _sized(self, span: Span) -> SizedSpan:
        facts = self._facts(span.stem, span.variant, 1)
        return SizedSpan(span=span, frame_bytes=facts.bytes, tokens=facts.tokens)

    def _framed(self, stem: Stem, variant: Variant, trial: int) -> tuple[Frame, int]:
        condition = self._conditions[stem]
        template = self._template(condition, variant)
        if template and (found := template.frame(self._renderer.values(condition))):
            return found
        return self._wholly(condition, variant, trial)

    def _template(self, condition: Condition, variant: Variant) -> Template | None:
        """Return what lines like a condition's have in common; None where that is not enough."""
        experiment = self._experiment
        if experiment.shuffle or experiment.images:
            return None
        one = condition.levels[-1] if experiment.questions.each else ""
        sent = experiment.sent_key(condition.levels) if experiment.sent else ()
        key = variant, condition.temperature, one, sent
        if key not in self._templates:
            found = Template.of(experiment, condition, variant, self._provider_at(condition))
            values = self._renderer.values(condition)
            if found and found.frame(values) != self._wholly(condition, variant, 1):
                found = None
            self._templates[key] = found
        return self._templates[key]

    def _provider_at(self, condition: Condition) -> Provider:
        if not self._translators:
            return self._provider
        return self._translators[self._experiment.sent_key(condition.levels)]

    def _wholly(self, condition: Condition, variant: Variant, trial: int) -> tuple[Frame, int]:
        """Render and encode a request line."""
        prompt = self._renderer.render(condition, variant, trial)
        tokens = estimate_tokens(words_of(prompt))
        names = [name for turn in prompt.conversation for name in turn.images]
        if names:
            images = self._experiment.images
            tokens += sum(images[name].tokens for name in names)
            prompt = replace(prompt, shown={name: loaded(images[name]) for name in names})
        return self._provider_at(condition).encode(condition, prompt), tokens

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
