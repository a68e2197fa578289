"""What every provider must do; a subclass of a suite and a `kit` fixture make it run.

`ProviderSuite` holds for every batch API, `FileBatchSuite` for those that take their input as an
uploaded file and speak OpenAI's dialect. Nothing here reaches into a provider's SDK: replies are
spoiled on the wire, and what counts is what the service behind has done in the end.
"""

import io
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import (
    Batch,
    BatchKey,
    Condition,
    Model,
    Prompt,
    RemoteId,
    Reply,
    ReplyKind,
    Stem,
)
from runner.core.states import BatchState
from tests.contract import spoiled as spoil
from tests.contract.conftest import CANARY, Emulator
from tests.contract.spoiled import Spoiled, afterwards, instead, reply

Connect = Callable[..., Any]
Start = Callable[..., Emulator]
Serve = Callable[..., Spoiled]
Route = tuple[str, str]

IN_DOUBT = (ProviderSilent, ProviderReplyUnreadable)
HTML = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"
SECRET_PROMPT = "『懐中時計』PROMPT-CANARY を読んで答えてください。"
LABELS = {"experiment": "e1", "batch": "b0001-1"}
UNKNOWN = RemoteId("batch_unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A provider, and what has to be known of its wire to watch it."""

    provider: Any
    """Its class."""
    model: Model
    prefix: str
    """What follows the host in its base URL."""
    create: Route
    find: Route
    poll: Route
    cancel: Route
    download: Route
    routes: tuple[Route, ...]
    """Every call it makes, those five included."""


def error(message: str = "No.") -> dict[str, Any]:
    """Write the body of an error as every provider here does."""
    return {"error": {"message": message, "type": "x", "param": None, "code": "x"}}


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


SPOILED_ORDERS: dict[str, spoil.Spoil] = {
    "lost": spoil.lost,
    "slower than the timeout": spoil.slow,
    "half a body": spoil.half,
    "303": afterwards(reply(303, location="/elsewhere")),
    "408": afterwards(reply(408, error())),
    "409": afterwards(reply(409, error())),
    "429 in html": afterwards(reply(429, HTML)),
    "500": afterwards(reply(500, error())),
    "500 told to retry": afterwards(reply(500, error(), x_should_retry="true")),
    "502 in html": afterwards(reply(502, HTML)),
    "503": afterwards(reply(503, error(), retry_after="0")),
    "529": afterwards(reply(529, error())),
    "nothing": afterwards(reply(200, b"", content_type="application/json")),
    "204": afterwards(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
    "a page": afterwards(reply(200, HTML)),
    "broken JSON": afterwards(reply(200, b'{"id": "batch_1", ', content_type="application/json")),
    "not UTF-8": afterwards(reply(200, b'{"id": "\xff"}', content_type="application/json")),
    "too deep": afterwards(reply(200, nested(100_000), content_type="application/json")),
    "too long a number": afterwards(reply(200, b"1" * 5000, content_type="application/json")),
    "gzip that is none": afterwards(reply(200, {"id": "x"}, content_encoding="gzip")),
    "an empty list": afterwards(reply(200, [])),
    "null": afterwards(reply(200, None)),
    "a word": afterwards(reply(200, "ok")),
    "no id": afterwards(reply(200, {"object": "batch"})),
    "id null": afterwards(reply(200, {"id": None})),
    "id empty": afterwards(reply(200, {"id": ""})),
    "id a number": afterwards(reply(200, {"id": 7})),
}
"""The order was taken, and then the reply was this."""

NO_LISTS: dict[str, bytes] = {
    "empty list": reply(200, []),
    "empty object": reply(200, {}),
    "null": reply(200, None),
    "data null": reply(200, {"object": "list", "data": None, "has_more": False}),
    "data of words": reply(200, {"object": "list", "data": ["x"], "has_more": False}),
    "an item without id": reply(200, {"object": "list", "data": [{}], "has_more": False}),
    "goes on with nothing": reply(200, {"object": "list", "data": [], "has_more": True}),
    "goes on for ever": reply(200, {"object": "list", "data": [{"id": "x"}], "has_more": True}),
    "a page": reply(200, HTML),
    "nothing": reply(200, b""),
    "an error in a 200": reply(200, error()),
}
"""Replies to a list call that do not prove that something is not there."""


def prompt_of(text: str = SECRET_PROMPT) -> Prompt:
    return Prompt(system="あなたは大学１年生です。", user=text)


def condition_of(temperature: str | None = "0.7") -> Condition:
    return Condition(
        stem=Stem("p1_t1"),
        persona="p1",
        text="t1",
        temperature=None if temperature is None else Decimal(temperature),
    )


def write_requests(client: Any, folder: Path, count: int = 3) -> Path:
    """Write a request file as the outbox does."""
    frame = client.encode(condition_of(), prompt_of())
    path = folder / "requests.jsonl"
    path.write_bytes(
        b"".join(frame.before + f"p1_t1-{n}".encode() + frame.after for n in range(count))
    )
    return path


def batch_of(path: Path, handle: Any, **changes: Any) -> Batch:
    content = path.read_bytes()
    known: dict[str, Any] = {
        "key": BatchKey("b0001"),
        "state": BatchState.SUBMITTING,
        "count": content.count(b"\n"),
        "bytes": len(content),
        "sha256": sha256(content).hexdigest(),
        "input_tokens": 100,
        "reserved_usd": None,
        "packed_at": 0.0,
        "handle": handle,
    }
    return Batch(**known | changes)


def staged(client: Any, folder: Path, name: str = "e1-b0001-1.jsonl") -> Batch:
    path = write_requests(client, folder)
    return batch_of(path, client.stage(path, name, look_first=False))


def every_verb(client: Any, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return all seven calls, on a batch that nobody has."""
    path = write_requests(client, folder)
    batch = batch_of(path, {"input_file_id": "file-unknown"})
    return {
        "stage": lambda: client.stage(path, "e1-b0001-1.jsonl", look_first=False),
        "submit": lambda: client.submit(batch, LABELS),
        "find": lambda: client.find(batch),
        "fence": lambda: client.fence(batch),
        "poll": lambda: client.poll(UNKNOWN),
        "download": lambda: client.download("file-unknown", io.BytesIO()),
        "cancel": lambda: client.cancel(UNKNOWN),
    }


def until_ended(client: Any, remote: RemoteId) -> Any:
    deadline = time.monotonic() + 20
    while (progress := client.poll(remote)).event != "end":
        assert time.monotonic() < deadline, progress
        time.sleep(0.02)
    return progress


def raised_by(call: Callable[[], Any]) -> ProviderError | None:
    try:
        call()
    except ProviderError as raised:
        return raised
    return None


def everything_of(raised: BaseException | None) -> str:
    """Return all that a log, a crash screen or a reporter could print of an exception."""
    if raised is None:
        return ""
    shown = [str(raised), repr(raised), repr(raised.args), repr(vars(raised))]
    shown += traceback.format_exception(raised)
    for frame, _ in traceback.walk_tb(raised.__traceback__):
        if "tests/contract" not in frame.f_code.co_filename:
            shown += [f"{name} = {value!r}" for name, value in frame.f_locals.items()]
    return "\n".join(shown)


class ProviderSuite:
    """What holds for every batch API."""

    # The round trip

    def test_a_batch_goes_the_whole_way(
        self, kit: Kit, connect: Connect, well: Emulator, tmp_path: Path
    ) -> None:
        client = connect(f"{well.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        batch = staged(client, tmp_path)
        remote = client.submit(batch, LABELS)
        assert remote == client.find(batch)
        progress = until_ended(client, remote)
        assert (progress.total, progress.completed, progress.failed) == (3, 3, 0)
        sink = io.BytesIO()
        for file_id in progress.files.values():
            client.download(file_id, sink)
        replies = [client.decode(line) for line in sink.getvalue().split(b"\n")[:-1]]
        assert sorted(r.custom_id for r in replies) == ["p1_t1-0", "p1_t1-1", "p1_t1-2"]
        for answer in replies:
            assert answer.kind == ReplyKind.ANSWER
            assert answer.text
            assert answer.usage.input_tokens > 0
            assert answer.usage.output_tokens > 0
            assert answer.answered_at is not None

    def test_a_running_batch_is_cancelled_and_an_ended_one_stays_as_it_is(
        self, kit: Kit, connect: Connect, emulator: Start, tmp_path: Path
    ) -> None:
        slow = emulator(in_progress_seconds=600)
        client = connect(f"{slow.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        remote = client.submit(staged(client, tmp_path), LABELS)
        client.cancel(remote)
        assert until_ended(client, remote).state == "cancelled"
        client.cancel(remote)
        assert until_ended(client, remote).state == "cancelled"

    # Orders whose reply is no reply

    @pytest.mark.parametrize("how", SPOILED_ORDERS.values(), ids=SPOILED_ORDERS)
    def test_a_doubtful_order_is_one_batch_and_is_found(
        self,
        kit: Kit,
        connect: Connect,
        spoiled: Spoiled,
        well: Emulator,
        tmp_path: Path,
        how: spoil.Spoil,
    ) -> None:
        timeout = 0.3 if how is spoil.slow else 10
        patient = connect(f"{spoiled.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        client = connect(
            f"{spoiled.url}{kit.prefix}", timeout=timeout, provider=kit.provider, model=kit.model
        )
        batch = staged(patient, tmp_path)
        before = well.batches()
        spoiled.spoil(kit.create, how)
        with pytest.raises(IN_DOUBT):
            client.submit(batch, LABELS)
        assert spoiled.done.wait(spoil.PATIENCE)
        assert len(spoiled.asked(kit.create)) == 1
        assert before + 1 == well.batches()
        found = patient.find(batch)
        assert found is not None
        assert until_ended(patient, found).event == "end"
        assert before + 1 == well.batches()

    @pytest.mark.parametrize("fault", ["lost_create_reply", "failed_create_reply"])
    def test_the_emulators_own_faults_are_doubts_too(
        self, kit: Kit, connect: Connect, emulator: Start, tmp_path: Path, fault: str
    ) -> None:
        rough = emulator(**{fault: 1.0})
        client = connect(f"{rough.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        batch = staged(client, tmp_path)
        with pytest.raises(ProviderSilent):
            client.submit(batch, LABELS)
        assert client.find(batch) is not None
        assert rough.batches() == 1

    def test_what_was_never_ordered_is_not_found(
        self, kit: Kit, connect: Connect, well: Emulator, tmp_path: Path
    ) -> None:
        client = connect(f"{well.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        assert client.find(staged(client, tmp_path)) is None

    @pytest.mark.parametrize("raw", NO_LISTS.values(), ids=NO_LISTS)
    def test_a_list_that_is_none_never_proves_absence(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, raw: bytes
    ) -> None:
        stub = server()
        stub.spoil(kit.find, instead(raw))
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        with pytest.raises(ProviderReplyUnreadable):
            every_verb(client, tmp_path)["find"]()
        assert len(stub.calls) <= 2

    # A definite no, and a definite not now

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
    def test_a_refusal_is_refused(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, status: int
    ) -> None:
        stub = server()
        stub.spoil(kit.create, instead(reply(status, error("Not this one."))))
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        with pytest.raises(ProviderRefused, match=r"Not this one\.") as caught:
            every_verb(client, tmp_path)["submit"]()
        assert (status in (401, 403)) is ("THE_KEY" in str(caught.value))
        assert len(stub.calls) == 1

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({}, None),
            ({"retry_after": "7"}, 7.0),
            ({"retry_after": "0"}, 0.0),
            ({"retry_after_ms": "300"}, 0.3),
            ({"retry_after_ms": "300", "retry_after": "7"}, 0.3),
            ({"retry_after_ms": "nan", "retry_after": "7"}, 7.0),
            ({"retry_after": "100000"}, 100000.0),
            ({"retry_after": "inf"}, None),
            ({"retry_after": "nan"}, None),
            ({"retry_after": "-1"}, None),
            ({"retry_after": "1e400"}, None),
            ({"retry_after": "soon"}, None),
            (
                {
                    "date": "Tue, 24 Nov 2026 03:00:00 GMT",
                    "retry_after": "Tue, 24 Nov 2026 03:01:30 GMT",
                },
                90.0,
            ),
            (
                {
                    "date": "Tue, 24 Nov 2026 03:00:00 GMT",
                    "retry_after": "Mon, 23 Nov 2026 03:00:00 GMT",
                },
                None,
            ),
            ({"retry_after": "Tue, 24 Nov 2099 03:00:00 GMT"}, None),
        ],
    )
    def test_a_429_says_when_to_come_back(
        self,
        kit: Kit,
        connect: Connect,
        server: Serve,
        tmp_path: Path,
        headers: dict[str, str],
        expected: float | None,
    ) -> None:
        stub = server()
        stub.spoil(kit.create, instead(reply(429, error("Slow down."), **headers)))
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        with pytest.raises(ProviderBusy, match=r"Slow down\.") as caught:
            every_verb(client, tmp_path)["submit"]()
        assert expected == caught.value.retry_after
        assert len(stub.calls) == 1

    @pytest.mark.parametrize("body", [HTML, b"", b"[]", b'"busy"'])
    def test_a_429_that_is_not_the_providers_own_is_a_doubt(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, body: bytes
    ) -> None:
        stub = server()
        stub.spoil(kit.create, instead(reply(429, body, retry_after="7")))
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        with pytest.raises(ProviderSilent):
            every_verb(client, tmp_path)["submit"]()

    @pytest.mark.parametrize("verb", ["stage", "submit", "find", "fence", "poll", "download"])
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirection_is_not_followed(
        self,
        kit: Kit,
        connect: Connect,
        server: Serve,
        tmp_path: Path,
        verb: str,
        status: int,
    ) -> None:
        stub, stranger = server(), server()
        for route in kit.routes:
            stub.spoil(route, instead(reply(status, location=f"{stranger.url}{kit.prefix}/x")))
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        with pytest.raises(ProviderRefused):
            every_verb(client, tmp_path)[verb]()
        assert stranger.calls == []

    # What was never sent

    def test_a_closed_port_is_not_now(self, kit: Kit, connect: Connect, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        url = f"http://127.0.0.1:{port}{kit.prefix}"
        client = connect(url, provider=kit.provider, model=kit.model)
        for verb, call in every_verb(client, tmp_path).items():
            with pytest.raises(ProviderBusy, match="Connection refused") as caught:
                call()
            assert url in str(caught.value), verb
            assert caught.value.retry_after is None

    def test_an_unknown_host_is_not_now(
        self, kit: Kit, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nobody(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        url = f"https://nowhere.invalid{kit.prefix}"
        client = connect(url, provider=kit.provider, model=kit.model)
        monkeypatch.setattr(socket, "getaddrinfo", nobody)
        for call in every_verb(client, tmp_path).values():
            with pytest.raises(ProviderBusy, match="Name or service not known"):
                call()

    def test_a_host_without_tls_is_not_now(
        self, kit: Kit, connect: Connect, tmp_path: Path
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as plain:
            url = f"https://127.0.0.1:{plain.getsockname()[1]}{kit.prefix}"
            client = connect(url, provider=kit.provider, model=kit.model)
            talk = threading.Thread(target=_speak_plainly, args=(plain,), daemon=True)
            talk.start()
            with pytest.raises(ProviderBusy, match=r"(?i)ssl"):
                every_verb(client, tmp_path)["submit"]()
            talk.join()

    @pytest.mark.parametrize(
        "url", ["https://127.0.0.1:99999/v1", "https://[bad/v1", "gopher://127.0.0.1/v1"]
    )
    def test_an_address_that_is_none_reaches_nobody(
        self, kit: Kit, connect: Connect, tmp_path: Path, url: str
    ) -> None:
        client = connect(url, provider=kit.provider, model=kit.model)
        for call in every_verb(client, tmp_path).values():
            with pytest.raises((ProviderRefused, ProviderBusy)):
                call()

    # Each verb asks once, in time, and raises nothing but its own errors

    @pytest.mark.parametrize("status", [500, 429, 408, 409])
    def test_no_verb_asks_twice(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, status: int
    ) -> None:
        stub = server()
        for route in kit.routes:
            stub.spoil(route, instead(reply(status, error(), x_should_retry="true")))
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        for verb, call in every_verb(client, tmp_path).items():
            stub.calls.clear()
            if verb == "cancel" and status == 409:
                call()
            else:
                with pytest.raises((ProviderSilent, ProviderBusy)):
                    call()
            assert len(stub.calls) == 1, verb

    @pytest.mark.parametrize(
        "how", [spoil.reset, instead(b""), instead(b"HTTP/1.1 2"), instead(b"garbage\r\n\r\n")]
    )
    def test_no_verb_asks_twice_when_the_line_breaks(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, how: spoil.Spoil
    ) -> None:
        stub = server()
        for route in kit.routes:
            stub.spoil(route, how)
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        for verb, call in every_verb(client, tmp_path).items():
            stub.calls.clear()
            with pytest.raises(ProviderSilent):
                call()
            assert len(stub.calls) == 1, verb

    def test_every_verb_gives_up_in_time(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path
    ) -> None:
        stub = server()
        for route in kit.routes:
            stub.spoil(route, spoil.silent)
        client = connect(
            f"{stub.url}{kit.prefix}", timeout=0.15, provider=kit.provider, model=kit.model
        )
        verbs = every_verb(client, tmp_path)
        with pytest.raises(ProviderSilent):
            verbs["poll"]()  # the SDK is imported by now
        for verb, call in verbs.items():
            stub.calls.clear()
            began = time.monotonic()
            with pytest.raises(ProviderSilent, match=r"(?i)time"):
                call()
            assert 0.1 < time.monotonic() - began < 5, verb
            assert len(stub.calls) == 1, verb

    @pytest.mark.parametrize(
        "raw",
        [
            reply(200, []),
            reply(200, None),
            reply(200, {}),
            reply(200, "x"),
            reply(200, 7),
            reply(200, {"id": "batch_unknown"}),
            reply(200, {"id": "batch_unknown", "errors": 7, "request_counts": "many"}),
            reply(200, HTML),
            reply(200, b"\xff", content_type="application/json"),
            reply(200, nested(100_000), content_type="application/json"),
            reply(200, b'{"id":' + b"1" * 5000 + b"}", content_type="application/json"),
        ],
    )
    def test_strange_replies_raise_nothing_else(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path, raw: bytes
    ) -> None:
        stub = server()
        for route in kit.routes:
            stub.spoil(route, instead(raw))
        client = connect(f"{stub.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        for call in every_verb(client, tmp_path).values():
            try:
                call()
            except IN_DOUBT:
                continue

    # Secrets

    def test_no_error_shows_the_key(
        self, kit: Kit, connect: Connect, server: Serve, tmp_path: Path
    ) -> None:
        stub = server()
        url = f"{stub.url}{kit.prefix}"
        client = connect(url, provider=kit.provider, model=kit.model)
        echo = error(f"Incorrect API key provided: {CANARY}.")
        spoils = [
            *(instead(reply(status, echo)) for status in (307, 400, 401, 404, 409, 429, 500)),
            *(instead(reply(s, CANARY.encode(), location=f"/{CANARY}")) for s in (307, 401)),
            instead(f"HTTP/1.1 200 {CANARY}\r\n{CANARY}: \x00\r\n\r\n".encode()),
            instead(f"{CANARY}\r\n\r\n".encode()),
            spoil.reset,
        ]
        seen = 0
        for how in spoils:
            for route in kit.routes:
                stub.spoil(route, how)
            for call in every_verb(client, tmp_path).values():
                raised = raised_by(call)
                seen += raised is not None
                assert CANARY not in everything_of(raised)
        assert seen > 60
        for route in kit.routes:
            stub.spoil(route, instead(reply(200, CANARY.encode())))
        for call in every_verb(client, tmp_path).values():
            assert CANARY not in "".join(traceback.format_exception(raised_by(call)))
        stub.close()
        for call in every_verb(client, tmp_path).values():
            raised = raised_by(call)
            assert isinstance(raised, ProviderBusy)
            assert CANARY not in everything_of(raised)
        shown = f"{client!r} {client._service!r} {client._service.key!r} {client._service.key}"
        assert CANARY not in shown

    @pytest.mark.parametrize("tail", ["鍵", "\n", "\x01", " x", "\x7f", "é"])
    def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
        self, kit: Kit, connect: Connect, well: Emulator, tmp_path: Path, tail: str
    ) -> None:
        client = connect(
            f"{well.url}{kit.prefix}", key=CANARY + tail, provider=kit.provider, model=kit.model
        )
        for call in every_verb(client, tmp_path).values():
            with pytest.raises(ProviderRefused, match="THE_KEY") as caught:
                call()
            assert CANARY not in everything_of(caught.value)

    def test_no_log_shows_the_key_or_a_prompt(
        self,
        kit: Kit,
        connect: Connect,
        spoiled: Spoiled,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        client = connect(f"{spoiled.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        batch = staged(client, tmp_path)  # with this, all loggers are there
        caplog.set_level(logging.DEBUG)
        for name in list(logging.root.manager.loggerDict):
            caplog.set_level(logging.DEBUG, logger=name)
            monkeypatch.setattr(logging.getLogger(name), "disabled", False)  # Hydra does that
        progress = until_ended(client, client.submit(batch, LABELS))
        client.download(progress.files["output"], io.BytesIO())
        spoiled.spoil(kit.create, instead(reply(401, error(CANARY))))
        with pytest.raises(ProviderRefused):
            client.submit(batch, LABELS)
        written = "\n".join(
            f"{r.getMessage()} {r.args!r} {r.exc_info!r} {vars(r)!r}" for r in caplog.records
        )
        assert len(caplog.records) > 10
        assert CANARY not in written
        assert "PROMPT-CANARY" not in written

    # Pure translations

    def test_a_line_is_its_frame_around_the_custom_id(
        self, kit: Kit, connect: Connect, well: Emulator
    ) -> None:
        client = connect(f"{well.url}{kit.prefix}", provider=kit.provider, model=kit.model)
        for text in ("", "\x00", '"\\u0000"', "\u2028\n\r", "𠮷野家", '{"custom_id": "x"}'):
            frame = client.encode(condition_of(), prompt_of(text))
            line = frame.before + b"p1_t1-9" + frame.after
            assert len(frame) + 7 == len(line)
            assert line[-1:] == b"\n"
            assert line.count(b"\n") == 1
            assert json.loads(line)["custom_id"] == "p1_t1-9"
            assert text in _strings(json.loads(line))

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_decode_raises_nothing_but_unreadable(self, kit: Kit, data: st.DataObject) -> None:
        client = kit.provider(None, kit.model)
        try:
            decoded = client.decode(data.draw(st.binary(max_size=200) | _lines))
        except ProviderReplyUnreadable:
            return
        _check(decoded)

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"\x00",
            b"\xff\xfe",
            b"null",
            b"NaN",
            b'"x"',
            b"[]",
            b"{}",
            nested(100_000),
            b'{"a":' * 100_000,
            b"1" * 5000,
            b"1e999",
            b'{"custom_id": 7}',
            b'{"custom_id": null, "response": null, "error": null}',
            b'{"custom_id": "x"}',
            b'{"custom_id": "x", "response": 7, "error": []}',
            b'{"custom_id": "x", "response": {}}',
            b'{"custom_id": "x", "response": {"status_code": 200, "body": {}}}',
            b'{"custom_id": "x", "response": {"status_code": true, "body": {}}}',
            b'{"custom_id": "x", "response": {"status_code": 200, "body": {"choices": [7]}}}',
            b'{"custom_id": "x", "response": {"status_code": NaN, "body": {}}}',
        ],
    )
    def test_what_is_no_result_line_is_unreadable(self, kit: Kit, line: bytes) -> None:
        with pytest.raises(ProviderReplyUnreadable):
            kit.provider(None, kit.model).decode(line)


def _speak_plainly(plain: socket.socket) -> None:
    caller, _ = plain.accept()
    with caller:
        caller.recv(65536)
        caller.sendall(reply(400, HTML))


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inside for text in _strings(part)]


def _check(decoded: Reply) -> None:
    assert isinstance(decoded.custom_id, str)
    assert isinstance(decoded.text, str)
    assert 0 <= decoded.usage.input_tokens < 2**53
    assert 0 <= decoded.usage.output_tokens < 2**53
    if decoded.answered_at is not None:
        assert abs(decoded.answered_at) < float("inf")
    for word in (decoded.finish_reason, decoded.model, decoded.request_id, decoded.error):
        assert word is None or isinstance(word, str)


_odd = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 200, 400, 500, 2**53, 2**64, 10**400, -(10**400)),
        *(float("nan"), float("inf"), -0.0, 1e308, "", "x", "\x00", "\ud83d", "\u2028", "1736"),
        *("1e999", "nan", [], {}, [[]], [{}]),
    ]
)
_json = st.recursive(
    _odd | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["message", "code", "content"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _row(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=fields) | _json


_lines = _row(
    id=_json,
    custom_id=st.just("x") | _json,
    response=_row(
        status_code=st.just(200) | _json,
        request_id=_json,
        body=_row(
            id=_json,
            created=_json,
            model=_json,
            choices=st.lists(
                _row(finish_reason=_json, message=_row(content=_json, refusal=_json)), max_size=2
            )
            | _json,
            usage=_row(prompt_tokens=_json, completion_tokens=_json),
            error=_row(message=_json),
        ),
    ),
    error=_row(code=st.just("batch_expired") | _json, message=_json),
).flatmap(
    lambda row: (
        st.booleans()
        .map(lambda ascii_: json.dumps(row, ensure_ascii=ascii_))
        .map(lambda text: text.encode("utf-8", "surrogatepass"))
    )
)
"""Lines that look like a result, with something odd anywhere."""
