"""Amazon Bedrock: batch inference jobs and single conversations, as botocore 1.44 speaks with it.

An order with a token that is known makes nothing, and gets the job that was made; with other
parameters it is a conflict.
"""

import json
import re
import secrets
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runner.emulator.aws_shapes import AwsError, json_body, stamp
from runner.emulator.bedrock_rows import BodyError, asked_in, conversed, is_model
from runner.emulator.connection import LostReply
from runner.emulator.records import Batch, Stage
from runner.emulator.s3_wire import SERVICE
from runner.emulator.spots import Spot, Spots
from runner.emulator.world import World

PAGE = 100
_ACCOUNT = "123456789012"
_TABLE = """
CREATE TABLE IF NOT EXISTS aws_tokens (
  token TEXT PRIMARY KEY, asked TEXT NOT NULL, batch_id TEXT NOT NULL) WITHOUT ROWID;
"""
_NAME = re.compile(r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}")
_TOKEN = re.compile(r"[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}")
_ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+")
_URI = re.compile(
    r"s3://(?P<bucket>[a-z0-9][-.a-z0-9]{1,61}[a-z0-9])"
    r"(?:/(?P<key>[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*))?/?"
)
"""What botocore 1.44 says that names, tokens, roles and addresses look like; it does not look itself."""
_STATES = {
    Stage.VALIDATING: "Validating",
    Stage.IN_PROGRESS: "InProgress",
    Stage.FINALIZING: "InProgress",
    Stage.COMPLETED: "Completed",
    Stage.FAILED: "Failed",
    Stage.CANCELLING: "Stopping",
    Stage.CANCELLED: "Stopped",
    Stage.EXPIRED: "PartiallyCompleted",
}


class BedrockWire:
    """Jobs of one account and region, and the models that they ask."""

    def __init__(self, world: World, store: Spots, prefix: str) -> None:
        """Say what runs the jobs, and what they read and write."""
        self.prefixes: tuple[str, ...] = (prefix,)
        self._prefix = prefix
        self._world = world
        self._store = store
        world.shelf.db.executescript(_TABLE)

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return AwsError(status, message).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        job = f"{self._prefix}/model-invocation-job"
        return [
            Route(job, self.create, methods=["POST"]),
            Route(f"{self._prefix}/model-invocation-jobs", self.list_jobs, methods=["GET"]),
            Route(f"{job}/{{job:path}}/stop", self.stop, methods=["POST"]),
            Route(f"{job}/{{job:path}}", self.get_job, methods=["GET"]),
            Route(f"{self._prefix}/model/{{model}}/converse", self.converse, methods=["POST"]),
        ]

    # Jobs

    async def create(self, request: Request) -> Response:
        """Commit a job; whether the reply arrives is another matter."""
        return await run_in_threadpool(self._create, await json_body(request))

    def _create(self, wanted: dict[str, Any]) -> Response:
        world = self._world
        source, sink = self._looked_at(wanted)
        asked = {name: value for name, value in wanted.items() if name != "clientRequestToken"}
        batch_id, is_new = self._of_token(wanted["clientRequestToken"], asked)
        batch = None if is_new else world.find_batch(SERVICE, batch_id)
        if batch is None:
            details = self._details(batch_id, wanted, source, sink)
            batch = world.create_batch(
                self._store.input_of(source),
                *("Converse", None, None),
                batch_id=batch_id,
                details=details,
                model=wanted["modelId"],
            )
        if is_new and world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if is_new and world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise AwsError(500, "An internal server error occurred. Retry your request.")
        return JSONResponse({"jobArn": _arn(batch)})

    def _of_token(self, token: str, asked: dict[str, Any]) -> tuple[str, bool]:
        """Return the job of a token, and whether it is new; it is written down before it is made.

        Raises:
            AwsError: the token was used for something else.
        """
        said = json.dumps(asked, sort_keys=True)
        batch_id = f"1{secrets.token_hex(6)[1:]}"
        with self._world.shelf.transaction() as db:
            made = db.execute(
                "INSERT OR IGNORE INTO aws_tokens VALUES (?, ?, ?)", (token, said, batch_id)
            )
            known = db.execute(
                "SELECT asked, batch_id FROM aws_tokens WHERE token = ?", (token,)
            ).fetchone()
        if known[0] != said:
            message = "The client request token was used with other parameters."
            raise AwsError(400, message, "ConflictException")
        return known[1], made.rowcount == 1

    def _details(
        self, batch_id: str, wanted: dict[str, Any], source: Spot, sink: Spot
    ) -> dict[str, Any]:
        name = source.name.rpartition("/")[2]
        return {
            "job": wanted,
            "least": self._world.behaviour.min_requests or 0,
            "published": [sink.where, f"{sink.name.rstrip('/')}/{batch_id}/{name}.out"],
        }

    def _looked_at(self, wanted: dict[str, Any]) -> tuple[Spot, Spot]:
        """Check what can be refused at once; return where a job reads and writes."""
        for name, form in (("jobName", _NAME), ("clientRequestToken", _TOKEN), ("roleArn", _ROLE)):
            if form.fullmatch(str(wanted.get(name))) is None or len(str(wanted[name])) > _most(
                name
            ):
                raise AwsError(400, f"Value at '{name}' failed to satisfy constraint")
        if not is_model(str(wanted.get("modelId"))):
            raise AwsError(400, "The provided model identifier is invalid.")
        if wanted.get("modelInvocationType") != "Converse":
            raise AwsError(400, "The emulator reads the bodies of Converse only.")
        if not 24 <= wanted.get("timeoutDurationInHours", 24) <= 168:
            raise AwsError(400, "Value at 'timeoutDurationInHours' failed to satisfy constraint")
        return _spot_of(wanted, "Input"), _spot_of(wanted, "Output")

    def list_jobs(self, request: Request) -> Response:
        """List the jobs that a listing already shows, newest first."""
        query, now = request.query_params, self._world.clock()
        part, size = query.get("nameContains", ""), int(query.get("maxResults", PAGE))
        first = int(query.get("nextToken", 0))
        jobs = [
            job
            for batch in self._world.list_batches(SERVICE)
            if part in (job := _job(batch, now))["jobName"]
        ]
        page: dict[str, Any] = {"invocationJobSummaries": jobs[first : first + size]}
        if first + size < len(jobs):
            page["nextToken"] = str(first + size)
        return JSONResponse(page)

    def get_job(self, request: Request) -> Response:
        """Show a job."""
        return JSONResponse(_job(self._found(request), self._world.clock()))

    def stop(self, request: Request) -> Response:
        """Stop a job that has not ended."""
        batch = self._found(request)
        if batch.stage(self._world.clock()).is_terminal:
            raise AwsError(400, "The job has ended already.", "ConflictException")
        self._world.cancel_batch(batch.id)
        return JSONResponse({})

    def _found(self, request: Request) -> Batch:
        batch = self._world.find_batch(SERVICE, request.path_params["job"].rpartition("/")[2])
        if batch is None:
            raise AwsError(404, "Could not find the requested job.")
        return batch

    # One request

    async def converse(self, request: Request) -> Response:
        """Answer one request, now."""
        body = await json_body(request)
        return await run_in_threadpool(self._converse, request.path_params["model"], body)

    def _converse(self, model: str, body: dict[str, Any]) -> Response:
        if not is_model(model):
            raise AwsError(400, "The provided model identifier is invalid.")
        try:
            asked = asked_in(body, model, "")
        except BodyError as error:
            raise AwsError(400, str(error)) from None
        behaviour = self._world.behaviour
        key = f"converse\x1f{model}\x1f{secrets.token_hex(8)}"
        if behaviour.all_failed or behaviour.happens("failed_lines", key):
            raise AwsError(500, "The model failed to answer.")
        reply = self._world.chat(asked)
        if behaviour.happens("missing_lines", key):
            return LostReply()
        return JSONResponse(conversed(reply))


def _most(name: str) -> int:
    return {"jobName": 63, "clientRequestToken": 256}.get(name, 2048)


def _spot_of(wanted: dict[str, Any], which: str) -> Spot:
    config = wanted.get(f"{which.lower()}DataConfig")
    place = config.get(f"s3{which}DataConfig") if isinstance(config, dict) else None
    found = _URI.fullmatch(str(place.get("s3Uri"))) if isinstance(place, dict) else None
    if found is None or (which == "Input" and not str(found["key"]).endswith(".jsonl")):
        raise AwsError(400, f"Value at '{which.lower()}DataConfig' failed to satisfy constraint")
    return Spot(f"s3/{found['bucket']}", found["key"] or "")


def _arn(batch: Batch) -> str:
    return f"arn:aws:bedrock:us-east-1:{_ACCOUNT}:model-invocation-job/{batch.id}"


def _job(batch: Batch, now: float) -> dict[str, Any]:
    """Write a job as it stands now."""
    wanted, stage = json.loads(batch.details or "{}")["job"], batch.stage(now)
    job: dict[str, Any] = {
        "jobArn": _arn(batch),
        **wanted,
        "status": _STATES[stage],
        "submitTime": stamp(batch.created_at),
        "lastModifiedTime": stamp(min(now, batch.over_at)),
        "jobExpirationTime": stamp(
            batch.created_at + wanted.get("timeoutDurationInHours", 24) * 3600
        ),
    }
    if batch.checked and batch.errors is None:
        completed, failed = batch.done(now)
        job |= {
            "totalRecordCount": batch.total,
            "processedRecordCount": completed + failed,
            "successRecordCount": completed,
            "errorRecordCount": failed,
        }
    if stage.is_terminal:
        job["endTime"] = stamp(batch.over_at)
    if batch.errors is not None:
        job["message"] = _why(json.loads(batch.errors)[0])
    return job


def _why(error: dict[str, Any]) -> str:
    if error["code"] == "file_not_found":
        return (
            "The S3 object of the input could not be read: it does not exist, or access is denied."
        )
    if error["code"] == "token_limit_exceeded":
        return "The quota of tokens in batch inference is used up. Please try again later."
    return str(error["message"])
