"""Files that are whole and on disk, or not there."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

GONE = "it holds paid answers: put it back, or fetch it again with action=collect"
"""What to do about a result file that is not there any more."""


def write_durably(path: Path, blocks: Iterable[bytes]) -> None:
    """Write a file that is either whole and on disk, or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as sink:
        for block in blocks:
            sink.write(block)
    settle(part, path)


def settle(part: Path, path: Path) -> None:
    """Sync a finished file, give it its final name, and sync the folder."""
    sync(part)
    part.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Ask the operating system to put a file or folder on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
