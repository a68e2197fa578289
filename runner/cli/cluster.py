"""Drives the jobs of a sweep on other machines, each in a process of its own with its own ledger.

This process checks all jobs, gives each a share of the budget, starts them through the launcher
that Hydra was told, and waits; they need nothing from it.
"""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner.cli.cluster_jobs import RemoteJobs
from runner.cli.cluster_task import Task
from runner.cli.cluster_tickets import Ticket, put_back, read_ticket, shared_out
from runner.cli.next_step import after_sweep
from runner.cli.output import labelled, print_notes
from runner.cli.sweep_jobs import SweepJob, by_folder, checked, notes, title, told
from runner.cli.sweep_table import exit_code, print_rows, stored_row, sums
from runner.config.settings import Settings
from runner.core.errors import ConfigError
from runner.core.notices import sweep_ended
from runner.core.plan import Purpose
from runner.run.notify import messenger
from runner.storage.lock import holder


def drive(settings: Sequence[Settings], command: str, purpose: Purpose, *, as_json: bool) -> int:
    """Run every job elsewhere and wait for all of them; print a table.

    Args:
        settings: the jobs, with what starts them.
        command: the command line, as the user can type it again.
        purpose: what this run is for.
        as_json: print the table as one JSON object.

    Raises:
        ConfigError: nothing was started: jobs share a folder, or the budget is too small.
    """
    jobs = checked(settings, sending=True)
    _check_alone(jobs)
    token = secrets.token_hex(8)
    places = {n: job.folder for n, job in enumerate(jobs) if job.trouble is None and job.folder}
    at_work = _claimed(places, token)
    wanted = [n for n in places if n not in at_work and _has_work(jobs[n])]
    tickets = tuple(shared_out(jobs, wanted, at_work, token))
    for ticket in tickets:
        ticket.write()
    launcher = settings[0].launcher
    assert launcher is not None
    folder = (Path(settings[0].config.outputs) / ".sweep" / token).absolute()
    remote = RemoteJobs(launcher, wanted, at_work, places, folder)
    if not as_json:
        print_notes([*notes(jobs), *remote.plan()])
    interrupted = not remote.finish(Task(tickets, purpose, folder), [job.name for job in jobs])
    rows = [remote.row(n, job) for n, job in enumerate(jobs)]
    what_next = after_sweep(jobs, rows, command)
    if interrupted and any(row["state"] in ("running", "started") for row in rows):
        what_next = _they_go_on(remote.slurm_job, command)
    with messenger(told(jobs, sending=False), strict=False) as messages:
        messages.tell(sweep_ended(rows, sums(rows), interrupted=interrupted))
        print_rows(rows, title(jobs), what_next, as_json=as_json)
    if not interrupted and all(row["state"] == "done" for row in rows):
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another command's
            folder.parent.rmdir()
    elif not as_json and folder.exists():
        print(labelled("logs", folder))
    mistakes = all(remote.is_mistake(n, job) for n, job in enumerate(jobs))
    return exit_code(rows, interrupted=interrupted, mistakes=mistakes)


def _claimed(places: Mapping[int, Path], token: str) -> dict[int, dict[str, Any]]:
    """Write tickets that allow nothing yet; return those of the jobs that are at work already.

    A job looks at its ticket once it holds its ledger, and here ledgers are looked at after tickets
    are written: one of the two sees the other.
    """
    before = {n: read_ticket(folder) for n, folder in places.items()}
    for folder in places.values():
        Ticket(token, folder, 0.0).write()
    at_work = {n: before[n] for n, folder in places.items() if holder(folder) is not None}
    for n, old in at_work.items():  # it was started before the new ticket; the old one is its own
        put_back(places[n], old)
    return at_work


def _they_go_on(slurm_job: str | None, command: str) -> str:
    where = f" (scancel {slurm_job} ends them)" if slurm_job else ""
    return (
        f"the jobs go on without this command{where}; action=status shows them, and the same command "
        f"waits for them again: {command}"
    )


def _check_alone(jobs: Sequence[SweepJob]) -> None:
    for folder, sharing in by_folder(jobs).items():
        if len(sharing) > 1:
            names = " and ".join(job.name for job in sharing[:2])
            raise ConfigError(
                f"{names} share {folder}, and a ledger has one writer: nothing was started; trials, "
                "personas, texts and temperatures only add to one run: give them as lists, as "
                "temperatures=[0,0.7], or leave hydra/launcher= out"
            )


def _has_work(job: SweepJob) -> bool:
    """Tell whether there is anything to start a job for."""
    to_send = job.preview is None or job.preview.to_send > 0
    return to_send or stored_row(job)["state"] != "done"
