"""What comes of a batch: every way it can end, and every way its results can arrive."""

import contextlib
import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runner.core.errors import ProviderBusy, ProviderError, ProviderReplyUnreadable
from runner.core.model import Reply, ReplyKind
from tests.contract import spoiled as spoil
from tests.contract.case import IN_DOUBT, Case, until_ended
from tests.contract.kits.base import Kit, result_line
from tests.contract.spoiled import instead, reply


def _halfway(body: bytes) -> int:
    return len(body) // 2


def _at_a_lines_end(body: bytes) -> int:
    return body.rfind(b"\n", 0, len(body) // 2) + 1


TRUNCATIONS: dict[str, spoil.Spoil] = {
    "short of its length": spoil.cut(_halfway, spoil.sized, spoil.nothing_more),
    "reset": spoil.cut(_halfway, spoil.sized, spoil.reset),
    "stuck": spoil.cut(_halfway, spoil.sized, spoil.silent),
    "half a chunk": spoil.cut(_halfway, spoil.chunked, spoil.nothing_more),
    "chunks without an end": spoil.cut(len, spoil.chunked, spoil.nothing_more),
    "in a line": spoil.cut(_halfway, spoil.unsized, spoil.nothing_more),
    "at a line's end": spoil.cut(_at_a_lines_end, spoil.unsized, spoil.nothing_more),
    "before the first byte": spoil.cut(lambda _: 0, spoil.unsized, spoil.nothing_more),
}


class Answers:
    """What holds for the way from a running batch to decoded answers."""

    def test_a_batch_goes_the_whole_way(self, case: Case, kit: Kit, well: Any) -> None:
        client = case.client(well)
        remote = case.submit(client, case.staged(client))
        progress, replies = case.collected(client, remote)
        assert progress.event == "end"
        done = (progress.total, progress.completed, progress.failed)
        assert done == ((len(case.ids), len(case.ids), 0) if kit.counts else (None, None, None))
        assert sorted(r.custom_id for r in replies) == case.ids
        proof = client.encode(*case.asked).proof
        for answer in replies:
            assert answer.kind == ReplyKind.ANSWER
            assert answer.text
            assert answer.echo == proof
            assert answer.finish_reason == "stop"
            assert answer.usage.input_tokens > 0
            assert answer.usage.output_tokens > 0
            assert answer.answered_at is not None or not kit.dates_answers
        assert case.billed(well) == dict.fromkeys(case.ids, 1)

    # Every end

    def test_half_of_it_expires(self, case: Case, kit: Kit, behaving: Any) -> None:
        rough = behaving(half_expired=1.0)
        client = case.client(rough)
        progress, replies = case.collected(client, case.submit(client, case.staged(client, 7)))
        assert progress.event == "end"
        self.ended_in_part(case, replies, rough, answered=4, rest=ReplyKind.EXPIRED)
        assert kit.writes_unrun or progress.rest == "expired"

    def test_a_running_batch_is_cancelled_halfway(
        self, case: Case, kit: Kit, behaving: Any
    ) -> None:
        if "cancel" in kit.silent_verbs:
            pytest.skip("there is no call for it")
        slow = behaving(in_progress_seconds=4)
        client = case.client(slow)
        remote = case.submit(client, case.staged(client, 30))
        assert client.poll(remote).event == "progress"
        time.sleep(0.5)
        client.cancel(remote)
        progress, replies = case.collected(client, remote)
        assert (progress.event, progress.state) == ("end", kit.cancelled)
        answered = case.tally(replies)["answer"]
        assert 0 < answered < 30
        self.ended_in_part(case, replies, slow, answered=answered, rest=ReplyKind.CANCELLED)
        assert kit.writes_unrun or progress.rest == "cancelled"
        client.cancel(remote)
        assert client.poll(remote) == progress

    def test_an_ended_batch_cannot_be_cancelled_and_that_is_no_error(
        self, case: Case, well: Any
    ) -> None:
        client = case.client(well)
        remote = case.submit(client, case.staged(client))
        before = until_ended(client, remote)
        client.cancel(remote)
        assert client.poll(remote) == before
        assert case.billed(well) == dict.fromkeys(case.ids, 1)

    def test_every_request_of_it_fails(self, case: Case, behaving: Any) -> None:
        rough = behaving(all_failed=True)
        client = case.client(rough)
        progress, replies = case.collected(client, case.submit(client, case.staged(client, 7)))
        assert progress.event == "end"
        assert case.tally(replies) == {"errored": 7}
        assert case.billed(rough) == {}

    def test_there_is_no_room_for_it(self, case: Case, kit: Kit, behaving: Any) -> None:
        full = behaving(token_limit=1.0)
        client = case.client(full)
        batch = case.staged(client)
        if kit.refuses_when_full:
            with pytest.raises(ProviderBusy):
                case.submit(client, batch)
        remote = case.submit(client, batch)
        first = until_ended(client, remote)
        assert first.event == ("deferred" if kit.says_full else "end")
        if kit.says_full:
            assert case.billed(full) == {}
            again = replace(batch, dead=(str(remote),))
            progress, replies = case.collected(client, case.submit(client, again))
            assert (progress.event, len(replies)) == ("end", len(case.ids))
        assert case.billed(full) == dict.fromkeys(case.ids, 1)

    def ended_in_part(
        self, case: Case, replies: list[Reply], server: Any, *, answered: int, rest: ReplyKind
    ) -> None:
        """Say that so many were answered, those are paid for, and the rest is as written."""
        tally = {"answer": answered}
        if case.kit.writes_unrun:
            tally[str(rest)] = len(case.ids) - answered
        assert case.tally(replies) == tally
        paid = {r.custom_id: 1 for r in replies if r.kind == ReplyKind.ANSWER}
        assert case.billed(server) == paid

    # Every oddity of the results

    def test_results_in_disorder_are_told_apart(self, case: Case, behaving: Any) -> None:
        rough = behaving(
            shuffle=True,
            missing_lines=0.1,
            duplicate_lines=0.2,
            unknown_lines=0.2,
            failed_lines=0.2,
        )
        client = case.client(rough)
        _, replies = case.collected(client, case.submit(client, case.staged(client, 60)))
        ours = [r for r in replies if r.custom_id in case.ids]
        strangers = [r for r in replies if r.custom_id not in case.ids]
        assert [r.custom_id for r in ours] != sorted(r.custom_id for r in ours)
        seen = {r.custom_id: r for r in ours}
        assert all(r == seen[r.custom_id] for r in ours)
        assert len(ours) > len(seen)
        assert strangers
        missing = set(case.ids) - set(seen)
        assert missing
        paid = {name for name, found in seen.items() if found.kind == ReplyKind.ANSWER}
        failed = {name for name, found in seen.items() if found.kind == ReplyKind.ERRORED}
        assert failed
        assert paid | failed == set(seen)
        assert case.billed(rough) == dict.fromkeys(paid | missing, 1)

    def test_what_a_model_says_arrives_as_it_is(
        self, case: Case, kit: Kit, subtests: pytest.Subtests
    ) -> None:
        client = case.offline()
        for text in ("a\u2028b\u2029c\u0085d\x1ce", "𠮷野家\x7f", '{"custom_id": "x"}\n\r\n', " "):
            with subtests.test(text):
                line = result_line(kit.answer(f"{case.tag}q-1", text))
                assert line.count(b"\n") == 1
                answer = client.decode(line)
                assert (answer.custom_id, answer.text) == ("q-1", text)
                assert answer.kind == ReplyKind.ANSWER

    def test_an_answer_to_another_run_is_nobodys(self, case: Case, kit: Kit) -> None:
        line = result_line(kit.answer("c00000000-q-1", "80"))
        custom_id = case.offline().decode(line).custom_id
        assert custom_id not in ("q-1", "")

    # Downloads that end early

    @pytest.mark.parametrize("name", TRUNCATIONS)
    def test_a_truncated_download_is_never_more_than_what_arrived(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled, name: str
    ) -> None:
        client = case.client(spoiled, timeout=0.3 if name == "stuck" else 10)
        patient = case.client(spoiled)
        remote = case.submit(patient, case.staged(patient, 12))
        progress, whole = case.collected(patient, remote)
        spoiled.spoil(kit.download, TRUNCATIONS[name])
        try:
            lines = case.downloaded(client, progress)
        except IN_DOUBT:
            return
        assert not kit.notices_cuts
        assert len(lines) <= 12 + 1
        for line in lines[:-1]:
            assert client.decode(line) in whole

    def test_a_download_that_was_cut_is_whole_the_second_time(
        self, case: Case, behaving: Any
    ) -> None:
        rough = behaving(truncated_downloads=1.0)
        client = case.client(rough)
        progress = until_ended(client, case.submit(client, case.staged(client, 12)))
        first: list[bytes] = []
        with contextlib.suppress(*IN_DOUBT):
            first = case.downloaded(client, progress)
        second = case.downloaded(client, progress)
        assert len(first) < 12 + 1
        assert sorted(client.decode(line).custom_id for line in second[:-1]) == case.ids

    # Polling

    def test_a_batch_that_is_not_known_yet_is_an_error_and_nothing_more(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled
    ) -> None:
        client = case.client(spoiled)
        remote = case.submit(client, case.staged(client))
        first = iter([True])

        def a_404_at_first(deed: spoil.Deed) -> None:
            raw = reply(404, kit.error("No batch.", 404)) if next(first, False) else deed.forward()
            deed.caller.sendall(raw)

        spoiled.spoil(kit.poll, a_404_at_first)
        with pytest.raises(ProviderError, match=r"No batch\."):
            client.poll(remote)
        assert client.poll(remote).event == "end"

    def test_every_state_has_a_meaning(
        self, case: Case, kit: Kit, server: Any, subtests: pytest.Subtests
    ) -> None:
        assert "progress" in kit.states.values()
        for state, event in kit.states.items():
            with subtests.test(state):
                progress = self.polled(case, server, state)
                assert (progress.state, progress.event) == (state, event)

    def test_a_state_that_nobody_knows_is_progress_and_shown(
        self, case: Case, kit: Kit, server: Any
    ) -> None:
        progress = self.polled(case, server, "pondering")
        assert progress.event == "progress"
        assert "unknown state" in (progress.message or "")

    def test_a_reply_about_another_batch_is_unreadable(
        self, case: Case, kit: Kit, server: Any
    ) -> None:
        state = next(word for word, event in kit.states.items() if event == "progress")
        stub = server()
        about_another = kit.batch_object(state) | {kit.id_field: f"{kit.unknown}2"}
        stub.spoil(kit.poll, instead(reply(200, about_another)))
        with pytest.raises(ProviderReplyUnreadable):
            case.client(stub).poll(kit.unknown)

    def polled(self, case: Case, server: Callable[..., spoil.Spoiled], state: str) -> Any:
        stub = server()
        for route, raw in case.kit.poll_replies(state).items():
            stub.spoil(route, instead(raw))
        return case.client(stub).poll(case.kit.unknown)

    def test_a_file_that_is_not_there_is_an_error(
        self, case: Case, kit: Kit, server: Any, subtests: pytest.Subtests
    ) -> None:
        for status in (404, 500, 429):
            stub = server()
            stub.spoil(kit.download, instead(reply(status, kit.error("No file.", status))))
            sink = io.BytesIO()
            with subtests.test(status=status):
                with pytest.raises(ProviderError, match=r"No file\.") as caught:
                    case.client(stub).download(kit.unknown_file, sink)
                assert (status == 429) is isinstance(caught.value, ProviderBusy)
                assert sink.getvalue() == b""
