"""Finished runs made by hand: their tables as action=export writes them, with known values."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

LABELS = {"Q1": "面白さ", "Q2": "悲しみ"}
PERSONAS = {"p1": "大学１年生", "p2": "詩人"}
TEXTS = {"t1": "懐中時計", "t2": "駝鳥"}
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")

Value = tuple[float | None, str | None, str | None]
"""Value, reason and cause."""


def request(
    persona: str = "p1",
    text: str = "t1",
    temperature: float | None = 0.5,
    trial: int = 1,
    status: str = "success",
    outcome: str | None = "valid",
    **readings: Value,
) -> dict[str, Any]:
    """One request with its readings, Q1 and Q2."""
    row = {
        "persona": persona,
        "text": text,
        "temperature": temperature,
        "trial": trial,
        "custom_id": f"{persona}_{text}_n{trial:02d}",
        "status": status,
        "outcome": outcome,
        "attempts": 1,
        "lost": 0,
    }
    for key in LABELS:
        value, reason, cause = readings.get(key, (None, None, None))
        row[f"{key}_value"] = value
        row[f"{key}_reason"] = reason
        row[f"{key}_pattern"] = None if cause == "missing" or outcome != "valid" else "form"
        row[f"{key}_cause"] = cause
    return row


ATTEMPT = {
    "author": "作者",
    "batch": "b0001",
    "remote_batch": "batch_1",
    "prompt_variant": "plain",
    "finish_reason": "stop",
    "request_id": "r1",
    "input_tokens": 100,
    "output_tokens": 40,
    "cost_usd": 0.001,
    "answered_at": NOON,
    "error": None,
    "submitted_at": NOON,
    "completed_at": NOON,
    "raw_answer": "…",
}
"""What every row says, unless a test says otherwise."""


def stored_run(
    outputs: Path,
    rows: list[dict[str, Any]],
    name: str = "study/openai_gpt-x",
    *,
    rehearsal: bool = False,
    personas: dict[str, str] | None = None,
    texts: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    **more: Any,
) -> Path:
    """Write the tables of one run.

    Args:
        outputs: the folder of all experiments.
        rows: from `request`.
        name: experiment and folder; the folder is provider_model.
        rehearsal: whether it is one.
        personas: names by id.
        texts: titles by id.
        labels: of the questions.
        more: columns of every row, as model_returned.
    """
    experiment, _, cell = name.partition("/")
    provider, _, model = cell.partition("_")
    personas, texts, labels = personas or PERSONAS, texts or TEXTS, labels or LABELS
    fixed = {
        "experiment": experiment,
        "provider": provider,
        "model": model,
        "rehearsal": rehearsal,
        **ATTEMPT,
        "model_returned": f"{model}-2026",
        **more,
    }
    whole = [
        {
            **fixed,
            **row,
            "persona_name": personas[row["persona"]],
            "title": texts[row["text"]],
        }
        for row in rows
    ]
    answers = pl.DataFrame(whole, schema=schema())
    folder = outputs / experiment / cell
    folder.mkdir(parents=True)
    answers.write_parquet(folder / "answers.parquet")
    answers.with_columns(attempt=pl.lit(1)).write_parquet(folder / "attempts.parquet")
    record = {
        "id": "abc",
        "name": experiment,
        "emulated": rehearsal,
        "definition": definition(personas, texts, labels),
    }
    manifest = {"chorus": "0.1.0", "experiment": record}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "summary.json").write_text("{}", encoding="utf-8")
    return folder


def definition(
    personas: dict[str, str], texts: dict[str, str], labels: dict[str, str]
) -> dict[str, Any]:
    """What a manifest says of an experiment: names by persona, titles by text, labels by question."""
    return {
        "prompt": {"plain": "問い", "enhanced": "問い！"},
        "questions": {
            key: {"label": label, "minimum": 0, "maximum": 100, "integer": True}
            for key, label in labels.items()
        },
        "personas": {key: {"name": n, "system": f"あなたは{n}"} for key, n in personas.items()},
        "texts": {key: {"title": n, "sha256": f"{key}{n}"} for key, n in texts.items()},
    }


def schema() -> dict[str, Any]:
    """The columns of answers.parquet."""
    readings: dict[str, Any] = {}
    for key in LABELS:
        readings |= {f"{key}_value": pl.Int64}
        readings |= {f"{key}_{part}": pl.String for part in ("reason", "pattern", "cause")}
    text = ("experiment", "provider", "model", "persona", "persona_name", "text", "title")
    tail = ("batch", "prompt_variant", "outcome", "finish_reason", "model_returned", "request_id")
    return {
        **dict.fromkeys(text, pl.String),
        "rehearsal": pl.Boolean,
        "author": pl.String,
        "temperature": pl.Float64,
        "trial": pl.Int64,
        "custom_id": pl.String,
        "status": pl.String,
        "attempts": pl.Int64,
        "lost": pl.Int64,
        **readings,
        **dict.fromkeys(tail, pl.String),
        "input_tokens": pl.Int64,
        "output_tokens": pl.Int64,
        "cost_usd": pl.Float64,
        "answered_at": TIME,
        "error": pl.String,
        "remote_batch": pl.String,
        "submitted_at": TIME,
        "completed_at": TIME,
        "raw_answer": pl.String,
    }


def small_study() -> list[dict[str, Any]]:
    """Four cells of three trials, with everything in it that can happen to a value."""
    rows = []
    for place, (persona, text) in enumerate([(p, t) for p in PERSONAS for t in TEXTS]):
        for trial in (1, 2, 3):
            one = 10 * place + 20 + 3 * trial
            two = 80 - 5 * place - 2 * trial
            readings: dict[str, Value] = {
                "Q1": (one, "短い理由。", None),
                "Q2": (two, "理由", None),
            }
            rows.append(request(persona, text, 0.5, trial, **readings))
    rows[1] |= {"status": "retry_success", "attempts": 2}
    rows[4] |= {"status": "failed", "outcome": "invalid", "attempts": 3, "Q1_value": None}
    rows[4] |= {"Q1_cause": "out_of_range", "Q1_reason": None}
    rows[7] |= {"Q2_value": None, "Q2_cause": "missing", "Q2_pattern": None, "Q2_reason": None}
    rows[7] |= {"status": "failed", "outcome": "invalid", "attempts": 3}
    for key in LABELS:
        rows[9] |= {f"{key}_{p}": None for p in ("value", "reason", "pattern", "cause")}
        rows[11] |= {f"{key}_{p}": None for p in ("value", "reason", "pattern", "cause")}
    rows[9] |= {"status": "failed", "outcome": "errored", "attempts": 0, "lost": 5}
    rows[11] |= {"status": "open", "outcome": None, "attempts": 0}
    return rows
