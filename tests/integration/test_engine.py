"""The engine on a real ledger and real files, with a provider that does what a test tells it."""

import itertools
import json
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.batches.downloads import Downloads
from runner.cli.screen import Silent
from runner.core.errors import (
    LedgerError,
    ProviderBusy,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
    ProviderUndecided,
)
from runner.core.model import Batch, Progress, RemoteId, Stopping
from runner.core.plan import Purpose, committed
from runner.core.states import BatchEvent
from runner.core.transition import Timing
from runner.core.twins import Made
from runner.providers._chat import answer_line
from runner.providers.openai import OpenAIBatch
from runner.run import record
from runner.run.admission import Admission, Rounds
from runner.run.budget import SharedBudget
from runner.run.calls import Calls
from runner.run.engine import Engine
from runner.run.realtime import Conversation, Pacer, Realtime
from runner.run.run import Run
from runner.run.run_state import RunState
from runner.run.spec import Asking, RunSpec
from runner.storage import lease
from runner.storage.ledger import Ledger
from tests.integration.test_shared_disks import of_another_machine, silent_for
from tests.unit.composing import composed

ARGUMENTS = ["provider=openai", "personas=[p1,p2]", "texts=[t1]", "trials=3"]
IN_BATCHES = Asking(first=False, again=False)
GOOD = "\n".join(
    f"Q{n}. {label}(数値): 80\nQ{n}. {label}(理由): よかった。"
    for n, label in enumerate(("面白さ", "驚き", "悲しみ", "怒り"), start=1)
)


class Pretender(OpenAIBatch):
    """Encodes and decodes as OpenAI does; the rest happens in memory, as a script says.

    `script[verb]` is a list of what the next calls bring: an exception to raise, or None to behave.
    """

    tells_inputs = False

    def __init__(self, run: Run, script: Mapping[str, list] | None = None) -> None:
        offline = run.connection.offline()
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

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
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

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        self._next("find")
        for remote, file_id in self.batches.items():
            if file_id == batch.handle["input_file_id"] and remote not in batch.dead:
                return Made(RemoteId(remote))
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
    folder: Path,
    script=None,
    purpose=Purpose.RUN,
    *,
    budget=None,
    arguments=(),
    asking=IN_BATCHES,
    shared_budget=None,
    kind=None,
    shared=False,
    clock=None,
    deadline=None,
) -> tuple[Engine, Pretender]:
    """An engine on the ledger of a folder, which is made if it is not there."""
    run = Run(composed([*ARGUMENTS, *arguments])[0])
    provider = (kind or Pretender)(run, script)
    new = not (folder / "cache.db").exists()
    ledger = (
        Ledger.create(folder, record.new_record(run), shared=shared) if new else Ledger.open(folder)
    )
    request_files = run.request_files(folder, provider)
    spec = RunSpec(
        experiment_id="x",
        name="y",
        purpose=purpose,
        asking=asking,
        model=run.settings.experiment.model,
        prices=run.prices,
        limits=run.settings.limits,
        timing=Timing(first=1.0, longest=8.0, longest_retry_after=60.0, settle=10.0),
        budget_usd=budget,
        deadline=deadline,
    )
    budget_of_all, clock = shared_budget or SharedBudget(), clock or Clock()
    state = RunState(
        ledger, run.standing(ledger), budget_of_all, clock, Silent(), waits=spec.purpose.waits
    )
    pacer = Pacer(None, 0.01, 0.1, 1.0)
    result_reader = run.result_reader(folder, provider, request_files)
    calls = Calls(
        spec,
        state,
        provider=provider,
        realtime=Realtime(
            folder, request_files.path, provider.ask, pacer, 4, asks=True, keep=ledger.keep
        ),
        request_files=request_files,
        downloads=Downloads(folder, result_reader, spec.timing.settle),
        decode=result_reader.decode,
    )
    made = Engine(spec, state, calls)
    return made, provider


def finished(made: Engine):
    """Run an engine to its end and let go of its ledger."""
    try:
        return made.run()
    finally:
        made._state.ledger.close()


def test_what_is_asked_once_more_is_judged_anew(tmp_path):
    made, _ = engine(tmp_path)
    state, stems = made._state, [*made._state.requests.rows]
    rule = Stopping(least=3, most=3, half_width=9, item="Q1", is_choice=False)
    rounds = Rounds(rule, stems, lambda *_: {}, lambda *_: None)
    state._admission = Admission(None, rounds)
    assert finished(made).until["at_max"] == len(stems)
    state.ledger.summarise = lambda _: None
    state.asked_again()
    assert rounds.facts()["open"] == len(stems)


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
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.total) == (6, 6)
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

    def swallow(batch, path, labels):
        try:
            return original(batch, path, labels)
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
    snapshot = finished(made)
    assert "no such model" in snapshot.halted
    assert (provider.orders, snapshot.counts.open) == (0, 6)
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
    snapshot = finished(made)
    assert "invalid_json_line" in snapshot.halted
    assert snapshot.counts.pending == 6
    made, provider = engine(tmp_path)
    assert finished(made).counts.success == 6
    assert provider.orders == 1


def test_requests_are_believed_missing_only_when_two_downloads_agree(tmp_path):
    made, provider = engine(tmp_path)
    provider.cut = 3
    assert finished(made).counts.success == 6
    assert provider.orders == 1
    assert provider.calls.count("download") == 4


COUNTED = Progress(
    state="completed", event="end", completed=6, failed=0, files={"output": "file-0"}
)


def known(made: Engine) -> Batch:
    return made.snapshot.batches[0]


def test_the_first_contradiction_is_remembered_over_restarts(tmp_path, monkeypatch):
    made, provider = engine(tmp_path, {"poll": [COUNTED] * 99})
    provider.cut = 99
    sleep, stops = made._clock.sleep, []

    def stop(seconds):
        sleep(seconds)
        if known(made).unsettled_at is not None and not stops:
            stops.append(made.stop())

    made._clock.sleep = stop
    finished(made)
    since = known(made).unsettled_at
    assert known(made).held_at is None
    assert since is not None
    monkeypatch.setattr(Clock, "__init__", lambda self: setattr(self, "time", since + 10))
    made, later = engine(tmp_path, {"poll": [COUNTED] * 99})
    later.files, later.batches, later.cut = provider.files, provider.batches, 99
    snapshot = finished(made)
    assert known(made).unsettled_at == since
    assert "its files hold" in snapshot.held
    assert later.calls == ["poll", "download"], "one look, and it is held again"
    assert (later.orders, snapshot.counts.open) == (0, 6)


def test_without_counts_both_downloads_that_agree_are_of_one_process(tmp_path, monkeypatch):
    made, provider = engine(tmp_path, purpose=Purpose.SUBMIT)
    finished(made)
    provider.cut = 1
    working, later = engine(tmp_path, purpose=Purpose.COLLECT)
    later.files, later.batches, later.cut = provider.files, provider.batches, 1
    finished(working)
    assert known(working).downloads is not None
    later_than = working._clock.time + 40_000  # the wall clock was set meanwhile
    monkeypatch.setattr(Clock, "__init__", lambda self: setattr(self, "time", later_than))
    made, last = engine(tmp_path)
    last.files, last.batches, last.cut = provider.files, provider.batches, 1
    looked = []
    download = last.download

    def timed(file_id, sink):
        looked.append(made._clock.now())
        last.cut = int(file_id == "file-0")
        download(file_id, sink)

    last.download = timed
    assert finished(made).counts.open == 0
    assert len(looked) >= 2
    assert looked[1] - looked[0] >= 1


def test_without_counts_nothing_is_lost_before_the_settle_time_has_passed(tmp_path):
    made, provider = engine(tmp_path)
    at = []
    download = provider.download

    def timed(file_id, sink):
        if file_id == "file-0":
            at.append(made._clock.now())
            provider.cut = 1
        download(file_id, sink)

    provider.download = timed
    assert finished(made).counts.success == 6
    assert provider.orders == 2
    assert at[-1] - at[0] >= made._spec.timing.settle


def test_looks_at_a_contradiction_are_ever_further_apart_and_said_once(tmp_path):
    made, provider = engine(tmp_path, {"poll": [COUNTED] * 99})
    provider.cut = 99
    at, said = [], []
    download = provider.download

    def timed(file_id, sink):
        at.append(made._clock.now())
        provider.cut = 3
        download(file_id, sink)

    provider.download = timed
    made._state.observer.happened = lambda event: said.append(event["event"])
    snapshot = finished(made)
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert gaps[:-1] == sorted(gaps[:-1])
    assert min(gaps) >= 1
    assert sum(gaps) == pytest.approx(made._spec.timing.settle)
    assert (said.count("unsettled"), said.count("held")) == (1, 1)
    assert "counts 6 answered, its files hold 3" in snapshot.held
    assert provider.orders == 1


def test_a_failure_that_repeats_itself_is_said_once(tmp_path):
    made, _ = engine(tmp_path, {"poll": [ProviderSilent("500")] * 9})
    said = []
    made._state.observer.happened = lambda event: said.append(event["event"])
    finished(made)
    assert said.count("poll failed") == 1


def test_only_what_cannot_be_read_is_asked_again_in_the_next_batch(tmp_path):
    made, provider = engine(tmp_path)
    provider.answers = ["読めません。", GOOD, "読めません。"]
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.retry_success) == (4, 2)
    assert [len(ids) for ids in provider.files.values()] == [6, 2]


def test_a_request_without_a_readable_answer_is_given_up_after_max_attempts(tmp_path):
    made, provider = engine(tmp_path, arguments=["retry.max_attempts=2"])
    provider.answers = ["読めません。"] * 12
    snapshot = finished(made)
    assert (snapshot.counts.failed, snapshot.counts.open) == (6, 0)
    assert provider.orders == 2
    made, provider = engine(tmp_path, arguments=["retry.max_attempts=3"])
    assert finished(made).counts.retry_success == 6, "a larger number asks them once more"
    assert provider.orders == 1


def test_a_re_ask_that_would_pass_the_budget_is_not_sent(tmp_path):
    made, provider = engine(
        tmp_path, budget=Decimal("0.00245")
    )  # $0.002446 at most, and little more
    provider.answers = ["読めません。"] * 6
    snapshot = finished(made)
    assert provider.orders == 1
    assert snapshot.counts.open == 6
    made, provider = engine(tmp_path, budget=Decimal("0.0001"))
    snapshot = finished(made)
    assert provider.orders == 0
    assert "budget.max_usd" in snapshot.held


def asking_for(provider, completion: object) -> Callable[[bytes], bytes]:
    """Answers one request, and says that it took so many tokens; they are kept."""

    def ask(line: bytes) -> bytes:
        custom_id = json.loads(line)["custom_id"]
        provider.calls.append(custom_id)
        body = {
            "model": "m",
            "choices": [{"message": {"content": GOOD}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": completion},
        }
        response = {"status_code": 200, "request_id": "r", "body": body}
        return json.dumps({"custom_id": custom_id, "response": response, "error": None}).encode()

    return ask


def test_answers_that_cost_more_than_the_most_end_the_asking_and_the_rest_stays_open(tmp_path):
    made, provider = engine(tmp_path, budget=Decimal("0.01"), asking=ONE_BY_ONE)
    made._calls.realtime._concurrency = 1
    made._calls.realtime._ask = asking_for(
        provider, 10_000
    )  # $0.005 each; at most $0.0009 was thought
    snapshot = finished(made)
    assert len(provider.calls) == 2
    assert (snapshot.counts.success, snapshot.counts.open) == (2, 4)
    assert "budget.max_usd" in snapshot.held
    assert snapshot.batches[0].cost_usd == committed(snapshot.batches) > Decimal("0.01")
    made, provider = engine(tmp_path, budget=Decimal("0.1"), asking=ONE_BY_ONE)
    made._calls.realtime._ask = asking_for(provider, 10)
    assert finished(made).counts.success == 6
    assert len(provider.calls) == 4


def test_answers_of_unknown_cost_stay_reserved_in_the_purse(tmp_path):
    shared_budget = SharedBudget()
    made, provider = engine(
        tmp_path, budget=Decimal(1), asking=ONE_BY_ONE, shared_budget=shared_budget
    )
    made._calls.realtime._ask = asking_for(provider, None)
    snapshot = finished(made)
    (batch,) = snapshot.batches
    assert (batch.cost_usd, batch.known_usd, batch.cost_unknown) == (None, 0, 6)
    assert batch.held_usd == batch.reserved_usd == shared_budget.committed(tmp_path) > 0
    again = SharedBudget()
    again.look_into(tmp_path)
    assert again.total == batch.held_usd


def test_what_other_jobs_have_committed_counts_against_the_same_budget(tmp_path):
    shared_budget = SharedBudget()
    made, provider = engine(tmp_path / "one", budget=Decimal("0.006"), shared_budget=shared_budget)
    assert finished(made).counts.success == 6
    made, provider = engine(tmp_path / "two", budget=Decimal("0.003"), shared_budget=shared_budget)
    shared_budget._committed[tmp_path / "three"] = Decimal("0.002")
    assert "budget.max_usd" in finished(made).held
    assert provider.orders == 0
    fresh = SharedBudget()
    fresh.look_into(tmp_path / "one")
    fresh.look_into(tmp_path / "nowhere")
    assert fresh.of_others(tmp_path / "two") == shared_budget.of_others(tmp_path / "three") > 0
    assert fresh.of_others(tmp_path / "one") == 0


def test_a_ledger_that_takes_no_writes_stops_the_run_before_the_order(tmp_path):
    made, provider = engine(tmp_path)
    commit = made._state.ledger._commit

    def full(rows):
        if any("sent_at" in str(v) and '"state":"submitting"' in str(v) for v in rows.values()):
            raise LedgerError("disk full")
        commit(rows)

    made._state.ledger._commit = full
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


# --- asked one by one --------------------------------------------------------------------------


class Talker(Pretender):
    """Answers single requests as `script["ask"]` says, and knows how often each was asked."""

    def __init__(self, run: Run, script: Mapping[str, list] | None = None) -> None:
        super().__init__(run, script)
        self.asked: list[str] = []
        self.replies: dict[str, list] = {}
        self.lock = threading.Lock()

    def ask(self, line: bytes) -> bytes:
        request = json.loads(line)
        name = request["custom_id"]
        with self.lock:
            steps = self.replies.get(name) or self.script.get("ask", [])
            step = steps.pop(0) if steps else GOOD
            if isinstance(step, ProviderBusy):
                raise step
            self.asked.append(name)
        if isinstance(step, BaseException):
            raise step
        message = {"role": "assistant", "content": step}
        body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
        return answer_line(name, 200, "r", json.dumps(body).encode())


ONE_BY_ONE = Asking(first=True, again=True)
AGAIN_ONE_BY_ONE = Asking(first=False, again=True)


def test_requests_asked_one_by_one_are_answered_once_each_and_no_batch_is_ordered(tmp_path):
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker)
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.total) == (6, 6)
    assert sorted(provider.asked) == sorted(set(provider.asked))
    assert provider.orders == 0
    assert {b.remote for b in snapshot.batches} == {"realtime-b0001"}


def test_an_unreadable_answer_is_asked_again_at_once_while_batches_do_the_rest(tmp_path):
    made, provider = engine(tmp_path, asking=AGAIN_ONE_BY_ONE, kind=Talker)
    provider.answers = ["読めません。", GOOD, "読めません。"]
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.retry_success) == (4, 2)
    assert (provider.orders, len(provider.asked)) == (1, 2)
    assert [b.realtime for b in snapshot.batches] == [False, True]


def test_not_now_is_waited_out_and_counts_as_nothing(tmp_path):
    busy = [ProviderBusy("429", retry_after=0.01) for _ in range(20)]
    made, provider = engine(tmp_path, {"ask": busy}, asking=ONE_BY_ONE, kind=Talker)
    snapshot = finished(made)
    assert (snapshot.counts.success, len(provider.asked)) == (6, 6)
    assert len(snapshot.batches) == 1


def test_a_lost_answer_is_an_attempt_of_its_own_and_is_asked_again_in_the_next_round(tmp_path):
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker)
    provider.replies = {"p1_t1_n02": [ProviderSilent("timeout")]}
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.retry_success) == (6, 0)
    assert provider.asked.count("p1_t1_n02") == 2
    assert [b.tally for b in snapshot.batches] == [{"valid": 5, "missing": 1}, {"valid": 1}]


def test_a_request_that_is_always_lost_is_given_up(tmp_path):
    made, provider = engine(
        tmp_path, asking=ONE_BY_ONE, kind=Talker, arguments=["retry.max_lost=2"]
    )
    provider.replies = {"p1_t1_n02": [ProviderSilent("timeout")] * 9}
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.failed) == (5, 1)
    assert provider.asked.count("p1_t1_n02") == 2


def test_a_refused_key_ends_the_talk_and_a_later_run_goes_on_without_asking_anything_twice(
    tmp_path,
):
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker)
    made._calls.realtime._concurrency = 1
    provider.script["ask"] = [GOOD, GOOD, ProviderRefused("no such key")]
    snapshot = finished(made)
    assert "no such key" in snapshot.halted
    assert (snapshot.counts.success, snapshot.counts.open) == (2, 4)
    first = [name for name in provider.asked if name != provider.asked[2]]
    made, later = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker)
    assert finished(made).counts.success == 6
    assert not set(first) & set(later.asked)


def test_what_was_on_its_way_when_the_runner_died_is_not_asked_in_the_same_batch_again(tmp_path):
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker)
    made._calls.realtime._concurrency = 1

    def dies(line: bytes) -> bytes:
        if len(provider.asked) == 2:
            provider.asked.append(json.loads(line)["custom_id"])
            made.stop()
            raise ProviderSilent("the runner died here")
        return Talker.ask(provider, line)

    made._calls.realtime._ask = dies
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.open) == (0, 6)
    assert snapshot.batches[0].state == "running"
    raw = tmp_path / "raw"
    assert len((raw / "b0001.output.jsonl.journal").read_bytes().splitlines()) == 2
    assert len((raw / "b0001.output.jsonl.asked").read_bytes().splitlines()) == 3
    with (raw / "b0001.output.jsonl.journal").open("ab") as torn:
        torn.write(b'{"custom_id":"p1')
    made, later = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker)
    snapshot = finished(made)
    assert (snapshot.counts.success, snapshot.counts.retry_success) == (6, 0)
    assert [b.tally for b in snapshot.batches] == [{"valid": 5, "missing": 1}, {"valid": 1}]
    assert later.asked[-1] == provider.asked[2]
    assert not set(provider.asked[:2]) & set(later.asked)


def test_collect_asks_nothing_one_by_one(tmp_path):
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker, purpose=Purpose.SUBMIT)
    finished(made)
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker, purpose=Purpose.COLLECT)
    made._calls.realtime._asks = False
    assert finished(made).counts.open == 6
    assert provider.asked == []


def test_cancel_ends_a_talk_and_its_open_requests_are_free_again(tmp_path):
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker, purpose=Purpose.SUBMIT)
    finished(made)
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker, purpose=Purpose.CANCEL)
    made._calls.realtime._asks = False
    snapshot = finished(made)
    assert provider.asked == []
    assert [b.tally for b in snapshot.batches] == [{"cancelled": 6}]
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker)
    assert finished(made).counts.success == 6


# --- a disk that several machines share -------------------------------------------------------


def stopped_for_long_and_followed(folder: Path, made: Engine) -> None:
    """The machine slept for more than a minute, and a runner on another one has gone on meanwhile."""
    silent_for(of_another_machine(folder), 99)
    lease.Lease.take(folder)
    made._state.ledger._hold.lease._touched = lease._now() - 99


def test_an_order_that_waited_while_another_machine_went_on_is_not_sent(tmp_path):
    made, provider = engine(tmp_path, shared=True)
    take = made._state.take

    def sleeps_after(step):
        take(step)
        if step.event == BatchEvent.SEND:
            stopped_for_long_and_followed(tmp_path, made)

    made._state.take = sleeps_after
    with pytest.raises(LedgerError, match="has gone on with its work"):
        finished(made)
    assert provider.orders == 0
    assert "submit" not in provider.calls


def test_nothing_is_asked_or_noted_one_by_one_after_another_machine_went_on(tmp_path):
    made, provider = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker, shared=True)
    made._calls.realtime._concurrency = 1

    def sleeps_meanwhile(line: bytes) -> bytes:
        answer = Talker.ask(provider, line)
        if len(provider.asked) == 2:
            stopped_for_long_and_followed(tmp_path, made)
        return answer

    made._calls.realtime._ask = sleeps_meanwhile
    with pytest.raises(LedgerError, match="has gone on with its work"):
        finished(made)
    assert len(provider.asked) == 2
    raw = tmp_path / "raw"
    assert len((raw / "b0001.output.jsonl.journal").read_bytes().splitlines()) == 1
    assert len((raw / "b0001.output.jsonl.asked").read_bytes().splitlines()) == 2


def test_a_refusal_takes_no_note_back_after_another_machine_went_on(tmp_path):
    made, _ = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker, shared=True)
    made._calls.realtime._concurrency = 1
    asked = tmp_path / "raw" / "b0001.output.jsonl.asked"

    def refused_late(line: bytes) -> bytes:
        stopped_for_long_and_followed(tmp_path, made)
        with asked.open("ab") as theirs:
            theirs.write(b"p2_t1_n03\n")
        raise ProviderRefused("no such key")

    made._calls.realtime._ask = refused_late
    with pytest.raises(LedgerError, match="has gone on with its work"):
        finished(made)
    assert asked.read_bytes().splitlines() == [b"p1_t1_n01", b"p2_t1_n03"]


def test_answers_are_not_put_in_place_after_another_machine_went_on(tmp_path, monkeypatch):
    made, _ = engine(tmp_path, asking=ONE_BY_ONE, kind=Talker, shared=True)
    finish = Conversation._finish

    def sleeps_before(talk: Conversation) -> None:
        stopped_for_long_and_followed(tmp_path, made)
        finish(talk)

    monkeypatch.setattr(Conversation, "_finish", sleeps_before)
    with pytest.raises(LedgerError, match="has gone on with its work"):
        finished(made)
    assert (tmp_path / "raw" / "b0001.output.jsonl.journal").exists()
    assert not (tmp_path / "raw" / "b0001.output.jsonl").exists()


# --- a provider that gives batches no name of ours ---------------------------------------------


class Nameless(Pretender):
    """Has nothing to take away, and cannot tell which batch is whose before it has ended."""

    fences = False
    found_by_size = True

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        self._next("find")
        return super().find(batch, path, claimed)


def test_what_cannot_be_told_apart_is_unknown_and_never_sent_again(tmp_path):
    undecided = [ProviderUndecided("two of six requests", ("m1", "m2")) for _ in range(30)]
    made, provider = engine(
        tmp_path, {"submit": [ProviderSilent("reset")], "find": undecided}, kind=Nameless
    )
    assert finished(made).counts.success == 6
    assert provider.orders == 1
    assert "fence" not in provider.calls


def test_without_a_fence_an_order_is_repeated_only_after_the_list_has_settled(tmp_path):
    made, provider = engine(tmp_path, {"submit": [ProviderSilent("reset")]}, kind=Nameless)
    clock, sent = made._clock, []
    original = provider.submit

    def swallow(batch, path, labels):
        sent.append(clock.now())
        try:
            return original(batch, path, labels)
        except ProviderSilent:
            provider.batches.clear()
            raise

    provider.submit = swallow
    assert finished(made).counts.success == 6
    assert len(sent) == 2
    assert sent[1] - sent[0] >= made._spec.timing.settle
    assert "fence" not in provider.calls


# --- a provider that makes nothing of an order a second time -----------------------------------


class Idempotent(Pretender):
    """Remembers what it made of an order."""

    idempotent = True

    def __init__(self, run: Run, script: Mapping[str, list] | None = None) -> None:
        super().__init__(run, script)
        self.tokens: dict[tuple, RemoteId] = {}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        token = (labels["batch"], batch.sha256, len(batch.dead))
        if token in self.tokens:
            self._next("submit")
            return self.tokens[token]
        self.tokens[token] = RemoteId(f"batch-{self.orders + 1}")
        return super().submit(batch, path, labels)


def test_an_order_without_a_reply_is_repeated_at_once_and_made_once(tmp_path):
    lost = [ProviderSilent("reset"), ProviderSilent("reset"), ProviderBusy("429")]
    made, provider = engine(tmp_path, {"submit": lost}, kind=Idempotent)
    began = made._clock.now()
    assert finished(made).counts.success == 6
    assert (provider.orders, provider.calls.count("submit")) == (1, 4)
    assert not {"find", "fence"} & set(provider.calls)
    assert made._clock.now() - began < 60
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    events = [line["event"]["event"] for line in lines]
    assert events.count("repeat") == 3, "the intent of each order is on disk"


def test_a_repeated_order_that_is_refused_is_looked_for(tmp_path):
    refused = [ProviderSilent("reset"), ProviderRefused("conflict")]
    made, provider = engine(tmp_path, {"submit": refused}, kind=Idempotent)
    assert finished(made).counts.success == 6
    assert (provider.orders, provider.calls[:4]) == (1, ["stage", "submit", "submit", "find"])


@pytest.mark.parametrize("made_it", [True, False])
def test_an_order_of_an_earlier_run_is_looked_for_once_before_it_is_repeated(tmp_path, made_it):
    lost = [ProviderSilent("reset")]
    made, first = engine(tmp_path, {"submit": lost}, Purpose.SUBMIT, kind=Idempotent)
    finished(made)
    again, provider = engine(tmp_path, kind=Idempotent)
    again._clock.time -= 30_000  # it was set back
    provider.files = first.files
    if made_it:
        provider.batches, provider.tokens, provider.orders = first.batches, first.tokens, 1
    assert finished(again).counts.success == 6
    assert provider.calls[:2] == (["find", "poll"] if made_it else ["find", "submit"])
    assert provider.orders == 1


def test_an_order_of_long_ago_is_looked_for_and_not_repeated(tmp_path):
    made, provider = engine(tmp_path, {"submit": [ProviderSilent("reset")]}, kind=Idempotent)
    clock, original = made._clock, provider.submit

    def late(*of):
        try:
            return original(*of)
        finally:
            clock.time += 3601

    provider.submit = late
    assert finished(made).counts.success == 6
    assert (provider.orders, provider.calls[:3]) == (1, ["stage", "submit", "find"])


# --- a provider that takes no small batches ----------------------------------------------------


def test_what_is_too_few_for_a_batch_stays_open_and_the_run_ends(tmp_path):
    few = ["provider.limits.min_requests=4"]
    made, provider = engine(tmp_path, arguments=few)
    provider.answers = [GOOD, "?", "?", "?"]
    snapshot = finished(made)
    assert (provider.orders, snapshot.counts.success, snapshot.counts.pending) == (1, 3, 3)
    assert snapshot.held.startswith("3 requests are not sent: the provider takes no batch of fewer")
    again, provider = engine(tmp_path, arguments=few, asking=Asking(first=False, again=True))
    again._calls.realtime._ask = _answered
    assert finished(again).counts.retry_success == 3


def _answered(line: bytes) -> bytes:
    message = {"role": "assistant", "content": GOOD}
    body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
    response = {"status_code": 200, "request_id": "r", "body": body}
    return json.dumps({"custom_id": json.loads(line)["custom_id"], "response": response}).encode()


def test_what_is_too_few_waits_for_what_is_under_way(tmp_path):
    two = [
        "provider.limits.min_requests=3",
        "provider.limits.requests=3",
        "provider.limits.margin=0",
    ]
    made, provider = engine(tmp_path, arguments=two)
    provider.answers = [GOOD, "?", "?", GOOD, GOOD, "?"]
    snapshot = finished(made)
    assert ([b.count for b in snapshot.batches], snapshot.counts.open) == ([3, 3, 3], 0)


def test_no_two_batches_in_flight_have_the_same_size_where_size_is_all_there_is(tmp_path):
    made, _ = engine(tmp_path, kind=Nameless, arguments=["provider.limits.requests=2"])
    made._calls._request_files._limits = replace(
        made._calls._request_files._limits, requests=2, margin=0.0
    )
    snapshot = finished(made)
    assert [b.count for b in snapshot.batches[:2]] == [2, 1]
    assert snapshot.counts.success == 6


def test_what_was_too_few_is_looked_at_again_when_anything_came_meanwhile(tmp_path):
    made, _ = engine(tmp_path)
    state = made._state
    before = state.turn
    state.asked_again()
    state.lack(3, before)  # by a pack that had begun before
    assert state.too_few == 0
    state.lack(3, state.turn)
    assert state.too_few == 3
    state.turn += 1
    assert state.too_few == 0
    state.ledger.close()
