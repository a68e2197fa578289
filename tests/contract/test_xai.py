"""xAI's own: the container that is made first, counts instead of a state, results in pages.

The package xai-sdk 1.21.0 speaks gRPC, so that only the names in its types could be compared:
batch_id, name, cancel_time, cancel_by_xai_message, state.num_*, batch_request_metadata,
batch_request_id, results, pagination_token, usage.cost_in_usd_ticks and
cost_breakdown.total_cost_usd_ticks.
"""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import (
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderUndecided,
)
from runner.core.model import RemoteId, ReplyKind, Usage
from runner.core.twins import Made
from tests.contract.case import CANARY, LABELS, Case, batch_of, staged, until_ended
from tests.contract.conftest import Emulator
from tests.contract.kits.base import result_line
from tests.contract.kits.xai import XaiKit
from tests.contract.spoiled import Call, Spoiled, instead, reply
from tests.contract.test_wire_golden import Http, Jsonl, two_lines_of

Serve = Callable[..., Spoiled]
KIT = XaiKit("xai")
BOXES = ("GET", "/xai/v1/batches")


@pytest.fixture
def kit() -> XaiKit:
    """Name the kit that `case` is made for."""
    return KIT


# What goes out


def test_request_lines_are_pinned(snapshot: SnapshotAssertion) -> None:
    assert snapshot(extension_class=Jsonl) == two_lines_of(KIT)


def shown(call: Call) -> bytes:
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    query = f"?{call.query}" if call.query else ""
    text = f"{call.method} {call.path}{query}\n".encode() + call.body
    return re.sub(rb"batch_[0-9a-f]{24}", b"batch_ID", text)


def test_calls_are_pinned(
    case: Case, well: Emulator, server: Serve, snapshot: SnapshotAssertion
) -> None:
    spoiled = server(well.url)
    client = case.client(spoiled)
    batch = staged(client, case.folder)
    remote = client.submit(batch, case.path, LABELS)
    progress = until_ended(client, remote)
    client.find(batch, case.path, ())
    client.download(progress.files["output"], io.BytesIO())
    client.cancel(remote)
    with case.path.open("rb") as requests:
        client.ask(requests.readline())
    calls = dict.fromkeys(shown(call) for call in spoiled.calls)
    assert snapshot(extension_class=Http) == b"\n".join(calls)


def test_an_order_is_the_lines_of_the_file_and_nothing_else(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(KIT.create, instead(reply(200, {})))
    path = case.write(2)
    case.client(stub).submit(batch_of(path, KIT.unknown_handle), path, LABELS)
    (call,) = stub.asked(KIT.create)
    items = json.loads(call.body)["batch_requests"]
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [item["batch_request_id"] for item in items] == case.ids
    assert [item["batch_request"]["chat_get_completion"] for item in items] == [
        line["body"] for line in lines
    ]


# What comes back


def decode(result: Any, message: str = "") -> Any:
    row = {"batch_request_id": "x", "batch_result": result, "error_message": message}
    return KIT.provider(None, KIT.model).decode(result_line(row))


def test_what_was_thought_is_billed() -> None:
    found = KIT.provider(None, KIT.model).decode(result_line(KIT.answer("x", "Q1. 80")))
    assert (found.text, found.kind) == ("Q1. 80", ReplyKind.ANSWER)
    assert found.usage == Usage(input_tokens=9, output_tokens=112)
    assert found.answered_at == 1762801725


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (3, "Invalid temperature.", ReplyKind.REFUSED),
        (3, "Model grok-4.6 is not supported for batch processing.", ReplyKind.REFUSED),
        (5, "No such model.", ReplyKind.DENIED),
        (7, "Not yours.", ReplyKind.DENIED),
        (16, "Who are you?", ReplyKind.DENIED),
        (8, "Too many.", ReplyKind.ERRORED),
        (13, "Internal error.", ReplyKind.ERRORED),
        (4, "Deadline exceeded.", ReplyKind.ERRORED),
        (4, "The batch expired.", ReplyKind.EXPIRED),
        (1, "Cancelled.", ReplyKind.CANCELLED),
        ("3", "As a word.", ReplyKind.REFUSED),
        (None, "Something.", ReplyKind.ERRORED),
    ],
)
def test_a_code_says_whether_to_ask_again(code: Any, message: str, kind: ReplyKind) -> None:
    found = decode({"error": {"code": code, "message": message}})
    assert found.kind is kind
    assert message in found.error
    assert decode({"error": {"code": code}}, message).kind is kind


def test_an_answer_is_one_whatever_stands_beside_it() -> None:
    row = KIT.answer("x", "Q1. 80")
    row["batch_result"]["error"] = {"code": 0, "message": ""}
    assert KIT.provider(None, KIT.model).decode(result_line(row)).text == "Q1. 80"


def polled(case: Case, server: Serve, state: str, /, **changes: Any) -> Any:
    stub = server()
    stub.spoil(KIT.poll, instead(reply(200, KIT.batch_object(state, **changes))))
    return case.client(stub).poll(KIT.unknown)


def test_what_xai_itself_cancels_says_why(case: Case, server: Serve) -> None:
    said = "Model grok-9 is not supported.\n\x1b[2J"
    refused = polled(case, server, "refused", cancel_by_xai_message=said)
    assert (refused.event, refused.message) == ("refused", "Model grok-9 is not supported. [2J")
    ended = polled(case, server, "completed", cancel_by_xai_message=said)
    assert (ended.event, ended.state, ended.rest) == ("end", "cancelled", "cancelled")
    assert ended.files == {"output": "batch_unknown"}


def test_counts_are_counts_of_results(case: Case, server: Serve) -> None:
    counts = {"num_requests": 9, "num_pending": 0}
    counts |= {"num_success": 4, "num_error": 3, "num_cancelled": 2}
    progress = polled(case, server, "completed", state=counts)
    assert (progress.total, progress.completed, progress.failed) == (9, 4, 5)
    for odd in (None, 7, {}, {"num_requests": 3}, {"num_requests": "x", "num_pending": 0}):
        progress = polled(case, server, "completed", state=odd)
        assert (progress.event, progress.files) == ("progress", {})


def test_what_a_batch_has_cost_is_kept_beside_our_own_sum(case: Case, server: Serve) -> None:
    costs = {"total_cost_usd_ticks": 318_319_000, "endpoint_costs": []}
    assert polled(case, server, "completed", cost_breakdown=costs).charged == {"usd": "0.0318319"}
    for odd in (None, 7, {}, {"total_cost_usd_ticks": 0}, {"total_cost_usd_ticks": "many"}):
        assert polled(case, server, "completed", cost_breakdown=odd).charged == {}


def test_results_come_in_pages_and_as_they_are(case: Case, server: Serve) -> None:
    rows = [KIT.answer(f"q{n}", text) for n, text in enumerate(("a\u2028b", "\ud83d", "😀"))]
    pages = [
        {"results": rows[:2], "pagination_token": "next/page"},
        {"results": rows[2:], "pagination_token": None},
    ]
    stub, replies = server(), iter(pages)
    stub.spoil(KIT.download, lambda deed: deed.caller.sendall(reply(200, next(replies))))
    sink = io.BytesIO()
    client = case.client(stub)
    client.download("batch_unknown", sink)
    assert [call.query for call in stub.calls] == [
        "limit=100",
        "limit=100&pagination_token=next%2Fpage",
    ]
    texts = [client.decode(line).text for line in sink.getvalue().splitlines()]
    assert texts == ["a\u2028b", "\ud83d", "😀"]


@pytest.mark.parametrize(
    "second",
    [
        {"results": None},
        {"results": [7]},
        {"results": [], "pagination_token": "more"},
        {"results": [{"batch_request_id": "x"}], "pagination_token": "t"},
        {},
        [],
    ],
)
def test_half_of_the_results_are_none(case: Case, server: Serve, second: Any) -> None:
    first = {"results": [KIT.answer("q1", "Q1. 80")], "pagination_token": "t"}
    stub, replies = server(), iter([first, second])
    stub.spoil(KIT.download, lambda deed: deed.caller.sendall(reply(200, next(replies))))
    with pytest.raises(ProviderReplyUnreadable):
        case.client(stub).download("batch_unknown", io.BytesIO())


# Finding


def looked(case: Case, server: Serve, held: Any, total: Any, **batch: Any) -> Any:
    """Look for an order in a container that lists these requests and counts so many."""
    stub, path = server(), case.write()
    counts = {"num_requests": total, "num_pending": 0}
    stub.spoil(KIT.poll, instead(reply(200, KIT.batch_object("empty", state=counts))))
    rows = [{"batch_id": name} for name in held]
    stub.spoil(KIT.find, instead(reply(200, KIT.page(rows))))
    found = case.client(stub).find(batch_of(path, KIT.unknown_handle, **batch), path, ())
    return found, len(stub.calls)


def test_what_has_arrived_is_known_at_once_and_an_empty_list_is_borne_out(
    case: Case, server: Serve
) -> None:
    case.write()
    arrived = Made(RemoteId("batch_unknown"))
    assert looked(case, server, case.ids[:1], 3) == (arrived, 1)
    assert looked(case, server, [], 0) == (None, 2)
    assert looked(case, server, [], 3) == (arrived, 2)
    assert looked(case, server, case.ids, 3, dead=("batch_unknown",)) == (None, 0)
    for unknown in (None, "many", -1):
        with pytest.raises(ProviderReplyUnreadable):
            looked(case, server, [], unknown)


def test_a_container_that_is_not_known_any_more_is_found_by_its_name(
    case: Case, server: Serve
) -> None:
    stub, path = server(), case.write()
    names = ("e1-b0001-2-x.jsonl", "e1-b0001-1-x.jsonl", "e1-b00011-1-x.jsonl", "e2-b0001-1-x")
    boxes = [KIT.batch_object("running", batch_id=f"batch_{n}", name=n) for n in names]
    stub.spoil(KIT.find, instead(reply(200, KIT.page([{"batch_id": case.ids[0]}]))))
    stub.spoil(BOXES, instead(KIT.listing(*boxes)))
    made = case.client(stub).find(batch_of(path, {"experiment": "e1"}), path, ())
    assert made == Made(RemoteId(f"batch_{names[0]}"), apart=(f"batch_{names[1]}",))


def test_a_container_that_was_made_is_adopted_by_its_name(case: Case, well: Emulator) -> None:
    client, path = case.client(well), case.write()
    first = client.stage(path, case.file_name, look_first=True)
    assert first == client.stage(path, case.file_name, look_first=True)
    assert first != client.stage(path, f"x{case.file_name}", look_first=True)
    assert first != client.stage(path, case.file_name, look_first=False)


# The fence


@pytest.mark.parametrize(
    ("closed", "looked_at", "stands"),
    [
        (reply(200, KIT.batch_object("refused")), None, True),
        (reply(400, KIT.error("Too late.")), reply(200, KIT.batch_object("refused")), True),
        (reply(400, KIT.error("Too late.")), reply(200, KIT.batch_object("running")), False),
        (reply(200, KIT.batch_object("running")), None, False),
        (reply(200, KIT.batch_object("refused", batch_id="another")), None, False),
        (reply(200, {}), None, False),
        (reply(500, b"{}"), None, False),
        (reply(404, KIT.error("No batch.")), reply(404, KIT.error("No batch.")), False),
    ],
)
def test_a_fence_stands_only_when_the_service_says_so(
    case: Case, server: Serve, closed: bytes, looked_at: bytes | None, stands: bool
) -> None:
    stub = server()
    stub.spoil(KIT.cancel, instead(closed))
    if looked_at is not None:
        stub.spoil(KIT.poll, instead(looked_at))
    batch = batch_of(case.write(), KIT.unknown_handle)
    if stands:
        case.client(stub).fence(batch)
        return
    with pytest.raises(ProviderError):
        case.client(stub).fence(batch)


def test_a_container_that_is_not_known_cannot_be_closed(case: Case, server: Serve) -> None:
    with pytest.raises(ProviderUndecided, match="action=abandon batch=b0001"):
        case.client(server()).fence(batch_of(case.write(), {}))


def test_a_cancel_that_is_refused_while_requests_are_pending_is_an_error(
    case: Case, server: Serve
) -> None:
    stub = server()
    stub.spoil(KIT.cancel, instead(reply(422, KIT.error("Not now."))))
    client = case.client(stub)
    stub.spoil(KIT.poll, instead(reply(200, KIT.batch_object("completed"))))
    client.cancel(KIT.unknown)
    stub.spoil(KIT.poll, instead(reply(200, KIT.batch_object("running"))))
    with pytest.raises(ProviderRefused, match=r"Not now\."):
        client.cancel(KIT.unknown)


# The emulator


def test_a_model_without_batches_refuses_each_request(case: Case, well: Emulator) -> None:
    service = KIT.service(well.url, CANARY, 10)
    client = case.hang_up(KIT.provider(service, replace(KIT.model, name="grok-4.6")))
    path = case.write(3)
    lines = path.read_bytes().replace(KIT.model.name.encode(), b"grok-4.6")
    path.write_bytes(lines)
    batch = batch_of(path, client.stage(path, case.file_name, look_first=False))
    progress, replies = case.collected(client, client.submit(batch, path, LABELS))
    assert (progress.completed, progress.failed) == (0, 3)
    assert {found.kind for found in replies} == {ReplyKind.REFUSED}
    assert case.billed(well) == {}


def test_a_container_takes_one_order(case: Case, well: Emulator) -> None:
    client = case.client(well)
    batch = case.staged(client)
    case.submit(client, batch)
    with pytest.raises(ProviderRefused):
        case.submit(client, batch)
