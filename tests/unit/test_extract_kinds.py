"""Several options, orders, free words and JSON: what an answer says plainly is read, nothing else."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.extract.reader import Reader
from runner.core.model import Cause, ItemKind, Option, Question, QuestionSet, chosen, coded
from runner.core.prompt import form, options_shown
from tests.unit.layouts import ENGLISH, LABELS, LAYOUTS, Layout, rows
from tests.unit.test_extractor import question_set

TOPICS = (
    Option(id="price", aliases=("cost",)),
    Option(id="quality"),
    Option(id="delivery", label="on-time delivery"),
)
SCHEMA = {
    "type": "object",
    "properties": {"stars": {"type": "integer", "maximum": 5}, "tags": {"type": "array"}},
    "required": ["stars"],
}


def asked(id_: str, kind: ItemKind, **more: object) -> Question:
    options = more.pop("options", ())
    known = {
        "id": id_,
        "label": more.pop("label", id_),
        "minimum": 1,
        "maximum": len(options) or 1,  # type: ignore[arg-type]
        "integer": True,
        "reason_required": False,
        "asks_reason": False,
        "kind": kind,
        "options": options,
    }
    return Question(**{**known, **more})  # type: ignore[arg-type]


def of(*questions: Question) -> QuestionSet:
    lines = "{name} (answer): [{options}]"
    return replace(question_set(), questions=questions, form=lines, form_value=lines)


def topics(id_: str = "topics", **more: object) -> Question:
    return asked(id_, ItemKind.CHOICES, options=TOPICS, at_least=1, at_most=2, **more)


def order(id_: str = "order", **more: object) -> Question:
    return asked(id_, ItemKind.RANK, options=TOPICS, **more)


STARS = replace(asked("stars", ItemKind.NUMBER), minimum=1, maximum=5)
WHY = asked("why", ItemKind.TEXT)
RECORD = asked("record", ItemKind.JSON, schema=json.dumps(SCHEMA))
ALL = Reader(of(STARS, topics(), order(), WHY, RECORD))
ONE_LIST, ONE_RANK, ONE_TEXT, ONE_RECORD = (
    Reader(of(question)) for question in (topics(), order(), WHY, RECORD)
)


def said(reader: Reader, text: str, question: str, finish: str | None = "stop") -> object:
    """What the table holds; the cause in capitals where that is nothing."""
    reading = reader.read(text, finish)[question]
    known = {"stars": STARS, "topics": topics(), "order": order(), "why": WHY, "record": RECORD}
    if reading.value is None:
        return reading.cause and reading.cause.name
    return known[question].written(reading.value)


@given(st.lists(st.integers(0, 199), max_size=30))
def test_a_list_of_options_is_one_number_and_comes_back(places):
    assert chosen(coded(places)) == places


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("price, quality", "price; quality"),
        ("quality, price", "price; quality"),
        ("Price", "price"),
        ("[price, quality]", "price; quality"),
        ('"price", "quality"', "price; quality"),
        ("**price** and **quality**", "price; quality"),
        ("price & on-time delivery", "price; delivery"),
        ("cost / quality.", "price; quality"),
        ("price、quality", "price; quality"),
        ("1. price 2. quality", "price; quality"),
        ("\n- price\n- quality", "price; quality"),
        ("\n\n* **Price**\n* **On-time delivery**", "price; delivery"),
        ("\n1) price\n2) quality", "price; quality"),
        ("price,\nquality", "price; quality"),
        ("price and quality (the author speaks of it)", "price; quality"),
        ("price, quality. The author speaks of both.", "price; quality"),
        ("\n- price: it was cheap\n", "price"),
        ("[choose 1-2 of: price, quality, on-time delivery]", "MISSING"),
        ("", "MISSING"),
        ("[]", "MISSING"),
        # more or fewer than were asked for
        ("price, quality, on-time delivery", "WRONG_COUNT"),
        ("none", "WRONG_COUNT"),
        # what takes an option back, or names it beside the list
        ("not price", "NOT_AN_OPTION"),
        ("price, but not quality", "AMBIGUOUS"),
        ("price, not quality", "AMBIGUOUS"),
        ("price or quality", "AMBIGUOUS"),
        ("price (not mentioned)", "NOT_AN_OPTION"),
        ("price: no", "NOT_AN_OPTION"),
        ("price, quality - maybe", "NOT_AN_OPTION"),
        ("price. Quality is good too", "AMBIGUOUS"),
        ("price\n- quality: not mentioned", "NOT_AN_OPTION"),
        ("price\nquality", "price; quality"),
        ("[x] price\n[ ] quality", "AMBIGUOUS"),
        ("\n- [x] price\n- [ ] quality", "AMBIGUOUS"),
        ("\n- price: nicht erwähnt", "NOT_AN_OPTION"),
        ("all of them", "NOT_AN_OPTION"),
        ("everything except price", "NOT_AN_OPTION"),
        ("price-performance", "NOT_AN_OPTION"),
        ("pricey", "NOT_AN_OPTION"),
        ("price, service", "NOT_AN_OPTION"),
        ("both price and quality", "AMBIGUOUS"),
        ("2", "NOT_AN_OPTION"),
    ],
)
def test_a_list_is_read_where_it_is_nothing_but_a_list(text, meant):
    assert said(ALL, f"stars (answer): 4\ntopics (answer): {text}\n\nwhy: x", "topics") == meant
    assert said(ALL, f"topics: {text}\n", "topics") == meant
    assert said(ONE_LIST, f"topics: {text}", "topics") == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("price, quality", "price; quality"),
        ("Answer: price, quality", "price; quality"),
        ("- price\n- quality\n\nBoth are named in the review.", "price; quality"),
        ("```\nprice, quality\n```", "price; quality"),
        ('["price", "quality"]', "price; quality"),
        ("price\n\nThough the quality is named as well.", "AMBIGUOUS"),
        ("The review speaks of price.", "MISSING"),
        ("", "MISSING"),
    ],
)
def test_a_list_alone_may_be_the_whole_answer(text, meant):
    assert said(ONE_LIST, text, "topics") == meant


def test_no_option_at_all_is_an_answer_where_it_may_be_one():
    question = replace(topics(), at_least=0)
    reader = Reader(of(STARS, question))
    for text in ("none", "None.", "なし", "[none]"):
        reading = reader.read(f"stars: 4\ntopics: {text}")["topics"]
        assert (reading.value, question.written(reading.value)) == (0, "")
    assert reader.read('{"stars": 4, "topics": []}')["topics"].value == 0
    assert reader.read("stars: 4\ntopics:")["topics"].cause is Cause.MISSING


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("price, quality, on-time delivery", "price; quality; delivery"),
        ("quality > on-time delivery > price", "quality; delivery; price"),
        ("quality → price → on-time delivery", "quality; price; delivery"),
        ("1. quality 2. price 3. on-time delivery", "quality; price; delivery"),
        ("\n1. quality\n2. price\n3. on-time delivery", "quality; price; delivery"),
        ("\n1位: quality\n2位: price\n3位: on-time delivery", "quality; price; delivery"),
        ("[quality, price, delivery]", "quality; price; delivery"),
        ("quality, price", "WRONG_COUNT"),
        ("quality, price, quality", "WRONG_COUNT"),
        ("quality, price, on-time delivery, price", "WRONG_COUNT"),
        ("\n3. quality\n2. price\n1. on-time delivery", "AMBIGUOUS"),
        ("quality < price < on-time delivery", "AMBIGUOUS"),
        ("quality = price, on-time delivery", "AMBIGUOUS"),
        ("quality (2), price (1), on-time delivery (3)", "AMBIGUOUS"),
        ("[put all in order, first to last: price, quality, on-time delivery]", "MISSING"),
        ("", "MISSING"),
    ],
)
def test_an_order_has_to_name_every_option_once(text, meant):
    assert said(ALL, f"stars: 4\norder (answer): {text}\n\nwhy: x", "order") == meant
    assert said(ONE_RANK, f"order: {text}", "order") == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"topics": ["price", "quality"]}', "price; quality"),
        ('{"topics": {"value": ["cost"], "reason": "it says so"}}', "price"),
        ('{"topics": "price, quality"}', "price; quality"),
        ('```json\n{"topics": ["Price"]}\n```', "price"),
        ('{"topics": []}', "WRONG_COUNT"),
        ('{"topics": null}', "MISSING"),
        ('{"topics": ["price", "service"]}', "NOT_AN_OPTION"),
        ('{"topics": ["not price"]}', "NOT_AN_OPTION"),
        ('{"topics": [1, 2]}', "NOT_AN_OPTION"),
        ('{"topics": {"price": true, "quality": false}}', "AMBIGUOUS"),
        ("| item | answer |\n|---|---|\n| topics | price, quality |", "price; quality"),
        ("topics: price\ntopics: quality", "AMBIGUOUS"),
        ("topics: price, quality\ntopics: quality, price", "price; quality"),
        ("topics: price\n\nCorrection: topics should be quality.", "AMBIGUOUS"),
        ("<think>topics: quality</think>\ntopics: price", "price"),
    ],
)
def test_lists_in_objects_and_tables(text, meant):
    assert said(ALL, text, "topics") == meant


LONG = "It is good.\n\n- The price is low\n- Nothing broke\n\n## In short\n\n**Buy it**, 5/5."


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("stars: 4\nwhy: It is good.", "It is good."),
        ("stars: 4\nwhy (answer): It is good.\nIt is cheap.", "It is good.\nIt is cheap."),
        (f"stars: 4\n\nwhy:\n{LONG}", LONG),
        ("why: It is good.\nstars: 4", "It is good."),
        ("why: ０点だが「よい」\nstars: 4", "０点だが「よい」"),
        ('{"stars": 4, "why": "Two\\nlines"}', "Two\nlines"),
        ('{"why": {"value": "Yes, and 5"}}', "Yes, and 5"),
        ('{"why": 5}', "5"),
        ('{"why": ["a", "b"]}', "AMBIGUOUS"),
        ("| item | answer |\n|---|---|\n| why | ＡＢＣ good |", "ＡＢＣ good"),
        ("stars: 4\nwhy: [your own words]", "MISSING"),
        ("stars: 4\nwhy:", "MISSING"),
        ("stars: 4", "MISSING"),
        ("why: good\nstars: 4\nwhy: bad", "AMBIGUOUS"),
        ("why: good\nstars: 4\nwhy: good", "good"),
    ],
)
def test_free_words_are_taken_as_they_stand(text, meant):
    assert said(ALL, text, "why") == meant
    if "stars: 4" in text and "5/5" not in text:
        assert said(ALL, text, "stars") == 4


def test_free_words_that_are_cut_off_are_no_answer():
    assert said(ALL, "stars: 4\nwhy: It is goo", "why", "length") == "TRUNCATED"
    assert said(ALL, "why: It is good.\nstars: 4", "why", "length") == "It is good."


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (LONG, LONG),
        ("why: It is good.", "It is good."),
        ("<think>Hm.</think>\n\nIt is good.", "It is good."),
        ("", "MISSING"),
        ("I'm sorry, but I cannot answer that.", "REFUSED"),
        ("申し訳ありませんが、お答えできません。", "REFUSED"),
    ],
)
def test_free_words_alone_are_the_whole_answer(text, meant):
    assert said(ONE_TEXT, text, "why") == meant


GOOD = {"stars": 4, "tags": ["ａ", {"b": None}], "x": 1.5}


@pytest.mark.parametrize(
    "text",
    [
        "stars: 4\nrecord: {0}",
        "stars: 4\nrecord (answer): {0}\ntopics: price",
        "stars: 4\nrecord:\n```json\n{1}\n```\ntopics: price",
        "stars: 4\nrecord:\n{1}",
        '{{"stars": 4, "record": {0}}}',
        '{{"stars": 4, "record": {{"value": {0}}}}}',
        "stars: 4\n**record**: {0}",
    ],
)
def test_json_is_read_whole_where_its_schema_allows_it(text):
    answer = text.format(json.dumps(GOOD, ensure_ascii=False), json.dumps(GOOD, indent=2))
    assert json.loads(str(said(ALL, answer, "record"))) == GOOD
    assert said(ALL, answer, "stars") == 4


@pytest.mark.parametrize(
    ("text", "meant", "written"),
    [
        ('record: {"stars": 7}', "NOT_VALID", "$.stars: 7 is greater than the maximum of 5"),
        ('record: {"tags": []}', "NOT_VALID", "$: 'stars' is a required property"),
        ('record: {"stars": 4, "stars": 5}', "NOT_VALID", "stars stands there twice"),
        ("record: {stars: four}", "NOT_VALID", None),
        ("record: four stars", "NOT_VALID", None),
        ("record: [a JSON object]", "MISSING", None),
        ("record:", "MISSING", None),
        ('record: {"stars": 4}\nrecord: {"stars": 5}', "AMBIGUOUS", None),
        ('record: {"stars": NaN}', "NOT_VALID", "NaN is no value of JSON"),
    ],
)
def test_json_that_its_schema_does_not_allow_is_missing_with_the_path(text, meant, written):
    answer = f"stars: 4\n{text}\ntopics: price"
    assert said(ALL, answer, "record") == meant
    if written:
        assert ALL.read(answer)["record"].written == (written,)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"stars": 4}', '{"stars": 4}'),
        ('Here it is:\n\n```json\n{"stars": 4}\n```', '{"stars": 4}'),
        ('{"stars": 4}\n\n{"stars": 5}', "AMBIGUOUS"),
        ('{"stars": 9}', "NOT_VALID"),
        ("four", "MISSING"),
    ],
)
def test_json_alone_is_the_whole_answer(text, meant):
    assert said(ONE_RECORD, text, "record") == meant


def test_what_is_not_required_may_be_missing_and_nothing_is_asked_again():
    reader = Reader(of(STARS, replace(WHY, is_required=False)))
    readings = reader.read("stars: 4")
    assert readings["why"].value is None
    assert readings["why"].cause is None
    assert readings["stars"].value == 4
    assert reader.read("why: x")["stars"].cause is Cause.MISSING


@pytest.mark.parametrize(
    "question", [topics(), replace(topics(), at_least=0), order(), WHY, RECORD]
)
def test_the_form_that_comes_back_unfilled_is_no_answer(question):
    questions = of(STARS, question)
    assert Reader(questions).read(form(questions))[question.id].cause is Cause.MISSING
    assert options_shown(questions, question) in form(questions)


FOUR = {
    (kind, english): Reader(
        of(*(made(q, label=label) for q, label in (ENGLISH if english else LABELS).items()))
    )
    for kind, made in (("choices", topics), ("rank", order))
    for english in (False, True)
}
WRITABLE = [
    layout for layout in LAYOUTS if "点" not in layout.write(rows([1] * 4, ["x"] * 4, LABELS))
]


@settings(max_examples=80)
@given(
    layout=st.sampled_from(WRITABLE),
    kind=st.sampled_from(["choices", "rank"]),
    lists=st.lists(st.permutations([0, 1, 2]), min_size=4, max_size=4),
    size=st.integers(1, 2),
    between=st.sampled_from([", ", " / ", "、", "; ", " and "]),
)
def test_whatever_the_layout_no_other_options_are_read(layout: Layout, kind, lists, size, between):
    cut = [places if kind == "rank" else places[:size] for places in lists]
    labels = ENGLISH if layout.english else LABELS
    words = [between.join(TOPICS[n].shown for n in places) for places in cut]
    text = layout.write(rows(words, ["それは読んだとおりです。"] * 4, labels))  # type: ignore[arg-type]
    reader = FOUR[kind, layout.english]
    for reading, right in zip(reader.read(text).values(), cut, strict=True):
        expected = right if kind == "rank" else sorted(right)
        assert reading.value is None or chosen(reading.value) == expected  # type: ignore[arg-type]


@given(st.text(st.sampled_from('pricequalty on-tmdv,.:/()[]-\n{}"1x')))
def test_no_text_makes_the_readers_stumble(text):
    for reader in (ALL, ONE_LIST, ONE_RANK, ONE_TEXT, ONE_RECORD):
        for reading in reader.read(f"topics: {text}").values():
            assert (reading.value is None) == (reading.cause is not None)


SIGNED = Reader(
    of(*(replace(asked(q, ItemKind.NUMBER), minimum=-3, maximum=3) for q in ("v", "mood")))
)
WRITTEN = [
    "| item | answer |\n|---|---|\n| v | {} |\n| mood | {} |",
    *("v | {}\nmood | {}", "v,{}\nmood,{}", "v\t{}\nmood\t{}", "v|{}\nmood|{}"),
    *("v -> {}\nmood -> {}", "v → {}\nmood → {}", "v:\n{}\nmood:\n{}", "v\n{}\n\nmood\n{}"),
    *("v {}\nmood {}", "v. {}\nmood. {}", "v: {}\nmood: {}", "**v**: {}\n**mood**: {}"),
    *("- v: {}\n- mood: {}", "v = {}\nmood = {}", "v ({})\nmood ({})", "[v] {}\n[mood] {}"),
    *('{{"v": {}, "mood": {}}}', "answer v: {}\nanswer mood: {}"),
]


@pytest.mark.parametrize("layout", WRITTEN)
@pytest.mark.parametrize("numbers", [(2, 1), (-2, -1), (0, -3)])
@pytest.mark.parametrize("sign", ["-", "−"])
def test_a_number_below_0_is_read_wherever_one_above_is(layout, numbers, sign):
    said = [str(number).replace("-", sign) for number in numbers]
    found = SIGNED.read(layout.format(*said))
    if sign == "-" or "{{" not in layout:
        assert tuple(reading.value for reading in found.values()) == numbers


@pytest.mark.parametrize(
    "layout", ["v - {}\nmood - {}", "v — {}\nmood — {}", "v\n- {}\nmood\n- {}"]
)
@pytest.mark.parametrize("numbers", [(2, 1), (-2, -1)])
def test_where_a_dash_may_be_a_sign_neither_is_read(layout, numbers):
    found = SIGNED.read(layout.format(*numbers))
    assert [reading.value for reading in found.values()] == [None, None]


NUMBERED = Reader(
    of(
        STARS,
        asked("pick", ItemKind.CHOICES, options=tuple(Option(id=n) for n in "1234"), at_most=2),
    )
)
NOBODY = Reader(
    of(
        STARS,
        asked(
            "pick",
            ItemKind.CHOICES,
            options=tuple(Option(id=n) for n in ("none", "price", "size")),
            at_least=0,
            at_most=2,
        ),
    )
)


@pytest.mark.parametrize(
    ("reader", "question", "text"),
    [
        # another answer below, or in the same line
        (ALL, "order", "order: price, quality, delivery\n\nFinal: delivery, quality, price"),
        (ONE_RANK, "order", "price, quality, delivery\n\nprice; delivery; quality"),
        (
            ONE_RANK,
            "order",
            "price, quality, delivery\n\nFinal ranking: delivery > quality > price",
        ),
        (ALL, "order", "order: price, quality, delivery. The last is the most important."),
        (ALL, "order", "order: price, quality, delivery. I listed them backwards."),
        (ALL, "order", "order: price, quality, delivery.\nSwap the first two."),
        (ALL, "order", "order: price, quality, delivery! Just kidding, the other way round."),
        (ALL, "topics", "topics: price, quality\n\nFinal: price"),
        (ONE_LIST, "topics", "price, quality\n\nFinal answer: price only"),
        (ALL, "topics", "topics: price, quality. Only the first applies."),
        (ALL, "topics", "topics: price, quality (these were left out)"),
        (ALL, "topics", "topics: price, quality. The review skips both of these."),
        (ALL, "topics", "topics: price, quality: 0"),
        (ALL, "record", 'record: {"stars": 4}\nCorrection: {"stars": 3}'),
        (ALL, "record", 'record: {"stars": 4} or {"stars": 3}'),
        (ALL, "record", 'record: {"stars": 4}, {"stars": 3}'),
        (ALL, "record", 'record: {"stars": 4} (actually 3 stars)'),
        (ONE_RECORD, "record", 'Here:\n{"stars": 4}\n\nCorrection: stars should be 3.'),
        # a number that is an option is not the number of another one
        (NUMBERED, "pick", "pick: 1.3"),
        (NUMBERED, "pick", "pick: 2. 3"),
        (NUMBERED, "pick", "pick: 1:3"),
        # a field of the record is no answer to an item of the same name
        (ALL, "stars", 'topics: price\n\n{"tags": [], "stars": 3}'),
        (ALL, "stars", '{"facts": {"tags": [], "stars": 3}, "topics": ["price"]}'),
        (ALL, "stars", '{"stars": 3}'),
        # a form that was not filled in
        (ONE_TEXT, "why", "why (answer): [your own words]"),
    ],
)
def test_what_another_part_of_the_answer_contradicts_is_missing(reader, question, text):
    assert reader.read(text)[question].value is None


@pytest.mark.parametrize(
    "said", ["no", "false", "0%", "(not at all)", "wrong", "— the opposite", "Not."]
)
@pytest.mark.parametrize("between", [", ", ": ", " ", ". "])
def test_an_option_that_is_denied_at_once_is_none(said, between):
    reader = Reader(of(STARS, asked("mood", ItemKind.CHOICE, options=TOPICS, integer=True)))
    assert reader.read(f"stars: 4\nmood: price{between}{said}")["mood"].value is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [("none", "none"), ("[none]", "none"), ("price, size", "price; size"), ("no option", None)],
)
def test_an_option_may_be_called_none(text, meant):
    question = NOBODY._questions.questions[1]
    assert question.written(NOBODY.read(f"stars: 4\npick: {text}")["pick"].value) == meant


@pytest.mark.parametrize(
    "text",
    ["stars:\n4\nmood:\nprice", "## stars\n4\n## mood\nprice", "**mood**\nprice\n\nstars: 4"],
)
def test_an_option_is_read_below_its_question(text):
    reader = Reader(of(STARS, asked("mood", ItemKind.CHOICE, options=TOPICS, integer=True)))
    found = reader.read(text)
    assert (found["mood"].value, found["stars"].value) == (1, 4)
    other = reader.read(text.replace("price", "It was the price that I liked."))
    assert other["mood"].value is None


def test_a_reading_told_twice_in_another_item_takes_no_record_back():
    text = 'stars: 4\nwhy: It is good. A second reading did not change that.\nrecord: {"stars": 4}'
    assert said(ALL, text, "record") == '{"stars": 4}'
    wrong = text.replace("A second reading did not change that.", "Correction: stars should be 3.")
    assert ALL.read(wrong)["record"].value is None


COUNTED = """
2 times a week ¦ 2 people ¦ 2 days ago ¦ 2 kids and a job ¦ 2 jobs, so no ¦ 2 nights a week ¦ 2 years of planning
2 of them ¦ 2 hundred ¦ 2 ½ ¦ 2 for others ¦ 2 as an average ¦ 2% of them ¦ 2 (in thousands) ¦ 2 (dummy) ¦ 2 など
"""
TWO = (
    "2",
    "2 agree",
    "2 Agree",
    "2 (agree)",
    "2 because I plan",
    "2 points",
    "2 out of 5",
    "2 as I plan",
)
SURVEY = Reader(of(*(replace(STARS, id=name, label=name) for name in ("plans", "worry"))))


@pytest.mark.parametrize(
    "layout",
    [
        "plans (answer): {}\nworry (answer): 5",
        "| item | answer |\n|---|---|\n| plans | {} |\n| worry | 5 |",
        '{{"plans": "{}", "worry": 5}}',
    ],
)
def test_a_number_of_something_is_no_value_among_several_questions_either(layout: str) -> None:
    def values(written: str) -> list[object]:
        return [reading.value for reading in SURVEY.read(layout.format(written)).values()]

    for written in (w for line in COUNTED.strip().split("\n") for w in line.split(" ¦ ")):
        assert values(written) == [None, 5], written
    for written in TWO:
        assert values(written) == [2, 5], written


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("250000", 250_000), ("250.5", None), ("250.000", None), ("250 thousand", None)),
        *(("250 (in thousands)", None), ("250（千円）", None), ("25 万円", None), ("2,500", None)),
    ],
)
def test_a_large_number_is_read_only_where_its_groups_are_none(written: str, meant: object) -> None:
    loan = Reader(of(replace(STARS, id="loan", label="loan", minimum=0, maximum=1_000_000)))

    assert loan.read(f"loan (answer): {written}")["loan"].value == meant


def test_a_long_dash_before_a_number_may_be_no_sign() -> None:
    mood = Reader(of(*(replace(STARS, id=i, label=i, minimum=-3, maximum=3) for i in ("m", "n"))))

    for dash, meant in (("-", -2), ("−", -2), ("—", None), ("―", None)):
        assert mood.read(f"m (answer): {dash}2\nn (answer): 1")["m"].value == meant


def test_an_object_that_calls_a_question_by_another_name_answers_neither() -> None:
    text = '{"plans": {"label": "worry", "value": 2}, "worry": {"value": 5}}'

    assert [r.cause for r in SURVEY.read(text).values()] == [Cause.AMBIGUOUS] * 2
    text = '{"plans": {"label": "plans", "value": 2, "reason": "worry"}, "worry": {"value": 5}}'
    assert [r.value for r in SURVEY.read(text).values()] == [2, 5]


def test_the_only_number_is_not_taken_where_a_line_below_reconsiders_it() -> None:
    alone = Reader(of(STARS))

    for below in ("On reflection, 4 is better.", "Hmm, or 4.", "This is only an example."):
        assert alone.read(f"stars (answer): 5\n\n{below}")["stars"].value is None
