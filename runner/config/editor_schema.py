"""The JSON Schema of an experiment's file, for editors; conf/experiment.schema.json holds it.

It lets everything pass that the program takes, and marks keys that do not exist. What it cannot say,
as which factors a message may name, the program says. Written anew with
`python -m runner.config.editor_schema`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from runner.config import options
from runner.config.checks import CHOICES, LANGUAGES
from runner.config.items import KINDS
from runner.config.schema import Config, ItemConfig, ProviderConfig, TrialsConfig
from runner.config.shipped import EDITOR_SCHEMA, SHIPPED
from runner.config.typed import Label, Trials, inner, without_none

_PLAIN: Final = {"type": ["string", "number", "boolean"]}
"""What the program takes for text: the characters that stand there."""
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}
_TRUTHS: Final = {"enum": [True, False, "yes", "no", "on", "off"]}
_NULL: Final = {"type": "null"}


def experiment_schema() -> dict[str, Any]:
    """Return the schema of what stands in conf/experiment/*.yaml."""
    options.learn(SHIPPED)
    said = dict(comments((SHIPPED / "config.yaml").read_text(encoding="utf-8")))
    made = _section(Config, "", said)
    made["properties"] |= {"defaults": {"type": "array"}, "hydra": {"type": "object"}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "An experiment of Chorus",
        **made,
    }


def _section(kind: type, path: str, said: dict[str, str]) -> dict[str, Any]:
    """Return the schema of one dataclass, with no other keys than its own."""
    names = [field.name for field in fields(kind)]
    if kind is ProviderConfig:
        names += options.types()
    properties = {}
    for name in names:
        where = f"{path}.{name}".lstrip(".")
        properties[name] = _value(inner(kind, name), where, said)
        if kind is ItemConfig and name == "kind":
            properties[name] = {"enum": list(KINDS)}
        if where in said:
            properties[name] = {"description": said[where], **properties[name]}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _value(kind: Any, path: str, said: dict[str, str]) -> dict[str, Any]:
    """Return the schema of one setting."""
    bare, optional = without_none(kind)
    if path in CHOICES:
        return _or({"enum": [str(word) for word in CHOICES[path]]}, _REFERENCE)
    if isinstance(bare, type) and is_dataclass(bare):
        made = _section(bare, path, said)
        return {"anyOf": [made, _NULL]} if optional else made
    if get_origin(bare) is dict:
        values = _value(get_args(bare)[-1], f"{path}.*", said)
        return _or({"type": "object", "additionalProperties": values}, optional=optional)
    if get_origin(bare) is list:
        items = _value(get_args(bare)[-1], f"{path}.*", said)
        return _or({"type": "array", "items": items}, _REFERENCE, optional=optional)
    if bare is Trials:
        return _or({"type": "integer"}, _section(TrialsConfig, path, said), _REFERENCE)
    if bare is Label:
        words = {"type": "object", "properties": dict.fromkeys(LANGUAGES, _PLAIN)}
        return _or(_PLAIN, {**words, "additionalProperties": False})
    if bare is int:
        return _or({"type": "integer"}, _REFERENCE, optional=optional)
    if bare is float:
        return _or({"type": "number"}, _REFERENCE, optional=optional)
    if bare is bool:
        return _or(_TRUTHS, _REFERENCE, optional=optional)
    return _or(_PLAIN, optional=optional) if bare is str else {}


def _or(*allowed: dict[str, Any], optional: bool = False) -> dict[str, Any]:
    found = [*allowed, *([_NULL] if optional else [])]
    return found[0] if len(found) == 1 else {"anyOf": found}


_LINE: Final = re.compile(r" *(?P<key>\w+:[^#]*)?#(?P<text>.*)")


def comments(text: str) -> Iterator[tuple[str, str]]:
    """Yield each setting of config.yaml that has a comment behind it, and the comment.

    Args:
        text: the file's; what goes on in lines with a comment alone belongs to the one above.
    """
    parts: list[str] = []
    path: list[str] = []
    for line in [*text.splitlines(), ""]:
        found = _LINE.fullmatch(line)
        goes_on = found is not None and found["key"] is None and bool(line[:1].isspace())
        if found and goes_on and parts:
            parts.append(found["text"].strip())
            continue
        if parts:
            yield ".".join(path), " ".join(parts)
            parts = []
        key = re.match(r"(?P<indent> *)(?P<name>\w+):", line)
        if key:
            path = [*path[: len(key["indent"]) // 2], key["name"]]
            parts = [found["text"].strip()] if found else []


def text() -> str:
    """Return the schema as its file holds it."""
    return json.dumps(experiment_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(SHIPPED / EDITOR_SCHEMA).write_text(text(), encoding="utf-8")
