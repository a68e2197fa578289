"""Text of any length, folded to the width there is; only the lines on the screen are drawn."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.cells import clean
from tui.frame import Piece
from tui.rows import STYLES

_ALL = (*STYLES, "match")


class TextLines(ScrollView, can_focus=True):
    """Lines of pieces, read from top to bottom."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"textlines--{name}" for name in _ALL}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_by(1)", "Down", id="text_down", show=False),
        Binding("k,up", "scroll_by(-1)", "Up", id="text_up", show=False),
        Binding("g,home", "scroll_to_end(False)", "First", id="text_first", show=False),
        Binding("G,end", "scroll_to_end(True)", "Last", id="text_last", show=False),
        Binding("pagedown,space", "scroll_page(1)", "Page down", id="text_page_down", show=False),
        Binding("pageup", "scroll_page(-1)", "Page up", id="text_page_up", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        """Start blank."""
        super().__init__(id=id, classes=classes)
        self._lines: list[list[Piece]] = []
        self._folded: list[list[Piece]] = []
        self._width = 0

    def set_lines(self, lines: Iterable[Sequence[Piece]], *, top: bool = True) -> None:
        """Show these; no text is ever taken for markup or a control sequence.

        Args:
            lines: each of pieces of text and style.
            top: whether to begin at the top again.
        """
        self._lines = [[(clean(text), style) for text, style in line] for line in lines]
        self._width = 0
        self._fold()
        if top:
            self.scroll_to(y=0, animate=False, force=True)
        self.refresh()

    @property
    def text(self) -> str:
        """Return what stands there, unfolded."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    def on_resize(self) -> None:
        """Fold anew."""
        self._fold()

    def _fold_again(self) -> None:
        self._fold()
        self.refresh()

    def _fold(self) -> None:
        width = self.scrollable_content_region.width
        if width > 0 and width != self._width:
            self._width = width
            self._folded = [row for line in self._lines for row in fold(line, width)]
        self.virtual_size = Size(max(width, 1), len(self._folded))

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        base, width = self.rich_style, self.scrollable_content_region.width
        if width != self._width and y == 0:  # a scrollbar came or went, which is no resize
            self.call_later(self._fold_again)
        index = self.scroll_offset.y + y
        row = self._folded[index] if index < len(self._folded) else []
        segments = [
            Segment(
                text,
                base + self.get_component_rich_style(f"textlines--{style}", partial=True)
                if style
                else base,
            )
            for text, style in row
        ]
        return Strip(segments).adjust_cell_length(width, base)

    def action_scroll_by(self, by: int) -> None:
        """Move by lines."""
        self.scroll_to(y=self.scroll_offset.y + by, animate=False)

    def action_scroll_page(self, by: int) -> None:
        """Move by a screenful."""
        self.action_scroll_by(by * max(self.size.height - 1, 1))

    def action_scroll_to_end(self, last: bool) -> None:
        """Go to the first line or the last."""
        self.scroll_to(y=len(self._folded) if last else 0, animate=False)


def fold(line: Sequence[Piece], width: int) -> Iterator[list[Piece]]:
    """Yield a line in rows of at most this many cells; a blank line is one blank row."""
    row: list[Piece] = []
    room = width
    for text, style in line:
        while text:
            size = cell_len(text) if len(text) <= 2 * room else room + 1
            if size <= room:
                row.append((text, style))
                room -= size
                break
            cut = _cut(text, room)
            if cut == 0 and not row:
                cut = 1  # a wide character in a column of one cell
            elif cut < len(text):
                cut = _word_end(text, cut)
            if cut:
                row.append((text[:cut], style))
                text = text[cut:]  # noqa: PLW2901
            yield row
            row, room = [], width
    if row or not line or room == width:
        yield row


def _word_end(text: str, cut: int) -> int:
    """Return a cut that breaks no word, if there is one that leaves most of the row."""
    if text[cut] == " " or not text[cut].isascii():
        return cut
    start = cut
    while start and text[start - 1] != " " and text[start - 1].isascii():
        start -= 1
    return start if start > cut // 2 else cut


def _cut(text: str, room: int) -> int:
    """Return how many characters fit."""
    for count, char in enumerate(text):
        room -= get_character_cell_size(char)
        if room < 0:
            return count
    return len(text)
