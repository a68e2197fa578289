"""The pilot: the first requests, whose answers are read before anything else is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from math import ceil
from typing import Any, Self

from runner.core.custom_id import custom_id
from runner.core.model import CustomId, Stem
from runner.core.request_rows import SUCCESS
from runner.core.request_states import RequestStates
from runner.core.states import RequestState

Members = Mapping[Stem, int]
"""How many trials of a condition, from the first, are in the pilot."""

CAUSES_SAID = 3
"""Of those that are most frequent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """How many requests go first, and how many of them have to be valid before the rest goes."""

    share: Decimal = Decimal("0.02")
    """Of all requests."""
    at_least: int = 20
    valid: Decimal = Decimal("0.9")
    """The share of the pilot's requests that has to be valid when first read."""

    def size(self, requests: int) -> int:
        """Return how many of so many requests are the pilot."""
        return min(max(self.at_least, ceil(self.share * requests)), requests)

    def needed(self, size: int) -> int:
        """Return how many of a pilot of this size have to be valid."""
        return ceil(self.valid * size)


def members_of(pilot: Pilot, stems: Sequence[Stem], trials: int) -> dict[Stem, int]:
    """Spread a pilot over all conditions.

    Each condition gives its first trials, as many as the others or one more. Who gives that one is
    drawn, always the same way, from stretches of neighbours, so that no factor that varies with a
    period of its own falls into step with them.

    Args:
        pilot: how large it is.
        stems: the conditions, in the order of the configuration.
        trials: of each condition.
    """
    each, more = divmod(pilot.size(len(stems) * trials), len(stems))
    found = dict.fromkeys(stems, each) if each else {}
    for number in range(more):
        stretch = stems[number * len(stems) // more : (number + 1) * len(stems) // more]
        found[min(stretch, key=_drawn)] = each + 1
    return {stem: found[stem] for stem in stems if stem in found}


def _drawn(stem: Stem) -> bytes:
    return sha256(stem.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotStanding:
    """How a pilot stands; what came back a second time is no part of it."""

    requests: int
    read: int
    """Those with a first answer, and those that were refused or given up without one."""
    valid: int
    """Those whose first answer was valid."""
    needed: int
    example: CustomId | None = None
    """One that was read and is not valid."""

    @property
    def passed(self) -> bool:
        """Tell whether the rest may go, whatever else comes back."""
        return self.valid >= self.needed

    @property
    def failed(self) -> bool:
        """Tell whether it cannot pass any more, whatever else comes back."""
        return self.valid + self.requests - self.read < self.needed

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Return what facts tell of."""
        return cls(**{key: facts[key] for key in ("requests", "read", "valid", "needed")})

    def facts(self) -> dict[str, Any]:
        """Return it as JSON-ready facts."""
        state = "passed" if self.passed else "failed" if self.failed else "waiting"
        return {
            "requests": self.requests,
            "read": self.read,
            "valid": self.valid,
            "needed": self.needed,
            "state": state,
        }


def standing(pilot: Pilot, members: Members, states: RequestStates) -> PilotStanding:
    """Find out how a pilot stands.

    The first answer of a request counts: asked again in a stricter wording, it tells nothing of
    the answers that the rest will bring.
    """
    size, read, valid, example = sum(members.values()), 0, 0, None
    for stem, count in members.items():
        row = states.rows[stem]
        for index in range(count):
            is_valid = row.state[index] == SUCCESS
            given_up = states.state(stem, index + 1) is RequestState.FAILED
            if not (is_valid or given_up or row.asked[index]):
                continue
            read += 1
            valid += is_valid
            if not is_valid and example is None:
                example = custom_id(stem, index + 1)
    return PilotStanding(
        requests=size, read=read, valid=valid, needed=pilot.needed(size), example=example
    )


def why_it_stops(
    pilot: Pilot,
    found: PilotStanding,
    causes: Mapping[str, Mapping[str, int]],
    outcomes: Mapping[str, int],
) -> str:
    """Say in one line that a pilot failed, of what, and how to go on.

    Args:
        pilot: what was wanted.
        found: what came back.
        causes: invalid readings by question and cause.
        outcomes: how attempts ended that brought no answer.
    """
    counted = [
        (count, f"{key} {cause}")
        for key, counts in causes.items()
        for cause, count in counts.items()
    ]
    counted += [(count, outcome) for outcome, count in outcomes.items()]
    counted.sort(key=lambda pair: -pair[0])
    often = ", ".join(f"{what} ({count:,})" for count, what in counted[:CAUSES_SAID])
    said = f"; most often {often}" if often else ""
    example = f"; for example {found.example}" if found.example else ""
    return (
        f"pilot: of {found.read:,} first answers {found.valid:,} are valid "
        f"({found.valid / max(found.read, 1):.0%}), and pilot.valid={pilot.valid} wants "
        f"{found.needed:,} of {found.requests:,}{said}{example}; nothing more is sent: mend the "
        "patterns, read again with action=extract apply=true, and run again; or go on all the "
        "same with pilot=null"
    )
