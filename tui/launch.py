"""Starts a runner as a process of its own, which outlives the dashboard; shows its plan first."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import called
from runner.cli.exits import DONE, USER_MISTAKE, WORK_REMAINS
from runner.core.errors import ConfigError, RunnerError
from runner.storage.lock import Holder, holder
from runner.storage.reader import exists
from tui.language import tr

RUNNER = (sys.executable, "-m", "runner")
PLAN_SECONDS = 120.0
"""A plan opens no socket; composing a large sweep can take a while."""
LAST_LINES = 6
FINE = (DONE, WORK_REMAINS)
"""How a runner ends that has done what it could."""
_MOST_LOG = 20_000

Plan = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Launch:
    """What would be run: the words as they were typed, and a plan a job."""

    words: tuple[str, ...]
    plans: tuple[Plan, ...]
    warnings: tuple[str, ...] = ()
    """Why some jobs of a sweep will not run, or all of them together cost too much."""

    @property
    def command(self) -> str:
        """Return the command, as it can be typed."""
        return command(self.words)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return the jobs' folders, each once."""
        return tuple(dict.fromkeys(Path(str(plan["folder"])) for plan in self.plans))

    @property
    def experiments(self) -> tuple[Path, ...]:
        """Return the experiments' folders, each once."""
        return tuple(dict.fromkeys(folder.parent for folder in self.folders))

    def held(self) -> Holder | None:
        """Return who is at work on any of it already.

        Raises:
            RunnerError: that cannot be seen.
        """
        for folder in self.folders:
            try:
                held = holder(folder)
            except OSError as error:
                raise RunnerError(
                    tr(
                        "{folder} cannot be looked into ({strerror}): nothing was started",
                        folder=folder,
                        strerror=error.strerror,
                    )
                ) from None
            if held is not None:
                return held
        return None


def command(words: Sequence[str]) -> str:
    """Return what to type to run the same."""
    return called.line(words)


def planned(words: Sequence[str]) -> Launch:
    """Ask the runner what it would do; it sends nothing and writes nothing.

    Raises:
        ConfigError: a user's mistake, in the runner's own line.
        RunnerError: the runner has failed.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [*RUNNER, *words, "action=plan", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLAN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunnerError(
            tr(
                "the plan took longer than {seconds:.0f} s: {command}",
                seconds=PLAN_SECONDS,
                command=command(words),
            )
        ) from None
    said = _last(done.stderr.decode("utf-8", "replace")).removeprefix("error: ")
    if done.returncode and said:
        raise (ConfigError if done.returncode == USER_MISTAKE else RunnerError)(said)
    plans, warnings = _read(done.stdout.decode("utf-8", "replace"))
    if not plans:
        why = warnings[0] if warnings else tr("the runner said no plan")
        raise ConfigError(
            tr("{why}; see it with: {command}", why=why, command=command([*words, "action=plan"]))
        )
    return Launch(tuple(words), plans, warnings)


def _read(text: str) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
    """Read the plans of one job or of a sweep, and what stands in the way of some."""
    try:
        found: Any = json.loads(text or "{}")
    except ValueError as error:
        raise RunnerError(tr("the runner's plan cannot be read ({error})", error=error)) from None
    jobs = found.get("jobs", [found])
    refused = [
        f"{job['job']}: {str(job['why']).removeprefix(job['job'] + ': ')}"
        for job in jobs
        if job.get("why")
    ]
    over = [str(found["over_budget"])] if found.get("over_budget") else []
    return tuple(job for job in jobs if "folder" in job), (*over, *refused)


@dataclass(slots=True)
class Started:
    """A runner that was started here."""

    launch: Launch
    log: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)

    @property
    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self.process.poll()

    def folder(self) -> Path | None:
        """Return the folder of a job that it has taken; None until it has."""
        over = self.exit_code in FINE
        for folder in self.launch.folders:
            with suppress(OSError):  # it is the runner's to say what is wrong with a folder
                held = holder(folder)
                ours = held is not None and held.pid == self.process.pid
                if (ours or over) and exists(folder):
                    return folder
        return None

    def last_words(self) -> list[str]:
        """Return the last lines of its log."""
        try:
            with self.log.open("rb") as source:
                size = source.seek(0, os.SEEK_END)
                source.seek(max(size - _MOST_LOG, 0))
                text = source.read().decode("utf-8", "replace")
        except OSError as error:
            return [tr("{log} cannot be read ({strerror})", log=self.log, strerror=error.strerror)]
        return [line for line in text.splitlines() if line.strip()][-LAST_LINES:]


def start(launch: Launch) -> Started:
    """Start the runner; its output goes to a file beside its results.

    Raises:
        RunnerError: it cannot be started, or one is at work on the same already.
    """
    held = launch.held()
    if held is not None:
        raise RunnerError(
            tr(
                "a runner is at work on it already (pid {pid} on {host}): nothing was started",
                pid=held.pid,
                host=held.host,
            )
        )
    home = launch.experiments[0]
    stamp = time.strftime("%Y%m%dT%H%M%S")
    log = home / f"runner-{stamp}-{os.getpid()}.log"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [*RUNNER, *launch.words],
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                start_new_session=True,
            )
        finally:
            os.close(handle)
    except OSError as error:
        raise RunnerError(
            tr("{log}: the runner cannot be started ({strerror})", log=log, strerror=error.strerror)
        ) from None
    return Started(launch, log, process)


def _last(text: str) -> str:
    found = [line.strip() for line in text.splitlines() if line.strip()]
    return found[-1] if found else ""
