"""Condition to prompt: levels of factors and the questions, put into the wording or the messages."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from runner.core.errors import ConfigError
from runner.core.model import (
    NONE,
    Condition,
    Experiment,
    Factor,
    ItemKind,
    Level,
    Message,
    Prompt,
    Question,
    QuestionSet,
    Variant,
)
from runner.core.near_misses import nearest
from runner.core.orders import arranged

_PLACEHOLDER = re.compile(r"\{(?P<name>\w+(?:\.\w+)?)\}")
"""Of a wording."""
_IN_MESSAGE = re.compile(
    r"\{(?P<plain>\{[^\W\d]\w*(?:\.[^{}\n]+)?\})\}|\{(?P<name>[^\W\d]\w*(?:\.[^{}\n]+)?)\}"
)
"""Of a message: a column may be called anything, and `{{name}}` writes `{name}`."""

TEMPLATE_FIELDS = ("title", "author", "text", "questions", "form", "object")
"""What every wording may name; it is filled in where the experiment has it."""
ASKED = ("items", "questions", "form", "object")
"""What a prompt may name of the questions."""
SHORT_FORMS = ("title", "author")
"""Fields of the factor `text` that may be named without it."""
MAIN_FIELDS = {"persona": "system", "text": "text"}
"""The fields that `{persona}` and `{text}` stand for."""
_NAMES_SHOWN = 16

SLOT_FIELDS = ("count", "options")
"""What the slot of a kind of item may name in braces."""
FORM_FIELDS = ("id", "label", "minimum", "maximum", "name", "options")
"""What the form of one question may name in braces."""


def fill(template: str, values: Mapping[str, str], where: str, *, message: bool = False) -> str:
    """Replace `{name}` in one pass, so that braces inside a text are never touched.

    Args:
        template: what is filled in.
        values: by name.
        where: names the template, for the error.
        message: whether it is one of `messages`, where `{{name}}` writes `{name}`.

    Raises:
        ConfigError: when the template names something else.
    """

    def one(match: re.Match[str]) -> str:
        if match.lastgroup == "plain":
            return match["plain"]
        try:
            return values[match["name"]]
        except KeyError:
            names = ", ".join("{" + name + "}" for name in list(values)[:_NAMES_SHOWN])
            more = ", …" if len(values) > _NAMES_SHOWN else ""
            meant = nearest(match["name"], values)
            hint = f"did you mean {{{meant}}}? " if meant else ""
            raise ConfigError(
                f"{where}: unknown placeholder {match[0]}; {hint}allowed: {names}{more}"
            ) from None

    return (_IN_MESSAGE if message else _PLACEHOLDER).sub(one, template)


def placeholders(message: str) -> Iterator[str]:
    """Yield what a message names in braces, as `review.body`."""
    for match in _IN_MESSAGE.finditer(message):
        if match.lastgroup == "name":
            yield match["name"]


def form(questions: QuestionSet) -> str:
    """Return the form to fill in, one question after another."""
    return "\n".join(form_of(questions, question) for question in questions.questions)


def name_of(question: Question) -> str:
    """Return what a question is called: its id, and its label where that is another one."""
    if question.label == question.id:
        return question.id
    return f"{question.id}. {question.label}"


def options_shown(questions: QuestionSet, question: Question) -> str:
    """Return what may be answered, as the form shows it."""
    shown = [option.shown for option in question.options]
    if question.kind is ItemKind.CHOICE:
        return (" | " if any("/" in word for word in shown) else " / ").join(shown)
    if question.kind is not ItemKind.NUMBER:
        low, high = question.at_least, question.at_most
        values = {
            "count": str(low) if low == high else f"{low}-{high}",
            "options": ("; " if any("," in word for word in shown) else ", ").join(shown),
        }
        may_be_none = question.kind is ItemKind.CHOICES and not low
        slot = questions.slots[NONE if may_be_none else question.kind]
        return fill(slot, values, "question.slots")
    between = "-" if question.minimum >= 0 else " to "
    return f"{question.minimum}{between}{question.maximum}"


def form_of(questions: QuestionSet, question: Question) -> str:
    """Return the form to fill in for one question."""
    values = {
        "id": question.id,
        "label": question.label,
        "minimum": str(question.minimum),
        "maximum": str(question.maximum),
        "name": name_of(question),
        "options": options_shown(questions, question),
    }
    lines = questions.form if question.asks_reason else questions.form_value or questions.form
    return fill(lines, values, "question.form").rstrip("\n")


def skeleton(questions: QuestionSet) -> str:
    """Return the JSON object to fill in, a question a line, in the words of the question set."""
    value, reason = (next(iter(w), "") for w in (questions.value_words, questions.reason_words))
    rows = (
        f'  {_quoted(q.id)}: {{"value": [{q.label} {value}: {options_shown(questions, q)}]'
        + (f', "reason": {_quoted(f"[{q.label} {reason}]")}}}' if q.asks_reason else "}")
        for q in questions.questions
    )
    return "{\n" + ",\n".join(rows) + "\n}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def render(experiment: Experiment, condition: Condition, variant: Variant) -> Prompt:
    """Render one condition; many are rendered by one `Renderer`."""
    return Renderer(experiment).render(condition, variant)


class Renderer:
    """Renders what is sent for the conditions of one experiment."""

    def __init__(self, experiment: Experiment) -> None:
        """Put together what is the same for all conditions."""
        self._experiment = experiment
        self._factors = tuple(experiment.factors.values())
        self._asked = {
            asked.questions[0].id if experiment.questions.each else "": asked_of(asked)
            for asked in alone(experiment.questions)
        }

    def values(self, condition: Condition) -> dict[str, str]:
        """Return what the levels of a condition fill in, by name."""
        pairs = zip(self._factors, condition.levels, strict=True)
        return values_of([(factor, factor.levels[level]) for factor, level in pairs])

    def render(self, condition: Condition, variant: Variant, trial: int = 1) -> Prompt:
        """Render what is sent for a trial of a condition; all are alike where nothing is shuffled.

        A model without a system role gets the system message joined to the first one of the user.

        Raises:
            ConfigError: a message names what is not there.
        """
        experiment = self._experiment
        one = condition.levels[-1] if experiment.questions.each else ""
        asked = self._asked[one]
        if experiment.shuffle:
            shown = arranged(experiment.questions, experiment.shuffle, condition.stem, trial)
            own = [q for q in shown.questions if one in ("", q.id)]
            asked = asked_of(replace(shown, questions=tuple(own)))
        values = self.values(condition) | asked
        if experiment.messages:
            turns = [
                Message(
                    role=message.role,
                    content=fill(message.content, values, f"messages[{place}]", message=True).strip(
                        "\n"
                    ),
                    images=images_in(message, values, place),
                )
                for place, message in enumerate(experiment.messages)
            ]
        else:
            wording = experiment.questions.templates[variant]
            user = fill(wording, values, f"question.{variant}").strip("\n")
            turns = [Message(role="user", content=user)]
            if "persona" in values:
                turns.insert(0, Message(role="system", content=values["persona"]))
        return _prompt(turns, system_role=experiment.model.system_role)


def alone(questions: QuestionSet) -> list[QuestionSet]:
    """Return what single requests ask: all questions, or each one of its own."""
    if not questions.each:
        return [questions]
    return [replace(questions, questions=(question,)) for question in questions.questions]


def images_in(message: Message, values: Mapping[str, str], place: int) -> tuple[str, ...]:
    """Return the pictures of a message, by its place among all.

    Raises:
        ConfigError: an entry names what is not there.
    """
    return tuple(
        fill(entry, values, f"messages[{place}].images[{number}]", message=True).strip()
        for number, entry in enumerate(message.images)
    )


def values_of(levels: Iterable[tuple[Factor, Level]]) -> dict[str, str]:
    """Return what the levels of one condition put in the place of `{factor}` and `{factor.field}`."""
    values: dict[str, str] = {}
    for factor, level in levels:
        name, fields = factor.name, level.fields
        if name == "text" and factor.main is not None:
            fields = {**fields, factor.main: fields[factor.main].rstrip("\n")}
            values |= {short: fields[short] for short in SHORT_FORMS if short in fields}
        values[name] = level.id if factor.main is None else fields[factor.main]
        for field, value in fields.items():
            values[f"{name}.{field}"] = value
    return values


def asked_of(questions: QuestionSet) -> dict[str, str]:
    """Return what stands in the place of the names in `ASKED`."""
    listed = "\n".join(map(_listed, questions.questions))
    to_fill_in = form(questions)
    return {
        "items": f"{listed}\n\n{to_fill_in}",
        "questions": listed,
        "form": to_fill_in,
        "object": skeleton(questions),
    }


def _listed(question: Question) -> str:
    """Return a question as the list of all shows it, with what its numbers mean."""
    said = name_of(question)
    if question.ask:
        said = f"{said}: {question.ask}"
    anchors = ", ".join(f"{number} = {word}" for number, word in question.anchors.items())
    said = f"{said} ({anchors})" if anchors else said
    return f"{said}\nJSON Schema: {question.schema}" if question.schema else said


def _prompt(turns: list[Message], *, system_role: bool) -> Prompt:
    said = [turn.content for turn in turns if turn.role == "system"]
    system = "\n\n".join(said) if said else None
    others = [turn for turn in turns if turn.role != "system"]
    if system is not None and not system_role:
        others[0] = Message(
            role="user", content=f"{system}\n\n{others[0].content}", images=others[0].images
        )
        system = None
    *earlier, last = others
    return Prompt(system=system, user=last.content, earlier=tuple(earlier), images=last.images)
