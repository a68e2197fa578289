"""Commands left for a runner: carried out once, answered honestly, and never lost."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from runner.core.errors import ProviderUndecided
from runner.core.model import Progress
from runner.core.plan import Purpose
from runner.core.states import BatchState
from runner.storage.commands import DONE, FOLDER, CommandVerb, answer, answered, leave, waiting
from runner.storage.ledger import Ledger
from tests.integration.test_engine import ARGUMENTS, GOOD, Pretender, engine, finished

V = CommandVerb
TWO_BATCHES = ("provider.limits.requests=3", "provider.limits.margin=0")
"""Six requests in two batches of three."""
GOING_ON = Progress(state="in_progress", event="progress")


class Cancelling(Pretender):
    """Answers two requests of a batch that is cancelled."""

    cancelled: tuple[str, ...] = ()
    one_at_a_time = threading.Lock()

    def cancel(self, remote):
        super().cancel(remote)
        self.cancelled += (remote,)

    def download(self, file_id, sink):
        with self.one_at_a_time:
            self.cut = int(any(self.batches[remote] == file_id for remote in self.cancelled))
            super().download(file_id, sink)

    def poll(self, remote):
        if remote in self.cancelled:
            file = self.batches[remote]
            answered = len(self.files[file]) - 1
            return Progress(
                state="cancelled",
                event="end",
                completed=answered,
                failed=0,
                files={"output": file},
                rest="cancelled",
            )
        return super().poll(remote)


def submitted(folder: Path, *arguments: str) -> None:
    """Send everything and leave."""
    made, _ = engine(folder, purpose=Purpose.SUBMIT, arguments=arguments)
    finished(made)


def told(folder: Path, command) -> tuple[bool, str]:
    found = answered(folder, command["id"])
    assert found is not None
    return found["applied"], found["detail"]


def resumed(folder: Path, *arguments: str, kind=Pretender, script=None, purpose=Purpose.RUN):
    """Take up a run where an earlier process left it: the provider still has its batches."""
    made, provider = engine(folder, script, purpose, arguments=arguments, kind=kind)
    for number, batch in enumerate(made.snapshot.batches):
        path = folder / "requests" / f"{batch.key}.jsonl"
        ids = [json.loads(line)["custom_id"] for line in path.read_bytes().splitlines()]
        provider.files[f"file-{number}"] = ids
        if batch.remote is not None:
            provider.batches[batch.remote] = f"file-{number}"
    provider.orders = len(made.snapshot.batches)
    return made, provider


def test_a_cancelled_batch_keeps_its_answers_and_the_others_go_on(tmp_path):
    submitted(tmp_path, *TWO_BATCHES)
    command = leave(tmp_path, V.CANCEL, 1.0, batch="b0001")
    made, provider = resumed(tmp_path, *TWO_BATCHES, kind=Cancelling)
    snapshot = finished(made)
    assert told(tmp_path, command)[0]
    assert provider.calls.count("cancel") == 1
    assert "submit" not in provider.calls
    assert snapshot.counts.success == 5
    assert snapshot.counts.open == snapshot.counts.pending == 1


def test_what_a_cancelled_batch_left_is_asked_by_the_next_run(tmp_path):
    submitted(tmp_path, *TWO_BATCHES)
    leave(tmp_path, V.CANCEL, 1.0, batch="b0001")
    finished(resumed(tmp_path, *TWO_BATCHES, kind=Cancelling)[0])
    snapshot = finished(resumed(tmp_path, *TWO_BATCHES)[0])
    assert (snapshot.counts.success, snapshot.counts.open) == (6, 0)


def test_what_a_cancelled_batch_left_is_asked_when_the_user_says_so(tmp_path):
    submitted(tmp_path, *TWO_BATCHES)

    class Watched(Cancelling):
        def download(self, file_id, sink):
            super().download(file_id, sink)
            if not hasattr(self, "command"):
                leave(tmp_path, V.CANCEL, 1.0, batch="b0001")  # it is over by then: refused
                self.command = leave(tmp_path, V.RESUBMIT, 2.0, batch="b0001")

        def poll(self, remote):
            if (
                remote not in self.cancelled
                and remote == "batch-2"
                and self.calls.count("poll") < 9
            ):
                self.calls.append("poll")
                return GOING_ON
            return super().poll(remote)

    leave(tmp_path, V.CANCEL, 0.5, batch="b0001")
    made, provider = resumed(tmp_path, *TWO_BATCHES, kind=Watched)
    snapshot = finished(made)
    assert told(tmp_path, provider.command) == (True, "1 requests are asked again now")
    assert (snapshot.counts.success, snapshot.counts.open) == (6, 0)


@pytest.mark.parametrize("state", ["packed", "staged"])
def test_a_batch_that_was_not_ordered_is_dropped_and_not_sent(tmp_path, state):
    submitted(tmp_path, *TWO_BATCHES)
    with Ledger.open(tmp_path) as ledger:
        batch = ledger.batches()[0]
        ledger.record(replace(batch, state=BatchState(state), remote=None), summary={})
    command = leave(tmp_path, V.CANCEL, 1.0, batch="b0001")
    made, provider = resumed(tmp_path, *TWO_BATCHES)
    snapshot = finished(made)
    assert told(tmp_path, command) == (True, "b0001 is dropped")
    assert not {"submit", "cancel", "stage"} & set(provider.calls)
    assert (snapshot.counts.success, snapshot.counts.open) == (3, 3)


def test_a_batch_that_is_over_cannot_be_cancelled(tmp_path):
    finished(engine(tmp_path)[0])
    command = leave(tmp_path, V.CANCEL, 1.0, batch="b0001")
    made, provider = resumed(tmp_path)
    finished(made)
    assert told(tmp_path, command) == (False, "b0001 is collected already")
    assert "cancel" not in provider.calls


def test_a_batch_nobody_knows_is_said_to_be_unknown(tmp_path):
    command = leave(tmp_path, V.CANCEL, 1.0, batch="b0099")
    finished(engine(tmp_path)[0])
    assert told(tmp_path, command) == (False, "there is no batch b0099")


def test_a_cancel_that_fails_is_tried_again_and_answered_once(tmp_path):
    submitted(tmp_path, *TWO_BATCHES)
    command = leave(tmp_path, V.CANCEL, 1.0, batch="b0001")
    made, provider = resumed(
        tmp_path, *TWO_BATCHES, kind=Cancelling, script={"cancel": [ProviderUndecided("?", ())] * 2}
    )
    finished(made)
    assert told(tmp_path, command)[0]
    assert provider.calls.count("cancel") == 3


def bad_then(*good: str) -> list[str]:
    return ["nothing to read"] * 18 + list(good)


def failed_run(folder: Path) -> None:
    """Run until all six requests have failed three times."""
    made, provider = engine(folder)
    provider.answers = bad_then()
    snapshot = finished(made)
    assert snapshot.counts.failed == 6


def test_failed_requests_are_asked_once_more_on_request(tmp_path):
    failed_run(tmp_path)
    command = leave(tmp_path, V.RETRY, 1.0)
    made, provider = resumed(tmp_path)
    provider.answers = [GOOD] * 4 + ["still nothing"] * 2
    snapshot = finished(made)
    assert told(tmp_path, command) == (True, "6 requests are asked again now")
    assert (snapshot.counts.retry_success, snapshot.counts.failed, snapshot.counts.open) == (
        4,
        2,
        0,
    )


def test_only_the_named_requests_are_asked_once_more(tmp_path):
    failed_run(tmp_path)
    leave(tmp_path, V.RETRY, 1.0, requests=("p1_t1_n02", "nobody"))
    made, provider = resumed(tmp_path)
    snapshot = finished(made)
    assert (snapshot.counts.retry_success, snapshot.counts.failed) == (1, 5)
    assert list(provider.files.values())[-1] == ["p1_t1_n02"]


def test_nothing_failed_means_nothing_is_asked_again(tmp_path):
    finished(engine(tmp_path)[0])
    command = leave(tmp_path, V.RETRY, 1.0)
    made, provider = resumed(tmp_path)
    finished(made)
    assert told(tmp_path, command) == (False, "no request is failed that could be asked again")
    assert "submit" not in provider.calls


def test_stopping_leaves_the_batches_at_the_provider(tmp_path):
    submitted(tmp_path)
    command = leave(tmp_path, V.STOP, 1.0)
    made, provider = resumed(tmp_path)
    snapshot = finished(made)
    assert told(tmp_path, command)[0]
    assert snapshot.batches[0].state is BatchState.RUNNING
    assert provider.calls == []


def in_doubt(folder: Path) -> None:
    submitted(folder)
    with Ledger.open(folder) as ledger:
        batch = replace(
            ledger.batches()[0],
            state=BatchState.SUBMITTING,
            remote=None,
            candidates=("batch-1", "batch-7"),
        )
        ledger.record(batch, summary={})


def test_a_batch_in_doubt_is_adopted_as_the_one_the_user_names(tmp_path):
    in_doubt(tmp_path)
    command = leave(tmp_path, V.ADOPT, 1.0, batch="b0001", remote="batch-1")
    made, provider = resumed(tmp_path)
    provider.batches["batch-1"] = "file-0"
    snapshot = finished(made)
    assert told(tmp_path, command) == (True, "b0001 is batch-1")
    assert (snapshot.counts.success, "submit" in provider.calls) == (6, False)


def test_a_doubt_with_two_candidates_is_not_adopted_without_a_name(tmp_path):
    in_doubt(tmp_path)
    command = leave(tmp_path, V.ADOPT, 1.0, batch="b0001")
    finished(resumed(tmp_path, purpose=Purpose.COLLECT)[0])
    applied, detail = told(tmp_path, command)
    assert not applied
    assert "batch-7" in detail


def test_an_abandoned_batch_is_asked_again_and_its_reserve_stays_spent(tmp_path):
    in_doubt(tmp_path)
    command = leave(tmp_path, V.ABANDON, 1.0, batch="b0001")
    made, provider = resumed(tmp_path)
    snapshot = finished(made)
    assert told(tmp_path, command)[0]
    assert snapshot.batches[0].state is BatchState.DROPPED
    assert snapshot.batches[0].abandoned_at is not None
    assert (snapshot.counts.success, provider.calls.count("submit")) == (6, 1)


# -- the folder of commands itself


def test_a_command_waits_until_it_is_answered(tmp_path):
    command = leave(tmp_path, V.CANCEL, 5.0, batch="b0001")
    assert waiting(tmp_path) == (command,)
    assert answered(tmp_path, command["id"]) is None
    answer(tmp_path, command, applied=False, detail="no", now=6.0)
    assert waiting(tmp_path) == ()
    assert told(tmp_path, command) == (False, "no")


def test_commands_are_read_in_the_order_in_which_they_were_left(tmp_path):
    names = [leave(tmp_path, V.STOP, float(at))["id"] for at in (3, 1, 2)]
    assert [c["id"] for c in waiting(tmp_path)] == sorted(names)


def test_a_folder_without_a_mailbox_has_no_commands(tmp_path):
    assert waiting(tmp_path) == waiting(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"id": "x"}',
        b"\xff\xfe",
        b'{"id": "00000000001000-00000000"}',
        b'{"id": "00000000001000-00000000", "verb": "burn", "at": 1}',
        b'{"id": "00000000001000-00000000", "verb": "stop"}',
        b'{"id": "00000000001000-00000000", "verb": "retry", "at": 1, "requests": "all"}',
        b'{"id": "00000000001000-00000000", "verb": "retry", "at": 1, "requests": [1]}',
        b'{"id": "00000000001000-00000000", "verb": "cancel", "at": 1, "batch": {}}',
        b'{"id": "00000000001000-00000000", "verb": ["stop"], "at": 1}',
        b"9" * 70_000,
        b"[" * 60_000,
    ],
)
def test_what_is_no_command_is_left_alone_and_stops_nobody(tmp_path, text):
    place = tmp_path / FOLDER
    place.mkdir()
    (place / "00000000001000-00000000.json").write_bytes(text)
    good = leave(tmp_path, V.STOP, 2.0)
    assert waiting(tmp_path) == (good,)
    assert len(list(place.glob("*.json"))) == 2


def test_half_written_commands_and_other_files_are_not_read(tmp_path):
    place = tmp_path / FOLDER
    place.mkdir()
    (place / "00000000001000-00000000.json.part").write_bytes(b'{"id": "x"')
    (place / "notes.json").write_bytes(b"{}")
    (place / DONE).mkdir()
    assert waiting(tmp_path) == ()


def test_a_runner_goes_on_beside_garbage_in_its_mailbox(tmp_path):
    place = tmp_path / FOLDER
    place.mkdir()
    (place / "00000000001000-00000000.json").write_bytes(b"{")
    snapshot = finished(engine(tmp_path)[0])
    assert snapshot.counts.success == 6


assert ARGUMENTS[-1] == "trials=3"  # six requests, as the numbers above have it
