"""What happened, once more, as lines beside the ledger: they tell an old copy of it from the newest.

An event is in the ledger first, then a line of `events.jsonl`, and only then is done what it
announces. So a ledger that lacks an event of this file is an old copy, and one that has an event
more was left by a kill before anything was done.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from runner.core.model import Batch
from runner.storage.files import append, appending, sync
from runner.storage.paths import RAW, REQUESTS

NAME = "events.jsonl"
_KEY = re.compile(r"(b[0-9]{4,})\.")

Line = Mapping[str, Any]
"""`event`, as the ledger keeps it, and `batch`, the batch's row in the ledger after it."""


def event_of(batch: Batch, what: str, at: float, error: str | None = None) -> dict[str, Any]:
    """Return one event of a batch as the ledger keeps it; `at` in seconds since the epoch."""
    return {
        "at": at,
        "batch": batch.key,
        "event": what,
        "state": batch.state.value,
        "remote": batch.remote,
        "remote_state": batch.remote_state,
        "requests": batch.count,
        "tally": dict(batch.tally),
        "error": error,
    }


class Events:
    """The file, held by the process that holds the ledger."""

    def __init__(self, folder: Path) -> None:
        """Open it, or make it; half a line that a power cut left is taken away."""
        self._file = os.fdopen(appending(folder / NAME), "r+b", buffering=0)
        try:
            whole = [len(line) for line in self._file if line.endswith(b"\n")]
            self.count = len(whole)
            self._file.truncate(sum(whole))
            sync(folder)
        except BaseException:
            self._file.close()
            raise

    def append(self, line: Line) -> None:
        """Add an event; it is on disk when this returns."""
        append(self._file.fileno(), json.dumps(line, separators=(",", ":")).encode())
        self.count += 1

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the files of a run say of its ledger; they are read before it, since it is ahead of them."""

    events: int | None
    """How many events have a line; None: an older version wrote none."""
    last: Any
    """The last of these events; None when there is none, or it cannot be read."""
    asked: frozenset[str]
    """Batches with a request file."""
    answered: frozenset[str]
    """Batches with something in raw/."""

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Look at a run's folder."""
        count, last = _tally(folder / NAME)
        return cls(
            events=count,
            last=last,
            asked=_keys(folder / REQUESTS),
            answered=_keys(folder / RAW),
        )

    def unknown(
        self, batches: Collection[str], events: int, event: Callable[[int], Any]
    ) -> Iterator[str]:
        """Yield what a ledger does not know, although it was written after it; a few words each.

        A request file of the batch that comes next is no such thing where events have lines: a kill
        came between the file and the event, and nothing was ordered.

        Args:
            batches: the ledger's batches.
            events: how many events it has.
            event: returns one of them by its number.
        """
        if self.events is not None and self.events > events:
            yield f"{NAME} has {self.events - events} events more"
        elif self.events and event(self.events - 1) != self.last:
            yield f"{NAME} has other events"
        unknown = self.asked - {*batches}
        if self.events is not None:
            unknown -= {next_key(batches)}
        for where, keys in ((REQUESTS, unknown), (RAW, self.answered - {*batches})):
            if keys:
                yield f"{where}/ has files of {', '.join(sorted(keys)[:3])}"


def next_key(batches: Collection[str]) -> str:
    """Return how the batch after these is called."""
    numbers = [int(key[1:]) for key in batches if key[1:].isdecimal()]
    return f"b{max(numbers, default=0) + 1:04d}"


def lines(folder: Path) -> list[Line]:
    """Return the whole lines of the file; none where there is no file.

    Raises:
        ValueError: one of them cannot be read.
    """
    try:
        text = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return []
    found = [json.loads(line) for line in text.split(b"\n")[:-1]]
    if not all(isinstance(line, dict) and {"event", "batch"} <= line.keys() for line in found):
        raise ValueError(f"{folder / NAME} has a line that is no event")
    return found


def _tally(path: Path) -> tuple[int | None, Any]:
    count, last = 0, b""
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    count, last = count + 1, line
    except FileNotFoundError:
        return None, None
    with suppress(ValueError, TypeError, KeyError):
        return count, json.loads(last)["event"]
    return count, None


def _keys(folder: Path) -> frozenset[str]:
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    return frozenset(match[1] for match in map(_KEY.match, names) if match)
