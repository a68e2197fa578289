"""Together batch inference, over plain HTTP.

Wire facts: the types and the upload of the package together 3.1.1, and docs.together.ai (inference/
batch, 2026-11; the reference says "all" of the list of batches, which has no pages). Not verified,
and made harmless: that a result file is as long as its record says (a shorter one is downloaded
again, some times), when a file that was announced is on the list of files (only a whole one is
adopted), and that no batch is made of an input that was deleted before (so the list is given longer
to settle).
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final
from urllib.parse import urlsplit

import orjson

from runner.core.errors import (
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
    ResultFileShort,
)
from runner.core.model import Batch, Condition, JsonObject, Progress, Prompt, RemoteId, Reply
from runner.core.states import Outcome
from runner.core.twins import Made
from runner.providers import plain
from runner.providers._chat import (
    ENDPOINT,
    HOLE,
    REFUSALS_OF_ONE,
    answer_line,
    chat_body,
    framed,
    read_line,
)
from runner.providers._dialects import TOGETHER
from runner.providers._lines import moment, tally, word
from runner.providers._orders import made_of
from runner.providers._plain_files import PlainFileBatch, event_of, file_at
from runner.providers._stainless import id_of
from runner.providers.base import (
    DayOptions,
    Frame,
    Service,
    is_loopback,
    json_value,
    said,
    untagged,
)

if TYPE_CHECKING:
    import httpx

_PURPOSE: Final = "batch-api"
_RUNNING: Final = ("VALIDATING", "IN_PROGRESS")
_ENDED: Final = ("COMPLETED", "EXPIRED", "CANCELLED")
_REST: Final = {"EXPIRED": Outcome.EXPIRED, "CANCELLED": Outcome.CANCELLED}
"""How requests without a line ended, where the state says it."""
_FURTHEST: Final = ("COMPLETED", "IN_PROGRESS", "VALIDATING", "EXPIRED", "CANCELLED")
"""Which of several batches from one input to adopt: the furthest on, and a failed one last."""
_FOUND, _CONFLICT = 302, 409


class TogetherBatch(PlainFileBatch):
    """One uploaded file, one batch made of it, two result files."""

    Options: ClassVar[type[DayOptions]] = DayOptions
    dialect = TOGETHER
    default_base_url: ClassVar[str] = "https://api.together.ai/v1"
    base_url_variable: ClassVar[str] = "TOGETHER_BASE_URL"
    key_variable: ClassVar[str] = "TOGETHER_API_KEY"
    tagged: ClassVar[bool] = True
    """Files of the same bytes are one file there: the tag keeps another run's from being ours."""
    _jobs_at: ClassVar[str] = "/batches"

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return `{"custom_id": …, "body": {"model": …, "messages": […], …}}`."""
        body = chat_body(self._model, condition, prompt)
        return framed({"custom_id": f"{self._tag}{HOLE}", "body": body})

    def decode(self, line: bytes) -> Reply:
        """Read a line of the output or the error file."""
        reply = read_line(line)
        reply.custom_id = untagged(reply.custom_id, self._tag)
        return reply

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Announce the request file, put it where that says, and say that it is there."""
        size = path.stat().st_size
        if look_first and (known := self._uploaded(name, size)):
            return {"input_file_id": known}
        file_id, address = self._announced(path, name)
        if address is None:
            if self._is_taken(file_id, name, size):
                return {"input_file_id": file_id}
            file_id, address = self._announced(path, name)
        if address is None:
            raise ProviderSilent("upload: a file of these bytes is said to be there still")
        self._put(path, address)
        file = self._http.json("upload", "POST", f"{file_at(file_id)}/preprocess")
        if id_of(file) != file_id:
            raise ProviderReplyUnreadable("upload: the reply is about another file")
        return {"input_file_id": file_id}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch; sent once."""
        order = {
            "endpoint": ENDPOINT,
            "input_file_id": batch.handle["input_file_id"],
            "completion_window": self._service.told(DayOptions).window,
        }
        return RemoteId(
            id_of(self._http.json(plain.ORDER, "POST", self._jobs_at, json=order).get("job"))
        )

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look through the whole list for batches made from our input file."""
        known = batch.handle.get("input_file_id")
        inputs = {known} if known else set(self._named(batch))
        jobs = {id_of(job): job for job in self._jobs()}
        strangers = {*batch.dead, *claimed}
        listed = {*strangers, batch.remote} - {None}
        if listed and not listed & jobs.keys():
            raise ProviderReplyUnreadable("the list of batches names none of those that are known")
        alive = {
            remote: job
            for remote, job in jobs.items()
            if word(job.get("input_file_id")) in inputs and remote not in strangers
        }
        return made_of(batch, alive, _rank, _inputs_of) if alive else None

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Stream a result file as it is, and see that it is as long as the service says.

        No counts tell that some of it is missing.

        Raises:
            ResultFileShort: the service's record of the file is longer.
        """
        before = sink.tell()
        super().download(file_id, sink)
        try:
            whole = tally(self._http.json("look at the file", "GET", file_at(file_id)).get("bytes"))
        except ProviderRefused:
            return  # it was there to be read, and shows no record
        read = sink.tell() - before
        if read < (whole or 0):
            raise ResultFileShort(f"download: {read:,} of {whole:,} bytes arrived")

    def ask(self, line: bytes) -> bytes:
        """Make one chat completion, its body as in the file, and write what came."""
        request = orjson.loads(line)
        body = orjson.dumps(request["body"])
        reply = self._http.ask("chat", "/chat/completions", body, REFUSALS_OF_ONE)
        return answer_line(request["custom_id"], reply.status, reply.request_id, reply.content)

    def _announced(self, path: Path, name: str) -> tuple[str, str | None]:
        """Say what is to be uploaded; return the file's id, and where it is to go.

        None: a file of these bytes is there already; since its lines have our tag, it is this run's.
        """
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        form = {
            "purpose": _PURPOSE,
            "file_name": name,
            "file_type": "jsonl",
            "checksum": digest,
        }
        parts = {field: (None, value) for field, value in form.items()}
        call = self._http.stream("upload", "POST", "/files", accepts=_says_where, files=parts)
        with call as response:
            if response.status_code == _CONFLICT:
                return _known_id(response), None
            if response.status_code != _FOUND:
                raise ProviderReplyUnreadable("upload: the reply does not say where the file goes")
            return response.headers["X-Together-File-Id"], response.headers["Location"]

    def _put(self, path: Path, address: str) -> None:
        """Put the file into storage; its address is a key itself, so ours does not go there.

        Raises:
            ProviderError: whatever went wrong; what the storage refused is tried again, since an
                address holds for a while only.
        """
        there, rest = _storage(address, self._service)
        with closing(plain.Plain(there, header=None)) as storage, path.open("rb") as handle:
            try:
                with storage.stream("upload to storage", "PUT", rest, content=handle):
                    return
            except ProviderRefused as refused:
                raise ProviderSilent(str(refused)) from None

    def _uploaded(self, name: str, size: int) -> str | None:
        """Return the id of an input file of this name and size, if one arrived."""
        for file in self._files():
            if file.get("filename") == name and _is_whole(file, size):
                return id_of(file)
        return None

    def _is_taken(self, file_id: str, name: str, size: int) -> bool:
        """Tell whether a file of our bytes is this hand-over's own; any other is taken away.

        That is what is left of an upload that was cut short, or the input of an order that is over:
        the same requests are asked again, and an input is to belong to one order alone.
        """
        file = self._http.json("look for the file", "GET", file_at(file_id))
        if file.get("filename") == name and _is_whole(file, size):
            return True
        self._http.json("delete an input that is over", "DELETE", file_at(file_id))
        return False

    def _named(self, batch: Batch) -> Iterator[str]:
        """Yield the input files of an order whose own one is not known, as after a recovery."""
        start = f"{batch.handle.get('experiment')}-{batch.key}-"
        for file in self._files():
            if (word(file.get("filename")) or "").startswith(start):
                yield id_of(file)

    def _files(self) -> list[JsonObject]:
        return _rows(self._http.json("list files", "GET", "/files").get("data"))

    def _jobs(self) -> list[JsonObject]:
        """Return all batches of the account, which come as one bare list."""
        with self._http.stream("list", "GET", self._jobs_at) as response:
            return _rows(json_value(response.read()))

    def _progress(self, job: JsonObject) -> Progress:
        """Read a batch, of which only the id is certain; how many are done, it does not say."""
        state = said(job.get("status"), self._service.key)
        named = {"output": job.get("output_file_id"), "error": job.get("error_file_id")}
        files = {name: found for name, value in named.items() if (found := word(value))}
        error = word(job.get("error")) or None
        event, message = event_of(state.upper(), error, _ENDED, _RUNNING, has_answers=bool(files))
        return Progress(
            state=state,
            event=event,
            files=files,
            expires_at=moment(job.get("job_deadline")),
            message=None if message is None else said(message, self._service.key),
            rest=_REST.get(state.upper(), Outcome.MISSING),
        )


def _rows(rows: Any) -> list[JsonObject]:
    """Return what a list names.

    Raises:
        ProviderReplyUnreadable: when it is none; half a list proves nothing.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProviderReplyUnreadable("a list that is none")
    return rows


def _says_where(response: "httpx.Response") -> bool:
    """Tell whether an upload may go on: to another address, or not at all, since it is there."""
    if response.status_code == _FOUND:
        return {"location", "x-together-file-id"} <= response.headers.keys()
    return response.status_code == _CONFLICT and bool(_known_id(response))


def _known_id(response: "httpx.Response") -> str:
    body = plain.json_object(response.read()) or {}
    return word(body.get("file_id")) or ""


def _storage(address: str, service: Service) -> tuple[Service, str]:
    """Take an address apart that the service gave: where that is, and the rest.

    Raises:
        ProviderRefused: prompts would go out over plain http, or to this machine.
    """
    try:
        parts = urlsplit(address)
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError:
        parts, host, user = urlsplit(""), None, None
    here = parts.scheme == "http" and service.on_this_machine and is_loopback(address)
    if host is None or user is not None or not (parts.scheme == "https" or here):
        raise ProviderRefused("upload: the file was to go to an address that is not https")
    root = f"{parts.scheme}://{parts.netloc}"
    return replace(service, base_url=root, headers={}), address[len(root) :]


def _is_whole(file: Mapping[str, Any], size: int) -> bool:
    return tally(file.get("bytes")) == size and file.get("processing_status") != "PENDING"


def _inputs_of(job: Mapping[str, Any]) -> tuple[Any]:
    return (job.get("input_file_id"),)


def _rank(job: Mapping[str, Any]) -> tuple[int, int]:
    """Return how far a batch is; the lowest is the furthest."""
    state = (word(job.get("status")) or "").upper()
    if state in _FURTHEST:
        return _FURTHEST.index(state), 0
    return len(_FURTHEST) + int(state == "FAILED"), 0
