"""Request lines of many conditions have the bytes that rendering and encoding each of them yields."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.batches.requests import RequestFiles
from runner.config import level_files
from runner.config.level_files import LevelFile, read_levels
from runner.core import level_table
from runner.core.expand import checked_conditions
from runner.core.model import Factor, Level, Message, Span, Variant
from runner.core.numbered import Numbered
from runner.core.spans import Spans
from runner.providers.anthropic import AnthropicBatch
from runner.providers.openai import OpenAIBatch
from runner.storage.strings import Strings
from tests.unit.test_requests import NOWHERE

TEXTS = st.text(st.sampled_from('a{} \n"\\é日😀\x00\x01\u20280'), max_size=8)
MESSAGES = (
    Message(role="system", content="\n{tone}\n"),
    Message(role="user", content="{row.body}{row.body} {{tone}} \\u00010\\u0001\n\n"),
    Message(role="assistant", content="\n{row}"),
    Message(role="user", content="{tone.text}日\n{items}\n{row.body}"),
)


@pytest.mark.parametrize("provider", [OpenAIBatch, AnthropicBatch])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    bodies=st.lists(TEXTS, min_size=1, max_size=4), tones=st.lists(TEXTS, min_size=1, max_size=2)
)
def test_a_line_from_a_template_is_the_line_of_its_condition(experiment, provider, bodies, tones):
    rows = {f"r{n}": Level(id=f"r{n}", fields={"body": one}) for n, one in enumerate(bodies)}
    others = {f"t{n}": Level(id=f"t{n}", fields={"text": one}) for n, one in enumerate(tones)}
    one = replace(
        experiment,
        factors={
            "row": Factor(name="row", levels=rows),
            "tone": Factor(name="tone", levels=others, main="text"),
        },
        messages=MESSAGES,
    )
    conditions = checked_conditions(one)
    box = RequestFiles(Path(), one, conditions, provider(NOWHERE, one.model), None)
    for condition in conditions:
        frame, tokens = box._wholly(condition, Variant.PLAIN, 1)
        assert box.frame(condition.stem, Variant.PLAIN) == (frame, tokens)
        assert box._known(condition.stem, Variant.PLAIN, 1)[:2] == (len(frame), tokens)


def test_most_lines_are_made_from_a_template(experiment, conditions):
    box = RequestFiles(Path(), experiment, conditions, OpenAIBatch(NOWHERE, experiment.model), None)
    template = box._template(conditions[1], Variant.PLAIN)
    assert template.frame(box._renderer.values(conditions[1])) is not None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 2), st.integers(2, 3))))
def test_spans_as_ranges_of_numbers_are_the_same_spans(some):
    spans = [Span(stem, first, last, Variant.PLAIN) for stem, first, last in some]
    found = Spans.of(Numbered(["a", "b", "c", "d", "e", "f"]), spans)
    assert list(found) == [found[place] for place in range(len(found))] == spans


@given(st.lists(st.text(max_size=3), unique=True), st.lists(st.text(max_size=3)))
def test_the_number_of_a_name_is_found(names, asked):
    numbered = Numbered(names)
    for name in (*asked, *names, *reversed(names)):
        assert numbered.find(name) == (names.index(name) if name in names else None)
    assert numbered.twins() is None
    assert Numbered([*names, "x", "y", "x"]).twins() is not None


@given(st.lists(st.text(), min_size=1), st.lists(st.integers(0, 99)))
def test_texts_in_one_piece_are_the_same_texts(texts, places):
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    column = pl.Series(texts, dtype=pl.String)
    for found in (Strings.of(column), Strings.spooled([column[:2], column[2:]])):
        assert list(found) == texts
        for place in places:
            assert found[place % len(texts)] == texts[place % len(texts)]


TABLE = 'id,stars,body,note\n007,1,"a, ""b""\nc",x\nr 2,2.50,日本,\n三,,😀 ,long' + "g" * 60 + "\n"


@pytest.mark.parametrize("keep", [None, ("note", "stars"), ()])
def test_a_file_that_is_not_held_in_memory_is_read_as_any_other(tmp_path, monkeypatch, keep):
    path = tmp_path / "rows.csv"
    path.write_text(TABLE)
    file = LevelFile(where="factors.row", path=path, id="id", keep=keep)
    whole, main = read_levels(file, ["body"])
    monkeypatch.setattr(level_table, "LARGE", 1)
    monkeypatch.setattr(level_files, "STREAMED_BYTES", 1)
    assert level_files._streamed(file, ["body"]) is not None
    found, other = read_levels(file, ["body"])
    assert [*found.values()] == [*whole.values()]
    assert [*found] == [*whole]
    assert main == other


@pytest.mark.parametrize(
    "row", ["r9,1,,x", "007,1,twice,x", ",1,no id,x", "r9,1, ,x", "r9,1,a,b,c"]
)
def test_what_is_odd_in_a_large_file_is_said_as_of_any_other(tmp_path, monkeypatch, row):
    path = tmp_path / "rows.csv"
    path.write_text(f"{TABLE}{row}\n")
    file = LevelFile(where="factors.row", path=path, id="id")
    said = []
    for size in (level_files.STREAMED_BYTES, 1):
        monkeypatch.setattr(level_files, "STREAMED_BYTES", size)
        with pytest.raises(Exception, match="row") as refused:
            read_levels(file, ["body"])
        said.append(str(refused.value))
    assert said[0] == said[1]
