"""Levels of factors, as tests change them."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from runner.core.model import Experiment, Level


def levels(experiment: Experiment, factor: str) -> Mapping[str, Level]:
    """Return the levels of a factor by id."""
    return experiment.factors[factor].levels


def only_levels(experiment: Experiment, factor: str, some: Mapping[str, Level]) -> Experiment:
    """Return the experiment with other levels of one factor."""
    other = replace(experiment.factors[factor], levels=some)
    return replace(experiment, factors={**experiment.factors, factor: other})


def changed_level(
    experiment: Experiment,
    factor: str,
    id_: str,
    temperature: Decimal | None = None,
    **fields: str,
) -> Experiment:
    """Return the experiment with one level changed, in the tables as well."""
    level = levels(experiment, factor)[id_]
    changed = replace(
        level,
        fields={**level.fields, **fields},
        kept={name: fields.get(name, value) for name, value in level.kept.items()},
        temperature=level.temperature if temperature is None else temperature,
    )
    return only_levels(experiment, factor, {**levels(experiment, factor), id_: changed})
