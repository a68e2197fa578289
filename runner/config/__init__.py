"""YAML in, checked settings out; models and prices."""
