"""`trials`: a number, or a rule that says until when a condition is asked again."""

from collections.abc import Mapping
from typing import Any

from runner.config.problems import Problems, did_you_mean
from runner.core.model import ItemKind, QuestionSet, Stopping

MAX_TRIALS = 10_000_000
LEAST = 2
"""Values without which nothing is known of how they vary."""
AS = "as 10, or {min: 5, max: 50, until: {half_width: 2.5, of: ITEM}}"
_KEYS = ("min", "max", "until")
_UNTIL_KEYS = ("half_width", "of", "per")
PER = "condition"
_ALLOWED = (
    "allowed: a number, whose mean has an interval, or a choice, whose most frequent option has"
)


def check_trials(said: Any, problems: Problems) -> None:
    """Note what `trials` may not say; that the item is there is looked at later."""
    if isinstance(said, Mapping):
        _check_rule(said, problems)
    else:
        _check_number("trials", said, 1, problems, f"allowed: plain digits, {AS}")


def _check_rule(said: Mapping[str, Any], problems: Problems) -> None:
    until = said.get("until")
    _check_keys("trials", said, _KEYS, problems)
    for key, least in (("min", LEAST), ("max", 1)):
        _check_number(f"trials.{key}", said.get(key), least, problems, "allowed: plain digits")
    low, high = said.get("min"), said.get("max")
    if isinstance(low, int) and isinstance(high, int):
        problems.check(low <= high, "trials.max", f"{high} is below trials.min={low}")
    if not isinstance(until, Mapping):
        problems.add("trials.until", "says when a condition is precise enough; " + AS)
        return
    _check_keys("trials.until", until, _UNTIL_KEYS, problems)
    width = until.get("half_width")
    good = isinstance(width, int | float) and not isinstance(width, bool) and 0 < width < 1e12
    problems.check(good, "trials.until.half_width", f"{width!r}; allowed: a number above 0")
    problems.check(
        until.get("of") is not None, "trials.until.of", "says which item is looked at; " + AS
    )
    per = until.get("per", PER)
    problems.check(
        per == PER, "trials.until.per", f"{per!r}; allowed: {PER}, each of which is looked at alone"
    )


def _check_keys(
    where: str, said: Mapping[str, Any], known: tuple[str, ...], problems: Problems
) -> None:
    for key in said:
        problems.check(key in known, f"{where}.{key}", f"no such key; {did_you_mean(key, known)}")


def _check_number(key: str, value: Any, least: int, problems: Problems, allowed: str) -> None:
    if not _is_whole(value):
        problems.add(key, f"{value!r} is no Integer; {allowed}")
        return
    problems.check(value >= least, key, f"{value} is too small; allowed: {least} or more")
    problems.check(value <= MAX_TRIALS, key, f"{value}; allowed: up to {MAX_TRIALS:,}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def stopping_of(said: Any, questions: QuestionSet, problems: Problems) -> Stopping | None:
    """Return the rule of checked `trials`; None where they are a number."""
    if not isinstance(said, Mapping):
        return None
    until = said["until"]
    item, width = str(until.get("of")), float(until["half_width"])
    known = {question.id: question for question in questions.questions}
    if item not in known:
        problems.add("trials.until.of", f"{item!r} is no item; {did_you_mean(item, known)}")
        return None
    kind = known[item].kind
    if kind not in (ItemKind.NUMBER, ItemKind.CHOICE):
        problems.add("trials.until.of", f"{item} is {kind}; {_ALLOWED}")
        return None
    is_choice = kind is ItemKind.CHOICE
    problems.check(
        not is_choice or width < 0.5,
        "trials.until.half_width",
        f"{width}; of {item}, a choice, it is that of the most frequent option's share; allowed: "
        "above 0, below 0.5, as 0.1",
    )
    return Stopping(
        least=said["min"], most=said["max"], half_width=width, item=item, is_choice=is_choice
    )
