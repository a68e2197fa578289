"""Every bundled example and every starter: planned, rehearsed to the end, and short."""

import json

import polars as pl
import pytest

from runner.cli.init import EXAMPLES, KINDS, LANGUAGES
from runner.config.shipped import SHIPPED
from tests.acceptance.conftest import QUICK, Desk
from tests.variants import first

STARTERS = [
    (kind, lang)
    for kind in KINDS
    for lang in LANGUAGES
    if kind == "texts" or lang == "en" or f"{kind}_{lang}" in EXAMPLES
]


@pytest.mark.parametrize("name", first(2, EXAMPLES))
def test_an_example_is_rehearsed_to_the_end_and_read(desk: Desk, name: str) -> None:
    said = desk.run(f"experiment={name}", *QUICK, "faults.malformed=0", "trials=2")
    assert said.returncode == 0, said
    (folder,) = (desk.folder / "outputs" / name).iterdir()
    answers = pl.read_parquet(folder / "answers.parquet")
    questions = json.loads((folder / "manifest.json").read_text())["experiment"]["definition"][
        "questions"
    ]
    values = answers.select(f"{key}_value" for key in questions)
    assert values.null_count().sum_horizontal().item() == 0
    assert answers["status"].unique().to_list() == ["success"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name: str) -> None:
    lines = (SHIPPED / "experiment" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40


@pytest.mark.parametrize(("kind", "lang"), first(2, STARTERS))
def test_a_starter_is_planned_with_the_command_that_it_prints(
    desk: Desk, kind: str, lang: str
) -> None:
    said = desk.run("action=init", "name=mine", f"kind={kind}", f"lang={lang}")
    command = said.stdout.splitlines()[-1].split()
    assert command[:3] == ["python", "-m", "runner"]
    planned = desk.run(*command[3:])
    assert planned.returncode == 0, planned
    assert "to send" in planned.stdout
    written = (desk.folder / "mine" / "experiment" / "mine.yaml").read_text(encoding="utf-8")
    assert "experiment=mine" in written
    assert kind == "texts" or (desk.folder / "mine" / "experiment" / "mine.csv").is_file()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["kind=label"], "did you mean labels?"),
        (["lang=jp"], "allowed: en, ja"),
        (["kind=topics", "lang=ja"], "kind=topics is there in English only"),
    ],
)
def test_a_kind_that_is_not_there_is_refused(desk: Desk, words: list[str], hint: str) -> None:
    said = desk.run("action=init", "name=mine", *words)
    assert said.returncode == 2
    assert hint in said.stderr
    assert not (desk.folder / "mine").exists()
