"""What every client over a vendor's SDK does the same way: connect once, post, stream, hang up."""

import threading
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, BinaryIO

from runner.core.model import Model, RemoteId
from runner.providers._speaking import ANSWER_TAKES
from runner.providers._stainless import CHUNK, Sdk, result_file
from runner.providers.base import Service, missing_key


class SdkClient:
    """A client that speaks through an SDK of OpenAI's family; a subclass says which, and what."""

    _ask_path: str
    """Where one request is asked, below the base URL."""

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address, the model and the run's tag; nothing is opened yet."""
        self._service = service
        self._model = model
        self._tag = tag
        self._connecting = threading.Lock()
        self._connected: Any = None

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the real service can be used."""
        return missing_key(service)

    @cached_property
    def _sdk(self) -> Sdk:
        raise NotImplementedError

    def _connect(self) -> Any:
        """Make the SDK's client."""
        raise NotImplementedError

    def _batch_calls(self) -> Any:
        """Return the SDK's calls about batches."""
        raise NotImplementedError

    def _results(self, file_id: str) -> AbstractContextManager[Any]:
        """Open a result file as a stream."""
        raise NotImplementedError

    @property
    def _client(self) -> Any:
        with self._connecting:  # calls come from several threads
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Stream a result file as it is."""
        with self._speaking("download"), self._results(file_id) as response:
            sink.writelines(result_file(response.iter_bytes(CHUNK), self._service))

    def cancel(self, remote: RemoteId) -> None:
        """Ask to cancel; a batch that has ended already says no, and that is all right."""
        sdk = self._sdk.module
        with self._speaking("cancel"):
            try:
                self._batch_calls().cancel(remote)
            except (sdk.BadRequestError, sdk.ConflictError):
                return

    def close(self) -> None:
        """Hang up, if a call was ever made."""
        if self._connected is not None:
            self._connected.close()

    def _post(self, body: bytes) -> Any:
        """Ask one request and return the reply as it came."""
        short, transport = self._service.timeout_seconds, self._sdk.transport
        return self._client.post(
            self._ask_path,
            cast_to=transport.Response,
            content=iter([body]),  # as bytes, the SDK's log would show it
            options={
                "headers": {"Content-Length": str(len(body))},
                "timeout": transport.Timeout(short * ANSWER_TAKES, connect=short),
            },
        )

    def _without_key(self, content: bytes) -> bytes:
        key = self._service.key
        return content if key is None else key.hide_in(content)

    def _speaking(self, what: str) -> AbstractContextManager[None]:
        return self._sdk.speaking(self._service, what)
