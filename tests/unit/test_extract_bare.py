"""A set of one question: its answer may be the bare value - and what is still none."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.core.extract import reader as reading
from runner.core.extract.bare import LONGEST
from runner.core.extract.reader import Reader
from runner.core.model import Cause, QuestionSet, Reading
from tests.growth import MOST, growth
from tests.unit.test_extract_traps import OUT, A, M, N, R, S
from tests.unit.test_extractor import LABELS, question_set

T = Cause.TRUNCATED


def one(
    key: str = "agree", label: str = "Agreement", patterns: object = None, **item: object
) -> QuestionSet:
    """A set of one question, from 1 to 5 and without a reason unless said otherwise."""
    asked = {"label": label, "minimum": 1, "maximum": 5, "reason_required": False} | item
    changes = {} if patterns is None else {"value_patterns": patterns}
    return question_set(items={key: asked}, **changes)


READER = Reader(one())
WITH_REASON = Reader(one(reason_required=True))
SIGNED = Reader(one(minimum=-3, maximum=3))
DECIMAL = Reader(one(integer=False))
PERCENT = Reader(one(minimum=0, maximum=100))


def read(text: str, reader: Reader = READER, finish_reason: str | None = "stop") -> Reading:
    return next(iter(reader.read(text, finish_reason).values()))


def value(
    text: str, reader: Reader = READER, finish_reason: str | None = "stop"
) -> Decimal | Cause | None:
    found = read(text, reader, finish_reason)
    return found.cause if found.value is None else found.value


# --- what is read -----------------------------------------------------------------------------

FOUR = [
    *("4", "4.", "(4)", "[4]", "**4**", "４", " 4\n", "`4`", "_4_", '"4"', "「4」", "４．", "4!"),
    *("4 - agree", "4 – agree", "4 — agree", "4 (agree)", "4: agree", "4 agree", "4, agree"),
    *("Agree (4)", "Agree: 4", "I agree - 4", "Rating: 4", "**Rating:** 4", "Rating = 4"),
    *("## Rating\n4", "Rating: **4/5**", "Rating (1-5): 4", "Answer: 4", "My rating: 4"),
    *("Final answer: 4", "My final answer is 4.", "Here is my rating: 4", "Sure! My rating is 4."),
    *(
        "I would rate this a 4.",
        "I'd say 4.",
        "I'd rate my agreement as a 4.",
        "I choose option 4.",
    ),
    *("I would give this statement a 4.", "It's a 4.", "That's a 4 for me.", "4 is my answer."),
    *("4/5", "4 out of 5", "4 (on a scale of 1 to 5)", "4.0", "4 points", "4点"),
    "My answer is 4 because I often do this.",
    "On a scale of 1 to 5, I'd say 4.",
    "On a scale from 1-5: 4",
    "As an AI I have no feelings, but I would choose 4.",
    "As an AI, I don't have personal feelings, but I'd rate this a 4.",
    "My rating is 4 out of 5 because it moved me in 2004.",
    "4. I often do this 3 times a week.",
    *("回答：4", "回答：**4**", "【回答】4", "【評価】\n4", "評価は4です。", "私の回答は4です。"),
    *("4です。", "４点です。", "4と回答します。", "4を選びます。", "4（同意する）", "4：よくある"),
    *("5点満点中4点", "この文に対する評価：4", "AIなので感情はありませんが、4です。"),
    "4。1927年に3回読みました。",
    '{"rating": 4}',
    '{"rating": 4, "explanation": "often"}',
    '{"rating": "4"}',
    '{"score": "4/5"}',
    '{"my_choice": 4}',
    '```json\n{"rating": 4}\n```',
    *("```\n4\n```", "\\boxed{4}", "$4$", "<answer>4</answer>", "[ ] 3\n[x] 4\n[ ] 5"),
    *("<think>3 or 4? I'd say 2.</think>\n4", "<think>\nmaybe 2\n</think>\n\nRating: 4", "4\n4"),
]


@pytest.mark.parametrize("text", FOUR)
def test_the_whole_answer_may_be_the_value(text: str) -> None:
    found = read(text)

    assert (found.value, found.cause) == (4, None)
    assert found.pattern == ("id" if text.lower().startswith("agree") else "bare")
    assert found.span is not None
    assert text[slice(*found.span)].strip("\"'") in ("4", "４", "4.0", "4/5")


SCALED = [
    *((SIGNED, text, 2) for text in ("2", "+2", "plus 2", "Rating: +2")),
    *((SIGNED, text, -2) for text in ("-2", "−2", "－２", "minus 2", "Minus 2.", "negative 2")),
    *((SIGNED, text, -2) for text in ("(−2)", "評価：−2", "マイナス2です", "-2 (disagree)")),
    (SIGNED, "On a scale of -3 to 3, I'd say -2.", -2),
    (SIGNED, '{"rating": -2}', -2),
    (SIGNED, "0", 0),
    *((DECIMAL, text, Decimal("3.5")) for text in ("3.5", "３．５", "3.5/5", "I'd say 3.5.")),
    (DECIMAL, '{"rating": 3.5}', Decimal("3.5")),
    *((PERCENT, text, 80) for text in ("80", "80%", "80点です", "80/100", "80 (0-100)")),
    (Reader(one("Q1", "面白さ")), "4", 4),
]


@pytest.mark.parametrize(("reader", "text", "wanted"), SCALED)
def test_signs_decimals_and_large_scales_are_read(
    reader: Reader, text: str, wanted: Decimal
) -> None:
    assert value(text, reader) == wanted


# --- what is not ------------------------------------------------------------------------------

NONE = [
    *(("3 or 4", A), ("between 3 and 4", A), ("3-4", A), ("3〜4", A), ("4か5", A), ("4\n5", A)),
    *(("7", OUT), ("40", OUT), ("-4", OUT), ("0", OUT), ('{"rating": 7}', OUT)),
    *(("8/10", S), ("10点満点中4点", S), ("4 (1-7)", S), ("On a scale of 1 to 10, 4", S)),
    *(("4 of 5", S), ("4 out of ten", S), ("4 stars", S), ('{"rating": 4, "scale": "1 to 10"}', S)),
    *(("I cannot rate this.", R), ("I'm sorry, I cannot rate this. 4", R), ("評価できません。", R)),
    *(("4\n\nI cannot rate this.", R), ("4\n\n回答はできません。", R)),
    *(("1 = never, 5 = always", A), ("5 = always", N), ("4 means agree", N), ("1-5", M)),
    *(("Not 4, rather 2.", A), ("4. Not 2.", A), ("2ではなく4", A), ("4, or three.", A)),
    *(("not 4", M), ("I would not choose 4.", M), ("I wouldn't say 4.", M), ("4ではない", N)),
    ("On a scale of 1 to 5 I have no answer.", M),
    ("How much do you agree on a scale of 1 to 5?", M),
    ("How much do you agree?\n4", M),
    ("Rating: [1-5]", M),
    *(("4 if I had to choose", N), ("4, if I had to choose", A), ("If I had to choose, 4.", M)),
    *(("The average is 4.", M), ("4 (average)", A), ("平均は4です", M), ("4、平均です", A)),
    *(("For example, 4.", M), ("4 (example)", A), ("例えば4", M), ("もし選ぶなら4", M)),
    *(("Example: 4", M), ("4\n\nThis is an example.", A), ("4、仮の値です", A)),
    *(("4, he said.", A), ("most would choose 4", M), ("4. Most people would say so.", A)),
    *(("maybe 4", M), ("4, maybe", A), ("4?", N), ("4...", N), ("4…", N), ("4+", N), ("4-", N)),
    *(("~4", M), ("≥4", M), (">4", M), ("> 4", M), ("4以上", N), ("4th", N), ("4%", N), ("4x", N)),
    *(("$4", M), ("#4", N), ("No. 4", M), ("Question 4", M), ("第4章", M), ("page: 4", M)),
    *(("in 2004", M), ("It happened 4 times.", M), ("4 times", M), ("4回", M), ("4年", M)),
    *(("I have 4 cats", M), ("4 out of 5 people agree.", N), ("4 people", M), ("4/5 stars", N)),
    *(("Here are 4 points: a", M), ("4 points: a", N), ("I am 4 years old", M)),
    *(("4:30", A), ("4,5", A), ("4.5", N), (".5", M), ("4½", N), ("4²", N), ("1. 4", A)),
    *(("1. I agree", A), ("1) agree", A), ("Answer 4: I agree", M), ("回答4：よい", M)),
    *(("4. Actually two.", A), ("4\n\nOn second thought, two.", A), ("4. No, one.", A)),
    *(("4、いや三です", A), ("4\n\n2に訂正します。", A), ("Rating: 4\nRating: 3", A)),
    *(("Confidence: 4", M), ("The number of the item is 4", M), ("item4: 2", M), ("Q4", M)),
    *(("<think>4", M), ("4</think>", M), ("<think>4</think>", M), ("4<think>3</think>5", A)),
    *(("", M), ("  \n", M), ("N/A", M), ("-", M), ("Four", M), ("四", M), ("{4}", M)),
    *(('{"confidence": 4}', M), ('{"example": 4}', M), ('{"rating": [4]}', M), ('{"id": 4}', M)),
    *(('{"rating": 4, "max": 5}', A), ('{"rating": 4, "note": "or 3"}', A)),
    *(('{"rating": null, "x": 4}', M), ('{"rating": "often", "x": 4}', M)),
    *(('{"rating": 4, "why": "I cannot rate this"}', A), ('{"rating": 4', M)),
    *(('{"rating": 4}\n{"rating": 3}', M), ('For instance {"rating": 4}', M)),
    *(('{"rating": 4}\n3', M), ('{"agree": null}\n4', M)),
]


@pytest.mark.parametrize(("text", "cause"), NONE)
def test_what_leaves_a_doubt_is_not_the_value(text: str, cause: Cause) -> None:
    found = read(text)

    assert (found.value, found.cause) == (None, cause)


SCALED_NONE = [
    *((SIGNED, text, N) for text in ("- 2", "Rating - 2", "回答-2", "—2", "-0")),
    *((SIGNED, text, M) for text in ("minus -2", "-3 to 3", "+ 2")),
    *((SIGNED, text, A) for text in ("2 - 1", "-2 to 3", "-2, not 2")),
    *((SIGNED, text, OUT) for text in ("-4", "minus 4")),
    *((DECIMAL, text, A) for text in ("3,5", "3.5 - 4")),
    (DECIMAL, "6.5", OUT),
    (PERCENT, "8/10", S),
    (PERCENT, "In 1927", M),
]


@pytest.mark.parametrize(("reader", "text", "cause"), SCALED_NONE)
def test_an_unsure_sign_or_point_is_not_read(reader: Reader, text: str, cause: Cause) -> None:
    assert value(text, reader) is cause


@pytest.mark.parametrize(
    ("text", "finish_reason", "wanted"),
    [
        ("4", "length", T),
        ("Rating: 4", "max_tokens", T),
        ("4.", "length", T),
        ('{"rating": 4', "length", T),
        ("4\n\nBecause I of", "length", T),
        ("4", "a new word", T),
        ("4", "content_filter", Cause.BLOCKED),
        ("4", "refusal", R),
        ("4\n", "length", Decimal(4)),
        ("4", None, Decimal(4)),
    ],
)
def test_a_number_that_may_go_on_is_not_believed(
    text: str, finish_reason: str | None, wanted: Decimal | Cause
) -> None:
    assert value(text, READER, finish_reason) == wanted


# --- reasons ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4\n\nBecause I often do this.", "Because I often do this."),
        ("4 because I often do this.", "because I often do this."),
        ("**4**\n\nI like it.\nAnd more.", "I like it.\nAnd more."),
        ("4 - agree", "agree"),
        ("4（よくするから）", "よくするから"),
        ("Rating: 4\n\n**Explanation:** I like it.", "I like it."),
        ("4\n理由：よくするから。", "よくするから。"),
        ("私は4を選びます。理由は、よくするからです。", "よくするからです。"),
        ('{"rating": 4, "reason": "often", "note": "x"}', "often"),
        ('{"rating": 4, "foo": "often"}', "often"),
        ("4\n\nBecause I can't resist helping.", "Because I can't resist helping."),
    ],
)
def test_what_stands_behind_the_number_is_its_reason(text: str, reason: str) -> None:
    found = read(text, WITH_REASON)

    assert (found.value, found.cause, found.reason) == (4, None, reason)


@pytest.mark.parametrize("text", ["4", "Rating: 4\n\nRating: 4", "4 (on a scale of 1 to 5)"])
def test_the_number_again_and_its_scale_are_no_reason(text: str) -> None:
    found = read(text, WITH_REASON)

    assert (found.value, found.cause, found.reason) == (4, Cause.NO_REASON, None)


def test_the_lowest_number_beside_a_refusal_is_refused() -> None:
    assert value("1\n\nI can't do this.", WITH_REASON) is R


# --- where it applies -------------------------------------------------------------------------


@pytest.mark.parametrize("text", FOUR)
def test_several_questions_never_take_a_number_without_a_name(text: str) -> None:
    pair = {key: {"label": LABELS[key]} for key in ("Q1", "Q2")}

    assert {r.value for r in Reader(question_set(items=pair)).read(text).values()} == {None}
    assert reading.VERSION == 2


PROBE = [{"name": "mine", "regex": "値: (?P<value>.*)"}]


def test_a_value_pattern_of_one_question_may_leave_out_its_name() -> None:
    reader = Reader(one(patterns=PROBE))

    assert (value("値: 3", reader), read("値: 3", reader).pattern) == (3, "mine")
    assert value("値: 3\n値: 4", reader) is A
    assert value("値: 3か4", reader) is A
    assert read("Rating: 3", reader).pattern == "bare"


def test_what_a_pattern_could_not_take_is_not_taken_without_a_name_either() -> None:
    assert value("Agreement: many\n4") is N
    assert value("Agreement: 3\n\nRating: 4") is A


def test_a_layout_without_a_name_is_not_learned_by_heart() -> None:
    reader = Reader(one(reason_required=True))
    for number in range(1, 6):
        assert value(f"{number}\nBecause I like helping all of them.", reader) == number

    assert value("4\nActually I would rather give it a two.", reader) is A
    assert value("4\nThis is an example of an answer, nothing more.", reader) is A


def test_a_very_long_answer_is_not_read() -> None:
    assert value("4\n\n" + "a" * (LONGEST - 3)) == 4
    assert value("4\n\n" + "a" * (LONGEST - 2)) is M


@pytest.mark.parametrize(
    "unit", ["評価値", "1 = a, ", "agree ", "scale 1 to 5 ", "this ", "out of 7 ", "4 ", "- "]
)
def test_the_time_grows_with_the_answer_and_no_more(unit: str) -> None:
    def work(length: int) -> None:
        READER.by_patterns(unit * (length // len(unit)) + "x 4")

    half = LONGEST // 2 - 10
    assert growth(lambda: work(half), lambda: work(2 * half)) <= 2 * MOST


# --- whatever is put around -------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("4", "2", "-2", "+1", "3.5", "7", "10", "４", "1", "5", "minus 2", "/5", "/10", "-", "."),
        *(" ", "\n", "(", ")", "[", "**", "{", "}", ":", ",", '"', "?", "、", "。", "：", "です"),
        *("Rating", "I'd say ", "agree", "Agreement", "because ", "not ", "or ", "if ", "{}"),
        *('{"rating": ', '"why": "', "回答", "は", "の", "<think>", "</think>", "点", "out of 5"),
        *("on a scale of 1 to 5", "times", "年", "average", "例えば", "\u200b", "—", "−", "#"),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=9).map("".join)
BEFORE = st.one_of(
    st.sampled_from(["", "", "Rating: ", "I'd say ", "回答：", '{"rating": ', "**", "["]), TEXTS
)
AFTER = st.one_of(
    st.sampled_from(["", "", ".", "です。", "}", "**", "]", "/5", " because I do.", "\n\n"]), TEXTS
)
NUMBERS = st.one_of(st.integers(-12, 110).map(str), PIECES)
READERS = st.sampled_from([READER, WITH_REASON, SIGNED, DECIMAL, PERCENT])
BOUNDS = {id(SIGNED): (-3, 3), id(PERCENT): (0, 100)}


@given(reader=READERS, before=BEFORE, core=NUMBERS, after=AFTER)
@example(reader=SIGNED, before="", core="minus 2", after="")
@example(reader=READER, before='{"rating": ', core="4", after="}")
@example(reader=READER, before="", core="4", after="\u200b0")
def test_a_value_stands_in_the_text_and_within_the_bounds(
    reader: Reader, before: str, core: str, after: str
) -> None:
    text = before + core + after
    found = read(text, reader)

    assert (found.value is None) == (found.cause not in (None, Cause.NO_REASON))
    if found.value is None:
        return
    low, high = BOUNDS.get(id(reader), (1, 5))
    assert low <= found.value <= high
    assert found.span is not None
    written = text[slice(*found.span)]
    for sign in ("−", "－", "minus ", "negative ", "マイナス"):
        written = written.replace(sign, "-")
    written = written.replace("＋", "+").replace("．", ".").removeprefix("plus ")
    assert Decimal("".join(c for c in written if c not in "\u200b\u2060\ufeff")) == found.value
