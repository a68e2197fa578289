"""The dashboard in a browser: on this machine only, and for pages of its own only."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("textual_serve")
aiohttp = pytest.importorskip("aiohttp")


@dataclass(frozen=True)
class Served:
    """A dashboard in a browser."""

    port: int
    token: str

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"chorus-{self.port}={self.token}"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tui",
            "--serve",
            "--port",
            str(number),
            "--outputs",
            str(tmp_path_factory.mktemp("outputs")),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    try:
        said = process.stdout.readline()
        wait_for(number)
        yield Served(number, re.search(r"/\?token=(\S+)", said)[1])
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture
def port(served: Served) -> int:
    return served.port


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


async def handshake(port: int, headers: dict[str, str]) -> int:
    """The status of a WebSocket's opening."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(f"http://127.0.0.1:{port}/ws", headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status


def test_the_page_is_there_and_may_load_nothing_from_elsewhere(served):
    reply = get(served.port, **served.cookie)
    assert reply.status_code == 200
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
)
def test_other_names_and_other_pages_are_refused(served, headers):
    assert get(served.port, **headers, **served.cookie).status_code == 403
    assert get(served.port, "/ws", **headers, **served.cookie).status_code == 403


@pytest.mark.parametrize("path", ["/", "/ws", "/static/js/textual.js", "/download/x"])
@pytest.mark.parametrize("said", [None, "wrong", "", "\u00e9", "x" * 22])
def test_whoever_has_not_the_printed_address_sees_nothing(served, path, said):
    assert get(served.port, path).status_code == 403
    if said is not None:
        query = {"token": said}
        bare = f"http://127.0.0.1:{served.port}{path}"
        assert httpx.get(bare, params=query, trust_env=False).status_code == 403
        if said.isascii():
            cookie = {"Cookie": f"chorus-{served.port}={said}"}
            assert get(served.port, path, **cookie).status_code == 403


def test_the_printed_address_gives_a_cookie_that_opens_page_and_socket(served):
    assert len(served.token) >= 22
    entered = get(served.port, f"/?token={served.token}")
    assert entered.status_code == 303
    assert entered.headers["Location"] == "/"
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    name = {"Cookie": cookie.partition(";")[0]}
    assert get(served.port, **name).status_code == 200
    assert asyncio.run(handshake(served.port, name)) == 101
    assert asyncio.run(handshake(served.port, {})) == 403
    elsewhere = httpx.get(
        f"http://127.0.0.1:{served.port}/?token={served.token}",
        headers={"Host": f"localhost:{served.port}"},
        trust_env=False,
    )
    assert elsewhere.headers["Location"].startswith(f"http://127.0.0.1:{served.port}/?token=")


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
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(port) in done.stderr
