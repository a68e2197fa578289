"""The nouns that tests start from: the bundled experiment, and a ledger on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.compose import compose
from runner.config import Settings
from runner.core.expand import checked_conditions
from runner.core.model import Condition, Experiment
from runner.ledger import Ledger


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
