"""The provider suite, over every provider that conf/provider/ offers."""

import importlib.util
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import yaml

from tests.contract.file_batch_suite import FileBatchSuite
from tests.contract.kits.base import CONF, Kit
from tests.contract.kits.file_batch import FileBatchKit
from tests.contract.provider_suite import ProviderSuite


def offered(*, services: bool = True) -> list[str]:
    """Return the provider files with a class of their own; the others stand on one of them.

    Args:
        services: those with a wire; else the programs on one's own machines.
    """
    files = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in CONF.glob("*.yaml")}
    return sorted(
        name
        for name, content in files.items()
        if "_target_" in content and (content["emulator_path"] is not None) == services
    )


def kits_of(name: str) -> tuple[Kit, ...]:
    module = f"tests.contract.kits.{name}"
    if importlib.util.find_spec(module) is None:
        return ()
    kits: tuple[Kit, ...] = importlib.import_module(module).KITS
    return kits


KITS = [kit for name in offered() for kit in kits_of(name)]


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
        # How a service may write its errors, its pages or its window makes no second suite in CI.
        pytest.param(kit, marks=() if kit is kits_of(kit.name)[0] else pytest.mark.soak)
        for kit in KITS
        if isinstance(kit, FileBatchKit)
    ]


class TestOthers(ProviderSuite):
    kits: ClassVar[list[Kit]] = [kit for kit in KITS if not isinstance(kit, FileBatchKit)]
