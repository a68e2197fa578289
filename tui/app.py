"""The application: screens, keys, themes, and a clean way out."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import App
from textual.binding import BindingType
from textual.command import CommandPalette

from tui.cells import plain_key
from tui.desk import Desk
from tui.language import tr
from tui.palette import chorus_commands
from tui.screens.experiment import LEAST, ExperimentScreen
from tui.settings import THEMES, DashboardSettings
from tui.source import ExperimentSource
from tui.views.view import OpenExperiment


class Dashboard(App[None], inherit_bindings=False):
    """Shows experiments; quitting it ends no run."""

    TITLE = "Chorus"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = []
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [
        (0, "-tiny"),
        (60, "-narrow"),
        (100, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [
        (0, "-flat"),
        (16, "-short"),
        (30, "-tall"),
    ]
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {chorus_commands}

    def __init__(
        self,
        outputs: Path,
        experiment: str | None = None,
        *,
        settings: DashboardSettings | None = None,
        follow: bool = True,
        clock: Callable[[], float] = time.time,
        host: str | None = None,
        view: str | None = None,
        words: tuple[str, ...] = (),
    ) -> None:
        """Make it.

        Args:
            outputs: the folder of all experiments.
            experiment: the one to open; None: the list of them.
            settings: how it looks and listens.
            follow: whether ledgers are read again and again.
            clock: gives seconds since the epoch.
            host: this machine's name.
            view: the view to begin with.
            words: for the runner, whose plan is shown first; empty: nothing is to be run.
        """
        self._settings = settings or DashboardSettings()
        super().__init__(ansi_color=True if self._settings.theme == "ansi-dark" else None)
        self.desk = Desk(
            outputs=outputs,
            clock=clock,
            host=socket.gethostname() if host is None else host,
            glyphs=self._settings.signs,
            poll_seconds=self._settings.poll_seconds if follow else None,
        )
        self._experiment = experiment
        self._view = view
        self._words = words

    def on_mount(self) -> None:
        """Open the first screen."""
        for name in set(self.available_themes) - set(THEMES):
            self.unregister_theme(name)
        self.theme = self._settings.theme
        self.set_keymap(self._settings.keymap)
        self._leave_on_signals()
        if self._words:
            from tui.screens.plan import PlanScreen

            self.push_screen(PlanScreen(self.desk, self._words))
        elif self._experiment is None:
            from tui.screens.experiments import ExperimentsScreen

            self.push_screen(ExperimentsScreen(self.desk))
        else:
            self._open_experiment(OpenExperiment(self.desk.outputs / self._experiment, self._view))

    @on(OpenExperiment)
    def _open_experiment(self, wanted: OpenExperiment) -> None:
        source = ExperimentSource(wanted.folder)
        self.push_screen(ExperimentScreen(self.desk, source, wanted.view))

    def on_resize(self, event: events.Resize) -> None:
        """Mark what the style sheet cannot know."""
        self.set_class(self._settings.glyphs == "ascii", "-ascii")
        self.set_class(event.size.width < LEAST[0] or event.size.height < LEAST[1], "-no-room")

    def on_key(self, event: events.Key) -> None:
        """Take a full-width letter from an input method for the key that was meant."""
        text = event.character or ""
        if len(text) == 1 and (plain := plain_key(text)) != text and len(plain) == 1:
            event.stop()
            self.simulate_key(plain)

    def action_command_palette(self) -> None:
        """Show what can be done, to search in."""
        if not CommandPalette.is_open(self):  # type: ignore[arg-type]
            asked = tr("Search for commands…")
            self.push_screen(CommandPalette(id="--command-palette", placeholder=asked))

    def action_help(self) -> None:
        """Show the keys of what is on the screen."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen, self.desk.glyphs))

    def _leave_on_signals(self) -> None:
        """Leave a clean terminal behind; without a terminal (SIGHUP) there is nothing to clean."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread
            loop.add_signal_handler(signal.SIGTERM, self.exit)
