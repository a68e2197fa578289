"""What the integration tests share."""

import pytest

from tests.unit.composing import composed


@pytest.fixture(autouse=True)
def _composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose the files of a choice once for all commands; the words of each are laid over them."""
    monkeypatch.setattr("runner.config.compose.compose", composed)
