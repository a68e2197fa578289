"""How precise a mean, or a share, is known: 95 % intervals and their quantiles."""

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt
from typing import Any

Z = 1.959963984540054
"""The standard normal's 97.5 % quantile."""
UPPER = 0.975
"""The share of a distribution below the upper end of a 95 % interval."""
_MANY = 100_000
"""Degrees of freedom from which on Student's quantile is the normal one, to five digits."""
_TINY = 1e-300


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
    """Return Student's 97.5 % quantile, to ten digits.

    Args:
        df: degrees of freedom, above 0.
    """
    if df >= _MANY:
        return Z
    low, high = Z, 13.0  # of one degree of freedom: 12.7
    while high - low > 1e-11 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _t_upto(middle, df) > UPPER else (middle, high)
    return (low + high) / 2


def _t_upto(t: float, df: int) -> float:
    """Return the distribution function of Student's t, for t above 0."""
    return 1 - _beta_share(df / 2, 0.5, df / (df + t * t)) / 2


def _beta_share(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), for 0 < x < 1."""
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate its continued fraction by Lentz's method (Press et al., Numerical Recipes, 6.4)."""
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_0(1 + term * d)
            c = _away_from_0(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return found


def _away_from_0(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
