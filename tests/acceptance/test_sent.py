"""Levels that are settings of the request: what reached the service, by condition, with the real SDKs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from tests.acceptance.conftest import QUICK, Desk
from tests.acceptance.test_all_providers import billed
from tests.variants import first

STUDY = """\
# @package _global_
defaults:
  - override /question: english
name: sent
factors:
  tone: {levels: {warm: "Please.", cold: "Now."}}
  how: {levels: HOW, sends: SENDS}
  cap: {levels: {short: "3000", long: "30000"}, sends: max_output_tokens}
trials: 2
temperatures: null
messages:
  - {role: user, content: "{tone}\\n\\n{items}"}
items:
  mood: {minimum: -3, maximum: 3}
"""
EFFORTS = "[low, high]"
LANES: dict[str, tuple[list[str], str, str, dict[str, Any]]] = {
    "openai": (
        ["provider=openai"],
        EFFORTS,
        "reasoning",
        {
            "low": {"reasoning_effort": "low"},
            "high": {"reasoning_effort": "high"},
            "short": {"max_completion_tokens": 3000},
            "long": {"max_completion_tokens": 30000},
        },
    ),
    "anthropic": (
        ["provider=anthropic", "provider.model=claude-haiku-4-5"],
        EFFORTS,
        "reasoning",
        {
            "low": {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            "high": {"thinking": {"type": "enabled", "budget_tokens": 16384}},
            "short": {"max_tokens": 20000},
            "long": {"max_tokens": 30000},
        },
    ),
    "gemini": (
        ["provider=gemini"],
        EFFORTS,
        "reasoning",
        {
            "low": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
            "high": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}},
            "short": {"generationConfig": {"maxOutputTokens": 3000}},
            "long": {"generationConfig": {"maxOutputTokens": 30000}},
        },
    ),
    "gemini over bigquery": (
        ["provider=gemini", "provider.source=bigquery", "provider.sink=bigquery"],
        '{narrow: "0.5", wide: "1"}',
        "parameters.generationConfig.topP",
        {
            "narrow": {"generationConfig": {"topP": 0.5}},
            "wide": {"generationConfig": {"topP": 1.0}},
        },
    ),
    "groq": (
        ["provider=groq"],
        '{narrow: "0.5", wide: "1"}',
        "parameters.top_p",
        {"narrow": {"top_p": 0.5}, "wide": {"top_p": 1.0}},
    ),
    "mistral": (
        ["provider=mistral"],
        "[none, high]",
        "reasoning",
        {
            "none": {"reasoning_effort": "none"},
            "high": {"reasoning_effort": "high"},
            "short": {"max_tokens": 3000},
            "long": {"max_tokens": 30000},
        },
    ),
    "kluster": (
        ["provider=kluster"],
        '{cool: "0.1", hot: "0.90"}',
        "temperature",
        {"cool": {"temperature": 0.1}, "hot": {"temperature": 0.9}},
    ),
}


def rows_in(path: Any) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def reached(desk: Desk, cell: str) -> dict[str, dict[str, Any]]:
    """The requests that the emulator stored, by custom_id; the tag of a run is taken off."""
    found = {}
    for path in (desk.cell(cell) / "emulator" / "files").iterdir():
        for row in rows_in(path):
            body = row.get("body") or row.get("params") or row.get("request")
            if isinstance(body, str):
                body = json.loads(body)
            if body and ("messages" in body or "contents" in body) and "custom_id" in row:
                found[re.sub(r"^c[0-9a-f]{8}-", "", row["custom_id"])] = body
    return found


def holds(body: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(body, dict) and all(holds(body.get(k), v) for k, v in part.items())
    return bool(body == part and isinstance(body, bool) is isinstance(part, bool))


@pytest.mark.long
@pytest.mark.parametrize("lane", first(1, LANES))
def test_each_level_is_what_reaches_the_service(desk: Desk, lane: str) -> None:
    words, levels, sends, bodies = LANES[lane]
    home = desk.folder / "mine" / "experiment"
    home.mkdir(parents=True)
    study = STUDY.replace("HOW", levels).replace("SENDS", sends)
    if lane == "anthropic":
        study = study.replace('"3000"', '"20000"')
    (home / "sent.yaml").write_text(study, encoding="utf-8")
    done = desk.run(
        *("--config-dir", "mine", "experiment=sent", *words, "service=emulated", *QUICK),
        "faults.malformed=0",
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (desk.folder / "outputs" / "sent").iterdir()
    cell = f"sent/{folder.name}"
    answers, bill = desk.answers(cell), desk.bill(cell)
    assert answers["status"].to_list() == ["success"] * 16
    assert set(billed(bill).values()) == {1}
    sent = reached(desk, cell)
    assert sorted(sent) == sorted(answers["custom_id"])
    for row in answers.iter_rows(named=True):
        for level in (row["how"], row["cap"]):
            assert holds(sent[row["custom_id"]], bodies.get(level, {})), (row["custom_id"], level)
    if sends == "temperature":
        told = answers.group_by("how").agg(pl.col("temperature").unique())
        assert dict(told.iter_rows()) == {"cool": [0.1], "hot": [0.9]}
    facts = json.loads(
        desk.run(
            *("--config-dir", "mine", "experiment=sent", *words, "service=emulated"),
            *("action=plan", "--json", "trials=2"),
        ).stdout
    )
    assert (facts["to_send"], facts["success"]) == (0, 16)
    verified = desk.run(
        *("--config-dir", "mine", "experiment=sent", *words, "service=emulated", "action=verify")
    )
    assert verified.returncode == 0, verified.stdout
    (desk.cell(cell) / "cache.db").unlink()
    recovered = desk.run(
        *("--config-dir", "mine", "experiment=sent", *words, "service=emulated", "action=recover")
    )
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    again = desk.run(
        *("--config-dir", "mine", "experiment=sent", *words, "service=emulated", *QUICK)
    )
    assert again.returncode == 0, again.stderr
    assert set(billed(desk.bill(cell)).values()) == {1}
