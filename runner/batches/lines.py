"""A file of lines, as bytes: only a newline byte ends a line, since an answer may hold U+2028."""

from collections.abc import Iterator
from pathlib import Path

MAX_LINE = 64 << 20
"""Bytes, the newline included; a longer line is set aside unread."""
_BUFFER = 1 << 16


def lines(path: Path, begin: int = 0, end: int | None = None) -> Iterator[bytes | None]:
    """Yield the lines of a file as they stand, blank ones too; None for one too long.

    Args:
        path: the file.
        begin: where a line begins.
        end: where one ends; None for the end of the file.
    """
    stop = path.stat().st_size if end is None else end
    with path.open("rb", buffering=_BUFFER) as source:
        at = source.seek(begin)
        if stop - begin <= MAX_LINE:  # none can be too long, and iterating is faster
            while at < stop and (line := next(source, b"")):
                at += len(line)
                yield line
            return
        while at < stop and (line := source.readline(MAX_LINE + 1)):
            at += len(line)
            is_too_long = len(line) > MAX_LINE
            while is_too_long and line and not line.endswith(b"\n"):
                line = source.readline(MAX_LINE)
                at += len(line)
            yield None if is_too_long else line
