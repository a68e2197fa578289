"""A composed configuration, checked and translated into the nouns of runner.core.

Hydra composes; runner.config.schema gives each key its type; `settings` checks what a type cannot say and
reports all problems at once, each with its file, its key and what is allowed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig, OmegaConf

from runner.config import options
from runner.config.checks import (
    check_ids,
    check_values,
    no_interpolated_prompts,
    no_missing_values,
    only_known_keys,
)
from runner.config.columns import check_columns
from runner.config.factors import Places, design_of, factors_of, messages_of, named_in
from runner.config.images import images_of
from runner.config.labels import Labels, take_labels
from runner.config.models import Capability, capability_of, rows_of
from runner.config.problems import Problems, decimal_of, within
from runner.config.questions import check_read, questions_of
from runner.config.schema import (
    EMULATOR,
    Config,
    PersonaConfig,
    ProviderConfig,
    TextConfig,
)
from runner.config.sent import check_sent, sampling_of, sent_of, unheard
from runner.config.trials import stopping_of
from runner.core.errors import ConfigError
from runner.core.expand import combinations, conditions
from runner.core.extract.extractor import Extractor
from runner.core.model import (
    ITEM,
    Enhance,
    Experiment,
    Factor,
    JsonObject,
    Level,
    Limits,
    Model,
    Order,
    QuestionSet,
    Sampling,
    Shuffle,
    Variant,
)
from runner.core.pilot import Pilot
from runner.core.prompt import MAIN_FIELDS, name_of, render
from runner.core.request_states import RetryPolicy
from runner.providers._lines import overlaid


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
    labels: Labels = field(default_factory=dict)
    """What a report calls items, options and levels, by language."""
    pilot: Pilot | None = None
    """What goes first; None: everything at once."""
    overrides: tuple[str, ...] = ()
    """What the command line says of this job, as `trials=10`."""
    refused: tuple[tuple[str, str], ...] = ()
    """Jobs of the same panel that cannot be run: their words, and why; the first job has them."""
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
    only_known_keys(cfg, Config, "")
    no_missing_values(cfg)
    no_interpolated_prompts(cfg)
    models = rows_of(cfg)
    config = OmegaConf.to_object(cfg)
    assert isinstance(config, Config)
    config.provider.models = models
    problems = Problems()
    check_values(config, problems)
    check_ids(config, problems)
    labels = take_labels(config, problems)
    problems.raise_any()
    capability = capability_of(config.provider, heated=config.temperatures is not None)
    if not _some_sends(config):  # else each of their levels is looked at
        for where, what in capability.problems:
            problems.add(where, what)
    experiment, notes = _experiment(config, capability, list(sources), problems)
    problems.raise_any()
    capability = replace(capability, notes=notes)
    Extractor(experiment.questions)  # says which pattern or label cannot be used
    check_read(experiment.questions)
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
            min_requests=config.provider.limits.min_requests,
        ),
        listed=bool(config.provider.models),
        capability=capability,
        labels=labels,
        pilot=_pilot(config),
        config=config,
        resolved={str(key): value for key, value in resolved.items()},
    )


def _some_sends(config: Config) -> bool:
    return any(isinstance(row, Mapping) and row.get("sends") for row in config.factors.values())


def _pilot(config: Config) -> Pilot | None:
    """Return the pilot that is asked for by any of its settings."""
    said = config.pilot
    if said is None or (said.share is None and said.at_least is None and said.valid is None):
        return None
    usual = Pilot()
    return Pilot(
        share=usual.share if said.share is None else decimal_of(said.share),
        at_least=usual.at_least if said.at_least is None else said.at_least,
        valid=usual.valid if said.valid is None else decimal_of(said.valid),
    )


def _experiment(
    config: Config, capability: Capability, sources: list[Path], problems: Problems
) -> tuple[Experiment, tuple[str, ...]]:
    """Return what is asked, and what to know of the model."""
    questions = questions_of(config.question, config.items, list(config.factors), sources, problems)
    stopping = stopping_of(config.trials, questions, problems)
    structured = _structured(config, questions, problems)
    if _some_sends(config):  # their levels say how much it reasons, and are looked at below
        capability = capability_of(config.provider, heated=False)
        capability = replace(capability, sampling=Sampling.HONOURED)
    model = _model(config.provider, capability, structured)
    temperatures, calculated = _temperatures(config.temperatures, model, capability, problems)
    factors = _factors_of_files(config, sources, problems)
    problems.raise_any()
    messages = messages_of(config.messages)
    told = [part for message in messages for part in (message.content, *message.images)]
    told = told or list(questions.templates.values())
    factors |= factors_of(
        config.factors,
        named_in(told),
        config.data,
        Places(
            folders=sources,
            outputs=Path(config.outputs),
            name=config.name,
            rehearsal=config.service.emulated,
        ),
        texts=told,
    )
    design = design_of(config.design, factors, sources)  # items are in every design
    questions, factors = _asked(config, questions, factors)
    check_columns(factors, [question.id for question in questions.questions])
    experiment = Experiment(
        name=config.name,
        factors=factors,
        questions=questions,
        model=model,
        temperatures=temperatures,
        calculated=calculated,
        trials=config.trials if stopping is None else stopping.least,
        stopping=stopping,
        enhance=Enhance.NEVER if messages else Enhance(config.prompt.enhance),
        design=design,
        messages=messages,
        shuffle=_shuffle(config, problems),
    )
    problems.raise_any()
    notes = capability.notes
    if _some_sends(config):
        check_sent(config, factors.values())
        keys = (experiment.sent_key(levels) for levels in combinations(experiment))
        sent, notes = sent_of(
            config,
            experiment,
            keys,
            lambda provider, capability: _model(provider, capability, structured),
            problems,
        )
        problems.raise_any()
        model = replace(model, sampling=sampling_of(sent.values(), temperatures))
        experiment = replace(experiment, sent=sent, model=model)
    _check_prompt(experiment)
    images = images_of(experiment, config.provider, sources)
    return replace(experiment, images=images), (*notes, *_unsaid(config, questions))


def _unsaid(config: Config, questions: QuestionSet) -> Iterator[str]:
    """Yield a note where a study of its own says no items, and is asked those of the question set."""
    if config.items or not (config.messages or config.factors):
        return
    asked = ", ".join(name_of(question) for question in questions.questions)
    yield (
        f"items: the experiment says none, so that those of question/{questions.name}.yaml are asked: "
        f"{asked}"
    )


def _asked(
    config: Config, questions: QuestionSet, factors: dict[str, Factor]
) -> tuple[QuestionSet, dict[str, Factor]]:
    """Return the questions, and the factors, among them the items where each is asked alone.

    Raises:
        ConfigError: they cannot be asked so.
    """
    if config.ask == "together":
        return questions, factors
    if config.ask != "each":
        raise ConfigError(f"ask: {config.ask!r}; allowed: together, each")
    ids = [question.id for question in questions.questions]
    wrong = next((id_ for id_ in ids if "_" in id_), None)
    if wrong is not None:
        raise ConfigError(f"ask: each: the item {wrong!r}; allowed: letters, digits and -")
    if any(question.scale for question in questions.questions):
        raise ConfigError("ask: each: a scale is over items of one request; leave scale out")
    if ITEM in factors:
        raise ConfigError(f"ask: each: the items are the factor {ITEM}; rename factors.{ITEM}")
    if config.question.answer == "json":
        raise ConfigError("ask: each: the schema has all items; ask with question.answer=text")
    if str(config.shuffle.items).lower() != "false":
        raise ConfigError("shuffle.items: with ask: each there is one item in a request")
    if isinstance(config.trials, dict):
        raise ConfigError(
            "trials.until: with ask: each most conditions do not have that item: ask: together, or "
            "give trials a number"
        )
    item = Factor(name=ITEM, levels={id_: Level(id=id_) for id_ in ids})
    return replace(questions, each=True), {**factors, ITEM: item}


_ORDERS = {"false": Order.FIXED, "true": Order.RANDOM, "latin": Order.LATIN}


def _shuffle(config: Config, problems: Problems) -> Shuffle:
    orders = []
    for name in ("items", "options"):
        said = str(getattr(config.shuffle, name)).lower()
        good = said in _ORDERS
        problems.check(good, f"shuffle.{name}", f"{said!r}; allowed: true, false, latin")
        orders.append(_ORDERS.get(said, Order.FIXED))
    shuffle = Shuffle(items=orders[0], options=orders[1], seed=config.shuffle.seed)
    problems.check(
        not shuffle or config.question.answer != "json",
        "shuffle",
        "with question.answer=json the schema has one order: ask with question.answer=text",
    )
    return shuffle


def _check_prompt(experiment: Experiment) -> None:
    """Refuse a prompt that names what is not there, and factors that it does not show.

    Raises:
        ConfigError: naming the message.
    """
    first = next(conditions(experiment))
    for variant in Variant:
        render(experiment, first, variant)
    if not experiment.messages:
        return
    named = named_in(
        part for message in experiment.messages for part in (message.content, *message.images)
    )
    for name, factor in experiment.factors.items():
        is_item = name == ITEM and experiment.questions.each
        if name not in named and factor.sends is None and not is_item:
            raise ConfigError(
                f"messages: none names {{{name}}}, so that all {len(factor.levels)} {name}s would be "
                f"asked the same: name it, or leave {name} out of the experiment's defaults"
            )


def _factors_of_files(config: Config, sources: list[Path], problems: Problems) -> dict[str, Factor]:
    """Return the factors whose levels are files of their own, those that have any."""
    personas = [
        _persona(name, config.persona[name], problems)
        for name in (config.personas or list(config.persona))
    ]
    texts = [
        _text(name, config.text[name], sources, problems)
        for name in (config.texts or list(config.text))
    ]
    return {
        name: Factor(
            name=name,
            levels={level.id: level for level in levels},
            main=MAIN_FIELDS[name],
            from_files=True,
        )
        for name, levels in (("persona", personas), ("text", texts))
        if levels
    }


def _persona(name: str, row: PersonaConfig, problems: Problems) -> Level:
    temperature = decimal_of(row.temperature)
    problems.check(
        within(temperature, 0, 5),
        f"persona/{name}.yaml: temperature",
        f"{temperature}; allowed: 0 to 5",
    )
    fields = {"name": row.name, "system": row.system}
    return Level(id=name, fields=fields, kept={"name": row.name}, temperature=temperature)


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
    return options.dialect(provider).structured(questions)


def _model(provider: ProviderConfig, capability: Capability, structured: JsonObject) -> Model:
    """Return the model: what its row says, else what the provider's file says."""
    row = capability.row
    hottest = provider.temperature_max if row.temperature_max is None else row.temperature_max
    return Model(
        provider=provider.name,
        name=provider.model,
        system_role=provider.system_role if row.system_role is None else row.system_role,
        endpoint=row.endpoint,
        sampling=capability.sampling,
        temperature_min=decimal_of(provider.temperature_min),
        temperature_max=decimal_of(hottest),
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
    what = unheard(model, capability)
    if what is not None:
        problems.add(
            f"temperatures={value}",
            f"{what}: send none with temperatures=null, or choose another provider.model",
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
            decimal_of(one) if isinstance(one, int | float) and not isinstance(one, bool) else None
        )
        if number is None or not within(number, model.temperature_min, model.temperature_max):
            problems.add("temperatures", f"{one!r}; {allowed}")
        elif number in found:
            problems.add("temperatures", f"{one} stands twice")
        else:
            found.append(number)
    return tuple(found), False


def _text(name: str, row: TextConfig, sources: list[Path], problems: Problems) -> Level:
    body = ""
    home = next((s for s in sources if (s / "text" / f"{name}.yaml").is_file()), None)
    path = (home or Path("conf")) / "text" / row.file
    where = f"text/{name}.yaml: file"
    modifier = decimal_of(row.temperature_modifier)
    problems.check(
        within(modifier, -5, 5),
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
    return Level(
        id=name,
        fields={"title": row.title, "author": row.author, "year": row.year, "text": body},
        kept={"title": row.title, "author": row.author},
        temperature=modifier,
    )
