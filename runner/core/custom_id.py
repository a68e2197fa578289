"""The name of a request: what a condition's stem and a trial make it, and how it is taken apart."""

import re

from runner.core.model import CustomId, Stem

LONGEST = 64
LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""The strictest rule among the providers."""
TRIAL = r"_n(\d+)$"
"""What stands behind the stem, as a regular expression whose group is the trial."""
BEFORE_TRIAL, DIGITS = "_n", 2
"""The same for writing it; a trial has at least so many digits."""


def custom_id(stem: Stem, trial: int) -> CustomId:
    """Name one trial of a condition, as `p1_t1_n01`."""
    return CustomId(f"{stem}{BEFORE_TRIAL}{trial:0{DIGITS}d}")


def item_of(name: str) -> str | None:
    """Return which question a request asks, in a study that asks each in a request of its own.

    There it is the last part of the stem, and `config` has seen to it that it holds no `_`. None for
    what is no custom_id of ours.
    """
    try:
        stem, _ = parse(name)
    except ValueError:
        return None
    return stem.rpartition("_")[2]


def length(stem: Stem, trial: int) -> int:
    """Return how many characters a custom_id has."""
    return len(stem) + len(BEFORE_TRIAL) + max(DIGITS, len(str(trial)))


def parse(name: str) -> tuple[Stem, int]:
    """Return stem and trial.

    Raises:
        ValueError: it is no custom_id of ours, as it would be written.
    """
    match = re.search(TRIAL, name)
    if match is None or custom_id(stem := Stem(name[: match.start()]), int(match[1])) != name:
        raise ValueError(f"{name!r} is no custom_id of this program")
    return stem, int(match[1])
