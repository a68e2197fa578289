"""What questions, options and levels are called in the language of a report or a codebook."""

from collections.abc import Sequence

from runner.config.labels import OF, Labels
from runner.tables.runs import StoredRun


class Called:
    """What items, options and levels are called in a language, where their YAML says it."""

    def __init__(self, runs: Sequence[StoredRun], language: str, labels: Labels) -> None:
        """Look through the runs' records, and then through what the configuration says today.

        Args:
            runs: that are shown.
            language: ja or en.
            labels: of the configuration; they count for what is called the same in a run's record.
        """
        self._found: dict[tuple[str, str], str] = {}
        for known in (*(run.manifest["experiment"].get("labels") or {} for run in runs), labels):
            for key, said in known.items():
                if language in said:
                    self._found.setdefault((key, said[OF]), said[language])

    def __call__(self, key: str, name: str) -> str:
        """Return what is shown for a name: of items.Q1, options.Q1.yes, levels.persona.p1."""
        return self._found.get((key, name), name)
