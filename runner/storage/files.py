"""Files that are whole and on disk, or not there; none is written through a link."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO


def fresh(path: Path) -> BinaryIO:
    """Open a new, empty file, instead of whatever has its name; it is as private as its folder.

    A link is removed, not followed: a folder from elsewhere may hold any.
    """
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, path.parent.stat().st_mode & 0o666), "wb")


def part_of(path: Path) -> Path:
    """Return where to write a file until it is whole: a new, empty one beside it."""
    part = path.with_name(path.name + ".part")
    fresh(part).close()
    return part


def appending(path: Path) -> int:
    """Open a file to append to it, and make it if need be.

    Raises:
        OSError: it is a link.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)


def append(handle: int, line: bytes) -> None:
    """Append one whole line; it is on disk when this returns."""
    rest = memoryview(line + b"\n")
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.fsync(handle)


def leaving(folder: Path) -> Path | None:
    """Return a link below a folder that leads out of it; None when there is none."""
    home = folder.resolve()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                return path
    return None


def privacy(folders: Iterable[Path]) -> int:
    """Return the mode of a folder that is as private as the most private of these."""
    mode = 0o777
    for folder in folders:
        mode &= folder.stat().st_mode
    return mode


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder, and those above it that are missing; each is on disk in the one above it."""
    missing = [path, *path.parents][
        : next(n for n, p in enumerate((path, *path.parents)) if p.is_dir())
    ]
    for folder in reversed(missing):
        folder.mkdir(mode=mode, exist_ok=True)
        sync(folder.parent)


GONE = "it holds paid answers: put it back, or fetch it again with action=collect"
"""What to do about a result file that is not there any more."""


def write_durably(path: Path, blocks: Iterable[bytes]) -> None:
    """Write a file that is either whole and on disk, or not there."""
    make_folder(path.parent)
    part = part_of(path)
    with part.open("r+b") as sink:
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
