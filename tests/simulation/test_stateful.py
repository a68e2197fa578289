"""Hypothesis plays provider, network and power switch, and looks for a sequence that breaks a promise.

What it finds it shrinks to the shortest one. The faults are chosen one by one, not by dice.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from runner.core import transition
from runner.core.errors import ProviderBusy
from tests.simulation.simulation import LATEST, MEMORY, Broken, Life, _simulated
from tests.simulation.weather import Weather
from tests.variants import first

FAULTS = (
    *("unreachable", "busy", "down", "not found", "never arrives", "arrives late", "reply lost"),
    *("bad gateway", "garbage", "cut short", "disk full", "asleep", "stopped"),
    *("files named late", "cut the same way", "usage unknown"),
)

LOCAL = ("disk full", "asleep", "stopped")
MISFORTUNES = st.tuples(
    st.sampled_from(FAULTS), st.sampled_from(["POST", "GET", "batches"]), st.integers(0, 3)
)
"""What goes wrong, at which calls, and how many of those go well before."""


class Script(Weather):
    """Faults that strike where they were told to, and nowhere else."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.faults_left = self.twists_left = 0
        self.coming: list[list[Any]] = []
        self.next_kill = 0

    def strikes(self, what: str) -> bool:
        for fault in self.coming:
            kind, call, _ = fault
            if what.startswith(kind) and (call in what or kind in LOCAL):
                fault[2] -= 1
                if fault[2] < 0:
                    self.coming.remove(fault)
                    self.log.append(what)
                    return True
        return False

    twists = strikes

    def begin_process(self) -> None:
        self.dead, self.points = False, 0
        self.kill_at, self.next_kill = self.next_kill, 0


class Lives(RuleBasedStateMachine):
    """One run, whose processes and misfortunes Hypothesis chooses."""

    provider = "openai"

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()

    @initialize()
    def begin(self) -> None:
        name = self.stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY))
        self.calm = Life(self.provider, 1, Path(name, "calm"), calm=True)
        self.calm.live()
        self.life = Life(self.provider, 1, Path(name, "life"), calm=True)
        self.script = Script(1, LATEST[self.provider], time=self.life.weather.time)
        self.life.weather = self.life.network._weather = self.script
        self.stack.enter_context(_simulated(self.life))

    @rule(wrong=st.lists(MISFORTUNES, max_size=4), kill_at=st.just(0) | st.integers(1, 90))
    def a_process_runs(self, wrong: list[tuple[str, str, int]], kill_at: int) -> None:
        self.script.coming += [list(one) for one in wrong]
        self.script.next_kill = kill_at
        self.script.begin_process()
        self.life._process()

    @rule(hours=st.sampled_from([-11, -1, 1, 11]))
    def somebody_sets_the_clock(self, hours: int) -> None:
        self.script.time.off_by += hours * 3600

    @rule(seconds=st.sampled_from([1, 30, 40_000]))
    def time_passes(self, seconds: int) -> None:
        self.script.time.advance(seconds)

    @invariant()
    def nothing_is_paid_twice_and_nothing_is_lost(self) -> None:
        if hasattr(self, "life"):
            self.life.network.let_the_emulator_work()
            self.life.check()

    def teardown(self) -> None:
        try:
            if hasattr(self, "life"):
                self.script.coming.clear()
                for _ in range(20):
                    self.script.begin_process()
                    process = self.life._process()
                    if process.counts is not None and not process.counts.open:
                        break
                else:
                    raise Broken("not finished in calm weather")
                self.life.check_in_the_end()
                assert self.life.values() == self.calm.values()
        finally:
            self.stack.close()


class AnthropicLives(Lives):
    provider = "anthropic"


SOME = settings(
    max_examples=6,
    stateful_step_count=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.long
@pytest.mark.parametrize("machine", first(1, [Lives, AnthropicLives]))
def test_no_sequence_of_misfortunes_breaks_a_promise(machine):
    run_state_machine_as_test(machine, settings=SOME)


@pytest.mark.soak
def test_a_runner_that_sends_again_on_doubt_is_found_out(monkeypatch):
    failed = transition._failed

    def mutated(batch, verb, error, *rest):
        return failed(batch, verb, ProviderBusy(str(error)), *rest)

    monkeypatch.setattr(transition, "_failed", mutated)
    with pytest.raises((Broken, AssertionError)):
        run_state_machine_as_test(
            Lives, settings=settings(SOME, max_examples=60, phases=[Phase.generate])
        )
