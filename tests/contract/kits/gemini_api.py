"""The Gemini API: an uploaded file, a batch as an operation, results in another file."""

from collections.abc import Mapping
from typing import Any

from runner.core.model import RemoteId
from tests.contract.kits.base import HTML, Kit
from tests.contract.spoiled import reply

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}
_API = "/gemini_api/v1beta"


class GeminiApiKit(Kit):
    """The Gemini API, by files."""

    asks = "gemini-2.5-flash"
    create = ("POST", f"{_API}/models/[^/]+:batchGenerateContent")
    find = ("GET", f"{_API}/batches")
    poll = ("GET", f"{_API}/batches/[^/]+")
    cancel = ("POST", f"{_API}/batches/[^/]+:cancel")
    download = ("GET", "/gemini_api/download/v1beta/files/[^/]+:download")
    hand_over = ("POST", "/gemini_api/upload/v1beta/files/content")
    ask = ("POST", f"{_API}/models/[^/]+:generateContent")
    routes = tuple((method, "/gemini_api/.*") for method in ("GET", "POST", "DELETE"))
    unknown = RemoteId("batches/unknown")
    unknown_handle: Mapping[str, str] = {"file": "files/unknown", "name": "unknown.jsonl"}
    unknown_file = "files/unknown-results"
    id_field = "name"
    says_full = False
    refuses_when_full = True
    writes_unrun = False
    dates_answers = False
    page_parameter = "pageSize"

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error as Google's APIs do."""
        word = _STATUS.get(status, "UNKNOWN")
        return {"error": {"code": status, "message": message, "status": word}}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a line of the results."""
        candidate = {
            "content": {"role": "model", "parts": [{"text": text}]},
            "finishReason": "STOP",
            "index": 0,
        }
        usage = {"promptTokenCount": 9, "candidatesTokenCount": 10, "totalTokenCount": 19}
        response = {
            "candidates": [candidate],
            "modelVersion": "gemini-2.5-flash",
            "responseId": "x",
            "usageMetadata": usage,
        }
        return {"key": custom_id, "response": response}

    def no_results(self) -> tuple[bytes, ...]:
        """Write what names no request, or is no JSON."""
        return (
            b'{"key": 0, "response": {"candidates": [{}]}}',
            b'{"key": null, "error": {"code": 3}}',
            b'{"response": {"candidates": [{}]}}',
            b'{"custom_id": "x", "response": {"candidates": [{}]}}',
            b'{"key": "x", "response": NaN}',
        )

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Write lines of a request whose outcome stands nowhere that is documented."""
        return (
            b'{"key": "x"}',
            b'{"key": "x", "request": {}}',
            b'{"key": "x", "error": {}, "response": {}}',
            b'{"key": "x", "response": 7}',
            b'{"key": "x", "response": [{}]}',
            b'{"key": "x", "response": "no JSON"}',
            b'{"key": "x", "response": {"candidates": "x"}}',
            b'{"key": "x", "response": {"id": "x"}}',
        )

    @property
    def states(self) -> Mapping[str, str]:
        """Return all states but the one of nothing; a failed batch says why elsewhere."""
        ended = ("succeeded", "failed", "cancelled", "expired")
        return dict.fromkeys(("pending", "running"), "progress") | dict.fromkeys(ended, "end")

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write an operation as the service shows it."""
        about = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "model": "models/gemini-2.5-flash",
            "displayName": "unknown.jsonl",
            "createTime": "2026-09-02T20:06:30.166279Z",
            "batchStats": {"requestCount": "3", "pendingRequestCount": "3"},
            "state": f"BATCH_STATE_{state}".upper(),
            "name": str(self.unknown),
        }
        return {"name": str(self.unknown), "metadata": about, **changes}

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page of the list."""
        return {"operations": rows, **({"nextPageToken": "again"} if more else {})}

    def no_lists(self) -> dict[str, bytes]:
        """Leave out what Google's APIs do say of a list with nothing on it."""
        empty = ("empty object", "data null")
        return {
            **{name: raw for name, raw in super().no_lists().items() if name not in empty},
            "rows in a page": reply(200, {"operations": HTML.decode()}),
        }


KITS = (GeminiApiKit("gemini_api"),)
