"""What is told to somebody who is not there, and when."""

import time
from dataclasses import replace
from decimal import Decimal
from threading import Event

import pytest

from runner.core.deadline import Deadline
from runner.core.errors import ConfigError
from runner.core.notices import Need, Notice, Standing, ended, needs_of, sweep_ended
from runner.core.pilot import PilotStanding
from runner.core.request_states import Counts
from runner.core.states import BatchState
from runner.run.notify import Messenger, Watching, in_force, messenger
from runner.run.run import Run
from runner.run.run_state import Snapshot
from tests.unit.composing import composed
from tests.unit.test_plan import batch

RUN = Standing(name="literary/openai_gpt-6-luna", total=480, answered=480, spent=Decimal("1.234"))
OPEN = replace(RUN, answered=470, failed=3, open=7, spent=None)
HALF = Counts(total=4, success=1, failed=1, in_batch=2)
SECRET = "json://user:geheim@127.0.0.1"


# --- what a message says ----------------------------------------------------------------------


def test_an_end_is_said_with_its_counters_and_its_cost():
    told = ended(RUN, [], interrupted=False, waited=True)
    title = "Chorus: literary/openai_gpt-6-luna ended: 480 of 480 answered, $1.23"
    assert told == Notice(title, "all is answered")


@pytest.mark.parametrize(
    ("standing", "needs", "interrupted", "waited", "how"),
    [
        (OPEN, [], False, True, "ended"),
        (OPEN, [], True, True, "stopped"),
        (OPEN, [Need.BUDGET], False, True, "needs you"),
        (OPEN, [Need.BUDGET], False, False, "needs you"),
        (OPEN, [], False, False, None),
        (RUN, [], False, False, "ended"),
    ],
)
def test_a_command_that_left_as_it_was_meant_to_tells_nothing(
    standing, needs, interrupted, waited, how
):
    told = ended(standing, needs, interrupted=interrupted, waited=waited)
    assert (told and f" {how}: " in told.title) is (None if how is None else True)


def test_what_is_open_or_failed_stands_below_what_is_needed():
    told = ended(OPEN, [Need.BUDGET, Need.HELD], interrupted=False, waited=True)
    assert told.title.endswith(": 470 of 480 answered, cost unknown")
    assert told.body.splitlines() == [Need.BUDGET, Need.HELD, "3 failed, 7 open"]


def test_a_rehearsal_says_that_it_is_one():
    assert replace(RUN, is_rehearsal=True).says("ended").title.endswith("$1.23 (a rehearsal)")


def test_a_sweep_is_one_message_with_a_line_a_job_and_none_of_its_words():
    rows = [
        {"job": "messages=[secret]", "folder": f"out/literary/{model}", "state": state}
        for model, state in (("openai_a", "done"), ("groq_b", "held"))
    ]
    rows = [{**row, "rehearsal": False} for row in rows]
    sums = {"total": 20, "success": 14, "retry_success": 1, "failed": 2, "open": 3}
    told = sweep_ended(rows, {**sums, "cost_usd": "0.5"}, interrupted=False)
    assert told == Notice(
        "Chorus: literary, sweep of 2 jobs, ended: 15 of 20 answered, $0.50",
        "literary/openai_a: done\nliterary/groq_b: held\n2 failed, 3 open",
    )


HELD = batch(BatchState.ENDED, held_at=1.0, error="sk-12345 does not add up")


@pytest.mark.parametrize(
    ("facts", "needs"),
    [
        ({}, ()),
        ({"halted": "the provider refused b0001: sk-12345"}, (Need.REFUSED,)),
        ({"halted": "pilot: of 6 first answers 0 are valid", "pilot_failed": True}, (Need.PILOT,)),
        ({"held": "budget: b0003 may cost $9, and budget.max_usd=5 is spent"}, (Need.BUDGET,)),
        ({"held": "b0001: does not add up", "batches": (HELD,)}, (Need.HELD,)),
        ({"batches": (batch(BatchState.SUBMITTING, candidates=("a", "b")),)}, (Need.HELD,)),
    ],
)
def test_what_needs_somebody_is_said_in_our_own_words(facts, needs):
    usual = {"batches": (), "halted": None, "held": None, "pilot_failed": False}
    found = needs_of(**{**usual, **facts})
    assert found == needs
    assert "sk-12345" not in OPEN.says("needs you", found).body


# --- when it is told --------------------------------------------------------------------------


class Seen:
    def __init__(self):
        self.ticks = 0

    def happened(self, event):
        self.ticks += 1

    def tick(self, snapshot):
        self.ticks += 1


def watched(*snapshots: Snapshot, now: float = 0.0) -> list[Notice]:
    told: list[Notice] = []
    seen = Seen()
    watching = Watching(seen, "a/b", told.append, is_rehearsal=False, now=lambda: now)
    for snapshot in snapshots:
        watching.tick(snapshot)
    watching.happened({})
    assert seen.ticks == len(snapshots) + 1
    return told


RUNS = batch(BatchState.RUNNING, 2)
GOES_ON = Snapshot(counts=HALF, batches=(RUNS,), held=None, halted=None, stopping=False)


def test_each_need_is_told_once_while_the_run_goes_on():
    halted = replace(GOES_ON, halted="no such key")
    both = replace(halted, batches=(HELD, RUNS))
    told = watched(GOES_ON, halted, halted, both, both)
    assert [n.body.splitlines()[0] for n in told] == [Need.REFUSED, Need.HELD]
    assert {n.title for n in told} == {"Chorus: a/b needs you: 1 of 4 answered, $0.00"}


def test_a_failed_pilot_is_told_as_one():
    pilot = PilotStanding(requests=6, read=6, valid=0, needed=6)
    assert pilot.failed
    (told,) = watched(replace(GOES_ON, halted="pilot: of 6", pilot=pilot))
    assert told.body.startswith(Need.PILOT)


def test_a_deadline_is_told_when_it_comes_and_not_again_by_the_next_run():
    due = replace(GOES_ON, deadline=Deadline("06:00", 50.0))
    told: list[Notice] = []
    clock = iter([10.0, 60.0, 70.0])
    watching = Watching(Seen(), "a/b", told.append, is_rehearsal=False, now=lambda: next(clock))
    for _ in range(3):
        watching.tick(due)
    assert [notice.title for notice in told] == [
        "Chorus: a/b reached its deadline: 1 of 4 answered, $0.00"
    ]
    assert watched(due, due, now=60.0) == []


def test_money_that_may_be_free_again_is_told_with_the_end():
    held = "budget: b0003 may cost $9, and budget.max_usd=5 is spent"
    assert watched(replace(GOES_ON, held=held)) == []


@pytest.mark.parametrize("last", [HELD, batch(BatchState.COLLECTED), batch(BatchState.PACKED)])
def test_where_nothing_runs_any_more_the_end_tells_what_is_needed(last):
    assert watched(replace(GOES_ON, halted="no such key", batches=(last,))) == []


def test_an_error_that_ends_a_run_is_told_if_it_had_begun():
    watching = Watching(Seen(), "a/b", lambda _: None, is_rehearsal=False)
    assert watching.broken_off() is None
    watching.tick(GOES_ON)
    assert watching.broken_off().title.startswith("Chorus: a/b broke off: 1 of 4")


# --- sending ----------------------------------------------------------------------------------


def test_an_address_that_does_not_answer_delays_the_end_no_longer_than_it_may(capsys):
    never, out = Event(), []
    made = Messenger({"A": lambda _: never.wait(), "B": lambda n: out.append(n) or True}, 0.05)
    made.tell(Notice("title", "body"))
    made.tell(None)
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 5
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": 1 of the messages")[0] for line in said] == ["warning: A"]
    never.set()


def test_a_sender_that_fails_is_one_line_however_often_it_does(capsys):
    def fails(_: Notice) -> bool:
        raise RuntimeError(SECRET)

    made = Messenger({"A": fails})
    for _ in range(3):
        made.tell(Notice("title", "body"))
    made.close()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("warning: A: 3 of the messages")
    assert "geheim" not in said


@pytest.mark.parametrize(
    "word",
    [
        f"notify={SECRET}",
        f"notify=[CHORUS_NOTIFY,{SECRET}/?a=b]",
        f"notify='{SECRET}'",
        f"+notify={SECRET}",
        f"notify.geheim={SECRET}",
        "notify=geheim",
        "notify=[OFF,geheim]",
        "notify=[off,CHORUS_NOTIFY]",
    ],
)
def test_what_may_be_an_address_is_refused_and_not_repeated(word):
    with pytest.raises(ConfigError) as refused:
        composed([word])
    assert "geheim" not in str(refused.value)
    assert "notify: allowed: names of environment variables" in str(refused.value)


@pytest.mark.parametrize("said", ["off", "CHORUS_NOTIFY", "[CHORUS_NOTIFY,CHORUS_NOTIFY_MAIL]"])
def test_names_of_variables_are_taken(said):
    assert composed([f"notify={said}"])[0].config.notify is not None


def test_a_strangers_ledger_makes_no_other_variable_into_an_address():
    run = Run(composed(["personas=[p1]"])[0])
    assert in_force(run, ["OPENAI_API_KEY", "CHORUS_NOTIFY"]) == ("CHORUS_NOTIFY",)


def test_a_variable_that_is_not_set_is_refused_or_where_nothing_is_sent_said(monkeypatch, capsys):
    monkeypatch.delenv("CHORUS_NOTIFY", raising=False)
    with (
        pytest.raises(ConfigError, match="variable CHORUS_NOTIFY is not set"),
        messenger(["CHORUS_NOTIFY"], strict=True),
    ):
        raise AssertionError
    with messenger(["CHORUS_NOTIFY"], strict=False) as made:
        made.tell(Notice("title", "body"))
    assert capsys.readouterr().err.startswith("warning: notify=CHORUS_NOTIFY: the environment")
