"""Experiments made by hand with the real ledger, request_files and result_reader: the same in every run.

`middle` is a sweep of three jobs in the middle of a day, with every kind of batch; `finished` is one
job that is over. Answers come from a fixed rule of their custom_id, so every number can be computed.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from runner.core.batch_reading import kept
from runner.core.custom_id import custom_id
from runner.core.model import Batch, BatchKey, RemoteId, Span
from runner.core.request_states import RequestStates
from runner.core.states import BatchState
from runner.core.summary import summary
from runner.run import preflight, record
from runner.run.run import Run
from runner.storage.events import event_of
from runner.storage.files import file_sha256
from runner.storage.ledger import Ledger
from tests.unit.composing import composed

NOW = 1_764_000_000.0
"""2025-11-24 16:00 UTC; what is made is made just before it."""
HOST = "lab-7"
PID = 4242
LABELS = {"Q1": "面白さ", "Q2": "驚き", "Q3": "悲しみ", "Q4": "怒り"}
FILES = {"openai": "output", "groq": "output", "anthropic": "output"}

S = BatchState


@dataclass(frozen=True)
class Made:
    """One batch of a made run."""

    state: BatchState
    age: float = 3 * 3600.0
    """Seconds since it was sent."""
    changes: Mapping[str, Any] = None  # type: ignore[assignment]
    """What differs from what is usual for the state."""


MIDDLE: Mapping[str, tuple[str, tuple[Made, ...]]] = {
    "openai": (
        "gpt-4o-mini",
        (
            Made(S.COLLECTED, 5 * 3600.0),
            Made(S.COLLECTED, 4 * 3600.0),
            Made(S.ENDED, 25 * 3600.0, {"remote_state": "expired", "completed": 28, "failed": 0}),
            Made(S.RUNNING, 3 * 3600.0, {"completed": 31, "expires_at": NOW + 3600}),
            Made(
                S.RUNNING,
                3 * 3600.0,
                {
                    "completed": 12,
                    "polled_at": NOW - 2400,
                    "tries": 6,
                    "error": "HTTP 503: overloaded",
                },
            ),
            Made(S.STAGED, 600.0, {"dead": ("batch_dead",), "error": "token_limit_exceeded"}),
            Made(S.PACKED, 60.0),
        ),
    ),
    "anthropic": (
        "claude-haiku-4-5",
        (
            Made(S.COLLECTED, 6 * 3600.0),
            Made(S.RUNNING, 2 * 3600.0, {"remote_state": "in_progress"}),
            Made(
                S.SUBMITTING,
                1800.0,
                {
                    "candidates": ("msgbatch_01A", "msgbatch_01B"),
                    "looks": 3,
                    "error": "two batches of 40 requests could be it",
                },
            ),
            Made(S.DROPPED, 1800.0, {"remote": None, "error": "invalid_request: model not found"}),
        ),
    ),
    "groq": (
        "llama-3.3-70b-versatile",
        (Made(S.COLLECTED, 7 * 3600.0), Made(S.COLLECTED, 2 * 3600.0), Made(S.CANCELLING, 7000.0)),
    ),
}


def middle(outputs: Path, name: str = "literary") -> Path:
    """Make a sweep of three jobs that is under way; returns the experiment's folder."""
    for provider, (model, batches) in MIDDLE.items():
        job(outputs, name, provider, model, batches, trials=25)
    return outputs / name


def finished(
    outputs: Path, name: str = "done", provider: str = "openai", trials: int = 10, limit: int = 40
) -> Path:
    """Make one job that is over; returns the experiment's folder."""
    return _finished(_run(str(outputs), name, provider, MIDDLE[provider][0], trials, limit))


REVIEWS = """review_id,stars,body
r1,5,"I love it, really {text}"
r 3,4,Fine for the price
日本,1,翌日に壊れた
"""
STUDY = """# @package _global_
name: reviews
factors:
  review: {file: reviews.csv, id: review_id, keep: [stars]}
  wording: {levels: {neutral: "How does the author feel?", leading: "How glad is the author?"}}
temperatures: null
messages:
  - {role: system, content: "You rate product reviews."}
  - {role: user, content: "{wording}\\n\\n{review.body}\\n\\n{items}"}
"""


def study(outputs: Path, home: Path, *more: str) -> Path:
    """Make a job that is over of a study of its own factors; returns the experiment's folder.

    Args:
        outputs: the folder of all experiments.
        home: where its configuration is written.
        more: words of the command line.
    """
    place = home / "experiment"
    place.mkdir(parents=True, exist_ok=True)
    (place / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
    (place / "reviews.yaml").write_text(STUDY, encoding="utf-8")
    settings = composed(
        [
            *("--config-dir", str(home), "experiment=reviews", f"outputs={outputs}"),
            *("provider=openai", "provider.model=gpt-4o-mini", "trials=4", "budget.max_usd=20"),
            *("provider.limits.requests=14", "provider.limits.margin=0", *more),
        ]
    )[0]
    return _finished(Run(settings))


def _finished(run: Run) -> Path:
    folder = run.settings.folder
    with Ledger.create(folder, _record(run)) as ledger:
        request_states = run.request_states()
        at = NOW - 7200.0
        while request_states.has_pending():
            for spans in _packed(run, folder, request_states):
                batch = _sent(run, folder, ledger, len(ledger.batches()) + 1, spans, at)
                request_states.depart(span.span for span in spans)
                _collect(run, ledger, request_states, batch, at + 600)
            at += 900
        _finish(run, ledger, request_states, NOW - 3000, finished=True)
    return folder.parent


def job(
    outputs: Path,
    name: str,
    provider: str,
    model: str,
    batches: Iterable[Made],
    *,
    trials: int = 25,
    beat_age: float = 1.0,
) -> Path:
    """Make one job whose batches are as told; returns its folder."""
    run = _run(str(outputs), name, provider, model, trials)
    folder = run.settings.folder
    with Ledger.create(folder, _record(run)) as ledger:
        ledger.write_plan(
            {**preflight.plan_facts(run, preflight.preview(run)), "at": NOW - 8 * 3600}
        )
        request_states = run.request_states()
        for number, made in enumerate(batches, start=1):
            spans = next(iter(_packed(run, folder, request_states)))
            batch = _sent(run, folder, ledger, number, spans, NOW - made.age)
            request_states.depart(span.span for span in spans)
            if made.state is S.COLLECTED:
                _collect(run, ledger, request_states, batch, NOW - made.age + 1800)
                continue
            if made.state is S.DROPPED:
                request_states.release(span.span for span in spans)
            _write(ledger, request_states, _as(batch, made), made.state.value)
        _finish(run, ledger, request_states, NOW - beat_age, finished=False)
    return folder


@cache
def _composed(name: str, provider: str, model: str, trials: int, limit: int) -> Any:
    return composed(
        [
            f"provider={provider}",
            f"name={name}",
            f"trials={trials}",
            f"provider.model={model}",
            f"provider.limits.requests={limit}",
            "provider.limits.margin=0",
            "budget.max_usd=20",
        ]
    )[0]


def _run(outputs: str, name: str, provider: str, model: str, trials: int, limit: int = 40) -> Run:
    settings = _composed(name, provider, model, trials, limit)
    config = replace(settings.config, outputs=outputs)
    return Run(replace(settings, config=config))


def _record(run: Run) -> dict[str, Any]:
    tag = f"{zlib.crc32(run.settings.cell.encode()):08x}"
    return {**record.new_record(run), "id": f"0123456789ab-{tag}", "created_at": NOW - 8 * 3600}


def _packed(run: Run, folder: Path, request_states: RequestStates) -> Iterator[tuple[Any, ...]]:
    request_files = run.request_files(folder, run.connection.offline("0123456789ab-" + "0" * 8))
    yield from list(request_files.batches(request_states.pending()))


def _sent(
    run: Run, folder: Path, ledger: Ledger, number: int, spans: tuple[Any, ...], at: float
) -> Batch:
    """Write a batch's request file and record it as packed, then as running."""
    key = BatchKey(f"b{number:04d}")
    request_files = run.request_files(folder, run.connection.offline(ledger.experiment()["id"]))
    file = request_files.write(key, spans)
    batch = Batch(
        key=key,
        state=S.PACKED,
        count=file.count,
        bytes=file.bytes,
        sha256=file.sha256,
        input_tokens=file.input_tokens,
        reserved_usd=Decimal("0.25"),
        packed_at=at - 30,
    )
    ledger.record(batch, summary={}, event=event_of(batch, "packed", at - 30), members=file.spans)
    return batch


def _as(batch: Batch, made: Made) -> Batch:
    """Return a batch as it stands in a state."""
    at = NOW - made.age
    known: dict[str, Any] = {"state": made.state}
    if made.state in (S.SUBMITTING, S.RUNNING, S.CANCELLING, S.ENDED, S.DROPPED):
        known["sent_at"] = at
    if made.state in (S.RUNNING, S.CANCELLING, S.ENDED):
        known |= {
            "remote": RemoteId(f"batch_{zlib.crc32(batch.sha256.encode()):08x}"),
            "accepted_at": at + 2,
            "polled_at": NOW - 20,
            "polls": 9,
            "remote_state": "in_progress",
            "expires_at": at + 86_400,
            "kept_until": at + 30 * 86_400,
            "next_at": NOW + 40,
        }
    if made.state is S.ENDED:
        known |= {"ended_at": NOW - 300, "files": {"output": "file-1"}}
    return replace(batch, **known | dict(made.changes or {}))


def _collect(
    run: Run, ledger: Ledger, request_states: RequestStates, batch: Batch, at: float
) -> None:
    """Store the answers of a batch as its provider would have sent them, and read them."""
    members = ledger.members(batch.key)
    path = ledger.directory / "raw" / f"{batch.key}.output.jsonl"
    path.parent.mkdir(exist_ok=True)
    earlier = sum(1 for b in ledger.batches() if b.key < batch.key)
    path.write_bytes(b"".join(_lines(run, ledger, members, earlier)))
    reading = run.reader(ledger)(ledger.directory).read(batch, members, [path])
    request_states.arrive(members, reading.outcomes)
    collected = replace(
        _as(batch, Made(S.ENDED, NOW - (at - 1800))),
        state=S.COLLECTED,
        remote_state="completed",
        ended_at=at - 60,
        collected_at=at,
        completed=batch.count,
        raw={"output": file_sha256(path)},
        **kept(reading),
    )
    _write(ledger, request_states, collected, "collect", outcomes=reading.outcomes)


def _write(
    ledger: Ledger, request_states: RequestStates, batch: Batch, what: str, **rows: Any
) -> None:
    batches = {b.key: b for b in ledger.batches()} | {batch.key: batch}
    event = event_of(
        batch, what, batch.collected_at or batch.sent_at or batch.packed_at, batch.error
    )
    ledger.record(
        batch,
        summary=summary(request_states.counts(), tuple(batches.values())),
        event=event,
        **rows,
    )


def _finish(
    run: Run, ledger: Ledger, request_states: RequestStates, at: float, *, finished: bool
) -> None:
    known = summary(request_states.counts(), ledger.batches())
    ledger.summarise({**known, "held": None, "halted": None})
    if finished:
        facts = preflight.plan_facts(run, preflight.preview(run))
        ledger.write_plan({**facts, "notes": [], "at": NOW - 7200})  # a note may count days
    beat = {"at": at, "pid": PID, "host": HOST, "finished": finished, "left": finished}
    ledger._store._cache.set("heartbeat", json.dumps(beat))


# -- answers


def value(name: str, question: str) -> int:
    """Return the score that an answer gives."""
    return zlib.crc32(f"{name}/{question}".encode()) % 101


def flaw(name: str, nth: int) -> str | None:
    """Return what is wrong with the nth answer to a request; None for most."""
    dice = zlib.crc32(f"{name}#{nth}".encode()) % 100
    return {0: "range", 1: "missing", 2: "refusal", 3: "twice", 4: "english"}.get(dice)


def answer(name: str, nth: int = 0) -> str:
    """Return the text of the nth answer to a request."""
    wrong = flaw(name, nth)
    if wrong == "refusal":
        return "申し訳ありませんが、この作品についてはお答えできません。"
    lines = []
    for question, label in LABELS.items():
        number: Any = value(name, question)
        if wrong == "range" and question == "Q2":
            number = 120
        if wrong == "missing" and question == "Q3":
            lines.append(f"**{label}** …… とても深い悲しみを感じました。")
            continue
        if wrong == "english":
            lines += [
                f"{label}の評価: {number}",
                f"{question}. {label}(理由): 全体に静かな調子だった。",
            ]
            continue
        lines.append(f"{question}. {label}(数値): {number}")
        if wrong == "twice" and question == "Q1":
            lines.append(f"{question}. {label}(数値): {(number + 7) % 101}")
        lines.append(f"{question}. {label}(理由): {label}を{number}ほど感じる描写だった。")
    return "\n".join(lines)


def _lines(run: Run, ledger: Ledger, members: tuple[Span, ...], nth: int) -> Iterator[bytes]:
    provider = run.settings.experiment.model.provider
    tag = run.connection.tag(ledger.experiment()["id"])
    for span in members:
        for trial in range(span.first, span.last + 1):
            name = custom_id(span.stem, trial)
            again = nth if span.variant.value == "enhanced" else 0
            line = _LINE.get(provider, _chat_line)(tag + name, answer(name, again), run)
            yield json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _chat_line(name: str, text: str, run: Run) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    body = {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": int(NOW) - 3600,
        "model": run.settings.experiment.model.name,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 200, "total_tokens": 1100},
    }
    response = {"status_code": 200, "request_id": f"req_{name}", "body": body}
    return {"id": f"batch_req_{name}", "custom_id": name, "response": response, "error": None}


def _message_line(name: str, text: str, run: Run) -> dict[str, Any]:
    message = {
        "id": f"msg_{name}",
        "type": "message",
        "role": "assistant",
        "model": run.settings.experiment.model.name,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 900, "output_tokens": 200},
    }
    return {"custom_id": name, "result": {"type": "succeeded", "message": message}}


_LINE = {"anthropic": _message_line}
