"""What a provider says that a batch came to, held against what its answers add up to."""

from decimal import Decimal

import pytest

from runner.core.charged import charged, differences, told_of
from runner.core.model import Batch, BatchKey, Usage
from runner.core.states import BatchState


def batch(said: dict[str, str], **changes: object) -> Batch:
    known: dict[str, object] = {
        "key": BatchKey("b0001"),
        "state": BatchState.COLLECTED,
        "count": 3,
        "bytes": 1,
        "sha256": "",
        "input_tokens": 1,
        "reserved_usd": None,
        "packed_at": 0.0,
        "usage": Usage(input_tokens=10_000, output_tokens=2_000),
        "cost_usd": Decimal("0.5"),
        "charged": said,
    }
    return Batch(**known | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ()),
        (charged(), ()),
        (charged(input_tokens=0, output_tokens=0), ()),  # a service that counts nothing
        (charged(input_tokens=10_000, output_tokens=2_000), ()),
        (charged(input_tokens=10_100, output_tokens=1_980), ()),
        (charged(input_tokens=10_102), ("10,102 input tokens charged, and 10,000 by its answers",)),
        (charged(output_tokens=1_979), ("1,979 output tokens charged, and 2,000 by its answers",)),
        (charged(usd=Decimal("0.505")), ()),
        (
            charged(usd=Decimal("0.6")),
            ("$0.6000 charged, and $0.5000 by its answers and the prices here",),
        ),
        ({"input_tokens": "many", "usd": "NaN"}, ()),
    ],
)
def test_more_than_one_percent_is_said(said: dict[str, str], words: tuple[str, ...]) -> None:
    assert tuple(differences(batch(said))) == words


@pytest.mark.parametrize(
    "changes",
    [{"state": BatchState.RUNNING}, {"cost_unknown": 1}],
    ids=["not collected yet", "answers without a count"],
)
def test_nothing_is_said_where_nothing_can_be(changes: dict[str, object]) -> None:
    assert list(differences(batch(charged(input_tokens=99), **changes))) == []


def test_an_unknown_price_is_held_against_nothing() -> None:
    assert list(differences(batch(charged(usd=Decimal(1)), cost_usd=None))) == []


def test_a_line_names_the_batch() -> None:
    wrong, right = batch(charged(input_tokens=1)), batch({}, key=BatchKey("b0002"))
    (line,) = told_of([right, wrong])
    assert line.startswith("b0001: the provider's bill differs: 1 input tokens charged, and 10,000")
