"""The loop: ask core.plan what is next, do it, record what happened.

The intent is on disk before a call that costs money is made, and no such call is made twice: a
reply that never came leaves the batch *submitting*, and the plan asks the provider.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TypeVar

from runner.batches.requests import RequestFile, RequestFiles
from runner.batches.results import BatchReading, ResultReader
from runner.core.backoff import after_refusal, backoff
from runner.core.cost import PriceList, estimate
from runner.core.custom_id import custom_id
from runner.core.ends import End, contradiction, found_in, judge, way_out
from runner.core.errors import (
    ConfigError,
    LedgerBusy,
    LedgerError,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderSilent,
    ProviderUndecided,
)
from runner.core.model import Batch, BatchKey, Limits, Model, Progress, RemoteId, Span
from runner.core.pack import with_a_size_of_its_own
from runner.core.plan import (
    Action,
    Facts,
    Plan,
    Purpose,
    Verb,
    absence_is_proved,
    committed,
    doubt_settles_at,
    plan,
)
from runner.core.request_states import Counts, RequestStates
from runner.core.states import FINAL_STATES, BatchEvent, BatchState, Outcome, next_state
from runner.core.summary import summary
from runner.core.twins import Fate, Made, fate_of, fates_of, in_words, is_unsought, open_twins
from runner.providers.base import Provider
from runner.run.budget import SharedBudget
from runner.run.callers import Callers
from runner.run.realtime import Allowance, Realtime
from runner.run.resolve import abandoned, adopted
from runner.storage.commands import Command, CommandVerb, answer, waiting
from runner.storage.events import next_key
from runner.storage.files import file_sha256, fresh, make_folder, settle
from runner.storage.ledger import HEARTBEAT_SECONDS, Ledger

Finished = TypeVar("Finished")

GRACE_SECONDS = 3.0
"""How long a call under way is waited for after Ctrl-C."""
CALLS_AT_ONCE = 4
"""In each of two lanes: one for short calls, one for whole files."""
LEAST_PAUSE = 2.0
"""Seconds at least between two looks at an end that contradicts itself; a tenth of a short settle time."""
REFUSALS_OF_A_LIST = 3
"""After so many in a row a service is taken to have no list of batches."""
DAY = 86_400
LONGEST_SLEEP = 0.25
"""Seconds between looks at the stop flag while waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the engine waits for what, in seconds."""

    first: float
    longest: float
    longest_retry_after: float
    settle: float


class Clock(Protocol):
    """Time, from outside."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...

    def jitter(self) -> float:
        """Return a number in 0..1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a screen needs to draw the run."""

    counts: Counts
    batches: tuple[Batch, ...]
    held: str | None
    halted: str | None
    stopping: bool
    doing: str | None = None
    """What goes on beside the batches, and how far it is."""


class Observer(Protocol):
    """Whoever shows the run."""

    def happened(self, event: Mapping[str, Any]) -> None:
        """Take note of one event."""
        ...

    def tick(self, view: View) -> None:
        """Draw, if it is time to."""
        ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked one by one instead of in batches."""

    first: bool
    """What was never asked."""
    again: bool
    """What could not be read, and is asked again."""


@dataclass(slots=True)
class _Packed:
    """A request file that was just written; None when nothing was left to pack."""

    key: BatchKey
    file: RequestFile | None
    realtime: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    """Result files as they came, and read."""

    reading: BatchReading
    hashes: Mapping[str, str]
    """sha256 by name."""
    found: int
    doubt: str | None
    """Why they are not believed to be all there is; None when they are."""
    end: End


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Where calls are made: what moves files keeps no short call waiting."""

    calls: Executor
    transfers: Executor


_BESIDE = (Verb.SEEK, Verb.CLEAR)
"""What is not about the batch itself."""

_LONG = (Verb.PACK, Verb.STAGE, Verb.COLLECT, Verb.FETCH)
"""What writes, uploads, downloads or reads a whole batch."""


@contextmanager
def beating(
    ledger: Ledger, now: Callable[[], float], is_finished: Callable[[], bool]
) -> Iterator[None]:
    """Let the ledger's heart beat meanwhile, for whoever watches; its last beat says that we left."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                ledger.beat(now())
            except LedgerBusy:
                continue
            except LedgerError:  # the next event meets the same, and ends the run with a message
                return

    heart = threading.Thread(target=beat, daemon=True)
    ledger.beat(now())
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
        with suppress(LedgerBusy):  # whoever waited for it has said so
            ledger.beat(now(), finished=is_finished(), left=True)


class Engine:
    """Drives one run to its end."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        provider: Provider,
        realtime: Realtime,
        asking: Asking,
        request_states: RequestStates,
        request_files: RequestFiles,
        result_reader: ResultReader,
        model: Model,
        prices: PriceList,
        limits: Limits,
        labels: Mapping[str, str],
        purpose: Purpose,
        budget_usd: Decimal | None,
        shared_budget: SharedBudget,
        timing: Timing,
        clock: Clock,
        observer: Observer,
        workers: Callable[[], Executor] = lambda: Callers(CALLS_AT_ONCE),
    ) -> None:
        """Take up what the ledger knows; `workers` make the calls."""
        self._ledger = ledger
        self._provider = provider
        self._realtime = realtime
        self._asking = asking
        self._request_states = request_states
        self._request_files = request_files
        self._result_reader = result_reader
        self._model = model
        self._prices = prices
        self._limits = limits
        self._labels = dict(labels)
        self._purpose = purpose
        self._budget = budget_usd
        self._shared_budget = shared_budget
        self._timing = timing
        self._clock = clock
        self._observer = observer
        self._workers = workers
        self._batches = {b.key: self._taken_up(b) for b in ledger.batches()}
        self._members = {key: ledger.members(key) for key in self._batches}
        self._running: dict[Future[Any], Action] = {}
        self._began: dict[BatchKey, float] = {}
        """When the call under way for a batch began."""
        self._looked: set[BatchKey] = set()
        self._gone = {key for key, batch in self._batches.items() if self._is_gone(batch)}
        self._cancelled: set[BatchKey] = set()
        """Batches that the user wants to be cancelled while the others go on."""
        self._halted: str | None = None
        self._held: str | None = None
        self._stopping = False
        self._leaves_at: float | None = None
        self._fetching: set[BatchKey] = set()
        """Batches whose results are on their way from the provider."""
        self._sought: set[BatchKey] = set()
        self._cleared: set[BatchKey] = set()
        self._failing: set[BatchKey] = set()
        """Batches that never ran, as the provider says, before their twins were looked for."""

    def _taken_up(self, batch: Batch) -> Batch:
        """Return a batch as a new run finds it: due at once.

        A doubt is waited out anew: the wall clock may have been set between two runs.
        """
        now = self._clock.now()
        batch = replace(batch, next_at=0.0, held_at=None)
        if batch.unsettled_at is not None:
            batch = replace(batch, unsettled_at=min(batch.unsettled_at, now))
            if self._waits:  # the two downloads that have to agree are both its own
                batch = replace(batch, downloads=None)
        if batch.state is not BatchState.SUBMITTING:
            return batch
        return replace(batch, doubted_at=now, fenced_at=None if batch.fenced_at is None else now)

    @property
    def _waits(self) -> bool:
        """Whether this run waits for the provider."""
        return self._purpose in (Purpose.RUN, Purpose.CANCEL)

    @property
    def view(self) -> View:
        """Return the run as it stands."""
        return View(
            counts=self._request_states.counts(),
            batches=tuple(self._batches.values()),
            held=self._held,
            halted=self._halted,
            stopping=self._stopping,
        )

    def stop(self, *, leaving: bool = False) -> None:
        """Start nothing new; finish and record the calls under way, then return.

        Called from a signal handler, so it takes no lock: the main thread may be holding it.

        Args:
            leaving: this process ends now, so that a call nobody answers is left behind after a
                moment: an order is then in doubt, and all else is done again.
        """
        self._stopping = True
        self._realtime.stop()
        if leaving:
            self._ledger.hurry()
            self._leaves_at = self._clock.now() + GRACE_SECONDS

    def run(self) -> View:
        """Do all there is to do; return how the run stands."""
        return self.run_and(lambda view: view)

    def run_and(self, finish: Callable[[View], Finished]) -> Finished:
        """Do all there is to do, and what has to be done in the end, before the heart stops.

        Args:
            finish: makes the result of how the run stands.
        """
        with beating(self._ledger, self._clock.now, lambda: not self._request_states.counts().open):
            self._ledger.summarise(self._summary())
            lanes = _Lanes(self._workers(), self._workers())
            try:
                self._loop(lanes)
            finally:
                self._realtime.close(self._time_left())
                for lane in (lanes.calls, lanes.transfers):
                    lane.shutdown(wait=self._time_left() != 0, cancel_futures=True)
            return finish(self.view)

    def _time_left(self) -> float | None:
        """Return for how many seconds calls are still waited for; None: until they end."""
        if self._leaves_at is None:
            return None
        return max(self._leaves_at - self._clock.now(), 0.0)

    def _leaves(self) -> bool:
        """Tell whether the calls under way are left behind; what works on this machine is not."""
        here = (Verb.PACK, Verb.COLLECT)
        return self._time_left() == 0 and all(
            action.verb not in here or action.batch in self._fetching
            for action in self._running.values()
        )

    def _loop(self, lanes: "_Lanes") -> None:
        while True:
            self._obey()
            with (
                self._shared_budget.lock
            ):  # until what is decided is written down, no other job decides
                next_steps = plan(self._facts(), self._clock.now())
                self._held = next_steps.held
                if next_steps.done or (self._stopping and (not self._running or self._leaves())):
                    self._ledger.summarise(self._summary())
                    return
                if not self._stopping:
                    for action in next_steps.actions:
                        self._start(action, lanes)
            self._observer.tick(self.view)
            self._wait(next_steps)
            for future in [f for f in self._running if f.done()]:
                self._finish(self._running.pop(future), future)

    def _facts(self) -> Facts:
        actions = self._running.values()
        return Facts(
            purpose=self._purpose,
            batches=tuple(self._batches.values()),
            pending=self._request_states.has_pending(),
            busy=frozenset(a.batch for a in actions if a.batch is not None),
            packing=any(a.verb is Verb.PACK for a in actions),
            halted=self._halted,
            limits=self._limits,
            budget_usd=self._budget,
            other_jobs_usd=self._shared_budget.of_others(self._ledger.directory),
            settle_seconds=self._timing.settle,
            looked=frozenset(self._looked),
            gone=frozenset(self._gone),
            cancelled=frozenset(self._cancelled),
            sought=frozenset(self._sought),
            cleared=frozenset(self._cleared),
            failing=frozenset(self._failing),
            tells_inputs=self._provider.tells_inputs,
            fences=self._provider.fences,
            other_jobs=self._shared_budget.load(self._ledger.directory),
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

    # -- obeying: what somebody who watches has left in commands/

    def _obey(self) -> None:
        """Carry out commands; what cannot be done at this moment stays there."""
        folder = self._ledger.directory
        for command in waiting(folder):
            told = self._carry_out(command)
            if told is not None:
                applied, detail = told
                answer(folder, command, applied=applied, detail=detail, now=self._clock.now())

    def _carry_out(self, command: Command) -> tuple[bool, str] | None:
        """Do what a command says; return whether that was possible, and what became of it."""
        verb = CommandVerb(command["verb"])
        if verb is CommandVerb.STOP:
            self.stop()
            return True, "the runner is leaving; batches go on at the provider"
        if verb is CommandVerb.RETRY:
            return self._retry(frozenset(command["requests"]))
        batch = self._batches.get(BatchKey(command.get("batch") or ""))
        if batch is None:
            return False, f"there is no batch {command.get('batch')}"
        if any(action.batch == batch.key for action in self._running.values()):
            return None
        if verb is CommandVerb.CANCEL:
            return self._cancel(batch)
        if verb is CommandVerb.RESUBMIT:
            self._cancelled.discard(batch.key)
            return self._again(self._request_states.give_back(self._members[batch.key]), "withheld")
        return self._decide(batch, verb, command.get("remote"))

    def _retry(self, names: frozenset[str]) -> tuple[bool, str]:
        """Ask failed requests once more: the named ones, or all."""
        count = self._request_states.retry(lambda stem, n: not names or custom_id(stem, n) in names)
        return self._again(count, "failed")

    def _again(self, count: int, which: str) -> tuple[bool, str]:
        if not count:
            return False, f"no request is {which} that could be asked again"
        self._ledger.summarise(self._summary())
        sends = self._purpose in (Purpose.RUN, Purpose.SUBMIT) and self._halted is None
        when = "now" if sends else "by the next run: this one sends nothing"
        return True, f"{count:,} requests are asked again {when}"

    def _cancel(self, batch: Batch) -> tuple[bool, str] | None:
        if batch.state in FINAL_STATES or batch.state is BatchState.ENDED:
            obeyed = batch.key in self._cancelled
            return obeyed, f"{batch.key} is {batch.state}" + ("" if obeyed else " already")
        if batch.state is BatchState.CANCELLING:
            return True, f"{batch.key} is being cancelled; what it has answered is kept and billed"
        if batch.key not in self._cancelled:
            self._cancelled.add(batch.key)
            self._batches[batch.key] = replace(batch, next_at=self._clock.now())
        return None

    def _decide(self, batch: Batch, verb: CommandVerb, remote: str | None) -> tuple[bool, str]:
        now = self._clock.now()
        if batch.realtime:
            return False, f"{batch.key} is asked here, one by one: stop the runner instead"
        try:
            if verb is CommandVerb.ADOPT:
                decided = replace(adopted(batch, remote, now), next_at=now)
            else:
                decided = abandoned(batch, now)
                if decided.state is BatchState.DROPPED:
                    self._set_free(batch)
        except ConfigError as error:
            return False, str(error)
        self._write(decided, verb.value)
        if verb is CommandVerb.ADOPT:
            return True, f"{batch.key} is {decided.remote}"
        left = "what it did not answer is" if batch.found else "its requests are"
        return True, f"{batch.key} is given up; {left} asked again"

    # -- doing: what has to be on disk first is written here, then the call goes to a thread

    def _start(self, action: Action, lanes: "_Lanes") -> None:
        if action.batch is None:
            call: Callable[[], Any] = self._pack
        else:
            self._began[action.batch] = self._clock.now()
            call = self._call(action.verb, self._batches[action.batch])
        lane = lanes.transfers if action.verb in _LONG else lanes.calls
        self._running[lane.submit(call)] = action

    def _call(self, verb: Verb, batch: Batch) -> Callable[[], Any]:
        """Record the intent of an action and return the call to make."""
        provider: Provider | Realtime = self._realtime if batch.realtime else self._provider
        path, remote = self._request_files.path(batch.key), batch.remote or RemoteId("")
        match verb:
            case Verb.STAGE:
                look_first = batch.state is BatchState.STAGING
                self._step(batch, BatchEvent.STAGE)
                name = self._upload_name(batch)
                return lambda: provider.stage(path, name, look_first=look_first)
            case Verb.SUBMIT:
                sent = self._step(
                    batch,
                    BatchEvent.SEND,
                    sent_at=self._clock.now(),
                    doubted_at=None,
                    handle={**batch.handle, "experiment": self._labels["experiment"]},
                )
                labels = {**self._labels, "batch": f"{batch.key}-{batch.send}"}

                def order() -> RemoteId:
                    self._ledger.keep()  # it may have waited in its lane
                    return provider.submit(sent, path, labels)

                return order
            case Verb.FIND | Verb.SEEK:
                others = [b for b in self._batches.values() if b.key != batch.key]
                claimed = {b.remote for b in others if b.remote is not None}
                known = replace(batch, dead=(*batch.dead, *batch.twins))
                return lambda: provider.find(known, path, claimed)
            case Verb.CLEAR:
                return lambda: self._clear(batch)
            case Verb.FENCE:
                return lambda: provider.fence(batch)
            case Verb.POLL if batch.realtime:
                return lambda: self._realtime.poll(remote, self._allowance(batch))
            case Verb.POLL:
                return lambda: provider.poll(remote)
            case Verb.CANCEL:
                return lambda: provider.cancel(remote)
            case Verb.COLLECT:
                return lambda: self._fetch(batch)
            case Verb.FETCH:
                return lambda: self._fetch_again(batch)
            case Verb.DROP | Verb.PACK:
                return lambda: None

    def _clear(self, batch: Batch) -> tuple[dict[str, str], str | None]:
        """Cancel the twins of a batch that are to be, and ask what became of each that is open.

        Returns:
            Every twin's fate, and what went wrong.
        """
        fates, trouble = dict(batch.twins), None
        for name in map(RemoteId, open_twins(batch)):
            try:
                if fates[name] == Fate.FOUND:
                    self._provider.cancel(name)
                    fates[name] = Fate.ASKED.value
                fates[name] = fate_of(fates[name], self._provider.poll(name))
            except ProviderError as error:
                trouble = f"{name}: {error}"
        return fates, trouble

    def _allowance(self, batch: Batch) -> Allowance:
        """Return what is needed to hold a batch to the budget that is asked one by one."""
        price = self._prices.at(realtime=True)
        share = (batch.reserved_usd or Decimal(0)) / batch.count

        def most(span: Span) -> Decimal:
            usd = (
                None
                if price is None
                else self._request_files.highest(span.stem, span.variant, price)
            )
            return share if usd is None else usd

        return Allowance(
            price=price,
            most=lambda: ((most(span), len(span)) for span in self._members[batch.key]),
            room=lambda: self._room_for(batch.key),
            decode=self._result_reader.decode,
        )

    def _room_for(self, key: BatchKey) -> Decimal | None:
        """Return how much a batch may come to, beside all others; None: there is no limit."""
        if self._budget is None:
            return None
        with self._shared_budget.lock:
            others = tuple(batch for batch in self._batches.values() if batch.key != key)
            by_other_jobs = self._shared_budget.of_others(self._ledger.directory)
            return self._budget - committed(others) - by_other_jobs

    def _upload_name(self, batch: Batch) -> str:
        return f"{self._labels['experiment']}-{batch.key}-{batch.send}-{batch.sha256[:16]}.jsonl"

    def _pack(self) -> _Packed:
        key = BatchKey(next_key(self._batches))
        mixed = self._asking.first == self._asking.again
        for again in (None,) if mixed else (True, False):
            realtime = self._asking.again if again else self._asking.first
            spans = next(
                self._request_files.batches(self._request_states.pending(again=again)), None
            )
            if spans is not None:
                if self._provider.found_by_size and not realtime:
                    spans = with_a_size_of_its_own(spans, self._sizes_in_flight())
                return _Packed(key, self._request_files.write(key, spans), realtime)
        return _Packed(key, None, realtime=False)

    def _sizes_in_flight(self) -> set[int]:
        return {b.count for b in self._batches.values() if b.state not in FINAL_STATES}

    def _fetch(self, batch: Batch) -> _Fetched:
        """Store the result files as they are, then read them from disk.

        A download may end early without an error, and a file may come later than the word that all
        is over. Files that are not believed keep a name of their own, the fullest ones; a file
        under its final name is whole and is never fetched again.
        """
        fetch = self._kept if batch.abandoned_at is not None else self._store
        stored = {name: fetch(batch, name) for name in sorted(batch.files, reverse=True)}
        paths = [final if final.exists() else part for final, part in stored.values()]
        reading = self._result_reader.read(batch, self._members[batch.key], paths)
        hashes = dict(zip(stored, map(file_sha256, paths), strict=True))
        found = found_in(reading.tally, reading.missing, batch.rest, reading.notices)
        end = End.WHOLE if batch.abandoned_at is not None else judge(batch, found)
        doubt = None if self._believes(batch, end, hashes) else contradiction(batch, found)
        for final, part in stored.values():
            if doubt is not None:
                _keep_the_fullest(part, _kept_of(final))
            elif part.exists():
                settle(part, final)
                _kept_of(final).unlink(missing_ok=True)
        return _Fetched(reading=reading, hashes=hashes, found=found.lines, doubt=doubt, end=end)

    def _fetch_again(self, batch: Batch) -> None:
        """Put result files back that were collected and are gone, if the provider still has them.

        Raises:
            ProviderError: it does not, or what it has now is something else.
        """
        for name in batch.raw:
            if self._raw(batch, name).exists():
                continue
            if name not in batch.files:
                raise ProviderRefused(f"nobody knows where {self._raw(batch, name)} came from")
            final, part = self._store(batch, name)
            if file_sha256(part) != batch.raw[name]:
                settle(part, _kept_of(final))
                raise ProviderRefused(
                    f"what the provider has now is not {final}: it is kept beside it as .kept"
                )
            settle(part, final)

    def _believes(self, batch: Batch, end: End, hashes: Mapping[str, str]) -> bool:
        """Tell whether result files are believed to be all there is."""
        since = batch.unsettled_at
        settled = since is not None and self._began[batch.key] >= since + self._timing.settle
        unchanged = end is End.UNPROVEN and hashes == batch.downloads
        return end is End.WHOLE or (settled and unchanged)

    def _store(self, batch: Batch, name: str) -> tuple[Path, Path]:
        """Fetch a result file, unless it is here; return its final name and that of a fresh one."""
        final = self._raw(batch, name)
        part = final.with_name(final.name + ".part")
        if not final.exists():
            make_folder(final.parent)
            service = self._realtime if batch.realtime else self._provider
            with fresh(part) as sink:
                self._fetching.add(batch.key)
                try:
                    service.download(batch.files[name], sink)
                    if self._time_left() == 0:
                        raise ProviderSilent(f"{part} was left behind")
                finally:
                    self._fetching.discard(batch.key)
        return final, part

    def _kept(self, batch: Batch, name: str) -> tuple[Path, Path]:
        """Return a result file's names as `_store` does; it is as full as it will ever be."""
        final = self._raw(batch, name)
        kept = _kept_of(final)
        if not final.exists() and not kept.exists():
            make_folder(final.parent)
            with fresh(kept):
                pass
        return final, kept

    def _is_gone(self, batch: Batch) -> bool:
        """Tell whether result files that were collected are not here any more."""
        known = batch.raw if batch.state is BatchState.COLLECTED and not batch.realtime else ()
        return any(not self._raw(batch, name).exists() for name in known)

    def _raw(self, batch: Batch, name: str) -> Path:
        return self._ledger.directory / "raw" / f"{batch.key}.{name}.jsonl"

    # -- recording: what a call brought, one event and one ledger transaction each

    def _finish(self, action: Action, future: Future[Any]) -> None:
        try:
            result = future.result()
        except ProviderError as error:
            self._failed(action, error)
            return
        if action.batch is None:
            self._packed(result)
            return
        batch = self._batches[action.batch]
        if action.verb not in _BESIDE:
            self._looked.add(batch.key)
        self._brought(action.verb, batch, result)

    def _brought(self, verb: Verb, batch: Batch, result: Any) -> None:
        """Record what a call about a batch brought."""
        match verb:
            case Verb.STAGE:
                self._step(batch, BatchEvent.STAGED, handle=dict(result), **_WELL)
            case Verb.SUBMIT:
                self._accepted(batch, result)
            case Verb.FIND:
                self._found(batch, result)
            case Verb.SEEK:
                self._after_seeking(batch, result)
            case Verb.CLEAR:
                self._after_clearing(batch, *result)
            case Verb.FENCE:
                now = self._clock.now()
                self._note(
                    batch, "fenced", fenced_at=now, next_at=now + self._timing.settle, **_WELL
                )
            case Verb.POLL:
                self._progressed(batch, result)
            case Verb.CANCEL:
                self._step(batch, BatchEvent.CANCEL, next_at=self._clock.now(), **_WELL)
            case Verb.DROP:
                self._set_free(batch)
                self._step(batch, BatchEvent.CANCEL)
            case Verb.COLLECT:
                self._fetched(batch, result)
            case Verb.FETCH:
                self._gone.discard(batch.key)
                self._write(batch, "fetched again")
            case Verb.PACK:
                pass

    def _set_free(self, batch: Batch) -> None:
        """Let the requests of a batch that never ran be asked again; later, if the user cancelled it."""
        self._request_states.release(self._members[batch.key])
        if batch.key in self._cancelled:
            self._request_states.withhold(self._members[batch.key])

    def _packed(self, packed: _Packed) -> None:
        file = packed.file
        if file is None:
            return
        high = estimate(
            self._prices.at(realtime=packed.realtime),
            file.sizes,
            self._model.expected_output_tokens,
            self._model.max_output_tokens,
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
        self._request_states.depart(file.spans)
        self._members[batch.key] = file.spans
        self._write(batch, "packed", members=file.spans)

    def _accepted(self, batch: Batch, remote: RemoteId, **changes: Any) -> None:
        now = self._clock.now()
        self._step(
            batch,
            BatchEvent.ACCEPTED,
            remote=remote,
            accepted_at=now,
            kept_until=self._kept_until(batch, now),
            next_at=now + self._pause(0),
            polls=0,
            looks=0,
            unsettled_at=None,
            held_at=None,
            candidates=(),
            remote_state=None,
            total=None,
            completed=None,
            failed=None,
            sought_at=None,
            **_WELL,
            **changes,
        )

    def _kept_until(self, batch: Batch, accepted_at: float) -> float | None:
        """Return when the results are thrown away; counted from the order, to be on the safe side."""
        days = self._limits.results_days
        if days is None or batch.realtime:
            return None
        return (batch.sent_at or accepted_at) + days * DAY

    def _found(self, batch: Batch, made: Made | None) -> None:
        now, settle = self._clock.now(), self._timing.settle
        if made is not None:
            twins = {**fates_of(made, made.remote), **batch.twins}
            self._accepted(batch, made.remote, twins=twins)
            self._cleared.discard(batch.key)
        elif absence_is_proved(batch, settle, self._began[batch.key], fences=self._provider.fences):
            self._step(batch, BatchEvent.ABSENT, next_at=now, **_anew(batch), **_WELL)
        else:
            self._note(
                batch,
                "not found yet",
                looks=batch.looks + 1,
                candidates=(),
                next_at=max(
                    now, min(now + self._pause(batch.looks), doubt_settles_at(batch, settle))
                ),
            )

    def _after_seeking(self, batch: Batch, made: Made | None) -> None:
        """Take note of the twins of a batch; the one that is furthest is the batch from now on."""
        now, taken = self._clock.now(), batch.remote
        self._failing.discard(batch.key)
        if made is not None and batch.state is BatchState.RUNNING and taken in made.twins:
            taken = made.remote
        fates = {} if made is None else fates_of(made, taken)
        moved = replace(batch, twins={**fates, **batch.twins}, sought_at=now, **_WELL)
        if taken != batch.remote:
            moved = replace(moved, remote=taken, polls=0, remote_state=None, next_at=now)
        if fates:
            self._cleared.discard(batch.key)
        self._write(moved, "twins" if fates else "sought", error=in_words(moved) if fates else None)

    def _after_clearing(self, batch: Batch, fates: dict[str, str], trouble: str | None) -> None:
        self._cleared.add(batch.key)
        moved = replace(batch, twins=fates)
        said = in_words(moved)
        if trouble is not None:
            said = f"{said}; {trouble}; run again to try again"
        self._write(moved, "twins" if trouble or fates != batch.twins else None, error=said)

    def _must_be_sought(self, batch: Batch, event: BatchEvent) -> bool:
        """Tell whether a batch that never ran may run under another name, which nobody looked for.

        A gateway that repeats an order returns the last batch, which may have failed for want of
        the room that the first one took.
        """
        never_ran = event not in (BatchEvent.END, BatchEvent.PROGRESS)
        return never_ran and is_unsought(batch) and self._provider.tells_inputs

    def _progressed(self, batch: Batch, progress: Progress) -> None:
        now = self._clock.now()
        known: dict[str, Any] = {
            "polled_at": now,
            "polls": batch.polls + 1,
            "next_at": now + self._until_next_look(batch, progress),
            "remote_state": progress.state,
            "rest": progress.rest,
            "total": progress.total,
            "completed": progress.completed,
            "failed": progress.failed,
            "expires_at": progress.expires_at,
            "tries": 0,
            "error": progress.message,
            "bound_usd": progress.bound_usd,
        }
        event = _meaning(batch, BatchEvent(progress.event))
        if batch.state is BatchState.ENDED:
            self._said_again(batch, event, known, progress)
            return
        if self._must_be_sought(batch, event) and batch.key not in self._sought:
            self._failing.add(batch.key)
            self._looked.discard(batch.key)
            return
        known |= {"held_at": None} if batch.looks else _SETTLED
        if event is BatchEvent.END:
            known |= {"files": dict(progress.files), "ended_at": now, "next_at": now}
        elif event is not BatchEvent.PROGRESS:  # it never ran, and never will
            known |= {"remote": None, "dead": (*batch.dead, str(batch.remote)), "polls": 0}
        if progress.event == BatchEvent.DEFERRED:
            known["next_at"] = now + self._timing.longest
        if event is BatchEvent.ABSENT:
            known |= _anew(batch)
        elif event is BatchEvent.END and progress.state == "refused":
            self._halted = f"the provider refused {batch.key}: {progress.message}"
        elif event is BatchEvent.REFUSED:
            self._set_free(batch)
            self._halted = f"{batch.key} failed at the provider: {progress.message}"
        self._step(batch, event, **known)
        if event is BatchEvent.END:
            self._wake_deferred(now)

    def _said_again(
        self, batch: Batch, event: BatchEvent, known: dict[str, Any], progress: Progress
    ) -> None:
        """Take up what the provider says now of a batch whose end was found wanting."""
        if event not in (BatchEvent.END, BatchEvent.PROGRESS):
            self._unsettled(batch, f"it had ended, and now the provider says {progress.state}")
            return
        for name in ("total", "completed", "failed"):  # a count that was there stays
            known[name] = getattr(batch, name) if known[name] is None else known[name]
        known |= {"error": batch.error, "tries": batch.tries, "is_stale": False}
        if event is BatchEvent.END:
            known |= {"files": {**batch.files, **progress.files}, "next_at": self._clock.now()}
        else:
            known |= {"ended_at": None, "held_at": None}
        moved = replace(batch, state=next_state(batch.state, event), **known)
        same = event is BatchEvent.END and moved.remote_state == batch.remote_state
        self._write(moved, None if same else event.value)

    def _unsettled(
        self, batch: Batch, doubt: str, *, compares: bool = False, **changes: Any
    ) -> None:
        """Take note of what contradicts what: it is looked at again, ever later, and held in the end.

        Nothing of it is ordered again. A run that waits waits for it over the settle time; after
        that it goes on being looked at while there is anything else to wait for.

        Args:
            batch: what was looked at.
            doubt: what contradicts what.
            compares: whether one more download, to compare with this one, may settle it.
            changes: what else is new.
        """
        now = self._clock.now()
        since = now if batch.unsettled_at is None else batch.unsettled_at
        left = max(since + self._timing.settle - now, 0.0)
        late = self._began[batch.key] >= since + self._timing.settle
        held = (late and not compares) or not self._waits
        found = changes.get("found", batch.found)
        error = f"{doubt}; {way_out(batch, found)}" if held else doubt
        least = min(LEAST_PAUSE, self._timing.settle / 10)
        pause = max(min(self._pause(batch.looks + batch.tries), left), least)
        moved = replace(
            batch,
            unsettled_at=since,
            held_at=(batch.held_at or now) if held else None,
            is_stale=batch.state is BatchState.ENDED,
            error=error,
            next_at=now + (self._timing.longest if held else pause),
            **changes,
        )
        what = "held" if held else "unsettled"
        self._write(moved, None if error == batch.error else what, error=error)

    def _wake_deferred(self, now: float) -> None:
        """Let batches that wait for room try again: one has just ended."""
        for batch in self._batches.values():
            if batch.state is BatchState.STAGED and batch.dead:
                self._batches[batch.key] = replace(batch, next_at=now)

    def _fetched(self, batch: Batch, fetched: _Fetched) -> None:
        if fetched.doubt is None:
            self._collected(batch, fetched.reading, fetched.hashes)
            return
        found = max(batch.found, fetched.found)
        self._unsettled(
            batch,
            fetched.doubt,
            compares=fetched.end is End.UNPROVEN and batch.downloads is None,
            looks=batch.looks + 1,
            downloads=fetched.hashes,
            found=found,
        )

    def _collected(self, batch: Batch, reading: BatchReading, raw: Mapping[str, str]) -> None:
        self._request_states.arrive(self._members[batch.key], reading.outcomes)
        if batch.key in self._cancelled:
            self._request_states.withhold(self._members[batch.key], reading.outcomes)
        collected = replace(
            batch,
            state=next_state(batch.state, BatchEvent.COLLECT),
            collected_at=self._clock.now(),
            raw=raw,
            **readings_of(reading),
            **_WELL,
            **_SETTLED,
        )
        if (why := stops_for(batch, reading)) is not None:
            self._halted = why
            collected = replace(collected, error=_words_of(reading))
        self._write(collected, BatchEvent.COLLECT.value, outcomes=reading.outcomes)
        self._sought.discard(batch.key)
        self._cleared.discard(batch.key)

    def _failed(self, action: Action, error: ProviderError) -> None:
        """Record a call that brought nothing."""
        assert action.batch is not None
        batch = self._batches[action.batch]
        now = self._clock.now()
        wait_for = self._pause(batch.tries)
        wait_for = after_refusal(error.retry_after, wait_for, self._timing.longest_retry_after)
        changes: dict[str, Any] = {
            "error": str(error),
            "tries": batch.tries + 1,
            "next_at": now + wait_for,
        }
        if isinstance(error, ProviderUndecided):
            changes["candidates"] = error.candidates
        if action.verb is Verb.SEEK:
            self._not_sought(batch, error, now + wait_for)
            return
        self._looked.add(batch.key)
        if action.verb is Verb.FETCH:
            self._write(batch, "fetch failed", error=str(error))
            return
        refused = isinstance(error, ProviderRefused)
        forgotten = isinstance(error, ProviderRefused) and error.forgotten
        if forgotten and action.verb in (Verb.POLL, Verb.CANCEL):
            doubt = f"the provider does not know {batch.remote} any more ({error})"
            self._unsettled(batch, doubt, tries=batch.tries + 1)
            return
        if action.verb is Verb.COLLECT and refused:
            doubt = f"its result files cannot be fetched ({error})"
            self._unsettled(batch, doubt, tries=batch.tries + 1)
            return
        changes["held_at"] = None  # only what the provider said is a reason not to wait
        if not batch.looks:
            changes["unsettled_at"] = None
        sending = action.verb in (Verb.STAGE, Verb.SUBMIT)
        if sending and isinstance(error, ProviderBusy):
            self._step(batch, BatchEvent.DEFERRED, **changes)
        elif sending and refused:
            self._halted = f"the provider refused {batch.key}: {error}"
            self._step(batch, BatchEvent.REFUSED, **changes | _anew(batch))
        else:
            if action.verb is Verb.SUBMIT:
                changes["doubted_at"] = now
            undecided = isinstance(error, ProviderUndecided)
            what = "undecided" if undecided else f"{action.verb.value} failed"
            said = batch.tries > 0 and batch.error == changes["error"]
            self._write(replace(batch, **changes), None if said else what, error=str(error))

    def _not_sought(self, batch: Batch, error: ProviderError, again_at: float) -> None:
        """Record that twins could not be looked for; what never ran waits until they can be.

        Where the service has no list, or nothing hangs on it, that is not tried again in this run.
        """
        has_no_list = isinstance(error, ProviderRefused) and batch.tries >= REFUSALS_OF_A_LIST
        if batch.key in self._failing and not has_no_list:
            batch = replace(batch, tries=batch.tries + 1, next_at=again_at)
        else:
            self._failing.discard(batch.key)
            self._sought.add(batch.key)
        self._write(batch, "seek failed", error=str(error))

    def _until_next_look(self, batch: Batch, progress: Progress) -> float:
        """Return the seconds until a batch is looked at again."""
        pause = self._pause(batch.polls + 1)
        if progress.wait is None:
            return pause
        return (
            progress.wait
            if batch.realtime
            else max(pause, min(progress.wait, self._timing.longest))
        )

    def _pause(self, tries: int) -> float:
        return backoff(tries, self._timing.first, self._timing.longest, self._clock.jitter())

    def _step(self, batch: Batch, event: BatchEvent, **changes: Any) -> Batch:
        """Apply one event of the state table and write it."""
        moved = replace(batch, state=next_state(batch.state, event), **changes)
        same = event is BatchEvent.PROGRESS and moved.remote_state == batch.remote_state
        quiet = same and (moved.error is None or batch.error is not None)
        self._write(moved, None if quiet else event.value, error=changes.get("error"))
        return moved

    def _note(self, batch: Batch, what: str, **changes: Any) -> None:
        """Write something that moves no state."""
        self._write(replace(batch, **changes), what, error=changes.get("error"))

    def _write(
        self, batch: Batch, what: str | None, *, error: str | None = None, **rows: Any
    ) -> None:
        with self._shared_budget.lock:  # who asks one by one looks at them, too
            self._batches[batch.key] = batch
            self._shared_budget.settle(self._ledger.directory, tuple(self._batches.values()))
        event = None
        if what is not None:
            event = happened(batch, what, self._clock.now(), error)
        self._ledger.record(batch, summary=self._summary(), event=event, **rows)
        if event is not None:
            self._observer.happened(event)

    def _summary(self) -> dict[str, Any]:
        return {
            **summary(self._request_states.counts(), tuple(self._batches.values())),
            "held": self._held,
            "halted": self._halted,
        }


def _meaning(batch: Batch, event: BatchEvent) -> BatchEvent:
    """Return what 'it never ran' means for a batch that we fenced or are cancelling."""
    if event not in (BatchEvent.REFUSED, BatchEvent.DEFERRED):
        return event
    if batch.fenced_at is not None:
        return BatchEvent.ABSENT  # its input is gone: it has to be handed over again
    return BatchEvent.REFUSED if batch.state is BatchState.CANCELLING else event


def _anew(batch: Batch) -> dict[str, Any]:
    """Return the changes that start a batch's sending from the beginning, with a new input."""
    return {
        "send": batch.send + 1,
        "handle": {},
        "looks": 0,
        "fenced_at": None,
        "candidates": (),
    }


def happened(batch: Batch, what: str, at: float, error: str | None = None) -> dict[str, Any]:
    """Return one event as the ledger keeps it."""
    return {
        "at": at,
        "batch": batch.key,
        "event": what,
        "state": batch.state.value,
        "remote": batch.remote,
        "remote_state": batch.remote_state,
        "requests": batch.count,
        "tally": dict(batch.tally),
        "error": error,
    }


_WELL: dict[str, Any] = {"tries": 0, "error": None}
"""What a call that went well clears."""

_SETTLED: dict[str, Any] = {
    "unsettled_at": None,
    "is_stale": False,
    "downloads": None,
    "found": 0,
    "held_at": None,
    "looks": 0,
}
"""What an end without contradictions clears."""


def _kept_of(final: Path) -> Path:
    """Return where a result file stands while it is not believed to be whole."""
    return final.with_name(final.name + ".kept")


def _keep_the_fullest(part: Path, kept: Path) -> None:
    """Keep the larger of two downloads of one file: one that is cut begins as the other does."""
    if not part.exists():
        return
    if kept.exists() and kept.stat().st_size > part.stat().st_size:
        part.unlink()
    else:
        settle(part, kept)


def _words_of(reading: BatchReading) -> str | None:
    stops = (Outcome.DENIED.value, Outcome.UNREADABLE.value, Outcome.ERRORED.value)
    return next((reading.reasons[name] for name in stops if name in reading.reasons), None)


def stops_for(batch: Batch, reading: BatchReading) -> str | None:
    """Return why nothing more is to be sent after these results; None when all is well."""
    denied = reading.tally.get(Outcome.DENIED.value)
    if denied:
        return (
            f"{batch.key}: {denied:,} of {batch.count:,} requests were refused, whatever they ask: "
            f"{reading.reasons.get(Outcome.DENIED.value)}; nothing more is sent, and they wait: mend "
            "the cause and run the same command again"
        )
    unreadable = reading.tally.get(Outcome.UNREADABLE.value)
    if unreadable:
        return (
            f"{batch.key}: {unreadable:,} of {batch.count:,} results cannot be read: "
            f"{reading.reasons.get(Outcome.UNREADABLE.value)}; nothing more is sent: they are kept in "
            "raw/ and may be billed, so that only action=retry asks them again"
        )
    if reading.errors_alike:
        return (
            f"{batch.key}: all {batch.count:,} requests came back with the same error: "
            f"{reading.reasons.get(Outcome.ERRORED.value)}; nothing more is sent for now, and they "
            "wait: run the same command again"
        )
    return None


def readings_of(reading: BatchReading) -> dict[str, Any]:
    """Return what a batch's record keeps of its reading."""
    return {
        "patterns": reading.patterns,
        "causes": reading.causes,
        "notices": reading.notices,
        "models": reading.models,
        "usage": reading.usage,
        "cost_usd": reading.cost_usd,
        "known_usd": reading.known_usd,
        "cost_unknown": reading.cost_unknown,
        "held_usd": reading.held_usd,
        "tally": reading.tally,
    }
