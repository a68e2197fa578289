"""Shuffled items and options: the same trial shows the same order for ever, and the tables say which."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.definition import define, differences, shuffled_in
from runner.core.expand import checked_conditions
from runner.core.extract.reader import Reader
from runner.core.model import Order, Shuffle, Variant
from runner.core.orders import ITEMS, Shuffled, arranged
from runner.core.prompt import Renderer, form
from tests.unit.test_extract_kinds import STARS, WHY, of, order, topics

QUESTIONS = of(STARS, topics(), order(), WHY)
BOTH = Shuffle(items=Order.RANDOM, options=Order.RANDOM, seed=7)


@given(
    how=st.sampled_from(Order),
    seed=st.integers(0, 99),
    ids=st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=9),
    trial=st.integers(1, 500),
)
def test_an_order_names_every_id_once_and_depends_on_nothing_else(how, seed, ids, trial):
    one = Shuffled(how, seed, "q", tuple(ids))
    assert sorted(one.order("c1", trial)) == sorted(ids)
    assert one.order("c1", trial) == one.order("c1", trial)
    if how is Order.FIXED:
        assert one.order("c1", trial) == tuple(ids)


def test_every_random_order_is_as_likely_as_any_other():
    one = Shuffled(Order.RANDOM, 1, "q", ("a", "b", "c"))
    counts = Counter(one.order(f"c{n}", 1) for n in range(6000))
    assert set(counts) == set(permutations("abc"))
    assert all(850 < count < 1150 for count in counts.values())


@pytest.mark.parametrize("count", range(2, 10))
def test_a_latin_order_shows_each_in_each_place_and_behind_each_other_equally_often(count):
    one = Shuffled(Order.LATIN, 3, "q", tuple("abcdefghi"[:count]))
    rounds = count if count % 2 == 0 else 2 * count
    rows = [one.order("p1_t1", trial) for trial in range(1, rounds + 1)]
    places = Counter((at, id_) for row in rows for at, id_ in enumerate(row))
    follows = Counter(pair for row in rows for pair in pairwise(row))
    assert (len(places), len(set(places.values()))) == (count * count, 1)
    assert (len(follows), len(set(follows.values()))) == (count * (count - 1), 1)
    assert one.order("p1_t1", rounds + 1) == rows[0]
    assert len({one.order(f"c{n}", 1) for n in range(200)}) == rounds


@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize("how", [Order.RANDOM, Order.LATIN])
def test_a_prompt_shows_the_order_and_has_the_same_length_in_every_trial(experiment, variant, how):
    shuffle = Shuffle(items=how, options=how, seed=2)
    study = replace(experiment, questions=replace_forms(experiment), shuffle=shuffle)
    (condition, *_) = checked_conditions(study)
    prompts = [Renderer(study).render(condition, variant, trial) for trial in range(1, 30)]
    assert len({len(prompt.user) for prompt in prompts}) == 1
    assert len({prompt.user for prompt in prompts}) > 5
    for trial, prompt in enumerate(prompts, 1):
        assert form(arranged(study.questions, shuffle, condition.stem, trial)) in prompt.user


def replace_forms(experiment):
    return replace(
        QUESTIONS,
        templates=dict.fromkeys(experiment.questions.templates, "{text} {questions}\n{form}"),
    )


def test_the_tables_name_the_order_that_was_shown(experiment):
    study = replace(experiment, questions=replace_forms(experiment), shuffle=BOTH)
    conditions = checked_conditions(study)
    columns = shuffled_in(define(study, conditions))
    assert [one.column for one in columns] == ["items_order", "topics_order", "order_order"]
    for condition in conditions:
        for trial in (1, 2, 10):
            shown = arranged(study.questions, BOTH, condition.stem, trial)
            known = {one.what: one.order(condition.stem, trial) for one in columns}
            assert known[ITEMS] == tuple(q.id for q in shown.questions)
            for question in shown.questions:
                if question.options:
                    assert known[question.id] == tuple(o.id for o in question.options)


def test_what_is_not_shuffled_is_not_in_the_definition(experiment):
    conditions = checked_conditions(experiment)
    plain = define(experiment, conditions)
    assert "shuffle" not in plain
    assert shuffled_in(plain) == []
    other = define(replace(experiment, shuffle=BOTH), conditions)
    assert any("shuffle" in line for line in differences(plain, other))


@given(st.integers(1, 60))
def test_answers_are_read_alike_in_whatever_order_they_were_asked(trial):
    shown = arranged(QUESTIONS, BOTH, "c1", trial)
    said = {"stars": "4", "topics": "quality, price", "why": "It is good.", "order": ""}
    said["order"] = "on-time delivery > price > quality"
    text = "\n".join(f"{q.id} (answer): {said[q.id]}" for q in shown.questions)
    readings = READER.read(text)
    assert readings["stars"].value == 4
    assert readings["why"].value == "It is good."
    written = {q.id: q.written(readings[q.id].value) for q in QUESTIONS.questions}
    assert written["topics"] == "price; quality"
    assert written["order"] == "delivery; price; quality"


READER = Reader(QUESTIONS)
