"""Command line to checked settings: Hydra composes, and every mistake becomes one line.

A user's folder (`--config-dir`) comes first and the shipped conf/ last, so that it holds only what
it changes, from a checkout and from an installed wheel alike.
"""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from hydra import main as hydra_main
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.config import Config, Settings, did_you_mean, settings
from runner.core.errors import ConfigError

_HERE = Path(__file__).resolve().parent
SHIPPED = next(p for p in (_HERE / "conf", _HERE.parent / "conf") if p.is_dir())
"""Inside the package when installed, beside it in a checkout."""


class ShippedConf(SearchPathPlugin):
    """Looks in the shipped conf/ last."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append it."""
        search_path.append("chorus", f"file://{SHIPPED}")


def compose(argv: list[str]) -> list[Settings]:
    """Return the settings of every job on the command line; one, unless it is a sweep (-m).

    Nothing is sent and nothing is written; all jobs are checked before this returns.

    Raises:
        ConfigError: a user's mistake, in one line.
        SystemExit: after --help, --cfg and the like.
    """
    arguments, home = _arguments(argv)
    prepared: list[Settings] = []
    mistakes: list[ConfigError] = []

    def task(cfg: DictConfig) -> None:
        runtime = HydraConfig.get().runtime
        sources = [Path(s.path) for s in runtime.config_sources if s.schema == "file"]
        try:
            prepared.append(settings(cfg, sources, dict(runtime.choices)))
        except ConfigError as error:  # Hydra prints a line of its own for what escapes
            mistakes.append(error)

    _register()
    _run(task, home, arguments)
    if mistakes:
        raise mistakes[0]
    return prepared


def _register() -> None:
    Plugins.instance().register(ShippedConf)
    ConfigStore.instance().store(name="schema", node=Config)


def _run(task: Callable[[DictConfig], None], home: Path, arguments: list[str]) -> None:
    os.environ["HYDRA_FULL_ERROR"] = "1"
    before = sys.argv
    sys.argv = ["runner", *arguments]
    try:
        hydra_main(config_path=str(home), config_name="config", version_base="1.3")(task)()
    except ConfigError:
        raise
    except (HydraException, OmegaConfBaseException, ValueError, AttributeError) as error:
        raise ConfigError(_one_line(error)) from None
    finally:
        sys.argv = before


_KEY_NAMES = re.compile(r"(?i)(api_?key|secret|password|credential|(?<!max_)(?<!_)token)$")
_KEY_VALUES = re.compile(r"sk-[A-Za-z0-9]|gsk_|AIza|ya29\.|-----BEGIN")


def _arguments(argv: list[str]) -> tuple[list[str], Path]:
    """Take out our own flags and the configuration folder, and refuse keys."""
    rest: list[str] = []
    home = SHIPPED
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--config-dir", "-cd", "--config-path", "-cp"):
            home = _folder(value if equals else next(words, ""))
        elif word == "--json":
            rest.append("format=json")
        elif _KEY_NAMES.search(name.lstrip("+~")) or _KEY_VALUES.search(word):
            raise ConfigError(
                f"{name.lstrip('+~')}: a key is not taken from the command line, where logs and "
                "the shell's history keep it: put it into the environment variable that "
                "provider.api_key_env names"
            )
        else:
            rest.append(word)
    return rest, home


def _folder(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    if not text or not path.is_dir():
        raise ConfigError(f"--config-dir: {text or '(nothing)'} is not a folder")
    return path


def _one_line(error: BaseException) -> str:
    """Return what a user needs of an error of Hydra or OmegaConf."""
    chain: list[str] = []
    current: BaseException | None = error
    while current is not None:
        chain.append(str(current))
        current = current.__cause__ or current.__context__
    text = "\n".join(chain)
    unknown = re.search(r"Key '([^']+)' (?:is not in struct|not in '\w+')\s+full_key: (\S+)", text)
    if unknown:
        return f"{unknown[2]}: no such key; {did_you_mean(unknown[1], _siblings(unknown[2]))}"
    choice = re.search(r"Could not (?:find|load) '(\w+)/([^']*)'", text)
    if choice:
        options = re.search(r"Available options in '\w+':\n((?:\t.*\n?)+)", text)
        known = [line.strip() for line in options[1].splitlines()] if options else []
        where = f"conf/{choice[1]}/{choice[2]}.yaml"
        hint = f"; {did_you_mean(choice[2], known)}" if known else ""
        return f"{choice[1]}={choice[2]}: {where} does not exist{hint}"
    broken = re.search(r"Error parsing override '([^']*)'", text)
    if broken and "=" not in broken[1]:
        return f"command line: {broken[1]} is not understood; write key=value, as trials=20"
    if "LexerNoViableAlt" in text or "mismatched input" in text or "extraneous input" in text:
        word = re.search(r"override '([^']*)'|parsing '([^']*)'", text)
        return (
            f"command line: {(word[1] or word[2]) if word else 'an override'} cannot be read; "
            "put quotes inside the argument, as 'name=\"懐中時計\"', when it is not plain letters"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    full_key = next((line.split(":", 1)[1].strip() for line in lines if "full_key:" in line), "")
    reason = next(
        (line for line in lines if not line.startswith(("full_key", "Error merging"))), ""
    )
    return f"{full_key}: {reason}" if full_key and full_key not in reason else reason


def _siblings(full_key: str) -> list[str]:
    """Return the keys that stand beside a key in the schema."""
    from dataclasses import fields, is_dataclass
    from typing import get_args

    node: object = Config
    for part in full_key.split(".")[:-1]:
        types = {f.name: f.type for f in fields(node)} if is_dataclass(node) else {}
        inner = types.get(part)
        values = get_args(inner)
        node = inner if is_dataclass(inner) else (values[-1] if values else None)
    return [f.name for f in fields(node)] if is_dataclass(node) else []
