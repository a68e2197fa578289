"""Experiment to conditions and trials, each trial with its custom_id."""

from collections.abc import Iterator
from decimal import Decimal

from runner.core.custom_id import LEGAL, custom_id
from runner.core.errors import ConfigError
from runner.core.model import Condition, Experiment, Stem


def calculated_temperature(experiment: Experiment, persona: str, text: str) -> tuple[Decimal, bool]:
    """Add the text's modifier to the persona's base, held to the model's range.

    Returns:
        The temperature, and whether it had to be held.
    """
    wanted = experiment.personas[persona].temperature + experiment.texts[text].temperature_modifier
    low, high = experiment.model.temperature_min, experiment.model.temperature_max
    held = min(max(wanted, low), high)
    return held, held != wanted


def conditions(experiment: Experiment) -> Iterator[Condition]:
    """Yield every persona × text × temperature, in the order of the configuration."""
    for persona in experiment.personas:
        for text in experiment.texts:
            stem = f"{persona}_{text}"
            if experiment.temperatures is not None:
                for temperature in experiment.temperatures:
                    yield Condition(
                        stem=Stem(f"{stem}_{temperature_part(temperature)}"),
                        persona=persona,
                        text=text,
                        temperature=temperature,
                    )
            else:
                temperature_or_none = (
                    calculated_temperature(experiment, persona, text)[0]
                    if experiment.calculated
                    else None
                )
                yield Condition(
                    stem=Stem(stem), persona=persona, text=text, temperature=temperature_or_none
                )


def temperature_part(temperature: Decimal) -> str:
    """Write a temperature exactly, in hundredths: 0.7 is temp70, 0.295 is temp29-5."""
    hundredths = (temperature * 100).normalize()
    whole, _, rest = f"{hundredths:f}".partition(".")
    return f"temp{whole.zfill(2)}" + (f"-{rest}" if rest else "")


def checked_conditions(experiment: Experiment, tag_length: int = 0) -> list[Condition]:
    """Return the conditions, after making sure that every custom_id is legal and unique.

    Args:
        experiment: what is asked.
        tag_length: characters of the run's tag, which some providers' custom_ids carry.

    Raises:
        ConfigError: naming the ids that collide or are too long.
    """
    seen: dict[str, Condition] = {}
    for condition in conditions(experiment):
        longest = custom_id(condition.stem, experiment.trials)
        if not LEGAL.fullmatch("_" * tag_length + longest):
            raise ConfigError(
                f"custom_id {longest!r} is longer than {64 - tag_length} characters or has others than "
                f"[A-Za-z0-9_-]: shorten the id of persona {condition.persona!r} "
                f"or text {condition.text!r}"
            )
        twin = seen.setdefault(condition.stem, condition)
        if twin is not condition:
            raise ConfigError(
                f"two conditions would share the custom_id {condition.stem}_n01: persona "
                f"{twin.persona!r} with text {twin.text!r}, and persona {condition.persona!r} "
                f"with text {condition.text!r}: rename one of them"
            )
    return list(seen.values())
