"""python -m tests: format, lint, types, architecture and tests; the one command before a commit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = (("ruff", "format", "--check", "."), ("ruff", "check", "."))
"""Checks of a second; the tests do not begin if one fails."""
BESIDE = (("mypy",), ("lint-imports",))
"""Checks of half a minute; they run beside the tests."""
TESTS = (  # they wait more than they compute, and some much longer than others
    "pytest",
    "-n",
    str((os.cpu_count() or 1) + 1),
    "--dist",
    "worksteal",
)

ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> int:
    """Run every check and the tests, and return the first failure's exit code."""
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each worker would compile each test anew
    environment |= dict.fromkeys(ONE_THREAD, "1")  # each core has a worker of its own
    if failed := _ended([_start(c, environment, stdout=subprocess.PIPE) for c in AT_ONCE]):
        return failed
    beside = [_start(command, environment, stdout=subprocess.PIPE) for command in BESIDE]
    print(f"== {' '.join(TESTS)}", flush=True)
    tests = _start((*TESTS, *sys.argv[1:]), environment).wait()
    return _ended(beside) or tests


def _ended(checks: list[subprocess.Popen[bytes]]) -> int:
    """Wait for checks, say what each says, and return the first failure's exit code."""
    for check in checks:
        said, _ = check.communicate()
        assert isinstance(check.args, list)
        name = " ".join([Path(str(check.args[0])).name, *map(str, check.args[1:])])
        print(f"== {name}\n{said.decode(errors='replace')}", end="", flush=True)
    return next((check.returncode for check in checks if check.returncode), 0)


def _start(
    command: tuple[str, ...], environment: dict[str, str], stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that is installed beside this Python."""
    program = shutil.which(command[0], path=str(Path(sys.executable).parent)) or command[0]
    stderr = stdout and subprocess.STDOUT
    words = [program, *command[1:]]
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr)


if __name__ == "__main__":
    sys.exit(main())
