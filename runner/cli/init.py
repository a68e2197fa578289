"""`action=init`: a commented experiment of one's own, to edit."""

import shutil
from pathlib import Path

from runner import called
from runner.config.problems import did_you_mean
from runner.config.shipped import EDITOR_SCHEMA, SHIPPED
from runner.core.errors import ConfigError

LANGUAGES = ("en", "ja")
EXAMPLES = tuple(
    sorted(p.stem for p in (SHIPPED / "experiment").glob("*.yaml") if p.stem != "literary")
)
"""The experiments in conf/experiment/, those in Japanese with _ja behind their names."""
KINDS = ("texts", *(name for name in EXAMPLES if not name.endswith("_ja")))
"""texts: personas read texts, as in the bundled study; the others are examples."""

EXPERIMENT = """\
# @package _global_
{hint}
# Your experiment. Run it from here with:
#   {chorus} --config-dir {name} experiment={name}
# Look first, free of charge and with nothing sent:
#   {chorus} --config-dir {name} experiment={name} action=plan
# The real thing, once OPENAI_API_KEY is set:
#   {chorus} --config-dir {name} experiment={name} provider=openai
defaults:
  - override /persona: [reader]     # files in {name}/persona/, or the bundled p1 to p4
  - override /text: [sample]        # files in {name}/text/, or the bundled t1 to t3
  - override /question: {name}      # {name}/question/{name}.yaml

name: {name}
trials: 3                           # how often each persona reads each text
temperatures: calculated            # or a list, as [0.2, 0.8]
"""

_HINT = f"# yaml-language-server: $schema=../{EDITOR_SCHEMA}"
"""Tells editors what may stand in the file; the schema is copied beside it."""

PERSONA = """\
# @package persona.reader
# The id is the file's name, and stands in the line above and in every custom_id.
name: 読者
system: あなたは読者です。日本の文学テキストに対する感情分析を行います。
temperature: 0.7        # base; a text's temperature_modifier is added
"""

TEXT = """\
# @package text.sample
title: 見本
author: 作者
year: "2026"
file: sample.txt        # beside this file; read as data, never interpolated
temperature_modifier: 0.0
"""

BODY = "ここに、読ませたいテキストを書きます。\n"


def write_starter(name: str, kind: str, lang: str) -> str:
    """Write the folder `name` and return what to do next.

    Args:
        name: of the experiment, and of the folder.
        kind: one of `KINDS`.
        lang: one of `LANGUAGES`; the starter of the kind texts is in Japanese.

    Raises:
        ConfigError: it is there already, or there is no such kind, or not in this language.
    """
    for key, word, known in (("kind", kind, KINDS), ("lang", lang, LANGUAGES)):
        if word not in known:
            raise ConfigError(f"{key}={word}: {did_you_mean(word, known)}")
    example = kind if lang == "en" else f"{kind}_{lang}"
    if kind != "texts" and example not in EXAMPLES:
        raise ConfigError(f"lang={lang}: kind={kind} is there in English only: leave lang out")
    home = Path(name)
    if home.exists():
        raise ConfigError(f"{home}: exists already; choose another name=…")
    if kind == "texts":
        _write_texts(home, name)
    else:
        _copy_example(home, name, example)
    shutil.copyfile(SHIPPED / EDITOR_SCHEMA, home / EDITOR_SCHEMA)
    return (
        f"{home}/ is written: edit its files, then\n"
        f"  {called.line(['--config-dir', name, f'experiment={name}', 'action=plan'])}"
    )


def _copy_example(home: Path, name: str, example: str) -> None:
    """Copy an example of conf/experiment/ and the files beside it, under another name."""
    target = home / "experiment"
    target.mkdir(parents=True)
    changes = {
        "# @package _global_\n": f"# @package _global_\n{_HINT}\n",
        f"experiment={example}": f"--config-dir {name} experiment={name}",
        f"name: {example}": f"name: {name}",
        "python -m runner": called.command(),
    }
    beside = [p for p in (SHIPPED / "experiment").glob(f"{example}.*") if p.suffix != ".yaml"]
    for path in beside:
        renamed = path.name.replace(example, name, 1)
        changes[path.name] = renamed
        shutil.copyfile(path, target / renamed)
    text = (SHIPPED / "experiment" / f"{example}.yaml").read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    (target / f"{name}.yaml").write_text(text, encoding="utf-8")


def _write_texts(home: Path, name: str) -> None:
    questions = (SHIPPED / "question" / "literary.yaml").read_text(encoding="utf-8")
    files = {
        f"experiment/{name}.yaml": EXPERIMENT.format(
            name=name, chorus=called.command(), hint=_HINT
        ),
        "persona/reader.yaml": PERSONA,
        "text/sample.yaml": TEXT,
        "text/sample.txt": BODY,
        f"question/{name}.yaml": questions.replace("\nname: literary", f"\nname: {name}", 1),
    }
    for path, content in files.items():
        target = home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
