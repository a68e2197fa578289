"""Runs the runner again and again, and kills it (SIGKILL) at the n-th write or provider call.

Reads jobs as JSON lines and answers each with one: a child is forked for every job, so that
imports are paid once. The product has no hooks; its functions are wrapped here.
"""

import copy
import dataclasses
import gc
import importlib
import json
import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any


class Points:
    """Counts the places where a run could die, and lets it die at one of them."""

    def __init__(self, kill_at: int, log: str) -> None:
        self.kill_at = kill_at
        self.passed = 0
        self.lock = threading.Lock()
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def at(self, name: str) -> None:
        with self.lock:
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


def install(points: Points, provider: Any) -> None:
    """Wrap every write to disk and every call to the provider."""
    from runner.batches import attempts, downloads
    from runner.run import realtime
    from runner.storage import events, files, lease, ledger
    from runner.tables import export

    for verb in ("stage", "submit", "find", "fence", "poll", "download", "cancel", "ask"):
        points.around(provider, verb)
    points.around(realtime, "append")
    points.around(events.Events, "append")
    points.around(ledger.Ledger, "_commit")
    points.around(ledger, "_opened")
    points.around(lease, "_made")
    points.around(lease.Lease, "release")
    points.around(files, "settle")
    points.around(downloads, "settle")
    points.around(attempts.PartWriter, "_write")
    points.around(export, "_replace")
    points.around(export, "write_durably")


def run(job: dict[str, Any], settings: Any) -> int:
    """Run the command line on settings that were composed once, but for folder and address."""
    from runner import __main__
    from runner.config import compose
    from runner.run.run import Run

    if settings is None:
        (settings,) = compose.compose(job["arguments"])
    # Every run has the same tag, so that the same emulator gives the same answers.
    random.SystemRandom.getrandbits = lambda _, bits: 0x5EED5EED % 2**bits  # type: ignore[method-assign]
    provider = copy.copy(settings.config.provider)  # with what is the provider's own
    provider.base_url = job["base_url"]
    config = dataclasses.replace(settings.config, outputs=job["outputs"], provider=provider)
    typed = (*settings.overrides, f"provider.base_url={job['base_url']}")
    settings = dataclasses.replace(settings, config=config, overrides=typed)
    compose.compose = lambda _: [settings]
    install(Points(job["kill_at"], job["log"]), Run(settings).connection.provider_class)
    return __main__.main(job["arguments"])


def emulate(job: dict[str, Any], _: Any) -> int:
    from runner.emulator.__main__ import main

    sys.argv = ["emulator", *job["arguments"]]
    return main()


def fork(job: dict[str, Any], settings: Any) -> int:
    """Start a job in a child of its own and return its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        out = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = {"run": run, "emulate": emulate}[job["kind"]](job, settings)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    os._exit(code)


def main() -> None:
    import genai_prices  # noqa: F401
    import polars as pl  # noqa: F401

    import runner.cli.actions
    import runner.emulator.server  # noqa: F401
    from runner.config.compose import compose

    given = json.loads(sys.stdin.readline())
    for package in given["packages"]:
        importlib.import_module(package)
    # A table of levels is read by threads, which no child would have.
    settings = None if given["late"] else compose(given["arguments"])[0]
    gc.collect()
    gc.freeze()  # no child looks for garbage among what was imported
    for line in sys.stdin:
        job = json.loads(line)
        if job["kind"] == "stop":
            os.kill(job["pid"], signal.SIGKILL)
            pid = job["pid"]
        else:
            pid = fork(job, settings)
        if job["kind"] == "emulate":
            answer = {"pid": pid}
        else:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
