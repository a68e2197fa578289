"""Drives the jobs of a sweep together: all are checked, each gets a thread, and the end is a table.

Nothing is sent before every job was composed and checked. A job that cannot start says why in its
row, and the others go on. Jobs that share a folder share its ledger, and run one after another.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Thread

from runner.cli.exits import DONE, MISTAKES, USER_MISTAKE, WORK_REMAINS
from runner.cli.next_step import after_sweep
from runner.cli.output import print_notes
from runner.cli.signals import Interruptible
from runner.cli.sweep_jobs import Fleet, SweepJob, by_folder, checked, notes, prepared, title, told
from runner.cli.sweep_screen import Watched, board
from runner.cli.sweep_table import Row, exit_code, print_rows, refused_rows, row_of, sums
from runner.config.settings import Settings
from runner.core.errors import RunnerError
from runner.core.notices import sweep_ended
from runner.core.plan import Purpose
from runner.run import assemble
from runner.run.emulator_process import emulators
from runner.run.notify import Messenger, messenger
from runner.run.run import Run

DRAW_SECONDS = 0.2


def drive(
    settings: Sequence[Settings],
    command: str,
    interruptible: Interruptible,
    purpose: Purpose,
    *,
    as_json: bool,
) -> int:
    """Run every job as far as the purpose goes, all at the same time; print a table.

    Args:
        settings: the jobs.
        command: the command line, as the user can type it again.
        interruptible: lets Ctrl-C stop them all, and tells whether it did.
        purpose: what this run is for.
        as_json: print the table as one JSON object.

    Raises:
        ConfigError: nothing was sent: the budget is too small for all jobs together.
    """
    jobs = checked(settings, sending=purpose.sends)
    if not as_json:
        print_notes(notes(jobs))
    fleet = Fleet()
    was_interrupted = interruptible(fleet)
    with driven(jobs, purpose, fleet, was_interrupted, silent=as_json) as rows:
        for job in jobs:
            if job.crash is not None:
                print(job.crash, file=sys.stderr)
        print_rows(rows, title(jobs), after_sweep(jobs, rows, command), as_json=as_json)
    mistakes = all(isinstance(job.trouble, MISTAKES) and not job.has_begun for job in jobs)
    return exit_code(rows, interrupted=was_interrupted(), mistakes=mistakes)


@contextmanager
def driven(
    jobs: Sequence[SweepJob],
    purpose: Purpose,
    fleet: Fleet,
    was_interrupted: Callable[[], bool],
    *,
    silent: bool,
) -> Iterator[list[Row]]:
    """Drive checked jobs to their ends, all at the same time, and send the messages they ask for.

    Args:
        jobs: with what stands in their way.
        purpose: what for.
        fleet: stops them all.
        was_interrupted: whether it was stopped so.
        silent: show nothing while they go on.

    Yields:
        How they ended: a row a job.
    """
    with messenger(told(jobs, sending=purpose.sends), strict=purpose.sends) as messages:
        ready = [job for job in jobs if job.trouble is None]
        _run_all(ready, purpose, fleet, messages, as_json=silent)
        rows = [row_of(job, interrupted=was_interrupted()) for job in jobs] + refused_rows(jobs)
        if purpose.waits or was_interrupted():
            messages.tell(sweep_ended(rows, sums(rows), interrupted=was_interrupted()))
        yield rows


def _run_all(
    jobs: Sequence[SweepJob],
    purpose: Purpose,
    fleet: Fleet,
    messages: Messenger,
    *,
    as_json: bool,
) -> None:
    """Run jobs until all have ended; a thread a folder, while this one draws."""
    worlds = {
        job.folder: assemble.behaviour(job.run) for job in jobs if job.folder and job.run.emulated
    }
    with ExitStack() as stack:
        addresses = stack.enter_context(emulators(worlds))
        for job in jobs:
            address = addresses.get(job.folder) if job.folder else None
            job.run = job.run.emulated_at(address)
        _import_packages(jobs)
        shown = stack.enter_context(board(title(jobs), [job.name for job in jobs], json=as_json))
        watching = dict(zip(jobs, shown.jobs, strict=True))
        threads = [
            Thread(target=_work, args=(sharing, watching, purpose, fleet, messages))
            for sharing in by_folder(jobs).values()
        ]
        stack.callback(
            _wait_for, threads, fleet
        )  # also when drawing fails: no thread is left behind
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(DRAW_SECONDS)
                shown.draw()


def _wait_for(threads: Sequence[Thread], fleet: Fleet) -> None:
    if any(thread.is_alive() for thread in threads):
        fleet.stop()
    for thread in threads:
        if thread.ident is not None:
            thread.join()


def _import_packages(jobs: Iterable[SweepJob]) -> None:
    """Import what the jobs use here, since packages that are imported by threads trip one another."""
    wanted = [name for job in jobs for name in job.run.connection.provider_class.packages]
    for name in dict.fromkeys([*wanted, "runner.tables.export"]):
        importlib.import_module(name)


def _work(
    jobs: Sequence[SweepJob],
    watching: dict[SweepJob, Watched],
    purpose: Purpose,
    fleet: Fleet,
    messages: Messenger,
) -> None:
    """Run the jobs of one folder one after another."""
    for job in jobs:
        assert job.folder is not None
        if not fleet.stopping:
            job.drive(purpose, watching[job], fleet, messages)
        job.run.shared_budget.leave(job.folder)


def each(settings: Sequence[Settings], perform: Callable[[Run], int]) -> int:
    """Do something with one job after another; return the exit code.

    What is wrong with one job is said, and the others go on.
    """
    codes = []
    for job in prepared(settings, sending=False):
        print(f"== {job.name}", file=sys.stderr)
        try:
            if job.trouble is not None:
                raise job.trouble
            codes.append(perform(job.run))
        except RunnerError as error:
            print(f"error: {job.name}: {error}", file=sys.stderr)
            codes.append(USER_MISTAKE if isinstance(error, MISTAKES) else WORK_REMAINS)
    if set(codes) <= {DONE, USER_MISTAKE} and DONE in codes and USER_MISTAKE in codes:
        return WORK_REMAINS
    return max(codes)
