"""Reads ledgers that a runner writes: read-only, never waiting for it, and never raising."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from runner.core.errors import LedgerBusy, LedgerError, LedgerFormatUnknown
from runner.storage.commands import waiting
from runner.storage.kv import DATABASE
from runner.storage.lock import holder
from runner.storage.reader import LedgerReader, exists
from tui.language import tr
from tui.model import Health, Job, Snapshot


class JobSource:
    """Follows one run's ledger; keeps the last good data when it cannot be read."""

    def __init__(self, folder: Path, *, whole: bool = True) -> None:
        """Open nothing yet.

        Args:
            folder: the run's.
            whole: whether batches and commands are read, too.
        """
        self._folder = folder
        self._whole = whole
        self._reader: LedgerReader | None = None
        self._version = -1
        self._opened = 0
        self._job = Job(folder=folder, health=Health.EMPTY)

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def read(self, now: float) -> Job:
        """Return the job as it stands; the same object when nothing has changed.

        Args:
            now: seconds since the epoch, noted as the time of what is read.
        """
        try:
            found = self._look(now)
        except LedgerBusy as error:
            found = self._kept(Health.LOCKED, str(error))
        except LedgerFormatUnknown as error:
            self.close()
            found = self._kept(Health.NEWER, str(error))
        except LedgerError as error:
            self.close()
            found = self._kept(*self._judged(str(error)))
        except (OSError, KeyError, TypeError, ValueError) as error:
            self.close()
            found = self._kept(Health.DAMAGED, f"{self._folder / DATABASE}: {error}")
        self._job = found
        return found

    def _look(self, now: float) -> Job:
        reader = self._open()
        asked = waiting(self._folder) if self._whole else ()
        version = reader.version()
        held = holder(self._folder)
        job = self._job
        if version == self._version and job.health is Health.OK:
            if held == job.holder and asked == job.commands:
                return job
            return replace(job, holder=held, commands=asked, good_at=now)
        with reader.moment():
            job = Job(
                folder=self._folder,
                health=Health.OK,
                good_at=now,
                opened=self._opened,
                experiment=reader.get("experiment") or {},
                plan=reader.get("plan"),
                summary=reader.get("summary") or {},
                heartbeat=reader.get("heartbeat") or {},
                holder=held,
                rev=reader.get("rev") or 0,
                batches=reader.batches() if self._whole else (),
                commands=asked,
            )
        self._version = version
        return job

    def _open(self) -> LedgerReader:
        if self._reader is not None and self._reader.is_stale():
            self.close()
        if self._reader is None:
            self._reader = LedgerReader(self._folder)
            self._opened += 1
            self._version = -1
        return self._reader

    def _judged(self, message: str) -> tuple[Health, str]:
        if not self._folder.exists():
            return Health.MISSING, tr("{folder} is not there", folder=self._folder)
        with suppress(OSError):
            if not exists(self._folder):
                return Health.EMPTY, tr("{folder}: no run in it yet", folder=self._folder)
        return Health.DAMAGED, message

    def _kept(self, health: Health, trouble: str) -> Job:
        """Return the last good data, with what is wrong now; the same object when that is not new."""
        job = self._job
        if job.health is health and job.trouble == trouble:
            return job
        return replace(job, health=health, trouble=trouble)


class ExperimentSource:
    """Follows every run of one experiment."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet."""
        self.folder = folder
        self._sources: dict[Path, JobSource] = {}
        self._last: Snapshot | None = None

    def close(self) -> None:
        """Let go of the files."""
        for source in self._sources.values():
            source.close()
        self._sources.clear()

    def read(self, now: float) -> tuple[Snapshot, bool]:
        """Return the experiment as it stands, and whether anything has changed."""
        for folder in job_folders(self.folder):
            self._sources.setdefault(folder, JobSource(folder))
        jobs = tuple(self._sources[folder].read(now) for folder in sorted(self._sources))
        trouble = (
            None
            if jobs
            else tr("{folder}: no run in it yet; nothing was created", folder=self.folder)
        )
        last = self._last
        same = (
            last is not None
            and last.trouble == trouble
            and len(last.jobs) == len(jobs)
            and all(one is two for one, two in zip(last.jobs, jobs, strict=True))
        )
        if same:
            assert last is not None
            return last, False
        self._last = Snapshot(experiment=self.folder.name, at=now, jobs=jobs, trouble=trouble)
        return self._last, True


class AllSource:
    """Looks at every experiment, cheaply: what was not written since is not opened again."""

    def __init__(self, outputs: Path) -> None:
        """Look at nothing yet."""
        self.outputs = outputs
        self._seen: dict[Path, tuple[JobSource, object, Job]] = {}

    def read(self, now: float) -> tuple[Snapshot, ...]:
        """Return every experiment as it stands; without batches, and no file is left open."""
        found = []
        before, self._seen = self._seen, {}
        for experiment in experiment_folders(self.outputs):
            jobs = tuple(
                self._look(folder, before.get(folder), now)
                for folder in sorted(job_folders(experiment))
            )
            found.append(Snapshot(experiment=experiment.name, at=now, jobs=jobs))
        return tuple(found)

    def _look(self, folder: Path, seen: tuple[JobSource, object, Job] | None, now: float) -> Job:
        mark = _written(folder)
        source, before, job = seen or (JobSource(folder, whole=False), None, None)
        if job is not None and mark == before and job.health is Health.OK:
            job = replace(job, holder=holder(folder), good_at=now)
        else:
            job = source.read(now)
            source.close()
        self._seen[folder] = (source, mark, job)
        return job


def _written(folder: Path) -> tuple[object, ...]:
    """Return what differs when a ledger was written to, or is another one."""
    marks: list[object] = []
    for name in (DATABASE, f"{DATABASE}-wal"):
        with suppress(OSError):
            found = (folder / name).stat()
            marks.append((name, found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(marks)


MOST_EVENTS_SEARCHED = 4_000
"""Events that are looked at, the latest first, for those of one batch."""


def events(folder: Path, batch: str, most: int) -> list[Mapping[str, Any]]:
    """Return the last events of a batch, the latest first.

    Raises:
        LedgerError: the ledger cannot be read now.
    """
    with closing(LedgerReader(folder)) as reader:
        latest = reader.latest_events(MOST_EVENTS_SEARCHED)
        return list(islice((event for event in latest if event.get("batch") == batch), most))


def job_folders(experiment: Path) -> Iterator[Path]:
    """Yield the folders of an experiment's runs."""
    with suppress(OSError), os.scandir(experiment) as found:
        for entry in found:
            with suppress(OSError):
                if entry.is_dir() and exists(Path(entry.path)):
                    yield Path(entry.path)


def experiment_folders(outputs: Path) -> list[Path]:
    """Return the folders of all experiments that have a run."""
    found: list[Path] = []
    with suppress(OSError), os.scandir(outputs) as entries:
        found = [
            Path(entry.path)
            for entry in entries
            if not entry.name.startswith(".")
            and entry.is_dir()
            and any(job_folders(Path(entry.path)))
        ]
    return sorted(found)
