"""List prices from the package genai-prices (offline data), with the batch discount taken off."""

from decimal import Decimal

from runner.core.cost import Price
from runner.schema import PriceConfig

TOKENS = 1000
"""Priced at once; below every tier boundary."""


def price_of(model: str, config: PriceConfig) -> Price | None:
    """Return what a token of this model costs through the batch API; None when nobody knows."""
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
    share = (1 - Decimal(repr(config.batch_discount))) / TOKENS
    return Price(
        input_usd=priced.input_price * share,
        output_usd=priced.output_price * share,
        source=f"genai-prices {version('genai-prices')}, less {config.batch_discount:.0%} for batch",
    )
