"""What a plan shows of a design: where each factor stands, and which prompt is the longest."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.expand import checked_conditions
from runner.core.model import Design, Enhance, Experiment, Factor, Level, Message, Variant
from runner.core.outline import first_variant, longest, together, turns, uses
from runner.core.prompt import render

WORDS = st.text(alphabet="ab {}\u3042", max_size=9).map(lambda text: f"-{text}-")


def study(experiment: Experiment, bodies: list[str], tones: list[str], *said: str) -> Experiment:
    """An experiment of two factors, `row` with a field `body` and `tone` with a text."""
    rows = {f"r{n}": Level(id=f"r{n}", fields={"body": one}) for n, one in enumerate(bodies)}
    others = {f"t{n}": Level(id=f"t{n}", fields={"text": one}) for n, one in enumerate(tones)}
    return replace(
        experiment,
        factors={
            "row": Factor(name="row", levels=rows),
            "tone": Factor(name="tone", levels=others, main="text"),
        },
        messages=tuple(Message(role="user", content=content) for content in said),
        calculated=False,
        temperatures=None,
    )


@given(
    bodies=st.lists(WORDS, min_size=1, max_size=4),
    tones=st.lists(WORDS, min_size=1),
    data=st.data(),
)
def test_the_longest_prompt_is_found_without_rendering_any(experiment, bodies, tones, data):
    one = study(experiment, bodies, tones, "{row.body}{row.body} {{tone}}", "{tone}: {items}.")
    some = data.draw(st.lists(st.sampled_from(checked_conditions(one)), min_size=1, max_size=4))
    conditions = some  # of a design that is not crossed

    def length(condition) -> int:
        return sum(len(turn.content) for turn in turns(render(one, condition, Variant.PLAIN)))

    assert length(longest(one, conditions)) == max(map(length, conditions))


def test_the_bundled_study_s_longest_prompt_is_its_longest(experiment, conditions):
    def length(condition) -> int:
        return sum(
            len(turn.content) for turn in turns(render(experiment, condition, Variant.PLAIN))
        )

    assert length(longest(experiment, conditions)) == max(map(length, conditions))


def test_what_a_factor_changes_is_said_by_where_it_is_named(experiment):
    one = study(experiment, ["x"], ["y"], "{row.body}", "{tone.text} {row} {row.body} {{tone}}")
    found = {name: [(u.where, u.names) for u in some] for name, some in uses(one).items()}
    assert found == {
        "row": [
            ("messages[0] (user)", ("row.body",)),
            ("messages[1] (user)", ("row", "row.body")),
        ],
        "tone": [("messages[1] (user)", ("tone.text",))],
    }


def test_the_wording_that_is_first_sent_is_the_one_looked_at(experiment):
    assert first_variant(experiment) is Variant.PLAIN
    always = replace(experiment, enhance=Enhance.ALWAYS)
    assert [use.where for use in uses(always)["text"]] == ["question.enhanced"]
    assert uses(experiment)["text"][0].names == ("title", "author", "text")
    assert [use.where for use in uses(experiment)["persona"]] == ["the system message"]


@pytest.mark.parametrize(
    ("design", "said"),
    [
        (Design(), ["crossed", "crossed"]),
        (Design(paired={"tone": "row"}), ["crossed", "along with row"]),
        (Design(only=(("r0", "t0"),)), ["as the table of conditions says"] * 2),
    ],
)
def test_how_levels_come_together_is_said(experiment, design, said):
    one = replace(study(experiment, ["x"], ["y"], "{row.body}{tone}"), design=design)
    assert list(together(one).values()) == said
