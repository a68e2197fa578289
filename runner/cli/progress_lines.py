"""What is said of runs while they go on, a line each."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from runner.cli import phrases
from runner.cli.phrases import counters, seconds
from runner.core.cost import dollars
from runner.core.model import Batch
from runner.core.plan import committed
from runner.core.states import FINAL_STATES
from runner.core.summary import cost_of, shown_state, totals
from runner.run.run_state import Snapshot

BATCHES_SHOWN = 12

_SAID = {
    "packed": "written, {requests:,} requests",
    "accepted": "accepted by the provider as {remote}",
    "deferred": "not now; it is sent again later",
    "absent": "was never ordered; its requests are prepared again",
    "refused": "refused",
    "progress": "the provider says {remote_state}",
    "cancel": "cancelled by you",
    "deadline": "cancelled: the deadline has passed",
    "end": "over at the provider: {remote_state}",
    "collect": "collected: {answers}",
    "fenced": "its input is taken away, so that a late order cannot run",
    "not found yet": "the provider does not list it yet; looking again",
    "submit failed": "no clear reply: it may have been ordered, so the provider is asked",
    "repeat": "its order got no reply and is repeated under the same token; that makes nothing twice",
    "poll failed": "could not be asked; asking again",
    "find failed": "the provider's list could not be read; asking again",
    "fence failed": "its input could not be taken away; trying again",
    "twins": "was made more than once",
    "seek failed": "could not be looked for under other names",
    "undecided": "UNKNOWN: it is not sent again",
    "unsettled": "does not add up; looking again",
    "held": "HELD: nothing of it is asked again",
    "collect failed": "its answers could not be fetched; fetching again",
    "fetched again": "its result files were gone and are fetched again",
    "fetch failed": "its result files are gone and could not be fetched again",
    "cancel failed": "could not be cancelled; trying again",
    "stage failed": "the upload was cut short; looking whether it arrived",
}
"""What an event means to the person who waits; steps that are not listed are not worth a line."""


def event_line(event: Mapping[str, Any]) -> str | None:
    """Return one event on one line; None when it is not worth one."""
    template = _SAID.get(event["event"])
    if template is None and not event["error"]:
        return None
    answers = ", ".join(f"{count:,} {name}" for name, count in event["tally"].items())
    said = (template or event["event"]).format_map({**event, "answers": answers or "nothing"})
    at = time.strftime("%H:%M:%S", time.localtime(event["at"]))
    reason = f" - {event['error']}" if event["error"] else ""
    return f"{at} {event['batch']} {said}{reason}"


def counts_line(snapshot: Snapshot) -> str:
    """Return the five counters and the cost on one line."""
    counts = totals(snapshot.counts)
    total = counts.pop("total")
    cost = cost_of(snapshot.batches)
    spent = f"{cost} spent" if cost.spent is not None else str(cost)
    return (
        f"{total - counts['open']:,}/{total:,}  {counters(counts)}  "
        f"{spent}, {dollars(committed(snapshot.batches))} with what runs"
    )


def progress_line(snapshot: Snapshot) -> str:
    """Return the progress on one line, with the next look at the provider."""
    active = [b for b in snapshot.batches if b.state not in FINAL_STATES]
    parts = [counts_line(snapshot)]
    if active:
        wait = max(min(b.next_at for b in active) - time.time(), 0)
        parts.append(f"{phrases.batches(len(active))} open, next look in {seconds(wait)}")
    return "  ".join([*parts, *asides(snapshot)])


def asides(snapshot: Snapshot) -> list[str]:
    """Return what is to be said beside the counters."""
    until = None if snapshot.until is None else f"trials: {phrases.until_line(snapshot.until)}"
    due = _about_the_deadline(snapshot)
    said = (snapshot.doing, _about_the_pilot(snapshot), until, due, snapshot.held, snapshot.halted)
    return [line for line in said if line]


def _about_the_deadline(snapshot: Snapshot) -> str | None:
    if snapshot.deadline is None or not snapshot.counts.open:
        return None
    return f"deadline: {phrases.due_line(asdict(snapshot.deadline), time.time())}"


def _about_the_pilot(snapshot: Snapshot) -> str | None:
    pilot = snapshot.pilot
    if pilot is None or pilot.passed or pilot.failed:
        return None
    return f"pilot: {phrases.pilot_line(pilot)}"


def how_far(batch: Batch) -> str:
    """Say how many requests of a batch are done; some providers tell only when it has ended."""
    if batch.completed is not None:
        return f"{batch.completed:,}/{batch.count:,}"
    return "" if batch.polled_at is None else "no progress reported"


def batch_lines(batches: tuple[Batch, ...], now: float) -> Iterator[str]:
    """Yield a line for each batch that is not over, oldest first."""
    active = [b for b in batches if b.state not in FINAL_STATES]
    for batch in active[:BATCHES_SHOWN]:
        said = batch.remote_state or "-"
        wait = max(batch.next_at - now, 0)
        line = (
            f"{batch.key}  {shown_state(batch):<10} {said:<12} {how_far(batch):>20}  "
            f"next in {wait:3.0f} s"
        )
        yield f"{line}  {batch.error}" if batch.error else line
    if len(active) > BATCHES_SHOWN:
        yield f"and {len(active) - BATCHES_SHOWN} more"
