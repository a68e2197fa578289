"""What can go wrong in a simulated run, drawn from one seed: time, network, disk and sudden death."""

import errno
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

START = 1_800_000_000.0


class Killed(BaseException):
    """The process is gone; nothing of it may write any more."""


@dataclass
class Time:
    """True time, and what the clock of this machine shows."""

    true: float = START
    off_by: float = 0.0
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    """What reaches the provider later."""

    def provider(self) -> float:
        return self.true

    def now(self) -> float:
        return self.true + self.off_by

    def sleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0.01))

    def jitter(self) -> float:
        return 0.5

    def advance(self, seconds: float) -> None:
        """Let time pass; what is on its way arrives when it is due, and not later."""
        until = self.true + seconds
        while arriving := [one for one in self.due if one[0] <= until]:
            first = min(arriving, key=lambda one: one[0])
            self.due.remove(first)
            self.true = max(self.true, first[0])
            first[1]()
        self.true = until


@dataclass
class Weather:
    """The dice of one seed; they stop falling badly after a while, so that every run ends."""

    seed: int
    latest: float
    """Seconds after which nothing that was sent arrives any more."""
    faults_left: int = 0
    dead: bool = False
    points: int = 0
    kill_at: int = 0
    log: list[str] = field(default_factory=list)
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.share = self.dice.choice([0.02, 0.08, 0.2, 0.5])
        self.faults_left = self.dice.randrange(40)
        self.ends = self.dice.choice(["counts", "cuts"])
        """What goes wrong with ends; a cut is seen by the counts, so that only one of them lies."""
        self.twists_left = self.dice.randrange(8)
        self.gateway = random.Random(self.seed * 11 + 3)
        self.repeats_left = self.gateway.choice([0, 0, 1, 3])

    def strikes(self, what: str) -> bool:
        """Tell whether a fault happens here, and note it."""
        if self.faults_left <= 0 or self.dice.random() >= self.share:
            return False
        self.faults_left -= 1
        self.log.append(f"{self.time.true - START:10.2f} {what}")
        return True

    def twists(self, what: str) -> bool:
        """Tell whether an end contradicts itself here; these have a share of their own."""
        if self.twists_left <= 0 or self.dice.random() < 0.5:
            return False
        self.twists_left -= 1
        self.log.append(f"{self.time.true - START:10.2f} {what}")
        return True

    def repeats(self, what: str) -> bool:
        """Tell whether a gateway sends an order once more, as if the first had had no reply."""
        if self.repeats_left <= 0 or self.gateway.random() < 0.5:
            return False
        self.repeats_left -= 1
        self.log.append(f"{self.time.true - START:10.2f} {what}")
        return True

    # -- one process

    def begin_process(self) -> None:
        """Start anew: another wall clock, another moment to die, nothing else kept."""
        self.dead, self.points = False, 0
        dies = self.faults_left > 0 and self.dice.random() < 0.6
        self.kill_at = self.dice.randrange(1, 120) if dies else 0
        if self.strikes("the wall clock was set"):
            self.time.off_by = self.dice.choice([-1, 1]) * self.dice.uniform(1, 40_000)

    def at(self, where: str) -> None:
        """Pass a point at which a process can die."""
        self.points += 1
        if self.points == self.kill_at:
            self.log.append(f"{self.time.true - START:10.2f} killed {where}")
            self.faults_left -= 1
            self.dead = True
        if self.dead:
            raise Killed(where)

    def around(self, owner: object, name: str, *, disk: bool = False) -> Callable[[], None]:
        """Make points before and after a function, and let the disk be full; returns the undoing."""
        inner = getattr(owner, name)
        is_ledger = name == "_commit"

        def wrapped(*args: object, **kwargs: object) -> object:
            self.at(f"before {name}")
            if disk and self.strikes(f"disk full at {name}"):
                raise (
                    sqlite3.OperationalError("database or disk is full")
                    if is_ledger
                    else OSError(errno.ENOSPC, "No space left on device")
                )
            result = inner(*args, **kwargs)
            self.at(f"after {name}")
            return result

        setattr(owner, name, wrapped)
        return lambda: setattr(owner, name, inner)
