"""A text to read, over whatever is on the screen."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.cells import clean_lines
from tui.frame import Line, Piece
from tui.language import tr
from tui.textlines import TextLines


class TextScreen(ModalScreen[None]):
    """Shows a text until Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "app.pop_screen", "Back", id="close_text", tooltip="Close this"),
        Binding("y", "copy", "Copy", id="copy_text", tooltip="Copy the text to the clipboard"),
    ]

    def __init__(self, title: str, lines: Iterable[Sequence[Piece]]) -> None:
        """Show lines under a title."""
        super().__init__()
        self._title = title
        self._lines = list(lines)

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(classes="dialog -tall"):
            yield Line(classes="line")
            yield TextLines()
            yield Line(id="keys", classes="line")

    def on_mount(self) -> None:
        """Show it."""
        self.query(Line).first().set_lines([(self._title, "strong")])
        self.query_one("#keys", Line).set_lines([(tr("esc closes, y copies"), "dim")])
        text = self.query_one(TextLines)
        text.set_lines(self._lines)
        text.focus()

    def action_copy(self) -> None:
        """Copy the text to the clipboard, as far as the terminal takes it."""
        self.app.copy_to_clipboard(self.query_one(TextLines).text)
        self.app.notify(tr("copied"), markup=False)


def plain_lines(text: str) -> list[list[Piece]]:
    """Return a text's lines, each harmless."""
    return [[(line, "")] if line else [] for line in clean_lines(text)]
