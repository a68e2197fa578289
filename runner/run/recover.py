"""`action=recover`: a ledger that is gone or damaged, made again from the files beside it.

Nothing is asked of a provider and nothing is sent. What happened stands in `events.jsonl`, and so
does what became of each batch; the stored results are read again. A batch without a line there is in
doubt: the next run looks for it at the provider, and never sends it again before it is proved that
it was not ordered.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from runner.batches.requests import RequestFiles
from runner.batches.results import ResultReader
from runner.core.batch_reading import kept
from runner.core.cost import PriceList, Weight, estimate
from runner.core.custom_id import parse
from runner.core.errors import LedgerDamaged
from runner.core.model import Batch, BatchKey, Model, Span, Stem, Variant
from runner.core.states import BatchState
from runner.providers.base import untagged
from runner.storage.codec import batch_of
from runner.storage.events import Beside, Line
from runner.storage.files import file_sha256
from runner.storage.paths import RAW, REQUESTS, SUFFIX, request_path, result_path
from runner.storage.remake import Recovered


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of a run, and what is needed to understand them."""

    folder: Path
    experiment_id: str
    tag: str
    """What this run's custom_ids begin with."""
    request_files: RequestFiles
    result_reader: ResultReader
    model: Model
    prices: PriceList
    stems: frozenset[Stem]

    def batches(self, lines: Iterable[Line]) -> Iterator[Recovered]:
        """Yield every batch whose request file is there, in the order of packing.

        Args:
            lines: what `events.jsonl` has.

        Raises:
            LedgerDamaged: a file is gone, or is not what this configuration would have written.
        """
        known = {str(row["key"]): batch_of(dict(row)) for row in _rows(lines)}
        paths = {path.name.removesuffix(SUFFIX): path for path in self._requests()}
        gone = (known.keys() | Beside.of(self.folder).answered) - paths.keys()
        for key in sorted(gone):
            raise LedgerDamaged(
                f"{request_path(self.folder, BatchKey(key))} is gone, and only it says what was "
                f"asked in {key}, which may be paid for: put it back, or, if {key} is not this "
                f"run's, take raw/{key}.* away; and recover again"
            )
        for key, path in sorted(paths.items(), key=lambda item: (len(item[0]), item[0])):
            yield self._known(known[key], path) if key in known else self._recovered(path)

    def _requests(self) -> Iterator[Path]:
        return (self.folder / REQUESTS).glob(f"*{SUFFIX}")

    def _known(self, batch: Batch, path: Path) -> Recovered:
        """Return a batch as its last event left it, its results read again."""
        if file_sha256(path) != batch.sha256:
            raise LedgerDamaged(
                f"{path} is not what was sent as {batch.key}: put the original back"
            )
        members, _ = self._members(path)
        if batch.state is not BatchState.COLLECTED:
            return Recovered(batch=batch, members=members, outcomes=None)
        files = [result_path(self.folder, batch.key, name) for name in batch.raw]
        for file, digest in zip(files, batch.raw.values(), strict=True):
            if not file.exists() and not batch.realtime and batch.remote is not None:
                again = replace(batch, state=BatchState.RUNNING, raw={}, collected_at=None)
                return Recovered(batch=again, members=members, outcomes=None)
            if not file.exists():
                raise LedgerDamaged(f"{file} is gone: put it back; it holds paid answers")
            if file_sha256(file) != digest:
                raise LedgerDamaged(
                    f"{file} was changed since it was collected: put the original back"
                )
        reading = self.result_reader.read(batch, members, files)
        read = replace(batch, **kept(reading))
        return Recovered(batch=read, members=members, outcomes=reading.outcomes)

    def _recovered(self, path: Path) -> Recovered:
        key = BatchKey(path.name.removesuffix(SUFFIX))
        members, weights = self._members(path)
        count = sum(len(span) for span in members)
        files = sorted((self.folder / RAW).glob(f"{key}.*{SUFFIX}"), reverse=True)
        realtime = any((self.folder / RAW).glob(f"{key}.*{SUFFIX}.asked"))
        written = path.stat().st_mtime
        batch = Batch(
            key=key,
            state=BatchState.SUBMITTING,
            count=count,
            bytes=path.stat().st_size,
            sha256=file_sha256(path),
            input_tokens=sum(weight.input * number for weight, number in weights.items()),
            reserved_usd=estimate(
                self.prices.at(realtime=realtime),
                weights.items(),
                self.model.expected_output_tokens,
            ).high,
            packed_at=written,
            sent_at=written,
            handle={"experiment": self.experiment_id},
            realtime=realtime,
        )
        if not files:
            return Recovered(batch=batch, members=members, outcomes=None)
        reading = self.result_reader.read(batch, members, files)
        if reading.missing:  # a second result file may never have been fetched
            return Recovered(batch=batch, members=members, outcomes=None)
        collected = replace(
            batch,
            state=BatchState.COLLECTED,
            collected_at=files[0].stat().st_mtime,
            raw={_name_of(file): file_sha256(file) for file in files},
            **kept(reading),
        )
        return Recovered(batch=collected, members=members, outcomes=reading.outcomes)

    def _members(self, path: Path) -> tuple[Sequence[Span], Counter[Weight]]:
        """Return the requests of a file as spans, and how many may take how many tokens."""
        spans: list[Span] = []
        weights: Counter[Weight] = Counter()
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                stem, trial, variant, tokens = self._request(line, f"{path}, line {number}")
                weights[self.request_files.weight(stem, tokens)] += 1
                last = spans[-1] if spans else None
                if last and (last.stem, last.variant, last.last) == (stem, variant, trial - 1):
                    spans[-1] = replace(last, last=trial)
                else:
                    spans.append(Span(stem, trial, trial, variant))
        return tuple(spans), weights

    def _request(self, line: bytes, where: str) -> tuple[Stem, int, Variant, int]:
        try:
            name = untagged(orjson.loads(line)["custom_id"], self.tag)
            stem, trial = parse(name)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise LedgerDamaged(f"{where}: is no request of this program") from None
        if stem in self.stems:
            for variant in Variant:
                frame, tokens = self.request_files.frame(stem, variant, trial)
                if line == frame.before + name.encode() + frame.after:
                    return stem, trial, variant, tokens
        raise LedgerDamaged(
            f"{where}: {name} was asked with another prompt, text or parameter: recover with the "
            "configuration of that run (manifest.json has it)"
        )


def _rows(lines: Iterable[Line]) -> Iterator[Mapping[str, Any]]:
    return (line["batch"] for line in lines if line["batch"] is not None)


def _name_of(file: Path) -> str:
    return file.name.removesuffix(SUFFIX).partition(".")[2]
