"""The provider suite, over every provider that conf/provider/ offers."""

import importlib.util
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from tests.contract.file_batch_suite import FileBatchSuite
from tests.contract.kits import presets
from tests.contract.kits.base import CONF, Kit, said_of
from tests.contract.kits.file_batch import FileBatchKit
from tests.contract.provider_suite import ProviderSuite
from tests.variants import always


def offered(*, services: bool = True) -> list[str]:
    """Return the provider files with a class of their own; the others stand on one of them.

    Args:
        services: those with a wire; else the programs on one's own machines.
    """
    files = {path.stem: said_of(path.stem) for path in CONF.glob("*.yaml")}
    return sorted(
        name
        for name, content in files.items()
        if "_target_" in content and (content["emulator_path"] is not None) == services
    )


def kits_of(name: str) -> tuple[Kit, ...]:
    """Return the kits of a provider's own, or those that the presets share."""
    module = f"tests.contract.kits.{name}"
    if importlib.util.find_spec(module) is None:
        return tuple(kit for kit in presets.KITS if kit.name == name)
    kits: tuple[Kit, ...] = importlib.import_module(module).KITS
    return kits


KITS = [kit for name in offered() for kit in kits_of(name)]
FIRST = [kits_of(name)[0] for name in ("openai", "groq")]
"""What speaks through each of the SDKs; the others are these with another address and other words."""
MOST_UNLIKE = ("anthropic", "gemini")
"""Of the other clients: found by size, and through storage."""


@pytest.mark.parametrize("name", offered())
def test_every_offered_provider_is_under_contract(name: str) -> None:
    assert kits_of(name), (
        f"conf/provider/{name}.yaml is not tested: write tests/contract/kits/{name}.py "
        "(tests/contract/kits/base.py says how)"
    )
    assert {kit.name for kit in kits_of(name)} == {name}


@pytest.mark.parametrize("name", offered(services=False))
def test_every_offered_program_has_tests_of_its_own(name: str) -> None:
    assert importlib.util.find_spec(f"tests.contract.test_{name}") is not None


@pytest.mark.parametrize("kit", KITS, ids=repr)
def test_every_offered_provider_has_an_address_of_its_own_or_asks_for_one(kit: Kit) -> None:
    address = kit.provider.default_base_url
    nowhere = replace(kit.service("", "k", 1), base_url="")
    assert address.startswith("https://") or "provider.base_url" in kit.provider.missing(nowhere)
    assert kit.provider.base_url_variable.endswith("_BASE_URL")


class TestFileBatch(FileBatchSuite):
    kits: ClassVar[list[Any]] = [
        # A client that another provider has, too, makes no second suite in CI, whatever is told it.
        pytest.param(kit, marks=() if kit in FIRST else pytest.mark.soak)
        for kit in KITS
        if isinstance(kit, FileBatchKit)
    ]


class TestOthers(ProviderSuite):
    kits: ClassVar[list[Any]] = always(
        [kits_of(name)[0] for name in MOST_UNLIKE],
        [kit for kit in KITS if not isinstance(kit, FileBatchKit)],
    )
