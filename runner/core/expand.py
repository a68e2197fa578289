"""Experiment to conditions and trials, each trial with its custom_id."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from itertools import product
from math import prod
from typing import Any, overload

from runner.core.custom_id import LEGAL, LONGEST, custom_id
from runner.core.errors import ConfigError
from runner.core.level_table import ids_of, is_warm, longest_of
from runner.core.model import ITEM, Condition, Experiment, Stem
from runner.core.numbered import Numbered

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


class Conditions(Sequence[Condition]):
    """Every combination of levels × temperature, in the order of the configuration.

    Each is put together when it is asked for; of what is only crossed not even the combinations are
    kept.
    """

    def __init__(self, experiment: Experiment) -> None:
        """Look at how many there are."""
        self._experiment = experiment
        factors, design = experiment.factors, experiment.design
        self._names = tuple(factors)
        self._ids = [ids_of(factor.levels) for factor in factors.values()]
        self._heats = experiment.temperatures
        self._warm = _Warmth(experiment)
        crossed = [n for n in factors if n not in design.paired]
        self._listed = (
            list(combinations(experiment)) if design.only is not None or design.between else None
        )
        sizes = [len(factors[name].levels) for name in crossed]
        self._steps = (
            [
                (prod(sizes[at + 1 :]), sizes[at])
                for at in (crossed.index(design.paired.get(name, name)) for name in factors)
            ]
            if self._listed is None
            else []
        )
        self._count = prod(sizes) if self._listed is None else len(self._listed)
        self._count *= 1 if self._heats is None else len(self._heats)
        lengths = [longest_of(factor.levels, _PLAIN_ID) for factor in factors.values()]
        if self._heats:
            lengths.append(max(len(temperature_part(heat)) for heat in self._heats))
        known = [length + 1 for length in lengths if length is not None]
        self._is_plain = len(known) == len(lengths) and sum(known) <= _LONGEST_STEM + 1
        alone = self._is_plain and self._listed is None and self._heats is None
        ids = self._ids[0] if alone and len(self._ids) == 1 else None
        self.names = Numbered(_Stems(self) if ids is None else ids)

    @property
    def is_sound(self) -> bool:
        """Tell whether no two have one name, as their ids alone say."""
        heats = self._heats or ()
        return self._is_plain and self._listed is None and len({*heats}) == len(heats)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    @overload
    def __getitem__(self, number: int) -> Condition: ...
    @overload
    def __getitem__(self, number: slice) -> list[Condition]: ...
    def __getitem__(self, number: int | slice) -> Condition | list[Condition]:
        """Return one, or some."""
        if isinstance(number, slice):
            return [self[at] for at in range(*number.indices(self._count))]
        levels, heat = self._at(number if number >= 0 else number + self._count)
        temperature = self._warm.at(levels) if self._heats is None else heat
        return Condition(stem=self._stem(levels, heat), levels=levels, temperature=temperature)

    def stem(self, number: int) -> Stem:
        """Return the name of one."""
        return self._stem(*self._at(number))

    @property
    def is_crossed(self) -> bool:
        """Tell whether every level comes together with every other."""
        return self._listed is None and not self._experiment.design.paired

    def crossing(self, places: Iterable[int]) -> Condition:
        """Return the first one with these levels, where all are crossed."""
        number = sum(at * step for at, (step, _) in zip(places, self._steps, strict=True))
        return self[number * (1 if self._heats is None else len(self._heats))]

    @property
    def temperatures(self) -> set[Decimal | None]:
        """Return those that are sent."""
        if self._heats is not None:
            return set(self._heats)
        if self._warm.is_constant:
            return {self[0].temperature}
        return {condition.temperature for condition in self}

    def twins(self) -> tuple[int, int] | None:
        """Return the numbers of two that would have one name; None where all differ."""
        return None if self.is_sound else self.names.twins()

    def _at(self, number: int) -> tuple[tuple[str, ...], Decimal | None]:
        if not 0 <= number < self._count:
            raise IndexError(number)
        heat = None
        if self._heats is not None:
            number, at = divmod(number, len(self._heats))
            heat = self._heats[at]
        if self._listed is not None:
            return self._listed[number], heat
        if len(self._ids) == 1:
            return (self._ids[0][number],), heat
        places = [number // step % size for step, size in self._steps]
        return tuple(ids[at] for ids, at in zip(self._ids, places, strict=True)), heat

    def _stem(self, levels: tuple[str, ...], heat: Decimal | None) -> Stem:
        if self._is_plain and heat is None:
            return Stem("_".join(levels))
        if not self._experiment.questions.each:
            return _stem(self._names, levels, heat)
        return Stem(f"{_stem(self._names[:-1], levels[:-1], heat)}_{levels[-1]}")


class ByStem(Mapping[Stem, Condition]):
    """Conditions by their names."""

    def __init__(self, conditions: Conditions) -> None:
        """Use conditions of which no two have one name."""
        self._conditions = conditions

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._conditions)

    def __iter__(self) -> Iterator[Stem]:
        """Yield the names."""
        return map(Stem, self._conditions.names)

    def __contains__(self, stem: object) -> bool:
        """Tell whether there is one of that name."""
        return isinstance(stem, str) and self._conditions.names.find(stem) is not None

    def __getitem__(self, stem: Stem) -> Condition:
        """Return one."""
        number = self._conditions.names.find(stem)
        if number is None:
            raise KeyError(stem)
        return self._conditions[number]


class _Stems(Sequence[str]):
    """The names of conditions, by their numbers."""

    def __init__(self, of: Conditions) -> None:
        self._of = of

    def __len__(self) -> int:
        return len(self._of)

    def __getitem__(self, number: Any) -> Any:
        return self._of.stem(number)


class _Warmth:
    """What levels say of the temperature; most factors say nothing."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        factors = enumerate(experiment.factors.values())
        self._places = [place for place, factor in factors if is_warm(factor.levels)]
        self._known: dict[tuple[str, ...], Decimal] = {}

    @property
    def is_constant(self) -> bool:
        """Tell whether all conditions have the same one."""
        return not self._places and not (self._experiment.sent and not self._experiment.calculated)

    def at(self, levels: tuple[str, ...]) -> Decimal | None:
        """Return the temperature of a condition, where its levels decide it."""
        experiment = self._experiment
        if not experiment.calculated:
            sent = experiment.sent
            return sent[experiment.sent_key(levels)].temperature if sent else None
        key = tuple(levels[place] for place in self._places)
        if key not in self._known:
            self._known[key] = calculated_temperature(experiment, levels)[0]
        return self._known[key]


def may_be_held(experiment: Experiment) -> bool:
    """Tell whether a calculated temperature may be out of the model's range."""
    model = experiment.model
    warm = any(is_warm(factor.levels) for factor in experiment.factors.values())
    return warm or not model.temperature_min <= 0 <= model.temperature_max


def conditions(experiment: Experiment) -> Iterator[Condition]:
    """Yield every combination of levels × temperature, in the order of the configuration."""
    return iter(Conditions(experiment))


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


def checked_conditions(experiment: Experiment, tag_length: int = 0) -> Conditions:
    """Return the conditions, after making sure that every custom_id is legal and unique.

    Args:
        experiment: what is asked.
        tag_length: characters of the run's tag, which some providers' custom_ids carry.

    Raises:
        ConfigError: naming the ids that collide or are too long.
    """
    found = Conditions(experiment)
    most = experiment.most_trials
    if found.is_sound and _LONGEST_STEM + len(custom_id(Stem(""), most)) + tag_length <= LONGEST:
        return found
    for condition in found:
        longest = custom_id(condition.stem, most)
        if not LEGAL.fullmatch("_" * tag_length + longest):
            raise ConfigError(
                f"custom_id {longest!r} is longer than {64 - tag_length} characters or has others than "
                f"[A-Za-z0-9_-]: shorten the id of {_said(experiment, condition, ' or ')}"
            )
    if twins := found.twins():
        twin, condition = (found[number] for number in twins)
        raise ConfigError(
            f"two conditions would share the custom_id {condition.stem}_n01: "
            f"{_said(experiment, twin)}, and {_said(experiment, condition)}: rename one of them"
        )
    return found


def _said(experiment: Experiment, condition: Condition, between: str = " with ") -> str:
    pairs = zip(experiment.factors, condition.levels, strict=True)
    return between.join(f"{name} {level!r}" for name, level in pairs)
