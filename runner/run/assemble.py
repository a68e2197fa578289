"""Puts an engine together for a run, drives it to its end, and writes the tables."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.batches.downloads import Downloads
from runner.batches.requests import RequestFiles
from runner.core.deadline import Deadline
from runner.core.errors import ConfigError
from runner.core.plan import Purpose
from runner.core.request_states import RequestStates
from runner.core.transition import Timing
from runner.providers.base import Provider, Service
from runner.run.admission import Admission
from runner.run.calls import Calls
from runner.run.clock import SystemClock
from runner.run.emulator_process import emulator
from runner.run.engine import Engine
from runner.run.notify import in_force
from runner.run.preflight import check_before_sending, plan_facts
from runner.run.realtime import Realtime
from runner.run.record import check_patterns, opened
from runner.run.run import Run
from runner.run.run_state import Observer, RunState, Snapshot
from runner.run.spec import Asking, RunSpec
from runner.storage.commands import CommandVerb, leave
from runner.storage.ledger import Ledger
from runner.storage.reader import exists
from runner.tables.progress import Advance, adding_up

if TYPE_CHECKING:
    from runner.tables.export import ExportedRun, TableFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run ended."""

    snapshot: Snapshot
    folder: Path
    tables: "TableFiles"


def drive(
    run: Run, purpose: Purpose, observer: Observer, on_engine: Callable[[Engine], None]
) -> Result:
    """Run an experiment as far as its purpose goes, and write the tables.

    Args:
        run: what is asked of whom.
        purpose: what this run is for.
        observer: shows it.
        on_engine: called with the engine before it starts, to be able to stop it.

    Raises:
        RunnerError: with nothing lost; running again goes on.
    """
    live = None if run.emulated else run.connection.live()
    found = check_before_sending(run) if purpose.sends else None
    folder = found.folder if found else run.folder(sending=False)
    again = run.settings.config.action == "retry"
    if again and not exists(folder):
        raise ConfigError(f"action=retry: {folder}: no run yet, so that nothing has failed")
    with opened(run, folder, create=purpose.sends) as ledger:
        check_patterns(run, ledger)
        if again:
            leave(folder, CommandVerb.RETRY, SystemClock().now())
        deadline = None if found is None else found.deadline
        spec = spec_of(run, ledger.experiment()["id"], purpose, deadline)
        if found is not None:
            names = in_force(run, ledger.notify())
            ledger.write_plan(plan_facts(run, found), deadline, names)
        with _client(run, ledger, live) as provider, _in_budget(run, ledger):
            request_states = run.standing(ledger)
            engine = engine_of(run, ledger, provider, request_states, spec=spec, observer=observer)
            on_engine(engine)
            return engine.run_and(
                lambda snapshot: _finished(run, ledger, request_states, observer, snapshot)
            )


def behaviour(run: Run) -> dict[str, Any]:
    """Return how badly the emulator behaves in a run's world, and the account's own quota."""
    faults = asdict(run.settings.config.faults)
    return faults | {"min_requests": run.settings.limits.min_requests}


@contextmanager
def _client(run: Run, ledger: Ledger, live: Service | None) -> Iterator[Provider]:
    """Have a client for the real service, or for an emulator, which is started if none is there."""
    with ExitStack() as stack:
        if live is None:
            address = run.emulator_address or stack.enter_context(
                emulator(ledger.directory, behaviour(run))
            )
            live = run.connection.emulated(address)
        service = replace(live, folder=ledger.directory)
        provider = run.connection.client(service, ledger.experiment()["id"])
        stack.callback(provider.close)
        yield provider


@contextmanager
def _in_budget(run: Run, ledger: Ledger) -> Iterator[None]:
    """Count in the budget and the account's limits that jobs share."""
    run.shared_budget.enter(ledger.directory, run.connection.account, ledger.batches())
    try:
        yield
    finally:
        run.shared_budget.leave(ledger.directory)


def engine_of(
    run: Run,
    ledger: Ledger,
    provider: Provider,
    request_states: RequestStates,
    *,
    spec: RunSpec,
    observer: Observer,
) -> Engine:
    """Return an engine for a run, whose ledger and client are open."""
    request_files = run.request_files(ledger.directory, provider, spec.experiment_id)
    result_reader = run.result_reader(ledger.directory, provider, request_files, spec.experiment_id)
    state = RunState(
        ledger,
        request_states,
        run.shared_budget,
        SystemClock(),
        observer,
        waits=spec.purpose.waits,
        admission=run.admission(request_states, ledger.directory, ledger.grant),
    )
    calls = Calls(
        spec,
        state,
        provider=provider,
        realtime=_realtime(run, ledger, provider, request_files, spec),
        request_files=request_files,
        downloads=Downloads(ledger.directory, result_reader, spec.timing.settle),
        decode=result_reader.decode,
    )
    return Engine(spec, state, calls)


def spec_of(run: Run, experiment_id: str, purpose: Purpose, deadline: Deadline | None) -> RunSpec:
    """Return what a run is to do, and within which bounds."""
    settings = run.settings
    config, poll = settings.config, settings.config.poll
    again = settings.realtime or config.retry.mode == "realtime"
    return RunSpec(
        experiment_id=experiment_id,
        name=settings.experiment.name,
        purpose=purpose,
        asking=Asking(first=settings.realtime, again=again),
        model=settings.experiment.model,
        prices=run.prices,
        limits=settings.limits,
        timing=Timing(
            first=poll.first_seconds,
            longest=poll.max_seconds,
            longest_retry_after=poll.max_retry_after_seconds,
            settle=settings.settle_seconds,
        ),
        budget_usd=None if run.emulated else Decimal(repr(config.budget.max_usd)),
        deadline=deadline,
    )


def _realtime(
    run: Run, ledger: Ledger, provider: Provider, request_files: RequestFiles, spec: RunSpec
) -> Realtime:
    pace, timing = run.settings.config.provider.realtime, spec.timing
    pacer = run.shared_budget.pacer(
        run.connection.account,
        pace.requests_per_minute,
        timing.first,
        timing.longest,
        timing.longest_retry_after,
    )
    return Realtime(
        ledger.directory,
        request_files.path,
        provider.ask,
        pacer,
        pace.concurrency,
        asks=spec.purpose is Purpose.RUN,
        keep=ledger.keep,
    )


def _finished(
    run: Run,
    ledger: Ledger,
    request_states: RequestStates,
    observer: Observer,
    snapshot: Snapshot,
) -> Result:
    """Write the tables while the ledger is held, and show how far they are."""
    exported = exported_run(run, ledger, request_states)

    def show(done: int) -> None:
        doing = f"writing the tables  {done / max(exported.rows, 1):.0%}"
        observer.tick(replace(snapshot, doing=doing))

    tables = write_tables(exported, adding_up(show))
    return Result(snapshot=snapshot, folder=ledger.directory, tables=tables)


def exported_run(run: Run, ledger: Ledger, request_states: RequestStates) -> "ExportedRun":
    """Return what a run's tables are made from."""
    from runner.tables.export import ExportedRun

    return ExportedRun(
        folder=ledger.directory,
        experiment=ledger.experiment(),
        questions=run.settings.experiment.questions,
        batches=ledger.batches(),
        request_states=request_states,
        events=ledger.events(),
        resolved=run.settings.resolved,
        dataset=run.settings.config.export.dataset,
        rules=lambda: rules_of(run, ledger, request_states),
        rounds=[{"rule": row["rule"], "conditions": len(row["trials"])} for row in ledger.rounds()],
    )


def rules_of(run: Run, ledger: Ledger, request_states: RequestStates) -> dict[str, Any]:
    """Return what a summary says of a pilot and of a stopping rule; empty where there is neither."""
    return admission_of(run, ledger, request_states).facts()


def admission_of(run: Run, ledger: Ledger, request_states: RequestStates) -> Admission:
    """Return how a pilot and a stopping rule stand."""
    admission = run.admission(request_states, ledger.directory)
    if admission:
        batches = ledger.batches()
        requests = {batch.key: ledger.members(batch.key) for batch in batches}
        admission.judge(request_states, batches, requests)
    return admission


def write_tables(exported: "ExportedRun", advance: Advance) -> "TableFiles":
    """Write a run's tables."""
    from runner.tables.export import export

    return export(exported, advance)
