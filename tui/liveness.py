"""Whether a runner is at work on a job: told from its lock and its heartbeat, and never guessed."""

from dataclasses import dataclass
from enum import StrEnum

from runner.storage.ledger import HEARTBEAT_SECONDS
from tui.cells import age
from tui.language import later, tr
from tui.model import Job

LATE = 3 * HEARTBEAT_SECONDS
DEAD = 12 * HEARTBEAT_SECONDS
AHEAD = 5.0
"""Seconds; a heartbeat that far in the future says that two clocks differ."""


_GONE = later(
    "{what}: last heartbeat {silent} ago ({who}). Batches go on at the provider; "
    "nothing is fetched until you run the same command again."
)
_SUSPENDED = later(
    "The runner is suspended: {who} holds the ledger and has sent no heartbeat for {silent} "
    "(after Ctrl-Z: fg brings it back)."
)


class Life(StrEnum):
    """What can be known of the runner."""

    ALIVE = "alive"
    LATE = "late"
    STOPPED = "stopped"
    """It holds the ledger and does not beat, as after Ctrl-Z."""
    DEAD = "dead"
    LEFT = "left"
    """It ended by itself with work left, as with wait=false or after Ctrl-C."""
    FINISHED = "finished"
    NEVER = "never"

    @property
    def style(self) -> str:
        """Return how bad it is what is said of such a runner: bad or warn."""
        return "bad" if self in (Life.DEAD, Life.STOPPED) else "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """What can be known of the runner, and the sentence that says it."""

    life: Life
    beat_age: float | None
    """Seconds since the last heartbeat; None: there was none."""
    sentence: str | None
    """What the user has to know; None when all is well."""

    @property
    def at_work(self) -> bool:
        """Tell whether states on the screen are current, and requests are taken."""
        return self.life in (Life.ALIVE, Life.LATE)


def liveness(job: Job, now: float, host: str) -> Liveness:
    """Judge a job's runner.

    Args:
        job: as it was read.
        now: seconds since the epoch.
        host: this machine's name; a lock says something about this machine only.
    """
    beat = job.heartbeat
    if "at" not in beat:
        return Liveness(life=Life.NEVER, beat_age=None, sentence=None)
    silent = now - float(beat["at"])
    there = str(beat.get("host", "?"))
    here = there == host
    who = tr("pid {pid} on {there}", pid=beat.get("pid", "?"), there=there)
    if silent < -AHEAD:
        return Liveness(
            life=Life.ALIVE,
            beat_age=silent,
            sentence=tr(
                "The clock of {there} is {time} ahead of this one; ages are off by that.",
                there=there,
                time=age(-silent),
            ),
        )
    held = job.holder is not None if here else silent <= DEAD and not beat.get("left")
    if not held and beat.get("finished"):
        return Liveness(life=Life.FINISHED, beat_age=silent, sentence=None)
    if not held:
        left = bool(beat.get("left"))
        what = tr("The runner has ended with work left") if left else tr("The runner is gone")
        return Liveness(
            life=Life.LEFT if left else Life.DEAD,
            beat_age=silent,
            sentence=tr(_GONE, what=what, silent=age(silent), who=who),
        )
    if silent > DEAD:
        return Liveness(
            life=Life.STOPPED,
            beat_age=silent,
            sentence=tr(_SUSPENDED, who=who, silent=age(silent)),
        )
    if silent > LATE:
        return Liveness(
            life=Life.LATE,
            beat_age=silent,
            sentence=tr(
                "The runner is late: last heartbeat {silent} ago ({who}).",
                silent=age(silent),
                who=who,
            ),
        )
    return Liveness(life=Life.ALIVE, beat_age=max(silent, 0.0), sentence=None)
