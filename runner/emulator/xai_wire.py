"""xAI's /batches and /chat/completions, as its guide and the names in xai-sdk 1.21 have them.

The package speaks gRPC, so that it cannot be pointed here; of its types the names are the same.
"""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runner.emulator.connection import LostReply
from runner.emulator.openai_chat import Chat, json_object
from runner.emulator.openai_rows import CHAT
from runner.emulator.openai_shapes import ApiError
from runner.emulator.openai_wire import in_words_of
from runner.emulator.records import Batch, Stage, StoredFile
from runner.emulator.world import World
from runner.emulator.xai_rows import XaiRows

MAX_ORDER = 25 * 10**6
_SERVICE = "xai"
_CONTAINER = "container"
"""A container is kept as an empty file; cancelled while it is empty, as a deleted one."""
_KEPT = timedelta(days=30)


class XaiError(ApiError):
    """An error reply in xAI's shape."""

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """Make the reply."""
        code = self.code or "Client specified an invalid argument"
        return JSONResponse({"code": code, "error": str(self)}, self.status, headers)


class XaiWire:
    """The Batch API, under one prefix."""

    prefixes: tuple[str, ...] = ("/xai/v1",)

    def __init__(self, world: World, rows: XaiRows) -> None:
        """Take the world it shows."""
        self._world = world
        self._chat = Chat(world, rows)

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this service's shape."""
        return XaiError(status, message, None, code).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        (prefix,) = self.prefixes
        batches = f"{prefix}/batches"
        calls: list[tuple[str, str, Callable[[Request], Any]]] = [
            ("POST", batches, self.make),
            ("GET", batches, self.list_batches),
            ("POST", f"{batches}/{{batch_id}}:cancel", self.cancel),
            ("GET", f"{batches}/{{batch_id}}", self.get_batch),
            ("POST", f"{batches}/{{batch_id}}/requests", self.add),
            ("GET", f"{batches}/{{batch_id}}/requests", self.list_requests),
            ("GET", f"{batches}/{{batch_id}}/results", self.results),
            ("POST", f"{prefix}/chat/completions", self.chat),
        ]
        return [
            Route(path, in_words_of(XaiError, call), methods=[method])
            for method, path, call in calls
        ]

    async def chat(self, request: Request) -> Response:
        """Answer one request, now."""
        return await self._chat(request)

    # Containers

    async def make(self, request: Request) -> Response:
        """Make an empty container."""
        name = json_object(await request.body()).get("name")
        if not isinstance(name, str) or not name:
            raise ApiError(422, "name: a batch needs one")
        keep = self._world.shelf.keep
        box = await run_in_threadpool(keep, _SERVICE, _CONTAINER, name, io.BytesIO(), None)
        return JSONResponse(self._shown(box))

    def list_batches(self, request: Request) -> Response:
        """List containers, newest first."""
        self._world.advance()
        with self._world.shelf.lock:
            rows = self._world.shelf.db.execute(
                "SELECT * FROM files WHERE service = ? AND purpose = ? ORDER BY seq DESC",
                (_SERVICE, _CONTAINER),
            ).fetchall()
        return _page_of([self._shown(StoredFile(*row)) for row in rows], "batches", request)

    def get_batch(self, request: Request) -> Response:
        """Show one container."""
        return JSONResponse(self._shown(self._box(request)))

    def cancel(self, request: Request) -> Response:
        """Stop what is pending; an empty container takes nothing any more."""
        box = self._box(request)
        batch = self._batch(box)
        if batch is None and box.deleted_at is None:
            self._world.shelf.delete(box.id)
        elif batch is None or batch.stage(self._world.clock()).is_terminal:
            raise ApiError(400, "The batch is not pending any more.")
        else:
            self._world.cancel_batch(batch.id)
        return JSONResponse(self._shown(self._box(request)))

    # Requests

    async def add(self, request: Request) -> Response:
        """Fill a container; whether the reply arrives is another matter."""
        body = await request.body()
        if len(body) > MAX_ORDER:
            raise ApiError(413, f"The payload is larger than {MAX_ORDER} bytes.")
        return await run_in_threadpool(self._add, request, json_object(body))

    def _add(self, request: Request, wanted: dict[str, Any]) -> Response:
        box, world = self._box(request), self._world
        if box.deleted_at is not None or self._batch(box) is not None:
            raise ApiError(400, "The batch is cancelled or has its requests already.")
        items = wanted.get("batch_requests")
        lines = [_line(item) for item in items] if isinstance(items, list) else []
        if not lines:
            raise ApiError(422, "batch_requests: at least one is needed")
        content = io.BytesIO(b"".join(lines))
        source = world.shelf.keep(_SERVICE, "batch", "requests.jsonl", content, None)
        if world.is_full(source):
            raise ApiError(429, "Too many add-batch-requests calls.", None, "rate limit")
        batch = world.create_batch(
            source,
            CHAT,
            None,
            None,
            batch_id=_batch_id(box.id),
            details={"requests": len(lines)},
            validates=False,
        )
        if world.behaviour.happens("lost_create_reply", batch.stable_key):
            return LostReply()
        if world.behaviour.happens("failed_create_reply", batch.stable_key):
            raise ApiError(500, "Internal error.")
        return JSONResponse({})

    def list_requests(self, request: Request) -> Response:
        """List what a container holds, as far as a listing shows it already."""
        box = self._box(request)
        batch, now = self._batch(box), self._world.clock()
        rows: list[dict[str, Any]] = []
        if batch is not None and batch.created_at <= now - self._world.behaviour.late_list_seconds:
            state = "pending" if not batch.stage(now).is_terminal else "succeeded"
            with self._world.shelf.path_of(batch.input_file_id).open("rb") as lines:
                rows = [
                    {
                        "batch_request_id": (asked := orjson.loads(line))["custom_id"],
                        "endpoint": CHAT,
                        "model": asked["body"]["model"],
                        "state": state,
                        "create_time": _day(batch.created_at),
                        "finish_time": None,
                    }
                    for line in lines
                ]
        return _page_of(rows, "batch_request_metadata", request)

    def results(self, request: Request) -> Response:
        """Send a page of the results; the first one ever may be cut."""
        batch = self._batch(self._box(request))
        shelf, behaviour = self._world.shelf, self._world.behaviour
        file = shelf.find(_SERVICE, (batch and batch.output_file_id) or "")
        if file is None:
            return JSONResponse({"results": [], "pagination_token": None})
        start, limit = _start(request), _limit(request)
        with shelf.path_of(file.id).open("rb") as lines:
            rows = [orjson.loads(line) for line in islice(lines, start, start + limit + 1)]
        token = str(start + limit) if len(rows) > limit else None
        page = orjson.dumps({"results": rows[:limit], "pagination_token": token})
        first = shelf.count_download(file) == 0
        if first and behaviour.happens("truncated_downloads", file.stable_key):
            page = page[: len(page) // 2]
        return Response(page, media_type="application/json")

    # How things are shown

    def _box(self, request: Request) -> StoredFile:
        batch_id = request.path_params["batch_id"]
        shelf = self._world.shelf
        with shelf.lock:
            row = shelf.db.execute(
                "SELECT * FROM files WHERE id = ? AND service = ? AND purpose = ?",
                (batch_id.replace("batch_", "file-"), _SERVICE, _CONTAINER),
            ).fetchone()
        if row is None:
            raise ApiError(404, f"Batch {batch_id} was not found.", None, "not found")
        return StoredFile(*row)

    def _batch(self, box: StoredFile) -> Batch | None:
        return self._world.find_batch(_SERVICE, _batch_id(box.id))

    def _shown(self, box: StoredFile) -> dict[str, object]:
        batch, now = self._batch(box), self._world.clock()
        stopped = box.deleted_at if batch is None else batch.cancel_at
        errors = json.loads((batch and batch.errors) or "[]")
        return {
            "batch_id": _batch_id(box.id),
            "name": box.filename,
            "create_time": _day(box.created_at),
            "expire_time": _day(box.created_at + _KEPT.total_seconds()),
            "create_api_key_id": "emulated",
            "cancel_time": None if stopped is None else _day(stopped),
            "cancel_by_xai_message": errors[0]["message"] if errors else None,
            "state": _state(batch, now),
        }


def _state(batch: Batch | None, now: float) -> dict[str, int]:
    """Count what became of the requests; until the end at least one is pending."""
    total = 0 if batch is None or batch.errors else json.loads(batch.details or "{}")["requests"]
    success = failed = cancelled = pending = 0
    if batch is not None and total:
        run = min(batch.rows_run(now), total)
        if batch.stage(now).is_terminal and batch.stage(now) is not Stage.FAILED:
            success, failed, cancelled = batch.completed, batch.failed, total - run
        else:
            success = min(run, total - 1)
            pending = total - success
    return {
        "num_requests": total,
        "num_pending": pending,
        "num_success": success,
        "num_error": failed,
        "num_cancelled": cancelled,
    }


def _batch_id(file_id: str) -> str:
    return file_id.replace("file-", "batch_")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _line(item: Any) -> bytes:
    """Return an item of an order as a line of OpenAI's."""
    inside = item.get("batch_request") if isinstance(item, dict) else None
    body = inside.get("chat_get_completion") if isinstance(inside, dict) else None
    custom_id = item.get("batch_request_id") if isinstance(item, dict) else None
    if not isinstance(body, dict) or not isinstance(custom_id, str):
        raise ApiError(422, "batch_requests: each needs batch_request_id and batch_request")
    line = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", "100")
    if not given.isdecimal() or not 1 <= int(given) <= 1000:
        raise ApiError(400, "limit: from 1 to 1000")
    return int(given)


def _start(request: Request) -> int:
    token = request.query_params.get("pagination_token", "0")
    if not token.isdecimal():
        raise ApiError(400, "pagination_token: is none of ours")
    return int(token)


def _page_of(rows: list[dict[str, Any]], name: str, request: Request) -> Response:
    start, limit = _start(request), _limit(request)
    token = str(start + limit) if start + limit < len(rows) else None
    return JSONResponse({name: rows[start : start + limit], "pagination_token": token})
