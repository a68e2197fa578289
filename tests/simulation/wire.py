"""The SDKs' own HTTP clients on an emulator in this process, with a network that can do anything."""

import asyncio
import json
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.simulation.weather import Weather

READING = ("GET", "HEAD")
_OVER = {"completed", "expired", "cancelled", "ended"}


class Network:
    """Delivers requests to the emulator, or not, or later, and replies, or not."""

    def __init__(self, app: Any, weather: Weather) -> None:
        self._app = app
        self._weather = weather
        self._loop = asyncio.new_event_loop()
        self._cuts: dict[str, list[int]] = {}
        """Where a result file ends early, and how often it will again."""
        self.repeated: set[str] = set()
        """Inputs that were ordered more than once, by the end of their names, which no dialect changes."""

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def let_the_emulator_work(self) -> None:
        """Let everything that is due happen there: what was sent arrives, runs and is billed."""
        self._weather.time.advance(0)
        self._loop.run_until_complete(
            self._call(_Plain("GET", "http://127.0.0.1/emulator/bill"), b"")
        )

    def exchange(self, transport: Any, request: Any) -> Any:
        """Carry one request of an httpx or httpx2 client and return its reply."""
        weather = self._weather
        weather.time.advance(0.01)
        method, where = request.method, f"{request.method} {urlsplit(str(request.url)).path}"
        body = request.read()

        def deliver() -> tuple[int, list[tuple[bytes, bytes]], bytes]:
            return self._loop.run_until_complete(self._call(request, body))

        if (early := self._stopped(transport, request, where)) is not None:
            return early
        if method not in READING and weather.strikes(f"arrives late {where}"):
            late = weather.dice.uniform(0, weather.latest)
            weather.time.due.append((weather.time.true + late, deliver))
            raise transport.ReadTimeout("timed out", request=request)
        status, headers, content = deliver()
        while is_order(method, request) and status == 200 and weather.repeats(f"again {where}"):
            self.repeated.add(input_in(json.loads(body))[-12:])
            status, headers, content = deliver()
        if weather.strikes(f"reply lost {where}"):
            raise transport.ReadError("reset", request=request)
        if weather.strikes(f"bad gateway {where}"):
            return transport.Response(502, content=b"<html>Bad gateway</html>", request=request)
        if weather.strikes(f"garbage {where}"):
            content = weather.dice.choice([b"", b"[]", b"null", b'{"id": ', b"\xff\xfe"])
            headers = [(b"content-type", b"application/json")]
        elif method == "GET" and len(content) > 300 and weather.strikes(f"cut short {where}"):
            content = content[: weather.dice.randrange(len(content))]
        elif status == 200 and method == "GET":
            content = self._twisted(urlsplit(str(request.url)).path, where, content)
        kept = [(n, v) for n, v in headers if n.lower() != b"content-length"]
        return transport.Response(status, headers=kept, content=content, request=request)

    def _stopped(self, transport: Any, request: Any, where: str) -> Any:
        """Return the reply to a request that does not get through; None when it does."""
        weather = self._weather
        if weather.strikes(f"unreachable {where}"):
            raise transport.ConnectError("refused", request=request)
        if weather.strikes(f"busy {where}"):
            headers = weather.dice.choice([{}, {"retry-after": "3"}, {"retry-after": "soon"}])
            return transport.Response(429, headers=headers, json=_ERROR, request=request)
        if weather.strikes(f"down {where}"):
            return transport.Response(500, json=_ERROR, request=request)
        if request.method in READING and weather.strikes(f"not found {where}"):
            return transport.Response(404, json=_ERROR, request=request)
        if weather.strikes(f"never arrives {where}"):
            raise transport.ReadError("reset", request=request)
        return None

    def _twisted(self, path: str, where: str, content: bytes) -> bytes:
        """Let a batch contradict itself, or a result file end early the same way again and again."""
        if path.endswith(("/content", "/results", ":download")):
            return self._result_file(path, where, content)
        try:
            shown = json.loads(content)
        except ValueError:
            return content
        counts = shown.get("request_counts") if isinstance(shown, dict) else None
        over = counts and shown.get("status", shown.get("processing_status")) in _OVER
        if not over:
            return content
        weather = self._weather
        if "output_file_id" in shown and weather.twists(f"files named late {where}"):
            shown |= {"output_file_id": None, "error_file_id": weather.dice.choice([None, ""])}
        if weather.ends == "counts" and weather.twists(f"counts disagree {where}"):
            answered = "completed" if "completed" in counts else "succeeded"
            wrong = [dict.fromkeys(counts, 0), counts | {answered: counts[answered] + 1}]
            if answered == "completed":
                wrong += [None, {n: str(v) for n, v in counts.items()}]
            shown["request_counts"] = weather.dice.choice(wrong)
        return json.dumps(shown).encode()

    def _result_file(self, path: str, where: str, content: bytes) -> bytes:
        weather = self._weather
        cuttable = weather.ends == "cuts" and path not in self._cuts
        if cuttable and weather.twists(f"cut the same way {where}"):
            place = weather.dice.choice([0, weather.dice.randrange(len(content) + 1)])
            if weather.dice.random() < 0.5:
                place = content[:place].rfind(b"\n") + 1
            self._cuts[path] = [place, weather.dice.randrange(1, 9)]
        place, left = self._cuts.get(path, (0, 0))
        if left:
            self._cuts[path][1] -= 1
            content = content[:place]
        if weather.twists(f"usage unknown {where}"):
            content = b"".join(map(_without_usage, content.splitlines(keepends=True)))
        return content

    async def _call(
        self, request: Any, body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        parts = urlsplit(str(request.url))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": [(n.lower(), v) for n, v in request.headers.raw],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent = [{"type": "http.request", "body": body, "more_body": False}]
        got: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if sent:
                return sent.pop()
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            got.append(message)

        await self._app(scope, receive, send)
        start = next(m for m in got if m["type"] == "http.response.start")
        content = b"".join(m.get("body", b"") for m in got if m["type"] == "http.response.body")
        return start["status"], list(start["headers"]), content


def is_order(method: str, request: Any) -> bool:
    """Tell whether a batch is made from an uploaded file here."""
    path = urlsplit(str(request.url)).path
    endings = ("/batches", "/batch/jobs", ":batchGenerateContent", "/model-invocation-job")
    is_about = path.endswith(endings)
    is_about &= "/messages/" not in path and not path.startswith("/xai/")  # an empty container
    return method == "POST" and is_about


def input_in(order: dict[str, Any]) -> str:
    """Return the input that an order names."""
    named: str
    if "inputDataConfig" in order:  # nothing comes of it twice
        named = "."
    elif "batch" in order:
        named = order["batch"]["inputConfig"]["fileName"]
    else:
        named = order["input_file_id"] if "input_file_id" in order else order["input_files"][0]
    return named


def _without_usage(line: bytes) -> bytes:
    """Return a result line that says nothing of tokens, or null; one that is cut stays as it is."""
    try:
        row = json.loads(line)
    except ValueError:
        return line
    message = (row.get("response") or {}).get("body") or (row.get("result") or {}).get("message")
    if not message or "usage" not in message:
        return line
    if row["custom_id"][-1] in "13579":
        del message["usage"]
    else:
        message["usage"] = None
    return json.dumps(row).encode() + b"\n"


class _Plain:
    """A request of our own."""

    def __init__(self, method: str, url: str) -> None:
        self.method, self.url = method, url
        self.headers = self
        self.raw = [(b"host", b"127.0.0.1")]


_ERROR = {"error": {"message": "simulated", "type": "x", "code": None, "param": None}}


def transport_for(module: Any, network: Network) -> Any:
    """Return a transport of httpx or httpx2 that goes over the simulated network."""

    class Simulated(module.BaseTransport):
        def handle_request(self, request: Any) -> Any:
            return network.exchange(module, request)

    return Simulated()
