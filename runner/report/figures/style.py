"""How every figure looks: its colours, hatches, and settings of matplotlib; and as what it is written."""

from dataclasses import dataclass
from typing import Any

from runner.report.fonts import FONTS

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito's, which the colour-blind can tell apart."""
HATCHES = ("", "///", "...", "xxx")
MARKERS = "osD^vPX*"
GREY = "#555555"
LIGHT_GREY = "#BBBBBB"
DARK = "#333333"
ALARM = "#B3261E"
ENDINGS = {
    "success": "#0072B2",
    "retry_success": "#56B4E9",
    "failed": "#D55E00",
    "open": LIGHT_GREY,
    "imported": "#009E73",
}
STYLE: dict[Any, Any] = {
    "font.family": list(FONTS),
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "axes.grid": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "chorus",
    "text.parse_math": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
}

MM = 25.4
"""Of an inch."""
PRINTED = 0.8
"""How large text is in a figure of a given width, of its size on the page: most of it 6 to 7 points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """As what figures and tables are written; by default as the page shows them."""

    formats: tuple[str, ...] = ("png", "svg")
    """Among png, svg and pdf."""
    width_mm: float | None = None
    """None: as wide as each has to be."""
    dpi: float | None = None
    """Of PNG; None: 160, or 300 with a width."""
    font: str | None = None
    """Of this machine; what it has no glyph for is drawn in the usual ones."""
    tables: tuple[str, ...] = ("csv",)
    """Among csv, tex and md."""

    @property
    def room(self) -> float | None:
        """Return how wide figures are drawn, in inches, before they are made smaller; None: as they like."""
        return None if self.width_mm is None else self.width_mm / MM / PRINTED

    @property
    def scale(self) -> float:
        """Return the size of what is written, of the size of what is drawn."""
        return 1.0 if self.width_mm is None else PRINTED

    @property
    def resolution(self) -> float:
        """Return the dots per inch of PNG."""
        return self.dpi or (160 if self.width_mm is None else 300)

    @property
    def style(self) -> dict[Any, Any]:
        """Return the settings of matplotlib."""
        return STYLE if self.font is None else STYLE | {"font.family": [self.font, *FONTS]}
