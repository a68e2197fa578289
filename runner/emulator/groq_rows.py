"""The lines of Groq's batch files: a line that is no request fails alone, and models may mix."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.openai_rows import (
    CHAT,
    MAX_REQUESTS,
    TOO_MANY,
    OpenAIRows,
    bad,
    batch_error,
)
from runner.emulator.running import Checked, Ids

_UNSUPPORTED = ("logprobs", "top_logprobs", "logit_bias", "metadata", "store")
"""What Groq's documents say no model of theirs takes."""
_TICK = 1e-4
"""Seconds a pretend token takes."""


class GroqRows(OpenAIRows):
    """Reads and writes lines as Groq does."""

    reasons = re.compile(r"(?!)")

    def check(self, path: Path, endpoint: str) -> Checked:
        """Count the rows that will fail; only a file that is empty or too long fails whole."""
        total = doomed = 0
        model: str | None = None
        with path.open("rb") as lines:
            for total, line in enumerate(lines, 1):
                if total > MAX_REQUESTS:
                    too_many = batch_error("too_many_tasks", TOO_MANY)
                    return Checked(model, total, doomed, (too_many,))
                line_model, _, wanted = self.read(line)
                model = model or line_model or None
                doomed += isinstance(wanted, bytes)
        empty = batch_error("empty_file", "The input file is empty.")
        return Checked(model, total, doomed, () if total else (empty,))

    def line_errors(self, path: Path, most: int = 20) -> list[dict[str, object]]:
        """List the lines that are no requests, as a batch shows them."""
        found: list[dict[str, object]] = []
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                _, error = _request(line)
                if error is not None:
                    found.append(
                        batch_error(
                            str(error["code"]),
                            str(error["message"]),
                            str(error["param"]) if error["param"] else None,
                            number,
                        )
                    )
                if len(found) == most:
                    break
        return found

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id ("" where there is none), and what is asked or a refusal."""
        request, error = _request(line)
        custom_id = request.get("custom_id")
        custom_id = custom_id if isinstance(custom_id, str) else ""
        body = request.get("body")
        model = body.get("model") if isinstance(body, dict) else None
        model = model if isinstance(model, str) else ""
        if error is None:
            error = self.refusal(model, request["body"])
        if error is not None:
            return model, custom_id, orjson.dumps({"error": error})
        return model, custom_id, self.asked(model, custom_id, request["body"])

    def refusal(self, model: str, body: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the error with which this request alone is refused."""
        for name in _UNSUPPORTED:
            if body.get(name):
                message = f"property '{name}' is unsupported"
                return bad(message, name, "unsupported_parameter")
        if body.get("n") not in (None, 1):
            return bad("'n' : number must be at most 1", "n", "invalid_value")
        return super().refusal(model, body)

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, object]:
        """Write an answer as a chat completion: with times, and a refusal in its text."""
        filtered = reply.finish == "content_filter"
        message = {"role": "assistant", "content": reply.content or reply.refusal or ""}
        asked, took = reply.prompt_tokens * _TICK, reply.completion_tokens * _TICK
        return {
            "id": f"chatcmpl-{ids.completion[:32]}",
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": None,
                    "finish_reason": "stop" if filtered else reply.finish,
                }
            ],
            "usage": {
                "queue_time": _TICK,
                "prompt_tokens": reply.prompt_tokens,
                "prompt_time": asked,
                "completion_tokens": reply.completion_tokens,
                "completion_time": took,
                "total_tokens": reply.prompt_tokens + reply.completion_tokens,
                "total_time": asked + took,
            },
            "system_fingerprint": f"fp_{ids.request[:10]}",
            "service_tier": "on_demand",
            "x_groq": {"id": f"req_{ids.request[:26]}"},
        }

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the error line of a request that was refused, or of a line that is none."""
        response = {"status_code": 400, "request_id": ids.request, "body": orjson.loads(body)}
        return self.line(ids, custom_id or None, response, None)


def _request(line: bytes) -> tuple[dict[str, Any], dict[str, object] | None]:
    """Return what a line holds, and why it is no request."""
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        request = None
    if not isinstance(request, dict):
        return {}, _invalid("json", "This line is not parseable as valid JSON.", None)
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if not isinstance(request.get(name), kind):
            return request, _invalid(name, f"Missing or invalid '{name}'.", name)
    for name, only in (("method", "POST"), ("url", CHAT)):
        if request[name] != only:
            message = f"Invalid value: '{request[name]}'. Supported values are: '{only}'"
            return request, _invalid(name, message, name)
    model = request["body"].get("model")
    if not isinstance(model, str) or not model:
        return request, _invalid("body", "Missing 'model'.", "model")
    return request, None


def _invalid(what: str, message: str, param: str | None) -> dict[str, object]:
    kind = "invalid_request_error"
    return {"message": message, "type": kind, "param": param, "code": f"invalid_{what}"}
