"""Batch prediction jobs of Vertex AI: their names, what is ordered, and what their states mean.

Pure. A job is the JSON object of the REST API.
"""

import re
from collections.abc import Collection, Mapping
from hashlib import sha256

from runner.core.model import JsonObject, Progress
from runner.core.states import BatchEvent, Outcome
from runner.providers._lines import count, tally, told, word
from runner.providers.base import Secret, said

APP = "chorus"
"""What everything of ours in a project begins with: objects, tables, load jobs and labels."""

JOB_NAME = re.compile(r"projects/[\w.:-]+/locations/[a-z0-9-]+/batchPredictionJobs/[\w-]+")

_GOING_ON = {"queued", "pending", "running", "cancelling", "paused", "updating"}
_ENDED = {"succeeded", "partially_succeeded", "failed", "cancelled", "expired"}
_FURTHEST = (
    *("succeeded", "partially_succeeded", "running", "updating", "paused", "queued", "pending"),
    *("cancelling", "expired", "cancelled"),
)
"""Which of several jobs from one input to adopt: the furthest on, and a failed one last."""

_REST = {
    "cancelled": Outcome.CANCELLED,
    "expired": Outcome.EXPIRED,
    "failed": Outcome.ERRORED,
}
"""How requests without a row ended, where the state says it; a job that succeeded has lost them."""

_REFUSALS = {3, 5, 7, 9, 11, 12, 16}
"""Codes of a failed job that will fail again; with no results, nothing ran."""
_EXHAUSTED = 8
_NO_ROOM = re.compile(r"(?i)quota|resource.?exhausted|\b429\b|too many requests")


# -- What is ordered


def stem_of(name: str) -> str:
    """Return the name of a request file without its ending, from which all others follow."""
    return name.removesuffix(".jsonl")


def object_of(name: str) -> str:
    """Return what a request file is called in a bucket."""
    return f"{APP}/{stem_of(name)}.jsonl"


def prefix_of(name: str) -> str:
    """Return where in a bucket the results of a request file go."""
    return f"{APP}/{stem_of(name)}"


def table_of(name: str) -> str:
    """Return what a request file is called as a table."""
    return f"{APP}_" + re.sub(r"\W", "_", stem_of(name), flags=re.ASCII)


def shard_of(name: str) -> str:
    """Return the label by which a job is found again: one request file, one sending of it."""
    return sha256(stem_of(name).encode()).hexdigest()[:40]


def job_of(
    handle: Mapping[str, str], model: str, labels: Mapping[str, str], sendings: int
) -> JsonObject:
    """Return the job to create.

    Args:
        handle: what staging the request file returned.
        model: the model's name.
        labels: whose it is.
        sendings: how many jobs from this input are known to have never run.
    """
    output = handle["output"]
    if output.startswith("bq://"):
        output += f"_{sendings + 1}"  # a table is written once
    return {
        "displayName": " ".join((APP, *labels.values()))[:128],
        "model": model if "/" in model else f"publishers/google/models/{model}",
        "labels": {
            "app": APP,
            **{_label(name): _label(value) for name, value in labels.items()},
            "shard": handle["shard"],
        },
        "inputConfig": _source(handle["input"]),
        "outputConfig": _sink(output),
    }


def _source(uri: str) -> JsonObject:
    if uri.startswith("bq://"):
        return {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": uri}}
    return {"instancesFormat": "jsonl", "gcsSource": {"uris": [uri]}}


def _sink(uri: str) -> JsonObject:
    if uri.startswith("bq://"):
        return {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": uri}}
    return {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": uri}}


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:63]


# -- Where it may be


_MULTI = {"us": "us-", "eu": "europe-", "asia": "asia-"}
_DUAL = {
    "asia1": {"asia-northeast1", "asia-northeast2"},
    "eur4": {"europe-north1", "europe-west4"},
    "eur5": {"europe-west1", "europe-west2"},
    "eur7": {"europe-west2", "europe-west3"},
    "eur8": {"europe-west3", "europe-west6"},
    "nam4": {"us-central1", "us-east1"},
}


def bucket_fits(place: str, parts: Collection[str], job: str) -> bool:
    """Tell whether a job may use a bucket, as far as can be said without trying.

    A region has to be the job's own; several regions have to include it; a global job reads any.

    Args:
        place: the bucket's location.
        parts: the regions of a dual-region of one's own choice.
        job: the job's location.
    """
    place, chosen = place.lower(), {part.lower() for part in parts}
    if job in ("global", place):
        return True
    if chosen or place in _DUAL:
        return job in (chosen or _DUAL[place])
    return place in _MULTI and job.startswith(_MULTI[place])


def dataset_fits(place: str, job: str) -> bool:
    """Tell whether a job may use a dataset: its region has to be the job's own."""
    return job == "global" or place.lower() == job


# -- What its states mean


def state_of(job: JsonObject) -> str:
    """Return the state in a word, as `running`; a number that has no name yet stays one.

    The Gemini API says BATCH_STATE_RUNNING where Vertex AI says JOB_STATE_RUNNING.
    """
    return str(job.get("state", "unspecified")).rpartition("_STATE_")[2].lower()


def is_over(job: JsonObject) -> bool:
    """Tell whether nothing more will happen."""
    return state_of(job) in _ENDED


def rank(job: JsonObject) -> tuple[int, str]:
    """Return how far a job is; the lowest is the furthest, and of equals the oldest."""
    state = state_of(job)
    known = _FURTHEST.index(state) if state in _FURTHEST else len(_FURTHEST)
    return known + int(state == "failed"), str(job.get("createTime"))


def progress_of(job: JsonObject, files: Mapping[str, str], key: Secret | None) -> Progress:
    """Say how a job stands.

    Args:
        job: the job.
        files: every output found, when it has ended.
        key: what must not be shown.

    A job that has succeeded and left nothing says where its results should be.
    """
    state, stats = state_of(job), _stats(job)
    completed, failed, unfinished = (stats.get(name) for name in _COUNTS)
    event, message = _event(job, state, ran=bool(files) or bool(completed))
    if state in ("succeeded", "partially_succeeded") and not files:
        message = f"there is no result in {_place(job)}: put it back if it was deleted"
    known = [number for number in (completed, failed, unfinished) if number is not None]
    rest = _REST.get(state, Outcome.MISSING)
    return Progress(
        state=said(state, key),
        event=event,
        total=sum(known) if len(known) == len(_COUNTS) else None,
        completed=completed,
        failed=failed,
        files=files,
        message=None if message is None else said(message, key, limit=600),
        rest=rest,
    )


_COUNTS = ("successfulCount", "failedCount", "incompleteCount")


def _stats(job: JsonObject) -> dict[str, int | None]:
    """Return the counts: 64-bit numbers come as text, -1 is unknown, and 0 is left out."""
    stats = job.get("completionStats")
    if not isinstance(stats, dict):
        return {}
    return {name: tally(stats.get(name, 0)) for name in _COUNTS}


def _event(job: JsonObject, state: str, *, ran: bool) -> tuple[BatchEvent, str | None]:
    """Translate the provider's word; an unknown word is progress, shown as it is."""
    code, reason = _error(job)
    if state == "failed" and not ran:
        if code == _EXHAUSTED or (code not in _REFUSALS and _NO_ROOM.search(reason or "")):
            return BatchEvent.DEFERRED, reason
        if code in _REFUSALS:
            return BatchEvent.REFUSED, f"{reason} {_advice(job, code)}".rstrip()
    if state in _ENDED:
        return BatchEvent.END, reason
    if state in _GOING_ON:
        return BatchEvent.PROGRESS, reason
    return BatchEvent.PROGRESS, f"unknown state {state!r}" + (f": {reason}" if reason else "")


def _error(job: JsonObject) -> tuple[int | None, str | None]:
    error = job.get("error")
    if not isinstance(error, dict) or not error:
        return None, None
    code = count(error.get("code"))
    return code, f"{'error' if code is None else code}: {told(error.get('message'))}"


def _advice(job: JsonObject, code: int | None) -> str:
    """Say what can be done about a job of Vertex AI that failed before it ran."""
    if not str(job.get("name")).startswith("projects/"):
        return ""
    if code == 7:
        named = re.match(r"projects/(\d+)/", str(job.get("name")))
        number = named[1] if named else "PROJECT_NUMBER"
        return (
            f"(the service agent service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com, "
            "not you, reads the input and writes the results: give it roles/storage.objectUser on "
            "the bucket, and roles/bigquery.dataEditor and roles/bigquery.jobUser for a dataset)"
        )
    if code == 9:
        return f"(the job wants {_place(job)} in its own region, provider.location)"
    return ""


def _place(job: JsonObject) -> str:
    """Return where the results of a job should be."""
    return output_of(job) or "its output"


def output_of(job: JsonObject) -> str | None:
    """Return where the results of a job are: `gs://bucket/folder` or `bq://project.dataset.table`.

    A job that ended early may not say; then they are where we asked for them.
    """
    info, asked = _part(job, "outputInfo"), _part(job, "outputConfig")
    if folder := word(info.get("gcsOutputDirectory")):
        return folder
    table = word(info.get("bigqueryOutputTable"))
    dataset = word(info.get("bigqueryOutputDataset"))
    if table and table.startswith("bq://"):
        return table
    if table and dataset:
        return f"{dataset}.{table.rpartition('.')[2]}"
    wanted = word(_part(asked, "bigqueryDestination").get("outputUri"))
    return wanted or word(_part(asked, "gcsDestination").get("outputUriPrefix"))


def _part(job: JsonObject, name: str) -> JsonObject:
    part = job.get(name)
    return part if isinstance(part, dict) else {}
