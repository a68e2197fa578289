"""Text made safe and fitted to terminal cells; pure. Everything on the screen goes through here."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rich.cells import cell_len, set_cell_size

from runner.core.cost import dollars
from tui.language import tr

Align = Literal["left", "right"]

_CONTROLS = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "␡",
    **dict.fromkeys(
        (
            *range(0x80, 0xA0),
            *range(0x200B, 0x2010),
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2070),
            0x061C,
            0x2028,
            0x2029,
            0xFEFF,
            *range(0xFFF9, 0xFFFC),
            *range(0xD800, 0xE000),
            *range(0xE0000, 0xE0080),
        ),
        "�",
    ),
}
_LINES = re.compile(r"\r\n|\r|\n")


def clean(text: str) -> str:
    """Return a text on one line that can do nothing to a terminal."""
    return text.translate(_CONTROLS)


def clean_lines(text: str) -> list[str]:
    """Return a text's lines, each harmless; a tab becomes spaces."""
    return [clean(line.replace("\t", "    ")) for line in _LINES.split(text)]


def fit(text: str, width: int, align: Align = "left", more: str = "…") -> str:
    """Return a clean text in exactly this many cells; what is cut off is marked."""
    if width <= 0:
        return ""
    if cell_len(text) > width:
        text = set_cell_size(text, max(width - cell_len(more), 0)).rstrip() + more
        text = text if cell_len(text) <= width else more[:width]
    pad = " " * (width - cell_len(text))
    return pad + text if align == "right" else text + pad


def pad(text: str, width: int) -> str:
    """Return a clean text in at least this many cells."""
    return text + " " * (width - cell_len(text))


def fit_ends(text: str, width: int, more: str = "…") -> str:
    """Return a clean text in exactly this many cells; what is too long is cut in its middle."""
    tail = (width - cell_len(more)) // 2
    if cell_len(text) <= width or tail < 1:
        return fit(text, width, more=more)
    return fit(fit(text, width - tail, more=more).rstrip() + text[-tail:], width, more=more)


def plain_key(text: str) -> str:
    """Return what a full-width letter or digit from an input method stands for."""
    return unicodedata.normalize("NFKC", text)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs that are drawn; some terminals have trouble with anything but ASCII."""

    full: str
    light: str
    eighths: str
    """From lowest to highest, for small histograms."""
    rule: str
    bar: str
    none: str
    """Stands for a missing value."""
    more: str
    alive: str
    good: str
    bad: str
    warning: str
    running: str
    waiting: str
    dot: str
    plus_minus: str
    times: str
    rising: str
    falling: str


UNICODE = Glyphs(
    full="█",
    light="·",
    eighths="▁▂▃▄▅▆▇█",
    rule="─",
    bar="│",
    none="—",
    more="…",
    alive="●",
    good="✓",
    bad="✗",
    warning="!",
    running=">",
    waiting=".",
    dot="·",
    plus_minus="±",
    times="×",
    rising="↑",
    falling="↓",
)
ASCII = Glyphs(
    full="#",
    light=".",
    eighths="_.-=+*%#",
    rule="-",
    bar="|",
    none="-",
    more="~",
    alive="*",
    good="+",
    bad="x",
    warning="!",
    running=">",
    waiting=".",
    dot="-",
    plus_minus="+-",
    times="x",
    rising="^",
    falling="v",
)


def bar(
    parts: list[tuple[int, str]], total: int, width: int, glyphs: Glyphs
) -> list[tuple[str, str]]:
    """Return a bar as pieces of (text, style): each part's share of the total, then what is open.

    A part that is not 0 gets a cell where there is room for it; the bar is full only when nothing is open.
    """
    if total <= 0 or width <= 0:
        return [(glyphs.light * max(width, 0), "dim")]
    done = sum(count for count, _ in parts)
    room = width if done >= total else min(width - 1, round(width * done / total))
    pieces: list[tuple[str, str]] = []
    left, rest = room, done
    shown = [(count, style) for count, style in parts if count > 0]
    for place, (count, style) in enumerate(shown, start=1):
        most = left - (len(shown) - place)  # a cell for each that comes after
        cells = max(min(most, max(1, round(left * count / rest))), 0)
        pieces.append((glyphs.full * cells, style))
        left, rest = left - cells, rest - count
    used = sum(len(text) for text, _ in pieces)
    pieces.append((glyphs.light * (width - used), "dim"))
    return pieces


def spark(counts: list[int], glyphs: Glyphs) -> str:
    """Return a histogram in one line; a blank for none, the lowest sign for the fewest."""
    top = max(counts, default=0)
    steps = glyphs.eighths
    return "".join(
        " " if count <= 0 else steps[min(len(steps) - 1, (count * len(steps) - 1) // top)]
        for count in counts
    )


def age(seconds: float) -> str:
    """Return a duration as `7s`, `14m01`, `3h32` or `1d04h`."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def days(count: float) -> str:
    """Return a long time in words, as `29 days`; the last two days as an age."""
    return tr("{count} days", count=int(count + 1e-6)) if count >= 2 else age(count * 86_400)


def money(usd: Decimal | float | None, *, known: bool = True) -> str:
    """Return an amount; `?` when unknown, and more digits when it is small."""
    if usd is None or not known:
        return "$?"
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else dollars(usd)


def share(count: int, total: int) -> str:
    """Return a percentage that is 0 only for none, and 100 only for all."""
    if total <= 0:
        return ""
    if count in {0, total}:
        return "0" if count == 0 else "100"
    return f"{min(max(100 * count / total, 0.1), 99.9):.1f}"
