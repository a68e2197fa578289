"""The Gemini API: files, batches made of them, and single requests, as google-genai 3.6.1 speaks.

Batches that carry their requests in the order are not taken: the runner sends files.
"""

import json
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runner.emulator.connection import LostReply
from runner.emulator.dice import fingerprint
from runner.emulator.downloads import chunks_of
from runner.emulator.google_shapes import (
    GoogleError,
    json_body,
    number,
    stamp,
    start,
    token_after,
)
from runner.emulator.records import Batch, Stage, StoredFile
from runner.emulator.unfinished import Unfinished
from runner.emulator.vertex_rows import asked_in, generated, refusal
from runner.emulator.world import World

MAX_FILE = 2 * 2**30
PAGE = 100
_SERVICE = "gemini_api"
_MODEL = re.compile(r"gemini-[\w.-]+")
_TYPES = "type.googleapis.com/google.ai.generativelanguage.v1main."
_STATES = {
    Stage.VALIDATING: "BATCH_STATE_PENDING",
    Stage.IN_PROGRESS: "BATCH_STATE_RUNNING",
    Stage.FINALIZING: "BATCH_STATE_RUNNING",
    Stage.COMPLETED: "BATCH_STATE_SUCCEEDED",
    Stage.FAILED: "BATCH_STATE_FAILED",
    Stage.CANCELLING: "BATCH_STATE_RUNNING",
    Stage.CANCELLED: "BATCH_STATE_CANCELLED",
    Stage.EXPIRED: "BATCH_STATE_EXPIRED",
}


@dataclass(slots=True)
class _Upload(Unfinished):
    about: dict[str, Any]


class GeminiApiWire:
    """The Gemini API, under one prefix."""

    def __init__(self, world: World, prefix: str = "/gemini_api") -> None:
        """Say where it is shown."""
        self.prefixes: tuple[str, ...] = (prefix,)
        self._prefix = prefix
        self._world = world
        self._uploads: dict[str, _Upload] = {}

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return GoogleError(status, message).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at: both versions, of which the SDK's is v1."""
        return [route for version in ("v1beta", "v1") for route in self._routes(version)]

    def _routes(self, version: str) -> list[Route]:
        api, upload = f"{self._prefix}/{version}", f"{self._prefix}/upload/{version}/files"
        model = f"{api}/models/{{model}}"
        file, batch = f"{api}/files/{{file}}", f"{api}/batches/{{batch}}"
        return [
            Route(upload, self.begin_upload, methods=["POST"]),
            Route(f"{upload}/content", self.upload, methods=["POST"]),
            Route(f"{api}/files", self.list_files, methods=["GET"]),
            Route(f"{file}:download", self.download, methods=["GET"]),
            Route(file, self.get_file, methods=["GET"]),
            Route(file, self.delete_file, methods=["DELETE"]),
            Route(
                f"{self._prefix}/download/{version}/files/{{file}}:download",
                self.download,
                methods=["GET"],
            ),
            Route(f"{model}:batchGenerateContent", self.create, methods=["POST"]),
            Route(f"{model}:generateContent", self.generate, methods=["POST"]),
            Route(f"{api}/batches", self.list_batches, methods=["GET"]),
            Route(f"{batch}:cancel", self.cancel, methods=["POST"]),
            Route(batch, self.get_batch, methods=["GET"]),
        ]

    # Files

    async def begin_upload(self, request: Request) -> Response:
        """Say where the content of a file is to be sent."""
        headers = request.headers
        if (headers.get("x-goog-upload-protocol"), headers.get("x-goog-upload-command")) != (
            "resumable",
            "start",
        ):
            raise GoogleError(400, "Unsupported upload protocol.")
        if int(headers.get("x-goog-upload-header-content-length", 0)) > MAX_FILE:
            raise GoogleError(400, "The file is larger than 2 GB.")
        about = (await json_body(request)).get("file")
        upload_id = secrets.token_hex(16)
        self._uploads[upload_id] = _Upload(about if isinstance(about, dict) else {})
        where = request.url.replace(path=f"{request.url.path}/content")
        where = where.include_query_params(upload_id=upload_id, upload_protocol="resumable")
        return Response(headers={"x-goog-upload-url": str(where), "x-goog-upload-status": "active"})

    async def upload(self, request: Request) -> Response:
        """Take a piece of a file; the last one makes it."""
        upload_id = request.query_params.get("upload_id", "")
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise GoogleError(404, "Upload not found.")
        about, content = upload.about, upload.content
        if int(request.headers.get("x-goog-upload-offset", -1)) != content.tell():
            raise GoogleError(400, "Invalid upload offset.")
        async for chunk in request.stream():
            content.write(chunk)
        if "finalize" not in request.headers.get("x-goog-upload-command", ""):
            return Response(headers={"x-goog-upload-status": "active"})
        content.seek(0)
        name = str(about.get("displayName") or about.get("display_name") or "")
        file = await run_in_threadpool(
            self._world.shelf.keep, _SERVICE, "input", name, content, None
        )
        del self._uploads[upload_id]
        content.close()
        reply = {"file": _file_object(file)}
        return JSONResponse(reply, headers={"x-goog-upload-status": "final"})

    def list_files(self, request: Request) -> Response:
        """List the files, newest first."""
        files = self._world.shelf.listed(_SERVICE, None)
        return _page(request, "files", [_file_object(file) for file in files])

    def get_file(self, request: Request) -> Response:
        """Show a file."""
        return JSONResponse(_file_object(self._file(request.path_params["file"])))

    def delete_file(self, request: Request) -> Response:
        """Delete a file."""
        self._world.shelf.delete(self._file(request.path_params["file"]).id)
        return JSONResponse({})

    def download(self, request: Request) -> Response:
        """Send a file that a batch wrote."""
        shelf, behaviour = self._world.shelf, self._world.behaviour
        file = self._file(request.path_params["file"])
        if file.purpose == "input":
            raise GoogleError(400, "Only generated files can be downloaded.")
        first = shelf.count_download(file) == 0
        cut = first and behaviour.happens("truncated_downloads", file.stable_key)
        return StreamingResponse(
            chunks_of(shelf.path_of(file.id), behaviour.seed, file.stable_key, cut=cut),
            media_type="application/jsonl",
        )

    def _file(self, file_id: str) -> StoredFile:
        file = self._world.shelf.find(_SERVICE, file_id)
        if file is None:
            raise GoogleError(
                403,
                f"You do not have permission to access the File {file_id} or it may not exist.",
            )
        return file

    # Batches

    async def create(self, request: Request) -> Response:
        """Commit a batch; whether the reply arrives is another matter."""
        body = await json_body(request)
        return await run_in_threadpool(self._create, request.path_params["model"], body)

    def _create(self, model: str, body: dict[str, Any]) -> Response:
        world, wanted = self._world, body.get("batch")
        wanted = wanted if isinstance(wanted, dict) else {}
        source = wanted.get("inputConfig")
        source = source if isinstance(source, dict) else {}
        if _MODEL.fullmatch(model) is None:
            raise GoogleError(404, f"models/{model} is not found for API version v1beta.")
        if not isinstance(wanted.get("displayName"), str) or "fileName" not in source:
            raise GoogleError(400, "A displayName and an inputConfig.fileName are required.")
        file = self._file(str(source["fileName"]).removeprefix("files/"))
        if world.is_full(file):
            raise GoogleError(429, "Resource has been exhausted (e.g. check quota).")
        details = {"model": model, "displayName": wanted["displayName"], "inputConfig": source}
        batch = world.create_batch(
            file, "generateContent", None, None, details=details, model=model
        )
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise GoogleError(500, "Internal error encountered.")
        return JSONResponse(_operation(batch, batch.created_at))

    def list_batches(self, request: Request) -> Response:
        """List the batches that a listing already shows, newest first."""
        now, batches = self._world.clock(), self._world.list_batches(_SERVICE)
        return _page(request, "operations", [_operation(batch, now) for batch in batches])

    def get_batch(self, request: Request) -> Response:
        """Show a batch."""
        return JSONResponse(_operation(self._batch(request), self._world.clock()))

    def cancel(self, request: Request) -> Response:
        """Stop a batch that has not ended."""
        batch = self._batch(request)
        if batch.stage(self._world.clock()).is_terminal:
            raise GoogleError(400, "The batch has ended already.", "FAILED_PRECONDITION")
        self._world.cancel_batch(batch.id)
        return JSONResponse({})

    def _batch(self, request: Request) -> Batch:
        batch = self._world.find_batch(_SERVICE, request.path_params["batch"])
        if batch is None:
            raise GoogleError(404, "Requested entity was not found.")
        return batch

    # One request

    async def generate(self, request: Request) -> Response:
        """Answer one request, now."""
        body = await json_body(request)
        return await run_in_threadpool(self._generate, request.path_params["model"], body)

    def _generate(self, model: str, body: dict[str, Any]) -> Response:
        if _MODEL.fullmatch(model) is None:
            raise GoogleError(404, f"models/{model} is not found for API version v1beta.")
        if error := refusal(body):
            return JSONResponse(error, 400)
        behaviour = self._world.behaviour
        key = f"generate\x1f{model}\x1f{secrets.token_hex(8)}"
        if behaviour.all_failed or behaviour.happens("failed_lines", key):
            raise GoogleError(500, "Internal error encountered.")
        reply = self._world.chat(asked_in(body, model, ""))
        if behaviour.happens("missing_lines", key):
            return LostReply()
        digits = fingerprint(behaviour.seed, "response", key)
        response = generated(model, reply, digits, time.time())
        return JSONResponse(response | {"modelVersion": model})


def _page(request: Request, name: str, things: list[dict[str, Any]]) -> Response:
    """Write one page of a list; a list with nothing on it has no rows."""
    first, size = start(request), number(request, "pageSize", PAGE, PAGE)
    page: dict[str, Any] = {}
    if shown := things[first : first + size]:
        page[name] = shown
    if first + size < len(things):
        page["nextPageToken"] = token_after(first + size)
    return JSONResponse(page)


def _file_object(file: StoredFile) -> dict[str, Any]:
    return {
        "name": f"files/{file.id}",
        "displayName": file.filename,
        "mimeType": "application/jsonl",
        "sizeBytes": str(file.bytes),
        "createTime": stamp(file.created_at),
        "expirationTime": stamp(file.expires_at or file.created_at),
        "state": "ACTIVE",
        "source": "UPLOADED" if file.purpose == "input" else "GENERATED",
    }


def _operation(batch: Batch, now: float) -> dict[str, Any]:
    """Write a batch as it stands now: counts are text, and what is 0 is left out."""
    details, stage = json.loads(batch.details or "{}"), batch.stage(now)
    completed, failed = batch.done(now)
    counts = {
        "requestCount": batch.total,
        "successfulRequestCount": completed,
        "failedRequestCount": failed,
        "pendingRequestCount": batch.total - completed - failed,
    }
    about = {
        "@type": f"{_TYPES}GenerateContentBatch",
        "model": f"models/{details['model']}",
        "displayName": details["displayName"],
        "inputConfig": details["inputConfig"],
        "createTime": stamp(batch.created_at),
        "updateTime": stamp(min(now, batch.over_at)),
        "batchStats": {name: str(count) for name, count in counts.items() if count},
        "state": _STATES[stage],
        "name": f"batches/{batch.id}",
    }
    operation: dict[str, Any] = {"name": f"batches/{batch.id}", "metadata": about}
    if stage.is_terminal:
        about["endTime"] = stamp(batch.over_at)
        operation["done"] = True
        if batch.output_file_id is not None:
            about["output"] = {"responsesFile": f"files/{batch.output_file_id}"}
            operation["response"] = {"@type": f"{_TYPES}GenerateContentBatchOutput"}
            operation["response"] |= about["output"]
        if batch.errors is not None:
            operation["error"] = json.loads(batch.errors)[0]
    return operation
