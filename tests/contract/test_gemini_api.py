"""The Gemini API's own ground: uploads in two calls, states in two spellings, files that are gone."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import (
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderUndecided,
)
from runner.core.model import RemoteId, ReplyKind
from tests.contract.case import CANARY, LABELS, Case, batch_of, staged, until_ended
from tests.contract.conftest import Emulator, Start
from tests.contract.kits.gemini_api import KITS
from tests.contract.spoiled import Call, Spoiled, instead, reply
from tests.contract.test_wire_golden import Http, Jsonl, three_lines_of

Serve = Callable[..., Spoiled]
(KIT,) = KITS
BEGIN = ("POST", "/gemini_api/upload/v1beta/files")
FILES = ("GET", "/gemini_api/v1beta/files")
DELETE = ("DELETE", "/gemini_api/v1beta/files/.*")
pytestmark = pytest.mark.parametrize("kit", KITS, ids=repr)


def shown(call: Call) -> bytes:
    """Show a request without what differs from one version or run to the next."""
    assert call.headers["x-goog-api-key"] == CANARY
    volatile = ("host", "user-agent", "content-length", "x-goog-api-key")
    rows = sorted(f"{n}: {v}" for n, v in call.headers.items() if n not in volatile)
    query = f"?{call.query}" if call.query else ""
    head = "\n".join([f"{call.method} {call.path}{query}", *rows]).encode()
    text = head + b"\n\n" + call.body
    return re.sub(rb"(file-|batch_|upload_id=)[0-9a-f]{12,}", rb"\1ID", text)


def test_request_lines_are_pinned(kit: Any, snapshot: SnapshotAssertion) -> None:
    client = kit.provider(None, kit.model)
    assert snapshot(extension_class=Jsonl) == three_lines_of(client)


def test_calls_are_pinned(
    kit: Any,
    case: Case,
    server: Serve,
    emulator: Start,
    snapshot: SnapshotAssertion,
) -> None:
    front = server(emulator().url)
    client = case.client(front)
    batch = staged(client, case.folder, "e1-b0001-1-0123456789abcdef.jsonl")
    remote = client.submit(batch, case.path, LABELS)
    progress = until_ended(client, remote)
    client.download(progress.files["output"], io.BytesIO())
    client.find(batch, case.path, ())
    client.cancel(remote)
    client.fence(batch)
    client.stage(case.path, "none-such.jsonl", look_first=True)
    with case.path.open("rb") as requests:
        client.ask(requests.readline())
    calls = dict.fromkeys(map(shown, front.calls))
    assert snapshot(extension_class=Http) == b"\n".join(calls)


def test_what_is_uploaded_are_the_request_files_lines_with_a_key(
    kit: Any, case: Case, spoiled: Spoiled
) -> None:
    client = case.client(spoiled)
    case.staged(client, 3)
    (call,) = spoiled.asked(kit.hand_over)
    assert call.body == case.path.read_bytes().replace(b'{"custom_id":"', b'{"key":"')
    (begun,) = spoiled.asked(BEGIN)
    assert begun.headers["x-goog-upload-header-content-length"] == str(len(call.body))


@pytest.mark.parametrize(
    ("outcome", "kind", "says"),
    [
        ({"error": {"code": 3, "message": "m"}}, ReplyKind.REFUSED, "3: m"),
        ({"error": {"code": 400, "message": "m"}}, ReplyKind.REFUSED, "400: m"),
        ({"error": {"code": 7, "message": "m"}}, ReplyKind.DENIED, "7: m"),
        ({"error": {"code": 8, "message": "m"}}, ReplyKind.ERRORED, "8: m"),
        ({"error": {"code": 13, "message": "m"}}, ReplyKind.ERRORED, "13: m"),
        ({"error": {}, "response": {"promptFeedback": {}}}, ReplyKind.ANSWER, None),
    ],
)
def test_a_line_says_what_became_of_its_request(
    kit: Any, case: Case, outcome: Any, kind: ReplyKind, says: str | None
) -> None:
    found = case.offline().decode(json.dumps({"key": "x", **outcome}).encode())
    assert (found.custom_id, found.kind, found.error) == ("x", kind, says)


@pytest.mark.parametrize("prefix", ["BATCH_STATE", "JOB_STATE"])
def test_a_batch_says_how_it_stands_in_text(
    kit: Any, case: Case, server: Serve, prefix: str
) -> None:
    """The service writes the one (recorded 2026-08), its SDK prints the other."""
    stub = server()
    operation = kit.batch_object("running")
    operation["metadata"]["state"] = f"{prefix}_RUNNING"
    operation["metadata"]["batchStats"] = {
        "requestCount": "10",
        "successfulRequestCount": "6",
        "pendingRequestCount": "4",
    }
    stub.spoil(kit.poll, instead(reply(200, operation)))
    progress = case.client(stub).poll(kit.unknown)
    assert (progress.state, progress.event) == ("running", "progress")
    assert (progress.total, progress.completed, progress.failed) == (10, 6, 0)
    assert progress.expires_at == pytest.approx(1788379590.166279 + 48 * 3600)


@pytest.mark.parametrize("where", ["response", "metadata"])
def test_results_are_found_where_an_operation_names_them(
    kit: Any, case: Case, server: Serve, where: str
) -> None:
    stub = server()
    operation = kit.batch_object("succeeded", done=True)
    if where == "response":
        operation["response"] = {"responsesFile": "files/batch-1"}
    else:
        operation["metadata"]["output"] = {"responsesFile": "files/batch-1"}
    stub.spoil(kit.poll, instead(reply(200, operation)))
    assert case.client(stub).poll(kit.unknown).files == {"output": "files/batch-1"}


@pytest.mark.parametrize(
    ("code", "says", "event"),
    [
        (3, "line 1 is no JSON", "refused"),
        (7, "no access", "refused"),
        (8, "quota", "deferred"),
        (13, "internal", "end"),
    ],
)
def test_a_batch_that_failed_says_why(
    kit: Any, case: Case, server: Serve, code: int, says: str, event: str
) -> None:
    stub = server()
    failed = kit.batch_object("failed", done=True, error={"code": code, "message": says})
    failed["metadata"]["batchStats"] = {}
    stub.spoil(kit.poll, instead(reply(200, failed)))
    progress = case.client(stub).poll(kit.unknown)
    assert (progress.event, progress.message) == (event, f"{code}: {says}")


@pytest.mark.parametrize(
    "error",
    [
        {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"},
        {"code": 400, "message": "User location.", "status": "FAILED_PRECONDITION"},
    ],
)
def test_a_400_about_the_account_is_no_result_of_a_request(
    kit: Any, case: Case, server: Serve, error: Any
) -> None:
    stub = server()
    stub.spoil(kit.ask, instead(reply(400, {"error": error})))
    line = case.write(1).read_bytes()
    with pytest.raises(ProviderRefused, match="400: "):
        case.client(stub).ask(line)


# The input


def test_an_upload_goes_to_the_service_whatever_host_it_names(
    kit: Any, case: Case, server: Serve, well: Emulator
) -> None:
    stranger, front = server(), server(well.url)

    def elsewhere(deed: Any) -> None:
        raw = deed.forward()
        deed.caller.sendall(re.sub(rb"http://127.0.0.1:\d+", stranger.url.encode(), raw))

    front.spoil(BEGIN, elsewhere)
    client = case.client(front)
    assert until_ended(client, case.submit(client, case.staged(client))).event == "end"
    assert stranger.calls == []


def test_an_upload_that_names_no_place_is_a_doubt(kit: Any, case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(BEGIN, instead(reply(200, {})))
    with pytest.raises(ProviderReplyUnreadable, match="where to"):
        case.client(stub).stage(case.write(), case.file_name, look_first=False)


def test_an_input_that_is_said_to_be_gone_and_is_on_the_list_is_not_taken_away(
    kit: Any, case: Case, spoiled: Spoiled
) -> None:
    """A 403 is said of a file that is gone, and of one that is another's."""
    client = case.client(spoiled)
    batch = case.staged(client)
    spoiled.spoil(DELETE, instead(reply(403, kit.error("No permission.", 403))))
    with pytest.raises(ProviderRefused, match="still there"):
        client.fence(batch)
    spoiled.spoil(FILES, instead(reply(200, {})))
    client.fence(batch)


def test_without_its_handle_a_batch_is_not_looked_for(kit: Any, case: Case, well: Emulator) -> None:
    client = case.client(well)
    batch = batch_of(case.write(), {})
    for call in (lambda: client.find(batch, case.path, ()), lambda: client.fence(batch)):
        with pytest.raises(ProviderUndecided, match=r"action=abandon batch=b0001"):
            call()


def test_several_batches_of_one_input_are_all_known(kit: Any, case: Case, well: Emulator) -> None:
    client = case.client(well)
    batch = case.staged(client)
    made = {case.submit(client, batch) for _ in range(3)}
    found = client.find(batch, case.path, ())
    assert found is not None
    assert {found.remote, *found.twins} == made


@pytest.mark.parametrize("name", ["batches/../files/x", "batches/", "x", "batches/a b", 7])
def test_what_cannot_be_part_of_an_address_is_no_batch(
    kit: Any, case: Case, server: Serve, name: Any
) -> None:
    stub = server()
    stub.spoil(kit.create, instead(reply(200, {"name": name})))
    with pytest.raises(ProviderReplyUnreadable):
        case.every_verb(case.client(stub))["submit"]()


def test_a_batch_is_called_as_the_service_calls_it(kit: Any, case: Case, well: Emulator) -> None:
    client = case.client(well)
    remote: RemoteId = case.submit(client, case.staged(client))
    assert re.fullmatch(r"batches/\w+", remote)
