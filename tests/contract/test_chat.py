"""One chat completion at a time: what goes out to the byte, what comes back, from many threads."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import ReplyKind
from runner.providers.base import Secret, Service
from runner.providers.compatible import CompatibleBatch
from runner.providers.kluster import KlusterBatch
from runner.providers.openai import OpenAIBatch
from tests.contract.case import CANARY, LABELS, Case, staged, write_requests
from tests.contract.kits import compatible, groq, kluster, openai
from tests.contract.kits.base import HTML, Kit
from tests.contract.spoiled import Deed, Spoiled, instead, reply

KITS = [module.KITS[0] for module in (openai, groq, kluster, compatible)]
every_service = pytest.mark.parametrize("kit", KITS, ids=repr)
Serve = Callable[..., Spoiled]


def request_line(**body: Any) -> bytes:
    """Write a line of a request file; its body may hold anything."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "『懐中時計』\u2028 <&> 😀\\"}]}
    request = {
        "custom_id": "q-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": asked | body,
    }
    return orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE)


def completion(content: Any = "Q1. 80", **more: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1736583630,
        "model": "m-1",
        "choices": [choice],
        "usage": usage,
        **more,
    }


def asking(case: Case, server: Serve, raw: bytes) -> Any:
    """Return a client of a service that answers every chat like this."""
    stub = server()
    stub.spoil(case.kit.ask, instead(raw))
    return case.client(stub)


# Out


@every_service
def test_the_body_goes_out_to_the_byte(case: Case, kit: Kit, server: Serve) -> None:
    stub = server()
    stub.spoil(kit.ask, instead(reply(200, completion())))
    line = request_line(
        temperature=0.29,
        top_k=40,
        unheard_of={"z": [1, None, {"a": 1e-07}], "A": True},
        max_tokens=None,
        extra_body={"not": "unpacked"},
        timeout=1,
        stream_options=None,
    )
    case.client(stub).ask(line)
    (call,) = stub.calls
    assert call.body == line.partition(b'"body":')[2].removesuffix(b"}\n")
    assert call.headers["content-type"] == "application/json"
    assert call.headers["content-length"] == str(len(call.body))
    assert call.headers["authorization"] == f"Bearer {CANARY}"
    assert "idempotency-key" not in call.headers


# Back


@every_service
@pytest.mark.parametrize(
    "raw",
    [
        b'{"choices":[{"message":{"content":"a\xe2\x80\xa8b\xc2\x85c"},"finish_reason":"stop"}]}',
        b'{\n  "choices": [\r\n {"message": {"content": "x"},\n"finish_reason": "stop"}]\n}\n',
        b'{"choices":[{"message":{"content":"half \\ud83d"}}],"created":1e999}',
        b'{"choices":[{"message":{"content":"\\u0000"}}],"n":123456789012345678901234567890}',
        b'{"error":null,"choices":[{"message":{"content":null,"refusal":"No."}}],"x":{"error":1}}',
    ],
)
def test_the_answer_is_kept_as_it_came(case: Case, kit: Kit, server: Serve, raw: bytes) -> None:
    client = asking(
        case, server, reply(200, raw, content_type="application/json", x_request_id="r-1")
    )
    line = client.ask(request_line())
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert raw.replace(b"\n", b" ").replace(b"\r", b" ").strip() in line
    answer = client.decode(line)
    assert (answer.custom_id, answer.kind, answer.request_id) == ("q-1", ReplyKind.ANSWER, "r-1")
    assert answer.error is None


@every_service
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"ok"',
        b"{}",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"error":{"message":"Upstream failed.","code":502}}',
        b'{"choices":[{"message":{"content":"x"}}]',
        b'{"choices":[{}]}}, "response": {"status_code": 200, "body": {"choices": [{}]}',
        b'{"choices":[{"message":{"content":"a\nb"}}]}',
        b'{"choices":[{}]}{"choices":[{}]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: [DONE]\n\n',
        HTML,
        '{"choices":[{"message":{"content":"x"}}]}'.encode("utf-16"),
    ],
    ids=lambda raw: raw[:24].decode("latin-1"),
)
def test_a_200_that_is_no_chat_completion_is_unreadable(
    case: Case, kit: Kit, server: Serve, raw: bytes
) -> None:
    client = asking(case, server, reply(200, raw, content_type="application/json"))
    with pytest.raises(ProviderReplyUnreadable):
        client.ask(request_line())


@every_service
@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Too hot.", "type": "x", "param": "temperature", "code": "y"}},
        {"error": "Too hot."},
        {"object": "error", "message": "Too hot.", "code": 400},
        {"detail": "Too hot."},
    ],
)
def test_a_refusal_is_a_result_line(
    case: Case, kit: Kit, server: Serve, status: int, body: Any
) -> None:
    client = asking(case, server, reply(status, body, x_request_id="r-1"))
    line = client.ask(request_line())
    row = orjson.loads(line)
    assert (row["response"]["status_code"], row["response"]["body"]) == (status, body)
    answer = client.decode(line)
    assert (answer.custom_id, answer.kind) == ("q-1", ReplyKind.REFUSED)
    assert (answer.error, answer.request_id) == (f"{status}: Too hot.", "r-1")


@every_service
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, HTML, ProviderRefused),
        (422, b"[]", ProviderRefused),
        (401, {"error": {"message": "Who are you?"}}, ProviderRefused),
        (402, {"error": {"message": "Pay first."}}, ProviderRefused),
        (403, {"error": {"message": "Not you."}}, ProviderRefused),
        (404, {"error": {"message": "No such model."}}, ProviderRefused),
        (405, {"detail": "Method Not Allowed"}, ProviderRefused),
        (429, {"error": {"message": "Slow down."}}, ProviderBusy),
        (429, {"error": "Slow down."}, ProviderBusy),
        (429, {"error": {"message": "Broke.", "code": "insufficient_quota"}}, ProviderRefused),
        (429, HTML, ProviderSilent),
        (408, {"error": {"message": "Too late."}}, ProviderSilent),
        (409, {"error": {"message": "Again?"}}, ProviderSilent),
        (498, {"error": {"message": "Full."}}, ProviderSilent),
        (500, {"error": {"message": "Oops."}}, ProviderSilent),
        (503, {"error": {"message": "Overloaded."}}, ProviderSilent),
    ],
)
def test_every_other_status_is_an_error_of_ours(
    case: Case, kit: Kit, server: Serve, status: int, body: Any, expected: type[ProviderError]
) -> None:
    stub = server()
    stub.spoil(kit.ask, instead(reply(status, body, retry_after="7")))
    with pytest.raises(expected) as caught:
        case.client(stub).ask(request_line())
    assert type(caught.value) is expected
    assert len(stub.calls) == 1
    if isinstance(caught.value, ProviderBusy):
        assert caught.value.retry_after == 7


@every_service
def test_a_key_that_a_service_repeats_is_not_kept(case: Case, kit: Kit, server: Serve) -> None:
    for status, body in ((400, {"error": f"key {CANARY}"}), (200, completion(f"key {CANARY}"))):
        line = asking(case, server, reply(status, body)).ask(request_line())
        assert CANARY.encode() not in line
        assert b"key ****" in line


# Time and threads


@pytest.mark.long
@every_service
def test_an_answer_may_take_ten_times_longer_than_another_call(
    case: Case, kit: Kit, server: Serve
) -> None:
    stub = server()

    def late(deed: Deed) -> None:
        time.sleep(0.6)
        deed.caller.sendall(reply(200, completion()))

    for route in kit.routes:
        stub.spoil(route, late)
    client = case.client(stub, timeout=0.2)
    assert client.decode(client.ask(request_line())).text == "Q1. 80"
    with pytest.raises(ProviderSilent):
        client.poll(kit.unknown)


@pytest.mark.long
@every_service
def test_a_hundred_at_once_wait_for_nobody(case: Case, kit: Kit, server: Serve) -> None:
    stub = server()
    everybody = threading.Barrier(100)

    def together(deed: Deed) -> None:
        everybody.wait(15)
        deed.caller.sendall(reply(200, completion()))

    stub.spoil(kit.ask, together)
    client = case.client(stub)
    with ThreadPoolExecutor(100) as pool:
        lines = list(pool.map(client.ask, [request_line(seed=n) for n in range(100)]))
    assert {client.decode(line).text for line in lines} == {"Q1. 80"}
    assert len({call.body for call in stub.calls}) == 100


@every_service
def test_threads_that_come_first_make_one_client(case: Case, kit: Kit, well: Any) -> None:
    client = case.client(well)
    made: list[Any] = []
    connect = client._connect

    def slowly() -> Any:
        time.sleep(0.05)
        made.append(connect())
        return made[-1]

    client._connect = slowly
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(client.ask, [request_line(model=kit.model.name)] * 16))
    assert len(made) == 1


# The emulator's own faults


@pytest.mark.parametrize("kit", KITS, ids=repr)
def test_the_emulators_faults_reach_a_chat(case: Case, kit: Kit, behaving: Any) -> None:
    line = request_line(model=kit.model.name)
    for fault, billed in (("failed_lines", 0), ("all_failed", 0), ("missing_lines", 1)):
        rough = behaving(**{fault: True if fault == "all_failed" else 1.0})
        before = rough.bill()["chats_billed"]
        with pytest.raises(ProviderSilent):
            case.client(rough).ask(line)
        assert rough.bill()["chats_billed"] == before + billed, fault
    busy = behaving(http_429=1.0)
    waits = set()
    for _ in range(2):
        with pytest.raises(ProviderBusy) as caught:
            case.client(busy).ask(line)
        waits.add(caught.value.retry_after)
    assert waits == {1.0, None}
    assert busy.bill()["chats_billed"] == 0


def test_the_n_th_answer_differs_and_is_billed(client: OpenAIBatch, well: Any) -> None:
    line = request_line(model="gpt-4o-mini", temperature=1.0)
    before = well.bill()["chats_billed"]
    texts = {client.decode(client.ask(line)).text for _ in range(5)}
    assert len(texts) > 1
    assert well.bill()["chats_billed"] == before + 5


# Who is spoken to, and with what


@pytest.mark.parametrize("provider", [KlusterBatch, CompatibleBatch])
def test_what_is_set_up_for_openai_goes_to_nobody_else(
    provider: Any,
    server: Serve,
    tmp_path: Path,
    hang_up: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", f"secret-of-openai-{name}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv(
        "OPENAI_CUSTOM_HEADERS",
        "Authorization: Bearer secret-of-openai\nx-gateway: secret-of-openai",
    )
    heads: list[bytes] = []
    stub = server()
    for method in ("GET", "POST", "DELETE"):
        stub.spoil((method, ".*"), instead(reply(200, {"id": "batch_1", "status": "completed"})))
    service = Service(
        base_url=f"{stub.url}/v1", key_variable="K", key=Secret(CANARY), timeout_seconds=5
    )
    model = compatible.KITS[0].model
    client = hang_up(provider(service, model))
    client.submit(staged(client, tmp_path), tmp_path, LABELS)
    client.poll("batch_1")
    with pytest.raises(ProviderReplyUnreadable):
        client.ask(request_line())
    heads = [call.head for call in stub.calls]
    assert len(heads) == 4
    assert all(f"Bearer {CANARY}".encode() in head for head in heads)
    assert not any(b"secret-of-openai" in head for head in heads)


def test_openai_itself_gets_what_is_set_up_for_it(
    server: Serve, connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-gateway: g-1")
    stub = server()
    stub.spoil(("POST", ".*"), instead(reply(200, completion())))
    connect(f"{stub.url}/v1").ask(request_line())
    (call,) = stub.calls
    found = [call.headers[name] for name in ("openai-organization", "openai-project", "x-gateway")]
    assert found == ["org-1", "proj-1", "g-1"]


def service_at(url: str, key: str | None = None) -> Service:
    return Service(
        base_url=url,
        key_variable="COMPATIBLE_API_KEY",
        key=None if key is None else Secret(key),
        timeout_seconds=5,
    )


def test_a_server_on_this_machine_may_want_no_key(
    server: Serve, tmp_path: Path, hang_up: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-openai")
    stub = server()
    stub.spoil(("POST", ".*"), instead(reply(200, completion())))
    service = service_at(f"{stub.url}/v1")
    assert CompatibleBatch.missing(service) is None
    client = hang_up(CompatibleBatch(service, compatible.KITS[0].model))
    assert client.decode(client.ask(request_line())).text == "Q1. 80"
    assert stub.calls[0].headers["authorization"] == "Bearer no-key"
    path = write_requests(client, tmp_path)
    stub.spoil(("POST", ".*"), instead(reply(401, {"error": "no-key is not one of my keys"})))
    with pytest.raises(ProviderRefused, match="check COMPATIBLE_API_KEY"):
        client.stage(path, "a.jsonl", look_first=False)


@pytest.mark.parametrize(
    ("service", "says"),
    [
        (service_at(""), "set provider.base_url or COMPATIBLE_BASE_URL"),
        (service_at("", "k"), "COMPATIBLE_API_KEY"),
        (service_at("https://llm.example/v1"), "set the environment variable COMPATIBLE_API_KEY"),
        (service_at("https://llm.example/v1", "k"), None),
        (service_at("http://localhost:11434/v1"), None),
        (service_at("http://[::1]:8000/v1"), None),
    ],
)
def test_what_a_compatible_service_still_needs_is_said_in_one_line(
    service: Service, says: str | None
) -> None:
    missing = CompatibleBatch.missing(service)
    if says is None:
        assert missing is None
    else:
        assert missing is not None
        assert says in missing
        assert "\n" not in missing


def test_a_key_is_wanted_everywhere_else() -> None:
    for provider in (OpenAIBatch, KlusterBatch):
        assert "COMPATIBLE_API_KEY" in (provider.missing(service_at("http://127.0.0.1/v1")) or "")
        assert provider.missing(service_at("https://x.example/v1", "k")) is None
