"""How many trials of a condition are asked: until an item is known precisely enough, or at most so many.

A fixed-width stopping rule. It looks at a condition whenever none of its trials is open: lost ones
were asked again by then. What was granted once stays granted, and is kept in the ledger, so that a
look depends on the answers of that condition and on nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import fsum, inf, sqrt
from typing import Any, Self

from runner.core.intervals import mean_half_width, wilson
from runner.core.model import Stem, Stopping
from runner.core.request_states import RequestStates

LEAST_STEP = 10
"""A round asks at least one in so many of what was asked before: each is a time of waiting."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of an item in one condition."""

    n: int = 0
    """Valid values."""
    spread: float = 0.0
    """Of a number, the standard deviation (divided by n - 1); of a choice, the share of the option
    that was chosen most."""

    @classmethod
    def of(cls, values: Iterable[Any], *, is_choice: bool) -> Self:
        """Sum up the valid values of a condition, in any order."""
        found = list(values)
        n = len(found)
        if is_choice:
            return cls(n, max(Counter(found).values()) / n if n else 0.0)
        if n < 2:
            return cls(n)
        mean = fsum(found) / n
        return cls(n, sqrt(fsum((value - mean) ** 2 for value in found) / (n - 1)))

    def half_width(self, *, is_choice: bool, n: int | None = None) -> float:
        """Return the half-width of the 95 % interval: of the mean, or of that share.

        Args:
            is_choice: whether it is a choice.
            n: what it would be with so many values that vary as these do.
        """
        size = self.n if n is None else n
        if is_choice:
            return float(wilson(self.spread, size)[1]) if size else inf
        return mean_half_width(self.spread, size) if self.n > 1 else inf


class Verdict(StrEnum):
    """What a stopping rule says of a condition."""

    OPEN = "open"
    """Its trials are not over, or it is asked more."""
    REACHED = "reached"
    """Precise enough."""
    AT_MOST = "at_most"
    """As often asked as may be, and not precise enough."""


def verdict(rule: Stopping, asked: int, sample: Sample) -> Verdict:
    """Judge a condition of which no trial is open.

    Args:
        rule: the stopping rule.
        asked: how many trials it was asked.
        sample: its valid values.
    """
    is_narrow = sample.half_width(is_choice=rule.is_choice) <= rule.half_width
    if is_narrow and sample.n >= rule.least:
        return Verdict.REACHED
    return Verdict.AT_MOST if asked >= rule.most else Verdict.OPEN


def next_trials(rule: Stopping, asked: int, sample: Sample) -> int:
    """Return how many trials a condition of which none is open has from now on; never fewer.

    As many more as are still needed if its values go on to vary as they do, or for as many valid
    ones as the first round has; at least a tenth of what was asked, at most as many as were asked.
    """
    if asked < rule.least:
        return rule.least
    if verdict(rule, asked, sample) is not Verdict.OPEN:
        return asked
    low, high = sample.n, sample.n + asked  # the least size that is precise enough, if any is
    while high - low > 1:
        middle = (low + high) // 2
        is_enough = sample.half_width(is_choice=rule.is_choice, n=middle) <= rule.half_width
        low, high = (low, middle) if is_enough else (middle, high)
    step = max(high - sample.n, rule.least - sample.n, -(-asked // LEAST_STEP))
    return min(asked + step, rule.most)


def granted(
    rule: Stopping, stems: Iterable[Stem], known: Mapping[Stem, int], states: RequestStates
) -> dict[Stem, int]:
    """Return how many trials each condition has, before anything is looked at.

    What was sent counts as granted, also where no rule, or another one, granted it.

    Args:
        rule: the stopping rule of this run.
        stems: the conditions.
        known: what was granted so far, where it is more than the first round.
        states: how every request stands.
    """
    return {
        stem: min(max(rule.least, known.get(stem, 0), states.sent(stem)), rule.most)
        for stem in stems
    }


def told(rule: Stopping) -> dict[str, Any]:
    """Return a rule as JSON-ready facts."""
    return {
        "min": rule.least,
        "max": rule.most,
        "half_width": rule.half_width,
        "of": rule.item,
        "is_choice": rule.is_choice,
        "per": "condition",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How far a stopping rule has come."""

    reached: int
    """Conditions that are precise enough."""
    constant: int
    """Those of them whose values are all the same: of a number, they do not vary at all."""
    at_most: int
    """Conditions that were asked as often as may be, and are not."""
    open: int

    def facts(self, rule: Stopping) -> dict[str, Any]:
        """Return it as JSON-ready facts, with the rule."""
        return {
            **told(rule),
            "reached": self.reached,
            "constant": self.constant,
            "at_max": self.at_most,
            "open": self.open,
        }
