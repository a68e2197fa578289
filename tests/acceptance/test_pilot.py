"""A pilot from the command line: what is sent, what is paid, and what is said, in calm and bad weeks."""

import json
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import QUICK, Desk
from tests.acceptance.test_all_providers import FAULTS, HURRY, billed
from tests.variants import first

PILOT = "pilot={at_least: 6}"
STUDY = ["personas=[p1,p2]", "texts=[t1,t2]", "trials=5"]
"""20 requests: the pilot is 6 of them, in all 4 conditions."""
READS_NOTHING = "question.value_patterns=[{name: j, kind: json}]"
EMULATED = "literary/emulator_gpt-4o-mini"


def paid(desk: Desk, cell: str = EMULATED) -> Counter[str]:
    """How often each request of a batch was billed, answered or not."""
    return billed(desk.bill(cell))


def cost(desk: Desk, cell: str = EMULATED) -> int:
    """How many requests were billed, in batches or one by one."""
    bill = desk.bill(cell)
    return bill["requests_billed"] + bill["chats_billed"]


@pytest.mark.long
def test_the_rest_goes_when_the_pilot_has_come_back_valid(desk: Desk) -> None:
    said = desk.run(*QUICK, *STUDY, PILOT, "faults.malformed=0")
    assert said.returncode == 0, said.stderr
    lines = [line for line in said.stderr.splitlines() if " written, " in line]
    assert [line.split("written, ")[1] for line in lines] == ["6 requests", "14 requests"]
    assert desk.summary()["pilot"] == {
        "requests": 6,
        "read": 6,
        "valid": 6,
        "needed": 6,
        "state": "passed",
    }
    assert set(paid(desk).values()) == {1}
    attempts = desk.attempts().filter(pl.col("batch") == "b0001")
    stems = Counter(name.rsplit("_n", 1)[0] for name in attempts["custom_id"])
    assert sorted(stems.values()) == [1, 1, 2, 2]
    status = desk.run(*QUICK, *STUDY, PILOT, "action=status")
    assert "passed: 6 of 6 first answers are valid" in status.stdout


@pytest.mark.long
@pytest.mark.parametrize("way", first(1, [[], ["provider.mode=realtime"], ["retry.mode=realtime"]]))
def test_a_pilot_whose_patterns_read_nothing_has_cost_the_pilot_and_no_more(
    desk: Desk, way: list[str]
) -> None:
    words = [*QUICK, *STUDY, PILOT, "faults.malformed=0", *way]
    said = desk.run(*words, READS_NOTHING)
    assert said.returncode == 3
    (line,) = (line for line in said.stdout.splitlines() if line.startswith("! pilot:"))
    for part in (
        "of 6 first answers 0 are valid",
        "most often Q1 missing",
        "for example p1_t1_n01",
    ):
        assert part in line
    assert "action=patterns" in said.stdout.split("next")[-1]
    assert cost(desk) == 6
    again = desk.run(*words, READS_NOTHING)
    assert (again.returncode, cost(desk)) == (3, 6)
    assert "pilot failed" not in again.stdout  # a word of sweeps

    refused = desk.run(*words)  # with mended patterns: what is there is read again first
    assert refused.returncode == 2
    assert "were read" in refused.stderr
    read = desk.run(*words, "action=extract", "apply=true")
    assert cost(desk) == 6
    assert "action=extract" not in read.stdout.split("next")[-1]
    assert desk.summary()["pilot"]["state"] == "passed"
    done = desk.run(*words)
    assert done.returncode == 0, done.stdout
    assert cost(desk) == 20
    assert desk.answers()["status"].to_list() == ["success"] * 20


@pytest.mark.long
def test_a_fork_has_a_pilot_of_its_own(desk: Desk) -> None:
    words = [*QUICK, "personas=[p1]", "texts=[t1]", "trials=4", "pilot={at_least: 2}"]
    assert desk.run(*words, "faults.malformed=0").returncode == 0
    other = [*words, "faults.malformed=0", "+provider.parameters.top_p=0.5"]
    forked = f"{EMULATED}-2"
    failed = desk.run(*other, READS_NOTHING, "fork=true")  # that the first one passed says nothing
    assert (failed.returncode, cost(desk, forked)) == (3, 2)
    assert desk.summary(forked)["pilot"]["state"] == "failed"
    assert desk.run(*other, "action=extract", "apply=true").returncode in (0, 3)
    said = desk.run(*other)  # found again without the word
    assert (said.returncode, cost(desk, forked)) == (0, 4), said.stderr
    assert set(paid(desk, forked).values()) == {1}
    assert (cost(desk), desk.summary()["pilot"]["state"]) == (4, "passed")


@pytest.mark.long
def test_it_goes_on_all_the_same_where_that_is_said(desk: Desk) -> None:
    words = [*QUICK, *STUDY, "faults.malformed=0", READS_NOTHING, "retry.max_attempts=1"]
    assert desk.run(*words, PILOT).returncode == 3
    assert sum(paid(desk).values()) == 6
    assert desk.run(*words, "pilot=null").returncode == 3
    assert set(paid(desk).values()) == {1}
    assert len(paid(desk)) == 20
    assert "pilot" not in desk.summary()


@pytest.mark.long
def test_the_plan_says_how_many_go_first_and_that_it_takes_a_round(desk: Desk) -> None:
    words = [*QUICK, *STUDY, PILOT]
    said = " ".join(desk.run(*words, "action=plan").stdout.split())
    assert "6 requests first; the rest when 6 of them are valid: at least one round of" in said
    assert re.search(r"to send +20 in", said)
    facts = json.loads(desk.run(*words, "action=plan", "--json").stdout)
    assert (facts["pilot"]["requests"], facts["pilot"]["state"]) == (6, "waiting")
    plain = json.loads(desk.run(*QUICK, *STUDY, "action=plan", "--json").stdout)
    assert "pilot" not in plain
    desk.run(*words, READS_NOTHING)
    assert "failed: 0 of 6" in desk.run(*words, READS_NOTHING, "action=plan").stdout


@pytest.mark.long
def test_submitted_and_left_the_pilot_goes_alone_and_the_rest_once_it_is_collected(
    desk: Desk,
) -> None:
    words = [*QUICK, *STUDY, PILOT, "faults.malformed=0"]
    assert desk.run(*words, "wait=false").returncode == 3
    assert desk.run(*words, "wait=false").returncode == 3
    assert desk.run(*words, "action=collect").returncode == 3
    assert cost(desk) == 6
    assert desk.run(*words, "wait=false").returncode == 3
    desk.run(*words, "action=collect")
    assert set(paid(desk).values()) == {1}
    assert desk.answers().height == 20
    assert set(desk.answers()["status"]) == {"success"}


@pytest.mark.long
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_in_a_bad_week_it_is_the_same_study_and_nothing_is_paid_twice(
    desk: Desk, provider: str
) -> None:
    words = [
        *(f"provider={provider}", "service=emulated", "provider.limits.requests=5"),
        *(*STUDY, *HURRY, *FAULTS["rough"], "pilot={at_least: 6, valid: 0.3}", "retry.max_lost=20"),
    ]
    said = desk.run(*words)
    (folder,) = (desk.folder / "outputs/literary").iterdir()
    cell = f"literary/{folder.name}"
    assert said.returncode in (0, 3), said.stderr
    assert desk.summary(cell)["pilot"]["state"] == "passed"
    assert desk.summary(cell)["open"] == 0
    asked = desk.attempts(cell).filter(pl.col("outcome").is_in(["valid", "invalid"]))
    assert paid(desk, cell) == Counter(asked["custom_id"].to_list())
    first_of_the_rest = desk.attempts(cell).filter(~pl.col("custom_id").is_in(_pilot(desk, cell)))
    assert min(first_of_the_rest["batch"]) > "b0002"  # two batches hold the pilot


def _pilot(desk: Desk, cell: str) -> list[str]:
    """The requests of the batches that were sent before any answer was there."""
    folder = desk.folder / "outputs" / Path(cell) / "requests"
    names: list[str] = []
    for path in sorted(folder.glob("*.jsonl"))[:2]:
        names += [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]
    return [
        name.partition("-")[2] if name.startswith("c") and "-" in name else name for name in names
    ]


@pytest.mark.long
def test_jobs_of_a_sweep_each_have_their_own(desk: Desk) -> None:
    words = ["-m", *QUICK, *STUDY, "temperatures=null", PILOT, "faults.malformed=0", READS_NOTHING]
    said = desk.run(*words, "provider.model=gpt-4o-mini,gpt-4.1-mini")
    assert said.returncode == 3
    assert said.stdout.count("pilot failed") == 2
    assert "! provider.model=gpt-4o-mini: pilot: of 6 first answers" in said.stdout
    for model in ("gpt-4o-mini", "gpt-4.1-mini"):
        assert sum(paid(desk, f"literary/emulator_{model}").values()) == 6


@pytest.mark.long
def test_the_report_says_what_came_of_it(desk: Desk) -> None:
    words = [*QUICK, *STUDY, "faults.malformed=0"]
    for more, said in (
        ([PILOT, READS_NOTHING], "0 of 6 were valid at their first answer, 6 were wanted"),
        (["pilot=null", READS_NOTHING], "which was set aside later (pilot=null)"),
    ):
        desk.run(*words, *more)
        assert desk.run(*words, *more, "action=report").returncode == 0
        page = (desk.folder / "outputs/literary/report/report.html").read_text(encoding="utf-8")
        assert said in page


@pytest.mark.parametrize(
    ("word", "why"),
    first(
        3,
        [
            ("pilot.share=0", "pilot.share: 0.0; allowed: a share above 0, up to 1"),
            ("pilot.share=1.5", "pilot.share: 1.5; allowed"),
            ("pilot.valid=0", "pilot.valid: 0.0; allowed"),
            ("pilot.at_least=0", "pilot.at_least: 0 is too small"),
            ("pilot.size=3", "pilot"),
            ("pilot=yes", "pilot"),
        ],
    ),
)
def test_what_makes_no_pilot_is_refused(desk: Desk, word: str, why: str) -> None:
    said = desk.run(*QUICK, word)
    assert said.returncode == 2
    assert why in said.stderr
    assert not desk.files()
