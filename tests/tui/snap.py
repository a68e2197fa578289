"""Drives a dashboard without a terminal, and keeps what it shows as text or SVG."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from tests.tui.made import NOW
from tui.app import Dashboard
from tui.settings import DashboardSettings

WIDE, SMALL = (120, 36), (80, 24)

Script = Callable[[Pilot[None]], Awaitable[Any]]


class ScreenExtension(SingleFileSnapshotExtension):
    """One line for each line of the terminal."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


class SvgExtension(SingleFileSnapshotExtension):
    """A picture, without the parts that change from run to run or name another host."""

    _write_mode = WriteMode.TEXT
    file_extension = "svg"

    def serialize(self, data: Any, **options: Any) -> str:
        return picture(super().serialize(data, **options))


def picture(svg: str) -> str:
    """Return an SVG with stable names, and fonts of the reader's own machine."""
    svg = re.sub(r"\bterminal-\d+-", "terminal-", svg)
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def dashboard(outputs: Path, experiment: str | None = None, **options: Any) -> Dashboard:
    """Return a dashboard whose clock stands still and that reads once."""
    options = {"clock": lambda: NOW, "host": "desk-1", "follow": False} | options
    return Dashboard(outputs, experiment, **options)


def drive(app: Dashboard, script: Script, size: tuple[int, int] = WIDE) -> Any:
    """Run an app, do what the script says, and return what it returns."""

    async def run() -> Any:
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            return await script(pilot)

    return asyncio.run(run())


async def settled(pilot: Pilot[None]) -> None:
    """Wait until nothing is going on: workers are done and their messages were taken."""
    deadline = time.monotonic() + 30
    while True:
        await pilot.pause()
        try:
            await pilot.app.workers.wait_for_complete()
        except WorkerCancelled:  # a newer one has taken its place: wait for that
            assert time.monotonic() < deadline
        else:
            break
    await pilot.pause()


def shown(
    outputs: Path,
    experiment: str | None,
    *keys: str,
    size: tuple[int, int] = WIDE,
    **options: Any,
) -> str:
    """Open an experiment, press keys, and return the screen as text."""

    async def script(pilot: Pilot[None]) -> str:
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        return screen_text(pilot.app)

    return str(drive(dashboard(outputs, experiment, **options), script, size))


def drawn(
    outputs: Path,
    experiment: str | None,
    *keys: str,
    size: tuple[int, int] = WIDE,
    theme: str = "textual-dark",
) -> tuple[str, str]:
    """Open an experiment, press keys, and return the screen as SVG and as text."""

    async def script(pilot: Pilot[None]) -> tuple[str, str]:
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        return pilot.app.export_screenshot(title="Chorus"), screen_text(pilot.app)

    app = dashboard(outputs, experiment, settings=DashboardSettings(theme=theme))
    picture, text = drive(app, script, size)
    return picture, text


def screen_text(app: Any) -> str:
    """Return what is on the screen, also when a dialog lies over it."""
    width, height = app.size
    console = Console(
        width=width,
        height=height,
        file=_Nowhere(),
        force_terminal=True,
        color_system=None,
        record=True,
        legacy_windows=False,
        safe_box=False,
    )
    update = app.screen._compositor.render_update(
        full=True, screen_stack=app._background_screens, simplify=True
    )
    console.print(update)
    text = console.export_text(styles=False)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


class _Nowhere:
    """Takes what is written."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""
