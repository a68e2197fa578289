"""What a view shows, as a CSV file beside the experiment."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.screen import Screen

from runner.storage.files import write_durably
from tui.cells import clean
from tui.language import tr
from tui.views.view import View


def write_csv(outputs: Path, screen: Screen[None], view: View) -> None:
    """Write what a view shows beside the experiment, in a thread, and say where."""
    snapshot = view.snapshot
    experiment = "" if snapshot is None else snapshot.experiment
    path = outputs / experiment / f"view-{(view.id or 'view').lower()}.csv"

    def say(text: str, **how: Any) -> None:
        screen.app.call_from_thread(screen.notify, clean(text), markup=False, **how)

    def write() -> None:
        rows = [] if snapshot is None else view.csv_rows()
        if not rows:
            say(tr("nothing to write in this view"), severity="warning")
            return
        try:
            write_table(path, rows)
        except OSError as error:
            say(
                tr("{path} cannot be written ({strerror})", path=path, strerror=error.strerror),
                severity="error",
            )
            return
        say(tr("{rows:,} rows in {path}", rows=len(rows) - 1, path=path), timeout=10)

    screen.run_worker(write, thread=True, group="csv")


def write_table(path: Path, rows: Iterable[list[str]]) -> None:
    """Write a table for spreadsheets: whole or not at all, and without a cell they take for a formula."""
    from runner.tables.export import FORMULA

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow(f"'{cell}" if FORMULA.match(cell) else cell for cell in row)
    write_durably(path, [text.getvalue().encode("utf-8-sig", "replace")])
