"""Says what the temperature cannot be told from."""

from runner.core.expand import BUNDLED_FACTORS
from runner.report import numbers
from runner.report.data import Data
from runner.report.words import Words


def confounded(data: Data, words: Words, kind: str) -> list[str]:
    """Say what the temperature cannot be told from, if there is anything.

    Args:
        data: what the report is about.
        words: in which language.
        kind: of the words: n for a sentence, x for the label of an axis.
    """
    factors = numbers.confounded(data.readings, data.factors)
    if not factors:
        return []
    if set(factors) == BUNDLED_FACTORS:
        return [words(f"{kind}.confounded")]
    return [words(f"{kind}.confounded_factors", factors=words.factors(factors))]
