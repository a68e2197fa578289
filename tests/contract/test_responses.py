"""OpenAI's Responses API, for models that exist only there: lines out, and what is made of lines."""

import io
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import openai
import orjson
import pytest
from openai.types.responses import Response

from runner.core.model import Model, Reply, ReplyKind, Usage
from runner.providers.openai import OpenAIBatch, OpenAIOptions
from tests.contract.case import LABELS, condition_of, prompt_of, staged, until_ended
from tests.contract.conftest import Emulator
from tests.contract.kits.openai import KITS
from tests.contract.spoiled import instead, reply

CHAT = replace(KITS[0].model, name="gpt-5.4-pro", parameters={})
MODEL = replace(CHAT, endpoint="responses")
Connect = Callable[..., Any]


def read(*output: Any, **body: Any) -> Reply:
    whole = {
        "object": "response",
        "status": "completed",
        "model": "gpt-5.4-pro-2026-03-05",
        "created_at": 1795960000,
        "error": None,
        "output": list(output),
        "usage": {"input_tokens": 9, "output_tokens": 92, "total_tokens": 101},
    } | body
    response = {"status_code": 200, "request_id": "req_1", "body": whole}
    line = {"id": "batch_req_1", "custom_id": "x", "response": response, "error": None}
    return OpenAIBatch(None, MODEL).decode(orjson.dumps(line))  # type: ignore[arg-type]


def message(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(parts)} | more


def text(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def line_of(model: Model) -> dict[str, Any]:
    frame = OpenAIBatch(None, model).encode(condition_of("0.7"), prompt_of())  # type: ignore[arg-type]
    line: dict[str, Any] = orjson.loads(frame.before + b"x" + frame.after)
    return line


def test_a_line_asks_the_same_in_the_words_of_its_endpoint() -> None:
    chat, responses = line_of(CHAT), line_of(MODEL)
    assert chat["url"] == "/v1/chat/completions"
    assert responses["url"] == "/v1/responses"
    assert responses["body"] == {
        "model": "gpt-5.4-pro",
        "input": chat["body"]["messages"],
        "max_output_tokens": chat["body"]["max_completion_tokens"],
        "temperature": 0.7,
    }


def test_an_answer_is_its_final_words() -> None:
    reply = read(
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Q1. 12"}]},
        message(text("I rate it 1 to 100."), phase="commentary"),
        message(text("Q1. "), text("80"), phase="final_answer"),
    )
    assert (reply.kind, reply.text, reply.finish_reason) == (ReplyKind.ANSWER, "Q1. 80", "stop")
    assert reply.model == "gpt-5.4-pro-2026-03-05"
    assert reply.usage == Usage(input_tokens=9, output_tokens=92)
    assert reply.answered_at == 1795960000


@pytest.mark.parametrize(
    ("body", "finish"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": None}, "incomplete"),
        ({"status": "in_progress"}, "in_progress"),
        ({"status": None}, None),
    ],
)
def test_an_answer_that_was_cut_is_no_whole_one(body: dict[str, Any], finish: str | None) -> None:
    reply = read(message(text("Q1. 8")), **body)
    assert (reply.kind, reply.finish_reason) == (ReplyKind.ANSWER, finish)


def test_a_refusal_is_one() -> None:
    reply = read(message({"type": "refusal", "refusal": "No."}))
    assert (reply.text, reply.finish_reason) == ("No.", "refusal")


@pytest.mark.parametrize(
    "output",
    [
        {"type": "custom_tool_call", "input": "Q1. 80"},
        message({"type": "output_audio", "transcript": "Q1. 80"}),
        message("Q1. 80"),
        {"type": "message", "content": "Q1. 80"},
        "Q1. 80",
    ],
)
def test_words_in_another_place_are_kept_and_not_read(output: Any) -> None:
    reply = read(message(text("Q1. 20")), output)
    assert (reply.kind, reply.text) == (ReplyKind.UNREADABLE, "")
    assert reply.error is not None
    assert "its text stands in" in reply.error


def test_a_failed_response_is_an_error_with_its_words() -> None:
    error = {"code": "server_error", "message": "The model failed."}
    reply = read(status="failed", error=error)
    assert reply.kind is ReplyKind.ERRORED
    assert reply.error == "server_error: The model failed."


def test_the_emulator_answers_as_the_openai_package_reads_it(well: Emulator) -> None:
    with openai.OpenAI(api_key="test-key", base_url=f"{well.url}/v1", max_retries=0) as client:
        response = client.responses.create(
            model="gpt-5.4-pro", input="Q1. fun (number): [0-100]", max_output_tokens=900
        )
    assert isinstance(response, Response)
    assert Response.model_validate(response.to_dict()) == response
    assert response.status == "completed"
    phases = [item.phase for item in response.output if item.type == "message"]
    assert phases == ["commentary", "final_answer"]
    assert response.usage is not None
    assert response.usage.output_tokens > 0


@pytest.mark.parametrize("model", [CHAT, MODEL], ids=["chat", "responses"])
@pytest.mark.parametrize("tier", ["default", "flex"])
def test_a_tier_is_asked_for_in_single_requests_only(
    server: Callable[..., Any], connect: Connect, model: Model, tier: str
) -> None:
    stub = server()
    stub.spoil(("POST", "/.*"), instead(reply(400, {"error": {"message": "No.", "code": "x"}})))
    options = OpenAIOptions(service_tier=tier)
    service = replace(KITS[0].service(stub.url, "test-key", 10), options=options)
    client = OpenAIBatch(service, model)
    frame = client.encode(condition_of(None), prompt_of())
    line = frame.before + b"x" + frame.after
    assert b"service_tier" not in line
    client.ask(line)
    client.close()
    sent = orjson.loads(stub.calls[0].body)
    assert sent.pop("service_tier", "default") == tier
    assert sent == orjson.loads(line)["body"]


def test_a_batch_goes_through_it(connect: Connect, well: Emulator, tmp_path: Any) -> None:
    client = connect(
        f"{well.url}/v1", provider=OpenAIBatch, model=replace(MODEL, temperature_max=Decimal(2))
    )
    batch = staged(client, tmp_path)
    progress = until_ended(client, client.submit(batch, tmp_path / "requests.jsonl", LABELS))
    assert (progress.completed, progress.failed) == (0, batch.count)  # it takes no temperature
    sink = io.BytesIO()
    client.download(progress.files["error"], sink)
    replies = [client.decode(line) for line in sink.getvalue().splitlines()]
    assert {reply.kind for reply in replies} == {ReplyKind.REFUSED}
    request = orjson.loads((tmp_path / "requests.jsonl").read_bytes().splitlines()[0])
    del request["body"]["temperature"]
    answered = client.decode(client.ask(orjson.dumps(request)))
    assert (answered.kind, answered.finish_reason) == (ReplyKind.ANSWER, "stop")
