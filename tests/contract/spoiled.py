"""A server on 127.0.0.1 that spoils replies, byte by byte, before or after the work was done.

With a service behind it, it passes every call on and keeps a record; a spoiled one may still have
been passed on first, and then the work is done although the reply says otherwise.
"""

import contextlib
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

PATIENCE = 20.0
"""Seconds after which a call that hangs is given up, so that no test hangs for ever."""
_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, exactly as it came."""

    method: str
    path: str
    query: str
    head: bytes
    body: bytes
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deed:
    """A call that is being answered: what was asked, by whom, and the service behind."""

    call: Call
    caller: socket.socket
    forward: Callable[..., bytes]
    """Let the service do it, with another query if one is given; returns its whole reply."""


Spoil = Callable[[Deed], None]
Framed = Callable[[bytes], bytes]
"""Says how long a body is: the last header row, the blank line, and the start of a chunk."""


def reply(status: int, body: bytes | Any = b"", **headers: str) -> bytes:
    """Write a whole reply; what is not bytes becomes JSON."""
    kind = "text/html"
    if not isinstance(body, bytes):
        body, kind = json.dumps(body).encode(), "application/json"
    rows = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
    rows |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Spoiled", *(f"{name}: {value}" for name, value in rows.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def instead(raw: bytes) -> Spoil:
    """Answer this; the service never hears of the call."""
    return lambda deed: deed.caller.sendall(raw)


def at_most(times: int, raw: bytes) -> Spoil:
    """Answer this so often, and then break off: who asks for ever must not hang a test."""
    left = iter(range(times))

    def spoil(deed: Deed) -> None:
        if next(left, None) is None:
            reset(deed)
        else:
            deed.caller.sendall(raw)

    return spoil


def afterwards(raw: bytes) -> Spoil:
    """Let the service do it, then answer this."""

    def spoil(deed: Deed) -> None:
        deed.forward()
        deed.caller.sendall(raw)

    return spoil


def lost(deed: Deed) -> None:
    """Let the service do it, then reset the connection."""
    deed.forward()
    reset(deed)


def reset(deed: Deed) -> None:
    """Reset the connection."""
    deed.caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deed.caller.close()


def half(deed: Deed) -> None:
    """Let the service do it, then send its reply as far as the middle of the body."""
    head, _, body = deed.forward().partition(b"\r\n\r\n")
    deed.caller.sendall(head + b"\r\n\r\n" + body[: len(body) // 2])


def slow(deed: Deed) -> None:
    """Let the service do it, then say nothing until the caller has gone."""
    deed.forward()
    silent(deed)


def silent(deed: Deed) -> None:
    """Say nothing until the caller has gone."""
    deed.caller.recv(1)


def held(until: threading.Event) -> Spoil:
    """Keep the call on its way until then; whoever made it has long gone."""

    def spoil(deed: Deed) -> None:
        until.wait(PATIENCE)
        deed.forward()

    return spoil


def late(seconds: float) -> Spoil:
    """Let the service do it, and answer some time after."""

    def spoil(deed: Deed) -> None:
        raw = deed.forward()
        time.sleep(seconds)
        deed.caller.sendall(raw)

    return spoil


def asking(name: str, value: str) -> Spoil:
    """Let the service do it, with a query parameter changed."""

    def spoil(deed: Deed) -> None:
        query = dict(parse_qsl(deed.call.query, keep_blank_values=True)) | {name: value}
        deed.caller.sendall(deed.forward(query=urlencode(query)))

    return spoil


def sized(body: bytes) -> bytes:
    """Say how long the whole body is."""
    return f"content-length: {len(body)}\r\n\r\n".encode()


def chunked(body: bytes) -> bytes:
    """Begin a chunk with the whole body."""
    return f"transfer-encoding: chunked\r\n\r\n{len(body):x}\r\n".encode()


def unsized(_: bytes) -> bytes:
    """Say nothing: the body ends where the connection does."""
    return b"\r\n"


def nothing_more(_: Deed) -> None:
    """Close the connection."""


def cut(where: Callable[[bytes], int], framed: Framed, then: Spoil) -> Spoil:
    """Let the service do it, then send only so much of its reply, framed in another way."""

    def spoil(deed: Deed) -> None:
        head, _, body = deed.forward().partition(b"\r\n\r\n")
        rows = [r for r in head.split(b"\r\n") if not r.lower().startswith(b"content-length:")]
        deed.caller.sendall(b"\r\n".join(rows) + b"\r\n" + framed(body) + body[: where(body)])
        then(deed)

    return spoil


def pieces(raw: Iterable[bytes], *, then: Spoil = lambda _: None) -> Spoil:
    """Send bytes as they come, and then do something else."""

    def spoil(deed: Deed) -> None:
        for piece in raw:
            deed.caller.sendall(piece)
        then(deed)

    return spoil


class Spoiled:
    """The server; give it rules with `spoil`, and read `calls` afterwards."""

    def __init__(self, behind: str | None = None) -> None:
        """Listen on a free port, in front of a service if its address is given."""
        self._behind = behind
        self._rules: list[tuple[str, re.Pattern[str], Spoil]] = []
        self._callers: set[socket.socket] = set()
        self.calls: list[Call] = []
        self.done = threading.Event()
        """Set as soon as the service behind has done a call that was spoiled."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    def spoil(self, route: tuple[str, str], how: Spoil) -> None:
        """Spoil every call of this method and path (a regular expression)."""
        self._rules.insert(0, (route[0], re.compile(route[1]), how))

    def asked(self, route: tuple[str, str]) -> list[Call]:
        """Return the calls of this method and path."""
        return [c for c in self.calls if c.method == route[0] and re.fullmatch(route[1], c.path)]

    def has_heard(self, calls: int) -> bool:
        """Wait until this many calls were read: a client may give up before this server has."""
        until = time.monotonic() + PATIENCE
        while len(self.calls) < calls and time.monotonic() < until:
            time.sleep(0.01)
        return len(self.calls) >= calls

    def close(self) -> None:
        """End, and whoever still waits here with it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for caller in list(self._callers):
            with contextlib.suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                caller.settimeout(PATIENCE)
                self._callers.add(caller)
                thread = threading.Thread(target=self._serve, args=(caller,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError, http.client.HTTPException):
            call = _read(caller)
            if call is not None:
                self.calls.append(call)
                how = next(
                    (h for m, p, h in self._rules if m == call.method and p.fullmatch(call.path)),
                    None,
                )
                if how is None:
                    caller.sendall(self._forward(call))
                else:
                    how(Deed(call, caller, partial(self._forward, call, spoiled=True)))
        self._callers.discard(caller)

    def _forward(self, call: Call, *, spoiled: bool = False, query: str | None = None) -> bytes:
        assert self._behind is not None, f"nothing behind to do {call.method} {call.path}"
        connection = http.client.HTTPConnection(urlsplit(self._behind).netloc, timeout=PATIENCE)
        try:
            query = call.query if query is None else query
            target = f"{call.path}?{query}" if query else call.path
            connection.request(call.method, target, call.body, dict(call.headers))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
            if spoiled:
                self.done.set()
        rows = [(n, v) for n, v in answer.getheaders() if n.lower() not in _HOP_BY_HOP]
        known = answer.getheader("content-length") if call.method == "HEAD" else None
        rows += [("content-length", known or str(len(body))), ("connection", "close")]
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
        return (head + "".join(f"{n}: {v}\r\n" for n, v in rows)).encode() + b"\r\n" + body


def _read(caller: socket.socket) -> Call | None:
    received = b""
    while b"\r\n\r\n" not in received:
        more = caller.recv(65536)
        if not more:
            return None
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rows = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {n.strip().lower(): v.strip() for n, _, v in (row.partition(":") for row in rows)}
    assert "transfer-encoding" not in headers, "a client that does not say how much it sends"
    parts, missing = [body], int(headers.get("content-length", 0)) - len(body)
    while missing > 0:
        more = caller.recv(min(missing, 1 << 20))
        if not more:
            return None
        parts.append(more)
        missing -= len(more)
    address = urlsplit(target)
    return Call(method, address.path, address.query, head, b"".join(parts), headers)
