"""What may change under one name, and what may not: found by content, named by key."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from runner.core.definition import define, differences, fingerprint, merged, variants
from runner.core.expand import checked_conditions
from runner.core.model import Enhance, Experiment, Variant
from tests.levels import changed_level, levels, only_levels


def defined(experiment: Experiment) -> dict:
    return define(experiment, checked_conditions(experiment))


def changed_text(experiment: Experiment, **fields: str) -> Experiment:
    return changed_level(experiment, "text", "t1", **fields)


def changed_persona(experiment: Experiment, **changes: Any) -> Experiment:
    return changed_level(experiment, "persona", "p1", **changes)


def with_only(experiment: Experiment, factor: str, id_: str) -> Experiment:
    return only_levels(experiment, factor, {id_: levels(experiment, factor)[id_]})


def changed_questions(experiment: Experiment, **changes: object) -> Experiment:
    return replace(experiment, questions=replace(experiment.questions, **changes))


def test_an_experiment_does_not_differ_from_itself(experiment):
    assert differences(defined(experiment), defined(experiment)) == []


def test_a_definition_survives_being_stored_as_json(experiment):
    assert json.loads(json.dumps(defined(experiment))) == defined(experiment)


CHANGES = {
    "texts.t1.sha256": lambda e: changed_text(
        e, text=levels(e, "text")["t1"].fields["text"] + "、"
    ),
    "texts.t1.title": lambda e: changed_text(e, title="x"),
    "texts.t1.author": lambda e: changed_text(e, author="x"),
    "texts.t1.year": lambda e: changed_text(e, year="x"),
    "personas.p1.system": lambda e: changed_persona(e, system="x"),
    "personas.p1.name": lambda e: changed_persona(e, name="x"),
    "conditions.p1_t1.temperature": lambda e: changed_persona(e, temperature=Decimal("0.71")),
    "model.name": lambda e: replace(e, model=replace(e.model, name="x")),
    "model.provider": lambda e: replace(e, model=replace(e.model, provider="x")),
    "model.system_role": lambda e: replace(e, model=replace(e.model, system_role=False)),
    "model.max_output_tokens": lambda e: replace(e, model=replace(e.model, max_output_tokens=9)),
    "prompt.first": lambda e: replace(e, enhance=Enhance.ALWAYS),
    "prompt.form": lambda e: changed_questions(e, form="x"),
    "prompt.plain": lambda e: changed_questions(
        e, templates={**e.questions.templates, Variant.PLAIN: "x"}
    ),
    "prompt.enhanced": lambda e: changed_questions(
        e, templates={**e.questions.templates, Variant.ENHANCED: "x"}
    ),
    "questions.Q4.label": lambda e: changed_questions(
        e, questions=(*e.questions.questions[:3], replace(e.questions.questions[3], label="x"))
    ),
    "questions.Q4.maximum": lambda e: changed_questions(
        e, questions=(*e.questions.questions[:3], replace(e.questions.questions[3], maximum=7))
    ),
    "questions.Q4.label ": lambda e: changed_questions(e, questions=e.questions.questions[:3]),
}


@pytest.mark.parametrize("key", list(CHANGES))
def test_what_was_asked_may_not_change_and_the_key_is_named(experiment, key):
    old, new = defined(experiment), defined(CHANGES[key](experiment))
    assert key.strip() in {line.split(":")[0] for line in differences(old, new)}
    assert fingerprint(old) != fingerprint(new)


SAME = {
    "fewer personas": lambda e: with_only(e, "persona", "p2"),
    "fewer texts": lambda e: with_only(e, "text", "t3"),
    "more trials": lambda e: replace(e, trials=999),
    "a temperature factor": lambda e: replace(e, temperatures=(Decimal("0.1"),)),
    "never asked in the stricter wording": lambda e: replace(e, enhance=Enhance.NEVER),
    "other patterns": lambda e: changed_questions(e, value_patterns=()),
    "another guess of the answer's length": lambda e: replace(
        e, model=replace(e.model, expected_output_tokens=1)
    ),
}


@pytest.mark.parametrize("what", list(SAME))
def test_what_may_change_is_no_difference_either_way(experiment, what):
    old, new = defined(experiment), defined(SAME[what](experiment))
    assert (differences(old, new), differences(new, old)) == ([], [])


def test_a_grown_definition_holds_old_and_new(experiment):
    small = defined(with_only(experiment, "persona", "p1"))
    other = defined(with_only(experiment, "persona", "p2"))
    both = merged(small, other)
    assert list(both["personas"]) == ["p1", "p2"]
    assert len(both["conditions"]) == 6
    assert differences(both, defined(experiment)) == []


def test_merging_keeps_what_was_dropped_so_that_it_cannot_come_back_changed(experiment):
    small = defined(with_only(experiment, "text", "t2"))
    grown = merged(defined(experiment), small)
    back = defined(changed_text(experiment, text="another text"))
    assert [line.split(":")[0] for line in differences(grown, back)] == ["texts.t1.sha256"]


def test_two_long_strings_are_shown_where_they_part(experiment):
    old = experiment.questions.templates[Variant.PLAIN]
    new = old.replace("角括弧の部分", "丸括弧の部分")
    changed = changed_questions(
        experiment, templates={**experiment.questions.templates, Variant.PLAIN: new}
    )
    (line,) = differences(defined(experiment), defined(changed))
    assert "角括弧" in line
    assert "丸括弧" in line
    assert len(line) < 200


def test_a_fingerprint_is_twelve_hex_digits_and_stays(experiment):
    found = fingerprint(defined(experiment))
    assert (len(found), set(found) <= set("0123456789abcdef")) == (12, True)
    assert found == fingerprint(json.loads(json.dumps(defined(experiment))))


def test_variants_are_named_by_what_differs_and_not_by_what_may_grow(experiment):
    plain, other = defined(experiment), defined(changed_persona(experiment, system="else"))
    short = {**plain, "personas": {"p1": plain["personas"]["p1"]}}
    first, second = variants([plain, other])
    assert first != second
    assert variants([other, plain]) == [second, first]
    assert variants([plain, other, short]) == [first, second, first]
    assert variants([plain, short]) is None
