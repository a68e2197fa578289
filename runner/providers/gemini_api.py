"""Gemini batches through the Gemini API: a key, and no bucket.

Requests go as an uploaded file at any size: an order that carries them (up to 20 MB) could not be
taken back, and its results would come with every poll and in every list. Wire facts:
ai.google.dev/api/batch-api, and the package google-genai 3.6.1, against which the emulator is held.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import quote

import orjson

from runner.core.errors import (
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderUndecided,
)
from runner.core.model import (
    Batch,
    Condition,
    JsonObject,
    Progress,
    Prompt,
    RemoteId,
    Reply,
    ReplyKind,
)
from runner.core.twins import Made
from runner.providers._dialects import GEMINI_API
from runner.providers._lines import moment, object_of, tally, word
from runner.providers._lists import without_end
from runner.providers._vertex_jobs import progress_of, rank
from runner.providers._vertex_lines import (
    REFUSALS_OF_ONE,
    SETTLED,
    is_about_all,
    is_answer,
    json_line,
    read_row,
    request_frame,
)
from runner.providers.base import DayOptions, Frame
from runner.providers.plain import ORDER, PlainClient

PAGE: Final = 100
_V: Final = "/v1beta"
_UPLOAD: Final = "/upload"
_BATCH: Final = re.compile(r"batches/[\w.~-]{1,200}", re.ASCII)
_FILE: Final = re.compile(r"files/[\w.~-]{1,200}", re.ASCII)
_OURS, _THEIRS = b'{"custom_id":', b'{"key":'
"""How a line begins in a request file, and in what is uploaded."""
_NOT_THERE: Final = frozenset({403, 404})
"""What is said of a file that is gone: that it may be another's, too (403)."""
_LASTS: Final = 48 * 3600.0
"""Seconds from its creation until a batch expires."""
_COUNTS: Final = {
    "successfulCount": "successfulRequestCount",
    "failedCount": "failedRequestCount",
    "incompleteCount": "pendingRequestCount",
}
"""What Vertex AI calls the counts, and what they are called here."""


class GeminiApiBatch(PlainClient):
    """The client: one uploaded file, one batch made of it, one file of results."""

    Options: ClassVar[type[DayOptions]] = DayOptions
    dialect = GEMINI_API
    default_base_url: ClassVar[str] = "https://generativelanguage.googleapis.com"
    base_url_variable: ClassVar[str] = "GOOGLE_GEMINI_BASE_URL"
    key_variable: ClassVar[str] = "GEMINI_API_KEY"
    settled: ClassVar[Mapping[str, str]] = SETTLED
    fences: ClassVar[bool] = True
    tells_inputs: ClassVar[bool] = True
    _key: ClassVar[Mapping[str, str]] = {"prefix": "", "header": "x-goog-api-key"}

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition; results hold no echo of it."""
        return replace(request_frame(self._model, condition, prompt, self._tag), proof=None)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the results: a key with a response, or with an error."""
        row = object_of(line)
        known = {"custom_id": row.get("key"), "response": row.get("response")}
        return read_row(known | {"status": row.get("error")}, self._tag)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Upload the request file, whose lines have a `key` there."""
        with path.open("rb") as requests:
            lines = sum(1 for _ in requests)
            requests.seek(0)
            size = path.stat().st_size - lines * (len(_OURS) - len(_THEIRS))
            known = self._uploaded(name, size) if look_first else None
            file = known or self._upload(map(_keyed, requests), size, name)
        return {"file": file, "name": name}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch; sent once."""
        source = {"fileName": batch.handle["file"]}
        wanted = {"batch": {"displayName": batch.handle["name"], "inputConfig": source}}
        model = quote(self._model.name.removeprefix("models/"), safe="")
        address = f"{_V}/models/{model}:batchGenerateContent"
        return RemoteId(_name_of(self._http.json(ORDER, "POST", address, json=wanted), _BATCH))

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look through the whole list for batches that have our input's name."""
        name = batch.handle.get("name")
        if name is None:
            raise ProviderUndecided(
                "its input is not known any more: find it among the batches of this key, "
                f"then action=adopt or action=abandon batch={batch.key}",
                (),
            )
        jobs = {
            _name_of(operation, _BATCH): _job_of(operation)
            for operation in self._listed("list", "/batches", "operations")
            if _part(operation, "metadata").get("displayName") == name
        }
        alive = [remote for remote in jobs if remote not in {*batch.dead, *claimed}]
        if not alive:
            return None
        furthest, *others = sorted(alive, key=lambda remote: rank(jobs[remote]))
        return Made(RemoteId(furthest), tuple(others))

    def fence(self, batch: Batch) -> None:
        """Delete the uploaded file; a create that still arrives then names one that is gone."""
        file, what = batch.handle.get("file"), "delete the input file"
        if file is None:
            raise ProviderUndecided(
                "it is not on the list, and its input is not known any more, so that it cannot be "
                f"taken away: if it was surely never ordered, action=abandon batch={batch.key}",
                (),
            )
        with self._http.stream(what, "DELETE", f"{_V}/{file}", refusals=_NOT_THERE) as response:
            is_gone = response.status_code == 200
        if not is_gone and any(_name_of(known, _FILE) == file for known in self._files(what)):
            raise ProviderRefused(f"{what}: {file} is still there and cannot be deleted")

    def poll(self, remote: RemoteId) -> Progress:
        """Get the batch."""
        operation = self._http.json("get", "GET", f"{_V}/{remote}")
        if _name_of(operation, _BATCH) != remote:
            raise ProviderReplyUnreadable("the reply is about another batch")
        job, results = _job_of(operation), _results_of(operation)
        files = {} if results is None else {"output": results}
        progress = progress_of(job, files, self._service.key)
        made_at = moment(job["createTime"])
        return replace(
            progress,
            expires_at=None if made_at is None else made_at + _LASTS,
            message="it succeeded, and names no results"
            if progress.state == "succeeded" and not files
            else progress.message,
        )

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Write the result file as it comes."""
        path = f"/download{_V}/{file_id}:download"
        self._http.save("download", path, sink, params={"alt": "media"})

    def cancel(self, remote: RemoteId) -> None:
        """Ask to cancel; a batch that has ended already says no, and that is all right."""
        path = f"{_V}/{remote}:cancel"
        with self._http.stream("cancel", "POST", path, refusals=(400, 409)) as response:
            response.read()

    def ask(self, line: bytes) -> bytes:
        """Generate one answer and write it as a batch would."""
        wanted = orjson.loads(line)
        model = quote(self._model.name.removeprefix("models/"), safe="")
        address = f"{_V}/models/{model}:generateContent"
        request = orjson.dumps(wanted["request"])
        reply = self._http.ask("generate", address, request, REFUSALS_OF_ONE)
        status, body = reply.status, object_of(reply.content)
        key = wanted["custom_id"]
        if status == 200 and is_answer(body):
            return json_line({"key": key, "response": body})
        if status == 200:
            raise ProviderReplyUnreadable("generate: a reply that holds no answer")
        result = json_line({"key": key, "error": body["error"]})
        refusal = self.decode(result)
        if refusal.kind is not ReplyKind.REFUSED or is_about_all(body):
            raise ProviderRefused(f"generate: {refusal.error}")
        return result

    # -- Files and lists

    def _upload(self, lines: Iterator[bytes], size: int, name: str) -> str:
        """Begin an upload, and send it whole to where the service says, on its own host."""
        how = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": "application/jsonl",
        }
        about = {"file": {"displayName": name, "mimeType": "application/jsonl"}}
        path = f"{_UPLOAD}{_V}/files"
        with self._http.stream("upload", "POST", path, json=about, headers=how) as response:
            _, slash, rest = response.headers.get("x-goog-upload-url", "").partition(f"{_UPLOAD}/")
        if not slash:
            raise ProviderReplyUnreadable("upload: the reply does not say where to")
        how = {
            "X-Goog-Upload-Command": "upload, finalize",
            "X-Goog-Upload-Offset": "0",
            "Content-Length": str(size),
        }
        made = self._http.json("upload", "POST", f"{_UPLOAD}/{rest}", content=lines, headers=how)
        return _name_of(_part(made, "file"), _FILE)

    def _uploaded(self, name: str, size: int) -> str | None:
        """Return the input file of this name and size, if one arrived."""
        for file in self._files("look for the input file"):
            if file.get("displayName") == name and tally(file.get("sizeBytes")) == size:
                return _name_of(file, _FILE)
        return None

    def _files(self, what: str) -> Iterator[JsonObject]:
        return self._listed(what, "/files", "files")

    def _listed(self, what: str, path: str, rows: str) -> Iterator[JsonObject]:
        """Yield what a list names, over all pages; one with nothing on it has no rows.

        Raises:
            ProviderReplyUnreadable: when it is none, or goes in a circle; half a list proves nothing.
        """
        query: dict[str, Any] = {"pageSize": PAGE}
        seen: set[str] = set()
        for pages in count():
            without_end(pages)
            page = self._http.json(what, "GET", f"{_V}{path}", params=query)
            things = page.get(rows) or []
            token = page.get("nextPageToken") or ""
            is_page = isinstance(things, list) and isinstance(token, str) and "error" not in page
            if not is_page or not all(isinstance(x, dict) and word(x.get("name")) for x in things):
                raise ProviderReplyUnreadable(f"{what}: a list that is none")
            yield from things
            if not token:
                return
            if token in seen:
                raise ProviderReplyUnreadable(f"{what}: a list that does not say how it goes on")
            seen.add(token)
            query["pageToken"] = token


def _keyed(line: bytes) -> bytes:
    return _THEIRS + line.removeprefix(_OURS)


def _name_of(thing: JsonObject, form: re.Pattern[str]) -> str:
    """Return what a thing is called, which will be part of an address."""
    name = thing.get("name")
    if isinstance(name, str) and form.fullmatch(name):
        return name
    raise ProviderReplyUnreadable("a reply without the name of what it is about")


def _part(thing: JsonObject, name: str) -> JsonObject:
    part = thing.get(name)
    return part if isinstance(part, dict) else {}


def _job_of(operation: JsonObject) -> JsonObject:
    """Write an operation as Vertex AI writes a job."""
    about = _part(operation, "metadata")
    stats = _part(about, "batchStats")
    return {
        "state": about.get("state", "unspecified"),
        "createTime": about.get("createTime"),
        "error": operation.get("error"),
        "completionStats": {theirs: stats.get(ours, 0) for theirs, ours in _COUNTS.items()}
        if stats
        else None,
    }


def _results_of(operation: JsonObject) -> str | None:
    """Return the file of results, wherever an operation names it."""
    places = (_part(operation, "response"), _part(_part(operation, "metadata"), "output"))
    names = (word(place.get("responsesFile")) for place in places)
    return next((name for name in names if name and _FILE.fullmatch(name)), None)
