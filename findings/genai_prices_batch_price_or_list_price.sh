#!/usr/bin/env bash
# genai-prices answers a question for a batch price with the list price, and does not say which it is.
#
# Seen with genai-prices 0.2.3, Python 3.11: calc_price(…, price_context={"processing": "batch"}) gives
#   gpt-4o-mini          half the list price    (a variant for batches)
#   gpt-3.5-turbo-1106   the list price         (a variant for batches that changes no price)
#   gpt-3.5-turbo-0613   the list price         (no variant: nothing is known of a price in batch)
# and for a context that no model has, {"processing": "batches"}, the list price, too. PriceCalculation
# has no field that differs: model_price of the second equals, and looks like, that of the third. Only
# PriceCalculation.model.price_variants tells them apart; its empty variant means "the same price".
#
# What we expected: an error, or a word, where there is no such price, so that a plan does not promise
# a model in batch that may not be offered there, nor take a price for known that nobody knows.
# Run: bash findings/genai_prices_batch_price_or_list_price.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'genai-prices==0.2.3'

"$work/venv/bin/python" - <<'PY'
from datetime import UTC, datetime

from genai_prices import Usage, calc_price

AT = datetime(2026, 11, 28, tzinfo=UTC)  # prices depend on the day


def asked(model, context):
    return calc_price(
        Usage(input_tokens=1_000_000, output_tokens=1_000_000),
        model_ref=model,
        provider_id="openai",
        genai_request_timestamp=AT,
        price_context=context,
    )


batch = {"processing": "batch"}
found = {}
for model in ("gpt-4o-mini", "gpt-3.5-turbo-1106", "gpt-3.5-turbo-0613"):
    known, listed = asked(model, batch), asked(model, None)
    share = known.total_price / listed.total_price
    variants = sum(v.when == batch for v in known.model.price_variants or ())
    found[model] = (known, listed, share, variants)
    print(f"{model:20} {share:.1f} of the list price, {variants} variants for batches")
misspelt = asked("gpt-4o-mini", {"processing": "batches"})
assert found["gpt-4o-mini"][2:] == (0.5, 1)
assert found["gpt-3.5-turbo-1106"][2:] == (1, 1)
assert found["gpt-3.5-turbo-0613"][2:] == (1, 0)
for known, listed, share, _ in found.values():
    if share == 1:
        assert known.model_price == listed.model_price and repr(known) == repr(listed)
assert misspelt.total_price == found["gpt-4o-mini"][1].total_price
print("a price in batch that is not known is the list price, without a word")
PY
