"""kluster.ai's /files, /batches and /chat/completions, as its documents said until July 2025.

OpenAI's dialect with times as words, a state of its own, windows of 24, 48 and 72 hours, and more
about a list's pages.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from runner.emulator.kluster_rows import KlusterRows
from runner.emulator.openai_parameters import unsupported
from runner.emulator.openai_shapes import DAY, batch_object, file_object, page
from runner.emulator.openai_wire import OpenAIWire
from runner.emulator.records import Batch, Stage, StoredFile
from runner.emulator.world import World

WINDOWS = {"24h": DAY, "48h": 2 * DAY, "72h": 3 * DAY}
UNBOUNDED = 2**63 - 1
"""What its documents show for items_per_page."""
_FILE_FIELDS = ("id", "object", "bytes", "filename", "purpose")
_NOT_KLUSTERS = ("model", "usage")


class KlusterWire(OpenAIWire):
    """kluster.ai, under its prefix."""

    max_upload: ClassVar[int] = 100 * 2**20

    def __init__(self, world: World, rows: KlusterRows) -> None:
        """Say where it is."""
        super().__init__(world, rows, "kluster", "/kluster/v1")

    def file_object(self, file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
        """Write a file, without a status."""
        shown = file_object(file)
        kept = {name: shown[name] for name in _FILE_FIELDS}
        return kept | {"created_at": str(int(file.created_at))}

    def batch_object(self, batch: Batch, now: float, *, is_new: bool = False) -> dict[str, object]:
        """Write a batch; only the reply to its creation has times that are numbers."""
        shown = batch_object(batch, now)
        window = json.loads(batch.details or "{}")["completion_window"]
        kept = {name: value for name, value in shown.items() if name not in _NOT_KLUSTERS}
        kept |= {
            "completion_window": window,
            "expires_at": int(batch.created_at) + WINDOWS[window],
            "metadata": shown["metadata"] or {},
            "output_file_id": f"{batch.id}-output" if shown["output_file_id"] else None,
            "error_file_id": f"{batch.id}-error" if shown["error_file_id"] else None,
        }
        if batch.stage(now) is Stage.VALIDATING and not is_new:
            kept["status"] = "pre_schedule"
        if is_new:
            return kept
        return {
            name: str(value) if name.endswith("_at") and value is not None else value
            for name, value in kept.items()
        }

    def page(self, objects: list[dict[str, object]], *, has_more: bool) -> dict[str, object]:
        """Write one page of a list."""
        pages = {
            "count": len(objects),
            "page": 1,
            "page_count": -1,
            "items_per_page": UNBOUNDED,
        }
        return page(objects, has_more=has_more) | pages

    def stored_id(self, file_id: str) -> str | None:
        """Return what the shelf calls a file; results are called after their batch here."""
        batch_id, _, kind = file_id.rpartition("-")
        if kind not in ("output", "error"):
            return file_id
        batch = self._world.find_batch(self._service, batch_id)
        if batch is None:
            return None
        return batch.output_file_id if kind == "output" else batch.error_file_id

    def window(self, wanted: str) -> int:
        """Return the seconds of a completion window."""
        if wanted not in WINDOWS:
            raise unsupported("completion_window", wanted, ", ".join(WINDOWS))
        return WINDOWS[wanted]

    def order(self, source: StoredFile, wanted: Mapping[str, Any]) -> Batch:
        """Commit a batch."""
        return self._world.create_batch(
            source,
            wanted["endpoint"],
            wanted.get("metadata"),
            None,
            details={"completion_window": wanted["completion_window"]},
        )
