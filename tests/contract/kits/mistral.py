"""Mistral: an uploaded file, a job made of it, two result files; lists are pages with numbers."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import Kit, result_line
from tests.contract.spoiled import reply

ROOT = "/mistral/v1"


class MistralKit(Kit):
    """The shapes of the types in mistralai 3.7."""

    hand_over = ("POST", f"{ROOT}/files")
    list_files = ("GET", f"{ROOT}/files")
    delete_file = ("DELETE", f"{ROOT}/files/[^/]+")
    create = ("POST", f"{ROOT}/batch/jobs")
    find = ("GET", f"{ROOT}/batch/jobs")
    poll = ("GET", f"{ROOT}/batch/jobs/[^/]+")
    cancel = ("POST", f"{ROOT}/batch/jobs/[^/]+/cancel")
    download = ("GET", f"{ROOT}/files/[^/]+/content")
    ask = ("POST", f"{ROOT}/chat/completions")
    routes = tuple((method, f"{ROOT}/.*") for method in ("GET", "POST", "DELETE"))
    unknown = RemoteId("job-unknown")
    asks = "mistral-small-2603"
    too_late: frozenset[int] = frozenset({400})
    cancelled = "CANCELLED"
    says_full = False
    refuses_when_full = True
    writes_unrun = False
    page_parameter = "page_size"

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error."""
        return {
            "object": "error",
            "message": message,
            "type": "invalid_request_error",
            "param": None,
            "code": "1500",
        }

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a line of the output file, of a model that thought first."""
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Q1. 99"}]}
        body = {
            "id": "cmpl-1",
            "object": "chat.completion",
            "created": 1736583630,
            "model": "mistral-small-2603",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": [thought, {"type": "text", "text": text}],
                        "tool_calls": None,
                        "prefix": False,
                    },
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 9, "completion_tokens": 92, "total_tokens": 101},
        }
        return {
            "id": "batch-1",
            "custom_id": custom_id,
            "response": {"status_code": 200, "body": body},
            "error": None,
        }

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no request."""
        return (b'{"custom_id": 7}', b'{"custom_id": null, "response": null, "error": "x"}')

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write lines of a request whose outcome stands nowhere that is documented."""
        part = {"type": "document_url", "document_url": "Q1. 80"}
        strange = self.answer("x", "")
        strange["response"]["body"]["choices"][0]["message"]["content"] = [part]
        return (
            b'{"custom_id": "x"}',
            b'{"custom_id": "x", "response": {"status_code": 200, "body": null}, "error": null}',
            result_line(strange).strip(),
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return the seven states."""
        running = ("QUEUED", "RUNNING", "CANCELLATION_REQUESTED")
        ended = ("SUCCESS", "TIMEOUT_EXCEEDED", "CANCELLED")
        return (
            dict.fromkeys(running, "progress") | dict.fromkeys(ended, "end") | {"FAILED": "refused"}
        )

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a job as the service shows it; any of its fields can be changed."""
        return {
            "id": str(self.unknown),
            "object": "batch",
            "input_files": ["file-unknown"],
            "metadata": {},
            "endpoint": "/v1/chat/completions",
            "model": "mistral-small-2603",
            "errors": [],
            "status": state,
            "created_at": 1736489775,
            "total_requests": 3,
            "completed_requests": 1,
            "succeeded_requests": 1,
            "failed_requests": 0,
            "output_file": None,
            "error_file": None,
            **changes,
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page, of files or of jobs."""
        total = len(rows) if isinstance(rows, list) else 1
        return {"object": "list", "data": rows, "total": total + 7 * more}

    def listing(self, *rows: Any, more: bool = False) -> bytes:
        """Reply with one page."""
        return reply(200, self.page(list(rows), more=more))


KITS = (MistralKit("mistral"),)
