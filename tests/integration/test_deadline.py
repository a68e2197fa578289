"""A run with a deadline, on a real ledger: nothing is paid twice, and no paid answer is lost."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import pytest

from runner.core.deadline import Deadline
from runner.core.errors import ProviderBusy, ProviderSilent
from runner.core.model import Progress, RemoteId
from runner.core.notices import Need
from runner.core.states import Outcome
from runner.run.notify import needs
from runner.run.run import Run
from tests.integration.test_engine import GOOD, Clock, Talker, engine, finished

START = Clock().time
SIX = Deadline("06:00", START + 30)
TWO_BATCHES = [
    "provider.limits.requests=3",
    "provider.limits.margin=0",
    "provider.limits.batches_in_flight=1",
]


class Slow(Talker):
    """A service whose batches never end by themselves; one that is cancelled has so many answers."""

    def __init__(self, run: Run, script: Mapping[str, list] | None = None) -> None:
        super().__init__(run, script)
        self.done = 0
        self.cancelled: list[str] = []

    def poll(self, remote: RemoteId) -> Progress:
        self._next("poll")
        if remote not in self.cancelled:
            return Progress(state="in_progress", event="progress")
        name = self.batches[remote]
        del self.files[name][self.done :]
        whole = self.done >= 6
        return Progress(
            state="completed" if whole else "cancelled",
            event="end",
            completed=self.done,
            failed=0,
            files={"output": name} if self.done else {},
            rest=Outcome.MISSING if whole else Outcome.CANCELLED,
        )

    def cancel(self, remote: RemoteId) -> None:
        self._next("cancel")
        self.cancelled.append(remote)


def slow(tmp_path, script=None, **more):
    return engine(tmp_path, script, kind=Slow, **{"deadline": SIX, **more})


@pytest.mark.parametrize("done", [0, 2, 6])
def test_at_the_deadline_what_has_no_answer_is_asked_one_by_one_and_what_has_one_is_kept(
    tmp_path, done
):
    made, provider = slow(tmp_path, arguments=["retry.max_attempts=1", "retry.max_lost=1"])
    provider.done = done
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.total) == (6, 6)
    assert (provider.orders, provider.cancelled) == (1, ["batch-1"])
    assert (len(provider.asked), len(set(provider.asked))) == (6 - done, 6 - done)
    first, *rest = snapshot.batches
    assert [b.realtime for b in rest] == [True] * (done < 6)
    assert first.tally == {k: v for k, v in {"valid": done, "cancelled": 6 - done}.items() if v}
    assert not {c for c in provider.asked if c in provider.files["file-0"][:done]}


def test_it_is_cancelled_when_the_time_has_come_and_not_before(tmp_path):
    clock = Clock()
    made, provider = slow(tmp_path, clock=clock)
    times: list[float] = []
    provider.script = {"cancel": [ProviderBusy("429")] * 3}
    inner = provider.cancel

    def cancel(remote: RemoteId) -> None:
        times.append(clock.time)
        inner(remote)

    provider.cancel = cancel
    assert finished(made).counts.success == 6
    assert times[0] == pytest.approx(SIX.at, abs=0.5)
    assert len(times) == 4


def test_what_was_not_sent_is_asked_while_the_batch_that_runs_is_being_cancelled(tmp_path):
    made, provider = slow(tmp_path, arguments=TWO_BATCHES)
    provider.done = 1
    snapshot = finished(made)
    assert snapshot.counts.success == 6
    assert provider.orders == 1
    states = [(b.state.value, b.realtime) for b in snapshot.batches]
    assert states[:2] == [("collected", False), ("dropped", False)]
    assert all(realtime for _, realtime in states[2:])
    assert Counter(provider.asked).most_common(1)[0][1] == 1
    assert len(provider.asked) == 5


def test_an_order_in_doubt_is_settled_before_anything_of_it_is_asked(tmp_path):
    silent: list[Exception] = [ProviderSilent("the list is down")] * 12
    made, provider = slow(tmp_path, {"submit": [ProviderSilent("reset")], "find": silent})
    provider.done = 4
    asked_at_find: list[int] = []
    inner = provider.find

    def find(*arguments):
        asked_at_find.append(len(provider.asked))
        return inner(*arguments)

    provider.find = find
    snapshot = finished(made)
    assert (snapshot.counts.success, provider.orders) == (6, 1)
    assert set(asked_at_find) == {0}
    assert len(asked_at_find) == 13
    assert len(provider.asked) == 2


def test_what_is_asked_one_by_one_is_held_to_the_budget(tmp_path):
    free, _ = slow(tmp_path / "free")
    reserved = finished(free).batches
    in_batch, singly = (b.reserved_usd for b in reserved)
    assert in_batch < singly
    made, provider = slow(tmp_path / "held", budget=(in_batch + singly) / 2)
    snapshot = finished(made)
    assert "budget.max_usd" in snapshot.held
    assert needs(snapshot) == (Need.BUDGET,)
    assert (snapshot.counts.open, provider.asked) == (6, [])
    made, provider = slow(tmp_path / "held", budget=Decimal(5))
    assert finished(made).counts.success == 6
    assert provider.orders == 0


def test_a_run_that_comes_after_the_deadline_orders_no_batch(tmp_path):
    made, provider = slow(tmp_path, deadline=Deadline("06:00", START - 1))
    assert finished(made).counts.success == 6
    assert (provider.orders, len(provider.asked)) == (0, 6)


@pytest.mark.parametrize("asked", [0, 2])
def test_a_run_that_was_left_after_the_deadline_goes_on_where_it_was(tmp_path, asked):
    """Left when the batch was cancelled and not collected, or after some were asked one by one."""
    made, provider = slow(tmp_path)
    provider.done = 2
    made._calls.realtime._concurrency = 1
    inner = provider.ask if asked else provider.cancel

    def leaves(argument):
        result = inner(argument)
        if len(provider.asked) == asked:
            made.stop()
        return result

    if asked:
        made._calls.realtime._ask = leaves
    else:
        provider.cancel = leaves
    snapshot = finished(made)
    state = "running" if asked else "cancelling"
    assert [b.state.value for b in snapshot.batches][-1] == state
    assert len(provider.asked) == asked

    later = Clock()
    later.time = SIX.at + 100
    made, second = slow(tmp_path, clock=later)
    second.done, second.files, second.batches = 2, provider.files, provider.batches
    second.cancelled = provider.cancelled
    assert finished(made).counts.success == 6
    assert second.calls.count("cancel") == 0
    everything = [*provider.asked, *second.asked]
    assert (len(everything), len(set(everything))) == (4, 4)


def test_what_is_unreadable_after_the_deadline_is_asked_again_one_by_one(tmp_path):
    made, provider = slow(tmp_path)
    provider.done, provider.answers = 3, ["読めません。", GOOD, GOOD]
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.retry_success) == (5, 1)
    assert len(provider.asked) == 4


def test_the_record_says_that_it_was_the_deadline(tmp_path):
    made, _ = slow(tmp_path)
    finished(made)
    said = (tmp_path / "events.jsonl").read_text()
    assert '"event":"deadline"' in said
    assert '"event":"cancel"' not in said
