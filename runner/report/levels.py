"""What the levels of each factor are called; no two of one factor share a name."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from runner.core.definition import factors_in
from runner.tables.runs import StoredRun

Names = Mapping[tuple[str, str], str]
"""The name of each level of one factor, by experiment and id."""
MANY_LEVELS = 40
"""A factor of more levels is not shown level by level."""
Level = tuple[str, str | None, str | None]
"""Id, name, and a digest of what is asked with it; an imported table has no digest."""


def level_names(runs: Sequence[StoredRun]) -> dict[str, Names]:
    """Return the names of the levels of every factor that some run has, by factor, in order."""
    rows: dict[str, list[tuple[str, *Level]]] = {
        factor: [] for run in runs for factor in factors_in(run.definition)
    }
    for run in runs:
        for factor, level in levels_of(run.definition):
            rows[factor].append((run.experiment, *level))
    return {factor: _names(entries) for factor, entries in rows.items()}


def levels_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Level]]:
    """Yield the levels that a definition knows, each with its factor."""
    for key, row in definition["personas"].items():
        yield "persona", (key, row["name"], digest(row.get("system")))
    for key, row in definition["texts"].items():
        yield "text", (key, row["title"], row.get("sha256"))
    for key, row in definition.get("factors", {}).items():
        factor, _, id_ = key.partition(".")
        yield factor, (id_, None, row["sha256"])


def digest(text: str | None) -> str | None:
    """Return the SHA-256 of a text, in hex digits."""
    return None if text is None else sha256(text.encode()).hexdigest()


def _names(
    entries: Iterable[tuple[str, str, str | None, str | None]],
) -> dict[tuple[str, str], str]:
    """Return a name for each level of a factor, by experiment and id.

    The same id with another definition is another level. An imported table has ids only; they
    stand for the one definition of that id, when there is one.

    Args:
        entries: experiment, id, name, and a digest of the definition if there is one.
    """
    rows = list(dict.fromkeys(entries))
    digests: dict[str, list[str]] = {}
    for _, key, _, found in rows:
        if found is not None and found not in digests.setdefault(key, []):
            digests[key].append(found)
    groups: dict[tuple[str, str | None], tuple[str, str]] = {}
    for experiment, key, name, found in sorted(rows, key=lambda row: row[3] is None):
        known = digests.get(key, [])
        group = key, found if found or len(known) != 1 else known[0]
        groups.setdefault(group, (name or key, experiment))
    shown = Counter(name for name, _ in groups.values())
    with_id = [f"{name} ({key})" for (key, _), (name, _) in groups.items()]
    count = Counter(with_id)
    final = {}
    for index, (group, (name, experiment)) in enumerate(groups.items()):
        if shown[name] == 1:
            final[group] = name
        elif count[with_id[index]] == 1:
            final[group] = with_id[index]
        else:
            final[group] = f"{with_id[index]} [{experiment}]"
    return {
        (experiment, key): final[
            key, found if found or len(digests.get(key, [])) != 1 else digests[key][0]
        ]
        for experiment, key, _, found in rows
    }
