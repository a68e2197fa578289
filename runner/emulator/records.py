"""What is remembered of a file and of a batch, and where a batch stands at a given time."""

import json
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was uploaded or that a batch wrote; the columns of the table, in order."""

    seq: int
    id: str
    service: str
    purpose: str
    filename: str
    bytes: int
    created_at: float
    expires_at: int | None
    stable_key: str
    deleted_at: float | None
    downloads: int


class Fate(StrEnum):
    """What the dice decided for a batch when it was created."""

    COMPLETE = "complete"
    EXPIRE = "expire"
    TOKEN_LIMIT = "token_limit"


class Stage(StrEnum):
    """Where a batch stands; each wire translates this to its own words."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Say whether nothing will change any more."""
        return self in _TERMINAL


_TERMINAL = frozenset({Stage.FAILED, Stage.COMPLETED, Stage.EXPIRED, Stage.CANCELLED})


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as stored; the columns of the table, in order.

    `checked` means the input was validated, `settled` that its rows were run, written and billed
    (or that none ever will be). The four times are fixed when the batch is created, so that it
    goes on while no emulator runs.
    """

    seq: int
    id: str
    service: str
    endpoint: str
    input_file_id: str
    metadata: str | None
    output_lifetime: int
    sha256: str
    nth: int
    fate: str
    tokens: int
    created_at: float
    validated_at: float
    ran_at: float
    ended_at: float
    cancel_at: float | None
    checked: int
    settled: int
    model: str | None
    total: int
    doomed: int
    errors: str | None
    completed: int
    failed: int
    output_file_id: str | None
    error_file_id: str | None
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    details: str | None
    """JSON that only the wire that made it reads: a display name, labels, where results go."""

    @property
    def stable_key(self) -> str:
        """Name this batch the same way in every run: its input, and the how-manieth time."""
        return f"{self.sha256}/{self.nth}"

    @property
    def published(self) -> tuple[str, str] | None:
        """Where its results are kept, if its details say so: a purpose and a name."""
        details = json.loads(self.details) if self.details else {}
        return tuple(details["published"]) if "published" in details else None

    @property
    def over_at(self) -> float:
        """When it reached, or will reach, its last stage."""
        if self.errors is not None:
            return self.validated_at
        if self.cancel_at is not None:
            return self.cancel_at + (self.ended_at - self.ran_at)
        return self.ended_at

    def stage(self, now: float) -> Stage:
        """Where it stands; a batch that was not looked at is still validating."""
        if self.errors is not None:
            return Stage.FAILED
        if self.cancel_at is not None:
            return Stage.CANCELLED if now >= self.over_at else Stage.CANCELLING
        if not self.checked:
            return Stage.VALIDATING
        if not self.settled or now < self.ran_at:
            return Stage.IN_PROGRESS
        if now < self.ended_at:
            return Stage.FINALIZING
        return Stage.EXPIRED if self.fate == Fate.EXPIRE else Stage.COMPLETED

    def rows_run(self, now: float) -> int:
        """How many rows have run, by the clock."""
        until = now if self.cancel_at is None else min(now, self.cancel_at)
        if until < self.validated_at:
            return 0
        # Rounded up, so that asking again for the rest always gets somewhere.
        reachable = (self.total + 1) // 2 if self.fate == Fate.EXPIRE else self.total
        if until >= self.ran_at:
            return reachable
        return int(reachable * (until - self.validated_at) / (self.ran_at - self.validated_at))

    def done(self, now: float) -> tuple[int, int]:
        """How many rows were answered and how many failed, by the clock."""
        if self.settled or not self.total:
            return self.completed, self.failed
        run = self.rows_run(now)
        failed = run * self.doomed // self.total
        return run - failed, failed
