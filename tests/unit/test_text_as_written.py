"""Text is what stands in the file or was typed; numbers and truths have one plain spelling."""

import pytest
import yaml

from runner.config.compose import compose
from runner.config.shipped import SHIPPED
from tests.levels import levels
from tests.unit.composing import fill, head, mistake, only
from tests.variants import first

PERSONA = "name: {0}\nsystem: {0}\ntemperature: 0.5\n"
TEXT = "title: {0}\nauthor: {0}\nyear: {0}\nfile: mine.txt\n"
EXPERIMENT = "defaults:\n  - override /persona: [{}]\n  - override /text: [t1]\nname: own\n"

RETYPED = [
    *("12:30", "12:30:45", "007", "0777", "0o17", "0x1F", "0b11", "1_000", "1e3", "1.10", "+7"),
    *("No", "on", "Yes", "True", "null", "Null", "~", ".inf", ".nan", "nan", "=", "<<"),
    *("2026-11-24", "2001-12-14t21:59:43.10-05:00", "1,000", "１０", "-0", "1.", ".5"),
]
"""What YAML turns into a number, a truth, a date or nothing, when it has no quotes; and its like."""


def test_text_in_a_file_goes_out_as_it_stands_there(folder):
    files: dict[str, str | bytes] = {"text/mine.txt": "話"}
    for number, word in enumerate(RETYPED):
        files[f"persona/x{number}.yaml"] = head(f"persona.x{number}", PERSONA.format(word))
        files[f"text/x{number}.yaml"] = head(f"text.x{number}", TEXT.format(word))
    names = ",".join(f"x{number}" for number in range(len(RETYPED)))
    words = [f"persona=[{names}]", f"text=[{names}]"]
    experiment = only([*fill(folder, files), *words]).experiment
    assert [p.kept["name"] for p in levels(experiment, "persona").values()] == RETYPED
    assert [p.fields["system"] for p in levels(experiment, "persona").values()] == RETYPED
    assert [
        tuple(t.fields[name] for name in ("title", "author", "year"))
        for t in levels(experiment, "text").values()
    ] == [(word, word, word) for word in RETYPED]


def test_yaml_alone_would_have_changed_most_of_them():
    changed = [
        word
        for word in RETYPED
        if word not in ("=", "<<") and yaml.safe_load(f"- {word}") != [word]
    ]
    assert len(changed) > 20


@pytest.mark.parametrize(
    ("written", "meant"),
    first(
        3,
        [
            ("'007'", "007"),
            ('"a\\tb"', "a\tb"),
            ("|\n  007\n  No\n", "007\nNo\n"),
            (">-\n  one\n  line\n", "one line"),
            ("!!str 7", "7"),
            ("007 # a comment", "007"),
            ("two\n  lines", "two lines"),
        ],
    ),
)
def test_quotes_and_blocks_mean_what_they_mean_in_yaml(folder, written, meant):
    body = f"name: {written}\nsystem: あなた\ntemperature: 1\n"
    argv = fill(folder, {"persona/x.yaml": head("persona.x", body)})
    assert levels(only([*argv, "persona=[x]"]).experiment, "persona")["x"].kept["name"] == meant


def test_an_id_in_a_defaults_list_needs_no_quotes(folder):
    names = ["no", "0777", "7", "1e3", "true", "1_0", "null"]
    files = {f"persona/{n}.yaml": head(f"persona.{n}", PERSONA.format("x")) for n in names}
    files["experiment/own.yaml"] = head("_global_", EXPERIMENT.format(", ".join(names)))
    assert (
        list(levels(only([*fill(folder, files), "experiment=own"]).experiment, "persona")) == names
    )


def test_keys_and_lists_of_words_are_text_as_well(folder):
    literary = (SHIPPED / "question" / "literary.yaml").read_text(encoding="utf-8")
    own = literary.replace("\n  Q1:", "\n  007:").replace("name: literary", "name: 1_0")
    assert "007:" in own
    body = EXPERIMENT.format("p1") + "question: {value_words: [1.10, No]}\n"
    files = {"question/own.yaml": own, "experiment/own.yaml": head("_global_", body)}
    settings = only([*fill(folder, files), "question=own", "experiment=own"])
    assert [q.id for q in settings.experiment.questions.questions] == ["007", "Q2", "Q3", "Q4"]
    assert settings.config.question.value_words == ["1.10", "No"]
    assert settings.config.question.name == "1_0"


@pytest.mark.parametrize(
    "word", first(4, ["007", "1_000", "1e3", "1.10", "true", "No", "12:30", "nan", "+7"])
)
def test_text_on_the_command_line_is_what_was_typed(word):
    settings = only([f"persona.p1.name={word}", f"provider.model={word}", f"outputs={word}"])
    assert levels(settings.experiment, "persona")["p1"].kept["name"] == word
    assert (settings.experiment.model.name, settings.config.outputs) == (word, word)


def test_words_inside_lists_and_braces_are_what_was_typed():
    settings = only(
        [
            "provider.arguments=[--gpu-memory-utilization,0.90,--seed,1_0]",
            "provider.price.per_million={*: {input: 1, output: 2, source: 1_0, checked: 1.10}}",
            "report.over=[1e3,007]",
        ]
    )
    assert settings.config.provider.arguments == [
        "--gpu-memory-utilization",
        "0.90",
        "--seed",
        "1_0",
    ]
    price = settings.config.provider.price.per_million["*"]
    assert (price.input, price.source, price.checked) == (1.0, "1_0", "1.10")
    assert settings.config.report.over == ["1e3", "007"]


@pytest.mark.long
def test_a_sweep_over_words_keeps_them(tmp_path):
    jobs = compose(["-m", "provider.model=1e3,'a,b',c", f"outputs={tmp_path}"])
    assert [job.experiment.model.name for job in jobs] == ["1e3", "a,b", "c"]


@pytest.mark.parametrize("name", ["1_000", "1e3", "007", "true"])
def test_a_name_is_what_was_typed(name):
    assert only([f"name={name}"]).experiment.name == name


ODD = ["1_0", "1e1", "0x10", "10.0", "１０", "010", "1:30", "true", "'１０'", "1_0_0"]


@pytest.mark.parametrize("number", ODD)
@pytest.mark.parametrize("where", ["trials", "retry.max_lost", "provider.limits.requests"])
def test_a_whole_number_has_one_spelling(folder, capfd, where, number):
    said = mistake([f"{where}={number}"], capfd)
    assert said.startswith(f"{where}: ")
    assert "is no Integer; allowed: plain digits" in said
    keys = where.split(".")
    body = "\n".join(f"{'  ' * n}{key}:" for n, key in enumerate(keys)) + f" {number}\n"
    files = {"experiment/own.yaml": head("_global_", EXPERIMENT.format("p1") + body)}
    said = mistake([*fill(folder, files), "experiment=own"], capfd)
    assert said.startswith(f"experiment/own.yaml: {where}: ")
    assert "is no Integer; allowed: plain digits" in said


@pytest.mark.parametrize("word", ["wait=2", "wait=1", "wait=0", "+wait=2", "wait='2'", "wait=ja"])
def test_a_truth_is_a_word(capfd, word):
    assert "is no bool; allowed: true or false" in mistake([word], capfd)


@pytest.mark.parametrize("word", ["budget.max_usd=1_0", "budget.max_usd=５", "budget.max_usd=1:30"])
def test_a_number_has_plain_digits(capfd, word):
    assert "is no Float; allowed: plain digits" in mistake([word], capfd)


def test_plain_spellings_are_taken():
    config = only(
        ["trials=+10", "wait=False", "budget.max_usd=1e1", "poll.settle_seconds=.5"]
    ).config
    assert (config.trials, config.wait) == (10, False)
    assert (config.budget.max_usd, config.poll.settle_seconds) == (10.0, 0.5)


@pytest.mark.parametrize("word", first(3, ["0777", "12:30", "1_0", "0x10", "yes", "Off"]))
def test_where_anything_may_stand_what_reads_two_ways_is_refused(folder, capfd, word):
    body = EXPERIMENT.format("p1") + f"provider: {{parameters: {{user: {word}}}}}\n"
    argv = [*fill(folder, {"experiment/own.yaml": head("_global_", body)}), "experiment=own"]
    assert "provider.parameters.user: " in (said := mistake(argv, capfd))
    assert "quotes" in said
    assert "quotes" in mistake([f"provider.parameters={{user: {word}}}"], capfd)
    quoted = body.replace(word, f"'{word}'")
    argv = [*fill(folder, {"experiment/own.yaml": head("_global_", quoted)}), "experiment=own"]
    assert only(argv).experiment.model.parameters == {"user": word}


def test_the_word_null_for_text_wants_quotes_on_the_command_line(capfd):
    assert "quotes" in mistake(["persona.p1.name=null"], capfd)
    assert (
        levels(only(["persona.p1.name='null'"]).experiment, "persona")["p1"].kept["name"] == "null"
    )
    assert only(["provider.base_url=null"]).config.provider.base_url is None
