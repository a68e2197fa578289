"""Numbers that are not the answer's own, or not any more; and line ends and cells in other writings."""

import pytest

from runner.core.model import Cause
from tests.unit.test_extract_traps import READER, A, S, expected, seen

FORM = "\n".join(
    f"Q{n}. {name}(数値): {{}}\nQ{n}. {name}(理由): {{reason}}"
    for n, name in enumerate(("面白さ", "驚き", "悲しみ", "怒り"), 1)
)
OBJECT = '{"Q1": 72, "Q2": 58, "Q3": 41, "Q4": 13}'
TABLE = "| 面白さ | 驚き | 悲しみ | 怒り |\n|---|---|---|---|\n| 72 | 58 | 41 | 13 |"


def filled(*numbers: object, reason: str = "語りがよい") -> str:
    return FORM.format(*numbers, reason=reason)


@pytest.mark.parametrize("below", [OBJECT, f"```json\n{OBJECT}\n```", TABLE])
@pytest.mark.parametrize("title", ["他の読者の評価:", "回答例：", "Example:", "Critics' scores:"])
def test_below_the_title_of_an_example_or_of_others_nothing_is_read(title: str, below: str) -> None:
    assert [r.value for r in READER.read(f"{title}\n{below}").values()] == [None] * 4


@pytest.mark.parametrize("below", [OBJECT, TABLE])
def test_below_a_title_of_its_own_it_is_read(below: str) -> None:
    read = READER.read(f"評価結果:\n{below}")
    assert [r.value for r in read.values()] == expected(72, 58, 41, 13)


@pytest.mark.parametrize(
    "reason",
    ["よいが、80点に訂正する。", "いや、やはり80点が妥当。", "Good. Wait, make it 80."],
)
def test_another_number_in_place_of_the_value_leaves_a_doubt(reason: str) -> None:
    assert seen(READER.read(filled(72, 58, 41, 13, reason=reason))) == [A] * 4
    assert seen(READER.read(filled(80, 80, 80, 80, reason=reason))) == expected(80, 80, 80, 80)


def test_scores_that_were_swapped_are_taken_for_neither_question() -> None:
    text = f"{filled(72, 58, 41, 13)}\n\n面白さと驚きの数値を入れ替えてしまいました。"
    assert seen(READER.read(text)) == expected(A, A, 41, 13)


def test_beside_a_number_on_another_scale_small_ones_are_not_sure() -> None:
    assert seen(READER.read(filled("7/10", 5, 4, 1))) == [S] * 4
    assert seen(READER.read(filled("7/10", 58, 41, 13))) == expected(S, 58, 41, 13)


@pytest.mark.parametrize(
    "text",
    [
        filled(72, 58, 41, 13).replace("\n", "\\n"),
        "Q1;72;語り\nQ2;58;結び\nQ3;41;孤独\nQ4;13;なし",
        "id: Q1\nvalue: 72\nid: Q2\nvalue: 58\nid: Q3\nvalue: 41\nid: Q4\nvalue: 13",
    ],
)
def test_escaped_line_ends_semicolons_and_ids_on_lines_of_their_own_are_read(text: str) -> None:
    read = READER.read(text)
    assert [r.value for r in read.values()] == expected(72, 58, 41, 13)
    assert {r.cause for r in read.values()} <= {None, Cause.NO_REASON}


NAMES = ("面白さ", "驚き", "悲しみ", "怒り")


def each(row: str) -> str:
    values = zip(NAMES, (72, 58, 41, 13), strict=True)
    return "\n".join(row.format(n=n, name=name, v=v) for n, (name, v) in enumerate(values, 1))


def test_an_empty_first_cell_moves_no_number_to_another_question() -> None:
    head = "|  | Q1 面白さ | Q2 驚き | Q3 悲しみ | Q4 怒り |\n|---|---|---|---|---|\n"
    read = READER.read(f"{head}| 数値 | 72 | 58 | 41 | 13 |\n| 理由 | 語り | 結び | 孤独 | なく |")
    assert seen(read) == expected(72, 58, 41, 13)
    assert [r.reason for r in read.values()] == ["語り", "結び", "孤独", "なく"]


@pytest.mark.parametrize(
    "text",
    [
        each('<answer id="Q{n}" value="{v}">語り</answer>'),
        each("\\item \\textbf{{Q{n}. {name}}}: {v} 語り"),
        each("│ {name} │ {v} │"),
        "| 項目 | 評価 | 数値 |\n|---|---|---|\n" + each("| {name} | ★★ | {v} |"),
        each("Q{n}. {name}をどのくらい強く感じましたか。\n{v}"),
        f"Here are my reasoning steps:\n{filled(1, 2, 3, 4)}\n[BEGIN FINAL RESPONSE]\n{filled(72, 58, 41, 13)}",
    ],
)
def test_what_is_around_the_numbers_hides_none(text: str) -> None:
    assert [r.value for r in READER.read(text).values()] == expected(72, 58, 41, 13)


@pytest.mark.parametrize(
    "said",
    ["1: 全くない 2: 少し 3: 普通 4: 強い 5: とても強い", "（最高10）", "I used 1-10 for each."],
)
def test_a_legend_names_its_last_step(said: str) -> None:
    assert seen(READER.read(f"{said}\n\n{filled(4, 2, 5, 1)}")) == [S] * 4


def test_what_is_not_the_number_any_more_is_said_last() -> None:
    text = f"{filled(72, 58, 41, 13)}\n\nCorrection: Surprise should read 85, not 58."
    assert seen(READER.read(text)) == expected(72, A, 41, 13)
