"""The services that are OpenAI's dialect with an address of their own, and what one of them does."""

import io
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from runner.config.options import provider_class
from runner.core.errors import ProviderRefused
from runner.core.model import RemoteId
from tests.contract.case import Case, until_ended
from tests.contract.conftest import Emulator
from tests.contract.kits import presets
from tests.contract.kits.base import HTML, Kit, said_of, taken_of
from tests.contract.spoiled import Spoiled, instead, reply

ZAI = presets.KITS[-1]
NAMES = [kit.name for kit in presets.KITS]


@pytest.fixture
def kit() -> Kit:
    return ZAI


@pytest.mark.parametrize("name", NAMES)
def test_each_has_an_address_and_a_key_of_its_own(name: str) -> None:
    content = said_of(name)
    provider = provider_class(content["_target_"])
    assert content["name"] == name
    assert content["api_key_env"] == provider.key_variable
    assert provider.default_base_url.startswith("https://")
    assert provider.base_url_variable == provider.key_variable.replace("API_KEY", "BASE_URL")


def test_no_two_share_an_address_or_a_key() -> None:
    classes = [kit.provider for kit in presets.KITS]
    for attribute in ("default_base_url", "key_variable"):
        assert len({getattr(one, attribute) for one in classes}) == len(classes)


def test_zai_is_spoken_to_in_its_own_words(case: Case, well: Emulator) -> None:
    client = case.client(well)
    batch = case.staged(client)
    line = orjson.loads(case.path.read_bytes().splitlines()[0])
    assert line["url"] == "/v4/chat/completions"
    remote = case.submit(client, batch)
    assert taken_of(client.find(batch, case.path, ())) == remote
    progress = until_ended(client, remote)
    assert progress.event == "end"
    assert progress.completed == progress.total == batch.count
    assert list(progress.files) == ["output"]
    assert abs(progress.expires_at - batch.sent_at - 86_400) < 60
    sink = io.BytesIO()
    client.download(progress.files["output"], sink)
    replies = [client.decode(found) for found in sink.getvalue().splitlines()]
    assert sorted(found.custom_id for found in replies) == sorted(case.ids)


def test_counts_that_are_not_said_yet_are_not_known(
    case: Case, server: Callable[..., Spoiled]
) -> None:
    stub = server()
    shown = ZAI.batch_object("validating", id="batch_1", request_counts={"total": None})
    stub.spoil(ZAI.poll, instead(reply(200, shown)))
    progress = case.client(stub).poll(RemoteId("batch_1"))
    assert (progress.event, progress.total, progress.completed) == ("progress", None, None)


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("body", [{"detail": "Not Found"}, HTML], ids=["json", "a page"])
def test_a_service_without_files_is_told_from_one_that_refuses_a_file(
    case: Case, server: Callable[..., Spoiled], status: int, body: Any
) -> None:
    stub = server()
    stub.spoil(ZAI.hand_over, instead(reply(status, body)))
    with pytest.raises(ProviderRefused, match=r"has no /files.*provider\.mode=realtime"):
        case.staged(case.client(stub))
    assert len(stub.calls) == 1


def test_a_batch_says_what_it_came_to(case: Case, well: Emulator) -> None:
    client = case.client(well)
    remote = case.submit(client, case.staged(client))
    progress = until_ended(client, remote)
    sink = io.BytesIO()
    client.download(progress.files["output"], sink)
    usages = [client.decode(line).usage for line in sink.getvalue().splitlines()]
    assert progress.charged == {
        "input_tokens": str(sum(usage.input_tokens for usage in usages)),
        "output_tokens": str(sum(usage.output_tokens for usage in usages)),
    }
