"""Reading answers: every layout that is known, every trap that is known, and what always holds."""

import re
import unicodedata
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runner.core.errors import ConfigError
from runner.core.extract.extractor import Extractor, Found, tidy, trim_reason
from runner.core.model import Cause, Pattern, PatternKind, Question, QuestionSet, Variant
from tests.growth import MOST, growth
from tests.variants import first

LITERARY = Path(__file__).parents[2] / "conf" / "question" / "literary.yaml"


GROUPS = ("value", "reason", "end", "refusal")


def patterns(rows: list[dict[str, str]]) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(
            name=row["name"],
            regex=row.get("regex", ""),
            kind=PatternKind(row.get("kind", "line")),
        )
        for row in rows
    )


@cache
def literary() -> dict[str, Any]:
    """What conf/question/literary.yaml says; read once, and not to be changed."""
    conf: Any = OmegaConf.to_container(OmegaConf.load(LITERARY), resolve=True)
    return conf


def sent(label: str | dict[str, str], lang: str) -> str:
    return label[lang] if isinstance(label, dict) else label


def question_set(**changes: object) -> QuestionSet:
    """The question set of conf/question/literary.yaml, some keys changed."""
    conf: Any = {**literary(), **changes}
    return QuestionSet(
        name=conf["name"],
        questions=tuple(
            Question(
                id=key,
                label=sent(item["label"], conf["lang"]),
                minimum=item.get("minimum", 0),
                maximum=item.get("maximum", 100),
                integer=item.get("integer", True),
                reason_required=item.get("reason_required", True),
                aliases=tuple(item.get("aliases", ())),
            )
            for key, item in conf["items"].items()
        ),
        form=conf["form"],
        templates={Variant.PLAIN: conf["plain"], Variant.ENHANCED: conf["enhanced"]},
        **{f"{group}_patterns": patterns(conf[f"{group}_patterns"]) for group in GROUPS},
        value_words=tuple(conf["value_words"]),
        reason_words=tuple(conf["reason_words"]),
        kanji_numbers=conf["kanji_numbers"],
    )


EXTRACTOR = Extractor(question_set())
LABELS = {"Q1": "面白さ", "Q2": "驚き", "Q3": "悲しみ", "Q4": "怒り"}


def read(text: str, question: str = "Q1") -> Found:
    return EXTRACTOR.extract(text)[question]


def value(text: str, question: str = "Q1") -> Decimal | Cause | None:
    found = read(text, question)
    return found.cause if found.number is None else found.number


# --- layouts ----------------------------------------------------------------------------------

VALUE_LAYOUTS = [
    ("Q1. 面白さ(数値): 80", "form"),
    ("Q1. 面白さ（数値）：８０", "form"),
    ("Q1.面白さ(数値):80", "form"),
    ("Q1 面白さ (数値) : 80", "form"),
    ("Q1: 面白さ(数値): 80", "form"),
    ("Q1) 面白さ(数値): 80", "form"),
    ("Ｑ１．　面白さ（数値）：　８０", "form"),
    ("q1. 面白さ(数値): 80", "form"),
    ("**Q1. 面白さ(数値):** 80", "form"),
    ("**Q1. 面白さ(数値)**: **80**", "form"),
    ("### Q1. 面白さ(数値): 80", "form"),
    ("> Q1. 面白さ(数値): 80", "form"),
    ("- Q1. 面白さ(数値): 80", "form"),
    ("* **Q1. 面白さ（数値）**：80", "form"),
    ("・Q1. 面白さ(数値): 80", "form"),
    ("1. Q1. 面白さ(数値): 80", "form"),
    ("  \t Q1. 面白さ(数値): 80", "form"),
    ("【Q1. 面白さ(数値)】80", "form"),
    ("Q1. 【面白さ】(数値): 80", None),
    ("`Q1. 面白さ(数値): 80`", "form"),
    ("\ufeffQ1. 面白さ(数値): 80", "form"),
    ("Q1.\xa0面白さ(数値):\u200b80", "form"),
    ("Q1. 面白さ(数値): 80\r", "form"),
    ("Q1. 面白さ: (数値): 80", "form_colon"),
    ("Q1. 面白さ：（数値）80", "form_colon"),
    ("Q1. 面白さ 数値: 80", "form_plain"),
    ("Q1. 面白さの数値：80", "form_plain"),
    ("Q1. 面白さ - 数値: 80", "form_plain"),
    ("Q1. 面白さ: 80", "label"),
    ("**Q1. 面白さ**：80", "label"),
    ("面白さの評価: 80", "rating"),
    ("面白さ: 80", "rating"),
    ("- **面白さ**：80", "rating"),
    ("1. 面白さ: 80", "rating"),
    ("① 面白さ：80", "rating"),
    ("面白さ(数値): 80", "rating"),
    ("面白さ度：80", "degree"),
    ("面白さレベル: 80", "degree"),
    ("面白さの度合い: 80", "degree"),
    ("「面白さ」：80", "quoted"),
    ("[面白さ]: 80", "quoted"),
    ("『面白さ』: 80", "quoted"),
    ("Q1value: 80", "value_key"),
    ("Q1_value = 80", "value_key"),
    ("q1 VALUE：８０", "value_key"),
]


@pytest.mark.parametrize(("line", "pattern"), VALUE_LAYOUTS)
def test_each_layout_is_read_by_the_pattern_made_for_it(line: str, pattern: str | None) -> None:
    found = read(line)

    assert (Decimal(80) if pattern else None) == found.number
    assert pattern == found.pattern


@pytest.mark.parametrize(("line", "pattern"), [item for item in VALUE_LAYOUTS if item[1]])
def test_the_span_points_at_the_digits_in_the_raw_answer(line: str, pattern: str) -> None:
    text = f"前置きです。\n\n{line}\n"

    span = read(text).span

    assert span is not None
    assert text[slice(*span)] in ("80", "８０")


REASON_LAYOUTS = [
    "Q1. 面白さ(理由): 意外な結末",
    "Q1. 面白さ（理由）：意外な結末",
    "**Q1. 面白さ(理由):** 意外な結末",
    "**Q1. 面白さ(理由): 意外な結末**",
    "Q1. 面白さ(理由):\n意外な結末",
    "Q1. 面白さ(理由): [意外な結末]",
    "Q1. 面白さ(理由): 「意外な結末」",
    "Q1. 面白さ: (理由): 意外な結末",
    "Q1. 面白さ 理由: 意外な結末",
    "Q1. 面白さの理由：意外な結末",
    "面白さの理由: 意外な結末",
    "面白さ（理由）：意外な結末",
    "Q1reason: 意外な結末",
    "Q1_reason = 意外な結末",
    "理由: 意外な結末",
    "　理由：意外な結末",
    "- **理由**: 意外な結末",
    "【理由】：意外な結末",
    "評価の理由: 意外な結末",
]


@pytest.mark.parametrize("line", REASON_LAYOUTS)
def test_each_layout_of_a_reason_is_read(line: str) -> None:
    text = f"Q1. 面白さ(数値): 80\n{line}\n\nQ2. 驚き(数値): 60\n"

    assert read(text).reason == "意外な結末"
    assert value(text) == Decimal(80)
    assert value(text, "Q2") == Decimal(60)


# --- numbers ----------------------------------------------------------------------------------

NUMBERS = [
    ("80.0", Decimal(80)),
    ("+80", Decimal(80)),
    (r"\boxed{80}", Decimal(80)),
    ("$80$", Decimal(80)),
    ("$80", Cause.NOT_A_NUMBER),
    (r"\(80\)", Decimal(80)),
    (r"$\textbf{80}$", Decimal(80)),
    ("<b>80</b>", Decimal(80)),
    ("80<br>", Decimal(80)),
    ("8<sup>0</sup>", Cause.AMBIGUOUS),
    ("80&nbsp;点", Decimal(80)),
    ("[[80]]", Decimal(80)),
    ("[x] 80", Decimal(80)),
    ("[ ] 80", Cause.NOT_A_NUMBER),
    ("☑ 80", Decimal(80)),
    ("☐ 80", Cause.NOT_A_NUMBER),
    ("→ 80", Decimal(80)),
    ("70 → 80", Cause.AMBIGUOUS),
    ("80（確信度: 90）", Decimal(80)),
    ("80[^1]", Decimal(80)),
    ("80※", Decimal(80)),
    ("80（例）", Cause.NOT_A_NUMBER),
    ("seventy-two", Decimal(72)),
    ("one of the best", Cause.NOT_A_NUMBER),
    ("one hundred", Decimal(100)),
    ("80", Decimal(80)),
    ("0", Decimal(0)),
    ("100", Decimal(100)),
    ("080", Decimal(80)),
    ("[80]", Decimal(80)),
    ("(80)", Decimal(80)),
    ("［８０］", Decimal(80)),
    ("【80】", Decimal(80)),
    ("**80**", Decimal(80)),
    ("80点", Decimal(80)),
    ("80 点", Decimal(80)),
    ("[80]点", Decimal(80)),
    ("80点です", Decimal(80)),
    ("80点くらいです。", Decimal(80)),
    ("80くらい", Decimal(80)),
    ("約80", Decimal(80)),
    ("約 80 点", Decimal(80)),
    ("80。", Decimal(80)),
    ("80.", Decimal(80)),
    ("80%", Decimal(80)),
    ("８０％", Decimal(80)),
    ("80/100", Decimal(80)),
    ("80 / 100", Decimal(80)),
    ("８０／１００", Decimal(80)),
    ("80点/100点", Decimal(80)),
    ("[80]/100", Decimal(80)),
    ("80 out of 100", Decimal(80)),
    ("80 (100点満点)", Decimal(80)),
    ("80/100点満点", Decimal(80)),
    ("80 at most", Cause.NOT_A_NUMBER),
    ("80 [0-100]", Decimal(80)),
    ("100点満点中80点", Decimal(80)),
    ("100点満点で、80点です", Decimal(80)),
    ("100点中80点", Decimal(80)),
    ("100点満点中100点", Decimal(100)),
    ("80 - とても面白い", Decimal(80)),
    ("80（とても面白い）", Decimal(80)),
    ("80点。とても面白い", Decimal(80)),
    ("150", Decimal(150)),
    ("1927", Decimal(1927)),
    ("-5", Decimal(-5)),
    ("−5", Decimal(-5)),
    ("－５", Decimal(-5)),
    ("72.5", Decimal("72.5")),
    ("7２．５点", Decimal("72.5")),
    ("80.0", Decimal("80.0")),
    ("30-70", Cause.AMBIGUOUS),
    ("30~70", Cause.AMBIGUOUS),
    ("30〜70", Cause.AMBIGUOUS),
    ("30～70点", Cause.AMBIGUOUS),
    ("30–70", Cause.AMBIGUOUS),
    ("30から70", Cause.AMBIGUOUS),
    ("30ー70", Cause.AMBIGUOUS),
    ("30, 70", Cause.AMBIGUOUS),
    ("80 → 60", Cause.AMBIGUOUS),
    ("80(60から変更)", Cause.AMBIGUOUS),
    ("80、いや60", Cause.AMBIGUOUS),
    ("100点、80点", Cause.AMBIGUOUS),
    ("0-100の範囲で80", Cause.AMBIGUOUS),
    ("[0-100] 80", Decimal(80)),
    ("8_0", Cause.AMBIGUOUS),
    ("8\u200b0", Decimal(80)),
    ("8 0", Cause.AMBIGUOUS),
    ("80 ٥", Cause.AMBIGUOUS),
    ("80,5", Cause.AMBIGUOUS),
    ("1.2.3", Cause.AMBIGUOUS),
    ("80 Q1. 面白さ(理由): 意外", Cause.AMBIGUOUS),
    ("8/10", Cause.OTHER_SCALE),
    ("8 / 10", Cause.OTHER_SCALE),
    ("80/1000", Cause.OTHER_SCALE),
    ("8点/10点", Cause.OTHER_SCALE),
    ("8 out of 10", Cause.OTHER_SCALE),
    ("10点満点中8点", Cause.AMBIGUOUS),
    ("100点満点", Cause.NOT_A_NUMBER),
    ("1,000", Cause.NOT_A_NUMBER),
    ("80以上", Cause.NOT_A_NUMBER),
    ("80点以上", Cause.NOT_A_NUMBER),
    ("80 以下", Cause.NOT_A_NUMBER),
    ("(80)未満", Cause.NOT_A_NUMBER),
    ("80台", Cause.NOT_A_NUMBER),
    ("80弱", Cause.NOT_A_NUMBER),
    ("80ではない", Cause.NOT_A_NUMBER),
    ("80とは言えない", Cause.NOT_A_NUMBER),
    ("80年", Cause.NOT_A_NUMBER),
    ("80~", Cause.NOT_A_NUMBER),
    ("80-", Cause.NOT_A_NUMBER),
    ("80+", Cause.NOT_A_NUMBER),
    ("80?", Cause.NOT_A_NUMBER),
    ("80x", Cause.NOT_A_NUMBER),
    ("80²", Decimal(80)),
    ("10²", Cause.NOT_A_NUMBER),
    (">80", Cause.NOT_A_NUMBER),
    ("<80", Cause.NOT_A_NUMBER),
    ("≧80", Cause.NOT_A_NUMBER),
    ("- 80", Cause.NOT_A_NUMBER),
    ("-0", Cause.NOT_A_NUMBER),
    (".5", Cause.NOT_A_NUMBER),
    ("八十", Cause.NOT_A_NUMBER),
    ("百点", Cause.NOT_A_NUMBER),
    ("٣٥", Decimal(35)),
    ("⑧", Cause.NOT_A_NUMBER),
    ("評価不能", Cause.NOT_A_NUMBER),
    ("[評価不能]", Cause.NOT_A_NUMBER),
    ("なし", Cause.NOT_A_NUMBER),
    ("N/A", Cause.NOT_A_NUMBER),
    ("この作品は80点", Cause.NOT_A_NUMBER),
    ("", Cause.MISSING),
    ("[ ]", Cause.MISSING),
    ("[0-100]", Cause.MISSING),
    ("[0〜100]", Cause.MISSING),
    ("（0～100）", Cause.MISSING),
    ("【0-100の整数】", Cause.MISSING),
    ("[数値]", Cause.MISSING),
    ("[...]", Cause.MISSING),
]


@pytest.mark.parametrize(("written", "expected"), NUMBERS)
def test_what_stands_in_the_place_is_read_exactly_or_not_at_all(
    written: str, expected: Decimal | Cause
) -> None:
    assert value(f"Q1. 面白さ(数値): {written}\nQ1. 面白さ(理由): 意外") == expected


@pytest.mark.parametrize(("written", "expected"), NUMBERS)
def test_a_value_that_cannot_be_taken_is_never_replaced_by_a_later_pattern(
    written: str, expected: Decimal | Cause
) -> None:
    text = f"Q1. 面白さ(数値): {written}\n面白さ: 33\n"

    if expected is Cause.MISSING:
        assert value(text) == Decimal(33)
    else:
        assert value(text) == (Cause.AMBIGUOUS if isinstance(expected, Decimal) else expected)


def test_digits_are_kept_exactly() -> None:
    assert str(read("Q1. 面白さ(数値): 72.50").number) == "72.50"


def test_a_scale_other_than_percent_does_not_take_percent() -> None:
    seven = Extractor(question_set(items={"Q1": {"label": "面白さ", "minimum": 1, "maximum": 7}}))

    assert seven.extract("Q1. 面白さ(数値): 5%")["Q1"].cause is Cause.NOT_A_NUMBER
    assert seven.extract("Q1. 面白さ(数値): 5/7")["Q1"].number == Decimal(5)
    assert seven.extract("Q1. 面白さ(数値): 5/100")["Q1"].cause is Cause.OTHER_SCALE
    assert seven.extract("Q1. 面白さ(数値): 7点満点中5点")["Q1"].number == Decimal(5)
    assert seven.extract("Q1. 面白さ(数値): [1-7]")["Q1"].cause is Cause.MISSING


# --- which place decides ----------------------------------------------------------------------

FORM = "\n".join(
    f"{q}. {label}(数値): [0-100]\n{q}. {label}(理由): [説明]" for q, label in LABELS.items()
)
FILLED = """Q1. 面白さ(数値): 80
Q1. 面白さ(理由): 少年の視点が面白い。
Q2. 驚き(数値): 60
Q2. 驚き(理由): 時計が話すから。
Q3. 悲しみ(数値): 10
Q3. 悲しみ(理由): 別れがある。
Q4. 怒り(数値): 0
Q4. 怒り(理由): 怒る場面はない。"""
ALL = [Decimal(80), Decimal(60), Decimal(10), Decimal(0)]
MISSING = [Cause.MISSING] * 4

ANSWERS = [
    ("the form filled in", FILLED, ALL),
    ("an empty answer", "", MISSING),
    ("only blanks", " \u3000\n\n\t", MISSING),
    ("prose", "この作品は80点の面白さだと思います。", MISSING),
    ("a refusal", "申し訳ありませんが、お答えできません。", MISSING),
    ("the form sent back unfilled", FORM, MISSING),
    ("the form, then the answer", f"{FORM}\n\n{FILLED}", ALL),
    ("the answer twice", f"{FILLED}\n\n{FILLED}", ALL),
    ("a fenced answer", f"```\n{FILLED}\n```", ALL),
    ("Windows line ends", FILLED.replace("\n", "\r\n"), ALL),
    ("blank lines between all lines", FILLED.replace("\n", "\n\n"), ALL),
    ("everything in full width", FILLED.translate({i: i + 0xFEE0 for i in range(0x21, 0x7F)}), ALL),
    ("a preamble with numbers", f"以下、0から100で評価します。50が普通です。\n\n{FILLED}", ALL),
    ("a thought with other values", f"<think>Q1. 面白さ(数値): 20\n</think>\n{FILLED}", ALL),
    ("a thought without a beginning", f"Q1. 面白さ(数値): 20\n</think>\n{FILLED}", ALL),
    ("a thought in capitals", f"<THINKING>Q1. 面白さ(数値): 20</THINKING>{FILLED}", ALL),
    ("a thought without an end", f"<think>\n{FILLED}", MISSING),
    ("two thoughts", f"<think>a</think>\n<think>Q2. 驚き(数値): 1</think>\n{FILLED}", ALL),
    ("the answer inside a thought", f"<think>\n{FILLED}\n</think>", MISSING),
    (
        "a correction",
        f"{FILLED}\n\nQ1. 面白さ(数値): 60\n",
        [Cause.AMBIGUOUS, *ALL[1:]],
    ),
    (
        "a number and then a word",
        f"{FILLED}\n\nQ1. 面白さ(数値): 評価不能\n",
        [Cause.AMBIGUOUS, *ALL[1:]],
    ),
    ("an unfilled place after the filled one", f"{FILLED}\n\nQ1. 面白さ(数値):\n", ALL),
    (
        "another layout that says something else",
        f"{FILLED}\n\n面白さ: 33\n「驚き」: 33\n悲しみ度: 33\nQ4value: 33\n",
        [Cause.AMBIGUOUS] * 4,
    ),
    (
        "another question's label in a reason",
        FILLED.replace("時計が話すから。", "時計が話すから。\n悲しみ: 99 ではなく\n怒り: 99"),
        ALL,
    ),
    (
        "another question's label in a reason, its own being unfilled",
        FILLED.replace("少年の視点が面白い。", "くらべると\n驚き: 30\nほど").replace(
            "Q2. 驚き(数値): 60", "Q2. 驚き(数値): [0-100]"
        ),
        [Decimal(80), Cause.MISSING, Decimal(10), Decimal(0)],
    ),
    (
        "another question's label in a bare reason under a numbered value",
        "Q1. 面白さ: 80\n理由: くらべると\n驚き: 30\nほど\nQ3. 悲しみ: 10\n理由: 別れ\nQ4. 怒り: 0",
        [Decimal(80), Cause.MISSING, Decimal(10), Decimal(0)],
    ),
    (
        "a value in the middle of a line",
        "まとめると、Q1. 面白さ(数値): 80 と、驚き: 60 です。",
        MISSING,
    ),
    (
        "a number of another question",
        "Q2. 面白さ(数値): 80",
        [Cause.AMBIGUOUS, Cause.AMBIGUOUS, Cause.MISSING, Cause.MISSING],
    ),
    (
        "a number of another question among right ones",
        FILLED.replace("Q2. 驚き(数値): 60", "Q2. 面白さ(数値): 60"),
        [Cause.AMBIGUOUS, Cause.AMBIGUOUS, Decimal(10), Decimal(0)],
    ),
    ("an unknown question", "Q5. 面白さ(数値): 80\nQ1. 喜び(数値): 70", MISSING),
    ("a longer number", "Q10. 面白さ(数値): 80\nQ1.5 面白さ(数値): 70", MISSING),
    ("everything in one line", FILLED.replace("\n", " "), [Cause.AMBIGUOUS, *MISSING[1:]]),
    (
        "plain labels with bare reasons",
        (
            "面白さ: 80\n理由: 視点\n\n驚き: 60\n理由: 時計\n\n"
            "悲しみ: 10\n理由: 別れ\n\n怒り: 0\n理由: なし"
        ),
        ALL,
    ),
    (
        "headings",
        (
            "### Q1. 面白さ\n面白さ: 80\n### Q2. 驚き\n驚き: 60\n### Q3. 悲しみ\n悲しみ: 10\n"
            "### Q4. 怒り\n怒り: 0"
        ),
        ALL,
    ),
    (
        "keys",
        "Q1value: 80\nQ1reason: 1927年\nQ2value: 60\nQ2reason: あ\nQ3value: 10\nQ4value: 0",
        ALL,
    ),
    (
        "a summary only",
        "評価は次の通りです。\n- 面白さ：80点\n- 驚き：60点\n- 悲しみ：10点\n- 怒り：0点",
        ALL,
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS]
)
def test_of_a_whole_answer_only_what_is_certain_is_read(
    text: str, expected: list[Decimal | Cause]
) -> None:
    assert [value(text, question) for question in LABELS] == expected


def test_the_pattern_is_named_also_when_what_stands_there_is_no_number() -> None:
    assert read("面白さ度: 高い") == Found(cause=Cause.NOT_A_NUMBER, pattern="degree", span=(6, 8))


def test_a_question_that_no_pattern_found_has_no_pattern_and_no_span() -> None:
    assert read("こんにちは") == Found(cause=Cause.MISSING)


# --- reasons ----------------------------------------------------------------------------------

REASONS = [
    ("少年の視点が面白い。", "少年の視点が面白い。"),
    ("一行目\n二行目\n\n三行目", "一行目\n二行目\n\n三行目"),
    ("\n- 一つ目\n- 二つ目", "- 一つ目\n- 二つ目"),
    ("**とても**面白い", "**とても**面白い"),
    ("結末が**とても**", "結末が**とても**"),
    ("「あ」と言い「い」と答える「う」", "「あ」と言い「い」と答える「う」"),
    ("「あ」と「い」", "「あ」と「い」"),
    ("（とても面白い）", "とても面白い"),
    ("[とても面白い]", "とても面白い"),
    ("視点が良い\n\n---", "視点が良い"),
    ("1927年の作品で80点", "1927年の作品で80点"),
    ("くらべると\n面白さ: 30\nほど", "くらべると\n面白さ: 30\nほど"),
    ("くらべると\n理由: 30\nほど", "くらべると\n理由: 30\nほど"),
    ("Q2ほどではない", "Q2ほどではない"),
    ("Funny. It ends well.", "Funny. It ends well."),
    ("[説明]", None),
    ("【説明】", None),
    ("説明", None),
    ("[理由]", None),
    ("[理由を記入]", None),
    ("[ここに説明を記入]", None),
    ("", None),
    ("　", None),
    ("…", None),
    ("---", None),
    ("80", None),
    ("なし", None),
    ("特になし。", None),
    ("N/A", None),
]


@pytest.mark.parametrize(("written", "expected"), REASONS)
def test_a_reason_is_taken_from_the_raw_answer_or_missing(
    written: str, expected: str | None
) -> None:
    text = f"Q1. 面白さ(数値): 80\nQ1. 面白さ(理由): {written}\n\nQ2. 驚き(数値): 60\n"

    assert read(text).reason == expected


def test_a_reason_keeps_the_writing_of_the_answer() -> None:
    reason = "＃記号＃や（かっこ）、１２３　空白、`code` と 〜 など"

    assert read(f"Q1. 面白さ(理由): {reason}").reason == reason


def test_a_reason_does_not_contain_what_the_model_only_thought() -> None:
    assert read("Q1. 面白さ(理由): 良い<think>悪い</think>").reason == "良い"


def test_an_unfilled_reason_gives_way_to_a_filled_one() -> None:
    text = f"{FORM}\n\n{FILLED}"

    assert read(text).reason == "少年の視点が面白い。"
    assert read(text, "Q4").reason == "怒る場面はない。"


def test_a_bare_reason_belongs_to_the_value_before_it() -> None:
    text = "理由: 前置き\n面白さ: 80\n理由: 視点\n驚き: 60\n悲しみ: 10\n理由: 別れ\n理由: 涙\n"

    reasons = [read(text, question).reason for question in LABELS]

    assert reasons == ["視点", None, "別れ\n理由: 涙", None]


def test_a_reason_ends_at_a_plain_label_after_a_blank_line() -> None:
    text = "Q1. 面白さ(数値): 80\nQ1. 面白さ(理由): 視点\n\n驚き: 60\n驚きの理由: 時計\n"

    assert read(text).reason == "視点"
    assert (value(text, "Q2"), read(text, "Q2").reason) == (Decimal(60), "時計")


def test_the_end_of_a_reason_is_where_the_next_label_begins() -> None:
    text = "Q1. 面白さ(理由): 視点\n\n**Q2. 驚き(数値):** 60\nQ2. 驚き(理由): 時計 "

    assert read(text).reason_end == text.index("**Q2")
    assert read(text, "Q2").reason_end == len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("** 面白い", "面白い"),
        ("面白い**", "面白い"),
        ("**面白い**", "面白い"),
        ("```", None),
        ("**面白い", "面白い"),
    ],
)
def test_leftover_markdown_is_taken_off_a_reason(text: str, expected: str | None) -> None:
    assert trim_reason(text) == expected


# --- configuration ----------------------------------------------------------------------------

BAD_PATTERNS = [
    ("{id}(?P<value>.*", "no regular expression"),
    ("{id}: (.*)", "does not say where the value begins"),
    ("値: (?P<value>.*)", "needs {id} or {label}"),
]


@pytest.mark.parametrize(("regex", "message"), BAD_PATTERNS)
def test_a_pattern_that_cannot_work_is_named(regex: str, message: str) -> None:
    questions = question_set(value_patterns=[{"name": "mine", "regex": regex}])

    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        Extractor(questions)
    assert "question.value_patterns: pattern 'mine'" in str(error.value)


def test_two_patterns_of_one_name_are_refused() -> None:
    pattern = {"name": "mine", "regex": "理由(?P<reason>)"}

    with pytest.raises(ConfigError, match="'mine' is there twice"):
        Extractor(question_set(reason_patterns=[pattern, pattern]))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ({"A": {"label": "驚き"}, "B": {"label": "驚き"}}, "A and B have the same label"),
        ({"A": {"label": "Ａ１"}, "B": {"label": "a1"}}, "A and B have the same label"),
        ({"q1": {"label": "甲"}, "Q1": {"label": "乙"}}, "q1 and Q1 have the same id"),
        ({"Q1": {"label": " "}}, "Q1 has an empty label"),
    ],
)
def test_questions_that_cannot_be_told_apart_are_refused(
    items: dict[str, dict[str, str]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Extractor(question_set(items=items))


def test_a_label_may_begin_another_and_hold_any_sign() -> None:
    items = {
        "Q1": {"label": "面白さ"},
        "Q10": {"label": "面白さ（総合）*"},
        "Q100": {"label": "a+b"},
    }
    found = Extractor(question_set(items=items)).extract(
        "Q1. 面白さ(数値): 1\nQ10. 面白さ（総合）*(数値): 10\nQ100. A+B(数値): 100\n"
    )

    assert [found[question].number for question in items] == [1, 10, 100]


def test_a_pattern_may_leave_out_the_name_of_the_question() -> None:
    optional = [{"name": "mine", "regex": "(?:{id})?値: (?P<value>.*)"}]
    extractor = Extractor(question_set(value_patterns=optional))

    found = extractor.extract("値: 80\nQ2値: 60")

    assert [item.number for item in found.values()] == [None, Decimal(60), None, None]


def test_the_configuration_holds_no_interpolation() -> None:
    assert "${" not in LITERARY.read_text(encoding="utf-8")


def test_the_form_as_asked_is_read_by_the_first_pattern() -> None:
    found = EXTRACTOR.extract(FILLED)

    assert {item.pattern for item in found.values()} == {"form"}


# --- what always holds ------------------------------------------------------------------------

PROSE = st.text(
    "あいうえおかきくけこ春夏秋冬日本語アイウ少年は時計を見た、。！（）「」 abc1980点", min_size=1
)
REASON = st.tuples(st.sampled_from("春夏秋冬"), PROSE, st.sampled_from("春夏秋冬。")).map("".join)
VALUE_FORMS = [
    "{id}. {label}(数値): {n}",
    "{id}. {label}（数値）：{n}",
    "{id}. {label}: (数値): {n}",
    "{id}. {label} 数値: {n}",
    "{id}. {label}: {n}",
    "{label}の評価: {n}",
    "{label}: {n}",
    "{label}度：{n}",
    "「{label}」：{n}",
    "{id}value: {n}",
]
REASON_FORMS = [
    "{id}. {label}(理由): {r}",
    "{id}. {label}（理由）：{r}",
    "{id}. {label}: (理由): {r}",
    "{label}の理由: {r}",
    "{id}reason: {r}",
    "理由: {r}",
]
NUMBER_FORMS = ["{}", "[{}]", "{}点", "{}/100", "{}。", " {} ", "約{}", "100点満点中{}点", "**{}**"]
BULLETS = ["", "- ", "* ", "・", "1. ", "　", "> ", "**", "### "]


@given(
    numbers=st.lists(st.integers(0, 100), min_size=4, max_size=4),
    reasons=st.lists(REASON, min_size=4, max_size=4),
    value_form=st.sampled_from(VALUE_FORMS),
    reason_form=st.sampled_from(REASON_FORMS),
    number_form=st.sampled_from(NUMBER_FORMS),
    bullet=st.sampled_from(BULLETS),
    gap=st.sampled_from(["\n", "\n\n", "\r\n", "\n \n"]),
    full_width=st.booleans(),
)
def test_an_answer_in_a_known_layout_is_read_exactly(
    numbers: list[int],
    reasons: list[str],
    value_form: str,
    reason_form: str,
    number_form: str,
    bullet: str,
    gap: str,
    full_width: bool,
) -> None:
    lines = []
    for (question, label), number, reason in zip(LABELS.items(), numbers, reasons, strict=True):
        digits = str(number)
        if full_width:
            digits = digits.translate({i: i + 0xFEE0 for i in range(0x30, 0x3A)})
        filled = number_form.format(digits)
        lines.append(bullet + value_form.format(id=question, label=label, n=filled))
        lines.append(bullet + reason_form.format(id=question, label=label, r=reason))
    text = gap.join(lines)

    found = EXTRACTOR.extract(text)

    assert [item.number for item in found.values()] == [Decimal(n) for n in numbers]
    assert [item.reason for item in found.values()] == reasons
    for item, number in zip(found.values(), numbers, strict=True):
        assert item.span is not None
        assert int(text[slice(*item.span)]) == number


PIECES = st.sampled_from(
    [
        *(
            "Q1. 面白さ(数値): ",
            "Q2. 驚き（数値）：",
            "Q2. 面白さ: ",
            "面白さ: ",
            "「怒り」：",
            "Q1value: ",
        ),
        *(
            "Q1. 面白さ(理由): ",
            "理由: ",
            "悲しみの理由: ",
            "<think>",
            "</think>",
            "\n",
            "\n\n",
            "\r\n",
        ),
        *(
            "80",
            "７２．５",
            "8/10",
            "[0-100]",
            "30〜70",
            "-5",
            "−",
            ".",
            "点",
            "約",
            "100点満点中",
            "**",
        ),
        *(" ", "\u200b", "٣", "以上", "[", "]", "（", "/100", "99999999999", "Qİ", "ſ"),
    ]
)
ANYTHING = st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join) | st.text()


@given(text=ANYTHING)
def test_whatever_the_text_a_value_is_what_its_span_says(text: str) -> None:
    found = EXTRACTOR.extract(text)

    assert list(found) == list(LABELS)
    for item in found.values():
        assert (item.number is None) == (item.cause is not None)
        if item.number is not None:
            assert item.span is not None
            start, end = item.span
            digits = unicodedata.normalize("NFKC", text[start:end]).translate(
                {0x2212: "-", 0x200B: ""}
            )
            assert re.fullmatch(r"[-+]?\d+(\.\d+)?", digits)
            assert Decimal(digits) == item.number
            beside = text[start - 1 : start] + text[end : end + 1]
            assert not any(map(str.isdecimal, beside))
        if item.reason is not None:
            assert item.reason_end is not None
            assert item.reason == item.reason.strip() != ""


@given(text=st.text() | ANYTHING)
def test_tidying_keeps_every_character_in_its_place(text: str) -> None:
    assert len(tidy(text)) == len(text)
    assert tidy(tidy(text)) == tidy(text)


# --- speed ------------------------------------------------------------------------------------

HEADS = [
    "",
    "Q1",
    "Q1. 面白さ",
    "面白さ",
    "Q1. 面白さ(数値): 80",
    "Q1. 面白さ(数値): [0-100",
    "Q1. 面白さ(理由):",
]
UNITS = [
    "a",
    " ",
    "(",
    "[",
    "-",
    "0",
    "\n",
    "*",
    "点",
    "<think>",
    "Q1. 面白さ(数値):\n",
    "Q1. 面白さ(理由): a\n",
]


@pytest.mark.parametrize("unit", first(8, UNITS))
@pytest.mark.parametrize("head", HEADS)
def test_twice_as_many_characters_take_about_twice_the_time(head: str, unit: str) -> None:
    once, twice = (head + unit * (size // len(unit)) + "x" for size in (250_000, 500_000))

    assert growth(lambda: EXTRACTOR.extract(once), lambda: EXTRACTOR.extract(twice)) <= MOST
