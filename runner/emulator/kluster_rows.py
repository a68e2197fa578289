"""The lines of kluster.ai's batch files, as its documents of 2025 have them."""

import orjson

from runner.emulator.answers import Reply
from runner.emulator.openai_rows import CompatibleRows
from runner.emulator.running import Ids


class KlusterRows(CompatibleRows):
    """Reads lines as OpenAI does; writes no error where there is none."""

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, object]:
        """Write an answer as a chat completion, as vLLM writes it."""
        message = {
            "role": "assistant",
            "content": reply.content or reply.refusal or "",
            "tool_calls": [],
        }
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
                    "finish_reason": reply.finish,
                    "stop_reason": None,
                }
            ],
            "usage": {
                "prompt_tokens": reply.prompt_tokens,
                "total_tokens": reply.prompt_tokens + reply.completion_tokens,
                "completion_tokens": reply.completion_tokens,
                "prompt_tokens_details": None,
            },
            "prompt_logprobs": None,
        }

    def line(
        self,
        ids: Ids,
        custom_id: str | None,
        response: dict[str, object] | None,
        error: dict[str, str] | None,
    ) -> bytes:
        """Write a line of either file."""
        line: dict[str, object] = {
            "id": f"batch-req-{ids.row}",
            "custom_id": custom_id,
            "response": response,
        }
        if error is not None:
            line["error"] = error
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
