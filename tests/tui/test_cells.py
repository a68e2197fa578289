"""Text on the screen: harmless, and exactly as wide as it is told to be."""

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.cells import (
    ASCII,
    UNICODE,
    age,
    bar,
    clean,
    clean_lines,
    fit,
    money,
    plain_key,
    share,
    spark,
)

HOSTILE = [
    "\x1b[2J",
    "\x1b]0;pwned\x07",
    "\x1b]52;c;aGk=\x07",
    "\x07",
    "\r",
    "\x9b31m",
    "\x85",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\x00",
    "\x7f",
    "\u2028",
    "\ud800",
    "\U000e0041",
    "\t",
    "\n",
]


def dangerous(char: str) -> bool:
    """Whether a character controls a terminal or hides in the text around it."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in SOFT


SOFT = {"\xad", *map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x180E))} | {
    chr(code) for code in range(0x11000, 0x20000) if unicodedata.category(chr(code)) == "Cf"
}
"""Format characters that are part of a script's writing."""


@pytest.mark.parametrize("text", HOSTILE)
def test_what_controls_a_terminal_becomes_a_sign_for_it(text):
    assert not any(map(dangerous, clean(f"a{text}b")))
    assert clean(f"a{text}b").startswith("a")


@given(st.text())
def test_no_text_at_all_controls_the_terminal(text):
    assert not any(map(dangerous, clean(text)))


@given(st.text(), st.integers(0, 60), st.sampled_from(["left", "right"]))
def test_a_fitted_text_has_exactly_its_width(text, width, align):
    assert cell_len(fit(clean(text), width, align)) == width


def test_japanese_is_cut_at_whole_characters_and_marked():
    assert fit("無感情なロボット", 9) == "無感情な…"
    assert fit("無感情なロボット", 10) == "無感情な… "
    assert fit("懐中時計", 10, "right") == "  懐中時計"


def test_lines_are_told_apart_by_line_ends_only():
    assert clean_lines("a\r\nb\u2028c\nd") == ["a", "b�c", "d"]


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=4),
    st.integers(0, 10**7),
    st.integers(0, 99),
)
def test_a_bar_is_as_wide_as_told_and_full_only_when_all_is_done(counts, more, width):
    total = sum(counts) + more
    pieces = bar([(count, "good") for count in counts], total, width, UNICODE)
    text = "".join(part for part, _ in pieces)
    assert len(text) == width
    if more and total:
        assert UNICODE.full * width != text or not width


def test_a_bar_shows_each_part_that_is_not_nothing():
    pieces = bar([(9_999, "good"), (1, "bad")], 10_000, 40, UNICODE)
    assert [style for text, style in pieces if text] == ["good", "bad"]


def test_a_histogram_shows_the_fewest_and_leaves_out_the_none():
    assert spark([0, 1, 1000], UNICODE) == " ▁█"
    assert spark([0, 0], ASCII) == "  "


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0s"), (7.9, "7s"), (841, "14m01"), (12_720, "3h32"), (100_800, "1d04h")],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds, said):
    assert age(seconds) == said


def test_an_amount_that_nobody_knows_is_never_zero():
    assert money(None) == money(Decimal(3), known=False) == "$?"
    assert (money(Decimal(0)), money(Decimal("0.0123")), money(Decimal("1234.5"))) == (
        "$0.00",
        "$0.0123",
        "$1,234.50",
    )


@pytest.mark.parametrize(
    ("count", "total", "said"),
    [
        (0, 9, "0"),
        (9, 9, "100"),
        (1, 10**6, "0.1"),
        (10**6 - 1, 10**6, "99.9"),
        (1, 3, "33.3"),
        (0, 0, ""),
    ],
)
def test_a_share_is_0_only_for_none_and_100_only_for_all(count, total, said):
    assert share(count, total) == said


@pytest.mark.parametrize(
    ("typed", "meant"), [("ｊ", "j"), ("３", "3"), ("！", "!"), ("？", "?"), ("j", "j")]
)
def test_a_full_width_key_is_the_key_that_was_meant(typed, meant):
    assert plain_key(typed) == meant
