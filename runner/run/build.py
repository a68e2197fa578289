"""Composition root: the one place that picks a provider, opens the ledger and starts the emulator."""

import importlib
import json
import os
import random
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from runner.batches.offline import LineDecoder
from runner.batches.requests import RequestFiles
from runner.batches.results import ResultReader
from runner.config.permitted import check_addresses, check_parameters, note_on_addresses, one_seed
from runner.config.prices import prices_of
from runner.config.settings import EMULATOR, Settings, did_you_mean
from runner.core.cost import Estimate, Price, PriceList, estimate
from runner.core.definition import define, differences, fingerprint, merged
from runner.core.errors import (
    ConfigError,
    LedgerDamaged,
    LedgerOfAnotherExperiment,
    LedgerOutdated,
)
from runner.core.expand import calculated_temperature, checked_conditions
from runner.core.extract.reader import VERSION as READER_VERSION
from runner.core.lifetime import has_ended
from runner.core.lifetime import note as ending_note
from runner.core.lifetime import refusal as ended
from runner.core.model import Batch, BatchKey, Condition, Span
from runner.core.pack import SizedSpan
from runner.core.plan import Purpose, committed
from runner.core.request_states import RequestStates
from runner.core.states import BatchState
from runner.core.summary import cost_of, summary
from runner.providers.base import Provider, Secret, Service, checked_url, key_from
from runner.run.budget import Account, SharedBudget
from runner.run.emulator_process import KEY, emulator
from runner.run.engine import (
    Asking,
    Engine,
    Observer,
    Timing,
    View,
    beating,
    happened,
    readings_of,
)
from runner.run.preview import Preview, facts_of
from runner.run.realtime import Realtime
from runner.run.recover import Files
from runner.run.resolve import abandoned, adopted
from runner.storage.commands import CommandVerb, leave
from runner.storage.events import NAME as EVENTS
from runner.storage.events import Line, lines
from runner.storage.files import GONE, file_sha256
from runner.storage.ledger import Ledger
from runner.storage.mounts import shared_disk
from runner.storage.reader import LedgerReader, check, exists, experiment_beside
from runner.storage.remake import Recovered, remake
from runner.tables.progress import Advance, adding_up, progress_bar

if TYPE_CHECKING:
    from runner.batches.offline import Tally
    from runner.run.extract import Comparison
    from runner.tables.export import Report, Tables


NO_RUN = "0" * 8
"""Stands for the id of a run that is not there yet, where only its length counts."""
TAG_DIGITS = 8
OPTIONS = (
    "completion_window",
    "project",
    "location",
    "bucket",
    "dataset",
    "source",
    "sink",
    "launcher",
)
"""What a provider's file says of where and how, beside its address."""


class SystemClock:
    """The real time, and real dice.

    Time is read from the wall once and then counted on, through a suspend but not through a change
    of the wall clock: how long ago an order was sent must not depend on somebody setting it.
    """

    def __init__(self) -> None:
        """Look at the wall."""
        self._began = time.time() - _since_boot()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._began + _since_boot()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def jitter(self) -> float:
        """Return a number in 0..1."""
        return random.random()


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that nobody sets and that goes on in a suspend (on macOS, that is CLOCK_MONOTONIC)."""


def _since_boot() -> float:
    return time.clock_gettime(_STEADY)


class Run:
    """One experiment with one provider and model, and the folder it lives in."""

    def __init__(
        self,
        settings: Settings,
        shared_budget: SharedBudget | None = None,
        place: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Check what can be checked without touching anything.

        Args:
            settings: what to run.
            shared_budget: shared with the other jobs of a sweep, which pay from the same budget.
            place: the folder, where another process has chosen it.
            now: the time by which a model has ended, in seconds since the epoch.

        Raises:
            ConfigError: ids that collide, a target that is no provider.
        """
        self.settings = settings
        self.shared_budget = shared_budget or SharedBudget()
        self.variant: str | None = None
        """Names the folder where other jobs of the sweep ask the same model something else."""
        self.address: str | None = None
        """Where an emulator shows this run's world; None: it starts its own."""
        self._place = place
        self._now = now
        self.conditions: list[Condition] = checked_conditions(
            settings.experiment, len(self._tag(NO_RUN))
        )
        self.definition = define(settings.experiment, self.conditions)

    @cached_property
    def prices(self) -> PriceList:
        """What a token costs."""
        provider = self.settings.config.provider
        caches = "cache_control" in repr(self.settings.experiment.model.parameters)
        now = SystemClock().now()
        return prices_of(provider.model, provider.price, caches=caches, now=now)

    @property
    def price(self) -> Price | None:
        """What a token of the first round costs; None when nobody knows."""
        return self.prices.at(realtime=self.settings.realtime)

    @property
    def emulated(self) -> bool:
        """Tell whether this is a rehearsal."""
        return self.settings.config.service.emulated

    @cached_property
    def provider_class(self) -> type[Provider]:
        """The provider's class, from the package of providers only."""
        target = self.settings.config.provider._target_
        module, _, name = target.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            raise ConfigError(f"provider._target_: {target} does not exist") from None
        if not isinstance(found, type) or not hasattr(found, "settled"):
            raise ConfigError(f"provider._target_: {target} is no provider")
        made: type[Provider] = found
        return made

    def _tag(self, experiment_id: str) -> str:
        """Return what this run's custom_ids begin with at the provider; a letter comes first."""
        return f"c{experiment_id[-TAG_DIGITS:]}-" if self.provider_class.tagged else ""

    def folder(self, *, sending: bool) -> Path:
        """Return the folder of this definition: the first that fits, or a new one.

        Args:
            sending: whether something may be sent; then a folder that does not fit is refused.

        Raises:
            LedgerOfAnotherExperiment: prompts, texts or parameters changed; names them.
        """
        return self._place or self._located(frozenset(), sending=sending)

    def take_place(self, taken: Collection[Path], *, sending: bool) -> Path:
        """Choose the folder once and for all; not one that is taken by another definition.

        Raises:
            LedgerOfAnotherExperiment: as `folder`.
        """
        self._place = self._located(taken, sending=sending)
        return self._place

    def _located(self, taken: Collection[Path], *, sending: bool) -> Path:
        base = self.settings.folder
        fresh = base if self.variant is None else base.with_name(f"{base.name}_{self.variant}")
        others: list[tuple[int, Path, list[str]]] = []
        for folder in _siblings(base, fresh):
            there = _definition_in(folder)
            if there["model"]["name"] != self.definition["model"]["name"]:
                continue
            changes = differences(there, self.definition)
            if not changes and folder not in taken:
                return folder
            others.append((len(changes), folder, changes))
        new_variant = self.variant is not None and not exists(fresh)
        if new_variant or not others or (sending and self.settings.config.fork):
            number = 1
            while exists(folder := _numbered(fresh, number)):
                number += 1
            return folder
        if not sending:
            return fresh
        _, nearest, changes = min(others, key=lambda other: other[0])
        raise LedgerOfAnotherExperiment(
            f"{nearest} was asked something else: {'; '.join(changes[:4])}"
            + (f"; and {len(changes) - 4} more" if len(changes) > 4 else "")
            + ". Answers to different questions are never mixed: choose another name=…, "
            "or start a folder beside it with fork=true"
        )

    @cached_property
    def account(self) -> Account:
        """Whose limits this run is held to; a rehearsal, to those of the real service."""
        provider, service = self.settings.config.provider, self._addressed()[0]
        where = f"{provider._target_} {service.base_url} {provider.project or ''}"
        return Account(where.strip(), provider.api_key_env, provider.model)

    def enter(self) -> None:
        """Let the jobs that share the shared_budget know what earlier runs of this one have committed."""
        folder = self.folder(sending=False)
        batches: tuple[Batch, ...] = ()
        if exists(folder):
            with closing(LedgerReader(folder)) as reader:
                batches = reader.batches()
        self.shared_budget.enter(folder, self.account, batches)

    def ready(self, before: Iterable[Span] = (), *, sending: bool) -> Preview | None:
        """Find out whether this run can start, and what it would send; nothing is sent or written.

        Args:
            before: requests that are sent by then, by other jobs that share the folder.
            sending: whether it sends anything.

        Raises:
            RunnerError: it cannot; says what to do about it.
        """
        if not self.emulated:
            self._live_service()
        if not sending:
            return None
        self._check_model()
        self._check_price()
        return self.preview(before)

    def preview(self, before: Iterable[Span] = ()) -> Preview:
        """Return what a run would do; opens no socket and writes no file.

        Args:
            before: requests that are sent by then, by other jobs that share the folder.
        """
        check_parameters(self.settings, self.provider_class)
        folder = self.folder(sending=True)
        request_states, known = self._request_states(), tuple[Batch, ...]()
        if exists(folder):
            with closing(LedgerReader(folder)) as reader:
                request_states, known = self.standing(reader), reader.batches()
        counts = request_states.counts()
        request_states.depart(before)
        request_files = self._request_files(folder, self._offline_provider())
        packed = list(request_files.batches(request_states.pending()))
        spans = [sized for batch in packed for sized in batch]
        tokens = sum(s.tokens * len(s.span) for s in spans)
        to_send = sum(len(s.span) for s in spans)
        return Preview(
            folder=folder,
            committed_usd=committed(known),
            cost=cost_of(known),
            counts=counts,
            conditions=len(self.conditions),
            batches=len(packed),
            to_send=to_send,
            bytes=sum(s.line_bytes * len(s.span) for s in spans),
            input_tokens=tokens,
            estimate=self._estimate(spans),
            price=self.price,
            largest=max(
                (
                    (
                        sum(len(s.span) for s in batch),
                        sum(s.line_bytes * len(s.span) for s in batch),
                        sum(s.tokens * len(s.span) for s in batch),
                    )
                    for batch in packed
                ),
                default=(0, 0, 0),
            ),
            warnings=self.warnings(),
            spans=tuple(sized.span for sized in spans),
        )

    def plan_facts(self, preview: Preview) -> dict[str, Any]:
        """Return what a run would do as JSON-ready facts, for other programs and the dashboard."""
        return facts_of(
            self.settings, self.conditions, preview, emulated=self.emulated, now=SystemClock().now()
        )

    def warnings(self) -> tuple[str, ...]:
        """Return what a user should know before anything is sent."""
        experiment = self.settings.experiment
        found = []
        if experiment.calculated:
            for persona in experiment.personas:
                for text in experiment.texts:
                    held, was_held = calculated_temperature(experiment, persona, text)
                    if was_held:
                        found.append(
                            f"temperature of persona {persona} with text {text} is held to {held}, "
                            f"the range of {experiment.model.name}"
                        )
        if not self.settings.listed:
            provider = self.settings.config.provider
            found.append(
                f"provider/{provider.name}.yaml does not list {provider.model}: it is taken to honour "
                "a temperature; if it does not, say temperatures=null"
            )
        said = one_seed(self.settings), note_on_addresses(self.settings, self.provider_class)
        found += [note for note in said if note is not None]
        found += self.settings.capability.notes
        if ends := self._ending_note():
            found.append(ends)
        if self.price is None:
            found.append(f"nobody knows the price of {experiment.model.name}: cost unknown")
        else:
            found += self.price.notes
        if kind := shared_disk(Path(self.settings.config.outputs)):
            found.append(
                f"{self.settings.config.outputs} is on a disk that other machines may share ({kind}): "
                "ledgers there keep a rollback journal and a lease instead of WAL"
            )
        return tuple(found)

    def drive(self, purpose: Purpose, observer: Observer, on_engine: Any) -> "Result":
        """Run the experiment as far as its purpose goes, and write the tables.

        Args:
            purpose: what this run is for.
            observer: whoever shows it.
            on_engine: called with the engine before it starts, to be able to stop it.

        Raises:
            RunnerError: with nothing lost; running again goes on.
        """
        sending = purpose in (Purpose.RUN, Purpose.SUBMIT)
        service = None if self.emulated else self._live_service()
        preview = self._check_before_sending() if sending else None
        folder = preview.folder if preview else self.folder(sending=False)
        again = self.settings.config.action == "retry"
        if again and not exists(folder):
            raise ConfigError(f"action=retry: {folder}: no run yet, so that nothing has failed")
        with ExitStack() as stack:
            ledger = stack.enter_context(self._ledger(folder, create=sending))
            self._check_patterns(ledger)
            if again:
                leave(folder, CommandVerb.RETRY, SystemClock().now())
            if preview is not None:
                ledger.write_plan(self.plan_facts(preview))
            if service is None:
                address = self.address or stack.enter_context(emulator(folder, self.behaviour))
                service = self._emulated_service(address)
            service = replace(service, folder=ledger.directory)
            provider = self.provider_class(
                service, self.settings.experiment.model, self._tag(ledger.experiment()["id"])
            )
            stack.callback(provider.close)
            request_states = self.standing(ledger)
            self.shared_budget.enter(folder, self.account, ledger.batches())
            stack.callback(self.shared_budget.leave, folder)
            engine = self._engine(ledger, provider, request_states, purpose, observer)
            on_engine(engine)

            def finish(view: View) -> Result:
                report = self._report(ledger, request_states)

                def show(done: int) -> None:
                    doing = f"writing the tables  {done / max(report.rows, 1):.0%}"
                    observer.tick(replace(view, doing=doing))

                tables = self._export(report, adding_up(show))
                return Result(view=view, folder=folder, tables=tables)

            return engine.run_and(finish)

    @property
    def behaviour(self) -> dict[str, Any]:
        """How badly the emulator behaves in this run's world."""
        return asdict(self.settings.config.faults)

    def reread(self) -> "Result":
        """Read every stored raw answer again with today's patterns and write the tables anew.

        Raises:
            LedgerDamaged: a raw file is gone or was changed since it was collected.
        """
        folder = self.folder(sending=False)
        request_states = self._request_states()
        with (
            self._ledger(folder, create=False) as ledger,
            beating(ledger, SystemClock().now, lambda: not request_states.counts().open),
        ):
            self._read_again(ledger, request_states)
            batches, counts = ledger.batches(), request_states.counts()
            ledger.summarise(summary(counts, batches))
            view = View(counts=counts, batches=batches, held=None, halted=None, stopping=False)
            report = self._report(ledger, request_states)
            with progress_bar("writing the tables", report.rows) as advance:
                return Result(view=view, folder=folder, tables=self._export(report, advance))

    def _read_again(self, ledger: Ledger, request_states: RequestStates) -> None:
        folder = ledger.directory
        result_reader = self._reader(ledger)(folder)
        known = ledger.batches()
        stored = {  # all of them, before anything is marked
            batch.key: [_raw(folder, batch.key, name, batch.raw) for name in batch.raw]
            for batch in known
            if batch.state is BatchState.COLLECTED
        }
        ledger.rewrite_experiment({**ledger.experiment(), "patterns": "being read again"})
        with progress_bar("reading again", sum(batch.count for batch in known)) as advance:
            for batch in known:
                members = ledger.members(batch.key)
                outcomes = None
                if batch.state is BatchState.COLLECTED:
                    reading = result_reader.read(batch, members, stored[batch.key])
                    outcomes = reading.outcomes
                    read = replace(batch, **readings_of(reading))
                    ledger.record(read, summary={}, outcomes=outcomes)
                request_states.replay(batch.state, members, outcomes)
                advance(batch.count, batch.key)
        ledger.rewrite_experiment({**ledger.experiment(), **self._how_read()})

    def compare(self) -> "Comparison":
        """Read every stored raw answer again with today's patterns; writes nothing.

        Raises:
            LedgerDamaged: a raw file is gone or was changed since it was collected.
        """
        from runner.run.extract import compared

        folder = self.folder(sending=False)
        with self._ledger(folder, create=False) as ledger:
            return compared(
                ledger,
                self._reader(ledger),
                lambda batch: [_raw(folder, batch.key, name, batch.raw) for name in batch.raw],
                self.settings.experiment.questions,
            )

    def read_file(
        self, path: Path, output: BinaryIO | None = None, *, examples: bool = False
    ) -> "Tally":
        """Read answers that are no run's, or a provider's result lines, with today's patterns.

        Raises:
            ConfigError: there is no such file.
        """
        from runner.run.extract import read_file

        questions = self.settings.experiment.questions
        return read_file(path, questions, self._dialect(""), output, examples=examples)

    def read_parts(self) -> "Tally":
        """Read the stored answers of this run with today's patterns.

        Raises:
            ConfigError: there is no run.
        """
        from runner.run.extract import read_parts

        folder = self.folder(sending=False)
        if not exists(folder):
            raise ConfigError(f"{folder}: no run yet; read a file of answers with input=FILE")
        return read_parts(folder, self.settings.experiment.questions)

    def verify(self) -> list[str]:
        """Check ledger, files and tables against each other; returns what is wrong, a line each.

        Raises:
            LedgerDamaged: the ledger itself cannot be read.
        """
        from runner.run.verify import problems

        folder = self.folder(sending=False)
        try:
            check(folder)
        except LedgerOutdated as error:
            return [str(error)]
        with self._ledger(folder, create=False) as ledger:
            self._check_patterns(ledger)
            report = self._report(ledger, self.standing(ledger))
            return list(problems(ledger, self._reader(ledger), report))

    def recover(self) -> tuple[list[Batch], Path | None]:
        """Make a ledger that is gone or damaged again, from the files beside it.

        Returns:
            The batches found, and where the damaged ledger was put.

        Raises:
            LedgerDamaged: the files do not say enough; nothing was changed then.
            ConfigError: the ledger is sound.
        """
        folder = self.folder(sending=False)
        with suppress(LedgerDamaged):
            check(folder)
            raise ConfigError(f"{folder}: its ledger is sound; there is nothing to recover")
        record = experiment_beside(folder)
        if changes := differences(record["definition"], self.definition):
            raise LedgerOfAnotherExperiment(
                f"{folder} was asked something else: {'; '.join(changes[:4])}"
            )
        provider = self._offline_provider(record["id"])
        request_files = self._request_files(folder, provider)
        files = Files(
            folder=folder,
            experiment_id=record["id"],
            tag=self._tag(record["id"]),
            request_files=request_files,
            result_reader=self._result_reader(folder, provider, request_files, record["id"]),
            model=self.settings.experiment.model,
            prices=self.prices,
            stems=frozenset(c.stem for c in self.conditions),
        )
        now = SystemClock().now()
        found: list[Recovered] = []

        def read() -> tuple[list[Mapping[str, Any]], list[Recovered]]:
            before = _lines_of(folder)
            found.extend(files.batches(before))
            told = [happened(one.batch, "recovered", now) for one in found]
            return [*(line["event"] for line in before), *told], found

        ledger, aside = remake(
            folder,
            {**record, "patterns": self._patterns()},
            read,
            lambda made: summary(self.standing(made).counts(), made.batches()),
            shared=self.settings.config.ledger.shared,
        )
        ledger.close()
        return [one.batch for one in found], aside

    def decide(self, action: str, key: str, remote: str | None) -> Batch:
        """Record what the user decides of a batch: it is that one (adopt), or it is given up.

        Nothing is asked of the provider. A batch adopted wrongly is found out when it is
        collected, by the custom_ids in its results, and can then be abandoned.

        Raises:
            ConfigError: there is no such batch, or nothing to decide.
        """
        now = SystemClock().now()
        with self._ledger(self.folder(sending=False), create=False) as ledger:
            known = {batch.key: batch for batch in ledger.batches()}
            if key not in known:
                raise ConfigError(f"batch={key}: no such batch; {did_you_mean(key, known)}")
            batch = known[BatchKey(key)]
            decided = adopted(batch, remote, now) if action == "adopt" else abandoned(batch, now)
            ledger.record(decided, summary={}, event=happened(decided, action, now))
            ledger.summarise(summary(self.standing(ledger).counts(), ledger.batches()))
        return decided

    @staticmethod
    def _export(report: "Report", advance: Advance) -> "Tables":
        from runner.tables.export import export

        return export(report, advance)

    def _report(self, ledger: Ledger, request_states: RequestStates) -> "Report":
        from runner.tables.export import Report

        return Report(
            folder=ledger.directory,
            experiment=ledger.experiment(),
            questions=self.settings.experiment.questions,
            batches=ledger.batches(),
            request_states=request_states,
            events=ledger.events(),
            resolved=self.settings.resolved,
            dataset=self.settings.config.export.dataset,
        )

    def _engine(
        self,
        ledger: Ledger,
        provider: Provider,
        request_states: RequestStates,
        purpose: Purpose,
        observer: Observer,
    ) -> Engine:
        config = self.settings.config
        poll = config.poll
        request_files = self._request_files(ledger.directory, provider)
        realtime = config.provider.realtime
        return Engine(
            ledger=ledger,
            provider=provider,
            realtime=Realtime(
                ledger.directory,
                request_files.path,
                provider.ask,
                self.shared_budget.pacer(
                    self.account,
                    realtime.requests_per_minute,
                    poll.first_seconds,
                    poll.max_seconds,
                    poll.max_retry_after_seconds,
                ),
                realtime.concurrency,
                asks=purpose is Purpose.RUN,
                keep=ledger.keep,
            ),
            asking=Asking(
                first=self.settings.realtime,
                again=self.settings.realtime or config.retry.mode == "realtime",
            ),
            request_states=request_states,
            request_files=request_files,
            result_reader=self._result_reader(
                ledger.directory, provider, request_files, ledger.experiment()["id"]
            ),
            model=self.settings.experiment.model,
            prices=self.prices,
            limits=self.settings.limits,
            labels={"experiment": ledger.experiment()["id"], "name": self.settings.experiment.name},
            purpose=purpose,
            budget_usd=None if self.emulated else Decimal(repr(config.budget.max_usd)),
            shared_budget=self.shared_budget,
            timing=Timing(
                first=poll.first_seconds,
                longest=poll.max_seconds,
                longest_retry_after=poll.max_retry_after_seconds,
                settle=self.settings.settle_seconds,
            ),
            clock=SystemClock(),
            observer=observer,
        )

    def standing(self, ledger: Ledger | LedgerReader) -> RequestStates:
        """Return how every request stands, by the batches of a ledger."""
        request_states = self._request_states()
        for batch in ledger.batches():
            members, outcomes = ledger.members(batch.key), ledger.outcomes(batch.key)
            request_states.replay(batch.state, members, outcomes)
        return request_states

    def _request_states(self) -> RequestStates:
        return RequestStates.of(
            self.conditions, self.settings.experiment.trials, self.settings.retry
        )

    def _request_files(self, folder: Path, provider: Provider) -> RequestFiles:
        return RequestFiles(
            folder, self.settings.experiment, self.conditions, provider, self.settings.limits
        )

    def _reader(self, ledger: Ledger) -> Callable[[Path], ResultReader]:
        """Return what reads this run's result files and writes what it read below a folder."""
        experiment_id = ledger.experiment()["id"]
        provider = self._offline_provider(experiment_id)
        request_files = self._request_files(ledger.directory, provider)
        return lambda folder: self._result_reader(folder, provider, request_files, experiment_id)

    def _result_reader(
        self,
        folder: Path,
        provider: Provider,
        request_files: RequestFiles,
        experiment_id: str = NO_RUN,
    ) -> ResultReader:
        return ResultReader(
            folder,
            self.settings.experiment.questions,
            provider.decode,
            self.prices,
            request_files.proof,
            decoder=self._dialect(self._tag(experiment_id)).decode,
            highest=request_files.highest,
        )

    def _dialect(self, tag: str) -> LineDecoder:
        """Return how to read this provider's result lines in another process."""
        service = self._service(self.provider_class.default_base_url, None)
        return LineDecoder(self.provider_class, service, self.settings.experiment.model, tag)

    def _offline_provider(self, experiment_id: str = NO_RUN) -> Provider:
        """Return a client for its pure translations; it is never connected."""
        service = self._service(self.provider_class.default_base_url, None)
        return self.provider_class(
            service, self.settings.experiment.model, self._tag(experiment_id)
        )

    def _service(self, base_url: str, key: Secret | None, **instead: str) -> Service:
        provider = self.settings.config.provider
        options: dict[str, str | None] = {name: getattr(provider, name) for name in OPTIONS}
        return Service(
            base_url=base_url,
            key_variable=provider.api_key_env,
            key=key,
            timeout_seconds=provider.timeout_seconds,
            options=options | instead,
            slurm={k: v for k, v in vars(provider.slurm).items() if v is not None},
        )

    def _emulated_service(self, address: str) -> Service:
        """Return where the emulator shows this provider, with everything there that it needs."""
        provider = self.settings.config.provider
        place = provider.location or "anywhere"
        return self._service(
            address + (provider.emulator_path or ""),
            Secret(KEY),
            project="emulated",
            bucket=f"emulated-{place}",
            dataset=f"emulated_{place.replace('-', '_')}",
        )

    @property
    def missing(self) -> str | None:
        """What has to be set before the real service can be used; None when all is there."""
        return self.provider_class.missing(self._addressed()[0])

    def _live_service(self) -> Service:
        """Return where the real service is.

        Raises:
            ConfigError: no key, or an address that keys must not be sent to, or that only a file
                names.
        """
        check_addresses(self.settings, self.provider_class)
        service, where = self._addressed()
        if missing := self.provider_class.missing(service):
            provider = self.settings.config.provider
            instead = ", or rehearse free of charge with service=emulated"
            raise ConfigError(
                f"provider={provider.name}: {missing}{'' if provider.emulator_path is None else instead}"
            )
        if service.base_url or self.provider_class.default_base_url:
            checked_url(service.base_url, where)
        return service

    def _addressed(self) -> tuple[Service, str]:
        """Return the real service, and the setting that says where it is."""
        provider = self.settings.config.provider
        variable = self.provider_class.base_url_variable
        where, url = "provider.base_url", provider.base_url
        if url is None and os.environ.get(variable):
            where, url = variable, os.environ[variable]
        url = url or self.provider_class.default_base_url
        return self._service(url, key_from(provider.api_key_env)), where

    def _check_before_sending(self) -> Preview:
        """Refuse a run whose next round may cost more than the budget; nothing was sent yet.

        Raises:
            ConfigError: over the budget, an unknown price, or a request too large for any batch.
        """
        self._check_model()
        preview = self.preview()
        self._check_price()
        if self.emulated or self.price is None:
            return preview
        budget = self.settings.config.budget
        spent = preview.committed_usd + self.shared_budget.of_others(preview.folder)
        low, high = preview.estimate.low or Decimal(0), preview.estimate.high or Decimal(0)
        if preview.to_send and spent + high > Decimal(repr(budget.max_usd)):
            raise ConfigError(
                f"budget: {preview.to_send:,} requests may cost ${low:.4f} to ${high:.4f}, with "
                f"${spent:.4f} spent or reserved: more than budget.max_usd={budget.max_usd:g}; "
                "ask for less, or allow more with budget.max_usd=…"
            )
        return preview

    def _check_model(self) -> None:
        """Refuse to send anything to a model that its provider does not answer with any more.

        Raises:
            ConfigError: it has ended; a rehearsal of it is no matter.
        """
        ending, provider = self.settings.capability.ending, self.settings.config.provider
        if ending is not None and not self.emulated and has_ended(ending, self._now()):
            where = f"provider/{provider.name}.yaml"
            raise ConfigError(ended(provider.model, ending, where))

    def _ending_note(self) -> str | None:
        """Say that the model ends soon, or has; a pretended service of no provider's has no end."""
        provider = self.settings.config.provider
        if provider.name == EMULATOR:
            return None
        ending = self.settings.capability.ending
        return ending_note(provider.model, ending, self._now(), emulated=self.emulated)

    def _check_price(self) -> None:
        """Refuse a price that nobody knows, unless the user said that it does not matter."""
        if self.emulated or self.price is not None or self.settings.config.budget.allow_unknown:
            return
        raise ConfigError(
            f"budget: nobody knows the price of {self.settings.experiment.model.name}, so "
            "budget.max_usd cannot be held; send all the same with budget.allow_unknown=true"
        )

    def _estimate(self, spans: Iterable[SizedSpan]) -> Estimate:
        model = self.settings.experiment.model
        sizes = ((sized.tokens, len(sized.span)) for sized in spans)
        return estimate(self.price, sizes, model.expected_output_tokens, model.max_output_tokens)

    @contextmanager
    def _ledger(self, folder: Path, *, create: bool) -> Iterator[Ledger]:
        shared = self.settings.config.ledger.shared
        if exists(folder) or not create:
            ledger = Ledger.open(folder, shared=shared)
        else:
            ledger = Ledger.create(folder, self._record(), shared=shared)
        with ledger:
            old = ledger.experiment()
            grown = {**old, "definition": merged(old["definition"], self.definition)}
            if old["patterns"] == self._patterns():
                grown |= self._how_read()  # an older version did not keep all of it
            if create and grown != old:
                ledger.rewrite_experiment(grown)
            yield ledger

    def _record(self) -> dict[str, Any]:
        return {
            "id": fingerprint(self.definition) + f"-{random.SystemRandom().getrandbits(32):08x}",
            "name": self.settings.experiment.name,
            "created_at": time.time(),
            "emulated": self.emulated,
            **self._how_read(),
            "definition": self.definition,
        }

    def _how_read(self) -> dict[str, Any]:
        """Return what the record keeps of how answers are read, for whoever shows them."""
        return {
            "patterns": self._patterns(),
            "question_set": asdict(self.settings.experiment.questions),
        }

    def _patterns(self) -> str:
        """Return a hash of everything that decides how an answer is read."""
        rules = asdict(self.settings.experiment.questions)
        for wording in ("name", "form", "templates"):
            del rules[wording]
        rules["reader"] = READER_VERSION
        return sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]

    def _check_patterns(self, ledger: Ledger) -> None:
        """Refuse to go on with patterns, or a reader, that the stored answers were not read with."""
        if ledger.experiment()["patterns"] == self._patterns():
            return
        raise ConfigError(
            f"the patterns in question/{self.settings.experiment.questions.name}.yaml, or this "
            f"program's reader, changed since the answers in {ledger.directory} were read: "
            "read them again first, free of charge, "
            "with action=export, and look at the counts before you go on "
            "(action=extract shows what changes, and writes nothing)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run ended."""

    view: View
    folder: Path
    tables: "Tables"


def _numbered(base: Path, number: int) -> Path:
    return base if number == 1 else base.with_name(f"{base.name}-{number}")


def _siblings(base: Path, fresh: Path) -> list[Path]:
    """Return the folders of one provider and model that were started, the likeliest first."""
    name = re.compile(rf"{re.escape(base.name)}(_[0-9a-f]{{8}})?(?:-([0-9]+))?")
    if not base.parent.is_dir():
        return []
    found = []
    for folder in base.parent.iterdir():
        match = name.fullmatch(folder.name)
        if match is not None and exists(folder):
            likely = folder.name != fresh.name, match[1] is not None, match[1] or ""
            found.append((*likely, int(match[2] or 1), folder))
    return [folder for *_, folder in sorted(found)]


def _lines_of(folder: Path) -> list[Line]:
    """Return what happened in a folder, by the file beside its ledger."""
    try:
        return lines(folder)
    except ValueError as error:
        raise LedgerDamaged(
            f"{folder / EVENTS} is damaged ({error}): put a copy of it back, or take it away, and "
            "recover again: every batch without its results is then looked for at the provider"
        ) from None


def _definition_in(folder: Path) -> dict[str, Any]:
    """Return what was asked in a folder; where its ledger is lost, by the file beside it."""
    try:
        with closing(LedgerReader(folder)) as reader:
            definition: dict[str, Any] = reader.get("experiment")["definition"]
    except LedgerDamaged:
        definition = experiment_beside(folder)["definition"]
    return definition


def _raw(folder: Path, key: str, name: str, hashes: Any) -> Path:
    path = folder / "raw" / f"{key}.{name}.jsonl"
    if not path.exists():
        raise LedgerDamaged(f"{path} is gone: {GONE}")
    if file_sha256(path) != hashes[name]:
        raise LedgerDamaged(f"{path} was changed since it was collected: put the original back")
    return path
