"""The traps: what looks like an answer and is none, in whole answers; and what may not take long."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.errors import ConfigError
from runner.core.extract.extractor import Extractor
from runner.core.extract.reader import Reader
from runner.core.model import Cause, PatternKind, Reading
from tests.growth import MOST, growth
from tests.unit.layouts import ENGLISH, ENGLISH_REASONS, LABELS, LAYOUTS, REASONS, Layout, rows
from tests.unit.test_extractor import FILLED, FORM, LITERARY, question_set
from tests.variants import first

READER = Reader(question_set())
Expected = Decimal | Cause | None


def seen(readings: dict[str, Reading]) -> list[Decimal | Cause | None]:
    """The value of each question, or the cause why there is none."""
    return [r.cause if r.value is None else r.value for r in readings.values()]


def expected(*what: int | Cause) -> list[Decimal | Cause]:
    return [Decimal(w) if isinstance(w, int) else w for w in what]


M, A, N, R, S, OUT = (
    Cause.MISSING,
    Cause.AMBIGUOUS,
    Cause.NOT_A_NUMBER,
    Cause.REFUSED,
    Cause.OTHER_SCALE,
    Cause.OUT_OF_RANGE,
)
ALL = (80, 60, 10, 0)
OTHERS = FILLED.partition("\n")[2]

TRAPS = [
    ("the form restated with its range", f"{FORM}\n\n{FILLED}", expected(*ALL)),
    (
        "a decoy in a thought",
        f"<think>\nQ1. 面白さ(数値): 20\n</think>\n\n{FILLED}",
        expected(*ALL),
    ),
    ("a thought without a beginning", f"Q1. 面白さ(数値): 20\n</think>\n{FILLED}", expected(*ALL)),
    ("a decoy in the preamble", f"評価: 50を基準に採点します。\n\n{FILLED}", expected(*ALL)),
    ("another scale", FILLED.replace(": 80", ": 8/10"), expected(S, *ALL[1:])),
    ("full marks", FILLED.replace(": 80", ": 100点満点中80点"), expected(*ALL)),
    ("a range", FILLED.replace(": 80", ": 30-70"), expected(A, *ALL[1:])),
    ("a decimal", FILLED.replace(": 80", ": 80.5"), expected(N, *ALL[1:])),
    ("a negative", FILLED.replace(": 80", ": −5"), expected(OUT, *ALL[1:])),
    ("too much", FILLED.replace(": 80", ": 150"), expected(OUT, *ALL[1:])),
    ("no rating", FILLED.replace(": 80", ": 評価不能"), expected(N, *ALL[1:])),
    ("a kanji number", FILLED.replace(": 80", ": 八十"), expected(N, *ALL[1:])),
    ("a number in a reason", FILLED.replace("少年の", "30点の少年の"), expected(*ALL)),
    (
        "only a number in a reason",
        f"Q1. 面白さ(数値):\nQ1. 面白さ(理由): 30点の少年\n{OTHERS.partition(chr(10))[2]}",
        expected(M, *ALL[1:]),
    ),
    ("a summary", f"{FILLED}\n\n総合評価: 99\n合計: 150点", expected(*ALL)),
    ("a summary under a heading", f"{FILLED}\n\n## まとめ\n評価: 99", expected(*ALL)),
    ("twice with other numbers", f"{FILLED}\n\nQ1. 面白さ(数値): 60", expected(A, *ALL[1:])),
    ("twice with the same number", f"{FILLED}\n\nQ1. 面白さ(数値): 80", expected(*ALL)),
    (
        "a table that says otherwise",
        f"{FILLED}\n\n| 項目 | 点数 |\n|---|---|\n| 面白さ | 33 |",
        expected(A, *ALL[1:]),
    ),
    ("an object that says otherwise", FILLED + '\n\n{"Q1": 33}', expected(A, *ALL[1:])),
    ("an example in a sentence", '例: {"Q1": 50} のように。\n\n' + FILLED, expected(*ALL)),
    ("a key twice", '{"Q1": 80, "Q1": 60}', expected(A, M, M, M)),
    ("a question inside another", '{"Q1": {"Q2": 80}}', expected(A, A, M, M)),
    ("a list of numbers", '{"Q1": [80, 60]}', expected(N, M, M, M)),
    (
        "no number in an object",
        '{"Q1": true, "Q2": "高い", "Q3": null, "Q4": 1e2}',
        expected(N, N, M, N),
    ),
    ("a cut-off object", '{"Q1": {"value": 8', expected(M, M, M, M)),
    ("the schema restated", '{"Q1": {"value": "0-100", "reason": "説明"}}', expected(M, M, M, M)),
    (
        "two columns of values",
        "| 項目 | 評価 | 評価値 |\n|---|---|---|\n| 面白さ | 80 | 60 |",
        expected(A, M, M, M),
    ),
    (
        "two columns without a head",
        "| | | |\n|---|---|---|\n| 面白さ | 80 | 60 |",
        expected(A, M, M, M),
    ),
    (
        "the wrong question's number",
        FILLED.replace("Q1. 面白さ(数値)", "Q2. 面白さ(数値)"),
        expected(A, A, 10, 0),
    ),
    ("numbers without names", "1. 80\n2. 60\n3. 10\n4. 0", expected(M, M, M, M)),
    ("a minus or a dash", "面白さ -5\n理由: あ", expected(M, M, M, M)),
    ("a minus or a bullet", "### Q1. 面白さ\n-5\n理由: あ", expected(M, M, M, M)),
    ("a heading of another kind between", "### Q1. 面白さ\n### 総評\n80", expected(M, M, M, M)),
    ("a refusal", "申し訳ありませんが、作品の評価はできません。", expected(R, R, R, R)),
    ("a refusal in English", "I'm sorry, but I can't rate this text.", expected(R, R, R, R)),
    ("nothing", "", expected(M, M, M, M)),
    ("stars", "面白さ：★★★★☆\n理由：良い", expected(N, M, M, M)),
    ("questions named without end", "Q1. 面白さ(数値): 80\n" * 5000, expected(A, A, A, A)),
]


@pytest.mark.parametrize(("text", "wanted"), [t[1:] for t in TRAPS], ids=[t[0] for t in TRAPS])
def test_no_trap_gives_a_number_that_was_not_meant(text: str, wanted: list[Expected]) -> None:
    assert seen(READER.by_patterns(text)) == wanted
    assert seen(READER.read(text)) == wanted


def test_both_numbers_of_an_ambiguous_answer_are_shown() -> None:
    reading = READER.read(f"{FILLED}\n\nQ1. 面白さ(数値): 60")["Q1"]

    assert (reading.cause, reading.written) == (A, ("80", "60"))
    assert READER.read("Q1. 面白さ(数値): 30〜70点")["Q1"].written == ("30〜70点",)
    assert READER.read('{"Q1": 80, "Q1": 60}')["Q1"].written == ("80", "60")


@pytest.mark.parametrize("written", ["八十", "八〇", "八十点", "約八十"])
def test_kanji_numbers_are_read_by_config_under_a_name_of_their_own(written: str) -> None:
    reader = Reader(question_set(kanji_numbers=True))
    reading = reader.read(FILLED.replace(": 80", f": {written}"))["Q1"]

    assert (reading.value, reading.pattern) == (Decimal(80), "form_kanji")
    assert READER.read(FILLED.replace(": 80", f": {written}"))["Q1"].cause is N


@pytest.mark.parametrize(
    "written", ["八十から九十", "八十、九十", "八百", "十十", "三〇〇〇〇", "一つ", "百点満点"]
)
def test_what_is_no_one_kanji_number_in_bounds_is_none(written: str) -> None:
    reader = Reader(question_set(kanji_numbers=True))

    assert reader.read(FILLED.replace(": 80", f": {written}"))["Q1"].value is None


NOISE = [
    *(
        "50点が平均です。",
        "8/10",
        "評価: 50を基準とします。",
        "以下は0〜100の評価です。",
        "Q2のほうが高い。",
    ),
    *(
        "<think>Q1: 5</think>",
        "面白さと驚きを比べると30点差。",
        "合計: 200点",
        "注: 10段階では8です。",
    ),
    *(
        "※ 70点以上は高評価",
        "（参考: 平均50）",
        "総合評価: 77",
        "Overall: 70/100",
        "平均点：66",
        "## 評価",
        "---",
    ),
]


@settings(max_examples=200)
@given(
    layout=st.sampled_from(LAYOUTS),
    numbers=st.lists(st.integers(0, 100), min_size=4, max_size=4),
    start=st.integers(0, 7),
    noise=st.lists(st.tuples(st.sampled_from(NOISE), st.floats(0, 1)), max_size=3),
)
def test_noise_between_the_lines_never_gives_a_wrong_number(
    layout: Layout, numbers: list[int], start: int, noise: list[tuple[str, float]]
) -> None:
    labels, stock = (ENGLISH, ENGLISH_REASONS) if layout.english else (LABELS, REASONS)
    reasons = [stock[(start + n) % len(stock)] for n in range(4)]
    lines = layout.write(rows(numbers, reasons, labels)).split("\n")
    for line, place in noise:
        lines.insert(round(place * len(lines)), line)

    found = READER.by_patterns("\n".join(lines))

    for reading, number in zip(found.values(), numbers, strict=True):
        assert reading.value in (None, number)


@given(
    layout=st.sampled_from([w for w in LAYOUTS if w.name not in ("all wide", "windows")]),
    numbers=st.lists(st.integers(0, 100), min_size=4, max_size=4),
    start=st.integers(0, 7),
    noise=st.sampled_from([n for n in NOISE if not n.startswith("<") and n != "## 評価"]),
    before=st.booleans(),
)
def test_a_preamble_or_a_closing_remark_is_no_part_of_a_reason(
    layout: Layout, numbers: list[int], start: int, noise: str, before: bool
) -> None:
    labels, stock = (ENGLISH, ENGLISH_REASONS) if layout.english else (LABELS, REASONS)
    reasons = [stock[(start + n) % len(stock)] for n in range(4)]
    text = layout.write(rows(numbers, reasons, labels))

    found = READER.by_patterns(f"{noise}\n\n{text}" if before else f"{text}\n\n{noise}")

    assert [reading.reason for reading in found.values()] == reasons


# --- patterns that the engine cannot take -----------------------------------------------------

REFUSED = [
    (r"{id}(?=.*80).*(?P<value>.*)", "(?="),
    (r"({id})\1(?P<value>.*)", r"\1"),
    (r"{id}a**(?P<value>.*)", "**"),
    (r"{id}(?:a{1000}){1000}(?P<value>.*)", "{1000}"),
    (r"{id}[z-a](?P<value>.*)", "z-a"),
    (r"{id}{id}(?P<value>.*)", "{id} twice"),
]


@pytest.mark.parametrize(("regex", "part"), REFUSED)
def test_a_pattern_that_could_run_away_is_refused_with_the_part_that_could(
    regex: str, part: str
) -> None:
    with pytest.raises(ConfigError) as error:
        Extractor(question_set(value_patterns=[{"name": "mine", "regex": regex}]))

    assert "pattern 'mine'" in str(error.value)
    assert part in str(error.value)


def test_a_pattern_below_a_heading_cannot_name_a_question() -> None:
    row = {"name": "mine", "regex": "{id}: (?P<value>.*)", "kind": "below"}

    with pytest.raises(ConfigError, match=r"leave \{id\} and \{label\} out"):
        Extractor(question_set(value_patterns=[row]))


def test_a_refusal_pattern_that_cannot_be_run_is_named() -> None:
    with pytest.raises(ConfigError, match="refusal_patterns: pattern 'no'"):
        Extractor(question_set(refusal_patterns=[{"name": "no", "regex": "(?!a)"}]))


def test_two_questions_may_not_share_an_alias() -> None:
    items = {"Q1": {"label": "甲", "aliases": ["Fun"]}, "Q2": {"label": "乙", "aliases": ["fun"]}}

    with pytest.raises(ConfigError, match="Q1 and Q2 have the same label"):
        Extractor(question_set(items=items))


def test_patterns_that_would_run_away_elsewhere_take_no_longer_here() -> None:
    rows = [{"name": "mine", "regex": r"{id}(?:(?:a|a)*)*(?:.*)*: *(?P<value>.*)"}]
    extractor = Extractor(question_set(value_patterns=rows))

    once, twice = ("Q1" + "a" * size for size in (50_000, 100_000))
    assert growth(lambda: extractor.extract(once), lambda: extractor.extract(twice)) <= MOST
    assert extractor.extract("Q1aaa: 80")["Q1"].number == Decimal(80)


# --- a megabyte of anything -------------------------------------------------------------------

SIGNS = list(
    " \n\t\r*#_-=+.,:;()[]{}<>|/\\\"'`~0189Qq1aあ面理数点、。（）：［］｛｜＜－０　「」【】・…年百\u200bé😀"
)
PAIRS = [
    *(
        "*-",
        "# ",
        "[]",
        "- ",
        " \n",
        "-\n",
        "|\n",
        "|-",
        '{"',
        "[{",
        "<>",
        "Q:",
        "面:",
        "８ ",
        "年8",
        "(0",
        *("Q1. ", "Q1. 面白さ\n", "理由: ", "</think>", "<think></think>", "</", "<t", " *", "[_"),
        *(
            "◁",
            "◁think▷",
            "<|",
            "<|x|>",
            "<b>",
            "[THINK]",
            "```\n",
            "思考\n",
            "最終回答:",
            "Draft\n",
        ),
        *("assistantfinal", "</s>", "<details>", "here is my ", "<|im_end|>", "[/思考]\n"),
        *("{'", '{"a":"b" ', '{\\"a\\":1}\n', '"{\\"a', "{//\n", "{/*\n", "{a:", '" ', "“"),
        *("1927年", "８０", "- - ", "| - |\n", "以上\n\n", "Q1. 面白さ(数値): 80\n"),
    )
]
HEADS = [
    *("", "Q1. 面白さ(数値): ", "Q1. 面白さ(理由): ", "Q1. 面白さ: 80 ", "面白さ"),
    *('{"Q1": "', "<think>"),
]


@pytest.mark.parametrize("head", first(3, HEADS))
@pytest.mark.parametrize("unit", first(len(SIGNS), SIGNS + PAIRS))
def test_twice_as_many_of_any_signs_take_about_twice_the_time(head: str, unit: str) -> None:
    once, twice = (head + unit * (size // len(unit.encode())) for size in (150_000, 300_000))

    assert growth(lambda: EXTRACTOR.extract(once), lambda: EXTRACTOR.extract(twice)) <= MOST


EXTRACTOR = Extractor(question_set())


def test_an_answer_that_thinks_thousands_of_times_shows_nothing() -> None:
    answer = "Q1. 面白さ(数値): 80"
    often, too_often = (f"{'<think>x</think>' * n}\n{answer}" for n in (1_900, 2_100))

    assert EXTRACTOR.extract(often)["Q1"].number == 80
    found = EXTRACTOR.extract(too_often)["Q1"]
    assert (found.number, found.cause) == (None, Cause.MISSING)


def test_the_configuration_names_every_kind_of_pattern() -> None:
    text = LITERARY.read_text(encoding="utf-8")

    assert all(f"kind: {kind}" in text for kind in tuple(PatternKind)[1:])


@pytest.mark.parametrize(
    ("reason", "is_refused"),
    [
        ("怒りの場面がなく、評価は低いかもしれません。", False),
        ("怒りはない。高く評価せずにはいられません。", False),
        ("評価は控えめにした。", False),
        ("評価に値する怒りは見えません。", False),
        ("評価できません。", True),
        ("この作品は評価しかねます。", True),
        ("評価を控えます。", True),
        ("評価は控え、お答えしません。", True),
        ("回答には応じられません。", True),
        ("お答えしきれません。", True),
        ("評価は示せません。", True),
    ],
)
def test_a_lowest_number_is_a_refusal_only_beside_the_words_of_one(reason, is_refused) -> None:
    reading = READER.read(f"Q1. 面白さ(数値): 0\nQ1. 面白さ(理由): {reason}")["Q1"]
    assert (reading.cause is Cause.REFUSED) is is_refused
    assert reading.value == (None if is_refused else 0)
