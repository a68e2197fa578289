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
    (  # tests wait more than they compute, and some much longer than others
        "pytest",
        "-n",
        str((os.cpu_count() or 1) + 1),
        "--dist",
        "worksteal",
    ),
)

ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> int:
    """Run every check, the tests last, and return the first failure's exit code."""
    scripts = Path(sys.executable).parent
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each worker would compile each test anew
    environment |= dict.fromkeys(ONE_THREAD, "1")  # each core has a worker of its own
    for command in CHECKS:
        print(f"== {' '.join(command)}", flush=True)
        program = shutil.which(command[0], path=str(scripts)) or command[0]
        words = [program, *command[1:], *_more(command)]
        code = subprocess.run(words, cwd=ROOT, env=environment, check=False)
        if code.returncode:
            return code.returncode
    return 0


def _more(command: tuple[str, ...]) -> list[str]:
    """Pass the rest of the command line on to pytest."""
    return sys.argv[1:] if command[0] == "pytest" else []


if __name__ == "__main__":
    sys.exit(main())
