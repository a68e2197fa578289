"""One figure with its title, and one figure in several parts when there is much to show."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from runner.report.data import Data, ReportedQuestion
from runner.report.figures.labels import short
from runner.report.figures.marks import Entry, legend, legend_columns, name_rows
from runner.report.figures.rendering import packed
from runner.report.figures.style import ALARM, Form
from runner.report.fonts import load
from runner.report.words import Words

Item = TypeVar("Item")
Rows = Sequence[str]

ROWS_A_FIGURE = 24
QUESTIONS_A_FIGURE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One figure, with all that is in it; its files are made of it (rendering.py)."""

    name: str
    """Of its files, without ending."""
    title: str
    caption: str
    figure: bytes
    """Packed."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a figure is called: the name of its files, and the key of its caption."""

    name: str
    caption: str
    factor: str = ""
    """Whose levels it shows, if it shows those of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How the panels of a figure stand; lengths in inches."""

    row_height: float = 0.3
    panel_width: float = 3.4
    gap: float = 0.75
    """Between two panels, one above the other: the axis and the title."""
    rows_named: bool = True
    across: int = 2
    rows: int = ROWS_A_FIGURE
    """The most in one figure."""

    def size(
        self, rows: int, panels: int, entries: Sequence[str], room: float | None
    ) -> tuple[float, float]:
        """Return how large a figure is.

        Args:
            rows: in each panel.
            panels: one a question.
            entries: the names in the legend.
            room: how wide it is, if that is given.
        """
        down, columns = self.shape(panels, room)
        width = room or max(6.0, self._names + columns * self.panel_width)
        height = 0.55 + down * (max(0.6, self.row_height * rows) + self.gap)
        return width, height + 0.24 * -(-len(entries) // legend_columns(entries, width))

    def shape(self, panels: int, room: float | None) -> tuple[int, int]:
        """Return how many panels stand one above the other, and how many side by side."""
        columns = min(self.across, panels, fitting(self._names, self.panel_width, room))
        return -(-panels // columns), columns

    @property
    def _names(self) -> float:
        return 1.9 if self.rows_named else 0.3


def fitting(rest: float, each: float, room: float | None) -> int:
    """Return how many things stand side by side: as many as one likes, where no width is given.

    Args:
        rest: the width of all else, in inches.
        each: that of each.
        room: that of the whole.
    """
    return sys.maxsize if room is None else max(1, int((room - rest) / each))


class Sheet:
    """What the figures of one report are drawn on."""

    def __init__(self, data: Data, words: Words, form: Form) -> None:
        """Load the fonts.

        Args:
            data: what the report is about.
            words: in which language.
            form: as what the figures are written.

        Raises:
            ConfigError: this machine does not have the font.
        """
        load(form.font)
        self.words = words
        self.room = form.room
        self._style = form.style
        self.questions = data.questions
        self.kind = data.kind
        self.runs = [run.name for run in data.runs]
        self._mark = f"{words('rehearsal_short')} – " if data.rehearsal else ""

    def paged(
        self,
        heading: Heading,
        draw: Callable[[Rows, Figure], None],
        *,
        row_height: float,
        rest: float,
    ) -> Iterator[Drawn]:
        """Draw the runs in the rows of one figure, or of several when there are many.

        Args:
            heading: what it is called.
            draw: draws some runs.
            row_height: in inches.
            rest: the height of all else.
        """
        parts = list(chunks(self.runs, ROWS_A_FIGURE))
        for part, shown in enumerate(parts, 1):
            size = (8.6, rest + row_height * len(shown))
            yield self.drawn(heading, size, (part, len(parts)), partial(draw, shown))

    def panels(
        self,
        heading: Heading,
        rows: Rows,
        panel: Callable[[Axes, Rows, ReportedQuestion], None],
        label: str,
        *,
        asked: Iterable[str] | None = None,
        grid: Grid | None = None,
        patches: Sequence[Entry] = (),
        markers: Sequence[Entry] = (),
    ) -> Iterator[Drawn]:
        """Draw a panel for each question, all with the same rows.

        Args:
            heading: what it is called.
            rows: from the top.
            panel: draws some rows of one question.
            label: of the axis across; none when empty.
            asked: the questions to draw, by name; None: all.
            grid: how the panels stand.
            patches: the legend of areas.
            markers: the legend of dots.
        """
        grid = grid or Grid()
        names = None if asked is None else set(asked)
        questions = [q for q in self.questions if names is None or q.name in names]
        parts = [
            (shown, some)
            for shown in chunks(rows, grid.rows)
            for some in chunks(questions, QUESTIONS_A_FIGURE)
        ]

        def draw(figure: Figure, shown: Rows, some: Sequence[ReportedQuestion]) -> None:
            down, columns = grid.shape(len(some), self.room)
            places = figure.subplots(down, columns, squeeze=False, sharey=True).flatten()
            for axes in places[len(some) :]:
                axes.set_axis_off()
            for place, (axes, question) in enumerate(zip(places, some, strict=False)):
                panel(axes, shown, question)
                axes.set_title(short(question.name, 30))
                if grid.rows_named:
                    name_rows(axes, shown)
                    axes.tick_params(labelleft=place % columns == 0)
                if label:
                    axes.set_xlabel(label)
            legend(figure, patches)
            legend(figure, markers, markers=True)

        entries = [name for *_, name in (*patches, *markers)]
        for part, (shown, some) in enumerate(parts, 1):
            size = grid.size(len(shown), len(some), entries, self.room)
            drawing = partial(draw, shown=shown, some=some)
            yield self.drawn(heading, size, (part, len(parts)), drawing)

    def drawn(
        self,
        heading: Heading,
        size: tuple[float, float],
        page: tuple[int, int],
        draw: Callable[[Figure], None],
    ) -> Drawn:
        """Return one figure.

        Args:
            heading: what it is called.
            size: width and height in inches; where a width is given, it is that, and no title stands
                above, but the mark of a rehearsal: a journal has its own words for it.
            page: which part of how many it is.
            draw: draws it.
        """
        part, parts = page
        title = self._mark + self.words.title(heading.name, heading.factor)
        if parts > 1:
            title += f" ({self.words('x.part', part=part, parts=parts)})"
        width, height = size
        above = title if self.room is None else self._mark.removesuffix(" – ")
        with mpl.rc_context(self._style):
            figure = Figure(
                figsize=(self.room or width, height),
                layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06),
            )
            figure.suptitle(above, fontsize=11, color=ALARM if self._mark else "black")
            draw(figure)
        return Drawn(
            name=heading.name if parts == 1 else f"{heading.name}_{part}",
            title=title,
            caption=self.words(heading.caption),
            figure=packed(figure),
        )


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in parts of about equal size."""
    parts = max(1, -(-len(items) // size))
    each = -(-len(items) // parts)
    for first in range(0, max(len(items), 1), max(each, 1)):
        yield items[first : first + each]
