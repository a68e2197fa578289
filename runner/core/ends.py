"""The end of a batch: do the provider's counts and its result files say the same? Pure.

An answer that is in no file is paid for all the same when the file was cut, or comes later. So
nothing is taken for lost while anything says that more is there: a count, a line that cannot be
read, or an end that brought nothing at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runner.core.model import Batch
from runner.core.states import Outcome


class End(StrEnum):
    """What may be concluded from one look at the result files."""

    WHOLE = "whole"
    """Every request has a line, or the provider says that the others never ran."""
    UNPROVEN = "unproven"
    """Some requests have none, and no count says whether they should: time has to tell."""
    CONTRADICTED = "contradicted"
    """More was answered than the files hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the result files of a batch hold."""

    answered: int
    """Requests with an answer, readable or not."""
    failed: int
    """Requests with a line that says why there is none."""
    unrun: int = 0
    """Requests with a line that says that they expired, or were cancelled; some count these as failed."""
    unread: int = 0
    """Lines that may be one of ours: broken ones, and answers to another prompt."""
    others: int = 0
    """Lines under custom_ids that are not ours."""
    short: str | None = None
    """Which file came shorter than the provider's record of it says."""

    @property
    def lines(self) -> int:
        """Requests that have a line."""
        return self.answered + self.failed + self.unrun


_ANSWERED = {Outcome.VALID, Outcome.INVALID, Outcome.UNREADABLE}
_UNRUN = {Outcome.EXPIRED, Outcome.CANCELLED}
_UNREAD = ("unreadable", "oversize", "misplaced")


def found_in(
    tally: Mapping[str, int],
    missing: int,
    rest: str,
    notices: Mapping[str, int],
    *,
    short: str | None = None,
) -> Found:
    """Return what a reading found.

    Args:
        tally: requests by outcome; those in no file count there as `rest`.
        missing: how many those are.
        rest: their outcome.
        notices: oddities of the files.
        short: which file came shorter than its record says.
    """
    lines = {**tally, rest: tally.get(rest, 0) - missing}
    answered = sum(lines.get(outcome.value, 0) for outcome in _ANSWERED)
    unrun = sum(lines.get(outcome.value, 0) for outcome in _UNRUN)
    return Found(
        answered=answered,
        failed=sum(lines.values()) - answered - unrun,
        unrun=unrun,
        unread=sum(notices.get(name, 0) for name in _UNREAD),
        others=notices.get("unknown", 0),
        short=short,
    )


def judge(batch: Batch, found: Found) -> End:
    """Compare what the provider counts with what its files hold.

    `completed` and `failed` are counts of lines: of answers, and of whatever else a request came to
    that has a line. Counts that are absent, or smaller than what is there, prove nothing.
    """
    if found.lines >= batch.count or batch.realtime:  # what was asked here was noted here
        return End.WHOLE
    if found.unread or found.short or _lacks(batch, found):
        return End.CONTRADICTED
    broken_off = batch.rest != Outcome.MISSING
    if not found.lines and (found.others or not broken_off):
        return End.CONTRADICTED
    agreed = batch.completed == found.answered
    agreed &= batch.failed in (found.failed, found.failed + found.unrun)
    return End.WHOLE if broken_off and agreed and found.lines else End.UNPROVEN


def _lacks(batch: Batch, found: Found) -> bool:
    """Tell whether more was counted than is there, answers with answers and the others with them."""
    fewer_answers = found.answered < (batch.completed or 0)
    return fewer_answers or found.failed + found.unrun < (batch.failed or 0)


def contradiction(batch: Batch, found: Found) -> str:
    """Say in a few words what contradicts what, or what is lacking."""
    if found.lines == 0 and (found.others or found.unread):
        return (
            f"the result files of {batch.remote} hold no answer to this batch's requests, but "
            f"{_lines(found.others + found.unread)} of something else: it may be another batch"
        )
    if found.short:
        says = found.short
    elif _lacks(batch, found):
        says = f"the provider counts {_told(batch.completed, batch.failed)}"
    else:
        says = f"the provider says {batch.remote_state} of {batch.count:,} requests"
    held = _told(found.answered, found.failed + found.unrun)
    holds = f"its files hold {held}" if batch.files else "it names no result file"
    unread = f", and {_lines(found.unread)} that cannot be read" if found.unread else ""
    return f"{says}, {holds}{unread}"


def _told(answered: int | None, failed: int | None) -> str:
    counts = ((answered, "answered"), (failed, "failed"))
    return " and ".join(f"{count:,} {name}" for count, name in counts if count) or "none"


def _lines(count: int) -> str:
    return f"{count:,} line" + ("" if count == 1 else "s")


def way_out(batch: Batch, found: int) -> str:
    """Say what the user can do about a batch that is held, of which so many answers are here."""
    rest = f": the {found:,} that are here stay, the others are asked again" if found else ""
    return f"run again to look again, or give it up with action=abandon batch={batch.key}{rest}"


def held_up(batches: tuple[Batch, ...]) -> str | None:
    """Say in one line which batches are held, and why; None when none is."""
    held = [batch for batch in batches if batch.is_held]
    if not held:
        return None
    more = f" (and {len(held) - 1:,} more: action=status shows them)" if len(held) > 1 else ""
    return f"{held[0].key}: {held[0].error}{more}"
