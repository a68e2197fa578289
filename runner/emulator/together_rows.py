"""The lines of Together's batch files: OpenAI's without method and url, and thoughts beside the content."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.openai_rows import MAX_REQUESTS, OpenAIRows
from runner.emulator.running import Checked, Ids

LONGEST_ID = 64


class TogetherRows(OpenAIRows):
    """Reads and writes lines as Together does."""

    fails_whole = False
    reasons = re.compile(r"(?!)")
    thinks = re.compile(
        r"(?:gpt-oss|GLM-5|DeepSeek-V4|Kimi-K3|MiniMax-M3|Qwen3\.[5-8])", re.IGNORECASE
    )
    """Models that think unless they are told not to."""

    def first_model(self, path: Path) -> str | None:
        """Return the model the first line asks for, if it can be read."""
        with path.open("rb") as lines:
            request = _request(lines.readline())
        return None if request is None else request["body"]["model"]

    def check(self, path: Path, endpoint: str) -> Checked:
        """Count the lines; one that is no request, and nothing runs."""
        total = doomed = 0
        model, problem = None, ""
        seen: set[str] = set()
        with path.open("rb") as lines:
            for total, line in enumerate(lines, 1):
                request = _request(line)
                if request is None or request["custom_id"] in seen:
                    problem = problem or f"line {total}: invalid request"
                    continue
                seen.add(request["custom_id"])
                model = model or request["body"]["model"]
                doomed += self.refusal(request["body"]["model"], request["body"]) is not None
        if not 1 <= total <= MAX_REQUESTS:
            problem = f"a batch has from 1 to {MAX_REQUESTS} requests"
        return Checked(model, total, doomed, ({"message": problem},) if problem else ())

    def asked(self, model: str, custom_id: str, body: Mapping[str, Any]) -> ChatRequest:
        """Return what a request that is not refused asks."""
        asked = super().asked(model, custom_id, body)
        told = body.get("reasoning")
        is_quiet = isinstance(told, dict) and told.get("enabled") is False
        fields = {name: getattr(asked, name) for name in asked.__slots__}
        thinks = self.thinks.search(model) is not None and not is_quiet
        return ChatRequest(**{**fields, "reasons_first": thinks})

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, object]:
        """Write an answer as a chat completion."""
        message = {"role": "assistant", "content": reply.content or reply.refusal or ""}
        if reply.reasoning_tokens:
            message["reasoning"] = "Q1. 面白さ: 0?"
        choice = {
            "index": 0,
            "finish_reason": reply.finish,
            "logprobs": None,
            "message": {**message, "tool_calls": []},
        }
        return {
            "id": ids.completion[:16],
            "object": "chat.completion",
            "created": created,
            "model": model,
            "prompt": [],
            "choices": [choice],
            "usage": {
                "prompt_tokens": reply.prompt_tokens,
                "completion_tokens": reply.completion_tokens,
                "total_tokens": reply.prompt_tokens + reply.completion_tokens,
                "cached_tokens": 0,
            },
        }

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the output line of an answer."""
        body = self.completion(model, ids, reply, created)
        return _line({"custom_id": custom_id, "response": {"status_code": 200, "body": body}})

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the error line of a request that was refused."""
        refusal = orjson.loads(body)["error"]
        error = {"message": refusal["message"], "code": "invalid_request"}
        return _line({"custom_id": custom_id, "error": error})

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the error line of a request the service failed at."""
        error = {"message": "Request timeout", "code": "timeout"}
        return _line({"custom_id": custom_id, "error": error})

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write nothing: only the batch's state tells of a request that it never came to."""
        return b""


def _request(line: bytes) -> dict[str, Any] | None:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    custom_id = request.get("custom_id") if isinstance(request, dict) else None
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= LONGEST_ID:
        return None
    body = request.get("body")
    is_one = isinstance(body, dict) and isinstance(body.get("model"), str)
    return request if is_one else None


def _line(row: dict[str, object]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
