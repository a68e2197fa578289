"""Together: a file in three calls, a batch made of it, two result files; a list without pages."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import Kit, result_line
from tests.contract.spoiled import reply

ROOT = "/together/v1"


class TogetherKit(Kit):
    """The shapes of the types in together 3.1.1."""

    announce = ("POST", f"{ROOT}/files")
    hand_over = ("POST", f"{ROOT}/files/[^/]+/preprocess")
    list_files = ("GET", f"{ROOT}/files")
    delete_file = ("DELETE", f"{ROOT}/files/[^/]+")
    create = ("POST", f"{ROOT}/batches")
    find = ("GET", f"{ROOT}/batches")
    poll = ("GET", f"{ROOT}/batches/[^/]+")
    cancel = ("POST", f"{ROOT}/batches/[^/]+/cancel")
    download = ("GET", f"{ROOT}/files/[^/]+/content")
    ask = ("POST", f"{ROOT}/chat/completions")
    routes = tuple((method, f"{ROOT}/.*") for method in ("GET", "POST", "DELETE"))
    unknown = RemoteId("batch-unknown")
    asks = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    too_late: frozenset[int] = frozenset({400})
    cancelled = "CANCELLED"
    says_full = False
    refuses_when_full = True
    writes_unrun = False
    notices_cuts = True
    counts = False
    has_pages = False

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error."""
        return {"error": {"message": message, "type": "x", "param": None, "code": "x"}}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a line of the output file, of a model that thought first."""
        message = {"role": "assistant", "content": text, "tool_calls": [], "reasoning": "Q1. 99"}
        body = {
            "id": "nxyz-1",
            "object": "chat.completion",
            "created": 1736583630,
            "model": self.asks,
            "prompt": [],
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 9, "completion_tokens": 92, "total_tokens": 101},
        }
        return {"custom_id": custom_id, "response": {"status_code": 200, "body": body}}

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no request."""
        return (b'{"custom_id": 7}', b'{"custom_id": null, "error": {"message": "x"}}')

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write lines of a request whose outcome stands nowhere that is documented."""
        elsewhere = self.answer("x", "")
        return (
            b'{"custom_id": "x"}',
            b'{"custom_id": "x", "response": {"status_code": 200, "body": null}}',
            result_line(elsewhere).strip(),
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return the six states, one of them in small letters."""
        running = ("VALIDATING", "IN_PROGRESS", "in_progress")
        ended = ("COMPLETED", "EXPIRED", "CANCELLED")
        return (
            dict.fromkeys(running, "progress") | dict.fromkeys(ended, "end") | {"FAILED": "refused"}
        )

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a batch as the service shows it; any of its fields can be changed."""
        return {
            "id": str(self.unknown),
            "user_id": "user-1",
            "input_file_id": "file-unknown",
            "file_size_bytes": 1048576,
            "status": state,
            "job_deadline": "2024-01-15T15:30:00Z",
            "created_at": "2024-01-15T14:30:00Z",
            "endpoint": "/v1/chat/completions",
            "progress": 75,
            "model_id": self.asks,
            **changes,
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write the list, which has no pages and no envelope."""
        return rows

    def no_lists(self) -> dict[str, bytes]:
        """Leave out what is a list without anything on it, and what only pages can be."""
        can_be = ("empty list", "goes on with nothing", "goes on for ever")
        known = {name: raw for name, raw in super().no_lists().items() if name not in can_be}
        return known | {"an envelope": reply(200, {"data": []})}


KITS = (TogetherKit("together"),)
