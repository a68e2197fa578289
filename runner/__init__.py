"""Chorus: declarative experiments over batch APIs that never pay twice."""

__version__ = "0.1.0"
