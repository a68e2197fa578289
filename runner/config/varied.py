"""What the jobs of a sweep were told differently: columns of their tables, and what tells them apart."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.config.schema import GROUPS
from runner.config.settings import Settings
from runner.core.definition import VARIED
from runner.core.model import JsonObject, Kept

_HAS_A_COLUMN = frozenset(
    (
        *("provider", "provider.model", "experiment", "name", "trials", "temperatures"),
        *("personas", "texts", "persona", "text"),
    )
)
"""Settings that every table shows."""
_NOT_OURS = ("hydra", "hydra/")
_EXACT = 2**53
"""No whole number from here on is exact beside numbers with a point."""


def varied(jobs: Sequence[Settings]) -> list[dict[str, JsonObject]]:
    """Return, for each job of a sweep, its columns: the setting, the kind of column and the value.

    Settings that have a column already are left out, and so are those that all jobs share.
    """
    told = [_told(job) for job in jobs]
    keys = [
        key
        for key in dict.fromkeys(key for one in told for key in one)
        if key not in _HAS_A_COLUMN
        and not key.startswith(_NOT_OURS)
        and len({_said(job, one, key) for job, one in zip(jobs, told, strict=True)}) > 1
    ]
    taken = {name for job in jobs for name in job.experiment.factors}
    columns = dict(zip(keys, _columns(keys, taken), strict=True))
    values = {
        key: [_value(job, one, key) for job, one in zip(jobs, told, strict=True)] for key in keys
    }
    kinds = {key: _kind(key, some) for key, some in values.items()}
    return [
        {
            columns[key]: {
                "setting": key,
                "kind": kinds[key],
                "value": _as_kind(values[key][number], kinds[key]),
            }
            for key in keys
        }
        for number in range(len(jobs))
    ]


def agreed(jobs: Iterable[Mapping[str, JsonObject]]) -> dict[str, JsonObject]:
    """Return the columns in which jobs that share a folder are alike: a table has one value of each."""
    first, *others = jobs
    return {
        column: cell
        for column, cell in first.items()
        if all(other.get(column) == cell for other in others)
    }


def _told(job: Settings) -> dict[str, str]:
    """Return what the command line says of a job, by setting."""
    words = (word.lstrip("+").partition("=") for word in job.overrides if "=" in word)
    return {key: value for key, _, value in words}


def _said(job: Settings, told: Mapping[str, str], key: str) -> str:
    return json.dumps(_value(job, told, key), sort_keys=True)


def _value(job: Settings, told: Mapping[str, str], key: str) -> Any:
    """Return what a setting is in a job: the file that was chosen, or the value."""
    found: Any = job.resolved
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if key in GROUPS:
        named = found.get("name") if isinstance(found, Mapping) else None
        return told[key].strip("'\"") if key in told else named
    return found


def _columns(keys: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Name a column after the last part of its setting, or after all of it where that is not enough."""
    short = [VARIED + _plain(key.rpartition(".")[2]) for key in keys]
    return [
        VARIED + _plain(key) if short.count(name) > 1 or name in taken else name
        for key, name in zip(keys, short, strict=True)
    ]


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)


def _kind(key: str, values: Sequence[Any]) -> str:
    """Return the kind of a column, in polars' words; numbers of the user's own may have a point."""
    there = [value for value in values if value is not None]
    kinds = {type(value) for value in there}
    if kinds == {bool}:
        return "Boolean"
    if not kinds or not kinds <= {int, float} or any(abs(value) >= _EXACT for value in there):
        return "String"
    is_own = key.startswith("provider.parameters.")
    return "Int64" if kinds == {int} and not is_own else "Float64"


def _as_kind(value: Any, kind: str) -> Kept:
    if value is None or kind in ("Boolean", "Int64"):
        found: Kept = value
        return found
    if kind == "Float64":
        return float(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
