"""Command line to checked settings: Hydra composes, and every mistake becomes one line.

A user's folder (`--config-dir`) comes first and the shipped conf/ last, so that it holds only what
it changes, from a checkout and from an installed wheel alike.
"""

import os
import re
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import fields, is_dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hydra import main as hydra_main
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config import files, options, schema
from runner.config.checks import check_notify
from runner.config.files import broken_yaml, check_files
from runner.config.hydra_inside import SWEEP_DIR, composing_once, preparing_here, sweeping
from runner.config.panel import jobs_of
from runner.config.problems import Problems, did_you_mean
from runner.config.schema import GROUPS, Config
from runner.config.settings import Settings, settings
from runner.config.shipped import SHIPPED
from runner.config.typed import NOTHING, as_typed
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
        SystemExit: after --cfg and the like.
    """
    arguments, home = _arguments(argv)
    check_files(home, SHIPPED)
    arguments, panel = _panel(arguments, home)
    jobs = sweeping(panel) if panel else nullcontext()
    prepared: list[Settings] = []
    mistakes: list[tuple[str, ConfigError]] = []

    def task(cfg: DictConfig) -> None:
        try:
            prepared.append(settings_of(cfg))
        except ConfigError as error:  # Hydra prints a line of its own for what escapes
            own = (w for w in HydraConfig.get().overrides.task if w not in arguments)
            mistakes.append((" ".join(own), error))

    _register()
    with preparing_here() as remote, composing_once(arguments), jobs:
        _run(task, home, arguments)
    if mistakes and not (panel and prepared):
        raise mistakes[0][1]
    if mistakes:
        refused = tuple((name, str(error)) for name, error in mistakes)
        prepared[0] = replace(prepared[0], refused=refused)
    return [replace(one, launcher=remote[0]) for one in prepared] if remote else prepared


def _panel(arguments: list[str], home: Path) -> tuple[list[str], list[list[str]]]:
    """Take out `panel=`, which makes the command line a sweep; return the words of its jobs."""
    names = [word.removeprefix("panel=") for word in arguments if word.startswith("panel=")]
    if not names:
        return arguments, []
    chosen = [part.strip() for name in names for part in name.strip("[] ").split(",")]
    rest = [word for word in arguments if not word.startswith("panel=")]
    found = jobs_of(chosen, [home, SHIPPED])
    for word in chain.from_iterable(found):
        _check_notify(word)
    jobs = [[as_typed(word) for word in words] for words in found]
    return ["-m", *(word for word in rest if word != "-m")], jobs


def settings_of(cfg: DictConfig) -> Settings:
    """Return the settings of the job that Hydra has composed, on whatever machine.

    Raises:
        ConfigError: a user's mistake, in one line.
    """
    hydra = HydraConfig.get()
    sources = [Path(s.path) for s in hydra.runtime.config_sources if s.schema == "file"]
    options.learn(*sources)  # a launcher's process is given what was composed, and read no file
    try:
        return replace(settings(cfg, sources), overrides=tuple(hydra.overrides.task))
    except (OmegaConfBaseException, ValueError) as error:
        raise ConfigError(_one_line(error)) from None


def _register() -> None:
    Plugins.instance().register(ShippedConf)
    files.register()
    node = OmegaConf.structured(Config)
    for path in _OPEN:
        OmegaConf.set_struct(OmegaConf.select(node, path), False)
    options.extend(node.provider)
    ConfigStore.instance().store(name="schema", node=node)


_OPEN = (
    "provider.parameters",
    "provider.headers",
    "provider.price.per_million",
    "factors",
    "design",
    "data",
)
"""Settings that take keys of the user's own, also on the command line."""


def _run(task: Callable[[DictConfig], None], home: Path, arguments: list[str]) -> None:
    os.environ["HYDRA_FULL_ERROR"] = "1"
    before = sys.argv
    sys.argv = ["runner", *arguments]
    try:
        with TemporaryDirectory(prefix="sweep-") as nowhere:
            if "-m" in arguments and not any(w.startswith(SWEEP_DIR) for w in arguments):
                sys.argv.insert(2, f"{SWEEP_DIR}{nowhere}")  # Hydra's own notes are of no use
            hydra_main(config_path=str(home), config_name="config", version_base="1.3")(task)()
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        raise ConfigError(broken_yaml(error)) from None
    except (HydraException, OmegaConfBaseException, ValueError, AttributeError) as error:
        raise ConfigError(_beneath_nothing(error, arguments) or _one_line(error)) from None
    except AssertionError as error:
        if (reason := _beneath_nothing(error, arguments)) is None:
            raise
        raise ConfigError(reason) from None
    finally:
        sys.argv = before


def _beneath_nothing(error: BaseException, arguments: list[str]) -> str | None:
    """Return what is wrong where the command line says a part of what a file sets to null."""
    if not re.search(r"Unexpected type for root: NoneType|'NoneType' object has no", str(error)):
        return None
    words = [word for word in arguments if word.startswith(("pilot.", "pilot={"))]
    if not words:
        return None
    return f"command line: {words[0]}: the experiment's file says pilot: null; take that line out of it"


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
            _check_notify(word)
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


def _check_notify(word: str) -> None:
    """Refuse addresses before anything repeats them."""
    name, _, value = word.lstrip("+~").partition("=")
    if name.partition(".")[0] != "notify" or value in NOTHING:
        return
    problems = Problems()
    check_notify([word.strip(" '\"") for word in value.strip("[] ").split(",")], problems)
    problems.raise_any()


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
        if re.fullmatch(r"items\.\w+", unknown[3]):
            hint = "a new item is written into a YAML file, under items:"
        if unknown[3] in ("trials.min", "trials.max", "trials.until"):
            hint = "trials is a number here; write trials={min: 5, max: 50, until: {half_width: 2.5, of: ITEM}}"
        if unknown[3] == "experiment" and unknown[2] == "Config":
            hint = "the first line of the file has to be '# @package _global_'"
        return options.reason_for(f"{within}{unknown[3]}: no such key; {hint}")
    if reason := _known(text):
        return reason
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


def _known(text: str) -> str | None:
    """Return what is wrong where the library's words say it in a way that no user understands."""
    merged = re.search(
        r"Cannot merge DictConfig with ListConfig\s+full_key: (factors\.\w+|items\.\w+\.options)",
        text,
    )
    if merged and merged[1].startswith("factors."):
        return f"{merged[1]}: has levels already; choose among them with {merged[1]}.select=[…]"
    if merged:
        return (
            f"{merged[1]}: the file says what each option may be called, which a list cannot take "
            "the place of: change them in the file"
        )
    if re.search(r"invalid literal for int\(\) with base 10: '(?:select|where|sample|keep)'", text):
        return (
            "command line: a list has no keys; a factor whose levels are a list is written as "
            "levels: […] in its file, so that select can choose among them"
        )
    if re.search(r"Cannot assign \w+ to Dict.*\s+full_key: design\b", text):
        return (
            "design: takes names with values: {between: [FACTOR]}, {cross: [A, B]}, {with: {A: B}} or "
            "{only: FILE}"
        )
    if re.search(r"subclass of PilotConfig", text):
        return (
            "pilot: takes names with values, as {share: 0.02, at_least: 20, valid: 0.9}; null: none"
        )
    if "'hydra/launcher/submitit_" in text:
        return "hydra/launcher: submitit is not installed: pip install '.[slurm]'"
    return None


def _fields(name: str) -> list[str]:
    """Return the keys of one class of the schema, or of a provider's own options."""
    own = options.types()
    found = next((t for t in own.values() if getattr(t, "__name__", "") == name), None)
    found = found or getattr(schema, name, Config)
    names = [f.name for f in fields(found)] if is_dataclass(found) else []
    return [*names, *own] if found is schema.ProviderConfig else names
