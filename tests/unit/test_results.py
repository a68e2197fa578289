"""Reading result files: the good lines are never lost, whatever stands between them."""

import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.batches.results import BatchReading, ResultReader
from runner.core.cost import Price, PriceList, Tier
from runner.core.errors import CrewLost
from runner.core.model import Batch, BatchKey, Experiment, Reply, Span, Stem, Usage, Variant
from runner.core.states import OUTCOME_CODES, BatchState, Outcome
from runner.providers._chat import read_line
from runner.providers.base import Service
from runner.providers.openai import OpenAIBatch

BATCH = Batch(
    key=BatchKey("b0001"),
    state=BatchState.ENDED,
    count=5,
    bytes=0,
    sha256="",
    input_tokens=0,
    reserved_usd=None,
    packed_at=0,
)
MEMBERS = (
    Span(Stem("p1_t1"), 1, 3, Variant.PLAIN),
    Span(Stem("p2_t1"), 99, 100, Variant.ENHANCED),
)
IDS = ["p1_t1_n01", "p1_t1_n02", "p1_t1_n03", "p2_t1_n99", "p2_t1_n100"]
PRICE = Price(input_usd=Decimal("0.001"), output_usd=Decimal("0.01"), source="test")
PRICES = PriceList(batch=PRICE, realtime=replace(PRICE, source="full"))
NO_PRICE = PriceList(batch=None, realtime=None)
GOOD = "".join(
    f"Q{n}. {label}(数値): {n * 10}\nQ{n}. {label}(理由): 理由です。\n"
    for n, label in enumerate(["面白さ", "驚き", "悲しみ", "怒り"], 1)
)
BAD = "わかりません。"
NOWHERE = Service(base_url="https://127.0.0.1/v1", key_variable="KEY", key=None, timeout_seconds=1)


def answer(custom_id: str, text: str = GOOD, **body: object) -> dict:
    return {
        "id": "batch_req_1",
        "custom_id": custom_id,
        "response": {
            "status_code": 200,
            "request_id": "req_1",
            "body": {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": text, "refusal": None},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
                **body,
            },
        },
        "error": None,
    }


def failure(custom_id: str, status: int) -> dict:
    body = {"error": {"message": "no", "type": "x", "param": None, "code": None}}
    response = {"status_code": status, "request_id": "req_1", "body": body}
    return {"id": "batch_req_1", "custom_id": custom_id, "response": response, "error": None}


def error(custom_id: str, code: str) -> dict:
    return {
        "id": "batch_req_1",
        "custom_id": custom_id,
        "response": None,
        "error": {"code": code, "message": "no"},
    }


def raw(row: dict) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")


def result_reader_of(
    folder: Path,
    experiment: Experiment,
    decode: Callable[[bytes], Reply],
    prices: PriceList = PRICES,
    proof: Callable[[Stem, Variant, int], str | None] = lambda stem, variant, trial: None,
) -> ResultReader:
    return ResultReader(folder, experiment.questions, decode, prices, proof)


Read = Callable[..., BatchReading]


@pytest.fixture
def read(tmp_path: Path, experiment: Experiment) -> Read:
    """Read these result lines of the batch."""
    provider = OpenAIBatch(NOWHERE, experiment.model)
    result_reader = result_reader_of(tmp_path, experiment, provider.decode)

    def reading(
        *rows: dict | bytes, rest: Outcome = Outcome.MISSING, end: bytes = b"\n"
    ) -> BatchReading:
        path = tmp_path / "b0001.output.jsonl"
        path.write_bytes(
            b"\n".join(row if isinstance(row, bytes) else raw(row) for row in rows) + end
        )
        return result_reader.read(replace(BATCH, rest=rest), MEMBERS, [path])

    return reading


def outcomes(reading: BatchReading) -> list[Outcome]:
    return [list(Outcome)[code] for code in reading.outcomes]


def table(tmp_path: Path) -> pl.DataFrame:
    return pl.read_parquet(tmp_path / "attempts" / "*.parquet")


ALL_GOOD = [answer(i) for i in IDS]
VALID = [Outcome.VALID] * 5


# --- what is well ------------------------------------------------------------------------------


def test_good_answers_are_counted_priced_and_written(read, tmp_path):
    reading = read(*ALL_GOOD)
    assert outcomes(reading) == VALID
    assert reading.tally == {"valid": 5}
    assert reading.patterns == {f"Q{n}": {"form": 5} for n in range(1, 5)}
    assert (reading.causes, reading.notices, reading.missing) == ({}, {}, 0)
    assert reading.usage == Usage(input_tokens=500, output_tokens=50)
    assert reading.cost_usd == Decimal("1.000")
    rows = table(tmp_path)
    assert rows["custom_id"].to_list() == IDS
    assert rows["prompt_variant"].to_list() == ["plain"] * 3 + ["enhanced"] * 2
    assert rows.select("Q1_value", "Q4_value", "Q1_reason").row(0) == (10, 40, "理由です。")
    assert rows["raw_answer"].to_list() == [GOOD] * 5


def test_the_order_of_the_lines_does_not_matter(read):
    rows = [answer(i, GOOD if i != "p1_t1_n02" else BAD) for i in IDS]
    random.Random(1).shuffle(rows)
    expected = [Outcome.VALID, Outcome.INVALID, *VALID[:3]]
    assert outcomes(read(*rows)) == expected


def test_an_answer_that_cannot_be_read_is_invalid_counted_and_paid_for(read):
    reading = read(answer(IDS[0], BAD), *ALL_GOOD[1:])
    assert outcomes(reading) == [Outcome.INVALID, *VALID[:4]]
    assert reading.patterns["Q1"] == {"none": 1, "form": 4}
    assert reading.causes["Q1"] == {"missing": 1}
    assert reading.usage == Usage(input_tokens=500, output_tokens=50)


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (failure(IDS[0], 400), Outcome.REFUSED),
        (failure(IDS[0], 429), Outcome.ERRORED),
        (failure(IDS[0], 500), Outcome.ERRORED),
        (error(IDS[0], "batch_expired"), Outcome.EXPIRED),
        (error(IDS[0], "batch_cancelled"), Outcome.CANCELLED),
        (error(IDS[0], "anything_else"), Outcome.ERRORED),
    ],
)
def test_a_line_without_an_answer_says_how_the_request_ended(read, tmp_path, row, outcome):
    reading = read(row, *ALL_GOOD[1:])
    assert outcomes(reading) == [outcome, *VALID[:4]]
    assert reading.usage == Usage(input_tokens=400, output_tokens=40)
    first = table(tmp_path).row(0, named=True)
    assert (first["raw_answer"], first["input_tokens"], first["cost_usd"]) == (None, None, None)
    assert "no" in first["error"]


@pytest.mark.parametrize("outcome", [Outcome.MISSING, Outcome.CANCELLED, Outcome.EXPIRED])
def test_a_request_in_no_file_ended_as_the_provider_says_of_the_rest(read, tmp_path, outcome):
    reading = read(*ALL_GOOD[:3], rest=outcome)
    assert outcomes(reading) == [*VALID[:3], outcome, outcome]
    assert (reading.missing, reading.tally) == (2, {"valid": 3, outcome.value: 2})
    assert table(tmp_path)["custom_id"].to_list() == IDS


def test_every_request_gets_one_row_and_one_outcome(read, tmp_path):
    reading = read(ALL_GOOD[0], failure(IDS[1], 500), ALL_GOOD[0], answer("stranger"), b"junk")
    assert sum(reading.tally.values()) == len(reading.outcomes) == table(tmp_path).height == 5
    assert OUTCOME_CODES[Outcome.OPEN] not in reading.outcomes


def test_an_unknown_price_makes_an_unknown_cost(tmp_path, experiment):
    provider = OpenAIBatch(NOWHERE, experiment.model)
    path = tmp_path / "out.jsonl"
    path.write_bytes(raw(ALL_GOOD[0]))
    result_reader = result_reader_of(tmp_path, experiment, provider.decode, NO_PRICE)
    assert result_reader.read(BATCH, MEMBERS, [path]).cost_usd is None


def test_the_error_file_completes_the_output_file(tmp_path, experiment):
    provider = OpenAIBatch(NOWHERE, experiment.model)
    output, errors = tmp_path / "output.jsonl", tmp_path / "error.jsonl"
    output.write_bytes(b"\n".join(map(raw, ALL_GOOD[:4])))
    errors.write_bytes(raw(failure(IDS[4], 500)))
    result_reader = result_reader_of(tmp_path, experiment, provider.decode)
    reading = result_reader.read(BATCH, MEMBERS, [output, errors])
    assert outcomes(reading) == [*VALID[:4], Outcome.ERRORED]


def test_reading_a_batch_again_replaces_its_rows(read, tmp_path):
    read(*ALL_GOOD)
    read(*ALL_GOOD)
    assert table(tmp_path).height == 5


# --- what is odd -------------------------------------------------------------------------------


def test_the_same_line_twice_counts_once_and_is_noted(read):
    reading = read(*ALL_GOOD, ALL_GOOD[0], ALL_GOOD[0])
    assert (outcomes(reading), reading.notices) == (VALID, {"duplicate": 2})
    assert reading.usage == Usage(input_tokens=500, output_tokens=50)


def test_of_two_answers_to_one_request_the_first_counts(read, tmp_path):
    reading = read(*ALL_GOOD, answer(IDS[0], BAD))
    assert (outcomes(reading), reading.notices) == (VALID, {"conflicting": 1})
    assert table(tmp_path)["raw_answer"].to_list()[0] == GOOD


def test_strangers_are_noted_and_left_out(read, tmp_path):
    reading = read(answer("p1_t1_n04"), *ALL_GOOD, answer("p2_t1_n98"), answer(""))
    assert (outcomes(reading), reading.notices) == (VALID, {"unknown": 3})
    assert table(tmp_path)["custom_id"].to_list() == IDS


UNREADABLE = {
    "no JSON": b"<html>502 Bad Gateway</html>",
    "half a line": raw(ALL_GOOD[0])[:200],
    "an array": b"[1, 2]",
    "a string": b'"p1_t1_n01"',
    "a number": b"7",
    "null": b"null",
    "no custom_id": b'{"response": {}}',
    "a number for a custom_id": b'{"custom_id": 1, "response": {}}',
    "a NUL": b"\x00",
    "many NULs": b"\x00" * 4096,
    "a NUL inside": raw(ALL_GOOD[0])[:50] + b"\x00" + raw(ALL_GOOD[0])[50:],
    "invalid UTF-8": raw(ALL_GOOD[0]).replace("面白さ".encode(), b"\xff\xfe\x80"),
    "NaN": b'{"custom_id": "p1_t1_n01", "response": NaN}',
    "Infinity": b'{"custom_id": "p1_t1_n01", "response": -Infinity}',
    "100,000 arrays": b"[" * 100_000,
    "100,000 closed arrays": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "deep inside a line": b'{"custom_id": "p1_t1_n01", "error": {"message": '
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}}",
    "an integer of 10,000 digits": b'{"custom_id": ' + b"9" * 10_000 + b"}",
    "a quote": b'"',
    "a backslash": b"\\",
    "a CSV line": b"a,b,c",
}


@pytest.mark.parametrize("what", list(UNREADABLE))
def test_a_line_that_cannot_be_read_is_noted_and_loses_nothing(read, what):
    reading = read(ALL_GOOD[1], UNREADABLE[what], *ALL_GOOD[2:], ALL_GOOD[0])
    assert (outcomes(reading), reading.notices) == (VALID, {"unreadable": 1})


NO_OUTCOME = {
    "neither response nor error": b'{"custom_id": "p1_t1_n01"}',
    "a response that is a list": b'{"custom_id": "p1_t1_n01", "response": []}',
    "no status": b'{"custom_id": "p1_t1_n01", "response": {"body": {}}}',
    "no choices": raw(answer(IDS[0], choices=[])),
}
NOWHERE_KNOWN = {
    "choices that are text": raw(answer(IDS[0], choices="x")),
    "content that is a list of numbers": raw(
        answer(IDS[0], BAD, choices=[{"message": {"content": [1]}}])
    ),
    "content that is a number": raw(answer(IDS[0], BAD, choices=[{"message": {"content": 80}}])),
    "reasoning alone": raw(
        answer(IDS[0], choices=[{"message": {"content": "", "reasoning": GOOD}}])
    ),
    "a text beside no message": raw(answer(IDS[0], choices=[{"text": GOOD}])),
}


@pytest.mark.parametrize("what", list(NO_OUTCOME))
def test_a_line_without_an_outcome_is_an_error_and_asked_again(read, what):
    reading = read(NO_OUTCOME[what], *ALL_GOOD[1:])
    assert (outcomes(reading), reading.notices) == ([Outcome.ERRORED, *VALID[:4]], {})


@pytest.mark.parametrize("what", list(NOWHERE_KNOWN))
def test_text_in_an_unknown_place_is_unreadable_and_says_where(read, what):
    reading = read(NOWHERE_KNOWN[what], *ALL_GOOD[1:])
    assert outcomes(reading) == [Outcome.UNREADABLE, *VALID[:4]]
    assert "stands in" in reading.reasons["unreadable"]


@pytest.mark.parametrize("what", list(NO_OUTCOME))
def test_an_answer_counts_whatever_failure_stands_before_it(read, tmp_path, what):
    reading = read(NO_OUTCOME[what], *ALL_GOOD)
    assert (outcomes(reading), reading.notices) == (VALID, {"conflicting": 1})
    assert reading.tally == {"valid": 5}
    rows = table(tmp_path)
    assert (rows["custom_id"].to_list(), rows["outcome"].to_list()) == (IDS, ["valid"] * 5)


def refusal(id_, code="x", message="No."):
    error = {"error": {"code": code, "message": message}}
    return {"custom_id": id_, "response": {"status_code": 400, "body": error}}


def test_a_batch_refused_with_one_and_the_same_reason_is_nobody_s_fault(read, tmp_path):
    lines = (refusal(id_, message=f"No: {n} tokens too many.") for n, id_ in enumerate(IDS))
    reading = read(*map(raw, lines))
    assert outcomes(reading) == [Outcome.DENIED] * 5
    assert (reading.tally, reading.reasons) == (
        {"denied": 5},
        {"denied": "400: No: 0 tokens too many."},
    )
    assert table(tmp_path)["outcome"].to_list() == ["denied"] * 5


@pytest.mark.parametrize(
    "lines",
    [
        [*(refusal(id_) for id_ in IDS[:4]), refusal(IDS[4], message="Another.")],
        [*(refusal(id_) for id_ in IDS[:4]), ALL_GOOD[4]],
        [refusal(id_, "content_filter", "filtered") for id_ in IDS],
    ],
    ids=["two reasons", "one answer", "a filter"],
)
def test_what_is_not_refused_as_a_whole_is_each_request_s_own(read, lines):
    reading = read(*(line if isinstance(line, bytes) else raw(line) for line in lines))
    assert {Outcome.REFUSED} == set(outcomes(reading)[:4])


def test_one_request_that_is_refused_may_deserve_it(tmp_path, experiment):
    path = tmp_path / "out.jsonl"
    path.write_bytes(raw(refusal(IDS[0])))
    result_reader = result_reader_of(
        tmp_path, experiment, OpenAIBatch(NOWHERE, experiment.model).decode
    )
    alone = (Span(Stem("p1_t1"), 1, 1, Variant.PLAIN),)
    assert outcomes(result_reader.read(replace(BATCH, count=1), alone, [path])) == [Outcome.REFUSED]


ODD_ANSWERS = {
    "lone surrogates, escaped": rb'{"custom_id": "p1_t1_n01", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "\ud83d"}}]}}}',
    "a usage beyond 64 bits": raw(answer(IDS[0], BAD, usage={"prompt_tokens": 2**64 - 1})),
    "a usage beyond 63 bits": raw(answer(IDS[0], BAD, usage={"prompt_tokens": 2**63})),
    "a usage of 30 digits": raw(answer(IDS[0], BAD, usage={"prompt_tokens": 10**30})),
    "a negative usage": raw(answer(IDS[0], BAD, usage={"prompt_tokens": -5})),
    "a usage of text": raw(answer(IDS[0], BAD, usage={"prompt_tokens": "many"})),
    "a usage of true": raw(answer(IDS[0], BAD, usage={"prompt_tokens": True})),
    "a usage that is a list": raw(answer(IDS[0], BAD, usage=[1])),
    "a time of 400 digits": raw(answer(IDS[0], BAD, created=10**400)),
    "a time of text": raw(answer(IDS[0], BAD, created="yesterday")),
    "a time of 1e999": raw(answer(IDS[0], BAD, created=1)).replace(
        b'"created": 1', b'"created": 1e999'
    ),
    "a message of null": raw(answer(IDS[0], BAD, choices=[{"message": None}])),
    "content of null": raw(answer(IDS[0], BAD, choices=[{"message": {"content": None}}])),
    "a model of lone surrogates": raw(answer(IDS[0], BAD)).replace(b"gpt-4o-mini", rb"gpt\ud83d"),
    "a request id of lone surrogates": raw(answer(IDS[0], BAD)).replace(b"req_1", rb"\udc00"),
    "a reason to stop of lone surrogates": raw(answer(IDS[0], BAD)).replace(
        b'"stop"', rb'"\udc00"'
    ),
    "a NUL, escaped": raw(answer(IDS[0], "a\x00b")),
    "surrogates and a usage of 30 digits": raw(
        answer(IDS[0], "SURROGATE", usage={"prompt_tokens": 10**30}, created=10**400)
    ).replace(b"SURROGATE", rb"\ud83d"),
    "an answer of nothing": raw(answer(IDS[0], "")),
}


@pytest.mark.parametrize("what", list(ODD_ANSWERS))
def test_an_odd_answer_is_invalid_and_loses_nothing(read, tmp_path, what):
    reading = read(ODD_ANSWERS[what], *ALL_GOOD[1:])
    assert outcomes(reading) == [Outcome.INVALID, *VALID[:4]]
    assert reading.notices == {}
    assert table(tmp_path).height == 5


def test_an_odd_error_message_is_kept_as_text(read, tmp_path):
    nested = b"[" * 900 + b"]" * 900
    line = b'{"custom_id": "p1_t1_n01", "error": {"code": 1, "message": ' + nested + b"}}"
    reading = read(line, *ALL_GOOD[1:])
    assert outcomes(reading)[1:] == VALID[:4]
    assert table(tmp_path).height == 5


def test_a_lone_surrogate_becomes_a_question_mark_in_the_table_and_the_answer_counts(
    read, tmp_path
):
    line = raw(answer(IDS[0], GOOD.replace("理由です。", "理由SURROGATEです。")))
    reading = read(line.replace(b"SURROGATE", rb"\ud83d"), *ALL_GOOD[1:])
    assert outcomes(reading) == VALID
    assert table(tmp_path)["Q1_reason"].to_list()[0] == "理由?です。"


# --- where a line ends -------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"", b"\n\n\n", b"\r\n", b"\n  \n"])
def test_the_end_of_the_file_does_not_matter(read, end):
    reading = read(*ALL_GOOD, end=end)
    assert (outcomes(reading), reading.notices) == (VALID, {})


def test_blank_lines_are_nothing(read):
    reading = read(b"", ALL_GOOD[0], b"", b"   ", b"\t\r", *ALL_GOOD[1:], b"")
    assert (outcomes(reading), reading.notices) == (VALID, {})


def test_windows_line_ends_are_read(read):
    reading = read(*[raw(row) + b"\r" for row in ALL_GOOD])
    assert (outcomes(reading), reading.notices) == (VALID, {})


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_a_line_separator_inside_an_answer_does_not_end_the_line(read, tmp_path, mark):
    odd = GOOD.replace("理由です。", f"理由{mark}です。")
    reading = read(answer(IDS[0], odd), *ALL_GOOD[1:])
    assert (outcomes(reading), reading.notices) == (VALID, {})
    assert table(tmp_path)["raw_answer"].to_list()[0] == odd


def test_a_byte_order_mark_before_the_first_line_is_passed_over(read):
    reading = read(b"\xef\xbb\xbf" + raw(ALL_GOOD[0]), *ALL_GOOD[1:])
    assert (outcomes(reading), reading.notices) == (VALID, {})


@pytest.mark.parametrize("size", [3000, 3001, 4000, 6000, 6005, 9001])
def test_a_line_that_is_too_long_is_set_aside_and_loses_nothing(read, size, monkeypatch):
    monkeypatch.setattr("runner.batches.lines.MAX_LINE", 3000)
    reading = read(ALL_GOOD[0], b"x" * size, *ALL_GOOD[1:])
    assert (outcomes(reading), reading.notices) == (VALID, {"oversize": 1})


def test_a_long_answer_is_read(read):
    reading = read(answer(IDS[0], GOOD + "あ" * 1_000_000), *ALL_GOOD[1:])
    assert (outcomes(reading), reading.notices) == (VALID, {})


# --- anything at all ---------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.binary(max_size=60) | st.text().map(lambda t: t.encode("utf-8", "replace"))),
    st.randoms(use_true_random=False),
)
def test_whatever_stands_between_them_the_good_lines_are_read(
    tmp_path_factory, experiment, junk, dice
):
    folder = tmp_path_factory.getbasetemp() / "junk"
    folder.mkdir(exist_ok=True)
    rows = [raw(row) for row in ALL_GOOD] + junk
    dice.shuffle(rows)
    path = folder / "out.jsonl"
    path.write_bytes(b"\n".join(rows))
    provider = OpenAIBatch(NOWHERE, experiment.model)
    result_reader = result_reader_of(folder, experiment, provider.decode)
    reading = result_reader.read(replace(BATCH), MEMBERS, [path])
    assert outcomes(reading) == VALID


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["response", "body", "choices", "message", "usage", "error", "created"]),
    ANYTHING,
)
def test_whatever_a_field_holds_nothing_escapes_and_nothing_else_is_lost(
    tmp_path_factory, experiment, where, value
):
    row = answer(IDS[0])
    body = row["response"]["body"]
    places = {
        "response": (row, "response"),
        "error": (row, "error"),
        "body": (row["response"], "body"),
        "message": (body["choices"][0], "message"),
    }
    holder, key = places.get(where, (body, where))
    holder[key] = value
    if where == "error":
        row["response"] = None
    folder = tmp_path_factory.getbasetemp() / "fields"
    folder.mkdir(exist_ok=True)
    path = folder / "out.jsonl"
    path.write_bytes(b"\n".join(json.dumps(r).encode() for r in [row, *ALL_GOOD[1:]]))
    provider = OpenAIBatch(NOWHERE, experiment.model)
    result_reader = result_reader_of(folder, experiment, provider.decode)
    reading = result_reader.read(BATCH, MEMBERS, [path])
    assert outcomes(reading)[1:] == VALID[:4]


def test_an_answer_to_another_prompt_is_not_taken_for_this_requests(tmp_path, experiment):
    """Where a provider echoes the prompt, two swapped custom_ids are found out."""
    provider = OpenAIBatch(NOWHERE, experiment.model)

    def decode(line: bytes) -> Reply:
        reply = provider.decode(line)
        echoed = {IDS[0]: "p2_t1", IDS[3]: "p1_t1"}.get(reply.custom_id, reply.custom_id[:5])
        return replace(reply, echo=echoed)

    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(raw(row) for row in ALL_GOOD))
    result_reader = result_reader_of(tmp_path, experiment, decode, proof=lambda stem, *_: stem)
    reading = result_reader.read(BATCH, MEMBERS, [path])
    expected = [Outcome.MISSING, *VALID[:2], Outcome.MISSING, Outcome.VALID]
    assert outcomes(reading) == expected
    assert reading.notices == {"misplaced": 2}


def test_what_is_asked_one_by_one_costs_the_full_price(tmp_path, experiment):
    provider = OpenAIBatch(NOWHERE, experiment.model)
    path = tmp_path / "out.jsonl"
    path.write_bytes(raw(ALL_GOOD[0]))
    prices = PriceList(batch=PRICE, realtime=Price(input_usd=1, output_usd=1, source="full"))
    result_reader = result_reader_of(tmp_path, experiment, provider.decode, prices)
    cheap = result_reader.read(BATCH, MEMBERS, [path])
    dear = result_reader.read(replace(BATCH, realtime=True), MEMBERS, [path])
    assert dear.known_usd == dear.usage.input_tokens + dear.usage.output_tokens
    assert cheap.known_usd == PRICE.of(cheap.usage)


# --- what nobody counted -----------------------------------------------------------------------


UNCOUNTED = {
    "none": {},
    "null": {"usage": None},
    "text": {"usage": {"prompt_tokens": "100", "completion_tokens": "10"}},
    "negative": {"usage": {"prompt_tokens": 100, "completion_tokens": -10, "total_tokens": 90}},
    "zeros": {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
    "no answer counted": {"usage": {"prompt_tokens": 100, "completion_tokens": 0}},
}


@pytest.mark.parametrize("what", list(UNCOUNTED))
def test_an_answer_whose_tokens_nobody_counted_costs_an_unknown_amount(tmp_path, experiment, what):
    odd = answer(IDS[0], **UNCOUNTED[what])
    if what == "none":
        del odd["response"]["body"]["usage"]
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(map(raw, [odd, *ALL_GOOD[1:]])))
    provider = OpenAIBatch(NOWHERE, experiment.model)
    result_reader = ResultReader(
        tmp_path,
        experiment.questions,
        provider.decode,
        PRICES,
        lambda *_: None,
        highest=lambda stem, variant, price: Decimal(7 if stem == "p1_t1" else 3),
    )
    reading = result_reader.read(BATCH, MEMBERS, [path])
    assert (reading.cost_usd, reading.known_usd) == (None, Decimal("0.8"))
    assert (reading.cost_unknown, reading.held_usd) == (1, 7)
    first = table(tmp_path).row(0, named=True)
    assert (first["input_tokens"], first["output_tokens"], first["cost_usd"]) == (None, None, None)


def test_a_lost_request_keeps_its_share_of_the_reservation(tmp_path, experiment):
    provider = OpenAIBatch(NOWHERE, experiment.model)
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(map(raw, ALL_GOOD[:3])))
    result_reader = result_reader_of(tmp_path, experiment, provider.decode)
    reading = result_reader.read(replace(BATCH, reserved_usd=Decimal(10)), MEMBERS, [path])
    assert (reading.cost_unknown, reading.held_usd) == (2, 4)


def test_of_the_requests_that_may_be_lost_the_dearest_stays_reserved(tmp_path, experiment):
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join([*(raw(answer(IDS[n])) for n in (0, 1, 3)), b"<html>"]))
    decode = OpenAIBatch(NOWHERE, experiment.model).decode
    result_reader = ResultReader(
        *(tmp_path, experiment.questions, decode, PRICES, lambda *_: None),
        highest=lambda stem, *_: Decimal(9 if stem == "p2_t1" else 1),
    )
    reading = result_reader.read(replace(BATCH, rest=Outcome.CANCELLED), MEMBERS, [path])
    assert (reading.cost_unknown, reading.held_usd) == (1, 9)


@pytest.mark.parametrize(
    ("rest", "extra", "changes", "unknown"),
    [
        (Outcome.CANCELLED, b"", {}, 0),
        (Outcome.EXPIRED, b"", {}, 0),
        (Outcome.CANCELLED, b"<html>", {}, 1),
        (Outcome.CANCELLED, b"", {"realtime": True, "failed": 1}, 1),
        (Outcome.MISSING, b"", {"realtime": True, "failed": 2}, 2),
    ],
)
def test_what_the_provider_says_never_ran_costs_nothing(
    tmp_path, experiment, rest, extra, changes, unknown
):
    provider = OpenAIBatch(NOWHERE, experiment.model)
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join([*map(raw, ALL_GOOD[:3]), extra]))
    batch = replace(BATCH, rest=rest, reserved_usd=Decimal(10), **changes)
    reading = result_reader_of(tmp_path, experiment, provider.decode).read(batch, MEMBERS, [path])
    assert (reading.cost_unknown, reading.held_usd) == (unknown, 2 * unknown)


@given(
    st.lists(
        st.none()
        | st.tuples(
            st.integers(1, 400_000), st.integers(1, 9000), st.integers(0, 1), st.booleans()
        ),
        min_size=5,
        max_size=5,
    )
)
@settings(max_examples=25, deadline=None)
def test_rows_add_up_to_the_batch_and_nothing_billed_is_left_out(
    tmp_path_factory, experiment, replies
):
    """Of five replies some are lost, and some do not say what they took; the bill knows all."""
    folder = tmp_path_factory.mktemp("money")
    rows, billed = [], Decimal(0)
    price = replace(
        PRICE,
        cache_read_usd=Decimal("0.0001"),
        tiers=(
            Tier(
                above=200_000,
                input_usd=Decimal("0.002"),
                output_usd=Decimal("0.015"),
                cache_read_usd=Decimal("0.0002"),
            ),
        ),
    )
    for name, reply in zip(IDS, replies, strict=True):
        tokens, output, cached, told = reply or (400_000, 9000, 0, False)
        read = cached * tokens // 2
        billed += price.of(Usage(input_tokens=tokens, output_tokens=output, cache_read_tokens=read))
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": output,
            "prompt_tokens_details": {"cached_tokens": read},
        }
        if reply is not None:
            rows.append(answer(name, usage=usage if told else None))
    path = folder / "out.jsonl"
    path.write_bytes(b"\n".join(map(raw, rows)))
    result_reader = ResultReader(
        folder,
        experiment.questions,
        OpenAIBatch(NOWHERE, experiment.model).decode,
        PriceList(batch=price, realtime=None),
        lambda *_: None,
        highest=lambda stem, variant, price: price.highest(400_000, 9000),
    )
    reading = result_reader.read(BATCH, MEMBERS, [path])
    found = table(folder)["cost_usd"].drop_nulls().to_list()
    assert sum(found) == pytest.approx(float(reading.known_usd), rel=1e-12)
    assert reading.cost_usd == (None if reading.cost_unknown else reading.known_usd)
    assert reading.known_usd + reading.held_usd >= billed
    assert reading.cost_unknown == sum(1 for reply in replies if reply is None or not reply[3])


# --- in several processes ----------------------------------------------------------------------


def openai() -> Callable[[bytes], Reply]:
    """What reads a line, for another process."""
    return read_line


def deadly() -> Callable[[bytes], Reply]:
    """The same; one of the lines is the end of its process."""

    def decode(line: bytes) -> Reply:
        if b"\\u6b7b" in line or "死".encode() in line:
            os.kill(os.getpid(), signal.SIGKILL)
        return read_line(line)

    return decode


def echoing() -> Callable[[bytes], Reply]:
    """The same, of a service that tells which prompt it answered."""

    def decode(line: bytes) -> Reply:
        reply = read_line(line)
        return replace(reply, echo=reply.model)

    return decode


LINES = st.sampled_from(
    [
        *(raw(answer(i, model="p1_t1" if i < "p2" else "p2_t1")) for i in IDS),
        *(raw(answer(i, BAD, model="p1_t1" if i < "p2" else "p2_t1")) for i in IDS),
        *(raw(answer(i, model="another prompt")) for i in IDS),
        *(raw(failure(i, 400)) for i in IDS),
        *(raw(error(i, "batch_expired")) for i in IDS),
        raw(answer("stranger")),
        b"no JSON",
        b"",
        b"x" * 5000,
    ]
)


@pytest.mark.long
@settings(max_examples=20, deadline=None)
@given(
    output=st.lists(LINES, max_size=9),
    errors=st.lists(LINES, max_size=3),
    size=st.integers(1, 4000),
)
def test_a_batch_read_in_pieces_is_what_it_is_read_in_one(
    tmp_path_factory, experiment, output, errors, size
):
    folder = tmp_path_factory.mktemp("pieces")
    files = [folder / "output.jsonl", folder / "error.jsonl"]
    for path, rows in zip(files, (output, errors), strict=True):
        path.write_bytes(b"\n".join(rows))
    proof = lambda stem, *_: stem  # noqa: E731
    result_reader = ResultReader(
        folder, experiment.questions, echoing(), PRICES, proof, decoder=echoing
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.batches.lines.MAX_LINE", 4000)
        alone = result_reader.read(BATCH, MEMBERS, files)
        rows = table(folder)
        patch.setattr("runner.batches.results.WORTH_SPREADING", 0)
        patch.setattr("runner.batches.results.is_worth_it", lambda size: True)
        patch.setattr("runner.batches.results.PIECE_BYTES", size)
        together = result_reader.read(BATCH, MEMBERS, files)

    assert together == alone
    assert table(folder).equals(rows)


def test_of_pieces_the_words_of_the_first_are_told(tmp_path, experiment, monkeypatch):
    path = tmp_path / "error.jsonl"
    path.write_bytes(b"\n".join(raw(refusal(i, message=f"No {i}.")) for i in IDS))
    result_reader = ResultReader(
        *(tmp_path, experiment.questions, echoing(), PRICES, lambda *_: None), decoder=echoing
    )
    alone = result_reader.read(BATCH, MEMBERS, [path])
    monkeypatch.setattr("runner.batches.results.WORTH_SPREADING", 0)
    monkeypatch.setattr("runner.batches.results.is_worth_it", lambda size: True)
    monkeypatch.setattr("runner.batches.results.PIECE_BYTES", 1)
    assert result_reader.read(BATCH, MEMBERS, [path]).reasons == alone.reasons
    assert IDS[0] in "".join(alone.reasons.values())


@pytest.fixture
def many(tmp_path: Path) -> tuple[list[Path], tuple[Span, ...]]:
    """Some hundred results in two files, not in order."""
    ids = [f"p1_t1_n{trial:02d}" for trial in range(1, 401)]
    random.Random(1).shuffle(ids)
    files = [tmp_path / "output.jsonl", tmp_path / "error.jsonl"]
    rows = [raw(answer(i, BAD if i.endswith("7") else GOOD)) for i in ids[:390]]
    files[0].write_bytes(b"\n".join(rows))
    files[1].write_bytes(b"\n".join(raw(failure(i, 500)) for i in ids[390:395]))
    return files, (Span(Stem("p1_t1"), 1, 400, Variant.PLAIN),)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch counts as a large one."""
    monkeypatch.setattr("runner.batches.workers.WORTH_SPREADING", 0)
    monkeypatch.setattr("runner.batches.results.WORTH_SPREADING", 0)
    monkeypatch.setattr("runner.batches.workers.cores", lambda: 2)
    monkeypatch.setattr("runner.batches.results.PIECE_BYTES", 30_000)


def test_a_batch_read_by_processes_is_what_one_process_reads(tmp_path, experiment, many, request):
    files, members = many
    one = ResultReader(tmp_path, experiment.questions, read_line, PRICES, lambda *_: None)
    alone, rows = one.read(BATCH, members, files), table(tmp_path)
    request.getfixturevalue("large")
    crowd = ResultReader(
        tmp_path, experiment.questions, read_line, PRICES, lambda *_: None, decoder=openai
    )

    assert crowd.read(BATCH, members, files) == alone
    assert alone.tally == {"valid": 350, "invalid": 40, "errored": 5, "missing": 5}
    assert len(parts_of(tmp_path)) > 2
    assert table(tmp_path).equals(rows)


@pytest.mark.long
def test_a_process_that_dies_is_one_line_and_loses_nothing(tmp_path, experiment, many, large):
    files, members = many
    lines_ = files[0].read_bytes().split(b"\n")
    lines_[200] = raw(answer(json.loads(lines_[200])["custom_id"], GOOD.replace("理由で", "死")))
    files[0].write_bytes(b"\n".join(lines_))
    dying = ResultReader(
        tmp_path, experiment.questions, read_line, PRICES, lambda *_: None, decoder=deadly
    )

    with pytest.raises(CrewLost) as died:
        dying.read(BATCH, members, files)

    assert str(died.value).startswith("the results of b0001: a process that worked on it beside")
    assert "\n" not in str(died.value)
    again = ResultReader(
        tmp_path, experiment.questions, read_line, PRICES, lambda *_: None, decoder=openai
    )
    reading = again.read(BATCH, members, files)
    assert sum(reading.tally.values()) == 400 == table(tmp_path).height


def parts_of(folder: Path) -> list[Path]:
    return sorted((folder / "attempts").glob("*.parquet"))


def test_answers_are_counted_by_the_name_of_the_model_that_gave_them(read) -> None:
    by = [answer(i, model=m) for i, m in zip(IDS, ["a", "b", "a", None, ""], strict=True)]
    assert read(*by).models == {"a": 2, "b": 1}
    assert read(answer(IDS[0], BAD, model="a"), failure(IDS[1], 400)).models == {"a": 1}
