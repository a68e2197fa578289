"""Studies of other kinds, through every provider's real client in a bad week; what was paid is in the table."""

import json
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import QUICK, Desk
from tests.acceptance.test_all_providers import FAULTS, HOW, HURRY, billed
from tests.variants import always, first

SHUFFLED = ["shuffle.items=latin", "shuffle.options=true"]
LANES = {
    "openai": ["provider=openai", *SHUFFLED],
    "anthropic": ["provider=anthropic", "shuffle.items=true"],
    "gemini": ["provider=gemini", *SHUFFLED],
    "groq, as JSON": ["provider=groq", "question.answer=json"],
    "xai, thinking": ["provider=xai", "provider.model=grok-4.3", "question.answer=json"],
    "together, thinking": ["provider=together", "provider.model=zai-org/GLM-5.3"],
    "mistral, thinking": ["provider=mistral", "provider.model=mistral-large-4"],
}
STUDY = """\
# @package _global_
defaults:
  - override /question: english
name: odd
factors:
  row: {file: odd.csv, id: id, keep: [gold]}
  tone: {levels: {warm: "Please.", cold: "Now."}}
trials: 2
temperatures: null
messages:
  - {role: system, content: "You label rows."}
  - {role: user, content: "A row?"}
  - {role: assistant, content: "label (answer): no"}
  - {role: user, content: "{tone} {row.body}\\n\\n{items}"}
items:
  label: {kind: choice, options: {yes: [sure], no: [], unclear: []}, reason: false}
  mood: {minimum: -3, maximum: 3}
  half: {minimum: 0.5, maximum: 4.5, integer: false, reason: false}
  topics: {kind: choices, options: [price, quality, delivery], at_least: 0, at_most: 2, reason: false}
  order: {kind: rank, options: {p: price, q: quality, d: "on-time delivery"}, reason: false}
  why: {kind: text, ask: "Why?", required: false}
  facts: {kind: json, schema: odd.schema.json}
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "stars": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["stars", "tags"],
    "additionalProperties": False,
}
ROWS = 'id,gold,body\nr 1,yes,"{tone} ""quoted"", 日本 😀"\n二,no,"line one\nline two"\na_b,,x\n'


def written(desk: Desk) -> Path:
    """Write the study into a folder of the user's own, and return it."""
    home = desk.folder / "mine" / "experiment"
    home.mkdir(parents=True)
    (home / "odd.yaml").write_text(STUDY, encoding="utf-8")
    (home / "odd.csv").write_text(ROWS, encoding="utf-8")
    (home / "odd.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return home


@pytest.mark.parametrize("lane", always(["gemini"], LANES))
def test_a_study_of_its_own_is_answered_and_paid_once_an_attempt(desk: Desk, lane: str) -> None:
    written(desk)
    said = desk.run(
        *("--config-dir", "mine", "experiment=odd", *LANES[lane], *FAULTS["rough"], *HOW, *HURRY)
    )
    cell = _cell(desk)
    answers, attempts = desk.answers(cell), desk.attempts(cell)
    assert said.returncode in (0, 3), said.stderr
    assert answers.height == answers["custom_id"].n_unique() == 12
    asked = answers.select("row", pl.col("row_gold").fill_null("-"), "tone", "trial").rows()
    assert sorted(asked) == sorted(
        (row, gold, tone, trial)
        for row, gold in (("r 1", "yes"), ("二", "no"), ("a_b", "-"))
        for tone in ("warm", "cold")
        for trial in (1, 2)
    )
    ended = answers.filter(pl.col("status") != "failed")
    assert ended["half_value"].is_between(0.5, 4.5).all()
    named = ended["topics_value"].str.split("; ").list.eval(pl.element().filter(pl.element() != ""))
    assert named.list.len().is_between(0, 2).all()
    assert named.explode().drop_nulls().is_in(["price", "quality", "delivery"]).all()
    assert {*map(frozenset, ended["order_value"].str.split("; "))} == {frozenset("pqd")}
    assert ended["order_value"].n_unique() > 1
    assert ended["why_value"].drop_nulls().str.len_chars().min() > 5
    facts = [json.loads(text) for text in ended["facts_value"]]
    assert all(fact.keys() == {"stars", "tags"} and 1 <= fact["stars"] <= 5 for fact in facts)
    assert ended["label_value"].is_in(["yes", "no", "unclear"]).all()
    assert ended["mood_value"].is_between(-3, 3).all()
    assert answers.filter(pl.col("status") == "open").is_empty()
    answered = attempts.filter(pl.col("outcome").is_in(["valid", "invalid"]))
    assert billed(desk.bill(cell)) == Counter(answered["custom_id"])
    if SHUFFLED[-1] in LANES[lane]:
        _shows_what_the_tables_say(desk.folder / "outputs" / cell / "requests", answers)


@pytest.mark.long
@pytest.mark.parametrize("lane", first(1, ["openai", "gemini"]))
def test_each_item_in_a_request_of_its_own_is_a_factor(desk: Desk, lane: str) -> None:
    written(desk)
    words = ["--config-dir", "mine", "experiment=odd", f"provider={lane}", "ask=each"]
    said = desk.run(*words, "shuffle.options=true", *FAULTS["rough"], *HOW, *HURRY)
    cell = _cell(desk)
    answers, attempts = desk.answers(cell), desk.attempts(cell)
    assert said.returncode in (0, 3), said.stderr
    assert answers.height == answers["custom_id"].n_unique() == 12 * len(ITEMS)
    assert answers["item"].value_counts()["count"].to_list() == [12] * len(ITEMS)
    ended = answers.filter(pl.col("status").is_in(["success", "retry_success"]))
    assert ended.height > 70
    for row in ended.iter_rows(named=True):
        assert row["custom_id"].rpartition("_n")[0].endswith(f"_{row['item']}")
        others = [item for item in ITEMS if item != row["item"]]
        assert [row[f"{item}_value"] for item in others] == [None] * len(others)
        assert {row[f"{item}_pattern"] for item in others} == {"not_asked"}
        assert row[f"{row['item']}_pattern"] != "not_asked"
        assert row[f"{row['item']}_value"] is not None or row["item"] == "why"
    answered = attempts.filter(pl.col("outcome").is_in(["valid", "invalid"]))
    assert billed(desk.bill(cell)) == Counter(answered["custom_id"])
    for action in ("verify", "extract", "report") if lane == "openai" else ("verify",):
        looked = desk.run(*words, "shuffle.options=true", f"action={action}", *HOW)
        assert looked.returncode == 0, (action, looked)


def _shows_what_the_tables_say(requests: Path, answers: pl.DataFrame) -> None:
    """Look at what was sent: each request names items and options in the order of its row."""
    rows = {row["custom_id"]: row for row in answers.iter_rows(named=True)}
    assert answers["items_order"].n_unique() > 5
    seen = 0
    for path in requests.iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            name = next(name for name in rows if name in line)
            shown = [item for item in re.findall(r"\\n(\w+) ?\(answer\)", line) if item in ITEMS]
            assert "; ".join(shown) == rows[name]["items_order"]
            (options,) = re.findall(r"label ?\(answer\): \[([^\]]*)\]", line)
            assert "; ".join(options.split(" / ")) == rows[name]["label_order"]
            seen += 1
    assert seen >= len(rows)


ITEMS = ("label", "mood", "half", "topics", "order", "why", "facts")


@pytest.mark.long
def test_a_row_that_is_added_meanwhile_waits_for_the_next_run(desk: Desk) -> None:
    """What only looks after a run works on what was sent; the run then sends the new row."""
    home = written(desk)
    words = ["--config-dir", "mine", "experiment=odd", *QUICK, "faults.malformed=0"]
    assert desk.run(*words, "wait=false").returncode == 3
    with (home / "odd.csv").open("a", encoding="utf-8") as rows:
        rows.write("late,no,came later\n")
    for action in ("collect", "verify", "export", "extract", "patterns", "status"):
        said = desk.run(*words, f"action={action}")
        assert "Traceback" not in said.stderr + said.stdout, (action, said)
        assert said.returncode in (0, 3), (action, said)
        assert desk.answers(_cell(desk)).height == 12
    assert desk.run(*words).returncode == 0
    answers = desk.answers(_cell(desk))
    assert answers.height == 16
    assert answers.filter(pl.col("row") == "late")["status"].unique().to_list() == ["success"]
    assert set(billed(desk.bill(_cell(desk))).values()) == {1}


def _cell(desk: Desk) -> str:
    (folder,) = (desk.folder / "outputs" / "odd").iterdir()
    return f"odd/{Path(folder).name}"


@pytest.mark.long
def test_a_row_under_another_id_is_asked_again_and_that_is_said_before(desk: Desk) -> None:
    home = written(desk)
    words = ["--config-dir", "mine", "experiment=odd", *QUICK, "faults.malformed=0"]
    assert desk.run(*words).returncode == 0
    assert "is asked the same as" not in desk.run(*words, "action=plan").stdout
    (home / "odd.csv").write_text(ROWS.replace("a_b,", "other,"), encoding="utf-8")
    plan = desk.run(*words, "action=plan").stdout
    assert "row 'other' is asked the same as 'a_b' was, which is no longer there" in plan
    assert "to send      4 " in plan
