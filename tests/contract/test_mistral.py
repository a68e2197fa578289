"""Mistral's own: the model is the job's, a list that filters, thoughts beside the answer.

The emulator's wire was checked with the package mistralai 3.7.0: it uploads a file, creates, lists
(with metadata, created_after and status), gets and cancels a job, downloads both files and parses
every reply. Of a deleted file its types say that it may still be shown, with `deleted: true`.
"""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import (
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderUndecided,
)
from runner.core.model import RemoteId, ReplyKind
from runner.core.twins import Made
from tests.contract import spoiled as spoil
from tests.contract.case import CANARY, LABELS, Case, batch_of, staged, until_ended
from tests.contract.conftest import Emulator
from tests.contract.kits.base import HTML, result_line
from tests.contract.kits.mistral import MistralKit
from tests.contract.spoiled import Call, Spoiled, instead, reply
from tests.contract.test_wire_golden import Http, Jsonl, two_lines_of

Serve = Callable[..., Spoiled]
KIT = MistralKit("mistral")
OURS = {"input_file_id": "file-unknown"}
LABELLED = {"experiment": "e1", "batch": "b0001-1"}


@pytest.fixture
def kit() -> MistralKit:
    """Name the kit that `case` is made for."""
    return KIT


# What goes out


def test_request_lines_are_pinned(snapshot: SnapshotAssertion) -> None:
    assert snapshot(extension_class=Jsonl) == two_lines_of(KIT)


def shown(call: Call) -> bytes:
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    query = f"?{call.query}" if call.query else ""
    text = f"{call.method} {call.path}{query}\n".encode() + call.body.replace(b"\r\n", b"\n")
    text = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"UUID", text)
    text = re.sub(rb"created_after=[^&\n]+", b"created_after=DAY", text)
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
    client.find(replace(batch, handle={**batch.handle, **LABELLED}), case.path, ())
    client.download(progress.files["output"], io.BytesIO())
    client.cancel(remote)
    client.fence(batch)
    client.stage(case.path, "e1-b0001-9.jsonl", look_first=True)
    with case.path.open("rb") as requests:
        client.ask(requests.readline())
    calls = dict.fromkeys(shown(call) for call in spoiled.calls)
    assert snapshot(extension_class=Http) == b"\n".join(calls)


# What comes back


def decode(**changes: Any) -> Any:
    row = KIT.answer("x", "Q1. 80")
    row["response"]["body"]["choices"][0] |= changes
    return KIT.provider(None, KIT.model).decode(result_line(row))


def message(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": None}


def test_what_a_model_thought_is_no_part_of_its_answer() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Q1. 99"}], "closed": True}
    answered = decode(message=message([thought, {"type": "text", "text": "Q1. 80"}]))
    assert (answered.text, answered.kind) == ("Q1. 80", ReplyKind.ANSWER)
    cut = decode(message=message([thought]), finish_reason="length")
    assert (cut.text, cut.finish_reason, cut.kind) == ("", "length", ReplyKind.ANSWER)
    full = decode(message=message("Q1. 8"), finish_reason="model_length")
    assert (full.text, full.finish_reason) == ("Q1. 8", "length")


def test_a_part_that_is_not_known_makes_an_answer_unreadable() -> None:
    parts = [{"type": "text", "text": "Q1. 80"}, {"type": "reference", "reference_ids": [1]}]
    assert decode(message=message(parts)).kind is ReplyKind.UNREADABLE


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, "rate limited", ReplyKind.ERRORED),
        (500, "Internal server error", ReplyKind.ERRORED),
        (400, "Invalid temperature", ReplyKind.REFUSED),
        (401, "Unauthorized", ReplyKind.DENIED),
    ],
)
def test_an_error_may_be_a_text_beside_no_body(status: int, error: str, kind: ReplyKind) -> None:
    row = {"custom_id": "x", "response": {"status_code": status, "body": None}, "error": error}
    found = KIT.provider(None, KIT.model).decode(result_line(row))
    assert (found.kind, found.error) == (kind, f"{status}: {error}")


def polled(case: Case, server: Serve, state: str, **changes: Any) -> Any:
    stub = server()
    stub.spoil(KIT.poll, instead(reply(200, KIT.batch_object(state, **changes))))
    return case.client(stub).poll(KIT.unknown)


def test_a_failed_job_says_why_and_how_often(case: Case, server: Serve) -> None:
    errors = [{"message": "This line is bad.\n\x1b[2J", "count": 3}, {"message": "Another."}, 7]
    progress = polled(case, server, "FAILED", errors=errors)
    assert (progress.event, progress.message) == (
        "refused",
        "This line is bad. [2J (3 times); Another.",
    )
    assert polled(case, server, "FAILED").message == "failed, and no reason given"


def test_a_failed_job_that_has_answered_is_collected(case: Case, server: Serve) -> None:
    progress = polled(case, server, "FAILED", output_file="file-2", errors=[{"message": "Late."}])
    assert (progress.event, progress.files) == ("end", {"output": "file-2"})


@pytest.mark.parametrize(
    ("state", "rest"),
    [("SUCCESS", "missing"), ("TIMEOUT_EXCEEDED", "expired"), ("CANCELLED", "cancelled")],
)
def test_what_has_no_line_ended_as_the_job_did(
    case: Case, server: Serve, state: str, rest: str
) -> None:
    progress = polled(case, server, state, output_file="file-2", error_file="file-3")
    assert progress.rest == rest
    assert progress.files == {"output": "file-2", "error": "file-3"}


# Finding


def found(
    case: Case, server: Serve, *rows: Any, claimed: tuple[str, ...] = (), **batch: Any
) -> Any:
    stub = server()
    stub.spoil(KIT.find, instead(KIT.listing(*rows)))
    batch = {"handle": OURS, **batch}
    return case.client(stub).find(
        batch_of(case.write(), batch.pop("handle"), **batch), case.path, claimed
    )


def test_of_several_jobs_the_furthest_is_taken_and_the_others_are_told(
    case: Case, server: Serve
) -> None:
    copy = {"input_files": ["file-2"], "metadata": LABELLED}
    rows = [
        KIT.batch_object("QUEUED", id="0"),
        KIT.batch_object("SUCCESS", id="1"),
        KIT.batch_object("RUNNING", id="2"),
        KIT.batch_object("RUNNING", id="3", **copy),
        KIT.batch_object("RUNNING", id="4", **copy | {"metadata": {}}),
        KIT.batch_object("RUNNING", id="5"),
        KIT.batch_object("FAILED", id="6", input_files=None),
    ]
    handle = OURS | {"experiment": "e1"}
    made = found(
        case, server, *rows, claimed=("5",), handle=handle, remote=RemoteId("0"), dead=("2",)
    )
    assert made == Made(RemoteId("1"), ("0",), ("3",))


@pytest.mark.parametrize("state", ["FAILED", "pondering", None])
def test_any_job_is_taken_rather_than_none(case: Case, server: Serve, state: Any) -> None:
    rows = [KIT.batch_object("FAILED", id="0"), KIT.batch_object(state, id="1")]
    assert found(case, server, *rows).remote == ("0" if state == "FAILED" else "1")


def test_a_filter_that_hides_what_is_there_is_not_believed(case: Case, server: Serve) -> None:
    ours, stub = KIT.batch_object("RUNNING", id="0", metadata=LABELLED), server()

    def listed(deed: spoil.Deed) -> None:
        is_narrowed = "batch" in parse_qs(deed.call.query)
        deed.caller.sendall(KIT.listing() if is_narrowed else KIT.listing(ours))

    stub.spoil(KIT.find, listed)
    batch = batch_of(case.write(), {"experiment": "e1"})
    assert case.client(stub).find(batch, case.path, ()).remote == "0"
    first, second = (parse_qs(call.query) for call in stub.asked(KIT.find))
    assert {name: first[name] for name in LABELLED} == {n: [v] for n, v in LABELLED.items()}
    assert not LABELLED.keys() & second.keys()
    assert first["created_after"] == second["created_after"]


def test_an_empty_list_may_come_without_data(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(KIT.find, instead(reply(200, {"object": "list", "total": 0})))
    assert case.client(stub).find(batch_of(case.write(), OURS), case.path, ()) is None


def test_a_total_that_counts_one_page_only_hides_nothing(case: Case, server: Serve) -> None:
    others = [KIT.batch_object("SUCCESS", id=str(n), input_files=["x"]) for n in range(100)]
    pages = iter([KIT.listing(*others), KIT.listing(KIT.batch_object("RUNNING", id="ours"))])
    stub = server()
    stub.spoil(KIT.find, lambda deed: deed.caller.sendall(next(pages)))
    made = case.client(stub).find(batch_of(case.write(), OURS), case.path, ())
    assert made.remote == "ours"


# Uploads and the fence


def test_only_a_file_of_this_name_and_size_is_adopted(case: Case, well: Emulator) -> None:
    client, name = case.client(well), case.file_name
    first = client.stage(case.write(2), name, look_first=True)
    assert first == client.stage(case.path, name, look_first=True)
    assert first != client.stage(case.path, f"x{name}", look_first=True)
    assert first != client.stage(case.write(3), name, look_first=True)


@pytest.mark.parametrize(
    ("deleted", "looked_for", "stands"),
    [
        (reply(200, {"id": "f", "object": "file", "deleted": True}), None, True),
        (reply(404, KIT.error("No file.")), reply(404, KIT.error("No file.")), True),
        (reply(404, KIT.error("No file.")), reply(200, {"id": "f", "deleted": True}), True),
        (reply(404, KIT.error("No file.")), reply(200, {"id": "f", "deleted": False}), False),
        (reply(404, KIT.error("No such call.")), reply(500, b"{}"), False),
        (reply(404, HTML), None, False),
        (reply(200, {"id": "f", "deleted": "yes"}), None, False),
        (reply(200, HTML), None, False),
        (reply(403, b"{}"), None, False),
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


def test_an_input_that_is_not_known_cannot_be_taken_away(case: Case, server: Serve) -> None:
    with pytest.raises(ProviderUndecided, match="action=abandon batch=b0001"):
        case.client(server()).fence(batch_of(case.write(), {}))


def test_a_cancel_that_is_refused_while_the_job_runs_is_an_error(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(KIT.cancel, instead(reply(422, KIT.error("Not now."))))
    for state in ("SUCCESS", "RUNNING"):
        stub.spoil(KIT.poll, instead(reply(200, KIT.batch_object(state))))
        client = case.client(stub)
        if state == "SUCCESS":
            client.cancel(KIT.unknown)
            continue
        with pytest.raises(ProviderRefused, match=r"Not now\."):
            client.cancel(KIT.unknown)


def test_a_page_in_place_of_a_file_is_not_stored(case: Case, server: Serve) -> None:
    stub, sink = server(), io.BytesIO()
    stub.spoil(KIT.download, instead(reply(200, HTML)))
    with pytest.raises(ProviderError, match="not a result file"):
        case.client(stub).download("f", sink)
    assert sink.getvalue() == b""


# The emulator


def test_a_model_that_cannot_think_is_not_told_how_much(case: Case, well: Emulator) -> None:
    told = {"name": "mistral-large-2512", "parameters": {"reasoning_effort": "high"}}
    service = KIT.service(well.url, CANARY, 10)
    client = case.hang_up(KIT.provider(service, replace(KIT.model, **told)))
    frame = client.encode(*case.asked)
    answer = client.decode(client.ask(frame.before + b"x" + frame.after))
    assert answer.kind is ReplyKind.REFUSED
    assert answer.error == "400: reasoning_effort is not supported by mistral-large-2512"


def test_a_model_that_thinks_answers_in_parts(case: Case, well: Emulator) -> None:
    service = KIT.service(well.url, CANARY, 10)
    client = case.hang_up(KIT.provider(service, replace(KIT.model, name="mistral-large-4")))
    batch = case.staged(client)
    progress = until_ended(client, case.submit(client, batch))
    sink = io.BytesIO()
    client.download(progress.files["output"], sink)
    for line in sink.getvalue().splitlines():
        content = json.loads(line)["response"]["body"]["choices"][0]["message"]["content"]
        assert [part["type"] for part in content] == ["thinking", "text"]
        assert client.decode(line).text == content[1]["text"]
        assert client.decode(line).model == "mistral-large-4"


def test_a_list_that_does_not_say_how_long_it_is_is_read_to_an_empty_page(
    case: Case, server: Serve
) -> None:
    one = {"object": "list", "data": [KIT.batch_object("RUNNING", id="0", input_files=["x"])]}
    stub, pages = server(), iter([one, {"object": "list", "data": []}, None])
    stub.spoil(KIT.find, lambda deed: deed.caller.sendall(reply(200, next(pages))))
    client, batch = case.client(stub), batch_of(case.write(), OURS)
    assert client.find(batch, case.path, ()) is None
    with pytest.raises(ProviderReplyUnreadable):
        client.find(batch, case.path, ())
