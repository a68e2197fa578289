"""Rendering: a text is data; whatever stands in it is sent as it stands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.errors import ConfigError
from runner.core.model import Condition, Experiment, Prompt, Stem, Variant
from runner.core.prompt import TEMPLATE_FIELDS, fill, form, render
from tests.levels import changed_level, levels

CONDITION = Condition(stem=Stem("p1_t1"), levels=("p1", "t1"), temperature=None)


def with_body(experiment: Experiment, body: str, template: str = "<{text}>") -> Experiment:
    return replace(
        changed_level(experiment, "text", "t1", text=body),
        questions=replace(experiment.questions, templates=dict.fromkeys(Variant, template)),
    )


@pytest.mark.parametrize(
    "body",
    [
        "{title} {author} {text} {form} {nothing}",
        "${oc.env:HOME} $HOME $(id)",
        r"\1 \g<0> \n \\ \u0000",
        "%s %(x)s {0} {} {{}}",
        "quotes \" and ' and `",
        "a\u2028b\u2029c\x00d\x85e",
        "  leading spaces stay",
    ],
)
def test_a_text_is_sent_untouched(experiment, body):
    prompt = render(with_body(experiment, body), CONDITION, Variant.PLAIN)
    assert prompt.user == f"<{body}>"


@given(st.text().map(lambda body: body.rstrip("\n")))
def test_any_text_is_sent_untouched(experiment, body):
    prompt = render(with_body(experiment, body), CONDITION, Variant.PLAIN)
    assert prompt.user == f"<{body}>"


def test_braces_in_a_title_are_data_too(experiment):
    odd = with_body(experiment, "body", "{title}|{text}")
    odd = changed_level(odd, "text", "t1", title="{text}")
    assert render(odd, CONDITION, Variant.PLAIN).user == "{text}|body"


def test_an_unknown_placeholder_names_itself_its_place_and_what_is_allowed():
    with pytest.raises(ConfigError) as caught:
        fill("a {titel} b", dict.fromkeys(TEMPLATE_FIELDS, ""), "question/x.yaml: plain")
    assert str(caught.value) == (
        "question/x.yaml: plain: unknown placeholder {titel}; did you mean {title}? allowed: "
        "{title}, {author}, {text}, {questions}, {form}, {object}"
    )


@pytest.mark.parametrize("template", ["{", "}", "{}", "{ text }", "{a b}", "{{", '{"a": 1}'])
def test_braces_that_name_nothing_stay(template):
    assert fill(template, {"text": "T"}, "here") == template


def test_the_form_asks_every_question_with_its_own_bounds(experiment):
    first, second, *_ = form(experiment.questions).splitlines()
    assert (first, second) == ("Q1. 面白さ(数値): [0-100]", "Q1. 面白さ(理由): [説明]")
    assert len(form(experiment.questions).splitlines()) == 8


@pytest.mark.parametrize("variant", list(Variant))
def test_both_wordings_hold_the_text_the_title_and_every_question(experiment, variant):
    prompt = render(experiment, CONDITION, variant)
    text = levels(experiment, "text")["t1"].fields
    wanted = [text["title"], text["author"], text["text"].rstrip("\n")]
    wanted.append(form(experiment.questions))
    wanted += [f"{q.id}. {q.label}" for q in experiment.questions.questions]
    assert [part for part in wanted if part not in prompt.user] == []
    assert prompt.system == levels(experiment, "persona")["p1"].fields["system"]


def test_the_two_wordings_differ(experiment):
    plain, enhanced = (render(experiment, CONDITION, variant) for variant in Variant)
    assert plain.user != enhanced.user


def test_a_model_without_a_system_role_gets_the_persona_first(experiment):
    bare = replace(experiment, model=replace(experiment.model, system_role=False))
    whole, split = (render(e, CONDITION, Variant.PLAIN) for e in (bare, experiment))
    assert whole == Prompt(system=None, user=f"{split.system}\n\n{split.user}")
