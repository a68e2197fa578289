"""The services that are OpenAI's dialect with an address of their own."""

from typing import Any

from tests.contract.kits.file_batch import FileBatchKit


class ZaiKit(FileBatchKit):
    """Zhipu: milliseconds, and counts that are not said."""

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a batch."""
        shown = super().batch_object(state, **changes)
        return shown | {"created_at": 1715674031399, "endpoint": "/v4/chat/completions"}


KITS = (
    *(
        FileBatchKit(name, "/compatible/v1")
        for name in ("dashscope", "deepinfra", "doubleword", "moonshot", "novita")
    ),
    ZaiKit("zai", "/zai/v4"),
)
