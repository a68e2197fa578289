"""The filters that a list of jobs can be asked with: `labels.shard="ab" AND NOT state=…`."""

import re
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from runner.emulator.google_shapes import GoogleError

_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<word>AND|OR|NOT)\b|"
    r'(?P<field>[A-Za-z_][\w.-]*)\s*(?P<by><=|>=|!=|[=:<>])\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s()]+)))'
)
_SPELLINGS = {
    "displayName": "display_name",
    "modelDisplayName": "model_display_name",
    "createTime": "create_time",
}
_FIELDS = {"display_name": "displayName", "state": "state", "create_time": "createTime"}

Job = dict[str, Any]
Wanted = Callable[[Job], bool]


def wanted(text: str) -> Wanted:
    """Return what a filter lets through."""
    if not text.strip():
        return lambda _: True
    tokens = list(_tokens(text))
    found = _either(tokens)
    if tokens:
        raise _invalid(text)
    return found


def _tokens(text: str) -> list[re.Match[str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _invalid(text[at:])
        found.append(match)
        at = match.end()
    return found


def _either(tokens: list[re.Match[str]]) -> Wanted:
    parts = [_both(tokens)]
    while tokens and tokens[0]["word"] == "OR":
        tokens.pop(0)
        parts.append(_both(tokens))
    return lambda job: any(part(job) for part in parts)


def _both(tokens: list[re.Match[str]]) -> Wanted:
    parts = [_one(tokens)]
    while tokens and tokens[0]["word"] == "AND":
        tokens.pop(0)
        parts.append(_one(tokens))
    return lambda job: all(part(job) for part in parts)


def _one(tokens: list[re.Match[str]]) -> Wanted:
    if not tokens:
        raise _invalid("")
    token = tokens.pop(0)
    if token["word"] == "NOT":
        part = _one(tokens)
        return lambda job: not part(job)
    if token["open"]:
        inside = _either(tokens)
        if not tokens or not tokens.pop(0)["close"]:
            raise _invalid("(")
        return inside
    if token["field"] is None:
        raise _invalid(token[0])
    value = token["quoted"] if token["quoted"] is not None else token["bare"]
    return _comparison(token["field"], token["by"], value)


def _comparison(field: str, by: str, value: str) -> Wanted:
    field = _SPELLINGS.get(field, field)
    if field.startswith("labels."):
        label = field.removeprefix("labels.")
        if by == ":" and value == "*":
            return lambda job: label in job.get("labels", {})
        if by in "=:":
            return lambda job: job.get("labels", {}).get(label) == value
        if by == "!=":
            return lambda job: job.get("labels", {}).get(label) != value
    name = _FIELDS.get(field)
    if name is None:
        raise _invalid(field)
    if name == "createTime":
        return _in_time(by, value)
    tests: dict[str, Wanted] = {
        "=": lambda job: bool(job[name] == value),
        "!=": lambda job: bool(job[name] != value),
        ":": lambda job: fnmatchcase(job[name], value),
    }
    if by not in tests:
        raise _invalid(f"{field}{by}")
    return tests[by]


def _in_time(by: str, value: str) -> Wanted:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _invalid(value) from None
    tests: dict[str, Callable[[datetime], bool]] = {
        "=": lambda made: made == moment,
        "<": lambda made: made < moment,
        ">": lambda made: made > moment,
        "<=": lambda made: made <= moment,
        ">=": lambda made: made >= moment,
    }
    if by not in tests:
        raise _invalid(f"create_time{by}")
    return lambda job: tests[by](datetime.fromisoformat(job["createTime"]))


def _invalid(what: str) -> GoogleError:
    return GoogleError(400, f"Invalid filter: {what}")
