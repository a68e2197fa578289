"""AWS's SDK over the simulated network: what it is about to send is carried there instead."""

import io
import json
from collections.abc import Iterator
from typing import Any, ClassVar

from botocore import exceptions as aws
from botocore.awsrequest import AWSResponse

from tests.simulation.wire import Network


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


class _Headers:
    """Headers with their bytes, as httpx has them."""

    def __init__(self, headers: Any) -> None:
        said = {str(name): value for name, value in headers.items()} | {"host": "127.0.0.1"}
        self.raw = [
            (name.encode(), value if isinstance(value, bytes) else str(value).encode())
            for name, value in said.items()
        ]


class _Request:
    """A request of botocore's in the words of httpx."""

    def __init__(self, prepared: Any) -> None:
        self.method, self.url = prepared.method, prepared.url
        self.headers = _Headers(prepared.headers)
        self._body = prepared.body

    def read(self) -> bytes:
        body = self._body or b""
        return body.read() if hasattr(body, "read") else bytes(body)


class Transport:
    """The names that the network calls a client's errors and replies by."""

    ReadTimeout: ClassVar = lambda said, request: aws.ReadTimeoutError(
        endpoint_url=request.url, error=said
    )
    ReadError: ClassVar = lambda said, request: aws.ConnectionClosedError(
        endpoint_url=request.url, error=said
    )
    ConnectError: ClassVar = lambda said, request: aws.EndpointConnectionError(
        endpoint_url=request.url, error=said
    )

    @staticmethod
    def Response(  # noqa: N802 - as httpx has it
        status: int,
        *,
        request: _Request,
        headers: Any = (),
        content: bytes | None = None,
        json: Any = None,
    ) -> AWSResponse:
        content = _written(json) if content is None else content
        pairs = headers.items() if isinstance(headers, dict) else headers
        said = {_text(name): _text(value) for name, value in pairs}
        said["content-length"] = str(len(content))
        return AWSResponse(request.url, status, said, _Raw(content))


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def carried(client: Any, network: Network) -> Any:
    """Return a client whose requests go over the simulated network."""

    def send(request: Any, **_: Any) -> AWSResponse:
        return network.exchange(Transport, _Request(request))

    client.meta.events.register("before-send", send)
    return client
