"""Command line to checked settings: Hydra composes, and every mistake becomes one line.

A user's folder (`--config-dir`) comes first and the shipped conf/ last, so that it holds only what
it changes, from a checkout and from an installed wheel alike.
"""

import copy
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hydra import main as hydra_main
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.hydra import Hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from runner import __version__
from runner.config import files, options, schema
from runner.config.files import SHIPPED, broken_yaml, check_files
from runner.config.problems import did_you_mean
from runner.config.schema import GROUPS, Config
from runner.config.settings import Settings, settings
from runner.config.typed import as_typed
from runner.core.errors import ConfigError


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
    if "--version" in argv:
        print(f"chorus {__version__}")
        return []
    arguments, home = _arguments(argv)
    check_files(home, SHIPPED)
    prepared: list[Settings] = []
    mistakes: list[ConfigError] = []

    def task(cfg: DictConfig) -> None:
        try:
            prepared.append(settings_of(cfg))
        except ConfigError as error:  # Hydra prints a line of its own for what escapes
            mistakes.append(error)

    _register()
    with _preparing_here() as remote, _composing_once(arguments):
        _run(task, home, arguments)
    if mistakes:
        raise mistakes[0]
    return [replace(one, launcher=remote[0]) for one in prepared] if remote else prepared


def settings_of(cfg: DictConfig) -> Settings:
    """Return the settings of the job that Hydra has composed, on whatever machine.

    Raises:
        ConfigError: a user's mistake, in one line.
    """
    hydra = HydraConfig.get()
    sources = [Path(s.path) for s in hydra.runtime.config_sources if s.schema == "file"]
    try:
        return replace(settings(cfg, sources), overrides=tuple(hydra.overrides.task))
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(_one_line(error)) from None


class RemoteLauncher(BasicLauncher):
    """Stands for the launcher that was asked for: prepares every job here, and starts it later."""

    def __init__(self, context: HydraContext, config: DictConfig) -> None:
        """Keep what the real one needs."""
        super().__init__()
        self._context = context
        self._composed = config
        self._jobs: list[list[str]] = []

    @property
    def name(self) -> str:
        """The launcher's name, as submitit_slurm."""
        return str(self._composed.hydra.runtime.choices["hydra/launcher"])

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Any:
        """Prepare every job here."""
        self._jobs = [list(words) for words in job_overrides]
        return super().launch(job_overrides, initial_job_idx)

    def start(self, jobs: Sequence[int], task: Callable[[DictConfig], Any], folder: Path) -> None:
        """Run a task for some of the jobs where the launcher runs them, and wait for its results.

        Args:
            jobs: their numbers, in the order of the sweep.
            task: called there with the job's configuration; `hydra.job.num` counts through `jobs`.
            folder: for what the launcher and its jobs write.
        """
        config = copy.deepcopy(self._composed)
        words = [w for w in config.hydra.overrides.hydra if not w.startswith(_SWEEP_DIR)]
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra = [*words, f"{_SWEEP_DIR}'{quoted}'"]
        HydraConfig.instance().set_config(config)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=task, config=config
        )
        launcher.launch([self._jobs[number] for number in jobs], 0)


@contextmanager
def _preparing_here() -> Iterator[list[RemoteLauncher]]:
    """Let jobs be prepared by this process, whatever is to run them; it is filled when they are."""
    plugins = Plugins.instance()
    found: list[RemoteLauncher] = []

    def instead(*, hydra_context: Any, task_function: Any, config: DictConfig) -> Any:
        if config.hydra.launcher._target_ == f"{BasicLauncher.__module__}.{BasicLauncher.__name__}":
            here: BasicLauncher = BasicLauncher()
        else:
            found[:] = [here := RemoteLauncher(hydra_context, config)]
        here.setup(hydra_context=hydra_context, task_function=task_function, config=config)
        return here

    plugins.instantiate_launcher = instead  # type: ignore[method-assign, assignment]
    try:
        yield found
    finally:
        del plugins.instantiate_launcher


@contextmanager
def _composing_once(arguments: list[str]) -> Iterator[None]:
    """Spare Hydra composing everything once more only to look up hydra.mode.

    No file of a user's may say it (runner.config.files) and the shipped ones do not, so that it is
    unset unless the command line speaks of Hydra.
    """
    if any(word.lstrip("+~").startswith("hydra") for word in arguments):
        yield
        return
    looked_up = Hydra.get_mode
    Hydra.get_mode = _unset  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = looked_up  # type: ignore[method-assign]


def _unset(*_: object, **__: object) -> None:
    """Say what `Hydra.get_mode` says of a configuration without a hydra.mode."""


def _register() -> None:
    Plugins.instance().register(ShippedConf)
    files.register()
    node = OmegaConf.structured(Config)
    for path in _OPEN:
        OmegaConf.set_struct(OmegaConf.select(node, path), False)
    options.extend(node.provider)
    ConfigStore.instance().store(name="schema", node=node)


_OPEN = ("provider.parameters", "provider.price.per_million")
"""Settings that take keys of the user's own, also on the command line."""


def _run(task: Callable[[DictConfig], None], home: Path, arguments: list[str]) -> None:
    os.environ["HYDRA_FULL_ERROR"] = "1"
    before = sys.argv
    sys.argv = ["runner", *arguments]
    try:
        with TemporaryDirectory(prefix="sweep-") as nowhere:
            if "-m" in arguments and not any(w.startswith(_SWEEP_DIR) for w in arguments):
                sys.argv.insert(2, f"{_SWEEP_DIR}{nowhere}")  # Hydra's own notes serve nobody
            hydra_main(config_path=str(home), config_name="config", version_base="1.3")(task)()
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        raise ConfigError(broken_yaml(error)) from None
    except (HydraException, OmegaConfBaseException, ValueError, AttributeError) as error:
        raise ConfigError(_one_line(error)) from None
    finally:
        sys.argv = before


_SWEEP_DIR = "hydra.sweep.dir="


_KEY_NAMES = re.compile(r"(?i)(api[_-]?key|secret|password|credential|(?<!max_)(?<!_)token)$")
_KEY_VALUES = re.compile(r"(?<![A-Za-z0-9])(sk-[A-Za-z0-9]|gsk_|AIza|ya29\.)|-----BEGIN")
_NOT_TEXT = re.compile(r"(?i)true|false|null|[+-]?(\d[\d_]*|\d*\.\d+|\d+\.\d*)(e[+-]?\d+)?|nan|inf")
"""What Hydra takes for something else than text, unless it is quoted."""


def _arguments(argv: list[str]) -> tuple[list[str], Path]:
    """Take out our own flags and the configuration folder, and refuse keys."""
    rest: list[str] = []
    homes: list[Path] = []
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--config-dir", "-cd", "--config-path", "-cp"):
            homes.append(_folder(value if equals else next(words, "")))
            if len(homes) > 1:
                raise ConfigError(
                    f"--config-dir: given twice, {homes[0]} and {homes[1]}; one folder is taken, and "
                    "the shipped conf/ behind it: put what you need into one"
                )
        elif name.startswith("--conf") and name != "--config-name":  # Hydra would complete it
            raise ConfigError(f"{name}: no such option; did you mean --config-dir?")
        elif word == "--json":
            rest.append("format=json")
        elif _KEY_NAMES.search(name.lstrip("+~")) or _KEY_VALUES.search(word):
            hidden = not equals or _KEY_VALUES.search(name)
            where = "command line" if hidden else name.lstrip("+~")
            raise ConfigError(
                f"{where}: a key is not taken from the command line, where logs and "
                "the shell's history keep it: put it into the environment variable that "
                "provider.api_key_env names"
            )
        else:
            _check_choice(name.lstrip("+"), value)
            rest.append(word)
    sweeps = ("-m", "--multirun")
    if any(word in sweeps for word in rest):  # Hydra takes no words on both sides of it
        rest = ["-m", *(word for word in rest if word not in sweeps)]
    home = homes[0] if homes else SHIPPED
    options.forget()
    options.learn(home, SHIPPED)
    return [as_typed(word) for word in rest], home


def _check_choice(group: str, value: str) -> None:
    """Refuse ids that Hydra would not take for text; it stumbles over them without a word."""
    if group not in GROUPS:
        return
    for item in value.strip("[] ").split(","):
        if _NOT_TEXT.fullmatch(item.strip()):
            raise ConfigError(
                f"{group}={item.strip()}: reads as a number, or as true, false or null; "
                f"put quotes around it: \"{group}=['{item.strip()}']\", or rename the file"
            )


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
    file = re.search(r"In '([\w/-]+)': \w+ raised while composing config", text)
    within = f"{file[1]}.yaml: " if file else ""
    unknown = re.search(
        r"Key '([^']+)' (?:is not in struct|not in '(\w+)')\s+full_key: (\S+)", text
    )
    if unknown:
        hint = did_you_mean(unknown[1], _fields(unknown[2] or "Config"))
        if unknown[3] == "experiment" and unknown[2] == "Config":
            hint = "the first line of the file has to be '# @package _global_'"
        return options.reason_for(f"{within}{unknown[3]}: no such key; {hint}")
    if "'hydra/launcher/submitit_" in text:
        return "hydra/launcher: submitit is not installed: pip install 'chorus-runner[slurm]'"
    choice = re.search(r"Could not (?:find|load) '(\w+)/([^']*)'", text)
    if choice:
        places = re.findall(r"path=file://(.+)", text)
        known = {p.stem for place in places for p in Path(place, choice[1]).glob("*.yaml")}
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
    noise = ("full_key", "Error merging")
    reasons = [line for line in lines if not line.startswith(noise) and "raised while" not in line]
    reason = reasons[0] if reasons else ""
    if reason.startswith("Ambiguous value"):
        reason += ": write [a,b] for a list, or add -m to run one after the other"
    if reason.endswith("is not Optional"):
        reason += ": it needs a value; put quotes around null if that word is meant"
    return within + (f"{full_key}: {reason}" if full_key and full_key not in reason else reason)


def _fields(name: str) -> list[str]:
    """Return the keys of one class of the schema, or of a provider's own options."""
    own = options.types()
    found = next((t for t in own.values() if getattr(t, "__name__", "") == name), None)
    found = found or getattr(schema, name, Config)
    names = [f.name for f in fields(found)] if is_dataclass(found) else []
    return [*names, *own] if found is schema.ProviderConfig else names
