"""Panels: which models a study asks. `panel=NAME` reads conf/panel/NAME.yaml, a job of a sweep an entry."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.config.files import plain_yaml
from runner.config.problems import IDENTIFIER, did_you_mean
from runner.core.errors import ConfigError

SETTINGS = {
    "provider": "provider",
    "model": "provider.model",
    "temperatures": "temperatures",
    "reasoning": "provider.reasoning",
    "max_output_tokens": "provider.max_output_tokens",
    "parameters": "provider.parameters",
}
"""What an entry may say, and the setting that it is."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:/-]+")


def jobs_of(names: Sequence[str], folders: Sequence[Path]) -> list[list[str]]:
    """Return the words of the command line for each job of some panels.

    Args:
        names: of files in `panel/`.
        folders: the configuration's, the first one first.

    Raises:
        ConfigError: naming the file and the entry.
    """
    return [words for name in names for words in _panel(name, folders)]


def _panel(name: str, folders: Sequence[Path]) -> list[list[str]]:
    if not IDENTIFIER.fullmatch(name):
        raise ConfigError(f"panel={name}: allowed: the name of a file in conf/panel/")
    paths = [(folder / "panel" / f"{name}.yaml", folder) for folder in folders]
    found = next(((path, folder) for path, folder in paths if path.is_file()), None)
    if found is None:
        known = {p.stem for folder in folders for p in (folder / "panel").glob("*.yaml")}
        raise ConfigError(
            f"panel={name}: conf/panel/{name}.yaml does not exist; {did_you_mean(name, known)}"
        )
    content = plain_yaml(*found)
    jobs, where = content.get("jobs"), f"panel/{name}.yaml"
    if set(content) != {"jobs"} or not isinstance(jobs, list) or not jobs:
        raise ConfigError(
            f"{where}: holds jobs:, a list of {{provider: …, model: …}}, and nothing else"
        )
    return [_words(job, f"{where}: jobs[{place}]") for place, job in enumerate(jobs)]


def _words(job: Any, where: str) -> list[str]:
    if not isinstance(job, Mapping) or "provider" not in job:
        raise ConfigError(f"{where}: write {{provider: …, model: …}}")
    for key in job:
        if key not in SETTINGS:
            raise ConfigError(
                f"{where}.{key}: no such setting of a panel; {did_you_mean(key, SETTINGS)}"
            )
    return [f"{SETTINGS[key]}={_written(value, f'{where}.{key}')}" for key, value in job.items()]


def _written(value: Any, where: str) -> str:
    """Return a value in the grammar of the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{','.join(_written(item, where) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{_written(v, where)}" for k, v in value.items()) + "}"
    text = str(value)
    if not _PLAIN.fullmatch(text):
        raise ConfigError(f"{where}: {text!r}; allowed: letters, digits and . _ : / -")
    return text
