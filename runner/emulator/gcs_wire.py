"""The slice of Cloud Storage's JSON API that batch prediction needs: buckets and objects."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runner.emulator.downloads import chunks_of
from runner.emulator.google_shapes import (
    GoogleError,
    json_body,
    number,
    stamp,
    start,
    token_after,
)
from runner.emulator.google_store import GoogleStore, bucket_spot, generation_of
from runner.emulator.google_uploads import Upload, Uploads
from runner.emulator.records import StoredFile
from runner.emulator.world import World

PAGE = 1000
_MULTI = {"us", "eu", "asia"}


class GcsWire:
    """Buckets and objects."""

    prefixes: tuple[str, ...] = ("/storage/v1", "/upload/storage/v1", "/download/storage/v1")

    def __init__(self, world: World, store: GoogleStore) -> None:
        """Show what the store has."""
        self._world = world
        self._store = store
        self._uploads = Uploads(self._finish, self._begin)

    def error(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None
    ) -> Response:
        """Make an error reply in this family's shape."""
        return GoogleError(status, message, is_classic=True).response(headers)

    def routes(self) -> list[Route]:
        """List the addresses it answers at."""
        bucket = "/storage/v1/b/{bucket}"
        upload = f"/upload{bucket}/o"
        return [
            Route("/storage/v1/b", self.make_bucket, methods=["POST"]),
            Route(bucket, self.get_bucket, methods=["GET"]),
            Route(f"{bucket}/o", self.list_objects, methods=["GET"]),
            Route(f"{bucket}/o/{{name:path}}", self.get_object, methods=["GET"]),
            Route(f"{bucket}/o/{{name:path}}", self.delete_object, methods=["DELETE"]),
            Route(f"/download{bucket}/o/{{name:path}}", self.content, methods=["GET"]),
            Route(upload, self._uploads.post, methods=["POST"]),
            Route(upload, self._uploads.put, methods=["PUT"]),
        ]

    # Buckets

    async def make_bucket(self, request: Request) -> Response:
        """Make a bucket."""
        wanted = await json_body(request)
        name = wanted.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,61}", name):
            raise GoogleError(400, f"Invalid bucket name: '{name}'", is_classic=True)
        self._store.make_place("gs", name, str(wanted.get("location") or "us"))
        return JSONResponse(self._bucket_object(name))

    def get_bucket(self, request: Request) -> Response:
        """Show a bucket."""
        return JSONResponse(self._bucket_object(request.path_params["bucket"]))

    def _bucket_object(self, name: str) -> dict[str, Any]:
        location = self._store.location("gs", name)
        if location is None:
            raise GoogleError(404, "The specified bucket does not exist.", is_classic=True)
        return {
            "kind": "storage#bucket",
            "id": name,
            "name": name,
            "projectNumber": "123456789012",
            "metageneration": "1",
            "location": location.upper(),
            "locationType": "multi-region" if location in _MULTI else "region",
            "storageClass": "STANDARD",
            "etag": "CAE=",
            "timeCreated": stamp(self._world.clock() - 86_400),
            "updated": stamp(self._world.clock() - 86_400),
        }

    # Objects

    def list_objects(self, request: Request) -> Response:
        """List the objects under a prefix, by name."""
        bucket = request.path_params["bucket"]
        self._bucket_object(bucket)
        self._world.advance()
        files = self._store.listed(f"gs/{bucket}", request.query_params.get("prefix", ""))
        first, size = start(request), number(request, "maxResults", PAGE, PAGE)
        page: dict[str, Any] = {"kind": "storage#objects"}
        if shown := files[first : first + size]:
            root = str(request.base_url)
            page["items"] = [self._object(root, file) for file in shown]
        if first + size < len(files):
            page["nextPageToken"] = token_after(first + size)
        return JSONResponse(page)

    def get_object(self, request: Request) -> Response:
        """Show an object, or send what is in it."""
        if request.query_params.get("alt") == "media":
            return self.content(request)
        return JSONResponse(self._object(str(request.base_url), self._found(request)))

    def delete_object(self, request: Request) -> Response:
        """Delete an object."""
        file = self._found(request)
        wanted = request.query_params.get("ifGenerationMatch")
        if wanted not in (None, str(generation_of(file))):
            message = "At least one of the pre-conditions you specified did not hold."
            raise GoogleError(412, message, is_classic=True)
        self._store.shelf.delete(file.id)
        return Response(status_code=204)

    def content(self, request: Request) -> Response:
        """Send what is in an object, with its checksums in the head."""
        file, behaviour = self._found(request), self._world.behaviour
        first = self._store.shelf.count_download(file) == 0
        cut = first and behaviour.happens("truncated_downloads", file.stable_key)
        path, sums = self._store.shelf.path_of(file.id), self._store.sums(file)
        rows = {
            "x-goog-hash": f"crc32c={sums.crc32c},md5={sums.md5}",
            "x-goog-generation": str(generation_of(file)),
            "x-goog-stored-content-length": str(file.bytes),
            "x-goog-stored-content-encoding": "identity",
        }
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if asked:
            return _range(path, file.bytes, int(asked[1]), asked[2], rows)
        if not cut:
            rows["content-length"] = str(file.bytes)
        return StreamingResponse(
            chunks_of(path, behaviour.seed, file.stable_key, cut=cut),
            media_type="application/octet-stream",
            headers=rows,
        )

    def _found(self, request: Request) -> StoredFile:
        bucket, name = request.path_params["bucket"], request.path_params["name"]
        self._world.advance()
        generation = request.query_params.get("generation")
        file = self._store.find(bucket_spot(bucket, name), int(generation) if generation else None)
        if file is None:
            raise GoogleError(404, f"No such object: {bucket}/{name}", is_classic=True)
        return file

    def _object(self, root: str, file: StoredFile) -> dict[str, Any]:
        bucket = file.purpose.partition("/")[2]
        generation, sums = generation_of(file), self._store.sums(file)
        path = f"b/{bucket}/o/{quote(file.filename, safe='')}"
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{file.filename}/{generation}",
            "selfLink": f"{root}storage/v1/{path}",
            "mediaLink": f"{root}download/storage/v1/{path}?generation={generation}&alt=media",
            "name": file.filename,
            "bucket": bucket,
            "generation": str(generation),
            "metageneration": "1",
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            "size": str(file.bytes),
            "md5Hash": sums.md5,
            "crc32c": sums.crc32c,
            "etag": f"C{generation}",
            "timeCreated": stamp(file.created_at),
            "updated": stamp(file.created_at),
        }

    # Uploads

    def _begin(self, upload: Upload) -> None:
        bucket = upload.path["bucket"]
        self._bucket_object(bucket)
        name = upload.query.get("name") or upload.metadata.get("name")
        if not isinstance(name, str) or not name:
            raise GoogleError(400, "Required parameter: name", is_classic=True)
        upload.query["name"] = name
        if _only_over(upload) == 0 and self._store.find(bucket_spot(bucket, name)) is not None:
            message = "At least one of the pre-conditions you specified did not hold."
            raise GoogleError(412, message, is_classic=True)

    def _finish(self, upload: Upload) -> Response:
        spot = bucket_spot(upload.path["bucket"], upload.query["name"])
        file = self._store.put_if(spot, upload.content, only_over=_only_over(upload))
        sums = self._store.sums(file)
        said = dict(pair.split("=", 1) for pair in upload.hashes.split(",") if "=" in pair)
        crc32c = upload.metadata.get("crc32c") or said.get("crc32c") or sums.crc32c
        md5 = upload.metadata.get("md5Hash") or said.get("md5") or sums.md5
        if (crc32c, md5) != (sums.crc32c, sums.md5):
            self._store.shelf.delete(file.id)
            raise GoogleError(400, "Provided checksum doesn't match.", is_classic=True)
        return JSONResponse(self._object(upload.root, file))


def _only_over(upload: Upload) -> int | None:
    given = upload.query.get("ifGenerationMatch")
    return int(given) if given is not None else None


def _range(path: Path, size: int, first: int, last: str, rows: dict[str, str]) -> Response:
    if first >= size:
        raise GoogleError(416, "The requested range cannot be satisfied.", is_classic=True)
    end = min(int(last or size - 1), size - 1)

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as content:
            content.seek(first)
            left = end - first + 1
            while left > 0 and (chunk := content.read(min(left, 2**20))):
                left -= len(chunk)
                yield chunk

    rows |= {"content-range": f"bytes {first}-{end}/{size}", "content-length": f"{end - first + 1}"}
    return StreamingResponse(chunks(), 206, rows, "application/octet-stream")
