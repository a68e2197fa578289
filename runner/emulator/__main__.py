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
    parser.add_argument("--state", type=Path, help="keep everything in this directory")
    parser.add_argument("--behaviour", type=Path, help="a JSON file that says how to behave")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the parent")
    given = parser.parse_args()
    try:
        behaviour = load_behaviour(given.behaviour)
    except BehaviourError as error:
        print(error, file=sys.stderr)
        return 2
    from runner.emulator.server import serve  # slow to import, and not needed for --help

    with ExitStack() as stack:
        directory = given.state or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="emulator-"))
        )
        try:
            serve(directory, behaviour, given.port, until_stdin_closes=given.until_stdin_closes)
        except OSError as error:
            print(f"cannot serve on port {given.port}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
