"""Scales that an answer announces, later corrections, others' numbers: right or missing, never wrong."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.extract import doubts
from runner.core.extract.normalize import tidy
from runner.core.extract.reader import Reader
from runner.core.model import Cause
from tests.unit.test_extractor import question_set
from tests.variants import first

READER = Reader(question_set())
LABELS = ("面白さ", "驚き", "悲しみ", "怒り")
VALUES = (7, 6, 4, 1)
OTHER = (
    "各項目を10点満点で評価します。",
    "Scores are on a 1-10 scale.",
    "Ratings (out of 10):",
    "### 評価（10段階）",
    "評価（1〜10）",
    "On a scale of 1 to 10:",
    "十点満点で採点しました。",
    "100点満点ではなく10点満点で評価します。",
)
OWN = (
    "100点満点で評価します。",
    "0〜100で評価します。",
    "Scores are out of 100.",
    "10点満点ではなく100点満点で評価します。",
    "3つの場面で、10歳の少年が5回泣く物語です。",
)
CORRECTIONS = (
    "訂正: Q1は72とします。",
    "Wait, on reflection I would lower Q1 to 72.",
    "Edit: Q1 should be 72.",
    "最終スコア: 面白さ 72、驚き 6、悲しみ 4、怒り 1",
    "**最終スコア**\n- 面白さ: 72\n- 驚き: 6\n- 悲しみ: 4\n- 怒り: 1",
)
LAYOUTS = (
    "Q{n}. {label}(数値): {value}\nQ{n}. {label}(理由): 意外",
    "**{label}**: {value}\n理由: 意外",
    "Q{n}: {value}",
    "### Q{n}. {label}\n{value}",
    "<Q{n}><value>{value}</value><reason>意外</reason></Q{n}>",
)
TABLES = (
    ("| 項目 | 点数{scale} |\n|---|---|\n", "| {label} | {value} |"),
    ("順位\t項目\t得点{scale}\n", "{n}\t{label}\t{value}"),
    (
        "<table><tr><th>項目</th><th>得点{scale}</th></tr>\n",
        "<tr><td>{label}</td>\n<td>{value}</td></tr>",
    ),
    ("\\begin{{tabular}}{{lr}}\n項目 & 得点{scale} \\\\\n\\hline\n", "{label} & {value} \\\\"),
)


def rows(row: str, gap: str = "\n") -> str:
    each = enumerate(zip(LABELS, VALUES, strict=True), 1)
    return gap.join(row.format(n=n, label=label, value=value) for n, (label, value) in each)


def values(text: str) -> list[int | None]:
    return [None if r.value is None else int(r.value) for r in READER.read(text).values()]


@pytest.mark.parametrize(("layout", "said"), list(product(LAYOUTS, OTHER)))
def test_a_scale_announced_before_or_after_takes_every_value(layout: str, said: str) -> None:
    for text in (f"{said}\n\n{rows(layout)}", f"{rows(layout)}\n\n※{said}"):
        readings = READER.read(text)

        assert [r.cause for r in readings.values()] == [Cause.OTHER_SCALE] * 4, text
        assert all(r.written for r in readings.values())


@pytest.mark.parametrize(("layout", "said"), list(product(LAYOUTS, OWN)))
def test_the_scale_that_was_asked_for_takes_none(layout: str, said: str) -> None:
    assert values(f"{said}\n\n{rows(layout)}") == list(VALUES)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("scale", "taken"),
    [("", True), ("（100点満点）", True), ("（10点満点）", False), ("(1-10)", False)],
)
def test_a_head_of_a_table_names_its_scale(table: tuple[str, str], scale: str, taken: bool) -> None:
    text = table[0].format(scale=scale) + rows(table[1])

    assert values(text) == (list(VALUES) if taken else [None] * 4), text


def test_a_column_of_full_marks_and_a_key_of_an_object_name_it_too() -> None:
    for full in (10, 100):
        wanted = list(VALUES) if full == 100 else [None] * 4
        table = "| 項目 | 満点 | 得点 |\n|---|---|---|\n" + rows(
            f"| {{label}} | {full} | {{value}} |"
        )
        entries = ", ".join(f'"Q{n}": {value}' for n, value in enumerate(VALUES, 1))
        assert values(table) == wanted
        assert values(f'{{"max": {full}, {entries}}}') == wanted


@pytest.mark.parametrize(("layout", "said"), list(product(LAYOUTS, CORRECTIONS)))
def test_a_later_correction_in_other_words_is_a_second_answer(layout: str, said: str) -> None:
    readings = READER.read(f"{rows(layout)}\n\n{said}")
    assert readings["Q1"].cause is Cause.AMBIGUOUS, readings["Q1"]

    same = READER.read(f"{rows(layout)}\n\n{said.replace('72', '7')}")
    assert [None if r.value is None else int(r.value) for r in same.values()] == list(VALUES)


@pytest.mark.parametrize(
    "title", ["クラス平均", "回答例:", "【例】", "Most readers would give:", "Average scores:"]
)
def test_below_the_title_of_others_stand_nobodys_answers(title: str) -> None:
    assert values(f"{title}\n{rows('{label}: {value}')}") == [None] * 4
    assert values(f"平均的な大学1年生として答えます。\n{rows('{label}: {value}')}") == list(VALUES)


def test_a_reason_that_says_the_value_again_on_another_scale_makes_it_suspect() -> None:
    def read(value: int, reason: str) -> Cause | None:
        return READER.read(f"Q1. 面白さ(数値): {value}\nQ1. 面白さ(理由): {reason}")["Q1"].cause

    assert read(8, "10点満点中8点とした。") is Cause.OTHER_SCALE
    assert read(80, "10点満点なら8点だが、惜しい。") is None
    assert read(10, "10歳の少年が3つの場面で泣く。") is None


@pytest.mark.parametrize("said", ["0 to ten", "1 to fifty", "10 = best", "(/ : 10)", "(/十)"])
def test_a_scale_in_whatever_writing_is_found_before_any_is_looked_for_closely(said: str) -> None:
    assert [scale.high for scale in doubts.scales(tidy(said))] in ([10], [50])


@pytest.mark.parametrize("pattern", first(6, doubts._SCALES))
@given(data=st.data())
def test_the_quick_look_for_a_scale_overlooks_nothing_that_a_pattern_finds(pattern, data) -> None:
    said = tidy(data.draw(st.from_regex(re.compile(pattern.pattern, pattern.flags))))
    if pattern.search(said):
        assert doubts._SPEAKS_OF_SCALE.search(said.encode("utf-8", "replace"))
        assert doubts._SCALE_ENDS.search(said.encode("utf-8", "replace"))


@pytest.mark.parametrize("pattern", first(6, [doubts._RECONSIDERED, *doubts._SCALES]))
@given(data=st.data())
def test_the_quick_look_at_an_answer_overlooks_no_scale_and_no_other_number(pattern, data) -> None:
    said = tidy(data.draw(st.from_regex(re.compile(pattern.pattern, pattern.flags))))
    if pattern.search(said):
        assert doubts.stirs(said)


@pytest.mark.parametrize("said", ["Wait, 30", "no 30", "CORRECTION: 40", "waıt 30", "be an 8"])
def test_another_number_in_whatever_letters_is_looked_at(said: str) -> None:
    assert doubts.stirs(tidy(said))


# --- what is said behind the values, in whatever words

SAID_OTHERWISE = """
以上より、面白さ72、驚き6、悲しみ4、怒り1と評価した。 ¦ 結論として面白さは72です。 ¦ 面白さ：7→72
面白さについては72点が妥当だと考えます。 ¦ 面白さ（72）、驚き（6）、悲しみ（4）、怒り（1）の順でした。
やっぱり面白さは72にします。 ¦ ※Q1は72でも可。 ¦ Q1=72 ¦ 面白さ7ではなく72です。 ¦ 面白さは72点かもしれません。
読み返すと、面白さはもう少し高く、72が妥当です。 ¦ すみません、Q1の数値を間違えました。72が正しいです。
Overall I rated interest 72/100. ¦ 72 points for interest seems fair. ¦ Interest should really be 72.
Sorry, I meant 72 for Q1. ¦ The interest score is not 7 but 72. ¦ In retrospect, interest is a 72.
"""
SAYS_NOTHING = """
以上より、面白さ7、驚き6、悲しみ4、怒り1と評価した。 ¦ 面白さは10点以下、驚きは5点以上です。 ¦ 面白さは60点台に近いです。
面白さは、2人の会話と3つの場面にあります。 ¦ 悲しみは100年経っても変わらない。 ¦ 驚きは1回、怒りは0回でした。
もし結末が違えば、面白さは90だったでしょう。 ¦ 前作の面白さは90でした。 ¦ 平均的な読者なら面白さは80程度でしょう。
面白さと驚きの差は14点です。 ¦ 1. 面白さ 2. 驚き 3. 悲しみ 4. 怒り の順に強い。 ¦ 面白さ1位、驚き2位でした。
最終的に4つの感情を評価しました。 ¦ よって、この3人は救われない。 ¦ 何度も読み返したくなる。3回読みました。
Interest rose in chapter 3, surprise 2 times. ¦ The total for interest and surprise is 130.
In the end, the 19 year old leaves. ¦ I initially gave interest 80. ¦ Interest (7) outweighs anger (1).
これらの数値は私の主観です。 ¦ この評価は一例です。 ¦ These ratings are hypothetical, as I am an AI.
These scores are only my opinion. ¦ The above answers are examples of how a student may feel.
"""
NO_VALUES = """
これらの数値は仮の値です。 ¦ 上記の評価はダミーです。 ¦ 上の点数はランダムに付けました。 ¦ 以上の数値は例です。
(These ratings are placeholders.) ¦ The values above are just examples. ¦ All scores are randomly generated.
These are not my real ratings. ¦ This is only an example.
"""


def each(lines: str) -> list[str]:
    return [said for line in lines.strip().split("\n") for said in line.split(" ¦ ")]


WRITTEN = (
    rows("Q{n}. {label}(数値): {value}\nQ{n}. {label}(理由): 意外"),
    "| 項目 | 点数 |\n|---|---|\n" + rows("| {label} | {value} |"),
    '{"Q1": 7, "Q2": 6, "Q3": 4, "Q4": 1}',
)


@pytest.mark.parametrize("said", each(SAID_OTHERWISE))
def test_a_sentence_behind_the_values_that_gives_another_is_a_second_answer(said: str) -> None:
    for text in WRITTEN:
        assert values(f"{text}\n\n{said}") == [None, *VALUES[1:]], text


@pytest.mark.parametrize("said", each(SAYS_NOTHING))
def test_a_sentence_that_counts_supposes_or_agrees_takes_no_value(said: str) -> None:
    for text in WRITTEN:
        assert values(f"{text}\n\n{said}") == list(VALUES), text


@pytest.mark.parametrize("said", each(NO_VALUES))
def test_numbers_that_are_said_to_stand_for_none_are_none(said: str) -> None:
    for text in WRITTEN:
        assert values(f"{text}\n\n{said}") == [None] * 4, text


@pytest.mark.parametrize(
    "reason",
    [
        *(
            "いや、72が妥当でしょう。",
            "考え直すと、72点が適切です。",
            "（訂正：72）",
            "よって72点とした。",
        ),
        *("最終評価：72", "so the score is 72.", "Hence I give it a 72.", "Final rating: 72"),
    ],
)
def test_a_reason_that_ends_in_another_number_contradicts_its_value(reason: str) -> None:
    for value, wanted in ((7, None), (72, 72)):
        text = f"Q1. 面白さ(数値): {value}\nQ1. 面白さ(理由): 語りがよい。{reason}"
        assert values(text)[0] == wanted


@pytest.mark.parametrize(
    "title",
    [
        *(
            "重み",
            "配点：",
            "各感情の割合（合計100%）",
            "評価の信頼度：",
            "出現回数",
            "【他モデルのスコア】",
        ),
        *(
            "Confidence:",
            "Word counts:",
            "昨年のアンケート結果：",
            "嫌いな人の評価：",
            "予想される読者の回答",
        ),
        "芥川本人ならこう答えるでしょう：",
    ],
)
def test_below_a_title_of_other_things_stand_no_values(title: str) -> None:
    assert values(f"{title}\n{rows('{label}: {value}')}") == [None] * 4


@pytest.mark.parametrize("drawn", ["★★★★★★★☆☆☆", "⭐⭐⭐⭐⭐⭐⭐", "■■■■■■■□□□"])
@pytest.mark.parametrize(
    "layout", ["{label}: 7 {drawn}", "{label}: 7（{drawn}）", "{label} {drawn} 7"]
)
def test_a_number_that_counts_stars_or_bars_is_on_their_scale(layout: str, drawn: str) -> None:
    text = "\n".join(layout.format(label=label, drawn=drawn) for label in LABELS)

    assert values(text) == [None] * 4
    wide = layout.replace("7", "72/100")
    text = "\n".join(wide.format(label=label, drawn=drawn) for label in LABELS)
    assert values(text) in ([72] * 4, [None] * 4)


@given(data=st.data())
def test_the_lines_that_are_looked_at_hold_every_other_number(data) -> None:
    pattern = doubts._RECONSIDERED
    said = tidy(data.draw(st.from_regex(re.compile(pattern.pattern, pattern.flags))))
    if pattern.search(said):
        assert doubts._TRIGGER.search(said.encode("utf-8", "replace"))
