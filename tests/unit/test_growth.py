"""The measure of growth: what is linear passes, and what is quadratic is found out."""

from collections.abc import Callable

import pytest

from tests.growth import MOST, growth


def linear(size: int) -> Callable[[], object]:
    return lambda: sum(range(100 * size))


def quadratic(size: int) -> Callable[[], object]:
    return lambda: [sum(range(size)) for _ in range(size)]


@pytest.mark.long
@pytest.mark.parametrize(("work", "passes"), [(linear, True), (quadratic, False)])
def test_only_what_is_quadratic_grows_too_much(work, passes):
    assert (growth(work(3_000), work(6_000)) <= MOST) is passes
