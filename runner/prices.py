"""List prices: the package genai-prices (offline data), or a dated row of the provider's file."""

from decimal import Decimal
from fnmatch import fnmatchcase

from runner.core.cost import Price, PriceList
from runner.schema import PriceConfig

TOKENS = 1000
"""Priced at once; below every tier boundary."""
MILLION = 1_000_000


def prices_of(model: str, config: PriceConfig) -> PriceList:
    """Return what a token of this model costs, in a batch and on its own; None: nobody knows."""
    found = _written(model, config) or _packaged(model, config)
    if found is None:
        return PriceList(batch=None, realtime=None)
    share = 1 - Decimal(repr(config.batch_discount))
    since = f" ({config.checked})" if config.checked else ""
    less = f", less {config.batch_discount:.0%} for batch" if config.batch_discount else ""
    return PriceList(
        batch=Price(
            input_usd=found.input_usd * share,
            output_usd=found.output_usd * share,
            source=f"{found.source}{less}{since}",
        ),
        realtime=found,
    )


def _written(model: str, config: PriceConfig) -> Price | None:
    for pattern, row in config.per_million.items():
        if fnmatchcase(model, pattern):
            return Price(
                input_usd=Decimal(repr(row.input)) / MILLION,
                output_usd=Decimal(repr(row.output)) / MILLION,
                source=f"{row.source}, {row.checked}",
            )
    return None


def _packaged(model: str, config: PriceConfig) -> Price | None:
    if config.source is None:
        return None
    from importlib.metadata import version

    from genai_prices import Usage, calc_price

    try:
        priced = calc_price(
            Usage(input_tokens=TOKENS, output_tokens=TOKENS),
            model_ref=model,
            provider_id=config.source,
        )
    except LookupError:
        return None
    return Price(
        input_usd=priced.input_price / TOKENS,
        output_usd=priced.output_price / TOKENS,
        source=f"genai-prices {version('genai-prices')}",
    )
