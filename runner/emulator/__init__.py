"""A pretend batch service on 127.0.0.1: no key, no cost, and it misbehaves on request."""
