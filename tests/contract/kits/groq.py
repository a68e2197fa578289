"""Groq: lists go by cursor, errors are a bare array, files have no status."""

from collections.abc import Mapping
from typing import Any

from tests.contract.kits.file_batch import FileBatchKit


class GroqKit(FileBatchKit):
    """What Groq does in its own way."""

    asks = "llama-3.3-70b-versatile"
    page_parameter = None
    page_size = 20

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error: without the keys that have no value."""
        return {"error": {"message": message, "type": "invalid_request_error"}}

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a line of the output file."""
        line = super().answer(custom_id, text)
        line["response"]["body"] |= {"x_groq": {"id": "req_1"}, "service_tier": "on_demand"}
        line["response"]["body"]["choices"][0]["message"] = {"role": "assistant", "content": text}
        line["response"]["body"]["usage"] |= {"queue_time": 0.1, "total_time": 0.5}
        return line

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page, as the guide shows it."""
        return {"object": "list", "data": rows, "paging": {"next_cursor": "c1" if more else None}}


class ByTheSDK(GroqKit):
    """The list as its SDK has it: with no paging at all, so that a short one is whole."""

    def page(self, rows: Any, *, more: bool = False) -> Mapping[str, Any]:
        """Write one page."""
        paging = {"paging": {"next_cursor": "c1"}} if more else {}
        return {"object": "list", "data": rows, **paging}


KITS = (
    GroqKit("groq", "/groq/openai/v1"),
    ByTheSDK("groq", "/groq/openai/v1", "unpaged"),
)
