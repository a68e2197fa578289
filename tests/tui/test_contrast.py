"""Everything on the screen can be read, in every theme that is shipped."""

from pathlib import Path

import pytest
from rich.color import Color as RichColor
from rich.segment import Segment
from textual.color import Color
from textual.pilot import Pilot

from tests.tui.snap import WIDE, dashboard, drive, settled
from tests.variants import first
from tui.settings import THEMES, DashboardSettings

LEAST = 3.0
"""WCAG ratio; 4.5 is the aim for small text, 3 the floor for anything that says something."""
DRAWN = set("─│▏▔▁▂▃▄▅▆▇█·▊▎▌▐╭╮╰╯━┃ ▕")
"""Lines and bars, which nobody reads."""


def told(color: RichColor | None, fallback: Color) -> Color:
    if color is None or color.is_default:
        return fallback
    triplet = color.get_truecolor()
    return Color(triplet.red, triplet.green, triplet.blue)


def contrast(segment: Segment, front: Color, back: Color) -> float:
    style = segment.style
    assert style is not None
    fore, ground = told(style.color, front), told(style.bgcolor, back)
    if style.reverse:
        fore, ground = ground, fore
    if style.dim:
        fore = fore.blend(ground, 0.4)
    return ratio(fore, ground)


def ratio(one: Color, two: Color) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""

    def luminance(color: Color) -> float:
        parts = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
            for part in color.normalized
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    bright, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", first(1, [name for name in THEMES if name != "ansi-dark"]))
@pytest.mark.parametrize("size", [WIDE, (80, 24)])
def test_every_word_on_every_view_can_be_read(outputs: Path, theme: str, size: tuple[int, int]):
    async def script(pilot: Pilot[None]) -> list[str]:
        poor = []
        app = pilot.app
        front = Color.parse(app.theme_variables["foreground"])
        back = Color.parse(app.theme_variables["background"])
        for key in "012345":
            await pilot.press(key)
            await settled(pilot)
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    text = "".join(c for c in segment.text if c not in DRAWN)
                    if text and segment.style and (found := contrast(segment, front, back)) < LEAST:
                        poor.append(f"view {key}: {text!r} {found:.1f} {segment.style}")
        return poor

    app = dashboard(outputs, "literary", settings=DashboardSettings(theme=theme))
    assert drive(app, script, size) == []
