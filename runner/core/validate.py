"""What was found -> a verdict for each question."""

from collections.abc import Mapping

from runner.core.extract import Found
from runner.core.marks import says_no
from runner.core.model import Cause, Question, QuestionSet, Reading

_GIVEN_UP = {"refusal": Cause.REFUSED, "content_filter": Cause.BLOCKED}


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
        finish_reason: Why the model stopped, in the words of `Reply.finish_reason`.
    """
    if finish_reason not in _GIVEN_UP and _refuses(questions, found, text):
        finish_reason = "refusal"
    readings = {}
    for question in questions.questions:
        item = found.get(question.id) or Found(cause=Cause.MISSING)
        cause = _cause(question, item, text, finish_reason)
        written = item.written
        if cause not in (None, Cause.NO_REASON) and item.number is not None and not written:
            written = (str(item.number),)
        readings[question.id] = Reading(
            value=item.number if cause in (None, Cause.NO_REASON) else None,
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


def _cause(question: Question, item: Found, text: str, finish_reason: str | None) -> Cause | None:
    if finish_reason in _GIVEN_UP:
        return _GIVEN_UP[finish_reason]
    if finish_reason == "length" and _touches_end(item, text):
        return Cause.TRUNCATED
    if finish_reason is None and question.reason_required and _breaks_off(item, text):
        return Cause.TRUNCATED
    if item.number is None:
        return item.cause or Cause.MISSING
    if question.integer and "." in str(item.number):
        return Cause.NOT_A_NUMBER
    if not question.minimum <= item.number <= question.maximum:
        return Cause.OUT_OF_RANGE
    if question.reason_required and not (item.reason or "").strip():
        return Cause.NO_REASON
    return None


def _touches_end(item: Found, text: str) -> bool:
    """Tell whether the value's line or the reason may go on where the text was cut off.

    A question of which nothing was found would have come after that.
    """
    if item.number is None and item.span is None:
        return True
    in_last_line = item.span is not None and "\n" not in text[item.span[1] :]
    return in_last_line or (item.reason_end is not None and item.reason_end >= len(text))


def _breaks_off(item: Found, text: str) -> bool:
    """Tell whether an answer ends in the line of this value, with its reason still to come."""
    if item.number is None or (item.reason or "").strip() or item.span is None:
        return False
    return not any(sign in text[item.span[1] :] for sign in "\n}|")
