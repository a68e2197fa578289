"""How every figure looks: its colours, hatches, and settings of matplotlib."""

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
    "svg.fonttype": "path",
    "svg.hashsalt": "chorus",
    "text.parse_math": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
}
