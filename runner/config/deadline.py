"""`deadline=`: a time of day, a date and time, or hours from now, as a moment."""

import re
import time
from datetime import datetime

from runner.core.deadline import OFF, Deadline
from runner.core.errors import ConfigError

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_HOURS = re.compile(r"([0-9]{1,4}(?:\.[0-9]+)?) ?h", re.ASCII)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
ALLOWED = "allowed: 06:00, a date and time as 2026-12-01T06:00, hours from now as 8h, or off"


def is_deadline(said: str) -> bool:
    """Tell whether words may be a deadline, or take one away."""
    if said == OFF or _TIME.fullmatch(said) or _HOURS.fullmatch(said):
        return True
    return _MOMENT.fullmatch(said) is not None and _moment(said) is not None


def read(said: str, now: float) -> Deadline:
    """Return the moment that words mean, by this machine's clock and zone.

    Args:
        said: what `is_deadline` takes, but for `off`.
        now: in seconds since the epoch.

    Raises:
        ConfigError: it is not in the future.
    """
    if hours := _HOURS.fullmatch(said):
        at = now + float(hours[1]) * 3600
    elif shown := _TIME.fullmatch(said):
        at = _next(int(shown[1]), int(shown[2]), now)
    else:
        moment = _moment(said)
        at = now if moment is None else moment
    if at <= now:
        raise ConfigError(f"deadline={said}: that is not in the future; {ALLOWED}")
    return Deadline(said, at)


def _next(hour: int, minute: int, now: float) -> float:
    """Return when the local clock shows a time next; a day may have 23 or 25 hours."""
    year, month, today = time.localtime(now)[:3]
    days = range(today, today + 3)  # past a month's end it is the next month's
    times = (time.mktime((year, month, day, hour, minute, 0, 0, 0, -1)) for day in days)
    return next(at for at in times if at > now)


def _moment(said: str) -> float | None:
    try:
        return datetime.fromisoformat(said).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
