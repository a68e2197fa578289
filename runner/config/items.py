"""The items of an experiment: checked, and translated into questions."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.config.factors import found
from runner.config.problems import IDENTIFIER, Problems, did_you_mean
from runner.config.schema import ItemConfig
from runner.core.errors import ConfigError
from runner.core.extract.options import names_in
from runner.core.extract.records import validator
from runner.core.model import BETWEEN, ItemKind, Option, Question

KINDS = tuple(kind.value for kind in ItemKind)
"""What an answer to an item may be."""
OPTIONED = ("choice", "choices", "rank")
MOST_OPTIONS = 200
_SCALE = re.compile(r"[A-Za-z0-9_]+")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_ANYTHING = "{}"
_OF_KINDS: Mapping[str, tuple[tuple[str, ...], Any]] = {
    "options": (OPTIONED, None),
    "at_least": (("choices",), None),
    "at_most": (("choices",), None),
    "schema": (("json",), None),
    "anchors": (("number",), {}),
    "scale": (("number",), ""),
    "reverse": (("number",), False),
    "expect": (("number", "choice"), None),
}
"""What only items of some kinds have, and what it is where it is not said."""


def check_items(items: Mapping[str, ItemConfig], where: str, problems: Problems) -> None:
    """Note what is wrong with the items of an experiment."""
    problems.check(bool(items), where, "no question is declared")
    _check_scales(items, where, problems)
    for key, item in items.items():
        at = f"{where}.{key}"
        good = IDENTIFIER.fullmatch(str(key)) is not None
        problems.check(good, at, "allowed: letters, digits, - and _")
        problems.check(
            str(key) not in ("items", "scale") and not str(key).startswith("scale_"),
            at,
            "its columns would be called like those of the tables themselves; choose another id",
        )
        problems.check(
            item.kind in KINDS, f"{at}.kind", f"{item.kind!r}; {did_you_mean(item.kind, KINDS)}"
        )
        if item.kind not in KINDS:
            continue
        for name, (kinds, unsaid) in _OF_KINDS.items():
            is_stray = item.kind not in kinds and getattr(item, name) != unsaid
            owners = " or ".join(f"kind: {kind}" for kind in kinds)
            problems.check(not is_stray, f"{at}.{name}", f"only an item of {owners} has it")
        is_stray = item.kind in ("text", "json") and item.reason is True
        said = f"an item of kind: {item.kind} has none; ask for it in an item of its own"
        problems.check(not is_stray, f"{at}.reason", said)
        if item.kind in OPTIONED:
            _check_options(item, at, problems)
        if item.kind == "number":
            _check_number(item, at, problems)


def _check_scales(items: Mapping[str, ItemConfig], where: str, problems: Problems) -> None:
    """Note scales over items that are answered otherwise, and checks that nobody can meet."""
    bounds: dict[str, tuple[float, float]] = {}
    for key, item in items.items():
        at, own = f"{where}.{key}", (item.minimum, item.maximum)
        good = not item.scale or _SCALE.fullmatch(item.scale) is not None
        problems.check(good, f"{at}.scale", f"{item.scale!r}; allowed: letters, digits and _")
        known = bounds.setdefault(item.scale, own) if item.scale else own
        said = f"it goes from {_bound(own[0])} to {_bound(own[1])}, the others of the scale "
        said += f"{item.scale} from {_bound(known[0])} to {_bound(known[1])}"
        problems.check(known == own, at, said)
        problems.check(bool(item.scale) or not item.reverse, f"{at}.reverse", "it has no scale:")
        if item.expect is not None and item.kind in ("number", "choice"):
            answers = [option.id for option in options_of(item)]
            low, high = _bound(item.minimum), _bound(item.maximum)
            can_be = item.expect in answers or (
                item.kind == "number"
                and _WHOLE.fullmatch(item.expect) is not None
                and low <= int(item.expect) <= high
            )
            allowed = ", ".join(answers) or f"{low} to {high}"
            problems.check(can_be, f"{at}.expect", f"{item.expect!r}; allowed: {allowed}")


def _expected(item: ItemConfig) -> int | str | None:
    """Return what the tables hold where an attention check is met."""
    if item.expect is None or item.kind != "number":
        return item.expect
    return int(item.expect) if _WHOLE.fullmatch(item.expect) else None


def _check_number(item: ItemConfig, at: str, problems: Problems) -> None:
    low, high = _bound(item.minimum), _bound(item.maximum)
    problems.check(low < high, at, f"minimum {low} is not below maximum {high}")
    is_whole = isinstance(low, int) and isinstance(high, int)
    problems.check(
        is_whole or not item.integer,
        at,
        f"bounds {low} and {high} are no whole numbers; with integer: false they may be",
    )
    for number in item.anchors:
        problems.check(
            _WHOLE.fullmatch(number) is not None and low <= int(number) <= high,
            f"{at}.anchors",
            f"{number} is no answer to it; allowed: {low} to {high}",
        )


def _check_options(item: ItemConfig, at: str, problems: Problems) -> None:
    where = f"{at}.options"
    options = options_of(item)
    problems.check(len(options) > 1, where, "allowed: two or more, as [yes, no]")
    problems.check(len(options) <= MOST_OPTIONS, where, f"allowed: at most {MOST_OPTIONS}")
    owners: dict[str, str] = {}
    for option, names in zip(options, names_in(options), strict=True):
        for name in names:
            problems.check(bool(name), where, f"{option.id!r} has an empty name")
            other = owners.setdefault(name, option.id)
            problems.check(
                other == option.id, where, f"{option.id!r} and {other!r} are both called {name!r}"
            )
        problems.check(
            item.kind == "choice" or BETWEEN.strip() not in option.id,
            where,
            f"{option.id!r}: {BETWEEN.strip()} stands between several options in the tables",
        )
    if item.kind == "choices":
        low, high = counts_of(item)
        problems.check(
            0 <= low <= high <= len(options) and high > 0,
            at,
            f"at_least {low} and at_most {high}; allowed: 0 to {len(options)}, at_most 1 or more and "
            "not below at_least",
        )


def counts_of(item: ItemConfig) -> tuple[int, int]:
    """Return how many options an answer may name, at least and at most."""
    low = 1 if item.at_least is None else item.at_least
    return low, len(options_of(item)) if item.at_most is None else item.at_most


def options_of(item: ItemConfig) -> tuple[Option, ...]:
    """Return the options of an item: words, or ids with a label or with aliases."""
    said = item.options
    if isinstance(said, list):
        said = dict.fromkeys(said) if all(isinstance(word, str) for word in said) else None
    if not isinstance(said, dict):
        return ()
    return tuple(_option(str(id_), row) for id_, row in said.items())


def _option(id_: str, row: Any) -> Option:
    if isinstance(row, list):
        return Option(id=id_, aliases=tuple(map(str, row)))
    if isinstance(row, dict):
        aliases = row.get("aliases") or []
        return Option(id=id_, label=str(row.get("label") or ""), aliases=tuple(map(str, aliases)))
    return Option(id=id_, label=str(row or ""))


def question_of(
    id_: str, item: ItemConfig, folders: Sequence[Path], problems: Problems
) -> Question:
    """Translate an item; what is wrong with a schema is noted.

    Args:
        id_: its key.
        item: checked.
        folders: where the file of a schema is looked for, beside the experiment's own.
        problems: takes what is wrong.
    """
    kind = ItemKind(item.kind) if item.kind in KINDS else ItemKind.NUMBER
    options = options_of(item) if item.kind in OPTIONED else ()
    is_number = kind is ItemKind.NUMBER
    asks_reason = item.reason is not False and kind not in (ItemKind.TEXT, ItemKind.JSON)
    low, high = counts_of(item) if kind is ItemKind.CHOICES else (1, len(options))
    return Question(
        id=id_,
        label=item.label or id_,
        minimum=_bound(item.minimum) if is_number else 1,
        maximum=_bound(item.maximum) if is_number else len(options) or 1,
        integer=item.integer or not is_number,
        reason_required=asks_reason and item.reason_required,
        kind=kind,
        is_required=item.required,
        aliases=tuple(item.aliases),
        asks_reason=asks_reason,
        scale=item.scale,
        is_reversed=item.reverse,
        expected=_expected(item),
        ask=item.ask,
        anchors={int(n): word for n, word in item.anchors.items() if _WHOLE.fullmatch(n)},
        options=options,
        at_least=low,
        at_most=high,
        schema=_schema(item, f"items.{id_}.schema", folders, problems)
        if kind is ItemKind.JSON
        else "",
    )


def _bound(said: float) -> int | Decimal:
    return int(said) if said == int(said) else Decimal(str(said))


def _schema(item: ItemConfig, where: str, folders: Sequence[Path], problems: Problems) -> str:
    """Return a JSON Schema as JSON in one line; one that accepts all where it is no schema."""
    said = item.schema
    if isinstance(said, str):
        try:
            path = found(said, None, folders, where)
            where = f"{where}: {path}"
            said = json.loads(path.read_text(encoding="utf-8"))
        except ConfigError as error:
            problems.lines.append(str(error))
            return _ANYTHING
        except OSError as error:
            problems.add(
                where, f"{(error.strerror or str(error)).lower()}: write its path, or the schema"
            )
            return _ANYTHING
        except ValueError as error:
            problems.add(where, f"cannot be read as JSON: {error}")
            return _ANYTHING
    if not isinstance(said, dict):
        problems.add(where, "allowed: a JSON Schema, or a file beside the experiment's own")
        return _ANYTHING
    try:
        validator(said)
    except ConfigError as error:
        problems.add(where, str(error))
        return _ANYTHING
    return json.dumps(said, ensure_ascii=False)
