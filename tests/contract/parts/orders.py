"""Orders: the one call that costs money, its lost replies, and how a doubt is settled."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from runner.core.errors import ProviderReplyUnreadable, ProviderSilent, ProviderUndecided
from tests.contract import spoiled as spoil
from tests.contract.case import IN_DOUBT, Case, batch_of, raised_by, until_ended
from tests.contract.kits.base import HTML, Kit, taken_of
from tests.contract.spoiled import Spoil, afterwards, instead, reply


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def _body(status: int, **headers: str) -> Callable[[Kit], Spoil]:
    return lambda kit: afterwards(reply(status, kit.error("No.", status), **headers))


def _bytes(status: int, body: Any, **headers: str) -> Callable[[Kit], Spoil]:
    return lambda _: afterwards(reply(status, body, **headers))


SPOILED_ORDERS: dict[str, Callable[[Kit], Spoil]] = {
    "lost": lambda _: spoil.lost,
    "slower than the timeout": lambda _: spoil.slow,
    "half a body": lambda _: spoil.half,
    "303": _bytes(303, b"", location="/elsewhere"),
    "408": _body(408),
    "409": _body(409),
    "429 in html": _bytes(429, HTML),
    "500": _body(500),
    "500 told to retry": _body(500, x_should_retry="true"),
    "502 in html": _bytes(502, HTML),
    "503": _body(503, retry_after="0"),
    "504": _body(504),
    "529": _body(529),
    "nothing": _bytes(200, b"", content_type="application/json"),
    "204": lambda _: afterwards(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
    "a page": _bytes(200, HTML),
    "broken JSON": _bytes(200, b'{"id": "batch_1", ', content_type="application/json"),
    "not UTF-8": _bytes(200, b'{"id": "\xff"}', content_type="application/json"),
    "too deep": _bytes(200, nested(100_000), content_type="application/json"),
    "too long a number": _bytes(200, b"1" * 5000, content_type="application/json"),
    "gzip that is none": _bytes(200, {"id": "x"}, content_encoding="gzip"),
    "an empty list": _bytes(200, []),
    "null": _bytes(200, None),
    "a word": _bytes(200, "ok"),
    "no id": _bytes(200, {"object": "batch"}),
    "id null": lambda kit: afterwards(reply(200, {kit.id_field: None})),
    "id empty": lambda kit: afterwards(reply(200, {kit.id_field: ""})),
    "id a number": lambda kit: afterwards(reply(200, {kit.id_field: 7})),
    "an error in a 200": lambda kit: afterwards(reply(200, kit.error("No.", 500))),
}
"""The order was taken, and then the reply was this."""


def _tenths(count: int, body: bytes) -> int:
    return len(body) * count // 10


class Orders:
    """What holds for every order."""

    @pytest.mark.parametrize("name", SPOILED_ORDERS)
    def test_a_doubtful_hand_over_is_adopted_and_ordered_once(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled, well: Any, name: str
    ) -> None:
        if kit.hand_over is None:
            pytest.skip("the input goes with the order")
        path = case.write()
        impatient = case.client(spoiled, timeout=0.3 if name == "slower than the timeout" else 10)
        before = well.bill()
        spoiled.spoil(kit.hand_over, SPOILED_ORDERS[name](kit))
        is_clear = name == "409" and kit.conflict_means_done
        is_clear |= name == "half a body" and kit.empty_hand_over
        with contextlib.nullcontext() if is_clear else pytest.raises(IN_DOUBT):
            impatient.stage(path, case.file_name, look_first=False)
        assert spoiled.done.wait(spoil.PATIENCE)
        assert len(spoiled.asked(kit.hand_over)) == 1
        client = case.client(spoiled)
        handle = client.stage(path, case.file_name, look_first=True)
        assert len(spoiled.asked(kit.hand_over)) == 1
        after = well.bill()
        assert after["files"] - before["files"] in (0, 1)  # tables are no files
        assert after["batches"] == before["batches"]
        again = case.client(well)
        remote = case.submit(again, batch_of(path, handle))
        assert until_ended(again, remote).event == "end"
        assert case.billed(well) == dict.fromkeys(case.ids, 1)

    @pytest.mark.parametrize("name", SPOILED_ORDERS)
    def test_a_doubtful_order_is_one_batch_and_is_found(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled, well: Any, name: str
    ) -> None:
        batch = case.staged(case.client(spoiled))
        client = case.client(spoiled, timeout=0.3 if name == "slower than the timeout" else 10)
        before = well.batches()
        spoiled.spoil(kit.create, SPOILED_ORDERS[name](kit))
        with pytest.raises(IN_DOUBT):
            case.submit(client, batch)
        assert spoiled.done.wait(spoil.PATIENCE)
        assert len(spoiled.asked(kit.create)) == 1
        assert before + 1 == well.batches()
        again = case.client(spoiled)  # as after a kill: only the record and the file are left
        found = case.find(again, batch)
        assert found is not None
        assert until_ended(again, found).event == "end"
        assert before + 1 == well.batches()
        assert case.billed(well) == dict.fromkeys(case.ids, 1)

    @pytest.mark.parametrize("fault", ["lost_create_reply", "failed_create_reply"])
    def test_the_emulators_own_faults_are_doubts_too(
        self, case: Case, behaving: Any, fault: str
    ) -> None:
        rough = behaving(**{fault: 1.0})
        client = case.client(rough)
        batch = case.staged(client)
        before = rough.batches()
        with pytest.raises(ProviderSilent):
            case.submit(client, batch)
        found = case.find(case.client(rough), batch)
        assert found is not None
        assert rough.batches() == before + 1

    def test_a_batch_that_runs_is_never_taken_for_absent(
        self, case: Case, kit: Kit, behaving: Any
    ) -> None:
        slow = behaving(in_progress_seconds=600, lost_create_reply=1.0)
        client = case.client(slow)
        batch = case.staged(client)
        before = slow.batches()
        with pytest.raises(ProviderSilent):
            case.submit(client, batch)
        again = case.client(slow)
        try:
            found = taken_of(again.find(batch, case.path, ()))
        except ProviderUndecided as undecided:
            (found,) = undecided.candidates
        assert slow.batches() == before + 1
        if "cancel" in kit.silent_verbs:
            return
        again.cancel(found)
        assert until_ended(again, found).event == "end"
        assert case.find(again, batch) == found
        assert slow.batches() == before + 1

    @pytest.mark.parametrize("how", [spoil.reset, instead(reply(500, b"{}")), instead(b"")])
    def test_a_batch_whose_results_cannot_be_read_is_never_taken_for_absent(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled, how: spoil.Spoil
    ) -> None:
        client = case.client(spoiled)
        batch = case.staged(client)
        remote = case.submit(client, batch)
        assert until_ended(client, remote).event == "end"
        spoiled.spoil(kit.download, how)
        try:
            candidates = (taken_of(case.client(spoiled).find(batch, case.path, ())),)
        except ProviderUndecided as undecided:
            candidates = undecided.candidates  # others of that size may be there, too
        assert remote in candidates

    def test_what_was_accepted_is_found_too(self, case: Case, well: Any) -> None:
        client = case.client(well)
        batch = case.staged(client)
        remote = case.submit(client, batch)
        assert remote == case.find(case.client(well), batch)

    def test_what_was_never_ordered_is_not_found(self, case: Case, well: Any) -> None:
        client = case.client(well)
        assert case.find(client, case.staged(client)) is None

    def test_what_another_run_ordered_is_not_found(
        self, case: Case, other: Case, well: Any
    ) -> None:
        stranger, client = other.client(well), case.client(well)
        theirs, ours = other.staged(stranger, 5), case.staged(client, 5)
        other.submit(stranger, theirs)
        assert case.find(client, ours) is None

    def test_what_is_known_to_be_another_batch_is_not_found(self, case: Case, well: Any) -> None:
        if case.kit.fills_a_container:
            pytest.skip("an order has one container, whatever is sent twice")
        client = case.client(well)
        batch = case.staged(client)
        first = case.submit(client, batch)
        dead = replace(batch, dead=(str(first),))
        second = case.submit(client, dead)
        assert second == case.kit.until_found(client, dead, case.path, claimed=(str(first),))

    def test_a_list_that_is_none_never_proves_absence(
        self, case: Case, kit: Kit, server: Any, subtests: pytest.Subtests
    ) -> None:
        for name, raw in kit.no_lists().items():
            stub = server()
            stub.spoil(kit.find, spoil.at_most(9, raw))
            with subtests.test(name):
                with pytest.raises(ProviderReplyUnreadable):
                    case.every_verb(case.client(stub))["find"]()
                assert len(stub.calls) <= 2

    def test_a_list_that_is_cut_anywhere_never_proves_absence(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled, well: Any
    ) -> None:
        client = case.client(well)
        batch = case.staged(client)
        remote = case.submit(client, batch)
        again = case.client(spoiled)
        for framed in (spoil.sized, spoil.unsized):
            for tenth in range(10):
                place = partial(_tenths, tenth)
                spoiled.spoil(kit.find, spoil.cut(place, framed, spoil.nothing_more))
                try:
                    assert remote == case.find(again, batch)
                except IN_DOUBT:
                    continue

    def test_a_list_is_read_to_its_end(
        self, case: Case, other: Case, kit: Kit, spoiled: spoil.Spoiled
    ) -> None:
        if kit.fills_a_container or not kit.has_pages:
            pytest.skip("it is one reply, or what is in the one container is looked at")
        client, stranger = case.client(spoiled), other.client(spoiled)
        batch, theirs = case.staged(client, 4), other.staged(stranger, 5)
        remote = case.submit(client, batch)
        for _ in range(5 if kit.page_parameter else kit.page_size + 5):
            other.submit(stranger, theirs)
        if kit.page_parameter:
            spoiled.spoil(kit.find, spoil.asking(kit.page_parameter, "2"))
        spoiled.calls.clear()
        assert remote == case.find(client, batch)
        assert kit.filters_list or len(spoiled.asked(kit.find)) > 1

    def test_a_list_that_lags_shows_the_batch_in_the_end(self, case: Case, behaving: Any) -> None:
        """Not seeing it proves nothing by itself: the engine waits for the list to settle."""
        late = behaving(late_list_seconds=0.5)
        client = case.client(late)
        batch = case.staged(client)
        remote = case.submit(client, batch)
        assert case.find(client, batch) in (None, remote)
        time.sleep(0.6)
        assert remote == case.find(client, batch)

    # The fence

    def test_an_input_that_was_taken_away_is_not_run(self, case: Case, well: Any) -> None:
        client = case.client(well)
        if not client.fences:
            pytest.skip("an order that is on its way cannot be made harmless here")
        batch = case.staged(client)
        client.fence(batch)
        client.fence(batch)
        remote = case.find(client, batch)
        assert remote is None
        if raised_by(lambda: case.submit(client, batch)) is None:
            remote = case.find(client, batch)
            assert remote is not None
            assert until_ended(client, remote).event == "refused"
            batch = replace(batch, dead=(str(remote),))
        assert case.find(client, batch) is None
        assert case.billed(well) == {}

    def test_an_order_that_arrives_after_the_fence_is_not_run(
        self, case: Case, kit: Kit, spoiled: spoil.Spoiled, well: Any
    ) -> None:
        client = case.client(well)
        if not client.fences:
            pytest.skip("an order that is on its way cannot be made harmless here")
        batch = case.staged(client)
        late = threading.Event()
        spoiled.spoil(kit.create, spoil.held(late))
        with pytest.raises(ProviderSilent):
            case.submit(case.client(spoiled, timeout=0.3), batch)
        assert case.find(client, batch) is None
        client.fence(batch)
        late.set()
        assert spoiled.done.wait(spoil.PATIENCE)
        remote = case.find(client, batch)
        if remote is not None:
            assert until_ended(client, remote).event == "refused"
        assert case.billed(well) == {}
