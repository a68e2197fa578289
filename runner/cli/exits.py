"""The exit codes."""

from runner.core.errors import ConfigError, LedgerInUse, LedgerOfAnotherExperiment

DONE = 0
"""All answered."""
OUR_FAULT = 1
USER_MISTAKE = 2
"""Nothing was sent."""
WORK_REMAINS = 3
"""Or some requests failed."""
INTERRUPTED = 130

MISTAKES = (ConfigError, LedgerInUse, LedgerOfAnotherExperiment)
"""The errors of a user, after which nothing was sent."""
