"""Compositions for tests: a user's folder is written, and Hydra composes it for real."""

from pathlib import Path

import pytest

from runner.config.compose import compose
from runner.config.settings import Settings
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
