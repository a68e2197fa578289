"""What to do next, and the command line, changed in a word or two, that does it when pasted."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner import called
from runner.cli.output import labelled
from runner.cli.phrases import batches
from runner.config.schema import EMULATOR
from runner.core.states import AT_PROVIDER

if TYPE_CHECKING:
    from runner.cli.sweep_jobs import SweepJob
    from runner.run.assemble import Result
    from runner.run.run import Run

AGAIN = "run again"
SEE_BELOW = "see below"

_REHEARSAL = ("action", "faults", "service")
"""What a rehearsal's command says and the real one does not; and all below it, as faults.seed."""


def after_run(run: "Run", result: "Result", command: str, *, interrupted: bool) -> str:
    """Say what to do when a run has ended.

    Args:
        run: the run.
        result: how it ended.
        command: the command line, as the user can type it again.
        interrupted: whether the user stopped it.
    """
    snapshot = result.snapshot
    if snapshot.pilot is not None and snapshot.pilot.failed and not interrupted:
        return f"see what was read: {doing(command, 'patterns')}"
    if interrupted or snapshot.counts.open:
        there = sum(1 for b in snapshot.batches if b.state in AT_PROVIDER and not b.is_held)
        go_on = f"{batches(there)} at the provider, where they go on; " if there else ""
        return f"{go_on}resume with: {_going_on(command)}"
    if snapshot.counts.failed:
        return f"ask the failed ones once more: {doing(command, 'retry')}"
    if run.emulated:
        nameless = run.settings.config.provider.name == EMULATOR
        needs = run.connection.missing
        more = f"\n{labelled('', f'which needs more: {needs}')}" if needs else ""
        return f"{_after_rehearsal(command, nameless=nameless)}{more}"
    return f"look at the table; more trials: {command} trials=…"


def after_sweep(jobs: Sequence["SweepJob"], rows: Sequence[Mapping[str, Any]], command: str) -> str:
    """Say what to do when a sweep has ended, by the rows of its table."""
    if any(row["state"] != "done" for row in rows):
        return f"resume all of it with: {command}"
    if all(row["rehearsal"] for row in rows):
        nameless = any(job.run.settings.config.provider.name == EMULATOR for job in jobs)
        return _after_rehearsal(command, nameless=nameless)
    names = dict.fromkeys(job.run.settings.experiment.name for job in jobs)
    over = [] if len(names) == 1 else [f"report.over=[{','.join(names)}]"]
    return called.line(["action=report", f"name={next(iter(names))}", *over])


def of_job(job: "SweepJob", state: str) -> str:
    """Say what to do about one job of a sweep, in a word or two.

    Args:
        job: the job.
        state: how it ended.
    """
    match state:
        case "done":
            return f"look at {job.folder}/answers.csv"
        case "some failed":
            return "ask again with action=retry"
        case "not started" | "refused" | "held" | "pilot failed":
            return SEE_BELOW if job.trouble or job.result else AGAIN
        case "our fault":
            return "please report it"
    return AGAIN


def _after_rehearsal(command: str, *, nameless: bool) -> str:
    return f"this was a rehearsal; the real thing: {for_real(command, nameless=nameless)}"


def for_real(command: str, *, nameless: bool) -> str:
    """Return the command that sends for real what a rehearsal has sent to the emulator.

    Args:
        command: the rehearsal's.
        nameless: the rehearsal, or a job of it, was one of no provider in particular.
    """
    words = shlex.split(command)
    kept = [_named(word) for word in words if _key(word).partition(".")[0] not in _REHEARSAL]
    if nameless and all(_key(word) != "provider" for word in words):
        kept.append("provider=openai")
    elif not nameless and all(_key(word).partition(".")[0] != "service" for word in words):
        kept.append("service=live")  # a file of the user's says emulated
    return shlex.join(kept)


def _going_on(command: str) -> str:
    """Return the command that sends what is open, where one that reads again was typed."""
    words = shlex.split(command)
    read_again = {"action=export", "action=extract"} & {*words}
    kept = [w for w in words if not read_again or _key(w) not in ("action", "apply")]
    return shlex.join(kept) if read_again else command


def doing(command: str, action: str) -> str:
    """Return the command with another action."""
    return shlex.join(
        [*(word for word in shlex.split(command) if _key(word) != "action"), f"action={action}"]
    )


def _key(word: str) -> str:
    key, equals, _ = word.lstrip("+~").partition("=")
    return key if equals else ""


def _named(word: str) -> str:
    """Name a provider where the emulator stood for any."""
    if _key(word) != "provider":
        return word
    key, _, names = word.partition("=")
    named = ["openai" if name.strip() == EMULATOR else name for name in names.split(",")]
    return f"{key}={','.join(dict.fromkeys(named))}"
