"""Answers that name all questions together: sentences, one line for all, bars - and what is none."""

import pytest

from tests.unit.test_extract_traps import READER, A, Expected, M, N, R, S, expected, seen

ALL = expected(72, 58, 41, 13)
FOUR = "面白さ72、驚き58、悲しみ41、怒り13"

READ = [
    f"{FOUR}です。",
    f"以下のように評価しました。\n{FOUR}。\n結末が鋭く、驚きが残りました。",
    "Q1: 72, Q2: 58, Q3: 41, Q4: 13",
    "面白さ: 72 / 驚き: 58 / 悲しみ: 41 / 怒り: 13",
    "面白さ 72 驚き 58 悲しみ 41 怒り 13",
    "Q1〜Q4: 72, 58, 41, 13",
    "Q1からQ4：72、58、41、13。",
    "I'd give interest a 72 because the voice is engaging. Surprise gets 58, sadness 41, and anger only 13.",
    "I would give a 72 for interest, 58 for surprise, 41 for the sadness and 13 for anger.",
    "面白さ ███████░░░ 72\n驚き   █████▊░░░░ 58\n悲しみ ████░░░░░░ 41\n怒り   █░░░░░░░░░ 13",
    "面白さ 72｜語りの仕掛け\n驚き 58｜結びが鋭い\n悲しみ 41｜孤独\n怒り 13｜ほぼなし",
    "p1: Q1. 面白さ(数値): 72\np1: Q2. 驚き(数値): 58\np1: Q3. 悲しみ(数値): 41\np1: Q4. 怒り(数値): 13",
    "問1 72\n問2 58\n問3 41\n問4 13",
    "A1. 72（語り）\nA2. 58（意外）\nA3. 41（喪失）\nA4. 13（少ない）",
    "Fun factor: 72/100\nSurprise factor: 58/100\nSadness factor: 41/100\nAnger factor: 13/100",
    "Q1(72) Q2(58) Q3(41) Q4(13)",
    "面白さ：72点 驚き：58点 悲しみ：41点 怒り：13点",
    "面白さ 72/100　驚き 58/100　悲しみ 41/100　怒り 13/100",
    "Q1（面白さ）72、Q2（驚き）58、Q3（悲しみ）41、Q4（怒り）13",
    "Interest（面白さ）: 72、Surprise（驚き）: 58、Sadness（悲しみ）: 41、Anger（怒り）: 13",
    "0から100で評価すると、面白さは72くらい、驚きは58くらい、悲しみは41くらい、怒りは13くらいです。",
    (
        "まず面白さについては72点をつけたいと思います。驚きは58点で、結末は予想できました。"
        "悲しみは41点とやや高く、別れが胸に迫りました。怒りは13点にとどまります。"
    ),
    "On a scale of 0 to 100, I would rate interest 72, surprise 58, sadness 41, and anger 13.",
    "I'd give it 72/100 for interest, 58/100 for surprise, 41/100 for sadness, and 13/100 for anger.",
    "As a first-year student, I found the interest to be 72, the surprise 58, the sadness 41, the anger 13.",
    "Interest: 72 because it isn't slow. Surprise: 58, or so it seemed. Sadness: 41 because nobody returns. Anger: 13.",
    '{"Q 1": 72, "Q 2": 58, "Q 3": 41, "Q 4": 13}',
]


@pytest.mark.parametrize("text", READ)
def test_one_number_for_each_question_that_is_named_is_read(text: str) -> None:
    assert seen(READER.read(text)) in (ALL, [*ALL[:3], M])
    assert [r.value for r in READER.read(text).values()] == ALL


NOT_READ = {
    "no name": "72、58、41、13",
    "one is missing": "面白さ72、驚き58、悲しみ41。怒りは感じません。",
    "one too many": f"{FOUR}、合計184です。",
    "named in a row": "面白さ、驚き、悲しみ、怒りはそれぞれ72、58、41、13です。",
    "the same twice": "面白さ72、面白さ58、悲しみ41、怒り13",
    "a number for nobody": "72点の作品で、面白さは高い。驚き58、悲しみ41、怒り13",
    "not the number": "面白さ72ではなく、驚き58、悲しみ41、怒り13",
    "a limit": "面白さ72以上、驚き58、悲しみ41、怒り13",
    "a rank": "面白さ1位、驚き2位、悲しみ3位、怒り4位",
    "shares": "面白さ40%、驚き30%、悲しみ20%、怒り10%の割合で感じた",
    "another's": f"多くの読者は{FOUR}とします。",
    "an example": f"例えば、{FOUR}のように答えます。",
    "an average": f"平均は{FOUR}でした。",
    "if": "If I had to, interest 72, surprise 58, sadness 41, anger 13.",
    "negated": "It is not interest 72, surprise 58, sadness 41, anger 13.",
    "refused": f"評価はできませんが、{FOUR}と書きます。",
    "another scale": "面白さ7/10、驚き5/10、悲しみ4/10、怒り1/10",
    "too far": "面白さについては、語り口がよく、構成もよく、人物もよく、結末もよい作品であると思われましたので、"
    "それらを総合して長いあいだ考えまして72、驚き58、悲しみ41、怒り13",
    "id against label": "Q2. 面白さ 72、Q1. 驚き 58、Q3. 悲しみ 41、Q4. 怒り 13",
    "an object that is cut": '{"Q1":{"value":72},"Q2":{"value":58},"Q3":{"value":41},"Q4":{"value":1',
    "counted off, one missing": "Q1〜Q4: 72, 58, 41",
    "counted off, other ends": "Q1〜Q3: 72, 58, 41, 13",
    "a star": "面白さ★4、驚き★3、悲しみ★5、怒り★1",
    "a star told below": "面白さは4、驚きは3、悲しみは5、怒りは1です。（5つ星評価）",
    "a scale in words": "Each goes from one to ten: interest 7, surprise 3, sadness 9, anger 1.",
    "a top": "interest 4, surprise 3, sadness 5, anger 1 (five is the top)",
    "a sign": "面白さ-72、驚き-58、悲しみ-41、怒り-13",
    "a limit in words": "Interest is under 72, surprise under 58, sadness under 41, anger under 13.",
    "a difference": "Interest rose by 72, surprise fell by 58, sadness grew by 41, anger dropped by 13.",
    "a place": "Interest peaks in chapter 3, surprise in chapter 5, sadness in chapter 8, anger in chapter 2.",
    "a page": "interest (p. 72), surprise (p. 58), sadness (p. 41), anger (p. 13)",
    "a count": "The word interest occurs 72 times, surprise 58 times, sadness 41 times, anger 13 times.",
    "a survey": "In a survey, interest scored 72, surprise 58, sadness 41, anger 13.",
    "a site": f"Goodreadsでの評価は{FOUR}。",
    "a brother": f"以下は弟の採点です。{FOUR}。",
    "a brother, told below": f"{FOUR}、というのが弟の意見だ。",
    "a blurb": "Interest scores 72, surprise scores 58, sadness scores 41, anger scores 13, according to the blurb.",
    "a person in the story": f"登場人物の感情は、{FOUR}。",
    "another work": "Compared with Kokoro (interest 72, surprise 58, sadness 41, anger 13), this is weaker.",
    "its first half": "Interest is 72 in the first half, surprise 58, sadness 41, anger 13.",
    "a weight": "Importance: interest 40, surprise 30, sadness 20, anger 10.",
    "a confidence": f"確信度は{FOUR}。",
    "a chance": "The chance that a reader feels interest is 72%, surprise 58%, sadness 41%, anger 13%.",
    "a guess": f"本文がありません。{FOUR}。",
    "taken back": f"{FOUR}。これは私の評価ではありません。",
    "a second thought": f"{FOUR}。ただし面白さはもっと高くてもよい。",
    "a word": "面白さ72人、驚き58人、悲しみ41人、怒り13人",
}


@pytest.mark.parametrize("text", NOT_READ.values(), ids=NOT_READ)
def test_what_leaves_a_doubt_is_not_read(text: str) -> None:
    assert [r.value for r in READER.read(text).values()] == [None] * 4


def test_what_stands_behind_a_number_is_its_reason() -> None:
    readings = READER.read(
        "面白さ 72｜語りがよい\n驚き 58（鋭い結び）\n悲しみ 41: 孤独\n怒り 13 - ほぼ感じない"
    )
    assert [r.reason for r in readings.values()] == [
        "語りがよい",
        "鋭い結び",
        "孤独",
        "ほぼ感じない",
    ]
    english = READER.read(
        "Interest 72 because of the voice. The surprise gets 58, sadness 41, anger 13."
    )
    assert [r.reason for r in english.values()] == ["because of the voice.", None, None, None]


def test_a_cut_answer_gives_no_last_number() -> None:
    readings = READER.read("面白さ72、驚き58、悲しみ41、怒り1", "length")
    assert [r.value for r in readings.values()] == [None] * 4


FORM = "Q1. 面白さ(数値): {}\nQ1. 面白さ(理由): 語り"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("72±5", 72),
        ("72 (±3)", 72),
        ("40+32=72", 72),
        ("72 (=40+32)", 72),
        ("50-9=41", 41),
        ("40+32=70", A),
        ("70 (=40+32)", A),
        ("40+32", A),
        ("72±5~80", A),
        ("±5", N),
        ("7±1/10", S),
    ],
)
def test_a_margin_and_a_sum_that_adds_up_say_one_number(written: str, wanted: Expected) -> None:
    first = next(iter(READER.read(FORM.format(written)).values()))
    assert (first.value if first.cause is None else first.cause) == wanted


@pytest.mark.parametrize(
    "reason", ["作品が提示されていないため評価できません。", "I cannot rate this."]
)
def test_the_lowest_number_beside_a_refusal_is_none(reason: str) -> None:
    names = ("面白さ", "驚き", "悲しみ", "怒り")
    lines = (
        f"Q{n}. {name}(数値): {{}}\nQ{n}. {name}(理由): {reason}" for n, name in enumerate(names, 1)
    )
    form = "\n".join(lines)
    assert seen(READER.read(form.format(0, 0, 0, 0))) == [R] * 4
    assert seen(READER.read(form.format(0, 10, 0, 10))) == expected(R, 10, R, 10)
