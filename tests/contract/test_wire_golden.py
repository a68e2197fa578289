"""The bytes that go out, pinned, and what is made of the lines that vendors have published."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension

from runner.core.model import Prompt, Reply, ReplyKind, Usage
from runner.providers.openai import OpenAIBatch
from tests.contract.case import CANARY, LABELS, Case, condition_of, staged, until_ended
from tests.contract.conftest import MODEL, Emulator
from tests.contract.kits import compatible, groq, kluster, openai
from tests.contract.kits.base import Kit
from tests.contract.spoiled import Call, Spoiled

KITS = [module.KITS[0] for module in (openai, groq, kluster, compatible)]
VOLATILE = ("host", "user-agent", "x-stainless-", "content-length")
"""Where it went, with which versions on which machine, and what the body's own snapshot says."""


class Jsonl(SingleFileSnapshotExtension):
    """Bytes, in a file that ends as what it is."""

    file_extension = "jsonl"


class Json(SingleFileSnapshotExtension):
    file_extension = "json"


class Http(SingleFileSnapshotExtension):
    file_extension = "http"


def shown(call: Call) -> bytes:
    """Show a request without what differs from one machine, version or day to the next."""
    assert f"Bearer {CANARY}" == call.headers["authorization"]
    assert call.headers["x-stainless-retry-count"] == "0"
    rows = {n: v for n, v in call.headers.items() if not n.startswith(VOLATILE)}
    rows["authorization"] = "Bearer ****"
    if rows["accept-encoding"] != "identity":
        del rows["accept-encoding"]  # what else is installed decides
    query = f"?{call.query}" if call.query else ""
    lines = [f"{call.method} {call.path}{query}", *(f"{n}: {rows[n]}" for n in sorted(rows))]
    text = "\n".join(lines).encode() + b"\n\n" + call.body.replace(b"\r\n", b"\n")
    text = re.sub(rb"(file[-_]|batch_)[0-9A-Za-z]{12,}", rb"\1ID", text)
    text = re.sub(rb"batch_ID-output", rb"output-ID", text)
    boundary = re.search(rb"boundary=(\w+)", text)
    return text.replace(boundary[1], b"BOUNDARY") if boundary else text


def line_of(kit: Kit, temperature: str | None, system: str | None) -> bytes:
    prompt = Prompt(system=system, user='『懐中時計』\u2028を読んで\n答えて\t"ください"。😀\\')
    frame = kit.provider(None, kit.model).encode(condition_of(temperature), prompt)
    line: bytes = frame.before + b"p1_t1_t0.7-001" + frame.after
    return line


def three_lines_of(client: Any) -> bytes:
    """The request lines of a client: with a system prompt and a temperature, without, and with 0."""
    prompts = [
        (Prompt(system="あなたは大学１年生です。", user='『懐中時計』\u2028を"読んで"'), "0.7"),
        (Prompt(system=None, user="x"), None),
        (Prompt(system=None, user="x"), "0"),
    ]
    frames = [client.encode(condition_of(heat), prompt) for prompt, heat in prompts]
    return b"".join(frame.before + b"p1_t1-001" + frame.after for frame in frames)


def two_lines_of(kit: Kit) -> bytes:
    """The request lines of a kit: with a system prompt and a temperature, and without."""
    return line_of(kit, "0.7", "あなたは大学１年生です。") + line_of(kit, None, None)


@pytest.mark.parametrize("kit", KITS, ids=repr)
def test_input_lines_are_pinned(kit: Kit, snapshot: SnapshotAssertion) -> None:
    lines = [
        line_of(kit, "0.7", "あなたは大学１年生です。"),
        line_of(kit, None, "あなたは大学１年生です。"),
        line_of(kit, "0", None),
        line_of(kit, "1.10", None),
    ]
    assert snapshot(extension_class=Jsonl) == b"".join(lines)


@pytest.mark.parametrize("kit", KITS, ids=repr)
def test_calls_are_pinned(
    case: Case,
    server: Callable[..., Spoiled],
    emulator: Callable[..., Emulator],
    snapshot: SnapshotAssertion,
) -> None:
    spoiled = server(emulator().url)
    client = case.client(spoiled)
    batch = staged(client, case.folder, "e1-b0001-1-0123456789abcdef.jsonl")
    remote = client.submit(batch, case.path, LABELS)
    upload, create = list(spoiled.calls)
    progress = until_ended(client, remote)
    client.download(progress.files["output"], io.BytesIO())
    client.find(batch, case.path, ())
    client.cancel(remote)
    if client.fences:
        client.fence(batch)
    client.stage(case.path, "none-such.jsonl", look_first=True)
    with case.path.open("rb") as requests:
        client.ask(requests.readline())
    *later, _, chat = spoiled.calls[2:]
    assert snapshot(name="upload", extension_class=Http) == shown(upload)
    assert snapshot(name="create", extension_class=Http) == shown(create)
    assert snapshot(name="create-body", extension_class=Json) == re.sub(
        rb"file([-_])\w+", rb"file\1ID", create.body
    )
    others = dict.fromkeys(shown(call) for call in later)
    assert snapshot(name="others", extension_class=Http) == b"\n".join(others)
    assert snapshot(name="chat", extension_class=Http) == shown(chat)


RECORDED = """\
{"id":"batch_req_678229d0515081908626650ba40680ce","custom_id":"2","response":{"status_code":200,"request_id":"0fddd89afb1771aeebe2b0fe2a360a93","body":{"id":"chatcmpl-1","object":"chat.completion","created":1736583630,"model":"gpt-3.5-turbo-0125","choices":[{"index":0,"message":{"role":"assistant","content":"Q1. 80","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":92,"total_tokens":101,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":null}},"error":null}
{"id":"batch_req_..","custom_id":"q-400","response":{"status_code":400,"request_id":"..","body":{"error":{"message":"Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}},"error":null}
{"id":"batch_req_123","custom_id":"request-3","response":null,"error":{"code":"batch_expired","message":"This request could not be executed before the completion window expired."}}
"""
"""One line of an output file, as recorded, and two of error files, as reported and documented."""


def decode(line: str | dict[str, Any]) -> Reply:
    text = line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)
    return OpenAIBatch(None, MODEL).decode(text.encode("utf-8", "surrogatepass"))  # type: ignore[arg-type]


def test_the_vendors_own_lines_are_understood() -> None:
    answered, refused, expired = (decode(line) for line in RECORDED.splitlines())
    assert answered == Reply(
        custom_id="2",
        kind=ReplyKind.ANSWER,
        text="Q1. 80",
        finish_reason="stop",
        model="gpt-3.5-turbo-0125",
        usage=Usage(input_tokens=9, output_tokens=92),
        request_id="0fddd89afb1771aeebe2b0fe2a360a93",
        answered_at=1736583630.0,
    )
    assert refused == Reply(
        custom_id="q-400",
        kind=ReplyKind.REFUSED,
        request_id="..",
        error="400: Unsupported value: 'temperature' does not support 0.7 with this model. "
        "Only the default (1) value is supported.",
    )
    assert expired == Reply(
        custom_id="request-3",
        kind=ReplyKind.EXPIRED,
        error="batch_expired: This request could not be executed before the completion window "
        "expired.",
    )


def answered(message: Any, finish: str = "stop", **body: Any) -> Reply:
    """Decode a completion with this message."""
    known = json.loads(RECORDED.splitlines()[0])
    known["response"]["body"] |= {"choices": [{"message": message, "finish_reason": finish}]} | body
    return decode(known)


@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": "Q1. 8"}, "length", ("Q1. 8", "length")),
        ({"content": ""}, "content_filter", ("", "content_filter")),
        ({"content": None}, "content_filter", ("", "content_filter")),
        ({"content": None}, "stop", ("", "stop")),
        ({}, "tool_calls", ("", "tool_calls")),
        (None, "stop", ("", "stop")),
        ({"content": None, "refusal": "申し訳"}, "stop", ("申し訳", "refusal")),
        ({"content": "A", "refusal": "No"}, "stop", ("A", "refusal")),
        ({"content": "a\u2028b\u0085c\x1c"}, "stop", ("a\u2028b\u0085c\x1c", "stop")),
        ({"content": "\x00\ud83d"}, "stop", ("\x00\ud83d", "stop")),
    ],
)
def test_an_answer_is_taken_as_it_is(message: Any, finish: str, expected: tuple[str, str]) -> None:
    reply = answered(message, finish)
    assert expected == (reply.text, reply.finish_reason)
    assert ReplyKind.ANSWER is reply.kind


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"prompt_tokens": 9}, None),
        ({"completion_tokens": 9, "total_tokens": 18}, None),
        ({"prompt_tokens": "9", "completion_tokens": "3"}, None),
        ({"prompt_tokens": 9, "completion_tokens": "3", "total_tokens": 12}, None),
        ({"prompt_tokens": -9, "completion_tokens": 3}, None),
        ({"prompt_tokens": 9, "completion_tokens": 2**63}, None),
        ({"prompt_tokens": True, "completion_tokens": 3}, None),
        ({"prompt_tokens": 9, "completion_tokens": 1.5}, None),
        ({"prompt_tokens": 9.0, "completion_tokens": 3.0}, (9, 3, 0, 0, 0)),
        ({"prompt_tokens": 9, "completion_tokens": None, "total_tokens": 12}, (9, 3, 0, 0, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": "12"}, (9, 3, 0, 0, 0)),
        # thinking that is counted beside the completion is billed
        ({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 112}, (9, 103, 0, 0, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 9}, (9, 3, 0, 0, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            (9, 103, 0, 0, 0),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 103,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            (9, 103, 0, 0, 0),
        ),
        # the words of one service after another for what a cache had and took
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
            },
            (9, 3, 5, 2, 0),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "prompt_cache_hit_tokens": 5,
                "prompt_cache_miss_tokens": 4,
            },
            (9, 3, 5, 0, 0),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "cache_read_input_tokens": 4,
                "cache_creation_input_tokens": 5,
                "prompt_tokens_details": {
                    "cached_tokens": 4,
                    "cache_creation_tokens": 5,
                    "cache_creation_token_details": {
                        "ephemeral_5m_input_tokens": 3,
                        "ephemeral_1h_input_tokens": 2,
                    },
                },
            },
            (9, 3, 4, 3, 2),
        ),
        # counted without what the cache had
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 50},
            },
            (59, 3, 50, 0, 0),
        ),
        (
            {
                "input_tokens": 9,
                "output_tokens": 3,
                "input_tokens_details": {"cached_tokens": 5},
            },
            (9, 3, 5, 0, 0),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": ["5"]},
            (9, 3, 0, 0, 0),
        ),
    ],
)
def test_usage_is_all_of_it_or_unknown(usage: Any, expected: tuple[int, ...] | None) -> None:
    found = answered({"content": "x"}, usage=usage).usage
    assert expected == (None if found is None else astuple(found))


@pytest.mark.parametrize(
    ("created", "expected"),
    [("1736583630", 1736583630.0), ("1736583630.5", 1736583630.5), (None, None), ("soon", None)],
)
def test_a_time_may_be_a_word(created: Any, expected: float | None) -> None:
    assert expected == answered({"content": "x"}, created=created).answered_at


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ReplyKind.REFUSED),
        (401, ReplyKind.DENIED),
        (402, ReplyKind.DENIED),
        (403, ReplyKind.DENIED),
        (404, ReplyKind.DENIED),
        (408, ReplyKind.ERRORED),
        (409, ReplyKind.ERRORED),
        (422, ReplyKind.REFUSED),
        (429, ReplyKind.ERRORED),
        (500, ReplyKind.ERRORED),
        (503, ReplyKind.ERRORED),
        (0, ReplyKind.ERRORED),
        (302, ReplyKind.ERRORED),
    ],
)
def test_a_rows_status_says_whether_to_ask_again(status: int, expected: ReplyKind) -> None:
    row = {"custom_id": "x", "response": {"status_code": status, "body": {"error": {}}}}
    reply = decode(row)
    assert (expected, f"{status}: no reason given") == (reply.kind, reply.error)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        ({"code": "batch_cancelled", "message": "m"}, ReplyKind.CANCELLED, "batch_cancelled: m"),
        ({"code": "request_timeout", "message": "m"}, ReplyKind.ERRORED, "request_timeout: m"),
        ({"code": 500, "message": "a\n\x1b[2Jb"}, ReplyKind.ERRORED, "500: a [2Jb"),
        ({"message": ["deep"]}, ReplyKind.ERRORED, "error: no reason given"),
    ],
)
def test_an_error_line_says_what_happened(
    error: dict[str, Any], kind: ReplyKind, says: str
) -> None:
    reply = decode({"custom_id": "x", "response": None, "error": error})
    assert (kind, says) == (reply.kind, reply.error)


def test_a_message_nested_too_deep_to_print_is_left_out() -> None:
    deep = "[" * 900 + "]" * 900
    line = f'{{"custom_id":"x","response":null,"error":{{"code":{deep},"message":{deep}}}}}'
    assert ReplyKind.ERRORED is decode(line).kind
