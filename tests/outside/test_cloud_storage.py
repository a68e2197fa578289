"""Against gcp-storage-emulator, somebody else's opinion of what Cloud Storage answers.

The input is put there once and adopted after a hand-over that was cut short; results are listed and
fetched with their checksums. Vertex AI itself is not in it, an upload under a condition
(ifGenerationMatch) is taken without looking, and a deletion is answered with 200 and nothing,
which proves nothing to us (Google says 204).
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from runner.core.errors import ProviderRefused
from runner.providers.gemini import GeminiBatch, GeminiOptions
from tests.contract.case import write_requests
from tests.contract.kits.gemini import KITS
from tests.outside.conftest import free_port, served

pytestmark = pytest.mark.outside
PACKAGE = "gcp-storage-emulator==2026.7.19"
BUCKET, NAME = "a-bucket", "e1-b0001-1-0123456789abcdef.jsonl"


@pytest.fixture
def storage(installed: Callable[[str], Path], tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [
        *(str(installed(PACKAGE) / "gcp-storage-emulator"), "start", "--in-memory"),
        *("--host", "127.0.0.1", "--port", str(port), "--default-bucket", BUCKET),
    ]
    with served(tmp_path / "storage.log", command, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(storage: str) -> Iterator[GeminiBatch]:
    options = GeminiOptions(project="p", bucket=BUCKET, location="us", storage_url=storage)
    service = replace(KITS[0].service("http://127.0.0.1:1", "test-token", 20), options=options)
    made = GeminiBatch(service, KITS[0].model)
    yield made
    made.close()


def test_an_input_is_put_there_once(client: GeminiBatch, tmp_path: Path, storage: str) -> None:
    path = write_requests(client, tmp_path)
    first = client.stage(path, NAME, look_first=False)
    assert client.stage(path, NAME, look_first=True) == first
    assert first["input"].startswith(f"gs://{BUCKET}/")
    listed = httpx.get(f"{storage}/storage/v1/b/{BUCKET}/o").json()["items"]
    assert len(listed) == 1


def test_something_else_under_the_name_is_refused(client: GeminiBatch, tmp_path: Path) -> None:
    path = write_requests(client, tmp_path)
    client.stage(path, NAME, look_first=False)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(ProviderRefused, match="holds something else"):
        client.stage(path, NAME, look_first=True)


def test_results_are_listed_and_fetched_whole(client: GeminiBatch) -> None:
    content = b'{"custom_id": "p1"}\n' * 4000
    store = client._objects
    folder = store.output(NAME)
    name = f"{folder.removeprefix(f'gs://{BUCKET}/')}/prediction/predictions.jsonl"
    store._client.bucket(BUCKET).blob(name).upload_from_string(content)
    (uri,) = store.results(folder, "2026-11-29T00:00:00").values()
    sink = io.BytesIO()
    store.fetch(uri, sink)
    assert sink.getvalue() == content
