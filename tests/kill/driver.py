"""Runs the runner again and again, and kills it (SIGKILL) at the n-th write or provider call.

Reads jobs as JSON lines and answers each with one: a child is forked for every job, so that
imports are paid once. The product has no hooks; its functions are wrapped here.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


class Points:
    """Counts the places where a run could die, and lets it die at one of them."""

    def __init__(self, kill_at: int, log: str) -> None:
        self.kill_at = kill_at
        self.passed = 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def at(self, name: str) -> None:
        self.passed += 1
        os.write(self.log, f"{self.passed} {name}\n".encode())
        if self.passed == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, method: str) -> None:
        """Make a point before and one after every call of a function."""
        inner: Callable[..., Any] = getattr(owner, method)
        name = f"{getattr(owner, '__name__', owner)}.{method}"

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.at(f"before {name}")
            result = inner(*args, **kwargs)
            self.at(f"after {name}")
            return result

        setattr(owner, method, wrapped)


def install(points: Points) -> None:
    """Wrap every write to disk and every call to the provider."""
    from runner import attempts, engine, export, ledger, outbox
    from runner.providers.openai import OpenAIBatch

    for verb in ("stage", "submit", "find", "fence", "poll", "download", "cancel"):
        points.around(OpenAIBatch, verb)
    points.around(ledger.Ledger, "_commit")
    points.around(ledger, "_open_cache")
    points.around(outbox, "settle")
    points.around(engine, "settle")
    points.around(attempts.PartWriter, "_write")
    points.around(export, "_replace")
    points.around(export, "write_durably")


def child(job: dict[str, Any]) -> int:
    out = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(job["env"])
    install(Points(job["kill_at"], job["log"]))
    from runner.__main__ import main

    return main(job["arguments"])


def main() -> None:
    import openai  # noqa: F401
    import polars  # noqa: F401

    import runner.actions
    import runner.compose  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = child(job)
            except BaseException:  # noqa: BLE001
                import traceback

                traceback.print_exc()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
