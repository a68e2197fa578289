"""Headers and addresses of the user's own: names of variables, and the user's word for them."""

import pytest

from runner.core.errors import ConfigError
from runner.run.run import Run
from tests.unit.composing import only

WORD = "provider.headers.x-portkey-virtual-key=PORTKEY_KEY"


def test_a_header_has_its_value_from_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("PORTKEY_KEY", "pk-value")
    service = Run(only(["provider=openai", WORD])).connection.live()
    assert {name: value.reveal() for name, value in service.headers.items()} == {
        "x-portkey-virtual-key": "pk-value"
    }
    assert service.key.hide("sk-test pk-value") == "**** ****"
    assert "pk-value" not in repr(service)


def test_an_empty_variable_is_said_before_anything_is_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.delenv("PORTKEY_KEY", raising=False)
    with pytest.raises(
        ConfigError, match="x-portkey-virtual-key: set the environment variable POR"
    ):
        Run(only(["provider=openai", WORD])).connection.live()


def test_a_rehearsal_has_none(monkeypatch):
    monkeypatch.setenv("PORTKEY_KEY", "pk-value")
    run = Run(only(["provider=openai", "service=emulated", WORD]))
    assert not run.connection.emulated("http://127.0.0.1:1").headers


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("provider.headers.Authorization=X", "allowed: a header that the client does not send"),
        ("provider.headers.x-a='not a name'", "allowed: the NAME of an environment variable"),
    ],
)
def test_what_is_no_header_is_said(word, says):
    with pytest.raises(ConfigError, match=says):
        only(["provider=openai", word])


@pytest.mark.parametrize("provider", ["gemini", "vllm"])
def test_who_sends_none_says_so(provider):
    with pytest.raises(ConfigError, match="sends no headers of one's own"):
        only([f"provider={provider}", WORD])


@pytest.mark.parametrize("address", ["http://example.com", "ftp://127.0.0.1", "https://u:p@x.org"])
def test_storage_is_spoken_to_over_https_only(address):
    with pytest.raises(ConfigError, match=r"provider\.storage_url"):
        only(["provider=gemini", f"provider.storage_url='{address}'"])
