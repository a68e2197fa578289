"""OpenRouter: requests travel with the order, results come inside of the batch, nothing is cancelled."""

from collections.abc import Mapping
from typing import Any

from tests.contract.kits.base import Kit

_API = "/openrouter/api/v1"


class OpenRouterKit(Kit):
    """The gateway."""

    create = ("POST", f"{_API}/batches")
    find = ("GET", f"{_API}/batches")
    poll = ("GET", f"{_API}/batches/[^/]+")
    cancel = ("POST", f"{_API}/batches/[^/]+/cancel")
    download = poll
    ask = ("POST", f"{_API}/chat/completions")
    routes = (("GET", f"{_API}/.*"), ("POST", f"{_API}/.*"))
    unknown_handle: Mapping[str, str] = {}
    unknown_file = "batch_unknown"
    silent_verbs = frozenset({"stage", "fence", "cancel"})
    says_full = False
    refuses_when_full = True
    writes_unrun = False
    notices_cuts = True

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error."""
        return {"error": {"code": status, "message": message}}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write one of the results."""
        message = {"role": "assistant", "content": text, "refusal": None, "reasoning": None}
        body = {
            "id": "gen-1736583630-x",
            "object": "chat.completion",
            "created": 1736583630,
            "model": "anthropic/claude-haiku-4.5",
            "provider": "Anthropic",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 92,
                "total_tokens": 101,
                "cost": 0.0002345,
            },
        }
        response = {"status_code": 200, "request_id": "req_1", "body": body}
        return {"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": None}

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no request, or is no JSON."""
        return (
            b'{"custom_id": 7}',
            b'{"custom_id": null, "response": null, "error": null}',
            b'{"custom_id": "x", "response": {"status_code": NaN, "body": {}}}',
        )

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write lines of a request whose outcome stands nowhere that is documented."""
        return (
            b'{"custom_id": "x"}',
            b'{"custom_id": "x", "response": 7, "error": []}',
            b'{"custom_id": "x", "response": {}}',
            b'{"custom_id": "x", "response": {"status_code": 200, "body": {"choices": [7]}}}',
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return the eight states."""
        running = ("validating", "in_progress", "finalizing", "cancelling")
        ended = ("completed", "expired", "cancelled")
        return (
            dict.fromkeys(running, "progress") | dict.fromkeys(ended, "end") | {"failed": "refused"}
        )

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a batch as the service shows it; any of its fields can be changed."""
        return {
            "id": str(self.unknown),
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "model": "anthropic/claude-haiku-4.5:batch",
            "provider": "Anthropic",
            "completion_window": "24h",
            "status": state,
            "created_at": 1736489775,
            "expires_at": 1736576175,
            "finalized_at": None,
            "request_counts": {"total": 3, "completed": 0, "failed": 0},
            "error": None,
            "results": None,
            "usage": None,
            **changes,
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page of the list."""
        return {
            "object": "list",
            "data": rows,
            "first_id": None,
            "last_id": None,
            "has_more": more,
        }


KITS = (OpenRouterKit("openrouter"),)
