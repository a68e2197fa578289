"""List prices: the package genai-prices (offline data), or a dated row of the provider's file."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.config.schema import PriceConfig
from runner.core.cost import Price, PriceList, Rates, Tier

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

MILLION = 1_000_000
_HTTP = "httpx2"
_IN_BATCH = {"processing": "batch"}
"""How the package is asked for the price of a batch."""
_FOR_BATCHES = ":batch"
"""How a gateway's model is called that is asked for in a batch."""
_INPUTS = {
    "cache_read_usd": "cache_read",
    "cache_write_usd": "cache_write",
    "cache_write_1h_usd": "cache_write_1h",
}
"""Our names of prices of a part of the input, and the package's."""


def prices_of(
    model: str,
    config: PriceConfig,
    *,
    caches: bool = False,
    tier: str | None = None,
    now: float | None = None,
) -> PriceList:
    """Return what a token of this model costs, in a batch and on its own; None: unknown.

    Args:
        model: its name at the service.
        config: where prices are looked up.
        caches: whether requests ask for their prompts to be cached.
        tier: of the service, of which single requests are asked; None for its usual one.
        now: when it is asked for, in seconds since the epoch; None for this moment.
    """
    written = _written(model, config)
    if written is not None:
        return PriceList(batch=_less(written, config), realtime=written)
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    return _packaged(model, config, caches=caches, tier=tier, now=moment)


def _written(model: str, config: PriceConfig) -> Price | None:
    for pattern, row in config.per_million.items():
        if fnmatchcase(model, pattern):
            return Price(
                input_usd=Decimal(repr(row.input)) / MILLION,
                output_usd=Decimal(repr(row.output)) / MILLION,
                source=f"{row.source}, {row.checked}",
            )
    return None


def _less(list_price: Price, config: PriceConfig, *notes: str) -> Price:
    """Return a list price less the provider's discount for batches.

    It is not taken off what a cache had: not every service takes off both.
    """
    share = 1 - Decimal(repr(config.batch_discount))
    since = f" ({config.checked})" if config.checked else ""
    less = f", less {config.batch_discount:.0%} for batch" if config.batch_discount else ""

    def cheaper(rates: Rates) -> dict[str, Any]:
        names = (f.name for f in fields(Rates) if f.name != "cache_read_usd")
        told = {name: getattr(rates, name) for name in names}
        taken_off = {name: usd * share for name, usd in told.items() if usd is not None}
        read = rates.cache_read_usd
        return taken_off | {"cache_read_usd": read and min(read, taken_off["input_usd"])}

    return Price(
        **cheaper(list_price),
        source=f"{list_price.source}{less}{since}",
        tiers=tuple(Tier(above=tier.above, **cheaper(tier)) for tier in list_price.tiers),
        notes=(*notes, *list_price.notes),
    )


def _packaged(
    model: str, config: PriceConfig, *, caches: bool, tier: str | None, now: datetime
) -> PriceList:
    """Ask the package once, for all lengths of a request: it is not asked again for each."""
    unknown = PriceList(batch=None, realtime=None)
    if config.source is None:
        return unknown
    with _without_network():
        from genai_prices import Usage, calc_price

    try:
        base = model.removesuffix(_FOR_BATCHES)
        known = calc_price(Usage(), model_ref=base, provider_id=config.source).model
    except LookupError:
        return unknown
    usual = _price(known, {}, caches=caches, now=now)
    if usual is None:
        return unknown
    realtime = usual if tier is None else _of_tier(known, usual, tier, caches=caches, now=now)
    if _has_price(known, _IN_BATCH, now):
        return PriceList(batch=_price(known, _IN_BATCH, caches=caches, now=now), realtime=realtime)
    if in_batch := _entry_for_batches(model, config.source):
        return PriceList(batch=_price(in_batch, {}, caches=caches, now=now), realtime=realtime)
    others = _knows_batches(config.source)
    note = f"no batch price known for {model}: it may not be offered in batch"
    return PriceList(batch=_less(usual, config, *([note] if others else [])), realtime=realtime)


@contextmanager
def _without_network() -> Iterator[None]:
    """Spare an import the HTTP library with which the package could update itself: a third of its time.

    What it finds instead is that library as soon as anything is asked of it.
    """
    if _HTTP in sys.modules:
        yield
        return
    later: Any = ModuleType(_HTTP)
    later.__getattr__ = lambda name: getattr(import_module(_HTTP), name)
    sys.modules[_HTTP] = later
    try:
        yield
    finally:
        del sys.modules[_HTTP]


def _knows_batches(source: str) -> bool:
    """Tell whether the package has a service's batch prices; without any, one that lacks says nothing."""
    from genai_prices.data_snapshot import get_snapshot

    providers = (provider for provider in get_snapshot().providers if provider.id == source)
    return any(
        variant.when == _IN_BATCH
        for provider in providers
        for model in provider.models
        for variant in model.price_variants or ()
    )


def _of_tier(
    known: "ModelInfo", usual: Price, tier: str, *, caches: bool, now: datetime
) -> Price | None:
    """Return the price of one request; where a tier's is not known, the usual one, and say so."""
    context = {"service_tier": tier}
    if _has_price(known, context, now):
        return _price(known, context, caches=caches, now=now)
    note = f"no {tier} price known for {known.id}: counted at the usual price"
    return replace(usual, notes=(note, *usual.notes))


def _entry_for_batches(model: str, source: str) -> "ModelInfo | None":
    """Return what the package knows of a model under the name that a gateway has for batches."""
    from genai_prices import Usage, calc_price

    name = model.removesuffix(_FOR_BATCHES) + _FOR_BATCHES
    try:
        known = calc_price(Usage(), model_ref=name, provider_id=source).model
    except LookupError:
        return None
    return known if known.id.endswith(_FOR_BATCHES) else None


def _has_price(known: "ModelInfo", context: Mapping[str, str], now: datetime) -> bool:
    """Tell whether the package knows one: asked for another, it answers with the list price."""
    return any(
        variant.when == context and (variant.constraint is None or variant.constraint.active(now))
        for variant in known.price_variants or ()
    )


def _price(
    known: "ModelInfo", context: Mapping[str, str], *, caches: bool, now: datetime
) -> Price | None:
    """Return what the package knows of a model, at the dearest time of the day; None: no price."""
    from importlib.metadata import version

    tables = [_table(known, context, moment) for moment in _times_of_day(known, now)]
    tables = [table for table in tables if {"input", "output"} <= table.keys()]
    if not tables:
        return None
    table = max(tables, key=lambda one: (_at(one["output"], 0), _at(one["input"], 0)))
    starts = sorted({start for steps in table.values() for start in steps if start})
    tiers = tuple(Tier(above=start, **_rates(table, start, caches)) for start in starts)
    where = f"genai-prices {version('genai-prices')}"
    in_batch = context == _IN_BATCH or known.id.endswith(_FOR_BATCHES)
    where += (
        ", batch prices" if in_batch else "".join(f", {tier} prices" for tier in context.values())
    )
    dearer = f", another price above {starts[0]:,} input tokens" if starts else ""
    return Price(
        **_rates(table, 0, caches),
        source=where + dearer,
        tiers=tiers,
        notes=tuple(_promotion(known, context, now)),
    )


_Steps = Mapping[int, Decimal]
"""US dollars a million tokens, by the number of input tokens above which they hold."""


def _table(known: "ModelInfo", context: Mapping[str, str], at: datetime) -> dict[str, _Steps]:
    """Return the prices of tokens that hold at a time, by the package's names."""
    from genai_prices.types import TieredPrices

    prices = known.get_prices(at, context)
    found: dict[str, _Steps] = {}
    for name in ("input", "output", *_INPUTS.values()):
        price = getattr(prices, f"{name}_mtok")
        if isinstance(price, TieredPrices):
            found[name] = {0: price.base} | {tier.start: tier.price for tier in price.tiers}
        elif price is not None:
            found[name] = {0: price}
    return found


def _at(steps: _Steps, tokens: int) -> Decimal:
    """Return the price that holds from a tier's beginning on."""
    return steps[max(start for start in steps if start <= tokens)]


def _rates(table: Mapping[str, _Steps], start: int, caches: bool) -> dict[str, Decimal]:
    """Return the prices of a token in one tier.

    A service that sells an hour in its cache puts there only what it is asked to; another one
    writes as it likes.
    """
    known = {name: _at(steps, start) / MILLION for name, steps in table.items()}
    found = {"input_usd": known["input"], "output_usd": known["output"]}
    found |= {ours: known[name] for ours, name in _INPUTS.items() if name in known}
    writes = [usd for name, usd in found.items() if name.startswith("cache_write")]
    if writes and (caches or "cache_write_1h" not in known):
        found["most_input_usd"] = max(writes)
    return found


def _times_of_day(known: "ModelInfo", now: datetime) -> Iterator[datetime]:
    """Yield moments of a day that have prices of their own: when an answer will be made is not known."""
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    yield now
    if isinstance(known.prices, ModelPrice):
        return
    for priced in known.prices:
        if isinstance(priced.constraint, TimeOfDateConstraint):
            for moment in (priced.constraint.start_time, priced.constraint.end_time):
                yield datetime.combine(now.date(), moment, moment.tzinfo or UTC)


def _promotion(known: "ModelInfo", context: Mapping[str, str], now: datetime) -> Iterator[str]:
    """Say when a price ends, if its end is known, and what comes then."""
    present = _table(known, context, now)
    for day in sorted(set(_days(known))):
        later = datetime.combine(day, now.timetz())
        then = _table(known, context, later)
        if later > now and {"input", "output"} <= then.keys() and then != present:
            prices = (f"${_at(then[name], 0):f}" for name in ("input", "output"))
            yield (
                f"the price of {known.id} ends on {day}: from then on {' and '.join(prices)} a "
                "million tokens in and out; what is billed later may cost more than is estimated here"
            )
            return


def _days(known: "ModelInfo") -> Iterator[date]:
    from genai_prices.types import ModelPrice, StartDateConstraint

    priced = [] if isinstance(known.prices, ModelPrice) else known.prices
    for one in (*priced, *(known.price_variants or ())):
        if isinstance(one.constraint, StartDateConstraint):
            yield one.constraint.start_date
