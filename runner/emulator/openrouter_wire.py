"""OpenRouter's /batches and /chat/completions, as the package openrouter 1.3.84 speaks to them.

A batch is checked after it was taken; its results stand inside of it.
"""

import io
import json
import re
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runner.emulator.connection import LostReply
from runner.emulator.downloads import chunks_of
from runner.emulator.openai_chat import Chat
from runner.emulator.openai_rows import CHAT
from runner.emulator.openai_shapes import DAY, ApiError, page
from runner.emulator.openai_wire import limit_of, start_of
from runner.emulator.openrouter_rows import OpenRouterRows, cost_of
from runner.emulator.records import Batch, StoredFile
from runner.emulator.request_array import Body, BodyError
from runner.emulator.world import World

MAX_REQUESTS = 5_000
MAX_BYTES = 200_000_000
_SERVICE = "openrouter"
_MEMBERS = frozenset({"endpoint", "model", "completion_window", "provider", "callback_url"})
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_IN_MEMORY = 2**20


class OpenRouterError(ApiError):
    """An error reply in OpenRouter's shape."""

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """Make the reply."""
        error = {"code": self.status, "message": str(self)}
        return JSONResponse({"error": error}, self.status, headers)


class OpenRouterWire:
    """The gateway, under one prefix."""

    def __init__(
        self, world: World, rows: OpenRouterRows, prefix: str = "/openrouter/api/v1"
    ) -> None:
        """Say where it is shown."""
        self.prefixes: tuple[str, ...] = (prefix,)
        self._prefix = prefix
        self._world = world
        self._chat = Chat(world, rows)

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return OpenRouterError(status, message).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        batches = f"{self._prefix}/batches"
        return [
            Route(batches, self.create, methods=["POST"]),
            Route(batches, self.list_batches, methods=["GET"]),
            Route(f"{batches}/{{batch_id}}", self.get_batch, methods=["GET"]),
            Route(f"{self._prefix}/chat/completions", self._chat.__call__, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Commit a batch; whether the reply arrives is another matter."""
        if int(request.headers.get("content-length", 0)) > MAX_BYTES:
            raise OpenRouterError(413, "The batch is larger than 200 MB.")
        with SpooledTemporaryFile(_IN_MEMORY) as body:
            async for chunk in request.stream():
                await run_in_threadpool(body.write, chunk)
            body.seek(0)
            return await run_in_threadpool(self._create, body)

    def _create(self, body: IO[bytes]) -> Response:
        world = self._world
        source, requests, head = self._kept(body)
        if world.is_full(source):
            raise OpenRouterError(429, "Rate limit exceeded: too many batches are waiting.")
        routing = head.get("provider") or {}
        upstream = (routing.get("only") or ["cheapest"])[0]
        details = {"model": head["model"], "requests": requests, "provider": upstream.title()}
        batch = world.create_batch(source, CHAT, None, None, details=details, model=head["model"])
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise OpenRouterError(500, "Internal Server Error")
        return JSONResponse(self._object(batch, batch.created_at), 202)

    def _kept(self, body: IO[bytes]) -> tuple[StoredFile, int, dict[str, Any]]:
        """Check what is checked at once, and keep the requests, one a line."""
        text = io.TextIOWrapper(body, "utf-8", newline="")
        parsed, seen = Body(text, _MEMBERS), set[str]()
        with TemporaryFile() as lines:
            try:
                for request in parsed.elements():
                    _check_head(parsed.head)
                    lines.write(_line(request, parsed.head["model"], seen))
                _check_head(parsed.head)
            except BodyError as error:
                raise OpenRouterError(400, str(error)) from None
            finally:
                text.detach()
            if not 1 <= len(seen) <= MAX_REQUESTS:
                raise OpenRouterError(400, f"A batch holds 1 to {MAX_REQUESTS} requests.")
            lines.seek(0)
            file = self._world.shelf.keep(_SERVICE, "batch", "requests.jsonl", lines, None)
        return file, len(seen), parsed.head

    def list_batches(self, request: Request) -> Response:
        """List batches, newest first, without their results."""
        limit = limit_of(request, 20, 100)
        batches = self._world.list_batches(_SERVICE)
        begin = start_of(request, [batch.id for batch in batches])
        now, end = self._world.clock(), begin + limit
        shown = [self._object(batch, now) for batch in batches[begin:end]]
        return JSONResponse(page(shown, has_more=end < len(batches)))

    def get_batch(self, request: Request) -> Response:
        """Show one batch, with its results once it has ended."""
        batch_id, now = request.path_params["batch_id"], self._world.clock()
        batch = self._world.find_batch(_SERVICE, batch_id)
        if batch is None:
            raise OpenRouterError(404, f"Batch {batch_id} not found")
        shown, shelf = self._object(batch, now), self._world.shelf
        file = shelf.find(_SERVICE, batch.output_file_id or "")
        if not batch.stage(now).is_terminal or batch.errors is not None:
            return JSONResponse(shown)
        second = file is not None and shelf.count_download(file) == 1  # the first is a poll
        behaviour = self._world.behaviour
        cut = second and behaviour.happens("truncated_downloads", file.stable_key if file else "")
        return StreamingResponse(self._whole(shown, file, cut=cut), media_type="application/json")

    def _whole(
        self, shown: dict[str, Any], file: StoredFile | None, *, cut: bool
    ) -> Iterator[bytes]:
        """Yield a batch with its results in the midst of it."""
        before = {name: shown.pop(name) for name in ("id", "object", "provider", "model")}
        del shown["results"]
        yield orjson.dumps(before).removesuffix(b"}") + b',"results":['
        if file is not None:
            path, seed = self._world.shelf.path_of(file.id), self._world.behaviour.seed
            left = file.bytes - 1  # the last newline has no line behind it
            for chunk in chunks_of(path, seed, file.stable_key, cut=cut):
                yield chunk[:left].replace(b"\n", b",")
                left -= len(chunk)
        if not cut:
            yield b"]," + orjson.dumps(shown).removeprefix(b"{")

    def _object(self, batch: Batch, now: float) -> dict[str, Any]:
        """Write a batch as it stands now, without its results."""
        details, stage = json.loads(batch.details or "{}"), batch.stage(now)
        is_over = stage.is_terminal
        completed, failed = batch.done(now)
        errors = None if batch.errors is None else json.loads(batch.errors)
        tokens = {"prompt_tokens": batch.input_tokens, "completion_tokens": batch.output_tokens}
        cost = cost_of(details["model"], **tokens)
        usage = {**tokens, "total_tokens": batch.input_tokens + batch.output_tokens}
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": CHAT,
            "model": details["model"],
            "provider": details["provider"] if batch.checked else None,
            "completion_window": "24h",
            "status": stage.value,
            "created_at": int(batch.created_at),
            "expires_at": int(batch.created_at) + DAY,
            "finalized_at": int(batch.over_at) if is_over else None,
            "request_counts": {"total": batch.total, "completed": completed, "failed": failed},
            "error": {"message": errors[0]["message"]} if errors else None,
            "results": None,
            "usage": {**usage, "cost": cost} if is_over and not errors else None,
        }


def _check_head(head: dict[str, Any]) -> None:
    """Make sure that it is known what is to be done with the requests, before they come."""
    for name in ("endpoint", "model"):
        if not isinstance(head.get(name), str):
            raise BodyError(f"`{name}` is required and must come before `requests`")
    if head["endpoint"] != CHAT:
        raise BodyError(f"Unsupported endpoint: {head['endpoint']}")
    if not head["model"].endswith(":batch"):
        raise BodyError(f"{head['model']} is not available for batch: use {head['model']}:batch")


def _line(request: Any, model: str, seen: set[str]) -> bytes:
    """Return a request as a line, once its envelope is known to be right."""
    if not isinstance(request, dict) or request.keys() != {"custom_id", "body"}:
        raise BodyError("Each request must have a custom_id and a body")
    custom_id, body = request["custom_id"], request["body"]
    if not isinstance(custom_id, str) or _CUSTOM_ID.fullmatch(custom_id) is None:
        raise BodyError("custom_id must be 1 to 64 letters, digits, _ and -")
    if custom_id in seen:
        raise BodyError(f"custom_id {custom_id} is not unique")
    if not isinstance(body, dict) or body.get("model", model) != model:
        raise BodyError(f"{custom_id}: the model must be the batch's")
    seen.add(custom_id)
    try:
        return orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        raise BodyError("The request body is not valid JSON") from None
