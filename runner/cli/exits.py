"""The exit codes."""

DONE = 0
"""All answered."""
OUR_FAULT = 1
USER_MISTAKE = 2
"""Nothing was sent."""
WORK_REMAINS = 3
"""Or some requests failed."""
INTERRUPTED = 130
