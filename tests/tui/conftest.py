"""What tests of the dashboard start from."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.tui import made
from tests.tui.snap import ScreenExtension, SvgExtension


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that is under way and a job that is over; not to be changed."""
    folder = tmp_path_factory.mktemp("outputs")
    made.middle(folder)
    made.finished(folder)
    return folder


@pytest.fixture
def screen(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(ScreenExtension)


@pytest.fixture
def svg(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(SvgExtension)
