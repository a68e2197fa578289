"""A set of one question: its answer may be the bare value - and what is still none."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.core.extract import bare
from runner.core.extract import reader as reading
from runner.core.extract.bare import LONGEST
from runner.core.extract.reader import Reader
from runner.core.model import Cause, QuestionSet, Reading
from tests.growth import MOST, growth
from tests.unit.test_extract_traps import OUT, A, M, N, R, S
from tests.unit.test_extractor import LABELS, question_set
from tests.variants import first

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
    *("回答：4", "回答：**4**", "【回答】4", "【評価】\n4", "評価は4です。", "私の回答は4です。"),
    *("4です。", "４点です。", "4と回答します。", "4を選びます。", "4（同意する）", "4：よくある"),
    *("5点満点中4点", "この文に対する評価：4", "AIなので感情はありませんが、4です。"),
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
    *(("Not 4, rather 2.", A), ("4. Not 2.", A), ("2ではなく4", A), ("4, or three.", N)),
    *(("not 4", N), ("I would not choose 4.", N), ("I wouldn't say 4.", N), ("4ではない", N)),
    ("On a scale of 1 to 5 I have no answer.", M),
    ("How much do you agree on a scale of 1 to 5?", M),
    ("How much do you agree?\n4", N),
    ("Rating: [1-5]", M),
    *(("4 if I had to choose", N), ("4, if I had to choose", N), ("If I had to choose, 4.", N)),
    *(("The average is 4.", N), ("4 (average)", N), ("平均は4です", N), ("4、平均です", N)),
    *(("For example, 4.", N), ("4 (example)", N), ("例えば4", N), ("もし選ぶなら4", N)),
    *(("Example: 4", N), ("4\n\nThis is an example.", A), ("4、仮の値です", N)),
    *(("4, he said.", N), ("most would choose 4", N), ("4. Most people would say so.", N)),
    *(("maybe 4", N), ("4, maybe", N), ("4?", N), ("4...", N), ("4…", N), ("4+", N), ("4-", N)),
    *(("~4", N), ("≥4", N), (">4", N), ("> 4", N), ("4以上", N), ("4th", N), ("4%", N), ("4x", N)),
    *(("$4", N), ("#4", N), ("No. 4", N), ("Question 4", N), ("第4章", N), ("page: 4", N)),
    *(("in 2004", N), ("It happened 4 times.", N), ("4 times", N), ("4回", N), ("4年", N)),
    *(("I have 4 cats", N), ("4 out of 5 people agree.", N), ("4 people", N), ("4/5 stars", N)),
    *(("Here are 4 points: a", N), ("4 points: a", N), ("I am 4 years old", N)),
    *(("4:30", A), ("4,5", A), ("4.5", N), (".5", N), ("4½", N), ("4²", N), ("1. 4", A)),
    *(("1. I agree", N), ("1) agree", N), ("Answer 4: I agree", N), ("回答4：よい", N)),
    *(("4. Actually two.", N), ("4\n\nOn second thought, two.", A), ("4. No, one.", N)),
    *(("4、いや三です", N), ("4\n\n2に訂正します。", A), ("Rating: 4\nRating: 3", A)),
    *(("Confidence: 4", N), ("The number of the item is 4", N), ("item4: 2", A), ("Q4", M)),
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


# Whole answers, set apart by ¦: none of them says what the value is.
TRAPS = """
4. I often help. ¦ 4) I often help ¦ (4) I often help ¦ 4: I often help. ¦ 4 (dogs) ¦ 4 dogs
4 of us ¦ 4 ... no, rather something else ¦ 4 … no, rather something else ¦ 4, no
4 - no, something else ¦ 4 — nein, lieber etwas anderes ¦ 4。いや、三 ¦ 4 -> 5 ¦ 4→5 ¦ 4 => 5
4-5 ¦ 4–5 ¦ 4 to 5 ¦ 4 or 5 ¦ 4/5/2020 ¦ 4 or maybe 5 ¦ 4 bis 5 ¦ entre 4 et 5
zwischen 4 und 5 ¦ between 4 and 5 ¦ nicht 4 ¦ pas 4 ¦ 4 nicht ¦ 4 not ¦ 4, not 5 ¦ no 4 ¦ 4??
(4?) ¦ 4 ? ¦ ≈4 ¦ about 4 ¦ approximately 4 ¦ around 4 ¦ circa 4 ¦ etwa 4 ¦ environ 4 ¦ 約4
4くらい ¦ 4ぐらいです ¦ 4前後 ¦ 4以下 ¦ 4未満 ¦ <4 ¦ >=4 ¦ ≤4 ¦ 4++ ¦ 4±1 ¦ 4 ± 1 ¦ 4th of May
the 4th ¦ May 4 ¦ 4 May ¦ May 4th, 2024 ¦ 2024-05-04 ¦ 04/05/2024 ¦ 4.5.2024 ¦ 4 pm ¦ 4 a.m.
at 4 o'clock ¦ 4 years ¦ 4歳 ¦ 4年生 ¦ 4人 ¦ 4番 ¦ 第4 ¦ 第４問 ¦ # of items: 4 ¦ Item 4
item 4: agree ¦ Q4: agree ¦ Question 4: agree ¦ Statement 4 ¦ Option 4 of 7 ¦ Step 4
step 4: rate ¦ 4 of 7 people ¦ 4 out of 7 people ¦ 4 out of 10 ¦ 4 of 10 ¦ 4/10 ¦ 4/9
十点満点で4 ¦ 4★ ¦ ★★★★ ¦ 4 out of 10 people agree ¦ 1 = never … 7 = always: 4
1 = never, 2 = rarely, 3 = sometimes, 4 = often ¦ 1: never 4: often ¦ 4 = often ¦ often = 4
4 means often ¦ On a scale of 1 to 10: 4 ¦ On a scale from 1 to 9, I'd say 4 ¦ 1 2 3 4
1, 2, 3, 4 ¦ 4. 4 people ¦ | 4 | 5 | ¦ |4| ¦ a,4 ¦ x;4 ¦ 4;5 ¦ 4, 5 ¦ 4,0 ¦ 4.567 ¦ 4.000
4'000 ¦ 4 000 ¦ 4e1 ¦ x4 ¦ 4a ¦ a4 ¦ 4%of people ¦ 4 % of people ¦ 40% of 4 ¦ 4° ¦ 4€ ¦ €4 ¦ ¥4
4円 ¦ 4kg ¦ 4 1/2 ¦ 4³ ¦ 4^2 ¦ 4*2 ¦ 4 x 2 ¦ 2+2 ¦ 2+2=4 ¦ 4!=24 ¦ 0x4 ¦ 0b100 ¦ IV ¦ Ⅳ ¦ ④
４か５ ¦ 3か4 ¦ 3、4 ¦ 3と4の間 ¦ ３～４ ¦ 4点か5点 ¦ 4点から5点 ¦ 4ではなく5 ¦ 4じゃない
4とは言えない ¦ 4とは限らない ¦ 仮に4 ¦ 例：4 ¦ たぶん4 ¦ 多分4です ¦ 4かもしれません
4でしょうか ¦ 4ですか？ ¦ 4です（仮） ¦ 平均4 ¦ 前回は4でした ¦ 他の人は4です
友人は4と答えました ¦ 多くの人は4を選びます ¦ 4を選ぶ人が多いです ¦ 4を選びません ¦ 4にしません
4は選びません ¦ 4と迷います ¦ 3と迷って4 ¦ 3から4に変更 ¦ 4から3に変更します ¦ 4に近い ¦ 4より上
4寄り ¦ 4未満です ¦ 回答4 ¦ 質問4：はい ¦ 問4 ¦ （4）よくする ¦ ４．よくする ¦ 4、よくする
<think>I'd say 4</think> I cannot answer. ¦ <thinking>4</thinking> ¦ <thought>4</thought>
<reasoning>4</reasoning> ¦ <analysis>4</analysis> ¦ <scratchpad>4</scratchpad> undecided
[thinking] 4 [/thinking] ¦ Thinking: 4 ¦ Let me think: 4 ¦ Let me think. 4? Or 5? ¦ Draft: 4
Draft answer: 4 ¦ My first thought was 4. ¦ Initially 4 ¦ Initial rating: 4 ¦ Previous answer: 4
Previous rating: 4 ¦ Expected answer: 4 ¦ Example answer: 4 ¦ e.g. 4 ¦ e.g., 4 ¦ For example: 4
for instance 4 ¦ Format: 4 ¦ Output format: 4 ¦ Your answer: 4? ¦ Answer (e.g. 4):
Answer with a number such as 4 ¦ Please answer 4 ¦ You should choose 4 ¦ Would you say 4?
Did you mean 4? ¦ Should I say 4? ¦ Is it 4? ¦ I cannot rate this. 4
I can't answer, but 4 is the middle. ¦ As an AI, I cannot choose 4. ¦ I refuse to say 4.
I won't say 4. ¦ I'd never say 4. ¦ I would not choose 4 ¦ I'd rather not say 4
I almost said 4 ¦ I was going to say 4 ¦ I used to say 4 ¦ I said 4 yesterday ¦ He would say 4
She'd say 4 ¦ They chose 4 ¦ We'd say 4 ¦ Most people would say 4
The average person would answer 4. ¦ People like me say 4 ¦ A friend would rate it 4
The author gave it a 4 ¦ GPT gave 4 ¦ Someone rated this 4 ¦ The answer is not 4
The answer isn't 4 ¦ The answer could be 4 ¦ The answer might be 4.
The answer would have been 4 ¦ The answer should be 4 ¦ My answer was 4 ¦ My answer: not 4
My answer: less than 4 ¦ Rating: less than 4 ¦ Rating: under 4 ¦ Rating: above 4
Rating: at least 4 ¦ Rating: up to 4 ¦ Rating: >4 ¦ Rating: 4+ ¦ Rating: 4-5 ¦ Rating: 4 or 5
Rating: 4/10 ¦ Rating: 4 (out of 10) ¦ Rating: 4 (max 10) ¦ Rating: 4 [scale 1-10]
Rating: 4, confidence 3 ¦ Rating 4 out of 10 ¦ Rating: four or 4? ¦ Rating: "4 or so"
Rating: 4ish ¦ Rating: 4.x ¦ Certainty: 4 ¦ Priority: 4 ¦ Page: 4 ¦ Count: 4 ¦ Total: 4 ¦ Sum: 4
Average: 4 ¦ Max: 4 ¦ Minimum: 4 ¦ Version: 4 ¦ Temperature: 4 ¦ Age: 4 ¦ Score of others: 4
{"confidence": 4} ¦ {"id": 4} ¦ {"item": 4} ¦ {"question": 4} ¦ {"index": 4} ¦ {"page": 4}
{"count": 4} ¦ {"max": 4} ¦ {"scale": 4} ¦ {"min_rating": 4} ¦ {"max_rating": 4}
{"rating_max": 4} ¦ {"average_rating": 4} ¦ {"previous_rating": 4} ¦ {"expected_rating": 4}
{"example_rating": 4} ¦ {"not_rating": 4} ¦ {"rating_of_others": 4} ¦ {"other_rating": 4}
{"ratings": {"a": 4}} ¦ {"rating": [4]} ¦ {"rating": [4, 5]} ¦ {"rating": {"min": 4}}
{"rating": "4-5"} ¦ {"rating": "4 or 5"} ¦ {"rating": "not 4"} ¦ {"rating": "4/10"}
{"rating": "about 4"} ¦ {"rating": "4?"} ¦ {"rating": "4 dogs"} ¦ {"rating": ">4"}
{"rating": 4, "rating": 5} ¦ {"rating": 4, "score": 5} ¦ {"rating": 4, "confidence": 5}
{"rating": 4, "max": 10} ¦ {"rating": 4, "scale": "1-10"}
{"rating": 4, "note": "no, rather 5"} ¦ {"rating": 4, "note": "nein, lieber doch nicht"}
{"rating": 4, "note": "this is only an example"} ¦ {"rating": 4, "note": "random"}
{"rating": 4, "is_final": false} ¦ {"rating": 4, "final": "no"} ¦ {"rating": 4}{"rating": 5}
{"rating": 4} or {"rating": 5} ¦ Not {"rating": 4} ¦ {"rating": -4} ¦ {"rating": 4e1} ¦ {"x": 4}
{"4": "rating"} ¦ {"draft": 4} ¦ [{"rating": 4}, {"rating": 5}] ¦ [4, 5] ¦ [3-4] ¦ ~~4~~
~~4~~ 5 ¦ <s>4</s> ¦ <s>4</s> 5 ¦ <del>4</del> ¦ <del>4</del> 5 ¦ <strike>4</strike>
4 (changed from 3) ¦ 4 (was 3) ¦ 4 (not sure) ¦ 4 (unsure) ¦ 4 (maybe) ¦ 4 (guess)
4 (hypothetically) ¦ 4 (neutral on a 7-point scale of 9) ¦ 4 if pressed ¦ 4, if pressed
If pressed, 4 ¦ If I had to choose: 4 ¦ Hypothetically, 4 ¦ Hypothetically: 4 ¦ 4 hypothetically
4 at most ¦ 4 at least ¦ at least 4 ¦ at most 4 ¦ 4 max ¦ max 4 ¦ up to 4 ¦ more than 4
less than 4 ¦ 4 or more ¦ 4 or less ¦ 4 and 5 ¦ 4 & 5 ¦ 4 and a half ¦ four and a half, 4
4 minus 1 ¦ 4 plus 1 ¦ −4 ¦ －４ ¦ +4+ ¦ 4 4 5 ¦ 44 4 ¦ 4 44 ¦ 4 was my first idea
4 would be too high ¦ 4 is too high ¦ 4 is wrong ¦ 4 is the number of legs ¦ 4 is not my answer
4 is a number ¦ 4 seems high ¦ 4 seems right for others ¦ 4 because others say so, not me
4 because you asked, but I do not mean it ¦ 4, but that is for others ¦ 4 but not always
4 yet undecided ¦ 4 I guess ¦ 4 I think ¦ 4 I suppose ¦ 4 legs good ¦ help 4 people ¦ help 4
I help 4 people ¦ I help people 4 times ¦ I help people, 4 of them ¦ I help people: 4 times
rating 4 people ¦ rating of 4 people ¦ the rating 4 people gave ¦ agree 4 people ¦ agree 4 times
agree with 4 ¦ Agree on 4 points ¦ I agree on 4 of these ¦ agree/disagree: 4/3
agree 4, disagree 3 ¦ agree: 4 disagree: 3 ¦ I agree 4 sure ¦ agree4 ¦ agree-4 ¦ agree no 4
agree, not 4 ¦ agree or 4 ¦ agree (4 or 5) ¦ agree: 4? ¦ agree: not 4 ¦ agree: 4-5 ¦ agree to 4
agree = 4 points of 10 ¦ agree 4 out of 10 ¦ 4 agree, 3 disagree ¦ 4 agreed ¦ 4 agree people
4 agree to disagree ¦ 4 agree to the disagree ¦ 4 always wins ¦ 4 often wins ¦ very 4 ¦ 4 very
4th: agree
"""
LONGER_TRAPS = [
    "4\nI do not agree with that number.",
    "4\nThe opposite is true of me.",
    "4\nIgnore the above.",
    "4\nThat was a joke.",
    "4\nI take it back.",
    "4\nI take that back, it is another.",
    "4\nThis is what the average gives.",
    "4\nThis is not what I feel.",
    "4\nJust kidding, I disagree.",
    "4\nLet me think about it again.",
    "4\nLet me reconsider.",
    "4\nPlease use the one below.",
    "4\nThe statement has 4 words.",
    "4\nThis is the item number.",
    "4\nThat is how many people there are.",
    "4\nI have no opinion about it.",
    "4\nThe question about it is number 4.",
    "4\nこれは問題番号です。",
    "4\nこれは冗談です。",
    "4\n本当は言いたくないです。",
    "4\nやめます。",
    "4\n自信がないです。",
    "4\n項目の番号です。",
    "4\n逆です。",
    "4 - the number of people",
    "4 because it is the item number",
    "4\nNein, doch lieber etwas anderes.",
    "4\n\nNon, plutôt autre chose.",
    "4\n\nNo, mejor otra cosa.",
    "4\nНет, лучше другое.",
    "4\n아니요, 다른 것으로 하겠습니다.",
    "4\n不，应该是别的。",
    "4\n\nBecause I like it. Nein, doch lieber nicht.",
    "4\n\nいや、違います。",
    "4\n\nやっぱり違う気がします。",
    "4\nOn second thought, something lower.",
    "4\nHmm, perhaps less.",
    "4\nI think that is too high.",
    "4\nThat is not my answer.",
    "4\nScratch that.",
    "4\nSorry, I misread the question.",
    "4\nWait, I misread the scale.",
    "4\nI misread the question about people.",
    "4\nI would have said less with time.",
    "1\n2\n3\n4",
    "- 4\n- 5",
    "* 4\n* 3",
    "1. Agree\n2. Disagree",
    "| rating | value |\n|---|---|\n| a | 4 |\n| b | 5 |",
    "Rating: 4\nRating: 5",
    "Rating: 4\nFinal rating: 5",
    "Rating: 4\nFinal: five",
    "Rating: 4\nConfidence: 5",
    "Rating: 4\nConfidence: 80%",
    '{"rating": 4}\nActually, no.',
    "4̶",
    "4̸",
    "\\cancel{4}",
    "\\sout{4}",
    "4\n\n5",
    "4\n\nfive",
    "4\n\nI meant five.",
    "4\n\n*Correction:* five",
    "4\n\nEdit: five",
    "agree 4\ndisagree 3",
]
EVERY_TRAP = [t for line in TRAPS.strip().split("\n") for t in line.split(" ¦ ")] + LONGER_TRAPS
TRAPPED = [
    *(READER, WITH_REASON, PERCENT, Reader(one(maximum=7)), Reader(one("Q1", "同意"))),
    *(Reader(one("help", "I help people")), Reader(one("people", "four"))),
]


@pytest.mark.parametrize("text", EVERY_TRAP)
def test_a_trap_is_not_the_value(text: str) -> None:
    assert [value(text, r) for r in TRAPPED if read(text, r).value is not None] == []


@pytest.mark.parametrize(
    "text", ["agree 4 people", "agree 4", "agree, 4 times", "agree (4 people)"]
)
def test_an_id_that_is_a_word_makes_no_answer_of_a_sentence(text: str) -> None:
    assert value(text) is N


SCALED_NONE = [
    *((SIGNED, text, N) for text in ("- 2", "Rating - 2", "回答-2", "—2", "-0")),
    *((SIGNED, text, N) for text in ("minus -2", "+ 2", "-2, not 2")),
    *((SIGNED, text, A) for text in ("2 - 1", "-2 to 3")),
    (SIGNED, "-3 to 3", M),
    *((SIGNED, text, OUT) for text in ("-4", "minus 4")),
    *((DECIMAL, text, A) for text in ("3,5", "3.5 - 4")),
    (DECIMAL, "6.5", OUT),
    (PERCENT, "8/10", S),
    (PERCENT, "In 1927", N),
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
        ("4\n", "length", T),
        ("4.\n\n", "length", T),
        ("```\n4\n```", "length", Decimal(4)),
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
        ("4 - I like it", "I like it"),
        ("Rating: 4. Because I often do this.", "Because I often do this."),
        ("Rating: 4\n\n**Explanation:** I like it.", "I like it."),
        ("4\n理由：よくするから。", "よくするから。"),
        ("Rating: 4\nExplanation: I help people.", "I help people."),
        ("私は4を選びます。理由は、よくするからです。", "よくするからです。"),
        ('{"rating": 4, "reason": "often", "note": "agree"}', "often"),
        ('{"rating": 4, "foo": "often"}', "often"),
    ],
)
def test_what_stands_behind_the_number_is_its_reason(text: str, reason: str) -> None:
    found = read(text, WITH_REASON)

    assert (found.value, found.cause, found.reason) == (4, None, reason)


@pytest.mark.parametrize(
    "text", ["4", "4 - agree", "Rating: 4\n\nRating: 4", "4 (on a scale of 1 to 5)"]
)
def test_the_number_again_and_its_scale_are_no_reason(text: str) -> None:
    found = read(text, WITH_REASON)

    assert (found.value, found.cause, found.reason) == (4, Cause.NO_REASON, None)


def test_the_lowest_number_beside_a_refusal_is_refused() -> None:
    assert value("1\n\nI can't do this.", WITH_REASON) is R


# --- where it applies -------------------------------------------------------------------------


@pytest.mark.parametrize("text", first(20, FOUR))
def test_several_questions_never_take_a_number_without_a_name(text: str) -> None:
    pair = {key: {"label": LABELS[key]} for key in ("Q1", "Q2")}

    assert {r.value for r in Reader(question_set(items=pair)).read(text).values()} == {None}


def test_a_set_of_one_question_has_a_reader_of_its_own() -> None:
    pair = {key: {"label": LABELS[key]} for key in ("Q1", "Q2")}

    assert reading.version(question_set(items=pair)) == reading.VERSION
    assert reading.version(one()) == [reading.VERSION, bare.VERSION]


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
    assert value("4\n\n" + "I do it " * 600) == 4
    assert value("4\n\n" + "I do it " * 700) is M


@pytest.mark.long
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


WORDS = st.sampled_from(
    [
        *("agree", "often", "people", "not", "or", "rather", "no", "nein", "non", "maybe", "but"),
        *("is", "the", "rating", "answer", "because", "I", "it", "that", "and", "out of", "to"),
        *(
            "です",
            "ではない",
            "点",
            "回答",
            "いや",
            "か",
            "理由",
            "訂正",
            "不",
            "нет",
            ",",
            ".",
            ":",
            "-",
        ),
        *(
            "\n",
            "\n\n",
            "(",
            ")",
            "/",
            "~~",
            "1.",
            "3",
            "5",
            "2.5",
            "45",
            "four",
            "五",
            "2024",
            "④",
        ),
    ]
)
AROUND = st.lists(WORDS, max_size=6)


@given(before=AROUND, after=AROUND, glue=st.sampled_from(["", " "]), number=st.sampled_from("24"))
def test_a_number_among_words_is_the_value_or_none_is(
    before: list[str], after: list[str], glue: str, number: str
) -> None:
    text = f"{glue.join(before)} {number} {glue.join(after)}"
    assert read(text).value in (None, Decimal(number))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It helps, with some gaps.\n\nOverall: [[4]]", Decimal(4)),
        ("I count 3 gaps.\n\n[[2]]", Decimal(2)),
        ("It helps.\n[[4]]/5", Decimal(4)),
        ("[[4]]\n[[5]]", A),
        ("[[4]] because of 3 gaps", A),
        ("It helps.\n[[9]]", OUT),
        ("Out of 10: [[4]]", S),
        ("If it helps, I write [[4]]", N),
    ],
)
def test_a_number_in_double_brackets_counts_where_it_ends_a_line(
    text: str, expected: Decimal | Cause
) -> None:
    found = value(text, Reader(one(key="help", label="Help")))
    assert found == expected
