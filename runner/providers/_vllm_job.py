"""Keeps one `vllm run-batch`: claims the batch, runs the program, writes down how it ended.

A script of its own, with the standard library only: it outlives the runner, and on a cluster
it runs on another machine. Its folder holds

    job.json     what to run, written before anything is started
    claim.json   who has the batch: the keeper that runs it, or a fence; there is only ever one
    lock         held as long as the keeper or its program lives, whatever becomes of the runner
    output.jsonl, vllm.log, cancelled
    ended.json   the exit code; not there when the machine or the keeper was killed
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

JOB, CLAIM, LOCK, ENDED = "job.json", "claim.json", "lock", "ended.json"
OUTPUT, LOG, CANCELLED = "output.jsonl", "vllm.log", "cancelled"
STAY = "--stay"
"""Keep the batch in this very process, as a cluster's job does, instead of in one left behind."""


def write(path: Path, record: dict[str, Any]) -> None:
    """Write a record that is either whole and on disk, or not there."""
    _part(path.parent, record).replace(path)
    _sync(path.parent)


def read(path: Path) -> dict[str, Any] | None:
    """Return a record; None when there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def claim(folder: Path, **record: Any) -> bool:
    """Take the batch, whole and once; tell whether it was free.

    A link is made or refused by the file server itself, so that it holds between machines.
    """
    part = _part(folder, {"at": time.time(), "host": socket.gethostname(), **record})
    try:
        os.link(part, folder / CLAIM)
    except FileExistsError:
        return False
    finally:
        part.unlink()
        _sync(folder)
    return True


def is_held(folder: Path) -> bool:
    """Tell whether the keeper of a claimed batch, or its program, is alive on this machine."""
    with (folder / LOCK).open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def main(folder: Path, *, stay: bool) -> int:
    """Keep a batch; without `stay`, return as soon as a process left behind has claimed it."""
    if stay:
        return _keep(folder, alone=False, claimed=lambda: None)
    listening, telling = os.pipe()
    if os.fork():
        os.close(telling)
        return 0 if os.read(listening, 1) else 1
    os.close(listening)
    os.setsid()

    def claimed() -> None:
        with suppress(BrokenPipeError):  # the caller is gone; the batch is run all the same
            os.write(telling, b"1")
        os.close(telling)

    return _keep(folder, alone=True, claimed=claimed)


def _keep(folder: Path, *, alone: bool, claimed: Callable[[], None]) -> int:
    job = read(folder / JOB)
    if job is None:
        return _failed(f"{folder / JOB} is not there")
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if alone:  # on a cluster, the queue knows whether a job is alive
            return _failed(f"{folder / LOCK}: cannot be locked ({error}); use a local disk")
    killed = False
    program: subprocess.Popen[bytes] | None = None

    def stop(*_: Any) -> None:
        if program is not None:
            program.terminate()
            signal.alarm(max(1, int(job["grace_seconds"])))

    def kill(*_: Any) -> None:
        nonlocal killed
        killed = True
        if program is not None:
            program.kill()

    _listen(stop, kill)
    if not claim(folder, kind="job", pid=os.getpid()):
        return _failed("this batch was taken back, or has been run: nothing is run twice")
    claimed()
    try:
        with (folder / LOG).open("ab") as log:
            program = subprocess.Popen(
                job["command"],
                cwd=job["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
            )
    except OSError as error:
        write(folder / ENDED, {"at": time.time(), "code": 127, "why": str(error)})
        return 127
    if (folder / CANCELLED).exists():  # asked to stop before there was anything to be stopped
        stop()
    code = program.wait()
    write(folder / ENDED, {"at": time.time(), "code": code})
    if killed and alone:
        os.killpg(0, signal.SIGKILL)  # and whatever it has left on the GPU
    return code if code >= 0 else 128 - code


def _listen(stop: Callable[..., None], kill: Callable[..., None]) -> None:
    """Let the signals that end a job stop the program, and an alarm kill it."""
    for number in (signal.SIGHUP, signal.SIGUSR2):  # a terminal that closes; a cluster's warning
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, kill)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _failed(what: str) -> int:
    print(what, file=sys.stderr, flush=True)
    return 1


def _part(folder: Path, record: dict[str, Any]) -> Path:
    handle, name = tempfile.mkstemp(".part", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as sink:
        json.dump(record, sink)
        sink.flush()
        os.fsync(sink.fileno())
    return Path(name)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), stay=STAY in sys.argv[2:]))
