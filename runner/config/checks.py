"""What a composed configuration may not say, beyond what its types tell."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from runner.config import deadline, options
from runner.config.problems import (
    ALLOWED_IDS,
    IDENTIFIER,
    Problems,
    decimal_of,
    did_you_mean,
    within,
    words,
)
from runner.config.schema import EMULATOR, LIVE, REHEARSED, Config, ProviderConfig
from runner.config.trials import check_trials
from runner.core.deadline import OFF
from runner.core.errors import ConfigError
from runner.core.model import Enhance, Sampling

ACTIONS = (
    *(
        "run",
        "retry",
        "plan",
        "status",
        "collect",
        "cancel",
        "export",
        "verify",
        "recover",
        "adopt",
        "abandon",
        "init",
    ),
    *("report", "import", "extract", "patterns", "sample", "bundle"),
)
LANGUAGES = ("ja", "en")
FORMATS = ("study", "wide", "long", "xlsx")
FIGURES = ("png", "svg", "pdf")
TABLES = ("csv", "tex", "md")
MODES = ("batch", "realtime")
CHOICES: Mapping[str, Sequence[str]] = {
    "action": ACTIONS,
    "format": ("text", "json"),
    "prompt.enhance": tuple(Enhance),
    "provider.mode": MODES,
    "question.answer": ("text", "json"),
    "retry.mode": MODES,
    "report.lang": LANGUAGES,
}
"""Settings that are one of some words."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
PATH = re.compile(r"(/[A-Za-z0-9_-]+)*", re.ASCII)
_NOTIFY = re.compile(r"CHORUS_NOTIFY[A-Za-z0-9_]*", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_OUR_HEADERS = frozenset(
    {
        *("authorization", "api-key", "x-api-key", "x-goog-api-key", "anthropic-version"),
        *("host", "connection", "content-length", "content-type", "transfer-encoding"),
        *("accept", "accept-encoding"),
    }
)
"""What the clients send themselves."""
MAX_NUMBER = 2**63
"""No whole number from here on, and nothing that is not finite, gets into a request."""


def only_known_keys(node: Any, schema: Any, path: str) -> None:
    """Refuse keys that `+key=value` added past the schema."""
    if not isinstance(node, DictConfig):
        return
    if not is_dataclass(schema):  # a dict of personas, texts or questions
        for key in node:
            only_known_keys(node[key], OmegaConf.get_type(node, str(key)), f"{path}{key!s}.")
        return
    known = {f.name for f in fields(schema)}
    if schema is ProviderConfig:
        known |= options.types().keys()
    for key in node:
        where = f"{path}{key!s}"
        if key not in known:
            raise ConfigError(f"{where}: no such key; {did_you_mean(str(key), known)}")
        inner = OmegaConf.get_type(node, key)
        if OmegaConf.is_missing(node, key):
            continue
        only_known_keys(node[key], inner, f"{where}.")


def no_missing_values(cfg: DictConfig) -> None:
    """Refuse a setting that every configuration has to give and this one does not."""
    plain = OmegaConf.to_container(
        cfg, resolve=False
    )  # OmegaConf's own search takes as long as a merge
    missing = sorted(path for path, value in _leaves(plain, "") if value == MISSING)
    if missing:
        raise ConfigError(f"{', '.join(missing)}: has no value; give it in its YAML file")


_PROMPT_PATHS = (
    *("persona", "text", "question", "factors", "design", "messages", "items"),
    *("provider.parameters", "provider.models"),
)


def no_interpolated_prompts(cfg: DictConfig) -> None:
    """Refuse `${…}` in what is sent: it could carry a secret of this machine into a prompt."""
    for section in (*_PROMPT_PATHS, *options.paths_asked()):
        sent = OmegaConf.to_container(OmegaConf.select(cfg, section), resolve=False)
        for path, value in _leaves(sent, section):
            if isinstance(value, str) and "${" in value:
                raise ConfigError(f"{path}: ${{…}} is not allowed in what is sent to a model")
            if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
                raise ConfigError(
                    f"{path}: half a character (\\ud83d…): write the character itself"
                )
            is_sent = ".parameters" in path and isinstance(value, int | float)
            if is_sent and not abs(value) < MAX_NUMBER:
                raise ConfigError(f"{path}: {value} is no number that JSON can carry")


def _leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def check_values(config: Config, problems: Problems) -> None:
    """Note every value that is of the right type, and yet not allowed."""
    _check_choices(config, problems)
    _check_provider(config, problems)
    _check_action(config, problems)
    _check_deadline(config, problems)
    check_notify(words(config.notify), problems)
    _check_numbers(config, problems)


def _check_choices(config: Config, problems: Problems) -> None:
    provider = config.provider
    choices: list[tuple[str, str, Iterable[str]]] = [
        *((key, attrgetter(key)(config), allowed) for key, allowed in CHOICES.items()),
        *options.named_dialect(provider),
        *options.choices(provider),
        *(("provider.models: sampling", m.sampling, list(Sampling)) for m in provider.models),
        *(("export.format", name, FORMATS) for name in words(config.export.format)),
        *(("report.figure.format", name, FIGURES) for name in words(config.report.figure.format)),
        *(("report.table_format", name, TABLES) for name in words(config.report.table_format)),
    ]
    for key, value, allowed in choices:
        problems.check(value in allowed, key, f"{value!r}; {did_you_mean(value, allowed)}")


def _check_provider(config: Config, problems: Problems) -> None:
    provider = config.provider
    problems.check(
        config.service.emulated or provider.name != EMULATOR,
        "service=live",
        "provider=emulator has no live service; name a provider, as provider=openai",
    )
    if config.service.emulated and (why := options.no_emulator(provider)):
        problems.add("service=emulated", f"provider={provider.name} {why}")
    for name, what in options.problems(provider):
        problems.add(name, what)
    problems.check(
        provider.mode == "batch" or config.wait,
        "wait=false",
        "with provider.mode=realtime nothing is left to run elsewhere; leave wait=false out",
    )
    problems.check(
        options.is_allowed(provider._target_),
        "provider._target_",
        options.refusal(provider._target_),
    )
    problems.check(
        VARIABLE.fullmatch(provider.api_key_env) is not None,
        "provider.api_key_env",
        f"{provider.api_key_env!r}; allowed: the name of an environment variable",
    )
    _check_headers(config, problems)
    problems.check(
        provider.emulator_path is None or PATH.fullmatch(provider.emulator_path) is not None,
        "provider.emulator_path",
        f"{provider.emulator_path!r}; allowed: a path on this machine's emulator, as /v1",
    )


def _check_headers(config: Config, problems: Problems) -> None:
    provider = config.provider
    for name, variable in provider.headers.items():
        where = f"provider.headers.{name}"
        problems.check(
            _HEADER.fullmatch(name) is not None and name.lower() not in _OUR_HEADERS,
            where,
            "allowed: a header that the client does not send itself, as x-portkey-virtual-key",
        )
        problems.check(
            VARIABLE.fullmatch(variable) is not None,
            where,
            "allowed: the NAME of an environment variable that holds its value",
        )
    problems.check(
        not provider.headers
        or not options.is_allowed(provider._target_)
        or options.told(provider).sends_headers,
        "provider.headers",
        f"provider={provider.name} sends no headers of one's own; leave them out",
    )


def _check_action(config: Config, problems: Problems) -> None:
    problems.check(
        config.action not in ("adopt", "abandon") or config.batch is not None,
        f"action={config.action}",
        "which batch? add batch=…, as batch=b0003; action=status lists them",
    )
    problems.check(
        config.action != "import" or config.input is not None,
        "action=import",
        "which table? add input=FILE.csv",
    )
    problems.check(
        config.action != "import" or config.kind in ("texts", "ratings"),
        f"kind={config.kind}",
        "of an import allowed: ratings; or leave it out, for a table in the study's columns",
    )
    problems.check(
        not config.apply or (config.action == "extract" and config.input is None),
        "apply=true",
        "writes what action=extract changes in a run; leave it, or input=, out",
    )


def _check_deadline(config: Config, problems: Problems) -> None:
    said, provider = config.deadline, config.provider
    if said is None:
        return
    problems.check(deadline.is_deadline(said), "deadline", f"{said!r}; {deadline.ALLOWED}")
    if said == OFF:
        return
    problems.check(
        provider.mode == "batch",
        f"deadline={said}",
        "with provider.mode=realtime all is asked at once; leave one of them out",
    )
    problems.check(
        not options.is_allowed(provider._target_) or options.told(provider).asks_singly,
        f"deadline={said}",
        f"provider={provider.name} answers batches only, so that nothing can be asked one by one; "
        "leave it out",
    )


def is_notify_name(name: str) -> bool:
    """Tell whether a variable may hold an address for messages."""
    return _NOTIFY.fullmatch(name) is not None


def check_notify(names: Sequence[str], problems: Problems) -> None:
    """Note what is no name of a variable for addresses; it is not repeated, as it may be a secret."""
    problems.check(
        names == ["off"] or all(map(is_notify_name, names)),
        "notify",
        "allowed: names of environment variables that begin with CHORUS_NOTIFY, as [CHORUS_NOTIFY]; "
        "an address holds secrets: put it into the variable, which no file and no screen shows",
    )


def _check_numbers(config: Config, problems: Problems) -> None:
    provider = config.provider
    coldest, hottest = decimal_of(provider.temperature_min), decimal_of(provider.temperature_max)
    problems.check(
        within(coldest, -5, 5) and within(hottest, coldest, 5),
        "provider.temperature_min, temperature_max",
        f"{coldest} to {hottest}; allowed: two numbers, the smaller one first",
    )
    for key, number, low in _lowest(config):
        problems.check(number >= low, key, f"{number} is too small; allowed: {low} or more")
    check_trials(config.trials, problems)
    figure = config.report.figure
    for key, size, low, high in (
        ("width_mm", figure.width_mm, 60, 400),
        ("dpi", figure.dpi, 72, 1200),
    ):
        good = size is None or low <= size <= high
        problems.check(good, f"report.figure.{key}", f"{size}; allowed: {low} to {high}")
    if (pilot := config.pilot) is not None:
        for key, part in (("share", pilot.share), ("valid", pilot.valid)):
            allowed = "allowed: a share above 0, up to 1; no pilot: pilot=null"
            problems.check(part is None or 0 < part <= 1, f"pilot.{key}", f"{part}; {allowed}")
    for key, cap in (
        ("max_attempts", config.retry.max_attempts),
        ("max_lost", config.retry.max_lost),
    ):
        problems.check(cap <= 100, f"retry.{key}", f"{cap}; allowed: up to 100")
    for key, share in (
        ("provider.limits.margin", provider.limits.margin),
        ("provider.price.batch_discount", provider.price.batch_discount),
    ):
        problems.check(0 <= share < 1, key, f"{share}; allowed: from 0 to below 1")


def _lowest(config: Config) -> list[tuple[str, float, float]]:
    """Return settings with their numbers and the least that each may be."""
    provider, poll = config.provider, config.poll
    at_least: list[tuple[str, float, float]] = [
        ("retry.max_attempts", config.retry.max_attempts, 1),
        ("retry.max_lost", config.retry.max_lost, 1),
        ("budget.max_usd", config.budget.max_usd, 0),
        ("sample.n", config.sample.n, 1),
        ("poll.first_seconds", poll.first_seconds, 0.01),
        ("poll.max_seconds", poll.max_seconds, poll.first_seconds),
        ("provider.settle_seconds", provider.settle_seconds, 0),
        ("provider.realtime.concurrency", provider.realtime.concurrency, 1),
        ("provider.limits.requests", provider.limits.requests, 1),
        ("provider.limits.bytes", provider.limits.bytes, 1000),
        ("provider.max_output_tokens", provider.max_output_tokens, 1),
        ("provider.timeout_seconds", provider.timeout_seconds, 1),
    ]
    optional: list[tuple[str, float | None, float]] = [
        ("pilot.at_least", None if config.pilot is None else config.pilot.at_least, 1),
        ("poll.settle_seconds", poll.settle_seconds, 0),
        ("provider.realtime.requests_per_minute", provider.realtime.requests_per_minute, 1),
        ("provider.limits.enqueued_tokens", provider.limits.enqueued_tokens, 1),
        ("provider.limits.batches_in_flight", provider.limits.batches_in_flight, 1),
        ("provider.limits.results_days", provider.limits.results_days, 1),
        ("provider.limits.min_requests", provider.limits.min_requests, 1),
    ]
    return at_least + [(key, limit, low) for key, limit, low in optional if limit is not None]


def check_ids(config: Config, problems: Problems) -> None:
    """Note names that could not be those of files, and choices of what is not there."""
    problems.check(
        IDENTIFIER.fullmatch(config.name) is not None, "name", f"{config.name!r}; {ALLOWED_IDS}"
    )
    for folder in (LIVE, REHEARSED):
        problems.check(config.name != folder, "name", f"{folder!r} holds the dataset of all runs")
    for group, ids in (("persona", config.persona), ("text", config.text)):
        for name in ids:
            good = IDENTIFIER.fullmatch(str(name)) is not None
            problems.check(good, f"{group}/{name}.yaml", f"id {name!r}; {ALLOWED_IDS}")
        problems.check(
            bool(ids) or bool(config.factors), group, f"none is declared; choose with {group}=[…]"
        )
    for key, wanted, known in (
        ("personas", config.personas, config.persona),
        ("texts", config.texts, config.text),
    ):
        group = key.removesuffix("s")
        for name in wanted or []:
            there = f"{did_you_mean(name, known)} (more of conf/{group}/ with {group}=[…])"
            if not known:
                there = f"it has no {key}" + _what_it_varies(config)
            problems.check(name in known, key, f"{name!r} is not in this experiment; {there}")
        problems.check(wanted != [], key, "an empty selection; leave it out to take all")
        problems.check(len(set(wanted or [])) == len(wanted or []), key, "names an id twice")


def _what_it_varies(config: Config) -> str:
    """Say how the levels of a study's own factors are chosen instead."""
    names = list(config.factors)
    if not names:
        return ""
    return f", but {', '.join(names)}: choose with factors.{names[0]}.select=[…]"
