"""What is known of Slurm and submitit: numbers of jobs, the queue, and one field of theirs.

submitit's own watcher asks sacct again and again, and waits for ever for a job that died where there
is no accounting: it is silenced, and squeue is asked here.
"""

import getpass
import os
import re
import signal
import subprocess
import time
from pathlib import Path

QUEUE_SECONDS = 5.0
"""Between two looks at the queue."""
_SUBMITTED = re.compile(r"(\d+)(?:_(\d+))?_submitted\.pkl")


def preempted() -> signal.Signals:
    """Return what Slurm sends, as submitit asks it to, some time before a job's time is over."""
    return signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


def silence_watcher() -> None:
    """Let submitit not ask sacct.

    Its watcher makes that command in a private method, which returns None when there is nothing to
    ask; nothing public switches it off.
    """
    from submitit.slurm.slurm import SlurmJob

    vars(SlurmJob.watcher)["_make_command"] = lambda: None


def numbers(folder: Path) -> dict[int, str]:
    """Return the jobs' numbers at Slurm, by their places in the array, once they are sent.

    Args:
        folder: where submitit writes; it names files by them.
    """
    found = {}
    for path in folder.rglob("*_submitted.pkl"):
        if match := _SUBMITTED.fullmatch(path.name):
            found[int(match[2] or 0)] = path.name.removesuffix("_submitted.pkl")
    return found


class Queue:
    """The user's jobs that are queued or run, looked at now and then."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self._numbers: set[str] | None = None
        self._looked_at: float | None = None

    def may_have(self, number: str) -> bool:
        """Tell whether a job is queued or runs; True as well while Slurm says nothing."""
        now = time.monotonic()
        if self._looked_at is None or now - self._looked_at > QUEUE_SECONDS:
            self._numbers, self._looked_at = self._look(), time.monotonic()
        return self._numbers is None or number in self._numbers

    @staticmethod
    def _look() -> set[str] | None:
        user = f"--user={getpass.getuser()}"
        command = ["squeue", "--noheader", "--array", "--format=%i", user]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return set(done.stdout.split())
