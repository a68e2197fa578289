"""The engine on a real ledger and real files, with a provider that does what a test tells it."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from runner.build import Run, replay
from runner.compose import compose
from runner.core.errors import (
    LedgerError,
    ProviderBusy,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import Batch, Progress, RemoteId
from runner.core.plan import Purpose
from runner.engine import Engine, Timing
from runner.ledger import Ledger
from runner.providers.openai import OpenAIBatch
from runner.screen import Silent

ARGUMENTS = ["provider=openai", "personas=[p1,p2]", "texts=[t1]", "trials=3"]
GOOD = "\n".join(
    f"Q{n}. {label}(数値): 80\nQ{n}. {label}(理由): よかった。"
    for n, label in enumerate(("面白さ", "驚き", "悲しみ", "怒り"), start=1)
)


class Pretender(OpenAIBatch):
    """Encodes and decodes as OpenAI does; the rest happens in memory, as a script says.

    `script[verb]` is a list of what the next calls bring: an exception to raise, or None to behave.
    """

    def __init__(self, run: Run, script: Mapping[str, list] | None = None) -> None:
        offline = run._offline_provider()
        super().__init__(offline._service, offline._model)
        self.script = {verb: list(steps) for verb, steps in (script or {}).items()}
        self.calls: list[str] = []
        self.files: dict[str, list[str]] = {}
        self.batches: dict[str, str] = {}
        self.answers: list[str] = []
        self.cut = 0
        self.orders = 0

    def _next(self, verb: str) -> None:
        self.calls.append(verb)
        steps = self.script.get(verb, [])
        step = steps.pop(0) if steps else None
        if isinstance(step, Exception):
            raise step

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        self._next("stage")
        ids = [json.loads(line)["custom_id"] for line in path.read_bytes().splitlines()]
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = ids
        return {"input_file_id": file_id}

    def submit(self, batch: Batch, labels: Mapping[str, str]) -> RemoteId:
        self.calls.append("submit")
        steps = self.script.get("submit", [])
        step = steps.pop(0) if steps else None
        if isinstance(step, ProviderBusy | ProviderRefused):
            raise step
        self.orders += 1
        remote = f"batch-{self.orders}"
        self.batches[remote] = batch.handle["input_file_id"]
        if isinstance(step, Exception):
            raise step
        return RemoteId(remote)

    def find(self, batch: Batch) -> RemoteId | None:
        self._next("find")
        for remote, file_id in self.batches.items():
            if file_id == batch.handle["input_file_id"] and remote not in batch.dead:
                return RemoteId(remote)
        return None

    def fence(self, batch: Batch) -> None:
        self._next("fence")

    def poll(self, remote: RemoteId) -> Progress:
        self.calls.append("poll")
        steps = self.script.get("poll", [])
        step = steps.pop(0) if steps else None
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Progress):
            return step
        return Progress(state="completed", event="end", files={"output": self.batches[remote]})

    def download(self, file_id: str, sink) -> None:
        self._next("download")
        ids = self.files[file_id]
        cut, self.cut = self.cut, max(self.cut - 1, 0)
        for custom_id in ids[: len(ids) - cut]:
            text = self.answers.pop(0) if self.answers else GOOD
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 10, "completion_tokens": 10}
            choice = {"message": message, "finish_reason": "stop"}
            body = {"model": "m", "choices": [choice], "usage": usage}
            response = {"status_code": 200, "request_id": "r", "body": body}
            row = {"custom_id": custom_id, "response": response, "error": None}
            sink.write(json.dumps(row).encode() + b"\n")

    def cancel(self, remote: RemoteId) -> None:
        self._next("cancel")


class Clock:
    """Time passes when somebody waits for it."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def jitter(self) -> float:
        return 0.0


def engine(
    folder: Path, script=None, purpose=Purpose.RUN, *, budget=None, arguments=()
) -> tuple[Engine, Pretender]:
    """An engine on the ledger of a folder, which is made if it is not there."""
    run = Run(compose([*ARGUMENTS, *arguments])[0])
    provider = Pretender(run, script)
    new = not (folder / "cache.db").exists()
    ledger = Ledger.create(folder, run._record()) if new else Ledger.open(folder)
    roster = run._roster()
    for batch in ledger.batches():
        replay(roster, batch.state, ledger.members(batch.key), ledger.outcomes(batch.key))
    made = Engine(
        ledger=ledger,
        provider=provider,
        roster=roster,
        outbox=run._outbox(folder, provider),
        intake=run._intake(folder, provider),
        model=run.settings.experiment.model,
        price=run.price,
        limits=run.settings.limits,
        labels={"experiment": "x", "name": "y"},
        purpose=purpose,
        budget_usd=budget,
        timing=Timing(first=1.0, longest=8.0, longest_retry_after=60.0, settle=10.0),
        clock=Clock(),
        observer=Silent(),
    )
    return made, provider


def finished(made: Engine):
    """Run an engine to its end and let go of its ledger."""
    try:
        return made.run()
    finally:
        made._ledger.close()


def storm(count: int) -> list[Exception]:
    errors = [
        ProviderSilent("500"),
        ProviderBusy("429", retry_after=3.0),
        ProviderRefused("404"),
        ProviderReplyUnreadable("not JSON"),
    ]
    return [errors[n % len(errors)] for n in range(count)]


def test_fifty_failed_polls_in_a_row_lose_nothing_and_send_nothing(tmp_path):
    made, provider = engine(tmp_path, {"poll": storm(50)})
    view = finished(made)
    assert (view.counts.success, view.counts.total) == (6, 6)
    assert provider.orders == 1
    assert provider.calls.count("poll") == 51


def test_failed_downloads_are_tried_again_until_the_answers_are_there(tmp_path):
    made, provider = engine(tmp_path, {"download": storm(20)})
    assert finished(made).counts.success == 6
    assert provider.orders == 1


@pytest.mark.parametrize("error", [ProviderSilent("reset"), ProviderReplyUnreadable("half")])
def test_a_lost_reply_is_looked_up_and_not_sent_again(tmp_path, error):
    made, provider = engine(tmp_path, {"submit": [error]})
    assert finished(made).counts.success == 6
    assert provider.orders == 1
    assert provider.calls.count("find") == 1


def test_an_order_that_never_arrived_is_sent_again_after_look_fence_and_look(tmp_path):
    made, provider = engine(tmp_path, {"submit": [ProviderSilent("reset")]})
    lost = provider.batches
    provider.batches = {}
    original = provider.submit

    def swallow(batch, labels):
        try:
            return original(batch, labels)
        except ProviderSilent:
            provider.batches.clear()
            raise

    provider.submit = swallow
    assert finished(made).counts.success == 6
    assert lost == {}
    assert provider.orders == 2
    sent = [call for call in provider.calls if call in ("submit", "find", "fence", "stage")]
    first, last = sent.index("submit"), len(sent) - 1 - sent[::-1].index("submit")
    between = sent[first + 1 : last]
    assert between[-1] == "stage"
    assert between.index("fence") > between.index("find")
    assert between[between.index("fence") :].count("find") >= 1
    assert provider.files.keys() == {"file-0", "file-1"}


def test_not_now_is_waited_out_and_sent_again(tmp_path):
    busy = [ProviderBusy("429", retry_after=5.0), ProviderBusy("cannot reach it")]
    made, provider = engine(tmp_path, {"submit": busy, "stage": [ProviderBusy("429")]})
    assert finished(made).counts.success == 6
    assert provider.orders == 1
    assert "find" not in provider.calls


def test_a_refusal_stops_the_sending_with_its_reason_and_a_later_run_goes_on(tmp_path):
    made, provider = engine(tmp_path, {"submit": [ProviderRefused("no such model")]})
    view = finished(made)
    assert "no such model" in view.halted
    assert (provider.orders, view.counts.open) == (0, 6)
    made, provider = engine(tmp_path)
    assert finished(made).counts.success == 6
    assert provider.orders == 1


def test_enqueued_tokens_put_a_batch_back_and_it_goes_out_later_by_itself(tmp_path):
    full = Progress(state="failed", event="deferred", message="token_limit_exceeded")
    made, provider = engine(tmp_path, {"poll": [full, full]})
    assert finished(made).counts.success == 6
    assert provider.orders == 3
    assert len(provider.files) == 1, "the same input is ordered again"


def test_a_batch_that_fails_validation_is_dropped_and_its_requests_are_free_again(tmp_path):
    bad = Progress(state="failed", event="refused", message="invalid_json_line")
    made, provider = engine(tmp_path, {"poll": [bad]})
    view = finished(made)
    assert "invalid_json_line" in view.halted
    assert view.counts.pending == 6
    made, provider = engine(tmp_path)
    assert finished(made).counts.success == 6
    assert provider.orders == 1


def test_requests_are_believed_missing_only_when_two_downloads_agree(tmp_path):
    made, provider = engine(tmp_path)
    provider.cut = 3
    assert finished(made).counts.success == 6
    assert provider.orders == 1
    assert provider.calls.count("download") == 4


def test_only_what_cannot_be_read_is_asked_again_in_the_next_batch(tmp_path):
    made, provider = engine(tmp_path)
    provider.answers = ["読めません。", GOOD, "読めません。"]
    view = finished(made)
    assert (view.counts.success, view.counts.retry_success) == (4, 2)
    assert [len(ids) for ids in provider.files.values()] == [6, 2]


def test_a_request_without_a_readable_answer_is_given_up_after_max_attempts(tmp_path):
    made, provider = engine(tmp_path, arguments=["retry.max_attempts=2"])
    provider.answers = ["読めません。"] * 12
    view = finished(made)
    assert (view.counts.failed, view.counts.open) == (6, 0)
    assert provider.orders == 2
    made, provider = engine(tmp_path, arguments=["retry.max_attempts=3"])
    assert finished(made).counts.retry_success == 6, "a larger number asks them once more"
    assert provider.orders == 1


def test_a_re_ask_that_would_pass_the_budget_is_not_sent(tmp_path):
    made, provider = engine(tmp_path, budget=Decimal("0.003"))
    provider.answers = ["読めません。"] * 6
    view = finished(made)
    assert provider.orders == 1
    assert view.counts.open == 6
    made, provider = engine(tmp_path, budget=Decimal("0.0001"))
    view = finished(made)
    assert provider.orders == 0
    assert "budget.max_usd" in view.held


def test_a_ledger_that_takes_no_writes_stops_the_run_before_the_order(tmp_path):
    made, provider = engine(tmp_path)
    commit = made._ledger._commit

    def full(rows):
        if any("sent_at" in str(v) and '"state":"submitting"' in str(v) for v in rows.values()):
            raise LedgerError("disk full")
        commit(rows)

    made._ledger._commit = full
    with pytest.raises(LedgerError, match="disk full"):
        finished(made)
    assert provider.orders == 0
    made, provider = engine(tmp_path)
    provider.files["file-0"] = ["p1_t1_n01"]
    assert finished(made).counts.total == 6


def test_collect_sends_nothing_and_asks_every_batch_once(tmp_path):
    made, provider = engine(tmp_path, purpose=Purpose.SUBMIT)
    finished(made)
    assert (provider.orders, provider.calls.count("poll")) == (1, 0)
    working = Progress(state="in_progress", event="progress")
    again, later = engine(tmp_path, {"poll": [working]}, Purpose.COLLECT)
    later.batches, later.files = provider.batches, provider.files
    assert finished(again).counts.open == 6
    assert later.calls == ["poll"]
    again, later = engine(tmp_path, purpose=Purpose.COLLECT)
    later.batches, later.files = provider.batches, provider.files
    assert finished(again).counts.success == 6
    assert later.calls == ["poll", "download"]
