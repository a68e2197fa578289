"""What makes an experiment the same experiment, and how two versions of it differ.

Personas, texts and temperatures may be added under the same name; what was already asked may not
change. The comparison is of contents, so that a changed comma in a text is found.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from runner.core.model import Condition, Enhance, Experiment, Variant

GROWING = ("personas", "texts", "conditions")
"""Sections whose entries may come and go; an entry present on both sides has to be equal."""


def define(experiment: Experiment, conditions: list[Condition]) -> dict[str, Any]:
    """Return the definition as JSON-ready data, texts by their hash."""
    questions = experiment.questions
    return {
        "model": {
            "provider": experiment.model.provider,
            "name": experiment.model.name,
            "system_role": experiment.model.system_role,
            "max_output_tokens": experiment.model.max_output_tokens,
            "parameters": experiment.model.parameters,
            **({"arguments": " ".join(a)} if (a := experiment.model.arguments) else {}),
        },
        "prompt": {
            "first": (
                Variant.ENHANCED if experiment.enhance is Enhance.ALWAYS else Variant.PLAIN
            ).value,
            "form": questions.form,
            **{variant.value: questions.templates[variant] for variant in Variant},
        },
        "questions": {
            q.id: {
                "label": q.label,
                "minimum": q.minimum,
                "maximum": q.maximum,
                "integer": q.integer,
                "reason_required": q.reason_required,
            }
            for q in questions.questions
        },
        "personas": {
            p.id: {"name": p.name, "system": p.system} for p in experiment.personas.values()
        },
        "texts": {
            t.id: {
                "title": t.title,
                "author": t.author,
                "year": t.year,
                "sha256": sha256(t.body.encode()).hexdigest(),
            }
            for t in experiment.texts.values()
        },
        "conditions": {
            c.stem: {
                "persona": c.persona,
                "text": c.text,
                "temperature": None if c.temperature is None else str(c.temperature),
            }
            for c in conditions
        },
    }


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old definition with the new entries added; call only when nothing differs."""
    return {**old, **new, **{key: {**old[key], **new[key]} for key in GROWING}}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say what changed, a line each, as `texts.t1.sha256: '…' -> '…'`; empty when nothing did."""
    lines: list[str] = []
    for section in old:
        before, after = old[section], new.get(section, {})
        if section in GROWING:
            before = {key: value for key, value in before.items() if key in after}
            after = {key: value for key, value in after.items() if key in before}
        flat_before, flat_after = dict(_flat(before, section)), dict(_flat(after, section))
        for key in [*flat_before, *(k for k in flat_after if k not in flat_before)]:
            one, two = flat_before.get(key), flat_after.get(key)
            if one != two:
                lines.append(f"{key}: {_excerpt(one, two)} -> {_excerpt(two, one)}")
    return lines


def variants(definitions: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Name what several definitions of one experiment and model ask, 8 hex digits each.

    A name covers what must not change, and of what may grow only the entries that differ between
    these: an added persona renames nothing.

    Returns:
        A name a definition, the same for those that share a folder; None when all do.
    """
    contested: dict[str, set[str]] = {}
    for section in GROWING:
        seen: dict[str, Any] = {}
        contested[section] = {
            key
            for definition in definitions
            for key, entry in definition[section].items()
            if seen.setdefault(key, entry) != entry
        }
    names = [
        fingerprint(
            {
                section: {k: v for k, v in entries.items() if k in contested[section]}
                if section in GROWING
                else entries
                for section, entries in definition.items()
            }
        )[:8]
        for definition in definitions
    ]
    return None if len(set(names)) <= 1 else names


def fingerprint(definition: Mapping[str, Any]) -> str:
    """Return 12 hex digits that name a definition."""
    text = "\n".join(f"{key}={value!r}" for key, value in sorted(_flat(definition, "")))
    return sha256(text.encode()).hexdigest()[:12]


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _excerpt(value: Any, other: Any, width: int = 40) -> str:
    """Show where two long strings part."""
    if not isinstance(value, str) or not isinstance(other, str) or len(value) <= width:
        return repr(value)
    start = next((i for i, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), 0)
    start = max(0, min(start, len(value)) - width // 4)
    return repr(("…" if start else "") + value[start : start + width] + "…")
