"""Until when a provider answers with a model, and what is said of that before it is too late."""

from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400
SOON_DAYS: Final = 60
"""How long before a model's end the plan begins to speak of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The day from which on a model is not answered with any more, and who says so."""

    day: str
    """As 2026-10-23."""
    at: float
    """The beginning of that day, in seconds since the epoch."""
    source: str
    successor: str | None = None
    """What the provider names instead."""


def has_ended(ending: Ending | None, now: float) -> bool:
    """Tell whether a model is gone; on the day itself it is."""
    return ending is not None and now >= ending.at


def refusal(model: str, ending: Ending, where: str) -> str:
    """Say why nothing is sent to a model that is gone, and what to do.

    Args:
        model: its name.
        ending: when it ended.
        where: the file that says so.
    """
    instead = f"provider.model={ending.successor}" if ending.successor else "another provider.model"
    return (
        f"provider.model={model} ended on {ending.day} ({ending.source}, as {where} has it); nothing "
        f"was sent: choose {instead}; collect what is still at the provider with action=collect; if "
        f"your contract goes on, say so with 'provider.models=[{{match: \"{model}\"}}]'"
    )


def note(model: str, ending: Ending | None, now: float, *, emulated: bool) -> str | None:
    """Say that a model is gone or soon will be; None where there is nothing to say."""
    if ending is None:
        return None
    named = f"; {ending.successor} is named instead" if ending.successor else ""
    if has_ended(ending, now):
        then = "a rehearsal is still possible" if emulated else "a run is refused"
        return f"{model} ended on {ending.day} ({ending.source}): {then}{named}"
    days = int((ending.at - now) // DAY)
    if days >= SOON_DAYS:
        return None
    left = "today is its last day" if days == 0 else f"{days} day{'' if days == 1 else 's'} left"
    return f"{model} ends on {ending.day}, {left} ({ending.source}): ask before then{named}"
