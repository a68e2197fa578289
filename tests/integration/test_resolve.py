"""What a user decides of a batch that nobody can tell: adopt it, or give it up; both recorded."""

from collections.abc import Collection
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.errors import ConfigError, ProviderSilent, ProviderUndecided
from runner.core.model import Batch
from runner.core.plan import Purpose, committed
from runner.core.twins import Made
from runner.run import maintenance
from runner.run.run import Run
from runner.storage.reader import LedgerReader
from tests.integration.test_engine import ARGUMENTS, Nameless, Pretender, engine, finished
from tests.unit.composing import composed


class Hidden(Nameless):
    """Takes the order, loses the reply, and can never tell which batch it was."""

    def __init__(self, run: Run, script=None) -> None:
        super().__init__(run, script or {"submit": [ProviderSilent("reset")]})

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        raise ProviderUndecided("one of two", ("batch-1", "batch-9"))


def run_of(folder: Path) -> Run:
    run = Run(composed([*ARGUMENTS, f"outputs={folder.parent}", f"name={folder.name}"])[0])
    run.__dict__["folder"] = lambda *, sending: folder
    return run


def batches(folder: Path) -> tuple[Batch, ...]:
    reader = LedgerReader(folder)
    found = reader.batches()
    reader.close()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run whose one batch is unknown; the provider has it as batch-1."""
    made, provider = engine(tmp_path / "run", kind=Hidden, purpose=Purpose.SUBMIT)
    finished(made)
    made, _ = engine(tmp_path / "run", kind=Hidden, purpose=Purpose.SUBMIT)
    finished(made)
    (batch,) = batches(tmp_path / "run")
    assert (batch.state, batch.candidates) == ("submitting", ("batch-1", "batch-9"))
    assert provider.orders == 1
    return tmp_path / "run"


def there(provider: Pretender, remote: str) -> None:
    """Let the provider have had that batch all along."""
    provider.files["file-0"] = [f"{p}_t1_n{n:02d}" for p in ("p1", "p2") for n in (1, 2, 3)]
    provider.batches[remote] = "file-0"


def test_an_adopted_batch_is_collected_and_nothing_is_sent(folder):
    maintenance.decide(run_of(folder), "adopt", "b0001", "batch-1")
    made, provider = engine(folder)
    there(provider, "batch-1")
    assert finished(made).counts.success == 6
    assert provider.orders == 0


def test_adopting_needs_to_know_which(folder):
    with pytest.raises(ConfigError, match=r"remote=….*batch-1, batch-9"):
        maintenance.decide(run_of(folder), "adopt", "b0001", None)
    with pytest.raises(ConfigError, match="no such batch; did you mean b0001"):
        maintenance.decide(run_of(folder), "adopt", "b0002", "batch-1")


def test_a_batch_adopted_wrongly_enters_no_answer_and_can_be_given_up(folder):
    maintenance.decide(run_of(folder), "adopt", "b0001", "batch-9")
    made, provider = engine(folder, purpose=Purpose.COLLECT)
    provider.files["file-0"] = ["somebody", "else"]
    provider.batches["batch-9"] = "file-0"
    snapshot = finished(made)
    assert snapshot.counts.open == 6
    assert "action=abandon batch=b0001" in snapshot.batches[0].error
    maintenance.decide(run_of(folder), "abandon", "b0001", None)
    made, provider = engine(folder)
    assert finished(made).counts.success == 6
    assert provider.orders == 1


def test_an_abandoned_batch_is_asked_again_and_stays_in_the_budget(folder):
    before = committed(batches(folder))
    maintenance.decide(run_of(folder), "abandon", "b0001", None)
    assert committed(batches(folder)) == before > Decimal(0)
    made, provider = engine(folder)
    assert finished(made).counts.success == 6
    assert provider.orders == 1
    assert committed(batches(folder)) > before
    with pytest.raises(ConfigError, match="dropped"):
        maintenance.decide(run_of(folder), "abandon", "b0001", None)


def test_a_decision_is_recorded_with_its_time(folder):
    maintenance.decide(run_of(folder), "abandon", "b0001", None)
    reader = LedgerReader(folder)
    events = [reader.get(f"event/{n:08d}") for n in range(20)]
    reader.close()
    (event,) = [e for e in events if e and e["event"] == "abandon"]
    assert (event["batch"], event["state"]) == ("b0001", "dropped")
    assert event["at"] > 1_700_000_000
