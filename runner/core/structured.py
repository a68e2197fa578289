"""The form as a JSON schema, so that answers can only be JSON; each dialect asks for it in its words."""

from collections.abc import Sequence

from runner.core.model import JsonObject, Question, QuestionSet
from runner.core.prompt import options_shown


def schema(questions: QuestionSet, *, closed: bool) -> JsonObject:
    """Return the shape of an answer.

    Args:
        questions: what is asked.
        closed: say that there is nothing else in it; False: say in which order it comes.
    """
    return _object([(q.id, _part(q, closed=closed)) for q in questions.questions], closed=closed)


def _part(question: Question, *, closed: bool) -> JsonObject:
    """Return the shape of one answer; bounds are told, not enforced, which not every service does."""
    bounds = f"{question.label}: {options_shown(question)}"
    value: JsonObject = {"type": "integer" if question.integer else "number", "description": bounds}
    if question.options:
        shown = [option.shown for option in question.options]
        value = {"type": "string", "enum": shown, "description": bounds}
    parts = [("value", value)]
    if question.asks_reason:
        parts.append(("reason", {"type": "string", "description": f"{question.label}: reason"}))
    return _object(parts, closed=closed)


def _object(properties: Sequence[tuple[str, JsonObject]], *, closed: bool) -> JsonObject:
    names = [name for name, _ in properties]
    shape: JsonObject = {"type": "object", "properties": dict(properties), "required": names}
    return shape | ({"additionalProperties": False} if closed else {"propertyOrdering": names})
