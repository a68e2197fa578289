"""What a provider's file says of the model that is asked: the first row that fits, made into facts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config import options
from runner.config.problems import did_you_mean
from runner.config.schema import EndsConfig, ModelConfig, ProviderConfig
from runner.core import reasoning
from runner.core.errors import ConfigError
from runner.core.lifetime import Ending
from runner.core.model import CHAT, JsonObject, Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What one model accepts, as it is asked in this run."""

    row: ModelConfig
    sampling: Sampling
    """What it does with a temperature while it reasons as much as it will."""
    honoured_with: str | None
    """The only `provider.reasoning` with which it does what a temperature says; None: no such rule."""
    parameters: JsonObject
    """The row's own, with what is said of reasoning."""
    ending: Ending | None
    notes: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    """What cannot be asked: the setting, and what is allowed."""


@dataclass
class _Rows:
    models: list[ModelConfig] = field(default_factory=list)


@dataclass
class _Holder:
    """Puts rows where they stand, so that a mistake in one is named by its path."""

    provider: _Rows = field(default_factory=_Rows)


def rows_of(cfg: DictConfig) -> list[ModelConfig]:
    """Return the rows that fit the model that is asked, with types and defaults, the first one first.

    The keys of all rows are looked at; types only of those that fit, since typing a row takes
    OmegaConf three milliseconds.

    Raises:
        OmegaConfBaseException: a row has an unknown key, or a value of another type.
        ConfigError: a row is no mapping, or has no `match`.
    """
    found = []
    for place, row in enumerate(OmegaConf.to_container(cfg.provider.models)):  # type: ignore[arg-type]
        where = f"provider.models[{place}]"
        if not isinstance(row, dict) or not isinstance(row.get("match"), str):
            raise ConfigError(f"{where}: {row!r} has no match: which models it is for, as gpt-x*")
        for key in row:
            if key not in _KEYS:
                raise ConfigError(f"{where}.{key}: no such key; {did_you_mean(str(key), _KEYS)}")
        if fnmatchcase(cfg.provider.model, row["match"]):
            found.append(_typed(place, row))
    return found


_KEYS = [field.name for field in fields(ModelConfig)]


def _typed(place: int, row: object) -> ModelConfig:
    try:
        typed = OmegaConf.merge(_Holder, {"provider": {"models": [row]}})
    except OmegaConfBaseException as error:
        said = str(error).replace("provider.models[0]", f"provider.models[{place}]")
        raise OmegaConfBaseException(said) from None
    made = OmegaConf.to_object(typed)
    assert isinstance(made, _Holder)
    return made.provider.models[0]


def capability_of(provider: ProviderConfig, *, heated: bool) -> Capability:
    """Return what the file says of this model.

    Args:
        provider: its `models` are the rows that fit, the first one first.
        heated: whether a temperature is to be sent.
    """
    row = provider.models[0] if provider.models else ModelConfig()
    problems = list(_problems(row, provider))
    dialect = options.dialect(provider)
    asked, said = provider.reasoning, _said(provider)
    notes = []
    only = row.honoured_when.reasoning if row.honoured_when else None
    silent = asked is None and said is None
    if heated and silent and only is not None and row.reasoning.default != only:
        asked = only
        notes.append(
            f"temperature is honoured by {provider.model} only with provider.reasoning={only}: "
            "that is what is sent; temperatures=null lets it reason"
        )
    level = asked or said or row.reasoning.default
    own = _plain(row.parameters)
    if asked is not None and not problems:
        way = row.reasoning.how or dialect.ways[0]
        for name in dialect.reasoning:
            own = _without(own, name)
        says = reasoning.parameters(way, asked, row.reasoning.default)
        own = _plain(OmegaConf.merge(own, says))
        least = reasoning.least_cap(way, asked)
        if provider.max_output_tokens < least:
            what = (
                f"may take {least - 1:,} tokens of provider.max_output_tokens="
                f"{provider.max_output_tokens}, which has to be larger; or reason less"
            )
            problems.append((f"provider.reasoning={asked}", what))
    cut_off = reasoning.cut_off_note(
        provider.model, level, provider.max_output_tokens, provider.expected_output_tokens
    )
    notes += [cut_off] if cut_off else []
    return Capability(
        row=row,
        sampling=_sampling(row, level, only),
        honoured_with=only,
        parameters=own,
        ending=None if row.ends is None or problems else _ending(row.ends),
        notes=tuple(notes),
        problems=tuple(problems),
    )


def _sampling(row: ModelConfig, level: str | None, only: str | None) -> Sampling:
    if only is None:
        return Sampling(row.sampling)
    if level == only:
        return Sampling.HONOURED
    return Sampling.IGNORED if row.sampling == Sampling.IGNORED else Sampling.REJECTED


def _said(provider: ProviderConfig) -> str | None:
    """Return how `provider.parameters` says that the model is to reason; None: not at all."""
    for name in options.dialect(provider).reasoning:
        found: Any = _plain(provider.parameters)
        for key in name:
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is not None:
            return found if found in reasoning.LEVELS else "in its own words"
    return None


def _problems(row: ModelConfig, provider: ProviderConfig) -> Iterator[tuple[str, str]]:
    where = f"provider/{provider.name}.yaml: models: {row.match if provider.models else ''}"
    others = options.endpoints(provider)
    yield from ((where, what) for what in _slips(row, options.dialect(provider).ways, others))
    asked, allowed = provider.reasoning, [*row.reasoning.levels, "null"]
    if asked is None:
        return
    if asked not in row.reasoning.levels:
        unsaid = "" if row.reasoning.levels else _unsaid(provider)
        yield (
            f"provider.reasoning={asked}",
            (f"not for {provider.model}; allowed: {', '.join(allowed)}{unsaid}"),
        )
    if _said(provider) is not None:
        yield (
            f"provider.reasoning={asked}",
            "provider.parameters says how much to reason, too: leave one of them out",
        )


def _unsaid(provider: ProviderConfig) -> str:
    return (
        f" (provider/{provider.name}.yaml does not say that it can be told; if it can, add "
        "reasoning: {levels: [low, high]} to its row)"
    )


def _slips(row: ModelConfig, ways: Sequence[str], others: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a row itself.

    Args:
        row: of a model.
        ways: in which it can be told how much to reason.
        others: interfaces that its service has beside chat completions.
    """
    if row.endpoint != CHAT and row.endpoint not in others:
        yield f"endpoint {row.endpoint!r}; allowed: {', '.join([CHAT, *others])}"
    if row.reasoning.levels and not ways:
        yield "reasoning.levels: nothing is known of how this provider is told to reason"
    if row.reasoning.how is not None and row.reasoning.how not in ways:
        yield f"reasoning.how {row.reasoning.how!r}; allowed: {', '.join(ways)}"
    words = [*row.reasoning.levels, *_there(row.reasoning.default)]
    if strange := [word for word in words if word not in reasoning.LEVELS]:
        yield f"reasoning {strange[0]!r}; allowed: {', '.join(reasoning.LEVELS)}"
    only = row.honoured_when.reasoning if row.honoured_when else None
    if only is not None and only not in row.reasoning.levels:
        yield f"honoured_when.reasoning {only!r} is none of its reasoning.levels"
    if row.ends is not None:
        try:
            _ending(row.ends)
        except ValueError:
            yield f"ends.date {row.ends.date!r}; allowed: a day, as 2026-10-23"


def _there(word: str | None) -> Sequence[str]:
    return [] if word is None else [word]


def _ending(row: EndsConfig) -> Ending:
    day = datetime.strptime(row.date, "%Y-%m-%d").replace(tzinfo=UTC)
    return Ending(day=row.date, at=day.timestamp(), source=row.source, successor=row.successor)


def _without(tree: JsonObject, path: Sequence[str]) -> JsonObject:
    """Return a tree without what stands at a path, nor what is empty without it."""
    name, *rest = path
    if name not in tree:
        return tree
    inner = _without(tree[name], rest) if rest and isinstance(tree[name], dict) else {}
    return {**tree, name: inner} if inner else {k: v for k, v in tree.items() if k != name}


def _plain(tree: Any) -> JsonObject:
    found = OmegaConf.to_container(OmegaConf.create(tree) if isinstance(tree, dict) else tree)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}
