"""`action=recover`: a ledger that is gone or damaged, made again from the files beside it.

Nothing is asked of a provider and nothing is sent. What the stored results answer is collected
again; every other batch is in doubt: the next run looks for it at the provider, and never sends it
again before it is proved that it was not ordered.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from runner.core.cost import PriceList, estimate
from runner.core.errors import LedgerDamaged
from runner.core.expand import custom_id
from runner.core.model import Batch, BatchKey, Model, Span, Stem, Variant
from runner.core.states import BatchState
from runner.engine import readings_of
from runner.files import file_sha256
from runner.intake import Intake
from runner.outbox import Outbox
from runner.providers.base import untagged

_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A batch as its files tell of it."""

    batch: Batch
    members: tuple[Span, ...]
    outcomes: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of a run, and what is needed to understand them."""

    folder: Path
    experiment_id: str
    tag: str
    """What this run's custom_ids begin with."""
    outbox: Outbox
    intake: Intake
    model: Model
    prices: PriceList
    stems: frozenset[Stem]

    def batches(self) -> Iterator[Recovered]:
        """Yield every batch whose request file is there, in the order of packing.

        Raises:
            LedgerDamaged: a request file is not what this configuration would have written.
        """
        paths = (self.folder / "requests").glob(f"*{_SUFFIX}")
        for path in sorted(paths, key=lambda p: (len(p.name), p.name)):
            yield self._recovered(path)

    def _recovered(self, path: Path) -> Recovered:
        key = BatchKey(path.name.removesuffix(_SUFFIX))
        members, weights = self._members(path)
        count = sum(len(span) for span in members)
        files = sorted((self.folder / "raw").glob(f"{key}.*{_SUFFIX}"), reverse=True)
        realtime = any((self.folder / "raw").glob(f"{key}.*{_SUFFIX}.asked"))
        written = path.stat().st_mtime
        batch = Batch(
            key=key,
            state=BatchState.SUBMITTING,
            count=count,
            bytes=path.stat().st_size,
            sha256=file_sha256(path),
            input_tokens=sum(tokens * number for tokens, number in weights.items()),
            reserved_usd=estimate(
                self.prices.at(realtime=realtime),
                weights.items(),
                self.model.expected_output_tokens,
                self.model.max_output_tokens,
            ).high,
            packed_at=written,
            sent_at=written,
            handle={"experiment": self.experiment_id},
            realtime=realtime,
        )
        if not files:
            return Recovered(batch=batch, members=members, outcomes=None)
        reading = self.intake.read(batch, members, files)
        if reading.missing:  # a second result file may never have been fetched
            return Recovered(batch=batch, members=members, outcomes=None)
        collected = replace(
            batch,
            state=BatchState.COLLECTED,
            collected_at=files[0].stat().st_mtime,
            raw={_name_of(file): file_sha256(file) for file in files},
            **readings_of(reading),
        )
        return Recovered(batch=collected, members=members, outcomes=reading.outcomes)

    def _members(self, path: Path) -> tuple[tuple[Span, ...], Counter[int]]:
        """Return the requests of a file as spans, and how many have how many input tokens."""
        spans: list[Span] = []
        weights: Counter[int] = Counter()
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                stem, trial, variant, weight = self._request(line, f"{path}, line {number}")
                weights[weight] += 1
                last = spans[-1] if spans else None
                if last and (last.stem, last.variant, last.last) == (stem, variant, trial - 1):
                    spans[-1] = replace(last, last=trial)
                else:
                    spans.append(Span(stem, trial, trial, variant))
        return tuple(spans), weights

    def _request(self, line: bytes, where: str) -> tuple[Stem, int, Variant, int]:
        try:
            name = untagged(orjson.loads(line)["custom_id"], self.tag)
            stem, _, digits = name.rpartition("_n")
            trial = int(digits)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise LedgerDamaged(f"{where}: is no request of this program") from None
        if Stem(stem) in self.stems and custom_id(Stem(stem), trial) == name:
            for variant in Variant:
                frame, tokens = self.outbox.frame(Stem(stem), variant)
                if line == frame.before + name.encode() + frame.after:
                    return Stem(stem), trial, variant, tokens
        raise LedgerDamaged(
            f"{where}: {name} was asked with another prompt, text or parameter: recover with the "
            "configuration of that run (manifest.json has it)"
        )


def set_aside(folder: Path, database: str) -> Path | None:
    """Move a damaged ledger out of the way; it is kept. None when there is none."""
    found = sorted(folder.glob(f"{database}*"))
    if not found:
        return None
    number = 1
    while (aside := folder / f"damaged-{number}").exists():
        number += 1
    aside.mkdir()
    for path in found:
        path.replace(aside / path.name)
    return aside


def _name_of(file: Path) -> str:
    return file.name.removesuffix(_SUFFIX).partition(".")[2]
