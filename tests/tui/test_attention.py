"""What needs to be looked at: every rule fires when it should, is silent when it should be, and says what to do."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.model import Batch, BatchKey, RemoteId
from runner.core.states import BatchState as S
from tests.tui.made import NOW
from tui.attention import Rank, attention
from tui.cells import ASCII
from tui.liveness import Life, Liveness
from tui.model import Health, Job

ALIVE = Liveness(life=Life.ALIVE, beat_age=1.0, sentence=None)
DEAD = Liveness(life=Life.DEAD, beat_age=900.0, sentence="The runner is gone.")
HOUR = 3600.0


def batch(state: S = S.RUNNING, key: str = "b0001", **changes: Any) -> Batch:
    known: dict[str, Any] = {
        "key": BatchKey(key),
        "state": state,
        "count": 100,
        "bytes": 1,
        "sha256": "0" * 64,
        "input_tokens": 1,
        "reserved_usd": Decimal("0.25"),
        "packed_at": NOW - HOUR,
    }
    if state in (S.RUNNING, S.CANCELLING, S.ENDED, S.COLLECTED):
        known |= {
            "remote": RemoteId("batch_1"),
            "sent_at": NOW - HOUR,
            "accepted_at": NOW - HOUR,
            "polled_at": NOW - 20,
            "next_at": NOW + 40,
            "remote_state": "in_progress",
            "expires_at": NOW + 23 * HOUR,
            "kept_until": NOW + 20 * 86_400,
        }
    if state in (S.ENDED, S.COLLECTED):
        known |= {"ended_at": NOW - 300, "completed": 100, "remote_state": "completed"}
    if state is S.COLLECTED:
        known |= {"collected_at": NOW - 200, "tally": {"valid": 100}, "cost_usd": Decimal("0.10")}
    return Batch(**known | changes)


def job(*batches: Batch, provider: str = "openai", plan: Any = None, **summary: Any) -> Job:
    return Job(
        folder=Path("outputs/x") / provider,
        health=Health.OK,
        good_at=NOW,
        experiment={"definition": {"model": {"provider": provider, "name": "m"}}},
        plan=plan,
        summary=summary,
        batches=batches,
    )


def said(*jobs: Job, life: Liveness = ALIVE) -> list[tuple[str, str, str]]:
    return [
        (notice.rank.name, notice.style, notice.sentence)
        for notice in attention(jobs, NOW, [life] * len(jobs))
    ]


REFUSED = batch(S.DROPPED, sent_at=NOW - 60, error="model\nnot  found")
AT_THE_DOOR = batch(S.PACKED, error="quota is 0", send=2)
EXPIRED = batch(S.ENDED, remote_state="expired", completed=88)
HALF_EXPIRED = batch(S.COLLECTED, tally={"valid": 88, "expired": 12}, remote_state="expired")
UNKNOWN = batch(S.SUBMITTING, sent_at=NOW - 60, candidates=("m_1", "m_2"), error="two could be it")
OLD_END = batch(S.ENDED, ended_at=NOW - HOUR, tries=4, error="HTTP 500")
HELD = replace(
    OLD_END,
    held_at=NOW - 60,
    error="the provider counts 4 answered, its files hold 3; run again",
)
CLOSING = batch(expires_at=NOW + 1.5 * HOUR, completed=40)
STALLED = batch(polled_at=NOW - 2400, tries=6, error="HTTP 503", next_at=NOW + 60)
STRANGE = batch(S.COLLECTED, notices={"conflicting": 2, "unknown": 1})
CAUSES = {"Q1": {"missing": 1}, "Q2": {"out_of_range": 3, "missing": 1}}
INVALID = batch(S.COLLECTED, tally={"valid": 96, "invalid": 4}, causes=CAUSES)
QUICK = [
    batch(S.COLLECTED, f"b000{n}", accepted_at=NOW - 9000, ended_at=NOW - 9000 + 600 * n)
    for n in (1, 2, 3)
]
SLOW = batch(key="b0009", accepted_at=NOW - 3700)


@pytest.mark.parametrize(
    ("found", "rank", "style", "sentence"),
    [
        (
            job(REFUSED),
            "REFUSED",
            "bad",
            "b0001 failed at the provider: model not found; its 100 requests wait: mend the cause, run again",
        ),
        (
            job(AT_THE_DOOR, halted="the provider refused b0001: quota is 0"),
            "REFUSED",
            "bad",
            "b0001 was refused: quota is 0; its 100 requests wait: mend the cause, run again",
        ),
        (
            job(batch(S.COLLECTED, tally={"valid": 98, "refused": 2})),
            "REFUSED",
            "bad",
            "b0001 has 2 of 100 requests refused: Enter shows why, r asks them once more",
        ),
        (
            job(EXPIRED),
            "EXPIRED",
            "bad",
            "b0001 expired after 55m00: 12 of 100 answers missing; the rest is paid, to be collected",
        ),
        (
            job(HALF_EXPIRED, open=12),
            "EXPIRED",
            "bad",
            "b0001 expired after 55m00: 12 of 100 answers missing; they are asked again",
        ),
        (
            job(UNKNOWN),
            "UNKNOWN",
            "bad",
            "b0001 is unknown: it may be m_1 or m_2; never sent again on a guess: a adopts, b gives it up",
        ),
        (
            job(HELD),
            "HELD",
            "bad",
            "b0001 is held: the provider counts 4 answered, its files hold 3; run again",
        ),
        (
            job(OLD_END),
            "UNCOLLECTED",
            "warn",
            (
                "b0001 ended and is not collected (HTTP 500); its paid answers are kept for 20 days more: "
                "the runner goes on trying"
            ),
        ),
        (
            job(replace(OLD_END, kept_until=NOW + 86_400)),
            "UNCOLLECTED",
            "bad",
            (
                "b0001 ended and is not collected (HTTP 500); its paid answers are kept for 1d00h more: "
                "the runner goes on trying"
            ),
        ),
        (
            job(replace(OLD_END, kept_until=NOW - 86_400)),
            "UNCOLLECTED",
            "bad",
            "b0001 was never collected, and the provider kept its answers until 1d00h ago: the runner goes on trying",
        ),
        (
            job(replace(OLD_END, kept_until=None)),
            "UNCOLLECTED",
            "warn",
            (
                "b0001 ended and is not collected (HTTP 500); its paid answers are kept for an unknown "
                "time: the runner goes on trying"
            ),
        ),
        (
            job(CLOSING),
            "CLOSING",
            "warn",
            "b0001 has 1h30 before its time limit; 60 of 100 answers missing; what expires is asked again",
        ),
        (
            job(replace(CLOSING, completed=None)),
            "CLOSING",
            "warn",
            "b0001 has 1h30 before its time limit; the provider reports no progress; what expires is asked again",
        ),
        (
            job(replace(CLOSING, expires_at=NOW - 60)),
            "CLOSING",
            "bad",
            "b0001 should have ended 1m00 ago, at its time limit; 60 of 100 answers missing",
        ),
        (
            job(STALLED),
            "STALLED",
            "warn",
            "b0001 is stalled: not polled for 40m00 (6 tries): HTTP 503; the runner goes on trying",
        ),
        (
            job(replace(STALLED, tries=0, error=None, next_at=NOW - 5)),
            "STALLED",
            "warn",
            "b0001 is stalled: not polled for 40m00; the runner goes on trying",
        ),
        (
            job(STRANGE),
            "STRANGE",
            "warn",
            "b0001 brought 2 conflicting, 1 unknown lines that are not taken for answers: see raw/b0001.*",
        ),
        (
            job(INVALID),
            "INVALID",
            "warn",
            "b0001 has 4 of 100 answers invalid (4.0 %), most often out_of_range: Enter shows them",
        ),
        (
            job(*QUICK, SLOW),
            "SLOW",
            "warn",
            "b0009 is slow: 1h01, where openai took 20m00 (median): wait, or c cancels it",
        ),
        (
            job(batch(), plan={"budget_usd": 5}, committed_usd="5.01"),
            "BUDGET",
            "bad",
            (
                "$5.01 are spent or reserved, more than the budget of $5.00: nothing more is sent unless you "
                "raise budget.max_usd"
            ),
        ),
        (
            job(batch(S.PACKED), plan={"budget_usd": 5}, committed_usd="4.80"),
            "BUDGET",
            "warn",
            (
                "b0001 may cost $0.2500, and $0.2000 of the budget are left: raise budget.max_usd, or wait "
                "for others to cost less"
            ),
        ),
    ],
)
def test_a_rule_fires_and_says_what_happened_and_what_to_do(found, rank, style, sentence):
    assert said(found) == [(rank, style, sentence)]


@pytest.mark.parametrize(
    "found",
    [
        job(batch()),
        job(batch(S.COLLECTED)),
        job(batch(S.PACKED)),
        job(batch(S.DROPPED)),  # cancelled before it was ordered
        job(replace(REFUSED, abandoned_at=NOW - 10)),  # given up by the user
        job(AT_THE_DOOR),  # told to wait, not refused
        job(HALF_EXPIRED, open=0),  # asked again since, and answered
        job(batch(S.ENDED, remote_state="expired", completed=100)),
        job(replace(UNKNOWN, candidates=())),
        job(batch(S.ENDED)),  # just now
        job(replace(CLOSING, completed=100)),
        job(replace(CLOSING, expires_at=NOW + 2.1 * HOUR)),
        job(replace(CLOSING, expires_at=None)),
        job(replace(STALLED, polled_at=NOW - 800)),
        job(replace(STALLED, tries=0, next_at=NOW + 60)),  # not due yet
        job(replace(STALLED, state=S.PACKED)),
        job(replace(STRANGE, notices={"duplicate": 4})),
        job(batch(S.COLLECTED, tally={"valid": 99, "invalid": 1}, causes=CAUSES)),
        job(*QUICK[:2], SLOW),  # too few to compare with
        job(*QUICK, replace(SLOW, accepted_at=NOW - 3500)),
        job(batch(), plan={"budget_usd": None}, committed_usd="500"),
        job(batch(S.PACKED), plan={"budget_usd": 5}, committed_usd="4.70"),
    ],
)
def test_a_rule_is_silent_when_there_is_nothing_to_do(found):
    assert said(found) == []


NOISY = batch(
    S.COLLECTED,
    tally={"valid": 80, "invalid": 10, "refused": 4, "denied": 3, "unreadable": 2, "expired": 1},
    notices={"unknown": 2, "unreadable": 1, "oversize": 1, "duplicate": 3},
    error="model access denied",
    causes=CAUSES,
)


@pytest.mark.parametrize(
    ("failed", "open_", "ranks"),
    [
        (0, 5, ["REFUSED", "REFUSED", "EXPIRED", "STRANGE", "INVALID"]),
        (2, 0, ["REFUSED", "STRANGE", "FAILED"]),
        (0, 0, []),
    ],
)
def test_what_is_solved_asks_for_no_attention(failed, open_, ranks):
    dropped = replace(REFUSED, key=BatchKey("b0002"))
    found = job(NOISY, dropped, total=100, failed=failed, open=open_, success=100 - failed - open_)
    assert [rank for rank, _, _ in said(found)] == ranks


def test_an_answer_that_differs_from_another_is_never_solved():
    found = job(batch(S.COLLECTED, notices={"conflicting": 1}), total=100, failed=0, open=0)
    assert [rank for rank, _, _ in said(found)] == ["STRANGE"]


def test_what_has_failed_for_good_is_said_once_a_job_with_what_to_do():
    found = job(INVALID, replace(INVALID, key=BatchKey("b0002")), total=200, failed=3, open=0)
    assert said(found) == [
        (
            "FAILED",
            "warn",
            "3 of 200 requests failed for good: 3 and ! show them, r asks them once more",
        )
    ]


def test_a_slow_batch_is_not_compared_with_another_provider():
    assert said(job(*QUICK), job(SLOW, provider="groq")) == []


def test_a_batch_is_not_called_stalled_for_a_runner_that_is_gone():
    assert said(job(STALLED), life=DEAD) == []


def test_with_no_runner_uncollected_answers_are_told_at_once():
    ((_, style, sentence),) = said(job(batch(S.ENDED)), life=DEAD)
    assert style == "warn"
    assert sentence.endswith("kept for 20 days more: start the runner to fetch them")


def test_nothing_is_said_of_a_ledger_that_cannot_be_read():
    newer = replace(job(REFUSED), health=Health.NEWER)
    assert said(newer, replace(job(REFUSED), good_at=None)) == []


def test_the_budget_is_one_for_all_jobs_and_the_costliest_is_named():
    plan = {"budget_usd": 5}
    cheap = job(batch(), plan=plan, committed_usd="1.00")
    dear = job(batch(), provider="groq", plan=plan, committed_usd="4.50")
    (notice,) = attention((cheap, dear), NOW, [ALIVE, ALIVE])
    assert (notice.job, notice.batch, notice.rank) == ("groq", None, Rank.BUDGET)


def test_the_worst_comes_first_and_has_a_sign_without_colour():
    everything = (INVALID, CLOSING, STALLED, UNKNOWN, EXPIRED, REFUSED)
    notices = attention((job(*everything),), NOW, [ALIVE])
    assert [notice.rank.name for notice in notices] == [
        "REFUSED",
        "EXPIRED",
        "UNKNOWN",
        "CLOSING",
        "STALLED",
        "INVALID",
    ]
    assert [notice.sign(ASCII) for notice in notices] == ["x", "x", "x", "!", "!", "!"]


times = st.none() | st.floats(NOW - 1e6, NOW + 1e6)
counts = st.integers(0, 200)


@given(
    state=st.sampled_from(S),
    completed=st.none() | counts,
    tally=st.dictionaries(st.sampled_from(["valid", "invalid", "refused", "expired"]), counts),
    moments=st.tuples(times, times, times, times, times),
    tries=st.integers(0, 9),
    error=st.none() | st.text(),
    life=st.sampled_from([ALIVE, DEAD]),
)
def test_whatever_a_ledger_holds_each_sentence_is_one_line_about_one_batch(
    state, completed, tally, moments, tries, error, life
):
    sent, accepted, polled, expires, kept = moments
    one = batch(
        state,
        completed=completed,
        tally=tally,
        tries=tries,
        error=error,
        sent_at=sent,
        accepted_at=accepted,
        polled_at=polled,
        expires_at=expires,
        kept_until=kept,
    )
    notices = attention((job(one, open=3),), NOW, [life])
    assert [n.style for n in notices] == sorted(
        (n.style for n in notices), key=("bad", "warn").index
    )
    for notice in notices:
        assert notice.sentence.startswith("b0001 ")
        assert "\n" not in notice.sentence
        assert notice.batch == "b0001"


def test_answers_of_another_model_are_said_once_a_job():
    asked = {"model": {"provider": "openai", "name": "gpt-4o-mini"}}
    swapped = replace(
        job(batch(S.COLLECTED), models_returned={"gpt-4o-mini-2024-07-18": 90, "gpt-4.1-mini": 10}),
        experiment={"definition": asked},
    )
    (found,) = [line for line in said(swapped) if line[0] == "REPLACED"]
    assert found[2].startswith("asked gpt-4o-mini, 10 answers came from gpt-4.1-mini")
    same = replace(swapped, summary={"models_returned": {"gpt-4o-mini-2024-07-18": 100}})
    assert [line for line in said(same) if line[0] == "REPLACED"] == []
