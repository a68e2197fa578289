"""Labels in several languages: that of the questions is asked with, and no other is part of that."""

import pytest

from runner.config.settings import Settings
from runner.core.definition import define, fingerprint
from runner.core.errors import ConfigError
from runner.core.expand import conditions
from runner.run.record import patterns_of
from tests.unit.composing import fill, head, only


def asked(settings: Settings) -> tuple[str, str, str]:
    """What a ledger compares, and what a request says."""
    experiment = settings.experiment
    definition = define(experiment, tuple(conditions(experiment)))
    return fingerprint(definition), patterns_of(experiment.questions), repr(experiment)


def test_other_languages_are_no_part_of_what_was_asked():
    words = (
        *(f"question.items.{key}.label='{word}'" for key, word in WORDS.items()),
        *(f"persona.p{n}.label=''" for n in (1, 2, 3, 4)),
        *(f"text.t{n}.label=''" for n in (1, 2, 3)),
    )
    plain, bundled = only([*words]), only([])
    assert plain.labels == {}
    assert asked(plain) == asked(bundled)
    assert bundled.labels["items.Q1"] == {"of": "面白さ", "ja": "面白さ", "en": "Interest"}
    assert bundled.labels["levels.persona.p2"] == {"of": "文学研究者", "en": "Literary scholar"}
    assert len(bundled.labels) == 4 + 4 + 3


WORDS = {"Q1": "面白さ", "Q2": "驚き", "Q3": "悲しみ", "Q4": "怒り"}
OWN = """\
defaults: [{override /question: english}]
name: own
messages: [{role: user, content: "{tone} {items}"}]
factors:
  tone: {levels: {warm: {text: Please., label: {ja: 丁寧, en: Polite}}, cold: {text: Now.}}}
items:
  mood:
    kind: choice
    label: {ja: 気分, en: Mood}
    options: {good: {label: {ja: 良い, en: fine}}, bad: {label: poor}}
"""


def test_the_language_of_the_questions_is_sent_and_levels_have_labels_too(tmp_path):
    folder = fill(tmp_path, {"experiment/own.yaml": head("_global_", OWN)})
    settings = only([*folder, "experiment=own", "temperatures=null"])
    (mood,) = settings.experiment.questions.questions
    assert (mood.label, [option.shown for option in mood.options]) == ("Mood", ["fine", "poor"])
    assert settings.experiment.factors["tone"].levels["warm"].fields == {"text": "Please."}
    assert settings.labels == {
        "items.mood": {"of": "Mood", "en": "Mood", "ja": "気分"},
        "options.mood.good": {"of": "fine", "en": "fine", "ja": "良い"},
        "levels.tone.warm": {"of": "warm", "ja": "丁寧", "en": "Polite"},
    }


def test_a_label_without_the_language_that_is_asked_in_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"which language is asked in\? say question\.lang: ja or en"
    ):
        only(["question.lang=''"])
    own = OWN.replace("{ja: 良い, en: fine}", "{ja: 良い}")
    folder = fill(tmp_path, {"experiment/own.yaml": head("_global_", own)})
    with pytest.raises(ConfigError, match=r"options\.mood\.good: label: has no en"):
        only([*folder, "experiment=own", "temperatures=null"])


def test_a_label_in_another_language_or_an_empty_one_is_refused():
    with pytest.raises(ConfigError, match=r"items\.Q1: label: 'fr'; "):
        only(["+question.items.Q1.label.fr=word"])
    with pytest.raises(ConfigError, match=r"persona\.p1: label\.en: is empty"):
        only(["persona.p1.label={en: ''}"])
