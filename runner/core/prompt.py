"""Condition to prompt: the persona, the text and the question set's wording, put together."""

import json
import re

from runner.core.errors import ConfigError
from runner.core.model import Condition, Experiment, Prompt, Question, QuestionSet, Variant

_PLACEHOLDER = re.compile(r"\{(\w+)\}")

TEMPLATE_FIELDS = ("title", "author", "text", "questions", "form", "object")
"""What a prompt template may name in braces."""

FORM_FIELDS = ("id", "label", "minimum", "maximum")
"""What the form of one question may name in braces."""


def fill(template: str, values: dict[str, str], where: str) -> str:
    """Replace `{name}` in one pass, so that braces inside a text are never touched.

    Raises:
        ConfigError: when the template names something else.
    """

    def one(match: re.Match[str]) -> str:
        try:
            return values[match[1]]
        except KeyError:
            raise ConfigError(
                f"{where}: unknown placeholder {match[0]}; allowed: "
                + ", ".join("{" + name + "}" for name in values)
            ) from None

    return _PLACEHOLDER.sub(one, template)


def form(questions: QuestionSet) -> str:
    """Return the form to fill in, one question after another."""
    return "\n".join(form_of(questions, question) for question in questions.questions)


def form_of(questions: QuestionSet, question: Question) -> str:
    """Return the form to fill in for one question."""
    values = {
        "id": question.id,
        "label": question.label,
        "minimum": str(question.minimum),
        "maximum": str(question.maximum),
    }
    return fill(questions.form, values, "question.form").rstrip("\n")


def skeleton(questions: QuestionSet) -> str:
    """Return the JSON object to fill in, a question a line, in the words of the question set."""
    value, reason = (next(iter(w), "") for w in (questions.value_words, questions.reason_words))
    rows = (
        f'  {_quoted(q.id)}: {{"value": [{q.label} {value}: {q.minimum}-{q.maximum}], '
        f'"reason": {_quoted(f"[{q.label} {reason}]")}}}'
        for q in questions.questions
    )
    return "{\n" + ",\n".join(rows) + "\n}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def render(experiment: Experiment, condition: Condition, variant: Variant) -> Prompt:
    """Render what is sent for every trial of a condition.

    A model without a system role gets the persona joined to the user's message.
    """
    persona = experiment.personas[condition.persona]
    text = experiment.texts[condition.text]
    questions = experiment.questions
    user = fill(
        questions.templates[variant],
        {
            "title": text.title,
            "author": text.author,
            "text": text.body.rstrip("\n"),
            "questions": "\n".join(f"{q.id}. {q.label}" for q in questions.questions),
            "form": form(questions),
            "object": skeleton(questions),
        },
        f"question.{variant}",
    ).strip("\n")
    if experiment.model.system_role:
        return Prompt(system=persona.system, user=user)
    return Prompt(system=None, user=f"{persona.system}\n\n{user}")
