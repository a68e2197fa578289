"""What items, options and levels are called in each language: what a report shows, and no prompt has."""

from collections.abc import Mapping
from typing import Any

from runner.config.checks import LANGUAGES
from runner.config.problems import Problems, did_you_mean
from runner.config.schema import Config

Labels = Mapping[str, Mapping[str, str]]
"""By what is called so, as items.Q1, options.Q1.yes or levels.persona.p1: what it is called by language,
and under `of` what it is called where a language has no word of its own."""
OF = "of"
NO_LABELS: Labels = {}
_FILES = ("levels.persona.", "levels.text.")


def take_labels(config: Config, problems: Problems) -> Labels:
    """Take the labels out of a configuration, and leave of each only what is sent.

    Of an item or an option that is the one in `question.lang`, never the first of the file: programs
    that write YAML sort its keys, and a prompt must not change with that. Of levels nothing is sent.
    What is wrong with a label is noted.

    Returns:
        What stands in more than one language, or beside a name; most studies have none of it.
    """
    taken = _Taken(config.question.lang, problems)
    for id_, item in (config.items or config.question.items).items():
        item.label = taken.sent(f"items.{id_}", item.label, id_)
        rows = item.options if isinstance(item.options, Mapping) else {}
        for option, row in rows.items():
            if isinstance(row, dict) and "label" in row:
                row["label"] = taken.sent(f"options.{id_}.{option}", row["label"], str(option))
    for id_, persona in config.persona.items():
        taken.note(f"levels.persona.{id_}", persona.label, persona.name)
    for id_, text in config.text.items():
        taken.note(f"levels.text.{id_}", text.label, text.title)
    for name, factor in config.factors.items():
        levels = factor.get("levels") if isinstance(factor, Mapping) else None
        for id_, row in levels.items() if isinstance(levels, Mapping) else ():
            if isinstance(row, dict) and isinstance(row.get("label"), Mapping):
                taken.note(f"levels.{name}.{id_}", row.pop("label"), str(id_))
    return taken.labels


class _Taken:
    """The labels that were taken so far."""

    def __init__(self, lang: str, problems: Problems) -> None:
        self.labels: dict[str, dict[str, str]] = {}
        self._lang, self._problems = lang, problems

    def sent(self, key: str, label: Any, name: str) -> str:
        """Return the label that is sent, none where there is only the name."""
        if not isinstance(label, Mapping):
            return str(label or "")
        said = f"label: has no {self._lang}, the language that is asked in (question.lang)"
        if not self._lang:
            said = "label: which language is asked in? say question.lang: ja or en"
        self._problems.check(self._lang in label, key, said)
        sent = str(label.get(self._lang) or "")
        self.note(key, label, sent or name)
        return sent

    def note(self, key: str, label: Any, of: str) -> None:
        """Keep a label, with what is called so without it."""
        said = label if isinstance(label, Mapping) else dict.fromkeys(LANGUAGES, label)
        if isinstance(label, Mapping):
            where = key.removeprefix("levels.") if key.startswith(_FILES) else key
            for language, text in label.items():
                wrong = did_you_mean(str(language), LANGUAGES)
                self._problems.check(language in LANGUAGES, where, f"label: {language!r}; {wrong}")
                is_there = bool(str(text or "").strip())
                self._problems.check(is_there, where, f"label.{language}: is empty")
            self._problems.check(bool(label), where, "label: write {ja: …, en: …}")
        if said and label not in (of, ""):
            self.labels[key] = {OF: of, **{str(lang): str(text) for lang, text in said.items()}}
