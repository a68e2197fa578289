"""Where the shipped configuration is; imports nothing, so that --help is quick."""

from pathlib import Path

_PROGRAM = Path(__file__).resolve().parents[1]
SHIPPED = next(p for p in (_PROGRAM / "conf", _PROGRAM.parent / "conf") if p.is_dir())
"""Inside the package when installed, beside it in a checkout."""
EDITOR_SCHEMA = "experiment.schema.json"
"""The JSON Schema of an experiment's file; `runner.config.editor_schema` makes it."""
