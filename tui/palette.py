"""The command palette: views, what can be done here, themes, and the way out."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tui.language import later, tr
from tui.settings import THEMES

if TYPE_CHECKING:
    from textual.app import App
    from textual.command import Provider
    from textual.screen import Screen

Command = tuple[str, str, Callable[[], object]]
"""What it is called, what it does in a sentence, and the doing."""


def chorus_commands() -> "type[Provider]":
    """Return the palette's source; loaded when the palette is opened."""
    from textual.command import DiscoveryHit, Hit, Hits, Provider

    class ChorusCommands(Provider):
        """Lists what can be done on the screen below the palette."""

        async def discover(self) -> Hits:
            for name, sentence, do in commands(self.screen):
                yield DiscoveryHit(name, do, help=sentence)

        async def search(self, query: str) -> Hits:
            matcher = self.matcher(query)
            for name, sentence, do in commands(self.screen):
                if (score := matcher.match(name)) > 0:
                    yield Hit(score, matcher.highlight(name), do, help=sentence)

    return ChorusCommands


def commands(screen: "Screen[object]") -> Iterator[Command]:
    """Yield everything that has a key on this screen and can be done now, then the themes."""
    app = screen.app
    seen: set[str] = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        name = binding.id or ""
        moves = name in _MOVES or not name or name.startswith("text_")
        if moves or name in seen or not active.enabled:
            continue
        seen.add(name)
        kind = later("view") if name.startswith("view_") else later("do")
        key = app.get_key_display(binding)
        yield (
            f"{tr(kind)}: {tr(binding.description)}",
            tr(binding.tooltip) if binding.tooltip else tr("The same as the key {key}", key=key),
            _doer(app, binding.action, active.node),
        )
    for theme in THEMES:
        yield tr("theme: {theme}", theme=theme), tr("Draw in these colours"), _themer(app, theme)


_MOVES = frozenset({"down", "up", "first", "last", "page_down", "page_up"})


def _doer(app: "App[object]", action: str, node: object) -> Callable[[], object]:
    async def do() -> None:
        await app.run_action(action, default_namespace=node)  # type: ignore[arg-type]

    return do


def _themer(app: "App[object]", theme: str) -> Callable[[], object]:
    def do() -> None:
        app.theme = theme

    return do
