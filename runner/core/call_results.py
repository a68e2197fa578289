"""What a call to a provider about one batch brought, by the call's kind."""

from collections.abc import Mapping
from dataclasses import dataclass

from runner.core.batch_reading import BatchReading
from runner.core.ends import End
from runner.core.errors import ProviderError
from runner.core.model import Progress, RemoteId
from runner.core.plan import Verb
from runner.core.twins import Made


@dataclass(frozen=True, slots=True)
class Staged:
    """The provider has the input."""

    handle: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the order."""

    remote: RemoteId


@dataclass(frozen=True, slots=True)
class Looked:
    """An order in doubt was looked for; None: nothing was found."""

    made: Made | None


@dataclass(frozen=True, slots=True)
class Sought:
    """Twins of a known batch were looked for."""

    made: Made | None


@dataclass(frozen=True, slots=True)
class Cleared:
    """Twins were cancelled and asked about."""

    fates: Mapping[str, str]
    """Every twin's fate."""
    trouble: str | None
    """What went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Result files came and were read."""

    reading: BatchReading
    hashes: Mapping[str, str]
    """sha256 by name."""
    found: int
    """Requests that have a line."""
    doubt: str | None
    """Why they are not taken to be all there is; None when they are."""
    end: End


@dataclass(frozen=True, slots=True)
class Done:
    """A call that returns nothing went well: FENCE, CANCEL, DROP or FETCH."""

    verb: Verb


@dataclass(frozen=True, slots=True)
class Failed:
    """A call brought an error."""

    verb: Verb
    error: ProviderError


CallResult = Staged | Accepted | Looked | Sought | Cleared | Fetched | Done | Failed | Progress
"""Whatever a call about one batch comes to."""
