"""Requests and results as objects in a bucket of Cloud Storage.

Importing this module imports Google's SDK.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from google.api_core import exceptions as api
from google.cloud.storage.exceptions import DataCorruption

from runner.core.errors import ProviderRefused, ProviderSilent
from runner.providers._google import Strange, asked
from runner.providers._vertex_io import PIECE, Survey, summed, written
from runner.providers._vertex_jobs import bucket_fits, object_of, prefix_of

if TYPE_CHECKING:
    from google.cloud import storage

_BEFORE_A_FILE = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and blanks."""


class Objects:
    """Objects in a bucket of Cloud Storage."""

    def __init__(self, client: "storage.Client", bucket: str, timeout: float) -> None:
        """Keep the client and the bucket's name."""
        self._client = client
        self._name = bucket
        self._timeout = timeout

    def check(self, location: str) -> None:
        """Look at the bucket; who may not look at buckets may still be allowed to use one."""
        where = "us-central1" if location == "global" else location
        try:
            bucket = self._client.get_bucket(self._name, timeout=self._timeout, retry=None)
        except api.Forbidden:
            return
        except api.NotFound:
            raise ProviderRefused(
                f"the bucket gs://{self._name} does not exist: make it with gcloud storage buckets "
                f"create gs://{self._name} --location={where}, or name another in provider.bucket"
            ) from None
        place = asked(lambda: str(bucket.location or ""))
        parts = asked(lambda: [str(part) for part in bucket.data_locations or ()])
        if place and not bucket_fits(place, parts, location):
            raise ProviderRefused(
                f"the bucket gs://{self._name} is in {place.lower()}, and the job in {location}: "
                f"set provider.location to the bucket's, or make a bucket in {location} and name "
                "it in provider.bucket"
            )

    def put(self, path: Path, name: str, known: Survey, *, look_first: bool) -> dict[str, str]:
        """Upload under a name that says what is in it, so that it is stored once."""
        blob = self._client.bucket(self._name).blob(object_of(name), chunk_size=PIECE)
        if look_first and (there := self._there(blob, known)):
            return there
        try:
            with path.open("rb") as handle:
                asked(
                    lambda: blob.upload_from_file(
                        handle,
                        size=known.size,
                        content_type="application/jsonl",
                        if_generation_match=0,
                        checksum="crc32c",
                        timeout=self._timeout,
                        retry=self._patience(known.size),
                    )
                )
        except api.PreconditionFailed:
            there = self._there(blob, known)
            if there is None:
                raise ProviderSilent(f"{blob.name} was there, and is gone") from None
            return there
        return self._handle(blob, known)

    def _patience(self, size: int) -> Any:
        """Return how to retry: a piece that is sent twice is stored once."""
        if size <= PIECE:
            return None
        from google.cloud.storage.retry import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(self._timeout)

    def _there(self, blob: "storage.Blob", known: Survey) -> dict[str, str] | None:
        """Return the handle of what stands under this name; None when nothing does."""
        try:
            asked(lambda: blob.reload(timeout=self._timeout, retry=None))
        except api.NotFound:
            return None
        return self._handle(blob, known)

    def _handle(self, blob: "storage.Blob", known: Survey) -> dict[str, str]:
        """Return how the object is found again.

        Raises:
            ProviderRefused: something else stands under its name.
        """
        size, crc32c, generation = asked(lambda: (blob.size, blob.crc32c, blob.generation))
        if size is None or crc32c is None or generation is None:
            raise Strange("a reply that says nothing of the object", 200)
        if (size, crc32c) != (known.size, known.crc32c):
            raise ProviderRefused(
                f"gs://{self._name}/{blob.name} holds something else than the request file"
            )
        return {"input": f"gs://{self._name}/{blob.name}", "generation": str(generation)}

    def output(self, name: str) -> str:
        """Return the folder for the results."""
        return f"gs://{self._name}/{prefix_of(name)}"

    def drop(self, handle: Mapping[str, str]) -> None:
        """Delete the object that was uploaded, and no other; gone already is gone."""
        bucket, name = _place(handle["input"])
        generation = int(handle["generation"])
        with suppress(api.NotFound):
            blob = self._client.bucket(bucket).blob(name)
            blob.delete(if_generation_match=generation, timeout=self._timeout, retry=None)

    def results(self, uri: str, created: str) -> dict[str, str]:
        """List the folder to its end; other jobs' folders below it are left out."""
        bucket, folder = _place(uri)
        pages = self._client.list_blobs(
            bucket, prefix=f"{folder.rstrip('/')}/", timeout=self._timeout, retry=None
        )
        found = asked(lambda: sorted((str(blob.name), blob.generation) for blob in pages))
        lines = [(name, generation) for name, generation in found if name.endswith(".jsonl")]
        folders = {name.rpartition("/")[0] for name, _ in lines}
        if len(folders) > 1:
            lines = [pair for pair in lines if created[:19] in pair[0]]
        uris = [f"gs://{bucket}/{name}#{generation}" for name, generation in lines]
        return _numbered(uris)

    def fetch(self, uri: str, sink: BinaryIO) -> None:
        """Download one version of an object and compare its checksum."""
        place, _, generation = uri.rpartition("#")
        bucket, name = _place(place)
        blob = self._client.bucket(bucket).blob(name, generation=int(generation))
        kept = _Kept(sink)
        asked(
            lambda: blob.download_to_file(
                kept, checksum="crc32c", timeout=self._timeout, retry=None
            )
        )
        if blob.crc32c is None:  # it came without a checksum, which proves nothing
            asked(lambda: blob.reload(timeout=self._timeout, retry=None))
        if blob.crc32c != written(kept.checksum):
            raise DataCorruption(None, f"{uri}: {kept.size} bytes, and not those that are there")


class _Kept:
    """A sink that knows what went into it, and takes no web page for a result file."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.size = 0
        self.checksum = 0

    def write(self, data: bytes) -> int:
        if self.size == 0 and data:
            start = data.lstrip(_BEFORE_A_FILE)[:80]
            if start and not start.startswith(b"{"):
                raise DataCorruption(None, f"not a result file: {start.decode('utf-8', 'replace')}")
        self.size += len(data)
        self.checksum = summed(self.checksum, data)
        return self._sink.write(data)


def _place(uri: str) -> tuple[str, str]:
    """Return bucket and name of `gs://bucket/name`."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


def _numbered(uris: list[str]) -> dict[str, str]:
    """Name the files of one job: output, output-2 and so on."""
    return {("output" if n == 1 else f"output-{n}"): uri for n, uri in enumerate(uris, 1)}
