"""The provider suite, over every provider that conf/provider/ offers."""

from functools import cache
from pathlib import Path

import pytest

from runner.build import Run
from runner.compose import compose
from tests.contract.file_batch_suite import FileBatchSuite
from tests.contract.provider_suite import Kit

CONF = Path(__file__).resolve().parents[2] / "conf" / "provider"
WIRES = {
    "runner.providers.openai.OpenAIBatch": {
        "prefix": "/v1",
        "create": ("POST", "/v1/batches"),
        "find": ("GET", "/v1/batches"),
        "poll": ("GET", "/v1/batches/[^/]+"),
        "cancel": ("POST", "/v1/batches/[^/]+/cancel"),
        "download": ("GET", "/v1/files/[^/]+/content"),
        "routes": tuple((method, "/v1/.*") for method in ("GET", "POST", "DELETE")),
    }
}
"""Where each class's calls go; a new class needs an entry here, and its own suite below."""


def kits(*targets: str) -> list[str]:
    """Return the names of the provider files whose class is one of these."""
    return [name for name in offered() if target_of(name) in targets]


def offered() -> list[str]:
    return sorted(path.stem for path in CONF.glob("*.yaml"))


def target_of(name: str) -> str:
    (settings,) = compose([f"provider={name}"])
    return settings.config.provider._target_


@cache
def kit_of(name: str) -> Kit:
    (settings,) = compose([f"provider={name}"])
    wire = WIRES[settings.config.provider._target_]
    return Kit(provider=Run(settings).provider_class, model=settings.experiment.model, **wire)


def test_every_offered_provider_is_under_contract() -> None:
    assert set(offered()) == set(kits(*WIRES))


@pytest.mark.parametrize("name", offered())
def test_every_offered_provider_has_an_address_of_its_own(name: str) -> None:
    provider = kit_of(name).provider
    assert provider.default_base_url.startswith("https://")
    assert provider.base_url_variable.endswith("_BASE_URL")


class TestOpenAIDialect(FileBatchSuite):
    @pytest.fixture(params=kits("runner.providers.openai.OpenAIBatch"))
    def kit(self, request: pytest.FixtureRequest) -> Kit:
        return kit_of(request.param)
