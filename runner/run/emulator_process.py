"""Starts the emulator for a rehearsal: a process of its own that dies with this one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.core.errors import RunnerError
from runner.storage.files import fresh

KEY = "emulated"
"""The only kind of key the emulator takes."""
WORLD = "emulator"
"""The folder, inside a run's, where the emulator keeps its world, so that a rehearsal resumes."""


@contextmanager
def emulator(folder: Path, behaviour: Mapping[str, Any]) -> Iterator[str]:
    """Run an emulator as long as the block lasts.

    Args:
        folder: the run's folder.
        behaviour: how badly it behaves, as conf/faults says.

    Yields:
        Its address, as http://127.0.0.1:49152.

    Raises:
        RunnerError: when it does not start.
    """
    with emulators({folder: behaviour}) as addresses:
        yield addresses[folder]


@contextmanager
def emulators(behaviours: Mapping[Path, Mapping[str, Any]]) -> Iterator[Mapping[Path, str]]:
    """Run one emulator with a world for each run's folder, as long as the block lasts.

    Yields:
        Where each is.

    Raises:
        RunnerError: when it does not start.
    """
    if not behaviours:
        yield {}
        return
    worlds: list[str] = []
    for folder, behaviour in behaviours.items():
        world = folder / WORLD
        world.mkdir(parents=True, exist_ok=True)
        wanted = world / "behaviour.json"
        with fresh(wanted) as file:
            file.write(json.dumps(dict(behaviour)).encode())
        worlds += ["--state", str(world), "--behaviour", str(wanted)]
    trouble = next(iter(behaviours)) / WORLD / "trouble.log"
    with fresh(trouble) as log:  # an unread pipe would stop it when it is full
        process = subprocess.Popen(
            [sys.executable, "-m", "runner.emulator", "--until-stdin-closes", *worlds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(),
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        addresses = [process.stdout.readline().decode().strip() for _ in behaviours]
        if not all(addresses):
            said = trouble.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise RunnerError(f"the emulator did not start: {said[-1] if said else 'no reason'}")
        yield dict(zip(behaviours, addresses, strict=True))
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _environment() -> dict[str, str]:
    """Return what the emulator may see: where this package is, and no key."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
    here = str(Path(__file__).resolve().parents[2])
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONPATH": here}
