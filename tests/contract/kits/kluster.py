"""kluster.ai: times are words, lines have no error, and a state is its own."""

from collections.abc import Mapping
from typing import Any

from tests.contract.kits.file_batch import FileBatchKit

UNBOUNDED = 2**63 - 1


class KlusterKit(FileBatchKit):
    """What kluster.ai did in its own way."""

    def answer(self, custom_id: str, text: str) -> Any:
        """Write a line of the output file."""
        line = super().answer(custom_id, text)
        del line["error"]
        line["response"]["body"]["choices"][0]["message"] = {
            "role": "assistant",
            "content": text,
            "tool_calls": [],
        }
        return line

    @property
    def states(self) -> Mapping[str, str]:
        """Return the states; older documents begin them with a capital."""
        return {
            **super().states,
            "pre_schedule": "progress",
            "Completed": "end",
            "Failed": "refused",
        }

    def batch_object(self, state: Any, **changes: Any) -> dict[str, Any]:
        """Write a batch."""
        shown = super().batch_object(state, **changes)
        return {
            name: str(value) if name.endswith("_at") and value is not None else value
            for name, value in shown.items()
        }

    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Write one page."""
        return super().page(rows, more=more) | {
            "count": 1,
            "page": 1,
            "page_count": -1,
            "items_per_page": UNBOUNDED,
        }


KITS = (
    KlusterKit("kluster", "/kluster/v1"),
    KlusterKit("kluster", "/kluster/v1", "72h", completion_window="72h"),
)
