"""The calls that the engine makes: for each verb, its intent on disk, then what a thread is to do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import BinaryIO

from runner.batches.downloads import Download, Downloads
from runner.batches.requests import RequestFile, RequestFiles
from runner.core.call_results import (
    Accepted,
    CallResult,
    Cleared,
    Done,
    Fetched,
    Looked,
    Sought,
    Staged,
)
from runner.core.errors import ProviderError, ProviderSilent
from runner.core.model import Batch, BatchKey, RemoteId, Reply, Span
from runner.core.pack import SizedSpan, is_enough, requests_in, with_a_size_of_its_own
from runner.core.plan import Verb
from runner.core.states import FINAL_STATES, BatchState
from runner.core.transition import repeating, sending, staging
from runner.core.twins import Fate, fate_of, open_twins
from runner.providers.base import Provider
from runner.run.realtime import Allowance, Realtime
from runner.run.run_state import RunState
from runner.run.spec import RunSpec
from runner.storage.events import next_key


@dataclass(slots=True)
class Packed:
    """A request file that was just written; None when nothing was left to pack."""

    key: BatchKey
    file: RequestFile | None
    realtime: bool
    too_few: int = 0
    """Requests that are fewer than the provider takes in a batch."""
    as_of: int = 0
    """The `RunState.turn` by which that was found."""


class Calls:
    """Makes the calls of one run."""

    def __init__(
        self,
        spec: RunSpec,
        state: RunState,
        *,
        provider: Provider,
        realtime: Realtime,
        request_files: RequestFiles,
        downloads: Downloads,
        decode: Callable[[bytes], Reply],
    ) -> None:
        """Keep what is called.

        Args:
            spec: what the run is to do.
            state: how it stands.
            provider: the batch API.
            realtime: asks one by one.
            request_files: writes what is sent.
            downloads: keeps what comes.
            decode: reads one result line, for what a conversation in real time costs.
        """
        self.provider = provider
        self.realtime = realtime
        self.downloads = downloads
        self._spec = spec
        self._state = state
        self._request_files = request_files
        self._decode = decode

    def call(self, verb: Verb, batch: Batch, began: float) -> Callable[[], CallResult]:
        """Record the intent of an action and return the call to make.

        Args:
            verb: what to do.
            batch: to which batch.
            began: now, in seconds since the epoch.
        """
        provider: Provider | Realtime = self.realtime if batch.realtime else self.provider
        remote = batch.remote or RemoteId("")
        match verb:
            case Verb.STAGE:
                return self._staging(provider, batch)
            case Verb.SUBMIT:
                return self._ordering(provider, batch)
            case Verb.FIND | Verb.SEEK:
                return self._finding(provider, batch, Looked if verb is Verb.FIND else Sought)
            case Verb.CLEAR:
                return lambda: self._clear(batch)
            case Verb.POLL if batch.realtime:
                return lambda: self.realtime.poll(remote, self._allowance(batch))
            case Verb.POLL:
                return lambda: provider.poll(remote)
            case Verb.COLLECT:
                return self._fetching(provider, batch, began)
            case Verb.FETCH:
                download = self._download(provider)
                return _done(verb, lambda: self.downloads.fetch_again(batch, download))
            case Verb.FENCE:
                return _done(verb, lambda: provider.fence(batch))
            case Verb.CANCEL:
                return _done(verb, lambda: provider.cancel(remote))
            case Verb.DROP | Verb.PACK:
                return _done(verb, lambda: None)

    def _staging(self, provider: Provider | Realtime, batch: Batch) -> Callable[[], Staged]:
        look_first = batch.state is BatchState.STAGING
        self._state.take(staging(batch, self._state.marks(batch.key)))
        path = self._request_files.path(batch.key)
        name = f"{self._spec.experiment_id}-{batch.key}-{batch.send}-{batch.sha256[:16]}.jsonl"
        return lambda: Staged(provider.stage(path, name, look_first=look_first))

    def _ordering(self, provider: Provider | Realtime, batch: Batch) -> Callable[[], Accepted]:
        experiment, marks = self._spec.experiment_id, self._state.marks(batch.key)
        if batch.state is BatchState.SUBMITTING and self.provider.idempotent:
            intent = repeating(batch, marks)
        else:
            intent = sending(batch, marks, self._state.clock.now(), experiment)
        self._state.take(intent)
        labels = {
            "experiment": experiment,
            "name": self._spec.name,
            "batch": f"{batch.key}-{batch.send}",
        }
        path = self._request_files.path(batch.key)

        def order() -> Accepted:
            self._state.ledger.keep()  # it may have waited in its lane
            return Accepted(provider.submit(intent.batch, path, labels))

        return order

    def _finding(
        self,
        provider: Provider | Realtime,
        batch: Batch,
        kind: type[Looked] | type[Sought],
    ) -> Callable[[], CallResult]:
        others = [b for b in self._state.batches.values() if b.key != batch.key]
        claimed = {b.remote for b in others if b.remote is not None}
        known = replace(batch, dead=(*batch.dead, *batch.twins))
        path = self._request_files.path(batch.key)
        return lambda: kind(provider.find(known, path, claimed))

    def _fetching(
        self, provider: Provider | Realtime, batch: Batch, began: float
    ) -> Callable[[], Fetched]:
        members = self._state.members(batch.key)
        download = self._download(provider)
        return lambda: self.downloads.fetch(batch, members, download, began)

    def _download(self, provider: Provider | Realtime) -> Download:
        def download(file_id: str, sink: BinaryIO) -> None:
            provider.download(file_id, sink)
            if self._state.time_left() == 0:
                raise ProviderSilent(f"{file_id} was left behind")

        return download

    def _clear(self, batch: Batch) -> Cleared:
        """Cancel the twins of a batch that are to be, and ask what became of each that is open.

        Also of one that cannot be cancelled: it may be over, and a gateway may not say so.
        """
        fates, trouble = dict(batch.twins), None
        for name in map(RemoteId, open_twins(batch)):
            fate, refusal = fates[name], None
            if fate == Fate.FOUND:
                fate, refusal = self._cancelled(name)
            try:
                fates[name] = fate_of(fate, self.provider.poll(name))
            except ProviderError as error:
                fates[name], refusal = fate, refusal or str(error)
            if refusal is not None and fates[name] == fate:
                trouble = f"{name}: {refusal}"
        return Cleared(fates, trouble)

    def _cancelled(self, name: RemoteId) -> tuple[str, str | None]:
        """Cancel a twin; return its fate, and why it could not be."""
        try:
            self.provider.cancel(name)
        except ProviderError as error:
            return Fate.FOUND.value, str(error)
        return Fate.ASKED.value, None

    def _allowance(self, batch: Batch) -> Allowance:
        """Return what is needed to hold a batch to the budget that is asked one by one."""
        price = self._spec.prices.at(realtime=True)
        share = (batch.reserved_usd or Decimal(0)) / batch.count

        def most(span: Span) -> Decimal:
            if price is None:
                return share
            usd = self._request_files.highest(span.stem, span.variant, price)
            return share if usd is None else usd

        return Allowance(
            price=price,
            most=lambda: ((most(span), len(span)) for span in self._state.members(batch.key)),
            room=lambda: self._state.room_for(batch.key, self._spec.budget_usd),
            decode=self._decode,
        )

    def pack(self) -> Packed:
        """Write the next request file; nothing is recorded yet."""
        key = BatchKey(next_key(self._state.batches))
        asking = self._spec.asking_at(self._state.clock.now())
        mixed, short, turn = asking.first == asking.again, 0, self._state.turn
        for again in (None,) if mixed else (True, False):
            realtime = asking.again if again else asking.first
            for spans in self._request_files.batches(self._state.pending(again=again)):
                if realtime or is_enough(spans, self._spec.limits):
                    return self._written(key, spans, realtime=realtime)
                short += requests_in(spans)
        return Packed(key, None, realtime=False, too_few=short, as_of=turn)

    def _written(self, key: BatchKey, spans: tuple[SizedSpan, ...], *, realtime: bool) -> Packed:
        if self.provider.found_by_size and not realtime:
            spans = with_a_size_of_its_own(spans, self._sizes_in_flight())
        return Packed(key, self._request_files.write(key, spans), realtime)

    def _sizes_in_flight(self) -> set[int]:
        return {b.count for b in self._state.batches.values() if b.state not in FINAL_STATES}


def _done(verb: Verb, call: Callable[[], None]) -> Callable[[], Done]:
    """Return a call whose result is only that it went well."""

    def made() -> Done:
        call()
        return Done(verb)

    return made
