"""Against llmock, somebody else's opinion of what OpenAI, Groq and Anthropic answer.

Calm, every order is placed once and every answer read; when it refuses or breaks off at random, too,
and its own verdict on the client finds no fault.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.outside.conftest import free_port, run, served

pytestmark = pytest.mark.outside
LLMOCK = "llmock==0.2.2"
KEY = "not-a-key-of-anybody"
SERVICES = {
    "openai": ("/v1", "OPENAI_API_KEY", "POST /v1/batches"),
    "groq": ("/groq", "GROQ_API_KEY", "POST /groq/openai/v1/batches"),
    "anthropic": ("/anthropic", "ANTHROPIC_API_KEY", "POST /anthropic/v1/messages/batches"),
}
FAULTS = ("429=0.2", "500=0.1", "503=0.1", "529=0.1")


@pytest.fixture(params=["calm", "faults"])
def server(
    request: pytest.FixtureRequest, installed: Callable[[str], Path], tmp_path: Path
) -> Iterator[tuple[str, Path]]:
    port, log = free_port(), tmp_path / "llmock.log"
    command = [str(installed(LLMOCK) / "llmock"), "serve", "-h", "127.0.0.1", "-p", str(port)]
    if request.param == "faults":
        command += [word for fault in FAULTS for word in ("--error-rate", fault)]
    with served(log, [*command, "--report"], port):
        yield f"http://127.0.0.1:{port}", log
    verdict = log.read_text()
    assert "resilience verdict" in verdict
    assert "FAIL" not in verdict, verdict


@pytest.mark.parametrize("provider", SERVICES)
def test_a_batch_is_ordered_once_and_read_whole(
    provider: str, server: tuple[str, Path], tmp_path: Path
) -> None:
    address, log = server
    path, variable, order = SERVICES[provider]
    ran = run(
        tmp_path / "outputs",
        f"provider={provider}",
        f"provider.base_url={address}{path}",
        **{variable: KEY},
    )
    attempts = pl.read_parquet(ran.folder / "attempts.parquet")
    assert attempts["outcome"].to_list() == ["invalid"] * 4, ran.said  # it writes no scores
    assert attempts["raw_answer"].null_count() == 0
    assert attempts["output_tokens"].min() > 0
    accepted = [line for line in log.read_text().splitlines() if order in line and "200" in line]
    assert len(accepted) == 1
    assert KEY not in ran.said + log.read_text()
