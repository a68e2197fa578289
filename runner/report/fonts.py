"""Fonts for Japanese, the same on every machine: in figures, and inside the page."""

import io
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from runner.config.problems import did_you_mean
from runner.core.errors import ConfigError
from runner.report.words import visible

FONTS = ("IPAexGothic", "DejaVu Sans")
"""The first comes with the package matplotlib-fontja, the second with matplotlib."""

EAST_ASIAN = 0x2E80
"""Where the characters begin that a machine may have no font for; Latin is everywhere."""


@cache
def load(font: str | None = None) -> None:
    """Make the Japanese font known to matplotlib, and one of this machine.

    Raises:
        ConfigError: this machine does not have that font.
    """
    from matplotlib.font_manager import findSystemFonts, fontManager
    from matplotlib_fontja import get_font_ttf_path

    if FONTS[0] not in fontManager.get_font_names():
        fontManager.addfont(get_font_ttf_path())
    if font is None or font in fontManager.get_font_names():
        return
    known = {Path(one.fname) for one in fontManager.ttflist}
    for path in sorted({*map(Path, findSystemFonts())} - known):  # installed since it last looked
        with suppress(OSError, RuntimeError):
            fontManager.addfont(path)
    names = fontManager.get_font_names()
    if font not in names:
        raise ConfigError(
            f"report.figure.font: {font!r} is not installed; {did_you_mean(font, names)}"
        )


@cache
def _glyphs() -> frozenset[int]:
    """Return every character that one of the fonts has."""
    from matplotlib.font_manager import fontManager
    from matplotlib.ft2font import FT2Font

    load()
    found: set[int] = set()
    for font in FONTS:
        found |= set(FT2Font(fontManager.findfont(font)).get_charmap())
    return frozenset(found)


def drawable(text: str) -> str:
    """Return text without characters that no font has: they are shown by their numbers."""
    known = _glyphs()
    return "".join(c if ord(c) in known else f"⟨U+{ord(c):04X}⟩" for c in visible(text))


def font_face(family: str, characters: Iterable[str]) -> str:
    """Return CSS with the Japanese font, under a name, of just some characters.

    The IPA Font License allows a font to be embedded in a document for its display.
    """
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont
    from matplotlib_fontja import get_font_ttf_path

    options = Options(layout_features=[], hinting=False, name_IDs=[], notdef_outline=True)
    with TTFont(get_font_ttf_path(), recalcTimestamp=False, lazy=True) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=map(ord, characters))
        subsetter.subset(font)
        font.flavor = "woff"
        file = io.BytesIO()
        font.save(file)
    data = b64encode(file.getvalue()).decode()
    return f'@font-face {{ font-family: {family}; src: url("data:font/woff;base64,{data}"); }}'
