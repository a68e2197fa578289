"""One Ctrl-C ends a run whose service never answers, and what may have been ordered stays in doubt."""

import json
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.storage.reader import LedgerReader
from tests.variants import first

LONGEST = 20
"""Seconds; a call may last 600, and Python would wait for it."""
SMALL = ["provider=openai", "personas=[p1]", "texts=[t1]", "trials=2", "poll.first_seconds=0.05"]
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 1,
    "created_at": 1,
    "filename": "f",
    "purpose": "batch",
    "status": "processed",
}


@contextmanager
def service(silent: str) -> Iterator[tuple[str, threading.Event]]:
    """A service that takes files, and answers nothing below one address."""
    asked, over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            if silent in self.path:
                asked.set()
                over.wait(60)
                return
            content = json.dumps(FILE).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def interrupted(running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGINT)
    try:
        running.communicate(timeout=LONGEST)
    finally:
        running.kill()


@pytest.mark.long
@pytest.mark.parametrize(
    ("silent", "more", "state"),
    first(
        1,
        [
            ("/batches", [], "submitting"),
            ("/files", [], "staging"),
            ("/chat", ["provider.mode=realtime"], "running"),
        ],
    ),
)
def test_one_ctrl_c_leaves_a_call_that_nobody_answers(desk, silent, more, state):
    with service(silent) as (address, asked):
        arguments = [*SMALL, *more, f"provider.base_url={address}"]
        running = desk.start(*arguments, OPENAI_API_KEY="test-key")
        assert asked.wait(60)
        interrupted(running)
        assert running.returncode == 130
        (folder,) = desk.folder.glob("outputs/literary/*/")
        with closing(LedgerReader(folder)) as reader:
            assert [batch.state for batch in reader.batches()] == [state]
            assert reader.holder() is None


@pytest.mark.long
def test_ctrl_c_waits_for_no_program_that_locks_the_ledger(desk):
    words = ["personas=[p1]", "texts=[t1]", "trials=2", "faults.in_progress_seconds=30"]
    running = desk.start(*words)
    assert running.stderr is not None
    for line in running.stderr:
        if "accepted by the provider" in line:
            break
    (path,) = desk.folder.glob("outputs/*/*/cache.db")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=LONGEST)
    assert running.returncode in (3, 130)
    assert desk.run(*words, "action=status").returncode == 3
