"""A ledger made again from what the files of a run tell; the one that was there is kept beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.core.model import Batch, Span
from runner.storage import codec
from runner.storage.files import make_folder
from runner.storage.kv import DATABASE, Value
from runner.storage.ledger import Ledger
from runner.storage.lock import holding


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A batch as the files of a run tell of it."""

    batch: Batch
    members: Sequence[Span]
    outcomes: bytes | None


def remake(
    directory: Path,
    experiment: Mapping[str, Any],
    found: Callable[[], tuple[Iterable[Mapping[str, Any]], Iterable[Recovered]]],
    summary: Callable[[Ledger], Mapping[str, Any]],
    *,
    shared: bool = False,
) -> tuple[Ledger, Path | None]:
    """Make a ledger again, whole or not at all; the one that is there is kept beside it.

    Args:
        directory: the run's folder.
        experiment: what identifies the run.
        found: returns its events and batches, once the folder is held; nothing was changed then.
        summary: what the new ledger sums up to.
        shared: as `Ledger.create`.

    Returns:
        The ledger, and where the one before was put; None when there was none.

    Raises:
        LedgerInUse: a runner holds the folder.
    """
    with holding(directory, shared=shared) as hold:
        events, batches = found()
        rows: dict[str, Value] = {}
        for one in batches:
            rows |= codec.batch_rows(one.batch, members=one.members, outcomes=one.outcomes)
        rows |= {
            codec.event_key(number): codec.text_of(event) for number, event in enumerate(events)
        }
        aside = _set_aside(directory)
        ledger = Ledger.made(directory, hold, rows, experiment)
    try:
        ledger.summarise(summary(ledger))
    except BaseException:
        ledger.close()
        raise
    return ledger, aside


def _set_aside(directory: Path) -> Path | None:
    """Move a ledger out of the way; it is kept. None when there is none."""
    found = sorted(directory.glob(f"{DATABASE}*"))
    if not found:
        return None
    number = 1
    while (aside := directory / f"damaged-{number}").exists():
        number += 1
    make_folder(aside, 0o700)
    for path in found:
        path.replace(aside / path.name)
    return aside if (aside / DATABASE).exists() else None
