"""Files of answers: every line counted, every bad one named, in one process or in several."""

import json
import math
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.batches import workers
from runner.batches.offline import LineDecoder, Pieces, Tally, Wanted, prepare, read_piece
from runner.batches.workers import Range, ranges, spread
from runner.cli.extract import print_bad_lines
from runner.core.model import ItemKind, Question
from runner.providers.base import Service
from runner.providers.openai import OpenAIBatch
from runner.run.extract import read_file
from tests.unit.layouts import LABELS, answers
from tests.unit.test_extractor import FILLED, question_set
from tests.unit.test_results import answer as result

QUESTIONS = question_set()
NOWHERE = Service(base_url="https://127.0.0.1/v1", key_variable="KEY", key=None, timeout_seconds=1)


@pytest.fixture
def dialect(experiment) -> LineDecoder:
    return LineDecoder(OpenAIBatch, NOWHERE, experiment.model, "")


def line(custom_id: str, text: str, **more: object) -> bytes:
    return json.dumps({"custom_id": custom_id, "answer": text, **more}).encode()


def read(path: Path, dialect: LineDecoder, *lines: bytes) -> tuple[Tally, list[dict]]:
    path.write_bytes(b"\n".join(lines))
    output = BytesIO()
    total = read_file(path, QUESTIONS, dialect, output)
    return total, [orjson.loads(row) for row in output.getvalue().splitlines()]


def test_an_answer_becomes_a_line_that_says_what_was_read(tmp_path, dialect):
    total, (good, bad) = read(
        tmp_path / "a.jsonl",
        dialect,
        line("a", FILLED),
        line("b", f"{FILLED}\nQ1. 面白さ(数値): 60"),
    )

    assert good["custom_id"] == "a"
    assert good["values"] == {"Q1": 80, "Q2": 60, "Q3": 10, "Q4": 0}
    assert good["reasons"]["Q1"] == "少年の視点が面白い。"
    assert good["patterns"] == dict.fromkeys(LABELS, "form")
    assert (good["status"], good["causes"]) == ("valid", {})
    assert (bad["status"], bad["causes"]) == ("invalid", {"Q1": "ambiguous"})
    assert bad["values"]["Q1"] is None
    assert bad["written"] == {"Q1": ["80", "60"]}
    assert (total.answers, total.valid, total.causes["Q1"]) == (2, 1, Counter({"ambiguous": 1}))


def test_result_lines_of_a_provider_are_read_beside_plain_ones(tmp_path, dialect):
    failed = {"custom_id": "c", "response": None, "error": {"code": "batch_expired"}}
    total, rows = read(
        tmp_path / "a.jsonl",
        dialect,
        orjson.dumps(result("a", FILLED)),
        line("b", FILLED),
        orjson.dumps(result("d", FILLED)),
        orjson.dumps(failed),
    )

    assert [row["custom_id"] for row in rows] == ["a", "b", "d"]
    assert [row["status"] for row in rows] == ["valid"] * 3
    assert (total.answers, total.not_answered, total.bad_lines) == (3, 1, 0)


BAD = [
    (b"{", "no JSON"),
    (b"[1]", "list, not an object"),
    (b"null", "NoneType, not an object"),
    (b'{"answer": "x"}', "no custom_id that is a text"),
    (b'{"custom_id": 1, "answer": "x"}', "no custom_id that is a text"),
    (b'{"custom_id": "a", "answer": null}', "no answer that is a text"),
    (b'{"custom_id": "a", "answer": NaN}', "no JSON"),
    (b"\xff\xfe", "no JSON"),
    (b"[" * 100_000, "no JSON"),
]


@pytest.mark.parametrize(("bad", "why"), BAD)
def test_a_bad_line_is_counted_and_named_and_stops_nothing(tmp_path, dialect, capsys, bad, why):
    total, rows = read(
        tmp_path / "a.jsonl", dialect, line("a", FILLED), b"", bad, b"  ", line("b", FILLED)
    )

    assert [row["custom_id"] for row in rows] == ["a", "b"]
    assert total.bad_lines == 1
    assert total.bad[0][0] == 3
    assert why in total.bad[0][1]
    print_bad_lines(total)
    assert "line 3: " in capsys.readouterr().err


def test_half_a_surrogate_pair_is_read_and_written(tmp_path, dialect):
    text = FILLED.replace("少年の", "SIGN少年の")
    total, (row,) = read(
        tmp_path / "a.jsonl", dialect, line("a", text).replace(b"SIGN", rb"\ud83d")
    )

    assert row["reasons"]["Q1"] == "?少年の視点が面白い。"
    assert (row["status"], total.valid) == ("valid", 1)


@pytest.mark.parametrize("reason", ["abort", "model_length", "OTHER", 5, {"type": "length"}])
def test_a_reason_to_stop_that_nobody_knows_is_a_cut(tmp_path, dialect, reason):
    text = FILLED.partition("\nQ4")[0] + "\nQ4. 怒り(数値): 1"
    _, (row,) = read(tmp_path / "a.jsonl", dialect, line("a", text, finish_reason=reason))

    assert row["values"] == {"Q1": 80, "Q2": 60, "Q3": 10, "Q4": None}
    assert row["causes"] == {"Q4": "truncated"}


def test_a_cut_off_answer_says_so_when_its_reason_to_stop_is_given(tmp_path, dialect):
    text = FILLED.partition("\nQ3")[0] + "\nQ3. 悲しみ(数値): 1"
    _, (row,) = read(tmp_path / "a.jsonl", dialect, line("a", text, finish_reason="length"))

    assert row["values"] == {"Q1": 80, "Q2": 60, "Q3": None, "Q4": None}
    assert row["causes"] == {"Q3": "truncated", "Q4": "truncated"}


def test_a_file_without_a_last_newline_or_without_anything_is_read(tmp_path, dialect):
    assert read(tmp_path / "a.jsonl", dialect, line("a", FILLED) + b"\n")[0].answers == 1
    assert read(tmp_path / "b.jsonl", dialect)[0] == Tally()


@given(
    sizes=st.lists(st.integers(0, 200), max_size=40),
    ends=st.booleans(),
    piece=st.integers(1, 300),
)
def test_ranges_cut_a_file_at_its_newlines_and_lose_nothing(tmp_path_factory, sizes, ends, piece):
    path = tmp_path_factory.getbasetemp() / "ranges.txt"
    data = b"\n".join(b"x" * size for size in sizes) + b"\n" * ends
    path.write_bytes(data)

    found = list(ranges(path, piece))

    assert b"".join(data[r.begin : r.end] for r in found) == data
    assert all(data[r.end - 1 : r.end] == b"\n" for r in found[:-1])
    assert len(found) <= math.ceil(len(data) / piece) + 1


def test_several_processes_say_the_same_in_the_same_order(tmp_path, dialect):
    path = tmp_path / "many.jsonl"
    rows = [line(f"n{n}", a.text) if n % 50 else b"bad" for n, a in enumerate(answers())]
    path.write_bytes(b"\n".join(rows))
    (tmp_path / "out").mkdir()
    arguments = (QUESTIONS, dialect, Wanted(lines=tmp_path / "out", examples=True))

    def work(size: int) -> tuple[Tally, bytes]:
        total, output = Tally(), b""
        for piece in spread(
            read_piece,
            ranges(path, 20_000),
            setup=prepare,
            arguments=arguments,
            total_bytes=size,
            what="many.jsonl",
        ):
            total.add(piece)
            output += piece.output.read_bytes()
        return total, output

    alone, together = work(0), work(workers.WORTH_SPREADING)

    assert alone == together
    assert alone[0].answers + alone[0].bad_lines == len(rows) == alone[0].lines
    assert [number for number, _ in alone[0].bad] == list(range(1, len(rows), 50))


def test_a_piece_may_be_a_part_of_a_runs_attempts(tmp_path):
    import polars as pl

    part = tmp_path / "part.parquet"
    columns = {
        "custom_id": ["a", "b"],
        "raw_answer": [FILLED, None],
        "finish_reason": ["stop", None],
    }
    pl.DataFrame(columns).write_parquet(part)

    tally = Pieces(QUESTIONS, None, Wanted(examples=True)).read(part)

    assert (tally.answers, tally.valid) == (1, 1)
    assert tally.examples["Q1", "form"][0].match == "80"


def test_a_line_too_long_is_set_aside(tmp_path, dialect, monkeypatch):
    monkeypatch.setattr("runner.batches.lines.MAX_LINE", 2000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(line("a", "x" * 5000) + b"\n" + line("b", FILLED) + b"\n")
    tally = Pieces(QUESTIONS, dialect, Wanted()).read(Range(path, 0, path.stat().st_size))

    assert (tally.answers, tally.bad_lines, tally.bad[0][0]) == (1, 1, 1)


def test_a_match_that_is_cut_says_so(tmp_path, dialect):
    why = Question(
        id="why",
        label="why",
        minimum=1,
        maximum=1,
        integer=True,
        reason_required=False,
        kind=ItemKind.TEXT,
    )
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\n".join(line(n, f"why: {text}") for n, text in (("a", "x" * 99), ("b", "brief")))
    )
    total = read_file(path, replace(QUESTIONS, questions=(why,)), dialect, BytesIO(), examples=True)
    ((cut, whole),) = total.examples.values()
    assert (cut.match, whole.match) == ("x" * 24 + "…", "brief")
