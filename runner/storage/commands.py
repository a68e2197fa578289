"""Commands to a runner: files that are left beside a ledger and that the runner carries out.

A program that watches a run never calls a provider or writes a ledger. What it wants done it leaves
as `commands/<id>.json`; the runner moves it to `commands/done/` with what became of it. This works
while the ledger is locked and while no runner is there, and survives the death of either.
"""

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from runner.storage.files import write_durably

FOLDER = "commands"
DONE = "done"
MOST = 200
"""Commands that are looked at in one go."""
_LONGEST = 64_000
_ID = re.compile(r"[0-9]{14}-[0-9a-f]{8}")


class CommandVerb(StrEnum):
    """What a runner can be asked to do."""

    STOP = "stop"
    """Leave cleanly; batches go on at the provider."""
    CANCEL = "cancel"
    """Cancel one batch; what it has answered is kept and billed, the rest is given up for now."""
    RETRY = "retry"
    """Ask failed requests once more."""
    RESUBMIT = "resubmit"
    """Ask what a cancelled batch left."""
    ADOPT = "adopt"
    ABANDON = "abandon"


Command = Mapping[str, Any]
"""`id`, `verb`, `batch`, `remote`, `requests` (custom_ids; empty: all), `at`, `by`."""


def leave(
    folder: Path,
    verb: CommandVerb,
    now: float,
    *,
    batch: str | None = None,
    remote: str | None = None,
    requests: tuple[str, ...] = (),
) -> Command:
    """Leave a command for the runner of a folder, and return it."""
    command = {
        "id": f"{int(now * 1000):014d}-{secrets.token_hex(4)}",
        "verb": verb.value,
        "batch": batch,
        "remote": remote,
        "requests": list(requests),
        "at": now,
        "by": f"pid {os.getpid()}",
    }
    place = folder / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    write_durably(place / f"{command['id']}.json", [_encoded(command)])
    return command


def waiting(folder: Path) -> tuple[Command, ...]:
    """Return the commands that are not carried out yet, oldest first; what is no command is left alone."""
    try:
        names = sorted(path.name for path in (folder / FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    found: list[Command] = []
    for name in names[:MOST]:
        id_, dot, kind = name.partition(".")
        if dot and kind == "json" and _ID.fullmatch(id_):
            with suppress(ValueError, OSError):  # not ours to judge; it stays where it is
                found.append(_read(folder / FOLDER / name, id_))
    return tuple(found)


def answer(folder: Path, command: Command, *, applied: bool, detail: str, now: float) -> None:
    """Put a command away, with what became of it."""
    done = folder / FOLDER / DONE
    done.mkdir(mode=0o700, exist_ok=True)
    told = {**command, "applied": applied, "detail": detail, "answered_at": now}
    write_durably(done / f"{command['id']}.json", [_encoded(told)])
    (folder / FOLDER / f"{command['id']}.json").unlink(missing_ok=True)


def answered(folder: Path, id_: str) -> Command | None:
    """Return what became of a command; None while it waits."""
    path = folder / FOLDER / DONE / f"{id_}.json"
    try:
        return _read(path, id_)
    except (FileNotFoundError, ValueError):
        return None


def _read(path: Path, id_: str) -> Command:
    text = path.read_bytes()
    if len(text) > _LONGEST:
        raise ValueError(f"{path} is no command: too long")
    command = orjson.loads(text)
    if not isinstance(command, dict) or command.get("id") != id_:
        raise ValueError(f"{path} is no command")
    CommandVerb(str(command.get("verb")))
    requests = command.setdefault("requests", [])
    names = isinstance(requests, list) and all(isinstance(name, str) for name in requests)
    texts = all(isinstance(command.get(key), str | None) for key in ("batch", "remote"))
    if not names or not texts or not isinstance(command.get("at"), int | float):
        raise ValueError(f"{path} is no command")
    return command


def _encoded(command: Command) -> bytes:
    return orjson.dumps(dict(command))
