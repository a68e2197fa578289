"""Regular expressions that are compiled when they are first used: what reads no answer waits for none."""

import re
from typing import Any, cast

_METHODS = ("search", "match", "fullmatch", "finditer", "findall", "split", "sub", "subn")


def regex(source: str, flags: int = 0) -> re.Pattern[str]:
    """Return what is used as a compiled expression is, and compiled at its first use.

    A source with a mistake is an error there, and not here; a test compiles all that modules hold.
    """
    return cast("re.Pattern[str]", _Waiting(source, flags))


class _Waiting:
    def __init__(self, source: str, flags: int) -> None:
        self.pattern = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        """Compile, and be from now on what was compiled: its methods are found here at once."""
        if name.startswith("__"):
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self._flags)
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        return getattr(compiled, name)
