"""A batch as a Slurm job: sent through submitit, looked at with squeue, stopped with scancel."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.core.errors import ProviderRefused, ProviderSilent
from runner.providers.base import said

_UNREACHABLE = re.compile(r"timed out|unable to contact|connection|communication", re.IGNORECASE)
"""What sbatch says when it is not known whether the job arrived."""
_GENERIC = {"timeout_min", "gpus_per_node", "cpus_per_task", "mem_gb"}
"""What submitit knows of every cluster; the rest goes to sbatch under its own name."""
_GONE = "Invalid job id"


def missing() -> str | None:
    """Return what has to be installed before a job can be sent."""
    if importlib.util.find_spec("submitit") is None:
        return "the package submitit is not installed: pip install '.[slurm]'"
    for program in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH: run this on a machine that sends Slurm jobs"
    return None


def submit(folder: Path, name: str, command: Sequence[str], settings: Mapping[str, Any]) -> str:
    """Queue a command and return the job's number.

    Raises:
        ProviderRefused: sbatch says no.
        ProviderSilent: whether the job is queued is not known.
    """
    from submitit import AutoExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError
    from submitit.helpers import CommandFunction

    executor = AutoExecutor(folder=folder, cluster="slurm")
    executor.update_parameters(
        name=name, **{k if k in _GENERIC else f"slurm_{k}": v for k, v in settings.items()}
    )
    try:
        return str(executor.submit(CommandFunction(list(command))).job_id)
    except (FailedJobError, FailedSubmissionError, subprocess.SubprocessError) as error:
        text = said(error, None)
        unclear = isinstance(error, FailedSubmissionError) or _UNREACHABLE.search(text)
        raise (ProviderSilent if unclear else ProviderRefused)(f"sbatch: {text}") from None


def state(job_id: str, timeout: float) -> str | None:
    """Return the state of a job that is queued or runs; None when it does neither.

    Raises:
        ProviderSilent: Slurm does not say.
    """
    done = _call(["squeue", "--noheader", "--jobs", job_id, "--format", "%T"], timeout)
    if done.returncode and _GONE not in done.stderr:
        raise ProviderSilent(f"squeue: {said(done.stderr, None) or f'exit {done.returncode}'}")
    return done.stdout.strip().partition("\n")[0] or None


def cancel(job_id: str, timeout: float) -> None:
    """Stop a job; one that is over already is all right.

    Raises:
        ProviderSilent: Slurm does not say.
    """
    done = _call(["scancel", job_id], timeout)
    if done.returncode and _GONE not in done.stderr:
        raise ProviderSilent(f"scancel: {said(done.stderr, None) or f'exit {done.returncode}'}")


def _call(command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProviderSilent(f"{command[0]}: {said(error, None)}") from None
