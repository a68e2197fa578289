"""Together's /files, /batches and /chat/completions, as the package together 3.1.1 expects them.

A file is announced, put into storage at another address, and then said to be there.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runner.emulator.connection import LostReply
from runner.emulator.openai_chat import json_object
from runner.emulator.openai_rows import CHAT
from runner.emulator.openai_shapes import DAY, ApiError
from runner.emulator.openai_wire import OpenAIWire
from runner.emulator.records import Batch, Stage, StoredFile
from runner.emulator.together_rows import TogetherRows
from runner.emulator.unfinished import Unfinished
from runner.emulator.world import World

_STATUS = {
    Stage.VALIDATING: "VALIDATING",
    Stage.FAILED: "FAILED",
    Stage.IN_PROGRESS: "IN_PROGRESS",
    Stage.FINALIZING: "IN_PROGRESS",
    Stage.COMPLETED: "COMPLETED",
    Stage.EXPIRED: "EXPIRED",
    Stage.CANCELLING: "IN_PROGRESS",
    Stage.CANCELLED: "CANCELLED",
}
_FORM = ("purpose", "file_name", "file_type", "checksum")
_PURPOSE = "batch-api"


@dataclass(slots=True)
class _Announced(Unfinished):
    form: dict[str, str]
    ticket: str
    has_come: bool = False


class TogetherWire(OpenAIWire):
    """Uploads in three calls, and batches of its own.

    The package was pointed at this wire: it uploads a file (twice: the second is there already),
    creates, lists, retrieves and cancels, downloads the results, and parses every reply.
    """

    max_upload: ClassVar[int] = 100 * 10**6

    def __init__(self, world: World, rows: TogetherRows) -> None:
        """Say where it is."""
        super().__init__(world, rows, "together", "/together/v1")
        self._storage = "/together/storage"
        self.prefixes = (self._prefix, self._storage)
        self._announced: dict[str, _Announced] = {}

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        files, storage = f"{self._prefix}/files", f"{self._storage}/{{file_id}}"
        more: list[tuple[str, str, Callable[[Request], Any]]] = [
            ("PUT", storage, self.store),
            ("POST", f"{files}/{{file_id}}/preprocess", self.preprocess),
        ]
        return [*super().routes(), *(Route(at, call, methods=[how]) for how, at, call in more)]

    # Files

    async def upload(self, request: Request) -> Response:
        """Say where a file is to be put; or that there is one of these bytes."""
        async with request.form(max_files=0, max_fields=8) as given:
            form = {name: str(given.get(name) or "") for name in _FORM}
        for name, value in form.items():
            if not value:
                raise ApiError(400, f"{name} is required", name)
        if form["purpose"] != _PURPOSE or form["file_type"] != "jsonl":
            raise ApiError(400, "The emulator takes jsonl files for batch-api only.", "purpose")
        for known in self._world.shelf.listed(self._service, "batch"):
            if known.stable_key == form["checksum"]:
                error = {"message": "File already exists", "type": "conflict"}
                return JSONResponse({"error": error, "file_id": known.id}, 409)
        file_id, ticket = f"file-{secrets.token_hex(12)}", secrets.token_hex(16)
        self._announced[file_id] = _Announced(form, ticket)
        host, port = request.scope["server"]
        where = f"http://{host}:{port}{self._storage}/{file_id}?upload_id={ticket}"
        return Response(None, 302, {"location": where, "x-together-file-id": file_id})

    async def store(self, request: Request) -> Response:
        """Take the bytes; as storage does, from no one who shows a key beside the address."""
        announced = self._announced.get(request.path_params["file_id"])
        is_right = announced and request.query_params.get("upload_id") == announced.ticket
        if announced is None or not is_right or "authorization" in request.headers:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403)
        if "content-length" not in request.headers:
            return Response("<Error><Code>MissingContentLength</Code></Error>", 411)
        announced.content.seek(0)
        announced.content.truncate()
        async for chunk in request.stream():
            announced.content.write(chunk)
        announced.has_come = True
        return Response()

    def preprocess(self, request: Request) -> Response:
        """Keep a file whose bytes have come."""
        file_id = request.path_params["file_id"]
        announced = self._announced.get(file_id)
        if announced is None or not announced.has_come:
            raise ApiError(404, f"File {file_id} not found")
        del self._announced[file_id]
        with announced.content as content:
            content.seek(0)
            name = announced.form["file_name"]
            file = self._world.shelf.keep(
                *(self._service, "batch", name, content, None), file_id=file_id
            )
        return JSONResponse(self.file_object(file))

    def file_object(self, file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
        """Write a file."""
        return {
            "id": file.id,
            "object": "file",
            "created_at": int(file.created_at),
            "filename": file.filename,
            "bytes": file.bytes,
            "purpose": _PURPOSE,
            "FileType": "jsonl",
            "Processed": True,
            "LineCount": 0,
        }

    def list_files(self, request: Request) -> Response:
        """List all files, newest first."""
        files = self._world.shelf.listed(self._service, None)
        return JSONResponse({"data": [self.file_object(file) for file in files]})

    def delete_file(self, request: Request) -> Response:
        """Forget one file."""
        file = self._file(request)
        self._world.shelf.delete(file.id)
        return JSONResponse({"id": file.id, "deleted": True})

    # Batches

    async def create(self, request: Request) -> Response:
        """Commit a batch; whether the reply arrives is another matter."""
        wanted = json_object(await request.body())
        if wanted.get("endpoint") != CHAT or not isinstance(wanted.get("input_file_id"), str):
            raise ApiError(400, f"endpoint must be {CHAT}, and input_file_id a file's id")
        if wanted.get("completion_window", "24h") != "24h":
            raise ApiError(400, "completion_window must be 24h")
        return await run_in_threadpool(self._create, wanted)

    def _create(self, wanted: dict[str, Any]) -> Response:
        file_id, world = wanted["input_file_id"], self._world
        source = self._find_file(file_id)
        if source is None:
            raise ApiError(404, f"File {file_id} not found")
        if world.is_full(source):
            raise ApiError(429, "Too many tokens are enqueued for this model", None, "rate_limit")
        batch = world.create_batch(source, CHAT, None, DAY, batch_id=str(uuid4()))
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise ApiError(500, "Internal server error")
        shown = self.batch_object(batch, batch.created_at, is_new=True)
        return JSONResponse({"job": shown, "warning": None}, 201)

    def list_batches(self, request: Request) -> Response:
        """List all batches, newest first, in no envelope."""
        now = self._world.clock()
        return JSONResponse(
            [self.batch_object(b, now) for b in self._world.list_batches(self._service)]
        )

    def batch_object(self, batch: Batch, now: float, *, is_new: bool = False) -> dict[str, object]:
        """Write a batch as it stands now: how far it is in percent, and no counts."""
        stage = batch.stage(now)
        is_over, total = stage.is_terminal, batch.total
        run = batch.rows_run(now) if total and stage is not Stage.FAILED else 0
        errors = json.loads(batch.errors or "[]")
        return {
            "id": batch.id,
            "user_id": "user_emulated",
            "input_file_id": batch.input_file_id,
            "file_size_bytes": self._world.shelf.get(batch.input_file_id).bytes,
            "status": _STATUS[stage],
            "job_deadline": _date(batch.created_at + DAY),
            "created_at": _date(batch.created_at),
            "endpoint": batch.endpoint,
            "progress": round(100 * run / total, 1) if total else 0.0,
            "model_id": batch.model or "",
            "output_file_id": batch.output_file_id if is_over else None,
            "error_file_id": batch.error_file_id if is_over else None,
            "error": errors[0]["message"] if errors else None,
            "completed_at": _date(batch.over_at) if is_over else None,
        }

    def cancel(self, request: Request) -> Response:
        """Stop a batch that has not ended."""
        batch = self._batch(request)
        stage = batch.stage(self._world.clock())
        if stage.is_terminal:
            raise ApiError(400, f"A batch that is {_STATUS[stage]} cannot be cancelled.")
        return self._shown(self._world.cancel_batch(batch.id))


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
