"""Compositions for tests: for real, from a user's folder, or changed from one that is made once."""

from functools import cache
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from runner.config.compose import compose
from runner.config.files import SHIPPED
from runner.config.schema import GROUPS
from runner.config.settings import Settings, settings
from runner.core.errors import ConfigError


def head(package: str, body: str) -> str:
    return f"# @package {package}\n{body}"


def fill(folder: Path, files: dict[str, str | bytes]) -> list[str]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ["--config-dir", str(folder)]


def only(argv: list[str]) -> Settings:
    (settings,) = compose(argv)
    return settings


def mistake(argv: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that a user gets."""
    with pytest.raises(ConfigError) as caught:
        compose(argv)
    message = str(caught.value)
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")  # Hydra says nothing of its own
    return message


@cache
def _base(choices: tuple[str, ...]) -> DictConfig:
    """What Hydra composes from such choices, before anything is checked; made once."""
    composed: list[DictConfig] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("runner.config.compose.settings_of", composed.append)
        compose(list(choices))
    return composed[0]


@cache
def changed(*words: str) -> Settings:
    """The settings for words of a command line, without Hydra for those that only change a value.

    What chooses a file (provider=openai) or adds a key is composed, once for all tests; the rest
    is laid over it, and checked by the program as always.
    """
    choices = tuple(w for w in words if w.startswith("+") or w.partition("=")[0] in GROUPS)
    values = [w for w in words if w not in choices]
    return settings(OmegaConf.merge(_base(choices), OmegaConf.from_dotlist(values)), [SHIPPED])
