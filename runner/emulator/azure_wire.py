"""Azure OpenAI's /openai/v1: as OpenAI's, but a file waits before it can be ordered.

Of learn.microsoft.com/azure/foundry/openai/how-to/batch, and of what users report there: an order
of a file that is still pending is refused.
"""

from collections.abc import Mapping
from typing import Any

from runner.emulator.openai_rows import OpenAIRows
from runner.emulator.openai_shapes import ApiError
from runner.emulator.openai_wire import OpenAIWire
from runner.emulator.records import Batch, StoredFile
from runner.emulator.world import World


class AzureWire(OpenAIWire):
    """Azure OpenAI, under its prefix."""

    def __init__(self, world: World, rows: OpenAIRows) -> None:
        """Say where it is."""
        super().__init__(world, rows, "azure", "/azure/openai/v1")

    def file_object(self, file: StoredFile, *, is_new: bool = False) -> dict[str, object]:
        """Write a file, and whether it has been looked through."""
        return super().file_object(file, is_new=is_new) | {"status": self._status(file)}

    def order(self, source: StoredFile, wanted: Mapping[str, Any]) -> Batch:
        """Commit a batch.

        Raises:
            ApiError: its input is still pending.
        """
        status = self._status(source)
        if status != "processed":
            message = (
                f"The input file '{source.id}' is in '{status}' state. Only files with status "
                "'Processed' are accepted for batch inferencing. Please check the file status and "
                "try again."
            )
            raise ApiError(400, message, "input_file_id", "invalidPayload")
        return super().order(source, wanted)

    def _status(self, file: StoredFile) -> str:
        """Say whether it was looked through, which takes as long as a batch's validation."""
        ready_at = file.created_at + self._world.behaviour.validating_seconds
        return "pending" if self._world.clock() < ready_at else "processed"
