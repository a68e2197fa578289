"""The form as a JSON schema, in each dialect's own words: answers that can only be JSON."""

from typing import Final

from runner.core.model import JsonObject, Question, QuestionSet

DIALECTS: Final = ("chat", "messages", "gemini")
"""Of chat completions, of Anthropic's Messages API, and of Gemini on Vertex AI."""


def parameters(questions: QuestionSet, dialect: str) -> JsonObject:
    """Return what a request has to say so that its answer is JSON of this shape."""
    if dialect == "gemini":
        schema = _object(
            [(q.id, _part(q, closed=False)) for q in questions.questions], closed=False
        )
        return {
            "generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}
        }
    schema = _object([(q.id, _part(q, closed=True)) for q in questions.questions], closed=True)
    if dialect == "messages":
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    named = {"name": "answers", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _part(question: Question, *, closed: bool) -> JsonObject:
    """Return the shape of one answer; bounds are told, not enforced, which not every service does."""
    kind = "integer" if question.integer else "number"
    bounds = f"{question.label}: {question.minimum}-{question.maximum}"
    return _object(
        [
            ("value", {"type": kind, "description": bounds}),
            ("reason", {"type": "string", "description": f"{question.label}: reason"}),
        ],
        closed=closed,
    )


def _object(properties: list[tuple[str, JsonObject]], *, closed: bool) -> JsonObject:
    names = [name for name, _ in properties]
    shape: JsonObject = {"type": "object", "properties": dict(properties), "required": names}
    return shape | ({"additionalProperties": False} if closed else {"propertyOrdering": names})
