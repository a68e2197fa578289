"""Headers of the user's own: sent with every call, overruled by nothing, and shown nowhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runner.core.errors import ProviderError, ProviderRefused
from runner.core.model import RemoteId
from runner.providers.base import Secret, said
from runner.providers.plain import Plain
from tests.contract.case import CANARY, Case
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


def test_a_secret_hides_what_goes_out_with_it() -> None:
    secret = Secret("key", [Secret("one"), Secret("two", [Secret("three")])])
    assert said("key, one, two and three", secret) == "****, ****, **** and ****"
    assert secret.hide_in(b"a key or three") == b"a **** or ****"
