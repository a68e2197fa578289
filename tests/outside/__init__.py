"""Judged by servers that we did not write: installed from packages, started on this machine."""
