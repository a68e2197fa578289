"""Experiment to conditions and trials, each trial with its custom_id."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from itertools import product

from runner.core.custom_id import LEGAL, custom_id
from runner.core.errors import ConfigError
from runner.core.model import ITEM, Condition, Experiment, Stem

BUNDLED_FACTORS = frozenset({"persona", "text"})
"""Factors of files of their own; a study of these alone names every condition after its levels."""
_PLAIN_ID = re.compile(r"[A-Za-z0-9-]+")
_LONGEST_STEM = 40
"""Leaves room for a trial's number and for the tag that some providers' custom_ids carry."""
_DIGEST_DIGITS = 16


def calculated_temperature(experiment: Experiment, levels: Iterable[str]) -> tuple[Decimal, bool]:
    """Add up what the levels of a condition say of the temperature, held to the model's range.

    Returns:
        The temperature, and whether it had to be held.
    """
    pairs = zip(experiment.factors.values(), levels, strict=True)
    wanted = sum((factor.levels[level].temperature for factor, level in pairs), Decimal(0))
    low, high = experiment.model.temperature_min, experiment.model.temperature_max
    held = min(max(wanted, low), high)
    return held, held != wanted


def conditions(experiment: Experiment) -> Iterator[Condition]:
    """Yield every combination of levels × temperature, in the order of the configuration."""
    factors = tuple(experiment.factors)

    def stem_of(levels: tuple[str, ...], temperature: Decimal | None) -> Stem:
        if not experiment.questions.each:
            return _stem(factors, levels, temperature)
        return Stem(f"{_stem(factors[:-1], levels[:-1], temperature)}_{levels[-1]}")

    for levels in combinations(experiment):
        if experiment.temperatures is not None:
            for temperature in experiment.temperatures:
                yield Condition(
                    stem=stem_of(levels, temperature), levels=levels, temperature=temperature
                )
        else:
            yield Condition(
                stem=stem_of(levels, None),
                levels=levels,
                temperature=_temperature_of(experiment, levels),
            )


def _temperature_of(experiment: Experiment, levels: tuple[str, ...]) -> Decimal | None:
    """Return the temperature that the levels of a condition say, where they do."""
    if experiment.calculated:
        return calculated_temperature(experiment, levels)[0]
    return experiment.sent[experiment.sent_key(levels)].temperature if experiment.sent else None


def combinations(experiment: Experiment) -> Iterator[tuple[str, ...]]:
    """Yield the levels that come together, by their ids, the last factor varying fastest."""
    if experiment.questions.each:
        others = {name: f for name, f in experiment.factors.items() if name != ITEM}
        together = replace(experiment.questions, each=False)
        for some in combinations(replace(experiment, factors=others, questions=together)):
            yield from ((*some, item) for item in experiment.factors[ITEM].levels)
        return
    factors, design = experiment.factors, experiment.design
    if design.only is not None:
        yield from design.only
        return
    crossed = [name for name in factors if name not in (*design.paired, *design.between)]
    ids = {name: list(factor.levels) for name, factor in factors.items()}
    chosen = [*crossed, *design.between]
    source = [chosen.index(design.paired.get(name, name)) for name in factors]
    for places in product(*(range(len(ids[name])) for name in crossed)):
        drawn: list[int] = []
        if design.between:
            levels = {name: ids[name][at] for name, at in zip(crossed, places, strict=True)}
            drawn = [assigned(design.seed, name, levels, ids[name]) for name in design.between]
        at = (*places, *drawn)
        yield tuple(ids[name][at[place]] for name, place in zip(factors, source, strict=True))


def assigned(seed: int, factor: str, others: Mapping[str, str], levels: Sequence[str]) -> int:
    """Return the place of the level that a combination of other factors' levels gets.

    It is the one with the highest hash of seed, combination and level. So it depends on nothing but
    these ids: what is asked beside it moves no assignment, and the order of levels is no matter.
    Balance is that of fair and independent draws, as a consequence: of n combinations each of k
    levels gets n/k on average, with a standard deviation of sqrt(n/k * (1 - 1/k)).

    Args:
        seed: of the draw.
        factor: whose levels they are.
        others: the combination, by factor.
        levels: their ids.
    """
    said = [str(seed), factor, *(part for pair in sorted(others.items()) for part in pair)]
    drawn = sha256("".join(f"{len(part)} {part}" for part in said).encode())

    def rank(place: int) -> bytes:
        one = drawn.copy()
        one.update(levels[place].encode())
        return one.digest()

    return max(range(len(levels)), key=rank)


def _stem(names: tuple[str, ...], levels: tuple[str, ...], temperature: Decimal | None) -> Stem:
    """Name a condition after its levels, or by a digest of them where they make no good name.

    It depends on nothing else, so that a condition keeps its name whatever is asked beside it.
    """
    parts = [*levels, *([] if temperature is None else [temperature_part(temperature)])]
    stem = "_".join(parts)
    good = all(map(_PLAIN_ID.fullmatch, levels)) and len(stem) <= _LONGEST_STEM
    if good or BUNDLED_FACTORS.issuperset(names):
        return Stem(stem)
    said = "\0".join([*names, *parts])
    return Stem("c" + sha256(said.encode()).hexdigest()[:_DIGEST_DIGITS])


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
        longest = custom_id(condition.stem, experiment.most_trials)
        if not LEGAL.fullmatch("_" * tag_length + longest):
            raise ConfigError(
                f"custom_id {longest!r} is longer than {64 - tag_length} characters or has others than "
                f"[A-Za-z0-9_-]: shorten the id of {_said(experiment, condition, ' or ')}"
            )
        twin = seen.setdefault(condition.stem, condition)
        if twin is not condition:
            raise ConfigError(
                f"two conditions would share the custom_id {condition.stem}_n01: "
                f"{_said(experiment, twin)}, and {_said(experiment, condition)}: rename one of them"
            )
    return list(seen.values())


def _said(experiment: Experiment, condition: Condition, between: str = " with ") -> str:
    pairs = zip(experiment.factors, condition.levels, strict=True)
    return between.join(f"{name} {level!r}" for name, level in pairs)
