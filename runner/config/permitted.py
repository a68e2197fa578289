"""What a configuration may say of a provider, held against what the provider's class knows.

A YAML file may be a stranger's: where keys and prompts go is decided on the command line.
"""

import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from runner.config import options
from runner.config.problems import words
from runner.config.sent import parameters_sent
from runner.config.settings import Settings
from runner.core.errors import ConfigError
from runner.core.model import Model
from runner.providers._settled import ANOTHER_CAP, overruling, spelled_twice
from runner.providers.base import Provider, said

_ADDRESSES = ("base_url", "api_key_env")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")


def check_parameters(settings: Settings, provider: type[Provider]) -> None:
    """Refuse parameters that would make the table say what was not sent.

    Raises:
        ConfigError: all of them, each with the setting to use instead.
    """
    row = settings.config.provider.models[:1]
    cap = settings.experiment.model.max_tokens_name
    if provider.settled.get(cap, ANOTHER_CAP) != ANOTHER_CAP:
        raise ConfigError(f"provider.max_tokens: {said(cap, None)} is not what a cap is called")
    settled = {**provider.settled, cap: ANOTHER_CAP}
    given = [
        ("provider.parameters", settings.config.provider.parameters),
        *((f"provider.models: {one.match}: parameters", one.parameters) for one in row),
    ]
    found = [
        f"{where}.{said(name, None)}: {instead}"
        for where, parameters in given
        for name, instead in overruling(parameters, settled)
    ]
    found += [
        f"{where}: parameters.{said(name, None)}: {instead}"
        for where, parameters in parameters_sent(settings.experiment)
        for name, instead in overruling(parameters, settled)
    ]
    found += [
        f"provider.parameters.{said(name, None)}: one place with {said(other, None)}, in another "
        "spelling; write it once"
        for model in _models(settings)
        for name, other in spelled_twice(model.parameters)
    ]
    if found:
        raise ConfigError("; ".join(dict.fromkeys(found)))


def _models(settings: Settings) -> list[Model]:
    """Return the model as it is asked, in each way there is."""
    experiment = settings.experiment
    return [experiment.model, *(sent.model for sent in experiment.sent.values())]


def one_seed(settings: Settings) -> str | None:
    """Return a note where all trials of a condition are asked with one seed."""
    seeds = {k: v for model in _models(settings) for k, v in _seeds(model.parameters)}
    if not seeds or settings.experiment.trials < 2:
        return None
    told = ", ".join(f"{name}={value}" for name, value in seeds.items())
    return (
        f"{told} goes out with every trial: where the service heeds it, the answers to one condition "
        "are all alike; without it each trial is drawn anew"
    )


def _seeds(parameters: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(parameters, dict):
        for name, value in parameters.items():
            if str(name).lower().replace("_", "") in ("seed", "randomseed"):
                yield f"{path}{name}", value
            yield from _seeds(value, f"{path}{name}.")


def addresses_from_files(settings: Settings, provider: type[Provider]) -> dict[str, str]:
    """Return what files, and not the command line, say of where keys and prompts go.

    Returns:
        A setting, as provider.base_url, and its value; what the shipped files say is left out.
    """
    typed = _typed(settings)
    usual = {"api_key_env": provider.key_variable}
    names = (*_ADDRESSES, *options.addresses())
    found = {name: getattr(settings.config.provider, name) for name in names}
    headers = settings.config.provider.headers
    found |= {f"headers.{name}": variable for name, variable in headers.items()}
    return {
        f"provider.{name}": value
        for name, value in found.items()
        if value not in (None, "", usual.get(name))
        if not {f"provider.{name}", f"provider.{name.partition('.')[0]}"} & typed
    }


def note_on_addresses(settings: Settings, provider: type[Provider]) -> str | None:
    """Return what the plan says of them; None when there is nothing to say."""
    found = addresses_from_files(settings, provider)
    if not found:
        return None
    missing = _untrusted(settings, found)
    ask = f"; when it is live, that wants your word: {_word(missing)}" if missing else ""
    return f"a YAML file, not the command line, says where keys and prompts go: {_told(found)}{ask}"


def check_addresses(settings: Settings, provider: type[Provider]) -> None:
    """Refuse to send keys and prompts where only a file says so.

    Raises:
        ConfigError: with the word that is missing on the command line.
    """
    found = addresses_from_files(settings, provider)
    missing = _untrusted(settings, found)
    if missing:
        raise ConfigError(
            f"provider={settings.config.provider.name}: a YAML file, not the command line, says where "
            f"keys and prompts go: {_told(found)}; nothing was sent. If that is right, say so on the "
            f"command line: {_word(missing)}"
        )


def _typed(settings: Settings) -> set[str]:
    """Return the settings that the command line names."""
    return {word.lstrip("+").partition("=")[0] for word in settings.overrides}


def _untrusted(settings: Settings, found: dict[str, str]) -> list[str]:
    is_typed = "provider.trust" in _typed(settings)  # wherever a file may have put such a key
    trusted = words(settings.config.provider.trust) if is_typed else []
    wanted = [_host(v) if name == "provider.base_url" else v for name, v in found.items()]
    return [word for word in wanted if word not in trusted]


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc or url
    except ValueError:
        return url


def _told(found: dict[str, str]) -> str:
    return ", ".join(f"{name}={said(value, None)}" for name, value in found.items())


def _word(missing: list[str]) -> str:
    """Return the override that trusts all of them, as a shell takes it."""
    inside = ",".join(w if _PLAIN.fullmatch(w) else f"'{said(w, None)}'" for w in missing)
    return shlex.quote(f"provider.trust=[{inside}]")
