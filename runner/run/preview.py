"""What a run would do, before it does anything: as plain facts for people, programs and the ledger."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.config.options import told
from runner.config.settings import Settings
from runner.core.cost import Estimate, Price, estimate_tokens
from runner.core.custom_id import custom_id
from runner.core.deadline import Deadline
from runner.core.expand import Conditions
from runner.core.images import described
from runner.core.level_table import ids_of
from runner.core.model import Condition, Experiment, Image, Message, Span
from runner.core.outline import first_variant, longest, shares, together, turns, uses
from runner.core.pilot import PilotStanding
from runner.core.prompt import Renderer
from runner.core.request_states import Counts
from runner.core.summary import Cost, totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a run would do, before it does anything."""

    folder: Path
    committed_usd: Decimal
    """Spent already, or reserved by batches at the provider, or for what was lost there."""
    cost: Cost
    """What earlier runs cost, as far as known."""
    counts: Counts
    conditions: int
    batches: int
    to_send: int
    bytes: int
    input_tokens: int
    estimate: Estimate
    price: Price | None
    largest: tuple[int, int, int]
    """The most requests, bytes and input tokens that any one batch has."""
    warnings: tuple[str, ...]
    pilot: PilotStanding | None = None
    """How the requests stand that go first; None: everything goes at once."""
    until: Mapping[str, Any] | None = None
    """How far a stopping rule has come, as `Precision.facts` says it; None: there is none."""
    at_most: tuple[int, Decimal | None] = (0, None)
    """With a stopping rule: the requests that it may come to, and the most US dollars of those
    that are not sent yet."""
    spans: Sequence[Span] = ()
    """What is sent first; what is asked again comes later."""
    due: "Due | None" = None
    """Until when batches are waited for; None: until they end."""

    @property
    def deadline(self) -> Deadline | None:
        """Return until when batches are waited for."""
        return None if self.due is None else self.due.deadline

    @property
    def is_late(self) -> bool:
        """Tell whether all is asked one by one, since a deadline has passed."""
        return self.due is not None and self.due.is_past


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A deadline, and what it comes to."""

    deadline: Deadline
    is_past: bool
    more_usd: Decimal | None
    """At most, in US dollars, beside what batches cost, where all that is open is asked one by one;
    None: unknown."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        more = _number(self.more_usd)
        return {**asdict(self.deadline), "past": self.is_past, "cost_usd_more": more}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPrompt:
    """What is sent in every trial of one condition."""

    custom_id: str
    """Of the first trial."""
    levels: Mapping[str, str]
    """By factor."""
    temperature: Decimal | None
    turns: tuple[Message, ...]
    characters: int
    tokens: int
    """Estimated, of the input."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return what is known of it beside its words, as JSON-ready data."""
        return {
            "custom_id": self.custom_id,
            "levels": dict(self.levels),
            "temperature": _number(self.temperature),
            "characters": self.characters,
            "input_tokens": self.tokens,
        }


def prompts(
    experiment: Experiment, conditions: Sequence[Condition]
) -> tuple[RenderedPrompt, RenderedPrompt]:
    """Return the first prompt that is sent, and the longest one."""
    renderer = Renderer(experiment)

    def rendered(condition: Condition) -> RenderedPrompt:
        said = turns(renderer.render(condition, first_variant(experiment)))
        text = "".join(turn.content for turn in said)
        images = [experiment.images[name] for turn in said for name in turn.images]
        return RenderedPrompt(
            custom_id=custom_id(condition.stem, 1),
            levels=dict(zip(experiment.factors, condition.levels, strict=True)),
            temperature=condition.temperature,
            turns=tuple(with_images(turn, experiment.images) for turn in said),
            characters=len(text),
            tokens=estimate_tokens(text) + sum(image.tokens for image in images),
        )

    return rendered(conditions[0]), rendered(longest(experiment, conditions))


def with_images(turn: Message, images: Mapping[str, Image]) -> Message:
    """Return a turn with a line for each picture above its text, to be shown to people."""
    shown = "".join(f"{described(images[name])}\n" for name in turn.images)
    return replace(turn, content=shown + turn.content)


def outline_facts(experiment: Experiment, conditions: Sequence[Condition]) -> dict[str, Any]:
    """Return the design and the prompts that a plan shows, as JSON-ready facts."""
    first, last = prompts(experiment, conditions)
    how, where = together(experiment), uses(experiment)
    among = shares(experiment, conditions)
    said = [{"role": turn.role, "content": turn.content} for turn in first.turns]
    return {
        "design": [
            {
                "factor": name,
                "levels": len(factor.levels),
                "together": how[name],
                "conditions": among.get(name),
                "sends": factor.sends,
                "changes": [{"where": use.where, "names": list(use.names)} for use in where[name]],
            }
            for name, factor in experiment.factors.items()
        ],
        "prompts": {"first": {**first.facts, "messages": said}, "longest": last.facts},
    }


def facts_of(
    settings: Settings,
    conditions: Conditions,
    preview: Preview,
    *,
    emulated: bool,
    now: float,
) -> dict[str, Any]:
    """Return a preview as JSON-ready facts; amounts in US dollars, unknown ones None."""
    experiment = settings.experiment
    return {
        "experiment": experiment.name,
        "folder": str(preview.folder),
        "at": now,
        "provider": experiment.model.provider,
        "model": experiment.model.name,
        "rehearsal": emulated,
        "way": way(settings, is_late=preview.is_late),
        **({} if preview.due is None else {"deadline": preview.due.facts}),
        "factors": list(_factors(settings, conditions)),
        "conditions": preview.conditions,
        "trials": experiment.trials,
        **totals(preview.counts),
        **({} if preview.pilot is None else {"pilot": preview.pilot.facts()}),
        **({} if preview.until is None else _until(preview, preview.until)),
        "to_send": preview.to_send,
        "batches": preview.batches,
        "bytes": preview.bytes,
        "input_tokens": preview.input_tokens,
        "cost_usd_low": _number(preview.estimate.low),
        "cost_usd_high": _number(preview.estimate.high),
        "prices": preview.price.source if preview.price else None,
        "budget_usd": None if emulated else settings.config.budget.max_usd,
        "committed_usd": float(preview.committed_usd),
        "cost_unknown": preview.cost.unknown,
        "cost_unknown_usd": float(preview.cost.held),
        "limits": list(_limits(settings, preview)),
        "retry": {
            "max_attempts": settings.retry.max_attempts,
            "max_lost": settings.retry.max_lost,
        },
        "notes": list(preview.warnings),
    }


def _until(preview: Preview, until: Mapping[str, Any]) -> dict[str, Any]:
    requests, usd = preview.at_most
    return {"until": until, "total_at_most": requests, "cost_usd_at_most": _number(usd)}


def way(settings: Settings, *, is_late: bool = False) -> str:
    """Say how requests are asked; once a deadline has passed, one by one."""
    provider = settings.config.provider
    tier = told(provider).tier
    price = f"at {tier} prices" if tier else "at full price"
    at_once = f"one by one, {provider.realtime.concurrency} at once, {price}"
    if settings.realtime or is_late:
        return at_once
    again = f"; again: {at_once}" if settings.config.retry.mode == "realtime" else ""
    return told(provider).way(again)


def temperatures(settings: Settings, conditions: Conditions) -> str:
    """Say which temperatures are sent, and where they come from."""
    experiment = settings.experiment
    if experiment.temperatures is not None:
        return ", ".join(str(t) for t in experiment.temperatures)
    values = sorted(t for t in conditions.temperatures if t is not None)
    if not values:
        return "not sent"
    source = "calculated" if experiment.calculated else "by level"
    return f"{source}: " + ", ".join(str(v) for v in values)


def _factors(settings: Settings, conditions: Conditions) -> Iterator[dict[str, Any]]:
    experiment = settings.experiment
    sent = conditions.temperatures - {None}
    named = {
        **levels_of(experiment),
        "temperatures": [temperatures(settings, conditions)],
        "trials": [],
    }
    counts = {"temperatures": max(len(sent), 1), "trials": experiment.trials}
    for name, values in named.items():
        yield {
            "name": name,
            "count": counts.get(name, len(values)),
            "values": [*values[:VALUES_TOLD]],
        }


VALUES_TOLD = 100
"""Levels of a factor that a plan names; the others are counted."""
PLURALS = {"persona": "personas", "text": "texts"}


def levels_of(experiment: Experiment) -> dict[str, Sequence[str]]:
    """Return the levels of each factor as they are called, by what the factor is called."""
    return {
        PLURALS.get(name, name): (
            [str(next(iter(level.kept.values()))) for level in factor.levels.values()]
            if factor.from_files
            else ids_of(factor.levels)
        )
        for name, factor in experiment.factors.items()
    }


def _limits(settings: Settings, preview: Preview) -> Iterator[dict[str, Any]]:
    """Yield how near the plan comes to each of the provider's limits, the nearest first."""
    limits, (requests, size, tokens) = settings.limits, preview.largest
    found = [
        ("requests in a batch", requests, limits.requests),
        ("bytes in a batch", size, limits.bytes),
        ("input tokens of a batch, of what may wait there", tokens, limits.enqueued_tokens),
        ("batches, of what may wait there", preview.batches, limits.batches_in_flight),
    ]
    known = [(name, value, limit) for name, value, limit in found if limit]
    if settings.realtime or preview.is_late:
        return
    for name, value, limit in sorted(known, key=lambda row: -row[1] / row[2]):
        yield {"name": name, "value": value, "limit": limit}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
