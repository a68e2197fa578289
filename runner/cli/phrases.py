"""What the command line says of money, counts, times, rehearsals and runs; each phrase stands once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.core.cost import dollars
from runner.core.model import Batch
from runner.core.pilot import PilotStanding
from runner.core.states import BatchState
from runner.core.summary import cost_of

if TYPE_CHECKING:
    from runner.run.run import Run

EMULATED = "REHEARSAL: emulated answers"
REHEARSAL = f"{EMULATED}, nothing is paid"
NO_RUN = "no run yet"
STOPPING = "stopping: batches go on at the provider"
CAN_STOP = "Ctrl-C: stop"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: 1 job, 2 jobs."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def batches(number: int) -> str:
    """Return how many batches: 1 batch, 2 batches."""
    return plural(number, "batch", "batches")


def usd_range(low: Decimal | float, high: Decimal | float) -> str:
    """Return the least and the most that something may cost."""
    return f"{dollars(low)} to {dollars(high)}"


def paid(found: tuple[Batch, ...]) -> str:
    """Return what collected batches cost, and at which prices."""
    cost = cost_of(found)
    ways = {b.realtime for b in found if b.state is BatchState.COLLECTED}
    if not ways:
        return "$0"
    at = {True: "real-time prices", False: "batch prices"}
    named = f" at {' and '.join(at[way] for way in sorted(ways))}" if cost.known else ""
    return f"{cost}{named}"


def seconds(number: float) -> str:
    """Return a time in whole seconds."""
    return f"{number:.0f} s"


def days(number: float) -> str:
    """Return a time in whole days, never below 0."""
    return f"{max(number, 0):.0f} days"


def pilot_line(pilot: PilotStanding) -> str:
    """Say how the requests stand that go first."""
    if pilot.passed:
        return f"passed: {pilot.valid:,} of {pilot.read:,} first answers are valid"
    if pilot.failed:
        return (
            f"failed: {pilot.valid:,} of {pilot.read:,} first answers are valid, {pilot.needed:,} were "
            "wanted; nothing more is sent (all the same: pilot=null)"
        )
    read = f" ({pilot.read:,} are read, {pilot.valid:,} valid)" if pilot.read else ""
    return (
        f"{plural(pilot.requests, 'request')} first{read}; the rest when {pilot.needed:,} of them are "
        "valid: at least one round of waiting"
    )


def until_line(until: Mapping[str, Any]) -> str:
    """Say what a stopping rule wants, and how far it has come, as `Precision.facts` has it."""
    said = (
        f"{until['min']:,} to {until['max']:,} of each condition, until the 95 % interval of "
        f"{until['of']} is ±{until['half_width']:g}"
    )
    conditions = until["reached"] + until["at_max"] + until["open"]
    constant = f" ({until['constant']:,} without any variation)" if until["constant"] else ""
    at_max = f", not within {until['max']:,} in {until['at_max']:,}" if until["at_max"] else ""
    return f"{said}: reached in {until['reached']:,} of {conditions:,}{constant}{at_max}"


def due_line(due: Mapping[str, Any], now: float) -> str:
    """Say until when batches are waited for, and what comes then, as `Due.facts` has it."""
    asked = "is asked one by one, in batches again with deadline=off"
    said = f"{moment(due['at'], now)}: what is open "
    said += asked if due["at"] <= now else "then is asked one by one"
    if "cost_usd_more" not in due:
        return said
    more = due["cost_usd_more"]
    cost = "at an unknown cost" if more is None else f"at most {dollars(more)} more than in batches"
    return f"{said}, {cost}"


def moment(at: float, now: float) -> str:
    """Return a moment by the local clock, and how far it is: `06:00 tomorrow (in 7 h 12 min)`."""
    then, today = (datetime.fromtimestamp(one, UTC).astimezone() for one in (at, now))
    days = (then.date() - today.date()).days
    day = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days, then.date().isoformat())
    far = f"in {span(at - now)}" if at > now else f"passed {span(now - at)} ago"
    return f"{then:%H:%M} {day} ({far})"


def span(number: float) -> str:
    """Return a length of time, given in seconds, in one or two units."""
    minutes = round(number / 60)
    if number < 60:
        return seconds(number)
    units = [("d", minutes // 1440), ("h", minutes // 60 % 24), ("min", minutes % 60)]
    first = next(n for n, (_, count) in enumerate(units) if count)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count)


def title(run: "Run") -> str:
    """Return what stands above all that is said of a run."""
    model = run.settings.experiment.model
    text = f"{run.settings.experiment.name}  {model.provider} {model.name}"
    return f"{text}  {REHEARSAL}" if run.emulated else text


def counters(counts: Mapping[str, int]) -> str:
    """Return counters on one line, each behind its name."""
    return "  ".join(f"{name} {count:,}" for name, count in counts.items())
