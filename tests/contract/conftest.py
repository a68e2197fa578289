"""Services to talk to: the emulator, well behaved or not, and a server that spoils its replies."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpcore2
import pytest

from runner.core.model import Model
from runner.providers.base import Secret, Service
from runner.providers.openai import OpenAIBatch
from tests.contract.spoiled import Spoiled

ROOT = Path(__file__).resolve().parents[2]
CANARY = "test-CANARY-5f1d0c9e7b"
"""A key the emulator takes; it must never be seen again."""
WELL: dict[str, Any] = {
    "validating_seconds": 0,
    "in_progress_seconds": 0,
    "finalizing_seconds": 0,
    "malformed": 0,
    "malformed_enhanced": 0,
}
MODEL = Model(
    provider="openai",
    name="gpt-4o-mini",
    system_role=True,
    temperature_min=Decimal(0),
    temperature_max=Decimal(2),
    max_output_tokens=1500,
    expected_output_tokens=450,
)


class Emulator:
    """One emulator, in a process of its own."""

    def __init__(self, folder: Path, behaviour: dict[str, Any]) -> None:
        written = folder / "behaviour.json"
        written.write_text(json.dumps(WELL | behaviour), encoding="utf-8")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "runner.emulator", "--until-stdin-closes"),
                *("--behaviour", str(written), "--state", str(folder / "state")),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def batches(self) -> int:
        """Count all batches that were ever ordered, whoever knows of them."""
        with urlopen(f"{self.url}/emulator/bill") as answer:
            ordered: int = json.load(answer)["batches"]
        return ordered

    def files(self) -> int:
        """Count all files that were ever uploaded or written."""
        with urlopen(f"{self.url}/emulator/bill") as answer:
            kept: int = json.load(answer)["files"]
        return kept

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture(scope="session")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Share one emulator that behaves well."""
    shared = Emulator(tmp_path_factory.mktemp("well"), {})
    yield shared
    shared.stop()


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Start emulators with a behaviour of their own."""
    running: list[Emulator] = []

    def start(**behaviour: Any) -> Emulator:
        folder = tmp_path / f"emulator-{len(running)}"
        folder.mkdir()
        running.append(Emulator(folder, behaviour))
        return running[-1]

    yield start
    for started in running:
        started.stop()


@pytest.fixture
def server() -> Iterator[Callable[..., Spoiled]]:
    """Start servers that spoil replies, with nothing or a service behind them."""
    running: list[Spoiled] = []

    def start(behind: str | None = None) -> Spoiled:
        running.append(Spoiled(behind))
        return running[-1]

    yield start
    for started in running:
        started.close()


@pytest.fixture
def spoiled(server: Callable[..., Spoiled], well: Emulator) -> Spoiled:
    """Stand in front of the well-behaved emulator."""
    return server(well.url)


@pytest.fixture
def connect() -> Iterator[Callable[..., Any]]:
    """Make clients, and hang up after the test."""
    made: list[Any] = []

    def connected(
        url: str,
        *,
        timeout: float = 10,
        key: str = CANARY,
        provider: Any = OpenAIBatch,
        model: Model = MODEL,
    ) -> Any:
        service = Service(
            base_url=url, key_variable="THE_KEY", key=Secret(key), timeout_seconds=timeout
        )
        made.append(provider(service, model))
        return made[-1]

    yield connected
    for client in made:
        sdk = vars(client).get("_client")
        if sdk is not None:
            sdk.close()


@pytest.fixture
def client(connect: Callable[..., Any], well: Emulator) -> OpenAIBatch:
    """Speak to the well-behaved emulator."""
    made: OpenAIBatch = connect(f"{well.url}/v1")
    return made


@pytest.fixture(scope="session", autouse=True)
def one_trust_store() -> Iterator[None]:
    """Read the machine's certificates once, not for each of hundreds of clients."""
    made = httpcore2.default_ssl_context
    httpcore2.default_ssl_context = cache(made)
    yield
    httpcore2.default_ssl_context = made


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what the SDK would read from the environment."""
    for name in ("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID", "ADMIN_KEY", "CUSTOM_HEADERS"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)
