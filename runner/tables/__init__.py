"""From attempts to tables, and other people's tables in."""
