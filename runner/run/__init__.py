"""One experiment, driven to its end."""
