"""Anthropic: no file, no name; an order is one call with all requests in its body."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import Kit

_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


class AnthropicKit(Kit):
    """The Messages API."""

    create = ("POST", "/anthropic/v1/messages/batches")
    find = ("GET", "/anthropic/v1/messages/batches")
    poll = ("GET", "/anthropic/v1/messages/batches/[^/]+")
    cancel = ("POST", "/anthropic/v1/messages/batches/[^/]+/cancel")
    download = ("GET", "/anthropic/v1/messages/batches/[^/]+/results")
    ask = ("POST", "/anthropic/v1/messages")
    routes = (("GET", "/anthropic/.*"), ("POST", "/anthropic/.*"))
    unknown = RemoteId("msgbatch_unknown")
    unknown_handle: Mapping[str, str] = {}
    unknown_file = "msgbatch_unknown"
    silent_verbs = frozenset({"stage", "fence"})
    cancelled = "ended"
    says_full = False
    refuses_when_full = True
    dates_answers = False

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error, one level down."""
        kind = _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return {
            "type": "error",
            "error": {"type": kind, "message": message},
            "request_id": "req_011CX",
        }

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a message that succeeded."""
        return {
            "custom_id": custom_id,
            "result": {
                "type": "succeeded",
                "message": {
                    "id": "msg_01",
                    "type": "message",
                    "role": "assistant",
                    "model": "claude-haiku-4-5-20251001",
                    "content": [{"type": "text", "text": text}],
                    "stop_reason": "end_turn",
                    "stop_sequence": None,
                    "usage": {
                        "input_tokens": 11,
                        "cache_creation_input_tokens": 0,
                        "cache_read_input_tokens": 0,
                        "output_tokens": 278,
                    },
                },
            },
        }

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no request, or is no JSON."""
        return (
            b'{"custom_id": 7, "result": {"type": "canceled"}}',
            b'{"custom_id": null, "result": {"type": "canceled"}}',
            b'{"result": {"type": "expired"}}',
            b'{"custom_id": "x", "result": {"type": "canceled", "message": NaN}}',
        )

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write lines of a request whose outcome stands nowhere that is documented."""
        return (
            b'{"custom_id": "x"}',
            b'{"custom_id": "x", "result": null}',
            b'{"custom_id": "x", "result": []}',
            b'{"custom_id": "x", "result": {}}',
            b'{"custom_id": "x", "result": {"type": ["succeeded"]}}',
            b'{"custom_id": "x", "result": {"type": "pondering"}}',
            b'{"custom_id": "x", "result": {"type": "succeeded"}}',
            b'{"custom_id": "x", "result": {"type": "succeeded", "message": "Q1. 80"}}',
            b'{"custom_id": "x", "result": {"type": "succeeded", "message": {}}}',
            b'{"custom_id": "x", "result": {"type": "succeeded", "message": {"content": "Q1"}}}',
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return the three states."""
        return {"in_progress": "progress", "canceling": "progress", "ended": "end"}

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a batch as the service shows it; any of its fields can be changed."""
        ended = state == "ended"
        return {
            "id": str(self.unknown),
            "type": "message_batch",
            "processing_status": state,
            "request_counts": {
                "processing": 0 if ended else 3,
                "succeeded": 3 if ended else 0,
                "errored": 0,
                "canceled": 0,
                "expired": 0,
            },
            "ended_at": "2025-04-11T17:20:08.125312+00:00" if ended else None,
            "created_at": "2025-04-11T17:18:57.044758+00:00",
            "expires_at": "2025-04-12T17:18:57.044758+00:00",
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": None,
            **changes,
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page of the list."""
        return {"data": rows, "has_more": more, "first_id": None, "last_id": None}


KITS = (AnthropicKit("anthropic"),)
