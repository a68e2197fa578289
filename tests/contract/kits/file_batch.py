"""What services have in common that take an uploaded file and speak OpenAI's dialect."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import Kit, Route
from tests.contract.spoiled import reply


class FileBatchKit(Kit):
    """One uploaded file, one batch made of it, two result files."""

    unknown = RemoteId("batch_unknown")

    def __init__(self, name: str, root: str, variant: str = "", **options: str | None) -> None:
        """Name the YAML, and where `/files`, `/batches` and `/chat/completions` are."""
        super().__init__(name, variant, **options)
        self.root = root
        self.hand_over: Route = ("POST", f"{root}/files/?")
        self.list_files = ("GET", f"{root}/files/?")
        self.delete_file = ("DELETE", f"{root}/files/[^/]+")
        self.create = ("POST", f"{root}/batches")
        self.find = ("GET", f"{root}/batches")
        self.poll = ("GET", f"{root}/batches/[^/]+")
        self.cancel = ("POST", f"{root}/batches/[^/]+/cancel")
        self.download = ("GET", f"{root}/files/[^/]+/content")
        self.ask = ("POST", f"{root}/chat/completions")
        self.routes = tuple((method, f"{root}/.*") for method in ("GET", "POST", "DELETE"))

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error."""
        return {"error": {"message": message, "type": "x", "param": None, "code": "x"}}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a line of the output file."""
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1736583630,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 9, "completion_tokens": 92, "total_tokens": 101},
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
            b'{"custom_id": "x", "response": {"status_code": 200, "body": {}}}',
            b'{"custom_id": "x", "response": {"status_code": true, "body": {}}}',
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
        times = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelled")
        return {
            "id": str(self.unknown),
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": None,
            "input_file_id": "file-unknown",
            "completion_window": "24h",
            "status": state,
            "output_file_id": None,
            "error_file_id": None,
            "created_at": 1736489775,
            "expires_at": 1736576175,
            "metadata": None,
            **{f"{name}_at": None for name in times},
            "request_counts": {"total": 3, "completed": 1, "failed": 0},
            **changes,
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page, of files or of batches."""
        return {"object": "list", "data": rows, "has_more": more}

    def listing(self, *rows: Any, more: bool = False) -> bytes:
        """Reply with one page."""
        return reply(200, self.page(list(rows), more=more))
