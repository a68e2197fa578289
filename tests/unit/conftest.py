"""What the unit tests share."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The user's own folder, empty."""
    home = tmp_path / "my_conf"
    home.mkdir()
    return home
