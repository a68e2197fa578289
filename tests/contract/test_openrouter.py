"""OpenRouter's own ground: what stands before the requests, results inside of a batch, a pin, a charge.

The emulator's side was tried by hand with OpenRouter's own package, openrouter 1.3.84 (2026-11-29):
create, list, retrieve and its refusals are read by it without a complaint.
"""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import ProviderReplyUnreadable, ProviderUndecided
from runner.core.model import ReplyKind
from runner.providers._array import split
from runner.providers.openrouter import OpenRouterBatch, OpenRouterOptions
from tests.contract.case import CANARY, Case
from tests.contract.conftest import Emulator, Start
from tests.contract.kits.openrouter import KITS, OpenRouterKit
from tests.contract.spoiled import Call, Spoiled, instead, reply
from tests.contract.test_wire_golden import Http, Jsonl, three_lines_of

Serve = Callable[..., Spoiled]
(KIT,) = KITS
PINNED = OpenRouterKit("openrouter", "pinned")
PINNED.options = {"only": ["anthropic"]}  # type: ignore[dict-item]
pytestmark = pytest.mark.parametrize("kit", [PINNED], ids=repr)


def shown(call: Call) -> bytes:
    """Show a request without what differs from one version or run to the next."""
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    volatile = ("host", "user-agent", "content-length", "authorization")
    rows = sorted(f"{n}: {v}" for n, v in call.headers.items() if n not in volatile)
    query = f"?{call.query}" if call.query else ""
    head = "\n".join([f"{call.method} {call.path}{query}", *rows]).encode()
    return re.sub(rb"batch_[0-9a-f]{32}", b"batch_ID", head) + b"\n\n" + call.body


def test_request_lines_are_pinned(kit: Any, snapshot: SnapshotAssertion) -> None:
    client = OpenRouterBatch(None, kit.model, "c1a2b3c4d-")  # type: ignore[arg-type]
    assert snapshot(extension_class=Jsonl) == three_lines_of(client)


def test_calls_are_pinned(
    kit: Any, case: Case, server: Serve, well: Emulator, snapshot: SnapshotAssertion
) -> None:
    front = server(well.url)
    case.digest = "0pen00f0" * 8
    client = case.client(front)
    batch = case.staged(client, 2)
    remote = case.submit(client, batch)
    case.collected(client, remote)
    client.cancel(remote)
    client.find(batch, case.path, (str(remote),))
    client.ask(case.path.read_bytes().split(b"\n")[0])
    calls = dict.fromkeys(map(shown, front.calls))
    assert snapshot(extension_class=Http) == b"\n".join(calls)


def test_what_is_to_be_done_stands_before_the_requests(
    kit: Any, case: Case, spoiled: Spoiled
) -> None:
    """The service reads as the body comes, and refuses requests of which it knows no model yet."""
    client = case.client(spoiled)
    case.submit(client, case.staged(client, 3))
    (call,) = spoiled.asked(kit.create)
    body = json.loads(call.body)
    *before, last = body
    assert (before, last) == (["endpoint", "model", "completion_window", "provider"], "requests")
    assert body["model"] == "anthropic/claude-haiku-4.5:batch"
    assert body["provider"] == {"only": ["anthropic"], "allow_fallbacks": False}
    assert [row["custom_id"] for row in body["requests"]] == [f"{case.tag}{i}" for i in case.ids]


@pytest.mark.parametrize("name", ["anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4.5:batch"])
def test_a_model_is_asked_for_as_a_batch_and_by_its_own_name_one_by_one(
    kit: Any, case: Case, spoiled: Spoiled, name: str
) -> None:
    service = kit.service(spoiled.url, CANARY, 10)
    client = OpenRouterBatch(service, replace(kit.model, name=name), case.tag)
    line = case.write(1).read_bytes()
    case.submit(client, case.staged(client))
    client.ask(line)
    client.close()
    (batch,), (chat,) = spoiled.asked(kit.create), spoiled.asked(kit.ask)
    assert json.loads(batch.body)["model"] == "anthropic/claude-haiku-4.5:batch"
    asked = json.loads(chat.body)
    assert asked["model"] == "anthropic/claude-haiku-4.5"
    assert asked["provider"] == {"only": ["anthropic"], "allow_fallbacks": False}


# The pin


@pytest.mark.parametrize(
    ("only", "says"),
    [([], "no upstream: name who is to answer"), (["anthropic"], None), (["any"], None)],
)
def test_whose_model_it_is_has_to_be_said(kit: Any, only: list[str], says: str | None) -> None:
    service = kit.service("https://x.example", "k", 1)
    told = replace(service, options=OpenRouterOptions(only=only))
    missing = OpenRouterBatch.missing(told)
    assert missing is None if says is None else missing is not None and says in missing
    assert not list(told.options.problems())


@pytest.mark.parametrize("only", [["any", "anthropic"], [""], ["a b"], ['"']])
def test_what_is_no_name_of_an_upstream_is_refused(kit: Any, only: list[str]) -> None:
    assert list(OpenRouterOptions(only=only).problems())


def test_without_a_pin_the_cheapest_is_asked_for_by_saying_nothing(kit: Any) -> None:
    assert OpenRouterOptions(only=["any"]).routing == {}
    assert "whichever upstream is cheapest" in OpenRouterOptions(only=["any"]).way("")
    assert "answered by anthropic alone" in OpenRouterOptions(only=["anthropic"]).way("")


# What comes back


def test_who_answered_is_kept_with_the_answer_and_what_was_charged_with_the_batch(
    kit: Any, case: Case, well: Emulator
) -> None:
    client = case.client(well)
    progress, replies = case.collected(client, case.submit(client, case.staged(client)))
    assert {reply.served_by for reply in replies} == {"Anthropic"}
    assert progress.charged["input_tokens"] == str(sum(r.usage.input_tokens for r in replies))
    assert float(progress.charged["usd"]) > 0
    assert {reply.charged_usd for reply in replies} == {None}
    alone = client.decode(client.ask(case.path.read_bytes().split(b"\n")[0]))
    assert alone.charged_usd is not None
    assert alone.charged_usd > 0


@pytest.mark.parametrize("cost", [None, True, "0.1", -1, float("inf"), float("nan"), [], 1e300])
def test_a_charge_that_is_no_price_is_none(kit: Any, case: Case, cost: Any) -> None:
    row = kit.answer(f"{case.tag}x", "80")
    row["response"]["body"]["usage"]["cost"] = cost
    line = orjson.dumps(row)
    assert case.offline().decode(line).charged_usd is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "m", "error_type": "content_policy_violation"}, ReplyKind.REFUSED),
        ({"message": "m", "error_type": "provider_unavailable"}, ReplyKind.ERRORED),
        ({"message": "m", "error_type": "payment_required"}, ReplyKind.DENIED),
        ({"message": "m", "error_type": "authentication"}, ReplyKind.DENIED),
        ({"message": "m", "error_type": "rate_limit_exceeded"}, ReplyKind.ERRORED),
    ],
)
def test_an_error_is_told_by_its_type(
    kit: Any, case: Case, error: dict[str, str], kind: ReplyKind
) -> None:
    row = {"custom_id": f"{case.tag}x", "response": None, "error": {"type": "x", **error}}
    found = case.offline().decode(json.dumps(row).encode())
    assert (found.custom_id, found.kind) == ("x", kind)


def polled(kit: Any, case: Case, server: Serve, state: str, **changes: Any) -> Any:
    stub = server()
    stub.spoil(kit.poll, instead(reply(200, kit.batch_object(state, **changes))))
    return case.client(stub).poll(kit.unknown)


def test_a_batch_that_fails_the_check_never_ran_and_says_why(
    kit: Any, case: Case, server: Serve
) -> None:
    progress = polled(kit, case, server, "failed", error={"message": "no such model"})
    assert (progress.event, progress.message) == ("refused", "error: no such model")
    assert progress.files == {}


def test_a_batch_that_failed_and_has_results_has_ended(kit: Any, case: Case, server: Serve) -> None:
    progress = polled(kit, case, server, "failed", results=[kit.answer("x", "80")])
    assert (progress.event, progress.files) == ("end", {"output": "batch_unknown"})


def test_that_it_cannot_be_cancelled_is_said_while_it_runs(
    kit: Any, case: Case, server: Serve
) -> None:
    stub = server()
    stub.spoil(kit.poll, instead(reply(200, kit.batch_object("in_progress"))))
    client = case.client(stub)
    assert client.poll(kit.unknown).message is None
    client.cancel(kit.unknown)
    assert "cannot cancel" in client.poll(kit.unknown).message
    stub.spoil(kit.poll, instead(reply(200, kit.batch_object("completed", results=[]))))
    assert client.poll(kit.unknown).message is None


def test_results_become_lines_whatever_stands_around_them(
    kit: Any, case: Case, server: Serve
) -> None:
    rows = [kit.answer("a", 'x "results":[ ] }, \\"'), kit.answer("b", "二\n行")]
    whole = kit.batch_object("completed", results=rows)
    stub = server()
    stub.spoil(kit.poll, instead(reply(200, json.dumps(whole, indent=2).encode())))
    sink = io.BytesIO()
    case.client(stub).download("batch_unknown", sink)
    assert [json.loads(line) for line in sink.getvalue().splitlines()] == rows


@pytest.mark.parametrize("results", [None, "x", {}])
def test_a_batch_without_results_is_no_empty_file(
    kit: Any, case: Case, server: Serve, results: Any
) -> None:
    stub = server()
    stub.spoil(kit.poll, instead(reply(200, kit.batch_object("completed", results=results))))
    with pytest.raises(ProviderReplyUnreadable, match="without results"):
        case.client(stub).download("batch_unknown", io.BytesIO())


_json = st.recursive(
    st.sampled_from([None, True, 1.5, "", 'a"b\\', "results", '},[{"', "é\u2028\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["results", "x", 'y"', "z,["]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    before=_json,
    results=st.lists(_json, max_size=4),
    after=_json,
    size=st.integers(1, 40),
    indent=st.sampled_from([None, 1]),
)
@settings(max_examples=50, deadline=None)
def test_an_array_is_taken_out_of_an_object_wherever_it_is_cut_into_pieces(
    kit: Any, before: Any, results: Any, after: Any, size: int, indent: int | None
) -> None:
    whole = {"before": before, "results": results, "after": after}
    raw = json.dumps(whole, indent=indent, ensure_ascii=False).encode()
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    elements: list[bytes] = []
    rest = split(pieces, "results", elements.append)
    assert [json.loads(element) for element in elements] == results
    assert json.loads(rest) == {**whole, "results": []}
    assert not any(b"\n" in element for element in elements)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_an_object_that_is_cut_short_is_none(kit: Any, cut: int) -> None:
    raw = b'{"id":"x","results":[{"a":"]}"},{"b":1}],"status":"completed"}'
    with pytest.raises(ProviderReplyUnreadable):
        split([raw[:-cut]], "results", lambda _: None)


# Looking for an order


def listing(kit: Any, server: Serve, **changes: Any) -> Spoiled:
    stub = server()
    row = kit.batch_object("validating", created_at=4_000_000_000, **changes)
    stub.spoil(kit.find, instead(reply(200, kit.page([row]))))
    return stub


def test_a_batch_that_was_not_counted_yet_may_be_ours(kit: Any, case: Case, server: Serve) -> None:
    """Nothing says that its requests are counted before they were checked: 0 is no size."""
    stub = listing(kit, server, request_counts={"total": 0, "completed": 0, "failed": 0})
    client = case.client(stub)
    with pytest.raises(ProviderUndecided, match="at OpenRouter could be b0001") as caught:
        client.find(case.staged(client), case.path, ())
    assert caught.value.candidates == ("batch_unknown",)


def test_a_batch_of_another_size_or_one_that_never_ran_is_not_ours(
    kit: Any, case: Case, server: Serve
) -> None:
    for changes in (
        {"request_counts": {"total": 999, "completed": 0, "failed": 0}},
        {"status": "failed", "request_counts": {"total": 0, "completed": 0, "failed": 0}},
    ):
        client = case.client(listing(kit, server, **changes))
        assert client.find(case.staged(client, 5), case.path, ()) is None


def test_a_rehearsal_needs_no_pin(kit: Any) -> None:
    assert OpenRouterOptions().emulated().only == ["emulated"]
    assert OpenRouterOptions(only=["a"]).emulated().only == ["a"]


def test_half_of_a_rough_batch_is_charged_for_and_read(
    kit: Any, case: Case, behaving: Start
) -> None:
    rough = behaving(half_expired=1.0, failed_lines=0.3, shuffle=True, missing_lines=0)
    client = case.client(rough)
    progress, replies = case.collected(client, case.submit(client, case.staged(client, 20)))
    assert (progress.state, progress.rest) == ("expired", "expired")
    assert case.tally(replies).keys() == {"answer", "errored"}
    assert float(progress.charged["usd"]) > 0
