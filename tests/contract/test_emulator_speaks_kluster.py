"""The emulator answers as kluster.ai's documents of 2025 say, checked with the OpenAI client."""

import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types import Batch, FileObject
from openai.types.chat import ChatCompletion

from tests.contract.conftest import Emulator

Line = dict[str, Any]
MODEL = "deepseek-ai/DeepSeek-V3-0324"
FORM = "Q1. 面白さ(数値): [0-100]\nQ1. 面白さ(理由): [説明]\n"
FILE = {"id", "bytes", "created_at", "filename", "object", "purpose"}
BATCH = {
    *("id", "object", "endpoint", "errors", "input_file_id", "completion_window", "status"),
    *("output_file_id", "error_file_id", "created_at", "in_progress_at", "expires_at"),
    *("finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at"),
    *("cancelled_at", "request_counts", "metadata"),
}
"""The fields in the documents' examples."""
TIMES = {name for name in BATCH if name.endswith("_at")}
COMPLETION = {"id", "object", "created", "model", "choices", "usage", "prompt_logprobs"}


@pytest.fixture
def client(well: Emulator) -> Iterator[OpenAI]:
    """Speak to an emulator that behaves well."""
    with OpenAI(api_key="test-key", base_url=f"{well.url}/kluster/v1", max_retries=0) as made:
        yield made


def lines(prefix: str, count: int, **body: Any) -> bytes:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": FORM}], "max_tokens": 900}
    return b"".join(
        json.dumps(
            {
                "custom_id": f"{prefix}-{n:03}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": asked | body,
            }
        ).encode()
        + b"\n"
        for n in range(count)
    )


def upload(client: OpenAI, content: bytes) -> FileObject:
    return client.files.create(file=("run-1.jsonl", io.BytesIO(content)), purpose="batch")


def create(client: OpenAI, file_id: str, window: str = "24h", **more: Any) -> Line:
    raw = client.batches.with_raw_response.create(
        input_file_id=file_id,
        endpoint="/v1/chat/completions",
        completion_window=window,  # type: ignore[arg-type]
        **more,
    )
    batch: Line = json.loads(raw.text)
    return batch


def look(client: OpenAI, batch_id: str) -> Line:
    batch: Line = json.loads(client.batches.with_raw_response.retrieve(batch_id).text)
    assert set(batch) == BATCH
    for name in TIMES:
        assert batch[name] is None or batch[name].isdigit(), name
    return batch


def ended(client: OpenAI, batch_id: str) -> Line:
    while (batch := look(client, batch_id))["status"] not in ("completed", "failed", "cancelled"):
        time.sleep(0.02)
    return batch


def rows(client: OpenAI, file_id: str) -> list[Line]:
    content = client.files.content(file_id).read()
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def test_a_file_has_no_status_and_a_time_in_words(client: OpenAI) -> None:
    made = upload(client, lines("file", 1))
    raw = json.loads(client.files.with_raw_response.retrieve(made.id).text)
    assert set(raw) == FILE
    assert raw["created_at"].isdigit()
    assert made.created_at == raw["created_at"]  # the SDK passes a word on for a number


@pytest.mark.parametrize(("window", "days"), [("24h", 1), ("48h", 2), ("72h", 3)])
def test_a_batch_goes_the_whole_way_in_each_window(client: OpenAI, window: str, days: int) -> None:
    file_id = upload(client, lines(f"whole-{window}", 5)).id
    created = create(client, file_id, window)
    assert set(created) == BATCH
    assert Batch.model_validate_json(json.dumps(created | {"completion_window": "24h"})).id
    assert created["expires_at"] == created["created_at"] + days * 86_400
    assert created["metadata"] == {}
    batch = ended(client, created["id"])
    assert (batch["status"], batch["completion_window"]) == ("completed", window)
    assert batch["output_file_id"] == f"{created['id']}-output"
    assert batch["error_file_id"] is None
    found = rows(client, batch["output_file_id"])
    assert [row["custom_id"] for row in found] == [f"whole-{window}-{n:03}" for n in range(5)]
    for row in found:
        assert set(row) == {"id", "custom_id", "response"}
        body = row["response"]["body"]
        assert set(body) == COMPLETION
        assert "stop_reason" in body["choices"][0]
        assert ChatCompletion.model_validate_json(json.dumps(body)).choices[0].message.content


@pytest.mark.parametrize("window", ["1h", "12h", "96h", "3d"])
def test_another_window_is_not_taken(client: OpenAI, window: str) -> None:
    with pytest.raises(openai.BadRequestError, match="24h, 48h, 72h"):
        create(client, upload(client, lines("no", 1)).id, window)


def test_a_batch_is_scheduled_before_it_is_validated(emulator: Callable[..., Emulator]) -> None:
    slow = emulator(validating_seconds=0.3)
    with OpenAI(api_key="test-key", base_url=f"{slow.url}/kluster/v1", max_retries=0) as client:
        created = create(client, upload(client, lines("slow", 2)).id, metadata={"run": "r1"})
        assert created["status"] == "validating"
        assert look(client, created["id"])["status"] == "pre_schedule"
        assert ended(client, created["id"])["metadata"] == {"run": "r1"}


def test_a_list_says_more_of_its_pages(emulator: Callable[..., Emulator]) -> None:
    own = emulator()
    with OpenAI(api_key="test-key", base_url=f"{own.url}/kluster/v1", max_retries=0) as client:
        file_id = upload(client, lines("page", 1)).id
        made = [create(client, file_id)["id"] for _ in range(5)]
        page = json.loads(client.batches.with_raw_response.list(limit=2).text)
        assert {name: page[name] for name in page if name != "data"} == {
            "object": "list",
            "first_id": made[4],
            "last_id": made[3],
            "has_more": True,
            "count": 2,
            "page": 1,
            "page_count": -1,
            "items_per_page": 2**63 - 1,
        }
        assert [batch.id for batch in client.batches.list(limit=2)] == made[::-1]


def test_what_failed_is_in_a_file_of_its_own(client: OpenAI) -> None:
    content = lines("good", 1) + lines("bad", 1, temperature=3)
    batch = ended(client, create(client, upload(client, content).id)["id"])
    assert batch["error_file_id"] == f"{batch['id']}-error"
    (row,) = rows(client, batch["error_file_id"])
    assert set(row) == {"id", "custom_id", "response"}
    assert row["response"]["status_code"] == 400
    with pytest.raises(openai.NotFoundError):
        client.files.content("batch_nowhere-output")


def test_a_bad_file_fails_as_a_whole(client: OpenAI) -> None:
    batch = ended(client, create(client, upload(client, b"not json\n").id)["id"])
    assert batch["status"] == "failed"
    assert batch["errors"]["data"][0]["code"] == "invalid_json_line"
    assert (batch["output_file_id"], batch["error_file_id"]) == (None, None)


def test_more_than_100_mb_are_not_taken(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="larger than"):
        upload(client, b"x" * (100 * 2**20 + 1))


def test_a_chat_completion_is_as_documented(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": FORM}], temperature=0.5
    )
    assert set(json.loads(raw.text)) == COMPLETION
    assert "面白さ(数値)" in (raw.parse().choices[0].message.content or "")


def test_each_service_keeps_to_itself(client: OpenAI, well: Emulator) -> None:
    theirs = upload(client, lines("theirs", 1)).id
    batch_id = create(client, theirs)["id"]
    for prefix in ("/v1", "/compatible/v1"):
        with OpenAI(api_key="test-key", base_url=f"{well.url}{prefix}", max_retries=0) as other:
            with pytest.raises(openai.NotFoundError):
                other.files.retrieve(theirs)
            with pytest.raises(openai.NotFoundError):
                other.batches.retrieve(batch_id)
            with pytest.raises(openai.BadRequestError, match="No such File"):
                other.batches.create(
                    input_file_id=theirs,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                )
            assert theirs not in [file.id for file in other.files.list()]
            assert batch_id not in [batch.id for batch in other.batches.list()]


def test_a_compatible_service_knows_no_reasoning_model_by_its_name(well: Emulator) -> None:
    base = f"{well.url}/compatible/v1"
    with OpenAI(api_key="test-key", base_url=base, max_retries=0) as other:
        made = other.chat.completions.create(
            model="gpt-5-at-home",
            messages=[{"role": "user", "content": FORM}],
            temperature=0.3,
            max_tokens=900,
        )
        assert made.choices[0].message.content
