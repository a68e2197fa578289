"""Where a run lives: the folder that was asked exactly this, or a new one beside it."""

import re
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from runner.core.definition import differences
from runner.core.errors import LedgerDamaged, LedgerOfAnotherExperiment
from runner.storage.reader import LedgerReader, exists, experiment_beside


def locate(
    base: Path,
    variant: str | None,
    definition: Callable[[], dict[str, Any]],
    taken: Collection[Path],
    *,
    fork: bool,
    sending: bool,
) -> Path:
    """Return the folder of a definition: the first that fits, or a new one.

    Args:
        base: the folder's usual place.
        variant: names the folder where other jobs of a sweep ask the same model something else.
        definition: says what is asked; it is not needed where nothing is there yet.
        taken: folders of other definitions, not to be chosen.
        fork: whether a new folder may be started beside one that was asked something else.
        sending: whether something may be sent; then a folder that does not fit is refused.

    Raises:
        LedgerOfAnotherExperiment: prompts, texts or parameters changed; names them.
    """
    new = base if variant is None else base.with_name(f"{base.name}_{variant}")
    others: list[tuple[int, Path, list[str]]] = []
    for folder in _siblings(base, new):
        there, ours = definition_in(folder), definition()
        if there["model"]["name"] != ours["model"]["name"]:
            continue
        changes = differences(there, ours)
        if not changes and folder not in taken:
            return folder
        others.append((len(changes), folder, changes))
    new_variant = variant is not None and not exists(new)
    if new_variant or not others or (sending and fork):
        number = 1
        while exists(folder := _numbered(new, number)):
            number += 1
        return folder
    if not sending:
        return new
    _, nearest, changes = min(others, key=lambda other: other[0])
    raise LedgerOfAnotherExperiment(
        f"{nearest} was asked something else: {'; '.join(changes[:4])}"
        + (f"; and {len(changes) - 4} more" if len(changes) > 4 else "")
        + ". Answers to different questions are never mixed: choose another name=…, "
        "or start a folder beside it with fork=true"
    )


def definition_in(folder: Path) -> dict[str, Any]:
    """Return what was asked in a folder; where its ledger is lost, by the file beside it.

    Raises:
        LedgerDamaged: neither can be read.
    """
    try:
        with closing(LedgerReader(folder)) as reader:
            definition: dict[str, Any] = reader.experiment()["definition"]
    except LedgerDamaged:
        definition = experiment_beside(folder)["definition"]
    return definition


def _numbered(base: Path, number: int) -> Path:
    return base if number == 1 else base.with_name(f"{base.name}-{number}")


def _siblings(base: Path, new: Path) -> list[Path]:
    """Return the folders of one provider and model that were started, the likeliest first."""
    name = re.compile(rf"{re.escape(base.name)}(_[0-9a-f]{{8}})?(?:-([0-9]+))?")
    if not base.parent.is_dir():
        return []
    found = []
    for folder in base.parent.iterdir():
        match = name.fullmatch(folder.name)
        if match is not None and exists(folder):
            likely = folder.name != new.name, match[1] is not None, match[1] or ""
            found.append((*likely, int(match[2] or 1), folder))
    return [folder for *_, folder in sorted(found)]
