"""Takes signals over, so that nothing else takes them as well."""

import importlib
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

Interruptible = Callable[[Any], Callable[[], bool]]
"""Lets Ctrl-C stop what has a `stop`, and returns a question: was it interrupted?"""
Handler = Callable[[int, FrameType | None], None] | signal.Handlers


def take_over(handler: Handler, *numbers: signal.Signals) -> dict[int, Any]:
    """Let a handler have some signals; return who had them before.

    When it is imported, polars begins to listen to Ctrl-C and breaks off whatever it is writing,
    in every thread; so it is imported first, and stops to listen.
    """
    importlib.import_module("polars")
    return {number: signal.signal(number, handler) for number in numbers}
