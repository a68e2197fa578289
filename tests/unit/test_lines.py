"""Files cut into lines: the same lines in one go and in ranges, and a limit that loses no other line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.batches import lines as module
from runner.batches.lines import MAX_LINE, lines
from runner.batches.workers import ranges

LIMIT = 8


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("lines") / "file"


@given(st.lists(st.text("ab \r\u2028\x85", max_size=2 * LIMIT), max_size=8), st.integers(1, 40))
def test_lines_are_those_between_newlines_except_the_too_long(path, texts, size):
    path.write_bytes("\n".join(texts).encode())
    whole = [line + b"\n" for line in path.read_bytes().split(b"\n")]
    whole[-1] = whole[-1][:-1]
    expected = [None if len(line) > LIMIT else line for line in whole if line]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_LINE", LIMIT)
        assert list(lines(path)) == expected
        pieces = ranges(path, size)
        assert [line for one in pieces for line in lines(one.path, one.begin, one.end)] == expected


def test_the_limit_itself(path):
    path.write_bytes(b"a\n" + b"x" * (MAX_LINE - 1) + b"\n" + b"x" * (MAX_LINE + 1))
    assert [line and len(line) for line in lines(path)] == [2, MAX_LINE, None]
    path.unlink()


def test_an_empty_file_has_no_lines(path):
    path.write_bytes(b"")
    assert list(lines(path)) == []
