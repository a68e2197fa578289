"""The lines of batch files for OpenAI's /v1/responses, and what a single response looks like.

A request is understood as the chat completion that it stands for; only the shapes differ.
"""

from collections.abc import Mapping
from typing import Any

from runner.emulator.answers import ChatRequest, Reply
from runner.emulator.openai_rows import OpenAIRows, bad
from runner.emulator.records import Batch
from runner.emulator.running import Ids

RESPONSES = "/v1/responses"
_OF_CHAT = (
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "reasoning_effort",
    "response_format",
)


class ResponsesRows(OpenAIRows):
    """Reads and writes lines as OpenAI does for this endpoint."""

    def refusal(self, model: str, body: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the error with which this request alone is refused."""
        for name in _OF_CHAT:
            if name in body:
                message = f"Unsupported parameter: '{name}'."
                return bad(message, name, "unsupported_parameter")
        return super().refusal(model, _as_chat(body))

    def asked(self, model: str, custom_id: str, body: Mapping[str, Any]) -> ChatRequest:
        """Return what a request that is not refused asks."""
        return super().asked(model, custom_id, _as_chat(body))

    def completion(self, model: str, ids: Ids, reply: Reply, created: int) -> dict[str, object]:
        """Write an answer as a response: what was thought, what was said on the way, the answer."""
        part: dict[str, object] = {"type": "output_text", "text": reply.content, "annotations": []}
        if reply.refusal:
            part = {"type": "refusal", "refusal": reply.refusal}
        cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.finish)
        message = {
            "id": f"msg_{ids.completion[:32]}",
            "type": "message",
            "role": "assistant",
            "status": "incomplete" if cut else "completed",
            "phase": "final_answer",
            "content": [part],
        }
        thought = {"id": f"rs_{ids.row[:32]}", "type": "reasoning", "summary": []}
        aside = {"type": "output_text", "text": "I rate it 1 to 100.", "annotations": []}
        on_the_way = {**message, "id": "msg_0", "phase": "commentary", "content": [aside]}
        return {
            "id": f"resp_{ids.completion[:32]}",
            "object": "response",
            "created_at": created,
            "completed_at": created,
            "status": "incomplete" if cut else "completed",
            "error": None,
            "incomplete_details": {"reason": cut} if cut else None,
            "model": model + "-2026-01-01",
            "output": [thought, on_the_way, message],
            "usage": {
                "input_tokens": reply.prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": reply.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
                "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            },
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "service_tier": "default",
        }


class OwnRows(OpenAIRows):
    """OpenAI's own lines, of whichever endpoint a batch is for."""

    def of(self, batch: Batch) -> OpenAIRows:
        """Return how the lines of this batch are written."""
        return ResponsesRows() if batch.endpoint == RESPONSES else self


def _as_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chat completion that a request stands for."""
    chat = {name: value for name, value in body.items() if name in ("model", "temperature")}
    turns = body.get("input")
    if isinstance(turns, str):
        turns = [{"role": "user", "content": turns}]
    if isinstance(turns, list):
        chat["messages"] = [_turn(turn) for turn in turns]
    if "max_output_tokens" in body:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    reasoning, text = body.get("reasoning"), body.get("text")
    if isinstance(reasoning, dict) and "effort" in reasoning:
        chat["reasoning_effort"] = reasoning["effort"]
    form = text.get("format") if isinstance(text, dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        chat["response_format"] = {"type": "json_schema", "json_schema": form}
    return chat


def _turn(turn: Any) -> Any:
    if not isinstance(turn, dict) or not isinstance(turn.get("content"), list):
        return turn
    return {**turn, "content": [_part(part) for part in turn["content"]]}


def _part(part: Any) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url")}}
    return {"type": "text", "text": part.get("text")} if kind == "input_text" else part
