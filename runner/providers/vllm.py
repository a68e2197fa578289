"""Open models on one's own GPUs: `vllm run-batch` as a process that is left behind, or a Slurm job.

What vLLM takes and writes: docs.vllm.ai, cli/run-batch, and the source of 0.33.0, vllm/entrypoints/
launchers/run_batch.py.
Each order has a folder of its own below the run's, `vllm/b0001-1`; _vllm_job.py says what is in it.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from runner import called
from runner.core.errors import (
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import (
    Batch,
    Condition,
    JsonObject,
    Model,
    Progress,
    Prompt,
    RemoteId,
    Reply,
    ReplyKind,
)
from runner.core.states import BatchEvent, Outcome
from runner.core.twins import Made
from runner.providers import _vllm_job as job
from runner.providers import _vllm_slurm as slurm
from runner.providers._chat import SETTLED, read_line, request_frame
from runner.providers._dialects import CHAT
from runner.providers._lines import count, object_of, reason_in, told, word
from runner.providers._vllm_options import SLURM, VllmOptions
from runner.providers.base import Frame, Secret, Service, said

COMMAND_VARIABLE = "CHORUS_VLLM"
"""The environment variable that names the program; a configuration cannot, it may be a stranger's."""

_QUEUED = "slurm.json"
_NAME = re.compile(r"b[0-9]+-[0-9]+")
_BAR = re.compile(rb"Running batch:[^\n]*\| *([0-9]+)/")
"""vLLM's own progress bar, a line every few seconds: before 0.33 it writes its answers at the end."""
_ERROR = re.compile(r"\w*(?:Error|Exception): .+")
_REFUSAL = re.compile(
    r"Request must not be sent in stream mode$|Model does not support endpoint: "
    r"|URL \S+ is not a supported endpoint\."
)
"""The sentences with which run-batch itself refuses a request."""
_SEE_ABOVE = "root cause above"
_TAIL = 1 << 16
_BLOCK = 1 << 20


class VllmBatch:
    """The client: a program on a machine of one's own, instead of a service."""

    Options: ClassVar[type[VllmOptions]] = VllmOptions
    dialect = CHAT
    default_base_url: ClassVar[str] = ""
    base_url_variable: ClassVar[str] = ""
    key_variable: ClassVar[str] = "HF_TOKEN"
    settled: ClassVar[Mapping[str, str]] = SETTLED
    fences: ClassVar[bool] = True
    tells_inputs: ClassVar[bool] = False
    tagged: ClassVar[bool] = False
    found_by_size: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    no_emulator: ClassVar[str | None] = (
        "is a program of yours and no service, so that nothing can stand for it: rehearse the study "
        f"with `{called.command()}`, then try the program with trials=1"
    )
    packages: ClassVar[tuple[str, ...]] = ()

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the run's folder and the model; nothing is looked at yet."""
        self._service = service
        self._model = model

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be installed or set before anything can be run."""
        if service.told(VllmOptions).launcher == SLURM:
            return slurm.missing()
        program = _command()[0]
        if shutil.which(program) is None:
            return (
                f"the program {program!r} is not there: install vLLM (pip install vllm, best in an "
                f"environment of its own) and name it, as {COMMAND_VARIABLE}=/path/to/vllm"
            )
        return None

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition."""
        return request_frame(self._model, condition, prompt)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the output file; vLLM leaves out the body of what went wrong."""
        row = object_of(line)
        response, error = row.get("response"), row.get("error")
        if not isinstance(response, dict) or response.get("body") is not None or error is None:
            return read_line(line)
        return _failed_line(row, response, error)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Do nothing: the request file is where the program will read it."""
        return {}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Start the program, or queue it; whatever is started runs only if it gets the claim."""
        name = f"{batch.key}-{batch.send}"
        folder = self._folders / name
        folder.mkdir(parents=True, exist_ok=True)
        program, *more = _command()
        inputs = ["-i", str(path.absolute()), "-o", str((folder / job.OUTPUT).absolute())]
        command = [shutil.which(program) or program, "run-batch", *inputs]
        record: JsonObject = {
            "command": [*command, "--model", self._model.name, *more, *self._model.arguments],
            "cwd": str(Path.cwd()),
            "requests": batch.count,
            "labels": dict(labels),
            "grace_seconds": self._service.timeout_seconds,
        }
        job.write(folder / job.JOB, record)
        keeper = [sys.executable, "-P", job.__file__, str(folder.absolute())]
        if self._service.told(VllmOptions).launcher == SLURM:
            self._queue(folder, [*keeper, job.STAY], name)
        else:
            self._start(folder, keeper)
        return RemoteId(name)

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look for an order of this batch that was claimed or queued; a folder tells for certain."""
        for folder in sorted(self._folders.glob(f"{batch.key}-*")):
            if folder.name in batch.dead or not _NAME.fullmatch(folder.name):
                continue
            owner = _read(folder / job.CLAIM)
            queued = owner is None and (folder / _QUEUED).exists()
            if queued or (owner is not None and owner["kind"] == "job"):
                return Made(RemoteId(folder.name))
        return None

    def fence(self, batch: Batch) -> None:
        """Claim the batch, so that a start that is still on its way finds it taken."""
        folder = self._folders / f"{batch.key}-{batch.send}"
        folder.mkdir(parents=True, exist_ok=True)
        job.claim(folder, kind="fence")

    def poll(self, remote: RemoteId) -> Progress:
        """Look whether the program is at work, and else at what it has left."""
        folder = self._folder(remote)
        at_work = self._at_work(folder)
        if at_work is None:
            return self._over(folder)
        record = _read(folder / job.JOB) or {}
        done = _BAR.findall(_tail(folder / job.LOG))
        return Progress(
            state=at_work,
            event=BatchEvent.PROGRESS,
            total=count(record.get("requests")),
            completed=int(done[-1]) if done else None,
        )

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Copy the whole lines of the output; a last one without its end was cut."""
        folder = self._folder(RemoteId(file_id))
        try:
            source = (folder / job.OUTPUT).open("rb")
        except FileNotFoundError:
            raise ProviderReplyUnreadable(f"{folder / job.OUTPUT} is gone: put it back") from None
        with source:
            sink.writelines(_whole_lines(source))

    def cancel(self, remote: RemoteId) -> None:
        """Ask the program to stop; what it has written is kept."""
        folder = self._folder(remote)
        if self._at_work(folder) is None:
            return
        (folder / job.CANCELLED).touch()
        if queued := _read(folder / _QUEUED):
            slurm.cancel(queued["job"], self._service.timeout_seconds)
            return
        owner = _read(folder / job.CLAIM)
        if owner is not None:
            with suppress(ProcessLookupError):  # it has ended between the look and the signal
                os.killpg(owner["pid"], signal.SIGTERM)

    def ask(self, line: bytes) -> bytes:
        """Refuse: a program that loads its model for every request would be of no use."""
        raise ProviderRefused(
            "vllm run-batch answers batches only: leave provider.mode and retry.mode at batch, or "
            "run `vllm serve` and ask it with provider=compatible"
        )

    def close(self) -> None:
        """Leave; what was started goes on."""

    @property
    def _folders(self) -> Path:
        assert self._service.folder is not None, "a client for its translations only"
        return self._service.folder / "vllm"

    def _folder(self, remote: RemoteId) -> Path:
        """Return the folder of an order.

        Raises:
            ProviderRefused: it is not there; whether it runs is not known.
        """
        folder = self._folders / remote
        if not _NAME.fullmatch(remote) or not (folder / job.JOB).exists():
            raise ProviderRefused(
                f"{folder} is not there: put it back, or give the batch up with action=abandon",
                forgotten=True,
            )
        return folder

    def _start(self, folder: Path, keeper: list[str]) -> None:
        """Leave a process behind that has claimed the batch."""
        with (folder / job.LOG).open("ab") as log:
            try:
                subprocess.run(
                    keeper,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    timeout=self._service.timeout_seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise ProviderSilent(f"{folder.name} was started and says nothing yet") from None
        owner = _read(folder / job.CLAIM)
        if owner is None and job.claim(folder, kind="fence"):
            raise ProviderRefused(
                f"{folder.name} was not started: {_last_words(folder, self._service.key)}"
            )
        if owner is not None and owner["kind"] != "job":
            raise ProviderSilent(f"{folder.name} is the folder of an order that was taken back")

    def _queue(self, folder: Path, keeper: list[str], name: str) -> None:
        asked_for = self._service.told(VllmOptions).slurm.given()
        try:
            number = slurm.submit(folder / "slurm", f"chorus-{name}", keeper, asked_for)
        except ProviderRefused:
            job.claim(folder, kind="fence")  # should it have come through all the same
            raise
        job.write(folder / _QUEUED, {"job": number})

    def _at_work(self, folder: Path) -> str | None:
        """Return a word for what the program is doing; None when it has ended, or never began."""
        if queued := _read(folder / _QUEUED):
            state = slurm.state(queued["job"], self._service.timeout_seconds)
            if state is not None:
                return f"slurm {queued['job']}: {said(state, None, 40)}"
            _look_again(folder)
            return None
        owner = _read(folder / job.CLAIM)
        if owner is None or owner["kind"] != "job" or (folder / job.ENDED).exists():
            return None
        if job.is_held(folder):
            return "running"
        here = socket.gethostname()
        if owner["host"] != here and not (folder / job.ENDED).exists():
            raise ProviderSilent(
                f"{folder.name} was started on {owner['host']}, and this is {here}: go on there, or "
                "give it up with action=abandon"
            )
        return None

    def _over(self, folder: Path) -> Progress:
        """Tell how it ended; what was written is collected in any case."""
        ended = _read(folder / job.ENDED)
        began = not job.claim(folder, kind="fence")  # a job that Slurm gave up must not begin later
        code = None if ended is None else ended["code"]
        wrote = _has_a_line(folder / job.OUTPUT)
        files = {"output": folder.name} if wrote else {}
        if (folder / job.CANCELLED).exists():
            return Progress(
                state="cancelled", event=BatchEvent.END, files=files, rest=Outcome.CANCELLED
            )
        if code == 0 and wrote:
            return Progress(state="completed", event=BatchEvent.END, files=files)
        how = f"exit {code}" if code is not None else "killed" if began else "never began"
        why = _last_words(folder, self._service.key)
        message = f"{how}: {why} ({folder / job.LOG})"
        if wrote or (began and code is None):  # a restart of the machine is not the batch's fault
            return Progress(
                state=how, event=BatchEvent.END, files=files, rest=Outcome.ERRORED, message=message
            )
        return Progress(state=how, event=BatchEvent.REFUSED, message=message)


def _command() -> list[str]:
    """Return the program, and what the machine's owner wants it to be told in any case."""
    return shlex.split(os.environ.get(COMMAND_VARIABLE, "")) or ["vllm"]


def _failed_line(row: JsonObject, response: JsonObject, error: Any) -> Reply:
    """Read a line of what went wrong: vLLM's own error object, or a text.

    The status of a text is always 400. Since 0.33 it is one of three sentences that refuse a
    request; before, also the text of whatever exception ended it, as when the engine has died.
    """
    custom_id, status = row.get("custom_id"), count(response.get("status_code"))
    if not isinstance(custom_id, str):
        raise ProviderReplyUnreadable("a result line without a custom_id")
    body: JsonObject = error if isinstance(error, dict) else {"message": error}
    is_clear = isinstance(error, dict) or _REFUSAL.match(str(error)) is not None
    refused = is_clear and status is not None and 400 <= status < 500
    return Reply(
        custom_id=custom_id,
        kind=ReplyKind.REFUSED if refused else ReplyKind.ERRORED,
        request_id=word(response.get("request_id")),
        error=f"{status}: {reason_in(body) or told(None)}",
    )


def _whole_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield blocks of a file up to its last newline."""
    rest = b""
    while block := source.read(_BLOCK):
        whole, newline, tail = block.rpartition(b"\n")
        if newline:
            yield rest + whole + newline
            rest = tail
        else:
            rest += block


def _read(path: Path) -> JsonObject | None:
    """Return a record of an order; None when there is none.

    Raises:
        ProviderReplyUnreadable: it is damaged.
    """
    try:
        return job.read(path)
    except ValueError:
        raise ProviderReplyUnreadable(f"{path} is damaged: put the original back") from None


def _has_a_line(path: Path) -> bool:
    try:
        with path.open("rb") as source:
            return next(_whole_lines(source), None) is not None
    except FileNotFoundError:
        return False


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL))
            return log.read()
    except FileNotFoundError:
        return b""


def _last_words(folder: Path, secret: Secret | None) -> str:
    """Return the line of the log that says what went wrong, or else the last one."""
    logs = [folder / job.LOG, *sorted(folder.glob("slurm/*_log.*"))]
    text = b"\n".join(_tail(path) for path in logs).decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    ended = _read(folder / job.ENDED) or {}
    errors = [m[0] for line in lines if (m := _ERROR.search(line)) and _SEE_ABOVE not in line]
    for found in (ended.get("why"), *errors[-1:], *lines[-1:]):
        if found:
            return said(found, secret)
    return "it left no word"


def _look_again(folder: Path) -> None:
    """Change the folder, so that a shared disk shows what other machines have put there."""
    handle, name = tempfile.mkstemp(".look", dir=folder)
    os.close(handle)
    Path(name).unlink()
