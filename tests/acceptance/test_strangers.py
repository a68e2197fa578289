"""A stranger's folder against a real server on this machine: nothing arrives without the user's word."""

import shlex
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from runner.config.shipped import SHIPPED
from tests.acceptance.conftest import Desk
from tests.acceptance.test_command_line import one_line
from tests.variants import first

CANARY = "test-CANARY0123456789"


class Listening(ThreadingHTTPServer):
    """Takes down whatever arrives, and answers nothing useful."""

    heard: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: Listening

    def _hear(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode(errors="replace")
        self.server.heard.append(f"{self.path} {self.headers} {body}")
        self.send_response(400)
        self.end_headers()

    do_GET = do_POST = do_DELETE = _hear  # noqa: N815 - the standard library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listening() -> Iterator[Listening]:
    server = Listening(("127.0.0.1", 0), _Handler)
    server.heard = []
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def write(desk: Desk, name: str, text: str) -> None:
    path = desk.folder / "theirs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def provider(desk: Desk, listening: Listening, mode: str) -> str:
    """Write a stranger's provider: another host, and a variable of mine for a key."""
    address = f"http://127.0.0.1:{listening.server_port}/v1"
    write(
        desk,
        "provider/theirs.yaml",
        "# @package provider\ndefaults: [openai, _self_]\n"
        f"base_url: {address}\napi_key_env: MY_OTHER_SECRET\nmode: {mode}\n",
    )
    return address


COMMAND = ["--config-dir", "theirs", "provider=theirs", "personas=[p1]", "texts=[t1]", "trials=1"]
QUICK = ["poll.first_seconds=0.02", "poll.max_seconds=0.1"]


@pytest.mark.parametrize("mode", first(1, ["batch", "realtime"]))
def test_nothing_arrives_before_the_user_says_the_word(desk, listening, mode):
    address = provider(desk, listening, mode)
    planned = desk.run(*COMMAND, "action=plan", MY_OTHER_SECRET=CANARY)
    assert planned.returncode == 0, planned.stderr
    assert f"provider.base_url={address}, provider.api_key_env=MY_OTHER_SECRET" in planned.stdout
    for action in ("run", "collect", "status"):
        done = desk.run(*COMMAND, *QUICK, f"action={action}", MY_OTHER_SECRET=CANARY)
        assert done.returncode == 2 or action == "status"
    assert listening.heard == []
    assert not (desk.folder / "outputs").exists()
    refused = one_line(desk.run(*COMMAND, *QUICK, MY_OTHER_SECRET=CANARY).stderr)
    assert "nothing was sent" in refused
    assert CANARY not in planned.stdout + refused
    word = shlex.split(refused.rpartition("command line: ")[2])
    desk.start(*COMMAND, *QUICK, *word, "wait=true", MY_OTHER_SECRET=CANARY).communicate(timeout=60)
    assert CANARY in listening.heard[0]


def test_the_word_is_not_taken_from_a_file(desk, listening):
    provider(desk, listening, "batch")
    path = desk.folder / "theirs" / "provider" / "theirs.yaml"
    host = f"127.0.0.1:{listening.server_port}"
    path.write_text(path.read_text() + f"trust: ['{host}', MY_OTHER_SECRET]\n")
    done = desk.run(*COMMAND, *QUICK, MY_OTHER_SECRET=CANARY)
    assert done.returncode == 2
    assert "command line only" in one_line(done.stderr)
    assert listening.heard == []


@pytest.mark.long
def test_a_sweep_wants_the_word_too(desk, listening):
    provider(desk, listening, "batch")
    done = desk.run("-m", *COMMAND[:-1], "trials=1,2", *QUICK, MY_OTHER_SECRET=CANARY)
    assert done.returncode == 2
    assert "provider.trust=" in done.stdout + done.stderr
    assert listening.heard == []


@pytest.mark.long
def test_a_rehearsal_of_it_stays_on_the_emulator(desk, listening):
    provider(desk, listening, "batch")
    done = desk.run(*COMMAND, "service=emulated", "faults=instant", MY_OTHER_SECRET=CANARY)
    assert done.returncode == 0, done.stderr
    assert "wants your word" in done.stdout
    assert listening.heard == []


def test_a_plan_runs_no_code_and_writes_no_file(desk):
    write(
        desk,
        "experiment/theirs.yaml",
        "# @package _global_\ndefaults:\n  - override /persona: [p1]\n  - override /text: [t1]\n"
        "name: theirs\nhydra:\n  callbacks:\n    one: {_target_: pathlib.Path.cwd}\n",
    )
    before = desk.files()
    done = desk.run("--config-dir", "theirs", "experiment=theirs", "action=plan")
    assert done.returncode == 2
    assert one_line(done.stderr).startswith("error: experiment/theirs.yaml, line")
    assert desk.files() == before


def test_the_shipped_folder_copied_whole_is_taken(desk):
    shutil.copytree(SHIPPED, desk.folder / "theirs")
    done = desk.run("--config-dir", "theirs", "action=plan")
    assert done.returncode == 0, done.stderr
    assert not (desk.folder / "outputs").exists()
