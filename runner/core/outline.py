"""What a design varies, and where: for people who look before anything is sent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.core.expand import Conditions
from runner.core.level_table import LevelTable, ids_of
from runner.core.model import ITEM, Condition, Enhance, Experiment, Factor, Message, Prompt, Variant
from runner.core.prompt import ASKED, SHORT_FORMS, alone, asked_of, placeholders

SYSTEM = "the system message"
BETWEEN = "between: one level for each combination of the others"
CROSSED = "crossed"
"""How a factor of which a design says nothing comes together with the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Where a factor changes what is sent."""

    where: str
    """A message, as `messages[0] (user)`, or a wording, as `question.plain`."""
    names: tuple[str, ...]
    """What is filled in there, as `review.body`."""


def first_variant(experiment: Experiment) -> Variant:
    """Return the wording with which a request is asked first."""
    return Variant.ENHANCED if experiment.enhance is Enhance.ALWAYS else Variant.PLAIN


def uses(experiment: Experiment) -> dict[str, list[Use]]:
    """Return, for each factor, where it changes what is first sent."""
    found: dict[str, list[Use]] = {name: [] for name in experiment.factors}
    for where, names in (*_said(experiment), *_shown(experiment)):
        of_factor: dict[str, list[str]] = {}
        for name in dict.fromkeys(names):
            factor = "text" if name in SHORT_FORMS else name.partition(".")[0]
            factor = ITEM if name in ASKED and experiment.questions.each else factor
            of_factor.setdefault(factor, []).append(name)
        for factor, own in of_factor.items():
            if factor in found:
                found[factor].append(Use(where=where, names=tuple(own)))
    return found


def nameable(experiment: Experiment) -> list[str]:
    """Return what a prompt may name: factors, the fields that are known of them, and the questions."""
    names = [*ASKED, *(SHORT_FORMS if "text" in experiment.factors else ())]
    for factor in experiment.factors.values():
        level = next(iter(factor.levels.values()))
        fields = dict.fromkeys([*level.fields, *level.kept])
        names += [factor.name, *(f"{factor.name}.{field}" for field in fields)]
    return names


def together(experiment: Experiment) -> dict[str, str]:
    """Say of each factor how its levels come together with those of the others."""
    design = experiment.design
    if design.only is not None:
        return dict.fromkeys(experiment.factors, "as the table of conditions says")
    return {
        **dict.fromkeys(experiment.factors, CROSSED),
        **{name: f"along with {other}" for name, other in design.paired.items()},
        **dict.fromkeys(design.between, BETWEEN),
    }


def shares(experiment: Experiment, conditions: Sequence[Condition]) -> dict[str, dict[str, int]]:
    """Return, for each factor that is varied between, how many conditions each level has."""
    found = {}
    for place, (name, factor) in enumerate(experiment.factors.items()):
        if name in experiment.design.between:
            counts = Counter(condition.levels[place] for condition in conditions)
            found[name] = {id_: counts[id_] for id_ in factor.levels}
    return found


def longest(experiment: Experiment, conditions: Sequence[Condition]) -> Condition:
    """Return the condition with the longest prompt, by the lengths of what is filled in.

    The rest of a prompt is the same for all of them, so that none has to be rendered.
    """
    named = Counter(name for _, names in _said(experiment) for name in names)
    lengths = [_lengths(factor, named) for factor in experiment.factors.values()]
    if experiment.questions.each:
        for place, one in enumerate(alone(experiment.questions)):
            asked = asked_of(one)
            lengths[-1][place] += sum(len(asked[n]) * named[n] for n in ASKED)
    if isinstance(conditions, Conditions) and conditions.is_crossed:
        return conditions.crossing(max(range(len(of)), key=of.__getitem__) for of in lengths)
    known = [
        dict(zip(ids_of(factor.levels), of, strict=True))
        for factor, of in zip(experiment.factors.values(), lengths, strict=True)
    ]
    return max(
        conditions,
        key=lambda condition: sum(
            of_level[level] for of_level, level in zip(known, condition.levels, strict=True)
        ),
    )


def _lengths(factor: Factor, named: Mapping[str, int]) -> list[int]:
    """Return how many characters each level of a factor fills in, where names stand so often."""
    of_id, of_fields = 0, Counter[str]()
    for name, count in named.items():
        of, dot, field = name.partition(".")
        if factor.name == "text" and name in SHORT_FORMS:
            of_fields[name] += count
        elif of == factor.name and (dot or factor.main is not None):
            of_fields[field or factor.main or ""] += count
        elif of == factor.name:
            of_id += count
    levels = factor.levels
    if isinstance(levels, LevelTable):
        found = [of_id * len(id_) for id_ in levels.ids] if of_id else [0] * len(levels)
        for field, count in of_fields.items():
            column = levels.fields[field]
            found = [size + len(text) * count for size, text in zip(found, column, strict=True)]
        return found
    counts = tuple(of_fields.items())
    return [
        of_id * len(level.id) + sum(len(level.fields[field]) * count for field, count in counts)
        for level in levels.values()
    ]


def turns(prompt: Prompt) -> list[Message]:
    """Return all that is said in a prompt, in the order in which it is sent."""
    system = [] if prompt.system is None else [Message(role="system", content=prompt.system)]
    return [*system, *prompt.conversation]


def _said(experiment: Experiment) -> Iterator[tuple[str, list[str]]]:
    """Yield what is sent, piece by piece: where it is written, and what is filled in, in order."""
    for place, message in enumerate(experiment.messages):
        yield f"messages[{place}] ({message.role})", list(placeholders(message.content))
    if not experiment.messages:
        variant = first_variant(experiment)
        if "persona" in experiment.factors:
            yield SYSTEM, ["persona"]
        yield f"question.{variant}", list(placeholders(experiment.questions.templates[variant]))


def _shown(experiment: Experiment) -> Iterator[tuple[str, list[str]]]:
    """Yield the pictures that are sent: where one is written, and what is filled in."""
    for place, message in enumerate(experiment.messages):
        for number, entry in enumerate(message.images):
            yield f"messages[{place}].images[{number}]", list(placeholders(entry))
