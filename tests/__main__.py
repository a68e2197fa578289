"""python -m tests: format, lint, types, architecture and tests; the one command before a commit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
)
"""They take one core each, so they run side by side."""
TESTS = (  # they wait more than they compute, and some much longer than others
    "pytest",
    "-n",
    str((os.cpu_count() or 1) + 1),
    "--dist",
    "worksteal",
)

ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> int:
    """Run every check, the tests last, and return the first failure's exit code."""
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each worker would compile each test anew
    environment |= dict.fromkeys(ONE_THREAD, "1")  # each core has a worker of its own
    started = [_start(command, environment, stdout=subprocess.PIPE) for command in CHECKS]
    for command, check in zip(CHECKS, started, strict=True):
        said, _ = check.communicate()
        print(f"== {' '.join(command)}\n{said.decode(errors='replace')}", end="", flush=True)
    if failed := [check.returncode for check in started if check.returncode]:
        return failed[0]
    print(f"== {' '.join(TESTS)}", flush=True)
    return _start((*TESTS, *sys.argv[1:]), environment).wait()


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
