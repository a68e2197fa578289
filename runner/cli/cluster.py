"""Drives the jobs of a sweep on other machines, each in a process of its own with its own ledger.

This process checks all jobs, gives each a share of the budget, starts them through the launcher
that Hydra was told, and waits; they need nothing from it. What it knows of them it reads from their
ledgers and from the notes that they leave on the disk they share. A ticket in each run's folder
says which command may start it: a job that waited in a queue while a later command came finds
another ticket there, and leaves.
"""

import getpass
import json
import math
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from runner.cli import sweep
from runner.cli.exits import DONE, INTERRUPTED, OUR_FAULT, USER_MISTAKE, WORK_REMAINS
from runner.cli.screen import Plain
from runner.cli.signals import take_over
from runner.cli.sweep import Job, Row
from runner.config.compose import settings_of
from runner.config.settings import Launcher, Settings
from runner.core.errors import ConfigError, LedgerInUse, RunnerError
from runner.core.plan import Purpose
from runner.run import assemble
from runner.run.assemble import Result
from runner.run.run import Run
from runner.storage.files import write_durably
from runner.storage.lease import SECONDS
from runner.storage.lock import holder
from runner.storage.mounts import shared_disk

TICKET = "ticket.json"
"""In a run's folder: which command may start it, and what it may spend."""
LOOK_SECONDS = 1.0
GONE_SECONDS = 3.0
GONE_SECONDS_SHARED = 65.0
"""How long a job is neither in the queue nor at work before it is called lost; its note may be late,
the more so on a network disk, whose listings are up to a minute old."""
QUEUE_SECONDS = 5.0
_MINE = re.compile(r"(\d+)(?:_(\d+))?_submitted\.pkl")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a job is told by the command that starts it."""

    token: str
    """Names the command."""
    folder: Path
    max_usd: float
    """Its share of the budget: what it has committed already, and what it may commit."""


# -- there: on the machine that runs a job


@dataclass(frozen=True, slots=True)
class Task:
    """What a job does, wherever the launcher runs it."""

    tickets: tuple[Ticket, ...]
    purpose: Purpose
    notes: Path
    """Where a job says how it ended; on the disk that all share."""

    def __call__(self, cfg: DictConfig) -> int:
        """Run the job that Hydra has composed; return its exit code."""
        number = int(HydraConfig.get().job.num)
        handlers, why = _Handlers(), None
        try:
            result = self._drive(settings_of(cfg), self.tickets[number], handlers)
        except (RunnerError, OSError) as error:
            mistake = isinstance(error, sweep.MISTAKES) and not handlers.has_engine
            code, why = USER_MISTAKE if mistake else WORK_REMAINS, str(error)
        except Exception as error:  # noqa: BLE001 - the note is all that the other side hears of it
            traceback.print_exc()
            code, why = OUR_FAULT, f"{type(error).__name__}: {error}"
        else:
            counts = result.snapshot.counts
            code = WORK_REMAINS if counts.open or counts.failed else DONE
            if counts.open and handlers.stopped_by is not None:
                code, why = INTERRUPTED, handlers.pass_on()
        note = {"code": code, "why": why, "started": handlers.has_engine}
        write_durably(self.notes / f"{number}.json", [json.dumps(note).encode()])
        return code

    def _drive(self, settings: Settings, ticket: Ticket, handlers: "_Handlers") -> Result:
        budget = replace(settings.config.budget, max_usd=ticket.max_usd)
        settings = replace(settings, config=replace(settings.config, budget=budget))
        run = Run(settings, place=ticket.folder)

        def on_engine(engine: Any) -> None:
            """Called with the ledger held: whoever writes tickets looks at ledgers afterwards."""
            if _ticket(ticket.folder).get("token") != ticket.token:
                raise ConfigError(
                    f"{ticket.folder}: a later command has this job now; nothing was sent by this one"
                )
            handlers.watch(engine)

        end = time.monotonic() + 2 * SECONDS
        while True:
            try:
                return assemble.drive(run, self.purpose, Plain(), on_engine)
            except LedgerInUse:  # perhaps by the one before this, which died on another machine
                if time.monotonic() > end:
                    raise
                time.sleep(LOOK_SECONDS)


@dataclass(slots=True)
class _Handlers:
    """Stops an engine cleanly when the cluster wants the job to end.

    submitit ignores SIGTERM, and its own way out (SIGUSR2, before the time is over) would tear the
    engine out of its calls: it gets the signal when the engine has stopped.
    """

    stopped_by: int | None = None
    has_engine: bool = False
    _before: dict[int, Any] = field(default_factory=dict)

    def watch(self, engine: Any) -> None:
        """Let signals stop an engine, from now on."""
        self.has_engine = True

        def hit(number: int, _: object) -> None:
            self.stopped_by = number
            engine.stop()

        if current_thread() is main_thread():  # some launchers run jobs in threads of their own
            self._before = take_over(hit, signal.SIGINT, signal.SIGTERM, _preempted())

    def pass_on(self) -> str | None:
        """Give the launcher's own handler the signal that came before time was over.

        It may put the job into the queue again, and leaves then (SystemExit).

        Returns:
            Why it does not.
        """
        before = self._before.get(_preempted())
        if self.stopped_by == _preempted() and callable(before):
            try:
                before(self.stopped_by, None)
            except Exception as error:  # noqa: BLE001 - submitit's way of saying no
                return str(error)
        return None


def _preempted() -> signal.Signals:
    """Return what Slurm sends, as submitit asks it to, some time before a job's time is over."""
    return signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


# -- here: the command that starts them


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
    jobs = sweep.checked(settings, sending=True)
    _check_alone(jobs)
    token = secrets.token_hex(8)
    places = {n: job.folder for n, job in enumerate(jobs) if job.trouble is None and job.folder}
    before = {n: _ticket(folder) for n, folder in places.items()}
    for folder in places.values():
        _write_ticket(Ticket(token, folder, 0.0))
    at_work = {n: before[n] for n, folder in places.items() if holder(folder) is not None}
    for n, old in at_work.items():  # it was started before the new ticket; the old one is its own
        write_durably(places[n] / TICKET, [json.dumps(old).encode()])
    wanted = [n for n in places if n not in at_work and _has_work(jobs[n])]
    tickets = tuple(_tickets(jobs, wanted, at_work, token))
    for ticket in tickets:
        _write_ticket(ticket)
    launcher = settings[0].launcher
    assert launcher is not None
    notes = _fresh_folder(settings[0], token)
    crowd = _Crowd(launcher, wanted, at_work, places, notes)
    if not as_json:
        for note in [*sweep.notes(jobs), *crowd.plan()]:
            print(f"note: {note}", flush=True)
    interrupted = not crowd.finish(Task(tickets, purpose, notes), [job.name for job in jobs])
    rows = [crowd.row(n, job) for n, job in enumerate(jobs)]
    going = interrupted and any(row["state"] in ("running", "started") for row in rows)
    where = f" (scancel {crowd.slurm_job} ends them)" if crowd.slurm_job else ""
    what_next = (
        f"the jobs go on without this command{where}; action=status shows them, and the same command "
        f"waits for them again: {command}"
        if going
        else sweep.next_step(jobs, rows, command)
    )
    sweep.print_rows(rows, sweep.title(jobs), what_next, as_json=as_json)
    if not interrupted and all(row["state"] == "done" for row in rows):
        shutil.rmtree(notes, ignore_errors=True)
        with suppress(OSError):  # another command's
            notes.parent.rmdir()
    elif not as_json and notes.exists():
        print(f"logs     {notes}")
    mistakes = all(crowd.is_mistake(n, job) for n, job in enumerate(jobs))
    return _exit_code(rows, interrupted=interrupted, mistakes=mistakes)


def _check_alone(jobs: Sequence[Job]) -> None:
    for folder, sharing in sweep.by_folder(jobs).items():
        if len(sharing) > 1:
            names = " and ".join(job.name for job in sharing[:2])
            raise ConfigError(
                f"{names} share {folder}, and a ledger has one writer: nothing was started; trials, "
                "personas, texts and temperatures only add to one run: give them as lists, as "
                "temperatures=[0,0.7], or leave hydra/launcher= out"
            )


def _has_work(job: Job) -> bool:
    """Tell whether there is anything to start a job for."""
    to_send = job.preview is None or job.preview.to_send > 0
    return to_send or sweep.stored(job)["state"] != "done"


def _tickets(
    jobs: Sequence[Job], wanted: Sequence[int], at_work: Mapping[int, Any], token: str
) -> Iterable[Ticket]:
    """Share the budget: each job gets what it has committed and may need now, and equally of the rest.

    Raises:
        ConfigError: jobs that are at work may still spend too much of it.
    """
    paying = [n for n, job in enumerate(jobs) if job.folder and not job.run.emulated]
    folders = {jobs[n].folder: n for n in paying}
    used = {
        n: jobs[n].run.shared_budget.committed(folder) for folder, n in folders.items() if folder
    }
    for n in set(at_work) & set(used):
        used[n] = max(used[n], Decimal(repr(float(at_work[n].get("max_usd", 0)))))
    needed = {n: sweep.most(jobs[n]) for n in wanted if n in used}
    allowed = [Decimal(repr(jobs[n].run.settings.config.budget.max_usd)) for n in wanted]
    budget = min(allowed, default=Decimal(0))
    rest = budget - sum(used.values(), Decimal(0)) - sum(needed.values(), Decimal(0))
    if rest < 0 and any(needed.values()):
        raise ConfigError(
            f"budget: {_jobs(len(at_work))} at work may spend what they were given, and "
            f"{len(needed)} more may cost ${sum(needed.values()):.4f}: ${-rest:.4f} more than "
            f"budget.max_usd={budget:g}; nothing was started: wait for those, or allow more"
        )
    for n in wanted:
        folder = jobs[n].folder
        assert folder is not None
        share = Decimal(0)
        if n in used:
            share = used[n] + needed[n] + max(rest, Decimal(0)) / len(needed)
        yield Ticket(token, folder.absolute(), _upwards(share))


def _jobs(count: int) -> str:
    return f"{count:,} job" + ("" if count == 1 else "s")


def _upwards(share: Decimal) -> float:
    """Return a share as the next number that a configuration can hold."""
    number = float(share)
    return number if Decimal(repr(number)) >= share else math.nextafter(number, math.inf)


def _ticket(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / TICKET).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(f"{folder / TICKET} cannot be read ({error}): delete it") from None
    return found if isinstance(found, dict) else {}


def _write_ticket(ticket: Ticket) -> None:
    ticket.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = {**asdict(ticket), "folder": str(ticket.folder)}
    write_durably(ticket.folder / TICKET, [json.dumps(text).encode()])


def _fresh_folder(settings: Settings, token: str) -> Path:
    return (Path(settings.config.outputs) / ".sweep" / token).absolute()


class _Crowd:
    """The jobs that are under way, and what became of them."""

    def __init__(
        self,
        launcher: Launcher,
        wanted: Sequence[int],
        at_work: Iterable[int],
        places: Mapping[int, Path],
        notes: Path,
    ) -> None:
        self._launcher = launcher
        self._slurm = launcher.name.endswith("slurm")
        self._wanted = wanted
        self._at_work = set(at_work)
        self._places = places
        self._folder = notes
        self._patience = GONE_SECONDS if shared_disk(notes) is None else GONE_SECONDS_SHARED
        self._notes: dict[int, dict[str, Any]] = {}
        self._lost: set[int] = set()
        self._missed: dict[int, float] = {}
        """Since when a job is neither in the queue nor at work."""
        self._queue: set[str] | None = None
        self._queue_at = -math.inf
        self._thread: Thread | None = None
        self._trouble: BaseException | None = None

    def plan(self) -> Iterable[str]:
        """Say what is about to happen."""
        if self._wanted:
            yield (
                f"{_jobs(len(self._wanted))} to {self._launcher.name}, each with its share of the "
                "budget; Ctrl-C leaves them at work"
            )
        if self._at_work:
            yield f"{_jobs(len(self._at_work))} at work already, and waited for"

    def finish(self, task: Task, names: Sequence[str]) -> bool:
        """Start what is wanted and wait until nothing is under way; False after Ctrl-C."""
        if self._wanted:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._thread = Thread(target=self._start, args=(task,), daemon=True)
            self._thread.start()
        open_ = [*self._wanted, *sorted(self._at_work)]
        try:
            while open_:
                time.sleep(LOOK_SECONDS)
                for n in [n for n in open_ if self._is_over(n)]:
                    open_.remove(n)
                    how = "gone" if n in self._lost else "over"
                    print(f"{names[n]}  {how}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            return False
        return True

    def _start(self, task: Task) -> None:
        try:
            if self._slurm:
                from submitit.slurm.slurm import SlurmJob

                # It would ask sacct again and again, which knows nothing without accounting.
                vars(SlurmJob.watcher)["_make_command"] = lambda: None
            self._launcher.start(self._wanted, task, self._folder)
        except BaseException as error:  # noqa: BLE001 - it is said in the rows of the jobs
            self._trouble = error

    def _is_over(self, n: int) -> bool:
        """Tell whether a job has ended, of itself or by a kill."""
        if n in self._wanted:
            with suppress(FileNotFoundError):
                text = (self._folder / f"{self._wanted.index(n)}.json").read_text(encoding="utf-8")
                self._notes[n] = json.loads(text)
                return True
        if holder(self._places[n]) is not None or self._is_queued(n):
            self._missed.pop(n, None)
            return False
        missed = time.monotonic() - self._missed.setdefault(n, time.monotonic())
        if missed < self._patience:
            return False
        if n in self._wanted:
            self._lost.add(n)
        return True

    def _is_queued(self, n: int) -> bool:
        """Tell whether the launcher still has a job that is not at work on its ledger."""
        if n in self._at_work:
            return False
        assert self._thread is not None
        number = self._slurm_ids().get(self._wanted.index(n)) if self._slurm else None
        if number is None:
            return self._thread.is_alive()
        queue = self._in_queue()
        return queue is None or number in queue

    @property
    def slurm_job(self) -> str | None:
        """The number under which Slurm has the jobs."""
        return next((one.partition("_")[0] for one in self._slurm_ids().values()), None)

    def is_mistake(self, n: int, job: Job) -> bool:
        """Tell whether a job did not start, and the user can put that right."""
        note = self._notes.get(n, {})
        return note.get("code") == USER_MISTAKE or isinstance(job.trouble, sweep.MISTAKES)

    def _slurm_ids(self) -> dict[int, str]:
        """Return the jobs' numbers at Slurm, once they are sent; submitit names files by them."""
        found = {}
        for path in self._folder.rglob("*_submitted.pkl"):
            if match := _MINE.fullmatch(path.name):
                found[int(match[2] or 0)] = path.name.removesuffix("_submitted.pkl")
        return found

    def _in_queue(self) -> set[str] | None:
        """Return the numbers of the user's jobs that are queued or run; None when Slurm says nothing.

        Asked here, since submitit waits for ever for a job that died where there is no accounting.
        """
        if time.monotonic() - self._queue_at > QUEUE_SECONDS:
            command = [
                "squeue",
                "--noheader",
                "--array",
                "--format=%i",
                f"--user={getpass.getuser()}",
            ]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=60, check=True
                )
            except (OSError, subprocess.SubprocessError):
                self._queue = None
            else:
                self._queue = set(done.stdout.split())
            self._queue_at = time.monotonic()
        return self._queue

    def row(self, n: int, job: Job) -> Row:
        """Return a job's line of the table: by its ledger, and by what is known beside it."""
        row = sweep.stored(job)
        note = self._notes.get(n, {})
        if n in self._lost and row["state"] not in ("done", "some failed"):
            unsent = self._trouble is not None and not self._slurm_ids()
            row["state"] = "not started" if unsent else "lost"
            row["why"] = (
                self._said()
                if unsent
                else ("its process is gone, and said nothing: killed, or its machine; see the logs")
            )
            row["next"] = "run again"
        elif note.get("code") == INTERRUPTED:
            row |= {"state": "interrupted", "why": note["why"], "next": "run again"}
        elif note.get("why"):
            row["state"] = (
                "our fault" if note["code"] == OUR_FAULT
                else "ended early" if note["started"]
                else "not started"
            )  # fmt: skip
            row |= {"why": note["why"], "next": "see below"}
        elif job.trouble is not None:
            row |= {"state": "not started", "next": "see below"}
        elif row["state"] != "running" and n in self._wanted and not note:
            row |= {"state": "started", "next": "wait"}
        return row

    def _said(self) -> str:
        lines = [line for line in str(self._trouble).splitlines() if line.strip()]
        return (
            f"{self._launcher.name}: {lines[-1].strip() if lines else type(self._trouble).__name__}"
        )


def _exit_code(rows: Sequence[Row], *, interrupted: bool, mistakes: bool) -> int:
    if any(row["state"] == "our fault" for row in rows):
        return OUR_FAULT
    if interrupted:
        return INTERRUPTED
    if all(row["state"] == "done" for row in rows):
        return DONE
    return USER_MISTAKE if mistakes else WORK_REMAINS
