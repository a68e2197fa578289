"""OpenAI itself: its files and batches, chat completions, and /responses beside them."""

from typing import ClassVar

from starlette.routing import Route

from runner.emulator.openai_chat import Chat
from runner.emulator.openai_rows import CHAT, OpenAIRows
from runner.emulator.openai_wire import OpenAIWire
from runner.emulator.responses_rows import RESPONSES, ResponsesRows
from runner.emulator.world import World


class OwnWire(OpenAIWire):
    """OpenAI, under /v1."""

    endpoints: ClassVar[tuple[str, ...]] = (CHAT, RESPONSES)

    def __init__(self, world: World, rows: OpenAIRows) -> None:
        """Say where it is."""
        super().__init__(world, rows)
        self._responses = Chat(world, ResponsesRows())

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        return [*super().routes(), Route(RESPONSES, self._responses.__call__, methods=["POST"])]
