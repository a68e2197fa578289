"""How precise a mean, or a share, is known: 95 % intervals and their quantiles."""

from functools import lru_cache
from math import sqrt
from typing import Any

Z = 1.959963984540054
"""The standard normal's 97.5 % quantile."""
UPPER = 0.975
"""The share of a distribution below the upper end of a 95 % interval."""
_MANY = 100_000
"""Degrees of freedom from which on Student's quantile is the normal one, to five digits."""


def wilson(share: Any, n: Any, quantile: Any = Z) -> tuple[Any, Any]:
    """Return centre and half-width of Wilson's 95 % score interval of a share.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22, 209-212.

    Args:
        share: of the answers, between 0 and 1; a number, or a column of numbers.
        n: of how many independent answers, above 0; as `share`.
        quantile: how many standard errors an end is away; as `share`.
    """
    square = quantile * quantile / n
    centre = (share + square / 2) / (1 + square)
    half = (square * share * (1 - share) + square * square / 4) ** 0.5 / (1 + square)
    return centre, half


def mean_half_width(sd: float, n: int) -> float:
    """Return the half-width of the 95 % t interval of a mean.

    Args:
        sd: the standard deviation, divided by n - 1.
        n: how many values, above 1.
    """
    return t_quantile(n - 1) * sd / sqrt(n)


@lru_cache(maxsize=4096)
def t_quantile(df: int) -> float:
    """Return Student's 97.5 % quantile.

    Args:
        df: degrees of freedom, above 0.
    """
    if df >= _MANY:
        return Z
    from scipy.special import stdtrit  # only studies with a stopping rule pay for the import

    return float(stdtrit(df, UPPER))
