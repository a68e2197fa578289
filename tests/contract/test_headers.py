"""Headers of the user's own: sent with every call, overruled by nothing, and shown nowhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import ProviderError, ProviderRefused
from runner.core.model import RemoteId
from runner.providers.base import Secret, said
from runner.providers.plain import Plain
from tests.contract.case import CANARY, Case, write_requests
from tests.contract.kits import anthropic, groq, openai
from tests.contract.kits.base import Kit
from tests.contract.spoiled import Spoiled, instead, reply

KITS = [module.KITS[0] for module in (openai, anthropic, groq)]
VALUE = "pk-value-of-a-gateway"
HEADERS = {"x-portkey-virtual-key": Secret(VALUE)}
ANY = ("(GET|POST|DELETE)", ".*")


def with_headers(service: Any, headers: dict[str, Secret] = HEADERS) -> Any:
    return replace(service, key=Secret(CANARY, headers.values()), headers=headers)


def client_of(case: Case, server: Spoiled, headers: dict[str, Secret] = HEADERS) -> Any:
    kit = case.kit
    service = with_headers(kit.service(server.url, CANARY, 10), headers)
    return case.hang_up(kit.provider(service, kit.model, case.tag))


def answering(server: Callable[..., Spoiled], kit: Kit, raw: bytes) -> Spoiled:
    stub = server()
    for route in kit.routes:
        stub.spoil(route, instead(raw))
    return stub


@pytest.mark.parametrize("kit", KITS, ids=repr)
def test_every_call_has_them_and_no_error_shows_them(
    case: Case, kit: Kit, server: Callable[..., Spoiled]
) -> None:
    stub = answering(server, kit, reply(400, kit.error(f"Bad: {VALUE} {CANARY}")))
    client = client_of(case, stub)
    case.write()
    errors = []
    for verb in case.every_verb(client).values():
        try:
            verb()
        except ProviderError as error:
            errors.append(str(error))
    assert errors
    assert not [said for said in errors if VALUE in said or CANARY in said]
    assert {call.headers.get("x-portkey-virtual-key") for call in stub.calls} == {VALUE}


@pytest.mark.parametrize("kit", KITS, ids=repr)
def test_one_that_cannot_be_sent_is_refused_before_anything_is(
    case: Case, kit: Kit, server: Callable[..., Spoiled]
) -> None:
    stub = answering(server, kit, reply(200, {}))
    client = client_of(case, stub, {"x-a": Secret("zwei\nZeilen")})
    with pytest.raises(ProviderRefused, match=r"provider\.headers\.x-a") as refused:
        client.poll(RemoteId("batch_1"))
    assert "Zeilen" not in str(refused.value)
    assert not stub.calls


def test_plain_http_has_them_too(server: Callable[..., Spoiled]) -> None:
    stub = server()
    stub.spoil(("GET", "/jobs"), instead(reply(400, {"error": {"message": f"Bad: {VALUE}"}})))
    plain = Plain(with_headers(openai.KITS[0].service(stub.url, CANARY, 10)))
    plain_at_root = Plain(replace(plain._service, base_url=stub.url))
    with pytest.raises(ProviderRefused, match=r"Bad: \*\*\*\*"):
        plain_at_root.json("jobs", "GET", "/jobs")
    plain_at_root.close()
    assert stub.calls[0].headers["x-portkey-virtual-key"] == VALUE


@pytest.mark.parametrize("value", ["0", "5", "chat", "gpt-4o-mini"])
def test_a_header_that_is_no_secret_takes_nothing_out_of_an_answer(
    value: str, server: Callable[..., Spoiled], tmp_path: Path
) -> None:
    kit, stub = openai.KITS[0], server()
    said = {"role": "assistant", "content": "Q1. 50. A chat with gpt-4o-mini"}
    body = {"model": "gpt-4o-mini-1", "choices": [{"message": said, "finish_reason": "stop"}]}
    stub.spoil(kit.ask, instead(reply(200, body)))
    headers = {"x-litellm-num-retries": Secret(value)}
    client = kit.provider(with_headers(kit.service(stub.url, CANARY, 10), headers), kit.model)
    answer = client.decode(client.ask(write_requests(client, tmp_path, 1).read_bytes()))
    client.close()
    assert (answer.text, answer.model) == (said["content"], body["model"])


def test_a_secret_hides_what_goes_out_with_it() -> None:
    secret = Secret("the-key-of-ours", [Secret("one-1"), Secret("two-2", [Secret("three-3")])])
    assert said("the-key-of-ours, one-1, two-2, three-3", secret) == "****, ****, ****, ****"
    long = Secret(f"key-{VALUE}", [Secret(f"one-{VALUE}")])
    assert long.hide_in(f"a key-{VALUE} or one-{VALUE}".encode()) == b"a **** or ****"


def test_a_number_in_a_header_is_not_taken_out_of_a_message() -> None:
    assert said("Error code: 500", Secret("key-of-ours", [Secret("0")])) == "Error code: 500"
