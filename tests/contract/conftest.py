"""Services to talk to: the emulator, well behaved or not, and a server that spoils its replies."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpcore2
import httpx
import pytest

from runner.core.model import Model
from runner.providers.base import Secret, Service
from runner.providers.openai import OpenAIBatch
from tests.contract.case import CANARY, Case
from tests.contract.kits.base import Kit
from tests.contract.spoiled import Spoiled

ROOT = Path(__file__).resolve().parents[2]
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
        assert self.url, "the emulator did not start"

    def bill(self) -> dict[str, Any]:
        """Return what was done, and who was paid for, whoever knows of it."""
        with urlopen(f"{self.url}/emulator/bill") as answer:
            bill: dict[str, Any] = json.load(answer)
        return bill

    def batches(self) -> int:
        """Count all batches that were ever ordered."""
        ordered: int = self.bill()["batches"]
        return ordered

    def files(self) -> int:
        """Count all files that were ever uploaded or written."""
        kept: int = self.bill()["files"]
        return kept

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


Start = Callable[..., Emulator]
Connect = Callable[..., Any]


def _starter(new_folder: Callable[[], Path]) -> tuple[Start, Callable[[], None]]:
    running: list[Emulator] = []

    def start(**behaviour: Any) -> Emulator:
        running.append(Emulator(new_folder(), behaviour))
        return running[-1]

    def stop() -> None:
        for started in running:
            started.stop()

    return start, stop


@pytest.fixture(scope="session")
def behaving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return the one emulator of the session that behaves like this; start it if need be.

    What it holds is shared by all tests: count what changes, not what is.
    """
    start, stop = _starter(lambda: tmp_path_factory.mktemp("emulator"))
    known: dict[str, Emulator] = {}

    def shared(**behaviour: Any) -> Emulator:
        key = json.dumps(behaviour, sort_keys=True)
        if key not in known:
            known[key] = start(**behaviour)
        return known[key]

    yield shared
    stop()


@pytest.fixture(scope="session")
def well(behaving: Start) -> Emulator:
    """Share one emulator that behaves well."""
    return behaving()


@pytest.fixture
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start emulators with a behaviour and a memory of their own."""
    start, stop = _starter(lambda: tmp_path_factory.mktemp("emulator"))
    yield start
    stop()


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
def hang_up() -> Iterator[Callable[[Any], Any]]:
    """Take note of clients, and hang up after the test."""
    made: list[Any] = []

    def noted(client: Any) -> Any:
        made.append(client)
        return client

    yield noted
    for client in made:
        client.close()


@pytest.fixture
def connect(hang_up: Callable[[Any], Any]) -> Connect:
    """Make clients by their class; the suite makes them by their kit, with `case.client`."""

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
        return hang_up(provider(service, model))

    return connected


@pytest.fixture
def client(connect: Connect, well: Emulator) -> OpenAIBatch:
    """Speak to the well-behaved emulator."""
    made: OpenAIBatch = connect(f"{well.url}/v1")
    return made


@pytest.fixture
def case(
    kit: Kit,
    hang_up: Callable[[Any], Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Case:
    """Hold what one test's run is known by: a tag, custom_ids and file names nobody else has."""
    digest = sha256(request.node.nodeid.encode()).hexdigest()
    return Case(kit, hang_up, tmp_path, digest)


@pytest.fixture
def other(case: Case, tmp_path: Path) -> Case:
    """Hold somebody else's run with the same provider."""
    folder = tmp_path / "other"
    folder.mkdir()
    return Case(case.kit, case.hang_up, folder, sha256(case.digest.encode()).hexdigest())


@pytest.fixture(scope="session", autouse=True)
def one_trust_store() -> Iterator[None]:
    """Read the machine's certificates once, not for each of hundreds of clients."""
    places = [(httpcore2, "default_ssl_context"), (httpx._transports.default, "create_ssl_context")]
    made = [getattr(*place) for place in places]
    for place, make in zip(places, made, strict=True):
        setattr(*place, cache(make))
    yield
    for place, make in zip(places, made, strict=True):
        setattr(*place, make)


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what the SDKs would read from the environment."""
    for service in ("OPENAI", "ANTHROPIC", "GROQ"):
        for name in (
            *("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID", "ADMIN_KEY", "CUSTOM_HEADERS"),
            *("AUTH_TOKEN", "PROFILE"),
        ):
            monkeypatch.delenv(f"{service}_{name}", raising=False)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a suite's tests once a kit: a class says in `kits` over which.

    Kits whose mark the session leaves out are not even made: they would be thousands of tests.
    """
    kits = getattr(metafunc.cls, "kits", None)
    if kits is not None and "kit" in metafunc.fixturenames:
        expression = metafunc.config.option.markexpr
        metafunc.parametrize("kit", [kit for kit in kits if _is_wanted(kit, expression)], ids=repr)


def _is_wanted(kit: Any, expression: str) -> bool:
    return not any(f"not {mark.name}" in expression for mark in getattr(kit, "marks", ()))
