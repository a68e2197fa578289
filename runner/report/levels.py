"""What levels are called in the report's language; no two share a name."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from runner.core.definition import factor_names, levels_in
from runner.tables.called import Called
from runner.tables.runs import StoredRun

Names = Mapping[tuple[str, str], str]
"""The name of each level of one factor, by experiment and id."""
MANY_LEVELS = 40
"""A factor of more levels is not shown level by level."""
Level = tuple[str, str, str, str | None]
"""Experiment, id, name, and a digest of what is asked with it; an imported table has no digest."""


def level_names(runs: Sequence[StoredRun], called: Called) -> dict[str, Names]:
    """Return the names of the levels of every factor that some run has, by factor, in order."""
    rows: dict[str, list[Level]] = {
        factor: [] for run in runs for factor in factor_names(run.definition)
    }
    for run in runs:
        for factor, id_, name, asked in levels_in(run.definition):
            shown = called(f"levels.{factor}.{id_}", name or id_)
            rows[factor].append((run.experiment, id_, shown, asked))
    return {factor: _names(entries) for factor, entries in rows.items()}


def _names(entries: Iterable[Level]) -> dict[tuple[str, str], str]:
    """Return a name for each level of a factor, by experiment and id.

    The same id with another definition is another level. An imported table has ids only; they
    stand for the one definition of that id, when there is one.

    Args:
        entries: the levels, of all experiments.
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
        groups.setdefault(group, (name, experiment))
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
