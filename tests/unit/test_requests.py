"""Request files: valid JSON, in order, as recorded; whole or not there."""

import json
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.batches.requests import BLOCK_BYTES, RequestFile, RequestFiles
from runner.core.cost import Price
from runner.core.expand import checked_conditions
from runner.core.model import BatchKey, Experiment, Limits, Span, Stem, Variant
from runner.core.pack import SizedSpan
from runner.providers.base import Service
from runner.providers.openai import OpenAIBatch
from runner.storage.files import write_durably
from tests.levels import changed_level, levels

KEY = BatchKey("b0001")
NOWHERE = Service(base_url="https://127.0.0.1/v1", key_variable="KEY", key=None, timeout_seconds=1)


def request_files(folder: Path, experiment: Experiment, limits: Limits) -> RequestFiles:
    provider = OpenAIBatch(NOWHERE, experiment.model)
    return RequestFiles(folder, experiment, checked_conditions(experiment), provider, limits)


def spans(*found: tuple[str, int, int]) -> list[Span]:
    return [Span(Stem(stem), first, last, Variant.PLAIN) for stem, first, last in found]


def written(box: RequestFiles, pending: list[Span]) -> tuple[RequestFile, list[dict], bytes]:
    (sized,) = box.batches(pending)
    file = box.write(KEY, sized)
    content = box.path(KEY).read_bytes()
    return file, [json.loads(line) for line in content.split(b"\n")[:-1]], content


def with_body(experiment: Experiment, body: str) -> Experiment:
    return changed_level(experiment, "text", "t1", text=body)


def test_every_line_is_one_request_with_its_custom_id_in_order(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    _, rows, _ = written(box, spans(("p2_t1", 98, 101), ("p1_t3", 1, 2)))
    assert [row["custom_id"] for row in rows] == [
        "p2_t1_n98",
        "p2_t1_n99",
        "p2_t1_n100",
        "p2_t1_n101",
        "p1_t3_n01",
        "p1_t3_n02",
    ]
    first, last = rows[0]["body"], rows[-1]["body"]
    assert (
        levels(experiment, "text")["t1"].fields["text"].strip("\n")
        in first["messages"][1]["content"]
    )
    assert first["messages"][0]["content"] == levels(experiment, "persona")["p2"].fields["system"]
    assert (
        levels(experiment, "text")["t3"].fields["text"].strip("\n")
        in last["messages"][1]["content"]
    )
    assert (first["temperature"], last["temperature"]) == (0.4, 0.7)


def test_the_record_says_exactly_what_is_on_disk(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    file, rows, content = written(box, spans(("p1_t1", 1, 150), ("p4_t2", 3, 3)))
    assert (file.count, file.bytes, file.sha256) == (
        151,
        len(content),
        sha256(content).hexdigest(),
    )
    assert (len(rows), file.spans) == (151, tuple(spans(("p1_t1", 1, 150), ("p4_t2", 3, 3))))


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_blocks_of_lines_join_without_a_seam(tmp_path, experiment, settings, beyond):
    box = request_files(tmp_path, experiment, settings.limits)
    (sized,) = next(box.batches(spans(("p1_t3", 1, 1))))
    trials = 2 * (BLOCK_BYTES // sized.frame_bytes) + beyond
    _, rows, content = written(box, spans(("p1_t3", 1, trials)))
    assert [row["custom_id"] for row in rows] == [f"p1_t3_n{n:02d}" for n in range(1, trials + 1)]
    assert content.count(b"\n") == trials > 20


def test_packing_never_weighs_a_file_too_light(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    pending = spans(("p1_t1", 1, 1200), ("p3_t2", 1, 5))
    (sized,) = box.batches(pending)
    assert sum(s.line_bytes * len(s.span) for s in sized) >= box.write(KEY, sized).bytes


def test_a_file_is_within_the_limit_less_the_margin(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, replace(settings.limits, bytes=100_000, margin=0.05))
    batches = list(box.batches(spans(("p1_t1", 1, 200))))
    sizes = [box.write(BatchKey(f"b{n}"), batch).bytes for n, batch in enumerate(batches)]
    assert len(batches) > 1
    assert max(sizes) <= 95_000


def test_the_stricter_wording_goes_out_where_the_span_says_so(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    plain = Span(Stem("p1_t1"), 1, 1, Variant.PLAIN)
    _, (one, two), _ = written(
        box, [plain, replace(plain, first=2, last=2, variant=Variant.ENHANCED)]
    )
    found = ["重要：" in row["body"]["messages"][1]["content"] for row in (one, two)]
    assert found == [False, True]


@pytest.mark.parametrize(
    "body",
    [
        "NUL \x00 here",
        "quotes \" ' ` and \\ and \\n and \\u0000",
        "line\u2028separator\u2029and\x85next",
        "tab\tand\rreturn\nand newline",
        "😀 𠮷 é e\u0301 ﷽ \u202e",
        "\ufeffBOM inside",
        '{"custom_id": "\x00"}',
    ],
)
def test_whatever_stands_in_a_text_survives_the_file(tmp_path, experiment, settings, body):
    box = request_files(tmp_path, with_body(experiment, body), settings.limits)
    _, rows, _ = written(box, spans(("p1_t1", 1, 2)))
    assert [body in row["body"]["messages"][1]["content"] for row in rows] == [True, True]
    assert [row["custom_id"] for row in rows] == ["p1_t1_n01", "p1_t1_n02"]


@given(st.text())
def test_any_text_keeps_the_custom_id_in_its_place(tmp_path_factory, experiment, settings, body):
    box = request_files(
        tmp_path_factory.getbasetemp(), with_body(experiment, body), settings.limits
    )
    frame, _ = box.frame(Stem("p1_t1"), Variant.PLAIN)
    row = json.loads(frame.before + b"p1_t1_n01" + frame.after)
    assert row["custom_id"] == "p1_t1_n01"
    assert body.rstrip("\n") in row["body"]["messages"][1]["content"]


def test_the_file_is_utf8_and_not_escaped(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    _, _, content = written(box, spans(("p1_t1", 1, 1)))
    assert "懐中時計".encode() in content
    assert b"\\u" not in content


# --- whole, or not there -----------------------------------------------------------------------


class Killed(BaseException):
    """What stands for the end of the process."""


def test_a_death_while_writing_leaves_no_final_file(tmp_path):
    def blocks():
        yield b"first\n"
        raise Killed

    with pytest.raises(Killed):
        write_durably(tmp_path / "requests" / "b0001.jsonl", blocks())
    assert not (tmp_path / "requests" / "b0001.jsonl").exists()


def test_a_death_while_writing_leaves_an_earlier_file_as_it_was(tmp_path):
    path = tmp_path / "b0001.jsonl"
    write_durably(path, [b"old\n"])

    def blocks():
        yield b"new\n"
        raise Killed

    with pytest.raises(Killed):
        write_durably(path, blocks())
    assert path.read_bytes() == b"old\n"


def test_leftovers_of_a_death_are_written_over(tmp_path):
    path = tmp_path / "b0001.jsonl"
    path.with_name("b0001.jsonl.part").write_bytes(b"half a line, and longer than the new one")
    write_durably(path, [b"whole\n"])
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("b0001.jsonl", b"whole\n")]


def test_an_error_in_the_middle_of_a_batch_leaves_no_final_file(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    good, unknown = spans(("p1_t1", 1, 3), ("nobody_t1", 1, 3))
    sized = tuple(SizedSpan(span=s, frame_bytes=10, tokens=1) for s in (good, unknown))
    with pytest.raises(KeyError):
        box.write(KEY, sized)
    assert not box.path(KEY).exists()


def test_the_estimate_counts_all_that_is_sent_also_what_the_persona_is_told(
    tmp_path, experiment, settings
):
    """A system prompt is billed as any input is: a longer one is more, by its own length."""
    said = levels(experiment, "persona")["p1"].fields["system"]
    grown = changed_level(experiment, "persona", "p1", system=said + "語" * 1000)
    before, after = (
        request_files(tmp_path, one, settings.limits).tokens(Stem("p1_t1"), Variant.PLAIN)
        for one in (experiment, grown)
    )
    assert after == before + 1000


def test_the_file_says_how_long_its_requests_are(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    file, _, _ = written(box, spans(("p1_t1", 1, 3), ("p1_t3", 1, 2)))
    one, other = (box.tokens(Stem(stem), Variant.PLAIN) for stem in ("p1_t1", "p1_t3"))
    assert file.weights == {(one, 1500): 3, (other, 1500): 2}
    assert file.input_tokens == 3 * one + 2 * other


def test_the_most_of_a_request_is_that_of_its_own_length(tmp_path, experiment, settings):
    box = request_files(tmp_path, experiment, settings.limits)
    price = Price(input_usd=Decimal(2), output_usd=Decimal(3), source="test")
    tokens = box.tokens(Stem("p1_t1"), Variant.PLAIN)
    most = 2 * tokens + 3 * experiment.model.max_output_tokens
    assert box.highest(Stem("p1_t1"), Variant.PLAIN, price) == most
    assert box.highest(Stem("p9_t9"), Variant.PLAIN, price) is None
