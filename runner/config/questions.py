"""A question set: checked, and translated into the nouns of runner.core."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from runner.config.items import check_items, question_of
from runner.config.problems import Problems, did_you_mean
from runner.config.schema import ItemConfig, PatternConfig, QuestionConfig
from runner.core.errors import ConfigError
from runner.core.extract.reader import Reader
from runner.core.model import (
    SLOTS,
    ItemKind,
    Pattern,
    PatternKind,
    Question,
    QuestionSet,
    Variant,
)
from runner.core.prompt import (
    FORM_FIELDS,
    SLOT_FIELDS,
    TEMPLATE_FIELDS,
    fill,
    form_of,
    options_shown,
    placeholders,
)


def questions_of(
    row: QuestionConfig,
    items: Mapping[str, ItemConfig],
    factors: Sequence[str],
    folders: Sequence[Path],
    problems: Problems,
) -> QuestionSet:
    """Translate a question set; what is wrong with it is noted.

    Args:
        row: of conf/question/*.yaml.
        items: the experiment's own, in the place of that file's.
        factors: what a wording may name besides personas and texts.
        folders: where a file that an item names is looked for.
        problems: takes what is wrong.
    """
    where = f"question/{row.name}.yaml"
    listed = "items" if items else f"{where}: items"
    items = items or row.items
    check_items(items, listed, problems)
    announcing = {*row.value_words, *row.reason_words}
    for key in items if len(items) > 1 or row.answer == "json" else ():
        announces = str(key).lower() in announcing
        said = (
            f"{key} announces a value or a reason in answers, as in '{key}: 4'; choose another id"
        )
        problems.check(not announces, f"{listed}.{key}", said)
    asked = tuple(question_of(str(key), item, folders, problems) for key, item in items.items())
    problems.check(bool(row.value_patterns), f"{where}: value_patterns", "no pattern is declared")
    wordings = _wordings(row, factors, where, problems)
    _check_patterns(row, where, problems)
    for key, item in items.items():
        lines = row.form if item.reason is not False or not row.form_value else row.form_value
        problems.check(
            item.kind == "number" or "{options}" in lines,
            f"{where}: form",
            f"does not name {{options}}, which {key} needs; question=english has an example",
        )
    return _translated(row, asked, wordings)


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
        *((f"slots.{kind}", slot, SLOT_FIELDS) for kind, slot in row.slots.items()),
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
    choices = [q for q in questions.questions if q.kind is ItemKind.CHOICE]
    if not choices:
        return
    reader = Reader(questions)
    for question in choices:
        for number, option in enumerate(question.options, 1):
            lines = form_of(questions, question).replace(
                f"[{options_shown(questions, question)}]", option.shown, 1
            )
            if reader.by_patterns(lines)[question.id].value != number:
                raise ConfigError(
                    f"items.{question.id}.options: {option.shown!r} would not be read out of the form "
                    f"{lines.splitlines()[0]!r}: give it another label"
                )


def _translated(
    row: QuestionConfig, asked: tuple[Question, ...], wordings: Mapping[Variant, str]
) -> QuestionSet:
    return QuestionSet(
        name=row.name,
        questions=asked,
        slots={**SLOTS, **row.slots},
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


def _patterns(rows: Iterable[PatternConfig]) -> tuple[Pattern, ...]:
    """Translate patterns; one of no kind that there is was noted, and stands in for a line."""
    kinds = {kind.value: kind for kind in PatternKind}
    return tuple(
        Pattern(name=p.name, regex=p.regex, kind=kinds.get(p.kind, PatternKind.LINE)) for p in rows
    )
