"""xAI: a container is made, which is free, and then filled; it has counts and no state."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import Kit
from tests.contract.spoiled import reply

ROOT = "/xai/v1"
_COUNTS: dict[str, tuple[Any, ...]] = {
    # requests, pending, and whether it was cancelled
    "empty": (0, 0, False),
    "running": (3, 2, False),
    "completed": (3, 0, False),
    "cancelling": (3, 1, True),
    "cancelled": (3, 0, True),
    "refused": (0, 0, True),
}


class XaiKit(Kit):
    """The shapes of the guide, with the names of the types in xai-sdk 1.21."""

    hand_over = ("POST", f"{ROOT}/batches")
    create = ("POST", f"{ROOT}/batches/[^/]+/requests")
    find = ("GET", f"{ROOT}/batches/[^/]+/requests")
    poll = ("GET", f"{ROOT}/batches/[^/:]+")
    cancel = ("POST", f"{ROOT}/batches/[^/]+:cancel")
    download = ("GET", f"{ROOT}/batches/[^/]+/results")
    ask = ("POST", f"{ROOT}/chat/completions")
    routes = tuple((method, f"{ROOT}/.*") for method in ("GET", "POST"))
    unknown = RemoteId("batch_unknown")
    unknown_handle: Mapping[str, str] = {"batch_id": "batch_unknown"}
    unknown_file = "batch_unknown"
    asks = "grok-4.20-0309-non-reasoning"
    id_field = "batch_id"
    too_late: frozenset[int] = frozenset({400})
    says_full = False
    refuses_when_full = True
    notices_cuts = True
    filters_list = True
    fills_a_container = True
    page_parameter = "limit"

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error."""
        return {"code": "Client specified an invalid argument", "error": message}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a result."""
        body = {
            "id": "e7c2162b",
            "object": "chat.completion",
            "created": 1762801725,
            "model": "grok-4.20-0309-non-reasoning",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 92,
                "total_tokens": 121,
                "completion_tokens_details": {"reasoning_tokens": 20},
                "cost_in_usd_ticks": 1_210_000,
            },
        }
        return {
            "batch_request_id": custom_id,
            "batch_result": {"response": {"chat_get_completion": body}},
            "error_message": "",
        }

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no request."""
        return (
            b'{"batch_request_id": 7, "batch_result": {}}',
            b'{"batch_request_id": null, "batch_result": {}}',
            b'{"batch_result": {"error": {"code": 3, "message": "x"}}}',
        )

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write results whose outcome stands nowhere that is documented."""
        return (
            b'{"batch_request_id": "x"}',
            b'{"batch_request_id": "x", "batch_result": []}',
            b'{"batch_request_id": "x", "batch_result": {"response": {}}}',
            b'{"batch_request_id": "x", "batch_result": {"response": {"responses": {"t": "Q1"}}}}',
            b'{"batch_request_id": "x", "batch_result": {"error": {"code": 77}}}',
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return what the counts come to."""
        ended, running = ("completed", "cancelled"), ("empty", "running", "cancelling")
        return (
            dict.fromkeys(running, "progress")
            | dict.fromkeys(ended, "end")
            | {"refused": "refused"}
        )

    def batch_object(self, state: Any, /, **changes: Any) -> dict[str, Any]:
        """Write a container as the service shows it; any of its fields can be changed."""
        total, pending, cancelled = _COUNTS.get(state, (3, None, False))
        counts = {
            "num_requests": total,
            "num_pending": pending,
            "num_success": 1,
            "num_error": 0,
            "num_cancelled": 0,
        }
        return {
            "batch_id": str(self.unknown),
            "name": "e1-b0001-1.jsonl",
            "create_time": "2025-11-11",
            "expire_time": "2025-11-12",
            "create_api_key_id": "key_123",
            "cancel_time": "2025-11-11" if cancelled else None,
            "cancel_by_xai_message": None,
            "state": counts,
            **changes,
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page of the requests in a container."""
        if isinstance(rows, list):
            rows = [
                {"batch_request_id": row.get("batch_id")} if isinstance(row, dict) else row
                for row in rows
            ]
        return {"batch_request_metadata": rows, "pagination_token": "t" if more else None}

    def listing(self, *rows: Any, more: bool = False) -> bytes:
        """Reply with one page of containers."""
        return reply(200, {"batches": list(rows), "pagination_token": "t" if more else None})


KITS = (XaiKit("xai"),)
