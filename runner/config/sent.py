"""Levels that are settings of the request instead of words in the prompt: `sends: reasoning`.

Each combination of such levels is checked as if its settings stood in `provider`, and becomes the
model as it is asked with them.
"""

import copy
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from runner.config.models import Capability, capability_of
from runner.config.problems import Problems, did_you_mean, within
from runner.config.schema import Config, ProviderConfig
from runner.core.errors import ConfigError
from runner.core.model import Experiment, Factor, Level, Model, Sampling, Sent

REASONING, CAP, TEMPERATURE = "reasoning", "max_output_tokens", "temperature"
PARAMETER = "parameters."
NOTHING = "null"
"""A level that says nothing of its setting, or takes a parameter's value away."""
ALLOWED = (REASONING, CAP, TEMPERATURE, f"{PARAMETER}NAME")
_PARAMETER = re.compile(r"parameters(\.[A-Za-z0-9_-]+)+")

Ask = Callable[[ProviderConfig, Capability], Model]
"""Makes the model of what a provider's file and its row say."""


def setting_of(said: Any, where: str) -> str:
    """Return the setting that `sends:` names.

    Raises:
        ConfigError: it is none that differs from request to request.
    """
    if said in (REASONING, CAP, TEMPERATURE) or _PARAMETER.fullmatch(str(said)):
        return str(said)
    raise ConfigError(
        f"{where}.sends: {said!r}; {did_you_mean(str(said), ALLOWED)} (as parameters.top_p); other "
        "settings are one for all requests: vary them in a sweep (-m)"
    )


def check_sent(config: Config, factors: Iterable[Factor]) -> None:
    """Refuse settings that are said twice, and levels of which it is not known what they send.

    Raises:
        ConfigError: naming the factor.
    """
    seen: dict[str, str] = {}
    for factor in factors:
        where, sends = f"factors.{factor.name}", factor.sends
        if sends is None:
            continue
        for other, owner in seen.items():
            if f"{sends}.".startswith(f"{other}.") or f"{other}.".startswith(f"{sends}."):
                raise ConfigError(
                    f"{where}: sends {sends}, as factors.{owner} does: one of them has to"
                )
        seen[sends] = factor.name
        for level in factor.levels.values():
            if factor.main is None and level.fields:
                raise ConfigError(
                    f"{where}.levels.{level.id}: a level that is sent is its id or its only field; "
                    f"it has {', '.join(level.fields)}"
                )
        _check_said_once(config, sends, where)


def _check_said_once(config: Config, sends: str, where: str) -> None:
    if sends == TEMPERATURE and config.temperatures is not None:
        raise ConfigError(
            f"{where}: sends a temperature, and temperatures={_shown(config.temperatures)} says one, "
            "too: write temperatures: null; or leave the factor out and list temperatures: [0.1, 0.7]"
        )
    if sends == REASONING and config.provider.reasoning is not None:
        raise ConfigError(
            f"{where}: sends reasoning, and provider.reasoning={config.provider.reasoning} says how "
            "much, too: leave one of them out"
        )
    if sends.startswith(PARAMETER) and _at(config.provider.parameters, _path(sends)) is not None:
        raise ConfigError(
            f"{where}: sends {sends}, and provider.{sends} says it, too: leave one out"
        )


def sent_of(
    config: Config,
    experiment: Experiment,
    keys: Iterable[tuple[str, ...]],
    ask: Ask,
    problems: Problems,
) -> tuple[dict[tuple[str, ...], Sent], tuple[str, ...]]:
    """Return how the model is asked at each combination of levels that are sent, and what to know of it.

    Args:
        config: the rest of the settings.
        experiment: what is asked; its `sent` is not looked at.
        keys: the combinations, a level of each factor that sends.
        ask: makes the model.
        problems: takes what a level may not say.

    Raises:
        ConfigError: a level that is no value of its setting.
    """
    sending = [factor for factor in experiment.factors.values() if factor.sends]
    values = {factor.name: _values(factor) for factor in sending}
    found: dict[tuple[str, ...], Sent] = {}
    notes: dict[str, None] = {}
    for key in dict.fromkeys(keys):
        levels = dict(zip((factor.name for factor in sending), key, strict=True))
        told = {f.sends or "": values[f.name][levels[f.name]] for f in sending}
        temperature = told.pop(TEMPERATURE, None)
        provider = _with(config.provider, told)
        heated = config.temperatures is not None or temperature is not None
        capability = capability_of(provider, heated=heated)
        model = ask(provider, capability)
        said = [f"{setting}: {what}" for setting, what in capability.problems]
        if heated:
            said += _unheard(model, capability, temperature)
        for what in said:
            _add(problems, sending, key, what)
        notes |= dict.fromkeys(capability.notes)
        found[key] = Sent(model=model, temperature=temperature)
    return found, tuple(notes)


def _add(problems: Problems, sending: Sequence[Factor], key: Sequence[str], what: str) -> None:
    """Note what some levels may not say; only those are named whose setting it is about."""
    levels = [
        (f"factors.{factor.name}.levels.{id_}", (factor.sends or "").rpartition(".")[2] in what)
        for factor, id_ in zip(sending, key, strict=True)
    ]
    about = [name for name, concerned in levels if concerned] or [name for name, _ in levels]
    where = " with ".join(about)
    if f"{where}: {what}" not in problems.lines:
        problems.add(where, what)


def unheard(model: Model, capability: Capability) -> str | None:
    """Say that a model does not do what a temperature says; None when it does."""
    if model.sampling is Sampling.HONOURED:
        return None
    does = {
        Sampling.IGNORED: "takes a temperature and ignores it",
        Sampling.REJECTED: "refuses a temperature",
    }
    only = capability.honoured_with
    honoured = f" (temperature is honoured only with provider.reasoning={only})" if only else ""
    return f"{model.name} {does[model.sampling]}, so that it would measure nothing{honoured}"


def _unheard(model: Model, capability: Capability, temperature: Decimal | None) -> Iterator[str]:
    if what := unheard(model, capability):
        yield f"{what}: send none there, or choose another provider.model"
    low, high = model.temperature_min, model.temperature_max
    if temperature is not None and not within(temperature, low, high):
        yield f"temperature {temperature}; allowed: {low} to {high}"


def sampling_of(sent: Collection[Sent], temperatures: Any) -> Sampling:
    """Return what the model does with temperatures, in a client that asks all requests."""
    if temperatures is not None or any(one.temperature is not None for one in sent):
        return Sampling.HONOURED  # else it was refused
    kinds = {one.model.sampling for one in sent}
    return kinds.pop() if len(kinds) == 1 else Sampling.REJECTED


# -- what a level says


def _values(factor: Factor) -> dict[str, Any]:
    """Return what each level of a factor sends; numbers of one parameter are of one type."""
    values = {
        level.id: _value(factor, level, f"factors.{factor.name}.levels.{level.id}")
        for level in factor.levels.values()
    }
    if any(isinstance(value, float) for value in values.values()):
        whole = {id_ for id_, value in values.items() if type(value) is int}
        return {id_: float(v) if id_ in whole else v for id_, v in values.items()}
    return values


def _value(factor: Factor, level: Level, where: str) -> Any:
    text = level.id if factor.main is None else level.fields[factor.main]
    if factor.sends == CAP:
        if not (text.isascii() and text.isdigit() and int(text) >= 1):
            raise ConfigError(f"{where}: {text!r}; allowed: a whole number from 1")
        return int(text)
    if text == NOTHING:
        return None
    if factor.sends == REASONING:
        return text
    if factor.sends == TEMPERATURE:
        return _temperature(text, where)
    return _scalar(text)


def _temperature(text: str, where: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ConfigError(f"{where}: {text!r}; allowed: a number, or null")
    return number.normalize() + 0


def _scalar(text: str) -> Any:
    """Return a number, true or false where that is what stands there; else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    is_number = isinstance(value, int | float) and abs(value) < 2**63
    return value if is_number else text


# -- where it goes


def _with(provider: ProviderConfig, told: Mapping[str, Any]) -> ProviderConfig:
    """Return a provider's settings with others in their places."""
    changed = copy.copy(provider)
    for setting, value in told.items():
        if setting.startswith(PARAMETER):
            changed.parameters = _laid(changed.parameters, _path(setting), value)
        else:
            setattr(changed, setting, value)
    return changed


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return parameters with one value at a path."""
    return _laid({}, path, value)


def _laid(tree: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    name, *rest = path
    inner = tree.get(name)
    below = inner if isinstance(inner, Mapping) else {}
    return {**tree, name: _laid(below, rest, value) if rest else value}


def _path(sends: str) -> list[str]:
    return sends.removeprefix(PARAMETER).split(".")


def parameters_sent(experiment: Experiment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the factors that send a parameter, each with a body that says it."""
    for factor in experiment.factors.values():
        if factor.sends and factor.sends.startswith(PARAMETER):
            yield f"factors.{factor.name}.sends", nested(_path(factor.sends), 0)


def _at(tree: Any, path: Sequence[str]) -> Any:
    for name in path:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _shown(value: Any) -> str:
    return str(value).replace(" ", "")
