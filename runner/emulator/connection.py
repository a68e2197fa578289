"""Connections that can be broken on purpose, so that a reply is lost after the work was done."""

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_OPEN: dict[tuple[str, int], asyncio.Transport] = {}


class BreakableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, with its transport within reach of a response."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the transport by the peer's address, which is what a scope names."""
        super().connection_made(transport)
        if self.client is not None:
            _OPEN[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport."""
        if self.client is not None:
            _OPEN.pop(self.client, None)
        super().connection_lost(exc)


class LostReply(Response):
    """A response that is never sent: the connection breaks instead."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Abort the transport, then wait until the server has noticed."""
        _OPEN[tuple(scope["client"])].abort()
        while (await receive())["type"] != "http.disconnect":
            pass
