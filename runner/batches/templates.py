"""The request lines of many conditions: what is the same in all of them is encoded once.

A line is rendered and encoded with marks where the levels of a condition are filled in; of each
condition only these values are encoded then. The bytes are those that the whole way yields.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import orjson

from runner.core.cost import tokens_of
from runner.core.model import ITEM, Condition, Experiment, Level, Prompt, Variant
from runner.core.prompt import Renderer
from runner.providers.base import Frame, Provider

_MARK = re.compile("\x01([0-9]+)\x01")
_ENCODED = re.compile(rb"\\u0001([0-9]+)\\u0001")
_SIGN = "\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """Bytes with the names of what stands between them."""

    fixed: tuple[bytes, ...]
    names: tuple[str, ...]
    size: int
    """Bytes but for the values."""

    @classmethod
    def of(cls, line: bytes, names: Sequence[str]) -> Self:
        parts = _ENCODED.split(line)
        fixed = tuple(parts[::2])
        filled = tuple(names[int(n)] for n in parts[1::2])
        return cls(fixed=fixed, names=filled, size=sum(map(len, fixed)))

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        parts = [self.fixed[0]]
        for name, fixed in zip(self.names, self.fixed[1:], strict=True):
            parts += values[name], fixed
        return b"".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The request lines of all conditions that are sent alike but for what their levels fill in."""

    before: _Pieces
    after: _Pieces
    said: tuple[str, ...]
    """What is filled into the words that are sent, each as often as it stands there."""
    ascii: int
    """Characters of the rest of these words."""
    others: int
    """Beside them: characters beyond ASCII."""

    @classmethod
    def of(
        cls, experiment: Experiment, condition: Condition, variant: Variant, provider: Provider
    ) -> Self | None:
        """Return the template of a condition's line; None where there is more in it than values.

        Raises:
            ConfigError: a message names what is not there.
        """
        names: list[str] = []

        def mark(name: str) -> str:
            names.append(name)
            return f"{_SIGN}{len(names) - 1}{_SIGN}"

        factors, ids = {}, []
        for factor, id_ in zip(experiment.factors.values(), condition.levels, strict=True):
            if factor.name == ITEM and experiment.questions.each:
                factors[factor.name] = factor
            else:
                fields = {f: mark(f"{factor.name}.{f}") for f in factor.levels[id_].fields}
                level = Level(id=mark(factor.name), fields=fields)
                factors[factor.name] = replace(factor, levels={id_: level})
            ids.append(id_)
        marked = replace(experiment, factors=factors)
        prompt = Renderer(marked).render(condition, variant)
        frame = provider.encode(condition, prompt)
        words = words_of(prompt)
        parts = _MARK.split(words)
        said = tuple(names[int(n)] for n in parts[1::2])
        before, after = _Pieces.of(frame.before, names), _Pieces.of(frame.after, names)
        rest = "".join(parts[::2])
        if frame.proof is not None or _SIGN in rest:
            return None
        if sorted(said) != sorted((*before.names, *after.names)):
            return None
        ascii_count = len(rest.encode("ascii", "ignore"))
        return cls(
            before=before,
            after=after,
            said=said,
            ascii=ascii_count,
            others=len(rest) - ascii_count,
        )

    def frame(self, values: Mapping[str, str]) -> tuple[Frame, int] | None:
        """Return the line of a condition and its estimated tokens; None: it has to go the whole way.

        Args:
            values: what its levels fill in, by name.
        """
        encoded = self._encoded(values)
        if encoded is None:
            return None
        frame = Frame(before=self.before.filled(encoded), after=self.after.filled(encoded))
        return frame, self._tokens(values)

    def size(self, values: Mapping[str, str]) -> tuple[int, int] | None:
        """Return the bytes of a line without its custom_id, and its tokens; None as above."""
        encoded = self._encoded(values)
        if encoded is None:
            return None
        filled = sum(len(encoded[name]) for name in self.said)
        return self.before.size + self.after.size + filled, self._tokens(values)

    def _encoded(self, values: Mapping[str, str]) -> dict[str, bytes] | None:
        """Return values as they stand in a line; None where one may be cut at a message's end."""
        encoded = {}
        for name in self.said:
            value = values.get(name)
            if not value or value[0] == "\n" or value[-1] == "\n":
                return None
            try:
                encoded[name] = orjson.dumps(value)[1:-1]
            except TypeError:  # no text that can be sent: the whole way says so
                return None
        return encoded

    def _tokens(self, values: Mapping[str, str]) -> int:
        ascii_count, others = self.ascii, self.others
        for name in self.said:
            value = values[name]
            count = len(value) if value.isascii() else len(value.encode("ascii", "ignore"))
            ascii_count += count
            others += len(value) - count
        return tokens_of(ascii_count, others)


def words_of(prompt: Prompt) -> str:
    """Return all words of a prompt, one after another."""
    said = (prompt.system or "", *(turn.content for turn in prompt.earlier), prompt.user)
    return "".join(said)
