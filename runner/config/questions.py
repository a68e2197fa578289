"""A question set: checked, and translated into the nouns of runner.core."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.config.problems import IDENTIFIER, Problems, did_you_mean
from runner.config.schema import ItemConfig, PatternConfig, QuestionConfig
from runner.core.errors import ConfigError
from runner.core.extract.options import names_in
from runner.core.extract.reader import Reader
from runner.core.model import Option, Pattern, PatternKind, Question, QuestionSet, Variant
from runner.core.prompt import (
    FORM_FIELDS,
    TEMPLATE_FIELDS,
    fill,
    form_of,
    options_shown,
    placeholders,
)

_WHOLE = re.compile(r"-?[0-9]{1,9}")
KINDS = ("number", "choice")
"""What an answer to an item may be."""


def questions_of(
    row: QuestionConfig,
    items: Mapping[str, ItemConfig],
    factors: Sequence[str],
    problems: Problems,
) -> QuestionSet:
    """Translate a question set; what is wrong with it is noted.

    Args:
        row: of conf/question/*.yaml.
        items: the experiment's own, in the place of that file's.
        factors: what a wording may name besides personas and texts.
        problems: takes what is wrong.
    """
    where = f"question/{row.name}.yaml"
    listed = "items" if items else f"{where}: items"
    items = items or row.items
    _check_items(items, listed, problems)
    problems.check(bool(row.value_patterns), f"{where}: value_patterns", "no pattern is declared")
    wordings = _wordings(row, factors, where, problems)
    _check_patterns(row, where, problems)
    for key, item in items.items():
        lines = row.form if item.reason or not row.form_value else row.form_value
        problems.check(
            item.kind != "choice" or "{options}" in lines,
            f"{where}: form",
            f"does not name {{options}}, which {key} needs; question=english has an example",
        )
    return _translated(row, items, wordings)


def _check_items(items: Mapping[str, ItemConfig], where: str, problems: Problems) -> None:
    problems.check(bool(items), where, "no question is declared")
    for key, item in items.items():
        good = IDENTIFIER.fullmatch(str(key)) is not None
        problems.check(good, f"{where}.{key}", "allowed: letters, digits, - and _")
        problems.check(
            item.kind in KINDS,
            f"{where}.{key}.kind",
            f"{item.kind!r}; {did_you_mean(item.kind, KINDS)}",
        )
        _check_options(item, f"{where}.{key}", problems)
        for number in item.anchors:
            is_whole = item.kind == "number" and _WHOLE.fullmatch(number) is not None
            problems.check(
                is_whole and item.minimum <= int(number) <= item.maximum,
                f"{where}.{key}.anchors",
                f"{number} is no answer to it; allowed: {item.minimum} to {item.maximum}",
            )
        problems.check(
            item.kind == "choice" or item.minimum < item.maximum,
            f"{where}.{key}",
            f"minimum {item.minimum} is not below maximum {item.maximum}",
        )


def _check_options(item: ItemConfig, where: str, problems: Problems) -> None:
    if item.kind != "choice":
        stray = item.kind in KINDS and item.options is not None
        problems.check(not stray, f"{where}.options", "only a kind: choice has options")
        return
    options = options_of(item)
    problems.check(len(options) > 1, f"{where}.options", "allowed: two or more, as [yes, no]")
    owners: dict[str, str] = {}
    for option, names in zip(options, names_in(options), strict=True):
        for name in names:
            problems.check(bool(name), f"{where}.options", f"{option.id!r} has an empty name")
            other = owners.setdefault(name, option.id)
            problems.check(
                other == option.id,
                f"{where}.options",
                f"{option.id!r} and {other!r} are both called {name!r}",
            )


def options_of(item: ItemConfig) -> tuple[Option, ...]:
    """Return the options of a choice: words, or ids with a label or with aliases."""
    said = item.options
    if isinstance(said, list):
        said = dict.fromkeys(said) if all(isinstance(word, str) for word in said) else None
    if not isinstance(said, dict):
        return ()
    return tuple(_option(str(id_), row) for id_, row in said.items())


def _option(id_: str, row: Any) -> Option:
    if isinstance(row, list):
        return Option(id=id_, aliases=tuple(map(str, row)))
    if isinstance(row, dict):
        aliases = row.get("aliases") or []
        return Option(id=id_, label=str(row.get("label") or ""), aliases=tuple(map(str, aliases)))
    return Option(id=id_, label=str(row or ""))


def _wordings(
    row: QuestionConfig, factors: Sequence[str], where: str, problems: Problems
) -> dict[Variant, str]:
    """Return the wordings that are used; all that stand in the file are checked."""
    wordings = {Variant.PLAIN: row.plain, Variant.ENHANCED: row.enhanced}
    if row.answer == "json":
        wordings = {Variant.PLAIN: row.plain_json, Variant.ENHANCED: row.enhanced_json}
        for variant, wording in wordings.items():
            problems.check(
                "{object}" in wording,
                f"{where}: {variant}_json",
                "with question.answer=json this has to ask for a JSON object, with {object} where "
                "it stands; conf/question/literary.yaml has an example",
            )
    fields = (*TEMPLATE_FIELDS, "items", *factors)
    for key, template, allowed in (
        ("form", row.form, FORM_FIELDS),
        ("form_value", row.form_value, FORM_FIELDS),
        ("plain", row.plain, fields),
        ("enhanced", row.enhanced, fields),
        ("plain_json", row.plain_json, fields),
        ("enhanced_json", row.enhanced_json, fields),
    ):
        named = (name for name in placeholders(template) if name.partition(".")[0] in factors)
        try:
            fill(template, dict.fromkeys((*allowed, *named), ""), f"{where}: {key}")
        except ConfigError as error:
            problems.lines.append(str(error))
    return wordings


def _check_patterns(row: QuestionConfig, where: str, problems: Problems) -> None:
    for patterns in (
        row.value_patterns,
        row.reason_patterns,
        row.end_patterns,
        row.refusal_patterns,
    ):
        names = [p.name for p in patterns]
        for pattern in patterns:
            problems.check(
                pattern.kind in list(PatternKind),
                f"{where}: pattern {pattern.name!r}",
                f"kind {pattern.kind!r}; {did_you_mean(pattern.kind, list(PatternKind))}",
            )
        for name in {n for n in names if names.count(n) > 1}:
            problems.add(f"{where}: patterns", f"the name {name!r} stands twice")


def check_read(questions: QuestionSet) -> None:
    """Refuse options that would not be read where the form is filled in with them.

    Raises:
        ConfigError: naming the item and the option.
    """
    choices = [q for q in questions.questions if q.options]
    if not choices:
        return
    reader = Reader(questions)
    for question in choices:
        for number, option in enumerate(question.options, 1):
            lines = form_of(questions, question).replace(
                f"[{options_shown(question)}]", option.shown, 1
            )
            if reader.by_patterns(lines)[question.id].value != number:
                raise ConfigError(
                    f"items.{question.id}.options: {option.shown!r} would not be read out of the form "
                    f"{lines.splitlines()[0]!r}: give it another label"
                )


def _translated(
    row: QuestionConfig, items: Mapping[str, ItemConfig], wordings: Mapping[Variant, str]
) -> QuestionSet:
    return QuestionSet(
        name=row.name,
        questions=tuple(_question(str(key), item) for key, item in items.items()),
        form=row.form,
        form_value=row.form_value,
        templates=wordings,
        value_patterns=_patterns(row.value_patterns),
        reason_patterns=_patterns(row.reason_patterns),
        end_patterns=_patterns(row.end_patterns),
        refusal_patterns=_patterns(row.refusal_patterns),
        value_words=tuple(row.value_words),
        reason_words=tuple(row.reason_words),
        kanji_numbers=row.kanji_numbers,
    )


def _question(id_: str, item: ItemConfig) -> Question:
    options = options_of(item) if item.kind == "choice" else ()
    return Question(
        id=id_,
        label=item.label or id_,
        minimum=1 if options else item.minimum,
        maximum=len(options) or item.maximum,
        integer=item.integer or bool(options),
        reason_required=item.reason and item.reason_required,
        aliases=tuple(item.aliases),
        asks_reason=item.reason,
        ask=item.ask,
        anchors={int(n): word for n, word in item.anchors.items() if _WHOLE.fullmatch(n)},
        options=options,
    )


def _patterns(rows: Iterable[PatternConfig]) -> tuple[Pattern, ...]:
    """Translate patterns; one of no kind that there is was noted, and stands in for a line."""
    kinds = {kind.value: kind for kind in PatternKind}
    return tuple(
        Pattern(name=p.name, regex=p.regex, kind=kinds.get(p.kind, PatternKind.LINE)) for p in rows
    )
