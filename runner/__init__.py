"""Chorus: declarative experiments over batch APIs that never pay twice.

From Python: `from runner import answers, plan, report, run`; see `runner.api`.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"


def _of_api(name: str) -> property:
    """Return what looks a function up when it is first asked for, since its imports take a while.

    `run` and `report` are rooms, too, which importing sets as attributes of this package; who asks
    it for them gets the functions all the same, whatever was imported before.
    """

    def given(_: ModuleType) -> Any:
        return getattr(import_module("runner.api"), name)

    def ignored(_: ModuleType, room: ModuleType) -> None:
        """Let the import system set its room, which `sys.modules` has anyway."""

    return property(given, ignored)


class _Package(ModuleType):
    answers, plan, report, run = map(_of_api, ("answers", "plan", "report", "run"))


sys.modules[__name__].__class__ = _Package
