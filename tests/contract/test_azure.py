"""Azure OpenAI: a deployment stands for the model, and a file waits before it can be ordered."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from runner.core.errors import ProviderBusy, ProviderRefused
from runner.providers.azure import AzureBatch, AzureOptions
from tests.contract.case import LABELS, Case, batch_of, condition_of, prompt_of
from tests.contract.conftest import Emulator
from tests.contract.kits.azure import KITS
from tests.contract.spoiled import Spoiled, instead, reply

KIT = KITS[0]
REAL = (
    "The input file 'file-28009a6785e5439a8049db25ff33c462' is in 'pending' state. Only files with "
    "status 'Processed' are accepted for batch inferencing. Please check the file status and try "
    "again."
)
"""As a user of 2025 reports it."""


@pytest.fixture
def kit() -> Any:
    return KIT


def model_in_line(deployment: str | None) -> str:
    service = replace(KIT.service("", "test-key", 1), options=AzureOptions(deployment=deployment))
    frame = AzureBatch(service, KIT.model).encode(condition_of(), prompt_of())
    name: str = orjson.loads(frame.before + b"x" + frame.after)["body"]["model"]
    return name


def test_lines_name_the_deployment_or_the_model() -> None:
    assert model_in_line(None) == KIT.model.name
    assert model_in_line("our-batch") == "our-batch"
    assert AzureOptions(deployment="our-batch").emulated().deployment is None


def test_an_order_of_a_pending_file_waits_and_is_made_once(
    case: Case, emulator: Callable[..., Emulator]
) -> None:
    slow = emulator(validating_seconds=0.5)
    client = case.client(slow)
    batch = case.staged(client)
    with pytest.raises(ProviderBusy, match="'pending' state"):
        case.submit(client, batch)
    assert slow.batches() == 0
    until = time.monotonic() + 10
    while slow.batches() == 0:
        assert time.monotonic() < until
        try:
            case.submit(client, batch)
        except ProviderBusy:
            time.sleep(0.1)
    assert slow.batches() == 1


@pytest.mark.parametrize(
    ("message", "kind"), [(REAL, ProviderBusy), ("No such deployment.", ProviderRefused)]
)
def test_only_a_file_that_waits_is_ordered_again(
    case: Case, server: Callable[..., Spoiled], message: str, kind: type[Exception]
) -> None:
    stub = server()
    stub.spoil(KIT.create, instead(reply(400, {"error": {"code": "x", "message": message}})))
    batch = batch_of(case.write(), {"input_file_id": "file-1"})
    with pytest.raises(kind):
        case.client(stub).submit(batch, case.path, LABELS)
