"""Tokens and prices to money; an unknown price stays unknown, never zero."""

from dataclasses import dataclass
from decimal import Decimal

from runner.core.model import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one token costs."""

    input_usd: Decimal
    output_usd: Decimal
    source: str
    """Where the list price comes from, with its date."""

    def of(self, usage: Usage) -> Decimal:
        """Return the price of what was used, in US dollars."""
        return usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What a token costs, by how it is asked for; None when nobody knows."""

    batch: Price | None
    realtime: Price | None

    def at(self, *, realtime: bool) -> Price | None:
        """Return the price of one way of asking."""
        return self.realtime if realtime else self.batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What requests may cost before they are sent, in US dollars; None when no price is known."""

    low: Decimal | None
    high: Decimal | None


def estimate_tokens(text: str) -> int:
    """Guess the input tokens of a text, on the high side: a token a character beyond ASCII."""
    ascii_count = sum(1 for c in text if c < "\x80")
    return (len(text) - ascii_count) + -(-ascii_count // 3) + 8


LOW_INPUT = Decimal("0.7")
"""Tokenisers do better than a token a character: the low end of the estimate."""


def estimate(
    price: Price | None, input_tokens: int, requests: int, expected_output: int, max_output: int
) -> Estimate:
    """Estimate requests: low with the expected answers, high with the longest allowed."""
    if price is None:
        return Estimate(low=None, high=None)
    return Estimate(
        low=input_tokens * LOW_INPUT * price.input_usd
        + requests * expected_output * price.output_usd,
        high=input_tokens * price.input_usd + requests * max_output * price.output_usd,
    )
