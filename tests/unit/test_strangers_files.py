"""A configuration may be a stranger's: its files say what to ask, and cannot act."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from runner.config.permitted import check_addresses
from runner.config.shipped import SHIPPED
from runner.core.errors import ConfigError
from runner.run import preflight
from runner.run.run import Run
from tests.levels import levels
from tests.unit.composing import fill, head, mistake, only
from tests.variants import first

STUDY = "defaults:\n  - override /persona: [p1]\n  - override /text: [t1]\nname: own\n"
OURS = (SHIPPED / "config.yaml").read_text(encoding="utf-8")
OPENAI = (SHIPPED / "provider" / "openai.yaml").read_text(encoding="utf-8")


def study(more: str) -> dict[str, str]:
    return {"experiment/own.yaml": head("_global_", STUDY + more)}


def refused(
    folder: Path, capfd: pytest.CaptureFixture[str], files: dict[str, str], *argv: str
) -> str:
    return mistake([*fill(folder, files), *argv], capfd)


# -- what acts

ACTS = {
    "a callback": "hydra: {callbacks: {x: {_target_: builtins.print}}}\n",
    "a launcher's class": "hydra: {launcher: {_target_: builtins.print}}\n",
    "a sweeper's class": "hydra: {sweeper: {_target_: builtins.print}}\n",
    "overrides in a sweeper": "hydra: {sweeper: {params: {provider.trust: x}}}\n",
    "where files are written": "hydra: {run: {dir: elsewhere}}\n",
    "where a sweep is written": "hydra: {sweep: {dir: elsewhere}}\n",
    "a log file": "hydra: {job_logging: {handlers: {file: {class: logging.FileHandler}}}}\n",
    "another working folder": "hydra: {job: {chdir: true}}\n",
    "the environment": "hydra: {job: {env_set: {OPENAI_BASE_URL: 'https://example.com'}}}\n",
    "what is copied from the environment": "hydra: {job: {env_copy: [HOME]}}\n",
    "another place to search": "hydra: {searchpath: ['file:///tmp']}\n",
    "a package to search": "hydra: {searchpath: ['pkg://json']}\n",
    "its mode": "hydra: {mode: MULTIRUN}\n",
    "where it writes itself down": "hydra: {output_subdir: .hydra}\n",
    "a command for a launcher": "hydra: {launcher: {setup: [date]}}\n",
    "a line break in a launcher": 'hydra: {launcher: {partition: "gpu\\ndate"}}\n',
    "hydra by a merge": "x: &x {run: {dir: elsewhere}}\nhydra:\n  <<: *x\n",
    "hydra as a word": "hydra: x\n",
    "a class in a persona": "persona: {p1: {_target_: builtins.print}}\n",
    "a class in a parameter": "provider: {parameters: {x: {_target_: builtins.print}}}\n",
    "a class in a list": "provider: {models: [{match: x, parameters: {_target_: print}}]}\n",
    "arguments of a class": "provider: {_args_: [x]}\n",
    "a part of a class": "question: {_partial_: true}\n",
    "the word that is the command line's": "provider: {trust: x}\n",
    "that word by a merge": "report: &x {lang: en}\nprovider: {<<: {trust: x}}\n",
    "a tag": "batch: !!python/name:os.system x\n",
    "a set": "personas: !!set {p1}\n",
}


@pytest.mark.parametrize("body", ACTS.values(), ids=list(ACTS))
def test_no_file_of_an_experiment_acts(folder, capfd, monkeypatch, body):
    monkeypatch.chdir(folder.parent)
    said = refused(folder, capfd, study(body), "experiment=own", "action=plan")
    assert said.startswith("experiment/own.yaml")
    assert list(folder.parent.iterdir()) == [folder]


FILES = {
    "a header for hydra": ("provider/x.yaml", head("hydra.run", "dir: elsewhere\n"), "provider=x"),
    "a header for nothing": ("provider/x.yaml", head("elsewhere", "name: x\n"), "provider=x"),
    "a primary of one's own": ("config.yaml", OURS.replace("dir: .", "dir: elsewhere"), ""),
    "a callback in it": (
        "config.yaml",
        OURS + "  callbacks: {x: {_target_: builtins.print}}\n",
        "",
    ),
    "logging in it": (
        "config.yaml",
        OURS.replace("job_logging: disabled", "job_logging: default"),
        "",
    ),
    "callbacks of a file": (
        "config.yaml",
        OURS.replace("override hydra/job_logging: disabled", "hydra/callbacks: x"),
        "",
    ),
    "a file beside the folder": (
        "experiment/own.yaml",
        head("_global_", STUDY.replace("[p1]", "[../x]")),
        "experiment=own",
    ),
    "a file by its address": (
        "experiment/own.yaml",
        head("_global_", STUDY.replace("[p1]", "['file:///tmp/x']")),
        "experiment=own",
    ),
    "a file for hydra": (
        "experiment/own.yaml",
        head("_global_", STUDY.replace("defaults:", "defaults:\n  - /persona@hydra.run: p1")),
        "experiment=own",
    ),
    "a group outside the groups": (
        "experiment/own.yaml",
        head("_global_", STUDY.replace("defaults:", "defaults:\n  - provider/../hydra/env: x")),
        "experiment=own",
    ),
    "a variable among the files": (
        "experiment/own.yaml",
        head("_global_", STUDY.replace("[p1]", "'${oc.env:HOME}'")),
        "experiment=own",
    ),
    "the same in short": (
        "experiment/own.yaml",
        head("_global_", STUDY.replace("defaults:", "defaults:\n  - ${oc.env:HOME}")),
        "experiment=own",
    ),
}


@pytest.mark.parametrize(("name", "text", "word"), FILES.values(), ids=list(FILES))
def test_no_other_file_does(folder, capfd, monkeypatch, name, text, word):
    monkeypatch.chdir(folder.parent)
    said = refused(folder, capfd, {name: text}, *([word] if word else []), "action=plan")
    assert said.startswith(name)
    assert list(folder.parent.iterdir()) == [folder]


def test_a_file_deeper_down_is_checked_when_it_is_read(folder, capfd):
    files = {"experiment/more.yaml": head("_global_", STUDY), "experiment/deep/own.yaml": ""}
    (folder / "experiment" / "deep").mkdir(parents=True)
    files["experiment/deep/own.yaml"] = head("_global_", STUDY + "hydra: {run: {dir: x}}\n")
    said = refused(folder, capfd, files, "experiment=deep/own")
    assert said.startswith("experiment/deep/own.yaml")


# -- what reads this machine

READS = [
    *("${oc.env:HOME}", "${oc.env:HOME,x}", "x${oc.env:HOME}", "${hydra:runtime.cwd}", "${now:%Y}"),
    *("${hydra.runtime.cwd}", "${oc.select:name}", "${oc.decode:'1'}", "${.name}", "${..name}"),
    *("${name}${oc.env:HOME}", "${${name}}", "${oc.create:{a: 1}}", "${oc.dict.keys:provider}"),
    *("\\${oc.env:HOME}", "${persona.p1.${oc.env:HOME}}", "${name", "${provider['name']}"),
]
PLACES = ["outputs", "provider.model", "provider.base_url", "provider.parameters.user", "batch"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", READS)
def test_no_value_of_a_file_reads_the_environment_or_calls_anything(folder, capfd, value, place):
    body = "\n".join(f"{'  ' * n}{key}:" for n, key in enumerate(place.split(".")))
    said = refused(
        folder, capfd, study(f"{body} '{value.replace(chr(39), chr(39) * 2)}'\n"), "experiment=own"
    )
    assert said.startswith(f"experiment/own.yaml: {place}: ")


def test_a_value_may_be_that_of_another_setting(folder):
    body = "provider: {model: gpt-4o-mini}\noutputs: 'out-${provider.model}'\n"
    assert only([*fill(folder, study(body)), "experiment=own"]).config.outputs == "out-gpt-4o-mini"


def test_on_the_command_line_the_environment_is_the_users_own(monkeypatch):
    monkeypatch.setenv("SCRATCH", "somewhere")
    assert only(["outputs='${oc.env:SCRATCH}'"]).config.outputs == "somewhere"


# -- what a launcher is told is left


def test_a_file_may_say_how_long_a_job_of_a_cluster_runs(folder):
    body = "hydra: {launcher: {timeout_min: 60, partition: gpu-2}}\n"
    with pytest.raises(ConfigError, match=r"launcher\.timeout_min: no such key"):
        only([*fill(folder, study(body)), "experiment=own"])  # as long as no launcher is chosen


def test_a_copy_of_the_shipped_primary_is_taken(folder):
    files = {"config.yaml": OURS.replace("trials: 10 ", "trials: 7 ")}
    assert only(fill(folder, files)).experiment.trials == 7


# -- where files are


def test_a_link_that_leaves_the_folder_is_not_followed(folder, capfd):
    (folder.parent / "mine.yaml").write_text("user: me\n")
    (folder / "provider").mkdir()
    (folder / "provider" / "parameters.yaml").symlink_to(folder.parent / "mine.yaml")
    said = mistake(["--config-dir", str(folder), "+provider=parameters"], capfd)
    assert said.startswith("provider/parameters.yaml: ")
    assert "leaves the folder" in said


def test_a_link_inside_the_folder_is(folder):
    argv = fill(folder, {"experiment/one.yaml": head("_global_", STUDY)})
    (folder / "experiment" / "two.yaml").symlink_to("one.yaml")
    assert only([*argv, "experiment=two"]).experiment.name == "own"


def test_what_is_no_file_is_said_and_not_waited_for(folder, capfd):
    (folder / "persona").mkdir()
    os.mkfifo(folder / "persona" / "x.yaml")
    assert "is no file" in mistake(["--config-dir", str(folder)], capfd)
    (folder / "persona" / "x.yaml").unlink()
    (folder / "persona" / "x.yaml").mkdir()
    assert "persona/x.yaml" in mistake(["--config-dir", str(folder)], capfd)
    (folder / "persona" / "x.yaml").rmdir()
    with closing(socket.socket(socket.AF_UNIX)) as there:
        there.bind(os.path.relpath(folder / "persona" / "x.yaml"))
        assert "is no file" in mistake(["--config-dir", str(folder)], capfd)


def test_a_file_that_would_never_be_read_is_said(folder, capfd):
    said = refused(folder, capfd, {"persona/prof.yml": "name: x\n"})
    assert said == "persona/prof.yml: is not read; rename it to prof.yaml"


def test_a_byte_order_mark_does_not_hide_the_header(folder):
    text = "\ufeff" + head("persona.x", "name: x\nsystem: y\ntemperature: 1\n")
    assert "x" in levels(
        only([*fill(folder, {"persona/x.yaml": text}), "persona=[x]"]).experiment, "persona"
    )


@pytest.mark.parametrize("text", ["- a\n", "a word\n", "--- {a: 1}\n--- {b: 2}\n", "? [a]\n: b\n"])
def test_a_file_that_holds_no_settings_is_said(folder, capfd, text):
    assert refused(folder, capfd, {"faults/x.yaml": text}, "faults=x").startswith("faults/x.yaml")


@pytest.mark.parametrize("text", ["", "trials: 3\n", "defaults: [{question: literary}, _self_]\n"])
def test_the_schema_cannot_be_left_out_or_replaced(folder, capfd, text):
    assert "- schema" in refused(folder, capfd, {"config.yaml": text})
    (folder / "config.yaml").unlink()
    assert (
        refused(folder, capfd, {"schema.yaml": text})
        == "schema.yaml: that name is taken; rename it"
    )


def test_two_folders_are_one_too_many(folder, tmp_path, capfd):
    (tmp_path / "two").mkdir()
    for flags in (["--config-dir", "-cd"], ["--config-dir", "--config-path"], ["-cp", "-cp"]):
        said = mistake([flags[0], str(folder), flags[1], str(tmp_path / "two")], capfd)
        assert said.startswith("--config-dir: given twice")
        assert str(folder) in said
    assert "--config-dir" in mistake([f"--config-di={folder}"], capfd)


# -- where keys and prompts go

NAMED = [
    ("base_url", "https://example.com/v1", "example.com"),
    ("base_url", "http://127.0.0.1:9/v1", "127.0.0.1:9"),
    ("base_url", "https://[::1]:8443/v1", "[::1]:8443"),
    ("api_key_env", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
    ("project", "a-project", "a-project"),
    ("bucket", "a-bucket", "a-bucket"),
    ("dataset", "a_dataset", "a_dataset"),
    ("storage_url", "https://storage.example.com", "https://storage.example.com"),
]


def live(run: Run) -> str:
    """What stands in the way of a live run."""
    with pytest.raises(ConfigError) as caught:
        preflight.ready(run, sending=False)
    return str(caught.value)


@pytest.mark.parametrize(
    ("how", "name", "value", "word"),
    first(
        1,
        [
            *(("an experiment", *row) for row in NAMED),
            ("a copy", *NAMED[0]),
            ("a file of its own", *NAMED[3]),
        ],
    ),
)
def test_an_address_of_a_file_is_shown_and_wants_a_word(
    folder, how, name, value, word, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    argv = ["provider=openai"]
    if how == "an experiment":
        files, argv = study(f"provider: {{{name}: '{value}'}}\n"), [*argv, "experiment=own"]
    elif how == "a copy":
        lines = [line for line in OPENAI.splitlines() if not line.startswith(f"{name}:")]
        files = {"provider/openai.yaml": "\n".join([*lines, f"{name}: '{value}'", ""])}
    else:
        body = f"defaults:\n  - openai\n  - _self_\n{name}: '{value}'\n"
        files, argv = {"provider/own.yaml": head("provider", body)}, ["provider=own"]
    argv = [*fill(folder, files), *argv]
    run = Run(only(argv))
    (note,) = [note for note in preflight.warnings(run) if f"provider.{name}={value}" in note]
    assert "wants your word" in note
    said = live(run)
    assert f"provider.{name}={value}" in said
    assert "nothing was sent" in said
    typed = only([*argv, f"provider.{name}='{value}'"])
    assert not [note for note in preflight.warnings(Run(typed)) if "keys and prompts" in note]
    trust = said.rpartition("command line: ")[2].strip("'").replace("'\"'\"'", "'")
    assert word in trust
    trusted = Run(only([*argv, trust]))
    (note,) = [note for note in preflight.warnings(trusted) if f"provider.{name}={value}" in note]
    assert "wants your word" not in note
    check_addresses(trusted.settings, trusted.connection.provider_class)


@pytest.mark.long
def test_a_word_for_one_address_is_none_for_another(folder, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    files = study("provider: {base_url: 'https://example.com/v1', api_key_env: OTHER_KEY}\n")
    argv = [*fill(folder, files), "provider=openai", "experiment=own"]
    said = live(Run(only([*argv, "provider.trust=example.com"])))
    assert said.endswith("provider.trust=[OTHER_KEY]'")
    assert "example.org" not in live(Run(only([*argv, "provider.trust=[example.org,OTHER_KEY]"])))


@pytest.mark.long
def test_a_header_of_a_file_wants_a_word_for_its_variable(folder, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    files = study("provider: {headers: {x-a: AWS_SECRET_ACCESS_KEY}}\n")
    argv = [*fill(folder, files), "provider=openai", "experiment=own"]
    said = live(Run(only(argv)))
    assert "provider.headers.x-a=AWS_SECRET_ACCESS_KEY" in said
    assert said.endswith("provider.trust=[AWS_SECRET_ACCESS_KEY]'")
    trusted = Run(only([*argv, "provider.trust=[AWS_SECRET_ACCESS_KEY]"]))
    check_addresses(trusted.settings, trusted.connection.provider_class)


def test_a_file_that_is_put_under_the_provider_gives_no_word(folder, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    body = STUDY.replace("defaults:", "defaults:\n  - /faults/x@provider")
    files = {
        "faults/x.yaml": "trust: [example.com]\n",
        "experiment/own.yaml": head(
            "_global_", body + "provider: {base_url: 'https://example.com/v1'}\n"
        ),
    }
    settings = only([*fill(folder, files), "provider=openai", "experiment=own"])
    assert settings.config.provider.trust == ["example.com"]
    assert "provider.trust=" in live(Run(settings))


@pytest.mark.parametrize(
    "provider",
    first(
        6,
        [
            *("openai", "anthropic", "gemini", "groq", "kluster", "compatible", "vllm", "azure"),
            *("gemini_api", "openrouter", "mistral", "xai", "together", "bedrock"),
            *("dashscope", "deepinfra", "doubleword", "moonshot", "novita", "zai"),
        ],
    ),
)
def test_a_shipped_provider_needs_no_word(provider):
    run = Run(only([f"provider={provider}", "temperatures=null"]))
    assert run.connection.provider_class.key_variable == run.settings.config.provider.api_key_env
    assert not [note for note in preflight.warnings(run) if "YAML file" in note]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("provider._target_=runner.providers.base.Secret", "is no provider"),
        ("provider._target_=runner.providers.openai.nothing", "allowed: a class under"),
        ("provider._target_=runner.providers._lines.JsonObject", "allowed: a class under"),
        ("provider._target_=runner.providers.nix.Nix", "does not exist"),
        ("provider._target_=os.system", "allowed: a class under"),
        ("provider.emulator_path=@example.com/v1", "provider.emulator_path"),
        ("provider.emulator_path=.example.com", "provider.emulator_path"),
        ("provider.api_key_env='A B'", "provider.api_key_env"),
    ],
)
def test_what_a_provider_is_made_of_is_checked(word, says):
    with pytest.raises(ConfigError, match=says):
        Run(only(["provider=openai", word]))


def test_a_region_is_one_word_of_a_host():
    run = Run(only(["provider=gemini", "provider.location=example.com/"]))
    assert "provider.location" in str(run.connection.missing)
