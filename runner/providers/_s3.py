"""Requests and results as objects in a bucket of Amazon S3."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.providers._aws import Renamed, Said
from runner.providers._bedrock_jobs import APP, ENDING, key_of
from runner.providers._bedrock_lines import OURS, THEIRS

_PIECE = 1 << 20
_MOST = 1000
"""Files of results that one call lists; a job has one for each file it reads."""


class Objects:
    """Objects under a prefix of a bucket."""

    def __init__(self, client: Any, place: str) -> None:
        """Take the client, and where: `bucket`, or `s3://bucket/prefix`."""
        self._client = client
        self._bucket, _, prefix = place.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def put(self, path: Path, name: str, *, look_first: bool) -> dict[str, str]:
        """Upload a request file under a name that says what is in it; an object is there whole or not at all."""
        key, size = key_of(self._prefix, name), path.stat().st_size
        if not (look_first and self._size_of(key) == size):
            with path.open("rb") as source:
                kept = self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=Renamed(source, OURS, THEIRS),
                    ContentLength=size,
                    ContentType="application/jsonl",
                )
            if not kept.get("ETag"):
                raise ProviderReplyUnreadable("upload: a reply that does not say what was kept")
        return {
            "input": self._uri(key),
            "output": self._uri(f"{self._prefix}{APP}/results/"),
            "name": name,
        }

    def _size_of(self, key: str) -> int | None:
        """Return how long an object is; None when there is none."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        except Said as error:
            if error.status == 404:
                return None
            raise
        size = found.get("ContentLength")
        return size if isinstance(size, int) else None

    def _uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def drop(self, handle: Mapping[str, str]) -> None:
        """Delete the object that was uploaded; gone already is gone."""
        bucket, _, key = handle["input"].removeprefix("s3://").partition("/")
        self._client.delete_object(Bucket=bucket, Key=key)

    def results(self, folder: str) -> list[str]:
        """Return the addresses of the files of results in a job's folder.

        Raises:
            ProviderReplyUnreadable: what came is no list of it.
        """
        bucket, _, prefix = folder.removeprefix("s3://").partition("/")
        page = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_MOST)
        if page.get("Name") != bucket or page.get("IsTruncated"):
            raise ProviderReplyUnreadable(f"a list that is none of {folder}")
        keys = [str(row.get("Key")) for row in page.get("Contents", ())]
        return [f"s3://{bucket}/{key}" for key in keys if key.endswith(ENDING)]

    def fetch(self, uri: str, sink: BinaryIO) -> None:
        """Write an object as it comes; the SDK says so when it is shorter than it should be.

        Raises:
            ProviderReplyUnreadable: the reply does not say how long it is.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not key:
            raise ProviderRefused(f"{uri} is no file of results")
        found = self._client.get_object(Bucket=bucket, Key=key)
        if not isinstance(found.get("ContentLength"), int):
            raise ProviderReplyUnreadable("download: a reply that does not say how long it is")
        sink.writelines(found["Body"].iter_chunks(_PIECE))
