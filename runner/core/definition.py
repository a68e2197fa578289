"""What makes an experiment the same experiment, and how two versions of it differ.

Levels may be added under the same name; what was already asked may not
change. The comparison is of contents, so that a changed comma in a text is found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from runner.core.entries import (
    KEPT,
    Cells,
    Entries,
    LevelEntries,
    LevelPart,
    kept_column,
    starts_with,
)
from runner.core.expand import Conditions
from runner.core.level_table import LevelTable, are_many, ids_of, kept_of
from runner.core.model import (
    CHAT,
    Condition,
    Enhance,
    Experiment,
    Factor,
    ItemKind,
    Kept,
    Level,
    Order,
    Question,
    QuestionSet,
    Shuffle,
    Variant,
)
from runner.core.orders import ITEMS, Shuffled
from runner.core.prompt import fill, placeholders, values_of

GROWING = ("personas", "texts", "factors", "sent", "images", "conditions")
"""Sections whose entries may come and go; an entry present on both sides has to be equal."""
UNASKED = ("analysis",)
"""Sections of what is never sent; they may change."""
NOT_ASKED = "not asked"
"""Stands for the reason of a question that asks for none."""
FILE_COLUMNS = {
    "persona": {"name": "persona_name"},
    "text": {"title": "title", "author": "author"},
}
"""What the tables show of factors whose levels are files of their own, and how they call it."""
OFFERED = "offered"
"""The options of a question that is answered with several of them."""
VARIED = "set_"
"""What columns begin with that say a setting in which the jobs of a sweep differ."""


Levels = Mapping[str, Mapping[str, Kept]]
"""What the tables show of levels: by id, and by column."""


def define(experiment: Experiment, conditions: Sequence[Condition]) -> dict[str, Any]:
    """Return the definition as JSON-ready data, texts by their hash."""
    questions, names = experiment.questions, tuple(experiment.factors)
    return {
        "model": {
            "provider": experiment.model.provider,
            "name": experiment.model.name,
            "system_role": experiment.model.system_role,
            "max_output_tokens": experiment.model.max_output_tokens,
            "parameters": experiment.model.parameters,
            **({"arguments": " ".join(a)} if (a := experiment.model.arguments) else {}),
            **({"endpoint": e} if (e := experiment.model.endpoint) != CHAT else {}),
        },
        "prompt": {
            "first": (
                Variant.ENHANCED if experiment.enhance is Enhance.ALWAYS else Variant.PLAIN
            ).value,
            "form": questions.form,
            **(
                {}
                if all(q.asks_reason for q in questions.questions)
                else {"form_value": questions.form_value}
            ),
            **{variant.value: questions.templates[variant] for variant in Variant},
        },
        "questions": define_questions(questions),
        "personas": {
            level.id: {**level.kept, "system": level.fields["system"]}
            for level in _levels(experiment, "persona")
        },
        "texts": {
            level.id: {
                **level.kept,
                "year": level.fields["year"],
                "sha256": sha256(level.fields["text"].encode()).hexdigest(),
            }
            for level in _levels(experiment, "text")
        },
        **_other_factors(experiment),
        **_shuffle(experiment.shuffle),
        **_sent(experiment),
        **_analysis(questions),
        **_images(experiment),
        "conditions": _conditions(names, conditions),
    }


def _conditions(names: Sequence[str], conditions: Sequence[Condition]) -> Mapping[str, Any]:
    def entry(number: int) -> dict[str, Any]:
        condition = conditions[number]
        heat = condition.temperature
        return {
            **dict(zip(names, condition.levels, strict=True)),
            "temperature": None if heat is None else str(heat),
        }

    if are_many(len(conditions)) and isinstance(conditions, Conditions):
        return Entries(conditions.names, entry)
    return {c.stem: entry(number) for number, c in enumerate(conditions)}


def _analysis(questions: QuestionSet) -> dict[str, Any]:
    """Return what is made of the answers; it is never sent, and may change."""
    rows = {
        q.id: {
            **({"scale": q.scale} if q.scale else {}),
            **({"reverse": True} if q.is_reversed else {}),
            **({} if q.expected is None else {"expect": q.expected}),
        }
        for q in questions.questions
    }
    used = {key: row for key, row in rows.items() if row}
    return {"analysis": used} if used else {}


def _shuffle(shuffle: Shuffle) -> dict[str, Any]:
    if not shuffle:
        return {}
    said = {"items": shuffle.items.value, "options": shuffle.options.value, "seed": shuffle.seed}
    return {"shuffle": said}


def define_questions(questions: QuestionSet) -> dict[str, Any]:
    """Return what is asked, by question."""
    return {q.id: _question(q) for q in questions.questions}


def _question(q: Question) -> dict[str, Any]:
    """Return what is asked by one question; what an older version did not have is only there if it is used."""
    return {
        "label": q.label,
        "minimum": _number(q.minimum),
        "maximum": _number(q.maximum),
        "integer": q.integer,
        "reason_required": q.reason_required,
        **({} if q.asks_reason else {"reason": NOT_ASKED}),
        **({"ask": q.ask} if q.ask else {}),
        **({"anchors": {str(n): word for n, word in q.anchors.items()}} if q.anchors else {}),
        **_kind(q),
    }


def _number(bound: int | Decimal) -> int | float:
    return bound if isinstance(bound, int) else float(bound)


def _kind(q: Question) -> dict[str, Any]:
    """Return what is asked for that is no number."""
    options = {o.id: o.shown for o in q.options}
    order = {"order": ", ".join(options)} if options else {}
    if q.kind is ItemKind.NUMBER:
        return {} if q.is_required else {"required": False}
    if q.kind is ItemKind.CHOICE:
        return {"options": options, **order, **({} if q.is_required else {"required": False})}
    counts = {"at_least": q.at_least, "at_most": q.at_most} if q.kind is ItemKind.CHOICES else {}
    return {
        "kind": q.kind.value,
        "required": q.is_required,
        **({OFFERED: options} if options else {}),
        **order,
        **counts,
        **({"schema": q.schema} if q.schema else {}),
    }


def _levels(experiment: Experiment, name: str) -> Iterable[Level]:
    """Return the levels of a factor whose levels are files of their own; none where it is not."""
    factor = experiment.factors.get(name)
    return factor.levels.values() if factor and factor.from_files else ()


def _other_factors(experiment: Experiment) -> dict[str, Any]:
    """Return what studies have that vary something else than personas and texts."""
    others = [factor for factor in experiment.factors.values() if not factor.from_files]
    design = experiment.design
    if not others and not experiment.messages and not design.between:
        return {}
    return {
        "design": {
            "factors": ", ".join(experiment.factors),
            "items": ", ".join(q.id for q in experiment.questions.questions),
            **({"ask": "each"} if experiment.questions.each else {}),
            **({"paired": dict(design.paired)} if design.paired else {}),
            **{f"between.{name}": _between(experiment, name) for name in design.between},
            **({"sends": sends} if (sends := _sends(experiment)) else {}),
            **{f"messages[{n}].{m.role}": m.content for n, m in enumerate(experiment.messages)},
            **{
                f"messages[{n}].images": ", ".join(m.images)
                for n, m in enumerate(experiment.messages)
                if m.images
            },
        },
        "factors": _level_entries(experiment, others),
    }


def _level_entries(experiment: Experiment, factors: Sequence[Factor]) -> Mapping[str, Any]:
    """Return a digest of what is asked with each level, and what is kept of it."""
    found = LevelEntries(_part(experiment, factor) for factor in factors)
    is_large = any(isinstance(factor.levels, LevelTable) for factor in factors)
    return found if is_large else dict(found.items())


def _part(experiment: Experiment, factor: Factor) -> LevelPart:
    levels, ids = factor.levels, ids_of(factor.levels)

    def asked(place: int) -> str:
        level = levels[ids[place]]
        return _digest({**level.fields, **_pictures(experiment, factor, level)})

    if isinstance(levels, LevelTable):
        return LevelPart(factor=factor.name, ids=ids, asked=asked, kept=levels.kept)
    kept = {name: [v.kept.get(name) for v in levels.values()] for name in kept_of(levels)}
    return LevelPart(factor=factor.name, ids=ids, asked=asked, kept=kept)


def _between(experiment: Experiment, factor: str) -> str:
    """Return what decides which level of a factor a combination gets."""
    levels = ", ".join(sorted(experiment.factors[factor].levels))
    return f"one of {levels}, by seed {experiment.design.seed}"


def _sends(experiment: Experiment) -> dict[str, str]:
    return {name: factor.sends for name, factor in experiment.factors.items() if factor.sends}


def _sent(experiment: Experiment) -> dict[str, Any]:
    """Return what a request says at each combination of levels that are settings of it."""
    if not experiment.sent:
        return {}
    names = list(_sends(experiment))
    return {
        "sent": {
            ", ".join(f"{name}={id_}" for name, id_ in zip(names, key, strict=True)): {
                "max_output_tokens": sent.model.max_output_tokens,
                "parameters": sent.model.parameters,
                **({} if sent.temperature is None else {"temperature": str(sent.temperature)}),
            }
            for key, sent in experiment.sent.items()
        }
    }


def _images(experiment: Experiment) -> dict[str, Any]:
    """Return a digest of each picture's bytes; an address has none, and is what is asked itself."""
    found = {
        image.name: {"sha256": image.sha256} for image in experiment.images.values() if image.sha256
    }
    return {"images": found} if found else {}


def _pictures(experiment: Experiment, factor: Factor, level: Level) -> dict[str, str]:
    """Return the digests of the pictures that one level alone decides, as if they were fields of it."""
    if not experiment.images:
        return {}
    values = values_of([(factor, level)])
    entries = [entry for message in experiment.messages for entry in message.images]
    names = {
        entry: fill(entry, values, "images", message=True).strip()
        for entry in entries
        if values.keys() >= set(placeholders(entry)) != set()
    }
    return {
        f"\0{entry}": experiment.images[name].sha256
        for entry, name in names.items()
        if name in experiment.images
    }


def _digest(fields: Mapping[str, str]) -> str:
    said = "".join(
        f"{len(name)} {name}{len(fields[name])} {fields[name]}" for name in sorted(fields)
    )
    return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old definition with the new entries added; call only when nothing differs."""
    sections = {key: _grown(old[key], new[key]) for key in GROWING if key in old}
    return {**old, **new, **sections}


def _grown(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return entries with new ones behind them: those that are there keep their numbers."""
    if not isinstance(old, Entries) and not isinstance(new, Entries):
        return {**old, **new}
    if isinstance(new, Entries) and _same(old, new):
        assert isinstance(old, Entries)
        new.told = old.told
        return new
    if starts_with(new, old):
        return new
    if any("." in next(iter(one), "") for one in (old, new)):
        return _grown_levels(old, new)
    names = [*old, *(name for name in new if name not in old)]

    def entry(number: int) -> Mapping[str, Any]:
        name = names[number]
        found: Mapping[str, Any] = new[name] if name in new else old[name]
        return found

    return Entries(names, entry)


def _grown_levels(old: Mapping[str, Any], new: Mapping[str, Any]) -> LevelEntries:
    """Return the levels of both; of those in both, what the new ones say."""
    ids: dict[str, list[str]] = {}
    for name in [*old, *(name for name in new if name not in old)]:
        factor, _, id_ = name.partition(".")
        ids.setdefault(factor, []).append(id_)

    def part(factor: str, some: Sequence[str]) -> LevelPart:
        rows = [new[n] if (n := f"{factor}.{id_}") in new else old[n] for id_ in some]
        columns = dict.fromkeys(name for row in rows for name in row.get(KEPT, {}))
        return LevelPart(
            factor=factor,
            ids=some,
            asked=lambda place: str(rows[place]["sha256"]),
            kept={name: [row.get(KEPT, {}).get(name) for row in rows] for name in columns},
        )

    return LevelEntries(part(factor, some) for factor, some in ids.items())


def shuffled_in(definition: Mapping[str, Any]) -> list[Shuffled]:
    """Return what a study shuffles, in the order of the tables."""
    said = definition.get("shuffle")
    if said is None:
        return []
    items, options, seed = Order(said["items"]), Order(said["options"]), int(said["seed"])
    rows = definition["questions"]
    found = [Shuffled(items, seed, ITEMS, tuple(rows))]
    found += [
        Shuffled(options, seed, key, tuple(options_in(row)))
        for key, row in rows.items()
        if "order" in row
    ]
    return [one for one in found if one.how is not Order.FIXED]


def asks_each(definition: Mapping[str, Any]) -> bool:
    """Tell whether each item is asked in a request of its own."""
    return bool(definition.get("design", {}).get("ask") == "each")


def options_in(row: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the options of a question, as a definition has it: by id, what was shown; or none."""
    options: Mapping[str, str] = row.get("options") or row.get(OFFERED, {})
    return options


def kind_of(row: Mapping[str, Any]) -> ItemKind:
    """Return the kind of a question, as a definition has it."""
    return ItemKind(row.get("kind") or ("choice" if row.get("options") else "number"))


def factors_in(definition: Mapping[str, Any]) -> Mapping[str, Levels]:
    """Return the factors of a definition: for each level what the tables show of it, by column.

    The columns stand in the order of the tables; an older ledger or an imported table may lack some.
    """
    found: dict[str, dict[str, Mapping[str, Kept]]] = {n: {} for n in factor_names(definition)}
    for name, section in (("persona", "personas"), ("text", "texts")):
        for id_, row in (definition.get(section) or {}).items():
            columns = FILE_COLUMNS[name].items()
            found[name][id_] = {column: row.get(field) for field, column in columns}
    many = definition.get("factors")
    if isinstance(many, LevelEntries):
        return {**found, **{name: Cells(part) for name, part in many.parts.items()}}
    for name, id_, row in _other_levels(definition):
        found[name][id_] = {kept_column(name, f): v for f, v in row.get(KEPT, {}).items()}
    return found


def varied_in(experiment: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return what a run was told otherwise than other jobs of its sweep, by column.

    Args:
        experiment: the record of what the experiment is; an older one has none of it.

    Returns:
        Of each column the `setting`, the `kind` in polars' words, and the `value`.
    """
    found: Mapping[str, Mapping[str, Any]] = experiment.get("varied") or {}
    return found


def cells_in(levels: Levels) -> Mapping[str, Sequence[Kept]]:
    """Return what levels, as `factors_in` has them, have in each column."""
    if isinstance(levels, Cells):
        return levels.columns
    cells: dict[str, list[Kept]] = {}
    for row in levels.values():
        for column, value in row.items():
            cells.setdefault(column, []).append(value)
    return cells


def levels_in(
    definition: Mapping[str, Any],
) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Yield the levels of a definition: factor, id, name, and a digest of what is asked with it.

    Only personas and texts have names; an imported table knows no digests.
    """
    for key, row in definition["personas"].items():
        system = row.get("system")
        asked = None if system is None else sha256(system.encode()).hexdigest()
        yield "persona", key, row["name"], asked
    for key, row in definition["texts"].items():
        yield "text", key, row["title"], row.get("sha256")
    for factor, id_, row in _other_levels(definition):
        yield factor, id_, None, row["sha256"]


def renamed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield levels that are new and asked as one that is gone was: factor, its id, and that one's.

    What a level without a text of its own sends is its id, so that it is none of them.
    """
    if all(_same(old.get(key, {}), new.get(key, {})) for key in ("factors", "conditions")):
        return
    nothing = _digest({})
    before = {(factor, id_): asked for factor, id_, _, asked in levels_in(old)}
    after = {(factor, id_): asked for factor, id_, _, asked in levels_in(new)}
    gone: dict[tuple[str, str | None], str] = {
        (key[0], asked): key[1]
        for key, asked in before.items()
        if key not in after and asked not in (None, nothing)
    }
    for (factor, id_), asked in after.items():
        if (factor, id_) not in before and (factor, asked) in gone:
            yield factor, id_, gone[factor, asked]


def _other_levels(definition: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the levels that are no files of their own: factor, id, and what is recorded of it."""
    for key, row in definition.get("factors", {}).items():
        factor, _, id_ = key.partition(".")
        yield factor, id_, row


def factor_names(definition: Mapping[str, Any]) -> list[str]:
    """Return the names of a definition's factors, in order."""
    said = definition.get("design", {}).get("factors", "persona, text")
    return said.split(", ") if said else []


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say what changed, a line each, as `texts.t1.sha256: '…' -> '…'`; empty when nothing did."""
    lines: list[str] = []
    for section in [*old, *(s for s in new if s not in old)]:
        if section in UNASKED:
            continue
        before, after = old.get(section, {}), new.get(section, {})
        if section in GROWING:
            before, after = _on_both_sides(before, after)
        flat_before, flat_after = dict(_flat(before, section)), dict(_flat(after, section))
        for key in [*flat_before, *(k for k in flat_after if k not in flat_before)]:
            one, two = flat_before.get(key), flat_after.get(key)
            if one == two:
                continue
            if section == "images":
                name = key.removeprefix("images.").removesuffix(".sha256")
                lines.append(f"{name}: the picture changed (a changed one wants a name of its own)")
            elif section == "factors":  # a hash says nothing to a reader
                level = key.removesuffix(".sha256")
                lines.append(f"{level}: its content changed (a changed row wants an id of its own)")
            else:
                lines.append(f"{key}: {_excerpt(one, two)} -> {_excerpt(two, one)}")
    return lines


def _on_both_sides(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is asked by entries that two versions have and that differ."""
    if _same(before, after):
        return {}, {}
    found: tuple[dict[str, Any], dict[str, Any]] = {}, {}
    for key, value in before.items():
        if key in after and (one := _asked(value)) != (other := _asked(after[key])):
            found[0][key], found[1][key] = one, other
    return found


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether many entries are the same, by their digests."""
    return isinstance(one, Entries) and isinstance(other, Entries) and one == other


def _asked(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != KEPT}


def variants(definitions: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Name what several definitions of one experiment and model ask, 8 hex digits each.

    A name covers what must not change, and of what may grow only the entries that differ between
    these: an added persona renames nothing.

    Returns:
        A name a definition, the same for those that share a folder; None when all do.
    """
    contested: dict[str, set[str]] = {}
    definitions = [{s: d[s] for s in d if s not in UNASKED} for d in definitions]
    for section in GROWING:
        seen: dict[str, Any] = {}
        first = definitions[0].get(section, {}) if definitions else {}
        if all(_same(first, definition.get(section, {})) for definition in definitions):
            contested[section] = set()
            continue
        contested[section] = {
            key
            for definition in definitions
            for key, entry in definition.get(section, {}).items()
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
    asked = {section: row for section, row in definition.items() if section not in UNASKED}
    text = "\n".join(f"{key}={value!r}" for key, value in sorted(_flat(asked, "")))
    return sha256(text.encode()).hexdigest()[:12]


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Entries):
        yield path, value.digest
    elif isinstance(value, Mapping):
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
