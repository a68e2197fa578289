"""The service that acme.py speaks to, over a real socket: it answers at once and counts its orders."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ANSWER = "\n".join(
    f"Q{n}. {label}(数値): {50 + n}\nQ{n}. {label}(理由): 場面の描写が心に残ったため。"
    for n, label in enumerate(["面白さ", "驚き", "悲しみ", "怒り"], start=1)
)


class Acme:
    """What the service holds, and what was asked of it."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.keys: set[str | None] = set()
        self.replies_to_lose = 0
        self.refuses_with: tuple[int, dict[str, Any]] | None = None
        self.address = ""

    def answered(self, row: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(row["custom_id"])
        return {"ref": row["custom_id"], "text": ANSWER, "end": "done", "used": [700, 300]}

    def ordered(self, order: dict[str, Any]) -> dict[str, Any]:
        rows = [json.loads(line) for line in self.inputs[order["input"]]["body"].splitlines()]
        job = {
            **order,
            "id": f"job_{len(self.jobs) + 1}",
            "state": "done",
            "asked": len(rows),
            "answered": len(rows),
            "answers": [self.answered(row) for row in rows],
        }
        self.jobs[job["id"]] = job
        return job


class Handler(BaseHTTPRequestHandler):
    """Speaks for the service."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        acme, url = self.server.acme, urlsplit(self.path)
        acme.keys.add(self.headers.get("Authorization"))
        body = self._body()
        with self.server.lock:
            match self.command, *url.path.strip("/").split("/"):
                case "GET", "inputs":
                    known = [{"id": k, "name": v["name"]} for k, v in acme.inputs.items()]
                    self._say({"inputs": known})
                case "POST", "inputs":
                    name, new = parse_qs(url.query)["name"][0], f"in_{len(acme.inputs) + 1}"
                    acme.inputs[new] = {"name": name, "body": body}
                    self._say({"id": new})
                case "DELETE", "inputs", _:
                    self._say({"deleted": True})
                case "GET", "jobs":
                    self._say({"jobs": list(acme.jobs.values())})
                case "POST", "jobs":
                    self._order(json.loads(body))
                case "GET", "jobs", job:
                    self._say(acme.jobs[job])
                case "GET", "jobs", job, "answers":
                    rows = acme.jobs[job]["answers"]
                    self._send(200, "".join(json.dumps(row) + "\n" for row in rows).encode())
                case "POST", "ask":
                    self._say(acme.answered(json.loads(body)))
                case _:
                    self._say({"error": "no such place"}, 404)

    def _order(self, order: dict[str, Any]) -> None:
        acme = self.server.acme
        if acme.refuses_with is not None:
            status, said = acme.refuses_with
            self._say(said, status)
            return
        job = acme.ordered(order)
        if acme.replies_to_lose:
            acme.replies_to_lose -= 1
            self.close_connection = True
            return
        self._say(job)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _say(self, row: dict[str, Any], status: int = 200) -> None:
        self._send(status, json.dumps(row).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Listens on a port that is free."""

    daemon_threads = True

    def __init__(self, acme: Acme) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acme, self.lock = acme, threading.Lock()


@contextmanager
def served() -> Iterator[Acme]:
    """Run the service as long as the block lasts."""
    acme = Acme()
    with Server(acme) as server:
        acme.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield acme
        finally:
            server.shutdown()
            thread.join()
