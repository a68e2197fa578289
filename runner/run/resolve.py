"""What a user decides of a batch in doubt: it is that one, or it is given up."""

from dataclasses import replace

from runner.core.errors import ConfigError
from runner.core.model import Batch, RemoteId
from runner.core.states import BATCH_TABLE, BatchEvent, BatchState, next_state


def adopted(batch: Batch, remote: str | None, now: float) -> Batch:
    """Return a doubtful batch as the one that the provider calls `remote`.

    Raises:
        ConfigError: it is not in doubt, or which of the candidates it is was not said.
    """
    if batch.state is not BatchState.SUBMITTING:
        raise ConfigError(
            f"batch={batch.key}: it is {batch.state}, not in doubt: there is nothing to adopt"
        )
    if remote is None and len(batch.candidates) != 1:
        known = f", as one of {', '.join(batch.candidates)}" if batch.candidates else ""
        raise ConfigError(
            f"batch={batch.key}: which of the provider's batches is it? add remote=…{known}"
        )
    return replace(
        batch,
        state=next_state(batch.state, BatchEvent.ACCEPTED),
        remote=RemoteId(remote or batch.candidates[0]),
        candidates=(),
        adopted=True,
        accepted_at=now,
        tries=0,
        error=None,
    )


def abandoned(batch: Batch, now: float) -> Batch:
    """Return a batch given up: its requests are free again, and its reserve stays spent.

    Answers that are here already stay: then it is only not waited for what its files lack.

    Raises:
        ConfigError: there is nothing at the provider that could be given up.
    """
    if BatchEvent.ABANDON not in BATCH_TABLE[batch.state]:
        raise ConfigError(
            f"batch={batch.key}: it is {batch.state}: nothing at the provider is to be given up"
        )
    given_up = replace(batch, candidates=(), abandoned_at=now, held_at=None, error=None)
    if batch.state is BatchState.ENDED and batch.found:
        return replace(given_up, is_stale=False, next_at=0.0)
    return replace(given_up, state=next_state(batch.state, BatchEvent.ABANDON))
