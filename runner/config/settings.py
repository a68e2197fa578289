"""A composed configuration, checked and translated into the nouns of runner.core.

Hydra composes; runner.config.schema gives each key its type; `settings` checks what a type cannot say and
reports all problems at once, each with its file, its key and what is allowed.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig, OmegaConf

from runner.config import options
from runner.config.models import Capability, capability_of
from runner.config.schema import (
    LIVE,
    REHEARSED,
    Config,
    ModelConfig,
    PatternConfig,
    ProviderConfig,
    QuestionConfig,
    TextConfig,
)
from runner.core.errors import ConfigError
from runner.core.extract.extractor import Extractor
from runner.core.model import (
    Enhance,
    Experiment,
    JsonObject,
    Limits,
    Model,
    Pattern,
    PatternKind,
    Persona,
    Question,
    QuestionSet,
    Sampling,
    Text,
    Variant,
)
from runner.core.prompt import FORM_FIELDS, TEMPLATE_FIELDS, fill
from runner.core.request_states import RetryPolicy
from runner.core.structured import DIALECTS, parameters
from runner.providers._lines import overlaid

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
    *("report", "import", "extract", "patterns"),
)
LANGUAGES = ("ja", "en")
FORMATS = ("study", "wide", "long", "xlsx")
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,40}")
ALLOWED_IDS = "allowed: letters, digits, - and _, up to 40 of them"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
PATH = re.compile(r"(/[A-Za-z0-9_-]+)*", re.ASCII)
MODES = ("batch", "realtime")
EMULATOR = "emulator"
"""The provider's name that always means a rehearsal."""
MAX_NUMBER = 2**63
"""No whole number from here on, and nothing that is not finite, gets into a request."""
MAX_TRIALS = 10_000_000


class Launcher(Protocol):
    """Runs tasks on other machines."""

    @property
    def name(self) -> str:
        """What it is called, as submitit_slurm."""
        ...

    def start(self, jobs: Sequence[int], task: Callable[[DictConfig], Any], folder: Path) -> None:
        """Run a task for some jobs of the sweep, by their numbers, and wait for all of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A checked configuration, ready to run."""

    experiment: Experiment
    retry: RetryPolicy
    limits: Limits
    config: Config
    resolved: Mapping[str, Any]
    """The whole configuration as plain data; there is no key in it."""
    listed: bool
    """Whether the provider's file says what this model accepts."""
    capability: Capability
    """What it says of this model."""
    overrides: tuple[str, ...] = ()
    """What the command line says of this job, as `trials=10`."""
    launcher: "Launcher | None" = None
    """What runs the jobs of this sweep on other machines; None: this process runs them."""

    @property
    def realtime(self) -> bool:
        """Tell whether every request is asked on its own."""
        return self.config.provider.mode == "realtime"

    @property
    def settle_seconds(self) -> float:
        """Return how long after a lost reply the provider's list is believed to be current."""
        own = self.config.poll.settle_seconds
        return self.config.provider.settle_seconds if own is None else own

    @property
    def cell(self) -> str:
        """Return the folder of this provider and model below the experiment's."""
        provider = self.config.provider
        parts = [provider.name, re.sub(r"[^A-Za-z0-9.-]+", "-", provider.model).strip(".-")]
        if self.retry.enhance is Enhance.ALWAYS:
            parts.append("enhanced")
        if self.config.service.emulated and provider.name != EMULATOR:
            parts.append("emulated")
        return "_".join(parts)

    @property
    def folder(self) -> Path:
        """Return where the run keeps everything."""
        return Path(self.config.outputs) / self.experiment.name / self.cell


class Problems:
    """What is wrong with a configuration, collected."""

    def __init__(self) -> None:
        """Start without any."""
        self.lines: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Note one."""
        self.lines.append(f"{where}: {what}")

    def check(self, good: bool, where: str, what: str) -> None:
        """Note one unless all is well."""
        if not good:
            self.add(where, what)

    def raise_any(self) -> None:
        """Raise all of them as one error."""
        if self.lines:
            raise ConfigError("; ".join(self.lines))


def settings(cfg: DictConfig, sources: Iterable[Path]) -> Settings:
    """Check a composed configuration and translate it.

    Args:
        cfg: what Hydra composed.
        sources: the folders Hydra looked in, first one first; text files are found there.

    Raises:
        ConfigError: all that is wrong, on one line.
    """
    if OmegaConf.get_type(cfg) is not Config:
        raise ConfigError(
            "config.yaml: its defaults have to begin with '- schema'; leave the file out, or copy the "
            "shipped conf/config.yaml"
        )
    _only_known_keys(cfg, Config, "")
    _no_missing_values(cfg)
    _no_interpolated_prompts(cfg)
    config = OmegaConf.to_object(cfg)
    assert isinstance(config, Config)
    config.provider.models = [m for m in config.provider.models if _is_for(m, config)]
    problems = Problems()
    _check_scalars(config, problems)
    _check_ids(config, problems)
    problems.raise_any()
    capability = capability_of(config.provider, heated=config.temperatures is not None)
    for where, what in capability.problems:
        problems.add(where, what)
    experiment = _experiment(config, capability, list(sources), problems)
    problems.raise_any()
    Extractor(experiment.questions)  # says which pattern or label cannot be used
    resolved = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    assert isinstance(resolved, dict)
    return Settings(
        experiment=experiment,
        retry=RetryPolicy(
            max_attempts=config.retry.max_attempts,
            max_lost=config.retry.max_lost,
            enhance=experiment.enhance,
        ),
        limits=Limits(
            requests=config.provider.limits.requests,
            bytes=config.provider.limits.bytes,
            enqueued_tokens=config.provider.limits.enqueued_tokens,
            batches_in_flight=config.provider.limits.batches_in_flight,
            margin=config.provider.limits.margin,
            results_days=config.provider.limits.results_days,
        ),
        listed=bool(config.provider.models),
        capability=capability,
        config=config,
        resolved={str(key): value for key, value in resolved.items()},
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint for a word that is not known, with all that are."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}allowed: {', '.join(words)}"


def _only_known_keys(node: Any, schema: Any, path: str) -> None:
    """Refuse keys that `+key=value` added past the schema."""
    if not isinstance(node, DictConfig):
        return
    if not is_dataclass(schema):  # a dict of personas, texts or questions
        for key in node:
            _only_known_keys(node[key], OmegaConf.get_type(node, str(key)), f"{path}{key!s}.")
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
        _only_known_keys(node[key], inner, f"{where}.")


def _no_missing_values(cfg: DictConfig) -> None:
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ConfigError(f"{', '.join(missing)}: has no value; give it in its YAML file")


_PROMPT_PATHS = (
    *("persona", "text", "question"),
    *("provider.parameters", "provider.models"),
)


def _no_interpolated_prompts(cfg: DictConfig) -> None:
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
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _check_scalars(config: Config, problems: Problems) -> None:
    provider, poll = config.provider, config.poll
    choices: list[tuple[str, str, Iterable[str]]] = [
        ("action", config.action, ACTIONS),
        ("format", config.format, ("text", "json")),
        ("prompt.enhance", config.prompt.enhance, [e.value for e in Enhance]),
        ("provider.mode", provider.mode, MODES),
        ("provider.dialect", provider.dialect, DIALECTS),
        ("question.answer", config.question.answer, ("text", "json")),
        ("retry.mode", config.retry.mode, MODES),
        *options.choices(provider),
        *(("provider.models: sampling", m.sampling, list(Sampling)) for m in provider.models),
        ("report.lang", config.report.lang, LANGUAGES),
        *(("export.format", name, FORMATS) for name in words(config.export.format)),
    ]
    for key, value, allowed in choices:
        problems.check(value in allowed, key, f"{value!r}; {did_you_mean(value, allowed)}")
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
    problems.check(
        provider.emulator_path is None or PATH.fullmatch(provider.emulator_path) is not None,
        "provider.emulator_path",
        f"{provider.emulator_path!r}; allowed: a path on this machine's emulator, as /v1",
    )
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
        not config.apply or (config.action == "extract" and config.input is None),
        "apply=true",
        "writes what action=extract changes in a run; leave it, or input=, out",
    )
    problems.check(
        100 <= config.report.bootstrap <= 1_000_000,
        "report.bootstrap",
        f"{config.report.bootstrap}; allowed: 100 to 1,000,000",
    )
    at_least: list[tuple[str, float, float]] = [
        ("trials", config.trials, 1),
        ("retry.max_attempts", config.retry.max_attempts, 1),
        ("retry.max_lost", config.retry.max_lost, 1),
        ("budget.max_usd", config.budget.max_usd, 0),
        ("report.seed", config.report.seed, 0),
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
        ("poll.settle_seconds", poll.settle_seconds, 0),
        ("provider.realtime.requests_per_minute", provider.realtime.requests_per_minute, 1),
        ("provider.limits.enqueued_tokens", provider.limits.enqueued_tokens, 1),
        ("provider.limits.batches_in_flight", provider.limits.batches_in_flight, 1),
        ("provider.limits.results_days", provider.limits.results_days, 1),
    ]
    at_least += [(key, limit, low) for key, limit, low in optional if limit is not None]
    coldest, hottest = _decimal(provider.temperature_min), _decimal(provider.temperature_max)
    problems.check(
        _within(coldest, -5, 5) and _within(hottest, coldest, 5),
        "provider.temperature_min, temperature_max",
        f"{coldest} to {hottest}; allowed: two numbers, the smaller one first",
    )
    for key, number, low in at_least:
        problems.check(number >= low, key, f"{number} is too small; allowed: {low} or more")
    problems.check(
        config.trials <= MAX_TRIALS, "trials", f"{config.trials}; allowed: up to {MAX_TRIALS:,}"
    )
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


def words(value: Any) -> list[str]:
    """Return a setting that may be nothing, one word, or several."""
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _check_ids(config: Config, problems: Problems) -> None:
    problems.check(
        IDENTIFIER.fullmatch(config.name) is not None, "name", f"{config.name!r}; {ALLOWED_IDS}"
    )
    for folder in (LIVE, REHEARSED):
        problems.check(config.name != folder, "name", f"{folder!r} holds the dataset of all runs")
    for group, ids in (("persona", config.persona), ("text", config.text)):
        for name in ids:
            good = IDENTIFIER.fullmatch(str(name)) is not None
            problems.check(good, f"{group}/{name}.yaml", f"id {name!r}; {ALLOWED_IDS}")
        problems.check(bool(ids), group, f"none is declared; choose with {group}=[…]")
    for key, wanted, known in (
        ("personas", config.personas, config.persona),
        ("texts", config.texts, config.text),
    ):
        group = key.removesuffix("s")
        for name in wanted or []:
            problems.check(
                name in known,
                key,
                f"{name!r} is not in this experiment; {did_you_mean(name, known)}"
                f" (more of conf/{group}/ with {group}=[…])",
            )
        problems.check(wanted != [], key, "an empty selection; leave it out to take all")
        problems.check(len(set(wanted or [])) == len(wanted or []), key, "names an id twice")


def _experiment(
    config: Config, capability: Capability, sources: list[Path], problems: Problems
) -> Experiment:
    questions = _questions(config.question, problems)
    model = _model(config.provider, capability, _structured(config, questions, problems))
    temperatures, calculated = _temperatures(config.temperatures, model, capability, problems)
    personas = {
        name: Persona(
            id=name,
            name=row.name,
            system=row.system,
            temperature=_decimal(row.temperature),
        )
        for name in (config.personas or list(config.persona))
        for row in [config.persona[name]]
    }
    for persona in personas.values():
        problems.check(
            _within(persona.temperature, 0, 5),
            f"persona/{persona.id}.yaml: temperature",
            f"{persona.temperature}; allowed: 0 to 5",
        )
    texts = {
        name: _text(name, config.text[name], sources, problems)
        for name in (config.texts or list(config.text))
    }
    return Experiment(
        name=config.name,
        personas=personas,
        texts=texts,
        questions=questions,
        model=model,
        temperatures=temperatures,
        calculated=calculated,
        trials=config.trials,
        enhance=Enhance(config.prompt.enhance),
    )


def _is_for(row: ModelConfig, config: Config) -> bool:
    return fnmatchcase(config.provider.model, row.match)


def _structured(config: Config, questions: QuestionSet, problems: Problems) -> JsonObject:
    """Return what makes the answers JSON, where that is asked for and the model can do it."""
    if config.question.answer != "json":
        return {}
    provider = config.provider
    problems.check(
        bool(provider.models) and provider.models[0].structured_output,
        "question.answer=json",
        f"provider/{provider.name}.yaml does not say that {provider.model} has structured output: "
        "ask with question.answer=text, choose another provider.model, or add structured_output: "
        "true to its row",
    )
    return parameters(questions, provider.dialect)


def _model(provider: ProviderConfig, capability: Capability, structured: JsonObject) -> Model:
    """Return the model: what its row says, else what the provider's file says."""
    row = capability.row
    hottest = provider.temperature_max if row.temperature_max is None else row.temperature_max
    return Model(
        provider=provider.name,
        name=provider.model,
        system_role=provider.system_role if row.system_role is None else row.system_role,
        sampling=capability.sampling,
        temperature_min=_decimal(provider.temperature_min),
        temperature_max=_decimal(hottest),
        max_output_tokens=provider.max_output_tokens,
        max_tokens_name=row.max_tokens or provider.max_tokens,
        expected_output_tokens=provider.expected_output_tokens,
        parameters=_as_json(
            overlaid(overlaid(structured, capability.parameters), provider.parameters)
        ),
        arguments=options.asked(provider),
    )


def _as_json(tree: Any) -> Any:
    """Return plain data with text for keys; {50256: -100} on the command line has a number there."""
    if isinstance(tree, dict):
        return {str(key): _as_json(value) for key, value in tree.items()}
    return [_as_json(item) for item in tree] if isinstance(tree, list) else tree


def _temperatures(
    value: Any, model: Model, capability: Capability, problems: Problems
) -> tuple[tuple[Decimal, ...] | None, bool]:
    """Return the temperature factor, and whether temperatures are calculated instead."""
    if value is None:
        return None, False
    if model.sampling is not Sampling.HONOURED:
        does = {
            Sampling.IGNORED: "takes a temperature and ignores it",
            Sampling.REJECTED: "refuses a temperature",
        }
        only = capability.honoured_with
        honoured = f" (temperature is honoured only with provider.reasoning={only})" if only else ""
        problems.add(
            f"temperatures={value}",
            f"{model.name} {does[model.sampling]}, so that it would measure nothing{honoured}: "
            "send none with temperatures=null, or choose another provider.model",
        )
        return None, False
    if value == "calculated":
        return None, True
    allowed = (
        f"allowed: calculated, null, or a list of numbers from {model.temperature_min} to "
        f"{model.temperature_max}, as [0.1,0.7]"
    )
    if not isinstance(value, list) or not value:
        problems.add("temperatures", f"{value!r}; {allowed}")
        return None, False
    found: list[Decimal] = []
    for one in value:
        number = (
            _decimal(one) if isinstance(one, int | float) and not isinstance(one, bool) else None
        )
        if number is None or not _within(number, model.temperature_min, model.temperature_max):
            problems.add("temperatures", f"{one!r}; {allowed}")
        elif number in found:
            problems.add("temperatures", f"{one} stands twice")
        else:
            found.append(number)
    return tuple(found), False


def _decimal(value: float) -> Decimal:
    """Return the number as it was written: 0.29 stays 0.29."""
    return Decimal(repr(value)).normalize() + 0


def _within(number: Decimal, low: Decimal | int, high: Decimal | int) -> bool:
    """Tell whether a number is one, and between two bounds."""
    return number.is_finite() and low <= number <= high


def _text(name: str, row: TextConfig, sources: list[Path], problems: Problems) -> Text:
    body = ""
    home = next((s for s in sources if (s / "text" / f"{name}.yaml").is_file()), None)
    path = (home or Path("conf")) / "text" / row.file
    where = f"text/{name}.yaml: file"
    modifier = _decimal(row.temperature_modifier)
    problems.check(
        _within(modifier, -5, 5),
        f"text/{name}.yaml: temperature_modifier",
        f"{modifier}; allowed: -5 to 5",
    )
    if Path(row.file).name != row.file:
        problems.add(where, f"{row.file!r}; allowed: a file name, in the folder of the YAML")
    elif not path.resolve().is_relative_to(path.parent.parent.resolve()):
        problems.add(where, f"{path} is a link that leaves its folder: put the text itself there")
    else:
        try:
            body = path.read_text(encoding="utf-8").removeprefix("\ufeff")
        except FileNotFoundError:
            problems.add(where, f"{path} does not exist")
        except (OSError, UnicodeDecodeError) as error:
            problems.add(where, f"{path} cannot be read as UTF-8 text ({error})")
        else:
            problems.check(bool(body.strip()), where, f"{path} is empty")
    return Text(
        id=name,
        title=row.title,
        author=row.author,
        year=row.year,
        body=body,
        temperature_modifier=modifier,
    )


def _questions(row: QuestionConfig, problems: Problems) -> QuestionSet:
    where = f"question/{row.name}.yaml"
    problems.check(bool(row.items), f"{where}: items", "no question is declared")
    problems.check(bool(row.value_patterns), f"{where}: value_patterns", "no pattern is declared")
    for key, item in row.items.items():
        good = IDENTIFIER.fullmatch(str(key)) is not None
        problems.check(good, f"{where}: items.{key}", "allowed: letters, digits, - and _")
        problems.check(
            item.minimum < item.maximum,
            f"{where}: items.{key}",
            f"minimum {item.minimum} is not below maximum {item.maximum}",
        )
    wordings = {Variant.PLAIN: row.plain, Variant.ENHANCED: row.enhanced}
    if row.answer == "json":
        wordings = {Variant.PLAIN: row.plain_json, Variant.ENHANCED: row.enhanced_json}
        for variant, wording in wordings.items():
            problems.check(
                "{object}" in wording,
                f"{where}: {variant}_json",
                "with question.answer=json this has to ask for a JSON object, with {object} where "
                "it stands; conf/question/literary.yaml has an example",
            )
    for key, template, allowed in (
        ("form", row.form, FORM_FIELDS),
        ("plain", row.plain, TEMPLATE_FIELDS),
        ("enhanced", row.enhanced, TEMPLATE_FIELDS),
        ("plain_json", row.plain_json, TEMPLATE_FIELDS),
        ("enhanced_json", row.enhanced_json, TEMPLATE_FIELDS),
    ):
        try:
            fill(template, dict.fromkeys(allowed, ""), f"{where}: {key}")
        except ConfigError as error:
            problems.lines.append(str(error))
    for patterns in (
        row.value_patterns,
        row.reason_patterns,
        row.end_patterns,
        row.refusal_patterns,
    ):
        names = [p.name for p in patterns]
        for pattern in patterns:
            problems.check(
                pattern.kind in list(PatternKind),
                f"{where}: pattern {pattern.name!r}",
                f"kind {pattern.kind!r}; {did_you_mean(pattern.kind, list(PatternKind))}",
            )
        for name in {n for n in names if names.count(n) > 1}:
            problems.add(f"{where}: patterns", f"the name {name!r} stands twice")
    return QuestionSet(
        name=row.name,
        questions=tuple(
            Question(
                id=str(key),
                label=item.label,
                minimum=item.minimum,
                maximum=item.maximum,
                integer=item.integer,
                reason_required=item.reason_required,
                aliases=tuple(item.aliases),
            )
            for key, item in row.items.items()
        ),
        form=row.form,
        templates=wordings,
        value_patterns=_patterns(row.value_patterns),
        reason_patterns=_patterns(row.reason_patterns),
        end_patterns=_patterns(row.end_patterns),
        refusal_patterns=_patterns(row.refusal_patterns),
        value_words=tuple(row.value_words),
        reason_words=tuple(row.reason_words),
        kanji_numbers=row.kanji_numbers,
    )


def _patterns(rows: Iterable[PatternConfig]) -> tuple[Pattern, ...]:
    """Translate patterns; one of no kind that there is was noted, and stands in for a line."""
    kinds = {kind.value: kind for kind in PatternKind}
    return tuple(
        Pattern(name=p.name, regex=p.regex, kind=kinds.get(p.kind, PatternKind.LINE)) for p in rows
    )
