"""The emulator's Gemini API against Google's own SDK.

By hand with google-genai 3.6.1 (2026-11-29), whose addresses begin with /v1; here with the version
that came with google-cloud-aiplatform, whose begin with /v1beta.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Emulator


@pytest.fixture
def client(well: Emulator) -> Any:
    from google import genai

    return genai.Client(api_key="test-key", http_options={"base_url": f"{well.url}/gemini_api"})


@pytest.mark.filterwarnings("ignore")
def test_googles_own_client_sends_a_file_and_reads_its_answers(client: Any, tmp_path: Path) -> None:
    from google.genai import errors, types

    request = {"contents": [{"role": "user", "parts": [{"text": "Q1. 面白さ"}]}]}
    lines = [{"key": f"k{n}", "request": request} for n in range(3)]
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    named = {"display_name": "sdk.jsonl", "mime_type": "jsonl"}
    file = client.files.upload(file=path, config=named)
    assert file.size_bytes == path.stat().st_size
    assert "sdk.jsonl" in [known.display_name for known in client.files.list()]
    made = client.batches.create(
        model="gemini-2.5-flash", src=file.name, config={"display_name": "sdk.jsonl"}
    )
    job = client.batches.get(name=made.name)
    assert (job.state, job.display_name) == (types.JobState.JOB_STATE_SUCCEEDED, "sdk.jsonl")
    assert made.name in [known.name for known in client.batches.list(config={"page_size": 1})]
    content = client.files.download(file=job.dest.file_name)
    rows = [json.loads(line) for line in content.splitlines()]
    assert [row["key"] for row in rows] == ["k0", "k1", "k2"]
    assert all(types.GenerateContentResponse(**row["response"]).text for row in rows)
    with pytest.raises(errors.ClientError, match="FAILED_PRECONDITION"):
        client.batches.cancel(name=made.name)
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError, match="may not exist"):
        client.files.get(name=file.name)
    assert client.models.generate_content(model="gemini-2.5-flash", contents="Q1. 面白さ").text
