"""The nouns that tests start from: the bundled experiment, and a ledger on disk."""

import gc
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import hypothesis
import pytest

from runner.config.compose import compose
from runner.config.settings import Settings
from runner.core.expand import checked_conditions
from runner.core.model import Condition, Experiment
from runner.storage.ledger import Ledger

TESTS = Path(__file__).parent

hypothesis.settings.register_profile("shared machine", deadline=None, max_examples=15)
hypothesis.settings.load_profile("shared machine")


def pytest_collection(session: pytest.Session) -> None:
    """Look for no garbage while modules are read: all of it stays, and looking takes half the time.

    Each worker begins with modules of its own, so that none is compiled in all of them at once.
    """
    gc.disable()
    worker = getattr(session.config, "workerinput", None)
    if worker and session.config.args == session.config.getini("testpaths"):
        root = session.config.rootpath
        names = [path.relative_to(root) for path in sorted(TESTS.rglob("test_*.py"))]
        number, workers = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        for name in names[len(names) * number // workers : len(names) * (number + 1) // workers]:
            with suppress(Exception):  # said when it is collected
                import_module(".".join(name.with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among what was read, and as seldom as the command does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def settings() -> Settings:
    return compose([])[0]


@pytest.fixture(scope="session")
def experiment(settings: Settings) -> Experiment:
    return settings.experiment


@pytest.fixture(scope="session")
def conditions(experiment: Experiment) -> list[Condition]:
    return checked_conditions(experiment)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "run", {"id": "abc"}) as ledger:
        yield ledger
