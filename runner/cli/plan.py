"""`action=plan`: what would be sent and what it may cost; opens no socket, writes no file."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from runner.cli.exits import DONE, USER_MISTAKE
from runner.cli.output import labelled, print_json, print_notes, print_table, print_warnings
from runner.cli.phrases import batches, due_line, pilot_line, until_line, usd_range
from runner.cli.phrases import title as title_of_run
from runner.cli.prompt_block import WIDTH, block, harmless, wrapped
from runner.cli.sweep_jobs import SweepJob, notes, over_budget, previewed, title
from runner.config.settings import Settings
from runner.core.cost import Estimate, Price, dollars
from runner.core.outline import CROSSED, Use, shares, together, uses
from runner.run import preflight
from runner.run.preview import (
    Preview,
    RenderedPrompt,
    levels_of,
    outline_facts,
    prompts,
    temperatures,
    way,
)
from runner.run.run import Run

LABEL_WIDTH = 13
UNKNOWN = "unknown"
INDENT = "  "


def of_run(run: Run, *, as_json: bool) -> int:
    """Print what a run would do; return the exit code."""
    preview = preflight.preview(run)
    if as_json:
        print_json(facts(run, preview))
        return DONE
    first, last = prompts(run.settings.experiment, run.conditions)
    print(title_of_run(run))
    _print_rows(_design(run, preview))
    print(f"\n{INDENT}first prompt: {_which(first)}")
    for line in block(first.turns, INDENT):
        print(line)
    longest = "this one" if last == first else f"{_size(last)}: {_which(last)}"
    _print_rows([("its size", _size(first)), ("longest", longest)])
    print()
    _print_rows(_work(run, preview))
    print(f"{INDENT}{labelled('folder', preview.folder, LABEL_WIDTH)}")
    print_notes(preview.warnings, indent=INDENT)
    return DONE


def facts(run: Run, preview: Preview) -> dict[str, Any]:
    """Return all that is said of a run as JSON."""
    shown = outline_facts(run.settings.experiment, run.conditions)
    return {**preflight.plan_facts(run, preview), **shown}


def _print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Print a list with labels; what is too long for a line goes on below."""
    for label, text in rows:
        name = label
        for part in wrapped(text, WIDTH - len(INDENT) - LABEL_WIDTH):
            print(f"{INDENT}{labelled(name, part, LABEL_WIDTH)}".rstrip())
            name = ""


def _design(run: Run, preview: Preview) -> Iterator[tuple[str, str]]:
    """Yield what is varied, how it comes together, and what each factor changes."""
    experiment = run.settings.experiment
    how, where = together(experiment), uses(experiment)
    for name, counts in shares(experiment, run.conditions).items():
        how[name] += f" ({_joined([f'{id_} {count:,}' for id_, count in counts.items()])})"
    for factor, (name, levels) in zip(
        experiment.factors, levels_of(experiment).items(), strict=True
    ):
        yield name, _listed(levels)
        alone = len(how) == 1 and how[factor] == CROSSED
        sends = experiment.factors[factor].sends
        yield "", ("" if alone else f"{how[factor]}; ") + _changes(sends, where[factor])
    yield "temperatures", temperatures(run.settings, run.conditions)
    if preview.until is None:
        yield "trials", f"{experiment.trials:,} of each condition"
    else:
        yield "trials", until_line(preview.until)
    yield "requests", f"{preview.counts.total:,}  in {preview.conditions:,} conditions"
    if preview.until is not None:
        requests, usd_left = preview.at_most
        cost = UNKNOWN if usd_left is None else f"up to {dollars(usd_left)} more"
        yield "at most", f"{requests:,} requests, {cost}; each round is one more time of waiting"


def _changes(sends: str | None, found: Sequence[Use]) -> str:
    """Say what a factor changes in what is sent."""
    sent = f"sends {sends}" if sends else "changes nothing that is first sent"
    if not found:
        return sent
    named = (f"{', '.join(f'{{{name}}}' for name in use.names)} in {use.where}" for use in found)
    return (f"{sent}; " if sends else "") + "changes " + "; ".join(named)


def _which(prompt: RenderedPrompt) -> str:
    levels = ", ".join(f"{name} {level}" for name, level in prompt.levels.items())
    heat = "" if prompt.temperature is None else f", temperature {prompt.temperature}"
    return f"{prompt.custom_id} ({harmless(levels)}{heat})"


def _size(prompt: RenderedPrompt) -> str:
    return f"{prompt.characters:,} characters, about {prompt.tokens:,} tokens"


def _work(run: Run, preview: Preview) -> Iterator[tuple[str, str]]:
    """Yield what was done, what would be, and what it may cost."""
    counts = preview.counts
    answered = counts.success + counts.retry_success
    yield "answered", f"{answered:,}  failed {counts.failed:,}"
    yield "in flight", f"{counts.in_batch:,}"
    yield "to send", f"{preview.to_send:,}  in {batches(preview.batches)}"
    if preview.pilot is not None:
        yield "pilot", pilot_line(preview.pilot)
    yield "sent", way(run.settings, is_late=preview.is_late)
    yield "size", f"{preview.bytes:,} bytes, about {preview.input_tokens:,} input tokens"
    yield "cost", _cost(preview.estimate, preview.price)
    if preview.due is not None:
        yield "deadline", due_line(preview.due.facts, run.now())
    if preview.cost.unknown:
        yield "earlier", str(preview.cost)


def _listed(names: Sequence[str]) -> str:
    return f"{len(names):,}  {_joined(names)}"


def _joined(names: Sequence[str]) -> str:
    more = f" · and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{harmless(' · '.join(names[:_LISTED]))}{more}"


_LISTED = 12


def _cost(estimate: Estimate, price: Price | None) -> str:
    if price is None or estimate.low is None or estimate.high is None:
        return f"{UNKNOWN}: the price of this model is not known"
    return f"{usd_range(estimate.low, estimate.high)}  ({price.source})"


def of_sweep(settings: Sequence[Settings], *, as_json: bool) -> int:
    """Print what every job would send and the sum; return the exit code."""
    jobs = previewed(settings)
    planned = [(job, job.preview) for job in jobs if job.preview is not None]
    known = [preview.estimate for _, preview in planned if preview.estimate.high is not None]
    sums = {
        "to_send": sum(preview.to_send for _, preview in planned),
        "batches": sum(preview.batches for _, preview in planned),
        "cost_usd_low": float(sum((e.low or Decimal(0) for e in known), Decimal(0))),
        "cost_usd_high": float(sum((e.high or Decimal(0) for e in known), Decimal(0))),
        "price_unknown": len(planned) - len(known),
    }
    if as_json:
        told = [{"job": job.name, **facts(job.run, preview)} for job, preview in planned]
        refused = [{"job": name, "why": why} for name, why in _refused(jobs)]
        over = over_budget(jobs)
        print_json({"jobs": [*told, *refused], "totals": sums, "over_budget": over})
        return DONE if planned else USER_MISTAKE
    unknown = f" and {sums['price_unknown']} {UNKNOWN}" if sums["price_unknown"] else ""
    cost = usd_range(sums["cost_usd_low"], sums["cost_usd_high"]) + unknown
    columns = ("job", "requests", "to send", "batches", "cost", "folder")
    total = ("all", "", f"{sums['to_send']:,}", f"{sums['batches']:,}", cost, "")
    print(title(jobs))
    print_table([columns, *(_row(job, preview) for job, preview in planned), total])
    print_notes(notes(jobs))
    print_warnings(f"{name}: {why}" for name, why in _refused(jobs))
    print_warnings([over_budget(jobs)])
    return DONE if planned else USER_MISTAKE


def _refused(jobs: Iterable[SweepJob]) -> Iterator[tuple[str, str]]:
    """Yield the jobs that cannot start, also those of a panel that could not be composed, and why."""
    for job in jobs:
        if job.trouble is not None:
            yield job.name, str(job.trouble)
        yield from job.run.settings.refused


def _row(job: SweepJob, preview: Preview) -> tuple[str, ...]:
    low, high = preview.estimate.low, preview.estimate.high
    return (
        job.name,
        f"{preview.counts.total:,}",
        f"{preview.to_send:,}",
        f"{preview.batches:,}",
        UNKNOWN if low is None or high is None else usd_range(low, high),
        str(preview.folder),
    )
