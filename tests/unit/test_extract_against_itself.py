"""Answers that speak against what they have given: a value is taken only where nothing does."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from runner.core.extract.reader import Reader
from runner.core.model import Cause
from tests.unit.composing import fill, head, only


def reader(question: str, **items: str) -> Reader:
    """Read answers to some items, each as a flow mapping of YAML."""
    body = f"""
defaults: [{{override /question: {question}}}]
name: items
factors: {{w: [a, b]}}
temperatures: null
messages: [{{role: user, content: "{{w}} {{items}}"}}]
items:
"""
    body += "".join(f"  {name}: {what}\n" for name, what in items.items())
    with TemporaryDirectory() as folder:
        argv = fill(Path(folder), {"experiment/items.yaml": head("_global_", body)})
        return Reader(only([*argv, "experiment=items"]).experiment.questions)


def values(of: Reader, text: str) -> dict[str, object]:
    return {q: r.value if r.cause is None else r.cause for q, r in of.read(text).items()}


def one(of: Reader, text: str) -> object:
    (value,) = values(of, text).values()
    return value


SCALE = "{kind: choice, options: ['1', '2', '3', '4', '5'], reason: false}"
MODELS = "{kind: choice, options: [GPT-4, GPT-5, Claude 3, Claude 4], reason: false}"


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        *((SCALE, text) for text in ("3.7", "n: 3.7", "n (answer): 4.6", "n: 3,7", "n: 3:30")),
        *((SCALE, text) for text in ('{"n": "3.7"}', "| item | answer |\n|---|---|\n| n | 3.7 |")),
        *(
            (MODELS, text)
            for text in ("GPT-4.1", "n: Claude 3.5 Sonnet", "n: GPT-4.1 (not listed)")
        ),
    ],
)
def test_an_option_that_a_dot_and_more_follow_is_another_word(options, answer):
    assert isinstance(one(reader("english", n=options), answer), Cause)


def test_an_option_that_a_stop_follows_is_that_option():
    scale = reader("english", n=SCALE)
    assert {one(scale, text) for text in ("3", "n: 3.", "3: in the middle", "n: 3, as it is")} == {
        3
    }


ANCHORED = (
    "{minimum: 1, maximum: 5, reason: false, anchors: {1: strongly disagree, 5: strongly agree}}"
)


@pytest.mark.parametrize(
    "answer",
    [
        *("5 - strongly disagree", "1 (strongly agree)", "4 - strongly agree"),
        *("Strongly disagree (5)", "5\nstrongly disagree", "Answer: 5 (strongly disagree)"),
        *('{"n": "5 - strongly disagree"}', '{"n": 5, "label": "strongly disagree"}'),
        "(1 = strongly agree, 5 = strongly disagree)\nn: 5",
    ],
)
def test_a_number_beside_the_anchor_of_another_is_not_taken(answer):
    assert isinstance(one(reader("english", n=ANCHORED), answer), Cause)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        *(("5 - strongly agree", 5), ("1 (strongly disagree)", 1), ("n: 4", 4)),
        *(("5\nstrongly agree", 5), ('{"n": 5, "label": "strongly agree"}', 5)),
        ("(1 = strongly disagree, 5 = strongly agree)\nn: 2", 2),
    ],
)
def test_a_number_beside_its_own_anchor_is(answer, value):
    assert one(reader("english", n=ANCHORED), answer) == value


def test_an_anchor_in_the_next_cell_or_member_is_that_ones():
    both = "{minimum: 1, maximum: 7, reason: false, anchors: {1: not at all, 7: completely}}"
    two = reader("english", clarity=both, trust=both)
    for text in (
        '{"clarity": "4", "trust": "1 (not at all)"}',
        "clarity: 4\ntrust: 1 (not at all)",
        "| item | answer |\n|---|---|\n| clarity | 4 |\n| trust | 1 (not at all) |",
    ):
        assert values(two, text) == {"clarity": 4, "trust": 1}, text


SENTIMENT = {
    "sentiment": "{kind: choice, options: [positive, negative, neutral], reason: false}",
    "strength": "{minimum: 1, maximum: 7, reason: false}",
}
GIVEN = "sentiment: positive\nstrength: 5\n\n"


@pytest.mark.parametrize(
    "closing",
    [
        *("Wait, I misread it: negative.", "In conclusion, negative fits better."),
        *(
            "So the sentiment would rather be neutral.",
            "Overall: negative (5/7)",
            "Answer: negative",
        ),
        *("### Final\nnegative", "Hmm, the last sentence is sarcastic: negative, strength 6."),
    ],
)
def test_a_closing_remark_that_names_another_option_leaves_neither(closing):
    assert values(reader("english", **SENTIMENT), GIVEN + closing)["sentiment"] is Cause.AMBIGUOUS


@pytest.mark.parametrize(
    "closing",
    [
        *("Let me know if you need anything else.", "The review stays positive to its end."),
        "Overall it is positive, in spite of some negative words.",
    ],
)
def test_a_closing_remark_that_names_none_or_its_own_takes_nothing_away(closing):
    assert values(reader("english", **SENTIMENT), GIVEN + closing) == {
        "sentiment": 1,
        "strength": 5,
    }


@pytest.mark.parametrize(
    ("closing", "is_taken"),
    [
        *(("Final: 6", False), ("To summarize, a 6.", False), ("I would now say 6.", False)),
        *(("Final: 5", True), ("This took 2 readings.", True)),
    ],
)
def test_a_closing_remark_with_a_number_is_of_the_only_number(closing, is_taken):
    found = values(reader("english", **SENTIMENT), GIVEN + closing)
    assert found["strength"] == (5 if is_taken else Cause.AMBIGUOUS)
    assert found["sentiment"] == 1


YES_NO = "{kind: choice, options: ['yes', 'no'], reason: false}"


def test_a_short_option_counts_in_a_sentence_only_where_it_is_the_answer():
    two = reader("english", buy=YES_NO, recommend=YES_NO)
    given = "buy: yes\nrecommend: yes\n\n"
    assert values(two, given + "There is no more to say.")["buy"] == 1
    assert values(two, given + "I misjudged; it is no.")["buy"] is Cause.AMBIGUOUS


JAPANESE = {
    "feeling": "{label: 感情, kind: choice, reason: false, options: {positive: 肯定的, negative: 否定的}}",
    "again": "{label: 再購入, kind: choice, reason: false, options: {'yes': はい, 'no': いいえ}}",
}
GIVEN_JA = "感情：肯定的\n再購入：はい\n\n"


@pytest.mark.parametrize(
    ("closing", "doubted"),
    [
        *(("訂正：感情は否定的です。", "feeling"), ("以上より、感情は否定的です。", "feeling")),
        *(("やはり否定的です。", "feeling"), ("訂正：再購入はいいえです。", "again")),
        *(
            ("以上です。", None),
            ("何かあればお知らせください。", None),
            ("全体に肯定的な文章です。", None),
        ),
    ],
)
def test_a_japanese_remark_names_an_option_between_kana(closing, doubted):
    found = values(reader("japanese", **JAPANESE), GIVEN_JA + closing)
    assert [q for q, value in found.items() if value is Cause.AMBIGUOUS] == (
        [doubted] if doubted else []
    )


def test_a_scale_is_of_the_numbers_and_of_the_one_that_is_named():
    one_of_each = reader("english", **SENTIMENT)
    given = "sentiment: positive\nstrength: 5\n"
    for scale in ("(Strength is on a scale from 1 to 7.)", "Strength scale: 1-7"):
        assert values(one_of_each, given + scale) == {"sentiment": 1, "strength": 5}, scale
    assert values(one_of_each, given + "(Strength is out of 10.)") == {
        "sentiment": 1,
        "strength": Cause.OTHER_SCALE,
    }
    number = "{minimum: 1, maximum: 7, reason: false}"
    two = reader("english", clarity=number, trust=number)
    for scale in ("(Both are out of 10.)", "\n(Both are out of 10.)"):
        found = values(two, "clarity: 2\ntrust: 2\n" + scale)
        assert set(found.values()) == {Cause.OTHER_SCALE}, scale


GUILTY = "{kind: choice, options: [guilty, not guilty, undecided], reason: false}"


@pytest.mark.parametrize(
    "answer",
    [
        *("guilty\n\nI take that back.", "guilty\n\nScratch that.", "v: guilty. Just kidding."),
        *("v: guilty (placeholder)", "v: guilty (example)", "v: guilty, which is wrong"),
    ],
)
def test_an_option_that_is_taken_back_is_none(answer):
    assert one(reader("english", v=GUILTY), answer) is Cause.AMBIGUOUS


SEVEN = "{minimum: 1, maximum: 7, reason: false}"
BOTH = {"clarity": SEVEN, "trust": SEVEN}


def table(*columns: str, cells: tuple[str, ...] = ("5",)) -> str:
    rows = (("clarity", *cells), ("trust", *cells))
    head = (("Item", *columns), ("---",) * (len(columns) + 1))
    return "\n".join("| " + " | ".join(row) + " |" for row in (*head, *rows))


@pytest.mark.parametrize(
    "text",
    [
        *(table(head) for head in ("Score /10", "Score (of 10)", "Score (%)")),
        *(table("Rating", head, cells=("5", "1-10")) for head in ("Scale", "Range")),
    ],
)
def test_a_column_on_another_scale_is_not_taken(text):
    assert set(values(reader("english", **BOTH), text).values()) == {Cause.OTHER_SCALE}


@pytest.mark.parametrize(
    "text",
    [
        *(table("Rating", head, cells=("5", "6")) for head in ("Final", "Revised")),
        *(table(head) for head in ("Confidence", "Count", "Average rating", "Others' rating")),
        *(table(head) for head in ("Minimum rating", "Not a rating", "Page")),
    ],
)
def test_a_column_of_something_else_is_not_taken(text):
    assert not {5, 6} & set(values(reader("english", **BOTH), text).values())


@pytest.mark.parametrize(
    "text",
    [
        *(table(head) for head in ("Rating", "Score", "Score /7", "Rating (1-7)", "Answer")),
        table("Rating", "Range", cells=("5", "1-7")),
        table("Rating", "Final", cells=("5", "5")),
    ],
)
def test_a_column_of_the_answers_is(text):
    assert set(values(reader("english", **BOTH), text).values()) == {5}


@pytest.mark.parametrize(
    "words",
    ["previous", "draft", "not final", "human", "average", "confidence", "weight", "of others"],
)
def test_what_a_label_calls_something_else_is_not_taken(words):
    assert values(reader("english", **BOTH), f"clarity ({words}): 5\ntrust: 3") == {
        "clarity": Cause.AMBIGUOUS,
        "trust": 3,
    }


@pytest.mark.parametrize("words", ["平均", "前回", "逆転項目"])
def test_nor_is_it_in_japanese(words):
    one_item = reader("japanese", trust="{label: 信頼, minimum: 1, maximum: 7, reason: false}")
    assert isinstance(one(one_item, f"信頼（{words}）：5"), Cause)
    assert one(one_item, "信頼（回答）：5") == 5


def test_a_reversed_item_is_not_turned_round_twice():
    assert one(reader("english", trust=SEVEN), "trust (reverse scored): 2") is Cause.AMBIGUOUS


NEEDS = "{kind: rank, options: [rent, quiet, way, space], reason: false}"


@pytest.mark.parametrize(
    "answer",
    [
        *(
            f"order ({how}): rent, quiet, way, space"
            for how in ("least to most", "worst first", "reversed")
        ),
        "rent, quiet, way, space\n\nThe order is from least to most important.",
        "1. rent\n2. quiet\n3. way\n4. space\n\nNote: 1 is the least important.",
        "order: rent, quiet, way, space\n\nNote: the first is the least important.",
    ],
)
def test_an_order_that_begins_with_the_last_is_not_taken(answer):
    assert isinstance(one(reader("english", order=NEEDS), answer), Cause)


def test_an_order_from_the_most_to_the_least_is():
    answer = "order: rent, quiet, way, space\n\nFrom most to least important."
    assert not isinstance(one(reader("english", order=NEEDS), answer), Cause)


@pytest.mark.parametrize("why", ["(cannot be judged)", "(N/A)", "- not enough information"])
def test_the_lowest_number_beside_words_that_nothing_can_be_judged_is_a_refusal(why):
    found = values(reader("english", **BOTH), f"clarity: 1 {why}\ntrust: 2")
    assert found == {"clarity": Cause.REFUSED, "trust": 2}
    assert values(reader("english", **BOTH), f"clarity: 2 {why}\ntrust: 1")["trust"] == 1


def test_the_lowest_number_whose_reason_says_so_is_a_refusal():
    with_reason = reader("english", clarity="{minimum: 1, maximum: 7}")
    for why in ("It cannot be judged.", "There is not enough information in the text."):
        found = one(with_reason, f"clarity (answer): 1\nclarity (reason): {why}")
        assert found is Cause.REFUSED


def test_a_number_below_zero_in_words_is_not_the_one_above():
    signed = reader("english", temp="{minimum: -3, maximum: 3, reason: false}")
    assert one(signed, "temp: 2 (below zero)") is Cause.AMBIGUOUS


def test_a_table_with_a_column_a_question_has_options_as_values_and_not_as_reasons():
    answer = "| sentiment | strength |\n|---|---|\n| positive | 5 |"
    found = reader("english", **SENTIMENT).read(answer)
    assert {q: (r.value, r.reason) for q, r in found.items()} == {
        "sentiment": (1, None),
        "strength": (5, None),
    }
    again = GIVEN + "| sentiment | strength |\n|---|---|\n| negative | 6 |"
    assert set(values(reader("english", **SENTIMENT), again).values()) == {Cause.AMBIGUOUS}
