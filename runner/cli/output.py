"""How the command line prints: tables, lists with labels, warnings, and JSON."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

LABEL_WIDTH = 9


def aligned(rows: Sequence[Sequence[str]], words: Sequence[int] = (0, 1)) -> Iterator[str]:
    """Yield the rows of a table, a line each, with their columns below each other.

    Args:
        rows: all of the same length.
        words: columns that begin at the left, as the last one does; numbers end at the right.
    """
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for number, (text, width) in enumerate(zip(row, widths, strict=True)):
            fill = " " * (width - cell_len(text))
            is_left = number in words or number == len(row) - 1
            cells.append(text + fill if is_left else fill + text)
        yield "  ".join(cells).rstrip()


def say(line: str) -> None:
    """Print a line of what goes on; where its reader has left, the run goes on unseen."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:
        silence_unread()


def silence_unread() -> bool:
    """Let what is printed go nowhere where its reader has left; tell whether one has."""
    import select

    streams = (sys.stdout, sys.stderr)
    looked = select.poll()
    for stream in streams:
        looked.register(stream, 0)  # errors are told unasked
    unread = {number for number, how in looked.poll(0) if how & (select.POLLERR | select.POLLHUP)}
    for stream in streams:
        if stream.fileno() in unread:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return bool(unread)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table; its first row is the heading."""
    for line in aligned(rows):
        print(line)


def labelled(label: str, text: object, width: int = LABEL_WIDTH) -> str:
    """Return one line of a list: a label, and what it is."""
    return f"{label:<{width}}{text}"


def print_notes(notes: Iterable[str], indent: str = "") -> None:
    """Print what is good to know, a line each."""
    for note in notes:
        print(f"{indent}note: {note}", flush=True)


def print_warnings(lines: Iterable[str | None]) -> None:
    """Print what has to be seen, a line each."""
    for line in lines:
        if line:
            print(f"! {line}")


def print_json(facts: Mapping[str, Any]) -> None:
    """Print facts as JSON, with ? for half a surrogate pair, which no UTF-8 can hold."""
    text = json.dumps(facts, ensure_ascii=False, indent=2, default=str)
    print(text.encode("utf-8", "replace").decode())
