"""Together's own: an upload in three calls, a list without pages or envelope, no counts.

The emulator's wire was checked with the package together 3.1.1: it uploads a file, meets it again
(409), lists and retrieves files, creates, lists, retrieves and cancels a batch, downloads both
files and parses every reply. It sends no key to the address that an upload is given, either.
"""

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
    ProviderUndecided,
    ResultFileShort,
)
from runner.core.model import RemoteId, ReplyKind
from runner.core.twins import Made
from runner.providers.base import Secret
from tests.contract.case import (
    CANARY,
    IN_DOUBT,
    LABELS,
    Case,
    batch_of,
    everything_of,
    staged,
    until_ended,
)
from tests.contract.conftest import Emulator
from tests.contract.kits.base import HTML, result_line
from tests.contract.kits.together import ROOT, TogetherKit
from tests.contract.spoiled import Call, Spoiled, instead, reply
from tests.contract.test_wire_golden import Http, Jsonl, two_lines_of

Serve = Callable[..., Spoiled]
KIT = TogetherKit("together")
OURS = {"input_file_id": "file-unknown"}
STORE = ("PUT", "/bucket/ours")
SIGNED = "X-Amz-Signature=SIGNATURE&X-Amz-Credential=a%2Fb"


@pytest.fixture
def kit() -> TogetherKit:
    """Name the kit that `case` is made for."""
    return KIT


# What goes out


def test_request_lines_are_pinned(snapshot: SnapshotAssertion) -> None:
    assert snapshot(extension_class=Jsonl) == two_lines_of(KIT)


def shown(call: Call) -> bytes:
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    text = f"{call.method} {call.path}\n".encode() + call.body.replace(b"\r\n", b"\n")
    text = re.sub(rb"file-[0-9a-f]{24}", b"FILE", text)
    text = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"UUID", text)
    text = re.sub(rb"\b[0-9a-f]{64}\b", b"SHA256", text)
    text = re.sub(rb"\bc[0-9a-f]{8}-", b"TAG-", text)
    boundary = re.match(rb"POST \S+\n--(\w+)\n", text)
    return text.replace(boundary[1], b"BOUNDARY") if boundary else text


def test_calls_are_pinned(
    case: Case, emulator: Callable[..., Emulator], server: Serve, snapshot: SnapshotAssertion
) -> None:
    spoiled = server(emulator().url)
    client = case.client(spoiled)
    batch = staged(client, case.folder)
    remote = client.submit(batch, case.path, LABELS)
    progress = until_ended(client, remote)
    client.find(batch, case.path, ())
    client.download(progress.files["output"], io.BytesIO())
    client.cancel(remote)
    client.stage(case.path, "e1-b0001-9.jsonl", look_first=True)  # it is there already
    client.fence(batch)
    with case.path.open("rb") as requests:
        client.ask(requests.readline())
    calls = dict.fromkeys(shown(call) for call in spoiled.calls)
    assert snapshot(extension_class=Http) == b"\n".join(calls)


# An upload


def offering(server: Serve, where: str) -> Spoiled:
    """Start a service that wants a file to be put there."""
    stub = server()
    raw = reply(302, b"", location=where, x_together_file_id="file-unknown")
    stub.spoil(KIT.announce, instead(raw))
    stub.spoil(KIT.hand_over, instead(reply(200, {"id": "file-unknown"})))
    return stub


def stage(case: Case, client: Any, *, look_first: bool = False) -> Any:
    return client.stage(case.write(), case.file_name, look_first=look_first)


def test_storage_gets_the_bytes_and_neither_the_key_nor_the_headers_of_the_user(
    case: Case, server: Serve
) -> None:
    storage = server()
    storage.spoil(STORE, instead(reply(200)))
    stub = offering(server, f"{storage.url}{STORE[1]}?{SIGNED}")
    service = replace(KIT.service(stub.url, CANARY, 10), headers={"x-gateway": Secret("pk-value")})
    client = case.hang_up(KIT.provider(service, KIT.model, case.tag))
    assert stage(case, client) == OURS
    (call,) = storage.calls
    assert (call.body, call.query) == (case.path.read_bytes(), SIGNED)
    assert call.headers["content-length"] == str(len(call.body))
    assert CANARY.encode() not in call.head
    assert b"pk-value" not in call.head
    assert all(call.headers["x-gateway"] == "pk-value" for call in stub.calls)


@pytest.mark.parametrize(
    "where",
    [
        "http://storage.example/x",
        "http://127.0.0.1.example/x",
        "ftp://127.0.0.1/x",
        "https://user@storage.example/x",
        "https:///x",
        "https://[bad/x",
        "//127.0.0.1/x",
        "/elsewhere",
        "",
    ],
)
def test_a_file_goes_out_over_https_only(case: Case, server: Serve, where: str) -> None:
    with pytest.raises(ProviderRefused, match="not https"):
        stage(case, case.client(offering(server, where)))


def test_a_service_elsewhere_is_not_believed_that_storage_is_on_this_machine(case: Case) -> None:
    from runner.providers.together import _storage

    service = KIT.service("https://api.together.example", CANARY, 10)
    with pytest.raises(ProviderRefused, match="not https"):
        _storage("http://127.0.0.1:80/x", service)
    there, rest = _storage(f"https://s3.example:8443/a/b?{SIGNED}", service)
    assert (there.base_url, rest) == ("https://s3.example:8443", f"/a/b?{SIGNED}")


@pytest.mark.parametrize("status", [307, 400, 403, 404, 500])
def test_what_storage_refuses_is_tried_again_and_no_redirection_is_followed(
    case: Case, server: Serve, status: int
) -> None:
    storage, stranger = server(), server()
    storage.spoil(STORE, instead(reply(status, b"<Code>No</Code>", location=stranger.url)))
    stub = offering(server, f"{storage.url}{STORE[1]}?{SIGNED}")
    with pytest.raises(ProviderSilent) as caught:
        stage(case, case.client(stub))
    assert "SIGNATURE" not in str(caught.value)
    assert CANARY not in everything_of(caught.value)
    assert stranger.calls == []
    assert stub.asked(KIT.hand_over) == []


def test_storage_that_cannot_be_reached_is_named_and_not_the_service(
    case: Case, server: Serve
) -> None:
    stub = offering(server, f"http://127.0.0.1:9{STORE[1]}?{SIGNED}")
    with pytest.raises(ProviderBusy, match=r"cannot reach http://127\.0\.0\.1:9:"):
        stage(case, case.client(stub))


@pytest.mark.parametrize("body", [{"id": "file-another"}, {"id": 7}, {}, []])
def test_an_upload_that_is_not_confirmed_is_a_doubt(case: Case, server: Serve, body: Any) -> None:
    storage = server()
    storage.spoil(STORE, instead(reply(200)))
    stub = offering(server, f"{storage.url}{STORE[1]}")
    stub.spoil(KIT.hand_over, instead(reply(200, body)))
    with pytest.raises(ProviderReplyUnreadable):
        stage(case, case.client(stub))


def test_an_input_belongs_to_one_order(case: Case, other: Case, well: Emulator) -> None:
    client = case.client(well)
    first = stage(case, client)
    assert stage(case, client) == first  # the same sending
    theirs = stage(other, other.client(well))  # another run's tag makes other bytes
    again = client.stage(case.path, f"x{case.file_name}", look_first=False)
    assert len({handle["input_file_id"] for handle in (first, theirs, again)}) == 3
    assert client._must_be_gone(f"/files/{first['input_file_id']}") is None


@pytest.mark.parametrize(
    ("file", "is_taken"),
    [
        ({}, True),
        ({"bytes": 0}, False),
        ({"processing_status": "PENDING"}, False),
        ({"filename": "e1-b0001-1-other.jsonl"}, False),
    ],
)
def test_a_file_that_is_not_this_hand_overs_is_taken_away(
    case: Case, server: Serve, file: Any, is_taken: bool
) -> None:
    stub, file_at = server(), ("GET", KIT.delete_file[1])
    size = case.write().stat().st_size
    known = {"id": "file-unknown", "filename": case.file_name, "bytes": size, **file}
    stub.spoil(KIT.list_files, instead(reply(200, {"data": [known]})))
    stub.spoil(KIT.announce, instead(reply(409, {"file_id": "file-unknown"})))
    stub.spoil(file_at, instead(reply(200, known)))
    stub.spoil(KIT.list_files, instead(reply(200, {"data": [known]})))
    stub.spoil(KIT.delete_file, instead(reply(200, {"id": "file-unknown", "deleted": True})))
    client = case.client(stub)
    for look_first in (True, False):
        if is_taken:
            assert stage(case, client, look_first=look_first) == OURS
            continue
        with pytest.raises(ProviderSilent, match="there still"):
            stage(case, client, look_first=look_first)
    assert len(stub.asked(KIT.delete_file)) == (0 if is_taken else 2)


def test_only_a_file_of_this_name_and_size_is_adopted(case: Case, server: Serve) -> None:
    stub, size = server(), case.write().stat().st_size
    files = [
        {"id": "1", "filename": f"x{case.file_name}", "bytes": size},
        {"id": "2", "filename": case.file_name, "bytes": size - 1},
        {"id": "3", "filename": case.file_name, "bytes": size},
    ]
    stub.spoil(KIT.list_files, instead(reply(200, {"data": files})))
    assert stage(case, case.client(stub), look_first=True) == {"input_file_id": "3"}


# What comes back


def decode(row: Any) -> Any:
    return KIT.provider(None, KIT.model).decode(result_line(row))


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_what_a_model_thought_is_no_part_of_its_answer(name: str) -> None:
    row = KIT.answer("x", "Q1. 80")
    (choice,) = row["response"]["body"]["choices"]
    choice["message"] = {"role": "assistant", "content": "Q1. 80", name: "Q1. 99"}
    assert (decode(row).text, decode(row).kind) == ("Q1. 80", ReplyKind.ANSWER)
    choice["message"]["content"] = ""
    assert decode(row).kind is ReplyKind.UNREADABLE
    choice["finish_reason"] = "length"
    assert (decode(row).text, decode(row).finish_reason) == ("", "length")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (
            {"message": "Invalid model specified", "code": "invalid_model"},
            ReplyKind.ERRORED,
            "invalid_model: Invalid model specified",
        ),
        (
            {"message": "Request timeout", "code": "timeout"},
            ReplyKind.ERRORED,
            "timeout: Request timeout",
        ),
        ("out of luck", ReplyKind.ERRORED, "error: out of luck"),
    ],
)
def test_the_lines_of_an_error_file_say_why(error: Any, kind: ReplyKind, says: str) -> None:
    reply = decode({"custom_id": "x", "error": error})
    assert (reply.kind, reply.error) == (kind, says)


def polled(case: Case, server: Serve, state: str, **changes: Any) -> Any:
    stub = server()
    stub.spoil(KIT.poll, instead(reply(200, KIT.batch_object(state, **changes))))
    return case.client(stub).poll(KIT.unknown)


def test_percent_are_no_counts(case: Case, server: Serve) -> None:
    progress = polled(case, server, "COMPLETED", progress=100, output_file_id="file-2")
    assert (progress.total, progress.completed, progress.failed) == (None, None, None)
    assert (progress.files, progress.expires_at) == ({"output": "file-2"}, 1705332600.0)


@pytest.mark.parametrize(
    ("record", "is_whole"),
    [
        (reply(200, {"id": "f", "bytes": 40}), False),
        (reply(200, {"id": "f", "bytes": 3}), True),
        (reply(200, {"id": "f"}), True),
        (reply(404, KIT.error("No file.")), True),
        (reply(200, HTML), False),
        (reply(500, b"{}"), False),
    ],
)
def test_a_result_file_is_as_long_as_its_record_says(
    case: Case, server: Serve, record: bytes, is_whole: bool
) -> None:
    stub, sink = server(), io.BytesIO(b"before")
    sink.seek(0, io.SEEK_END)
    stub.spoil(KIT.download, instead(reply(200, b'{"custom_id": "x"}')))
    stub.spoil(("GET", KIT.delete_file[1]), instead(record))
    with contextlib.nullcontext() if is_whole else pytest.raises(IN_DOUBT):
        case.client(stub).download("f", sink)
    assert sink.getvalue() == b'before{"custom_id": "x"}'


def test_a_file_that_is_always_shorter_than_its_record_stays_short(
    case: Case, server: Serve
) -> None:
    """Whether something lacks, its lines tell: nothing is taken for lost while the record is longer."""
    stub = server()
    stub.spoil(KIT.download, instead(reply(200, b'{"custom_id": "x"}')))
    stub.spoil(("GET", KIT.delete_file[1]), instead(reply(200, {"id": "f", "bytes": 40})))
    client = case.client(stub)
    for _ in range(9):
        sink = io.BytesIO()
        with pytest.raises(ResultFileShort, match="18 of 40 bytes arrived"):
            client.download("f", sink)
        assert sink.getvalue() == b'{"custom_id": "x"}'


def test_a_failed_batch_says_why_and_is_collected_where_it_has_answered(
    case: Case, server: Serve
) -> None:
    failed = polled(case, server, "FAILED", error="line 3: bad\n\x1b[2J")
    assert (failed.event, failed.message) == ("refused", "line 3: bad [2J")
    assert polled(case, server, "failed").message == "failed, and no reason given"
    answered = polled(case, server, "FAILED", error="late", output_file_id="file-2")
    assert (answered.event, answered.files) == ("end", {"output": "file-2"})


@pytest.mark.parametrize(
    ("state", "rest"),
    [("COMPLETED", "missing"), ("expired", "expired"), ("CANCELLED", "cancelled")],
)
def test_what_has_no_line_ended_as_the_batch_did(
    case: Case, server: Serve, state: str, rest: str
) -> None:
    progress = polled(case, server, state, output_file_id="file-2", error_file_id="")
    assert (progress.rest, progress.files) == (rest, {"output": "file-2"})


# Finding, and the fence


def found(
    case: Case, server: Serve, *rows: Any, claimed: tuple[str, ...] = (), **batch: Any
) -> Any:
    stub = server()
    stub.spoil(KIT.find, instead(reply(200, list(rows))))
    batch = {"handle": OURS, **batch}
    record = batch_of(case.write(), batch.pop("handle"), **batch)
    return case.client(stub).find(record, case.path, claimed)


def test_of_several_batches_the_furthest_is_taken_and_the_others_are_told(
    case: Case, server: Serve
) -> None:
    rows = [
        KIT.batch_object("FAILED", id="0"),
        KIT.batch_object("VALIDATING", id="1"),
        KIT.batch_object("COMPLETED", id="2"),
        KIT.batch_object("COMPLETED", id="3", input_file_id="file-2"),
        KIT.batch_object("COMPLETED", id="4", input_file_id=None),
        KIT.batch_object("COMPLETED", id="5"),
        KIT.batch_object("COMPLETED", id="6"),
    ]
    made = found(case, server, *rows, claimed=("5",), dead=("6",))
    assert made == Made(RemoteId("2"), ("0", "1"), ())


@pytest.mark.parametrize(
    "known", [{"claimed": ("a",)}, {"dead": ("a",)}, {"remote": RemoteId("a")}]
)
def test_a_list_without_what_is_known_proves_nothing(case: Case, server: Serve, known: Any) -> None:
    theirs = KIT.batch_object("COMPLETED", id="b", input_file_id="file-2")
    for rows in ((), (theirs,)):
        with pytest.raises(ProviderReplyUnreadable, match="none of those that are known"):
            found(case, server, *rows, **known)
    ours = KIT.batch_object("COMPLETED", id="a", input_file_id="file-2")
    assert found(case, server, ours, **known) is None


def test_after_a_recovery_the_input_is_known_by_its_name(case: Case, server: Serve) -> None:
    stub = server()
    names = {"file-1": "e1-b0002-1-x.jsonl", "file-2": "e1-b0001-2-x.jsonl", "file-3": None}
    files = [{"id": file_id, "filename": name} for file_id, name in names.items()]
    stub.spoil(KIT.list_files, instead(reply(200, {"data": files})))
    jobs = [KIT.batch_object("COMPLETED", id=f, input_file_id=f) for f in (*names, None) if f]
    stub.spoil(KIT.find, instead(reply(200, jobs)))
    client, batch = case.client(stub), batch_of(case.write(), {"experiment": "e1"})
    assert client.find(batch, case.path, ()).remote == "file-2"
    with pytest.raises(ProviderUndecided, match="action=abandon batch=b0001"):
        client.fence(batch)


@pytest.mark.parametrize(
    ("deleted", "looked_for", "stands"),
    [
        (reply(200, {"id": "f", "deleted": True}), None, True),
        (reply(404, KIT.error("No file.")), reply(404, KIT.error("No file.")), True),
        (reply(404, KIT.error("No file.")), reply(200, {"id": "f"}), False),
        (reply(404, HTML), None, False),
        (reply(200, {"id": "f"}), None, False),
    ],
)
def test_a_fence_stands_only_when_the_service_says_so(
    case: Case, server: Serve, deleted: bytes, looked_for: bytes | None, stands: bool
) -> None:
    stub = server()
    stub.spoil(KIT.delete_file, instead(deleted))
    if looked_for is not None:
        stub.spoil(("GET", KIT.delete_file[1]), instead(looked_for))
    batch = batch_of(case.write(), OURS)
    if stands:
        case.client(stub).fence(batch)
        return
    with pytest.raises(ProviderError):
        case.client(stub).fence(batch)


def test_the_reply_to_an_order_has_it_in_an_envelope(case: Case, server: Serve) -> None:
    stub, batch = server(), batch_of(case.write(), OURS)
    stub.spoil(KIT.create, instead(reply(201, {"job": KIT.batch_object("VALIDATING")})))
    assert case.client(stub).submit(batch, case.path, LABELS) == KIT.unknown


# The emulator


def test_the_emulator_takes_no_key_beside_a_storage_address(case: Case, well: Emulator) -> None:
    import httpx

    form = {"purpose": "batch-api", "file_name": "x.jsonl", "file_type": "jsonl", "checksum": "x"}
    parts: Any = {name: (None, value) for name, value in form.items()}
    key = {"Authorization": f"Bearer {CANARY}"}
    with httpx.Client() as http:
        announced = http.post(f"{well.url}{ROOT}/files", files=parts, headers=key)
        where = announced.headers["location"]
        assert http.put(where, content=b"{}", headers=key).status_code == 403
        assert http.put(where.partition("?")[0] + "?upload_id=x", content=b"{}").status_code == 403
        assert http.put(where, content=b"{}").status_code == 200


def test_a_model_that_thinks_does_so_beside_its_answer(case: Case, well: Emulator) -> None:
    service = KIT.service(well.url, CANARY, 10)
    for parameters, thinks in (({}, True), ({"reasoning": {"enabled": False}}, False)):
        model = replace(KIT.model, name="zai-org/GLM-5.3", parameters=parameters)
        client = case.hang_up(KIT.provider(service, model, case.tag))
        batch = staged(client, case.folder)
        progress = until_ended(client, client.submit(batch, case.path, LABELS))
        sink = io.BytesIO()
        client.download(progress.files["output"], sink)
        for line in sink.getvalue().splitlines():
            assert (b'"reasoning"' in line) is thinks
            assert client.decode(line).kind is ReplyKind.ANSWER
