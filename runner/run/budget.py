"""What the jobs of a sweep share: one budget, and the room that a provider's account has.

Each job decides what it sends, and writes the intent down, under one lock, so that no two of them
see room for the same batch or the same dollar.
"""

import threading
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.core.model import Batch
from runner.core.plan import UNSENT, Load, committed
from runner.core.states import AT_PROVIDER, BatchState
from runner.run.realtime import Pacer
from runner.storage.reader import LedgerReader, exists


@dataclass(frozen=True, slots=True)
class Account:
    """Whose limits a job is held to."""

    provider: str
    """Its class and address."""
    key_variable: str
    model: str
    """Waiting input tokens are limited by model, batches over all models."""

    def is_shared_with(self, other: "Account") -> bool:
        """Tell whether both are billed and limited together."""
        return (self.provider, self.key_variable) == (other.provider, other.key_variable)


@dataclass(frozen=True, slots=True)
class _AtWork:
    """What a job at work has at its provider."""

    account: Account
    batches: int = 0
    tokens: int = 0
    waiting: bool = False
    open: bool = False


class SharedBudget:
    """What every job has committed, and what the ones at work have at their providers."""

    def __init__(self) -> None:
        """Start empty."""
        self.lock = threading.RLock()
        """Held from the look at what others have until the intent of an order is on disk."""
        self._committed: dict[Path, Decimal] = {}
        self._jobs: dict[Path, _AtWork] = {}
        self._pacers: dict[tuple[Any, ...], Pacer] = {}

    def look_into(self, folder: Path) -> None:
        """Count what a job spent or reserved in earlier runs."""
        if not exists(folder):
            return
        with closing(LedgerReader(folder)) as reader:
            self.settle(folder, reader.batches())

    def enter(self, folder: Path, account: Account, batches: tuple[Batch, ...]) -> None:
        """Let a job begin to work, with what it has at its provider from earlier runs."""
        with self.lock:
            self._jobs[folder] = _AtWork(account)
            self.settle(folder, batches)

    def leave(self, folder: Path) -> None:
        """Let a job end: what it has spent and reserved stays, and nothing waits for it any more."""
        with self.lock:
            self._jobs.pop(folder, None)

    def pacer(self, account: Account, *pace: Any) -> Pacer:
        """Return what the requests of an account wait for that are asked one by one."""
        with self.lock:
            key = (account.provider, account.key_variable, *pace)
            return self._pacers.setdefault(key, Pacer(*pace))

    def settle(self, folder: Path, batches: tuple[Batch, ...]) -> None:
        """Take note of what a job has committed by now, and of what it has at its provider."""
        there = [b for b in batches if b.state in AT_PROVIDER and not b.realtime]
        with self.lock:
            self._committed[folder] = committed(batches)
            job = self._jobs.get(folder)
            if job is not None:
                self._jobs[folder] = _AtWork(
                    job.account,
                    batches=len(there),
                    tokens=sum(b.input_tokens for b in there),
                    waiting=any(b.state in UNSENT and not b.realtime for b in batches),
                    open=any(
                        b.state in AT_PROVIDER or b.state is BatchState.ENDED for b in batches
                    ),
                )

    def committed(self, folder: Path) -> Decimal:
        """Return what one job has committed."""
        with self.lock:
            return self._committed.get(folder, Decimal(0))

    def of_others(self, folder: Path) -> Decimal:
        """Return what all other jobs have committed."""
        with self.lock:
            others = (usd for one, usd in self._committed.items() if one != folder)
            return sum(others, Decimal(0))

    @property
    def total(self) -> Decimal:
        """What all jobs have committed."""
        with self.lock:
            return sum(self._committed.values(), Decimal(0))

    def load(self, folder: Path) -> Load:
        """Return what the other jobs at work have where this one sends."""
        with self.lock:
            mine = self._jobs.get(folder)
            if mine is None:
                return Load()
            others = [job for one, job in self._jobs.items() if one != folder]
            beside = [job for job in others if job.account.is_shared_with(mine.account)]
            # The job with the fewest there goes first: a large job does not keep the small ones waiting.
            owed = sum(1 for job in beside if job.waiting and job.batches < mine.batches)
            return Load(
                batches=sum(job.batches for job in beside) + owed,
                tokens=sum(job.tokens for job in beside if job.account == mine.account),
                may_free=any(job.open for job in others),
            )
