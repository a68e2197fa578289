"""The slice of S3 that batch inference needs, in path style: objects are put, shown, sent and listed.

Buckets named `emulated-…` are there; others are not. Bodies come whole, as they do over plain HTTP.
"""

import base64
import json
import re
import zlib
from html import escape
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from runner.emulator.aws_shapes import AwsError, stamp, xml
from runner.emulator.downloads import chunks_of
from runner.emulator.records import StoredFile
from runner.emulator.spots import Spot, Spots
from runner.emulator.world import World

MANIFEST = "manifest.json.out"
"""Stands beside the results of a job, and counts them."""
PAGE = 1000
SERVICE = "bedrock"
_CODES = {429: "SlowDown", 500: "InternalError", 401: "InvalidAccessKeyId"}


class S3Wire:
    """Buckets and objects."""

    def __init__(self, world: World, store: Spots, prefix: str) -> None:
        """Show what the store has."""
        self.prefixes: tuple[str, ...] = (prefix,)
        self._prefix = prefix
        self._world = world
        self._store = store

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape; S3 is busy with a 503."""
        busy = 503 if status == 429 else 403 if status == 401 else status
        return AwsError(busy, message, _CODES.get(status), is_xml=True).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        key = f"{self._prefix}/{{bucket}}/{{key:path}}"
        return [
            Route(f"{self._prefix}/{{bucket}}", self.list_objects, methods=["GET"]),
            Route(key, self.put_object, methods=["PUT"]),
            Route(key, self.get_object, methods=["GET", "HEAD"]),
            Route(key, self.delete_object, methods=["DELETE"]),
        ]

    async def put_object(self, request: Request) -> Response:
        """Keep an object, in place of what was there."""
        spot = self._spot(request)
        if "aws-chunked" in request.headers.get("content-encoding", ""):
            raise AwsError(501, "Chunks are not taken here.", "NotImplemented", is_xml=True)
        crc = 0
        with cast("BinaryIO", TemporaryFile()) as content:
            async for chunk in request.stream():
                crc = zlib.crc32(chunk, crc)
                content.write(chunk)
            said = request.headers.get("x-amz-checksum-crc32")
            if said is not None and said != base64.b64encode(crc.to_bytes(4, "big")).decode():
                message = "The CRC32 you specified did not match the calculated checksum."
                raise AwsError(400, message, "BadDigest", is_xml=True)
            content.seek(0)
            file = await run_in_threadpool(self._store.put, spot, content)
        return Response(headers={"etag": f'"{file.stable_key}"'})

    def get_object(self, request: Request) -> Response:
        """Show an object, and send what is in it."""
        spot, behaviour = self._spot(request), self._world.behaviour
        self._world.advance()
        if spot.name.endswith(MANIFEST):
            return Response(self._manifest(spot.name), media_type="application/json")
        file = self._store.find(spot)
        if file is None:
            raise AwsError(404, "The specified key does not exist.", "NoSuchKey", is_xml=True)
        head = {"etag": f'"{file.stable_key}"', "content-length": str(file.bytes)}
        if request.method == "HEAD":
            return Response(headers=head)
        first = self._store.shelf.count_download(file) == 0
        if cut := first and behaviour.happens("truncated_downloads", file.stable_key):
            del head["content-length"]
        return StreamingResponse(
            chunks_of(self._store.shelf.path_of(file.id), behaviour.seed, file.stable_key, cut=cut),
            media_type="binary/octet-stream",
            headers=head,
        )

    def delete_object(self, request: Request) -> Response:
        """Delete an object; one that is not there is no error."""
        if (file := self._store.find(self._spot(request))) is not None:
            self._store.shelf.delete(file.id)
        return Response(status_code=204)

    def list_objects(self, request: Request) -> Response:
        """List the objects under a prefix, by name."""
        bucket, prefix = request.path_params["bucket"], request.query_params.get("prefix", "")
        self._there(bucket)
        self._world.advance()
        files = self._store.listed(f"s3/{bucket}", prefix)
        shown = files[: int(request.query_params.get("max-keys", PAGE))]
        rows = [_row(f.filename, f.bytes, f.created_at) for f in shown]
        rows += [_row(name, 1, f.created_at) for f in shown if (name := _manifest_of(f))]
        return xml(
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{escape(bucket)}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(rows)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<IsTruncated>{str(len(shown) < len(files)).lower()}</IsTruncated>"
            f"{''.join(rows)}</ListBucketResult>"
        )

    def _manifest(self, key: str) -> bytes:
        batch = self._world.find_batch(SERVICE, key.rpartition("/")[0].rpartition("/")[2])
        if batch is None:
            raise AwsError(404, "The specified key does not exist.", "NoSuchKey", is_xml=True)
        counts = {
            "totalRecordCount": batch.total,
            "processedRecordCount": batch.completed + batch.failed,
            "successRecordCount": batch.completed,
            "errorRecordCount": batch.failed,
            "inputTokenCount": batch.input_tokens,
            "outputTokenCount": batch.output_tokens,
        }
        return json.dumps(counts).encode()

    def _spot(self, request: Request) -> Spot:
        bucket = request.path_params["bucket"]
        self._there(bucket)
        return Spot(f"s3/{bucket}", request.path_params["key"])

    def _there(self, bucket: str) -> None:
        if not bucket.startswith("emulated-"):
            message = "The specified bucket does not exist"
            raise AwsError(404, message, "NoSuchBucket", is_xml=True)


def _manifest_of(file: StoredFile) -> str | None:
    found = re.fullmatch(r"(.*/)[^/]+\.jsonl\.out", file.filename)
    return None if found is None else found[1] + MANIFEST


def _row(key: str, size: int, at: float) -> str:
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{stamp(at)}</LastModified>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
