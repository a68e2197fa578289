"""Packing: nothing lost, order kept, every limit held, and batches as full as they can be."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.core.custom_id import custom_id
from runner.core.errors import ConfigError
from runner.core.model import Limits, Span, Stem, Variant
from runner.core.pack import SizedSpan, _parted, is_enough, pack, too_few, with_a_size_of_its_own
from tests.growth import MOST, growth

WIDE = Limits(
    requests=50_000, bytes=200_000_000, enqueued_tokens=None, batches_in_flight=None, margin=0
)


@st.composite
def sized_spans(draw: st.DrawFn) -> list[SizedSpan]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        first = draw(st.integers(1, 120))
        last = first + draw(st.integers(0, 150))
        found.append(
            SizedSpan(
                span=Span(Stem(f"c{number}"), first, last, draw(st.sampled_from(Variant))),
                frame_bytes=draw(st.integers(50, 400)),
                tokens=draw(st.integers(0, 90)),
            )
        )
    return found


LIMITS = st.builds(
    Limits,
    requests=st.integers(1, 200),
    bytes=st.integers(500, 30_000),
    enqueued_tokens=st.none() | st.integers(100, 3000),
    batches_in_flight=st.none(),
    margin=st.sampled_from([0.0, 0.05, 0.1]),
    min_requests=st.none() | st.integers(1, 120),
)


def requests(spans: tuple[SizedSpan, ...] | list[SizedSpan]) -> list[tuple[str, Variant, int, int]]:
    """Every request with its wording, its bytes and its tokens."""
    return [
        (name, s.span.variant, s.frame_bytes + len(name), s.tokens)
        for s in spans
        for trial in range(s.span.first, s.span.last + 1)
        for name in [custom_id(s.span.stem, trial)]
    ]


def packed(spans: list[SizedSpan], limits: Limits) -> list[tuple[SizedSpan, ...]]:
    try:
        return list(pack(spans, limits))
    except ConfigError:
        assume(False)
        raise


@given(sized_spans(), LIMITS)
def test_nothing_is_lost_or_added_and_the_order_is_kept(spans, limits):
    batches = packed(spans, limits)
    assert [r for batch in batches for r in requests(batch)] == requests(spans)


@given(sized_spans(), LIMITS)
def test_every_batch_is_within_every_limit_less_the_margin(spans, limits):
    for batch in packed(spans, limits):
        rows, keep = requests(batch), 1 - limits.margin
        assert 1 <= len(rows) <= max(1, limits.requests * keep)
        assert sum(size for _, _, size, _ in rows) <= limits.bytes * keep
        if limits.enqueued_tokens is not None:
            assert sum(tokens for *_, tokens in rows) <= limits.enqueued_tokens * keep


@given(sized_spans(), LIMITS)
def test_a_batch_ends_only_where_the_next_request_would_not_fit(spans, limits):
    longest = {s.span.stem: s.line_bytes for s in spans}
    keep = 1 - limits.margin
    for batch, following in pairwise(packed(spans, replace(limits, min_requests=None))):
        count = sum(len(s.span) for s in batch) + 1
        size = sum(longest[s.span.stem] * len(s.span) for s in batch)
        size += longest[following[0].span.stem]
        tokens = sum(max(s.tokens, 1) * len(s.span) for s in batch) + max(following[0].tokens, 1)
        assert (
            count > int(limits.requests * keep)
            or size > int(limits.bytes * keep)
            or tokens > int((limits.enqueued_tokens or tokens) * keep)
        )


def test_a_batch_that_fits_exactly_is_one_batch():
    span = SizedSpan(span=Span(Stem("c"), 1, 10, Variant.PLAIN), frame_bytes=95, tokens=1)
    assert [len(batch) for batch in pack([span], replace(WIDE, bytes=1000))] == [1]


def test_one_byte_too_few_makes_a_second_batch():
    span = SizedSpan(span=Span(Stem("c"), 1, 10, Variant.PLAIN), frame_bytes=95, tokens=1)
    cut = [[(s.span.first, s.span.last) for s in b] for b in pack([span], replace(WIDE, bytes=999))]
    assert cut == [[(1, 9)], [(10, 10)]]


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (replace(WIDE, bytes=1000, margin=0.05), "1,000 bytes"),
        (replace(WIDE, enqueued_tokens=49), "49 tokens"),
    ],
)
def test_a_request_larger_than_a_batch_is_one_clear_error(limits, word):
    small = SizedSpan(span=Span(Stem("a"), 1, 3, Variant.PLAIN), frame_bytes=100, tokens=1)
    large = SizedSpan(span=Span(Stem("b"), 4, 900, Variant.PLAIN), frame_bytes=950, tokens=50)
    with pytest.raises(ConfigError) as caught:
        list(pack([small, large], limits))
    message = str(caught.value)
    assert [w for w in ("b_n04", word, "provider.limits") if w not in message] == []
    assert "\n" not in message


def test_a_margin_never_leaves_less_than_one_request():
    span = SizedSpan(span=Span(Stem("c"), 1, 3, Variant.PLAIN), frame_bytes=95, tokens=1)
    batches = list(pack([span], replace(WIDE, requests=1, margin=0.5)))
    assert len(batches) == 3


def sizes(total: int, **limits: object) -> list[int]:
    span = SizedSpan(span=Span(Stem("c"), 1, total, Variant.PLAIN), frame_bytes=95, tokens=1)
    found = pack([span], replace(WIDE, **({"min_requests": 100} | limits)))
    return [len(requests(batch)) for batch in found]


def test_the_last_two_batches_share_evenly_where_the_last_would_be_too_small():
    assert sizes(1000, requests=450) == [450, 450, 100]
    assert sizes(999, requests=450) == [450, 275, 274]
    assert sizes(999, requests=450, min_requests=None) == [450, 450, 99]


def test_what_cannot_be_enough_stays_as_it_is_and_is_told_from_what_is():
    limits = replace(WIDE, min_requests=100, requests=120)
    assert sizes(99) == [99]
    assert sizes(199, requests=120) == [120, 79], "both would be too small"
    span = SizedSpan(span=Span(Stem("c"), 1, 199, Variant.PLAIN), frame_bytes=95, tokens=1)
    assert [is_enough(batch, limits) for batch in pack([span], limits)] == [True, False]
    assert "1 request is not sent" in too_few(1, limits)


def test_batches_do_not_share_what_would_be_too_large_then():
    small = SizedSpan(span=Span(Stem("a"), 1, 200, Variant.PLAIN), frame_bytes=96, tokens=1)
    large = SizedSpan(span=Span(Stem("b"), 1, 90, Variant.PLAIN), frame_bytes=996, tokens=1)
    limits = replace(WIDE, bytes=92_000, min_requests=100)
    assert [len(requests(batch)) for batch in pack([small, large], limits)] == [190, 100]


@given(sized_spans(), LIMITS)
def test_a_batch_is_too_small_only_where_it_cannot_get_enough_of_the_one_before(spans, limits):
    least = limits.min_requests or 1
    for batch, following in pairwise(packed(spans, limits)):
        total = len(requests((*batch, *following)))
        if is_enough(following, limits) or total < 2 * least:
            continue
        _, tail = _parted((*batch, *following), total - least)
        assert len(packed(list(tail), replace(limits, min_requests=None))) > 1


def test_nothing_makes_no_batch():
    assert list(pack([], WIDE)) == []


@pytest.mark.parametrize("enqueued_tokens", [None, 2_000_000])
def test_a_million_requests_in_twelve_spans_are_arithmetic(enqueued_tokens):
    def packed(trials: int) -> list[tuple[SizedSpan, ...]]:
        spans = [
            SizedSpan(
                span=Span(Stem(f"p{n}"), 1, trials, Variant.PLAIN), frame_bytes=9000, tokens=3000
            )
            for n in range(12)
        ]
        return list(pack(spans, replace(WIDE, enqueued_tokens=enqueued_tokens, margin=0.05)))

    batches = packed(83_334)
    assert sum(len(s.span) for batch in batches for s in batch) == 12 * 83_334
    assert growth(lambda: packed(800_000), lambda: packed(1_600_000)) <= MOST


@given(sized_spans(), st.sets(st.integers(1, 400)))
def test_a_batch_is_cut_until_no_other_has_its_size_and_only_at_its_end(spans, taken):
    whole = requests(tuple(spans))
    kept = requests(with_a_size_of_its_own(tuple(spans), taken))
    assert kept == whole[: len(kept)]
    free = [n for n in range(1, len(whole) + 1) if n not in taken]
    assert len(kept) == (max(free) if free else len(whole))


def test_a_batch_is_as_large_as_it_can_be_without_the_size_of_another():
    spans = tuple(
        SizedSpan(span=Span(Stem(n), 1, 3, Variant.PLAIN), frame_bytes=9, tokens=1) for n in "ab"
    )
    assert len(requests(with_a_size_of_its_own(spans, {6, 5, 3}))) == 4
    assert len(requests(with_a_size_of_its_own(spans, {6, 5, 4}))) == 3
