"""Against moto, somebody else's opinion of what S3 answers.

Its server keeps objects as S3 does, and checks what they are said to be. Bedrock's batch inference is not
in it (moto 5.2.5), so that orders are not either.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.errors import ProviderRefused
from runner.providers._aws import Said
from runner.providers.bedrock import BedrockBatch
from tests.contract.case import write_requests
from tests.contract.kits.bedrock import KITS
from tests.outside.conftest import free_port, served

pytestmark = pytest.mark.outside
PACKAGE = "moto[s3,server]==5.2.5"
BUCKET, NAME = "a-bucket", "e1-b0001-1-0123456789abcdef.jsonl"


@pytest.fixture
def storage(installed: Callable[[str], Path], tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [str(installed(PACKAGE) / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with served(tmp_path / "moto.log", command, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(storage: str) -> Iterator[BedrockBatch]:
    (kit,) = KITS
    service = kit.service("http://127.0.0.1:1", "test-key", 20)
    options = replace(service.options, bucket=f"s3://{BUCKET}/studies", storage_url=storage)
    made = BedrockBatch(replace(service, options=options), kit.model)
    made._client("s3").create_bucket(Bucket=BUCKET)
    yield made
    made.close()


def listed(client: BedrockBatch) -> list[tuple[str, int]]:
    found = client._client("s3").list_objects_v2(Bucket=BUCKET)
    return [(row["Key"], row["Size"]) for row in found.get("Contents", ())]


def test_an_input_is_put_there_once_and_as_long_as_it_is_here(
    client: BedrockBatch, tmp_path: Path
) -> None:
    path = write_requests(client, tmp_path, 400)
    first = client.stage(path, NAME, look_first=False)
    assert client.stage(path, NAME, look_first=True) == first
    assert listed(client) == [(f"studies/chorus/{NAME}", path.stat().st_size)]
    sink = io.BytesIO()
    client.download(first["input"], sink)
    assert sink.getvalue().replace(b'"recordId" :', b'"custom_id":') == path.read_bytes()


def test_half_an_input_is_put_there_again(client: BedrockBatch, tmp_path: Path) -> None:
    path = write_requests(client, tmp_path, 4)
    client.stage(path, NAME, look_first=False)
    whole = path.read_bytes()
    path.write_bytes(whole * 2)
    client.stage(path, NAME, look_first=True)
    assert listed(client) == [(f"studies/chorus/{NAME}", 2 * len(whole))]


def test_an_input_is_taken_away_and_that_twice_is_no_error(
    client: BedrockBatch, tmp_path: Path
) -> None:
    handle = client.stage(write_requests(client, tmp_path), NAME, look_first=False)
    client._objects.drop(handle)
    client._objects.drop(handle)
    assert listed(client) == []


def test_results_are_listed_and_fetched_whole(client: BedrockBatch) -> None:
    content = b'{"recordId": "p1"}\n' * 200_000
    folder = "studies/chorus/results/1abcdefabcde"
    for name in (f"{NAME}.out", "manifest.json.out"):
        client._client("s3").put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=content)
    (uri,) = client._objects.results(f"s3://{BUCKET}/{folder}/")
    assert uri == f"s3://{BUCKET}/{folder}/{NAME}.out"
    sink = io.BytesIO()
    client.download(uri, sink)
    assert sink.getvalue() == content
    assert client._objects.results(f"s3://{BUCKET}/{folder}/none/") == []


def test_what_is_not_there_is_said_in_its_own_words(client: BedrockBatch, tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused, match="key does not exist"):
        client.download(f"s3://{BUCKET}/none.jsonl.out", io.BytesIO())
    with pytest.raises(Said, match="bucket does not exist"):
        client._objects.results("s3://another-bucket/x/")
