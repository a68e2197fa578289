"""The loop: ask core.plan what is next, do it, write down what came of it.

The intent is on disk before a call that costs money is made, and no such call is made twice: a
reply that never came leaves the batch *submitting*, and the plan asks the provider.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, BinaryIO, TypeVar

from runner.batches.downloads import Download, Downloads
from runner.batches.requests import RequestFile, RequestFiles
from runner.core.call_results import (
    Accepted,
    CallResult,
    Cleared,
    Done,
    Failed,
    Fetched,
    Looked,
    Sought,
    Staged,
)
from runner.core.cost import PriceList, estimate
from runner.core.errors import ProviderError, ProviderSilent
from runner.core.model import Batch, BatchKey, Limits, Model, RemoteId, Reply, Span
from runner.core.pack import with_a_size_of_its_own
from runner.core.plan import Action, Facts, Plan, Purpose, Verb, plan
from runner.core.states import FINAL_STATES, BatchState
from runner.core.transition import Mark, Moment, Terms, Timing, after, sending, staging
from runner.core.twins import Fate, fate_of, open_twins
from runner.providers.base import Provider
from runner.run.callers import Callers
from runner.run.control import Control
from runner.run.heartbeat import heartbeat
from runner.run.realtime import Allowance, Realtime
from runner.run.run_state import RunState, Snapshot
from runner.storage.events import next_key

Finished = TypeVar("Finished")

GRACE_SECONDS = 3.0
"""How long a call under way is waited for after Ctrl-C."""
CALLS_AT_ONCE = 4
"""In each of two lanes: one for short calls, one for whole files."""
LONGEST_SLEEP = 0.25
"""Seconds between looks at the stop flag while waiting."""
_LONG = (Verb.PACK, Verb.STAGE, Verb.COLLECT, Verb.FETCH)
"""What writes, uploads, downloads or reads a whole batch."""
_HERE = (Verb.PACK, Verb.COLLECT)
"""What works on this machine, but for a download."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked one by one instead of in batches."""

    first: bool
    """What was never asked."""
    again: bool
    """What could not be read, and is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What a run is to do, and within which bounds."""

    experiment_id: str
    name: str
    """The experiment's."""
    purpose: Purpose
    asking: Asking
    model: Model
    prices: PriceList
    limits: Limits
    """The provider's."""
    timing: Timing
    budget_usd: Decimal | None
    """None: no limit (a rehearsal)."""

    @property
    def waits(self) -> bool:
        """Whether this run waits for the provider."""
        return self.purpose in (Purpose.RUN, Purpose.CANCEL)

    @property
    def sends(self) -> bool:
        """Whether this run sends anything."""
        return self.purpose in (Purpose.RUN, Purpose.SUBMIT)


@dataclass(slots=True)
class _Packed:
    """A request file that was just written; None when nothing was left to pack."""

    key: BatchKey
    file: RequestFile | None
    realtime: bool


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Where calls are made: what moves files keeps no short call waiting."""

    calls: Executor
    transfers: Executor


class Engine:
    """Drives one run to its end."""

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
        workers: Callable[[], Executor] = lambda: Callers(CALLS_AT_ONCE),
    ) -> None:
        """Take up a run.

        Args:
            spec: what to do.
            state: how it stands.
            provider: the batch API.
            realtime: asks one by one.
            request_files: writes what is sent.
            downloads: keeps what comes.
            decode: reads one result line, for what a conversation in real time costs.
            workers: makes the threads, in each lane, in which calls are made.
        """
        self._spec = spec
        self._state = state
        self._provider = provider
        self._realtime = realtime
        self._request_files = request_files
        self._downloads = downloads
        self._decode = decode
        self._workers = workers
        self._clock = state.clock
        self._terms = Terms(
            timing=spec.timing,
            waits=spec.waits,
            fences=provider.fences,
            tells_inputs=provider.tells_inputs,
            results_days=spec.limits.results_days,
        )
        self._control = Control(state, sends=spec.sends, stop=self.stop, is_busy=self._is_busy)
        self._running: dict[Future[Any], Action] = {}
        self._began: dict[BatchKey, float] = {}
        """When the call under way for a batch began."""
        self._stopping = False
        self._leaves_at: float | None = None
        for batch in state.batches.values():
            if downloads.is_gone(batch):
                state.mark(batch.key, Mark.GONE)

    @property
    def snapshot(self) -> Snapshot:
        """Return the run as it stands."""
        return self._state.snapshot(stopping=self._stopping)

    def stop(self, *, leaving: bool = False) -> None:
        """Start nothing new; finish and record the calls under way, then return.

        Called from a signal handler, so it takes no lock: the main thread may be holding it.

        Args:
            leaving: this process ends now, so that an unanswered call is left behind after a
                moment: an order is then in doubt, and all else is done again.
        """
        self._stopping = True
        self._realtime.stop()
        if leaving:
            self._state.ledger.hurry()
            self._leaves_at = self._clock.now() + GRACE_SECONDS

    def run(self) -> Snapshot:
        """Do all there is to do; return how the run stands."""
        return self.run_and(lambda snapshot: snapshot)

    def run_and(self, finish: Callable[[Snapshot], Finished]) -> Finished:
        """Do all there is to do, and what has to be done in the end, before the heart stops.

        Args:
            finish: makes the result of how the run stands.
        """
        state = self._state
        with heartbeat(state.ledger, self._clock.now, lambda: not state.requests.counts().open):
            state.summarise()
            lanes = _Lanes(self._workers(), self._workers())
            try:
                self._loop(lanes)
            finally:
                self._realtime.close(self._time_left())
                for lane in (lanes.calls, lanes.transfers):
                    lane.shutdown(wait=self._time_left() != 0, cancel_futures=True)
            return finish(self.snapshot)

    def _time_left(self) -> float | None:
        """Return for how many seconds calls are still waited for; None: until they end."""
        if self._leaves_at is None:
            return None
        return max(self._leaves_at - self._clock.now(), 0.0)

    def _leaves(self) -> bool:
        """Tell whether the calls under way are left behind; work on this machine is finished."""
        return self._time_left() == 0 and all(
            action.verb not in _HERE
            or (action.batch is not None and self._downloads.is_under_way(action.batch))
            for action in self._running.values()
        )

    def _loop(self, lanes: _Lanes) -> None:
        while True:
            self._control.obey()
            with self._state.deciding():
                next_steps = plan(self._facts(), self._clock.now())
                self._state.hold(next_steps.held)
                if next_steps.done or (self._stopping and (not self._running or self._leaves())):
                    self._state.summarise()
                    return
                if not self._stopping:
                    for action in next_steps.actions:
                        self._start(action, lanes)
            self._state.observer.tick(self.snapshot)
            self._wait(next_steps)
            for future in [f for f in self._running if f.done()]:
                self._finish(self._running.pop(future), future)

    def _facts(self) -> Facts:
        state, actions = self._state, self._running.values()
        return Facts(
            purpose=self._spec.purpose,
            batches=tuple(state.batches.values()),
            pending=state.requests.has_pending(),
            busy=frozenset(a.batch for a in actions if a.batch is not None),
            packing=any(a.verb is Verb.PACK for a in actions),
            halted=state.halted,
            limits=self._spec.limits,
            budget_usd=self._spec.budget_usd,
            other_jobs_usd=state.committed_by_others(),
            settle_seconds=self._spec.timing.settle,
            looked=state.marked(Mark.LOOKED),
            gone=state.marked(Mark.GONE),
            cancelled=state.marked(Mark.CANCELLED),
            sought=state.marked(Mark.SOUGHT),
            cleared=state.marked(Mark.CLEARED),
            failing=state.marked(Mark.FAILING),
            tells_inputs=self._provider.tells_inputs,
            fences=self._provider.fences,
            other_jobs=state.load_of_others(),
        )

    def _wait(self, next_steps: Plan) -> None:
        """Sleep until a call returns, something is due, or a moment has passed."""
        seconds = LONGEST_SLEEP
        if next_steps.wake_at is not None:
            seconds = min(seconds, max(next_steps.wake_at - self._clock.now(), 0.0))
        if self._running:
            wait(self._running, timeout=LONGEST_SLEEP, return_when=FIRST_COMPLETED)
        elif not next_steps.actions:
            self._clock.sleep(seconds)

    def _is_busy(self, key: BatchKey) -> bool:
        return any(action.batch == key for action in self._running.values())

    # -- doing: what has to be on disk first is written here, then the call goes to a thread

    def _start(self, action: Action, lanes: _Lanes) -> None:
        if action.batch is None:
            call: Callable[[], Any] = self._pack
        else:
            self._began[action.batch] = self._clock.now()
            call = self._call(action.verb, self._state.batches[action.batch])
        lane = lanes.transfers if action.verb in _LONG else lanes.calls
        self._running[lane.submit(call)] = action

    def _call(self, verb: Verb, batch: Batch) -> Callable[[], CallResult]:
        """Record the intent of an action and return the call to make."""
        provider: Provider | Realtime = self._realtime if batch.realtime else self._provider
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
                return lambda: self._realtime.poll(remote, self._allowance(batch))
            case Verb.POLL:
                return lambda: provider.poll(remote)
            case Verb.COLLECT:
                return self._fetching(provider, batch)
            case Verb.FETCH:
                download = self._download(provider)
                return _done(verb, lambda: self._downloads.fetch_again(batch, download))
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
        experiment, now = self._spec.experiment_id, self._clock.now()
        intent = sending(batch, self._state.marks(batch.key), now, experiment)
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

    def _fetching(self, provider: Provider | Realtime, batch: Batch) -> Callable[[], Fetched]:
        members, began = self._state.members(batch.key), self._began[batch.key]
        download = self._download(provider)
        return lambda: self._downloads.fetch(batch, members, download, began)

    def _download(self, provider: Provider | Realtime) -> Download:
        def download(file_id: str, sink: BinaryIO) -> None:
            provider.download(file_id, sink)
            if self._time_left() == 0:
                raise ProviderSilent(f"{file_id} was left behind")

        return download

    def _clear(self, batch: Batch) -> Cleared:
        """Cancel the twins of a batch that are to be, and ask what became of each that is open."""
        fates, trouble = dict(batch.twins), None
        for name in map(RemoteId, open_twins(batch)):
            try:
                if fates[name] == Fate.FOUND:
                    self._provider.cancel(name)
                    fates[name] = Fate.ASKED.value
                fates[name] = fate_of(fates[name], self._provider.poll(name))
            except ProviderError as error:
                trouble = f"{name}: {error}"
        return Cleared(fates, trouble)

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

    def _pack(self) -> _Packed:
        key, asking = BatchKey(next_key(self._state.batches)), self._spec.asking
        mixed = asking.first == asking.again
        for again in (None,) if mixed else (True, False):
            realtime = asking.again if again else asking.first
            pending = self._state.requests.pending(again=again)
            spans = next(self._request_files.batches(pending), None)
            if spans is not None:
                if self._provider.found_by_size and not realtime:
                    spans = with_a_size_of_its_own(spans, self._sizes_in_flight())
                return _Packed(key, self._request_files.write(key, spans), realtime)
        return _Packed(key, None, realtime=False)

    def _sizes_in_flight(self) -> set[int]:
        return {b.count for b in self._state.batches.values() if b.state not in FINAL_STATES}

    # -- recording: what a call brought, one event and one ledger transaction each

    def _finish(self, action: Action, future: Future[Any]) -> None:
        if action.batch is None:
            self._packed(future.result())
            return
        result: CallResult
        try:
            result = future.result()
        except ProviderError as error:
            result = Failed(action.verb, error)
        moment = Moment(
            now=self._clock.now(),
            began=self._began[action.batch],
            jitter=self._clock.jitter(),
            marks=self._state.marks(action.batch),
        )
        self._state.take(after(self._state.batches[action.batch], result, moment, self._terms))

    def _packed(self, packed: _Packed) -> None:
        file, spec = packed.file, self._spec
        if file is None:
            return
        high = estimate(
            spec.prices.at(realtime=packed.realtime),
            file.sizes,
            spec.model.expected_output_tokens,
            spec.model.max_output_tokens,
        ).high
        batch = Batch(
            key=packed.key,
            state=BatchState.PACKED,
            count=file.count,
            bytes=file.bytes,
            sha256=file.sha256,
            input_tokens=file.input_tokens,
            reserved_usd=high,
            packed_at=self._clock.now(),
            realtime=packed.realtime,
        )
        self._state.add(batch, file.spans)


def _done(verb: Verb, call: Callable[[], None]) -> Callable[[], Done]:
    """Return a call that brings nothing but that it went well."""

    def made() -> Done:
        call()
        return Done(verb)

    return made
