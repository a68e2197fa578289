"""A service that speaks OpenAI's dialect: as OpenAI's, with windows of hours or days."""

import re
from typing import Final

from runner.emulator.openai_parameters import unsupported
from runner.emulator.openai_rows import CompatibleRows
from runner.emulator.openai_shapes import DAY
from runner.emulator.openai_wire import OpenAIWire
from runner.emulator.world import World

_WINDOW: Final = re.compile(r"([1-9][0-9]{0,2})([hd])")


class CompatibleWire(OpenAIWire):
    """Any of them, under one prefix."""

    def __init__(self, world: World, rows: CompatibleRows) -> None:
        """Say where it is."""
        super().__init__(world, rows, "compatible", "/compatible/v1")

    def window(self, wanted: str) -> int:
        """Return the seconds of a completion window."""
        found = _WINDOW.fullmatch(wanted)
        if found is None:
            raise unsupported("completion_window", wanted, "hours or days, as 24h or 7d")
        return int(found[1]) * (DAY if found[2] == "d" else 3600)
