"""A command line in; text or JSON and an exit code out."""
