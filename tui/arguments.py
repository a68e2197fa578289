"""The dashboard's command line, read without loading anything that draws."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from runner import called
from runner.core.errors import ConfigError

WELL, USER_MISTAKE, WORK_REMAINS, NO_INPUT, LOCKED, INTERRUPTED = 0, 2, 3, 66, 75, 130
PORT = 8000
PORTS = range(1, 65_536)

_EXAMPLES = """\
  {tui}                                    the experiments under outputs/
  {tui} literary                           one of them
  {tui} provider=openai trials=10          its plan; runs it when you say so, and shows it
  {tui} -m provider=openai,groq trials=10  the same for a sweep
  {tui} literary --plain                   once, as text; also when this is no terminal
  {tui} literary --watch --json            a line of JSON whenever something has changed
  {tui} literary --serve                   in a browser on this machine

It only reads: it never calls a provider, and quitting it ends no run.

Exit codes, without a terminal or with --plain, --json or --watch (the worst of all jobs):
  0    finished well, or a runner is at work
  2    a mistake on the command line or in a settings file
  3    requests failed, or work remains and no runner is at work
  66   no such experiment, or a ledger that cannot be read
  75   a ledger is locked by another program; try again
  130  interrupted"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What was asked for."""

    experiment: str | None = None
    words: tuple[str, ...] = ()
    """For the runner, as they were typed; empty: nothing is to be run."""
    outputs: Path = Path("outputs")
    json: bool = False
    plain: bool = False
    watch: bool = False
    settings: Path | None = None
    ascii: bool = False
    theme: str | None = None
    lang: str | None = None
    poll: float | None = None
    serve: bool = False
    port: int = PORT
    version: bool = False

    @property
    def text_only(self) -> bool:
        """Tell whether text is wanted, whatever this runs in."""
        return self.json or self.plain or self.watch


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {called.command(called.DASHBOARD)} --help")


def _parser() -> argparse.ArgumentParser:
    program = called.command(called.DASHBOARD)
    parser = _Parser(
        prog=program,
        usage=f"{program} [EXPERIMENT | key=value …] [options]",
        description="Shows experiments while they run, and afterwards.",
        epilog=_EXAMPLES.replace("{tui}", program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="EXPERIMENT | key=value", help="what to show, or what to run")
    add("-m", "--multirun", action="store_true", help="the key=value words are a sweep")
    add("--config-dir", metavar="DIR", help="the folder of your own study, for the runner")
    add("--outputs", metavar="DIR", help="the folder of all experiments; outputs, if not given")
    face = parser.add_mutually_exclusive_group()
    face.add_argument("--json", action="store_true", help="one JSON object an experiment")
    face.add_argument("--plain", action="store_true", help="plain text, once")
    add("--watch", action="store_true", help="a line whenever something changes, until all is done")
    add("--settings", metavar="FILE", type=Path, help="as conf/tui/default.yaml")
    add("--ascii", action="store_true", help="draw with ASCII signs only")
    add("--theme", metavar="NAME", help="colours, as in conf/tui/default.yaml")
    add("--lang", metavar="en|ja", help="the language of the screens; also as lang=ja")
    add("--poll", metavar="SECONDS", type=float, help="how often the ledger is looked at")
    add("--serve", action="store_true", help="show it in a browser on this machine")
    add("--port", metavar="N", type=int, help=f"for --serve; {PORT}, if not given")
    add("--version", action="store_true", help="say which version this is")
    return parser


_LANG = ("lang=", "tui.lang=")
"""How the language can be given, too, in the spelling of the runner's settings."""


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line.

    Raises:
        ConfigError: in one line.
        SystemExit: after --help.
    """
    found = _parser().parse_intermixed_args(list(argv))
    for word in [word for word in found.words if word.startswith(_LANG)]:
        found.words.remove(word)
        found.lang = word.partition("=")[2]
    names = [word for word in found.words if not _is_for_runner(word)]
    words = [word for word in found.words if _is_for_runner(word)]
    _check(found, names, words)
    for word in words:
        if word.startswith("outputs="):
            found.outputs = word.partition("=")[2].strip("'\"")
    if words or found.multirun or found.config_dir:
        if found.outputs and not any(word.startswith("outputs=") for word in words):
            words.append(f"outputs={_quoted(found.outputs)}")
        folder = ["--config-dir", found.config_dir] if found.config_dir else []
        words = [*(["-m"] if found.multirun else []), *folder, *words]
    return Arguments(
        experiment=names[0] if names else None,
        words=tuple(words),
        outputs=Path(found.outputs or "outputs"),
        json=found.json,
        plain=found.plain,
        watch=found.watch,
        settings=found.settings,
        ascii=found.ascii,
        theme=found.theme,
        lang=found.lang,
        poll=found.poll,
        serve=found.serve,
        port=PORT if found.port is None else found.port,
        version=found.version,
    )


def _quoted(path: str) -> str:
    """Return a path as Hydra reads it back."""
    if re.fullmatch(r"[A-Za-z0-9_./-]+", path):
        return path
    return "'" + path.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _is_for_runner(word: str) -> bool:
    return "=" in word or word.startswith("~")


def _check(found: argparse.Namespace, names: list[str], words: list[str]) -> None:
    """Refuse what cannot be meant."""
    if len(names) > 1:
        raise ConfigError(f"one experiment at a time: {' and '.join(names)}")
    runs = bool(words or found.multirun or found.config_dir)
    if names and runs:
        raise ConfigError(
            f"{names[0]} is shown, {' '.join(words) or '-m'} is run: either an experiment's name or "
            "key=value words (name=… says under which name it runs)"
        )
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if key == "format" or (key == "action" and value != "run"):
            raise ConfigError(f"{word}: the dashboard only runs; use {called.line([word])}")
    if runs and found.watch:
        raise ConfigError("--watch goes with an experiment's name: a run prints lines by itself")
    if found.watch and not names:
        raise ConfigError(
            f"--watch: say which experiment, as {called.command(called.DASHBOARD)} literary --watch"
        )
    if found.port is not None and not found.serve:
        raise ConfigError("--port goes with --serve")
    if found.port is not None and found.port not in PORTS:
        raise ConfigError(f"--port: {found.port}; a number from 1 to 65535")
    if found.serve and (found.json or found.plain or found.watch):
        raise ConfigError("--serve shows screens: leave out --json, --plain and --watch")
