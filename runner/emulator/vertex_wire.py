"""Vertex AI's batch prediction jobs, and single requests, as its documents say they answer."""

import json
import re
import secrets
import time
from hashlib import sha256
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runner.emulator.connection import LostReply
from runner.emulator.dice import chance, fingerprint
from runner.emulator.google_shapes import (
    REGION,
    GoogleError,
    fits,
    json_body,
    number,
    stamp,
    start,
    token_after,
)
from runner.emulator.google_store import SERVICE, GoogleStore, bucket_spot, table_spot
from runner.emulator.records import Batch, Stage
from runner.emulator.spots import Spot
from runner.emulator.vertex_filter import wanted
from runner.emulator.vertex_rows import asked_in, generated, refusal
from runner.emulator.world import World

PAGE = 100
_PUBLISHER = "publishers/google/models/"
_STATES = {
    Stage.VALIDATING: "JOB_STATE_PENDING",
    Stage.IN_PROGRESS: "JOB_STATE_RUNNING",
    Stage.FINALIZING: "JOB_STATE_RUNNING",
    Stage.COMPLETED: "JOB_STATE_SUCCEEDED",
    Stage.FAILED: "JOB_STATE_FAILED",
    Stage.CANCELLING: "JOB_STATE_CANCELLING",
    Stage.CANCELLED: "JOB_STATE_CANCELLED",
    Stage.EXPIRED: "JOB_STATE_EXPIRED",
}
_NUMBERS = {
    "JOB_STATE_PENDING": 2,
    "JOB_STATE_RUNNING": 3,
    "JOB_STATE_SUCCEEDED": 4,
    "JOB_STATE_FAILED": 5,
    "JOB_STATE_CANCELLING": 6,
    "JOB_STATE_CANCELLED": 7,
    "JOB_STATE_EXPIRED": 9,
    "JOB_STATE_PARTIALLY_SUCCEEDED": 11,
}
_CODES = {"token_limit_exceeded": 8, "file_not_found": 3}
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")


class VertexWire:
    """Jobs of every project and region."""

    prefixes: tuple[str, ...] = ("/v1/projects",)

    def __init__(self, world: World, store: GoogleStore) -> None:
        """Say what runs the jobs, and what they read and write."""
        self._world = world
        self._store = store

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return GoogleError(status, message).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        parent = "/v1/projects/{project}/locations/{location}"
        jobs = f"{parent}/batchPredictionJobs"
        model = f"{parent}/{_PUBLISHER}{{model}}:generateContent"
        return [
            Route(jobs, self.create, methods=["POST"]),
            Route(jobs, self.list_jobs, methods=["GET"]),
            Route(f"{jobs}/{{job}}:cancel", self.cancel, methods=["POST"]),
            Route(f"{jobs}/{{job}}", self.get_job, methods=["GET"]),
            Route(f"{jobs}/{{job}}", self.delete_job, methods=["DELETE"]),
            Route(model, self.generate, methods=["POST"]),
        ]

    # Jobs

    async def create(self, request: Request) -> Response:
        """Commit a job; whether the reply arrives is another matter."""
        body = await json_body(request)
        return await run_in_threadpool(self._create, request, body)

    def _create(self, request: Request, body: dict[str, Any]) -> Response:
        world, path = self._world, request.path_params
        project, location = path["project"], path["location"]
        details = self._details(project, location, body)
        source, sink = _spot_of(body, "input"), _spot_of(body, "output")
        details["problem"] = self._problem(location, source, sink)
        made = world.clock()
        details |= {"createTime": stamp(made), "retypes": source.where.startswith("gs/")}
        details |= _output(sink, details["createTime"])
        batch = world.create_batch(
            self._store.input_of(source),
            "generateContent",
            None,
            None,
            batch_id=str(10**18 + secrets.randbelow(8 * 10**18)),
            details=details,
            model=details["model"],
        )
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise GoogleError(500, "Internal error encountered.")
        return self._reply(request, self._job(batch, batch.created_at))

    def _details(self, project: str, location: str, body: dict[str, Any]) -> dict[str, Any]:
        """Check what can be refused at once, and keep what the job is shown with."""
        if not REGION.fullmatch(location):
            raise GoogleError(404, f"Location {location} is not found.")
        name = body.get("displayName")
        if not isinstance(name, str) or not 1 <= len(name) <= 128:
            raise GoogleError(400, "Display name must be 1 to 128 characters long.")
        model = str(body.get("model", ""))
        publisher, _, known = model.rpartition(_PUBLISHER)
        if publisher or not re.fullmatch(r"gemini-[\w.-]+", known):
            raise GoogleError(404, f"Publisher Model `{model}` was not found.")
        labels = body.get("labels", {})
        if not isinstance(labels, dict) or len(labels) > 64:
            raise GoogleError(400, "Invalid labels.")
        for key, value in labels.items():
            if not re.match(r"[a-z]", key) or not (
                _LABEL.fullmatch(key) and _LABEL.fullmatch(value)
            ):
                raise GoogleError(400, f"Invalid label: {key}={value}")
        return {
            "project": project,
            "number": _number_of(project),
            "location": location,
            "model": known,
            "displayName": name,
            "labels": labels,
            "inputConfig": body["inputConfig"],
            "outputConfig": body["outputConfig"],
        }

    def _problem(self, location: str, source: Spot, sink: Spot) -> dict[str, Any] | None:
        """Return why a job that is taken will fail all the same."""
        for spot in (source, sink):
            kind, name = spot.place
            place = self._store.location(kind, name)
            if place is None:
                what = "GCS bucket location for" if kind == "gs" else "dataset"
                return {"code": 9, "message": f"Failed to get {what} {name}."}
            if not fits(kind, place, location):
                message = f"{name} is in location {place}; the job runs in {location}."
                return {"code": 9, "message": message}
        if sink.name and sink.where.startswith("bq/") and self._store.find(sink) is not None:
            return {"code": 9, "message": f"Already Exists: Table {sink.name}"}
        return None

    def list_jobs(self, request: Request) -> Response:
        """List the jobs of a parent that a listing already shows, newest first."""
        path, now = request.path_params, self._world.clock()
        let_through = wanted(request.query_params.get("filter", ""))
        jobs = [
            job
            for batch in self._world.list_batches(SERVICE)
            if self._is_at(batch, path["project"], path["location"])
            if let_through(job := self._job(batch, now))
        ]
        first, size = start(request), number(request, "pageSize", PAGE, PAGE)
        page: dict[str, Any] = {}
        if shown := jobs[first : first + size]:
            page["batchPredictionJobs"] = [_spelled(request, job) for job in shown]
        if first + size < len(jobs):
            page["nextPageToken"] = token_after(first + size)
        return JSONResponse(page)

    def get_job(self, request: Request) -> Response:
        """Show a job."""
        return self._reply(request, self._job(self._found(request), self._world.clock()))

    def cancel(self, request: Request) -> Response:
        """Stop a job that has not ended."""
        batch = self._found(request)
        state = _STATES[batch.stage(self._world.clock())]
        if batch.stage(self._world.clock()).is_terminal:
            message = f"The job is in state {state} and cannot be cancelled."
            raise GoogleError(400, message, "FAILED_PRECONDITION")
        self._world.cancel_batch(batch.id)
        return JSONResponse({})

    def delete_job(self, request: Request) -> Response:
        """Delete a job that has ended."""
        batch = self._found(request)
        if not batch.stage(self._world.clock()).is_terminal:
            raise GoogleError(400, "The job is still running.", "FAILED_PRECONDITION")
        self._store.forget(batch.id)
        details = json.loads(batch.details or "{}")
        parent = f"projects/{details['number']}/locations/{details['location']}"
        return JSONResponse(
            {
                "name": f"{parent}/operations/{secrets.randbelow(10**18)}",
                "done": True,
                "response": {"@type": "type.googleapis.com/google.protobuf.Empty"},
            }
        )

    def _found(self, request: Request) -> Batch:
        path = request.path_params
        batch = self._world.find_batch(SERVICE, path["job"])
        if batch is None or not self._is_at(batch, path["project"], path["location"]):
            raise GoogleError(404, f"The BatchPredictionJob does not exist: {path['job']}")
        return batch

    def _is_at(self, batch: Batch, project: str, location: str) -> bool:
        details = json.loads(batch.details or "{}")
        is_here = project in (details["project"], details["number"])
        is_here = is_here and location == details["location"]
        return is_here and not self._store.is_forgotten(batch.id)

    def _job(self, batch: Batch, now: float) -> dict[str, Any]:
        """Write a job as it stands now."""
        details, stage = json.loads(batch.details or "{}"), batch.stage(now)
        parent = f"projects/{details['number']}/locations/{details['location']}"
        job = {
            "name": f"{parent}/batchPredictionJobs/{batch.id}",
            "displayName": details["displayName"],
            "model": _PUBLISHER + details["model"],
            "inputConfig": details["inputConfig"],
            "outputConfig": details["outputConfig"],
            "state": self._state(batch, stage),
            "createTime": details["createTime"],
            "updateTime": stamp(min(now, batch.over_at)),
            "labels": details["labels"],
        }
        if batch.checked and batch.errors is None:
            job["startTime"] = stamp(batch.validated_at)
            job["completionStats"] = _stats(batch, now)
        if stage.is_terminal:
            job["endTime"] = stamp(batch.over_at)
            if batch.output_file_id is not None:
                job["outputInfo"] = details["outputInfo"]
        if batch.errors is not None:
            job["error"] = _status(json.loads(batch.errors)[0])
        elif stage is Stage.CANCELLED:
            job["error"] = {"code": 1, "message": "CANCELED"}
        return job

    def _state(self, batch: Batch, stage: Stage) -> str:
        """Return the state; half of the jobs in which some rows failed have succeeded partially."""
        if stage is Stage.COMPLETED and batch.failed and batch.completed:
            seed = self._world.behaviour.seed
            if chance(seed, "partially", batch.stable_key) < 0.5:
                return "JOB_STATE_PARTIALLY_SUCCEEDED"
        return _STATES[stage]

    def _reply(self, request: Request, job: dict[str, Any]) -> Response:
        return JSONResponse(_spelled(request, job))

    # One request

    async def generate(self, request: Request) -> Response:
        """Answer one request, now."""
        body = await json_body(request)
        return await run_in_threadpool(self._generate, request.path_params, body)

    def _generate(self, path: dict[str, str], body: dict[str, Any]) -> Response:
        model = path["model"]
        if not re.fullmatch(r"gemini-[\w.-]+", model) or not REGION.fullmatch(path["location"]):
            raise GoogleError(404, f"Publisher Model `{_PUBLISHER}{model}` was not found.")
        if error := refusal(body):
            return JSONResponse(error, 400)
        asked = asked_in(body, model, "")
        behaviour = self._world.behaviour
        key = f"generate\x1f{model}\x1f{secrets.token_hex(8)}"
        if behaviour.all_failed or behaviour.happens("failed_lines", key):
            raise GoogleError(500, "Internal error encountered.")
        reply = self._world.chat(asked)
        if behaviour.happens("missing_lines", key):
            return LostReply()
        digits = fingerprint(behaviour.seed, "response", key)
        return JSONResponse(generated(model, reply, digits, time.time()))


def _spelled(request: Request, job: dict[str, Any]) -> dict[str, Any]:
    """Write states as numbers where they are asked for so."""
    if "enum-encoding=int" not in request.query_params.get("$alt", ""):
        return job
    return job | {"state": _NUMBERS[job["state"]]}


def _spot_of(body: dict[str, Any], which: str) -> Spot:
    """Return where a job reads or writes; where a folder or a dataset is named, its name is less."""
    config = body.get(f"{which}Config")
    config = config if isinstance(config, dict) else {}
    if which == "input":
        uris = _part(config, "gcsSource").get("uris") or [""]
        uri = _part(config, "bigquerySource").get("inputUri") or uris[0]
        kind = config.get("instancesFormat")
    else:
        prefix = _part(config, "gcsDestination").get("outputUriPrefix", "")
        uri = _part(config, "bigqueryDestination").get("outputUri") or prefix
        kind = config.get("predictionsFormat")
    found = re.fullmatch(r"gs://([^/]+)/(.*)|bq://([^.]+)\.([^.]+)(?:\.([^.]+))?", str(uri))
    if found is None or kind != ("jsonl" if found[1] else "bigquery"):
        raise GoogleError(400, f"Invalid {which} config: {kind} {uri}")
    if found[1]:
        return bucket_spot(found[1], found[2])
    return table_spot(found[3], found[4], found[5] or "")


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    part = config.get(name)
    return part if isinstance(part, dict) else {}


def _output(sink: Spot, created: str) -> dict[str, Any]:
    """Return where a job's results are kept, and how it says so."""
    if sink.where.startswith("gs/"):
        folder = f"{sink.name.rstrip('/')}/prediction-model-{created}"
        uri = f"gs://{sink.where.partition('/')[2]}/{folder}"
        return {
            "published": [sink.where, f"{folder}/predictions.jsonl"],
            "outputInfo": {"gcsOutputDirectory": uri},
        }
    _, project, dataset = sink.where.split("/")
    table = sink.name or "predictions_" + re.sub(r"\W", "_", created)
    info = {"bigqueryOutputDataset": f"bq://{project}.{dataset}", "bigqueryOutputTable": table}
    return {"published": [sink.where, table], "outputInfo": info}


def _number_of(project: str) -> str:
    """Return a project's number, by which a job's name calls it."""
    return str(10**11 + int(sha256(project.encode()).hexdigest()[:9], 16))


def _status(error: dict[str, Any]) -> dict[str, Any]:
    """Write why a job failed as a google.rpc.Status."""
    code, message = error["code"], error["message"]
    if code == "file_not_found":
        message = "Failed to import data. Not found: the input does not exist."
    elif code == "token_limit_exceeded":
        message = (
            "Quota exceeded for aiplatform.googleapis.com/batch_prediction_tokens. "
            "Resource exhausted, please try again later."
        )
    return {"code": _CODES.get(code, code), "message": message}


def _stats(batch: Batch, now: float) -> dict[str, str]:
    """Write the counts: 64-bit numbers are text, and 0 is left out as everywhere."""
    done, failed = batch.done(now)
    counts = {
        "successfulCount": done,
        "failedCount": failed,
        "incompleteCount": batch.total - done - failed,
    }
    return {name: str(count) for name, count in counts.items() if count}
