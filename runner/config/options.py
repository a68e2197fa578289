"""Which class stands for a provider, and what it can be told that no other can.

A class declares its own settings (`Options`); they stand in `provider` beside the common ones, and
no file of ours but the class's knows their names.
"""

import importlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf, open_dict

from runner.config.schema import ProviderConfig
from runner.core.errors import ConfigError
from runner.core.model import CHAT
from runner.providers.base import Dialect, Options, Provider

OTHERS = "CHORUS_PROVIDERS"
"""The environment variable that names classes outside of runner.providers, with commas between them.

A file cannot: it may be a stranger's, and to import a module is to run it.
"""
_OURS = re.compile(r"runner\.providers\.[a-z][a-z0-9_]*\.[A-Z][A-Za-z0-9]*")
_TARGET = re.compile(r"^ *_target_: *([\w.]+) *(?:#.*)?$", re.MULTILINE)
_LONGEST = 1 << 20

_declared: dict[str, type[Options]] = {}
"""By the class's full name: of every provider that a file of the configuration's folders names."""
_types: dict[str, Any] = {}
"""The settings of all of them, with their types."""
_learnt: set[Path] = set()
_refused: dict[str, str] = {}
"""Provider files whose class may not be named, or is none: what to say if one is chosen."""


def is_allowed(target: str) -> bool:
    """Tell whether a file may name this class."""
    others = [word.strip() for word in os.environ.get(OTHERS, "").split(",")]
    return _OURS.fullmatch(target) is not None or target in others


def refusal(target: str) -> str:
    """Say why a class is not taken."""
    return f"{target!r}; allowed: a class under runner.providers., or one that {OTHERS} names"


def provider_class(target: str) -> type[Provider]:
    """Return the class of a provider.

    Raises:
        ConfigError: it may not be named, or there is none.
    """
    if not is_allowed(target):
        raise ConfigError(f"provider._target_: {refusal(target)}")
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise ConfigError(f"provider._target_: {target} does not exist") from None
    if not isinstance(found, type) or not hasattr(found, "settled"):
        raise ConfigError(f"provider._target_: {target} is no provider")
    made: type[Provider] = found
    return made


def learn(*folders: Path) -> None:
    """Look up what the providers of some folders can be told, besides what is known already.

    Raises:
        ConfigError: two of them mean different things by one word.
    """
    for folder in folders:
        if folder in _learnt:
            continue
        _learnt.add(folder)
        for path in sorted((folder / "provider").glob("*.yaml")):
            for target in _targets(path):
                try:
                    _declare(target)
                except ConfigError as error:
                    _refused[path.stem] = str(error)


def forget() -> None:
    """Forget what was learnt of other folders."""
    _learnt.clear()
    _declared.clear()
    _types.clear()
    _refused.clear()


def reason_for(line: str) -> str:
    """Return why a provider's file cannot be used, where a line about one of its keys hides it."""
    file = re.match(r"provider/([\w-]+)\.yaml: ", line)
    return _refused.get(file[1], line) if file else line


def _targets(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            return _TARGET.findall(file.read(_LONGEST).decode(errors="replace"))
    except OSError:
        return []  # said where the file is read


def _declare(target: str) -> None:
    if target in _declared:
        return
    own = provider_class(target).Options
    common = {field.name for field in fields(ProviderConfig)}
    hints = get_type_hints(own)
    kinds = {field.name: hints[field.name] for field in fields(own)}
    for name, kind in kinds.items():
        if name in common or _types.get(name, kind) != kind:
            raise ConfigError(f"provider.{name}: {target} means something else by it than others")
    _declared[target] = own
    _types.update(kinds)


def types() -> Mapping[str, Any]:
    """Return the settings that some provider alone has, with their types."""
    return _types


def _all_options() -> Iterable[type[Options]]:
    """Return what is declared, each once: several providers share theirs."""
    return dict.fromkeys(_declared.values())


def extend(section: DictConfig) -> None:
    """Give the schema's section `provider` the settings that some provider alone has."""
    with open_dict(section):
        for own in _all_options():
            made = OmegaConf.structured(own)
            for name in made:
                section[name] = made._get_node(name)  # noqa: SLF001 - with its type


def options_of(config: ProviderConfig, own: type[Options]) -> Options:
    """Return what the configuration says of a provider's own settings."""
    names = [field.name for field in fields(own) if hasattr(config, field.name)]
    return own(**{name: getattr(config, name) for name in names})


def told(config: ProviderConfig) -> Options:
    """Return what the configuration says of the chosen provider's own settings.

    Raises:
        ConfigError: there is no such provider.
    """
    return options_of(config, provider_class(config._target_).Options)


def _all(config: ProviderConfig) -> Iterator[Options]:
    """Yield what it says of every provider's, whichever is asked."""
    for own in _all_options():
        yield options_of(config, own)


def choices(config: ProviderConfig) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield settings that are one of some words: their names, their values, the words."""
    for one in _all(config):
        for name, words in one.choices.items():
            yield f"provider.{name}", getattr(one, name), words


def problems(config: ProviderConfig) -> Iterator[tuple[str, str]]:
    """Yield what the providers find wrong: a setting, and what is allowed."""
    for one in _all(config):
        for name, what in one.problems():
            yield f"provider.{name}", what


def asked(config: ProviderConfig) -> tuple[str, ...]:
    """Return the words of the chosen provider's settings that are part of what is asked."""
    own = told(config)
    return tuple(word for name in own.asked for word in getattr(own, name))


def addresses() -> list[str]:
    """Return the settings that say where prompts go, of every provider."""
    return [name for own in _all_options() for name in own.addresses]


def paths_asked() -> list[str]:
    """Return the settings that are, of every provider."""
    return [f"provider.{name}" for own in _all_options() for name in own.asked]


def no_emulator(config: ProviderConfig) -> str | None:
    """Return why the emulator cannot stand for the chosen provider; None when it can."""
    is_there = is_allowed(config._target_)  # else that is said, and no class is looked for
    return provider_class(config._target_).no_emulator if is_there else None


def dialect(config: ProviderConfig) -> Dialect:
    """Return how the chosen model is asked for structured output and reasoning."""
    usual = provider_class(config._target_).dialect
    endpoint = config.models[0].endpoint if config.models else CHAT
    return usual.others.get(endpoint, usual)


def endpoints(config: ProviderConfig) -> tuple[str, ...]:
    """Return the chosen provider's interfaces beside chat completions."""
    return tuple(provider_class(config._target_).dialect.others)


def named_dialect(config: ProviderConfig) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the dialect that an older file names: it has to be the class's own."""
    if config.dialect is not None and is_allowed(config._target_):
        usual = provider_class(config._target_).dialect
        yield "provider.dialect", config.dialect, (usual.name,)
