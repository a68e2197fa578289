"""The exit codes."""

from typing import TYPE_CHECKING

from runner.core.errors import ConfigError, LedgerInUse, LedgerOfAnotherExperiment

if TYPE_CHECKING:
    from runner.core.request_states import Counts

DONE = 0
"""All answered."""
OUR_FAULT = 1
USER_MISTAKE = 2
"""Nothing was sent."""
WORK_REMAINS = 3
"""Or some requests failed."""
INTERRUPTED = 130
UNREAD = 141
"""Whatever read the output has left, as `head` does; what was sent is on disk."""

MISTAKES = (ConfigError, LedgerInUse, LedgerOfAnotherExperiment)
"""The errors of a user, after which nothing was sent."""


def code_of(counts: "Counts") -> int:
    """Return the exit code of a run that ended by itself."""
    return WORK_REMAINS if counts.open or counts.failed else DONE
