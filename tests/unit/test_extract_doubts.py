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
