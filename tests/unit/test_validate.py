"""The verdict on what was found: valid, or the one cause why not."""

from dataclasses import replace
from decimal import Decimal

import pytest

from runner.core.extract.extractor import Found
from runner.core.extract.validate import is_valid, judge
from runner.core.model import Cause, Question, QuestionSet, Reading

TEXT = "Q1. 面白さ(数値): 80\nQ1. 面白さ(理由): 視点\n以上"
VALUE_SPAN = (13, 15)
REASON_END = TEXT.index("以上")


def asked(*, integer: bool = True, reason_required: bool = True) -> QuestionSet:
    question = Question(
        id="Q1",
        label="面白さ",
        minimum=0,
        maximum=100,
        integer=integer,
        reason_required=reason_required,
    )
    return QuestionSet(
        name="one",
        questions=(question,),
        form="",
        templates={},
        value_patterns=(),
        reason_patterns=(),
    )


def found(
    number: str | None = "80",
    *,
    cause: Cause | None = None,
    reason: str | None = "視点",
    span: tuple[int, int] | None = VALUE_SPAN,
    reason_end: int | None = REASON_END,
) -> Found:
    return Found(
        number=None if number is None else Decimal(number),
        cause=cause,
        pattern="form",
        span=span,
        reason=reason,
        reason_end=reason_end,
    )


def verdict(
    item: Found,
    *,
    questions: QuestionSet | None = None,
    text: str = TEXT,
    finish_reason: str | None = "stop",
) -> Reading:
    readings = judge(questions or asked(), {"Q1": item}, text=text, finish_reason=finish_reason)
    return readings["Q1"]


def test_a_whole_number_in_range_with_a_reason_is_valid() -> None:
    assert verdict(found()) == Reading(
        value=Decimal(80), reason="視点", pattern="form", cause=None, span=VALUE_SPAN
    )


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0", None),
        ("100", None),
        ("101", Cause.OUT_OF_RANGE),
        ("1927", Cause.OUT_OF_RANGE),
        ("-1", Cause.OUT_OF_RANGE),
        ("-5", Cause.OUT_OF_RANGE),
        ("72.5", Cause.NOT_A_NUMBER),
        ("80.05", Cause.NOT_A_NUMBER),
        ("0.8", Cause.NOT_A_NUMBER),
    ],
)
def test_bounds_are_included_and_decimals_are_not_what_was_asked(
    number: str, expected: Cause | None
) -> None:
    reading = verdict(found(number))

    assert reading.cause == expected
    assert reading.value == (Decimal(number) if expected is None else None)


@pytest.mark.parametrize("number", ["80.0", "80.00", "0.0", "100.0"])
def test_a_whole_number_with_a_point_and_zeros_is_that_number(number: str) -> None:
    reading = verdict(found(number))

    assert (reading.value, reading.cause) == (Decimal(number), None)
    assert "." not in str(reading.value)


@pytest.mark.parametrize(("number", "expected"), [("1.0", None), ("0.0", None), ("72.0", 72)])
def test_one_point_zero_beside_a_share_may_be_all_of_the_scale(
    number: str, expected: int | None
) -> None:
    one, two = asked(), replace(asked().questions[0], id="Q2")
    questions = replace(one, questions=(*one.questions, two))

    readings = judge(
        questions, {"Q1": found(number), "Q2": found("0.8")}, text=TEXT, finish_reason="stop"
    )

    assert [r.value for r in readings.values()] == [expected, None]


def test_a_decimal_is_kept_exactly_where_decimals_are_asked() -> None:
    reading = verdict(found("72.50"), questions=asked(integer=False))

    assert (str(reading.value), reading.cause) == ("72.50", None)


def test_a_decimal_just_outside_is_out_of_range() -> None:
    reading = verdict(found("100.1"), questions=asked(integer=False))

    assert (reading.value, reading.cause) == (None, Cause.OUT_OF_RANGE)


@pytest.mark.parametrize("cause", [Cause.MISSING, Cause.AMBIGUOUS, Cause.NOT_A_NUMBER])
def test_what_could_not_be_read_stays_unread(cause: Cause) -> None:
    reading = verdict(found(None, cause=cause))

    assert reading == Reading(
        value=None, reason="視点", pattern="form", cause=cause, span=VALUE_SPAN
    )


@pytest.mark.parametrize("reason", [None, "", " \n"])
def test_without_its_reason_a_reading_is_invalid_but_keeps_the_value(reason: str | None) -> None:
    reading = verdict(found(reason=reason))

    assert (reading.value, reading.cause) == (Decimal(80), Cause.NO_REASON)


def test_a_reason_that_is_not_required_may_be_missing() -> None:
    reading = verdict(found(reason=None), questions=asked(reason_required=False))

    assert (reading.value, reading.cause) == (Decimal(80), None)


@pytest.mark.parametrize(
    ("finish_reason", "cause"),
    [("refusal", Cause.REFUSED), ("content_filter", Cause.BLOCKED)],
)
def test_a_refused_or_blocked_answer_has_no_value_whatever_it_says(
    finish_reason: str, cause: Cause
) -> None:
    reading = verdict(found(), finish_reason=finish_reason)

    assert (reading.value, reading.cause) == (None, cause)


CUT_IN_VALUE = "Q1. 面白さ(理由): 視点\nQ1. 面白さ(数値): 8"
CUT = [
    ("in the number", CUT_IN_VALUE, found("8", span=(29, 30), reason_end=16), True),
    (
        "after the value's line",
        CUT_IN_VALUE + "\n",
        found("8", span=(29, 30), reason_end=16),
        False,
    ),
    ("before the number", "Q1.(数値):", found(None, cause=Cause.MISSING, span=(8, 8)), True),
    ("in the reason", TEXT, found(reason_end=len(TEXT)), True),
    ("after the reason", TEXT, found(), False),
    ("before the reason", TEXT, found(reason=None, reason_end=None), False),
]


@pytest.mark.parametrize(("text", "item", "cut"), [c[1:] for c in CUT], ids=[c[0] for c in CUT])
def test_of_a_cut_off_answer_nothing_is_taken_that_may_go_on(
    text: str, item: Found, cut: bool
) -> None:
    reading = verdict(item, text=text, finish_reason="length")

    assert (reading.cause is Cause.TRUNCATED) == cut
    assert not (cut and reading.value is not None)


@pytest.mark.parametrize(
    "finish_reason",
    [
        *("length", "max_tokens", "MAX_TOKENS", "model_length", "abort", "error", "OTHER"),
        *("insufficient_system_resource", "pause_turn", "tool_calls", "a word of tomorrow"),
    ],
)
def test_only_a_word_that_means_it_said_all_is_no_cut(finish_reason: str) -> None:
    item = found("1", span=(29, 30), reason_end=16)

    reading = verdict(item, text=CUT_IN_VALUE, finish_reason=finish_reason)

    assert (reading.value, reading.cause) == (None, Cause.TRUNCATED)


@pytest.mark.parametrize("finish_reason", ["stop", "STOP", "end_turn", "stop_sequence", "eos"])
def test_the_end_of_an_answer_that_was_not_cut_off_is_no_objection(finish_reason: str) -> None:
    reading = verdict(found(reason_end=len(TEXT)), finish_reason=finish_reason)

    assert reading.cause is None


@pytest.mark.parametrize(
    ("rest", "cause"),
    [
        *(("", Cause.TRUNCATED), ("点", Cause.TRUNCATED), (" ", Cause.TRUNCATED)),
        *((" - な", Cause.NO_REASON), ("点（軽", Cause.NO_REASON), ("\n", Cause.NO_REASON)),
    ],
)
def test_of_an_end_that_nobody_knows_a_number_is_believed_when_text_follows_it(
    rest: str, cause: Cause
) -> None:
    item = found(reason=None, reason_end=None)

    reading = verdict(item, text=f"Q1. 面白さ(数値): 80{rest}", finish_reason=None)

    assert reading.cause is cause


def test_a_question_of_which_nothing_was_found_is_missing() -> None:
    readings = judge(asked(), {}, text="", finish_reason=None)

    assert readings == {
        "Q1": Reading(value=None, reason=None, pattern=None, cause=Cause.MISSING, span=None)
    }


def test_an_answer_is_valid_when_every_reading_is() -> None:
    good, bad = verdict(found()), verdict(found(reason=None))

    assert is_valid({"Q1": good, "Q2": good})
    assert not is_valid({"Q1": good, "Q2": bad})
    assert not is_valid({})
