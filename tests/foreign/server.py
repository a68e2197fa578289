"""Somebody else's server in OpenAI's dialect, on 127.0.0.1, with a bill; what it does oddly is a scenario.

It owes nothing to the emulator, so that a mistake of ours about the dialect is not made twice. A
scenario is a `Scenario` with some of its hooks replaced; `scenarios.py` has them by name.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
LABELS = ("面白さ", "驚き", "悲しみ", "怒り")
VALUES = (80, 45, 20, 10)
FORM = "\n".join(
    f"Q{n}. {label}(数値): {value}\nQ{n}. {label}(理由): 場面の描写が心に残ったため。"
    for n, (label, value) in enumerate(zip(LABELS, VALUES, strict=True), 1)
)
"""An answer in the layout that the bundled study asks for."""
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
"""What provider=compatible asks unless told otherwise; who answers says the same."""
USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
OVER = ("completed", "failed", "expired", "cancelled")
NOT_FOUND = {"error": {"message": "No such object", "type": "invalid_request_error", "code": None}}


def completion(
    content: Any = FORM, finish: Any = "stop", usage: Any = USAGE, **message: Any
) -> Json:
    """A chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": finish,
            }
        ],
        **({} if usage is None else {"usage": usage}),
    }


def ok(custom_id: str, body: Any = None, status: Any = 200) -> Json:
    """A line of the output file."""
    response = {"status_code": status, "request_id": "req-1", "body": body or completion()}
    return {"id": "r-1", "custom_id": custom_id, "response": response, "error": None}


def no(custom_id: str, status: int, code: Any, message: str, kind: str = "x") -> Json:
    """A line of the error file."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return ok(custom_id, {"error": error}, status)


@dataclass(frozen=True)
class Reply:
    """What is sent back in place of the usual."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"


LOST = Reply(status=0)
"""No reply at all: the connection is closed."""


def json_reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body, ensure_ascii=False).encode())


@dataclass(frozen=True)
class Ask:
    """One request of a batch, where a scenario decides what becomes of it."""

    custom_id: str
    number: int
    """From 0, in the batch's order."""
    times: int
    """How often it was ordered by now, this time included."""


@dataclass(frozen=True)
class Scenario:
    """What may be odd; each hook is called with the server's lock held."""

    answer: Callable[[Ask], tuple[str, Json | bytes] | None] = lambda ask: (
        "output",
        ok(ask.custom_id),
    )
    """Which file a request's line goes to, and the line; None: it is in no file."""
    batch: Callable[[Json, int, int], Json | Reply] = lambda shown, polls, nth: shown
    """A batch object as it is shown; how often it was retrieved (0: created), and which batch it is."""
    made: tuple[str, ...] = ("completed",)
    """What the first order makes: a batch each, in that state, and the reply names the last; one that
    is in progress is completed when it is looked at a second time."""
    loses: bool = False
    """Whether the reply to the first order is lost."""
    cancel: Callable[[str, int], Reply | None] = lambda name, times: None
    """Another reply to a cancel, and how often that batch was to be cancelled before."""
    listed: Callable[[Json], bool] = lambda shown: True
    """Whether a batch is on the list."""
    download: Callable[[str, bytes, int], bytes | Reply] = lambda kind, content, times: content
    """A result file (output or error), its bytes, and how often it was downloaded before."""
    chat: Callable[[Json, int], Json | Reply] = lambda body, times: completion()
    """The reply to one chat completion, and how many there were before."""


@dataclass
class Server:
    """One account at that server."""

    scenario: Scenario
    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    batches: dict[str, Json] = field(default_factory=dict)
    polls: Counter[str] = field(default_factory=Counter)
    downloads: Counter[str] = field(default_factory=Counter)
    bill: Counter[str] = field(default_factory=Counter)
    """How often each custom_id was ordered, and not cancelled before it ran."""
    cancels: Counter[str] = field(default_factory=Counter)
    chats: int = 0
    calls: list[str] = field(default_factory=list)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def running(self) -> Any:
        """Serve on a port of the system's choice."""
        handler = type("Handler", (_Handler,), {"account": self})
        http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        http.daemon_threads = True
        self.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            http.shutdown()
            http.server_close()
            thread.join()

    # -- what is asked of it

    def upload(self, body: bytes) -> Json:
        boundary = body.split(b"\r\n", 1)[0]
        for part in body.split(boundary):
            if named := re.search(rb'filename="([^"]+)"', part):
                data = part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
                return self._file(self._keep(data, named[1].decode(), "in"))
        raise AssertionError("an upload without a file")

    def create(self, order: Json) -> Json | Reply:
        if self.batches:
            return self.shown(self._make(order, "completed"))
        name = [self._make(order, status) for status in self.scenario.made][-1]
        return LOST if self.scenario.loses else self.shown(name)

    def cancel(self, name: str) -> Json | Reply:
        before, batch = self.cancels[name], self.batches[name]
        self.cancels[name] += 1
        if (reply := self.scenario.cancel(name, before)) is not None:
            return reply
        if batch["status"] in OVER:
            return json_reply({"error": {"message": "It is over"}}, 400)
        batch |= {"status": "cancelled", "output_file_id": None, "error_file_id": None}
        batch["request_counts"] |= {"completed": 0, "failed": 0}
        self.bill.subtract(self._asked(batch["input_file_id"]))
        return self.shown(name)

    def _asked(self, file_id: str) -> list[str]:
        return [json.loads(row)["custom_id"] for row in self.files[file_id].splitlines() if row]

    def _make(self, order: Json, status: str) -> str:
        name = f"batch-{len(self.batches) + 1}"
        lines = [json.loads(row) for row in self.files[order["input_file_id"]].splitlines() if row]
        found: dict[str, list[bytes]] = {"output": [], "error": []}
        for number, line in enumerate(lines):
            self.bill[line["custom_id"]] += 1
            ask = Ask(line["custom_id"], number, self.bill[line["custom_id"]])
            if (came := self.scenario.answer(ask)) is not None:
                kind, row = came
                raw = (
                    row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode()
                )
                found[kind].append(raw + b"\n")
        ids = {kind: self._keep(b"".join(rows), kind, kind) for kind, rows in found.items() if rows}
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": None,
            "input_file_id": order["input_file_id"],
            "completion_window": "24h",
            "status": status,
            "output_file_id": ids.get("output"),
            "error_file_id": ids.get("error"),
            "created_at": 1_780_000_000,
            "expires_at": 1_980_000_000,
            "request_counts": {
                "total": len(lines),
                "completed": len(found["output"]),
                "failed": len(found["error"]),
            },
            "metadata": order.get("metadata"),
        }
        if status == "failed":
            full = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}
            self.batches[name] |= {"output_file_id": None, "errors": {"data": [full]}}
            self.bill.subtract(self._asked(order["input_file_id"]))
        return name

    def shown(self, name: str) -> Json | Reply:
        whole = json.loads(json.dumps(self.batches[name]))
        return self.scenario.batch(whole, self.polls[name], list(self.batches).index(name))

    def content(self, name: str) -> bytes | Reply:
        kind = name.partition("-")[0]
        times = self.downloads[name]
        self.downloads[name] += 1
        return self.scenario.download(kind, self.files[name], times)

    def _keep(self, data: bytes, name: str, kind: str) -> str:
        file_id = f"{kind}-{len(self.files) + 1}"
        self.files[file_id], self.names[file_id] = data, name
        return file_id

    def _file(self, file_id: str) -> Json:
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(self.files[file_id]),
            "created_at": 1_780_000_000,
            "filename": self.names[file_id],
            "purpose": "batch",
            "status": "processed",
        }

    def reply(self, method: str, path: str, body: bytes) -> Any:
        """Answer one call; a number of None is 404."""
        where = path.partition("?")[0].removeprefix("/v1")
        self.calls.append(f"{method} {where}")
        kind, _, rest = where.strip("/").partition("/")
        name, _, more = rest.partition("/")
        match method, kind, more:
            case "POST", "files", "":
                return self.upload(body)
            case "POST", "batches", "":
                return self.create(json.loads(body))
            case "POST", "batches", "cancel" if name in self.batches:
                return self.cancel(name)
            case "POST", "chat", "":
                self.chats += 1
                return self.scenario.chat(json.loads(body), self.chats - 1)
            case "GET", "files", "content" if name in self.files:
                return self.content(name)
            case "GET", "files", "" if name in self.files:
                return self._file(name)
            case "GET", "files", "" if not name:
                return _list([self._file(one) for one in self.files])
            case "GET", "batches", "" if name in self.batches:
                self.polls[name] += 1
                if self.polls[name] > 1 and self.batches[name]["status"] not in OVER:
                    self.batches[name]["status"] = "completed"
                return self.shown(name)
            case "GET", "batches", "" if not name:
                return _list([b for b in map(self._plain, self.batches) if self.scenario.listed(b)])
            case "DELETE", "files", "" if name in self.files:
                del self.files[name]
                return {"id": name, "object": "file", "deleted": True}
        return json_reply(NOT_FOUND, 404)

    def _plain(self, name: str) -> Json:
        return dict(self.batches[name])


def _list(rows: list[Json]) -> Json:
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {}
    return {"object": "list", "data": rows, "has_more": False, **ends}


class _Handler(BaseHTTPRequestHandler):
    account: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.account.lock:
            found = self.account.reply(self.command, self.path, body)
        if found is LOST:
            self.close_connection = True
            return
        if isinstance(found, bytes):
            found = Reply(body=found, kind="application/octet-stream")
        elif not isinstance(found, Reply):
            found = json_reply(found)
        self.send_response(found.status)
        self.send_header("content-type", found.kind)
        self.send_header("content-length", str(len(found.body)))
        self.end_headers()
        self.wfile.write(found.body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815
