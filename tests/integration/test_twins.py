"""Several batches of one order: the intent to cancel is on disk first, and their cost in the budget."""

from collections.abc import Collection
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.errors import ProviderRefused, ProviderSilent
from runner.core.model import Batch, Progress, RemoteId
from runner.core.plan import committed
from runner.core.twins import Made
from runner.storage.reader import LedgerReader
from tests.integration.test_engine import Pretender, engine, finished


class Gateway(Pretender):
    """Takes one order for three."""

    tells_inputs = True
    apart: tuple[str, ...] = ()
    ends: Progress | None = None

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        made = super().find(batch, path, claimed)
        others = () if made is None else ("twin-1", "twin-2")
        new = tuple(name for name in others if name not in batch.dead)
        return made and Made(made.remote, new, tuple(set(self.apart) - set(batch.dead)))

    def poll(self, remote: RemoteId) -> Progress:
        if remote.startswith(("twin", "apart")):
            self.calls.append(f"poll {remote}")
            return self.ends or Progress(
                state="cancelled", event="end", completed=0, rest="cancelled"
            )
        return super().poll(remote)

    def cancel(self, remote: RemoteId) -> None:
        self._next("cancel")
        self.calls.append(f"cancel {remote}")


LOST = {"submit": [ProviderSilent("reset")]}


def known(folder: Path) -> Batch:
    reader = LedgerReader(folder)
    (batch,) = reader.batches()
    reader.close()
    return batch


def test_what_is_to_be_cancelled_is_on_disk_before_it_is(tmp_path):
    made, provider = engine(tmp_path, LOST, kind=Gateway)
    seen = []
    cancel = provider.cancel

    def looking(remote):
        seen.append(known(tmp_path).twins[remote])
        cancel(remote)

    provider.cancel = looking
    assert finished(made).counts.success == 6
    assert seen == ["found", "found"]
    assert dict(known(tmp_path).twins) == {"twin-1": "unbilled", "twin-2": "unbilled"}
    assert (provider.orders, provider.calls.count("find")) == (1, 2)


def test_a_run_that_ends_before_the_cancel_leaves_it_to_the_next(tmp_path):
    made, provider = engine(tmp_path, LOST, kind=Gateway)
    provider.cancel = lambda _: made.stop() or (_ for _ in ()).throw(ProviderSilent("reset"))
    provider.ends = Progress(state="in_progress", event="progress")
    finished(made)
    assert dict(known(tmp_path).twins) == {"twin-1": "found", "twin-2": "found"}
    made, again = engine(tmp_path, kind=Gateway)
    again.files, again.batches = provider.files, provider.batches
    assert finished(made).counts.success == 6
    assert [c for c in again.calls if c.startswith("cancel ")] == ["cancel twin-1", "cancel twin-2"]
    assert again.orders == 0


@pytest.mark.parametrize("fits", [True, False])
def test_the_budget_knows_of_them(tmp_path, fits):
    first, provider = engine(tmp_path / "first", LOST, kind=Gateway)
    provider.ends = Progress(state="completed", event="end", completed=6)
    before = finished(first).batches
    (batch,) = before
    assert committed(before) == batch.known_usd + batch.held_usd + 2 * batch.reserved_usd
    cent = Decimal("0.000001")
    budget = committed(before) + batch.reserved_usd - (0 if fits else cent)
    made, again = engine(tmp_path / "first", kind=Gateway, budget=budget, arguments=["trials=6"])
    again.ends = provider.ends
    snapshot = finished(made)
    assert (snapshot.held is None, again.orders) == (fits, int(fits))


def test_what_came_from_another_input_is_said_and_never_cancelled(tmp_path):
    made, provider = engine(tmp_path, LOST, kind=Gateway)
    provider.apart = ("apart-1",)
    provider.ends = Progress(state="in_progress", event="progress")
    assert finished(made).counts.success == 6
    assert "cancel apart-1" not in provider.calls
    assert dict(known(tmp_path).twins) == {
        "apart-1": "apart",
        "twin-1": "asked",
        "twin-2": "asked",
    }


def test_a_service_without_a_list_holds_nothing_up(tmp_path):
    refusals = [ProviderRefused("404")] * 9
    full = Progress(state="failed", event="deferred", message="token_limit_exceeded")
    made, provider = engine(tmp_path, {"find": refusals, "poll": [full] * 9}, kind=Gateway)
    provider.script["poll"] = [full] * 2
    assert finished(made).counts.success == 6
    assert provider.orders == 2
