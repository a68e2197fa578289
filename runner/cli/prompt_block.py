"""A prompt as the command line shows it: a block of lines that fit, which can do nothing to a terminal."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from runner.core.model import Message

WIDTH = 80
LINE, GOES_ON = "│ ", "┆ "
"""What stands before a line of the prompt, and before the rest of one that is too long."""
_LINES = re.compile(r"\r\n|\r|\n")
_JOINERS = "\u200c\u200d"
"""They are of no width and make one sign of two, also in ordinary text."""


def block(turns: Iterable[Message], indent: str = "") -> Iterator[str]:
    """Yield the lines of a prompt, the role of each turn above it."""
    for turn in turns:
        head = f"{indent}── {turn.role} "
        yield head + "─" * (WIDTH - len(head))
        for line in _LINES.split(turn.content):
            for number, part in enumerate(wrapped(harmless(line), WIDTH - len(indent + LINE))):
                yield (indent + (GOES_ON if number else LINE) + part).rstrip()
    yield indent + "─" * (WIDTH - len(indent))


def harmless(line: str) -> str:
    """Return a line of text without what a terminal would obey, or not show."""
    return "".join(map(_harmless, line.replace("\t", "    ")))


def _harmless(sign: str) -> str:
    kind = unicodedata.category(sign)
    return "�" if kind in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in _JOINERS else sign


def wrapped(line: str, width: int) -> Iterator[str]:
    """Cut a line into pieces of at most so many cells, behind a blank where there is one."""
    start = 0
    while (end := start + _fitting(line[start : start + width], width)) < len(line):
        blank = line.rfind(" ", start + width // 3, end)
        end = blank + 1 if blank > 0 else end
        yield line[start:end]
        start = end
    yield line[start:]


def _fitting(line: str, width: int) -> int:
    """Return how many characters of the beginning of a line fit; at least one."""
    from rich.cells import cell_len

    low, high = 1, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cell_len(line[:middle]) <= width else (low, middle - 1)
    return low
