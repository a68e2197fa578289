"""One budget for all jobs of a sweep: what each has spent or reserved, also the ones not running."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

from runner.core.model import Batch
from runner.core.plan import committed
from runner.ledger import LedgerReader, exists


class Purse:
    """What every job has committed, by the folder it lives in."""

    def __init__(self) -> None:
        """Start empty."""
        self._committed: dict[Path, Decimal] = {}

    def look_into(self, folder: Path) -> None:
        """Count what a job spent or reserved in earlier runs."""
        if not exists(folder):
            return
        with closing(LedgerReader(folder)) as reader:
            self.settle(folder, reader.batches())

    def settle(self, folder: Path, batches: tuple[Batch, ...]) -> None:
        """Take note of what a job has committed by now."""
        self._committed[folder] = committed(batches)

    def elsewhere(self, folder: Path) -> Decimal:
        """Return what all other jobs have committed."""
        return sum((usd for one, usd in self._committed.items() if one != folder), Decimal(0))
