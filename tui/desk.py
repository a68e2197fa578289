"""What every screen needs and none of them owns: the clock, the signs and the folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tui.cells import Glyphs


@dataclass(slots=True, kw_only=True)
class Desk:
    """Given to every screen by the app."""

    outputs: Path
    clock: Callable[[], float]
    """Seconds since the epoch."""
    host: str
    """This machine's name."""
    glyphs: Glyphs
    poll_seconds: float | None
    """None: ledgers are read once, when a screen opens (tests)."""
