"""What a run is to do, and within which bounds."""

from dataclasses import dataclass
from decimal import Decimal

from runner.core.cost import PriceList
from runner.core.deadline import Deadline
from runner.core.model import Limits, Model
from runner.core.plan import Purpose, is_past
from runner.core.transition import Timing


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked one by one instead of in batches."""

    first: bool
    """What was never asked."""
    again: bool
    """What could not be read, and is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What a run is to do, and within which bounds."""

    experiment_id: str
    name: str
    """The experiment's."""
    purpose: Purpose
    asking: Asking
    model: Model
    prices: PriceList
    limits: Limits
    """The provider's."""
    timing: Timing
    budget_usd: Decimal | None
    """None: no limit (a rehearsal)."""
    deadline: Deadline | None = None
    """When what is open is asked one by one; None: never."""

    @property
    def late_at(self) -> float | None:
        """The same in seconds since the epoch."""
        return None if self.deadline is None else self.deadline.at

    def asking_at(self, now: float) -> Asking:
        """Return what is asked one by one at a moment."""
        return Asking(first=True, again=True) if is_past(self.late_at, now) else self.asking
