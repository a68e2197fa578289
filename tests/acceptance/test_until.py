"""A stopping rule from the command line: what it asks, what is paid, and what a changed rule adds."""

import json
import re
from collections import Counter
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from statistics import stdev
from typing import Any

import polars as pl
import pytest

from runner.core.intervals import t_quantile
from tests.acceptance.conftest import QUICK, Desk
from tests.acceptance.test_all_providers import FAULTS, HURRY, billed
from tests.acceptance.test_pilot import cost
from tests.variants import first

WHERE = ["personas=[p1,p2]", "texts=[t1,t2]"]
EMULATED = "literary/emulator_gpt-4o-mini"
CONDITION = ["persona", "text"]


def rule(least: int = 4, most: int = 20, half_width: float = 8, of: str = "Q1") -> str:
    return f"trials={{min: {least}, max: {most}, until: {{half_width: {half_width}, of: {of}}}}}"


def half_width(values: list[float]) -> float:
    return t_quantile(len(values) - 1) * stdev(values) / sqrt(len(values))


def trials(answers: pl.DataFrame) -> dict[tuple[str, ...], list[Any]]:
    """The values of each condition in the order of its trials, None where there is none."""
    found: dict[tuple[str, ...], list[Any]] = {}
    for *condition, trial, value in (
        answers.sort("trial").select(*CONDITION, "trial", "Q1_value").rows()
    ):
        found.setdefault(tuple(condition), []).append(value)
        assert len(found[tuple(condition)]) == trial  # numbered from 1, without a gap
    return found


def is_over(values: list[Any], least: int, most: int, width: float) -> bool:
    """Whether a condition may be left as it is."""
    valid = [value for value in values if value is not None]
    precise = len(valid) >= least and half_width(valid) <= width
    return precise or len(values) == most


def kept_to(answers: pl.DataFrame, least: int, most: int, width: float) -> None:
    """Hold a table against the rule: nothing is missing, and no round was one too many."""
    for condition, values in trials(answers).items():
        assert is_over(values, least, most, width), condition
        looks = [
            n for n in range(least, len(values)) if not is_over(values[:n], least, most, width)
        ]
        assert looks or len(values) == least, condition  # something was imprecise before


@pytest.mark.long
@pytest.mark.parametrize("way", first(1, [[], ["provider.mode=realtime"]]))
def test_only_conditions_that_are_not_precise_are_asked_more(desk: Desk, way: list[str]) -> None:
    words = [*QUICK, *WHERE, *way]
    said = desk.run(*words, rule())
    assert said.returncode == 0, said.stderr
    kept_to(desk.answers(), 4, 20, 8)
    sizes = [len(values) for values in trials(desk.answers()).values()]
    assert min(sizes) < max(sizes)
    assert desk.answers().height == desk.summary()["total"] == sum(sizes)
    assert desk.summary()["open"] == 0
    attempts = desk.attempts()
    assert cost(desk) == attempts.height
    until = desk.summary()["until"]
    assert (until["of"], until["half_width"], until["per"]) == ("Q1", 8, "condition")
    assert until["reached"] + until["at_max"] == 4
    assert until["conditions_at_max"] == [
        "_".join(condition)
        for condition, values in trials(desk.answers()).items()
        if not is_over(values, 4, 10**9, 8)
    ]
    assert f"reached in {until['reached']} of 4" in said.stdout
    assert f"reached in {until['reached']} of 4" in desk.run(*words, rule(), "action=status").stdout
    assert desk.run(*words, rule(), "action=verify").returncode == 0

    paid = cost(desk)
    assert desk.run(*words, rule()).returncode == 0  # run again: nothing is asked
    assert desk.run(*words, rule(half_width=12)).returncode == 0  # loosened: nothing is asked
    assert (cost(desk), desk.answers().height) == (paid, sum(sizes))


@pytest.mark.long
def test_a_tighter_rule_or_a_higher_maximum_only_adds(desk: Desk) -> None:
    words = [*QUICK, *WHERE, "faults.malformed=0"]
    before: list[set[str]] = []
    for changed in (
        *(rule(most=5), rule(most=6), rule(most=6, half_width=3), rule(most=14, half_width=3)),
        *("trials=15", rule(most=16, half_width=1)),
    ):
        assert desk.run(*words, changed).returncode == 0
        names = set(desk.answers()["custom_id"])
        assert not before or before[-1] <= names
        before.append(names)
        assert cost(desk) == len(names)
        assert set(billed(desk.bill(EMULATED)).values()) == {1}
    assert [len(names) for names in before[-2:]] == [60, 64]
    assert len(before[0]) < len(before[1]) < len(before[2]) < len(before[3])
    looser = desk.run(*words, rule(most=5))
    assert looser.returncode == 0
    assert set(desk.answers()["custom_id"]) == before[-1]  # what was asked stays


@pytest.mark.long
def test_the_plan_shows_the_next_round_and_what_it_may_come_to(desk: Desk) -> None:
    words = [*QUICK, *WHERE, "faults.malformed=0"]
    said = " ".join(desk.run(*words, rule(), "action=plan").stdout.split())
    assert re.search(
        r"trials +4 to 20 of each condition, until the 95 % interval of Q1 is ±8", said
    )
    assert re.search(r"at most +80 requests, up to \$", said)
    assert re.search(r"to send +16 in", said)
    desk.run(*words, rule(most=4))
    facts = json.loads(desk.run(*words, rule(), "action=plan", "--json").stdout)
    over = sum(is_over(v, 4, 20, 8) for v in trials(desk.answers()).values())
    assert 0 < over < 4
    assert facts["until"]["reached"] == over
    assert facts["to_send"] == facts["total"] - 16 > 0
    assert facts["total_at_most"] == 4 * over + 20 * (4 - over)
    paid = desk.run(*words, rule())
    first = next(line for line in paid.stderr.splitlines() if " written, " in line)
    assert f"written, {facts['to_send']} requests" in first


@pytest.mark.long
def test_submitted_and_left_each_round_waits_to_be_collected(desk: Desk) -> None:
    words = [*QUICK, *WHERE, "faults.malformed=0", rule()]
    rounds, paid = 0, [0]
    while (left := desk.run(*words, "wait=false")).returncode == 3:
        rounds += 1
        collected = desk.run(*words, "action=collect")
        paid.append(cost(desk))
        is_over_now = all(is_over(v, 4, 20, 8) for v in trials(desk.answers()).values())
        assert collected.returncode == (0 if is_over_now else 3)  # the next round is open
        assert rounds < 12
    assert left.returncode == 0
    assert rounds > 1
    assert paid == sorted(set(paid))
    kept_to(desk.answers().filter(pl.col("status") != "open"), 4, 20, 8)
    assert cost(desk) == desk.answers().height


@pytest.mark.long
@pytest.mark.parametrize("provider", first(1, ["anthropic", "openai"]))
def test_in_a_bad_week_with_a_pilot_lost_ones_are_asked_again_first(
    desk: Desk, provider: str
) -> None:
    words = [
        *(f"provider={provider}", "service=emulated", "provider.limits.requests=6"),
        *(*WHERE, *HURRY, *FAULTS["rough"], "retry.max_lost=20"),
        *("pilot={at_least: 6, valid: 0.3}", rule(most=9, half_width=10)),
    ]
    said = desk.run(*words)
    assert said.returncode in (0, 3), said.stderr
    (folder,) = (desk.folder / "outputs/literary").iterdir()
    cell = f"literary/{folder.name}"
    assert desk.summary(cell)["open"] == 0
    assert desk.summary(cell)["pilot"]["state"] == "passed"
    kept_to(desk.answers(cell), 4, 9, 10)
    asked = desk.attempts(cell).filter(pl.col("outcome").is_in(["valid", "invalid"]))
    assert billed(desk.bill(cell)) == Counter(asked["custom_id"].to_list())


@pytest.mark.long
def test_a_choice_is_asked_until_the_share_of_its_most_frequent_option_is_known(
    desk: Desk,
) -> None:
    words = ["experiment=labels", *QUICK, "faults.malformed=0"]
    name = "labels/emulator_gpt-4o-mini"
    plan = json.loads(desk.run(*words, "action=plan", "--json").stdout)
    item = "label"
    said = desk.run(*words, rule(3, 6, 0.26, of=item))
    if "is no item" in said.stderr:
        item = re.findall(r"allowed: (\w+)", said.stderr)[0]
        said = desk.run(*words, rule(3, 6, 0.26, of=item))
    assert said.returncode == 0, said.stderr
    conditions = desk.answers(name)["custom_id"].str.replace(r"_n\d+$", "").n_unique()
    assert conditions == plan["conditions"]
    assert desk.summary(name)["until"]["open"] == 0
    assert desk.summary(name)["until"]["reached"] > 0


@pytest.mark.long
def test_a_study_of_its_own_says_it_in_its_file(desk: Desk) -> None:
    _write(desk, lambda text: text)
    said = desk.run(*QUICK, "--config-dir", "mine", "experiment=own", "action=plan", "--json")
    assert (json.loads(said.stdout)["until"]["max"], said.returncode) == (8, 0)
    for word, most in (("trials.max=9", 9), ("trials.until.half_width=1", 8)):
        changed = desk.run(
            *QUICK, "--config-dir", "mine", "experiment=own", word, "action=plan", "--json"
        )
        assert json.loads(changed.stdout)["until"]["max"] == most
    plain = desk.run(
        *QUICK, "--config-dir", "mine", "experiment=own", "trials=7", "action=plan", "--json"
    )
    assert "until" not in json.loads(plain.stdout)
    assert json.loads(plain.stdout)["trials"] == 7


def _write(desk: Desk, change: Callable[[str], str]) -> None:
    home: Path = desk.folder / "mine" / "experiment"
    home.mkdir(parents=True, exist_ok=True)
    text = """\
# @package _global_
defaults:
  - override /question: english
name: own
factors:
  tone: {levels: {warm: "Please.", cold: "Now."}}
trials: {min: 3, max: 8, until: {half_width: 1.5, of: mood, per: condition}}
temperatures: null
messages:
  - {role: user, content: "{tone} How are you?\\n\\n{items}"}
items:
  mood: {minimum: 1, maximum: 7}
"""
    (home / "own.yaml").write_text(change(text), encoding="utf-8")


def test_it_is_refused_where_most_conditions_do_not_have_the_item(desk: Desk) -> None:
    _write(desk, lambda text: text + "  calm: {minimum: 1, maximum: 7}\n")
    said = desk.run(*QUICK, "--config-dir", "mine", "experiment=own", "ask=each", "action=plan")
    assert said.returncode == 2
    assert "with ask: each most conditions do not have that item" in said.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("item", "refused"),
    [
        ("free: {kind: text, reason: false}", True),
        ("several: {kind: choices, options: [a1, b2, c3], reason: false}", True),
        ("one: {kind: choice, options: [a1, b2, c3], reason: false}", False),
    ],
)
def test_an_item_without_a_number_has_no_interval(desk: Desk, item: str, refused: bool) -> None:
    _write(
        desk,
        lambda text: (
            text.replace("1.5, of: mood", f"0.1, of: {item.split(':', maxsplit=1)[0]}")
            + f"  {item}\n"
        ),
    )
    said = desk.run(*QUICK, "--config-dir", "mine", "experiment=own", "action=plan")
    assert said.returncode == (2 if refused else 0), said.stderr
    assert ("allowed: a number, whose mean has an interval" in said.stderr) == refused


@pytest.mark.long
def test_jobs_of_a_sweep_may_share_a_folder_or_not(desk: Desk) -> None:
    words = ["-m", *QUICK, *WHERE, "faults.malformed=0", rule()]
    said = desk.run(*words, "trials.until.half_width=12,8")
    assert said.returncode == 0, said.stdout
    kept_to(desk.answers(), 4, 20, 8)
    assert cost(desk) == desk.answers().height
    models = desk.run(
        *words, "name=panel", "temperatures=null", "provider.model=gpt-4o-mini,gpt-4.1-mini"
    )
    assert models.returncode == 0, models.stdout


@pytest.mark.long
def test_reading_again_and_a_folder_beside_it(desk: Desk) -> None:
    words = [*QUICK, *WHERE, rule()]
    assert desk.run(*words).returncode == 0
    before, paid = desk.answers(), cost(desk)
    assert desk.run(*words, "action=export").returncode == 0
    assert desk.answers().equals(before)
    assert desk.summary()["until"]["open"] == 0
    assert desk.run(*words).returncode == 0
    assert cost(desk) == paid
    (desk.cell() / "cache.db").unlink()
    assert desk.run(*words, "action=recover").returncode == 0  # what was sent counts as granted
    assert desk.run(*words).returncode == 0
    assert desk.answers().equals(before)
    assert cost(desk) == paid


@pytest.mark.long
def test_a_fork_grants_rounds_of_its_own_and_leaves_the_first_alone(desk: Desk) -> None:
    words = [*QUICK, "personas=[p1]", "texts=[t1]", "faults.malformed=0"]
    assert desk.run(*words, rule(2, 3, 0.1)).returncode == 0
    other, forked = [*words, "+provider.parameters.top_p=0.5"], f"{EMULATED}-2"
    said = desk.run(*other, rule(2, 4, 0.1), "fork=true")
    assert said.returncode == 0, said.stderr
    kept_to(desk.answers(forked), 2, 4, 0.1)
    rounds = json.loads((desk.cell(forked) / "manifest.json").read_text())["rounds"]
    assert {one["rule"]["max"] for one in rounds} == {4}  # none of the first one's
    again = desk.run(*other, rule(2, 4, 0.1))  # it is found again, and has all it wants
    assert (again.returncode, cost(desk, forked)) == (0, 4)
    assert (cost(desk), desk.answers().height) == (3, 3)


@pytest.mark.long
def test_the_report_the_codebook_and_the_manifest_say_it(desk: Desk) -> None:
    words = [*QUICK, *WHERE]
    desk.run(*words, rule(half_width=6, most=9))
    desk.run(*words, rule(half_width=5, most=12), "export.format=long", "action=export")
    manifest = json.loads((desk.cell() / "manifest.json").read_text())
    assert manifest["rounds"][0]["rule"]["half_width"] == 6
    assert "different numbers of trials" in (desk.cell() / "export/codebook.md").read_text()
    desk.run(*words, rule(half_width=5, most=12))
    until = desk.summary()["until"]
    page = _page(desk)
    assert "Stopping rule: in gpt-4o-mini each condition was asked 4 times" in page
    assert f"reached it: {until['reached']}" in page
    assert f"not within 12: {until['at_max']}" in page
    assert "by an earlier rule (Q1, ±6, 4 to 9 trials)" in page
    assert "停止規則" in _page(desk, "report.lang=ja")
    desk.run(*words, "trials=4")
    assert "by an earlier rule (Q1, ±5, 4 to 12 trials)" in _page(desk)
    assert "Stopping rule: in" not in _page(desk)


@pytest.mark.long
def test_a_study_without_a_rule_says_nothing_of_any(desk: Desk) -> None:
    desk.run(*QUICK, *WHERE, "trials=2", "export.format=long", "action=run")
    desk.run(*QUICK, *WHERE, "trials=2", "export.format=long", "action=export")
    manifest = json.loads((desk.cell() / "manifest.json").read_text())
    assert not {"rounds", "until", "pilot"} & {*manifest, *manifest["experiment"]}
    assert not {"until", "pilot"} & desk.summary().keys()
    assert "stopping rule" not in (desk.cell() / "export/codebook.md").read_text()
    page = _page(desk)
    assert "Stopping rule" not in page
    assert "Pilot:" not in page


def _page(desk: Desk, *words: str) -> str:
    said = desk.run(*QUICK, *WHERE, "action=report", *words)
    assert said.returncode == 0, said.stderr
    return (desk.folder / "outputs/literary/report/report.html").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_round_that_was_granted_stays_open_when_answers_are_read_again(desk: Desk) -> None:
    words = [*QUICK, *WHERE, rule(half_width=3), "faults.malformed=0"]
    desk.run(*words, "wait=false")
    assert desk.run(*words, "action=collect").returncode == 3
    left = desk.summary()["open"]
    assert left > 0
    assert desk.run(*words, "action=export").returncode == 3
    assert desk.summary()["open"] == left
    assert desk.run(*words, "action=verify").returncode == 0


@pytest.mark.long
def test_a_cancelled_run_asks_nothing_more(desk: Desk) -> None:
    words = [*QUICK, *WHERE, rule(), "wait=false"]
    desk.run(*words)
    desk.run(*[w for w in words if w != "wait=false"], "action=cancel")
    assert desk.summary()["total"] == 16
    assert cost(desk) <= 16


@pytest.mark.parametrize(
    ("word", "why"),
    first(
        4,
        [
            (
                "trials={min: 1, max: 5, until: {half_width: 1, of: Q1}}",
                "trials.min: 1 is too small",
            ),
            ("trials={min: 6, max: 5, until: {half_width: 1, of: Q1}}", "trials.max: 5 is below"),
            ("trials={min: 2, max: 5}", "trials.until: says when"),
            ("trials={min: 2, max: 5, until: {half_width: 0, of: Q1}}", "half_width: 0; allowed"),
            (
                "trials={min: 2, max: 5, until: {half_width: 1, of: Q7}}",
                "trials.until.of: 'Q7' is no",
            ),
            ("trials={min: 2, max: 5, until: {half_width: 1, of: Q1, per: text}}", "per: 'text'"),
            ("trials={min: 2, max: 5, until: {half_width: 1, of: Q1, by: 2}}", "until.by: no such"),
            (
                "trials={min: 2, max: many, until: {half_width: 1, of: Q1}}",
                "trials.max: 'many' is no",
            ),
            ("trials=ten", "Integer"),
            ("trials=[1,2]", "trials"),
            ("trials=null", "trials"),
        ],
    ),
)
def test_what_makes_no_rule_is_refused_in_one_line(desk: Desk, word: str, why: str) -> None:
    said = desk.run(*QUICK, word)
    assert said.returncode == 2
    assert why in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not desk.files()
