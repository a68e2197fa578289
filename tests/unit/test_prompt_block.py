"""A prompt on a terminal: whole, within 80 columns, and without power over the terminal."""

import time

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from runner.cli.prompt_block import GOES_ON, LINE, WIDTH, block, harmless
from runner.core.model import Message

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=400)


def shown(text: str) -> list[str]:
    return list(block([Message(role="user", content=text)], "  "))[1:-1]


@given(st.text(alphabet="ab  \n日本語😀é", max_size=600))
def test_every_character_of_a_prompt_is_there_in_its_line(text):
    lines: list[str] = []
    for line in shown(text):
        mark, rest = line[2:4].ljust(2), line[4:]
        if mark == LINE:
            lines.append(rest)
        else:
            assert mark == GOES_ON
            lines[-1] += rest
    assert [one.replace(" ", "") for one in lines] == [
        one.replace(" ", "") for one in text.split("\n")
    ]


@given(TEXT)
def test_no_line_is_wider_than_the_terminal(text):
    assert [line for line in shown(text) if cell_len(line) > WIDTH] == []


@given(TEXT)
def test_nothing_in_a_prompt_reaches_the_terminal_as_a_command(text):
    assert not set("".join(shown(text))) & {
        *map(chr, range(32)),
        "\x7f",
        "\x9b",
        "\u202e",
        "\u2028",
    }


def test_a_tab_is_blanks_and_joined_signs_stay_one():
    assert harmless("a\tb") == "a    b"
    assert harmless("👩\u200d🔬") == "👩\u200d🔬"


def test_a_megabyte_on_one_line_is_shown_at_once():
    start = time.perf_counter()
    assert len(shown("x" * 1_000_000)) > 10_000
    assert time.perf_counter() - start < 3
