"""What requests that are asked one by one have cost so far, and may still cost."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from runner.core.cost import Price, counted, may_be_billed
from runner.core.model import Reply


@dataclass(slots=True, kw_only=True)
class Bill:
    """The account of one conversation, in US dollars; not safe for threads by itself.

    A request that is on its way counts as the most it may cost, and so does one that was lost, or
    whose reply does not say what it took.
    """

    price: Price | None
    """None: the price is unknown, and nothing is counted."""
    rest: Decimal = Decimal(0)
    """The most that what was not asked yet may cost."""
    room: Callable[[], Decimal | None] = lambda: None
    """How much all of it may come to by now; None: no limit."""
    spent: Decimal = Decimal(0)
    unknown: Decimal = Decimal(0)
    flying: Decimal = Decimal(0)

    @property
    def used(self) -> Decimal:
        """What is spent, and the most that may still be billed for what was asked."""
        return self.spent + self.unknown + self.flying

    @property
    def most(self) -> Decimal | None:
        """The most that it all can come to; None where the price is unknown."""
        return None if self.price is None else self.used + self.rest

    def fits(self, usd: Decimal) -> bool:
        """Tell whether a request that may cost this much can be asked now."""
        room = self.room()
        return room is None or self.price is None or self.used + usd <= room

    def ask(self, usd: Decimal) -> None:
        """Count a request that is about to be asked."""
        self.flying += usd
        self.rest = max(self.rest - usd, Decimal(0))

    def take_back(self, usd: Decimal) -> None:
        """Count a request as not asked: the service said no before it did anything."""
        self.flying -= usd
        self.rest += usd

    def settle(self, usd: Decimal, reply: Reply | None) -> None:
        """Count what came back for a request; None: nothing did, or nothing that can be read."""
        self.flying -= usd
        self.enter(usd, reply)

    def enter(self, usd: Decimal, reply: Reply | None) -> None:
        """Count a reply, also one from an earlier run, at what it cost or may have cost."""
        usage = None if reply is None else counted(reply)
        if usage is not None and self.price is not None:
            self.spent += self.price.of(usage)
        elif reply is None or may_be_billed(reply):
            self.unknown += usd
