"""How the user called us, so that every command we print works when it is pasted."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

RUNNER: Final = "runner"
DASHBOARD: Final = "tui"
_SCRIPTS: Final = {RUNNER: "chorus", DASHBOARD: "chorus-tui"}
"""What each is called where it is installed; `pyproject.toml` says the same."""
_WITH_VALUE: Final = ("-W", "-X")
_UV: Final = "UV_RUN_RECURSION_DEPTH"
"""Set for what `uv run` starts, whose folder of programs the shell does not know."""


def command(package: str = RUNNER, started: Sequence[str] | None = None) -> str:
    """Return how to call the runner, or the dashboard, in the way this process was called.

    `python -m runner` and `chorus` are kept, with the path of the interpreter or the script where
    the shell would not find that one by its name; a program of somebody else's (a notebook, a test)
    gets `python -m runner`.

    Args:
        package: `RUNNER` or `DASHBOARD`, whichever is to be called.
        started: the words this process was started with, the interpreter first.
    """
    words = [*(sys.orig_argv if started is None else started), "", ""]
    place = _place(words)
    first, second = words[place : place + 2]
    within = "uv run " if _UV in os.environ else ""
    if first == "-m" and second in _SCRIPTS:
        return within + shlex.join([_short(words[0]), *words[1:place], "-m", package])
    script = PurePath(first)
    if script.name in _SCRIPTS.values():
        return within + shlex.quote(_short(str(script.with_name(_SCRIPTS[package]))))
    return f"{within}python -m {package}"


def line(words: Sequence[str], package: str = RUNNER) -> str:
    """Return a whole command line, quoted for any shell.

    Args:
        words: what stands behind the command.
        package: `RUNNER` or `DASHBOARD`.
    """
    return f"{command(package)} {shlex.join(words)}".strip()


def _place(words: Sequence[str]) -> int:
    """Return where the interpreter's own options end: at `-m`, or at a script."""
    for place in range(1, len(words) - 2):
        if words[place] == "-m":
            return place
        if not words[place].startswith("-") and words[place - 1] not in _WITH_VALUE:
            return place
    return len(words) - 2


def _short(path: str) -> str:
    """Return the bare name where the shell finds this very file by it."""
    name = PurePath(path).name
    found = (f"{folder}/{name}" for folder in os.get_exec_path())
    there = next((one for one in found if os.access(one, os.X_OK)), None)  # shutil is slow to load
    return name if path in (name, there) else path
