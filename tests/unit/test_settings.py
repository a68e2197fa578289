"""From the command line and a folder of YAML to checked settings, through Hydra for real."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from runner.config.compose import compose
from runner.config.shipped import SHIPPED
from runner.core.expand import checked_conditions
from runner.core.model import Enhance
from runner.core.request_states import RetryPolicy
from tests.levels import levels
from tests.unit.composing import fill, head, mistake, only
from tests.variants import first

PERSONA = "name: 教授\nsystem: あなたは教授です。\ntemperature: 0.5\n"
TEXT = "title: 私の話\nauthor: 私\nfile: mine.txt\n"
LITERARY = yaml.load(
    (SHIPPED / "question" / "literary.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
)


def question(**changes: object) -> dict[str, str]:
    """A question set of the user's own, some keys changed."""
    body = yaml.safe_dump(LITERARY | {"name": "own"} | changes, allow_unicode=True)
    return {"question/own.yaml": head("question", body)}


# --- mistakes on the command line: each names the key, and what would be right -----------------

COMMAND_LINE = [
    (["trails=3"], ["trails", "did you mean trials?"]),
    (["+trails=3"], ["trails", "did you mean trials?"]),
    (["++foo.bar=1"], ["foo", "no such key", "trials"]),
    (["+provider.limits.request=1"], ["provider.limits.request", "did you mean requests?"]),
    (["+persona.p1.nam=x"], ["persona.p1.nam", "did you mean name?"]),
    (["question.items.Q1.minimun=1"], ["question.items.Q1.minimun", "did you mean minimum?"]),
    (["trials=many"], ["trials", "Integer"]),
    (["trials=1.5"], ["trials", "Integer"]),
    (["wait=perhaps"], ["wait", "bool"]),
    (["trials='${oc.env:HOME}'"], ["trials", "Integer"]),
    (["trials=10,20"], ["trials", "-m"]),
    (["trials"], ["trials", "key=value"]),
    (["persona=[p1,p9]"], ["persona/p9.yaml", "allowed: p1, p2, p3, p4"]),
    (["persona=p9"], ["persona/p9.yaml", "allowed: p1, p2, p3, p4"]),
    (["persona=[]"], ["persona", "persona=[…]"]),
    (["persona=[7]"], ["persona=7", "persona=['7']"]),
    (["persona=[0777]"], ["persona=0777", "persona=['0777']"]),
    (["text=true"], ["text=true", "text=['true']"]),
    (["text=[t1,1e3]"], ["text=1e3", "text=['1e3']"]),
    (["experiment=litrary"], ["experiment/litrary.yaml", "did you mean literary?"]),
    (["provider=opneai"], ["provider=opneai", "did you mean openai?", "emulator"]),
    (["faults=roughh"], ["faults=roughh", "did you mean rough?"]),
    (["service=liv"], ["service=liv", "did you mean live?"]),
    (["service=live"], ["service=live", "provider=openai"]),
    (["name=null"], ["'name'", "not Optional"]),
    (["name=懐中時計"], ["command line", "quotes"]),
    (["persona.p1.name='${oc.env:HOME}'"], ["persona.p1.name", "not allowed"]),
    (["text.t1.title='${name}'"], ["text.t1.title", "not allowed"]),
    (["question.plain='${oc.env:HOME}'"], ["question.plain", "not allowed"]),
    (["persona.p1.name='\udcff'"], ["persona.p1.name", "half a character"]),
    (["question.items.Q2.label='面白さ'"], ["question.items", "Q1 and Q2", "same label"]),
    (["--config-dir=/nowhere"], ["--config-dir", "/nowhere", "not a folder"]),
    (["--config-dir"], ["--config-dir", "not a folder"]),
]


@pytest.mark.parametrize(
    ("argv", "words"),
    first(14, COMMAND_LINE),
    ids=[" ".join(argv)[:40] for argv, _ in COMMAND_LINE],
)
def test_a_mistake_on_the_command_line_is_one_line_that_helps(argv, words, capfd):
    message = mistake(argv, capfd)
    assert [word for word in words if word not in message] == []


IDS = "allowed: letters, digits, - and _, up to 40 of them"
RANGE = "allowed: calculated, null, or a list of numbers from 0 to 2"
TOGETHER = {
    "values": {
        "trials=0": "trials: 0 is too small; allowed: 1 or more",
        "name='a b'": f"name: 'a b'; {IDS}",
        "action=rum": "action: 'rum'; did you mean run? allowed: abandon, adopt,",
        "format=xml": "format: 'xml'; allowed: json, text",
        "prompt.enhance=on_rety": "prompt.enhance: 'on_rety'; did you mean on_retry?",
        "retry.max_attempts=0": "retry.max_attempts: 0 is too small; allowed: 1 or more",
        "retry.max_lost=101": "retry.max_lost: 101; allowed: up to 100",
        "budget.max_usd=nan": "budget.max_usd: nan is too small; allowed: 0 or more",
        "poll.max_seconds=0.1": "poll.max_seconds: 0.1 is too small; allowed: 0.2 or more",
        "provider.limits.margin=1": "provider.limits.margin: 1.0; allowed: from 0 to below 1",
        "provider.limits.batches_in_flight=0": "batches_in_flight: 0 is too small; allowed: 1",
        "provider.limits.enqueued_tokens=-1": "enqueued_tokens: -1 is too small; allowed: 1",
        "provider.temperature_max=-1": "temperature_min, temperature_max: 0 to -1; allowed",
        "provider._target_=os.system": "'os.system'; allowed: a class under runner.providers.",
        "personas=[p1,p1]": "personas: names an id twice",
        "texts=[]": "texts: an empty selection",
    },
    "other values": {
        "trials=10000001": "trials: 10000001; allowed: up to 10,000,000",
        "name='a.b'": f"name: 'a.b'; {IDS}",
        "budget.max_usd=-1": "budget.max_usd: -1.0 is too small",
        "provider._target_=runner.providersx.Y": "allowed: a class under runner.providers.",
        "personas=[p7]": "personas: 'p7' is not in this experiment; ",
        "texts=[t9]": "allowed: t1, t2, t3 (more of conf/text/ with text=[…])",
    },
    "a name with a slash": {"name=a/b": f"name: 'a/b'; {IDS}", "trials=-1": "trials: -1 is too"},
    "a Japanese name": {"name='懐中時計'": f"name: '懐中時計'; {IDS}"},
    "an empty name": {"name=": f"name: ''; {IDS}"},
    "a long name": {"name=" + "x" * 41: IDS},
    "experiment": {
        "temperatures=[0.1,0.10]": "temperatures: 0.1 stands twice",
        "persona.p1.temperature=9": "persona/p1.yaml: temperature: 9; allowed: 0 to 5",
        "persona.p2.temperature=nan": "persona/p2.yaml: temperature: NaN; allowed: 0 to 5",
        "text.t1.temperature_modifier=nan": "temperature_modifier: NaN; allowed: -5 to 5",
        "text.t1.file=../t1.txt": "text/t1.yaml: file: '../t1.txt'; allowed: a file name",
        "text.t2.file=/etc/passwd": "text/t2.yaml: file: '/etc/passwd'; allowed: a file name",
        "text.t3.file=nix.txt": "nix.txt does not exist",
        "question.plain='{titel}'": "literary.yaml: plain: unknown placeholder {titel}; did you mean {title}? allowed:",
        "question.form='{text}'": "literary.yaml: form: unknown placeholder {text}; allowed: {id}",
        "question.items.Q1.minimum=100": "items.Q1: minimum 100 is not below maximum 100",
    },
    "temperatures that are none": {"temperatures=[nan,true,hot,null]": f"'hot'; {RANGE}"},
    "temperatures out of range": {
        "temperatures=[3,-0.1]": f"-0.1; {RANGE}",
        "text.t1.file=..": "text/t1.yaml: file: ",
    },
    "one temperature": {"temperatures=0.7": f"0.7; {RANGE}"},
    "a word for a temperature": {"temperatures=hot": f"'hot'; {RANGE}"},
    "no temperatures": {"temperatures=[]": f"[]; {RANGE}"},
}


@pytest.mark.parametrize("group", first(5, list(TOGETHER)))
def test_all_values_that_are_wrong_are_said_at_once_with_what_is_allowed(group, capfd):
    message = mistake(list(TOGETHER[group]), capfd)
    assert [said for said in TOGETHER[group].values() if said not in message] == []


KEYS = [
    ["provider.api_key=sk-proj-VERYSECRET"],
    ["provider.api_key_env=sk-proj-VERYSECRET"],
    ["+provider.token=VERYSECRET"],
    ["+my_secret=VERYSECRET"],
    ["OPENAI_API_KEY=VERYSECRET"],
    ["name=gsk_VERYSECRET"],
    ["name=AIzaVERYSECRET"],
    ["sk-proj-VERYSECRET"],
    ["sk-proj-VERYSECRET=="],
    ["--api-key", "sk-proj-VERYSECRET"],
    ["--api-key=VERYSECRET"],
]


@pytest.mark.parametrize("argv", KEYS, ids=[argv[-1] for argv in KEYS])
def test_a_key_on_the_command_line_is_refused_and_not_repeated(argv, capfd):
    message = mistake(argv, capfd)
    assert "VERYSECRET" not in message
    assert "a key is not taken from the command line" in message


def test_what_only_looks_like_a_key_is_taken():
    found = only(["name=risk-study", "outputs=desk-a", "provider.max_output_tokens=900"])
    assert found.folder == Path("desk-a/risk-study/emulator_gpt-4o-mini")
    assert found.experiment.model.max_output_tokens == 900


# --- mistakes in the user's own folder: each names the file ------------------------------------

BOMB = head(
    "persona.x",
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{now}: &{now} [{','.join(['*' + before] * 9)}]\n"
        for before, now in zip("abcdef", "bcdefg", strict=True)
    ),
)
FOLDERS: list[tuple[str, dict[str, str | bytes], list[str], list[str]]] = [
    (
        "a copy that still has its old header",
        {"persona/prof.yaml": head("persona.p1", PERSONA)},
        ["persona=[prof]"],
        ["persona/prof.yaml", "# @package persona.prof"],
    ),
    (
        "no header",
        {"persona/prof.yaml": PERSONA},
        ["persona=[prof]"],
        ["persona/prof.yaml", "# @package persona.prof"],
    ),
    (
        "a text's header of another",
        {"text/mine.yaml": head("text.t1", TEXT), "text/mine.txt": "話"},
        ["text=[mine]"],
        ["text/mine.yaml", "# @package text.mine"],
    ),
    (
        "an experiment without header",
        {"experiment/own.yaml": "name: own\n"},
        ["experiment=own"],
        ["experiment/own.yaml", "# @package _global_"],
    ),
    (
        "an unknown key in an experiment",
        {"experiment/own.yaml": head("_global_", "name: own\ntrails: 4\n")},
        ["experiment=own"],
        ["experiment/own.yaml", "trails", "did you mean trials?"],
    ),
    (
        "an id with a space",
        {"persona/a b.yaml": head("persona.a b", PERSONA)},
        [],
        ["persona/a b.yaml", "'a b'", "letters, digits"],
    ),
    (
        "an id with a dot",
        {"persona/a.b.yaml": head("persona.a.b", PERSONA)},
        [],
        ["persona/a.b.yaml", "'a.b'", "letters, digits"],
    ),
    (
        "a Japanese id",
        {"text/話.yaml": head("text.話", TEXT)},
        [],
        ["text/話.yaml", "'話'", "letters, digits"],
    ),
    (
        "an unknown key",
        {"persona/prof.yaml": head("persona.prof", PERSONA + "nam: x\n")},
        ["persona=[prof]"],
        ["persona/prof.yaml", "persona.prof.nam", "did you mean name?"],
    ),
    (
        "a value that is missing",
        {"persona/prof.yaml": head("persona.prof", "name: x\nsystem: y\n")},
        ["persona=[prof]"],
        ["persona.prof.temperature", "no value"],
    ),
    (
        "a value of another type",
        {"persona/prof.yaml": head("persona.prof", PERSONA.replace("0.5", "warm"))},
        ["persona=[prof]"],
        ["persona/prof.yaml", "persona.prof.temperature", "'warm'", "Float"],
    ),
    (
        "an environment variable in a persona",
        {"persona/prof.yaml": head("persona.prof", PERSONA.replace("教授", "${oc.env:HOME}", 1))},
        ["persona=[prof]"],
        ["persona.prof.name", "not allowed"],
    ),
    (
        "no text file",
        {"text/mine.yaml": head("text.mine", TEXT)},
        ["text=[mine]"],
        ["text/mine.yaml", "mine.txt does not exist"],
    ),
    (
        "an empty text file",
        {"text/mine.yaml": head("text.mine", TEXT), "text/mine.txt": ""},
        ["text=[mine]"],
        ["text/mine.yaml", "mine.txt is empty"],
    ),
    (
        "a text file of blanks",
        {"text/mine.yaml": head("text.mine", TEXT), "text/mine.txt": "\ufeff \n　\n"},
        ["text=[mine]"],
        ["text/mine.yaml", "mine.txt is empty"],
    ),
    (
        "a text in Shift JIS",
        {"text/mine.yaml": head("text.mine", TEXT), "text/mine.txt": "話".encode("shift_jis")},
        ["text=[mine]"],
        ["text/mine.yaml", "mine.txt", "UTF-8"],
    ),
    (
        "a text outside the folder",
        {
            "text/mine.yaml": head("text.mine", TEXT.replace("mine.txt", "../mine.txt")),
            "mine.txt": "話",
        },
        ["text=[mine]"],
        ["text/mine.yaml", "'../mine.txt'", "a file name"],
    ),
    (
        "a pattern that is no regular expression",
        question(value_patterns=[{"name": "mine", "regex": "(unclosed"}]),
        ["question=own"],
        ["question.value_patterns", "'mine'", "regular expression"],
    ),
    (
        "a pattern without a place for the value",
        question(value_patterns=[{"name": "mine", "regex": "{id}: 5"}]),
        ["question=own"],
        ["question.value_patterns", "'mine'", "(?P<value>.*)"],
    ),
    (
        "two patterns of one name",
        question(value_patterns=[{"name": "mine", "regex": "{id}(?P<value>.*)"}] * 2),
        ["question=own"],
        ["question/own.yaml", "patterns", "'mine'"],
    ),
    (
        "no pattern",
        question(value_patterns=[]),
        ["question=own"],
        ["question/own.yaml", "value_patterns"],
    ),
    (
        "a pattern with an unknown key",
        question(value_patterns=[{"name": "mine", "regexx": "x"}]),
        ["question=own"],
        ["question/own.yaml", "regexx", "did you mean regex?"],
    ),
    ("no question", question(items={}), ["question=own"], ["question/own.yaml", "items"]),
    (
        "a question's id with a space",
        question(items={"Q 1": {"label": "x"}}),
        ["question=own"],
        ["question/own.yaml", "items.Q 1", "letters, digits"],
    ),
    (
        "an unknown placeholder",
        question(enhanced="{texte}"),
        ["question=own"],
        ["question/own.yaml", "enhanced", "{texte}", "{text}"],
    ),
    (
        "an environment variable in a question",
        question(plain="${oc.env:HOME}"),
        ["question=own"],
        ["question.plain", "not allowed"],
    ),
    (
        "a list that is not closed",
        {"persona/x.yaml": head("persona.x", "name: [a\n")},
        [],
        ["persona/x.yaml, line"],
    ),
    (
        "a tab",
        {"persona/x.yaml": head("persona.x", "\tname: a\n")},
        [],
        ["persona/x.yaml, line 2"],
    ),
    (
        "a key that stands twice",
        {"persona/x.yaml": head("persona.x", PERSONA + "name: b\n")},
        ["persona=[x]"],
        ["persona/x.yaml, line", "duplicate key name"],
    ),
    (
        "a YAML that is no UTF-8",
        {"persona/x.yaml": head("persona.x", PERSONA).encode("shift_jis")},
        [],
        ["persona/x.yaml", "UTF-8"],
    ),
    (
        "a control character",
        {"persona/x.yaml": head("persona.x", "name: '\x07'\n")},
        [],
        ["persona/x.yaml"],
    ),
    (
        "half an emoji",
        {"persona/x.yaml": head("persona.x", 'name: "\\ud83d"\nsystem: a\ntemperature: 1\n')},
        ["persona=[x]"],
        ["persona/x.yaml, line 2"],
    ),
    (
        "code",
        {
            "persona/x.yaml": head(
                "persona.x", PERSONA + 'year: !!python/object/apply:os.system ["exit"]\n'
            )
        },
        ["persona=[x]"],
        ["persona/x.yaml, line", "python/object"],
    ),
    (
        "aliases that unfold to millions",
        {"persona/x.yaml": BOMB},
        ["persona=[x]"],
        ["persona/x.yaml"],
    ),
    (
        "an alias that holds itself",
        {"persona/x.yaml": head("persona.x", "name: &a [*a]\n")},
        [],
        ["persona/x.yaml"],
    ),
    (
        "50,000 brackets",
        {"persona/x.yaml": head("persona.x", "name: " + "[" * 50_000)},
        [],
        ["persona/x.yaml", "nested too deeply"],
    ),
    (
        "a YAML of a megabyte and more",
        {"persona/x.yaml": head("persona.x", "name: " + "a" * (1 << 20))},
        [],
        ["persona/x.yaml", "1,048,576 bytes"],
    ),
]


@pytest.mark.parametrize(
    ("files", "argv", "words"),
    first(14, [row[1:] for row in FOLDERS]),
    ids=[row[0] for row in FOLDERS],
)
def test_a_mistake_in_a_file_is_one_line_that_names_it(folder, files, argv, words, capfd):
    message = mistake([*fill(folder, files), *argv], capfd)
    assert [word for word in words if word not in message] == []


def test_a_yaml_of_a_few_hundred_bytes_cannot_stop_the_machine(folder, capfd):
    assert len(BOMB) < 300
    assert "unfolds to more than" in mistake(
        [*fill(folder, {"persona/x.yaml": BOMB}), "persona=[x]"], capfd
    )


# --- what is well ------------------------------------------------------------------------------


def test_without_arguments_the_bundled_experiment_is_rehearsed(settings):
    experiment = settings.experiment
    assert (list(levels(experiment, "persona")), list(levels(experiment, "text"))) == (
        ["p1", "p2", "p3", "p4"],
        ["t1", "t2", "t3"],
    )
    assert [q.label for q in experiment.questions.questions] == ["面白さ", "驚き", "悲しみ", "怒り"]
    assert (experiment.trials, experiment.calculated, experiment.enhance) == (
        10,
        True,
        Enhance.ON_RETRY,
    )
    assert settings.retry == RetryPolicy(max_attempts=3, max_lost=5, enhance=Enhance.ON_RETRY)
    assert settings.config.service.emulated
    assert settings.folder == Path("outputs/literary/emulator_gpt-4o-mini")


def test_temperatures_are_taken_as_they_are_written():
    found = only(["temperatures=[0.29,0.7,1,2.0,0.295,1e-1]"]).experiment.temperatures
    assert found == tuple(map(Decimal, ("0.29", "0.7", "1", "2", "0.295", "0.1")))


def test_no_temperature_is_sent_when_there_is_none():
    experiment = only(["temperatures=null"]).experiment
    assert {c.temperature for c in checked_conditions(experiment)} == {None}


def test_a_selection_keeps_its_order_and_leaves_the_rest_out():
    experiment = only(["personas=[p3,p1]", "texts=[t2]"]).experiment
    assert [c.stem for c in checked_conditions(experiment)] == ["p3_t2", "p1_t2"]


@pytest.mark.parametrize(
    ("argv", "folder"),
    [
        (["provider=openai"], "outputs/literary/openai_gpt-6-luna"),
        (["provider=openai", "service=emulated"], "outputs/literary/openai_gpt-6-luna_emulated"),
        (["prompt.enhance=always"], "outputs/literary/emulator_gpt-4o-mini_enhanced"),
        (["name=x", "outputs=o", "provider.model=a/b:c"], "o/x/emulator_a-b-c"),
    ],
)
def test_what_is_different_goes_into_another_folder(argv, folder):
    assert only(argv).folder == Path(folder)


def test_no_key_stands_in_the_settings(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-VERYSECRET")
    settings = only(["provider=openai"])
    assert "VERYSECRET" not in repr(settings)
    assert settings.resolved["provider"]["api_key_env"] == "OPENAI_API_KEY"


def test_a_folder_holds_only_what_it_changes(folder):
    argv = fill(
        folder,
        {
            "persona/prof.yaml": head("persona.prof", PERSONA),
            "text/mine.yaml": head("text.mine", TEXT),
            "text/mine.txt": "\ufeff私の話 {title} ${name} \\n\r\n",
            "experiment/own.yaml": head(
                "_global_",
                "defaults:\n"
                "  - override /persona: [prof, p1]\n"
                "  - override /text: [mine, t3]\n"
                "name: own\n"
                "trials: 4\n",
            ),
        },
    )
    experiment = only([*argv, "experiment=own"]).experiment
    assert (experiment.name, experiment.trials) == ("own", 4)
    assert [p.kept["name"] for p in levels(experiment, "persona").values()] == [
        "教授",
        "大学１年生",
    ]
    assert levels(experiment, "text")["mine"].fields["text"] == "私の話 {title} ${name} \\n\n"
    assert levels(experiment, "text")["t3"].kept["title"] == "ぼろぼろな駝鳥"


def test_a_file_of_the_same_name_takes_the_place_of_the_shipped_one(folder):
    argv = fill(
        folder,
        {
            "text/t1.yaml": head("text.t1", TEXT.replace("mine.txt", "t1.txt")),
            "text/t1.txt": "私の",
        },
    )
    texts = levels(only(argv).experiment, "text")
    assert (texts["t1"].fields["text"], texts["t2"].kept["title"]) == ("私の", "お金とピストル")


@pytest.mark.parametrize("flag", ["--config-dir", "-cp"])
def test_a_relative_folder_is_meant_from_where_the_user_is(folder, monkeypatch, flag):
    fill(folder, {"persona/prof.yaml": head("persona.prof", PERSONA)})
    monkeypatch.chdir(folder.parent)
    assert list(levels(only([flag, "my_conf", "persona=[prof]"]).experiment, "persona")) == ["prof"]


def test_the_command_works_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(levels(only([]).experiment, "text")) == 3
    assert list(tmp_path.iterdir()) == []


SPECIAL = ["no", "on", "y", "NULLx", "e1", "_", "-a", "0x", "0777", "7", "1e3", "true", "null"]


def test_an_id_that_looks_special_is_an_id_when_it_is_quoted(folder):
    files = {f"persona/{name}.yaml": head(f"persona.{name}", PERSONA) for name in SPECIAL}
    chosen = ",".join(f"'{name}'" for name in SPECIAL)
    experiment = only([*fill(folder, files), f"persona=[{chosen}]", "text=[t1]"]).experiment
    assert [c.stem for c in checked_conditions(experiment)] == [f"{name}_t1" for name in SPECIAL]


def test_an_alias_or_two_are_welcome(folder):
    body = "name: &name 教授\nsystem: *name\ntemperature: 1\n"
    argv = fill(folder, {"persona/x.yaml": head("persona.x", body)})
    assert (
        levels(only([*argv, "persona=[x]"]).experiment, "persona")["x"].fields["system"] == "教授"
    )


@pytest.mark.long
def test_a_sweep_gives_one_job_for_each_combination(tmp_path):
    jobs = compose(["-m", "trials=10,20", "personas=[p1],[p2]", f"outputs={tmp_path}"])
    assert [(job.experiment.trials, list(levels(job.experiment, "persona"))) for job in jobs] == [
        (10, ["p1"]),
        (10, ["p2"]),
        (20, ["p1"]),
        (20, ["p2"]),
    ]


@pytest.mark.long
def test_a_sweep_with_one_bad_job_runs_none(tmp_path, capfd):
    message = mistake(["-m", "trials=10,0", f"outputs={tmp_path}"], capfd)
    assert message.startswith("trials: 0 is too small")


def test_json_is_a_flag_for_the_format():
    assert only(["--json"]).config.format == "json"


def test_a_checkout_is_not_needed_for_a_copy_of_the_shipped_folder(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "copy")
    copied = only(["--config-dir", str(tmp_path / "copy")])
    assert copied.experiment == only([]).experiment


# --- what a model accepts ----------------------------------------------------------------------

OWN = """\
# @package provider
defaults:
  - openai
  - _self_
models:
  - {match: deaf-*, sampling: ignored}
  - {match: strict-*, sampling: rejected, system_role: false, max_tokens: max_tokens}
  - match: warm-*
    temperature_max: 1.0
    parameters: {reasoning: {effort: low, summary: none}}
"""


@pytest.mark.parametrize("wanted", first(1, ["temperatures=calculated", "temperatures=[0.1,0.7]"]))
@pytest.mark.parametrize(
    ("model", "does"), [("deaf-1", "ignores it"), ("strict-1", "refuses a temperature")]
)
def test_a_temperature_that_would_measure_nothing_is_refused_with_the_way_out(
    folder, capfd, model, does, wanted
):
    argv = [*fill(folder, {"provider/own.yaml": OWN}), "provider=own", f"provider.model={model}"]
    said = mistake([*argv, wanted], capfd)
    assert said.startswith("temperatures=")
    assert model in said
    assert does in said
    assert "temperatures=null" in said
    experiment = only([*argv, "temperatures=null"]).experiment
    assert {c.temperature for c in checked_conditions(experiment)} == {None}


@pytest.mark.long
def test_the_first_row_that_fits_a_model_says_what_it_accepts(folder):
    argv = [*fill(folder, {"provider/own.yaml": OWN}), "provider=own"]
    strict = only([*argv, "provider.model=strict-2", "temperatures=null"]).experiment.model
    assert (strict.system_role, strict.max_tokens_name) == (False, "max_tokens")
    warm = only([*argv, "provider.model=warm-2"]).experiment.model
    assert (warm.system_role, str(warm.temperature_max)) == (True, "1")
    assert warm.max_tokens_name == "max_completion_tokens"


def test_the_users_parameters_are_laid_over_the_models_level_by_level(folder):
    argv = [*fill(folder, {"provider/own.yaml": OWN}), "provider=own", "provider.model=warm-2"]
    model = only([*argv, "+provider.parameters.reasoning.effort=high"]).experiment.model
    assert model.parameters == {"reasoning": {"effort": "high", "summary": "none"}}


def test_a_model_that_nobody_listed_is_allowed(folder):
    argv = [*fill(folder, {"provider/own.yaml": OWN}), "provider=own", "provider.model=new-1"]
    assert not only(argv).listed
    assert only([*argv, "provider.model=warm-1"]).listed


def test_a_secret_of_the_environment_never_gets_into_a_request(folder, capfd):
    row = OWN + "parameters: {user: '${oc.env:HOME}'}\n"
    argv = [*fill(folder, {"provider/own.yaml": row}), "provider=own", "provider.model=warm-1"]
    assert "provider.parameters.user" in mistake(argv, capfd)


@pytest.mark.parametrize(
    ("word", "says"),
    first(
        1,
        [
            ("provider.mode=fast", "provider.mode"),
            ("retry.mode=fast", "retry.mode"),
            ("provider.source=ftp", "provider.source"),
            ("provider.completion_window=soon", "provider.completion_window"),
            ("provider.realtime.concurrency=0", "provider.realtime.concurrency"),
            ("provider.realtime.requests_per_minute=0", "requests_per_minute"),
            ("provider.limits.results_days=0", "results_days"),
            ("provider.settle_seconds=-1", "provider.settle_seconds"),
        ],
    ),
)
def test_what_a_provider_cannot_be_told_is_refused(capfd, word, says):
    assert says in mistake(["provider=openai", word], capfd)


def test_one_by_one_needs_somebody_to_wait(capfd):
    said = mistake(["provider=openai", "provider.mode=realtime", "wait=false"], capfd)
    assert said.startswith("wait=false")


def test_the_providers_list_is_believed_when_its_file_says_unless_the_user_says(folder):
    assert only(["provider=openai"]).settle_seconds == 120
    assert only(["provider=openai", "poll.settle_seconds=7"]).settle_seconds == 7
    assert only(["provider=openai", "service=emulated"]).settle_seconds == 1
