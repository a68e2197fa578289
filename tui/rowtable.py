"""A table that draws only the lines on the screen, so that a million rows cost what thirty do."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.cells import ASCII, UNICODE, Glyphs, clean, fit, fit_ends
from tui.rows import STYLES, Col, ListRows, Rows


class RowTable(ScrollView, can_focus=True):
    """A table with a cursor that stays on its row, whatever happens around it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rowtable--head",
        "rowtable--cursor",
        *(f"rowtable--{name}" for name in STYLES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", id="down", show=False),
        Binding("k,up", "move(-1)", "Up", id="up", show=False),
        Binding("g,home", "go(0)", "First", id="first", show=False),
        Binding("G,end", "go(-1)", "Last", id="last", show=False),
        Binding("pagedown", "page(1)", "Page down", id="page_down", show=False),
        Binding("pageup", "page(-1)", "Page up", id="page_up", show=False),
        Binding("enter", "open", "Open", id="open"),
    ]

    DEFAULT_CSS = "RowTable { overflow-x: hidden; overflow-y: auto; }"

    cursor = var(0, init=False)

    class Moved(Message):
        """The cursor is on another row; `key` is None when there is no row."""

        def __init__(self, table: "RowTable", key: str | None) -> None:
            """Say which."""
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> "RowTable":
            """Return the table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Let a burst become one."""
            return isinstance(message, RowTable.Moved) and message.table is self.table

    class Opened(Message):
        """A row was opened, with Enter or a click on the cursor."""

        def __init__(self, table: "RowTable", key: str) -> None:
            """Say which."""
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> "RowTable":
            """Return the table."""
            return self.table

    class HeadClicked(Message):
        """The title of a column was clicked."""

        def __init__(self, table: "RowTable", title: str) -> None:
            """Say which."""
            super().__init__()
            self.table, self.title = table, title

        @property
        def control(self) -> "RowTable":
            """Return the table."""
            return self.table

    def __init__(self, columns: Sequence[Col], *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        """Start without rows.

        Args:
            columns: from left to right.
            empty: what stands there while there is no row.
            id: the widget's.
        """
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._rows: Rows = ListRows()
        self._empty = empty
        self._order: tuple[str, bool] | None = None
        self._laid: tuple[tuple[int, Col, int], ...] = ()
        self._laid_width = 0
        self._laid_for = 0
        self._row_key: str | None = None

    @property
    def rows(self) -> Rows:
        """Return what is shown."""
        return self._rows

    @property
    def key(self) -> str | None:
        """Return the key of the row under the cursor."""
        return self._row_key

    @property
    def empty(self) -> str:
        """Return what stands there while there is no row."""
        return self._empty

    @empty.setter
    def empty(self, text: str) -> None:
        self._empty = text
        self.refresh()

    def set_columns(self, columns: Sequence[Col]) -> None:
        """Change the columns; the rows have to fit them."""
        self._columns = tuple(columns)
        self._lay()
        self.refresh()

    def show_order(self, order: tuple[str, bool] | None) -> None:
        """Mark the column that the rows are sorted by; another order begins at its first row.

        Args:
            order: the column's title, and whether the highest comes first; None: no column.
        """
        if order != self._order:
            self._order = order
            self.cursor = 0
            self.refresh()

    def _head_at(self, x: int) -> str:
        """Return the title of the column at a place of the first line."""
        end = 0
        for _, col, size in self._laid:
            end += size + 1
            if x < end:
                return col.title
        return ""

    def set_rows(self, rows: Rows) -> None:
        """Show other rows; the cursor follows its row, and stays in its place where that is gone."""
        old, self._rows = self._rows, rows
        place = None if self._row_key is None else rows.find(self._row_key)
        height_changed = len(old) != len(rows)
        if place is None:
            place = min(self.cursor, max(len(rows) - 1, 0))
        shift = place - self.cursor
        self.set_reactive(RowTable.cursor, place)
        if height_changed:
            self._stretch()
        if shift and self.scroll_offset.y:
            self.scroll_to(y=self.scroll_offset.y + shift, animate=False)
        self._note_key()
        self.refresh()

    def update_rows(self, rows: Rows) -> None:
        """Show the same rows with other cells: only the lines that differ are drawn again."""
        old, self._rows = self._rows, rows
        top = self.scroll_offset.y
        for index in range(top, min(top + self._room.height, len(rows), len(old))):
            if old.key(index) != rows.key(index) or old.cells(index) != rows.cells(index):
                self.refresh_row(index)

    def show_rows(self, rows: Rows) -> None:
        """Show rows; where they are the ones that stand there, only lines that differ are drawn."""
        old = self._rows
        same = len(old) == len(rows) and all(old.key(i) == rows.key(i) for i in range(len(rows)))
        (self.update_rows if same and len(rows) else self.set_rows)(rows)

    def refresh_row(self, index: int) -> None:
        """Draw one row again."""
        y = index - self.scroll_offset.y + 1
        if 1 <= y < self._room.height:
            self.refresh(Region(0, y, self._room.width, 1))

    def go_to(self, key: str) -> bool:
        """Put the cursor on a row; tell whether it is there."""
        place = self._rows.find(key)
        if place is not None:
            self.cursor = place
        return place is not None

    # -- drawing

    def on_resize(self) -> None:
        """Fit the columns to the room."""
        self._lay()
        self._stretch()
        self._show_cursor()

    @property
    def _room(self) -> Size:
        """Return what is left beside the scroll bar."""
        return self.scrollable_content_region.size

    def _stretch(self) -> None:
        self.virtual_size = Size(max(self._room.width, 1), len(self._rows) + 1)

    def _lay(self) -> None:
        """Choose the columns that fit, and their widths."""
        room = self._laid_for = self._room.width
        chosen = list(enumerate(self._columns))
        ranks = sorted({col.rank for col in self._columns if col.rank}, reverse=True)
        for rank in ranks:
            if _needed(chosen) <= room:
                break
            chosen = [pair for pair in chosen if pair[1].rank != rank]
        spare = max(room - _needed(chosen), 0)
        shares = sum(col.grow for _, col in chosen)
        laid: list[tuple[int, Col, int]] = []
        for place, col in chosen:
            more = spare * col.grow // shares if shares and col.grow else 0
            laid.append((place, col, col.width + more))
        self._laid = tuple(laid)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self._room.width
        if width != self._laid_for:  # the scroll bar came or went
            self._lay()
        base = self.rich_style
        glyphs = ASCII if self.app.has_class("-ascii") else UNICODE
        more = glyphs.more
        if y == 0:
            style = self.get_component_rich_style("rowtable--head")
            text = " ".join(
                fit(head_of(col, size, self._order, glyphs), size, col.align, more)
                for _, col, size in self._laid
            )
            return _line([Segment(text, style)], width, style)
        index = self.scroll_offset.y + y - 1
        if index >= len(self._rows):
            text = f"  {self._empty}" if not len(self._rows) and y == 1 else ""
            return _line([Segment(fit(text, width), base)], width, base)
        is_cursor = index == self.cursor
        line = base
        if is_cursor:
            line = self.get_component_rich_style("rowtable--cursor")
            if not self.has_focus:
                line += Style(dim=False, bold=False)
        segments: list[Segment] = []
        cells = self._rows.cells(index)
        for count, (place, col, size) in enumerate(self._laid):
            if count:
                segments.append(Segment(" ", line))
            cell = cells[place]
            text, name = cell if isinstance(cell, tuple) else (cell, "")
            style = line
            if name and not is_cursor:
                style = line + self.get_component_rich_style(f"rowtable--{name}", partial=True)
            text = clean(text)
            told = fit_ends(text, size, more) if col.ends else fit(text, size, col.align, more)
            segments.append(Segment(told, style))
        return _line(segments, width, line)

    # -- moving

    def watch_cursor(self, old: int, new: int) -> None:
        """Draw the two lines, and bring the cursor into view."""
        self.refresh_row(old)
        self.refresh_row(new)
        self._show_cursor()
        self._note_key()

    def validate_cursor(self, place: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(place, len(self._rows) - 1))

    def _note_key(self) -> None:
        key = self._rows.key(self.cursor) if len(self._rows) else None
        if key != self._row_key:
            self._row_key = key
            self.post_message(self.Moved(self, key))

    def _show_cursor(self) -> None:
        top, seen = self.scroll_offset.y, max(self._room.height - 1, 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + seen:
            self.scroll_to(y=self.cursor - seen + 1, animate=False)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.cursor += by

    def action_go(self, place: int) -> None:
        """Go to a row, counted from the end when negative."""
        self.cursor = place if place >= 0 else len(self._rows) + place

    def action_page(self, by: int) -> None:
        """Move by a screenful."""
        self.cursor += by * max(self._room.height - 2, 1)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._row_key is not None:
            self.post_message(self.Opened(self, self._row_key))

    def on_click(self, event: events.Click) -> None:
        """Move to the row that was clicked; open it when the cursor was there."""
        index = self.scroll_offset.y + event.y - 1
        if event.y == 0 and (title := self._head_at(event.x)):
            self.post_message(self.HeadClicked(self, title))
        if event.y < 1 or index >= len(self._rows):
            return
        if index == self.cursor:
            self.action_open()
        else:
            self.cursor = index


def head_of(col: Col, size: int, order: tuple[str, bool] | None, glyphs: Glyphs) -> str:
    """Return a column's title, with a sign where the rows are sorted by it."""
    title = clean(col.title)
    if order is None or order[0] != col.title:
        return title
    sign = glyphs.falling if order[1] else glyphs.rising
    return fit(title, min(cell_len(title), max(size - 1, 0)), more=glyphs.more) + sign


def _needed(columns: Sequence[tuple[int, Col]]) -> int:
    return sum(col.width for _, col in columns) + max(len(columns) - 1, 0)


def _line(segments: list[Segment], width: int, style: Style) -> Strip:
    return Strip(segments).adjust_cell_length(width, style)
