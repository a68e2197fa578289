"""What the jobs of a sweep share: money, a provider's limits, and folders."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.cli.sweep_jobs import SweepJob, prepared
from runner.config.settings import Settings
from runner.core.errors import LedgerOfAnotherExperiment
from runner.core.model import RemoteId
from runner.core.plan import Load, Purpose
from runner.run import preflight, record
from runner.run.budget import Account, SharedBudget
from runner.run.run import Run
from runner.storage.ledger import Ledger
from tests.integration.test_engine import Clock, Pretender, engine, finished
from tests.unit.composing import composed
from tests.variants import first

ACCOUNT = Account("openai", "OPENAI_API_KEY", "gpt-4o-mini")
BUDGET = Decimal("0.004")
"""Enough for one batch of the engine's tests, and not for two."""
SMALL = ["personas=[p1]", "texts=[t1]", "trials=2"]


class Unhurried(SharedBudget):
    """Answers late, so that two jobs that do not wait for each other both see the same room."""

    def of_others(self, folder: Path) -> Decimal:
        found = super().of_others(folder)
        time.sleep(0.05)
        return found

    def load(self, folder: Path) -> Load:
        found = super().load(folder)
        time.sleep(0.05)
        return found


class Unlocked(Unhurried):
    """What there must not be: every job decides on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = nullcontext()


class Patient(Clock):
    """Lets the other jobs' threads work while one waits."""

    def sleep(self, seconds: float) -> None:
        time.sleep(0.01)
        super().sleep(seconds)


def together(engines: list) -> list:
    """Run engines at the same time; returns their last snapshots."""
    with ThreadPoolExecutor(len(engines)) as pool:
        return list(pool.map(finished, engines))


def orders_of_two_jobs(folder: Path, shared_budget: SharedBudget) -> int:
    made = [
        engine(folder / name, shared_budget=shared_budget, budget=BUDGET, purpose=Purpose.SUBMIT)
        for name in ("one", "two")
    ]
    together([one for one, _ in made])
    return sum(provider.orders for _, provider in made)


def test_two_jobs_never_both_spend_the_last_dollar(tmp_path):
    assert orders_of_two_jobs(tmp_path, Unhurried()) == 1
    racing = orders_of_two_jobs(tmp_path / "racing", Unlocked())
    assert racing == 2, "without the lock both are sent: this test would see it"


def test_a_job_without_money_waits_for_what_another_gives_back(tmp_path):
    shared_budget = SharedBudget()
    made = []
    for name in ("one", "two"):
        folder, clock = tmp_path / name, Patient()
        one, provider = engine(folder, shared_budget=shared_budget, budget=BUDGET, clock=clock)
        shared_budget.enter(tmp_path / name, ACCOUNT, ())
        made.append((one, provider))

    def run(one):
        try:
            return finished(one)
        finally:
            shared_budget.leave(one._state.ledger.directory)

    with ThreadPoolExecutor(2) as pool:
        snapshots = list(pool.map(run, [one for one, _ in made]))
    assert [snapshot.counts.success for snapshot in snapshots] == [6, 6]
    assert [snapshot.held for snapshot in snapshots] == [None, None]
    assert [provider.orders for _, provider in made] == [1, 1]


class Crowd:
    """How many batches are at the provider at a time, over all jobs."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    def change(self, by: int) -> None:
        with self.lock:
            self.now += by
            self.most = max(self.most, self.now)


@pytest.mark.parametrize(
    ("limit", "accounts", "most"),
    first(
        2,
        [
            ("provider.limits.batches_in_flight=1", (ACCOUNT, ACCOUNT), 1),
            (
                "provider.limits.batches_in_flight=1",
                (ACCOUNT, Account("openai", "OPENAI_API_KEY", "gpt-4o")),
                1,
            ),
            ("provider.limits.enqueued_tokens=4000", (ACCOUNT, ACCOUNT), 1),
            (
                "provider.limits.enqueued_tokens=4000",
                (ACCOUNT, Account("openai", "OPENAI_API_KEY", "gpt-4o")),
                2,
            ),
            (
                "provider.limits.batches_in_flight=1",
                (ACCOUNT, Account("groq", "GROQ_API_KEY", "gpt-4o-mini")),
                2,
            ),
        ],
    ),
)
def test_jobs_of_one_account_share_its_limits_and_all_get_their_turn(
    tmp_path, limit, accounts, most
):
    crowd, shared_budget, made = Crowd(), SharedBudget(), []

    class Counting(Pretender):
        def submit(self, batch, path, labels) -> RemoteId:
            crowd.change(+1)
            return super().submit(batch, path, labels)

        def poll(self, remote):
            time.sleep(0.2)
            crowd.change(-1)
            return super().poll(remote)

    for name, account in zip("ab", accounts, strict=True):
        one, _ = engine(
            tmp_path / name, shared_budget=shared_budget, arguments=[limit], kind=Counting
        )
        one._clock = Patient()
        shared_budget.enter(tmp_path / name, account, ())
        made.append(one)
    snapshots = together(made)
    assert [snapshot.counts.success for snapshot in snapshots] == [6, 6]
    assert crowd.most == most


def test_the_job_with_fewest_batches_there_goes_first():
    from tests.unit.test_plan import BatchState, batch

    shared_budget, one, two = SharedBudget(), Path("one"), Path("two")
    running = [batch(BatchState.RUNNING, number) for number in (1, 2)]
    shared_budget.enter(one, ACCOUNT, (*running, batch(BatchState.PACKED, 3)))
    shared_budget.enter(two, ACCOUNT, (batch(BatchState.STAGED, 1),))
    assert shared_budget.load(one) == Load(batches=1, tokens=0, may_free=False)
    assert shared_budget.load(two) == Load(batches=2, tokens=200, may_free=True)
    shared_budget.leave(two)
    assert shared_budget.load(one) == Load()


def test_jobs_of_one_account_share_the_pace_of_single_requests():
    shared_budget = SharedBudget()
    other_model = Account("openai", "OPENAI_API_KEY", "gpt-4o")
    assert shared_budget.pacer(ACCOUNT, 60, 1, 2, 3) is shared_budget.pacer(
        other_model, 60, 1, 2, 3
    )
    elsewhere = Account("groq", "GROQ_API_KEY", "gpt-4o-mini")
    assert shared_budget.pacer(ACCOUNT, 60, 1, 2, 3) is not shared_budget.pacer(
        elsewhere, 60, 1, 2, 3
    )


# -- folders


def settings(folder: Path, *words: str) -> Settings:
    (found,) = composed([*SMALL, *words])
    return replace(found, config=replace(found.config, outputs=str(folder)))


def jobs(folder: Path, key: str, values: Sequence[object], *common: str) -> list[SweepJob]:
    """Prepare a sweep over one key."""
    return prepared([settings(folder, f"{key}={value}", *common) for value in values], sending=True)


def begun(folder: Path, found: list[SweepJob]) -> dict[str, str]:
    """Start each job's ledger, as running it would; returns the folder a job, by its name."""
    for job in found:
        assert job.trouble is None, job.trouble
        if not (job.folder / "cache.db").exists():
            Ledger.create(job.folder, record.new_record(job.run)).close()
    return {job.name: job.folder.name for job in found}


PERSONA, CAP = "persona.p1.system", "provider.max_output_tokens"


def test_variants_get_folders_of_their_own_and_are_found_again_in_any_order(tmp_path):
    first = begun(tmp_path, jobs(tmp_path, CAP, (1000, 1200)))
    assert len(set(first.values())) == 2
    assert all(len(name.removeprefix("emulator_gpt-4o-mini_")) == 8 for name in first.values())
    more = begun(tmp_path, jobs(tmp_path, CAP, (1100, 1200, 1000), "trials=5"))
    assert more.items() >= first.items()
    assert len(set(more.values())) == 3
    alone = Run(settings(tmp_path, f"{CAP}=1000"))
    assert alone.folder(sending=True).name == first[f"{CAP}=1000"]


def test_the_names_of_variants_do_not_depend_on_their_order(tmp_path):
    wordings = (f"{PERSONA}=A", f"{PERSONA}=B")
    one = {job.name: job.folder.name for job in jobs(tmp_path, PERSONA, "AB")}
    two = {job.name: job.folder.name for job in jobs(tmp_path, PERSONA, "BA")}
    assert one == two
    assert set(one) == set(wordings)
    assert len(set(one.values())) == 2


def test_a_variant_that_was_run_alone_keeps_its_folder(tmp_path):
    alone = Run(settings(tmp_path))
    Ledger.create(alone.folder(sending=True), record.new_record(alone)).close()
    found = begun(tmp_path, jobs(tmp_path, CAP, (1000, 1500)))
    assert found[f"{CAP}=1500"] == "emulator_gpt-4o-mini"
    assert found[f"{CAP}=1000"].startswith("emulator_gpt-4o-mini_")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("trials", (2, 3)),
        ("personas", ("[p1]", "[p2]")),
        ("temperatures", ("[0.1]", "[0.7]", "calculated")),
        ("texts", ("[t1]", "[t2]")),
    ],
)
def test_factors_that_only_add_requests_share_one_folder(tmp_path, key, values):
    found = begun(tmp_path, jobs(tmp_path, key, values))
    assert set(found.values()) == {"emulator_gpt-4o-mini"}


def test_a_changed_text_is_refused_in_a_sweep_as_well(tmp_path):
    caps = (1000, 1200)
    first = begun(tmp_path, jobs(tmp_path, CAP, caps))
    changed = jobs(tmp_path, CAP, caps, f"{PERSONA}=else")
    assert [type(job.trouble) for job in changed] == [LedgerOfAnotherExperiment] * 2
    assert "personas.p1.system" in str(changed[0].trouble)
    assert begun(tmp_path, jobs(tmp_path, CAP, caps, f"{PERSONA}=else", "fork=true")) == {
        name: f"{folder}-2" for name, folder in first.items()
    }


def test_a_single_run_beside_variants_is_refused_when_it_is_none_of_them(tmp_path):
    begun(tmp_path, jobs(tmp_path, CAP, (1000, 1200)))
    other = Run(settings(tmp_path, f"{CAP}=900"))
    with pytest.raises(LedgerOfAnotherExperiment, match="max_output_tokens"):
        other.folder(sending=True)
    assert other.folder(sending=False).name == "emulator_gpt-4o-mini"


def test_a_model_whose_name_continues_anothers_does_not_stand_in_its_way(tmp_path):
    longer = Run(settings(tmp_path, "provider.model=gpt-4o-2"))
    Ledger.create(longer.folder(sending=True), record.new_record(longer)).close()
    assert longer.folder(sending=True).name == "emulator_gpt-4o-2"
    shorter = Run(settings(tmp_path, "provider.model=gpt-4o"))
    assert shorter.folder(sending=True).name == "emulator_gpt-4o"


def test_jobs_that_share_a_folder_are_planned_one_after_another(tmp_path):
    one, two = jobs(tmp_path, "trials", (2, 5))
    first = preflight.ready(one.run, sending=True)
    second = preflight.ready(two.run, first.spans, sending=True)
    assert (first.to_send, second.to_send) == (2, 3)
    assert second.counts.total == 5


def test_long_overrides_are_no_long_names(tmp_path):
    long = "x" * 100
    found = jobs(tmp_path, PERSONA, (f"{long}a", f"{long}b"))
    assert len({job.name for job in found}) == 2
    assert max(len(job.name) for job in found) <= 64
    assert max(len(job.folder.name) for job in found) < 40
