"""What was found -> a verdict for each question."""

from collections.abc import Mapping
from decimal import Decimal

from runner.core.extract import bare
from runner.core.extract.extractor import Found
from runner.core.extract.matcher import cannot, says_no
from runner.core.extract.regex import regex
from runner.core.finish import CONTENT_FILTER, REFUSAL, STOP, normal
from runner.core.model import Cause, ItemKind, Question, QuestionSet, Reading

_GIVEN_UP = {REFUSAL: Cause.REFUSED, CONTENT_FILTER: Cause.BLOCKED}


def judge(
    questions: QuestionSet, found: Mapping[str, Found], *, text: str, finish_reason: str | None
) -> dict[str, Reading]:
    """Return a reading for every question, by question id; it is valid when it has no cause.

    An invalid reading has no value, with one exception: when only the reason is missing, the
    value itself was read right and is kept, so that the answer is asked again but nothing is lost.

    Args:
        questions: What was asked.
        found: What `Extractor.extract` found in `text`; a question may be absent.
        text: The whole answer.
        finish_reason: Why the model stopped, in any dialect; every word that is not known to mean
            that it had said all is taken for a cut, None for "unknown".
    """
    finish_reason = normal(finish_reason)
    if finish_reason not in _GIVEN_UP and _refuses(questions, found, text):
        finish_reason = REFUSAL
    share = _are_shares(found)
    readings = {}
    for question in questions.questions:
        item = found.get(question.id) or Found(cause=Cause.MISSING)
        cause = _cause(question, item, text, finish_reason, share=share)
        if cause in (None, Cause.NO_REASON) and is_no(
            questions, question, item.number, item.reason
        ):
            cause = Cause.REFUSED
        written = item.written
        if cause not in (None, Cause.NO_REASON) and item.number is not None and not written:
            written = (str(item.number),)
        if cause is Cause.MISSING and not question.is_required:
            cause = None
        readings[question.id] = Reading(
            value=_value(question, item) if cause in (None, Cause.NO_REASON) else None,
            reason=item.reason,
            pattern=item.pattern,
            cause=cause,
            span=item.span,
            written=written,
        )
    return readings


def is_valid(readings: Mapping[str, Reading]) -> bool:
    """Tell whether every question was read as asked; no readings at all are not valid."""
    return bool(readings) and all(reading.cause is None for reading in readings.values())


def _refuses(questions: QuestionSet, found: Mapping[str, Found], text: str) -> bool:
    """Tell whether an answer in which nothing was found says that it will not answer."""
    nothing = all(f.number is None and f.cause is Cause.MISSING for f in found.values())
    return nothing and says_no(questions.refusal_patterns, text)


def is_no(
    questions: QuestionSet, question: Question, number: Decimal | str | None, reason: str | None
) -> bool:
    """Tell whether the lowest number stands there because the model would not answer."""
    is_lowest = number == question.minimum and question.kind is ItemKind.NUMBER
    return is_lowest and (says_no(questions.refusal_patterns, reason or "") or cannot(reason or ""))


def _value(question: Question, item: Found) -> Decimal | str | None:
    """Return the value as the table holds it: 80.0 is 80 where whole numbers are asked."""
    if item.text is not None:
        return item.text
    number = item.number
    if number is None or not question.integer or "." not in str(number):
        return number
    return number.quantize(Decimal(1))


def _are_shares(found: Mapping[str, Found]) -> bool:
    """Tell whether some number is between 0 and 1: then 1.0 beside it may be all of a scale."""
    return any(f.number is not None and 0 < f.number < 1 for f in found.values())


def _cause(
    question: Question, item: Found, text: str, finish_reason: str | None, *, share: bool
) -> Cause | None:
    if finish_reason in _GIVEN_UP:
        return _GIVEN_UP[finish_reason]
    if finish_reason not in (STOP, None) and _touches_end(item, text):
        return Cause.TRUNCATED
    if finish_reason is None and question.reason_required and _breaks_off(item, text):
        return Cause.TRUNCATED
    if item.number is None:
        return item.cause or Cause.MISSING
    if question.kind not in (ItemKind.NUMBER, ItemKind.CHOICE):
        return _no_reason(question, item)
    if question.integer and "." in str(item.number):
        whole = item.number == item.number.to_integral_value()
        if not whole or (share and item.number <= 1):
            return Cause.NOT_A_NUMBER
    if not question.minimum <= item.number <= question.maximum:
        return Cause.OUT_OF_RANGE
    return _no_reason(question, item)


def _no_reason(question: Question, item: Found) -> Cause | None:
    is_lacking = question.reason_required and not (item.reason or "").strip()
    return Cause.NO_REASON if is_lacking else None


def _touches_end(item: Found, text: str) -> bool:
    """Tell whether the value's line or the reason may go on where the text was cut off.

    A question of which nothing was found would have come after that.
    """
    if item.number is None and item.span is None:
        return True
    behind = text[item.span[1] :] if item.span is not None else "\n"
    if item.pattern == bare.NAME:  # nothing but a line break does not end it
        behind = behind.rstrip()
    in_last_line = "\n" not in behind
    return in_last_line or (item.reason_end is not None and item.reason_end >= len(text))


def _breaks_off(item: Found, text: str) -> bool:
    """Tell whether an answer ends in the line of this value, with its reason still to come.

    "100点" may go on as "100点満点中80"; a number with a remark behind it is all there.
    """
    if item.number is None or (item.reason or "").strip() or item.span is None:
        return False
    return _GOES_ON.search(text, item.span[1]) is None


_GOES_ON = regex(r"[\n}|]|</|[-‐–—、。（(:：] ?[^\W\d]")
