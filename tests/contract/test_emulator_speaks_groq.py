"""The emulator answers as Groq does, checked with Groq's own client over a real socket."""

import io
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import groq
import pytest
from groq import Groq
from groq.types import (
    BatchCancelResponse,
    BatchCreateResponse,
    BatchListResponse,
    BatchRetrieveResponse,
    FileCreateResponse,
    FileDeleteResponse,
    FileInfoResponse,
    FileListResponse,
)
from groq.types.chat import ChatCompletion
from pydantic import BaseModel

from tests.contract.conftest import Emulator

Line = dict[str, Any]
Start = Callable[..., Emulator]
Reply = TypeVar("Reply", bound=BaseModel)
ENDED = ("completed", "failed", "expired", "cancelled")
MODEL = "llama-3.3-70b-versatile"
FORM = "Q1. 面白さ(数値): [0-100]\nQ1. 面白さ(理由): [説明]\n"


def strict(model: type[Reply], text: str, *undeclared: str) -> Reply:
    """Accept only what the vendor's model declares, with the types it declares."""
    found = json.loads(text)
    known = {name: value for name, value in found.items() if name not in undeclared}
    reply = model.model_validate_json(json.dumps(known), strict=True)
    assert not reply.model_extra, f"fields the vendor does not have: {reply.model_extra}"
    return reply


class Service:
    """Groq's client for one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.client = Groq(api_key="test-key", base_url=f"{emulator.url}/groq", max_retries=0)

    def upload(self, content: bytes, name: str = "run-1.jsonl") -> FileCreateResponse:
        raw = self.client.files.with_raw_response.create(
            file=(name, io.BytesIO(content)), purpose="batch"
        )
        return strict(FileCreateResponse, raw.text())

    def create(self, file_id: str, window: str = "24h", **more: Any) -> BatchCreateResponse:
        raw = self.client.batches.with_raw_response.create(
            input_file_id=file_id,
            endpoint="/v1/chat/completions",
            completion_window=window,
            **more,
        )
        return strict(BatchCreateResponse, raw.text())

    def look(self, batch_id: str) -> Line:
        """Return a batch as it is on the wire; its errors are no list object."""
        text = self.client.batches.with_raw_response.retrieve(batch_id).text()
        strict(BatchRetrieveResponse, text, "errors")
        batch: Line = json.loads(text)
        return batch

    def ended(self, content: bytes) -> Line:
        """Upload, create and wait for the end."""
        batch_id = self.create(str(self.upload(content).id)).id
        while (batch := self.look(batch_id))["status"] not in ENDED:
            time.sleep(0.02)
        return batch

    def rows(self, file_id: str | None) -> list[Line]:
        if file_id is None:
            return []
        content = self.client.files.content(file_id).read()
        return [json.loads(line) for line in content.split(b"\n")[:-1]]


@pytest.fixture
def service(well: Emulator) -> Any:
    """Speak to an emulator that behaves well."""
    made = Service(well)
    yield made
    made.client.close()


@pytest.fixture
def fresh(emulator: Start) -> Any:
    """Speak to emulators of one's own."""
    made: list[Service] = []

    def start(**behaviour: Any) -> Service:
        made.append(Service(emulator(**behaviour)))
        return made[-1]

    yield start
    for one in made:
        one.client.close()


def line(
    custom_id: str, url: str = "/v1/chat/completions", method: str = "POST", **body: Any
) -> bytes:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": FORM}], "temperature": 0.7}
    request = {"custom_id": custom_id, "method": method, "url": url, "body": asked | body}
    return json.dumps(request, ensure_ascii=False).encode() + b"\n"


def lines(prefix: str, count: int) -> bytes:
    return b"".join(line(f"{prefix}-{n:03}") for n in range(count))


# Files


def test_a_file_has_the_fields_of_groq_and_no_status(service: Service) -> None:
    made = service.upload(lines("file", 2))
    assert str(made.id).startswith("file_01")
    assert len(str(made.id)) == len("file_01jh6x76wtemjr74t1fh0faj5t")
    info = strict(
        FileInfoResponse, service.client.files.with_raw_response.info(str(made.id)).text()
    )
    assert info.model_dump() == made.model_dump()
    listed = service.client.files.with_raw_response.list().text()
    assert info.id in [file.id for file in strict(FileListResponse, listed).data]
    assert set(json.loads(listed)) == {"object", "data"}
    gone = service.client.files.with_raw_response.delete(str(made.id)).text()
    assert strict(FileDeleteResponse, gone).id == made.id
    for call in (service.client.files.info, service.client.files.content):
        with pytest.raises(groq.NotFoundError):
            call(str(made.id))
    with pytest.raises(groq.BadRequestError, match="No such File"):
        service.create(str(made.id))


def test_a_file_of_another_service_is_not_known(service: Service, well: Emulator) -> None:
    import openai

    with openai.OpenAI(api_key="test-key", base_url=f"{well.url}/v1", max_retries=0) as other:
        theirs = other.files.create(file=("a.jsonl", lines("other", 1)), purpose="batch")
    for name in (theirs.id, theirs.id.replace("file-", "file_01")):
        with pytest.raises(groq.NotFoundError):
            service.client.files.info(name)


def test_more_than_100_mb_are_not_taken(service: Service) -> None:
    with pytest.raises(groq.BadRequestError, match="larger than"):
        service.upload(b"x" * (100 * 2**20 + 1))


# Batches


def test_a_batch_goes_the_whole_way(fresh: Callable[..., Service]) -> None:
    service = fresh(validating_seconds=0.1, in_progress_seconds=0.2, finalizing_seconds=0.1)
    file_id = str(service.upload(lines("flow", 20)).id)
    created = service.create(file_id, "7d", metadata={"run": "r1"})
    assert created.id.startswith("batch_01")
    assert (created.status, created.completion_window) == ("validating", "7d")
    assert created.expires_at == created.created_at + 7 * 86_400
    looks = [service.look(created.id)]
    while looks[-1]["status"] != "completed":
        time.sleep(0.02)
        looks.append(service.look(created.id))
    stages = list(dict.fromkeys(look["status"] for look in looks))
    assert stages == ["validating", "in_progress", "finalizing", "completed"]
    last = looks[-1]
    assert last["metadata"] == {"run": "r1"}
    assert last["input_file_id"] == file_id
    assert last["errors"] is None
    assert last["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
    assert {"model", "usage"}.isdisjoint(last)
    rows = service.rows(last["output_file_id"])
    assert sorted(row["custom_id"] for row in rows) == [f"flow-{n:03}" for n in range(20)]
    for row in rows:
        assert set(row) == {"id", "custom_id", "response", "error"}
        completion = strict(ChatCompletion, json.dumps(row["response"]["body"]))
        assert completion.model == MODEL
        assert completion.x_groq
        assert completion.usage
        assert completion.usage.total_time
    assert service.emulator.bill()["requests_billed"] == 20


@pytest.mark.parametrize("window", ["24h", "36h", "1d", "3d", "7d", "168h"])
def test_windows_from_a_day_to_a_week_are_taken(service: Service, window: str) -> None:
    file_id = str(service.upload(lines(f"window-{window}", 1)).id)
    assert service.create(file_id, window).completion_window == window


@pytest.mark.parametrize("window", ["1h", "23h", "8d", "169h", "week", "24", ""])
def test_other_windows_are_not(service: Service, window: str) -> None:
    file_id = str(service.upload(lines("none", 1)).id)
    before = service.emulator.batches()
    with pytest.raises(groq.BadRequestError):
        service.create(file_id, window)
    assert service.emulator.batches() == before


def test_bad_lines_fail_alone_and_are_told_in_a_bare_array(service: Service) -> None:
    content = (
        line("ok-1")
        + b"not json\n"
        + line("get", method="GET")
        + line("elsewhere", url="/v1/embeddings")
        + line("no-model", model=None)
        + line("ok-2", model="llama-3.1-8b-instant")
    )
    batch = service.ended(content)
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 6, "completed": 2, "failed": 4}
    assert [(e["code"], e["line"], e["param"]) for e in batch["errors"]] == [
        ("invalid_json", 2, None),
        ("invalid_method", 3, "method"),
        ("invalid_url", 4, "url"),
        ("invalid_body", 5, "model"),
    ]
    assert "Invalid value: 'GET'. Supported values are: 'POST'" in batch["errors"][1]["message"]
    answered = [row["custom_id"] for row in service.rows(batch["output_file_id"])]
    failed = [row["custom_id"] for row in service.rows(batch["error_file_id"])]
    assert answered == ["ok-1", "ok-2"]
    assert failed == [None, "get", "elsewhere", "no-model"]


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 2.5},
        {"n": 2},
        {"logprobs": True},
        {"metadata": {"a": "b"}},
        {"messages": []},
        {"max_completion_tokens": 0},
    ],
)
def test_a_request_that_groq_does_not_take_is_refused_alone(service: Service, body: Line) -> None:
    name = next(iter(body))
    batch = service.ended(line(f"bad-{name}", **body) + line(f"good-{name}"))
    assert batch["errors"] is None
    (row,) = service.rows(batch["error_file_id"])
    assert (row["custom_id"], row["response"]["status_code"]) == (f"bad-{name}", 400)
    assert row["response"]["body"]["error"]["type"] == "invalid_request_error"


def test_both_names_of_the_cap_and_a_reasoning_effort_are_taken(service: Service) -> None:
    content = line("a", max_tokens=50) + line(
        "b", max_completion_tokens=50, model="openai/gpt-oss-20b", reasoning_effort="low"
    )
    assert service.ended(content)["request_counts"]["completed"] == 2


def test_a_cancelled_batch_keeps_what_ran(fresh: Callable[..., Service]) -> None:
    service = fresh(in_progress_seconds=0.6)
    batch_id = service.create(str(service.upload(lines("cancel", 100)).id)).id
    while not service.look(batch_id)["request_counts"]["completed"]:
        time.sleep(0.02)
    raw = service.client.batches.with_raw_response.cancel(batch_id).text()
    assert strict(BatchCancelResponse, raw).status in ("cancelling", "cancelled")
    while (batch := service.look(batch_id))["status"] != "cancelled":
        time.sleep(0.02)
    done, rest = service.rows(batch["output_file_id"]), service.rows(batch["error_file_id"])
    assert done
    assert {row["error"]["code"] for row in rest} == {"batch_cancelled"}
    assert len(done) + len(rest) == 100
    assert service.emulator.bill()["requests_billed"] == len(done)


def test_an_empty_file_and_a_file_that_is_gone_fail_as_a_whole(
    fresh: Callable[..., Service],
) -> None:
    service = fresh(validating_seconds=0.2)
    empty = service.ended(b"")
    assert (empty["status"], empty["errors"][0]["code"]) == ("failed", "empty_file")
    file_id = str(service.upload(lines("gone", 2)).id)
    batch_id = service.create(file_id).id
    service.client.files.delete(file_id)
    while (batch := service.look(batch_id))["status"] == "validating":
        time.sleep(0.02)
    assert (batch["status"], batch["errors"][0]["code"]) == ("failed", "file_not_found")
    assert service.emulator.bill()["requests_billed"] == 0


# Lists


def test_batches_go_by_cursor_and_know_no_limit(fresh: Callable[..., Service]) -> None:
    service = fresh()
    file_id = str(service.upload(lines("page", 1)).id)
    made = [service.create(file_id).id for _ in range(45)]
    seen: list[str] = []
    sizes: list[int] = []
    query: dict[str, object] = {"limit": 3, "after": made[0]}
    while True:
        raw = service.client.batches.with_raw_response.list(extra_query=query).text()
        page = strict(BatchListResponse, raw, "paging")
        assert set(json.loads(raw)) == {"object", "data", "paging"}
        seen += [batch.id for batch in page.data]
        sizes.append(len(page.data))
        cursor = json.loads(raw)["paging"]["next_cursor"]
        if cursor is None:
            break
        query = {"cursor": cursor}
    assert sizes == [20, 20, 5]
    assert seen == made[::-1]
    with pytest.raises(groq.BadRequestError, match="cursor"):
        service.client.batches.list(extra_query={"cursor": "cursor_nonsense"})


def test_up_to_200_batches_can_be_named(fresh: Callable[..., Service]) -> None:
    service = fresh(late_list_seconds=60)
    file_id = str(service.upload(lines("named", 1)).id)
    made = [service.create(file_id).id for _ in range(3)]
    assert service.client.batches.list().data == []
    wanted = {"id": [made[0], "batch_01nowhere", made[2]]}
    url = f"{service.client.base_url}openai/v1/batches?" + "&".join(
        f"id={name}" for name in wanted["id"]
    )
    found = service.client.get(url, cast_to=BatchListResponse)
    assert [batch.id for batch in found.data] == [made[0], made[2]]
    many = "&".join(f"id=batch_{n}" for n in range(201))
    with pytest.raises(groq.BadRequestError, match="200"):
        service.client.get(f"{service.client.base_url}openai/v1/batches?{many}", cast_to=object)


# Chat, and who may enter


def test_a_chat_completion_is_as_declared(service: Service) -> None:
    raw = service.client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": FORM}], temperature=0.2
    )
    completion = strict(ChatCompletion, raw.text())
    assert "面白さ(数値)" in (completion.choices[0].message.content or "")
    assert raw.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 3},
        {"n": 2},
        {"messages": []},
        {"extra_body": {"logit_bias": {"1": 2}}},
        {"stream": True},
    ],
)
def test_a_bad_chat_is_a_400_and_costs_nothing(service: Service, change: Line) -> None:
    before = service.emulator.bill()["chats_billed"]
    wanted = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(groq.BadRequestError) as caught:
        service.client.chat.completions.create(**wanted | change)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["message"]
    assert service.emulator.bill()["chats_billed"] == before


def test_refusals_and_filtered_answers_come_in_groqs_words(fresh: Callable[..., Service]) -> None:
    service = fresh(malformed=1.0)
    rows = service.rows(service.ended(lines("odd", 200))["output_file_id"])
    choices = [
        strict(ChatCompletion, json.dumps(row["response"]["body"])).choices[0] for row in rows
    ]
    assert {choice.finish_reason for choice in choices} == {"stop", "length"}
    assert any("申し訳" in (choice.message.content or "") for choice in choices)
    assert all(choice.message.content is not None for choice in choices)


def test_a_real_key_is_turned_away(well: Emulator) -> None:
    with Groq(api_key="gsk_abcdef", base_url=f"{well.url}/groq", max_retries=0) as client:
        with pytest.raises(groq.AuthenticationError, match="real key must not be sent"):
            client.batches.list()
        with pytest.raises(groq.AuthenticationError):
            client.chat.completions.create(model=MODEL, messages=[])


@pytest.mark.parametrize("fault", ["lost_create_reply", "failed_create_reply"])
def test_a_doubtful_create_leaves_one_batch(fresh: Callable[..., Service], fault: str) -> None:
    service = fresh(**{fault: 1.0})
    file_id = str(service.upload(lines("lost", 2)).id)
    with pytest.raises((groq.APIConnectionError, groq.InternalServerError)):
        service.create(file_id)
    (found,) = service.client.batches.list().data
    assert found.input_file_id == file_id
