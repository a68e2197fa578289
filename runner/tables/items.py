"""What the columns of a question mean, by what is answered to it."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runner.core.definition import kind_of, options_in
from runner.core.errors import ConfigError
from runner.core.model import ItemKind
from runner.tables.runs import StoredRun

COUNTED = (ItemKind.CHOICE, ItemKind.CHOICES, ItemKind.RANK)
"""The kinds whose answers are options; in the long table they stand in the column `choice`."""
SAID = (ItemKind.TEXT, ItemKind.JSON)
"""The kinds whose answers are words; in the long table they stand in the column `said`."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is answered to a question, and with which options."""

    kind: ItemKind
    options: Mapping[str, str]
    """By id, what was shown."""
    bounds: tuple[float, float, bool] | None = field(default=None, compare=False)
    """Of a number: the lowest, the highest, and whether it is whole; None: not the same in all runs."""
    ask: str = field(default="", compare=False)
    """The question in full."""
    anchors: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What some of the numbers mean."""
    analysis: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Its `scale`, whether it is `reverse`d, and what is `expect`ed of an attention check."""

    def __str__(self) -> str:
        """Say it in an error."""
        what = _NAMES[self.kind]
        return f"{what} of {shown_options(self.options)}" if self.options else what


Items = Mapping[str, Item]
"""By question."""
_NAMES = {
    ItemKind.NUMBER: "a number",
    ItemKind.CHOICE: "a choice",
    ItemKind.CHOICES: "choices",
    ItemKind.RANK: "a rank",
    ItemKind.TEXT: "a text",
    ItemKind.JSON: "JSON",
}


def items_in(definition: Mapping[str, Any]) -> dict[str, Item]:
    """Return what is answered to each question of a definition."""
    analysis = definition.get("analysis", {})
    return {
        key: Item(
            kind_of(row),
            options_in(row),
            (row["minimum"], row["maximum"], row.get("integer", True)),
            row.get("ask", ""),
            row.get("anchors", {}),
            analysis.get(key, {}),
        )
        for key, row in definition["questions"].items()
    }


def of_all(runs: Sequence[StoredRun]) -> dict[str, Item]:
    """Return what is answered to each question of some runs.

    Raises:
        ConfigError: in one of them it is something else than in another.
    """
    found: dict[str, tuple[Item, StoredRun]] = {}
    for run in runs:
        for key, item in items_in(run.definition).items():
            known, first = found.setdefault(key, (item, run))
            if known != item:
                raise ConfigError(
                    f"export.over: {key} is {known} in {first.name} and {item} in {run.name}: export "
                    "them one by one, their answers do not fit into one table"
                )
            if known.bounds != item.bounds:
                found[key] = (replace(known, bounds=None), first)
    return {key: item for key, (item, _) in found.items()}


def no_numbers(definition: Mapping[str, Any], of: str) -> str | None:
    """Say which questions are not answered with a number; None where all are."""
    others: dict[str, list[str]] = {}
    for key, item in items_in(definition).items():
        if item.kind is not ItemKind.NUMBER:
            others.setdefault(_NAMES[item.kind], []).append(key)
    said = [
        f"{' and '.join(keys)} of {of} {'is' if len(keys) == 1 else 'are'} "
        f"{what if len(keys) == 1 else what.removeprefix('a ').rstrip('s') + 's'}"
        for what, keys in others.items()
    ]
    return ", ".join(said) or None


NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")


def taken(item: Item, cell: str) -> float | int | str:
    """Return what somebody wrote as an answer, as tables hold it.

    Args:
        item: a number or a choice.
        cell: a number, or of a choice the id of an option or what was shown.

    Raises:
        ValueError: it is no answer to that; says what would be.
    """
    plain = cell.strip()
    allowed = f"allowed: {allowed_of(item)[1]}"
    if item.kind is ItemKind.NUMBER:
        low, high, is_whole = item.bounds or (-math.inf, math.inf, False)
        number = float(plain) if NUMBER.fullmatch(plain) else math.nan
        if not low <= number <= high or (is_whole and number != int(number)):
            raise ValueError(allowed)
        return int(number) if is_whole else number
    names = {folded(shown): id_ for id_, shown in item.options.items()}
    names |= {folded(id_): id_ for id_ in item.options}
    if (option := names.get(folded(plain))) is None:
        raise ValueError(allowed)
    return option


def folded(name: str) -> str:
    """Return a name without differences of width, as between １ and 1; ² is not 2."""
    alike = (_NORMAL("NFKC", c) if _WIDTH.match(unicodedata.decomposition(c)) else c for c in name)
    return _NORMAL("NFC", "".join(alike)).strip()


_NORMAL = unicodedata.normalize
_WIDTH = re.compile("<(wide|narrow)>")


def shown_options(options: Mapping[str, str]) -> str:
    """Return options as a list: the ids, with what was shown where it differs."""
    return ", ".join(
        id_ if id_ == shown else f"{id_} ({' '.join(shown.split())})"
        for id_, shown in options.items()
    )


def allowed_of(item: Item) -> tuple[str, str]:
    """Say what a value may be, in Japanese and in English."""
    options = shown_options(item.options)
    match item.kind:
        case ItemKind.NUMBER:
            return _range_of(item)
        case ItemKind.CHOICE:
            return f"選択肢の識別子：{options}", f"id of an option: {options}"
        case ItemKind.CHOICES:
            return (
                f"選択肢の識別子、「; 」区切り、選択肢の順：{options}",
                f"ids of options, with '; ' between, in their order: {options}",
            )
        case ItemKind.RANK:
            return (
                f"すべての選択肢の識別子、「; 」区切り、答えた順：{options}",
                f"ids of all options, with '; ' between, in the order of the answer: {options}",
            )
        case ItemKind.JSON:
            return "スキーマが許す JSON", "JSON that the schema allows"
    return "文字列", "text"


def _range_of(item: Item) -> tuple[str, str]:
    if item.bounds is None:
        return "質問の範囲の数", "number within the question's range"
    low, high, is_whole = item.bounds
    ja, en = f"{low:g} から {high:g} の", f"number from {low:g} to {high:g}"
    anchors = ", ".join(f"{number} = {word}" for number, word in item.anchors.items())
    behind = (f"（{anchors}）", f" ({anchors})") if anchors else ("", "")
    return f"{ja}{'整数' if is_whole else '数'}{behind[0]}", f"{'whole ' * is_whole}{en}{behind[1]}"


def range_of_all(items: Items) -> tuple[str, str]:
    """Say what the long table's column `value` may hold, in Japanese and in English."""
    numbers = [replace(i, anchors={}) for i in items.values() if i.kind is ItemKind.NUMBER]
    if not numbers:
        return "値なし", "no value"
    alike = len({item.bounds for item in numbers}) == 1
    return _range_of(numbers[0] if alike else replace(numbers[0], bounds=None))


def allowed_of_all(items: Items) -> tuple[str, str]:
    """Say what the long table's column `choice` may hold, in Japanese and in English."""
    offered = {key: i for key, i in items.items() if i.kind in COUNTED}
    listed = "; ".join(f"{key}: {shown_options(i.options)}" for key, i in offered.items())
    if all(i.kind is ItemKind.CHOICE for i in offered.values()):
        return f"選択肢の識別子：{listed}", f"id of an option: {listed}"
    several = (
        "選択肢の識別子（複数なら「; 」区切り）",
        "ids of options, with '; ' between several",
    )
    return f"{several[0]}：{listed}", f"{several[1]}: {listed}"


MEANINGS = {
    ItemKind.CHOICE: ("選ばれた選択肢", "the option chosen"),
    ItemKind.CHOICES: ("選ばれた選択肢", "the options chosen"),
    ItemKind.RANK: ("選択肢の順序", "the order of the options"),
    ItemKind.TEXT: ("回答の文章", "what the model said"),
    ItemKind.JSON: ("回答の JSON", "the JSON that the model answered"),
}
"""What the value of a question is, in Japanese and in English."""
_COMMON = "no_reason, refused, truncated, blocked"
CAUSES = {
    ItemKind.CHOICE: f"missing, ambiguous, not_an_option, {_COMMON}",
    ItemKind.CHOICES: f"missing, ambiguous, not_an_option, wrong_count, {_COMMON}",
    ItemKind.RANK: f"missing, ambiguous, not_an_option, wrong_count, {_COMMON}",
    ItemKind.TEXT: "missing, ambiguous, refused, truncated, blocked",
    ItemKind.JSON: "missing, ambiguous, not_valid, refused, truncated, blocked",
}
"""Why a value may be missing."""
