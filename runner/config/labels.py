"""What items, options and levels are called in each language: what a report shows, and no prompt has."""

from collections.abc import Iterator, Mapping
from typing import Any

from runner.config.checks import LANGUAGES
from runner.config.items import asked_as, options_of
from runner.config.problems import Problems, did_you_mean
from runner.config.schema import Config

Labels = Mapping[str, Mapping[str, str]]
"""By what is called so, as items.Q1, options.Q1.yes or levels.persona.p1: what it is called by language,
and under `of` what it is called where a language has no word of its own."""
OF = "of"
_FILES = ("levels.persona.", "levels.text.")


def check_labels(config: Config, problems: Problems) -> None:
    """Note labels in languages that a report has not, and empty ones."""
    for key, _, label in _said(config):
        if not isinstance(label, Mapping):
            continue
        where = key.removeprefix("levels.") if key.startswith(_FILES) else key
        for language, text in label.items():
            wrong = did_you_mean(str(language), LANGUAGES)
            problems.check(language in LANGUAGES, where, f"label: {language!r}; {wrong}")
            problems.check(bool(str(text or "").strip()), where, f"label.{language}: is empty")
        problems.check(bool(label), where, "label: write {ja: …, en: …}")


def ask_in_its_language(config: Config, problems: Problems) -> None:
    """Put the label that is sent before those in other languages; the file's order says nothing.

    Programs that write YAML sort its keys, and a prompt must not change with that.
    """
    lang = config.question.lang
    for id_, item in (config.items or config.question.items).items():
        item.label = _first(item.label, lang, f"items.{id_}", problems)
        rows = item.options if isinstance(item.options, Mapping) else {}
        for option, row in rows.items():
            if isinstance(row, dict) and "label" in row:
                row["label"] = _first(row["label"], lang, f"options.{id_}.{option}", problems)


def _first(label: Any, lang: str, where: str, problems: Problems) -> Any:
    if not isinstance(label, Mapping):
        return label
    said = f"label: has no {lang}, the language that is asked in (question.lang)"
    if not lang:
        said = "label: which language is asked in? say question.lang: ja or en"
    problems.check(lang in label, where, said)
    return {lang: label.get(lang), **label}


def labels_of(config: Config) -> Labels:
    """Return what stands in more than one language, or beside a name; most studies have none of it."""
    return {
        key: {OF: of, **{str(language): str(text) for language, text in said.items()}}
        for key, of, label in _said(config)
        if (said := label if isinstance(label, Mapping) else dict.fromkeys(LANGUAGES, label))
        and label not in (of, "")
    }


def _said(config: Config) -> Iterator[tuple[str, str, Any]]:
    """Yield what may have a label: its key, what it is called without, and what is said of it."""
    for id_, item in (config.items or config.question.items).items():
        yield f"items.{id_}", asked_as(item.label) or id_, item.label
        rows = item.options if isinstance(item.options, Mapping) else {}
        for option in options_of(item):
            row = rows.get(option.id)
            label = row.get("label") if isinstance(row, Mapping) else None
            yield f"options.{id_}.{option.id}", option.shown, label or ""
    for id_, persona in config.persona.items():
        yield f"levels.persona.{id_}", persona.name, persona.label
    for id_, text in config.text.items():
        yield f"levels.text.{id_}", text.title, text.label
    for name, factor in config.factors.items():
        levels = factor.get("levels") if isinstance(factor, Mapping) else None
        for id_, row in levels.items() if isinstance(levels, Mapping) else ():
            if isinstance(row, Mapping) and isinstance(row.get("label"), Mapping):
                yield f"levels.{name}.{id_}", str(id_), row["label"]
