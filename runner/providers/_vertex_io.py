"""Where Vertex AI reads requests and writes results: what is asked of either kind of place.

Nothing is retried but the pieces of a long upload, which cannot be stored twice.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import google_crc32c

from runner.providers._vertex_preflight import Preflight

PIECE = 8 << 20
"""Bytes of an upload sent at once; a smaller file goes out in one call."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A request file, read once to its end and found fit to be sent."""

    lines: int
    size: int
    crc32c: str


def survey(path: Path) -> Survey:
    """Read a request file and check every line.

    Raises:
        ProviderRefused: naming the first line that the importer would not take.
    """
    preflight, checksum, size = Preflight(), 0, 0
    with path.open("rb") as lines:
        for line in lines:
            preflight.check(line)
            checksum = summed(checksum, line)
            size += len(line)
    return Survey(preflight.lines, size, written(checksum))


def summed(before: int, data: bytes) -> int:
    """Return the CRC-32C of what came before and more."""
    checksum: int = google_crc32c.extend(before, data)
    return checksum


def written(checksum: int) -> str:
    """Write a checksum as Cloud Storage does."""
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


class Store(Protocol):
    """A place for requests and results."""

    def check(self, location: str) -> None:
        """Refuse a place that is not there, or not where the job is."""
        ...

    def put(self, path: Path, name: str, known: Survey, *, look_first: bool) -> dict[str, str]:
        """Hand over a request file, unless it is there already; return how it is found again."""
        ...

    def output(self, name: str) -> str:
        """Return where the results of a request file are to go."""
        ...

    def drop(self, handle: Mapping[str, str]) -> None:
        """Take a request file away."""
        ...

    def results(self, uri: str, created: str) -> dict[str, str]:
        """Return the result files of a job by our names, each with its own address."""
        ...

    def fetch(self, uri: str, sink: BinaryIO) -> None:
        """Write one result file to a sink, and be sure that it is whole."""
        ...
