"""Behind LiteLLM's proxy, somebody else's gateway, with our emulator as the service and its bill.

The proxy repeats what it got no reply to, so that one order may become three batches. Installed as
its guide says, it answers most of a batch service's refusals with a bare 500 (BerriAI/litellm#38978).
Its managed files, which need a database, are not in it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tests.acceptance.conftest import SMALL
from tests.outside.conftest import PATIENCE, Ran, free_port, run, served

pytestmark = pytest.mark.outside
LITELLM = "litellm[proxy]==1.108.7"
KEY, UPSTREAM = "sk-not-a-key-of-anybody", "test-upstream"
CALM = {"malformed": 0.0, "in_progress_seconds": 0.5}
SLOW = CALM | {"validating_seconds": 8.0}
REQUESTS = 12
OURS = ("provider.model=gpt-4o-mini", "budget.allow_unknown=true", *SMALL)
SAID = ["custom_id", "outcome", "raw_answer", *(f"Q{n}_value" for n in range(1, 5))]
CONFIG = """\
model_list:
  - model_name: "*"
    litellm_params: {{model: "openai/*", api_base: "{upstream}", api_key: {key}}}
files_settings:
  - {{custom_llm_provider: openai, api_base: "{upstream}", api_key: {key}}}
general_settings: {{master_key: {ours}}}
"""


@dataclass(frozen=True)
class Gateway:
    """A proxy's command and address, and where it takes the service to be."""

    program: Path
    folder: Path
    port: int
    upstream: int

    def serving(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        address = f"http://127.0.0.1:{self.upstream}/v1"
        config = self.folder / "config.yaml"
        config.write_text(CONFIG.format(upstream=address, key=UPSTREAM, ours=KEY))
        command = [str(self.program), "--config", str(config), "--telemetry", "False"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        addresses = {"OPENAI_BASE_URL": address, "OPENAI_API_BASE": address}
        quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        log = self.folder / "litellm.log"
        return served(log, command, self.port, OPENAI_API_KEY=UPSTREAM, **addresses, **quiet)

    @contextmanager
    def service(self, **behaviour: float) -> Iterator[None]:
        """Let the emulator be the service behind it; its world is a new one."""
        world = self.folder / f"world-{time.monotonic_ns()}"
        behaving = world.with_suffix(".json")
        behaving.write_text(json.dumps(behaviour))
        command = [sys.executable, "-m", "runner.emulator", "--port", str(self.upstream)]
        command += ["--state", str(world), "--behaviour", str(behaving)]
        with served(self.folder / "emulator.log", command, self.upstream):
            yield

    def told(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {UPSTREAM}"}
        address = f"http://127.0.0.1:{self.upstream}{path}"
        return httpx.get(address, headers=headers, trust_env=False).json()

    def run(self, outputs: Path, *arguments: str) -> Ran:
        address = f"provider.base_url=http://127.0.0.1:{self.port}/v1"
        keys = {"OPENAI_API_KEY": KEY, "COMPATIBLE_API_KEY": KEY}
        ran = run(outputs, *OURS, address, *arguments, THE_MODEL="gpt-4o-mini", NEVER="0", **keys)
        assert KEY not in ran.said
        return ran

    def orders(self) -> set[str]:
        """Return the inputs that batches were made from: ours orders each input once."""
        return {batch["input_file_id"] for batch in self.told("/v1/batches?limit=100")["data"]}


@pytest.fixture(scope="module")
def gateway(installed: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    """Return a proxy that is installed, and not started yet."""
    folder = tmp_path_factory.mktemp("litellm")
    return Gateway(installed(LITELLM) / "litellm", folder, free_port(), free_port())


@pytest.fixture(scope="module")
def proxy(gateway: Gateway) -> Iterator[Gateway]:
    with gateway.serving():
        yield gateway


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The study's answers without a gateway."""
    calm = ("faults=instant", "faults.malformed=0", "service=emulated", "provider=openai")
    return answers(run(tmp_path_factory.mktemp("straight"), *OURS, *calm))


def answers(ran: Ran) -> pl.DataFrame:
    attempts = pl.read_parquet(ran.folder / "attempts.parquet")
    assert attempts["outcome"].to_list() == ["valid"] * REQUESTS, ran.said
    return attempts.select(SAID).sort("custom_id")


@pytest.mark.parametrize("provider", ["openai", "compatible"])
def test_files_and_batches_go_through_it(
    provider: str, proxy: Gateway, straight: pl.DataFrame, tmp_path: Path
) -> None:
    with proxy.service(**CALM):
        ran = proxy.run(tmp_path, f"provider={provider}")
        bill = proxy.told("/emulator/bill")
    assert answers(ran).equals(straight)
    assert list(bill["billed"].values()) == [1] * REQUESTS
    assert bill["batches"] == 1
    assert "more than once" not in ran.said


@pytest.mark.parametrize("provider", ["openai", "compatible"])
def test_requests_go_through_it_one_by_one(provider: str, proxy: Gateway, tmp_path: Path) -> None:
    with proxy.service(**CALM):
        ran = proxy.run(tmp_path, f"provider={provider}", "provider.mode=realtime")
        bill = proxy.told("/emulator/bill")
    assert len(answers(ran)) == bill["chats_billed"] == REQUESTS


def test_a_header_tells_it_not_to_ask_one_request_again(proxy: Gateway, tmp_path: Path) -> None:
    lost = ("provider=openai", "provider.mode=realtime", "retry.max_lost=1")
    once = "provider.headers={x-litellm-num-retries: NEVER}"
    billed = []
    for arguments in (lost, (*lost, once)):
        with proxy.service(**CALM, missing_lines=1.0):
            proxy.run(tmp_path / str(len(billed)), *arguments)
            billed.append(proxy.told("/emulator/bill")["chats_billed"])
    assert billed == [3 * REQUESTS, REQUESTS]


@pytest.mark.parametrize("fault", ["lost_create_reply", "failed_create_reply"])
@pytest.mark.parametrize(
    "routed",
    [(), ("provider.headers={x-litellm-model: THE_MODEL}",)],
    ids=["its ids", "ids of its own"],
)
def test_of_the_batches_that_it_makes_of_one_order_one_is_billed(
    fault: str, routed: tuple[str, ...], proxy: Gateway, straight: pl.DataFrame, tmp_path: Path
) -> None:
    with proxy.service(**SLOW, **{fault: 1.0}):
        ran = proxy.run(tmp_path, "provider=openai", *routed)
        bill, orders = proxy.told("/emulator/bill"), proxy.orders()
    assert answers(ran).equals(straight)
    assert list(bill["billed"].values()) == [1] * REQUESTS
    assert (bill["batches"], len(orders)) == (3, 1)
    assert "the service made 3 batches of one order" in ran.said
    assert "are over without an answer and not billed" in ran.said


def test_it_dies_between_an_order_and_its_reply(
    gateway: Gateway, straight: pl.DataFrame, tmp_path: Path
) -> None:
    dying = Gateway(gateway.program, tmp_path, free_port(), free_port())
    with dying.service(**SLOW, lost_create_reply=1.0), ThreadPoolExecutor() as pool:
        with dying.serving() as process:
            running = pool.submit(dying.run, tmp_path / "outputs", "provider=openai")
            deadline = time.monotonic() + PATIENCE
            while not dying.told("/emulator/bill")["batches"]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.kill()
        with dying.serving():
            ran = running.result()
        bill, orders = dying.told("/emulator/bill"), dying.orders()
    assert answers(ran).equals(straight)
    assert len(orders) == 1
    assert "it may have been ordered" in ran.said
    once = list(bill["billed"].values()) == [1] * REQUESTS
    assert once or "may be billed" in ran.said, ran.said
