"""What tests of the dashboard start from."""

import shutil
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.shared import copy_of
from tests.tui import made
from tests.tui.snap import ScreenExtension, SvgExtension


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that is under way and a job that is over; not to be changed."""

    def filled(folder: Path) -> None:
        made.middle(folder)
        made.finished(folder)

    return copy_of(tmp_path_factory, "dashboard", filled)


@pytest.fixture(scope="session")
def studies(outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of its own factors, alone and beside a job of the bundled one; not to be changed."""

    def filled(folder: Path) -> None:
        reviews = made.study(folder / "outputs", folder / "conf")
        for job in (*reviews.iterdir(), *(outputs / "done").iterdir()):
            name = "own" if job.parent == reviews else "bundled"
            shutil.copytree(job, folder / "outputs" / "mixed" / name)

    return copy_of(tmp_path_factory, "studies", filled) / "outputs"


@pytest.fixture
def screen(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(ScreenExtension)


@pytest.fixture
def svg(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(SvgExtension)
