"""Finish reasons: a word of any dialect, and what it means."""

import pytest

from runner.core.finish import normal


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *(
            (word, "stop")
            for word in ("stop", "STOP", "end_turn", "stop_sequence", "eos", "COMPLETE")
        ),
        *(
            (word, "stop")
            for word in ("FINISH_REASON_STOP", "FinishReason.STOP", " Stop ", "end-turn")
        ),
        *((word, "length") for word in ("length", "MAX_TOKENS", "Max Tokens", "model_length")),
        *(
            (word, "length")
            for word in ("model_context_window_exceeded", "FINISH_REASON_MAX_TOKENS")
        ),
        *((word, "content_filter") for word in ("content_filter", "SAFETY", "RECITATION", "SPII")),
        ("refusal", "refusal"),
    ],
)
def test_every_dialect_has_its_word(word: str, expected: str) -> None:
    assert normal(word) == expected


@pytest.mark.parametrize(
    "word",
    [
        *("abort", "error", "insufficient_system_resource", "pause_turn", "other", "tool_calls"),
        *("unspecified_thing", "stopped_early", "nonstop", "stop.", "null"),
    ],
)
def test_a_word_that_nobody_knows_stays_what_it_is(word: str) -> None:
    assert normal(word) == word


def test_a_word_that_nobody_knows_is_written_small() -> None:
    assert normal("FINISH_REASON_OTHER") == "other"


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_word_says_nothing(nothing: str | None) -> None:
    assert normal(nothing) is None
