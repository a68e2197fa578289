"""The ASGI application: addresses, who may enter, and the faults that strike before any work."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import NoReturn, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runner.emulator.anthropic_rows import AnthropicRows
from runner.emulator.anthropic_shapes import AnthropicError
from runner.emulator.anthropic_wire import AnthropicWire
from runner.emulator.aws_shapes import AwsError
from runner.emulator.azure_wire import AzureWire
from runner.emulator.bedrock_rows import BedrockRows
from runner.emulator.bedrock_wire import BedrockWire
from runner.emulator.behaviour import Behaviour
from runner.emulator.bigquery_wire import BigQueryWire
from runner.emulator.compatible_wire import CompatibleWire
from runner.emulator.connection import BreakableProtocol
from runner.emulator.gcs_wire import GcsWire
from runner.emulator.gemini_api_rows import GeminiApiRows
from runner.emulator.gemini_api_wire import GeminiApiWire
from runner.emulator.google_shapes import GoogleError
from runner.emulator.google_store import GoogleStore
from runner.emulator.groq_rows import GroqRows
from runner.emulator.groq_wire import GroqWire
from runner.emulator.kluster_rows import KlusterRows
from runner.emulator.kluster_wire import KlusterWire
from runner.emulator.mistral_rows import MistralRows
from runner.emulator.mistral_wire import MistralWire
from runner.emulator.openai_rows import CompatibleRows, OpenAIRows
from runner.emulator.openai_shapes import ApiError
from runner.emulator.openrouter_rows import OpenRouterRows
from runner.emulator.openrouter_wire import OpenRouterWire
from runner.emulator.responses_rows import OwnRows
from runner.emulator.responses_wire import OwnWire
from runner.emulator.running import LineFormat
from runner.emulator.s3_wire import SERVICE as BEDROCK
from runner.emulator.s3_wire import S3Wire
from runner.emulator.spots import Spots
from runner.emulator.together_rows import TogetherRows
from runner.emulator.together_wire import TogetherWire
from runner.emulator.vertex_rows import VertexRows
from runner.emulator.vertex_wire import VertexWire
from runner.emulator.world import World
from runner.emulator.xai_rows import XaiRows
from runner.emulator.xai_wire import XaiWire
from runner.emulator.zai_wire import ZaiWire

_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
_REAL_KEY = (
    "Incorrect API key provided. This is the emulator on 127.0.0.1, not the real service: a real "
    "key must not be sent to it. Use one that starts with 'emulated' or 'test-'."
)


class Wire(Protocol):
    """One family of addresses in one vendor's dialect."""

    prefixes: tuple[str, ...]
    """What its addresses begin with; the longest that fits decides."""

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        ...

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        ...


def make_app(
    directory: Path, behaviour: Behaviour, clock: Callable[[], float] = time.time
) -> ASGIApp:
    """Put the wires, the world and the gate together."""
    openai, compatible, groq, kluster = OpenAIRows(), CompatibleRows(), GroqRows(), KlusterRows()
    openrouter, mistral, xai, together = OpenRouterRows(), MistralRows(), XaiRows(), TogetherRows()
    dialects: dict[str, LineFormat] = {
        "openai": OwnRows(),
        "azure": openai,
        "compatible": compatible,
        "zai": compatible,
        "groq": groq,
        "kluster": kluster,
        "mistral": mistral,
        "xai": xai,
        "together": together,
        "anthropic": AnthropicRows(),
        "gemini": VertexRows(),
        "gemini_api": GeminiApiRows(),
        "openrouter": openrouter,
        BEDROCK: BedrockRows(),
    }
    world = World(directory, behaviour, dialects, clock)
    google, buckets = GoogleStore(world.shelf), Spots(world.shelf, BEDROCK)
    wires: tuple[Wire, ...] = (
        OwnWire(world, openai),
        AzureWire(world, openai),
        CompatibleWire(world, compatible),
        ZaiWire(world, compatible),
        GroqWire(world, groq),
        KlusterWire(world, kluster),
        MistralWire(world, mistral),
        XaiWire(world, xai),
        TogetherWire(world, together),
        AnthropicWire(world),
        VertexWire(world, google),
        GcsWire(world, google),
        BigQueryWire(world, google),
        GeminiApiWire(world),
        OpenRouterWire(world, openrouter),
        BedrockWire(world, buckets, "/bedrock"),
        S3Wire(world, buckets, "/bedrock/s3"),
    )

    def bill(_: Request) -> Response:
        return JSONResponse(world.bill())

    app = Starlette(
        routes=[Route("/emulator/bill", bill), *(r for wire in wires for r in wire.routes())],
        exception_handlers={
            ApiError: _api_error,
            AnthropicError: _api_error,
            GoogleError: _api_error,
            AwsError: _api_error,
            HTTPException: _http_error,
        },
    )
    app.router.redirect_slashes = False
    return Gate(app, wires, behaviour)


def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError | AnthropicError | GoogleError | AwsError)
    return error.response()


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"({request.method} {request.url.path})"
    message = {404: f"Invalid URL {where}", 405: f"Method not allowed {where}"}
    return ApiError(error.status_code, message.get(error.status_code, error.detail)).response()


class Gate:
    """Stands before all wires: host, key, and the faults before anything is done."""

    def __init__(self, app: ASGIApp, wires: tuple[Wire, ...], behaviour: Behaviour) -> None:
        """Take the application it guards."""
        self._app = app
        self._wires = wires
        self._behaviour = behaviour
        self._calls: Counter[str] = Counter()
        self._refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at the gate or let the call through."""
        if scope["type"] != "http":
            return

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = f"req_{token_hex(16)}"
            await send(message)

        handler = self._stopped(scope) or self._app
        try:
            await handler(scope, receive, send_named)
        except ClientDisconnect:
            return  # the body was cut short: nothing was done, there is no one to answer

    def _stopped(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
        headers = Headers(scope=scope)
        if _HOST.fullmatch(headers.get("host", "")) is None:
            return PlainTextResponse("The emulator answers on 127.0.0.1 only.\n", 403)
        path = scope["path"]
        wire = self._wire(path)
        if wire is None:
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if signed := _SIGNED.match(headers.get("authorization", "")):
            key = signed[1]
        elif scheme.lower() != "bearer" or not key:
            key = headers.get("x-api-key", "") or headers.get("x-goog-api-key", "")
        is_begun_upload = b"upload_id=" in scope["query_string"]  # its address stands for a key
        if not key and not is_begun_upload:
            return wire.error(401, _NO_KEY, None, None)
        if key and not key.startswith(("emulated", "test-")):
            return wire.error(401, _REAL_KEY, "invalid_api_key", None)
        return self._fault(wire, f"{scope['method']} {_route(path)}")

    def _wire(self, path: str) -> Wire | None:
        fitting = [
            (len(prefix), wire)
            for wire in self._wires
            for prefix in wire.prefixes
            if path.startswith(f"{prefix}/")
        ]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else None

    def _fault(self, wire: Wire, route: str) -> Response | None:
        self._calls[route] += 1
        call = f"{route}/{self._calls[route]}"
        if self._behaviour.happens("http_429", call):
            self._refused += 1
            retry_after = {"retry-after": "1"} if self._refused % 2 else None
            message = "Rate limit reached for requests. Please try again later."
            return wire.error(429, message, "rate_limit_exceeded", retry_after)
        if self._behaviour.happens("http_500", call):
            message = "The server had an error while processing your request. Sorry about that!"
            return wire.error(500, message, None, None)
        return None


_IDS = ("file-", "file_", "batch_", "msgbatch_", "chorus-", "chorus_", "prediction-model-")

_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")
"""Whose signature a call of AWS's has; the signature itself is not looked at."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|1[0-9a-f]{11}")


def _route(path: str) -> str:
    return "/".join("*" if _is_id(part) else part for part in path.split("/"))


def _is_id(part: str) -> bool:
    """Tell whether a part of an address differs from run to run, so that no dice are cast on it."""
    is_named = part.startswith(_IDS) or part.endswith((".jsonl", ".jsonl.out"))
    return is_named or part.isdecimal() or _ID.fullmatch(part) is not None


class ByPort:
    """Several worlds in one process, each behind a port of its own."""

    def __init__(self, apps: Mapping[int, ASGIApp]) -> None:
        """Take each world's application by its port."""
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a call to the world whose port it came in at."""
        await self._apps[scope["server"][1]](scope, receive, send)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where it listens once it does, a line a world; nothing else is ever printed."""
        await super().startup(sockets)
        for listener in sockets or []:
            print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)


def serve(worlds: Sequence[tuple[Path, Behaviour]], port: int, *, until_stdin_closes: bool) -> None:
    """Serve on 127.0.0.1 until told to stop; the first world at this port, others at free ones."""
    # uvicorn raises the signal that stopped it once more, when it has shut down.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    listeners = [_listener(port if number == 0 else 0) for number in range(len(worlds))]
    apps = {
        listener.getsockname()[1]: make_app(directory, behaviour)
        for listener, (directory, behaviour) in zip(listeners, worlds, strict=True)
    }
    config = uvicorn.Config(
        ByPort(apps),
        http=BreakableProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # A poll every ten seconds must not meet a connection that is just being closed.
        timeout_keep_alive=600,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    if until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
    asyncio.run(server.serve(listeners))


def _listener(port: int) -> socket.socket:
    # asyncio turns Nagle's delay (40 ms a reply) off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _watch_stdin(server: uvicorn.Server) -> None:
    with contextlib.suppress(OSError):  # an unreadable stdin has no parent behind it either
        while os.read(0, 4096):
            pass
    server.should_exit = True
