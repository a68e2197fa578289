"""What a line about a wrong word names."""

import pytest

from runner.config.problems import LISTED, did_you_mean


@pytest.mark.parametrize(
    ("count", "end"),
    [(LISTED, "r48"), (LISTED + 1, "r49"), (LISTED + 2, "r48 and 2 more"), (5_000, "4,952 more")],
)
def test_many_words_are_cut_with_a_count(count, end):
    said = did_you_mean("r4999x", [f"r{n:02}" for n in range(1, count + 1)])
    assert said.endswith(end)
    assert len(said) < 400
    assert ("did you mean r4999?" in said) == (count == 5_000)
