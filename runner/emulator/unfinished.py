"""Uploads that are under way: what has come of a file, until all of it is there."""

from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO
from weakref import finalize


@dataclass(slots=True, weakref_slot=True, kw_only=True)
class Unfinished:
    """An upload that is under way; one that is never finished is lost with the process."""

    content: IO[bytes] = field(default_factory=TemporaryFile)
    """Closed with the upload."""

    def __post_init__(self) -> None:
        """Close the content when nothing holds the upload any more."""
        finalize(self, self.content.close)
