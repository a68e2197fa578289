"""OpenAI's /files, /batches and /chat/completions, as its documents and recordings have them.

A service that differs here and there is a subclass.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction
from pathlib import PurePath
from typing import Any, ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runner.emulator.connection import LostReply
from runner.emulator.downloads import chunks_of
from runner.emulator.openai_chat import Chat
from runner.emulator.openai_parameters import lifetime_of, parameters_of, unsupported
from runner.emulator.openai_rows import CHAT, OpenAIRows
from runner.emulator.openai_shapes import DAY, ApiError, batch_object, file_object, page
from runner.emulator.records import Batch, StoredFile
from runner.emulator.world import World

_FORM_OVERHEAD = 64 * 2**10


class OpenAIWire:
    """One service that speaks OpenAI's dialect, under one prefix."""

    max_upload: ClassVar[int] = 200 * 2**20
    endpoints: ClassVar[tuple[str, ...]] = (CHAT,)
    """What lines and orders may name."""

    def __init__(
        self, world: World, rows: OpenAIRows, service: str = "openai", prefix: str = "/v1"
    ) -> None:
        """Say which service's files and batches it shows."""
        self.prefixes: tuple[str, ...] = (prefix,)
        self._prefix = prefix
        self._world = world
        self._service = service
        self._chat = Chat(world, rows)

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return ApiError(status, message, None, code).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        files, batches = f"{self._prefix}/files", f"{self._prefix}/batches"
        return [
            Route(files, self.upload, methods=["POST"]),
            Route(files, self.list_files, methods=["GET"]),
            Route(f"{files}/{{file_id}}", self.get_file, methods=["GET"]),
            Route(f"{files}/{{file_id}}", self.delete_file, methods=["DELETE"]),
            Route(f"{files}/{{file_id}}/content", self.content, methods=["GET"]),
            Route(batches, self.create, methods=["POST"]),
            Route(batches, self.list_batches, methods=["GET"]),
            Route(f"{batches}/{{batch_id}}", self.get_batch, methods=["GET"]),
            Route(f"{batches}/{{batch_id}}/cancel", self.cancel, methods=["POST"]),
            Route(f"{self._prefix}/chat/completions", self._chat.__call__, methods=["POST"]),
        ]

    # How this service writes things, and what it takes

    def file_object(self, file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
        """Write a file."""
        return file_object(file, is_new=is_new)

    def batch_object(self, batch: Batch, now: float, *, is_new: bool = False) -> dict[str, object]:
        """Write a batch as it stands now."""
        return batch_object(batch, now)

    def page(self, objects: list[dict[str, object]], *, has_more: bool) -> dict[str, object]:
        """Write one page of a list."""
        return page(objects, has_more=has_more)

    def stored_id(self, file_id: str) -> str | None:
        """Return what the shelf calls a file that is called so here."""
        return file_id

    def window(self, wanted: str) -> int:
        """Return the seconds of a completion window.

        Raises:
            ApiError: no such window.
        """
        if wanted != "24h":
            raise unsupported("completion_window", wanted, "24h")
        return DAY

    def order(self, source: StoredFile, wanted: Mapping[str, Any]) -> Batch:
        """Commit a batch."""
        return self._world.create_batch(
            source,
            wanted["endpoint"],
            wanted.get("metadata"),
            wanted.get("output_expires_after"),
        )

    # Files

    async def upload(self, request: Request) -> Response:
        """Keep a batch input file; its lines are looked at only when a batch validates them."""
        if int(request.headers.get("content-length", 0)) > self.max_upload + _FORM_OVERHEAD:
            raise self._too_large()
        async with _form(request) as form:
            source = form.get("file")
            if not isinstance(source, UploadFile):
                raise ApiError(400, "'file' is a required property", "file")
            purpose = form.get("purpose")
            if purpose is None:
                raise ApiError(400, "'purpose' is a required property", "purpose")
            if purpose != "batch":
                raise ApiError(400, f"'{purpose}' is not one of ['batch']", "purpose")
            if PurePath(source.filename or "upload").suffix not in (".jsonl", ""):
                raise ApiError(400, "Invalid file format for Batch API. Must be .jsonl", "file")
            if (source.size or 0) > self.max_upload:
                raise self._too_large()
            lifetime = lifetime_of(
                form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
            )
            file = await run_in_threadpool(
                self._world.shelf.keep,
                *(self._service, "batch", source.filename or "", source.file, lifetime),
            )
        return JSONResponse(self.file_object(file, is_new=lifetime is None))

    def _too_large(self) -> ApiError:
        message = f"The file is larger than the maximum of {self.max_upload} bytes."
        return ApiError(400, message, "file")

    def list_files(self, request: Request) -> Response:
        """List files, newest first unless asked otherwise."""
        limit = limit_of(request, 10_000, 10_000)
        order = request.query_params.get("order", "desc")
        if order not in ("asc", "desc"):
            raise ApiError(400, f"Invalid value: '{order}'.", "order", "invalid_value")
        files = self._world.shelf.listed(self._service, request.query_params.get("purpose"))
        if order == "asc":
            files.reverse()
        shown = [self.file_object(file) for file in files]
        return JSONResponse(self._page_of(shown, request, limit))

    def get_file(self, request: Request) -> Response:
        """Show one file."""
        return JSONResponse(self.file_object(self._file(request)))

    def delete_file(self, request: Request) -> Response:
        """Forget one file."""
        file = self._file(request)
        self._world.shelf.delete(file.id)
        file_id = request.path_params["file_id"]
        return JSONResponse({"id": file_id, "object": "file", "deleted": True})

    def content(self, request: Request) -> Response:
        """Send a file without saying how long it is."""
        file = self._file(request)
        first = self._world.shelf.count_download(file) == 0
        behaviour = self._world.behaviour
        cut = first and behaviour.happens("truncated_downloads", file.stable_key)
        return StreamingResponse(
            chunks_of(self._world.shelf.path_of(file.id), behaviour.seed, file.stable_key, cut=cut),
            media_type="application/octet-stream",
            headers={"content-disposition": f'attachment; filename="{file.filename}"'},
        )

    def _file(self, request: Request) -> StoredFile:
        file_id = request.path_params["file_id"]
        file = self._find_file(file_id)
        if file is None:
            raise ApiError(404, f"No such File object: {file_id}", "id")
        return file

    def _find_file(self, file_id: str) -> StoredFile | None:
        stored = self.stored_id(file_id)
        return None if stored is None else self._world.shelf.find(self._service, stored)

    # Batches

    async def create(self, request: Request) -> Response:
        """Commit a batch; whether the reply arrives is another matter."""
        wanted = parameters_of(await request.body(), self.endpoints)
        self.window(wanted["completion_window"])
        return await run_in_threadpool(self._create, wanted)

    def _create(self, wanted: dict[str, Any]) -> Response:
        file_id, world = wanted["input_file_id"], self._world
        source = self._find_file(file_id)
        if source is None:
            raise ApiError(400, f"No such File object: {file_id}", "input_file_id")
        if source.purpose != "batch":
            raise ApiError(400, "The input file's purpose must be 'batch'.", "input_file_id")
        batch = self.order(source, wanted)
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise ApiError(500, "The server had an error while processing your request.")
        return JSONResponse(self.batch_object(batch, batch.created_at, is_new=True))

    def list_batches(self, request: Request) -> Response:
        """List batches, newest first."""
        limit = limit_of(request, 20, 100)
        now = self._world.clock()
        shown = [self.batch_object(b, now) for b in self._world.list_batches(self._service)]
        return JSONResponse(self._page_of(shown, request, limit))

    def _page_of(
        self, objects: list[dict[str, object]], request: Request, limit: int
    ) -> dict[str, object]:
        start = start_of(request, [str(shown["id"]) for shown in objects])
        has_more = start + limit < len(objects)
        return self.page(objects[start : start + limit], has_more=has_more)

    def get_batch(self, request: Request) -> Response:
        """Show one batch."""
        return self._shown(self._batch(request))

    def cancel(self, request: Request) -> Response:
        """Stop a batch that has not ended."""
        batch = self._batch(request)
        stage = batch.stage(self._world.clock())
        if stage.is_terminal:
            raise ApiError(409, f"Cannot cancel a batch with status '{stage}'.")
        return self._shown(self._world.cancel_batch(batch.id))

    def _shown(self, batch: Batch) -> Response:
        return JSONResponse(self.batch_object(batch, self._world.clock()))

    def _batch(self, request: Request) -> Batch:
        batch_id = request.path_params["batch_id"]
        batch = self._world.find_batch(self._service, batch_id)
        if batch is None:
            raise ApiError(404, f"No batch found with id '{batch_id}'.")
        return batch


def in_words_of(
    kind: type[ApiError], call: Callable[[Request], Any]
) -> Callable[[Request], Awaitable[Response]]:
    """Let a call's errors come in the shape of another service."""

    async def answered(request: Request) -> Response:
        try:
            if iscoroutinefunction(call):
                response: Response = await call(request)
                return response
            return await run_in_threadpool(call, request)
        except ApiError as error:
            raise kind(error.status, str(error), error.param, error.code) from None

    return answered


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[Any]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(400, "Invalid Content-Type: expected multipart/form-data.")
    async with request.form(max_files=1, max_fields=8) as form:
        yield form


def limit_of(request: Request, usual: int, most: int) -> int:
    """Read how much one page of a list is to hold."""
    given = request.query_params.get("limit")
    if given is None:
        return usual
    if not given.isascii() or not given.lstrip("-").isdigit():
        message = f"Invalid type for 'limit': expected an integer, but got '{given}' instead."
        raise ApiError(400, message, "limit", "invalid_type")
    limit = int(given)
    if 1 <= limit <= most:
        return limit
    side, bound = ("above max", f"<= {most}") if limit > most else ("below min", ">= 1")
    message = (
        f"Invalid 'limit': integer {side}imum value. "
        f"Expected a value {bound}, but got {limit} instead."
    )
    raise ApiError(400, message, "limit", f"integer_{side.replace(' ', '_')}_value")


def start_of(request: Request, ids: list[str]) -> int:
    """Read behind which of the listed things a page begins."""
    after = request.query_params.get("after")
    if after is None:
        return 0
    if after not in ids:
        raise ApiError(404, f"No such object: {after}", "after")
    return ids.index(after) + 1
