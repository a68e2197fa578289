"""What clients over plain HTTP share whose input is an uploaded file, and whose results are files."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import BinaryIO, ClassVar
from urllib.parse import quote

from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import Batch, JsonObject, Progress, RemoteId
from runner.core.states import BatchEvent
from runner.providers import plain
from runner.providers._chat import SETTLED
from runner.providers._dialects import CHAT
from runner.providers._orders import input_of
from runner.providers._stainless import CHUNK, id_of, result_file


class PlainFileBatch(plain.PlainClient):
    """One uploaded file, one job made of it, two result files."""

    dialect = CHAT
    settled: ClassVar[Mapping[str, str]] = SETTLED
    fences: ClassVar[bool] = True
    tells_inputs: ClassVar[bool] = True
    _jobs_at: ClassVar[str]
    """Where jobs are, below the service's address."""

    def fence(self, batch: Batch) -> None:
        """Delete the input file; a create that still arrives then names a file that is gone."""
        address = file_at(input_of(batch))
        try:
            reply = self._http.json("delete the input file", "DELETE", address)
        except ProviderRefused as refused:
            if not refused.forgotten:
                raise
            self._must_be_gone(address)
            return
        if reply.get("deleted") is not True:
            raise ProviderReplyUnreadable("the reply does not say that the file was deleted")

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the job."""
        job = self._http.json("retrieve", "GET", self._job(remote))
        if id_of(job) != remote:
            raise ProviderReplyUnreadable("the reply is about another job")
        return self._progress(job)

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Stream a result file as it is."""
        with self._http.stream("download", "GET", f"{file_at(file_id)}/content") as response:
            sink.writelines(result_file(response.iter_bytes(CHUNK), self._service))

    def cancel(self, remote: RemoteId) -> None:
        """Ask to cancel; a refusal of a job that has ended already is all right."""
        try:
            with self._http.stream("cancel", "POST", f"{self._job(remote)}/cancel"):
                return
        except ProviderRefused:
            if self.poll(remote).event == BatchEvent.PROGRESS:
                raise

    @abstractmethod
    def _progress(self, job: JsonObject) -> Progress:
        """Read a job, of which only the id is certain."""

    def _job(self, remote: str) -> str:
        return f"{self._jobs_at}/{quote(remote, safe='')}"

    def _must_be_gone(self, address: str) -> None:
        """Make sure that a file is not there: a service that deletes none says 404, too."""
        try:
            file = self._http.json("look for the input file", "GET", address)
        except ProviderRefused as refused:
            if refused.forgotten:
                return
            raise
        if file.get("deleted") is not True:
            raise ProviderReplyUnreadable("the input file is still there and cannot be deleted")


def file_at(file_id: str) -> str:
    """Return where a file is, below the service's address."""
    return f"/files/{quote(file_id, safe='')}"


def event_of(
    state: str,
    errors: str | None,
    ended: Collection[str],
    running: Collection[str],
    *,
    has_answers: bool,
) -> tuple[BatchEvent, str | None]:
    """Translate the service's word; an unknown word is progress, shown as it is.

    A failed job that has written a result file is collected as any other.
    """
    if state in ended or (state == "FAILED" and has_answers):
        return BatchEvent.END, errors
    if state == "FAILED":
        return BatchEvent.REFUSED, errors or "failed, and no reason given"
    if state in running:
        return BatchEvent.PROGRESS, errors
    return BatchEvent.PROGRESS, f"unknown state {state!r}" + (f": {errors}" if errors else "")
