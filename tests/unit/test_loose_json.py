"""Objects as models write them: read where nothing is left open, else not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.extract.loose_json import nodes
from runner.core.extract.reader import Reader
from runner.core.model import Cause, Reading
from tests.unit.test_extractor import question_set

READER = Reader(question_set())
ANSWER = {
    f"Q{n}": {"value": value, "reason": reason}
    for n, (value, reason) in enumerate(
        [(80, "語りがよい。"), (45, "意外。"), (20, "喪失。"), (10, "少ない。")], 1
    )
}
REASONS = [part["reason"] for part in ANSWER.values()]
DUMPED = json.dumps(ANSWER, ensure_ascii=False)
LINES = json.dumps(ANSWER, ensure_ascii=False, indent=1)


def values(readings: dict[str, Reading]) -> list[int | None]:
    return [None if r.value is None else int(r.value) for r in readings.values()]


WRITINGS = {
    "floats": DUMPED.replace("80,", "80.0,").replace("45,", "45.00,"),
    "a plus": DUMPED.replace("80,", "+80,"),
    "a comment": LINES.replace("80,", "80, // 100点満点中90ではなく"),
    "a comment of Python": LINES.replace("80,", "80,  # 面白い: 90"),
    "a comment inside": DUMPED.replace("80,", "/* Q1 */ 80,"),
    "a comment first": LINES.replace("{", "{ // 回答", 1),
    "a comment behind a text": LINES.replace('意外。"', '意外。" // 「"Q2": 3」'),
    "commas too many": LINES.replace("\n }", ",\n }").replace('"\n', '",\n'),
    "a byte order mark": "\ufeff" + DUMPED,
    "zero width": "\u200b" + DUMPED,
    "Python": repr(ANSWER),
    "Python's words": repr(ANSWER)[:-1] + ", 'note': None, 'done': True}",
    "JavaScript's words": DUMPED[:-1] + ', "note": undefined, "share": NaN}',
    "single quotes and an apostrophe": repr(ANSWER)[:-1] + ", 'note': 'It's mine'}",
    "bare keys": DUMPED.replace('"value"', "value")
    .replace('"reason"', "reason")
    .replace('"Q1"', "Q1"),
    "bare labels": DUMPED.replace('"Q1"', "面白さ").replace('"Q2"', "驚き"),
    "twice": json.dumps(DUMPED, ensure_ascii=False),
    "twice, in lines": json.dumps(LINES, ensure_ascii=False),
    "twice, in ASCII": json.dumps(json.dumps(ANSWER)),
    "twice in a field": json.dumps({"answer": DUMPED}, ensure_ascii=False),
    "twice without its quotes": json.dumps(DUMPED, ensure_ascii=False)[1:-1],
    "fenced": f"```json\n{LINES}\n```",
    "fenced as Python": f"```python\nanswers = {ANSWER!r}\n```",
    "fenced in one line": f"```json {DUMPED} ```",
    "fenced with waves": f"~~~json5\n{LINES}\n~~~",
    "named": f"json: {DUMPED}",
    "deep": json.dumps({"data": {"evaluation": {"scores": ANSWER}}}, ensure_ascii=False),
    "lists of one": DUMPED.replace("80,", "[80],").replace("45,", '["45点"],'),
    "texts": DUMPED.replace("80,", '"80/100",').replace("45,", '"４５",'),
    "curly quotes": DUMPED.replace('"', "”"),
    "wide signs": DUMPED.replace(":", "：").replace(",", "，"),
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_an_object_is_read_however_it_is_written(writing: str) -> None:
    text = WRITINGS[writing]
    readings = READER.read(text)

    assert values(readings) == [80, 45, 20, 10]
    assert [r.reason for r in readings.values()] == REASONS
    for reading, digits in zip(readings.values(), ("80", "45", "20", "10"), strict=True):
        assert reading.span is not None
        shown = text[slice(*reading.span)].translate(
            {code + 0xFEE0: code for code in range(48, 58)}
        )
        assert digits in shown


def test_a_quotation_mark_of_the_text_does_not_end_it() -> None:
    readings = READER.read(DUMPED.replace("語りがよい。", '"語り"がよい。'))

    assert values(readings) == [80, 45, 20, 10]
    assert next(iter(readings.values())).reason == '"語り"がよい。'


NO_NUMBERS = [
    *('"8/10"', "0.8", "true", "True", "NaN", "[80, 85]", '"70-80"', '{"min": 70, "max": 90}'),
    *("-80", "800", "8e1", '"高い"', "[]", "null", "None", "80/100", "08e", "八十", "80点", "80.5"),
]


@pytest.mark.parametrize("written", NO_NUMBERS)
def test_what_is_no_one_number_gives_none(written: str) -> None:
    readings = READER.read(DUMPED.replace("80,", f"{written},"))

    assert readings["Q1"].value is None


@pytest.mark.parametrize(
    ("scale", "same"),
    [
        *(({"max": 10}, False), ({"max": 100}, True), ({"scale": "1-10"}, False)),
        *(({"scale": "0〜100"}, True), ({"満点": 5}, False), ({"out_of": "10点"}, False)),
        *(({"max_score": 50}, False), ({"scale": {"min": 0, "max": 10}}, False)),
        *(({"Range": [0, 100]}, True), ({"range": [1, 7]}, False), ({"maximum": "１００"}, True)),
    ],
)
def test_a_scale_that_an_object_announces_counts(scale: dict[str, object], same: bool) -> None:
    within = ANSWER | {"Q1": scale | ANSWER["Q1"]}

    assert values(READER.read(json.dumps(scale | ANSWER))) == (
        [80, 45, 20, 10] if same else [None] * 4
    )
    assert values(READER.read(json.dumps(within))) == [80 if same else None, 45, 20, 10]


OPEN = [
    DUMPED[:-30],
    LINES[: LINES.index("20")],
    DUMPED.replace('"value": 45', '"value": 45 46'),
    DUMPED.replace('"意外。"', "意外。と思う"),
    DUMPED.replace("意外。", '彼の"声", が'),
    repr(ANSWER)[:-20],
    json.dumps(DUMPED, ensure_ascii=False)[:-30],
    '{"Q1": {"value": 8',
]


@pytest.mark.parametrize("text", OPEN)
def test_an_object_that_is_left_open_gives_no_value(text: str) -> None:
    for finish in ("stop", "length", None):
        assert values(READER.read(text, finish)) == [None] * 4


def test_a_sign_that_is_missing_costs_no_other_number() -> None:
    readings = READER.read(DUMPED.replace('"value": 45', '"value" 45'))

    assert values(readings) == [80, None, 20, 10]


@pytest.mark.parametrize(
    "text",
    [
        f"{DUMPED}\n{DUMPED.replace('80', '30')}",
        DUMPED.replace('"Q2"', '"Q1": {"value": 30, "reason": "a"}, "Q2"'),
        DUMPED.replace('"value": 80', '"value": 30, "value": 80'),
        f"{DUMPED}\n{repr(ANSWER).replace('80', '30')}",
        f"{json.dumps(DUMPED)}\n{DUMPED.replace('80', '30')}",
    ],
)
def test_two_numbers_for_one_question_are_none(text: str) -> None:
    readings = READER.read(text)

    assert readings["Q1"].cause is Cause.AMBIGUOUS
    assert values(readings)[1:] == [45, 20, 10]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    value=st.dictionaries(st.text(min_size=1, max_size=5), ANY, min_size=1),
    indent=st.sampled_from([None, 1]),
)
def test_all_of_json_is_read_as_json_reads_it(value: object, indent: int | None) -> None:
    def plain(node: object) -> object:
        kind, text, items = (getattr(node, name) for name in ("kind", "text", "items"))
        if kind == "object":
            return {key: plain(inner) for key, inner in items}
        if kind == "array":
            return [plain(inner) for _, inner in items]
        return text if kind == "string" else json.loads(text)

    text = json.dumps(value, ensure_ascii=False, indent=indent)
    (node,) = nodes(text)

    assert text[node.begin : node.end] == text
    assert plain(node) == value


@given(
    text=st.lists(
        st.sampled_from(
            ["{", "}", '"', "'", "\\", ":", ",", "80", "Q1", "[", "]", "//", "/*", "\n", "a", "”"]
        )
    ).map("".join)
)
def test_whatever_stands_there_every_place_is_in_the_text(text: str) -> None:
    for node in nodes(text):
        assert 0 <= node.begin < node.end <= len(text)
