"""Anthropic's /v1/messages and /v1/messages/batches, as its documents and recordings answer."""

import io
import json
import secrets
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runner.emulator.anthropic_body import requests_in
from runner.emulator.anthropic_rows import VERSIONS, ParamsError, asked_in
from runner.emulator.anthropic_shapes import (
    KEPT,
    AnthropicError,
    batch_object,
    message_object,
    page,
)
from runner.emulator.connection import LostReply
from runner.emulator.dice import fingerprint
from runner.emulator.downloads import chunks_of
from runner.emulator.records import Batch, StoredFile
from runner.emulator.request_array import BodyError
from runner.emulator.world import World

MAX_BATCH = 256_000_000
MAX_MESSAGE = 32_000_000
RETRY_AFTER = 10
"""Seconds after which the service wants to be asked again, at most, while a batch runs."""
_SERVICE = "anthropic"
_IN_MEMORY = 2**20
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_BROKEN = "Internal server error"


class AnthropicWire:
    """The Messages API, under one prefix."""

    def __init__(self, world: World, prefix: str = "/anthropic") -> None:
        """Say where it is shown."""
        self.prefixes: tuple[str, ...] = (prefix,)
        self._prefix = prefix
        self._world = world
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return AnthropicError(status, message).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        messages = f"{self._prefix}/v1/messages"
        batches = f"{messages}/batches"
        return [
            Route(messages, self.message, methods=["POST"]),
            Route(batches, self.create, methods=["POST"]),
            Route(batches, self.list_batches, methods=["GET"]),
            Route(f"{batches}/{{batch_id}}", self.get_batch, methods=["GET"]),
            Route(f"{batches}/{{batch_id}}", self.delete_batch, methods=["DELETE"]),
            Route(f"{batches}/{{batch_id}}/cancel", self.cancel, methods=["POST"]),
            Route(f"{batches}/{{batch_id}}/results", self.results, methods=["GET"]),
            Route(f"{self._prefix}/{{rest:path}}", self.nowhere, methods=_METHODS),
        ]

    def nowhere(self, request: Request) -> Response:
        """Answer where there is nothing."""
        raise AnthropicError(404, f"Not found: {request.method} {request.url.path}")

    # One message

    async def message(self, request: Request) -> Response:
        """Answer one request, now."""
        version = _version(request)
        async with _received(request, MAX_MESSAGE) as body:
            return await run_in_threadpool(self._message, body, version)

    def _message(self, body: IO[bytes], version: str) -> Response:
        sent = body.read()
        try:
            asked = asked_in(orjson.loads(sent), "", version, in_batch=False)
        except orjson.JSONDecodeError:
            raise AnthropicError(400, "The request body is not valid JSON") from None
        except ParamsError as error:
            status = 404 if error.kind == "not_found_error" else 400
            raise AnthropicError(status, str(error)) from None
        key, behaviour = self._chat_key(sent), self._world.behaviour
        if behaviour.all_failed or behaviour.happens("failed_lines", key):
            raise AnthropicError(500, _BROKEN)
        reply = self._world.chat(asked)
        if behaviour.happens("missing_lines", key):
            return LostReply()
        message_id = fingerprint(behaviour.seed, "ids", key)
        return _reply(message_object(message_id, asked.model, reply, "standard"))

    def _chat_key(self, sent: bytes) -> str:
        """Name a request asked on its own, and the how-manieth time it is."""
        prompt = sha256(sent).hexdigest()
        with self._lock:
            self._times[prompt] += 1
            return f"chat\x1f{prompt}\x1f{self._times[prompt]}"

    # Batches

    async def create(self, request: Request) -> Response:
        """Commit a batch; whether the reply arrives is another matter."""
        version = _version(request)
        async with _received(request, MAX_BATCH) as body:
            return await run_in_threadpool(self._create, request, body, version)

    def _create(self, request: Request, body: IO[bytes], version: str) -> Response:
        world = self._world
        source, requests = self._kept(body, version)
        if world.is_full(source):
            raise AnthropicError(429, _QUEUE_IS_FULL)
        batch = world.create_batch(
            source,
            "/v1/messages",
            None,
            None,
            batch_id=f"msgbatch_01{secrets.token_hex(11)}",
            details={"requests": requests},
            validates=False,
        )
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise AnthropicError(500, _BROKEN)
        return _reply(self._shown(request, batch, batch.created_at))

    def _kept(self, body: IO[bytes], version: str) -> tuple[StoredFile, int]:
        """Check the requests' envelopes and keep them, one a line."""
        requests = 0
        text = io.TextIOWrapper(body, "utf-8", newline="")
        with TemporaryFile() as lines:
            try:
                for line in requests_in(text, version):
                    lines.write(line)
                    requests += 1
            except BodyError as error:
                raise AnthropicError(400, str(error)) from None
            finally:
                text.detach()
            lines.seek(0)
            file = self._world.shelf.keep(_SERVICE, "batch", "requests.jsonl", lines, None)
        return file, requests

    def list_batches(self, request: Request) -> Response:
        """List batches, newest first."""
        _version(request)
        limit = _limit(request)
        batches = [b for b in self._world.list_batches(_SERVICE) if not _details(b).get("deleted")]
        ids = [batch.id for batch in batches]
        after, before = (request.query_params.get(name) for name in ("after_id", "before_id"))
        if after is not None and before is not None:
            raise AnthropicError(400, "Only one of after_id and before_id may be given")
        if before is not None:
            end = _place(before, "before_id", ids)
            start, has_more = max(0, end - limit), end > limit
        else:
            start = 0 if after is None else _place(after, "after_id", ids) + 1
            end, has_more = start + limit, start + limit < len(ids)
        now = self._world.clock()
        shown = [self._shown(request, batch, now) for batch in batches[start:end]]
        return _reply(page(shown, has_more=has_more))

    def get_batch(self, request: Request) -> Response:
        """Show one batch, and while it runs, say when to ask again."""
        batch, now = self._batch(request), self._world.clock()
        headers = {}
        if not batch.stage(now).is_terminal:
            wait = min(RETRY_AFTER, int(max(0.0, batch.over_at - now)))
            headers["retry-after"] = str(wait)
        return _reply(self._shown(request, batch, now), headers)

    def cancel(self, request: Request) -> Response:
        """Stop a batch that has not ended."""
        batch, now = self._batch(request), self._world.clock()
        if batch.stage(now).is_terminal:
            raise AnthropicError(400, f"Message Batch {batch.id} has ended: it cannot be canceled")
        return _reply(self._shown(request, self._world.cancel_batch(batch.id), now))

    def delete_batch(self, request: Request) -> Response:
        """Forget a batch that has ended."""
        batch = self._batch(request)
        if not batch.stage(self._world.clock()).is_terminal:
            raise AnthropicError(
                400, f"Message Batch {batch.id} is still being processed: cancel it first"
            )
        with self._world.shelf.transaction() as db:
            db.execute(
                "UPDATE batches SET details = ? WHERE id = ?",
                (json.dumps({**_details(batch), "deleted": True}), batch.id),
            )
        return _reply({"id": batch.id, "type": "message_batch_deleted"})

    def results(self, request: Request) -> Response:
        """Send the results of a batch that has ended, for as long as they are kept."""
        batch, now = self._batch(request), self._world.clock()
        if not batch.stage(now).is_terminal:
            raise AnthropicError(404, f"Message Batch {batch.id} has no results yet")
        shelf, behaviour = self._world.shelf, self._world.behaviour
        file = shelf.find(_SERVICE, batch.output_file_id or "")
        if now >= batch.created_at + KEPT or file is None:
            raise AnthropicError(404, f"The results of Message Batch {batch.id} are archived")
        first = shelf.count_download(file) == 0
        cut = first and behaviour.happens("truncated_downloads", file.stable_key)
        return StreamingResponse(
            chunks_of(shelf.path_of(file.id), behaviour.seed, file.stable_key, cut=cut),
            media_type="application/binary",
            headers=_named(),
        )

    def _shown(self, request: Request, batch: Batch, now: float) -> dict[str, Any]:
        host = request.headers["host"]
        url = f"http://{host}{self._prefix}/v1/messages/batches/{batch.id}/results"
        return batch_object(batch, _details(batch)["requests"], now, url)

    def _batch(self, request: Request) -> Batch:
        _version(request)
        batch_id = request.path_params["batch_id"]
        batch = self._world.find_batch(_SERVICE, batch_id)
        if batch is None or _details(batch).get("deleted"):
            raise AnthropicError(404, f"Message Batch {batch_id} not found")
        return batch


_QUEUE_IS_FULL = (
    "This request would exceed your organization's limit of Message Batch requests in the "
    "processing queue. Please wait until some of them have been processed."
)


def _version(request: Request) -> str:
    version = request.headers.get("anthropic-version")
    if version is None:
        raise AnthropicError(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        raise AnthropicError(400, f'anthropic-version: "{version}" is not a valid version')
    return version


def _named() -> dict[str, str]:
    return {"request-id": f"req_{secrets.token_hex(12)}"}


def _reply(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(body, headers={**(headers or {}), **_named()})


@asynccontextmanager
async def _received(request: Request, most: int) -> AsyncIterator[IO[bytes]]:
    """Take in a body, on disk if it is long, in other threads than the one that serves all."""
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_large(most)
    size = 0
    with SpooledTemporaryFile(_IN_MEMORY) as body:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise _too_large(most)
            await run_in_threadpool(body.write, chunk)
        body.seek(0)
        yield body


def _too_large(most: int) -> AnthropicError:
    return AnthropicError(413, f"Request exceeds the maximum size of {most:,} bytes")


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", "20")
    if not given.isascii() or not given.lstrip("-").isdigit():
        raise AnthropicError(400, "limit: Input should be a valid integer")
    limit = int(given)
    if limit < 1:
        raise AnthropicError(400, "limit: Input should be greater than or equal to 1")
    if limit > 1000:
        raise AnthropicError(400, "limit: Input should be less than or equal to 1000")
    return limit


def _place(cursor: str, name: str, ids: list[str]) -> int:
    if cursor not in ids:
        raise AnthropicError(400, f"{name}: Message Batch {cursor} not found")
    return ids.index(cursor)


def _details(batch: Batch) -> dict[str, Any]:
    details: dict[str, Any] = json.loads(batch.details or "{}")
    return details
