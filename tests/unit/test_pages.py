"""README and docs/: commands are tried as cheaply as they can be, studies composed, links followed."""

import importlib.util
import os
import pickle
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import chdir
from functools import cache
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.cli.completion import completion
from runner.cli.init import write_starter
from runner.config.checks import ACTIONS
from runner.config.compose import _arguments
from runner.config.schema import GROUPS
from runner.config.shipped import SHIPPED
from runner.core.errors import RunnerError
from tests.unit.composing import _READER, _base, composed
from tests.unit.test_reference import settings
from tui.arguments import parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
GUIDES = [*(page for page in PAGES if page.name != "decisions.md"), CONTRIBUTING]
"""The pages that say what to type; decisions say what was decided."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROGRAMS = r"python3?|\.venv/bin/\w+|chorus(-tui)?|pip|pipx|uv|source|eval|export|pip-audit"
SPECIAL = set("[]{}()*?<>;~#!")
"""What zsh, or bash, takes for something else than itself outside of quotes."""
OF_THE_READER = {
    ("new-provider.md", "provider", "acme"),
    *((page, "experiment", "my_study") for page in ("README.md", "own-study.md", "tutorial.md")),
}
"""What the reader of a page writes: tests/acceptance/test_a_new_provider.py does what it says."""


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def inline(page: Path) -> list[str]:
    """What stands between backticks in a page's sentences and tables."""
    prose = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return [code.replace("\\|", "|") for code in re.findall(r"`([^`\n]+)`", prose)]


def commands(page: Path) -> Iterator[str]:
    """Every command line of a page."""
    for block in blocks(page, "sh"):
        yield from filter(None, block.splitlines())
    yield from re.findall(r"^    \$ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    for code in inline(page):
        if re.match(rf"([A-Z_]+=\S+ )*({PROGRAMS}) ", code):
            yield code


ALL = sorted({line for page in GUIDES for line in commands(page)})


def bare(line: str) -> str:
    """What of a command line stands outside of quotes."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", line)


def simple(line: str) -> Iterator[list[str]]:
    """The simple commands of a line, without the variables set before them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, "&&"]:
        if word not in ("&&", "|"):
            words += [word] if words or not re.match(r"[A-Z_]+=", word) else []
            continue
        if words:
            yield words
        words = []


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the study that the pages begin."""
    with chdir(tmp_path_factory.mktemp("desk")):
        write_starter("my_study", "labels", "en")
        yield Path.cwd()


@cache
def _tree() -> DictConfig:
    return pickle.loads(_base(()))


def laid_over(words: list[str]) -> None:
    """Lay words over the settings, which takes milliseconds: is there such a key, and such a value?

    What chooses files is left out, and what a sweep varies; the `long` test below composes all of it.
    """
    words, _ = _arguments(words)
    plain = [word for word in words if re.match(rf"(?!({'|'.join((*GROUPS, 'panel'))})=)\w", word)]
    values = [one for one in _READER.parse_overrides(plain) if not one.is_sweep_override()]
    ConfigLoaderImpl._apply_overrides_to_config(values, _tree())


def by_runner(words: list[str], check: Callable[[list[str]], object]) -> None:
    if words[:1] == ["--completion"]:
        assert completion(words[1])
    else:
        check([word for word in words if not re.match(r"--(json|help)$|hydra[./]", word)])


def by_pytest(words: list[str]) -> None:
    known = {mark.partition(":")[0] for mark in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    for flag, word in zip(["", *words], words, strict=False):
        if flag == "-m":
            assert set(word.split()) - {"not", "and", "or"} <= known
        elif not word.startswith("-") and flag not in ("-n", "-k", "-m"):
            assert (ROOT / word).exists(), word


def module(name: str, words: list[str], runner: Callable[[list[str]], object]) -> None:
    known: dict[str, Callable[[list[str]], object]] = {
        "runner": lambda said: by_runner(said, runner),
        "tui": parse,
        "pytest": by_pytest,
    }
    if name in known:
        known[name](words)
    else:
        assert importlib.util.find_spec(name), name


def installing(words: list[str]) -> None:
    for word in words:
        if extra := re.fullmatch(r"\.\[(\w+)\]", word):
            assert extra[1] in PROJECT["project"]["optional-dependencies"]
        elif word.endswith((".lock", ".toml")):
            assert (ROOT / word).is_file()


def program(words: list[str], runner: Callable[[list[str]], object]) -> None:
    """Try one simple command."""
    first = words[0].removeprefix(".venv/bin/")
    if first in ("python", "python3") and words[1] == "-m":
        module(words[2], words[3:], runner)
    elif first == "chorus":
        by_runner(words[1:], runner)
    elif first == "chorus-tui":
        parse(words[1:])
    elif first == "eval":
        inner = re.fullmatch(r"\$\((.*)\)", words[1])
        assert inner
        program(shlex.split(inner[1]), runner)
    elif first in ("pip", "pipx", "uv", "pip-audit"):
        installing(words[1:])
    else:
        assert first in ("export", "source") or words == ["python3", "--version"]


def taken(line: str, runner: Callable[[list[str]], object]) -> None:
    """Try a line, and what it tells the runner with the function given."""
    for words in simple(line):
        program(words, runner)


@pytest.mark.usefixtures("desk")
def test_every_command_of_the_pages_is_taken() -> None:
    refused = []
    for line in ALL:
        try:
            taken(line, laid_over)
        except (
            AssertionError,
            IndexError,
            RunnerError,
            HydraException,
            OmegaConfBaseException,
        ) as e:
            refused.append(f"{line}: {e}")
    assert refused == []


@pytest.mark.long
@pytest.mark.parametrize("line", [line for line in ALL if re.search(r"-m runner|chorus ", line)])
@pytest.mark.usefixtures("desk")
def test_a_command_is_composed(line: str) -> None:
    taken(line, lambda words: composed(words) if "provider=acme" not in words else None)


def test_no_shell_takes_a_part_of_a_command_for_something_else() -> None:
    assert len(ALL) > 60
    assert [line for line in ALL if SPECIAL & set(bare(line))] == []


needs_zsh = pytest.mark.skipif(not Path("/usr/bin/zsh").exists(), reason="no zsh on this machine")


@needs_zsh
def test_zsh_and_bash_hand_the_same_words_on(desk: Path) -> None:
    lines = [line for line in ALL if not line.startswith(("eval", "source", "export"))]
    script = "\n".join(f"print -rl -- {re.sub(' [|] | && ', ' ', line)}" for line in lines)
    for_bash = script.replace("print -rl --", "printf '%s\\n'")
    said = [
        subprocess.run([*shell, text], cwd=desk, capture_output=True, text=True, check=True).stdout
        for shell, text in ((("zsh", "-f", "-c"), script), (("bash", "-c"), for_bash))
    ]
    assert said[0] == said[1]


# -- studies, in Python and in YAML

SEES_REASONING = ["provider=openai", "service=emulated"]
"""A page may vary how much a model reasons."""
REVIEWS = "review_id,title,language,stars,body\n1,A,en,5,Good.\n2,,en,1,Bad.\n3,C,ja,2,X.\n"


@pytest.mark.parametrize(
    "page", [page for page in GUIDES if "@package _global_" in page.read_text()]
)
def test_a_study_of_a_page_is_taken(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "yaml")):
        home = tmp_path / str(number)
        (home / "experiment").mkdir(parents=True)
        (home / "experiment" / "study.yaml").write_text(block, encoding="utf-8")
        (home / "experiment" / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
        (home / "experiment" / "my_study.csv").write_text(
            "id,label,body\n1,a,b\n", encoding="utf-8"
        )
        (home / "experiment" / "record.schema.json").write_text('{"type": "object"}')
        assert composed(["--config-dir", str(home), "experiment=study", *SEES_REASONING])


def test_python_on_the_pages_is_python() -> None:
    found = [block for page in GUIDES for block in blocks(page, "python")]
    assert found
    for block in found:
        compile(block, "page", "exec")


# -- what the pages name


def headings(page: Path) -> set[str]:
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_link_leads_somewhere() -> None:
    lost = []
    for page in (*PAGES, CONTRIBUTING):
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            name, _, part = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            if name.startswith("https:"):
                continue
            if not target.exists() or (part and part not in headings(target)):
                lost.append(f"{page.name}: {link}")
    assert lost == []


def test_every_page_is_reached_from_the_readme() -> None:
    links = re.findall(r"\]\((docs/[^)#\s]+)", PAGES[0].read_text(encoding="utf-8"))
    assert {str(page.relative_to(ROOT)) for page in PAGES[1:]} - set(links) == set()


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 115


OTHER_NAMES = (
    "panel",
    "hydra",
    "lit",
    "progress",
    "how",
    "extra_columns",
    "union_by_name",
)
"""Words of a command line, and of Python, that are no settings."""


def test_every_setting_that_a_page_names_is_there() -> None:
    known = {one.path for one in settings()}
    parts = {".".join(path.split(".")[:n]) for path in known for n in range(1, 9)}
    names = [re.escape(path).replace(r"\*", r"\w+") for path in parts]
    there = re.compile(f"({'|'.join([*names, *GROUPS, *OTHER_NAMES])})(\\.\\w+)*")
    found = {
        (page.name, name, value)
        for page in GUIDES
        for code in (*commands(page), *inline(page))
        for name, value in re.findall(r"(?:^|[ '])([a-z_]+(?:\.[a-z_]+)*)=(\S+)", code)
    }
    assert len(found) > 100
    assert [(page, name) for page, name, _ in found if not there.fullmatch(name)] == []
    chosen = {
        (page, name, one)
        for page, name, value in found
        if name in (*GROUPS, "panel")
        for one in re.findall(r"[a-z_]+", value)
    }
    assert [
        (page, name, one)
        for page, name, one in chosen - OF_THE_READER
        if not (SHIPPED / name / f"{one}.yaml").is_file()
    ] == []


def test_every_action_that_a_page_names_is_there() -> None:
    named = {
        found for page in GUIDES for found in re.findall(r"\baction=([a-z]+)", page.read_text())
    }
    assert named == set(ACTIONS)


# -- the tutorial, as it stands


@pytest.mark.long
@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=needs_zsh)])
def test_the_tutorial_is_typed_in_an_empty_folder(shell: str, tmp_path: Path) -> None:
    lines = [
        line for block in blocks(ROOT / "docs" / "tutorial.md", "sh") for line in block.splitlines()
    ]
    typed = [
        f"{line} --plain" if "-m tui" in line else line
        for line in lines
        if line.startswith("python -m") and "provider=openai" not in line
    ]
    typed += [line for line in lines if "provider=openai" in line and "action=plan" in line]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-e", "-c", "\n".join(typed)],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "outputs" / "my_study" / "report" / "report.html").is_file()
    assert (tmp_path / "outputs" / "my_study" / "emulator_gpt-4o-mini" / "answers.csv").is_file()
