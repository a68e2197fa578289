"""The jobs that are under way on other machines, and what became of them.

What is known of them comes from their ledgers and from the notes that they leave on the disk that
all share.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from runner.cli import slurm
from runner.cli.cluster_task import Task, note_of
from runner.cli.exits import INTERRUPTED, MISTAKES, OUR_FAULT, USER_MISTAKE
from runner.cli.next_step import AGAIN, SEE_BELOW
from runner.cli.output import say
from runner.cli.phrases import plural
from runner.cli.sweep_jobs import SweepJob
from runner.cli.sweep_table import Row, stored_row
from runner.config.settings import Launcher
from runner.storage.lock import holder
from runner.storage.mounts import shared_disk

LOOK_SECONDS = 1.0
GONE_SECONDS = 3.0
GONE_SECONDS_SHARED = 65.0
"""How long a job is neither in the queue nor at work before it is called lost; its note may be late,
the more so on a network disk, whose listings are up to a minute old."""


class RemoteJobs:
    """What was started, or is at work already; each job has its number in the sweep."""

    def __init__(
        self,
        launcher: Launcher,
        wanted: Sequence[int],
        at_work: Iterable[int],
        places: Mapping[int, Path],
        notes: Path,
    ) -> None:
        """Start nothing yet.

        Args:
            launcher: starts jobs.
            wanted: the jobs that are to be started.
            at_work: the jobs that another command has started.
            places: the folders of all.
            notes: for what the launcher writes, and how its jobs ended.
        """
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
        self._queue = slurm.Queue()
        self._thread: Thread | None = None
        self._trouble: BaseException | None = None

    def plan(self) -> Iterator[str]:
        """Say what is about to happen."""
        if self._wanted:
            yield (
                f"{plural(len(self._wanted), 'job')} to {self._launcher.name}, each with its share of "
                "the budget; Ctrl-C leaves them at work"
            )
        if self._at_work:
            yield f"{plural(len(self._at_work), 'job')} at work already, and waited for"

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
                    say(f"{names[n]}  {how}")
        except KeyboardInterrupt:
            return False
        return True

    def _start(self, task: Task) -> None:
        try:
            if self._slurm:
                slurm.silence_watcher()
            self._launcher.start(self._wanted, task, self._folder)
        except BaseException as error:  # noqa: BLE001 - it is said in the rows of the jobs
            self._trouble = error

    def _is_over(self, n: int) -> bool:
        """Tell whether a job has ended, of itself or by a kill."""
        if n in self._wanted:
            with suppress(FileNotFoundError):
                note = note_of(self._folder, self._wanted.index(n))
                self._notes[n] = json.loads(note.read_text(encoding="utf-8"))
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
        number = self._slurm_numbers().get(self._wanted.index(n))
        return self._thread.is_alive() if number is None else self._queue.may_have(number)

    def _slurm_numbers(self) -> dict[int, str]:
        return slurm.numbers(self._folder) if self._slurm else {}

    @property
    def slurm_job(self) -> str | None:
        """The number under which Slurm has the jobs."""
        numbers = slurm.numbers(self._folder).values()
        return next((one.partition("_")[0] for one in numbers), None)

    def is_mistake(self, n: int, job: SweepJob) -> bool:
        """Tell whether a job did not start, and the user can put that right."""
        note = self._notes.get(n, {})
        return note.get("code") == USER_MISTAKE or isinstance(job.trouble, MISTAKES)

    def row(self, n: int, job: SweepJob) -> Row:
        """Return a job's line of the table: by its ledger, and by what is known beside it."""
        row = stored_row(job)
        note = self._notes.get(n, {})
        if n in self._lost and row["state"] not in ("done", "some failed"):
            return row | self._gone()
        if note.get("code") == INTERRUPTED:
            return row | {"state": "interrupted", "why": note["why"], "next": AGAIN}
        if note.get("why"):
            return row | {"state": _ended(note), "why": note["why"], "next": SEE_BELOW}
        if job.trouble is not None:
            return row | {"state": "not started", "next": SEE_BELOW}
        if row["state"] != "running" and n in self._wanted and not note:
            return row | {"state": "started", "next": "wait"}
        return row

    def _gone(self) -> Row:
        """Return what a row says of a job that left no note."""
        if self._trouble is None or slurm.numbers(self._folder):
            why = "its process is gone, and said nothing: killed, or its machine; see the logs"
            return {"state": "lost", "why": why, "next": AGAIN}
        lines = [line.strip() for line in str(self._trouble).splitlines() if line.strip()]
        said = lines[-1] if lines else type(self._trouble).__name__
        return {"state": "not started", "why": f"{self._launcher.name}: {said}", "next": AGAIN}


def _ended(note: Mapping[str, Any]) -> str:
    if note["code"] == OUR_FAULT:
        return "our fault"
    return "ended early" if note["started"] else "not started"
