"""The lines of Mistral's batch files: the model is the job's, and thoughts are a part of the content."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.openai_rows import OpenAIRows
from runner.emulator.records import Batch
from runner.emulator.running import Checked, Ids

MAX_REQUESTS = 100_000
"""What one page of the documents says; another says a million."""


class MistralRows(OpenAIRows):
    """Reads and writes lines as Mistral does."""

    fails_whole = False
    reasons = re.compile(r"(?!)")
    always = re.compile(r"^(?:magistral|mistral-large-4)")
    """Models that think unless they are told how much, and then, too."""
    can = re.compile(r"^mistral-(?:small-(?:2603|latest)|medium-(?:3[-.]5|2604|latest))")
    """Models that think when they are told to."""

    def __init__(self, model: str = "") -> None:
        """Take the model of a job; "" where none is known yet."""
        self._model = model

    def of(self, batch: Batch) -> "MistralRows":
        """Return what reads the lines of this job."""
        return MistralRows(batch.model or "")

    def first_model(self, path: Path) -> str | None:
        """Return the model: the job's, whatever stands in the lines."""
        return self._model or None

    def check(self, path: Path, endpoint: str) -> Checked:
        """Count the lines; one that is no request, and nothing runs."""
        total = doomed = broken = 0
        with path.open("rb") as lines:
            for line in lines:
                total += 1
                request = _request(line)
                broken += request is None
                doomed += bool(request and self.refusal(self._model, request["body"]))
        problems = {
            "The input file has no requests.": int(total == 0),
            "Invalid batch line: 'custom_id' and 'body' are required.": broken,
            f"A batch has at most {MAX_REQUESTS} requests.": int(total > MAX_REQUESTS),
        }
        errors = [{"message": text, "count": times} for text, times in problems.items() if times]
        return Checked(self._model, total, doomed, tuple(errors))

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id, and what is asked or the body of a refusal of this row."""
        request = orjson.loads(line)
        refusal = self.refusal(self._model, request["body"])
        if refusal is not None:
            return self._model, request["custom_id"], orjson.dumps(error_of(refusal))
        asked = self.asked(self._model, request["custom_id"], request["body"])
        return self._model, request["custom_id"], asked

    def refusal(self, model: str, body: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the error with which this request alone is refused."""
        effort = body.get("reasoning_effort")
        if effort is not None and not (self.can.match(model) or self.always.match(model)):
            message = f"reasoning_effort is not supported by {model}"
            return {"message": message, "param": "reasoning_effort", "code": "invalid_value"}
        temperature = body.get("temperature")
        if isinstance(temperature, int | float) and temperature > 1.5:
            message = "temperature: Input should be less than or equal to 1.5"
            return {"message": message, "param": "temperature", "code": "invalid_value"}
        if "max_completion_tokens" in body:
            message = "max_completion_tokens: Extra inputs are not permitted"
            return {"message": message, "param": "max_completion_tokens", "code": "invalid_value"}
        return super().refusal(model, body)

    def asked(self, model: str, custom_id: str, body: Mapping[str, Any]) -> ChatRequest:
        """Return what a request that is not refused asks."""
        asked = super().asked(model, custom_id, body)
        is_told = body.get("reasoning_effort") not in (None, "none")
        thinks = bool(self.always.match(model) or (is_told and self.can.match(model)))
        fields = {name: getattr(asked, name) for name in asked.__slots__}
        return ChatRequest(**{**fields, "reasons_first": thinks})

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, object]:
        """Write an answer as a chat completion: what was thought is a part of its own."""
        text = reply.content or reply.refusal or ""
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Q1. 面白さ: 0?"}]}
        content: object = text
        if reply.reasoning_tokens:
            content = [thought, *([{"type": "text", "text": text}] if text else [])]
        return {
            "id": ids.completion[:32],
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "length" if reply.finish == "length" else "stop",
                    "message": {
                        "role": "assistant",
                        "content": content,
                        "tool_calls": None,
                        "prefix": False,
                    },
                }
            ],
            "usage": {
                "prompt_tokens": reply.prompt_tokens,
                "completion_tokens": reply.completion_tokens,
                "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            },
        }

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the output line of an answer."""
        body = self.completion(model, ids, reply, created)
        return _line(ids, custom_id, 200, body, None)

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the error line of a request that was refused."""
        return _line(ids, custom_id, 400, orjson.loads(body), None)

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the error line of a request the service failed at: its error is a text."""
        return _line(ids, custom_id, 500, None, "Internal server error")

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write nothing: only the job's state tells of a request that it never came to."""
        return b""


def error_of(refusal: Mapping[str, object]) -> dict[str, object]:
    """Write an error in Mistral's shape."""
    return {
        "object": "error",
        "message": refusal["message"],
        "type": "invalid_request_error",
        "param": refusal.get("param"),
        "code": refusal.get("code"),
    }


def _request(line: bytes) -> dict[str, Any] | None:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(request, dict) or not isinstance(request.get("custom_id"), str):
        return None
    return request if isinstance(request.get("body"), dict) else None


def _line(ids: Ids, custom_id: str, status: int, body: object, error: str | None) -> bytes:
    line = {
        "id": f"batch-{ids.row[:20]}",
        "custom_id": custom_id,
        "response": {"status_code": status, "body": body},
        "error": error,
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
