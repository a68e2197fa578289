"""How the dashboard looks and listens: conf/tui/default.yaml, or a file of the user's."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from runner.core.errors import ConfigError
from tui.cells import ASCII, UNICODE, Glyphs
from tui.language import ENGLISH, LANGUAGES

THEMES = ("textual-dark", "textual-light", "nord", "gruvbox", "ansi-dark")
"""The ones whose contrast was checked; ansi-dark has the terminal's own colours."""
GLYPHS = {"unicode": UNICODE, "ascii": ASCII}
LEAST_POLL, MOST_POLL = 0.1, 3600
_MOST_BYTES = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """What a user can choose."""

    theme: str = "textual-dark"
    glyphs: str = "unicode"
    lang: str = ENGLISH
    poll_seconds: float = 1.0
    keymap: dict[str, str] = field(default_factory=dict)
    """Other keys, by the id of what they do."""

    @property
    def signs(self) -> Glyphs:
        """Return the signs to draw with."""
        return GLYPHS[self.glyphs]


def load(path: Path | None) -> DashboardSettings:
    """Read a file of settings; what it does not say has its default.

    Raises:
        ConfigError: naming the file and the key.
    """
    if path is None:
        return DashboardSettings()
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) > _MOST_BYTES:
            raise ConfigError(f"{path}: larger than {_MOST_BYTES:,} bytes")
        found: Any = yaml.safe_load(text) or {}
    except OSError as error:
        raise ConfigError(f"--settings: {path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: has to be key: value lines, as conf/tui/default.yaml")
    known = [f.name for f in fields(DashboardSettings)]
    for key in found:
        if key not in known:
            raise ConfigError(f"{path}: {key}: no such key; there are {', '.join(known)}")
    return _checked(str(path), DashboardSettings(**found))


def changed(
    settings: DashboardSettings, where: str = "command line", /, **given: Any
) -> DashboardSettings:
    """Return settings with what the command line says, or `where` else; None: it says nothing.

    Raises:
        ConfigError: naming the key.
    """
    said = {key: value for key, value in given.items() if value is not None}
    return _checked(where, replace(settings, **said))


def _checked(path: str, settings: DashboardSettings) -> DashboardSettings:
    if settings.theme not in THEMES:
        raise ConfigError(f"{path}: theme: {settings.theme!r}; there are {', '.join(THEMES)}")
    if settings.glyphs not in tuple(GLYPHS):
        raise ConfigError(f"{path}: glyphs: {settings.glyphs!r}; there are {', '.join(GLYPHS)}")
    if settings.lang not in LANGUAGES:
        raise ConfigError(f"{path}: lang: {settings.lang!r}; there are {', '.join(LANGUAGES)}")
    poll = settings.poll_seconds
    if (
        isinstance(poll, bool)
        or not isinstance(poll, int | float)
        or not (LEAST_POLL <= poll <= MOST_POLL)
    ):
        raise ConfigError(
            f"{path}: poll_seconds: {poll!r}; a number of seconds from {LEAST_POLL} to {MOST_POLL}"
        )
    keymap = settings.keymap
    if not isinstance(keymap, dict) or not all(
        isinstance(text, str) for pair in keymap.items() for text in pair
    ):
        raise ConfigError(f"{path}: keymap: has to be names and keys, as {{cancel_batch: f9}}")
    return settings
