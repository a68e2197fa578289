"""The emulator answers as Anthropic does, checked with Anthropic's own client over a real socket."""

import json
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anthropic
import pytest
from anthropic.types import Message
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages import (
    DeletedMessageBatch,
    MessageBatch,
    MessageBatchIndividualResponse,
)
from anthropic.types.shared import ErrorResponse
from pydantic import BaseModel

from tests.contract.conftest import Emulator, Start

Line = dict[str, Any]
Shape = TypeVar("Shape", bound=BaseModel)

PROMPT = "『懐中時計』を読んで答えてください。\n" + "".join(
    f"Q{n}. {name}(数値): [0-100]\nQ{n}. {name}(理由): [説明]\n"
    for n, name in enumerate(("面白さ", "驚き", "悲しみ", "怒り"), 1)
)
CLIENT = anthropic.Anthropic(
    api_key="test-key", base_url="http://127.0.0.1:1", max_retries=0, open_telemetry=False
)
OLD = {"anthropic-version": "2023-06-01"}
"""The version that still takes a temperature."""


class Speaker:
    """A real client for an emulator, which takes no reply that its vendor would not give."""

    def __init__(self, emulator: Emulator, **headers: str) -> None:
        self.url = f"{emulator.url}/anthropic"
        self.emulator = emulator
        self.client = CLIENT.with_options(base_url=self.url, default_headers=headers)
        self.batches = self.client.messages.batches.with_raw_response

    def create(self, requests: list[Line], **headers: str) -> MessageBatch:
        raw = self.batches.create(requests=requests, extra_headers=headers)  # type: ignore[arg-type]
        assert re.fullmatch(r"req_\w{20,}", raw.headers["request-id"])
        return strict(MessageBatch, raw.read())

    def look(self, batch_id: str) -> tuple[MessageBatch, str | None]:
        """Retrieve a batch, and when the service wants to be asked again."""
        raw = self.batches.retrieve(batch_id)
        return strict(MessageBatch, raw.read()), raw.headers.get("retry-after")

    def finish(self, batch_id: str) -> list[tuple[MessageBatch, str | None]]:
        """Poll until the batch ends; return every look."""
        looks = [self.look(batch_id)]
        while looks[-1][0].processing_status != "ended":
            time.sleep(0.02)
            looks.append(self.look(batch_id))
        return looks

    def rows(self, batch_id: str) -> list[Line]:
        """Read a batch's results through the SDK, and each as the vendor's own type."""
        raw = self.content(batch_id)
        assert raw.endswith(b"\n")
        lines = raw.split(b"\n")[:-1]
        for line in lines:
            strict(MessageBatchIndividualResponse, line)
        assert len(list(self.client.messages.batches.results(batch_id))) == len(lines)
        return [json.loads(line) for line in lines]

    def content(self, batch_id: str) -> bytes:
        with self.client.messages.batches.with_streaming_response.results(batch_id) as raw:
            assert raw.headers["content-type"] == "application/binary"
            assert "content-length" not in raw.headers
            return raw.read()

    def ask(self, requests: list[Line], **headers: str) -> tuple[MessageBatch, list[Line]]:
        """Create a batch, wait for its end and read it."""
        batch_id = self.create(requests, **headers).id
        batch = self.finish(batch_id)[-1][0]
        return batch, self.rows(batch_id)

    def post(
        self, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> tuple[int, Line]:
        """Make a call of one's own; a reply that is an error must be one as the vendor writes it."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        known = {"x-api-key": "test-key", **OLD, "content-type": "application/json"}
        try:
            connection.request(method, f"/anthropic{path}", body, {**known, **(headers or {})})
            reply = connection.getresponse()
            found: Line = json.loads(reply.read())
            if reply.status >= 400:
                assert found["request_id"] == reply.headers["request-id"]
                if found["error"]["type"] != "request_too_large":  # the SDK has no type for it
                    strict(ErrorResponse, json.dumps(found).encode())
            return reply.status, found
        finally:
            connection.close()


@pytest.fixture
def speak(well: Emulator) -> Speaker:
    """Speak to the well-behaved emulator."""
    return Speaker(well)


def strict(shape: type[Shape], content: bytes | str) -> Shape:
    """Accept only what the vendor's type declares, at every level, with the types it declares."""
    found = shape.model_validate_json(content, strict=True)
    extras = list(_extras(found))
    assert not extras, f"fields the vendor does not have: {extras}"
    return found


def _extras(value: Any) -> Iterator[Any]:
    if isinstance(value, BaseModel):
        if value.model_extra:
            yield value.model_extra
        for _, part in value:
            yield from _extras(part)
    elif isinstance(value, list):
        for part in value:
            yield from _extras(part)


def request(custom_id: str, **params: Any) -> Line:
    asked = {
        "model": "claude-haiku-4-5",
        "max_tokens": 1500,
        "system": "あなたは大学１年生です。",
        "messages": [{"role": "user", "content": PROMPT}],
    }
    given = asked | params
    return {
        "custom_id": custom_id,
        "params": {name: value for name, value in given.items() if value is not None},
    }


_number = iter(range(10**6))


def requests(count: int, **params: Any) -> list[Line]:
    """Return requests under custom_ids that nobody else has."""
    prefix = f"emu-{next(_number)}"
    return [request(f"{prefix}-{n:04d}", **params) for n in range(count)]


def counts(batch: MessageBatch) -> dict[str, int]:
    return {name: n for name, n in batch.request_counts.model_dump().items() if n}


# The flow


def test_a_batch_runs_and_ends_and_its_counts_stay_at_nothing_until_then(
    behaving: Start,
) -> None:
    speak = Speaker(behaving(in_progress_seconds=1.2, finalizing_seconds=0.2))
    created = speak.create(requests(40))
    assert re.fullmatch(r"msgbatch_01\w{20,}", created.id)
    looks = speak.finish(created.id)
    assert [looks[0][0].processing_status, looks[-1][0].processing_status] == [
        "in_progress",
        "ended",
    ]
    for batch, retry_after in looks[:-1]:
        assert counts(batch) == {"processing": 40}
        assert (batch.ended_at, batch.results_url) == (None, None)
        assert retry_after in ("0", "1")
    last, retry_after = looks[-1]
    assert retry_after is None
    assert counts(last) == {"succeeded": 40}
    assert last.ended_at is not None
    assert last.created_at < last.ended_at < last.expires_at
    assert (last.expires_at - last.created_at).total_seconds() == 86_400
    assert (last.archived_at, last.cancel_initiated_at) == (None, None)
    assert last.results_url == f"{speak.url}/v1/messages/batches/{created.id}/results"
    assert len(speak.rows(created.id)) == 40


def test_it_asks_for_patience_but_never_for_more_than_ten_seconds(behaving: Start) -> None:
    speak = Speaker(behaving(in_progress_seconds=600))
    assert speak.look(speak.create(requests(1)).id)[1] == "10"


def test_results_are_messages_in_raw_utf8_under_ids_of_their_own(speak: Speaker) -> None:
    batch, rows = speak.ask(requests(30))
    content = speak.content(batch.id)
    assert "面白さ".encode() in content
    messages = [row["result"]["message"] for row in rows]
    assert len({message["id"] for message in messages}) == 30
    assert {message["model"] for message in messages} == {"claude-haiku-4-5-20251001"}
    for message in messages:
        assert re.fullmatch(r"msg_01\w{20,}", message["id"])
        assert [block["type"] for block in message["content"]] == ["text"]
        assert message["usage"]["input_tokens"] > 0
        assert message["usage"]["output_tokens"] > 0
        assert message["usage"]["service_tier"] == "batch"
    bill = speak.emulator.bill()["billed"]
    assert {bill[row["custom_id"]] for row in rows} == {1}


def test_a_line_separator_stays_raw_inside_its_line(speak: Speaker) -> None:
    batch = speak.finish(speak.create(requests(900)).id)[-1][0]
    content = speak.content(batch.id)
    assert "\u2028".encode() in content
    assert len(content.split(b"\n")[:-1]) == 900 < len(content.decode().splitlines())


def test_every_malformed_answer_is_a_message_all_the_same(behaving: Start) -> None:
    _, rows = Speaker(behaving(malformed=1.0)).ask(requests(300))
    messages = [row["result"]["message"] for row in rows]
    reasons = Counter(message["stop_reason"] for message in messages)
    assert set(reasons) == {"end_turn", "max_tokens", "refusal"}
    refused = [message for message in messages if message["stop_reason"] == "refusal"]
    assert any(message["content"] for message in refused)
    assert any(not message["content"] for message in refused)
    assert all(message["stop_details"]["type"] == "refusal" for message in refused)


def test_a_low_cap_cuts_the_answer(speak: Speaker) -> None:
    _, (row,) = speak.ask(requests(1, max_tokens=20))
    message = row["result"]["message"]
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 20)


def test_a_model_that_thinks_does_so_before_its_text(speak: Speaker) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    _, (row,) = speak.ask(requests(1, thinking=thinking))
    message = row["result"]["message"]
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] > 0


# Who may enter


@pytest.mark.parametrize(
    "headers", [{"x-api-key": "test-1"}, {"x-api-key": "", "authorization": "Bearer test-1"}]
)
def test_both_ways_to_send_the_key_are_taken(speak: Speaker, headers: dict[str, str]) -> None:
    status, found = speak.post("/v1/messages/batches?limit=1", None, headers, "GET")
    assert (status, set(found)) == (200, {"data", "has_more", "first_id", "last_id"})


@pytest.mark.parametrize("key", ["", "sk-ant-api03-REAL"])
def test_no_key_and_a_real_key_are_turned_away(speak: Speaker, key: str) -> None:
    status, found = speak.post("/v1/messages/batches", None, {"x-api-key": key}, "GET")
    assert (status, found["error"]["type"]) == (401, "authentication_error")
    assert "REAL" not in json.dumps(found)


def test_a_version_must_be_named_and_known(speak: Speaker) -> None:
    for version, says in ((None, "header is required"), ("1999-01-01", "not a valid version")):
        connection = HTTPConnection(urlsplit(speak.url).netloc, timeout=20)
        headers = {"x-api-key": "test-1"} | ({"anthropic-version": version} if version else {})
        connection.request("GET", "/anthropic/v1/messages/batches", headers=headers)
        reply = connection.getresponse()
        assert (reply.status, says in json.loads(reply.read())["error"]["message"]) == (400, True)
        connection.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/messages"),
        ("PUT", "/v1/messages/batches"),
        ("GET", "/v1/messages/batches/msgbatch_unknown"),
        ("GET", "/v1/messages/batches/msgbatch_unknown/results"),
        ("POST", "/v1/messages/batches/msgbatch_unknown/cancel"),
        ("DELETE", "/v1/messages/batches/msgbatch_unknown"),
    ],
)
def test_what_is_not_there_is_not_found(speak: Speaker, method: str, path: str) -> None:
    status, found = speak.post(path, None, method=method)
    assert (status, found["error"]["type"]) == (404, "not_found_error")


# What makes an order, a request and a message fail


def written(*found: Any) -> bytes:
    return json.dumps({"requests": list(found)}).encode()


ENVELOPES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not valid JSON"),
    "a list": (b"[]", "not valid JSON"),
    "half of it": (written(request("a"))[:-9], "not valid JSON"),
    "more behind it": (written(request("a")) + b"x", "not valid JSON"),
    "not UTF-8": (b'{"requests": [{"custom_id": "\xff"}]}', "not valid JSON"),
    "no number": (b'{"requests": [NaN]}', "not valid JSON"),
    "too deep": (b'{"requests": [' + b"[" * 100_000, "not valid JSON"),
    "no comma": (written(request("a")).replace(b"}]}", b"}] 1}"), "not valid JSON"),
    "no requests": (b"{}", "requests: Field required"),
    "something else": (b'{"batches": []}', "batches: Extra inputs are not permitted"),
    "more beside it": (written(request("a"))[:-1] + b', "x": 1}', "x: Extra inputs"),
    "no list": (b'{"requests": {}}', "requests: Input should be a valid list"),
    "none": (written(), "requests: List should have at least 1 item"),
    "a word": (written("a"), "requests.0: Input should be a valid dictionary"),
    "no custom_id": (written({"params": {}}), "requests.0.custom_id: Field required"),
    "no params": (written(request("a"), {"custom_id": "b"}), "requests.1.params: Field required"),
    "a method": (written({**request("a"), "method": "POST"}), "requests.0.method: Extra inputs"),
    "a number": (written({**request("a"), "custom_id": 7}), "requests.0.custom_id: Input should"),
    "a dot": (written(request("t0.7")), "requests.0.custom_id: String should match pattern"),
    "too long": (written(request("a" * 65)), "requests.0.custom_id: String should match pattern"),
    "empty": (written(request("")), "requests.0.custom_id: String should match pattern"),
    "twice": (written(request("a"), request("b"), request("a")), "requests.2.custom_id: 'a' is"),
    "a lone surrogate": (written(request("a", system="\ud83d")), "requests.0.params"),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_wrong_envelope_is_refused_at_once_and_nothing_is_made(speak: Speaker, name: str) -> None:
    body, says = ENVELOPES[name]
    before = speak.emulator.bill()
    status, found = speak.post("/v1/messages/batches", body)
    assert (status, found["error"]["type"]) == (400, "invalid_request_error")
    assert says in found["error"]["message"]
    assert speak.emulator.bill() == before


def test_blanks_are_nobodys_business(speak: Speaker) -> None:
    body = json.dumps({"requests": requests(2)}, indent=4).replace("\n", "\r\n \t").encode()
    status, found = speak.post("/v1/messages/batches", b"\n " + body + b"\n")
    assert (status, found["request_counts"]["processing"]) == (200, 2)


def test_too_many_and_too_large_are_refused(speak: Speaker) -> None:
    many = b",".join(b'{"custom_id":"%d","params":{}}' % n for n in range(100_001))
    status, found = speak.post("/v1/messages/batches", b'{"requests":[' + many + b"]}")
    assert (status, "at most 100000" in found["error"]["message"]) == (400, True)
    for path, most in (("/v1/messages/batches", 256_000_000), ("/v1/messages", 32_000_000)):
        status, found = speak.post(path, b"", {"content-length": str(most + 1)})
        assert (status, found["error"]["type"]) == (413, "request_too_large")


def test_a_body_cut_short_makes_nothing(speak: Speaker) -> None:
    body = json.dumps({"requests": requests(200)}).encode()
    before = speak.emulator.bill()
    connection = HTTPConnection(urlsplit(speak.url).netloc, timeout=20)
    headers = {"x-api-key": "test-1", **OLD, "content-length": str(len(body))}
    connection.request("POST", "/anthropic/v1/messages/batches", headers=headers)
    connection.send(body[: len(body) // 2])
    connection.close()
    time.sleep(0.1)
    assert speak.emulator.bill() == before


PARAMS: list[tuple[Line, dict[str, str], str]] = [
    ({"max_tokens": None}, {}, "max_tokens: Field required"),
    ({"max_tokens": 0}, {}, "max_tokens: Input should be greater than or equal to 1"),
    ({"max_tokens": "9"}, {}, "max_tokens: Input should be a valid integer"),
    ({"model": None}, {}, "model: Field required"),
    ({"model": 7}, {}, "model: Input should be a valid string"),
    ({"messages": None}, {}, "messages: Field required"),
    ({"messages": []}, {}, "messages: at least one message is required"),
    ({"messages": "Hi"}, {}, "messages: Input should be a valid list"),
    ({"messages": [{"role": "user"}]}, {}, "messages.0: Input should have a role and content"),
    ({"messages": [{"role": "user", "content": ""}]}, {}, "messages.0: user messages must"),
    ({"messages": [{"role": "system", "content": "x"}]}, {}, 'messages: Unexpected role "system"'),
    ({"messages": [{"role": "tool", "content": "x"}]}, {}, "messages.0.role: Input should be"),
    ({"system": 7}, {}, "system: Input should be a valid string or list"),
    ({"stream": True}, {}, "stream: not supported in a batch"),
    ({"max_completion_tokens": 9}, {}, "max_completion_tokens: Extra inputs are not permitted"),
    ({"temperature": 0.7}, {}, "temperature: Extra inputs are not permitted"),
    ({"temperature": 1}, {}, "temperature: Extra inputs are not permitted"),
    ({"top_p": 0.9}, {}, "top_p: Extra inputs are not permitted"),
    ({"top_k": 5}, {}, "top_k: Extra inputs are not permitted"),
    ({"temperature": 1.1}, OLD, "temperature: Input should be less than or equal to 1"),
    ({"temperature": -0.1}, OLD, "temperature: Input should be greater than or equal to 0"),
    ({"temperature": "hot"}, OLD, "temperature: Input should be a valid number"),
    ({"temperature": 0.7, "top_p": 0.9}, OLD, "`temperature` and `top_p` cannot both"),
    (
        {"temperature": 0.7, "thinking": {"type": "adaptive"}},
        OLD,
        "`temperature` may only be set to 1 when thinking is enabled",
    ),
    ({"thinking": {"type": "enabled", "budget_tokens": 9}}, {}, "thinking.enabled.budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1500}}, {}, "`max_tokens` must be greater"),
]


@pytest.mark.parametrize(("params", "headers", "says"), PARAMS)
def test_wrong_params_end_as_an_error_of_their_request_alone(
    speak: Speaker, params: Line, headers: dict[str, str], says: str
) -> None:
    wrong, right = requests(1, **params)[0], requests(1)[0]
    batch, rows = speak.ask([wrong, right], **headers)
    assert counts(batch) == {"succeeded": 1, "errored": 1}
    results = {row["custom_id"]: row["result"] for row in rows}
    assert results[right["custom_id"]]["type"] == "succeeded"
    error = results[wrong["custom_id"]]["error"]
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert error["error"]["message"].startswith(says)
    assert wrong["custom_id"] not in speak.emulator.bill()["billed"]


def test_a_model_that_does_not_exist_is_not_found(speak: Speaker) -> None:
    _, (row,) = speak.ask(requests(1, model="gpt-4o-mini"))
    assert row["result"]["error"]["error"] == {
        "type": "not_found_error",
        "message": "model: gpt-4o-mini",
    }


@pytest.mark.parametrize(
    ("model", "honours"),
    [
        ("claude-3-haiku-20240307", True),
        ("claude-3-5-sonnet-20241022", True),
        ("claude-opus-4-20250514", True),
        ("claude-opus-4-1-20250805", True),
        ("claude-haiku-4-5", True),
        ("claude-haiku-4-5-20251001", True),
        ("claude-sonnet-4-6", True),
        ("claude-opus-4-6", True),
        ("claude-opus-4-7", False),
        ("claude-opus-4-8", False),
        ("claude-sonnet-5", False),
        ("claude-haiku-5-5", False),
        ("claude-opus-5-5", False),
        ("claude-fable-5-2", False),
        ("claude-mythos-preview", False),
    ],
)
def test_newer_models_take_no_temperature_but_the_usual_one(
    speak: Speaker, model: str, honours: bool
) -> None:
    """Under either version; under the older one, the usual temperature may be named."""
    asked = [*requests(1, model=model, temperature=0.7), *requests(1, model=model, temperature=1)]
    _, rows = speak.ask(asked, **OLD)
    assert [row["result"]["type"] for row in rows] == [
        "succeeded" if honours else "errored",
        "succeeded",
    ]
    if not honours:
        message = rows[0]["result"]["error"]["error"]["message"]
        assert message == "`temperature` is deprecated for this model."


def test_every_parameter_that_the_sdk_knows_is_known(speak: Speaker) -> None:
    known = set(MessageCreateParamsNonStreaming.__annotations__)
    for base in MessageCreateParamsNonStreaming.__orig_bases__:  # type: ignore[attr-defined]
        known |= set(getattr(base, "__annotations__", {}))
    named = known - {"stream", "speed", "workspace_id", "max_tokens", "messages", "model"}
    usual: Line = {"system": "x", "thinking": {"type": "disabled"}}
    _, rows = speak.ask(requests(1, **{name: usual.get(name, {}) for name in named}))
    assert rows[0]["result"]["type"] == "succeeded", rows


# Ends


def test_cancelling_keeps_what_ran_and_names_what_did_not(behaving: Start) -> None:
    speak = Speaker(behaving(in_progress_seconds=1.5, finalizing_seconds=0.2))
    created = speak.create(requests(60))
    time.sleep(0.5)
    canceling = strict(MessageBatch, speak.batches.cancel(created.id).read())
    assert (canceling.processing_status, counts(canceling)) == ("canceling", {"processing": 60})
    assert canceling.cancel_initiated_at is not None
    ended = speak.finish(created.id)[-1][0]
    assert ended.ended_at is not None
    assert ended.ended_at > canceling.cancel_initiated_at
    kinds = Counter(row["result"]["type"] for row in speak.rows(created.id))
    assert set(kinds) == {"succeeded", "canceled"}
    assert counts(ended) == kinds
    assert 0 < kinds["succeeded"] < 60


def test_cancelling_at_once_runs_nothing_and_still_names_every_request(behaving: Start) -> None:
    speak = Speaker(behaving(validating_seconds=5, in_progress_seconds=600))
    created = speak.create(requests(9))
    speak.client.messages.batches.cancel(created.id)
    ended = speak.finish(created.id)[-1][0]
    assert counts(ended) == {"canceled": 9}
    assert {row["result"]["type"] for row in speak.rows(created.id)} == {"canceled"}


def test_an_ended_batch_cannot_be_cancelled(speak: Speaker) -> None:
    batch, _ = speak.ask(requests(1))
    with pytest.raises(anthropic.BadRequestError, match="has ended"):
        speak.client.messages.batches.cancel(batch.id)
    assert speak.look(batch.id)[0] == batch


def test_half_a_batch_can_expire(behaving: Start) -> None:
    batch, rows = Speaker(behaving(half_expired=1.0)).ask(requests(7))
    assert counts(batch) == {"succeeded": 4, "expired": 3}
    assert Counter(row["result"]["type"] for row in rows) == {"succeeded": 4, "expired": 3}


def test_only_an_ended_batch_can_be_deleted_and_then_it_is_gone(behaving: Start) -> None:
    speak = Speaker(behaving(in_progress_seconds=0.4))
    created = speak.create(requests(2))
    with pytest.raises(anthropic.BadRequestError, match="still being processed"):
        speak.batches.delete(created.id)
    speak.finish(created.id)
    deleted = strict(DeletedMessageBatch, speak.batches.delete(created.id).read())
    assert (deleted.id, deleted.type) == (created.id, "message_batch_deleted")
    for gone in (speak.batches.retrieve, speak.batches.results, speak.batches.delete):
        with pytest.raises(anthropic.NotFoundError):
            gone(created.id)
    assert created.id not in [batch.id for batch in speak.client.messages.batches.list(limit=1000)]


def test_results_are_kept_for_29_days(tmp_path: Path) -> None:
    first = Emulator(tmp_path, {})
    speak = Speaker(first)
    kept, gone = speak.ask(requests(2))[0].id, speak.ask(requests(2))[0].id
    first.stop()
    database = sqlite3.connect(tmp_path / "state" / "emulator.sqlite")
    for batch_id, days in ((kept, 28.9), (gone, 29.1)):
        times = [f"{name} = {name} - :s" for name in ("created_at", "validated_at")]
        times += [f"{name} = {name} - :s" for name in ("ran_at", "ended_at")]
        database.execute(
            f"UPDATE batches SET {', '.join(times)} WHERE id = :id",
            {"s": days * 86_400, "id": batch_id},
        )
    database.commit()
    database.close()
    second = Emulator(tmp_path, {})
    try:
        speak = Speaker(second)
        assert len(speak.rows(kept)) == 2
        batch = speak.look(gone)[0]
        assert batch.archived_at is not None
        assert (batch.archived_at - batch.created_at).days == 29
        assert (batch.processing_status, batch.results_url) == ("ended", None)
        status, found = speak.post(f"/v1/messages/batches/{gone}/results", None, method="GET")
        assert (status, found["error"]["type"]) == (404, "not_found_error")
    finally:
        second.stop()


# The list


def test_batches_are_paged_both_ways_newest_first(emulator: Start) -> None:
    speak = Speaker(emulator())
    made = [speak.create(requests(1)).id for _ in range(25)][::-1]
    pages = speak.client.messages.batches
    assert [batch.id for batch in pages.list()] == made
    assert [batch.id for batch in pages.list(limit=4)] == made
    raw = speak.batches.list(limit=10, after_id=made[4])
    page = json.loads(raw.read())
    assert set(page) == {"data", "has_more", "first_id", "last_id"}
    assert [batch["id"] for batch in page["data"]] == made[5:15]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (made[5], made[14], True)
    for batch in page["data"]:
        strict(MessageBatch, json.dumps(batch))
    before = pages.list(limit=10, before_id=made[15])
    assert [batch.id for batch in before.data] == made[5:15]
    assert before.has_more is True
    assert [batch.id for batch in pages.list(limit=10, before_id=made[4]).data] == made[:4]
    last = pages.list(limit=10, after_id=made[-1])
    assert (last.data, last.has_more, last.first_id, last.last_id) == ([], False, None, None)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "after_id=msgbatch_x", "after_id=a&before_id=b"],
)
def test_a_page_that_is_none_is_refused(speak: Speaker, query: str) -> None:
    status, found = speak.post(f"/v1/messages/batches?{query}", None, method="GET")
    assert (status, found["error"]["type"]) == (400, "invalid_request_error")


# One message, now


def test_one_message_is_answered_and_billed(speak: Speaker) -> None:
    before = speak.emulator.bill()["chats_billed"]
    params = request("x")["params"]
    raw = speak.client.messages.with_raw_response.create(**params)
    message = strict(Message, raw.read())
    assert (message.stop_reason, message.usage.service_tier) == ("end_turn", "standard")
    assert speak.emulator.bill()["chats_billed"] == before + 1


@pytest.mark.parametrize(
    ("params", "status", "kind"),
    [
        ({"max_tokens": None}, 400, "invalid_request_error"),
        ({"temperature": 2}, 400, "invalid_request_error"),
        ({"model": "gpt-4o-mini"}, 404, "not_found_error"),
    ],
)
def test_a_wrong_message_is_refused_at_once(
    speak: Speaker, params: Line, status: int, kind: str
) -> None:
    before = speak.emulator.bill()
    body = json.dumps(request("x", **params)["params"])
    found = speak.post("/v1/messages", body)
    assert (found[0], found[1]["error"]["type"]) == (status, kind)
    assert speak.post("/v1/messages", "{")[0] == 400
    assert speak.emulator.bill() == before


# Faults


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("lost_create_reply", anthropic.APIConnectionError),
        ("failed_create_reply", anthropic.InternalServerError),
    ],
)
def test_a_create_reply_can_be_lost_when_the_batch_is_made(
    behaving: Start, fault: str, expected: type[Exception]
) -> None:
    speak = Speaker(behaving(**{fault: 1.0}))
    before = speak.emulator.batches()
    with pytest.raises(expected):
        speak.create(requests(3))
    assert speak.emulator.batches() == before + 1
    newest = speak.client.messages.batches.list(limit=1).data[0]
    assert len(speak.rows(newest.id)) == 3


def test_a_full_queue_says_so_once_and_makes_nothing(behaving: Start) -> None:
    speak = Speaker(behaving(token_limit=1.0))
    asked = requests(3)
    before = speak.emulator.batches()
    with pytest.raises(anthropic.RateLimitError) as caught:
        speak.create(asked)
    assert caught.value.type == "rate_limit_error"
    assert speak.emulator.batches() == before
    assert len(speak.ask(asked)[1]) == 3


@pytest.mark.parametrize(
    ("fault", "expected", "kind"),
    [
        ("http_429", anthropic.RateLimitError, "rate_limit_error"),
        ("http_500", anthropic.InternalServerError, "api_error"),
    ],
)
def test_busy_and_broken_replies_are_in_the_vendors_shape(
    behaving: Start, fault: str, expected: type[anthropic.APIStatusError], kind: str
) -> None:
    speak = Speaker(behaving(**{fault: 1.0}))
    with pytest.raises(expected) as caught:
        speak.create(requests(1))
    assert caught.value.type == kind
    assert caught.value.request_id is not None


def test_failed_requests_stand_among_the_results(behaving: Start) -> None:
    for rough in (behaving(failed_lines=0.5), behaving(all_failed=True)):
        batch, rows = Speaker(rough).ask(requests(40))
        failed = [row["result"]["error"] for row in rows if row["result"]["type"] == "errored"]
        assert {error["error"]["type"] for error in failed} == {"api_error"}
        assert counts(batch).get("errored") == len(failed) > 0


def test_a_download_can_end_early_without_an_error(behaving: Start) -> None:
    speak = Speaker(behaving(truncated_downloads=1.0))
    batch = speak.finish(speak.create(requests(40)).id)[-1][0]
    first, second = speak.content(batch.id), speak.content(batch.id)
    assert second.startswith(first)
    assert len(first) < len(second)


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    first = Emulator(tmp_path, {"in_progress_seconds": 1})
    created = Speaker(first).create(requests(5))
    first.stop()
    second = Emulator(tmp_path, {"in_progress_seconds": 1})
    try:
        speak = Speaker(second)
        assert counts(speak.finish(created.id)[-1][0]) == {"succeeded": 5}
        assert speak.look(created.id)[0].created_at == created.created_at
    finally:
        second.stop()


def test_the_same_seed_gives_the_same_answers(emulator: Start) -> None:
    asked = requests(20)
    texts = []
    for seed in (3, 3, 4):
        _, rows = Speaker(emulator(seed=seed)).ask(asked)
        texts.append([row["result"]["message"]["content"] for row in rows])
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.long
def test_nobody_waits_while_a_long_order_is_taken_in(speak: Speaker) -> None:
    body = json.dumps({"requests": requests(12_000, system="あ" * 1000)}).encode()
    assert len(body) > 60_000_000
    for _ in range(3):  # a busy machine may let anybody wait once
        took, waits = waits_beside(speak, body)
        if max(waits) < max(1, took / 2) and len(waits) > 5:
            return
    pytest.fail(f"an order took {took:.1f} s, and others waited {waits}")


def waits_beside(speak: Speaker, body: bytes) -> tuple[float, list[float]]:
    """How long an order took, and how long others waited for their answers beside it."""
    order = threading.Thread(target=speak.post, args=("/v1/messages/batches", body))
    waits = []
    started = time.monotonic()
    order.start()
    while order.is_alive():
        began = time.monotonic()
        assert speak.post("/v1/messages/batches?limit=1", None, method="GET")[0] == 200
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    order.join()
    return time.monotonic() - started, waits
