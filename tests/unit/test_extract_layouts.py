"""Every layout is read right, values and reasons; what cannot be read in it gives no number."""

import unicodedata
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.extract.reader import Reader
from runner.core.extract.validate import is_valid
from runner.core.model import Cause, Reading
from tests.unit.layouts import (
    ENGLISH,
    ENGLISH_REASONS,
    FORM,
    LABELS,
    LAYOUTS,
    LONG_REASONS,
    REASONS,
    Answer,
    Layout,
    answers,
    block,
    rows,
)
from tests.unit.test_extractor import question_set
from tests.variants import first

QUESTIONS = question_set()
READER = Reader(QUESTIONS)
ALL = list(answers())
WIDE = {"all wide", "wide brackets"}


def narrow(text: str | None) -> str | None:
    """Full-width letters as their usual selves: a layout may widen the reason, too."""
    if text is None:
        return None
    return text.translate({code + 0xFEE0: code for code in range(0x21, 0x7F)} | {0x3000: 0x20})


def values(readings: dict[str, Reading]) -> dict[str, int | None]:
    return {q: None if r.value is None else int(r.value) for q, r in readings.items()}


def test_several_hundred_answers_are_in_forty_layouts_and_more() -> None:
    assert len(ALL) >= 500
    assert len({answer.layout for answer in ALL}) == len(LAYOUTS) >= 90


@pytest.mark.parametrize("layout", [layout.name for layout in LAYOUTS])
def test_every_answer_is_read_right_values_and_reasons(layout: str) -> None:
    for answer in ALL:
        if answer.layout != layout:
            continue
        readings = READER.by_patterns(answer.text)

        assert values(readings) == answer.values, answer.text
        wanted = {q: narrow(reason) for q, reason in answer.reasons.items()}
        read = {
            q: narrow(r.reason) and narrow(r.reason).replace("\r", "") for q, r in readings.items()
        }  # type: ignore[union-attr]
        assert read == wanted, answer.text
        assert all(r.cause is None and r.pattern for r in readings.values())


@pytest.mark.parametrize("layout", [layout.name for layout in LAYOUTS])
def test_the_span_holds_the_digits_of_the_value(layout: str) -> None:
    for answer in ALL:
        if answer.layout != layout:
            continue
        for reading in READER.by_patterns(answer.text).values():
            assert reading.span is not None
            begin, end = reading.span
            shown = unicodedata.normalize("NFKC", answer.text[begin:end]).strip('"点')
            assert Decimal(shown) == reading.value


def test_what_is_known_by_heart_is_read_as_the_patterns_read_it() -> None:
    reader = Reader(QUESTIONS)
    for _ in range(2):
        for answer in ALL:
            assert reader.read(answer.text) == reader.by_patterns(answer.text), answer.text
            with_more = f"{answer.text}\n\n以上です。"
            assert reader.read(with_more) == reader.by_patterns(with_more), with_more


SHORT_CUT_PIECES = st.sampled_from(
    [
        *(
            "春の日。",
            "1927年",
            "a",
            "**",
            "_x_",
            "`",
            "<think>",
            "<|end|>",
            "◁/think▷",
            "[/THINK]",
            "{",
            "[",
            "「",
            "」",
            "（80点）",
        ),
        *(
            "10点満点で8点",
            "5段階で4",
            "満点は10点",
            "（0-10）",
            "out of 10",
            "0 to ten",
            "10 = best",
        ),
        *(
            "訂正: 30",
            "修正して40",
            "やはり40点にします。",
            "が入れ替わる",
            "最終評価は50",
            "wait, 30",
        ),
        *(" correction: 40", "should be 25", " swapped scores ", "※", "注: ", "備考", "平均", "例"),
        *("まとめ", "驚き", "Q2"),
        *("- ", "\n", "\r", "\u2028", " ", "\u3000", "なし", "説明", "80", "[説明]", "理由: ", "#"),
    ]
)


@settings(max_examples=80)
@given(
    layout=st.sampled_from([w for w in LAYOUTS if not w.english]),
    numbers=st.lists(st.integers(0, 100) | st.integers(-5, 1005), min_size=4, max_size=4),
    reasons=st.lists(
        st.lists(SHORT_CUT_PIECES, max_size=6).map("".join) | st.sampled_from(REASONS),
        min_size=4,
        max_size=4,
    ),
    tail=st.sampled_from(["", "\n", "\n\n", " ", "\r\n", "\n以上", "\n\n以上"]),
    finish=st.sampled_from([None, "stop", "length", "content_filter", "refusal", "other"]),
)
def test_whatever_is_filled_in_the_short_cut_never_reads_otherwise(
    layout: Layout, numbers: list[int], reasons: list[str], tail: str, finish: str | None
) -> None:
    text = layout.write(rows(numbers, reasons, LABELS)) + tail

    # The layout is learned first, so that it is known by heart.
    for good in (REASONS[:4], REASONS[4:]):
        READER.read(layout.write(rows([1, 2, 3, 4], good, LABELS)))
    assert READER.read(text, finish) == READER.by_patterns(text, finish)


def asking_reasons_of(*ids: str) -> Reader:
    questions = (
        replace(q, asks_reason=q.id in ids, reason_required=q.id in ids)
        for q in QUESTIONS.questions
    )
    form = "{id}. {label}(数値): [{minimum}-{maximum}]"
    return Reader(replace(QUESTIONS, questions=tuple(questions), form_value=form))


OF_SOME = {ids: asking_reasons_of(*ids) for ids in ((), ("Q1", "Q3"), ("Q4",))}


@settings(max_examples=60)
@given(
    ids=st.sampled_from(list(OF_SOME)),
    numbers=st.lists(st.integers(0, 102), min_size=4, max_size=4),
    reasons=st.lists(
        st.lists(SHORT_CUT_PIECES, max_size=5).map("".join) | st.sampled_from(REASONS),
        min_size=4,
        max_size=4,
    ),
    between=st.sampled_from(["\n", "\n\n"]),
    tail=st.sampled_from(["", "\n", " ", "\n以上", "\n\n訂正: Q1は30"]),
)
def test_where_some_reasons_are_not_asked_for_the_short_cut_never_reads_otherwise(
    ids: tuple[str, ...], numbers: list[int], reasons: list[str], between: str, tail: str
) -> None:
    def answer(numbers: list[int], reasons: list[str]) -> str:
        return between.join(
            f"{q}. {label}(数値): {number}"
            + (f"\n{q}. {label}(理由): {reason}" if q in ids else "")
            for q, label, number, reason in rows(numbers, reasons, LABELS)
        )

    reader = OF_SOME[ids]
    known = answer([1, 2, 3, 4], REASONS[:4])
    assert reader._fast_path.read(known) == reader.by_patterns(known)
    said = answer(numbers, reasons) + tail
    assert reader.read(said) == reader.by_patterns(said)


@pytest.mark.parametrize("end", ["[/THINK]", "◁/think▷"])
def test_a_form_that_turns_out_to_be_a_thought_is_no_answer(end: str) -> None:
    known = block(FORM)(rows([1, 2, 3, 4], REASONS[:4], LABELS))
    assert is_valid(READER.read(known))
    assert not is_valid(READER.read(known + end))


@pytest.mark.parametrize(
    "said",
    [
        "10点満点で8点に当たる、よくできた話だから。",
        "10段階評価で8という印象です。",
        "On a scale of 0 to 10, I would say 8.",
        "はじめは高く見たが、やはり40点にします。",
        "I said more at first; wait, 30 is fairer.",
    ],
)
def test_a_reason_that_speaks_against_its_value_is_heard_in_a_layout_known_by_heart(
    said: str,
) -> None:
    reader = Reader(QUESTIONS)
    for good in (REASONS[:4], REASONS[4:]):
        reader.read(block(FORM)(rows([1, 2, 3, 4], good, LABELS)))
    answer = block(FORM)(rows([8, 80, 8, 80], [said, *REASONS[1:4]], LABELS))

    readings = reader.read(answer)

    assert readings["Q1"].value is None
    assert readings["Q2"].value == 80
    assert readings == reader.by_patterns(answer)


@pytest.mark.parametrize("finish", ["length", "abort", "model_length", "a word of tomorrow"])
def test_a_cut_answer_in_the_layout_known_by_heart_is_not_valid(finish: str) -> None:
    whole = block(FORM)(rows([81, 82, 83, 84], REASONS[:4], LABELS))
    assert is_valid(READER.read(whole, "stop"))

    readings = READER.read(whole[:-3], finish)

    assert readings["Q4"].cause is Cause.TRUNCATED
    assert readings["Q4"].value is None
    assert [readings[q].value for q in ("Q1", "Q2", "Q3")] == [81, 82, 83]


NO_NUMBERS = [
    *(
        "30-70",
        "30〜70",
        "30から70",
        "8/10",
        "80以上",
        "約80〜90",
        "評価不能",
        "N/A",
        "なし",
        "高い",
    ),
    *("150", "-5", "−5", "72.5", "1,000", "八十", "80?", "80 → 60", "80、60", "10点満点中8点"),
    *("[0-100]", "[数値]", "", "２０２４", "②", "80±", "±80", "<80", "80%以上", "80万"),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_what_is_no_number_in_bounds_gives_none_in_any_layout(layout: Layout) -> None:
    labels, reasons = (ENGLISH, ENGLISH_REASONS) if layout.english else (LABELS, REASONS[:4])
    asked = rows([31, 32, 33, 34], reasons, labels)
    for written in NO_NUMBERS:
        said = [row if row[0] != "Q2" else (*row[:2], written, row[3]) for row in asked]

        readings = READER.by_patterns(layout.write(said))  # type: ignore[arg-type]

        assert readings["Q2"].value is None, written
        assert readings["Q2"].cause is not None, written
        for question, right in (("Q1", 31), ("Q3", 33), ("Q4", 34)):
            assert readings[question].value in (None, right), written


@pytest.mark.parametrize("layout", first(30, LAYOUTS), ids=[layout.name for layout in LAYOUTS])
def test_an_answer_that_was_cut_off_anywhere_gives_no_wrong_number(layout: Layout) -> None:
    labels, reasons = (ENGLISH, ENGLISH_REASONS) if layout.english else (LABELS, REASONS[:4])
    text = layout.write(rows([81, 82, 83, 84], reasons, labels))
    right = {"Q1": 81, "Q2": 82, "Q3": 83, "Q4": 84}
    for end in range(len(text)):
        # A number at the very end, behind its reason, may be whole: nobody can tell.
        for finish in ("length",) if layout.name == "reason first" else ("length", None):
            found = values(READER.by_patterns(text[:end], finish))
            assert all(v in (None, right[q]) for q, v in found.items()), text[:end]


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_an_answer_given_twice_with_another_number_is_ambiguous(layout: Layout) -> None:
    labels, reasons = (ENGLISH, ENGLISH_REASONS) if layout.english else (LABELS, REASONS[:4])
    one = layout.write(rows([31, 32, 33, 34], reasons, labels))
    two = layout.write(rows([31, 77, 33, 34], reasons, labels))

    reading = READER.by_patterns(f"{one}\n\n{two}")["Q2"]

    assert reading.value is None
    assert reading.cause is Cause.AMBIGUOUS
    both = narrow(" ".join(reading.written)) or ""
    assert "32" in both
    assert "77" in both


def test_the_counters_add_up_under_every_mix() -> None:
    patterns: dict[str, Counter[str | None]] = {q: Counter() for q in LABELS}
    causes: dict[str, Counter[Cause | None]] = {q: Counter() for q in LABELS}
    texts = (
        [a.text for a in ALL]
        + [a.text[: len(a.text) // 2] for a in ALL]
        + ["", "申し訳ありません。"]
    )
    for number, text in enumerate(texts):
        finish = ("stop", "length", None, "content_filter")[number % 4]
        for question, reading in READER.read(text, finish).items():
            patterns[question][reading.pattern] += 1
            causes[question][reading.cause] += 1
            assert (reading.value is None) == (reading.cause not in (None, Cause.NO_REASON))
    for counts in (*patterns.values(), *causes.values()):
        assert sum(counts.values()) == len(texts)


def test_an_answer_names_its_layout() -> None:
    assert isinstance(ALL[0], Answer)
    assert LONG_REASONS
