"""Help: the keys of the screen it was asked on, what the signs mean, and how numbers are counted."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen

from tui.cells import UNICODE, Glyphs, fit
from tui.frame import Line, Piece
from tui.language import later, tr
from tui.textlines import TextLines

NUMBERS = (
    later(
        "total = success + retry_success + failed + open, always; where that does not hold, a ! says so."
    ),
    later("success: answered well when first asked. retry_success: after being asked again."),
    later("failed: asked as often as allowed without a readable answer. open: everything else."),
    later(
        "These four count requests. Tries are counted beside them: each time a request was sent."
    ),
    later("unreadable: a try whose answer could not be read. lost: one that brought no answer"),
    later(
        "(expired, cancelled, errored, in no result file). Both are asked again as often as allowed."
    ),
    later("A missing value is never 0: it is left out of every mean, and counted as missing."),
    later(
        "Patterns count values: an answer to four questions holds four; also of requests asked again."
    ),
    later(
        "Money is what tokens cost as the provider counted them; with what runs, at most that much more."
    ),
    later("seen: how long ago the runner last said that it is at work (every few seconds)."),
    later(
        "ends in: when the provider's time for a batch is over; what is not answered by then expires."
    ),
    later("An age is counted from what the ledger says; ? behind a state: as it was seen last."),
)


class HelpScreen(ModalScreen[None]):
    """What can be pressed here, and what is drawn here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,q,question_mark",
            "app.pop_screen",
            "Back",
            id="close_help",
            tooltip="Close the help",
        ),
    ]

    def __init__(self, screen: "Screen[Any]", glyphs: Glyphs = UNICODE) -> None:
        """Explain a screen."""
        super().__init__()
        self._lines = list(help_lines(screen, glyphs))

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(classes="dialog -tall"):
            yield TextLines()
            yield Line(id="keys", classes="line")

    def on_mount(self) -> None:
        """Show it."""
        self.query_one("#keys", Line).set_lines(
            [(tr("esc closes; ctrl+p has all commands"), "dim")]
        )
        text = self.query_one(TextLines)
        text.set_lines(self._lines)
        text.focus()


def help_lines(screen: "Screen[Any]", glyphs: Glyphs) -> Iterator[list[Piece]]:
    """Yield what there is to say about a screen."""
    yield [
        (tr("Keys"), "strong"),
        (tr("  (the name in the middle is for keymap: in a settings file)"), "dim"),
    ]
    for keys, name, sentence in key_rows(screen):
        yield [(f"  {fit(keys, 14)} ", "strong"), (f"{fit(name, 18)} ", "dim"), (sentence, "")]
    yield []
    yield [(tr("Signs"), "strong")]
    for sign, meaning in signs(glyphs):
        yield [(f"  {fit(sign, 3)}", "strong"), (meaning, "")]
    yield []
    yield [(tr("Numbers"), "strong")]
    for sentence in NUMBERS:
        yield [(f"  {tr(sentence)}", "")]


def key_rows(screen: "Screen[Any]") -> list[tuple[str, str, str]]:
    """Return the keys that do something on a screen now: keys, id, and what they do."""
    found: dict[tuple[str, str], list[str]] = {}
    said: dict[tuple[str, str], str] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        what = (binding.id or binding.action, binding.action)
        if binding.action.startswith(("screen.", "app.command_palette", "command_palette")):
            what = (binding.action.rpartition(".")[2], binding.action)
        if binding.id is None and "command_palette" not in binding.action:
            continue  # Textual's own, as tab and the mouse's
        found.setdefault(what, []).append(screen.app.get_key_display(binding))
        said[what] = tr(binding.tooltip or binding.description)
    rows = [(" ".join(dict.fromkeys(keys)), what[0], said[what]) for what, keys in found.items()]
    return sorted(rows, key=lambda row: 2 * (row[1] in MOVES) + row[1].startswith("view_"))


_OF_TEXTUAL = later("Open the command palette")
MOVES = frozenset({"down", "up", "first", "last", "page_down", "page_up"})
"""What everybody tries first."""


def signs(glyphs: Glyphs) -> list[tuple[str, str]]:
    """Return the signs and their meanings."""
    return [
        (glyphs.alive, tr("a runner is at work")),
        (glyphs.good, tr("good, and over")),
        (glyphs.bad, tr("bad: it needs you")),
        (glyphs.warning, tr("look at this")),
        (glyphs.running, tr("at the provider")),
        (glyphs.waiting, tr("waits here")),
        (glyphs.none, tr("not there; never 0")),
        (glyphs.more, tr("there is more to the right")),
    ]


def binding_ids() -> set[str]:
    """Return the names of all that has a key anywhere in the dashboard."""
    return {binding.id for binding in all_bindings() if binding.id}


def all_bindings() -> list[Binding]:
    """Return every key of the dashboard; loads all of it."""
    import tui

    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [
        binding
        for kind in _all_kinds(DOMNode)
        if kind.__module__.startswith("tui.")
        for binding in kind.__dict__.get("BINDINGS", ())
        if isinstance(binding, Binding)
    ]


def _all_kinds(kind: type) -> Iterator[type]:
    below: type
    for below in kind.__subclasses__():
        yield below
        yield from _all_kinds(below)
