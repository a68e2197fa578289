"""What takes seconds to make: one of the workers makes it, and all of them read it."""

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """Return what `make` returned for a folder that it filled, in whichever worker came first.

    The others wait for it. Nothing in the folder may be changed, for others read it: tests that
    change something work on a copy.

    Args:
        name: of the folder, of its own in the whole suite.
        make: is given an empty folder; what it returns is pickled.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # each worker has a folder in it
    folder, result = base / f"shared-{name}", base / f"shared-{name}.pickle"
    with (base / f"shared-{name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by one that failed
            folder.mkdir()
            result.write_bytes(pickle.dumps(make(folder)))
    found: T = pickle.loads(result.read_bytes())
    return found


def copy_of(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a copy of the folder that `make` fills once, for this worker alone."""

    def filled(folder: Path) -> Path:
        make(folder)
        return folder

    copy = factory.mktemp(name)
    return Path(shutil.copytree(made_once(factory, name, filled), copy, dirs_exist_ok=True))
