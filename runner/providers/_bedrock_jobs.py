"""Batch inference jobs of Amazon Bedrock: their names and tokens, and what their states mean. Pure.

A job is the JSON object of the API.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

from runner.core.model import Batch, JsonObject, Progress
from runner.core.states import BatchEvent, Outcome
from runner.providers._lines import tally, word
from runner.providers.base import Secret, said

APP: Final = "chorus"
"""What our jobs and our folders in a bucket begin with."""
JOB: Final = re.compile(
    r"arn:aws[\w-]*:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-invocation-job/[a-z0-9]{12}"
)
ENDING: Final = ".jsonl.out"
"""What a file of results ends in: the name of the request file, and this."""
_LONGEST: Final = 63
"""Characters of a job's name."""
_GOING_ON: Final = ("in_progress", "scheduled", "validating", "submitted", "stopping")
_ENDED: Final = {
    "completed": Outcome.MISSING,
    "partially_completed": Outcome.EXPIRED,
    "stopped": Outcome.CANCELLED,
    "expired": Outcome.EXPIRED,
    "failed": Outcome.ERRORED,
}
"""How requests ended that have no line."""
_FURTHEST: Final = (*("completed", "partially_completed"), *_GOING_ON, *("stopped", "expired"))
"""Which of several jobs to adopt: the furthest on, and a failed one last."""
_NO_ROOM: Final = re.compile(
    r"(?i)throttl|too many (?:jobs|requests)|jobs in progress|concurren|capacity|try again later"
)
"""Not any word of a quota: a file that is too small, or too large, is so the next time, too."""


def stem_of(name: str) -> str:
    """Return the name of a request file without its ending, from which all others follow."""
    return name.removesuffix(".jsonl")


def key_of(prefix: str, name: str) -> str:
    """Return what a request file is called in a bucket."""
    return f"{prefix}{APP}/{stem_of(name)}.jsonl"


def start_of(stem: str) -> str:
    """Return what the names of all jobs of a sending begin with; a long one is shortened."""
    plain = re.sub(r"[^a-zA-Z0-9-]", "-", stem)
    room = _LONGEST - len(f"{APP}--9999")
    if len(plain) > room:
        plain = f"{plain[: room - 17]}-{sha256(stem.encode()).hexdigest()[:16]}"
    return f"{APP}-{plain}-"


def name_of(stem: str, sendings: int) -> str:
    """Return the name of a job, which no other order has.

    Args:
        stem: of its request file: the run, the batch, the sending and what is in it.
        sendings: how many jobs from this input are known to have never run.
    """
    return f"{start_of(stem)}{sendings}"


def token_of(batch: Batch, stem: str) -> str:
    """Return the token of an order: the same whenever it is repeated, and no other order's."""
    told = f"{stem}/{len(batch.dead)}/{batch.sha256}"
    return sha256(told.encode()).hexdigest()


def is_of(job: JsonObject, batch: Batch) -> bool:
    """Tell whether a job on the list is of a batch: of this sending, as far as that is known.

    After a recovery it is not known which sending it was; what is in the file is.
    """
    name = word(job.get("jobName")) or ""
    if "name" in batch.handle:
        start = start_of(stem_of(batch.handle["name"]))
        return name.startswith(start) and name.removeprefix(start).isdecimal()
    experiment = re.escape(batch.handle.get("experiment", ""))
    known = rf"{APP}-{experiment}-{re.escape(batch.key)}-\d+-{batch.sha256[:16]}-\d+"
    return bool(experiment) and re.fullmatch(known, name) is not None


def part_of_names(batch: Batch) -> str:
    """Return what the names of a batch's jobs have in common, for the list to be asked by."""
    if "name" in batch.handle:
        return start_of(stem_of(batch.handle["name"]))
    return f"{APP}-{batch.handle.get('experiment', '')}-{batch.key}-"


def state_of(job: JsonObject) -> str:
    """Return the state in small letters, as in_progress."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word(job.get("status")) or "unspecified").lower()


def is_over(job: JsonObject) -> bool:
    """Tell whether nothing more will happen."""
    return state_of(job) in _ENDED


def rank(job: JsonObject) -> tuple[int, str]:
    """Return how far a job is; the lowest is the furthest, and of equals the oldest."""
    state = state_of(job)
    known = _FURTHEST.index(state) if state in _FURTHEST else len(_FURTHEST)
    return known + int(state == "failed"), str(job.get("submitTime"))


def output_of(job: JsonObject) -> str | None:
    """Return the folder of a job's results, as `s3://bucket/folder/id/`."""
    config = job.get("outputDataConfig")
    place = config.get("s3OutputDataConfig") if isinstance(config, dict) else None
    uri = word(place.get("s3Uri")) if isinstance(place, dict) else None
    name = str(job.get("jobArn")).rpartition("/")[2]
    return None if not uri else f"{uri.rstrip('/')}/{name}/"


def progress_of(job: JsonObject, files: Collection[str], key: Secret | None) -> Progress:
    """Say how a job stands.

    Args:
        job: the job.
        files: the addresses of its results, when it is over.
        key: what must not be shown.
    """
    state = state_of(job)
    total, processed, completed, failed = (tally(job.get(f"{n}RecordCount")) for n in _COUNTS)
    reason = word(job.get("message")) or None
    event = BatchEvent.PROGRESS
    if state == "failed" and not files and not (processed or completed):
        event = BatchEvent.DEFERRED if _NO_ROOM.search(reason or "") else BatchEvent.REFUSED
        reason = reason or "it failed, and no reason is given"
    elif state in _ENDED:
        event = BatchEvent.END
    elif state not in _GOING_ON:
        reason = f"unknown state {state!r}" + (f": {reason}" if reason else "")
    if state == "completed" and not files:
        reason = f"there is no result in {output_of(job)}: put it back if it was deleted"
    return Progress(
        state=said(state, key),
        event=event,
        total=total,
        completed=completed,
        failed=failed,
        files=_named(files),
        expires_at=seconds_of(job.get("jobExpirationTime")),
        message=None if reason is None else said(reason, key, limit=600),
        rest=_ENDED.get(state, Outcome.MISSING),
    )


_COUNTS: Final = ("total", "processed", "success", "error")


def _named(files: Collection[str]) -> Mapping[str, str]:
    """Name the files of results; one request file has one of them."""
    return {"output" if n == 1 else f"output{n}": uri for n, uri in enumerate(sorted(files), 1)}


def seconds_of(value: object) -> float | None:
    """Read a time as the API writes it, in seconds since 1970."""
    try:
        return datetime.fromisoformat(str(value)).timestamp() if value else None
    except (ValueError, OverflowError):
        return None
