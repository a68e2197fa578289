"""The form as a JSON schema, so that answers can only be JSON; each dialect asks for it in its words."""

import json
from collections.abc import Sequence

from runner.core.model import ItemKind, JsonObject, Question, QuestionSet
from runner.core.prompt import options_shown


def schema(questions: QuestionSet, *, closed: bool) -> JsonObject:
    """Return the shape of an answer.

    Args:
        questions: what is asked.
        closed: say that there is nothing else in it; False: say in which order it comes.
    """
    return _object(
        [(q.id, _part(questions, q, closed=closed)) for q in questions.questions], closed=closed
    )


def _part(questions: QuestionSet, question: Question, *, closed: bool) -> JsonObject:
    """Return the shape of one answer; bounds are told, not enforced, which not every service does."""
    bounds = f"{question.label}: {options_shown(questions, question)}"
    parts = [("value", _value(question) | {"description": bounds})]
    if question.asks_reason:
        parts.append(("reason", {"type": "string", "description": f"{question.label}: reason"}))
    return _object(parts, closed=closed)


def _value(question: Question) -> JsonObject:
    one_of_them: JsonObject = {"type": "string", "enum": [o.shown for o in question.options]}
    match question.kind:
        case ItemKind.CHOICE:
            return one_of_them
        case ItemKind.CHOICES | ItemKind.RANK:
            return {"type": "array", "items": one_of_them}
        case ItemKind.TEXT:
            return {"type": "string"}
        case ItemKind.JSON:
            schema: JsonObject = json.loads(question.schema)
            return schema
    return {"type": "integer" if question.integer else "number"}


def _object(properties: Sequence[tuple[str, JsonObject]], *, closed: bool) -> JsonObject:
    names = [name for name, _ in properties]
    shape: JsonObject = {"type": "object", "properties": dict(properties), "required": names}
    return shape | ({"additionalProperties": False} if closed else {"propertyOrdering": names})
