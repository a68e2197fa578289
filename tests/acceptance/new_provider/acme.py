"""Acme Batch: a service without an SDK, in one file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import orjson

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import (
    Batch,
    Condition,
    Model,
    Progress,
    Prompt,
    RemoteId,
    Reply,
    ReplyKind,
    Usage,
)
from runner.core.states import BatchEvent
from runner.core.twins import Made
from runner.providers import plain
from runner.providers.base import Dialect, Frame, Options, Service, missing_key


@dataclass(frozen=True, kw_only=True)
class AcmeOptions(Options):
    """What Acme alone can be told."""

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"queue": ("night", "now")}
    queue: str = "night"


class AcmeBatch:
    """One input, one job made of it, one file of answers."""

    Options: ClassVar[type[AcmeOptions]] = AcmeOptions
    dialect = Dialect(name="acme")
    default_base_url = "https://api.acme.example"
    base_url_variable = "ACME_BASE_URL"
    key_variable = "ACME_API_KEY"
    settled: ClassVar[Mapping[str, str]] = {"temp": "use temperatures=[…]"}
    fences = True
    tells_inputs = True
    tagged = False
    found_by_size = False
    idempotent = False
    no_emulator = "is not what the emulator speaks: try it with trials=1"
    packages = plain.PACKAGES

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address and the model; nothing is opened yet."""
        self._service = service
        self._model = model
        self._http = plain.Plain(service)

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set."""
        return missing_key(service)

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return `{"custom_id": …, "model": …, "say": […]}`."""
        say = [{"who": "persona", "what": prompt.system}] if prompt.system is not None else []
        say.append({"who": "reader", "what": prompt.user})
        body = {"model": self._model.name, "say": say, "cap": self._model.max_output_tokens}
        if condition.temperature is not None:
            body["temp"] = float(condition.temperature)
        after = orjson.dumps(body | dict(self._model.parameters))
        return Frame(before=b'{"custom_id":"', after=b'",' + after[1:] + b"\n")

    def decode(self, line: bytes) -> Reply:
        """Read `{"ref": …, "text": …, "end": …, "used": [in, out]}`, or one with a problem."""
        row = plain.json_object(line)
        if row is None or not isinstance(row.get("ref"), str):
            raise ProviderReplyUnreadable("a result line without a ref")
        if "problem" in row:
            kind = ReplyKind.REFUSED if row.get("yours") else ReplyKind.ERRORED
            return Reply(custom_id=row["ref"], kind=kind, error=str(row["problem"]))
        used = row["used"]
        return Reply(
            custom_id=row["ref"],
            kind=ReplyKind.ANSWER,
            text=row["text"],
            finish_reason={"done": "stop", "cap": "length"}.get(row["end"], row["end"]),
            model=row.get("model"),
            usage=Usage(input_tokens=used[0], output_tokens=used[1]),
        )

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Upload the request file, unless it arrived already."""
        if look_first:
            for known in self._http.json("inputs", "GET", "/inputs")["inputs"]:
                if known["name"] == name:
                    return {"input": known["id"]}
        with path.open("rb") as file:
            made = self._http.json("upload", "POST", "/inputs", params={"name": name}, content=file)
        return {"input": _id(made)}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Order the job."""
        queue = self._service.told(AcmeOptions).queue
        order = {"input": batch.handle["input"], "queue": queue}
        return RemoteId(_id(self._http.json(plain.ORDER, "POST", "/jobs", json=order)))

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look for a job made of our input."""
        strangers = {*claimed, *batch.dead}
        jobs = self._http.json("list", "GET", "/jobs")["jobs"]
        ours = [
            _id(job)
            for job in jobs
            if job["input"] == batch.handle["input"] and _id(job) not in strangers
        ]
        return Made(RemoteId(ours[0]), tuple(ours[1:])) if ours else None

    def fence(self, batch: Batch) -> None:
        """Delete the input."""
        self._http.json("delete", "DELETE", f"/inputs/{batch.handle['input']}")

    def poll(self, remote: RemoteId) -> Progress:
        """Ask how the job stands."""
        job = self._http.json("job", "GET", f"/jobs/{remote}")
        is_over = job["state"] in ("done", "stopped")
        return Progress(
            state=job["state"],
            event=BatchEvent.END if is_over else BatchEvent.PROGRESS,
            total=job["asked"],
            completed=job["answered"],
            failed=job["asked"] - job["answered"] if is_over else None,
            files={"output": remote} if is_over else {},
            rest="cancelled" if job["state"] == "stopped" else "missing",
        )

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Write the answers as they come."""
        self._http.save("answers", f"/jobs/{file_id}/answers", sink)

    def cancel(self, remote: RemoteId) -> None:
        """Stop the job."""
        self._http.json("stop", "POST", f"/jobs/{remote}/stop")

    def ask(self, line: bytes) -> bytes:
        """Ask one request now."""
        return orjson.dumps(self._http.json("ask", "POST", "/ask", content=line)) + b"\n"

    def close(self) -> None:
        """Hang up."""
        self._http.close()


def _id(thing: Mapping[str, Any]) -> str:
    if isinstance(found := thing.get("id"), str) and found:
        return found
    raise ProviderReplyUnreadable("a reply without an id")
