"""Labels that fit: cut or broken to a width that is counted in half-width characters."""

import unicodedata
from typing import Any

from runner.report.fonts import drawable
from runner.report.words import Words


def width_of(text: str) -> int:
    """Return how wide a text is, in half-width characters."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def short(text: str, width: int) -> str:
    """Return a text cut to a width, with … where it was cut."""
    text = drawable(text)
    if width_of(text) <= width:
        return text
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return text + "…"


def wrapped(text: str, width: int, most: int) -> str:
    """Return a text on several lines, broken at brackets, spaces and hyphens.

    Args:
        text: what is shown.
        width: of a line.
        most: how many lines there may be; what is left over is cut.
    """
    rest = drawable(text)
    lines: list[str] = []
    if " " not in rest:  # as Japanese: lines of about the same length
        width = min(width, -(-width_of(rest) // -(-width_of(rest) // width)) + 1) if rest else width
    while rest and len(lines) < most:
        if width_of(rest) <= width:
            lines.append(rest)
            return "\n".join(lines)
        if len(lines) == most - 1:
            break
        cut = _break(rest, width)
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return "\n".join([*lines, short(rest, width)])


def _break(text: str, width: int) -> int:
    """Return how many characters of a text that is too wide stand on its first line."""
    cut = 1
    while cut < len(text) and width_of(text[: cut + 1]) <= width:
        cut += 1
    bracket = text[: cut + 1].rfind("(")
    if bracket > 0:
        return bracket
    gap = text[:cut].rfind(" ")
    if gap < cut / 3:  # too little would stand on the line
        gap = max(gap, text[:cut].rfind("-"))
    return gap + 1 if gap > 0 else cut


def rounded(number: float) -> str:
    """Return a number with one digit behind the point, and without one from 10 on."""
    return f"{number:.0f}" if abs(number) >= 10 else f"{number:.1f}"


def row_name(levels: tuple[Any, ...], words: Words) -> str:
    """Return the label of a row: a factor's level, and the experiment if there are several."""
    first, *rest = (words("x.not_sent") if x is None else str(x) for x in levels)
    return f"{first} – {rest[0]}" if rest and rest[0] else first
