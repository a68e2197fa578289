"""Lists, orders, JSON and free words in the shapes that models give them; and what looks like them."""

import json
from dataclasses import replace

import pytest

from runner.core.extract.reader import Reader
from runner.core.model import ItemKind, Option
from tests.unit.test_extract_kinds import (
    ALL,
    ONE_LIST,
    ONE_RANK,
    ONE_RECORD,
    ONE_TEXT,
    STARS,
    TOPICS,
    asked,
    of,
    said,
    topics,
)

MOOD = asked("mood", ItemKind.CHOICE, options=TOPICS)
MAY_BE_NONE = replace(topics(), at_least=0)
NONES = tuple(Option(id=id_) for id_ in ("none", "price", "quality"))
TABLE = "| item | answer |\n|---|---|\n| stars | 4 |\n| {} | {} |"
SENTENCES = ("because it is low", "it lasts", "it came late")


def choice(text: str, reader: Reader) -> str | None:
    """The option that was read."""
    value = reader.read(text)["mood"].value
    return MOOD.written(value)  # type: ignore[return-value]


ONE_CHOICE, CHOICE = Reader(of(MOOD)), Reader(of(STARS, MOOD))
NONE_READER = Reader(of(STARS, MAY_BE_NONE))
CALLED_NONE = Reader(of(STARS, replace(topics(), options=NONES, maximum=3)))


def read_none(text: str) -> object:
    """What the table holds where no option at all may be the answer."""
    return MAY_BE_NONE.written(NONE_READER.read(text)["topics"].value)


ORDERS = [
    *(
        "{0} (1), {1} (2), {2} (3)",
        "{0} [1] > {1} [2] > {2} [3]",
        "{0} (1st); {1} (2nd); {2} (3rd)",
    ),
    *(
        "1st: {0}, 2nd: {1}, 3rd: {2}",
        "1st {0}, 2nd {1}, 3rd {2}",
        "First: {0}; second: {1}; third: {2}.",
    ),
    *("Rank 1: {0}, Rank 2: {1}, Rank 3: {2}", "1) {0}; 2) {1}; 3) {2}"),
    '{{"1": "{0}", "2": "{1}", "3": "{2}"}}',
    '[{{"rank": 1, "item": "{0}"}}, {{"rank": 2, "item": "{1}"}}, {{"rank": 3, "item": "{2}"}}]',
]
BELOW = [
    *("\n1st: {0}\n2nd: {1}\n3rd: {2}", "\n1 - {0}\n2 - {1}\n3 - {2}"),
    *("\n**1st place:** {0}\n**2nd place:** {1}\n**3rd place:** {2}",),
    "\n1. {0} - because it is low\n2. {1} - it lasts\n3. {2} - it came late",
    "\n1. **{0}**: because it is low\n2. **{1}**: it lasts\n3. **{2}**",
    "\n- {0} (because it is low)\n- {1}\n  This is what the author says of it.\n- {2}",
    "\n1. {0} - because it is low\n\n2. {1} - it lasts\n\n3. {2} - it came late",
]


@pytest.mark.parametrize("layout", [*ORDERS, *BELOW])
@pytest.mark.parametrize("places", [(0, 1, 2), (2, 0, 1)])
def test_an_order_is_read_in_its_shapes(layout, places):
    written = layout.format(*(TOPICS[place].shown for place in places))
    meant = "; ".join(TOPICS[place].id for place in places)
    assert said(ALL, f"stars: 4\norder: {written}\n\nwhy: x", "order") == meant
    if not written.startswith("{"):
        assert said(ONE_RANK, written.strip(), "order") == meant
    if "\n" not in written:
        assert said(ALL, TABLE.format("order", written), "order") == meant
    if written[0] in "{[" and "item" in written:
        assert said(ALL, f'{{"stars": 4, "order": {written}}}', "order") == meant


@pytest.mark.parametrize(
    "written",
    [
        # numbers that say something else than the order of the list
        *("price (3), quality (2), delivery (1)", "price (1), quality (2), delivery (2)"),
        *("price (1), quality, delivery (3)", "price (10), quality (20), delivery (30)"),
        *(
            "1. price (2)\n2. quality (1)\n3. delivery (3)",
            "2nd: price\n1st: quality\n3rd: delivery",
        ),
        *("Third: price\nSecond: quality\nFirst: delivery",),
        *('{"3": "price", "2": "quality", "1": "delivery"}', '{"1": "price", "2": "quality"}'),
        '[{"rank":3,"item":"price"},{"rank":2,"item":"quality"},{"rank":1,"item":"delivery"}]',
        '[{"rank":1,"item":"price"},{"rank":1,"item":"quality"},{"rank":2,"item":"delivery"}]',
        '[{"rank":1,"item":"price"},{"rank":2,"item":"quality"},{"item":"delivery"}]',
        '[{"score":1,"item":"price"},{"score":2,"item":"quality"},{"score":3,"item":"delivery"}]',
        '[{"item":"price","than":"quality"},{"item":"quality"},{"item":"delivery"}]',
        '[{"item":"price","why":"it should be last"},{"item":"quality"},{"item":"delivery"}]',
        # remarks that deny, reverse, compare or doubt, or are in a language that is not known
        *(
            f"\n1. price - {remark}\n2. quality - it lasts\n3. delivery - it came"
            for remark in (
                *("it is not named", "it is the lowest priority", "it is more than quality"),
                *("it comes at the end", "it is better than this", "this is after the others"),
                *("maybe it is", "weil es billig ist", "it is unimportant", "this should be 2"),
            )
        ),
        # another order, or a correction, behind them
        *(
            f"\n1. price - it is low\n2. quality - it lasts\n3. delivery - it came{more}"
            for more in (
                *("\n\nFinal: quality, price, delivery", "\n\nCorrection: quality is first."),
                *("\nSo quality is first.", "\n\n1. quality\n2. price\n3. delivery"),
            )
        ),
        "First: price or quality\nSecond: quality\nThird: delivery",
    ],
)
def test_what_contradicts_an_order_leaves_none(written):
    for text in (f"stars: 4\norder: {written}", f'{{"stars": 4, "order": {written}}}'):
        assert ALL.read(text)["order"].value is None
    assert ONE_RANK.read(written)["order"].value is None


@pytest.mark.parametrize("on", ["[x]", "[X]", "[✓]", "☑", "✅", "(x)"])
@pytest.mark.parametrize("lead", ["", "- ", "* ", "1. "])
@pytest.mark.parametrize("ticked", [(0,), (1, 2)])
def test_boxes_that_are_ticked_are_chosen(on, lead, ticked):
    off = {"[": "[ ]", "(": "( )"}.get(on[0], "☐")
    lines = [f"{lead}{on if n in ticked else off} {o.shown}" for n, o in enumerate(TOPICS)]
    meant = "; ".join(TOPICS[place].id for place in ticked)
    written = "\n".join(lines)
    assert said(ALL, f"stars: 4\ntopics:\n{written}\n\nwhy: x", "topics") == meant
    assert said(ONE_LIST, written, "topics") == meant
    if not lead and on in ("[x]", "[✓]", "☑"):
        one = TOPICS[ticked[0]].id if len(ticked) == 1 else None
        assert choice(f"stars: 4\nmood:\n{written}", CHOICE) == one
        assert choice(f"stars: 4\nmood:\n{written}\n\nCorrection: quality.", CHOICE) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("price: yes, quality: no, on-time delivery: yes", "price; delivery"),
        ("\n- **price**: yes\n- **quality**: no\n- **on-time delivery**: no", "price"),
        ('{"price": true, "quality": false, "delivery": false}', "price"),
        ('{"price": "yes", "quality": "no", "delivery": "yes"}', "price; delivery"),
        ('{"price": true, "quality": true}', "price; quality"),
        (
            '[{"topic": "price"}, {"topic": "quality", "why": "it says that it lasts"}]',
            "price; quality",
        ),
        ("\n- price: it was cheap\n- quality: it lasts and they like it", "price; quality"),
        ("✅ price ☐ quality ☐ on-time delivery", "price"),
        ("✅ price ❌ quality ❌ on-time delivery", None),
        ('[{"not": "price"}]', None),
        ('[{"topic": "price", "sentiment": "it is bad"}]', None),
        ("\n- price: it was cheap\n- quality: they say that it could be named", None),
        # not said of every option, twice, or in two ways
        ('{"price": true, "quality": false}', None),
        ('{"price": true, "quality": false, "delivery": "unclear"}', None),
        ('{"price": true, "quality": false, "delivery": null}', None),
        ('{"price": 1, "quality": 0, "delivery": 0}', None),
        ('{"price": true, "price": false, "quality": false, "delivery": true}', None),
        ('{"price": true, "service": true}', None),
        ('{"price": false, "quality": false, "delivery": false}', None),
        ('[{"topic": "price", "why": "it is not there"}]', None),
        ('[{"topic": "price", "mentioned": false}]', None),
        ("price: yes, quality: no", None),
        ("price: yes, quality: no, on-time delivery: no (or yes)", None),
        ("[x] price [✓] quality [ ] on-time delivery", None),
        ("☑ price ☒ quality ☐ on-time delivery", None),
        ("[ ] price [ ] quality [ ] on-time delivery", None),
        ("[x] price [ ] quality", None),
        ("[x] price [ ] quality [x] on-time delivery [x] quality", None),
        ("\n[x] price\n[ ] quality\n[ ] on-time delivery\n\nActually quality applies.", None),
        ("\n- price: it was cheap\n- quality: the author ignores it", None),
        ("\n- price: it was cheap\n- quality: that is nowhere", None),
        ("\n- price: it was cheap\n- quality: it lasts\n- on-time delivery: they say it", None),
    ],
)
def test_choices_that_are_said_one_by_one(written, meant):
    reading = ALL.read(f"stars: 4\ntopics: {written}")["topics"]
    assert topics().written(reading.value) == meant
    if written[0] in "{[" and '"' in written:
        for text in (f'{{"stars": 4, "topics": {written}}}', TABLE.format("topics", written)):
            assert topics().written(ALL.read(text)["topics"].value) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("none mentioned", "None are mentioned.", "[none mentioned]", "none of the above"),
        *("None of the topics are mentioned.", "none. The review is about the weather."),
        *("none - the review speaks of the weather", '["none"]'),
        *("price: no, quality: no, on-time delivery: no",),
    ],
)
def test_none_of_the_options_is_said_in_several_ways(written):
    assert read_none(f"stars: 4\ntopics: {written}") == ""
    assert said(ALL, f"stars: 4\ntopics: {written}", "topics") in ("WRONG_COUNT", "NOT_AN_OPTION")
    assert read_none(TABLE.format("topics", written)) == ""


@pytest.mark.parametrize(
    "written",
    [
        *("none, but price is hinted at", "none - except perhaps the first", "none or price"),
        *("none of the topics are mentioned clearly", "none\nThough the cost is named."),
        *("none that I could be sure about", "nonessential", "none\ntopics: price"),
        *("none mentioned explicitly, only implied", "none\n\nCorrection: price"),
        *("None of the above, price", '["none", "price"]', "none - aber der Preis"),
    ],
)
def test_none_that_is_taken_back_is_missing(written):
    assert read_none(f"stars: 4\ntopics: {written}") is None


@pytest.mark.parametrize(
    "written",
    ["none, price", "none and price", "[x] none [x] price [ ] quality", '["none", "price"]'],
)
def test_an_option_called_none_beside_others_is_ambiguous(written):
    reading = CALLED_NONE.read(f"stars: 4\ntopics: {written}")["topics"]
    assert (reading.value, reading.cause and reading.cause.name) == (None, "AMBIGUOUS")
    other = CALLED_NONE.read(f"stars: 4\ntopics: {written.replace('none', 'quality')}")["topics"]
    assert (other.value is None) == ("quality [x]" in written or "[ ] quality" in written)


ONE = {
    "choice": (ONE_CHOICE, "mood", '"price"', "price"),
    "choices": (ONE_LIST, "topics", '["price", "quality"]', "price; quality"),
    "rank": (ONE_RANK, "order", '["quality", "price", "delivery"]', "quality; price; delivery"),
    "json": (ONE_RECORD, "record", '{"stars": 4}', '{"stars": 4}'),
}


def read_one(kind: str, text: str) -> object:
    reader, id_, _, _ = ONE[kind]
    return choice(text, reader) if kind == "choice" else said(reader, text, id_)


@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize(
    "layout",
    [
        *('{{"answer": {}}}', '{{"Answer": {}, "reason": "It is neither quality nor price."}}'),
        *('{{"final_answer": {}}}', '```json\n{{"label": {}}}\n```', '{{"response": {}}}\n'),
    ],
)
def test_an_object_that_is_all_of_an_answer_to_one_question_is_read(kind, layout):
    assert read_one(kind, layout.format(ONE[kind][2])) == ONE[kind][3]


@pytest.mark.parametrize("kind", [kind for kind in ONE if kind != "json"])
@pytest.mark.parametrize(
    "layout",
    [
        *('{{"answer": {}, "alternative": "quality"}}', '{{"answer": {}, "choice": "delivery"}}'),
        *('{{"answer": {}, "confidence": 0.1}}', '{{"example": {}}}', '{{"not": {}}}'),
        *('{{"answer": {{"draft": {}}}}}', '{{"answer": {0}}}\n\n{{"answer": {0}, "x": 1}}'),
        *('{{"answer": {}}}\n\nNo, it is delivery.', 'You asked for\n{{"answer": {}}}'),
    ],
)
def test_an_object_that_says_more_or_stands_among_words_is_not(kind, layout):
    assert str(read_one(kind, layout.format(ONE[kind][2]))).isupper() or (
        kind == "choice" and choice(layout.format(ONE[kind][2]), ONE_CHOICE) is None
    )


@pytest.mark.parametrize("text", ["not price", "price or quality", "price / quality / x"])
def test_an_object_with_two_options_or_a_denied_one_is_no_choice(text):
    assert choice(json.dumps({"answer": text}), ONE_CHOICE) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("mood:\n\nprice\n\nstars: 4", "price"),
        ("## mood\n\n**Price**\n\n## stars\n4", "price"),
        ("mood:\n\nPrice was named.\nstars: 4", None),
        ("mood:\n\nquality: 3\nstars: 4", None),
        ("mood:\n\nprice\nquality\nstars: 4", None),
        ("mood:\nstars: 4\n\nprice", None),
    ],
)
def test_an_option_may_stand_a_blank_line_below_its_question_alone(text, meant):
    assert choice(text, CHOICE) == meant


GOOD = '{"stars": 4, "tags": ["ａ|b"]}'.replace("|", "")


@pytest.mark.parametrize(
    "layout",
    [
        *(
            "record: Here it is:\n{}",
            "record: Here it is: {}",
            "record: Below is the JSON object:\n{}",
        ),
        *("record: Sure, here is the JSON:\n\n```json\n{}\n```", "record: 以下のとおりです。\n{}"),
        *(
            "| item | answer |\n|---|---|\n| record | {} |",
            "item | answer\n--- | ---\nrecord | `{}`",
        ),
    ],
)
def test_json_may_be_announced_and_stand_in_a_cell(layout):
    text = layout.format(GOOD)
    assert said(ALL, text, "record") == GOOD
    for wrong in (
        text.replace("4", "9"),
        text.replace("}", '} or {"stars": 3}'),
        text.replace("Here it", "An example").replace("| {", "| e.g. {").replace("`{", "no {")
        if "Here it" in text or "|" in text
        else text + "\n\nCorrection: stars should be 3.",
    ):
        assert ALL.read(wrong)["record"].value is None


@pytest.mark.parametrize(
    "lead", ["For example", "Here is what I would not say", "The wrong one is"]
)
def test_json_that_is_announced_as_another_is_none(lead):
    for between in (" ", "\n"):
        assert ALL.read(f"stars: 4\nrecord: {lead}:{between}{GOOD}")["record"].value is None


WORDS = [
    *("**Bold** ending **here**", "It ends **so**", "_good_ and `code`", "***It*** is *good*"),
    *("<b>good</b> and <i>bad</i>", "* one\n* two\n* three", "# Title\n\nText", "~~good~~ bad"),
    *("Draft: one. Final: two.", "Draft: a good text.\nFinal: a better text."),
    "First words.\n\n**Draft**\n\none\n\n**Final**\n\ntwo",
    "## Analysis\n\none\n\n## Final\n\ntwo",
]


@pytest.mark.parametrize("written", WORDS)
def test_free_words_are_kept_whole_with_their_markup(written):
    assert said(ONE_TEXT, written, "why") == written
    for layout in ("why: {}", "why (answer):\n{}", "**why:** {}", "## why\n\n{}", "- **why**: {}"):
        assert said(ALL, f"stars: 4\n\n{layout.format(written)}", "why") == written
        # A draft without an end may go on to the end.
        after = said(ALL, f"{layout.format(written)}\n\n**stars:** 4", "why")
        assert after == written or (after == "MISSING" and written.startswith("Draft: one."))
    if "\n" not in written:
        assert said(ALL, TABLE.format("why", written), "why") == written
        assert said(ALL, json.dumps({"stars": 4, "why": written}), "why") == written


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("**why: It is good.**\nstars: 4", "It is good."),
        ("why: *good*\nstars: 4", "good"),
        ("<b>why:</b> good\nstars: 4", "good"),
        ("<b>why: good</b>\nstars: 4", "good"),
        ("```\nstars: 4\nwhy: It is **good**.\n```", "It is **good**."),
        ("why:\n```text\ntwo\nlines\n```\nstars: 4", "two\nlines"),
        ("**why:** **[your own words]**\nstars: 4", "MISSING"),
        # a draft of the answers, and what was never meant to be read
        ("Draft:\nstars: 3\nwhy: a\n\nFinal:\nstars: 4\nwhy: b", "b"),
        ("stars: 3\nwhy: a\n\nDraft:\nx\nFinal:\nstars: 4\nwhy: b", "AMBIGUOUS"),
        ("<think>Draft: a</think>stars: 4\nwhy: b", "b"),
    ],
)
def test_what_only_surrounds_free_words_is_left_out(text, meant):
    assert said(ALL, text, "why") == meant


def test_a_thought_aloud_is_no_part_of_free_words():
    assert said(ONE_TEXT, "Thinking: hm.\nFinal answer: a better text.", "why") == "a better text."


def test_a_remark_on_every_option_may_be_a_verdict_on_each():
    question = replace(topics(), at_most=3)
    reader = Reader(of(STARS, MOOD, question))
    lines = [f"- {option.shown}: they speak of it" for option in TOPICS]
    two, three = ("stars: 4\ntopics:\n" + "\n".join(some) for some in (lines[:2], lines))
    assert question.written(reader.read(two)["topics"].value) == "price; quality"
    assert reader.read(three)["topics"].value is None
    boxes = "stars: 4\nmood: price\ntopics:\n[x] price\n[x] quality\n[ ] on-time delivery"
    assert question.written(reader.read(boxes)["topics"].value) == "price; quality"


def test_a_draft_that_holds_answers_or_is_followed_by_them_is_none_of_a_text():
    text = "stars: 2\nwhy: ok\n\nDraft:\ntopics: price\n\nFinal:\nI say more.\nstars: 2"
    assert said(ALL, text, "topics") == "MISSING"
    assert said(ALL, "why: good\n\nDraft:\nx\n\nFinal:\nstars: 4", "why") == "good"
