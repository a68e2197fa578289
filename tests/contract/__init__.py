"""Clients, emulator and the vendors' documents, checked against each other."""
