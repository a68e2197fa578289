"""The dashboard in a browser: on this machine only, and for pages of its own only."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("textual_serve")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", "--serve", "--port", str(number), "--outputs",
         str(tmp_path_factory.mktemp("outputs"))],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(number)
        yield number
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(number: int) -> None:
    end = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                return
        assert time.monotonic() < end
        time.sleep(0.1)


def get(port: int, path: str = "/", **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False)


def test_the_page_is_there_and_may_load_nothing_from_elsewhere(port):
    reply = get(port)
    assert reply.status_code == 200
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
)
def test_other_names_and_other_pages_are_refused(port, headers):
    assert get(port, **headers).status_code == 403
    assert get(port, "/ws", **headers).status_code == 403


def test_it_listens_on_this_machine_only(port):
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_a_port_that_is_taken_is_one_line(port):
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--serve", "--port", str(port)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(port) in done.stderr
