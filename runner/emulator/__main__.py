"""Serve the emulator on its own: python -m runner.emulator."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from runner.emulator.behaviour import BehaviourError, load_behaviour


def main() -> int:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m runner.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 = any free port")
    parser.add_argument(
        "--state",
        type=Path,
        action="append",
        help="keep everything in this directory; several: a world each, at a port of its own",
    )
    parser.add_argument(
        "--behaviour",
        type=Path,
        action="append",
        help="a JSON file that says how to behave; with several worlds, one for each",
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the parent")
    given = parser.parse_args()
    states: list[Path] = given.state or []
    wanted: list[Path | None] = given.behaviour or [None] * max(len(states), 1)
    if len(wanted) != max(len(states), 1):
        parser.error(f"{len(states)} --state and {len(wanted)} --behaviour: give one for each")
    try:
        behaviours = [load_behaviour(path) for path in wanted]
    except BehaviourError as error:
        print(error, file=sys.stderr)
        return 2
    from runner.emulator.server import serve  # slow to import, and not needed for --help

    with ExitStack() as stack:
        directories = states or [
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emulator-")))
        ]
        worlds = list(zip(directories, behaviours, strict=True))
        try:
            serve(worlds, given.port, until_stdin_closes=given.until_stdin_closes)
        except OSError as error:
            print(f"cannot serve on port {given.port}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
