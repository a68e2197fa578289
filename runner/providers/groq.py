"""Groq Batch.

Wire facts: console.groq.com/docs/batch.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from runner.providers._file_batch import FileBatch
from runner.providers._lists import Listing, Next, cursor_of
from runner.providers._stainless import Sdk, field

if TYPE_CHECKING:
    from groq import Groq


class GroqBatch(FileBatch):
    """The groq SDK; it adds /openai/v1 to the address itself, and pages no list."""

    default_base_url: ClassVar[str] = "https://api.groq.com"
    base_url_variable: ClassVar[str] = "GROQ_BASE_URL"
    key_variable: ClassVar[str] = "GROQ_API_KEY"
    packages: ClassVar[tuple[str, ...]] = ("httpx", "groq")
    _ask_path: str = "/openai/v1/chat/completions"

    @cached_property
    def _sdk(self) -> Sdk:
        import groq
        import httpx

        return Sdk(groq, httpx, groq.GroqError)

    def _connect(self) -> "Groq":
        import groq

        client: Groq = self._sdk.connect(groq.Groq, groq.DefaultHttpxClient, self._reached)
        return client

    def _file(self, file_id: str) -> Any:
        return self._client.files.info(file_id)

    def _batches(self) -> Listing:
        return _by_cursor(self._client.batches)

    def _files(self) -> Listing:
        return _by_cursor(self._client.files)


def _by_cursor(resource: Any) -> Listing:
    def next_of(page: Any) -> Next:
        cursor = cursor_of(page)
        if cursor is not None:
            return True, lambda: resource.list(extra_query={"cursor": cursor})
        says_more = field(page, "has_more")
        ends = field(page, "paging") is not None or says_more is False
        return (False if ends else says_more), None

    return Listing(resource.list, next_of)
