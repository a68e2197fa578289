"""What a provider says that a batch came to, held against what its answers add up to. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from runner.core.model import Batch
from runner.core.states import BatchState

INPUT, OUTPUT, USD = "input_tokens", "output_tokens", "usd"
"""What a provider may say of a batch: tokens, and US dollars."""
_MOST: Final = Decimal("0.01")
"""The share by which the two may differ without a word."""
_IN_WORDS: Final = {INPUT: "input tokens", OUTPUT: "output tokens"}


def charged(
    *, input_tokens: int | None = None, output_tokens: int | None = None, usd: Decimal | None = None
) -> dict[str, str]:
    """Return what a provider says of a batch, as it is kept; nothing where it says nothing.

    Args:
        input_tokens: of the whole batch; a service that counts nothing may write 0.
        output_tokens: the same.
        usd: what it charged, in US dollars.
    """
    said = {INPUT: input_tokens or None, OUTPUT: output_tokens or None, USD: usd}
    return {name: str(value) for name, value in said.items() if value is not None}


def differences(batch: Batch) -> Iterator[str]:
    """Yield what of a collected batch's bill is not what its answers add up to, in words.

    Nothing is said where it is known already that answers are without a count.
    """
    if batch.state is not BatchState.COLLECTED or batch.cost_unknown:
        return
    ours = {INPUT: batch.usage.input_tokens, OUTPUT: batch.usage.output_tokens, USD: batch.cost_usd}
    for name, theirs in _numbers(batch.charged).items():
        mine = None if ours[name] is None else Decimal(ours[name] or 0)
        if mine is None or abs(theirs - mine) <= _MOST * max(theirs, mine):
            continue
        if name == USD:
            yield f"${theirs:.4f} charged, and ${mine:.4f} by its answers and the prices here"
        else:
            yield f"{theirs:,} {_IN_WORDS[name]} charged, and {mine:,} by its answers"


def told_of(batches: Iterable[Batch]) -> list[str]:
    """Say which batches the provider charges for something else than their answers."""
    found = {batch.key: "; ".join(differences(batch)) for batch in batches}
    return [f"{key}: the provider's bill differs: {words}" for key, words in found.items() if words]


def _numbers(said: Mapping[str, str]) -> dict[str, Decimal]:
    numbers = {}
    for name in (INPUT, OUTPUT, USD):
        try:
            number = Decimal(said.get(name, "NaN"))
        except InvalidOperation:
            continue
        if number.is_finite():
            numbers[name] = number
    return numbers
