"""What every screen needs and none of them owns: the clock, the signs, the folder, and the commands."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.storage.files import write_durably
from tui.cells import Glyphs, clean

if TYPE_CHECKING:
    from textual.screen import Screen

    from tui.views.view import View, Wanted


@dataclass(slots=True, kw_only=True)
class Desk:
    """Given to every screen by the app."""

    outputs: Path
    clock: Callable[[], float]
    """Seconds since the epoch."""
    host: str
    """This machine's name."""
    glyphs: Glyphs
    poll_seconds: float | None
    """None: ledgers are read once, when a screen opens (tests)."""

    def ask(self, screen: "Screen[None]", wanted: "Wanted") -> None:
        """Ask the user, then leave the command for the runner."""
        from tui.screens.confirm import ConfirmScreen

        screen.app.push_screen(ConfirmScreen(self, wanted))

    def write_csv(self, screen: "Screen[None]", view: "View") -> None:
        """Write what a view shows beside the experiment, in a thread, and say where."""
        reading = view.reading
        experiment = "" if reading is None else reading.experiment
        path = self.outputs / experiment / f"view-{(view.id or 'view').lower()}.csv"

        def say(text: str, **how: Any) -> None:
            screen.app.call_from_thread(screen.notify, clean(text), markup=False, **how)

        def write() -> None:
            rows = [] if reading is None else view.csv_rows()
            if not rows:
                say("nothing to write in this view", severity="warning")
                return
            try:
                write_table(path, rows)
            except OSError as error:
                say(f"{path} cannot be written ({error.strerror})", severity="error")
                return
            say(f"{len(rows) - 1:,} rows in {path}", timeout=10)

        screen.run_worker(write, thread=True, group="csv")


def write_table(path: Path, rows: Iterable[list[str]]) -> None:
    """Write a table for spreadsheets: whole or not at all, and without a cell they take for a formula."""
    from runner.tables.export import FORMULA

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow(f"'{cell}" if FORMULA.match(cell) else cell for cell in row)
    write_durably(path, [text.getvalue().encode("utf-8-sig", "replace")])
