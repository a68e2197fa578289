"""A definite no, a definite not now, and calls that went nowhere: each asks once, and in time."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import ProviderBusy, ProviderRefused, ProviderSilent
from tests.contract import spoiled as spoil
from tests.contract.case import IN_DOUBT, Case
from tests.contract.kits.base import HTML, KEY_VARIABLE, Kit
from tests.contract.parts.orders import nested
from tests.contract.spoiled import Spoiled, instead, reply

WAITS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry_after": "7"}, 7.0),
    ({"retry_after": "0"}, 0.0),
    ({"retry_after": "100000"}, 100000.0),
    ({"retry_after": "inf"}, None),
    ({"retry_after": "nan"}, None),
    ({"retry_after": "-1"}, None),
    ({"retry_after": "1e400"}, None),
    ({"retry_after": "soon"}, None),
    (
        {
            "date": "Tue, 24 Nov 2026 03:00:00 GMT",
            "retry_after": "Tue, 24 Nov 2026 03:01:30 GMT",
        },
        90.0,
    ),
    (
        {
            "date": "Tue, 24 Nov 2026 03:00:00 GMT",
            "retry_after": "Mon, 23 Nov 2026 03:00:00 GMT",
        },
        None,
    ),
    ({"retry_after": "Tue, 24 Nov 2099 03:00:00 GMT"}, None),
]
WAITS_IN_MILLISECONDS: list[tuple[dict[str, str], float | None]] = [
    ({"retry_after_ms": "300"}, 0.3),
    ({"retry_after_ms": "300", "retry_after": "7"}, 0.3),
    ({"retry_after_ms": "nan", "retry_after": "7"}, 7.0),
]


ROOT = Path(__file__).resolve().parents[3]
FIRST_CALLS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from threading import Barrier
from tests.contract.case import Case

name, shown, folder, url = sys.argv[1:]
(kit,) = (kit for kit in import_module(name).KITS if repr(kit) == shown)
case = Case(kit, lambda client: client, Path(folder), "0" * 64)
client = case.client(url)
verbs = 2 * list(case.every_verb(client).values())
start = Barrier(len(verbs))


def kind_of_error(call):
    start.wait()
    try:
        call()
    except Exception as error:
        return type(error).__name__


with ThreadPoolExecutor(len(verbs)) as pool:
    print(*sorted(set(pool.map(kind_of_error, verbs))))
client.close()
"""


def home_of(kit: Kit) -> str:
    """The module that has a kit among its own; the only one that the test's child imports."""
    kits = {name: m for name, m in sys.modules.items() if name.startswith("tests.contract.kits.")}
    return next(name for name, module in kits.items() if kit in getattr(module, "KITS", ()))


def answering(server: Any, kit: Kit, raw: bytes | spoil.Spoil) -> Spoiled:
    """Start a server that says the same to every call."""
    stub: Spoiled = server()
    for route in kit.routes:
        stub.spoil(route, instead(raw) if isinstance(raw, bytes) else raw)
    return stub


class Refusals:
    """What holds for every call that does not bring what it should."""

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
    def test_a_refusal_is_refused(self, case: Case, kit: Kit, server: Any, status: int) -> None:
        stub = server()
        stub.spoil(kit.create, instead(reply(status, kit.error("Not this one.", status))))
        with pytest.raises(ProviderRefused, match=r"Not this one\.") as caught:
            case.every_verb(case.client(stub))["submit"]()
        assert (status in (401, 403)) is (KEY_VARIABLE in str(caught.value))
        assert len(stub.asked(kit.create)) == 1

    @pytest.mark.parametrize("verb", ["submit", "find", "poll", "download", "cancel", "ask"])
    def test_a_429_says_when_to_come_back(
        self, case: Case, kit: Kit, server: Any, verb: str
    ) -> None:
        if verb in kit.silent_verbs:
            pytest.skip("no call is made for it")
        waits = WAITS if verb == "submit" else WAITS[:2]
        if kit.reads_milliseconds:
            waits = waits + WAITS_IN_MILLISECONDS
        stub = server()
        call = case.every_verb(case.client(stub))[verb]
        for headers, expected in waits:
            for route in kit.routes:
                stub.spoil(route, instead(reply(429, kit.error("Slow down.", 429), **headers)))
            stub.calls.clear()
            with pytest.raises(ProviderBusy, match=r"Slow down\.") as caught:
                call()
            assert expected == caught.value.retry_after, headers
            assert len(stub.calls) == 1

    @pytest.mark.parametrize("body", [HTML, b"", b"[]", b'"busy"'])
    def test_a_429_that_is_not_the_providers_own_is_a_doubt(
        self, case: Case, kit: Kit, server: Any, body: bytes
    ) -> None:
        stub = server()
        stub.spoil(kit.create, instead(reply(429, body, retry_after="7")))
        with pytest.raises(ProviderSilent):
            case.every_verb(case.client(stub))["submit"]()

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirection_is_not_followed(
        self, case: Case, kit: Kit, server: Any, status: int
    ) -> None:
        stranger = server()
        raw = reply(status, location=f"{stranger.url}{kit.prefix}/x")
        stub = answering(server, kit, raw)
        for verb, call in case.every_verb(case.client(stub)).items():
            in_doubt = verb == "submit"  # whoever redirects may have passed the order on
            with pytest.raises(ProviderSilent if in_doubt else ProviderRefused):
                call()
            assert stranger.calls == [], verb

    # What was never sent

    def test_a_closed_port_is_not_now(self, case: Case) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        for verb, call in case.every_verb(case.client(url)).items():
            with pytest.raises(ProviderBusy, match="Connection refused") as caught:
                call()
            assert url in str(caught.value), verb
            assert caught.value.retry_after is None

    @pytest.mark.long
    def test_the_first_calls_may_come_from_several_threads_at_once(
        self, case: Case, kit: Kit
    ) -> None:
        """The SDK is imported by whoever is first, and the others must not meet half of it."""
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        ended = subprocess.run(
            [
                *(sys.executable, "-c", FIRST_CALLS),
                *(home_of(kit), repr(kit), str(case.folder), f"http://127.0.0.1:{port}"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.stdout, ended.stderr) == ("ProviderBusy\n", "")

    def test_an_unknown_host_is_not_now(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        def nobody(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        client = case.client("https://nowhere.invalid")
        monkeypatch.setattr(socket, "getaddrinfo", nobody)
        for call in case.every_verb(client).values():
            with pytest.raises(ProviderBusy, match="Name or service not known"):
                call()

    def test_a_host_without_tls_is_not_now(self, case: Case) -> None:
        with socket.create_server(("127.0.0.1", 0)) as plain:
            client = case.client(f"https://127.0.0.1:{plain.getsockname()[1]}")
            talk = threading.Thread(target=_speak_plainly, args=(plain,), daemon=True)
            talk.start()
            with pytest.raises(ProviderBusy, match=r"(?i)ssl"):
                case.every_verb(client)["submit"]()
            talk.join()

    @pytest.mark.parametrize(
        "url", ["https://127.0.0.1:99999", "https://[bad", "gopher://127.0.0.1"]
    )
    def test_an_address_that_is_none_reaches_nobody(self, case: Case, url: str) -> None:
        for call in case.every_verb(case.client(url)).values():
            with pytest.raises((ProviderRefused, ProviderBusy)):
                call()

    def test_hanging_up_twice_or_before_the_first_call_is_no_error(
        self, case: Case, well: Any
    ) -> None:
        never, once = case.client(well), case.client(well)
        never.close()
        case.staged(once)
        once.close()
        once.close()

    # Each verb asks once, in time, and raises nothing but its own errors

    @pytest.mark.parametrize("status", [500, 503, 429, 408, 409])
    def test_no_verb_asks_twice(self, case: Case, kit: Kit, server: Any, status: int) -> None:
        raw = reply(status, kit.error("No.", status), x_should_retry="true", retry_after="0")
        stub = answering(server, kit, raw)
        for verb, call in case.every_verb(case.client(stub)).items():
            stub.calls.clear()
            if verb == "cancel" and status in kit.too_late:
                call()
            else:
                with pytest.raises((ProviderSilent, ProviderBusy)):
                    call()
            assert len(stub.calls) == 1, verb

    @pytest.mark.parametrize(
        "how", [spoil.reset, instead(b""), instead(b"HTTP/1.1 2"), instead(b"garbage\r\n\r\n")]
    )
    def test_no_verb_asks_twice_when_the_line_breaks(
        self, case: Case, kit: Kit, server: Any, how: spoil.Spoil
    ) -> None:
        stub = answering(server, kit, how)
        for verb, call in case.every_verb(case.client(stub)).items():
            stub.calls.clear()
            with pytest.raises(ProviderSilent):
                call()
            assert len(stub.calls) == 1, verb

    @pytest.mark.long
    def test_every_verb_gives_up_in_time(self, case: Case, kit: Kit, server: Any) -> None:
        stub = answering(server, kit, spoil.silent)
        verbs = case.every_verb(case.client(stub, timeout=0.15))
        with pytest.raises(ProviderSilent):
            verbs["poll"]()  # the SDK is imported by now
        for verb, call in verbs.items():
            stub.calls.clear()
            began = time.monotonic()
            with pytest.raises(ProviderSilent, match=r"(?i)time"):
                call()
            assert 0.1 < time.monotonic() - began < 5, verb
            assert stub.has_heard(1), verb
            assert len(stub.calls) == 1, verb

    @pytest.mark.parametrize(
        "raw",
        [
            reply(200, []),
            reply(200, None),
            reply(200, {}),
            reply(200, "x"),
            reply(200, 7),
            reply(200, {"id": "batch_unknown"}),
            reply(200, {"id": "batch_unknown", "errors": 7, "request_counts": "many"}),
            reply(200, {"name": "x", "state": 7, "error": "many", "rows": "none"}),
            reply(200, HTML),
            reply(200, b"\xff", content_type="application/json"),
            reply(200, nested(100_000), content_type="application/json"),
            reply(200, b'{"id":' + b"1" * 5000 + b"}", content_type="application/json"),
        ],
    )
    def test_strange_replies_raise_nothing_else(
        self, case: Case, kit: Kit, server: Any, raw: bytes
    ) -> None:
        stub = answering(server, kit, raw)
        for call in case.every_verb(case.client(stub)).values():
            try:
                call()
            except IN_DOUBT:
                continue


def _speak_plainly(plain: socket.socket) -> None:
    caller, _ = plain.accept()
    with caller:
        caller.recv(65536)
        caller.sendall(reply(400, HTML))
