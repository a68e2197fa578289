"""Zhipu's /files, /batches and /chat/completions under /api/paas/v4, after its own SDK and its tests.

OpenAI's dialect with an endpoint called /v4, times in milliseconds, empty words for what is not
there, counts that are not said before the end, and a file's name under another name.
"""

from typing import ClassVar

from runner.emulator.openai_rows import CompatibleRows
from runner.emulator.openai_wire import OpenAIWire
from runner.emulator.records import Batch, StoredFile
from runner.emulator.world import World


class ZaiWire(OpenAIWire):
    """Zhipu, under its prefix."""

    max_upload: ClassVar[int] = 100 * 2**20
    endpoints: ClassVar[tuple[str, ...]] = ("/v4/chat/completions",)

    def __init__(self, world: World, rows: CompatibleRows) -> None:
        """Say where it is."""
        super().__init__(world, rows, "zai", "/zai/v4")

    def file_object(self, file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
        """Write a file."""
        shown = super().file_object(file, is_new=is_new)
        shown |= {"filename": None, "fileName": shown["filename"], "status": None}
        return shown

    def batch_object(self, batch: Batch, now: float, *, is_new: bool = False) -> dict[str, object]:
        """Write a batch as it stands now."""
        shown = super().batch_object(batch, now, is_new=is_new)
        for name, value in shown.items():
            if name.endswith("_at") and isinstance(value, int):
                shown[name] = value * 1000
        shown |= {name: shown[name] or "" for name in ("output_file_id", "error_file_id")}
        if not batch.stage(now).is_terminal:
            shown["request_counts"] = {"total": None, "completed": None, "failed": None}
        return shown
