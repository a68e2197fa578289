"""Keys and prompts: in no exception, in no log, at no other host."""

import logging
import traceback
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import ProviderBusy, ProviderRefused
from tests.contract import spoiled as spoil
from tests.contract.case import CANARY, Case, everything_of, raised_by, until_ended
from tests.contract.kits.base import KEY_VARIABLE, Kit
from tests.contract.spoiled import instead, reply

ANOTHER = "test-ANOTHER-1c2b3a4d5e"
"""A key that is in the environment, and is not the one that was given."""


class Secrets:
    """What must never be seen."""

    def test_no_error_shows_the_key(self, case: Case, kit: Kit, server: Any) -> None:
        stub = server()
        client = case.client(stub)
        verbs = case.every_verb(client)
        echo = kit.error(f"Incorrect API key provided: {CANARY}.", 401)
        spoils = [
            *(instead(reply(status, echo)) for status in (307, 400, 401, 404, 409, 429, 500)),
            *(instead(reply(s, CANARY.encode(), location=f"/{CANARY}")) for s in (307, 401)),
            instead(f"HTTP/1.1 200 {CANARY}\r\n{CANARY}: \x00\r\n\r\n".encode()),
            instead(f"{CANARY}\r\n\r\n".encode()),
            spoil.reset,
        ]
        seen = 0
        for how in spoils:
            for route in kit.routes:
                stub.spoil(route, how)
            for call in verbs.values():
                raised = raised_by(call)
                seen += raised is not None
                assert CANARY not in everything_of(raised)
        assert seen > (len(verbs) - 1) * len(spoils) - 5
        for route in kit.routes:
            stub.spoil(route, instead(reply(200, CANARY.encode())))
        for call in verbs.values():
            assert CANARY not in "".join(traceback.format_exception(raised_by(call)))
        stub.close()
        for call in verbs.values():
            raised = raised_by(call)
            assert isinstance(raised, ProviderBusy)
            assert CANARY not in everything_of(raised)
        assert CANARY not in f"{client!r} {client._service!r} {vars(client)!r}"

    @pytest.mark.parametrize("tail", ["鍵", "\n", "\x01", " x", "\x7f", "é"])
    def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
        self, case: Case, kit: Kit, well: Any, tail: str
    ) -> None:
        if not kit.key_in_header:
            pytest.skip("the key is not sent as it is")
        for call in case.every_verb(case.client(well, key=CANARY + tail)).values():
            with pytest.raises(ProviderRefused, match=KEY_VARIABLE) as caught:
                call()
            assert CANARY not in everything_of(caught.value)

    def test_no_log_shows_the_key_or_a_prompt(
        self,
        case: Case,
        kit: Kit,
        spoiled: spoil.Spoiled,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        client = case.client(spoiled)
        batch = case.staged(client)
        until_ended(client, case.submit(client, batch))  # with this, all loggers are there
        caplog.set_level(logging.DEBUG)
        for name in list(logging.root.manager.loggerDict):
            caplog.set_level(logging.DEBUG, logger=name)
            monkeypatch.setattr(logging.getLogger(name), "disabled", False)  # Hydra does that
        again = case.client(spoiled)
        batch = case.staged(again)
        case.collected(again, case.submit(again, batch))
        again.ask(case.path.read_bytes().split(b"\n")[0] + b"\n")
        spoiled.spoil(kit.create, instead(reply(401, kit.error(CANARY, 401))))
        with pytest.raises(ProviderRefused):
            case.submit(again, batch)
        written = "\n".join(
            f"{r.getMessage()} {r.args!r} {r.exc_info!r} {vars(r)!r}" for r in caplog.records
        )
        assert len(caplog.records) > 10
        assert CANARY not in written
        assert "PROMPT-CANARY" not in written

    def test_the_environment_changes_neither_the_host_nor_the_key(
        self,
        case: Case,
        kit: Kit,
        server: Any,
        well: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Proxies, addresses, passwords and keys lie about on many a machine."""
        stranger, front = server(), server(well.url)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, stranger.url)
            monkeypatch.setenv(name.lower(), stranger.url)
        for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GROQ_BASE_URL"):
            monkeypatch.setenv(name, stranger.url)
        monkeypatch.setenv(kit.provider.base_url_variable, stranger.url)
        for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY"):
            monkeypatch.setenv(name, ANOTHER)
        for name in ("ANTHROPIC_AUTH_TOKEN", "GROQ_API_KEY", "GOOGLE_API_KEY"):
            monkeypatch.setenv(name, ANOTHER)
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login x password {ANOTHER}\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        client = case.client(front)
        case.collected(client, case.submit(client, case.staged(client)))
        assert front.asked(kit.create)
        assert stranger.calls == []
        basic = b64encode(f"x:{ANOTHER}".encode())
        for call in front.calls:
            assert ANOTHER.encode() not in call.head
            assert basic not in call.head
            assert CANARY.encode() in call.head or not kit.key_in_header
