"""Which code does what each `action=` says, for one job and for the jobs of a sweep."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from runner.cli import bundle, extract, plan, repair, status, sweep, tables
from runner.cli.exits import DONE
from runner.cli.init import write_starter
from runner.cli.output import print_notes
from runner.cli.phrases import title
from runner.cli.screen import screen
from runner.cli.signals import Interruptible
from runner.cli.summary import finish
from runner.config.schema import Config
from runner.config.settings import Settings
from runner.core.errors import ConfigError, RunnerError
from runner.core.notices import ended
from runner.core.plan import Purpose
from runner.run import assemble, maintenance, preflight
from runner.run.notify import messenger, names_of, needs
from runner.run.run import Run
from runner.run.run_state import Observer

_SENDING = ("run", "retry")

_PURPOSES = {"collect": Purpose.COLLECT, "cancel": Purpose.CANCEL}
"""What sends nothing."""

_WITHOUT_RUN: Mapping[str, Callable[[Settings], int]] = {
    "report": tables.report,
    "import": tables.import_,
}
"""What needs no provider and no ledger."""


def perform_all(jobs: list[Settings], command: str, interruptible: Interruptible) -> int:
    """Do the action of every job, which all pay from one budget; return the exit code.

    Args:
        jobs: one, or those of a sweep.
        command: the command line, as the user can type it again.
        interruptible: lets Ctrl-C stop an engine, and tells whether it did.

    Raises:
        RunnerError: with nothing lost.
    """
    config = jobs[0].config
    is_remote = jobs[0].launcher is not None and config.action == "run"
    if config.action == "init" or (len(jobs) == 1 and not is_remote):
        return _perform(jobs[0], command, interruptible)
    check_alike(jobs)
    as_json = config.format == "json"
    exports_several = config.action == "export" and config.export.over is not None
    if config.action == "plan":
        return plan.of_sweep(jobs, as_json=as_json)
    if config.action == "status":
        return status.of_sweep(jobs, command, as_json=as_json)
    if config.action in (*_PURPOSES, *_SENDING):
        if is_remote:
            from runner.cli import cluster

            return cluster.drive(jobs, command, purpose_of(config), as_json=as_json)
        return sweep.drive(jobs, command, interruptible, purpose_of(config), as_json=as_json)
    if config.action == "report" or exports_several:
        jobs = list({job.config.name: job for job in jobs}.values())
    if config.action in _WITHOUT_RUN or exports_several:
        return max(_perform(job, command, interruptible) for job in jobs)
    return sweep.each(jobs, lambda run: _perform_run(run, command, interruptible))


def check_alike(jobs: list[Settings]) -> None:
    """Refuse a sweep over what has to be the same for all of its jobs."""
    for key, values in (
        ("action", {job.config.action for job in jobs}),
        ("format", {job.config.format for job in jobs}),
    ):
        if len(values) > 1:
            raise ConfigError(f"{key}={','.join(sorted(values))}: a sweep does one thing at a time")
    drives = jobs[0].config.action in (*_PURPOSES, *_SENDING)
    if drives and len({job.config.wait for job in jobs}) > 1:
        raise ConfigError("wait=true,false: a sweep waits for all of its jobs or for none")


def _perform(settings: Settings, command: str, interruptible: Interruptible) -> int:
    config = settings.config
    if config.action == "init":
        print(write_starter(config.name, config.kind, config.lang))
        return DONE
    if config.action in _WITHOUT_RUN:
        return _WITHOUT_RUN[config.action](settings)
    if config.action == "export" and config.export.over is not None:
        return tables.export_several(settings)
    return _perform_run(Run(settings), command, interruptible)


def _perform_run(run: Run, command: str, interruptible: Interruptible) -> int:
    action, as_json = run.settings.config.action, run.settings.config.format == "json"
    match action:
        case "plan":
            return plan.of_run(run, as_json=as_json)
        case "status":
            return status.of_run(run, as_json=as_json)
        case "bundle":
            return bundle.bundle(run)
        case "verify":
            return repair.verify(run, as_json=as_json)
        case "recover":
            return repair.recover(run)
        case "adopt" | "abandon":
            return repair.decide(run, action)
        case "extract":
            return extract.extract(run, command, as_json=as_json)
        case "patterns":
            return extract.patterns(run, as_json=as_json)
        case "sample":
            return extract.sample(run, command, as_json=as_json)
        case "export":
            return _export(run, command, as_json=as_json)
    return _drive(run, command, interruptible, as_json=as_json)


def _export(run: Run, command: str, *, as_json: bool) -> int:
    """Read the raw answers again and write the tables anew, and others where they are wanted."""
    result = maintenance.reread(run)
    if run.settings.config.export.format is not None:
        name = f"{run.settings.experiment.name}/{result.folder.name}"
        tables.export(run.settings, [name], result.folder / "export", rehearsals=True)
    return finish(run, result, command, interrupted=False, as_json=as_json)


def _drive(run: Run, command: str, interruptible: Interruptible, *, as_json: bool) -> int:
    asked: list[Callable[[], bool]] = []

    def on_engine(engine: Any) -> None:
        asked.append(interruptible(engine))

    def was_interrupted() -> bool:
        return any(question() for question in asked)

    if not as_json:
        print_notes(preflight.warnings(run))
    purpose = purpose_of(run.settings.config)
    run = run.placed((), sending=purpose.sends)
    shown = screen(title(run), json=as_json)
    with driven(run, purpose, shown, on_engine, was_interrupted) as result:
        return finish(run, result, command, interrupted=was_interrupted(), as_json=as_json)


@contextmanager
def driven(
    run: Run,
    purpose: Purpose,
    shown: AbstractContextManager[Observer],
    on_engine: Callable[[Any], None],
    was_interrupted: Callable[[], bool],
) -> Iterator[assemble.Result]:
    """Drive one run to its end, and send the messages that it asks for.

    Args:
        run: which; its folder is chosen.
        purpose: what for.
        shown: shows it while it goes on.
        on_engine: called with the engine before it starts, to be able to stop it.
        was_interrupted: whether it was stopped so.

    Yields:
        How it ended.

    Raises:
        RunnerError: with nothing lost; running again goes on.
    """
    sends = purpose.sends
    with messenger(names_of(run, sending=sends), strict=sends) as messages:
        with shown as observer:
            watching = messages.watching(observer, run, sending=sends)
            try:
                result = assemble.drive(run, purpose, watching, on_engine)
            except (RunnerError, OSError):
                messages.tell(watching.broken_off())
                raise
        snapshot = result.snapshot
        messages.tell(
            ended(
                watching.standing(snapshot),
                needs(snapshot),
                interrupted=was_interrupted(),
                waited=purpose.waits,
            )
        )
        yield result


def purpose_of(config: Config) -> Purpose:
    """Return what a run with this action is for."""
    default = Purpose.RUN if config.wait else Purpose.SUBMIT
    return _PURPOSES.get(config.action, default)
