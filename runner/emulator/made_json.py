"""A value of JSON that a schema allows, as a model that keeps to it would answer."""

from typing import Any

from runner.emulator.dice import Dice

_DEEPEST = 6


def instance(
    schema: Any, words: tuple[str, ...], dice: Dice, root: Any = None, depth: int = 0
) -> Any:
    """Return a value; of what it does not know of a schema it keeps to nothing.

    Args:
        schema: of the value.
        words: what texts are made of.
        dice: decides.
        root: the whole schema, in which references are looked up.
        depth: of the value inside the whole one.
    """
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {} if depth == 0 else None
    if str(schema.get("$ref", "")).startswith("#/"):
        return instance(_looked_up(schema["$ref"], root), words, dice, root, depth + 1)
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return instance(schema[several][0], words, dice, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][dice.roll(len(schema["enum"]))]
    kinds = schema.get("type", "object")
    kind = str(kinds[0] if isinstance(kinds, list) else kinds).lower()
    if kind == "object":
        inside = schema.get("properties", {})
        return {name: instance(part, words, dice, root, depth + 1) for name, part in inside.items()}
    if kind == "array":
        least = int(schema.get("minItems", 0))
        count = least + dice.roll(max(1, int(schema.get("maxItems", least + 2)) - least + 1))
        part = schema.get("items", {"type": "string"})
        return [instance(part, words, dice, root, depth + 1) for _ in range(count)]
    return _plain(kind, schema, words, dice)


def _plain(kind: str, schema: dict[str, Any], words: tuple[str, ...], dice: Dice) -> Any:
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        high = schema.get("maximum", max(low, 10))
        number = low + (high - low) * dice.roll(101) / 100
        return int(number) if kind == "integer" else number
    if kind == "boolean":
        return dice.roll(2) == 0
    return words[dice.roll(len(words))] if kind == "string" else None


def _looked_up(reference: str, root: Any) -> Any:
    found = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found
