"""What an editor is told of an experiment's file: all that the program takes, and no key beside it."""

import json

import pytest
import yaml
from jsonschema import Draft7Validator

from runner.cli.init import write_starter
from runner.config.editor_schema import comments, text
from runner.config.shipped import EDITOR_SCHEMA, SHIPPED

SCHEMA = json.loads((SHIPPED / EDITOR_SCHEMA).read_text(encoding="utf-8"))
EXPERIMENTS = sorted((SHIPPED / "experiment").glob("*.yaml"))


def complaints(said: dict) -> list[str]:
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(said)]


def test_the_shipped_schema_is_the_one_that_the_program_has():
    assert text() == (SHIPPED / EDITOR_SCHEMA).read_text(encoding="utf-8"), (
        "write it anew: python -m runner.config.editor_schema"
    )


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_bundled_experiment_is_taken(path):
    assert complaints(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)) == []


@pytest.mark.parametrize(
    "said",
    [
        "name: 12",
        "trials: {min: 5, max: 50, until: {half_width: 2.5, of: Q1}}",
        "pilot: null",
        "pilot: {share: 0.02}",
        "provider: {model: gpt-6-sol, parameters: {seed: 1}, completion_window: 7d}",
        "prompt: {enhance: '${provider.enhance}'}",
        "items: {buy: {kind: choice, options: [yes, no], reason: off}}",
        "temperatures: null",
        "notify: [CHORUS_NOTIFY]",
    ],
)
def test_what_the_program_takes_is_taken(said):
    assert complaints(yaml.safe_load(said)) == []


@pytest.mark.parametrize(
    "said",
    [
        "trails: 3",
        "trials: many",
        "trials: {min: 5, maximum: 9}",
        "items: {buy: {kind: choise}}",
        "provider: {modle: gpt-6-sol}",
        "retry: {mode: soon}",
        "wait: maybe",
        "messages: {role: user}",
    ],
)
def test_what_it_refuses_is_marked(said):
    assert complaints(yaml.safe_load(said)) != []


def test_a_setting_is_described_by_its_comment():
    said = dict(comments("a: 1  # one\n       # and more\nb:  # two\n  c: null   # three\nd: 2\n"))
    assert said == {"a": "one and more", "b": "two", "b.c": "three"}
    found = SCHEMA["properties"]["retry"]["properties"]["max_attempts"]
    assert found["description"] == "how often a request may be answered before it is given up"


@pytest.mark.parametrize("kind", ["texts", "labels"])
def test_a_starter_names_the_schema_that_lies_beside_it(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    write_starter("mine", kind, "en")
    file = tmp_path / "mine/experiment/mine.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# @package _global_"
    _, _, where = lines[1].partition("# yaml-language-server: $schema=")
    assert json.loads((file.parent / where).read_text(encoding="utf-8")) == SCHEMA
