"""One simulated life of a run: processes start, die and start again until every request is settled.

The product is real, with its real ledger and files, and so are the vendors' SDKs; the network, the
time and the provider (the emulator) are in this process, and everything that goes wrong is drawn
from one seed. Replay one: python -m tests.simulation PROVIDER SEED.
"""

import dataclasses
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from runner.batches import attempts, downloads
from runner.batches.downloads import Downloads
from runner.cli.screen import Silent
from runner.config.compose import compose
from runner.config.settings import Settings
from runner.core.errors import (
    LedgerInUse,
    LedgerOfAnotherExperiment,
    RunnerError,
)
from runner.core.model import Batch
from runner.core.plan import Purpose
from runner.core.request_states import Counts
from runner.core.states import FINAL_STATES
from runner.core.transition import Timing
from runner.core.twins import Fate
from runner.emulator.behaviour import Behaviour
from runner.emulator.server import make_app
from runner.providers import _aws, _stainless, plain
from runner.providers.base import Secret
from runner.run import record
from runner.run.calls import Calls
from runner.run.engine import Engine
from runner.run.realtime import Pacer, Realtime
from runner.run.run import Run
from runner.run.run_state import RunState
from runner.run.spec import Asking, RunSpec
from runner.storage import files, ledger
from runner.storage.ledger import Ledger
from runner.storage.reader import LedgerReader, exists
from tests.levels import changed_level
from tests.simulation.aws import carried
from tests.simulation.weather import START, Killed, Weather
from tests.simulation.wire import Network, transport_for

SETTLE = 20.0
ARGUMENTS = (
    *("personas=[p1,p2]", "texts=[t1,t2]", "trials=3", "temperatures=[0.5]"),
    *("provider.limits.requests=5", "retry.max_lost=60", "retry.max_attempts=4"),
)
BASE = {
    "openai": "/v1",
    "groq": "/groq",
    "anthropic": "/anthropic",
    "gemini_api": "/gemini_api",
    "openrouter": "/openrouter/api/v1",
    "mistral": "/mistral/v1",
    "xai": "/xai/v1",
    "together": "/together/v1",
    "bedrock": "/bedrock",
}
MORE = {
    "bedrock": (
        *("provider.region=us-east-1", "provider.bucket=emulated-bucket"),
        *(
            "provider.role=arn:aws:iam::123456789012:role/emulated",
            "provider.limits.min_requests=null",
        ),
    )
}
"""What a provider has to be told beside."""
LATEST = dict.fromkeys(BASE, 3 * SETTLE) | dict.fromkeys(("anthropic", "openrouter"), 0.7 * SETTLE)
"""Where an input can be taken away, an order may come as late as it likes."""
LIVES = 400
"""Processes after which a run that has not ended counts as stuck."""
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Power cuts are not simulated, so nothing has to reach a disk."""


class Broken(AssertionError):
    """A promise was broken; says which, and how to see it again."""


@cache
def settings_of(provider: str) -> Settings:
    return compose([f"provider={provider}", *ARGUMENTS, *MORE.get(provider, ())])[0]


class AtOnce(Executor):
    """Makes a call when it is submitted: one thread, and always the same order."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is the future's
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002
        pass


@dataclass
class Process:
    """What a process of the runner came to."""

    counts: Counts | None
    """None when it died or gave up."""


class Life:
    """A run with one provider in one kind of weather."""

    def __init__(self, provider: str, seed: int, folder: Path, *, calm: bool = False) -> None:
        self.provider = provider
        self.weather = Weather(seed, LATEST[provider])
        if calm:
            self.weather.faults_left = self.weather.twists_left = self.weather.repeats_left = 0
        dice = random.Random(seed * 7 + 1)
        faults = {} if calm else _faults(dice)
        self.behaviour = Behaviour(
            seed=seed,
            malformed=0.25,
            malformed_enhanced=0.1,
            validating_seconds=dice.choice([0, 3]),
            in_progress_seconds=dice.choice([0, 40]),
            finalizing_seconds=dice.choice([0, 3]),
            **faults,
        )
        if self.behaviour.late_list_seconds:  # what a list shows too late, nobody can know
            self.weather.repeats_left = 0
        self.folder = folder / "run"
        self.app = make_app(folder / "world", self.behaviour, self.weather.time.provider)
        self.network = Network(self.app, self.weather)
        self.database = folder / "world" / "emulator.sqlite"
        self.settings = dataclasses.replace(
            settings_of(provider),
            config=dataclasses.replace(
                settings_of(provider).config, outputs=str(folder), name="literary"
            ),
        )

    # -- processes

    def live(self) -> Counts:
        """Start processes until nothing is open."""
        with _simulated(self):
            for _ in range(LIVES):
                self.weather.begin_process()
                process = self._process()
                self.check()
                is_done = process.counts is not None and not process.counts.open
                if process.counts is not None and is_done and not self._has_unknown_twins():
                    self.check_in_the_end()
                    return process.counts
                self.weather.time.advance(self.weather.dice.choice([0.1, 5, 36_000]))
        raise self.broken(f"not finished after {LIVES} processes")

    def _process(self) -> Process:
        run = Run(self.settings)
        run.__dict__["folder"] = lambda *, sending: self.folder
        with ExitStack() as stack:
            for owner, name, disk in POINTS:
                stack.callback(self.weather.around(owner, name, disk=disk))
            try:
                if exists(self.folder):
                    self._refuses_another_text(run)
                with record.opened(run, self.folder, create=True) as opened:
                    self._refuses_a_second_runner()
                    made = self._engine(run, opened)
                    snapshot = made.run()
                    return Process(snapshot.counts)
            except Killed:
                return Process(None)
            except (RunnerError, OSError, sqlite3.Error) as error:
                said = str(error).replace(str(self.folder), "RUN")
                self.weather.log.append(f"{'':10} gave up: {said}")
                return Process(None)

    def _engine(self, run: Run, opened: Ledger) -> Engine:
        service = run.connection.service(
            f"http://127.0.0.1{BASE[self.provider]}", Secret("test-key")
        )
        provider = run.connection.client(service, opened.experiment()["id"])
        for verb in ("stage", "submit", "find", "fence", "poll", "download", "cancel"):
            self.weather.around(provider, verb)
        spec = self._spec(run, opened.experiment()["id"])
        state = RunState(
            opened,
            run.standing(opened),
            run.shared_budget,
            self,
            Silent(),
            waits=spec.purpose.waits,
        )
        request_files = run.request_files(self.folder, provider)
        result_reader = run.result_reader(self.folder, provider, request_files)
        calls = Calls(
            spec,
            state,
            provider=provider,
            realtime=Realtime(
                self.folder,
                request_files.path,
                provider.ask,
                Pacer(None, 1, 1, 1),
                1,
                asks=True,
                keep=opened.keep,
            ),
            request_files=request_files,
            downloads=Downloads(self.folder, result_reader, SETTLE),
            decode=result_reader.decode,
        )
        made = Engine(spec, state, calls, workers=AtOnce)
        self._stop = made.stop
        return made

    def _spec(self, run: Run, experiment_id: str) -> RunSpec:
        purposes = [Purpose.RUN, Purpose.RUN, Purpose.SUBMIT]
        purpose = Purpose.RUN
        if self.weather.faults_left:
            purpose = self.weather.dice.choice(purposes)
        return RunSpec(
            experiment_id=experiment_id,
            name="simulated",
            purpose=purpose,
            asking=Asking(first=False, again=False),
            model=run.settings.experiment.model,
            prices=run.prices,
            limits=run.settings.limits,
            timing=Timing(first=1.0, longest=8.0, longest_retry_after=30.0, settle=SETTLE),
            budget_usd=None,
        )

    # -- the clock of a process

    def now(self) -> float:
        return self.weather.time.now()

    def sleep(self, seconds: float) -> None:
        self.weather.time.sleep(seconds)
        if self.weather.strikes("asleep for ten hours"):
            self.weather.time.advance(36_000)
        if self.weather.strikes("stopped with Ctrl-C"):
            self._stop()

    def jitter(self) -> float:
        return 0.5

    # -- what a second look must find

    def _refuses_a_second_runner(self) -> None:
        if self.weather.dice.random() < 0.1:
            with suppress(LedgerInUse):
                Ledger.open(self.folder).close()
                raise self.broken("two runners hold one ledger")

    def _refuses_another_text(self, run: Run) -> None:
        if self.weather.dice.random() >= 0.1:
            return
        experiment = self.settings.experiment
        other = Run(
            dataclasses.replace(
                self.settings,
                experiment=changed_level(experiment, "text", "t1", text="another text"),
            )
        )
        before = _digest(self.folder)
        with suppress(LedgerOfAnotherExperiment):
            Run.folder(_located(other, self.folder), sending=True)
            raise self.broken("another text was taken for the same experiment")
        if _digest(self.folder) != before:
            raise self.broken("a refused experiment changed the folder")

    # -- the invariants

    def check(self) -> None:
        """Compare the ledger with the provider's bill."""
        if not exists(self.folder):
            return
        reader = LedgerReader(self.folder)
        batches = reader.batches()
        run = Run(self.settings)
        counts = run.standing(reader).counts()
        reader.close()
        parts = counts.success + counts.retry_success + counts.failed + counts.open
        if counts.total != parts:
            raise self.broken(f"{counts} does not add up")
        self._ordered_once()
        if all(b.state in FINAL_STATES for b in batches):
            self._billed_is_known(run)

    def check_in_the_end(self) -> None:
        """Let whatever is still at the provider come to its end, and compare once more."""
        self.weather.time.advance(100_000)
        self.network.let_the_emulator_work()
        self.network.repeated.clear()  # by now all of them are known
        self.check()

    def _has_unknown_twins(self) -> bool:
        """Tell whether a gateway repeated an order, and not every batch was looked for since."""
        batches = self._batches() if self.network.repeated else ()
        return any(b.sought_at is None for b in batches if b.collected_at is not None)

    def _batches(self) -> tuple[Batch, ...]:
        reader = LedgerReader(self.folder)
        batches = reader.batches()
        reader.close()
        return batches

    def _ran_beside(self) -> int:
        """How many answers were billed in twins that the ledger knows, cross-checked with it."""
        known = {_bare(name): fate for b in self._batches() for name, fate in b.twins.items()}
        with sqlite3.connect(self.database) as db:
            ran = dict(db.execute("SELECT id, completed FROM batches WHERE settled"))
        answered = {name: ran.get(name, 0) for name in known}
        wrong = [n for n, fate in known.items() if fate == Fate.UNBILLED and answered[n]]
        if wrong:
            raise self.broken(f"{wrong} are said not to be billed, and are")
        return sum(answered.values())

    def _ordered_once(self) -> None:
        """No input that was handed over ran twice, but in twins that the ledger knows."""
        twins = {_bare(name) for batch in self._batches() for name in batch.twins}
        with sqlite3.connect(self.database) as db:
            rows = db.execute(
                "SELECT id, input_file_id, completed + failed FROM batches WHERE settled"
            )
            ran = Counter(name for one, name, lines in rows if lines and one not in twins)
        twice = [
            n for n, times in ran.items() if times > 1 and n[-12:] not in self.network.repeated
        ]
        if twice:
            raise self.broken(f"{len(twice)} batches ran twice")

    def _billed_is_known(self, run: Run) -> None:
        """Every billed answer is an attempt of ours, and no attempt was answered but billed."""
        table = attempts_in(self.folder)
        if table is None:
            return
        answered = Counter(
            table.filter(pl.col("outcome").is_in(["valid", "invalid"]))["custom_id"].to_list()
        )
        bill, beside = self.bill(), self._ran_beside()
        if self.network.repeated or (beside and bill.total() == answered.total() + beside):
            return
        if answered != bill:
            both = {k: (bill.get(k, 0), answered.get(k, 0)) for k in bill | answered}
            wrong = {k: v for k, v in both.items() if v[0] != v[1]}
            raise self.broken(f"billed and answered differ: {wrong}")

    def bill(self) -> Counter[str]:
        with sqlite3.connect(self.database) as db:
            rows = db.execute("SELECT custom_id, billed FROM asks WHERE billed > 0")
            return Counter({name.rpartition("-")[2]: billed for name, billed in rows})

    def values(self) -> dict[str, tuple[Any, ...]]:
        """What the table has of every request: the last attempt that was read well."""
        table = attempts_in(self.folder)
        assert table is not None
        columns = [c for c in table.columns if c.endswith(("_value", "_reason"))]
        valid = table.filter(pl.col("outcome") == "valid").sort("custom_id")
        return dict(
            zip(valid["custom_id"], valid.select(columns, "raw_answer").iter_rows(), strict=True)
        )

    def broken(self, what: str) -> Broken:
        lines = "\n".join(self.weather.log[-60:])
        return Broken(
            f"{what}\nsee it again: python -m tests.simulation {self.provider} "
            f"{self.weather.seed}\n{lines}"
        )


def _bare(remote: str) -> str:
    """Return what the emulator calls a batch, without the kind of thing that some names begin with."""
    return remote.rpartition("/")[2]


POINTS: tuple[tuple[Any, str, bool], ...] = (
    (ledger.Ledger, "_commit", True),
    (ledger, "_opened", False),
    (files, "settle", True),
    (downloads, "settle", True),
    (attempts.PartWriter, "_write", True),
)


def _faults(dice: random.Random) -> dict[str, Any]:
    """What the provider itself does wrong."""
    return {
        "shuffle": dice.random() < 0.5,
        "duplicate_lines": dice.choice([0, 0.2]),
        "unknown_lines": dice.choice([0, 0.1]),
        "failed_lines": dice.choice([0, 0.1]),
        "half_expired": dice.choice([0, 0.5]),
        "token_limit": dice.choice([0, 0.3]),
        "late_list_seconds": dice.choice([0, SETTLE * 0.25]),
    }


def attempts_in(folder: Path) -> pl.DataFrame | None:
    """The attempts of the batches that were collected."""
    reader = LedgerReader(folder)
    keys = [b.key for b in reader.batches() if b.collected_at is not None]
    reader.close()
    parts = [path for key in keys for path in attempts.parts(folder, key)]
    return pl.concat([pl.read_parquet(path) for path in parts]) if parts else None


def _located(run: Run, folder: Path) -> Run:
    run.__dict__["settings"] = _Here(run.settings, folder)
    return run


class _Here:
    """Settings of a run that lives in this folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self.folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)


def _digest(folder: Path) -> str:
    names = sorted(
        p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("cache.db-")
    )
    return sha256(b"".join(p.read_bytes() for p in names)).hexdigest()


@contextmanager
def _simulated(life: Life) -> Iterator[None]:
    """Let every client speak over the simulated network, and give every run the same id."""
    connect, connect_plainly = _stainless.Sdk.connect, plain.Plain._made
    client_of = _aws.client_of
    dice = random.SystemRandom.getrandbits

    def connected(dialect: Any, make: Any, http_client: Any, service: Any, **more: Any) -> Any:
        transport = transport_for(dialect.transport, life.network)
        client = dialect.transport.Client
        return connect(dialect, make, lambda **_: client(transport=transport), service, **more)

    def connected_plainly(client: Any, **_: Any) -> Any:
        return connect_plainly(client, transport=transport_for(httpx, life.network))

    _aws.client_of = lambda *of: carried(client_of(*of), life.network)
    _stainless.Sdk.connect = connected  # type: ignore[method-assign]
    plain.Plain._made = connected_plainly  # type: ignore[method-assign]
    random.SystemRandom.getrandbits = lambda _, bits: 0x5EED5EED % 2**bits  # type: ignore[method-assign]
    try:
        yield
    finally:
        _aws.client_of = client_of
        _stainless.Sdk.connect = connect  # type: ignore[method-assign]
        plain.Plain._made = connect_plainly  # type: ignore[method-assign]
        random.SystemRandom.getrandbits = dice  # type: ignore[method-assign]
        life.network.close()


def simulate(provider: str, seed: int) -> Weather:
    """Live one life, and the same one undisturbed; raise when they differ, or a promise breaks."""
    with tempfile.TemporaryDirectory(prefix="simulation-", dir=MEMORY) as name:
        undisturbed = Life(provider, seed, Path(name, "undisturbed"), calm=True)
        undisturbed.live()
        life = Life(provider, seed, Path(name, "disturbed"))
        life.live()
        wanted, found = undisturbed.values(), life.values()
        if wanted != found and not life._ran_beside():  # each answer depends on those before it
            wrong = [k for k in wanted | found if wanted.get(k) != found.get(k)]
            raise life.broken(f"the table differs from the undisturbed run's at {wrong[:5]}")
        shutil.rmtree(life.folder)
        return life.weather


__all__ = ["START", "Broken", "simulate"]
