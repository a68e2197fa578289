"""What xAI's containers hold, kept in OpenAI's line format, and the results that come of it."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.openai_rows import OpenAIRows
from runner.emulator.running import Ids

TICKS = 10_000_000_000
"""Of a dollar; the price is pretended."""
_TICKS_A_TOKEN = TICKS // 1_000_000
_INVALID, _TOO_LATE, _CANCELLED, _INTERNAL = 3, 4, 1, 13
"""Of google.rpc.Code."""


class XaiRows(OpenAIRows):
    """Reads and writes what a container holds as xAI does; results are one list."""

    one_file = True
    fails_whole = False
    reasons = re.compile(r"(?!)")
    thinks = re.compile(r"^grok-(?:4\.[3-9]|4\.20-\d+-reasoning|4-1-fast-reasoning|3-mini)")
    """Models that think, unless they are told not to and can be."""
    unbatched = re.compile(r"^grok-4\.6")
    """Models that others were told have no batches."""

    def read(self, line: bytes) -> tuple[str, str, ChatRequest | bytes]:
        """Return model, custom_id, and what is asked or the body of a refusal of this row."""
        model, custom_id, wanted = super().read(line)
        if self.unbatched.match(model):
            message = f"Model {model} is not supported for batch processing."
            return model, custom_id, orjson.dumps({"error": {"message": message}})
        return model, custom_id, wanted

    def refusal(self, model: str, body: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the error with which this request alone is refused."""
        effort = body.get("reasoning_effort")
        if effort is not None and not self.thinks.match(model):
            message = f"Model {model} does not support parameter reasoningEffort."
            return {"message": message, "param": "reasoning_effort", "code": "invalid_value"}
        return super().refusal(model, body)

    def asked(self, model: str, custom_id: str, body: Mapping[str, Any]) -> ChatRequest:
        """Return what a request that is not refused asks."""
        asked = super().asked(model, custom_id, body)
        thinks = self.thinks.match(model) is not None and body.get("reasoning_effort") != "none"
        fields = {name: getattr(asked, name) for name in asked.__slots__}
        return ChatRequest(**{**fields, "reasons_first": thinks})

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, object]:
        """Write an answer as a chat completion: thoughts are counted beside it, and it has a cost."""
        said = reply.completion_tokens - reply.reasoning_tokens
        total = reply.prompt_tokens + reply.completion_tokens
        return {
            "id": ids.completion[:32],
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": reply.content or "",
                        "refusal": reply.refusal,
                    },
                    "finish_reason": reply.finish,
                }
            ],
            "usage": {
                "prompt_tokens": reply.prompt_tokens,
                "completion_tokens": said,
                "total_tokens": total,
                "prompt_tokens_details": {"text_tokens": reply.prompt_tokens, "cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
                "num_sources_used": 0,
                "cost_in_usd_ticks": total * _TICKS_A_TOKEN,
            },
            "system_fingerprint": f"fp_{ids.request[:10]}",
        }

    def answered(self, custom_id: str, model: str, ids: Ids, reply: Reply, created: int) -> bytes:
        """Write the result of an answer."""
        body = self.completion(model, ids, reply, created)
        return _result(custom_id, {"response": {"chat_get_completion": body}}, "")

    def refused(self, custom_id: str, ids: Ids, body: bytes) -> bytes:
        """Write the result of a request that was refused."""
        return _failure(custom_id, _INVALID, orjson.loads(body)["error"]["message"])

    def broke(self, custom_id: str, ids: Ids) -> bytes:
        """Write the result of a request the service failed at."""
        return _failure(custom_id, _INTERNAL, "Internal error.")

    def never_ran(self, custom_id: str, ids: Ids, is_expired: bool) -> bytes:
        """Write the result of a request that the batch never came to."""
        if is_expired:
            return _failure(custom_id, _TOO_LATE, "The batch expired.")
        return _failure(custom_id, _CANCELLED, "Cancelled.")


def _failure(custom_id: str, code: int, message: str) -> bytes:
    return _result(custom_id, {"error": {"code": code, "message": message}}, message)


def _result(custom_id: str, result: dict[str, object], message: str) -> bytes:
    row = {"batch_request_id": custom_id, "batch_result": result, "error_message": message}
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
