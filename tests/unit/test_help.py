"""--help and --version: what can be said, without a library being loaded for it."""

import subprocess
import sys
from dataclasses import fields

import pytest

from runner import __version__
from runner.__main__ import main
from runner.config.schema import Config
from runner.config.shipped import SHIPPED


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_every_setting_and_every_choice(flag, capsys):
    assert main(["trials=3", flag]) == 0
    said = capsys.readouterr().out
    assert "never pays twice" in said
    head = said.split("== Settings")[0].split()
    for group in ("provider", "experiment", "question", "service", "faults", "panel"):
        assert group in head
        assert {path.stem for path in (SHIPPED / group).glob("*.yaml")} <= set(head)
    text = (SHIPPED / "config.yaml").read_text(encoding="utf-8")
    shown = [f.name for f in fields(Config) if f"\n{f.name}:" in text]
    assert len(shown) > 20
    assert [name for name in shown if f"\n{name}:" not in said] == []
    assert "hydra" not in said
    assert said.rstrip().endswith("130: interrupted.")
    assert max(map(len, said.splitlines())) < 125


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_nothing_is_loaded_to_say_it(word):
    code = f"""
import sys
from runner.__main__ import main
assert main([{word!r}]) == 0
print(*sorted({{"hydra", "omegaconf", "yaml", "polars", "pydantic", "httpx"}} & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == ""


def test_the_version_is_said(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chorus {__version__}\n"
