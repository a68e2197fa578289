"""The JSON objects of Anthropic's messages and message batches, and the errors of its API."""

from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from starlette.responses import JSONResponse, Response

from runner.emulator.answers import Reply
from runner.emulator.records import Batch, Fate, Stage

_WINDOW = timedelta(hours=24).total_seconds()
KEPT = timedelta(days=29).total_seconds()
_DATED = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}
_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_THOUGHT = "まず形式を確かめます。Q1. 面白さ(数値): 1 では低すぎるので、考え直します。"
"""What a reader takes for an answer who does not skip the thinking."""
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


class AnthropicError(Exception):
    """An error reply in Anthropic's shape."""

    def __init__(self, status: int, message: str) -> None:
        """Keep what the reply will say."""
        super().__init__(message)
        self.status = status

    def response(self, headers: dict[str, str] | None = None) -> Response:
        """Make the reply."""
        kind = _KINDS.get(
            self.status, "api_error" if self.status >= 500 else "invalid_request_error"
        )
        request_id = f"req_{token_hex(12)}"
        body = error_object(kind, str(self), request_id)
        return JSONResponse(body, self.status, {**(headers or {}), "request-id": request_id})


def error_object(kind: str, message: str, request_id: str) -> dict[str, object]:
    """Write an error: what went wrong stands one level down."""
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": request_id}


def batch_object(batch: Batch, requests: int, now: float, results_url: str) -> dict[str, object]:
    """Write a batch as it stands now; its counts stay at nothing until all of it has ended."""
    stage = batch.stage(now)
    is_over = stage.is_terminal
    is_archived = now >= batch.created_at + KEPT
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": _status(stage),
        "request_counts": _counts(batch, requests, is_over=is_over),
        "created_at": _written(batch.created_at),
        "expires_at": _written(batch.created_at + _WINDOW),
        "ended_at": _written(batch.over_at) if is_over else None,
        "archived_at": _written(batch.created_at + KEPT) if is_archived else None,
        "cancel_initiated_at": None if batch.cancel_at is None else _written(batch.cancel_at),
        "results_url": results_url if is_over and not is_archived else None,
    }


def _status(stage: Stage) -> str:
    if stage.is_terminal:
        return "ended"
    return "canceling" if stage is Stage.CANCELLING else "in_progress"


def _counts(batch: Batch, requests: int, *, is_over: bool) -> dict[str, int]:
    unrun = requests - batch.completed - batch.failed
    is_expired = batch.fate == Fate.EXPIRE and batch.cancel_at is None
    return {
        "processing": 0 if is_over else requests,
        "succeeded": batch.completed if is_over else 0,
        "errored": batch.failed if is_over else 0,
        "canceled": unrun if is_over and not is_expired else 0,
        "expired": unrun if is_over and is_expired else 0,
    }


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def page(objects: list[dict[str, Any]], *, has_more: bool) -> dict[str, object]:
    """Write one page of a list."""
    return {
        "data": objects,
        "has_more": has_more,
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
    }


def message_object(message_id: str, model: str, reply: Reply, tier: str) -> dict[str, object]:
    """Write an answer; the thinking, if there was any, comes before the text."""
    is_refusal = reply.refusal is not None or reply.finish == "content_filter"
    content: list[dict[str, object]] = []
    if reply.reasoning_tokens:
        content.append({"type": "thinking", "thinking": _THOUGHT, "signature": "EmUKAkVt"})
    if text := reply.content or reply.refusal:
        content.append({"type": "text", "text": text})
    return {
        "id": f"msg_01{message_id[:22]}",
        "type": "message",
        "role": "assistant",
        "model": _DATED.get(model, model),
        "content": content,
        "stop_reason": "refusal" if is_refusal else _STOP_REASONS[reply.finish],
        "stop_sequence": None,
        "stop_details": _REFUSED if is_refusal else None,
        "usage": {
            "input_tokens": reply.prompt_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": reply.completion_tokens,
            "output_tokens_details": {"thinking_tokens": reply.reasoning_tokens},
            "service_tier": tier,
        },
    }


_REFUSED = {"type": "refusal", "category": None, "explanation": None}
