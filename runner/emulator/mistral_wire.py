"""Mistral's /files, /batch/jobs and /chat/completions, as the types of mistralai 3.7 have them.

Results are kept longer than the day after which they would be gone there.

The package was pointed at this wire: it uploads, lists by metadata, creates, gets and cancels, and
parses every reply.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runner.emulator.connection import LostReply
from runner.emulator.mistral_rows import MistralRows, error_of
from runner.emulator.openai_chat import json_object
from runner.emulator.openai_rows import CHAT
from runner.emulator.openai_shapes import DAY, ApiError
from runner.emulator.openai_wire import OpenAIWire, in_words_of
from runner.emulator.records import Batch, Stage, StoredFile
from runner.emulator.world import World

_STATUS = {
    Stage.VALIDATING: "QUEUED",
    Stage.FAILED: "FAILED",
    Stage.IN_PROGRESS: "RUNNING",
    Stage.FINALIZING: "RUNNING",
    Stage.COMPLETED: "SUCCESS",
    Stage.EXPIRED: "TIMEOUT_EXCEEDED",
    Stage.CANCELLING: "CANCELLATION_REQUESTED",
    Stage.CANCELLED: "CANCELLED",
}
_FILTERS = ("page", "page_size", "model", "agent_id", "created_after", "created_by_me", "status")
"""Query parameters that are not metadata: the package sends each key of it as one of its own."""
_LONGEST = 168
"""Hours a job may take."""


class MistralError(ApiError):
    """An error reply in Mistral's shape."""

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """Make the reply."""
        refusal = {"message": str(self), "param": self.param, "code": self.code}
        return JSONResponse(error_of(refusal), self.status, headers)


class MistralWire(OpenAIWire):
    """Files as OpenAI has them, and jobs of its own."""

    max_upload: ClassVar[int] = 512 * 10**6

    def __init__(self, world: World, rows: MistralRows) -> None:
        """Say where it is."""
        super().__init__(world, rows, "mistral", "/mistral/v1")

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this service's shape."""
        return MistralError(status, message, None, code).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        files, jobs = f"{self._prefix}/files", f"{self._prefix}/batch/jobs"
        calls: list[tuple[str, str, Callable[[Request], Any]]] = [
            ("POST", files, self.upload),
            ("GET", files, self.list_files),
            ("GET", f"{files}/{{file_id}}", self.get_file),
            ("DELETE", f"{files}/{{file_id}}", self.delete_file),
            ("GET", f"{files}/{{file_id}}/content", self.content),
            ("POST", jobs, self.create),
            ("GET", jobs, self.list_batches),
            ("GET", f"{jobs}/{{batch_id}}", self.get_batch),
            ("POST", f"{jobs}/{{batch_id}}/cancel", self.cancel),
            ("POST", f"{self._prefix}/chat/completions", self.chat),
        ]
        return [
            Route(path, in_words_of(MistralError, call), methods=[method])
            for method, path, call in calls
        ]

    async def chat(self, request: Request) -> Response:
        """Answer one request, now."""
        return await self._chat(request)

    # Files

    def file_object(self, file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
        """Write a file."""
        return {
            "id": _shown_id(file.id),
            "object": "file",
            "bytes": file.bytes,
            "created_at": int(file.created_at),
            "filename": file.filename,
            "purpose": "batch",
            "sample_type": "batch_request" if file.purpose == "batch" else "batch_result",
            "source": "upload",
            "num_lines": None,
            "mimetype": "application/jsonl",
            "signature": None,
            "expires_at": file.expires_at,
            "visibility": "workspace",
        }

    def get_file(self, request: Request) -> Response:
        """Show one file."""
        return JSONResponse(self.file_object(self._file(request)) | {"deleted": False})

    def stored_id(self, file_id: str) -> str | None:
        """Return what the shelf calls a file that is called so here."""
        return f"file-{file_id[:13].replace('-', '')}{file_id[-12:]}"

    def list_files(self, request: Request) -> Response:
        """List files, newest first."""
        files = self._world.shelf.listed(self._service, None)
        return _page_of([self.file_object(file) for file in files], request)

    # Jobs

    async def create(self, request: Request) -> Response:
        """Commit a job; whether the reply arrives is another matter."""
        wanted = json_object(await request.body())
        inputs, hours = wanted.get("input_files"), wanted.get("timeout_hours", 24)
        if wanted.get("endpoint") != CHAT or not isinstance(wanted.get("model"), str):
            raise ApiError(422, f"endpoint: Input should be '{CHAT}'; model: Field required")
        if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], str):
            raise ApiError(422, "input_files: Input should be a list of one id")
        if not isinstance(hours, int) or not 1 <= hours <= _LONGEST:
            raise ApiError(422, f"timeout_hours: Input should be from 1 to {_LONGEST}")
        return await run_in_threadpool(self._create, wanted)

    def _create(self, wanted: dict[str, Any]) -> Response:
        file_id, world = wanted["input_files"][0], self._world
        source = self._find_file(file_id)
        if source is None:
            raise ApiError(404, f"File {file_id} not found")
        if world.is_full(source):
            raise ApiError(429, "Too many batch jobs are running", None, "1300")
        batch = world.create_batch(
            source,
            wanted["endpoint"],
            wanted.get("metadata"),
            DAY,
            batch_id=str(uuid4()),
            model=wanted["model"],
        )
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise ApiError(500, "Internal server error")
        return JSONResponse(self.batch_object(batch, batch.created_at, is_new=True))

    def list_batches(self, request: Request) -> Response:
        """List jobs, newest first, of those that the query lets through."""
        now = self._world.clock()
        shown = [self.batch_object(b, now) for b in self._world.list_batches(self._service)]
        return _page_of([job for job in shown if _is_wanted(job, request)], request)

    def batch_object(self, batch: Batch, now: float, *, is_new: bool = False) -> dict[str, object]:
        """Write a job as it stands now."""
        stage = batch.stage(now)
        is_over, total = stage.is_terminal, batch.total
        run = batch.rows_run(now) if stage is not Stage.FAILED else 0
        failed = batch.failed if batch.settled else run * batch.doomed // total if total else 0
        succeeded = batch.completed if batch.settled else run - failed
        return {
            "id": batch.id,
            "object": "batch",
            "input_files": [_shown_id(batch.input_file_id)],
            "metadata": json.loads(batch.metadata or "{}"),
            "endpoint": batch.endpoint,
            "model": batch.model,
            "agent_id": None,
            "output_file": _shown_id(batch.output_file_id) if is_over else None,
            "error_file": _shown_id(batch.error_file_id) if is_over else None,
            "errors": json.loads(batch.errors or "[]"),
            "outputs": None,
            "status": _STATUS[stage],
            "created_at": int(batch.created_at),
            "started_at": int(batch.validated_at) if now >= batch.validated_at else None,
            "completed_at": int(batch.over_at) if is_over else None,
            "total_requests": total,
            "completed_requests": succeeded + failed,
            "succeeded_requests": succeeded,
            "failed_requests": failed,
        }

    def cancel(self, request: Request) -> Response:
        """Stop a job that has not ended."""
        batch = self._batch(request)
        stage = batch.stage(self._world.clock())
        if stage.is_terminal:
            raise ApiError(400, f"A job with status {_STATUS[stage]} cannot be cancelled.")
        return self._shown(self._world.cancel_batch(batch.id))


def _shown_id(file_id: str | None) -> str | None:
    """Return a file's id as the UUID that it is here."""
    if file_id is None:
        return None
    digits = file_id.removeprefix("file-")
    return f"{digits[:8]}-{digits[8:12]}-4000-8000-{digits[12:]}"


def _is_wanted(job: dict[str, Any], request: Request) -> bool:
    query = request.query_params
    labels = {name: value for name, value in query.items() if name not in (*_FILTERS, "order_by")}
    if any(job["metadata"].get(name) != value for name, value in labels.items()):
        return False
    if (statuses := query.getlist("status")) and job["status"] not in statuses:
        return False
    if query.get("model") not in (None, job["model"]):
        return False
    since = query.get("created_after")
    try:
        return since is None or job["created_at"] > datetime.fromisoformat(since).timestamp()
    except ValueError:
        raise ApiError(422, "created_after: Input should be a valid datetime") from None


def _page_of(rows: list[dict[str, object]], request: Request) -> Response:
    """Return one of the pages, which are numbered from 0."""
    number, size = (
        int(text) if text.isdecimal() else -1
        for text in (
            request.query_params.get("page", "0"),
            request.query_params.get("page_size", "100"),
        )
    )
    if number < 0 or size < 1:
        raise ApiError(422, "page: Input should be 0 or more; page_size: 1 or more")
    shown = rows[number * size : (number + 1) * size]
    return JSONResponse({"data": shown, "object": "list", "total": len(rows)})
