"""The loop: ask core.plan what is next, do it, write down what came of it.

The intent is on disk before a call that costs money is made, and no such call is made twice: a
reply that never came leaves the batch *submitting*, and the plan asks the provider.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from runner.core.call_results import CallResult, Failed
from runner.core.cost import estimate
from runner.core.errors import ProviderError
from runner.core.model import Batch, BatchKey
from runner.core.plan import Action, Facts, Plan, Purpose, Verb, plan
from runner.core.states import BatchState
from runner.core.transition import Mark, Moment, Terms, after
from runner.run.callers import Callers
from runner.run.calls import Calls, Packed
from runner.run.control import Control
from runner.run.heartbeat import heartbeat
from runner.run.run_state import RunState, Snapshot
from runner.run.spec import RunSpec

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
"""What works on this machine, except for a download."""


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
        calls: Calls,
        workers: Callable[[], Executor] = lambda: Callers(CALLS_AT_ONCE),
    ) -> None:
        """Take up a run.

        Args:
            spec: what to do.
            state: how it stands.
            calls: makes the calls.
            workers: makes the threads, in each lane, in which calls are made.
        """
        self._spec = spec
        self._state = state
        self._calls = calls
        self._workers = workers
        self._clock = state.clock
        self._terms = Terms(
            timing=spec.timing,
            waits=spec.purpose.waits,
            fences=calls.provider.fences,
            tells_inputs=calls.provider.tells_inputs,
            results_days=spec.limits.results_days,
            deadline=spec.late_at,
        )
        self._control = Control(
            state, sends=spec.purpose.sends, stop=self.stop, is_busy=self._is_busy
        )
        self._running: dict[Future[Any], Action] = {}
        self._began: dict[BatchKey, float] = {}
        """When the call under way for a batch began."""
        for batch in state.batches.values():
            if calls.downloads.is_gone(batch):
                state.mark(batch.key, Mark.GONE)

    @property
    def snapshot(self) -> Snapshot:
        """Return the run as it stands."""
        return replace(self._state.snapshot(), deadline=self._spec.deadline)

    def stop(self, *, leaving: bool = False) -> None:
        """Start nothing new; finish and record the calls under way, then return.

        Called from a signal handler, so it takes no lock: the main thread may be holding it.

        Args:
            leaving: this process ends now, so that an unanswered call is left behind after a
                moment: an order is then in doubt, and all else is done again.
        """
        self._calls.realtime.stop()
        self._state.stop(grace_seconds=GRACE_SECONDS if leaving else None)

    def run(self) -> Snapshot:
        """Do all there is to do; return how the run stands."""
        return self.run_and(lambda snapshot: snapshot)

    def run_and(self, finish: Callable[[Snapshot], Finished]) -> Finished:
        """Do all there is to do, and what has to be done in the end, with the heartbeat going on.

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
                self._calls.realtime.close(self._state.time_left())
                for lane in (lanes.calls, lanes.transfers):
                    lane.shutdown(wait=self._state.time_left() != 0, cancel_futures=True)
            return finish(self.snapshot)

    def _leaves(self) -> bool:
        """Tell whether the calls under way are left behind; work on this machine is finished."""
        return self._state.time_left() == 0 and all(
            action.verb not in _HERE
            or (action.batch is not None and self._calls.downloads.is_under_way(action.batch))
            for action in self._running.values()
        )

    def _loop(self, lanes: _Lanes) -> None:
        while True:
            self._control.obey()
            if self._spec.purpose is not Purpose.CANCEL:
                self._state.admit()
            with self._state.deciding():
                next_steps = plan(self._facts(), self._clock.now())
                self._state.hold(next_steps.held)
                if next_steps.done or (
                    self._state.stopping and (not self._running or self._leaves())
                ):
                    self._state.summarise()
                    return
                if not self._state.stopping:
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
            pending=state.has_pending(),
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
            held_back=state.held_back(),
            sought=state.marked(Mark.SOUGHT),
            cleared=state.marked(Mark.CLEARED),
            failing=state.marked(Mark.FAILING),
            tells_inputs=self._terms.tells_inputs,
            fences=self._terms.fences,
            idempotent=self._calls.provider.idempotent,
            repeatable=state.marked(Mark.REPEATABLE),
            too_few=state.too_few,
            other_jobs=state.load_of_others(),
            deadline=self._spec.late_at,
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
            call: Callable[[], Any] = self._calls.pack
        else:
            began = self._began[action.batch] = self._clock.now()
            call = self._calls.call(action.verb, self._state.batches[action.batch], began)
        lane = lanes.transfers if action.verb in _LONG else lanes.calls
        self._running[lane.submit(call)] = action

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

    def _packed(self, packed: Packed) -> None:
        file, spec = packed.file, self._spec
        if file is None:
            self._state.lack(packed.too_few, packed.as_of)
            return
        high = estimate(
            spec.prices.at(realtime=packed.realtime),
            file.weights.items(),
            spec.model.expected_output_tokens,
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
