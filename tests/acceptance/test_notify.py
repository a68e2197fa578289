"""Messages through the real apprise, over a real socket, as somebody who is not there gets them."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.acceptance.conftest import QUICK, SMALL, Desk

pytest.importorskip("apprise", reason="the extra [notify] is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""It imports all of its services, and what they can use, once."""
WORDS = [*QUICK, *SMALL, "faults.malformed=0"]
NAMED = "notify=[CHORUS_NOTIFY]"
CELL = "literary/emulator_gpt-4o-mini"


class Postbox:
    """A server that takes messages, and an address with a password for it."""

    def __init__(self) -> None:
        self.messages: list[dict] = []
        post = self.messages.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                post(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://me:geheim@127.0.0.1:{self.server.server_port}/"

    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    box = Postbox()
    thread = Thread(target=box.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield box
    box.server.shutdown()
    thread.join()
    box.server.server_close()


@pytest.mark.long
def test_a_run_tells_when_it_has_ended_and_a_restart_remembers_whom(
    desk: Desk, postbox: Postbox
) -> None:
    first = desk.run(*WORDS, NAMED, CHORUS_NOTIFY=postbox.address)
    assert first.returncode == 0, first.stderr
    desk.run(*WORDS, "trials=4", CHORUS_NOTIFY=postbox.address)
    desk.run(*WORDS, "trials=5", "notify=off", CHORUS_NOTIFY=postbox.address)
    desk.run(*WORDS, "trials=5", CHORUS_NOTIFY=postbox.address)
    told = [f"Chorus: {CELL} ended: {n} of {n} answered, $0.00 (a rehearsal)" for n in (12, 16)]
    assert postbox.titles() == told
    kept = [path for path in desk.cell().rglob("*") if path.is_file()]
    assert not [path for path in kept if b"geheim" in path.read_bytes()]
    assert "geheim" not in first.stdout + first.stderr


def test_a_message_that_does_not_go_out_is_one_line_and_the_run_is_what_it_was(
    desk: Desk, postbox: Postbox
) -> None:
    postbox.server.server_close()
    done = desk.run(*WORDS, NAMED, CHORUS_NOTIFY=postbox.address)
    assert done.returncode == 0
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("warning: "))
    assert line.startswith("warning: CHORUS_NOTIFY: 1 of the messages")
    assert "geheim" not in done.stdout + done.stderr
    assert "127.0.0.1" not in done.stderr


def test_what_is_no_address_is_refused_before_anything_is_sent_and_not_repeated(
    desk: Desk,
) -> None:
    refused = desk.run(*WORDS, NAMED, CHORUS_NOTIFY="nothing://geheim")
    assert refused.returncode == 2
    assert "holds is no address that apprise knows" in refused.stderr
    assert "geheim" not in refused.stdout + refused.stderr
    assert not desk.cell().exists()


def test_a_sweep_tells_once_at_its_end(desk: Desk, postbox: Postbox) -> None:
    models = "provider.model=gpt-4o,gpt-4o-mini"
    done = desk.run("-m", *WORDS, NAMED, models, CHORUS_NOTIFY=postbox.address)
    assert done.returncode == 0, done.stderr
    (message,) = postbox.messages
    assert message["title"].startswith("Chorus: literary, sweep of 2 jobs, ended: 24 of 24")
    assert message["message"] == f"{CELL.removesuffix('-mini')}: done\n{CELL}: done"


def test_a_pilot_that_fails_says_that_somebody_is_needed(desk: Desk, postbox: Postbox) -> None:
    words = ["pilot={at_least: 4}", "question.value_patterns=[{name: j, kind: json}]"]
    desk.run(*WORDS, *words, NAMED, CHORUS_NOTIFY=postbox.address)
    (message,) = postbox.messages
    assert message["title"].startswith(f"Chorus: {CELL} needs you: 0 of 12 answered")
    assert message["message"].startswith("the pilot failed")
    assert "面白さ" not in json.dumps(message, ensure_ascii=False)


@pytest.mark.long
def test_a_deadline_that_comes_is_told_and_then_the_end(desk: Desk, postbox: Postbox) -> None:
    slow = [*WORDS, "faults.in_progress_seconds=600"]
    desk.run(*slow, "wait=false", NAMED, CHORUS_NOTIFY=postbox.address)
    assert postbox.messages == []
    desk.run(*slow, "deadline=0.0004h", CHORUS_NOTIFY=postbox.address)
    first, *rest = [title.split(": ")[1].removeprefix(f"{CELL} ") for title in postbox.titles()]
    assert rest or first == "ended"  # a busy machine may come to it late
    assert [first, *rest] in (["reached its deadline", "ended"], ["ended"])
