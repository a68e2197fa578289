"""What every provider must do; a subclass with `kits` makes it run over them.

`ProviderSuite` holds for every batch API, `FileBatchSuite` for those that take their input as an
uploaded file and speak OpenAI's dialect. Nothing here reaches into a provider's SDK: replies are
spoiled on the wire, and what counts is what the service behind has done in the end.
"""

from collections.abc import Sequence
from typing import ClassVar

from tests.contract.case import (
    CANARY,
    IN_DOUBT,
    LABELS,
    batch_of,
    condition_of,
    everything_of,
    prompt_of,
    raised_by,
    staged,
    until_ended,
    write_requests,
)
from tests.contract.kits.base import Kit
from tests.contract.parts.answers import Answers
from tests.contract.parts.lines import Lines
from tests.contract.parts.orders import Orders
from tests.contract.parts.realtime import Realtime
from tests.contract.parts.refusals import Refusals
from tests.contract.parts.secrets import Secrets

__all__ = [
    "CANARY",
    "IN_DOUBT",
    "LABELS",
    "ProviderSuite",
    "batch_of",
    "condition_of",
    "everything_of",
    "prompt_of",
    "raised_by",
    "staged",
    "until_ended",
    "write_requests",
]


class ProviderSuite(Orders, Answers, Refusals, Realtime, Lines, Secrets):
    """What holds for every batch API."""

    kits: ClassVar[Sequence[Kit]]
