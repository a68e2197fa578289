"""Tokens and prices to money; an unknown price or usage stays unknown, never zero."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from runner.core.model import Reply, ReplyKind, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one token costs, in US dollars."""

    input_usd: Decimal
    output_usd: Decimal
    cache_read_usd: Decimal | None = None
    """None, here and below: as other input."""
    cache_write_usd: Decimal | None = None
    cache_write_1h_usd: Decimal | None = None
    most_input_usd: Decimal | None = None
    """The most that a token of input may cost, where the service may put it into its cache."""

    def charge(self, usage: Usage) -> Decimal:
        """Return the price of what was used."""
        cost = usage.input_tokens * self.input_usd + usage.output_tokens * self.output_usd
        for tokens, usd in (
            (usage.cache_read_tokens, self.cache_read_usd),
            (usage.cache_write_tokens, self.cache_write_usd),
            (usage.cache_write_1h_tokens, self.cache_write_1h_usd),
        ):
            if tokens and usd is not None:
                cost += tokens * (usd - self.input_usd)
        return cost

    def most(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the most that so many tokens may cost."""
        dearest = max(self.input_usd, self.most_input_usd or Decimal(0))
        return input_tokens * dearest + output_tokens * self.output_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier(Rates):
    """What every token of a long request costs."""

    above: int
    """Requests with more input tokens than this are in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Rates):
    """What one token of a model costs; in a long request it may be another price."""

    source: str
    """Where the list price comes from, with its date."""
    tiers: tuple[Tier, ...] = ()
    """The shortest requests first."""
    notes: tuple[str, ...] = ()
    """What a user should know of this price before paying it."""

    def of(self, usage: Usage) -> Decimal:
        """Return the price of what one request used, in US dollars."""
        rates: Rates = self
        for tier in self.tiers:
            if usage.input_tokens > tier.above:
                rates = tier
        return rates.charge(usage)

    def highest(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the most that one request may cost that has at most so many tokens."""
        reached = [tier for tier in self.tiers if input_tokens > tier.above]
        return max(rates.most(input_tokens, output_tokens) for rates in (self, *reached))


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What a token costs, by how it is asked for; None when unknown."""

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
    ascii_count = len(text.encode("ascii", "ignore"))
    return tokens_of(ascii_count, len(text) - ascii_count)


def tokens_of(ascii_count: int, others: int) -> int:
    """Guess the input tokens of so many characters of ASCII, and beyond it."""
    return others + -(-ascii_count // 3) + 8


def likely_tokens(input_tokens: int) -> int:
    """Return the low end of a guess: tokenisers do better than a token a character."""
    return input_tokens * 7 // 10


class Weight(NamedTuple):
    """What one request may take, in tokens."""

    input: int
    """Estimated."""
    most_output: int
    """The cap on its answer."""


def estimate(
    price: Price | None, requests: Iterable[tuple[Weight, int]], expected_output: int
) -> Estimate:
    """Estimate requests: low with the expected answers, high with the longest allowed.

    Args:
        price: of a token; None when unknown.
        requests: what one may take, and how many there are of that weight.
        expected_output: tokens of a usual answer, where its cap allows as many.
    """
    if price is None:
        return Estimate(low=None, high=None)
    low = high = Decimal(0)
    alike: dict[Weight, int] = {}
    for weight, count in requests:
        alike[weight] = alike.get(weight, 0) + count
    for weight, count in alike.items():
        usual = Usage(
            input_tokens=likely_tokens(weight.input),
            output_tokens=min(expected_output, weight.most_output),
        )
        low += count * price.of(usual)
        high += count * price.highest(weight.input, weight.most_output)
    return Estimate(low=low, high=high)


_LEAST_SHOWN = 0.0001
"""US dollars."""


def dollars(amount: Decimal | float) -> str:
    """Return US dollars to a hundredth of a cent; less than that is said, and only nothing is 0."""
    if 0 < amount < _LEAST_SHOWN:
        return f"<${_LEAST_SHOWN}"
    return f"${amount:,.4f}"


def counted(reply: Reply) -> Usage | None:
    """Return the tokens of a reply; None when the provider did not count them.

    A service that counts nothing says 0, and no text was ever written with no token.
    """
    usage = reply.usage
    if usage is None or not usage.input_tokens or (reply.text and not usage.output_tokens):
        return None
    return usage


def may_be_billed(reply: Reply) -> bool:
    """Tell whether a reply that does not say its tokens may cost something."""
    return reply.kind in (ReplyKind.ANSWER, ReplyKind.UNREADABLE)
