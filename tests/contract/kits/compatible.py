"""Any OpenAI-compatible service, with or without a word of how long its lists are."""

from typing import Any

from tests.contract.kits.file_batch import FileBatchKit


class CompatibleKit(FileBatchKit):
    """A service that says `error` in one word, as many do."""

    def error(self, message: str, status: int = 400) -> Any:
        """Write an error."""
        return {"error": message}


KITS = (
    FileBatchKit("compatible", "/compatible/v1"),
    CompatibleKit("compatible", "/compatible/v1", "terse"),
)
