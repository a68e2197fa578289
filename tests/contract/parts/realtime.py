"""One request, now: the same lines in and out as in a batch, and no second try."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runner.core.errors import (
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import ReplyKind
from tests.contract import spoiled as spoil
from tests.contract.case import Case
from tests.contract.kits.base import HTML, KEY_VARIABLE, Kit
from tests.contract.spoiled import instead, reply


class Realtime:
    """What holds for `ask`."""

    def test_one_request_is_answered_now(self, case: Case, kit: Kit, well: Any) -> None:
        client = case.client(well)
        (line,) = self.lines(case, 1)
        before = well.bill()["chats_billed"]
        answer = client.decode(client.ask(line))
        assert (answer.custom_id, answer.kind) == (case.ids[0], ReplyKind.ANSWER)
        assert answer.text
        assert answer.finish_reason == "stop"
        assert answer.usage.input_tokens > 0
        assert answer.usage.output_tokens > 0
        assert answer.error is None
        assert well.bill()["chats_billed"] == before + 1

    def test_what_is_asked_now_is_what_a_batch_would_ask(
        self, case: Case, spoiled: spoil.Spoiled, kit: Kit
    ) -> None:
        client = case.client(spoiled)
        (line,) = self.lines(case, 1)
        client.ask(line)
        (call,) = spoiled.asked(kit.ask)
        sent = kit.texts_in(call.body)
        assert "PROMPT-CANARY" in "".join(sent)
        assert len(spoiled.calls) == 1
        proof = client.encode(*case.asked).proof
        assert proof is None or proof == client.decode(client.ask(line)).echo

    @pytest.mark.parametrize("status", [400, 422])
    def test_a_refusal_of_one_request_is_its_result(
        self, case: Case, kit: Kit, server: Any, status: int
    ) -> None:
        client, line = self.refusing(case, server, status)
        result = client.ask(line)
        assert result.endswith(b"\n")
        assert result.count(b"\n") == 1
        answer = client.decode(result)
        assert (answer.custom_id, answer.kind) == (case.ids[0], ReplyKind.REFUSED)
        assert "Not like this." in (answer.error or "")

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (401, ProviderRefused),
            (403, ProviderRefused),
            (404, ProviderRefused),
            (429, ProviderBusy),
            (408, ProviderSilent),
            (409, ProviderSilent),
            (500, ProviderSilent),
            (502, ProviderSilent),
            (503, ProviderSilent),
        ],
    )
    def test_what_stops_every_request_is_an_error(
        self, case: Case, kit: Kit, server: Any, status: int, expected: type[ProviderError]
    ) -> None:
        client, line = self.refusing(case, server, status)
        with pytest.raises(expected, match=r"Not like this\.") as caught:
            client.ask(line)
        assert type(caught.value) is expected
        assert (status in (401, 403)) is (KEY_VARIABLE in str(caught.value))

    @pytest.mark.parametrize(
        "how",
        [spoil.lost, spoil.half, spoil.slow, instead(b""), instead(reply(400, HTML))],
        ids=["lost", "half", "slow", "nothing", "a page"],
    )
    def test_no_answer_is_silence_and_is_not_asked_for_again(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled, how: spoil.Spoil
    ) -> None:
        (line,) = self.lines(case, 1)
        case.client(spoiled).ask(line)  # the SDK is imported by now
        spoiled.calls.clear()
        spoiled.spoil(kit.ask, how)
        client = case.client(spoiled, timeout=0.3 if how is spoil.slow else 10)
        with pytest.raises((ProviderSilent, ProviderReplyUnreadable, ProviderRefused)) as caught:
            client.ask(line)
        assert how.__name__ != "slow" or type(caught.value) is ProviderSilent
        assert len(spoiled.calls) == 1

    @pytest.mark.parametrize("body", [[], None, "ok", {}, HTML, b"", b'{"id": "x'])
    def test_nonsense_in_place_of_an_answer_is_no_answer(
        self, case: Case, kit: Kit, server: Any, body: Any
    ) -> None:
        stub = server()
        stub.spoil(kit.ask, instead(reply(200, body)))
        (line,) = self.lines(case, 1)
        client = case.client(stub)
        try:
            found = client.decode(client.ask(line))
        except (ProviderReplyUnreadable, ProviderSilent):
            return
        assert found.kind is ReplyKind.UNREADABLE

    def test_many_can_ask_at_once(self, case: Case, well: Any) -> None:
        client = case.client(well)
        lines = self.lines(case, 40)
        before = well.bill()["chats_billed"]
        with ThreadPoolExecutor(8) as pool:
            answers = [client.decode(result) for result in pool.map(client.ask, lines)]
        assert [a.custom_id for a in answers] == case.ids
        assert {a.kind for a in answers} == {ReplyKind.ANSWER}
        assert well.bill()["chats_billed"] == before + 40

    @pytest.mark.parametrize(("fault", "billed"), [("all_failed", 0), ("missing_lines", 1)])
    def test_a_request_that_the_service_fails_at_or_loses_is_silence(
        self, case: Case, behaving: Any, fault: str, billed: int
    ) -> None:
        rough = behaving(**{fault: True if fault == "all_failed" else 1.0})
        (line,) = self.lines(case, 1)
        before = rough.bill()["chats_billed"]
        with pytest.raises(ProviderSilent):
            case.client(rough).ask(line)
        assert rough.bill()["chats_billed"] == before + billed

    def test_an_answer_takes_longer_than_other_calls_may(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled
    ) -> None:
        (line,) = self.lines(case, 1)
        case.client(spoiled).ask(line)  # the SDK is imported by now
        spoiled.spoil(kit.ask, spoil.late(0.3))
        client = case.client(spoiled, timeout=0.2)
        assert client.decode(client.ask(line)).kind == ReplyKind.ANSWER

    def lines(self, case: Case, count: int) -> list[bytes]:
        return case.write(count).read_bytes().splitlines(keepends=True)

    def refusing(self, case: Case, server: Any, status: int) -> tuple[Any, bytes]:
        stub = server()
        stub.spoil(case.kit.ask, instead(reply(status, case.kit.error("Not like this.", status))))
        (line,) = self.lines(case, 1)
        return case.client(stub), line
