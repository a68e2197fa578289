"""Carries out the commands that the dashboard, or another command line, left in commands/."""

from collections.abc import Callable
from dataclasses import replace

from runner.core.custom_id import custom_id
from runner.core.errors import ConfigError
from runner.core.model import Batch, BatchKey
from runner.core.states import FINAL_STATES, BatchState
from runner.core.transition import Mark
from runner.run.resolve import abandoned, adopted
from runner.run.run_state import RunState
from runner.storage.commands import Command, CommandVerb, answer, waiting


class Control:
    """What a running engine does when it is told to."""

    def __init__(
        self,
        state: RunState,
        *,
        sends: bool,
        stop: Callable[[], None],
        is_busy: Callable[[BatchKey], bool],
    ) -> None:
        """Keep what commands act on.

        Args:
            state: the run's.
            sends: whether this run sends anything.
            stop: lets the engine leave.
            is_busy: whether a call about a batch is under way; such a command waits.
        """
        self._state = state
        self._sends = sends
        self._stop = stop
        self._is_busy = is_busy

    def obey(self) -> None:
        """Carry out what is waiting; what cannot be done at this moment stays there."""
        folder = self._state.ledger.directory
        for command in waiting(folder):
            told = self._carry_out(command)
            if told is not None:
                applied, detail = told
                now = self._state.clock.now()
                answer(folder, command, applied=applied, detail=detail, now=now)

    def _carry_out(self, command: Command) -> tuple[bool, str] | None:
        """Do what a command says; return whether that was possible, and what became of it."""
        verb = CommandVerb(command["verb"])
        if verb is CommandVerb.STOP:
            self._stop()
            return True, "the runner is leaving; batches go on at the provider"
        if verb is CommandVerb.RETRY:
            return self._retry(frozenset(command["requests"]))
        batch = self._state.batches.get(BatchKey(command.get("batch") or ""))
        if batch is None:
            return False, f"there is no batch {command.get('batch')}"
        if self._is_busy(batch.key):
            return None
        if verb is CommandVerb.CANCEL:
            return self._cancel(batch)
        if verb is CommandVerb.RESUBMIT:
            self._state.mark(batch.key, Mark.CANCELLED, is_set=False)
            given_back = self._state.requests.give_back(self._state.members(batch.key))
            return self._again(given_back, "withheld")
        return self._decide(batch, verb, command.get("remote"))

    def _retry(self, names: frozenset[str]) -> tuple[bool, str]:
        """Ask failed requests once more: the named ones, or all."""
        count = self._state.requests.retry(lambda stem, n: not names or custom_id(stem, n) in names)
        return self._again(count, "failed")

    def _again(self, count: int, which: str) -> tuple[bool, str]:
        if not count:
            return False, f"no request is {which} that could be asked again"
        self._state.asked_again()
        sends = self._sends and self._state.halted is None
        when = "now" if sends else "by the next run: this one sends nothing"
        return True, f"{count:,} requests are asked again {when}"

    def _cancel(self, batch: Batch) -> tuple[bool, str] | None:
        is_cancelled = Mark.CANCELLED in self._state.marks(batch.key)
        if batch.state in FINAL_STATES or batch.state is BatchState.ENDED:
            return is_cancelled, f"{batch.key} is {batch.state}" + (
                "" if is_cancelled else " already"
            )
        if batch.state is BatchState.CANCELLING:
            return True, f"{batch.key} is being cancelled; what it has answered is kept and billed"
        if not is_cancelled:
            self._state.mark(batch.key, Mark.CANCELLED)
            self._state.wake(batch.key)
        return None

    def _decide(self, batch: Batch, verb: CommandVerb, remote: str | None) -> tuple[bool, str]:
        now = self._state.clock.now()
        if batch.realtime:
            return False, f"{batch.key} is asked here, one by one: stop the runner instead"
        try:
            if verb is CommandVerb.ADOPT:
                decided = replace(adopted(batch, remote, now), next_at=now)
            else:
                decided = abandoned(batch, now)
        except ConfigError as error:
            return False, str(error)
        if decided.state is BatchState.DROPPED:
            self._state.set_free(batch.key)
        self._state.decide(decided, verb.value)
        if verb is CommandVerb.ADOPT:
            return True, f"{batch.key} is {decided.remote}"
        left = "what it did not answer is" if batch.found else "its requests are"
        return True, f"{batch.key} is given up; {left} asked again"
