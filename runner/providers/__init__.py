"""The only code that talks to a service; the files do not know each other."""
