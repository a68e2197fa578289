"""Uploads as storage and tables take them: in one call, or in pieces after a first one."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from runner.emulator.google_shapes import GoogleError, json_object
from runner.emulator.unfinished import Unfinished

PIECE = 256 * 1024
"""What every piece except the last has to be a multiple of."""
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Upload:
    """What arrived: what it is said to be, what the address said, and the content."""

    metadata: dict[str, Any]
    query: dict[str, str]
    path: dict[str, str]
    content: IO[bytes]
    root: str
    """The emulator's own address."""
    hashes: str
    """What the last call says of checksums in its head."""


Finish = Callable[[Upload], Response]
"""Keeps an upload that is whole, and answers."""


@dataclass(slots=True)
class _Session(Unfinished):
    metadata: dict[str, Any]
    query: dict[str, str]
    path: dict[str, str]
    size: int = 0
    done: Response | None = None


class Uploads:
    """The uploads of one service; those that are not finished are lost with the process."""

    def __init__(self, finish: Finish, begin: Callable[[Upload], None]) -> None:
        """Say what looks at an upload before its content comes, and what keeps it."""
        self._finish = finish
        self._begin = begin
        self._sessions: dict[str, _Session] = {}

    async def post(self, request: Request) -> Response:
        """Take a whole upload, or begin one in pieces."""
        kind = request.query_params.get("uploadType")
        if kind == "resumable":
            return await self._begun(request)
        with TemporaryFile() as content:
            if kind == "multipart":
                metadata = _two_parts(request, await request.body(), content)
            elif kind == "media":
                metadata = {}
                async for chunk in request.stream():
                    content.write(chunk)
            else:
                raise GoogleError(400, f"Invalid upload type: {kind}", is_classic=True)
            content.seek(0)
            query, path = dict(request.query_params), dict(request.path_params)
            session = _Session(metadata, query, path, content=content)
            upload = _upload(request, session)
            return await run_in_threadpool(self._keep, upload)

    def _keep(self, upload: Upload) -> Response:
        self._begin(upload)
        return self._finish(upload)

    async def _begun(self, request: Request) -> Response:
        metadata = json_object(await request.body())
        upload_id = f"upload_{secrets.token_hex(16)}"
        session = _Session(metadata, dict(request.query_params), dict(request.path_params))
        self._begin(_upload(request, session))
        self._sessions[upload_id] = session
        where = request.url.include_query_params(upload_id=upload_id)
        return Response(headers={"location": str(where), "x-guploader-uploadid": upload_id})

    async def put(self, request: Request) -> Response:
        """Take a piece; the last one finishes the upload, and may be sent again."""
        session = self._sessions.get(request.query_params.get("upload_id", ""))
        if session is None:
            raise GoogleError(404, "Not Found", is_classic=True)
        if session.done is not None:
            return session.done
        first, total = _piece(request)
        if first is not None:
            if first > session.size:
                raise GoogleError(400, "Invalid range: bytes are missing.", is_classic=True)
            session.content.seek(first)
            async for chunk in request.stream():
                session.content.write(chunk)
            session.size = max(session.size, session.content.tell())
        if total is None or session.size < total:
            if first is not None and session.size % PIECE:
                raise GoogleError(400, "Invalid piece: no multiple of 256 KiB.", is_classic=True)
            rows = {"range": f"bytes=0-{session.size - 1}"} if session.size else {}
            return Response(status_code=308, headers=rows)
        session.content.seek(0)
        upload = _upload(request, session)
        session.done = await run_in_threadpool(self._finish, upload)
        session.content.close()
        return session.done


def _upload(request: Request, session: _Session) -> Upload:
    return Upload(
        metadata=session.metadata,
        query=session.query,
        path=session.path,
        content=session.content,
        root=str(request.base_url),
        hashes=request.headers.get("x-goog-hash", ""),
    )


def _piece(request: Request) -> tuple[int | None, int | None]:
    """Read where a piece begins, and how much there is in all if that is said."""
    given = _RANGE.fullmatch(request.headers.get("content-range", ""))
    if given is None:
        raise GoogleError(400, "Invalid content range", is_classic=True)
    first = None if given[1] is None else int(given[1])
    return first, None if given[3] == "*" else int(given[3])


def _two_parts(request: Request, body: bytes, content: IO[bytes]) -> dict[str, Any]:
    """Take a multipart/related body apart: JSON, and then the content."""
    kind = request.headers.get("content-type", "")
    found = re.fullmatch(r'multipart/related; *boundary="?([^"]+)"?', kind)
    if found is None:
        raise GoogleError(400, "Invalid multipart request", is_classic=True)
    edge = b"--" + found[1].strip("'").encode()
    _, first, rest = body.split(edge, 2)
    metadata = json_object(first.partition(b"\r\n\r\n")[2])
    end = rest.rindex(b"\r\n" + edge + b"--")
    content.write(memoryview(rest)[rest.index(b"\r\n\r\n") + 4 : end])
    return metadata
