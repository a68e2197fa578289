"""What --help prints: the settings as the configuration file has them, with its comments.

Nothing is composed and nothing of Hydra is imported for it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runner import called
from runner.config.shipped import SHIPPED

FLAGS: Final = ("--help", "-h")
_HEAD: Final = """\
Chorus asks many language models the same thing through their batch APIs, and never pays twice.

  {chorus}                          the bundled study, rehearsed free of charge
  {chorus} action=plan              what would be sent, and what it may cost
  {chorus} provider=openai          the real thing (needs OPENAI_API_KEY)
  {chorus} -m provider=openai,groq  a sweep: all jobs at once, one budget, one table
  {chorus} action=init name=my_study    a study of your own, to edit

Running the same command again resumes. Any setting below is changed with key=value.
"""
_FOOT: Final = """\
`{chorus} --cfg job provider=gemini` prints all that holds for a choice, its provider.* too.
Ends with 0: all answered, 1: our fault, 2: your mistake, nothing was sent,
3: work remains or some failed, 130: interrupted."""
GROUPS: Final = ("provider", "experiment", "question", "service", "faults", "panel")
_WIDTH: Final = 100


def help_text(conf: Path = SHIPPED) -> str:
    """Return the help text.

    Args:
        conf: a folder with config.yaml and the files that can be chosen.
    """
    choices = "\n".join(line for group in GROUPS for line in _choices(conf, group))
    said = (
        f"{_HEAD}\n== Choices (name=CHOICE; --config-dir=FOLDER adds your own)\n\n{choices}\n\n"
        f"== Settings, with their defaults\n\n{_settings(conf)}\n\n{_FOOT}"
    )
    return said.replace("{chorus}", called.command())


def _settings(conf: Path) -> str:
    """Return what stands in config.yaml between what is composed and what is Hydra's."""
    lines = (conf / "config.yaml").read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[lines.index("") + 1 : lines.index("hydra:")]).strip()


def _choices(conf: Path, group: str) -> Iterator[str]:
    """Yield lines with the choices of a group."""
    line = f"{group:<12}"
    for name in sorted(path.stem for path in (conf / group).glob("*.yaml")):
        if len(line) + len(name) > _WIDTH:
            yield line
            line = " " * 12
        line += f" {name}"
    yield line
