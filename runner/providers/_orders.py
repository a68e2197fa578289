"""Which batches on a service's list were made of an order, and which of several of them to take."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from runner.core.errors import ProviderUndecided
from runner.core.model import Batch, RemoteId
from runner.core.twins import Made


def labels_of(batch: Batch) -> dict[str, str] | None:
    """Return the labels that tell one sending of a batch; None when the order had none."""
    experiment = batch.handle.get("experiment")
    if experiment is None:
        return None
    return {"experiment": experiment, "batch": f"{batch.key}-{batch.send}"}


def is_of(batch: Batch, inputs: Collection[Any], labels: Any) -> bool:
    """Tell whether a batch on the list was made from our input, or carries our labels.

    A gateway may show another name for the input. A label names the sending, too: what an earlier
    one of the same requests became is known, and is not this one.

    Args:
        batch: ours.
        inputs: what the one on the list was made from, as the service says.
        labels: its labels, as the service says.
    """
    known = batch.handle.get("input_file_id")
    if known is not None and known in inputs:
        return True
    experiment = batch.handle.get("experiment")
    if not isinstance(labels, dict) or experiment is None:
        return False
    key, _, send = str(labels.get("batch")).partition("-")
    is_this_sending = known is None or send == str(batch.send)
    return labels.get("experiment") == experiment and key == batch.key and is_this_sending


def made_of(
    batch: Batch,
    alive: Mapping[str, Any],
    rank: Callable[[Any], tuple[int, int]],
    inputs_of: Callable[[Any], Collection[Any]],
) -> Made:
    """Choose which of the batches of an order to take, and tell which others are from its input.

    Args:
        batch: the order.
        alive: the batches that are of it, at least one.
        rank: how far one is, and then how little it has answered; the lowest is taken.
        inputs_of: what one was made from.
    """
    taken = min(alive, key=lambda remote: (*rank(alive[remote]), remote != batch.remote))
    inputs = {batch.handle.get("input_file_id"), *inputs_of(alive[taken])}
    others = [remote for remote in alive if remote != taken]
    twins = [remote for remote in others if inputs.intersection(inputs_of(alive[remote]))]
    apart = [remote for remote in others if remote not in twins]
    return Made(RemoteId(taken), tuple(twins), tuple(apart))


def input_of(batch: Batch) -> str:
    """Return what names the input of an order at the service.

    Raises:
        ProviderUndecided: it is not known any more, so that it cannot be taken away.
    """
    file_id = batch.handle.get("input_file_id")
    if file_id is None:
        raise without_input(batch)
    return file_id


def without_input(batch: Batch) -> ProviderUndecided:
    """Return the error of an order that cannot be made harmless, because its input is not known."""
    return ProviderUndecided(
        "it is not on the list, and its input is not known any more, so that it cannot be "
        f"taken away: if it was surely never ordered, action=abandon batch={batch.key}",
        (),
    )


def custom_ids_in(path: Path) -> set[str]:
    """Return the custom_ids in a file of request lines, with their tag."""
    with path.open("rb") as requests:
        return {line.split(b'"', 4)[3].decode() for line in requests}
